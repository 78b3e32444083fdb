//! ModuleService: the protocol of an upload.

use std::time::Duration;

use longhaul_server::{
    Options,
    module_proto::{
        DescribeExecutionRequest, DescribeRequest, RemoveRequest, UploadHeader, UploadRequest,
        upload_request::Part,
    },
};
use tokio_stream::StreamExt;
use tonic::{Code, Status};

use crate::common::{Running, options};

fn header(name: &str, size: u64) -> UploadRequest {
    UploadRequest {
        part: Some(Part::Header(UploadHeader {
            name: name.into(),
            size,
            ..Default::default()
        })),
    }
}

fn chunk(bytes: usize) -> UploadRequest {
    UploadRequest {
        part: Some(Part::Chunk(vec![0; bytes])),
    }
}

async fn refusal(server: &Running, parts: Vec<UploadRequest>) -> Status {
    server
        .modules()
        .await
        .upload(tokio_stream::iter(parts))
        .await
        .unwrap_err()
}

// B1
#[tokio::test]
async fn a_wrong_order_of_messages_is_refused() {
    let server = Running::start(options()).await;
    for (parts, text) in [
        (vec![], "the upload is empty"),
        (vec![chunk(1)], "first message is a chunk"),
        (vec![header("m", 0)], "the component is empty"),
        (vec![header("m", 0), header("m", 0)], "second header"),
        (vec![header("m", 9), chunk(3)], "ends after 3 of the 9 bytes"),
        (vec![header("a/b", 0), chunk(3)], "module name \"a/b\""),
        (
            vec![header("m", 0), chunk((1 << 20) + 1)],
            "chunk of 1048577 bytes",
        ),
    ] {
        let status = refusal(&server, parts).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(status.message().contains(text), "{}", status.message());
    }
    server.end().await;
}

#[tokio::test]
async fn too_large_a_component_is_refused_by_its_header() {
    let server = Running::start(Options {
        module_max_bytes: 1_000,
        ..options()
    })
    .await;
    for parts in [
        vec![header("m", 1_001)],
        vec![header("m", 0), chunk(600), chunk(600)],
    ] {
        let status = refusal(&server, parts).await;
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert!(
            status.message().contains("limit of 1000 bytes"),
            "{}",
            status.message()
        );
    }
    server.end().await;
}

/// Chunks of the full size pass, even where other requests may be smaller than a chunk.
#[tokio::test]
async fn a_well_formed_upload_reaches_the_runtime() {
    let server = Running::start(Options {
        request_max_bytes: 1_000,
        ..options()
    })
    .await;
    let status = refusal(
        &server,
        vec![header("m", 2 << 20), chunk(1 << 20), chunk(1 << 20)],
    )
    .await;
    assert!(
        !status.message().starts_with("the upload"),
        "zeros are no component, but: {}",
        status.message()
    );
    assert!(!status.message().contains("too large"), "{}", status.message());
    server.end().await;
}

#[tokio::test]
async fn a_silent_upload_ends() {
    let server = Running::start(Options {
        upload_idle_timeout: Duration::from_millis(20),
        ..options()
    })
    .await;
    let parts = tokio_stream::iter([header("m", 0)]).chain(tokio_stream::pending());
    let status = server.modules().await.upload(parts).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    server.end().await;
}

#[tokio::test]
async fn names_are_checked_everywhere() {
    let server = Running::start(options()).await;
    let mut client = server.modules().await;
    let describe = client.describe(DescribeRequest::default()).await.unwrap_err();
    let remove = client
        .remove(RemoveRequest {
            name: "ä".into(),
            ..Default::default()
        })
        .await
        .unwrap_err();
    for status in [describe, remove] {
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(
            status.message().starts_with("the module name"),
            "{}",
            status.message()
        );
    }
    server.end().await;
}

// B1
#[tokio::test]
async fn a_description_of_nothing_is_refused() {
    let server = Running::start(options()).await;
    let describe = async |workflow_id: &str| {
        let request = DescribeExecutionRequest {
            workflow_id: workflow_id.into(),
            ..Default::default()
        };
        server
            .modules()
            .await
            .describe_execution(request)
            .await
            .unwrap_err()
    };
    let unnamed = describe("").await;
    assert_eq!(unnamed.code(), Code::InvalidArgument, "{unnamed:?}");
    assert!(unnamed.message().contains("WorkflowId"), "{unnamed:?}");
    let unknown = describe("nobody").await;
    assert_eq!(unknown.code(), Code::NotFound, "{unknown:?}");
    assert!(unknown.message().contains("nobody"), "{unknown:?}");
    server.end().await;
}
