//! Outgoing HTTP of activities: wasi:http, to the hosts that were granted.
//!
//! A request goes to the host that it names and nowhere else: no redirect is followed, no proxy is used, and the connection is made to
//! an address that was judged, not to a name that could stand for another one a moment later.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri, uri::Scheme};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, timeout};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::runtime::spawn;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, WasiHttpView as _};

use crate::activity::ActivityState;
use crate::descriptors::Right;
use crate::network::{Network, Unreachable};
use crate::tls::{Tls, TlsError};

/// Time to connect, TLS included, unless the guest says otherwise.
const CONNECT_MAX: Duration = Duration::from_secs(30);
/// Time until the response begins, and between any two parts of it, unless the guest says otherwise.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// An address that has said nothing for this long is not waited for alone, as RFC 8305 recommends.
const NEXT_AFTER: Duration = Duration::from_millis(250);
/// Addresses that are tried at once.
const TRIES_MAX: usize = 4;
/// Bytes of a response's head, and of what is read ahead of the guest.
const BUFFER_MAX_BYTES: usize = 64 << 10;

/// What wasi:http does for one attempt.
pub(crate) struct Http {
    network: Arc<Network>,
    tls: Arc<Tls>,
}

/// Drives a connection until its response is read.
type Driver = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Driver), Error>;

impl Http {
    pub(crate) fn new(network: Arc<Network>, tls: Arc<Tls>) -> Self {
        Self { network, tls }
    }
}

/// Put our `http-error-code` before the WASI implementation's, which does not recognise the errors that it makes of a body.
pub(crate) fn add_to_linker(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance("wasi:http/types@0.2.12")?.func_wrap(
        "http-error-code",
        |mut store: StoreContextMut<'_, ActivityState>, (error,): (Resource<wasmtime::Error>,)| {
            let view = store.data_mut().http();
            let error = view.table.get(&error)?;
            let code = match error.downcast_ref::<Error>() {
                None => error.downcast_ref::<ErrorCode>().cloned(),
                Some(Error::Hyper(error)) => Some(view.hooks.p2_error_from_hyper(error)),
                Some(Error::ConnectionReadTimeout) => Some(ErrorCode::ConnectionReadTimeout),
                Some(other) => Some(ErrorCode::InternalError(Some(other.to_string()))),
            };
            Ok((code,))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

impl WasiHttpHooks for Http {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Driver,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (network, tls) = (self.network.clone(), self.tls.clone());
        Box::new(async move { send(&network, &tls, request, options.unwrap_or_default()).await })
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        self.network
            .tell(format!("an HTTP connection has failed: {error}"));
        if error.is_incomplete_message() {
            ErrorCode::HttpResponseIncomplete
        } else if error.is_parse_too_large() {
            ErrorCode::HttpResponseHeaderSectionSize(None)
        } else {
            ErrorCode::HttpProtocolError
        }
    }

    fn p2_error_from_connect(&mut self, error: &io::Error) -> ErrorCode {
        match error.kind() {
            io::ErrorKind::TimedOut => ErrorCode::ConnectionTimeout,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                ErrorCode::DestinationIpUnroutable
            }
            io::ErrorKind::ConnectionRefused => ErrorCode::ConnectionRefused,
            _ => ErrorCode::InternalError(Some(format!("the connection could not be made: {error}"))),
        }
    }
}

/// Whom a request is for.
struct Target {
    /// A name, or an address without brackets.
    host: String,
    port: u16,
    encrypted: bool,
}

impl Target {
    fn of(uri: &Uri) -> Result<Self, Error> {
        let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
        // A name and a password before the host would be sent as part of the header `Host`.
        if authority.as_str().contains('@') {
            return Err(Error::HttpRequestUriInvalid);
        }
        let encrypted = uri.scheme() == Some(&Scheme::HTTPS);
        let host = authority.host();
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let default = if encrypted { 443 } else { 80 };
        let port = match authority.port() {
            Some(port) => port.as_str().parse().map_err(|_| Error::HttpRequestUriInvalid)?,
            None => default,
        };
        if host.is_empty() || port == 0 {
            return Err(Error::HttpRequestUriInvalid);
        }
        Ok(Self {
            host: inner.unwrap_or(host).to_owned(),
            port,
            encrypted,
        })
    }
}

