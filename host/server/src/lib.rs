//! The wire: Temporal's `WorkflowService`, Longhaul's `ModuleService`, health and metrics.
//!
//! This crate is thin on purpose. It listens, limits, decodes, names errors and measures; what a request
//! means is decided by [`longhaul_runtime::Runtime`], which takes and gives Temporal's own messages.
//!
//! ```no_run
//! # async fn serve(runtime: longhaul_runtime::Runtime) -> Result<(), longhaul_server::Error> {
//! let server = longhaul_server::Server::bind(longhaul_server::Options::default(), runtime).await?;
//! println!("gRPC on {}, HTTP on {}", server.grpc_addr(), server.http_addr());
//! let stop = tokio_util::sync::CancellationToken::new();
//! server.run(stop).await
//! # }
//! ```
//!
//! Where to find what:
//! - `workflow_service`, `system`, `module_service`, `health`: one file for each gRPC service or group of
//!   answers;
//! - `status`: every error's gRPC code, text and details;
//! - `request`: what happens around each request (log, metrics, panics, limits);
//! - `listener`, `server`: sockets, limits on connections, the orderly stop;
//! - `http`, `exporter`: `/metrics` and `/health`.

// A test that unwraps says what it expects; outside of tests nothing does.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod deadline;
mod error;
mod exporter;
mod health;
mod http;
mod listener;
mod method;
mod module_service;
mod module_wire;
mod operator_service;
mod options;
mod request;
mod server;
mod status;
mod system;
mod upload;
mod workflow_service;

pub use error::Error;
pub use exporter::install as install_metrics;
pub use options::Options;
pub use server::Server;

/// Messages, client and server of `longhaul.module.v1.ModuleService`, generated from
/// `proto/longhaul/module/v1/module.proto`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod module_proto {
    tonic::include_proto!("longhaul.module.v1");
}

/// Server traits of Temporal's services; the messages are those of `temporalio-protos`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
mod temporal {
    pub(crate) mod workflowservice {
        tonic::include_proto!("temporal.api.workflowservice.v1");
    }
    pub(crate) mod operatorservice {
        tonic::include_proto!("temporal.api.operatorservice.v1");
    }
}
