//! WorkflowService: what is answered before the runtime is asked.

use longhaul_server::module_proto::{DescribeRequest, module_service_client::ModuleServiceClient};
use temporalio_protos::temporal::api::{
    common::v1::{Payload, Payloads, WorkflowExecution},
    enums::v1::IndexedValueType,
    operatorservice::v1::{
        AddSearchAttributesRequest, ListSearchAttributesRequest, RemoveSearchAttributesRequest,
        operator_service_client::OperatorServiceClient,
    },
    update::v1::UpdateRef,
    workflowservice::v1::*,
};
use tonic::{Code, Status, client::Grpc, codec::CompressionEncoding::Gzip, codegen::http::uri::PathAndQuery};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_prost::ProstCodec;

use crate::common::{Running, options};

fn execution() -> Option<WorkflowExecution> {
    Some(WorkflowExecution {
        workflow_id: "w".into(),
        run_id: String::new(),
    })
}

/// A signal that is larger than `bytes`.
fn signal_of(bytes: usize) -> SignalWorkflowExecutionRequest {
    let payload = Payload {
        data: vec![0; bytes],
        ..Default::default()
    };
    SignalWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: execution(),
        signal_name: "s".into(),
        input: Some(Payloads {
            payloads: vec![payload],
        }),
        ..Default::default()
    }
}

#[tokio::test]
async fn system_info_claims_only_what_is_honoured() {
    let server = Running::start(options()).await;
    let info = server
        .workflows()
        .await
        .get_system_info(GetSystemInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(info.server_version, env!("CARGO_PKG_VERSION"));
    let capabilities = info.capabilities.unwrap();
    assert_eq!(
        capabilities,
        get_system_info_response::Capabilities {
            signal_and_query_header: true,
            internal_error_differentiation: true,
            encoded_failure_attributes: true,
            upsert_memo: true,
            activity_failure_include_heartbeat: true,
            count_group_by_execution_status: true,
            ..Default::default()
        }
    );
    server.end().await;
}

#[tokio::test]
async fn the_one_namespace_is_listed() {
    let server = Running::start(options()).await;
    let mut client = server.workflows().await;
    let listed = client
        .list_namespaces(ListNamespacesRequest::default())
        .await
        .unwrap();
    let described = client
        .describe_namespace(DescribeNamespaceRequest {
            namespace: "default".into(),
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(listed.into_inner().namespaces, [described.into_inner()]);
    let beyond = ListNamespacesRequest {
        next_page_token: vec![1],
        ..Default::default()
    };
    let refused = client.list_namespaces(beyond).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::InvalidArgument, "Invalid NextPageToken.")
    );
    server.end().await;
}

// B1
#[tokio::test]
async fn a_request_without_namespace_is_refused_in_temporals_words() {
    let server = Running::start(options()).await;
    let client = server.workflows().await;
    let mut answers: Vec<(&str, Status)> = Vec::new();
    macro_rules! ask {
        ($($method:ident($request:expr);)*) => {
            $(answers.push((stringify!($method), client.clone().$method($request).await.unwrap_err()));)*
        };
    }
    ask! {
        describe_namespace(DescribeNamespaceRequest::default());
        start_workflow_execution(StartWorkflowExecutionRequest { workflow_id: "w".into(), ..Default::default() });
        signal_workflow_execution(SignalWorkflowExecutionRequest { workflow_execution: execution(), ..Default::default() });
        query_workflow(QueryWorkflowRequest { execution: execution(), ..Default::default() });
        update_workflow_execution(UpdateWorkflowExecutionRequest { workflow_execution: execution(), ..Default::default() });
        poll_workflow_execution_update(PollWorkflowExecutionUpdateRequest {
            update_ref: Some(UpdateRef { workflow_execution: execution(), update_id: "u".into() }),
            ..Default::default()
        });
        get_workflow_execution_history(GetWorkflowExecutionHistoryRequest { execution: execution(), ..Default::default() });
        get_workflow_execution_history_reverse(GetWorkflowExecutionHistoryReverseRequest {
            execution: execution(),
            ..Default::default()
        });
        describe_workflow_execution(DescribeWorkflowExecutionRequest { execution: execution(), ..Default::default() });
        list_workflow_executions(ListWorkflowExecutionsRequest::default());
        list_open_workflow_executions(ListOpenWorkflowExecutionsRequest::default());
        list_closed_workflow_executions(ListClosedWorkflowExecutionsRequest::default());
        scan_workflow_executions(ScanWorkflowExecutionsRequest::default());
        count_workflow_executions(CountWorkflowExecutionsRequest::default());
        request_cancel_workflow_execution(RequestCancelWorkflowExecutionRequest {
            workflow_execution: execution(),
            ..Default::default()
        });
        terminate_workflow_execution(TerminateWorkflowExecutionRequest {
            workflow_execution: execution(),
            ..Default::default()
        });
    }
    assert_eq!(answers.len(), 16);
    for (method, status) in answers {
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, "Namespace not set on request."),
            "{method}"
        );
    }
    server.end().await;
}

