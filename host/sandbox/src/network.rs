//! What an attempt may reach: every address is judged before a connection to it is made, and what is refused is logged with the line
//! of the settings that would grant it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use wasmtime_wasi::sockets::SocketAddrUse;

use crate::descriptors::{Descriptors, Right};
use crate::grants::{Forbidden, Grants, Port, Reach, written};
use crate::log::Logs;
use crate::resolver::{Lookups, Resolver};

/// Addresses of one attempt that are remembered as what a granted name stands for.
const LEARNED_MAX: usize = 4_096;

/// The network of one attempt.
pub(crate) struct Network {
    http: Reach,
    sockets: Reach,
    resolver: Resolver,
    lookups: Lookups,
    descriptors: Descriptors,
    /// What names stood for when the guest looked them up: it connects to addresses, and these are the ones that a name has granted.
    /// The guest gets an address from here or not at all, so what is looked up a second time cannot differ from what was judged.
    learned: Mutex<Vec<(IpAddr, Port)>>,
    logs: Arc<Mutex<Logs>>,
}

/// What it shares with the networks of other attempts.
pub(crate) struct Shared {
    pub(crate) resolver: Resolver,
    /// With those of its module.
    pub(crate) lookups: Lookups,
    pub(crate) descriptors: Descriptors,
}

/// Why a name or an address leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    /// It is not granted.
    #[error("denied: {0}")]
    Denied(String),
    /// It has no address.
    #[error("the name {name:?} cannot be resolved: {source}")]
    Unknown { name: String, source: io::Error },
}

impl Network {
    pub(crate) fn new(grants: &Grants, means: Shared, logs: Arc<Mutex<Logs>>) -> Self {
        Self {
            http: grants.http.clone(),
            sockets: grants.sockets.clone(),
            resolver: means.resolver,
            lookups: means.lookups,
            descriptors: means.descriptors,
            learned: Mutex::default(),
            logs,
        }
    }

    /// Whether any socket can be of use.
    pub(crate) fn has_sockets(&self) -> bool {
        !self.sockets.is_empty()
    }

    /// The right to a connection, if there is one.
    pub(crate) fn descriptor(&self) -> Option<Right> {
        self.descriptors.try_one()
    }

    /// Why there is none: a line in the log of the attempt, and the same text for the guest.
    pub(crate) fn no_descriptor(&self) -> String {
        let text = self.descriptors.none_left();
        self.tell(text.clone());
        text
    }

    /// Deny something: a line in the log of the attempt, and the same text for the guest.
    pub(crate) fn deny(&self, text: String) -> Unreachable {
        self.tell(format!("denied: {text}"));
        Unreachable::Denied(text)
    }

    /// A line in the log of the attempt.
    pub(crate) fn tell(&self, text: String) {
        self.logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tell(text);
    }

    /// Where a request to this host and port goes: addresses that are granted, and no others. `host` is a name or an address without
    /// brackets.
    pub(crate) async fn http_addresses(&self, host: &str, port: u16) -> Result<Vec<IpAddr>, Unreachable> {
        let line = written(host, port);
        let ungranted = || {
            self.deny(format!(
                "the module may not send HTTP requests to {line}; the line `hosts = [\"{line}\"]` under `[grants.http]` in its \
                 settings grants it"
            ))
        };
        if let Ok(address) = host.parse::<IpAddr>() {
            let granted = self.http.has_address(address, port);
            return granted.then(|| vec![address]).ok_or_else(ungranted);
        }
        if !self.http.has_name(host, port) {
            return Err(ungranted());
        }
        self.resolve(host, &self.http, Some(port), "grants.http", "hosts")
            .await
    }

    /// Look a name up for a guest that will connect by itself.
    pub(crate) async fn socket_addresses(&self, name: &str) -> Result<Vec<IpAddr>, Unreachable> {
        let found = self
            .resolve(name, &self.sockets, None, "grants.sockets", "connect")
            .await?;
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        for port in self.sockets.ports_of(name) {
            for address in &found {
                if learned.len() < LEARNED_MAX && !learned.contains(&(*address, port)) {
                    learned.push((*address, port));
                }
            }
        }
        Ok(found)
    }

    /// `Err` where a name may not be looked up.
    pub(crate) fn check_lookup(&self, name: &str) -> Result<(), Unreachable> {
        if self.sockets.knows_name(name) {
            return Ok(());
        }
        Err(self.deny(format!(
            "the module may not look up {name:?}; a line such as `connect = [\"{name}:443\"]` under `[grants.sockets]` in its settings \
             grants it"
        )))
    }

