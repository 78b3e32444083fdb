//! Where an activity may connect to, as a line of a module's settings says it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{
    Reach,
    address::{self, Kind},
};

/// Characters of a name in DNS.
const NAME_CHARS: usize = 253;

/// A machine, or several, and which of its ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The machine.
    pub host: Host,
    /// The port.
    pub port: Port,
}

/// Machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// `*`: any name, and any public address.
    Any,
    /// `api.example.com`: this name. In lower case, without a dot at its end.
    Name(String),
    /// `*.example.com`: every name below this one, at any depth, and not this one itself.
    Below(String),
    /// `10.0.0.5`, `10.0.0.0/8`, `[::1]`, `[fd00::/8]`: addresses, by their first bits.
    Network {
        /// An address of them.
        address: IpAddr,
        /// How many bits of it count.
        bits: u8,
    },
}

/// Ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// None was given: for HTTP, 80 and 443.
    Default,
    /// `:*`.
    Any,
    /// `:8080`.
    Number(u16),
}

/// A line that is no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no destination: {why}")]
pub struct BadDestination {
    text: String,
    why: &'static str,
}

impl Destination {
    /// Read `HOST`, `HOST:PORT` or `HOST:*` for HTTP; without a port 80 and 443 are meant.
    ///
    /// # Errors
    ///
    /// It is none of these.
    pub fn http(text: &str) -> Result<Self, BadDestination> {
        Self::parse(text).map_err(|why| BadDestination {
            text: text.to_owned(),
            why,
        })
    }

    /// Read `HOST:PORT` or `HOST:*` for sockets.
    ///
    /// # Errors
    ///
    /// It is none of these.
    pub fn socket(text: &str) -> Result<Self, BadDestination> {
        match Self::http(text)? {
            Self {
                port: Port::Default, ..
            } => Err(BadDestination {
                text: text.to_owned(),
                why: "a socket needs a port, for example `:5432`, or `:*` for any",
            }),
            destination => Ok(destination),
        }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        if text.contains("://") {
            return Err("write it without `http://` or `https://`: HOST, HOST:PORT or HOST:*");
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']').ok_or("the bracket is not closed")?;
                let host = network(address).ok_or("in the brackets is no address")??;
                let port = match rest {
                    "" => None,
                    rest => Some(
                        rest.strip_prefix(':')
                            .ok_or("after the bracket a port may follow, as `:8080`")?,
                    ),
                };
                (host, port)
            }
            None => match text.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return Err("an IPv6 address goes into brackets, for example `[::1]:8080`");
                }
                Some((host, port)) => (self::host(host)?, Some(port)),
                None => (self::host(text)?, None),
            },
        };
        let port = match port {
            None => Port::Default,
            Some("*") => Port::Any,
            Some(number) => match number.parse() {
                Ok(number) if number > 0 && !text.contains('+') => Port::Number(number),
                _ => return Err("a port is a number from 1 to 65535, or `*`"),
            },
        };
        Ok(Self { host, port })
    }
}

fn host(text: &str) -> Result<Host, &'static str> {
    if text == "*" {
        return Ok(Host::Any);
    }
    if let Some(network) = network(text) {
        return network;
    }
    if let Some(below) = text.strip_prefix("*.") {
        return name(below).map(Host::Below);
    }
    name(text).map(Host::Name)
}

/// `None`: this is no address at all.
fn network(text: &str) -> Option<Result<Host, &'static str>> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits.map(str::parse::<u8>) {
        None => most,
        Some(Ok(bits)) if bits <= most => bits,
        Some(_) => {
            return Some(Err(
                "after the slash is the number of bits, at most 32 for IPv4 and 128 for IPv6",
            ));
        }
    };
    Some(Ok(Host::Network { address, bits }))
}

fn name(text: &str) -> Result<String, &'static str> {
    if !text.is_ascii() {
        return Err("write a name with letters beyond ASCII in its encoded form, `xn--...`");
    }
    if text.contains('*') {
        return Err("`*` stands at the beginning, as in `*.example.com`");
    }
    let part = |part: &str| {
        !part.is_empty()
            && part.len() <= 63
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let name = lower(text);
    if name.len() > NAME_CHARS || !name.split('.').all(part) {
        return Err("a host is a name such as `api.example.com`, or an address");
    }
    Ok(name)
}

