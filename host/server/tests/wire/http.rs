//! The HTTP port.

use temporalio_protos::temporal::api::workflowservice::v1::{
    GetSystemInfoRequest, PollNexusTaskQueueRequest,
};
use tonic::{client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

use crate::common::{Running, options};

/// The lines of `metrics` that have all of `parts`.
fn lines<'a>(metrics: &'a str, parts: &[&str]) -> Vec<&'a str> {
    metrics
        .lines()
        .filter(|line| parts.iter().all(|part| line.contains(part)))
        .collect()
}

#[tokio::test]
async fn requests_are_counted_by_method_and_code() {
    let server = Running::start(options()).await;
    let mut client = server.workflows().await;
    client.get_system_info(GetSystemInfoRequest {}).await.unwrap();
    client
        .poll_nexus_task_queue(PollNexusTaskQueueRequest::default())
        .await
        .unwrap_err();
    let (status, metrics) = server.http("GET", "/metrics").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    for (method, code) in [
        ("method=\"GetSystemInfo\"", "code=\"OK\""),
        ("PollNexusTaskQueue", "code=\"UNIMPLEMENTED\""),
    ] {
        assert_eq!(
            lines(&metrics, &["longhaul_grpc_requests_total{", method, code]).len(),
            1,
            "{metrics}"
        );
        let buckets = lines(
            &metrics,
            &[
                "longhaul_grpc_request_duration_seconds_bucket{",
                method,
                code,
                "le=\"0.01\"",
            ],
        );
        assert_eq!(buckets.len(), 1, "{metrics}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_client_cannot_make_up_labels() {
    let server = Running::start(options()).await;
    let mut grpc = Grpc::new(server.channel().await);
    grpc.ready().await.unwrap();
    let codec: ProstCodec<GetSystemInfoRequest, GetSystemInfoRequest> = ProstCodec::default();
    let path = PathAndQuery::from_static("/made/up");
    grpc.unary(tonic::Request::new(GetSystemInfoRequest {}), path, codec)
        .await
        .unwrap_err();
    let (_, metrics) = server.http("GET", "/metrics").await;
    assert!(!metrics.contains("made"), "{metrics}");
    assert_eq!(
        lines(&metrics, &["longhaul_grpc_requests_total{", "method=\"unknown\""]).len(),
        1,
        "{metrics}"
    );
    server.end().await;
}

#[tokio::test]
async fn health_is_json() {
    let server = Running::start(options()).await;
    let (status, body) = server.http("GET", "/health").await;
    assert_eq!(
        (status.as_str(), body.as_str()),
        ("HTTP/1.1 200 OK", r#"{"status":"SERVING"}"#)
    );
    server.end().await;
}

// B1
#[tokio::test]
async fn other_pages_are_a_json_error() {
    let server = Running::start(options()).await;
    let (status, body) = server.http("GET", "/api/v1/nothing").await;
    assert_eq!(status, "HTTP/1.1 404 Not Found");
    let error: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(error["code"], 5);
    assert!(
        error["message"].as_str().unwrap().contains("/api/v1/nothing"),
        "{body}"
    );

    let (status, body) = server.http("POST", "/metrics").await;
    assert_eq!(status, "HTTP/1.1 405 Method Not Allowed");
    assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok(), "{body}");
    server.end().await;
}
