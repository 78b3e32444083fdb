//! The details of a refusal: what Temporal's clients tell errors of one code apart by, and act on.

use super::*;
use proto::{
    enums::v1::ResourceExhaustedCause,
    errordetails::v1::{
        MultiOperationExecutionFailure, NamespaceNotFoundFailure, QueryFailedFailure,
        ResourceExhaustedFailure, WorkflowExecutionAlreadyStartedFailure,
    },
    workflowservice::v1::{
        ExecuteMultiOperationRequest,
        execute_multi_operation_request::{Operation, operation},
    },
};

/// The one detail of a refusal.
#[track_caller]
fn detail<M: Message + Name + Default>(status: &Status) -> M {
    let envelope = Envelope::of(status);
    let [detail] = envelope.details.as_slice() else {
        panic!("{} details: {status:?}", envelope.details.len())
    };
    assert_eq!(detail.type_url, format!("type.googleapis.com/{}", M::full_name()));
    M::decode(detail.value.as_slice()).unwrap()
}

fn start(workflow_id: &str) -> StartWorkflowExecutionRequest {
    StartWorkflowExecutionRequest {
        namespace: namespace(),
        workflow_id: workflow_id.to_owned(),
        workflow_type: Some("Lab".to_owned().into()),
        request_id: "request".to_owned(),
        ..Default::default()
    }
}

/// An update that is accepted, and goes on until a note comes.
fn lasting(update_id: &str) -> UpdateWorkflowExecutionRequest {
    let steps = json!([{"op": "wait", "notes": 9}]);
    UpdateWorkflowExecutionRequest {
        namespace: namespace(),
        workflow_execution: run(ID, ""),
        wait_policy: Some(WaitPolicy {
            lifecycle_stage: Stage::Accepted.into(),
        }),
        request: Some(Request {
            meta: Some(Meta {
                update_id: update_id.to_owned(),
                identity: String::new(),
            }),
            input: Some(Input {
                name: "run".to_owned(),
                args: Some(longhaul_history::payload::from_values([&steps])),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

// B1, E1: who starts what runs is told which run it is, and by whose request it runs.
#[test]
fn a_taken_id_tells_the_run() {
    let server = server();
    let (status, described) = wait(async {
        let mut client = client(&server);
        let first = StartWorkflowExecutionRequest {
            request_id: "first".to_owned(),
            ..start("other")
        };
        client.start_workflow_execution(first).await.unwrap();
        let refused = client.start_workflow_execution(start("other")).await;
        let describe = DescribeWorkflowExecutionRequest {
            namespace: namespace(),
            execution: run("other", ""),
        };
        let described = client.describe_workflow_execution(describe).await.unwrap();
        (refused.unwrap_err(), described.into_inner())
    });
    let info = described.workflow_execution_info.unwrap();
    let failure = detail::<WorkflowExecutionAlreadyStartedFailure>(&status);
    assert_eq!(failure.run_id, info.execution.unwrap().run_id);
    assert_eq!(failure.start_request_id, "first");
}

// B1: a worker stops for good when its namespace is not there.
#[test]
fn an_unknown_namespace_is_named() {
    let server = server();
    let status = wait(async {
        let mut request = start("new");
        request.namespace = "elsewhere".to_owned();
        client(&server).start_workflow_execution(request).await
    })
    .unwrap_err();
    assert_eq!(detail::<NamespaceNotFoundFailure>(&status).namespace, "elsewhere");
}

// Q4, B1: a query that fails has the failure.
#[test]
fn a_query_that_fails_has_the_failure() {
    let server = server();
    let ask = |name: &str, args: Option<Payloads>| {
        let request = QueryWorkflowRequest {
            namespace: namespace(),
            execution: run(ID, ""),
            query: Some(WorkflowQuery {
                query_type: name.to_owned(),
                query_args: args,
                header: None,
            }),
            ..Default::default()
        };
        let status = wait(async { client(&server).query_workflow(request).await }).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        detail::<QueryFailedFailure>(&status).failure.unwrap().message
    };
    let unknown = ask("lock", None);
    assert!(unknown.contains("'lock'") && unknown.contains("log"), "{unknown}");
    let message = longhaul_history::payload::from_values([&json!("out of order")]);
    assert_eq!(ask("fail", Some(message)), "out of order");
}

// U10: a client that comes too early may try again.
#[test]
fn an_update_too_many_says_what_is_exhausted() {
    let server = server();
    let status = wait(async {
        let mut client = client(&server);
        for number in 0..10 {
            let update = lasting(&format!("u{number}"));
            client.update_workflow_execution(update).await.unwrap();
        }
        client.update_workflow_execution(lasting("u10")).await
    })
    .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let failure = detail::<ResourceExhaustedFailure>(&status);
    assert_eq!(failure.cause(), ResourceExhaustedCause::ConcurrentLimit);
}

// U9: of two operations that are refused together, each says what became of it.
#[test]
fn an_update_with_start_says_what_became_of_each() {
    let server = server();
    let before = seen(&server);
    let mut taken = start(ID);
    taken.workflow_id_conflict_policy = WorkflowIdConflictPolicy::Fail.into();
    let operations = [
        operation::Operation::StartWorkflow(taken),
        operation::Operation::UpdateWorkflow(lasting("u")),
    ];
    let request = ExecuteMultiOperationRequest {
        namespace: namespace(),
        operations: operations
            .map(|operation| Operation {
                operation: Some(operation),
            })
            .into(),
        ..Default::default()
    };
    let status = wait(async { client(&server).execute_multi_operation(request).await }).unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists, "{status:?}");
    let failure = detail::<MultiOperationExecutionFailure>(&status);
    let became: Vec<_> = failure
        .statuses
        .iter()
        .map(|status| {
            let kinds = status.details.iter().map(|detail| kind_of(&detail.type_url));
            (Code::from(status.code), kinds.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(
        became,
        [
            (
                Code::AlreadyExists,
                vec!["errordetails.v1.WorkflowExecutionAlreadyStartedFailure"]
            ),
            (Code::Aborted, vec!["failure.v1.MultiOperationExecutionAborted"]),
        ]
    );
    assert_eq!(seen(&server), before);
}
