//! grpc.health.v1.

use longhaul_server::Options;
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::common::{PATIENCE, Running, options};

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.into(),
    }
}

#[tokio::test]
async fn a_check_answers_for_the_server_and_its_services() {
    let server = Running::start(options()).await;
    let mut client = HealthClient::new(server.channel().await);
    for service in [
        "",
        "temporal.api.workflowservice.v1.WorkflowService",
        "longhaul.module.v1.ModuleService",
    ] {
        let answer = client.check(of(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    assert_eq!(
        client.check(of("nonsense")).await.unwrap_err().code(),
        Code::NotFound
    );
    server.end().await;
}

#[tokio::test]
async fn a_watch_sees_the_stop_and_ends() {
    let server = Running::start(options()).await;
    let mut client = HealthClient::new(server.channel().await);
    let mut watch = client.watch(of("")).await.unwrap().into_inner();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );
    server.stop.cancel();
    let last = timeout(PATIENCE, watch.message())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
    assert!(
        timeout(PATIENCE, watch.message())
            .await
            .unwrap()
            .unwrap()
            .is_none()
    );
    server.end().await;
}

#[tokio::test]
async fn watchers_are_bounded() {
    let server = Running::start(Options {
        health_watches_max: 1,
        ..options()
    })
    .await;
    let mut client = HealthClient::new(server.channel().await);
    let mut first = client.watch(of("nonsense")).await.unwrap().into_inner();
    assert_eq!(
        first.message().await.unwrap().unwrap().status(),
        ServingStatus::ServiceUnknown
    );
    assert_eq!(
        client.watch(of("")).await.unwrap_err().code(),
        Code::ResourceExhausted
    );
    server.end().await;
}
