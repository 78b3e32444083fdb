//! Updates and queries.

use super::*;

fn update(change: impl FnOnce(&mut UpdateWorkflowExecutionRequest)) -> UpdateWorkflowExecutionRequest {
    let mut request = UpdateWorkflowExecutionRequest {
        namespace: namespace(),
        workflow_execution: run(ID, ""),
        wait_policy: until(Stage::Completed),
        request: asked("u", "add", None),
        ..Default::default()
    };
    change(&mut request);
    request
}

fn until(stage: Stage) -> Option<WaitPolicy> {
    Some(WaitPolicy {
        lifecycle_stage: stage.into(),
    })
}

fn asked(update_id: &str, name: &str, args: Option<Payloads>) -> Option<Request> {
    Some(Request {
        meta: Some(Meta {
            update_id: update_id.to_owned(),
            identity: String::new(),
        }),
        input: Some(Input {
            name: name.to_owned(),
            args,
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn query(id: &str, name: &str, query_args: Option<Payloads>) -> QueryWorkflowRequest {
    QueryWorkflowRequest {
        namespace: namespace(),
        execution: run(id, ""),
        query: Some(WorkflowQuery {
            query_type: name.to_owned(),
            query_args,
            header: None,
        }),
        ..Default::default()
    }
}

// B1, B2, U3: nothing of an update may be wrong.
#[test]
fn an_update_that_is_wrong_in_one_place_is_refused() {
    use Code::{InvalidArgument, NotFound};
    let server = server();
    let before = seen(&server);
    let mut refusals = Refusals(Vec::new());
    let of = |id: &str, name: &str, args| update(|r| r.request = asked(id, name, args));
    let to = |id: &str, run_id: &str| update(|r| r.workflow_execution = run(id, run_id));
    let kilobytes = "u".repeat(10_000);
    let cases: [(&str, _, _, &[&str]); 9] = [
        (
            "id of 10 kB",
            of(&kilobytes, "add", None),
            InvalidArgument,
            &["update ID", "10000", "1000"],
        ),
        ("no name", of("u", "", None), InvalidArgument, &["update name"]),
        (
            "long name",
            of("u", &long(), None),
            InvalidArgument,
            &["update name", "1001"],
        ),
        (
            "large input",
            of("u", "add", large()),
            InvalidArgument,
            &["2097152"],
        ),
        (
            "no request",
            update(|r| r.request = None),
            InvalidArgument,
            &["update name"],
        ),
        (
            "waits to be admitted",
            update(|r| r.wait_policy = until(Stage::Admitted)),
            Code::PermissionDenied,
            &[],
        ),
        ("unknown workflow", to("nobody", ""), NotFound, &["nobody"]),
        ("unknown run", to(ID, NO_RUN), NotFound, &[NO_RUN]),
        (
            "another chain",
            update(|r| r.first_execution_run_id = NO_RUN.to_owned()),
            NotFound,
            &[NO_RUN],
        ),
    ];
    wait(async {
        let mut client = client(&server);
        for (what, request, code, words) in cases {
            let answer = client.update_workflow_execution(request);
            refusals.of(what, answer, code, words).await;
        }
        let poll = PollWorkflowExecutionUpdateRequest {
            namespace: namespace(),
            update_ref: Some(UpdateRef {
                workflow_execution: run(ID, ""),
                update_id: "never".to_owned(),
            }),
            ..Default::default()
        };
        let answer = client.poll_workflow_execution_update(poll);
        refusals.of("unknown update", answer, NotFound, &["never"]).await;
    });
    refusals.none_is_missing();
    assert_eq!(seen(&server), before);
}

// B1, B2, Q4: nothing of a query may be wrong.
#[test]
fn a_query_that_is_wrong_in_one_place_is_refused() {
    use Code::{InvalidArgument, NotFound};
    let server = server();
    let before = seen(&server);
    let mut refusals = Refusals(Vec::new());
    let nothing = QueryWorkflowRequest {
        query: None,
        ..query(ID, "log", None)
    };
    let cases: [(&str, _, _, &[&str]); 4] = [
        ("no query", nothing, InvalidArgument, &["QueryType"]),
        (
            "long name",
            query(ID, &long(), None),
            InvalidArgument,
            &["QueryType", "1001"],
        ),
        (
            "large arguments",
            query(ID, "log", large()),
            InvalidArgument,
            &["2097152"],
        ),
        (
            "unknown workflow",
            query("nobody", "log", None),
            NotFound,
            &["nobody"],
        ),
    ];
    wait(async {
        let mut client = client(&server);
        for (what, request, code, words) in cases {
            refusals
                .of(what, client.query_workflow(request), code, words)
                .await;
        }
        let unknown = client.query_workflow(query(ID, "lock", None));
        let detail = Some("QueryFailedFailure");
        refusals
            .with(
                "unknown query",
                unknown,
                InvalidArgument,
                detail,
                &["lock", "log"],
            )
            .await;
    });
    refusals.none_is_missing();
    assert_eq!(seen(&server), before);
}
