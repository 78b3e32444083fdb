//! What is measured: the engine in this process, a server around it, or a server elsewhere. Opened for a case, closed after it.

use std::path::{Path, PathBuf};

use longhaul_runtime::{Options, Runtime, modules};
use longhaul_server::module_proto::{UploadHeader, UploadRequest, upload_request::Part};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;

use super::{
    Mode, Session,
    caller::{Caller, QUEUE},
};
use crate::{
    Error,
    args::{Address, Color, Format, Global},
    client::Client,
    embedded::{self, Database},
    proto::workflowservice::v1::workflow_service_client::WorkflowServiceClient,
};

/// Connections that the callers share. One would do for the protocol, but each is served by one task at each end.
const CONNECTIONS: usize = 4;
/// Name of the uploaded module.
const MODULE: &str = "bench";
/// Bytes of a component in one message; the server takes at most 1 MiB.
const CHUNK_BYTES: usize = 256 * 1024;

/// What is measured, with the component uploaded.
pub(super) struct Target {
    callers: Vec<Caller>,
    own: Option<Own>,
}

/// An engine in this process.
pub(super) struct Own {
    runtime: Runtime,
    server: Option<OwnServer>,
    /// Removed when this is dropped.
    _folder: Option<TempDir>,
}

/// gRPC around an engine of this process.
pub(super) struct OwnServer {
    stop: CancellationToken,
    task: JoinHandle<Result<(), longhaul_server::Error>>,
    address: Address,
}

/// Commits of the database, and the transitions in them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writes {
    pub(super) commits: u64,
    pub(super) transitions: u64,
}

/// Where a database goes.
pub(super) struct Place {
    pub(super) file: PathBuf,
    /// Removed when this is dropped.
    folder: Option<TempDir>,
}

impl Place {
    /// This file, which stays.
    pub(super) fn given(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            folder: None,
        }
    }

    /// The file that is asked for, or one in a new folder within the current one: on the disk that people mean, where the system's
    /// folder for temporary files may be in memory.
    pub(super) fn of(session: &Session) -> Result<Self, Error> {
        if let Some(file) = &session.db {
            return Ok(Self::given(file));
        }
        let folder = tempfile::Builder::new()
            .prefix(".longhaul-bench-")
            .tempdir_in(".")
            .map_err(Error::TemporaryFolder)?;
        Ok(Self {
            file: folder.path().join("bench.redb"),
            folder: Some(folder),
        })
    }
}

impl Target {
    /// Open what the session measures.
    pub(super) async fn open(session: &Session) -> Result<Self, Error> {
        match &session.mode {
            Mode::Server(address) => {
                upload(address, session).await?;
                Ok(Self {
                    callers: connect(address, &session.namespace).await?,
                    own: None,
                })
            }
            Mode::InProcess => {
                let own = Own::open(Place::of(session)?, session).await?;
                Ok(Self {
                    callers: vec![own.caller(session)],
                    own: Some(own),
                })
            }
            Mode::OwnServer => {
                let own = Own::open(Place::of(session)?, session).await?.serve().await?;
                let callers = match &own.server {
                    Some(server) => connect(&server.address, &session.namespace).await?,
                    None => Vec::new(),
                };
                Ok(Self {
                    callers,
                    own: Some(own),
                })
            }
        }
    }

    /// The client of the caller with this number; several callers share one connection.
    pub(super) fn caller(&self, number: usize) -> Caller {
        self.callers[number % self.callers.len()].clone()
    }

    /// All clients.
    pub(super) fn callers(&self) -> Vec<Caller> {
        self.callers.clone()
    }

    /// What has been written since it was opened; unknown of a server elsewhere.
    pub(super) fn writes(&self) -> Option<Writes> {
        self.own.as_ref().map(Own::writes)
    }

    /// Stop what was opened.
    pub(super) async fn close(self) -> Result<(), Error> {
        // Connections first: a server that stops waits for its clients.
        drop(self.callers);
        match self.own {
            Some(own) => own.close().await,
            None => Ok(()),
        }
    }
}

impl Own {
    /// Open an engine and give it the component.
    pub(super) async fn open(place: Place, session: &Session) -> Result<Self, Error> {
        Self::open_with(place, session, |_| {}).await
    }