async fn send(network: &Network, tls: &Tls, mut request: Request<WasiBody>, options: RequestOptions) -> Sent {
    let target = Target::of(request.uri())?;
    let connect_max = options.connect_timeout.unwrap_or(CONNECT_MAX);
    let first_max = options.first_byte_timeout.unwrap_or(SILENCE_MAX);
    let between_max = options.between_bytes_timeout.unwrap_or(SILENCE_MAX);

    // The server is named by the header `Host`, which is set already; the request line has the path only.
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|_| Error::HttpRequestUriInvalid)?;

    let connecting = async {
        let addresses = network.http_addresses(&target.host, target.port).await;
        let addresses = addresses.map_err(unreachable)?;
        let (stream, right) = connect(network, &addresses, target.port).await?;
        // Small requests do not wait for the answer to the one before.
        stream.set_nodelay(true).map_err(Error::Connect)?;
        let stream: Box<dyn Stream> = if target.encrypted {
            let stream = tls.connect(&target.host, stream).await;
            Box::new(stream.map_err(|error| untrusted(network, &error))?)
        } else {
            Box::new(stream)
        };
        let handshake = hyper::client::conn::http1::Builder::new()
            .max_buf_size(BUFFER_MAX_BYTES)
            .handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await?;
        Ok::<_, Error>((sender, connection, right))
    };
    let connected = timeout(connect_max, connecting).await;
    let (mut sender, connection, right) = connected.map_err(|_| Error::ConnectionTimeout)??;
    // Ends with the future that holds it.
    let driver = spawn(async move {
        let _right = right;
        connection.await
    });
    let response = timeout(first_max, sender.send_request(request)).await;
    let response = response.map_err(|_| Error::ConnectionReadTimeout)??;
    let response = response.map(|body| Timed::new(body, between_max).boxed_unsync());
    Ok((
        response,
        Box::new(async move { driver.await.map_err(Error::from) }),
    ))
}

/// Connect to the address that answers first. They are tried in their order, and the next one as soon as one has failed or has said
/// nothing for a moment: one that swallows everything keeps none of the others waiting.
async fn connect(network: &Network, addresses: &[IpAddr], port: u16) -> Result<(TcpStream, Right), Error> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "there is no address");
    let mut left = addresses.iter();
    // Those that are under way end with the future.
    let mut tries = JoinSet::new();
    loop {
        let mut more = left.len() > 0 && tries.len() < TRIES_MAX;
        if more {
            match network.descriptor() {
                Some(right) => {
                    // There is one, see above.
                    if let Some(address) = left.next() {
                        let address = SocketAddr::new(*address, port);
                        tries.spawn(async move { (TcpStream::connect(address).await, right) });
                    }
                    more = left.len() > 0 && tries.len() < TRIES_MAX;
                }
                None if tries.is_empty() => return Err(Error::InternalError(Some(network.no_descriptor()))),
                // The next one has that of one which fails.
                None => more = false,
            }
        }
        let ended = tokio::select! {
            biased;
            ended = tries.join_next() => ended,
            () = sleep(NEXT_AFTER), if more => continue,
        };
        match ended {
            Some(Ok((Ok(stream), right))) => return Ok((stream, right)),
            Some(Ok((Err(error), _))) => last = error,
            Some(Err(error)) => last = io::Error::other(error),
            None => return Err(Error::Connect(last)),
        }
    }
}

fn unreachable(error: Unreachable) -> Error {
    match error {
        // `HTTP-request-denied` would fit, but has no room for the reason.
        Unreachable::Denied(_) => Error::InternalError(Some(error.to_string())),
        Unreachable::Unknown { .. } => Error::DnsError {
            rcode: Some(error.to_string()),
            info_code: None,
        },
    }
}

