//! Requests that no command sends, over gRPC: the lists of old clients, and history from its end.

use std::time::Duration;

use longhaul_history::proto;
use longhaul_tests::Server;
use proto::{
    common::v1::{Callback, WorkflowExecution},
    enums::v1::WorkflowExecutionStatus,
    filter::v1::{StatusFilter, WorkflowExecutionFilter, WorkflowTypeFilter},
    workflow::v1::{VersioningOverride, WorkflowExecutionInfo},
    workflowservice::v1::{
        GetWorkflowExecutionHistoryReverseRequest, ListArchivedWorkflowExecutionsRequest,
        ListClosedWorkflowExecutionsRequest, ListOpenWorkflowExecutionsRequest,
        ScanWorkflowExecutionsRequest, StartWorkflowExecutionRequest,
        list_closed_workflow_executions_request::Filters as ClosedFilters,
        list_open_workflow_executions_request::Filters as OpenFilters,
        workflow_service_client::WorkflowServiceClient,
    },
};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

use crate::{kill_and_restart, server};

type Client = WorkflowServiceClient<Channel>;

/// Longer than any of these takes; one that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn client(server: &Server) -> Client {
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address())).unwrap();
    WorkflowServiceClient::new(endpoint.timeout(PATIENCE).connect_lazy())
}

fn ids(executions: &[WorkflowExecutionInfo]) -> Vec<&str> {
    let mut ids: Vec<_> = executions
        .iter()
        .map(|info| info.execution.as_ref().unwrap().workflow_id.as_str())
        .collect();
    ids.sort_unstable();
    ids
}

fn by_id(id: &str) -> WorkflowExecutionFilter {
    WorkflowExecutionFilter {
        workflow_id: id.to_owned(),
        run_id: String::new(),
    }
}

async fn open(client: &mut Client, filters: Option<OpenFilters>) -> Vec<WorkflowExecutionInfo> {
    let request = ListOpenWorkflowExecutionsRequest {
        namespace: "default".to_owned(),
        filters,
        ..Default::default()
    };
    let listed = client.list_open_workflow_executions(request).await.unwrap();
    listed.into_inner().executions
}

async fn closed(client: &mut Client, filters: Option<ClosedFilters>) -> Vec<WorkflowExecutionInfo> {
    let request = ListClosedWorkflowExecutionsRequest {
        namespace: "default".to_owned(),
        filters,
        ..Default::default()
    };
    let listed = client.list_closed_workflow_executions(request).await.unwrap();
    listed.into_inner().executions
}

#[tokio::test]
async fn old_clients_list_what_is_open_and_what_is_closed() {
    let server = server(&["counter"]);
    for id in ["open", "o'pen", "ended", "done"] {
        server.start_workflow("Counter", id, &[]).ok();
    }
    server.longhaul(&["workflow", "terminate", "-w", "ended"]).ok();
    server.signal("done", "finish", &[]).ok();
    server.result("done").ok();
    let mut client = client(&server);

    assert_eq!(ids(&open(&mut client, None).await), ["o'pen", "open"]);
    let filter = OpenFilters::ExecutionFilter(by_id("o'pen"));
    assert_eq!(ids(&open(&mut client, Some(filter)).await), ["o'pen"]);
    let filter = OpenFilters::ExecutionFilter(by_id("done"));
    assert!(open(&mut client, Some(filter)).await.is_empty());
    let filter = OpenFilters::TypeFilter(WorkflowTypeFilter {
        name: "Other".to_owned(),
    });
    assert!(open(&mut client, Some(filter)).await.is_empty());

    assert_eq!(ids(&closed(&mut client, None).await), ["done", "ended"]);
    let terminated = ClosedFilters::StatusFilter(StatusFilter {
        status: WorkflowExecutionStatus::Terminated.into(),
    });
    let ended = closed(&mut client, Some(terminated)).await;
    assert_eq!(ids(&ended), ["ended"]);

    // Pages hold together: the second one is asked for by the token of the first.
    let mut scan = ScanWorkflowExecutionsRequest {
        namespace: "default".to_owned(),
        page_size: 3,
        query: "WorkflowType = 'Counter'".to_owned(),
        ..Default::default()
    };
    let first = client
        .scan_workflow_executions(scan.clone())
        .await
        .unwrap()
        .into_inner();
    scan.next_page_token = first.next_page_token;
    let second = client.scan_workflow_executions(scan).await.unwrap().into_inner();
    assert_eq!(first.executions.len(), 3);
    let all = [first.executions, second.executions].concat();
    assert_eq!(ids(&all), ["done", "ended", "o'pen", "open"]);
}

