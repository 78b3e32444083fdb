//! A server: bind, run, stop.

use std::{net::SocketAddr, time::Duration};

use longhaul_runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tonic::{codec::CompressionEncoding::Gzip, service::Routes};
use tonic_health::pb::health_server::HealthServer;
use tracing::{debug, info, warn};

use crate::{
    Error, Options, exporter,
    health::HealthService,
    http,
    listener::Listener,
    module_proto::module_service_server::ModuleServiceServer,
    module_service::Modules,
    operator_service::Operator,
    request::RequestLayer,
    temporal::{
        operatorservice::operator_service_server::OperatorServiceServer,
        workflowservice::workflow_service_server::WorkflowServiceServer,
    },
    upload::CHUNK_MAX_BYTES,
    workflow_service::Workflows,
};

/// Room for what is around a chunk in its message.
const CHUNK_FRAME_BYTES: usize = 1 << 10;

/// After the grace of a stop every request has been answered by force; so long the answers may take to leave.
const CUT_GRACE: Duration = Duration::from_secs(1);

/// How often recorded times are folded into their histograms; until then each takes memory.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// A server whose ports are bound. Clients can connect from then on, and are served once it
/// [runs](Server::run).
#[derive(Debug)]
pub struct Server {
    options: Options,
    runtime: Runtime,
    grpc: Listener,
    http: Listener,
    /// Stops this server's two faces.
    stop: CancellationToken,
}

impl Server {
    /// Binds both ports and installs the process's recorder of metrics, if there is none.
    ///
    /// # Errors
    /// [`Error::PortInUse`] and [`Error::Bind`] if a port cannot be had, [`Error::Option`] for settings with
    /// which nothing could be served. Nothing stays bound then.
    pub async fn bind(options: Options, runtime: Runtime) -> Result<Self, Error> {
        options.check()?;
        let stop = CancellationToken::new();
        let grpc = Listener::bind("gRPC", options.grpc_addr(), "--port", &options, stop.clone()).await?;
        let http = Listener::bind("HTTP", options.http_addr(), "--http-port", &options, stop.clone()).await?;
        exporter::install();
        Ok(Self {
            options,
            runtime,
            grpc,
            http,
            stop,
        })
    }

    /// Where gRPC is served.
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc.addr()
    }

    /// Where HTTP is served.
    pub fn http_addr(&self) -> SocketAddr {
        self.http.addr()
    }

    /// Serves until `asked_to_stop` is cancelled, and then stops in order: the ports close, health turns to
    /// NOT_SERVING, long polls are answered UNAVAILABLE, what else is in hand may finish within
    /// [`Options::shutdown_grace`], and what then is left is answered UNAVAILABLE too. It does not stop the
    /// runtime.
    ///
    /// # Errors
    /// [`Error::Serve`] if serving fails by itself.
    pub async fn run(self, asked_to_stop: CancellationToken) -> Result<(), Error> {
        let Self {
            options,
            runtime,
            grpc,
            http,
            stop,
        } = self;
        info!(grpc = %grpc.addr(), http = %http.addr(), "serving");

        let cut = CancellationToken::new();
        let grpc = serve_grpc(grpc, &options, runtime.clone(), stop.clone(), cut.clone());
        let http = serve_http(http, runtime, stop.clone());
        let faces = async {
            // A face ends because of the stop, or by failing: then the other goes with it.
            let ended = |result: Result<(), Error>| {
                stop.cancel();
                result
            };
            let (grpc, http) = tokio::join!(async { ended(grpc.await) }, async { ended(http.await) });
            grpc.and(http)
        };
        let overdue = async {
            tokio::select! {
                () = asked_to_stop.cancelled() => stop.cancel(),
                () = stop.cancelled() => {}
            }
            debug!(grace = ?options.shutdown_grace, "stopping");
            sleep(options.shutdown_grace).await;
        };

        tokio::pin!(faces);
        tokio::select! {
            result = &mut faces => return result,
            () = upkeep() => {}
            () = overdue => {}
        }
        warn!(grace = ?options.shutdown_grace, "requests have outlasted the grace of the stop and are ended");
        cut.cancel();
        tokio::select! {
            result = faces => result,
            () = sleep(CUT_GRACE) => {
                warn!("connections that do not take their answers are left behind");
                Ok(())
            }
        }
    }
}

async fn serve_grpc(
    listener: Listener,
    options: &Options,
    runtime: Runtime,
    stop: CancellationToken,
    cut: CancellationToken,
) -> Result<(), Error> {
    // Temporal's SDKs compress each request, whatever the service: every one has to take it.
    let request_max = options.request_max_bytes;
    let workflows = Workflows::new(runtime.clone(), stop.clone(), options.gzip_min_bytes);
    let workflows = WorkflowServiceServer::new(workflows)
        .accept_compressed(Gzip)
        .send_compressed(Gzip)
        .max_decoding_message_size(request_max);
    let operator = OperatorServiceServer::new(Operator::new(runtime.clone()))
        .accept_compressed(Gzip)
        .max_decoding_message_size(request_max);
    let modules = ModuleServiceServer::new(Modules::new(runtime.clone(), options))
        .accept_compressed(Gzip)
        .send_compressed(Gzip)
        .max_decoding_message_size(request_max.max(CHUNK_MAX_BYTES + CHUNK_FRAME_BYTES));
    let health =
        HealthServer::new(HealthService::new(runtime, stop.clone(), options)).accept_compressed(Gzip);
    let routes = Routes::new(workflows)
        .add_service(operator)
        .add_service(modules)
        .add_service(health);

    tonic::transport::Server::builder()
        .max_concurrent_streams(options.streams_max)
        .http2_keepalive_interval(Some(options.keep_alive_interval))
        .http2_keepalive_timeout(Some(options.keep_alive_timeout))
        .layer(RequestLayer::new(options.requests_max, cut))
        .add_routes(routes)
        .serve_with_incoming_shutdown(listener, stop.cancelled())
        .await
        .map_err(|error| Error::Serve {
            what: "gRPC",
            reason: error.to_string(),
        })
}

async fn serve_http(listener: Listener, runtime: Runtime, stop: CancellationToken) -> Result<(), Error> {
    let router = http::router(http::Pages {
        runtime,
        stop: stop.clone(),
    });
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .map_err(|error| Error::Serve {
            what: "HTTP",
            reason: error.to_string(),
        })
}

/// Bounds the memory of recorded metrics; never ends.
async fn upkeep() {
    let mut tick = interval(METRICS_UPKEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Some(handle) = exporter::handle() {
            handle.run_upkeep();
        }
    }
}
