//! Starts.

use super::*;

fn start(change: impl FnOnce(&mut StartWorkflowExecutionRequest)) -> StartWorkflowExecutionRequest {
    let mut request = StartWorkflowExecutionRequest {
        namespace: namespace(),
        workflow_id: "new".to_owned(),
        workflow_type: Some("Lab".to_owned().into()),
        request_id: "request".to_owned(),
        ..Default::default()
    };
    change(&mut request);
    request
}

fn retried(policy: RetryPolicy) -> StartWorkflowExecutionRequest {
    start(|r| r.retry_policy = Some(policy))
}

fn found_by(name: &str, value: Payload) -> StartWorkflowExecutionRequest {
    let indexed_fields = [(name.to_owned(), value)].into();
    start(|r| r.search_attributes = Some(SearchAttributes { indexed_fields }))
}

/// What is wrong, the request, and words that the refusal has.
#[expect(deprecated, reason = "old clients still send that policy")]
fn wrong() -> Vec<(
    &'static str,
    StartWorkflowExecutionRequest,
    &'static [&'static str],
)> {
    let queue = TaskQueue {
        name: long(),
        ..Default::default()
    };
    let memo = Memo {
        fields: [("m".to_owned(), payload(2 << 20))].into(),
    };
    let broken = Payload {
        data: b"{".to_vec(),
        ..payload(0)
    };
    let negative = RetryPolicy {
        maximum_attempts: -1,
        ..Default::default()
    };
    let shrinking = RetryPolicy {
        backoff_coefficient: 0.5,
        ..Default::default()
    };
    let inverted = RetryPolicy {
        initial_interval: seconds(9),
        maximum_interval: seconds(3),
        ..Default::default()
    };
    vec![
        ("no namespace", start(|r| r.namespace.clear()), &["Namespace"]),
        ("no id", start(|r| r.workflow_id.clear()), &["WorkflowId"]),
        (
            "long id",
            start(|r| r.workflow_id = long()),
            &["WorkflowId", "1001", "1000"],
        ),
        ("no type", start(|r| r.workflow_type = None), &["WorkflowType"]),
        (
            "long type",
            start(|r| r.workflow_type = Some(long().into())),
            &["WorkflowType", "1001"],
        ),
        (
            "unknown type",
            start(|r| r.workflow_type = Some("Lap".to_owned().into())),
            &["Lap", "Lab"],
        ),
        (
            "long queue",
            start(|r| r.task_queue = Some(queue)),
            &["TaskQueue", "1001"],
        ),
        (
            "long request id",
            start(|r| r.request_id = long()),
            &["RequestId", "1001"],
        ),
        ("large input", start(|r| r.input = large()), &["2097152"]),
        ("large memo", start(|r| r.memo = Some(memo)), &["emo", "2097152"]),
        (
            "negative run timeout",
            start(|r| r.workflow_run_timeout = seconds(-1)),
            &["WorkflowRunTimeout"],
        ),
        (
            "negative execution timeout",
            start(|r| r.workflow_execution_timeout = seconds(-1)),
            &["WorkflowExecutionTimeout"],
        ),
        (
            "negative task timeout",
            start(|r| r.workflow_task_timeout = seconds(-1)),
            &["WorkflowTaskTimeout"],
        ),
        (
            "negative delay",
            start(|r| r.workflow_start_delay = seconds(-1)),
            &["WorkflowStartDelay"],
        ),
        (
            "no cron",
            start(|r| r.cron_schedule = "now and then".to_owned()),
            &["now and then"],
        ),
        (
            "cron and delay",
            start(|r| {
                r.cron_schedule = "@daily".to_owned();
                r.workflow_start_delay = seconds(1);
            }),
            &["cron schedule"],
        ),
        ("negative attempts", retried(negative), &["number of attempts"]),
        ("shrinking backoff", retried(shrinking), &["backoff coefficient"]),
        (
            "interval over its maximum",
            retried(inverted),
            &["maximum interval"],
        ),
        (
            "attribute of the system",
            found_by("WorkflowId", payload(1)),
            &["WorkflowId"],
        ),
        (
            "attribute without a value",
            found_by("Colour", broken),
            &["Colour"],
        ),
        (
            "two policies for one thing",
            start(|r| {
                r.workflow_id_reuse_policy = WorkflowIdReusePolicy::TerminateIfRunning.into();
                r.workflow_id_conflict_policy = WorkflowIdConflictPolicy::Fail.into();
            }),
            &["WorkflowIdReusePolicy"],
        ),
    ]
}

// B1, B2, E1, E2, E12, E13: nothing of a start may be wrong.
#[test]
fn a_start_that_is_wrong_in_one_place_is_refused() {
    let server = server();
    let before = seen(&server);
    let mut refusals = Refusals(Vec::new());
    wait(async {
        let mut client = client(&server);
        for (what, request, words) in wrong() {
            let answer = client.start_workflow_execution(request);
            refusals.of(what, answer, Code::InvalidArgument, words).await;
        }
        let answer = client.start_workflow_execution(start(|r| r.workflow_id = ID.to_owned()));
        refusals.of("taken id", answer, Code::AlreadyExists, &[]).await;
        let answer = client.start_workflow_execution(start(|r| r.namespace = "elsewhere".to_owned()));
        let detail = Some("NamespaceNotFoundFailure");
        refusals
            .with(
                "unknown namespace",
                answer,
                Code::NotFound,
                detail,
                &["elsewhere"],
            )
            .await;
    });
    refusals.none_is_missing();
    assert_eq!(seen(&server), before);
}
