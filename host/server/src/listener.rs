//! Accepting connections: bounded in number, without delay of small packets, calm when the system has no
//! sockets left, and rid of those that never say a word.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};
use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, PollSemaphore, WaitForCancellationFutureOwned};
use tonic::transport::server::{Connected, TcpConnectInfo};
use tracing::warn;

use crate::{Error, Options};

/// Pause after a failed accept. Without it a process that has run out of file descriptors would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// A bound socket that hands out at most a given number of connections at a time.
#[derive(Debug)]
pub(crate) struct Listener {
    inner: TcpListener,
    addr: SocketAddr,
    permits: PollSemaphore,
    /// Held from the moment when there is room for a connection until there is one.
    permit: Option<OwnedSemaphorePermit>,
    pause: Option<Pin<Box<Sleep>>>,
    first_byte_timeout: Duration,
    stop: CancellationToken,
}

impl Listener {
    /// Listens on `addr`; `what` and `flag` name it in errors. Connections that have not sent anything are
    /// closed when `stop` is cancelled, or after the options' time for it.
    pub(crate) async fn bind(
        what: &'static str,
        addr: SocketAddr,
        flag: &'static str,
        options: &Options,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        let named = |source| Error::bind(what, addr, flag, source);
        let inner = TcpListener::bind(addr).await.map_err(named)?;
        let addr = inner.local_addr().map_err(named)?;
        let permits = PollSemaphore::new(Arc::new(Semaphore::new(options.connections_max)));
        Ok(Self {
            inner,
            addr,
            permits,
            permit: None,
            pause: None,
            first_byte_timeout: options.first_byte_timeout,
            stop,
        })
    }

    /// The bound address: with port 0 asked for, the port that the system chose.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<(Connection, SocketAddr)> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let permit = match self.permit.take() {
                Some(permit) => permit,
                None => match ready!(self.permits.poll_acquire(cx)) {
                    Some(permit) => permit,
                    // Nobody closes the semaphore; if somebody did, no connection could be accepted any more.
                    None => return Poll::Pending,
                },
            };
            match self.inner.poll_accept(cx) {
                Poll::Pending => {
                    self.permit = Some(permit);
                    return Poll::Pending;
                }
                Poll::Ready(Ok((stream, peer))) => {
                    // Without it an answer of several packets waits 40 ms for the client's delayed
                    // acknowledgement.
                    if let Err(error) = stream.set_nodelay(true) {
                        warn!(%peer, %error, "cannot set TCP_NODELAY");
                    }
                    let silent = Silence::new(self.first_byte_timeout, self.stop.clone());
                    return Poll::Ready((
                        Connection {
                            stream,
                            silent: Some(silent),
                            _permit: permit,
                        },
                        peer,
                    ));
                }
                Poll::Ready(Err(error)) => {
                    self.permit = Some(permit);
                    // The client has gone before it was accepted: not our trouble, and the next may be there
                    // already.
                    if !matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted
                            | io::ErrorKind::ConnectionReset
                            | io::ErrorKind::ConnectionRefused
                    ) {
                        warn!(addr = %self.addr, %error, "cannot accept a connection");
                        self.pause = Some(Box::pin(sleep(ACCEPT_PAUSE)));
                    }
                }
            }
        }
    }
}

/// For tonic.
impl Stream for Listener {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_accept(cx).map(|(connection, _)| Some(Ok(connection)))
    }
}

/// For axum.
impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        std::future::poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }
}

/// An accepted connection, which counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// Until the first byte arrives.
    silent: Option<Silence>,
    _permit: OwnedSemaphorePermit,
}

/// How long a new connection may say nothing. Neither HTTP stack has a limit for that, nor would its orderly
/// stop close it.
#[derive(Debug)]
struct Silence {
    timeout: Pin<Box<Sleep>>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Silence {
    fn new(limit: Duration, stop: CancellationToken) -> Self {
        Self {
            timeout: Box::pin(sleep(limit)),
            stop: Box::pin(stop.cancelled_owned()),
        }
    }

    /// Ready when the connection shall be closed.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the server is shutting down",
            ));
        }
        ready!(self.timeout.as_mut().poll(cx));
        Poll::Ready(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client has sent nothing",
        ))
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Some(silent) = &mut self.silent else {
            return read;
        };
        if read.is_pending() {
            return silent.poll_over(cx).map(Err);
        }
        self.silent = None;
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use axum::serve::Listener as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn listener(options: Options) -> Listener {
        Listener::bind(
            "gRPC",
            ([127, 0, 0, 1], 0).into(),
            "--port",
            &options,
            CancellationToken::new(),
        )
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn connections_are_bounded_and_without_delay() {
        let mut listener = listener(Options {
            connections_max: 1,
            ..Options::default()
        })
        .await;
        let _first = TcpStream::connect(listener.addr()).await.unwrap();
        let (accepted, _) = listener.accept().await;
        assert!(accepted.stream.nodelay().unwrap());

        let second = TcpStream::connect(listener.addr()).await.unwrap();
        assert!(
            listener
                .poll_accept(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert!(listener.permit.is_none(), "there is no room for a second one");
        drop(accepted);
        let (_, peer) = listener.accept().await;
        assert_eq!(peer, second.local_addr().unwrap());
    }

    #[tokio::test]
    async fn a_silent_connection_is_closed_and_one_that_speaks_is_not() {
        let mut listener = listener(Options {
            first_byte_timeout: Duration::from_millis(1),
            ..Options::default()
        })
        .await;
        let _silent = TcpStream::connect(listener.addr()).await.unwrap();
        let (mut accepted, _) = listener.accept().await;
        assert_eq!(
            accepted.read_u8().await.unwrap_err().kind(),
            io::ErrorKind::TimedOut
        );

        let mut client = TcpStream::connect(listener.addr()).await.unwrap();
        client.write_all(b"x").await.unwrap();
        let (mut accepted, _) = listener.accept().await;
        accepted.stream.readable().await.unwrap();
        assert_eq!(accepted.read_u8().await.unwrap(), b'x');
        assert!(accepted.silent.is_none());
    }
}