// B1
#[tokio::test]
async fn a_request_that_names_no_execution_is_refused_in_temporals_words() {
    let server = Running::start(options()).await;
    let mut client = server.workflows().await;
    let namespace = || "default".to_owned();
    let nameless = Some(WorkflowExecution::default());
    let mut answers = vec![
        client
            .start_workflow_execution(StartWorkflowExecutionRequest {
                namespace: namespace(),
                ..Default::default()
            })
            .await
            .map(drop),
    ];
    for workflow_execution in [nameless.clone(), None] {
        let signal = SignalWorkflowExecutionRequest {
            namespace: namespace(),
            workflow_execution: workflow_execution.clone(),
            signal_name: "s".into(),
            ..Default::default()
        };
        answers.push(client.signal_workflow_execution(signal).await.map(drop));
        let describe = DescribeWorkflowExecutionRequest {
            namespace: namespace(),
            execution: workflow_execution.clone(),
        };
        answers.push(client.describe_workflow_execution(describe).await.map(drop));
        let history = GetWorkflowExecutionHistoryRequest {
            namespace: namespace(),
            execution: workflow_execution,
            ..Default::default()
        };
        answers.push(client.get_workflow_execution_history(history).await.map(drop));
    }
    let refusals: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap_err())
        .map(|status| (status.code(), status.message().to_owned()))
        .collect();
    let said = |text: &str| (Code::InvalidArgument, text.to_owned());
    assert_eq!(refusals[..4], vec![said("WorkflowId is not set on request."); 4]);
    assert_eq!(refusals[4..], vec![said("Execution is not set on request."); 3]);
    server.end().await;
}

// B1
#[tokio::test]
async fn an_unknown_namespace_is_not_found() {
    let server = Running::start(options()).await;
    let mut client = server.workflows().await;
    for request in [
        DescribeNamespaceRequest {
            namespace: "prod".into(),
            ..Default::default()
        },
        DescribeNamespaceRequest {
            id: "no-such-id".into(),
            ..Default::default()
        },
    ] {
        let status = client.describe_namespace(request).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{status:?}");
        assert!(!status.details().is_empty(), "SDKs look for the details");
    }
    server.end().await;
}

#[tokio::test]
async fn what_is_not_offered_says_so_by_name() {
    let server = Running::start(options()).await;
    let mut client = server.workflows().await;
    let poll = client
        .poll_workflow_task_queue(PollWorkflowTaskQueueRequest::default())
        .await
        .unwrap_err();
    let register = client
        .register_namespace(RegisterNamespaceRequest::default())
        .await
        .unwrap_err();
    let schedules = client
        .list_schedules(ListSchedulesRequest::default())
        .await
        .unwrap_err();
    let attributes = OperatorServiceClient::new(server.channel().await)
        .remove_search_attributes(RemoveSearchAttributesRequest::default())
        .await
        .unwrap_err();
    for (status, name) in [
        (poll, "PollWorkflowTaskQueue"),
        (register, "RegisterNamespace"),
        (schedules, "ListSchedules"),
        (attributes, "RemoveSearchAttributes"),
    ] {
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(
            status
                .message()
                .starts_with(&format!("{name} is not offered by this server")),
            "{}",
            status.message()
        );
    }
    server.end().await;
}

