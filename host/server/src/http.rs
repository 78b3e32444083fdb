//! The HTTP port: `/metrics` and `/health`. Errors are JSON in the form of Temporal's HTTP API: `{"code": 5,
//! "message": "..."}`.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use longhaul_runtime::Runtime;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::{exporter, health};

/// What the pages need.
#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) runtime: Runtime,
    /// Cancelled when the server stops.
    pub(crate) stop: CancellationToken,
}

/// All pages.
pub(crate) fn router(pages: Pages) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(pages)
}

async fn metrics() -> Response {
    match exporter::handle() {
        // The version is that of the text form: https://prometheus.io/docs/instrumenting/exposition_formats/
        Some(handle) => (
            [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            handle.render(),
        )
            .into_response(),
        None => error(
            StatusCode::NOT_FOUND,
            Code::NotFound,
            "the process that embeds this server has its own recorder of metrics; ask that one",
        ),
    }
}

async fn health(State(pages): State<Pages>) -> Response {
    match health::failure(&pages.runtime, &pages.stop) {
        None => json_response(StatusCode::OK, json!({"status": "SERVING"})),
        Some(reason) => json_response(
            StatusCode::SERVICE_UNAVAILABLE,
            json!({"status": "NOT_SERVING", "reason": reason}),
        ),
    }
}

async fn not_found(uri: Uri) -> Response {
    let text = format!(
        "there is no page {:?}; this server has /metrics and /health",
        uri.path()
    );
    error(StatusCode::NOT_FOUND, Code::NotFound, &text)
}

async fn method_not_allowed(uri: Uri) -> Response {
    error(
        StatusCode::METHOD_NOT_ALLOWED,
        Code::Unimplemented,
        &format!("{} takes GET only", uri.path()),
    )
}

fn error(status: StatusCode, code: Code, message: &str) -> Response {
    json_response(status, json!({"code": i32::from(code), "message": message}))
}

fn json_response(status: StatusCode, body: serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