    /// The addresses of a name that it may stand for. Whoever serves the name chooses its addresses: they do not lead to this machine
    /// or its neighbours unless that is granted too.
    async fn resolve(
        &self,
        name: &str,
        reach: &Reach,
        port: Option<u16>,
        table: &str,
        key: &str,
    ) -> Result<Vec<IpAddr>, Unreachable> {
        let unknown = |source| Unreachable::Unknown {
            name: name.to_owned(),
            source,
        };
        let found = self.resolver.resolve(name.to_owned(), &self.lookups).await;
        let found = found.map_err(unknown)?;
        let mut good = Vec::new();
        let mut forbidden = None;
        for address in found {
            match reach.check_resolved(address, port) {
                Ok(()) => good.push(address),
                Err(why) => forbidden = Some((address, why)),
            }
        }
        match forbidden {
            None if good.is_empty() => Err(unknown(io::Error::new(
                io::ErrorKind::NotFound,
                "it has no address",
            ))),
            Some((address, why)) if good.is_empty() => {
                let line = written(&address.to_string(), port.unwrap_or(443));
                let or = match why {
                    Forbidden::Private => ", or `private = true` there",
                    Forbidden::Special => "",
                };
                // The address is for whoever runs the server: guests would learn from it what there is on a network that they may not
                // reach.
                self.tell(format!(
                    "denied: {name:?} stands for {address}, which is not a public address; the line `{key} = [\"{line}\"]` under \
                     `[{table}]` in the module's settings{or} grants it"
                ));
                Err(Unreachable::Denied(match why {
                    Forbidden::Private => format!(
                        "{name:?} stands for an address that is not public; `private = true` under `[{table}]` in the module's settings \
                         grants all of these, and the log of the attempt has the line for this one"
                    ),
                    Forbidden::Special => format!(
                        "{name:?} stands for an address that is not public, and that has to be granted by itself; the log of the attempt has \
                         the line for it under `[{table}]` in the module's settings"
                    ),
                }))
            }
            _ => Ok(good),
        }
    }

    /// Whether a socket may be used in this way.
    pub(crate) fn may_use(&self, address: SocketAddr, usage: SocketAddrUse) -> bool {
        match usage {
            // A port of the system's choice is what every connection begins with.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind if address.port() == 0 => true,
            SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend => {
                let may = self.may_reach(address);
                if !may {
                    let line = written(&address.ip().to_string(), address.port());
                    self.deny(format!(
                        "the module may not connect to {line}; the line `connect = [\"{line}\"]` under `[grants.sockets]` in its settings \
                         grants it"
                    ));
                }
                may
            }
            // Whoever sends a datagram unasked does not get a line in the log for it.
            SocketAddrUse::UdpReceive => self.may_reach(address),
            _ => {
                self.deny(format!(
                    "an activity may not listen, on {address} or elsewhere; no line grants it"
                ));
                false
            }
        }
    }

    fn may_reach(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        if self.sockets.has_address(ip, address.port()) {
            return true;
        }
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_learned = learned
            .iter()
            .any(|(known, port)| *known == ip && port.has(address.port()));
        // When the name was looked up the port was not known: an address that is granted with another one was let through.
        is_learned && self.sockets.check_resolved(ip, Some(address.port())).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::grants::Destination;
    use crate::log::{LogLine, LogSink, NoLog};
    use crate::options::LogOptions;
    use crate::resolver::{Resolve, Resolving};

    /// A name server in the hands of somebody else: each time it is asked it gives the next answer, and the last one for ever.
    struct Rebinding(Vec<Vec<IpAddr>>, AtomicUsize);

    impl Resolve for Rebinding {
        fn resolve(&self, _: String) -> Resolving {
            let turn = self.1.fetch_add(1, Ordering::Relaxed).min(self.0.len() - 1);
            let answer = self.0[turn].clone();
            Box::pin(async move { Ok(answer) })
        }
    }

    fn network(answers: &[&[&str]], http: &[&str], sockets: &[&str]) -> Network {
        network_with(Arc::new(NoLog), answers, http, sockets)
    }

    fn network_with(log: Arc<dyn LogSink>, answers: &[&[&str]], http: &[&str], sockets: &[&str]) -> Network {
        let answers = answers
            .iter()
            .map(|a| a.iter().map(|ip| ip.parse().unwrap()).collect());
        let resolver = Resolver::new(Rebinding(answers.collect(), AtomicUsize::new(0)));
        let reach = |texts: &[&str]| Reach {
            destinations: texts
                .iter()
                .map(|text| Destination::http(text).unwrap())
                .collect(),
            private: false,
        };
        let grants = Grants {
            http: reach(http),
            sockets: reach(sockets),
            ..Grants::default()
        };
        let shared = Shared {
            resolver,
            lookups: Lookups::default(),
            descriptors: Descriptors::new(0),
        };
        let logs = Arc::new(Mutex::new(Logs::new(log, LogOptions::default())));
        Network::new(&grants, shared, logs)
    }

    fn may_connect(network: &Network, address: &str) -> bool {
        network.may_use(address.parse().unwrap(), SocketAddrUse::TcpConnect)
    }

    // C3
    #[tokio::test]
    async fn a_name_that_moves_to_this_machine_leads_nowhere_by_http() {
        let network = network(
            &[&["8.8.8.8"], &["127.0.0.1"], &["169.254.169.254"]],
            &["evil.example"],
            &[],
        );
        let first = network.http_addresses("evil.example", 80).await.unwrap();
        assert_eq!(
            first,
            ["8.8.8.8".parse::<IpAddr>().unwrap()],
            "what is judged is what is connected to"
        );
        for _ in ["127.0.0.1", "169.254.169.254"] {
            let error = network
                .http_addresses("evil.example", 80)
                .await
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("denied: \"evil.example\" stands for"),
                "{error}"
            );
        }
    }

    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl LogSink for Kept {
        fn log(&self, line: LogLine) {
            self.0.lock().unwrap().push(line.message);
        }
    }

