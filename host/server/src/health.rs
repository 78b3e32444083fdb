//! `grpc.health.v1.Health`. A check asks the runtime at that moment; a watch looks again at an interval, so
//! that a server that nobody watches does nothing.

use std::{sync::Arc, time::Duration};

use longhaul_runtime::Runtime;
use temporalio_protos::temporal::api::enums::v1::ResourceExhaustedScope;
use tokio::{
    sync::{Semaphore, mpsc},
    time::sleep,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server::Health,
};

use crate::{Options, status};

/// The names that can be asked for; the empty one is the server as a whole.
const SERVICES: [&str; 3] = [
    "",
    "temporal.api.workflowservice.v1.WorkflowService",
    "longhaul.module.v1.ModuleService",
];

/// Why the server should get no requests, if so.
pub(crate) fn failure(runtime: &Runtime, stop: &CancellationToken) -> Option<String> {
    if stop.is_cancelled() {
        Some("the server is shutting down".into())
    } else {
        runtime.write_failure()
    }
}

/// The service.
pub(crate) struct HealthService {
    runtime: Runtime,
    stop: CancellationToken,
    watches: Arc<Semaphore>,
    watches_max: usize,
    interval: Duration,
}

impl HealthService {
    pub(crate) fn new(runtime: Runtime, stop: CancellationToken, options: &Options) -> Self {
        Self {
            runtime,
            stop,
            watches: Arc::new(Semaphore::new(options.health_watches_max)),
            watches_max: options.health_watches_max,
            interval: options.health_watch_interval,
        }
    }
}

fn serving(runtime: &Runtime, stop: &CancellationToken) -> ServingStatus {
    if failure(runtime, stop).is_none() {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

fn answer(serving: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: serving.into(),
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        if !SERVICES.contains(&service.as_str()) {
            return Err(Status::not_found(format!(
                "unknown service {service:?}; this server has {SERVICES:?}"
            )));
        }
        Ok(Response::new(answer(serving(&self.runtime, &self.stop))))
    }

    type WatchStream = ReceiverStream<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let known = SERVICES.contains(&request.into_inner().service.as_str());
        let permit = self.watches.clone().try_acquire_owned().map_err(|_| {
            status::resource_exhausted(
                format!(
                    "{} clients watch this server's health, which is its limit; use Check",
                    self.watches_max
                ),
                ResourceExhaustedScope::System,
            )
        })?;
        let (runtime, stop, interval) = (self.runtime.clone(), self.stop.clone(), self.interval);
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let _permit = permit;
            let mut last = None;
            loop {
                // A service that is not known stays unknown, and the stream open: so the protocol's own text
                // has it.
                let now = if known {
                    serving(&runtime, &stop)
                } else {
                    ServingStatus::ServiceUnknown
                };
                if last != Some(now) && sender.send(Ok(answer(now))).await.is_err() {
                    return;
                }
                last = Some(now);
                if stop.is_cancelled() {
                    return;
                }
                tokio::select! {
                    () = sleep(interval) => {}
                    () = stop.cancelled() => {}
                    () = sender.closed() => return,
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
