//! Sockets of activities, and the names that they look up.

use std::{net::IpAddr, pin::Pin, sync::Arc, vec};

use wasmtime::component::{HasSelf, Linker, Resource, ResourceType};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::sockets::{
    ip_name_lookup::{self, ResolveAddressStream},
    network::{self, ErrorCode, IpAddress, IpAddressFamily, Network},
    tcp::HostTcpSocket,
    tcp_create_socket,
    udp::HostUdpSocket,
    udp_create_socket,
};
use wasmtime_wasi::p2::{DynPollable, Pollable, SocketError, SocketResult, TcpSocket, UdpSocket, subscribe};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, poll_noop, spawn};
use wasmtime_wasi::sockets::WasiSocketsView as _;

use crate::activity::ActivityState;
use crate::network::Unreachable;

/// Put the places at which a guest can begin to use the network before those of the WASI implementation. The rest needs what is made
/// here.
pub(crate) fn add_to_linker(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    tcp_create_socket::add_to_linker::<_, HasSelf<ActivityState>>(linker, |s| s)?;
    udp_create_socket::add_to_linker::<_, HasSelf<ActivityState>>(linker, |s| s)?;
    ip_name_lookup::add_to_linker::<_, HasSelf<ActivityState>>(linker, |s| s)?;
    // Of these only their end: a socket that is closed is one file descriptor less.
    let mut tcp = linker.instance("wasi:sockets/tcp@0.2.12")?;
    tcp.resource(
        "tcp-socket",
        ResourceType::host::<TcpSocket>(),
        |mut store, handle| {
            let state = store.data_mut();
            HostTcpSocket::drop(&mut state.sockets(), Resource::new_own(handle))?;
            state.held().closed_socket(handle);
            Ok(())
        },
    )?;
    let mut udp = linker.instance("wasi:sockets/udp@0.2.12")?;
    udp.resource(
        "udp-socket",
        ResourceType::host::<UdpSocket>(),
        |mut store, handle| {
            let state = store.data_mut();
            HostUdpSocket::drop(&mut state.sockets(), Resource::new_own(handle))?;
            state.held().closed_socket(handle);
            Ok(())
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// A name that is looked up, or was. The guest's handle says it is a stream of the WASI implementation; only the functions below ever
/// see what it stands for.
enum Lookup {
    Pending(AbortOnDropJoinHandle<Answer>),
    Done(Result<vec::IntoIter<IpAddr>, ErrorCode>),
}

type Answer = Result<Vec<IpAddr>, Unreachable>;

impl Lookup {
    fn done(answer: Answer) -> Self {
        Self::Done(match answer {
            Ok(addresses) => Ok(addresses.into_iter()),
            Err(Unreachable::Denied(_)) => Err(ErrorCode::AccessDenied),
            Err(Unreachable::Unknown { .. }) => Err(ErrorCode::NameUnresolvable),
        })
    }
}

#[async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        if let Self::Pending(answer) = self {
            *self = Self::done(answer.await);
        }
    }
}

impl ActivityState {
    /// `Err` where no socket is granted at all.
    fn check_sockets(&self, what: &str) -> SocketResult<()> {
        if self.network().has_sockets() {
            return Ok(());
        }
        self.network().deny(format!(
            "{what} was asked for, and the module has no sockets; a line such as `connect = [\"db.example.com:5432\"]` under \
             `[grants.sockets]` in its settings grants them"
        ));
        Err(ErrorCode::AccessDenied.into())
    }
}

/// What a handle stands for. Borrowed: a pollable that is made of an own one would take it along when it goes.
fn lookup_of(stream: &Resource<ResolveAddressStream>) -> Resource<Lookup> {
    Resource::new_borrow(stream.rep())
}

impl network::Host for ActivityState {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.sockets().convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.sockets().network_error_code(error)
    }
}

impl network::HostNetwork for ActivityState {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.sockets(), network)
    }
}

impl tcp_create_socket::Host for ActivityState {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        self.check_sockets("a TCP socket")?;
        let right = self.descriptor().ok_or(ErrorCode::NewSocketLimit)?;
        let socket = self.sockets().create_tcp_socket(family)?;
        self.held().socket(socket.rep(), right);
        Ok(socket)
    }
}

impl udp_create_socket::Host for ActivityState {
    async fn create_udp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        self.check_sockets("a UDP socket")?;
        let right = self.descriptor().ok_or(ErrorCode::NewSocketLimit)?;
        let socket = self.sockets().create_udp_socket(family).await?;
        self.held().socket(socket.rep(), right);
        Ok(socket)
    }
}

impl ip_name_lookup::Host for ActivityState {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> SocketResult<Resource<ResolveAddressStream>> {
        // The handle is the guest's right to ask at all.
        self.table().get(&network)?;
        let lookup = match name.parse::<IpAddr>() {
            // Nothing is looked up; the connection is judged when it is made.
            Ok(address) => Lookup::done(Ok(vec![address])),
            Err(_) => {
                let network = Arc::clone(self.network());
                if network.check_lookup(&name).is_err() {
                    return Err(ErrorCode::AccessDenied.into());
                }
                Lookup::Pending(spawn(async move { network.socket_addresses(&name).await }))
            }
        };
        let lookup = self.table().push(lookup)?;
        Ok(Resource::new_own(lookup.rep()))
    }
}

impl ip_name_lookup::HostResolveAddressStream for ActivityState {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> SocketResult<Option<IpAddress>> {
        let lookup = self.table().get_mut(&lookup_of(&stream))?;
        if let Lookup::Pending(answer) = lookup {
            match poll_noop(Pin::new(answer)) {
                Some(answer) => *lookup = Lookup::done(answer),
                None => return Err(ErrorCode::WouldBlock.into()),
            }
        }
        match lookup {
            Lookup::Done(Ok(addresses)) => Ok(addresses.next().map(IpAddress::from)),
            Lookup::Done(Err(code)) => Err((*code).into()),
            Lookup::Pending(_) => Err(ErrorCode::WouldBlock.into()),
        }
    }

    fn subscribe(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table(), lookup_of(&stream))
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        self.table().delete(Resource::<Lookup>::new_own(stream.rep()))?;
        Ok(())
    }
}
