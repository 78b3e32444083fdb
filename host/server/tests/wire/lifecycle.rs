//! Binding and stopping.

use std::time::Duration;

use longhaul_server::{
    Error, Options, Server,
    module_proto::{UploadHeader, UploadRequest, upload_request::Part},
};
use temporalio_protos::temporal::api::workflowservice::v1::GetSystemInfoRequest;
use tokio::{net::TcpStream, sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::common::{PATIENCE, Running, options, runtime};

// B1
#[tokio::test]
async fn a_port_in_use_names_port_and_flag() {
    let first = Server::bind(options(), runtime()).await.unwrap();
    let (grpc_port, http_port) = (first.grpc_addr().port(), first.http_addr().port());
    for (options, taken, flag) in [
        (
            Options {
                grpc_port,
                ..options()
            },
            first.grpc_addr(),
            "--port",
        ),
        (
            Options {
                http_port,
                ..options()
            },
            first.http_addr(),
            "--http-port",
        ),
    ] {
        let error = Server::bind(options, runtime()).await.unwrap_err();
        assert!(
            matches!(&error, Error::PortInUse { addr, flag: f, .. } if *addr == taken && *f == flag),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains(&taken.to_string()) && text.ends_with(flag),
            "{text}"
        );
    }
}

// B1
#[tokio::test]
async fn a_foreign_address_names_the_flag() {
    // From the block that is kept for documentation, so no machine has it.
    let ip = [192, 0, 2, 1].into();
    let error = Server::bind(Options { ip, ..options() }, runtime())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Bind { .. }), "{error:?}");
    assert!(error.to_string().contains("--ip"), "{error}");
}

#[tokio::test]
async fn after_the_stop_both_ports_are_free() {
    let server = Running::start(options()).await;
    let (grpc, http) = (server.grpc, server.http);
    // An idle connection does not hold the stop up.
    let mut client = server.workflows().await;
    client.get_system_info(GetSystemInfoRequest {}).await.unwrap();
    server.end().await;
    for addr in [grpc, http] {
        assert!(TcpStream::connect(addr).await.is_err(), "{addr}");
    }
    let again = Options {
        grpc_port: grpc.port(),
        http_port: http.port(),
        ..Options::default()
    };
    Running::start(again).await.end().await;
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_hold_the_stop_up() {
    let server = Running::start(Options {
        shutdown_grace: PATIENCE * 60,
        ..options()
    })
    .await;
    let _silent = [
        TcpStream::connect(server.grpc).await.unwrap(),
        TcpStream::connect(server.http).await.unwrap(),
    ];
    // Both are accepted, since later ones are served.
    server
        .workflows()
        .await
        .get_system_info(GetSystemInfoRequest {})
        .await
        .unwrap();
    server.http("GET", "/health").await;
    server.end().await;
}

#[tokio::test]
async fn a_request_that_outlasts_the_grace_is_answered_unavailable() {
    let server = Running::start(Options {
        shutdown_grace: Duration::ZERO,
        ..options()
    })
    .await;
    let mut client = server.modules().await;
    let (sender, receiver) = mpsc::channel(1);
    let upload = tokio::spawn(async move { client.upload(ReceiverStream::new(receiver)).await });
    let header = Part::Header(UploadHeader {
        name: "m".into(),
        ..Default::default()
    });
    sender.send(UploadRequest { part: Some(header) }).await.unwrap();
    // More than the connection's window holds: so the handler is reading.
    for _ in 0..8 {
        sender
            .send(UploadRequest {
                part: Some(Part::Chunk(vec![0; 1 << 20])),
            })
            .await
            .unwrap();
    }
    server.stop.cancel();
    let status = timeout(PATIENCE, upload).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains("shutting down"), "{}", status.message());
    server.end().await;
}
