//! A server that answers with what a test has written down, in order, and keeps what it was asked.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use prost::{Message, bytes::Bytes};
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{BufferSettings, Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, NamedService, UnaryService},
    transport::{Server, server::TcpIncoming},
};

type Answer = (&'static str, Result<Vec<u8>, Status>);
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The script and what has come of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fake {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<(String, Bytes)>>>,
}

impl Fake {
    /// The next request is for `method` and is answered so.
    pub(crate) fn answer(self, method: &'static str, answer: impl Message) -> Self {
        self.answers
            .lock()
            .unwrap()
            .push_back((method, Ok(answer.encode_to_vec())));
        self
    }

    /// The next request is for `method` and is refused so.
    pub(crate) fn refuse(self, method: &'static str, status: Status) -> Self {
        self.answers.lock().unwrap().push_back((method, Err(status)));
        self
    }

    /// The `n`-th request.
    pub(crate) fn asked<M: Message + Default>(&self, n: usize) -> M {
        M::decode(self.asked.lock().unwrap()[n].1.clone()).unwrap()
    }

    /// Whether the whole script was played.
    pub(crate) fn is_done(&self) -> bool {
        self.answers.lock().unwrap().is_empty()
    }

    /// Serve on a free port, on threads of its own, until the process ends.
    pub(crate) fn serve(&self) -> SocketAddr {
        let incoming = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = incoming.local_addr().unwrap();
        incoming.set_nonblocking(true).unwrap();
        let fake = self.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(incoming).unwrap());
                Server::builder()
                    .add_service(fake)
                    .serve_with_incoming(incoming)
                    .await
                    .unwrap();
            });
        });
        address
    }

    fn next(&self, path: &str, message: Bytes) -> Result<Vec<u8>, Status> {
        let method = path.rsplit('/').next().unwrap();
        self.asked.lock().unwrap().push((method.to_owned(), message));
        match self.answers.lock().unwrap().pop_front() {
            Some((expected, answer)) if expected == method => answer,
            other => Err(Status::internal(format!(
                "the script has {other:?}, but {method} came"
            ))),
        }
    }
}

impl NamedService for Fake {
    const NAME: &'static str = "temporal.api.workflowservice.v1.WorkflowService";
}

impl tower_service::Service<http::Request<Body>> for Fake {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let call = Call {
            fake: self.clone(),
            path: request.uri().path().to_owned(),
        };
        Box::pin(async move {
            let mut grpc = Grpc::new(Raw)
                .accept_compressed(CompressionEncoding::Gzip)
                .send_compressed(CompressionEncoding::Gzip);
            Ok(grpc.unary(call, request).await)
        })
    }
}

struct Call {
    fake: Fake,
    path: String,
}

impl UnaryService<Bytes> for Call {
    type Response = Vec<u8>;
    type Future = BoxFuture<Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let answer = self.fake.next(&self.path, request.into_inner());
        Box::pin(async move { answer.map(Response::new) })
    }
}

/// Messages as bytes: the script knows their types.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        prost::bytes::BufMut::put_slice(buffer, &item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let remaining = prost::bytes::Buf::remaining(buffer);
        Ok(Some(prost::bytes::Buf::copy_to_bytes(buffer, remaining)))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}
