//! What happens around each gRPC request: one span, one log line, metrics, the limit on requests in hand,
//! panics, and the end that an orderly stop puts to requests that outlast its grace.

use std::{
    convert::Infallible,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use temporalio_protos::temporal::api::enums::v1::ResourceExhaustedScope;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Status,
    body::Body,
    codegen::http::{Request, Response},
};
use tower_layer::Layer;
use tower_service::Service;
use tracing::{Instrument, Span, debug, debug_span, error, field::Empty};

use crate::{
    method::{self, Method},
    status,
};

/// Name of the counter of requests by service, method and code.
const REQUESTS: &str = "longhaul_grpc_requests_total";

/// Name of the histogram of the time until a request's answer, by service, method and code.
pub(crate) const DURATION: &str = "longhaul_grpc_request_duration_seconds";

/// Name of the gauge of requests in hand.
const IN_FLIGHT: &str = "longhaul_grpc_requests_in_flight";

/// Names the metrics to the exporter; to be called once it is installed.
pub(crate) fn describe_metrics() {
    metrics::describe_counter!(REQUESTS, "gRPC requests by service, method and status code");
    metrics::describe_histogram!(
        DURATION,
        metrics::Unit::Seconds,
        "Time from a gRPC request's headers to its answer"
    );
    metrics::describe_gauge!(
        IN_FLIGHT,
        "gRPC requests that are being answered, long polls included"
    );
}

/// Adds what a handler has learned from a request to the request's span.
pub(crate) fn note(namespace: &str, workflow_id: &str) {
    let span = Span::current();
    for (field, value) in [("namespace", namespace), ("workflow_id", workflow_id)] {
        if !value.is_empty() {
            span.record(field, value);
        }
    }
}

/// Puts [`Requests`] around a service.
#[derive(Clone)]
pub(crate) struct RequestLayer {
    shared: Arc<Shared>,
}

struct Shared {
    in_flight: Arc<Semaphore>,
    limit: usize,
    /// Ends every request that is still in hand.
    cut: CancellationToken,
}

impl RequestLayer {
    /// Lets at most `limit` requests in at a time, and answers all of them UNAVAILABLE when `cut` is
    /// cancelled.
    pub(crate) fn new(limit: usize, cut: CancellationToken) -> Self {
        Self {
            shared: Arc::new(Shared {
                in_flight: Arc::new(Semaphore::new(limit)),
                limit,
                cut,
            }),
        }
    }
}

impl<S> Layer<S> for RequestLayer {
    type Service = Requests<S>;

    fn layer(&self, inner: S) -> Requests<S> {
        Requests {
            inner,
            shared: self.shared.clone(),
        }
    }
}

/// A service with everything of this file around each call.
#[derive(Clone)]
pub(crate) struct Requests<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Service<Request<Body>> for Requests<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = method::find(request.uri().path());
        let unknown_path = method.is_none().then(|| request.uri().path().to_owned());
        let labels = method.unwrap_or(&method::UNKNOWN);
        let span = debug_span!(
            "request",
            service = labels.service,
            method = labels.name,
            namespace = Empty,
            workflow_id = Empty,
            code = Empty,
            duration_us = Empty,
        );
        let record = Record::open(labels, span.clone());
        let Ok(permit) = self.shared.in_flight.clone().try_acquire_owned() else {
            let status = status::resource_exhausted(
                format!(
                    "the server has {} requests in hand, which is its limit; try again later",
                    self.shared.limit
                ),
                ResourceExhaustedScope::System,
            );
            record.close(status.code());
            return Box::pin(async move { Ok(status.into_http()) });
        };
        let shared = self.shared.clone();
        let work = self.inner.call(request);
        Box::pin(
            async move {
                let response = tokio::select! {
                    biased;
                    response = guarded(work, labels) => response,
                    () = shared.cut.cancelled() => status::stopping().into_http(),
                };
                drop(permit);
                let (response, code) =
                    finished(response, method, unknown_path.as_deref().unwrap_or_default());
                record.close(code);
                Ok(response)
            }
            .instrument(span),
        )
    }
}

/// `work`, with a panic turned into INTERNAL. The handler's state is gone with it; what handlers share is
/// behind the runtime, which does not rely on a handler's end.
async fn guarded<F>(work: F, method: &Method) -> Response<Body>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    let mut work = pin!(work);
    let outcome = poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        },
    )
    .await;
    match outcome {
        Ok(Ok(response)) => response,
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("a panic without text");
            error!(panic = text, "a handler panicked");
            status::panicked(method).into_http()
        }
    }
}