    /// As [`Own::open`], with other options.
    pub(super) async fn open_with(
        place: Place,
        session: &Session,
        configure: impl FnOnce(&mut Options),
    ) -> Result<Self, Error> {
        let own = Self::reopen_with(place, session, configure).await?;
        let upload = modules::Upload {
            namespace: session.namespace.clone(),
            name: MODULE.to_owned(),
            queue: QUEUE.to_owned(),
            config: String::new(),
            bytes: session.component.clone(),
        };
        own.runtime.upload_module(upload).await?;
        Ok(own)
    }

    /// Open an engine on a database that has the component.
    pub(super) async fn reopen(place: Place, session: &Session) -> Result<Self, Error> {
        Self::reopen_with(place, session, |_| {}).await
    }

    async fn reopen_with(
        place: Place,
        session: &Session,
        configure: impl FnOnce(&mut Options),
    ) -> Result<Self, Error> {
        let runtime = embedded::open(Database::File(&place.file), |options| {
            configure(options);
            if let Some(bytes) = session.instance_memory {
                options.instance_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            }
        })
        .await?;
        Ok(Self {
            runtime,
            server: None,
            _folder: place.folder,
        })
    }

    /// Serve gRPC and HTTP on free ports.
    pub(super) async fn serve(mut self) -> Result<Self, Error> {
        let options = longhaul_server::Options {
            grpc_port: 0,
            http_port: 0,
            ..Default::default()
        };
        let server = longhaul_server::Server::bind(options, self.runtime.clone()).await?;
        let address = server.grpc_addr().to_string();
        let address = address
            .parse()
            .map_err(|error: crate::args::InvalidAddress| Error::Defect(format!("{address}: {error}")))?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(server.run(stop.clone()));
        self.server = Some(OwnServer { stop, task, address });
        Ok(self)
    }

    pub(super) fn caller(&self, session: &Session) -> Caller {
        Caller::engine(self.runtime.clone(), &session.namespace)
    }

    /// Where it serves gRPC, if it does.
    pub(super) fn address(&self) -> Option<&Address> {
        self.server.as_ref().map(|server| &server.address)
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(super) fn writes(&self) -> Writes {
        let stats = self.runtime.store_stats();
        Writes {
            commits: stats.commits,
            transitions: stats.transitions,
        }
    }

    /// Stop the server, then the engine.
    pub(super) async fn close(self) -> Result<(), Error> {
        let served = match self.server {
            Some(server) => {
                server.stop.cancel();
                server
                    .task
                    .await
                    .map_err(|error| Error::Defect(error.to_string()))?
                    .map_err(Error::from)
            }
            None => Ok(()),
        };
        embedded::close(self.runtime).await?;
        served
    }
}

impl std::ops::Sub for Writes {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            commits: self.commits - before.commits,
            transitions: self.transitions - before.transitions,
        }
    }
}

/// Size of the database file in bytes.
pub(super) fn file_bytes(file: &Path) -> Result<u64, Error> {
    let metadata = std::fs::metadata(file).map_err(|source| Error::File {
        path: file.to_owned(),
        source,
    })?;
    Ok(metadata.len())
}

/// Clients of a server, each on a connection of its own.
pub(super) async fn connect(address: &Address, namespace: &str) -> Result<Vec<Caller>, Error> {
    let failed = |error: tonic::transport::Error| Error::Connect {
        address: address.clone(),
        reason: error.to_string(),
    };
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .map_err(failed)?
            .tcp_nodelay(true)
            .connect()
            .await
            .map_err(failed)?;
        // Requests are small and the server is near: compressing them would measure the compressor.
        callers.push(Caller::wire(WorkflowServiceClient::new(channel), namespace));
    }
    Ok(callers)
}

/// Give the component to a server elsewhere. If it has it already, nothing changes there.
async fn upload(address: &Address, session: &Session) -> Result<(), Error> {
    let global = Global {
        address: address.clone(),
        namespace: session.namespace.clone(),
        output: Format::None,
        command_timeout: None,
        color: Color::Never,
    };
    let header = UploadHeader {
        namespace: session.namespace.clone(),
        name: MODULE.to_owned(),
        queue: QUEUE.to_owned(),
        size: session.component.len() as u64,
        config: String::new(),
    };
    let chunks = session.component.chunks(CHUNK_BYTES);
    let parts: Vec<_> = std::iter::once(Part::Header(header))
        .chain(chunks.map(|chunk| Part::Chunk(chunk.to_vec())))
        .map(|part| UploadRequest { part: Some(part) })
        .collect();
    Client::connect(&global)
        .await?
        .upload(tokio_stream::iter(parts))
        .await
        .map(|_| ())
}