/// A name as it is compared.
fn lower(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

impl Host {
    fn has_name(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Name(granted) => granted == name,
            Self::Below(granted) => name
                .strip_suffix(granted.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            Self::Network { .. } => false,
        }
    }

    /// Whether it names the address itself.
    fn has_address(&self, wanted: IpAddr) -> bool {
        let wanted = wanted.to_canonical();
        match self {
            Self::Any => address::kind(wanted) == Kind::Public,
            Self::Name(_) | Self::Below(_) => false,
            Self::Network { address, bits } => match (address.to_canonical(), wanted) {
                (IpAddr::V4(a), IpAddr::V4(b)) => same_v4(a, b, *bits),
                (IpAddr::V6(a), IpAddr::V6(b)) => same_v6(a, b, *bits),
                _ => false,
            },
        }
    }
}

fn same_v4(a: Ipv4Addr, b: Ipv4Addr, bits: u8) -> bool {
    let differ = a.to_bits() ^ b.to_bits();
    // `None`: no bit counts, so that all addresses are the same.
    differ.checked_shr(32 - u32::from(bits.min(32))).unwrap_or(0) == 0
}

fn same_v6(a: Ipv6Addr, b: Ipv6Addr, bits: u8) -> bool {
    let differ = a.to_bits() ^ b.to_bits();
    differ.checked_shr(128 - u32::from(bits.min(128))).unwrap_or(0) == 0
}

impl Port {
    pub(crate) fn has(self, port: u16) -> bool {
        match self {
            Self::Default => matches!(port, 80 | 443),
            Self::Any => true,
            Self::Number(number) => number == port,
        }
    }
}

/// Why a name may not be used for an address that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// It is this machine's or its network's.
    Private,
    /// No name may stand for it.
    Special,
}

impl Reach {
    /// Whether a name is granted with this port.
    pub(crate) fn has_name(&self, name: &str, port: u16) -> bool {
        let name = lower(name);
        self.destinations
            .iter()
            .any(|d| d.port.has(port) && d.host.has_name(&name))
    }

    /// Whether a name is granted with any port.
    pub(crate) fn knows_name(&self, name: &str) -> bool {
        let name = lower(name);
        self.destinations.iter().any(|d| d.host.has_name(&name))
    }

    /// The ports with which a name is granted.
    pub(crate) fn ports_of(&self, name: &str) -> impl Iterator<Item = Port> {
        let name = lower(name);
        self.destinations
            .iter()
            .filter(move |d| d.host.has_name(&name))
            .map(|d| d.port)
    }

    /// Whether an address is granted by itself.
    pub(crate) fn has_address(&self, address: IpAddr, port: u16) -> bool {
        self.destinations
            .iter()
            .any(|d| d.port.has(port) && d.host.has_address(address))
    }

    /// Whether a name that is granted may stand for this address. `port`: none where it is not yet known.
    pub(crate) fn check_resolved(&self, address: IpAddr, port: Option<u16>) -> Result<(), Forbidden> {
        let named = self
            .destinations
            .iter()
            .any(|d| port.is_none_or(|port| d.port.has(port)) && d.host.has_address(address));
        match address::kind(address) {
            _ if named => Ok(()),
            Kind::Public => Ok(()),
            Kind::Private if self.private => Ok(()),
            Kind::Private => Err(Forbidden::Private),
            Kind::Special => Err(Forbidden::Special),
        }
    }
}