/// The response as it leaves, and its code. An error has no body, so its status is among the headers.
fn finished(response: Response<Body>, method: Option<&Method>, path: &str) -> (Response<Body>, Code) {
    match Status::from_header_map(response.headers()) {
        None => (response, Code::Ok),
        Some(status) if status.code() == Code::Ok => (response, Code::Ok),
        Some(status) => {
            let status = status::mend(status, method, path);
            let code = status.code();
            (status.into_http(), code)
        }
    }
}

/// One request's entry in log and metrics; without [`close`](Record::close) it counts as cancelled by the
/// client.
struct Record {
    method: &'static Method,
    span: Span,
    since: Instant,
    code: Code,
}

impl Record {
    fn open(method: &'static Method, span: Span) -> Self {
        metrics::gauge!(IN_FLIGHT).increment(1.0);
        Self {
            method,
            span,
            since: Instant::now(),
            code: Code::Cancelled,
        }
    }

    fn close(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let duration = self.since.elapsed();
        let Method { service, name, .. } = *self.method;
        let code = status::code_name(self.code);
        metrics::gauge!(IN_FLIGHT).decrement(1.0);
        metrics::counter!(REQUESTS, "service" => service, "method" => name, "code" => code).increment(1);
        metrics::histogram!(DURATION, "service" => service, "method" => name, "code" => code)
            .record(duration);

        self.span.record("code", code);
        self.span.record(
            "duration_us",
            u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
        );
        match self.code {
            Code::Internal | Code::Unknown | Code::DataLoss => {
                error!(parent: &self.span, service, method = name, code, "request failed by a defect");
            }
            _ => debug!(parent: &self.span, "request done"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Ready, pending, ready},
        io,
        sync::Mutex,
    };

    use super::*;

    /// A service that answers with what its function returns.
    #[derive(Clone)]
    struct Fake<F>(F);

    impl<F, R> Service<Request<Body>> for Fake<F>
    where
        F: FnMut() -> R,
        R: Future<Output = Result<Response<Body>, Infallible>>,
    {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = R;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> R {
            (self.0)()
        }
    }

    fn start_request() -> Request<Body> {
        Request::builder()
            .uri("http://localhost/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution")
            .body(Body::empty())
            .unwrap()
    }

    fn answer(status: Status) -> Ready<Result<Response<Body>, Infallible>> {
        ready(Ok(status.into_http()))
    }

    fn status_of(response: Result<Response<Body>, Infallible>) -> Status {
        let Ok(response) = response;
        Status::from_header_map(response.headers()).unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_internal_and_the_next_request_is_served() {
        let layer = RequestLayer::new(1, CancellationToken::new());
        let mut service = layer.layer(Fake(|| async { panic!("broken") }));
        for _ in 0..2 {
            let status = status_of(service.call(start_request()).await);
            assert_eq!(status.code(), Code::Internal);
            assert!(
                status.message().contains("StartWorkflowExecution"),
                "{}",
                status.message()
            );
        }
    }

    #[tokio::test]
    async fn a_request_over_the_limit_is_resource_exhausted() {
        let layer = RequestLayer::new(1, CancellationToken::new());
        let waiting = layer.layer(Fake(pending)).call(start_request());
        let mut second = layer.layer(Fake(|| answer(Status::not_found("x"))));
        let status = status_of(second.call(start_request()).await);
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(
            status.message().contains("1 requests in hand"),
            "{}",
            status.message()
        );
        drop(waiting);
        assert_eq!(
            status_of(second.call(start_request()).await).code(),
            Code::NotFound
        );
    }

    #[tokio::test]
    async fn the_cut_ends_what_still_waits() {
        let cut = CancellationToken::new();
        let waiting = RequestLayer::new(1, cut.clone())
            .layer(Fake(pending))
            .call(start_request());
        cut.cancel();
        assert_eq!(status_of(waiting.await).code(), Code::Unavailable);
    }

    // B2
    #[tokio::test]
    async fn a_message_over_the_limit_is_not_retried_by_clients() {
        for own in [
            Status::out_of_range(
                "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
            ),
            Status::resource_exhausted("Error decompressing: size limit, of 4 bytes, exceeded"),
        ] {
            let layer = RequestLayer::new(1, CancellationToken::new());
            let status = status_of(
                layer
                    .layer(Fake(|| answer(own.clone())))
                    .call(start_request())
                    .await,
            );
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(status.message().contains("4 bytes"), "{}", status.message());
        }
    }

    /// Where the log goes.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_log_tells_what_was_asked_and_answered() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        let handler = || async {
            note("default", "order-1");
            Ok(Status::not_found("x").into_http())
        };
        let layer = RequestLayer::new(1, CancellationToken::new());
        status_of(layer.layer(Fake(handler)).call(start_request()).await);
        drop(guard);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        for part in [
            "method=\"StartWorkflowExecution\"",
            "namespace=\"default\"",
            "workflow_id=\"order-1\"",
            "code=\"NOT_FOUND\"",
            "duration_us=",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