    // C3
    #[tokio::test]
    async fn a_denial_tells_the_operator_what_a_name_stands_for_and_not_the_guest() {
        let log = Arc::new(Kept::default());
        let network = network_with(
            log.clone(),
            &[&["10.7.7.7"], &["fd00::7"]],
            &["db.internal", "[::7]:1"],
            &["db.internal:1"],
        );
        for address in ["10.7.7.7", "fd00::7"] {
            let error = network
                .http_addresses("db.internal", 80)
                .await
                .unwrap_err()
                .to_string();
            assert!(
                !error.contains(address) && error.contains("private = true"),
                "{error}"
            );
            let line = log.0.lock().unwrap().pop().unwrap();
            assert!(line.contains(address) && line.contains("hosts = ["), "{line}");
        }
    }

    // C3
    #[tokio::test]
    async fn a_name_and_an_address_grant_no_port_together_that_neither_grants() {
        let network = network(
            &[&["10.0.0.5"]],
            &[],
            &["db.example:5432", "any.example:*", "10.0.0.5:8080"],
        );
        for name in ["db.example", "any.example"] {
            network.socket_addresses(name).await.unwrap();
        }
        assert!(may_connect(&network, "10.0.0.5:8080"));
        for port in [80, 5432, 8081] {
            assert!(!may_connect(&network, &format!("10.0.0.5:{port}")), "{port}");
        }
    }

    // C3
    #[tokio::test]
    async fn of_several_addresses_the_public_ones_are_used() {
        let network = network(
            &[&["10.0.0.1", "8.8.8.8", "::1"], &[], &["10.0.0.1"]],
            &["mixed.example"],
            &[],
        );
        let found = network.http_addresses("mixed.example", 443).await.unwrap();
        assert_eq!(found, ["8.8.8.8".parse::<IpAddr>().unwrap()]);
        let error = network.http_addresses("mixed.example", 443).await.unwrap_err();
        assert!(matches!(error, Unreachable::Unknown { .. }), "{error}");
    }

    // C3
    #[tokio::test]
    async fn a_name_that_moves_to_this_machine_leads_nowhere_by_socket() {
        let network = network(&[&["8.8.8.8"], &["127.0.0.1"]], &[], &["evil.example:5432"]);
        assert!(
            !may_connect(&network, "8.8.8.8:5432"),
            "nobody has looked the name up"
        );
        assert!(network.check_lookup("evil.example").is_ok());
        network.socket_addresses("evil.example").await.unwrap();
        assert!(may_connect(&network, "8.8.8.8:5432"));
        assert!(!may_connect(&network, "8.8.8.8:5433"), "the port is another");
        assert!(network.socket_addresses("evil.example").await.is_err());
        assert!(!may_connect(&network, "127.0.0.1:5432"));
        assert!(
            may_connect(&network, "8.8.8.8:5432"),
            "what was judged stays granted"
        );
        assert!(network.check_lookup("other.example").is_err());
    }

    // C3
    #[tokio::test]
    async fn sockets_begin_at_a_port_of_the_systems_choice_and_never_listen() {
        let network = network(&[&[]], &[], &["*:*"]);
        let may = |address: &str, usage| network.may_use(address.parse().unwrap(), usage);
        assert!(may("0.0.0.0:0", SocketAddrUse::TcpBind) && may("[::]:0", SocketAddrUse::UdpBind));
        assert!(!may("0.0.0.0:80", SocketAddrUse::TcpBind) && !may("127.0.0.1:53", SocketAddrUse::UdpBind));
        assert!(!may("0.0.0.0:0", SocketAddrUse::TcpListen) && !may("8.8.8.8:1", SocketAddrUse::TcpAccept));
        assert!(may("8.8.8.8:53", SocketAddrUse::UdpSend) && !may("10.0.0.1:53", SocketAddrUse::UdpSend));
        assert!(!may("[::ffff:127.0.0.1]:80", SocketAddrUse::TcpConnect));
    }
}