fn untrusted(network: &Network, error: &TlsError) -> Error {
    network.tell(error.to_string());
    match error {
        TlsError::NoAuthorities(_) | TlsError::Name(_) => Error::InternalError(Some(error.to_string())),
        TlsError::Certificate { .. } => Error::TlsCertificateError,
        TlsError::Protocol { .. } => Error::TlsProtocolError,
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The body of a response, of which each part has to come in time. Nothing is read ahead of the guest but one buffer.
struct Timed {
    body: Incoming,
    limit: Duration,
    late: Pin<Box<Sleep>>,
    /// The guest waits. While it does other things, no time passes.
    waiting: bool,
}

impl Timed {
    fn new(body: Incoming, limit: Duration) -> Self {
        Self {
            body,
            limit,
            late: Box::pin(sleep(limit)),
            waiting: false,
        }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        if !self.waiting {
            self.waiting = true;
            let end = Instant::now() + self.limit;
            self.late.as_mut().reset(end);
        }
        ready!(self.late.as_mut().poll(cx));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;
    use crate::descriptors::Descriptors;
    use crate::grants::Grants;
    use crate::log::{Logs, NoLog};
    use crate::network::Shared;
    use crate::options::LogOptions;
    use crate::resolver::{Lookups, Resolver};

    fn network(descriptors: usize) -> Network {
        let shared = Shared {
            resolver: Resolver::default(),
            lookups: Lookups::default(),
            descriptors: Descriptors::new(descriptors),
        };
        let logs = Arc::new(Mutex::new(Logs::new(Arc::new(NoLog), LogOptions::default())));
        Network::new(&Grants::default(), shared, logs)
    }

    // C4
    #[tokio::test]
    async fn an_address_that_swallows_everything_does_not_keep_the_good_one_waiting() {
        // Nobody accepts here: when its line is full, whoever else connects waits.
        let full = TcpSocket::new_v4().unwrap();
        full.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let full = full.listen(1).unwrap();
        let at = full.local_addr().unwrap();
        let mut line = JoinSet::new();
        for _ in 0..8 {
            line.spawn(TcpStream::connect(at));
        }
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(line.join_next().await.unwrap().unwrap().unwrap());
        }
        let good = TcpListener::bind(("127.0.0.1", at.port())).await.unwrap();
        let addresses = ["127.0.0.2".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        let connecting = timeout(Duration::from_secs(30), async {
            connect(&network(0), &addresses, at.port()).await
        });
        let (stream, _) = connecting.await.unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good.local_addr().unwrap());
    }

    // C4
    #[tokio::test]
    async fn of_addresses_that_fail_the_last_one_says_why_and_without_a_descriptor_none_is_tried() {
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = good.local_addr().unwrap().port();
        let addresses: Vec<IpAddr> = (2..20).map(|n| IpAddr::from([127, 0, 0, n])).collect();
        let refused = network(0);
        match connect(&refused, &addresses, port).await {
            Err(Error::Connect(error)) => assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused),
            other => panic!("{other:?}"),
        }
        match connect(&refused, &[], port).await {
            Err(Error::Connect(error)) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
            other => panic!("{other:?}"),
        }
        // One is enough, however many addresses there are; it is held as long as the connection.
        let single = network(1);
        let mut all = addresses.clone();
        all.push("127.0.0.1".parse().unwrap());
        let (stream, right) = connect(&single, &all, port).await.unwrap();
        match connect(&single, &all, port).await {
            Err(Error::InternalError(Some(why))) => assert!(why.contains("1 open files"), "{why}"),
            other => panic!("{other:?}"),
        }
        drop((stream, right));
        assert!(connect(&single, &all, port).await.is_ok());
    }

    #[test]
    fn a_request_names_its_host_and_port() {
        let of = |uri: &str| {
            Target::of(&uri.parse().unwrap()).map(|t| format!("{} {} {}", t.host, t.port, t.encrypted))
        };
        assert_eq!(of("http://a.example/x").unwrap(), "a.example 80 false");
        assert_eq!(of("https://a.example:8443/x").unwrap(), "a.example 8443 true");
        assert_eq!(of("https://[::1]/").unwrap(), "::1 443 true");
        for bad in ["/x", "http://user:word@a.example/", "http://a.example:0/"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