/// How the destination is written that grants this.
pub(crate) fn written(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        _ => format!("{}:{port}", lower(host)),
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => f.write_str("*")?,
            Host::Name(name) => f.write_str(name)?,
            Host::Below(name) => write!(f, "*.{name}")?,
            Host::Network { address, bits } => {
                let most = if address.is_ipv4() { 32 } else { 128 };
                let bits = if *bits == most {
                    String::new()
                } else {
                    format!("/{bits}")
                };
                match address {
                    IpAddr::V4(address) => write!(f, "{address}{bits}")?,
                    IpAddr::V6(address) => write!(f, "[{address}{bits}]")?,
                }
            }
        }
        match self.port {
            Port::Default => Ok(()),
            Port::Any => f.write_str(":*"),
            Port::Number(port) => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(texts: &[&str], private: bool) -> Reach {
        Reach {
            destinations: texts
                .iter()
                .map(|text| Destination::http(text).unwrap())
                .collect(),
            private,
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn destinations_are_read_and_written_alike() {
        for text in [
            "api.example.com",
            "api.example.com:8443",
            "*.example.com:*",
            "*",
            "127.0.0.1:80",
            "10.0.0.0/8:5432",
            "[::1]:80",
            "[fd00::/8]:*",
            "[::1]",
        ] {
            assert_eq!(Destination::http(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Destination::http("API.Example.com.").unwrap().to_string(),
            "api.example.com"
        );
    }

    #[test]
    fn what_is_no_destination_is_refused_with_a_reason() {
        for (text, why) in [
            ("", "a host is a name"),
            ("http://a", "without `http://`"),
            ("a b", "a host is a name"),
            ("a..b", "a host is a name"),
            ("a.*.b", "stands at the beginning"),
            ("exa*mple", "stands at the beginning"),
            ("münchen.de", "xn--"),
            ("a:0", "1 to 65535"),
            ("a:+80", "1 to 65535"),
            ("a:65536", "1 to 65535"),
            ("::1", "brackets"),
            ("[::1", "not closed"),
            ("[a]:80", "no address"),
            ("[::1]80", "after the bracket"),
            ("10.0.0.0/33", "number of bits"),
            ("user@host", "a host is a name"),
            ("a/b", "a host is a name"),
        ] {
            let error = Destination::http(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(
            Destination::socket("a")
                .unwrap_err()
                .to_string()
                .contains("needs a port")
        );
        assert!(Destination::socket("a:*").is_ok());
    }

    #[test]
    fn names_are_granted_by_name_and_port() {
        let reach = reach(&["api.example.com", "*.example.org:8443", "10.0.0.0/8:1"], false);
        for (name, port, granted) in [
            ("api.example.com", 443, true),
            ("API.example.com.", 80, true),
            ("api.example.com", 8080, false),
            ("x.api.example.com", 443, false),
            ("example.com", 443, false),
            ("a.example.org", 8443, true),
            ("a.b.example.org", 8443, true),
            ("example.org", 8443, false),
            ("notexample.org", 8443, false),
            (".example.org", 8443, false),
            ("a.example.org", 443, false),
            ("a.example.org.evil.com", 8443, false),
        ] {
            assert_eq!(reach.has_name(name, port), granted, "{name}:{port}");
        }
    }

    #[test]
    fn addresses_are_granted_by_their_first_bits() {
        let reach = reach(
            &["10.1.0.0/16:1", "[fd00::/8]:1", "192.168.1.7:1", "0.0.0.0/0:9"],
            false,
        );
        for (address, port, granted) in [
            ("10.1.255.255", 1, true),
            ("10.2.0.0", 1, false),
            ("10.1.0.1", 2, false),
            ("fdff::1", 1, true),
            ("fe00::1", 1, false),
            ("192.168.1.7", 1, true),
            ("192.168.1.6", 1, false),
            ("::ffff:192.168.1.7", 1, true),
            ("8.8.8.8", 9, true),
            ("::1", 9, false),
        ] {
            assert_eq!(reach.has_address(ip(address), port), granted, "{address}:{port}");
        }
    }

    #[test]
    fn a_name_stands_for_public_addresses_only_unless_more_is_granted() {
        let plain = reach(&["a.example"], false);
        assert_eq!(plain.check_resolved(ip("8.8.8.8"), Some(80)), Ok(()));
        assert_eq!(
            plain.check_resolved(ip("127.0.0.1"), Some(80)),
            Err(Forbidden::Private)
        );
        assert_eq!(
            plain.check_resolved(ip("169.254.169.254"), Some(80)),
            Err(Forbidden::Special)
        );
        let private = reach(&["a.example"], true);
        assert_eq!(private.check_resolved(ip("127.0.0.1"), Some(80)), Ok(()));
        assert_eq!(
            private.check_resolved(ip("169.254.169.254"), Some(80)),
            Err(Forbidden::Special)
        );
        let named = reach(&["a.example", "169.254.169.254"], false);
        assert_eq!(named.check_resolved(ip("169.254.169.254"), Some(80)), Ok(()));
        assert_eq!(
            named.check_resolved(ip("169.254.169.254"), Some(8080)),
            Err(Forbidden::Special)
        );
        let any = reach(&["*"], false);
        assert_eq!(
            any.check_resolved(ip("127.0.0.1"), Some(80)),
            Err(Forbidden::Private)
        );
        assert!(any.has_address(ip("8.8.8.8"), 443) && !any.has_address(ip("10.0.0.1"), 443));
    }
}