// B1
#[tokio::test]
async fn what_old_lists_cannot_mean_is_refused() {
    let server = server(&[]);
    let mut client = client(&server);
    let request = ListClosedWorkflowExecutionsRequest {
        namespace: "default".to_owned(),
        filters: Some(ClosedFilters::StatusFilter(StatusFilter {
            status: WorkflowExecutionStatus::Running.into(),
        })),
        ..Default::default()
    };
    let refused = client.list_closed_workflow_executions(request).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (
            Code::InvalidArgument,
            "StatusFilter must be specified and must be not Running."
        )
    );
    let unknown = ListOpenWorkflowExecutionsRequest {
        namespace: "nowhere".to_owned(),
        ..Default::default()
    };
    let unknown = client.list_open_workflow_executions(unknown).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let archived = ListArchivedWorkflowExecutionsRequest {
        namespace: "default".to_owned(),
        ..Default::default()
    };
    let archived = client
        .list_archived_workflow_executions(archived)
        .await
        .unwrap_err();
    assert_eq!(archived.code(), Code::Unimplemented);
}

// Temporal's own command line finds the last workflow task for a reset so.
#[tokio::test]
async fn history_is_read_from_its_end() {
    let mut server = server(&["counter"]);
    server.start_workflow("Counter", "c", &[]).ok();
    for value in ["1", "2", "3"] {
        server.signal("c", "add", &[value]).ok();
    }
    assert_eq!(server.ask("c", "total"), 6);
    kill_and_restart(&mut server);
    let mut client = client(&server);
    let forwards = server.history("c").lines().count();
    let mut request = GetWorkflowExecutionHistoryReverseRequest {
        namespace: "default".to_owned(),
        execution: Some(WorkflowExecution {
            workflow_id: "c".to_owned(),
            run_id: String::new(),
        }),
        maximum_page_size: 3,
        ..Default::default()
    };
    let mut event_ids = Vec::new();
    loop {
        let answer = client
            .get_workflow_execution_history_reverse(request.clone())
            .await;
        let page = answer.unwrap().into_inner();
        let events = page.history.unwrap().events;
        assert!(!events.is_empty() && events.len() <= 3, "{events:?}");
        event_ids.extend(events.iter().map(|event| event.event_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.next_page_token = page.next_page_token;
    }
    let expected: Vec<_> = (1..=i64::try_from(forwards).unwrap()).rev().collect();
    assert_eq!(event_ids, expected);

    // B1: a token of the other direction is none.
    request.next_page_token = vec![1; 25];
    let refused = client
        .get_workflow_execution_history_reverse(request)
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::InvalidArgument, "Invalid NextPageToken.")
    );
}

// B1, E1: what is not offered is named, with what to do instead, and nothing is started.
#[tokio::test]
async fn a_start_that_asks_for_what_is_not_offered_is_refused() {
    let server = server(&["counter"]);
    let mut client = client(&server);
    let start = || StartWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_id: "c".to_owned(),
        workflow_type: Some("Counter".to_owned().into()),
        ..Default::default()
    };
    let called_back = StartWorkflowExecutionRequest {
        completion_callbacks: vec![Callback::default()],
        ..start()
    };
    let pinned = StartWorkflowExecutionRequest {
        versioning_override: Some(VersioningOverride::default()),
        ..start()
    };
    for (request, words) in [
        (called_back, ["completion callbacks", "waiting for its result"]),
        (
            pinned,
            ["versioning override", "longhaul workflow update-options"],
        ),
    ] {
        let refused = client.start_workflow_execution(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented);
        for word in words {
            assert!(refused.message().contains(word), "{}", refused.message());
        }
    }
    assert!(open(&mut client, None).await.is_empty());
}
