//! The network of activities: real where it is granted; where it is not, refused with a log line that says how it is granted.

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::{
    ip_name_lookup::{self, ResolveAddressStream},
    network::{self, ErrorCode, IpAddress, IpAddressFamily, Network},
    tcp_create_socket, udp_create_socket,
};
use wasmtime_wasi::p2::{DynPollable, SocketError, SocketResult, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::WasiSocketsView as _;

use crate::activity::ActivityState;

/// Put the places at which a guest can begin to use the network before those of the WASI implementation. The rest needs what is made
/// here.
pub(crate) fn add_to_linker(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    tcp_create_socket::add_to_linker::<_, HasSelf<ActivityState>>(linker, |s| s)?;
    udp_create_socket::add_to_linker::<_, HasSelf<ActivityState>>(linker, |s| s)?;
    ip_name_lookup::add_to_linker::<_, HasSelf<ActivityState>>(linker, |s| s)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl ActivityState {
    /// `Err` where the network is not granted.
    fn check_network(&mut self, what: &str) -> SocketResult<()> {
        if self.network_granted() {
            return Ok(());
        }
        self.tell(format!(
            "{what} is denied: the module has no network; the line `network = true` under `[grants]` in its settings grants it"
        ));
        Err(SocketError::from(ErrorCode::AccessDenied))
    }
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
        self.check_network("a TCP socket")?;
        self.sockets().create_tcp_socket(family)
    }
}

impl udp_create_socket::Host for ActivityState {
    async fn create_udp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        self.check_network("a UDP socket")?;
        self.sockets().create_udp_socket(family).await
    }
}

impl ip_name_lookup::Host for ActivityState {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> SocketResult<Resource<ResolveAddressStream>> {
        self.check_network("looking a name up")?;
        self.sockets().resolve_addresses(network, name)
    }
}

impl ip_name_lookup::HostResolveAddressStream for ActivityState {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> SocketResult<Option<IpAddress>> {
        self.sockets().resolve_next_address(stream)
    }

    fn subscribe(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        self.sockets().subscribe(stream)
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        ip_name_lookup::HostResolveAddressStream::drop(&mut self.sockets(), stream)
    }
}