/// An entry of the table that the build script writes from Temporal's descriptors.
struct Method {
    path: &'static str,
    service: &'static str,
    name: &'static str,
}

static METHODS: &[Method] = &include!(concat!(env!("OUT_DIR"), "/methods.rs"));

const OFFERED: [&str; 40] = [
    "CountWorkflowExecutions",
    "DeleteWorkflowExecution",
    "DescribeNamespace",
    "DescribeTaskQueue",
    "DescribeWorkflowExecution",
    "ExecuteMultiOperation",
    "GetClusterInfo",
    "GetSystemInfo",
    "GetWorkflowExecutionHistory",
    "GetWorkflowExecutionHistoryReverse",
    "ListClosedWorkflowExecutions",
    "ListNamespaces",
    "ListOpenWorkflowExecutions",
    "ListWorkflowExecutions",
    "PauseActivity",
    "PollActivityTaskQueue",
    "PollWorkflowExecutionUpdate",
    "QueryWorkflow",
    "RecordActivityTaskHeartbeat",
    "RecordActivityTaskHeartbeatById",
    "RequestCancelWorkflowExecution",
    "ResetActivity",
    "ResetWorkflowExecution",
    "RespondActivityTaskCanceled",
    "RespondActivityTaskCanceledById",
    "RespondActivityTaskCompleted",
    "RespondActivityTaskCompletedById",
    "RespondActivityTaskFailed",
    "RespondActivityTaskFailedById",
    "ScanWorkflowExecutions",
    "ShutdownWorker",
    "SignalWithStartWorkflowExecution",
    "SignalWorkflowExecution",
    "StartWorkflowExecution",
    "TerminateWorkflowExecution",
    "UnpauseActivity",
    "UpdateActivityOptions",
    "UpdateTaskQueueConfig",
    "UpdateWorkflowExecution",
    "UpdateWorkflowExecutionOptions",
];

#[tokio::test]
async fn every_method_is_offered_or_says_that_it_is_not() {
    let server = Running::start(options()).await;
    let mut grpc = Grpc::new(server.channel().await);
    let mut offered = Vec::new();
    for method in METHODS
        .iter()
        .filter(|method| method.service.ends_with(".WorkflowService"))
    {
        grpc.ready().await.unwrap();
        let codec: ProstCodec<(), ()> = ProstCodec::default();
        let path = PathAndQuery::from_static(method.path);
        let answer = grpc.unary(tonic::Request::new(()), path, codec).await.map(drop);
        match answer {
            Err(status) if status.code() == Code::Unimplemented => {
                assert!(
                    status
                        .message()
                        .starts_with(&format!("{} is not offered", method.name)),
                    "{status:?}"
                );
            }
            _ => offered.push(method.name),
        }
    }
    assert_eq!(offered, OFFERED);
    server.end().await;
}

#[tokio::test]
async fn an_unknown_service_is_named() {
    let server = Running::start(options()).await;
    for path in [
        "/temporal.api.cloud.cloudservice.v1.CloudService/GetUsers",
        "/x/y",
    ] {
        let mut grpc = Grpc::new(server.channel().await);
        grpc.ready().await.unwrap();
        let codec: ProstCodec<GetSystemInfoRequest, GetSystemInfoResponse> = ProstCodec::default();
        let status = grpc
            .unary(
                tonic::Request::new(GetSystemInfoRequest {}),
                PathAndQuery::from_static(path),
                codec,
            )
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().contains(path), "{}", status.message());
    }
    server.end().await;
}

