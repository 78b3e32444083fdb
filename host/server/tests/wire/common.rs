//! A server on free ports, and clients for it.

use std::{net::SocketAddr, time::Duration};

use longhaul_runtime::{Clock, Runtime};
use longhaul_server::{Error, Options, Server, module_proto::module_service_client::ModuleServiceClient};
use longhaul_store::{Store, faults::FaultyDisk};
use temporalio_protos::temporal::api::workflowservice::v1::workflow_service_client::WorkflowServiceClient;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

/// Longer than anything here takes; what is slower hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The runtime behind the server, on a disk in memory. Most of what these tests look at is decided before it is asked.
pub(crate) fn runtime() -> Runtime {
    let mut options = longhaul_runtime::Options::new("in-memory.redb");
    options.sandbox.cache_dir = None;
    // Every test's runtime lives until the process ends: together they must fit the kernel's number of mappings.
    options.sandbox.arena_slots = 16;
    options.activity_slots = 16;
    let store = Store::open_with_backend(options.store.clone(), FaultyDisk::new()).unwrap();
    Runtime::open_on(options, store, Clock::system()).unwrap()
}

/// Options for a test: free ports.
pub(crate) fn options() -> Options {
    Options {
        grpc_port: 0,
        http_port: 0,
        ..Options::default()
    }
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub(crate) async fn start(options: Options) -> Self {
        let server = Server::bind(options, runtime()).await.unwrap();
        let (grpc, http) = (server.grpc_addr(), server.http_addr());
        let stop = CancellationToken::new();
        let task = tokio::spawn(server.run(stop.clone()));
        Self {
            grpc,
            http,
            stop,
            task,
        }
    }

    pub(crate) async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.grpc))
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    pub(crate) async fn workflows(&self) -> WorkflowServiceClient<Channel> {
        WorkflowServiceClient::new(self.channel().await)
    }

    pub(crate) async fn modules(&self) -> ModuleServiceClient<Channel> {
        ModuleServiceClient::new(self.channel().await)
    }

    /// Status line and body of an HTTP request.
    pub(crate) async fn http(&self, method: &str, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    /// Stops the server and waits for its end.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.task)
            .await
            .expect("the server stops")
            .unwrap()
            .unwrap();
    }
}