// B2
#[tokio::test]
async fn a_request_over_the_limit_is_invalid() {
    let server = Running::start(options()).await;
    let status = server
        .workflows()
        .await
        .signal_workflow_execution(signal_of(4 << 20))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert!(status.message().contains("4194304"), "{}", status.message());
    server.end().await;
}

// B2
#[tokio::test]
async fn the_limit_counts_what_a_compressed_request_unfolds_to() {
    let server = Running::start(options()).await;
    let mut client = server.workflows().await.send_compressed(Gzip);
    let status = client
        .signal_workflow_execution(signal_of(64 << 20))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert!(status.message().contains("too large"), "{}", status.message());
    server.end().await;
}

/// Temporal's SDKs compress every request, on every service.
#[tokio::test]
async fn every_service_takes_gzip() {
    let server = Running::start(options()).await;
    let channel = server.channel().await;
    let health = HealthClient::new(channel.clone()).send_compressed(Gzip);
    health.clone().check(HealthCheckRequest::default()).await.unwrap();
    let mut modules = ModuleServiceClient::new(channel.clone()).send_compressed(Gzip);
    let status = modules.describe(DescribeRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let mut operator = OperatorServiceClient::new(channel).send_compressed(Gzip);
    let status = operator
        .list_search_attributes(ListSearchAttributesRequest::default())
        .await
        .unwrap_err();
    assert_eq!(status.message(), "Namespace not set on request.");
    server.end().await;
}

#[tokio::test]
async fn gzip_is_taken_and_given() {
    for gzip_min_bytes in [0, 1 << 10] {
        let server = Running::start(longhaul_server::Options {
            gzip_min_bytes,
            ..options()
        })
        .await;
        let mut client = server
            .workflows()
            .await
            .send_compressed(Gzip)
            .accept_compressed(Gzip);
        let answer = client.get_system_info(GetSystemInfoRequest {}).await.unwrap();
        assert_eq!(answer.metadata().get("grpc-encoding").unwrap(), "gzip");
        assert!(answer.into_inner().capabilities.is_some());
        server.end().await;
    }
}

// E13
#[tokio::test]
async fn search_attributes_are_added_and_listed() {
    let server = Running::start(options()).await;
    let mut operator = OperatorServiceClient::new(server.channel().await);
    let add = |kind: IndexedValueType| AddSearchAttributesRequest {
        namespace: "default".into(),
        search_attributes: [("City".to_owned(), kind.into())].into(),
    };
    for _ in 0..2 {
        operator
            .add_search_attributes(add(IndexedValueType::Keyword))
            .await
            .unwrap();
    }
    let listed = operator
        .list_search_attributes(ListSearchAttributesRequest {
            namespace: "default".into(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        listed.custom_attributes["City"],
        i32::from(IndexedValueType::Keyword)
    );
    assert_eq!(
        listed.system_attributes["StartTime"],
        i32::from(IndexedValueType::Datetime)
    );
    // Clients write it without asking; nobody has added it.
    assert_eq!(
        listed.system_attributes["TemporalChangeVersion"],
        i32::from(IndexedValueType::KeywordList)
    );
    assert_eq!(listed.custom_attributes.len(), 1);
    for (request, text) in [
        (add(IndexedValueType::Int), "type is Keyword"),
        (add(IndexedValueType::Unspecified), "Unable to parse"),
        (
            AddSearchAttributesRequest {
                namespace: "default".into(),
                ..Default::default()
            },
            "not set",
        ),
        (
            AddSearchAttributesRequest {
                namespace: "default".into(),
                search_attributes: [("WorkflowId".to_owned(), IndexedValueType::Keyword.into())].into(),
            },
            "set by the server",
        ),
    ] {
        let status = operator.add_search_attributes(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(text), "{}", status.message());
    }
    server.end().await;
}
