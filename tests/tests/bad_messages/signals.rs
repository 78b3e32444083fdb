//! Signals, and signals that start.

use super::*;

fn signal(change: impl FnOnce(&mut SignalWorkflowExecutionRequest)) -> SignalWorkflowExecutionRequest {
    let mut request = SignalWorkflowExecutionRequest {
        namespace: namespace(),
        workflow_execution: run(ID, ""),
        signal_name: "note".to_owned(),
        ..Default::default()
    };
    change(&mut request);
    request
}

fn to(workflow_id: &str, run_id: &str) -> SignalWorkflowExecutionRequest {
    signal(|r| r.workflow_execution = run(workflow_id, run_id))
}

fn with_start(signal_name: String, workflow_id: String) -> SignalWithStartWorkflowExecutionRequest {
    SignalWithStartWorkflowExecutionRequest {
        namespace: namespace(),
        workflow_id,
        workflow_type: Some("Lab".to_owned().into()),
        signal_name,
        ..Default::default()
    }
}

// B1, B2, S6, S7, S8: nothing of a signal may be wrong.
#[test]
fn a_signal_that_is_wrong_in_one_place_is_refused() {
    use Code::{InvalidArgument, NotFound};
    let server = server();
    let before = seen(&server);
    let mut refusals = Refusals(Vec::new());
    let cases: [(&str, _, _, &[&str]); 9] = [
        (
            "no execution",
            signal(|r| r.workflow_execution = None),
            InvalidArgument,
            &["Execution"],
        ),
        ("no id", to("", ""), InvalidArgument, &["WorkflowId"]),
        ("run id that is none", to(ID, "7"), InvalidArgument, &["RunId"]),
        (
            "no name",
            signal(|r| r.signal_name.clear()),
            InvalidArgument,
            &["SignalName"],
        ),
        (
            "long name",
            signal(|r| r.signal_name = long()),
            InvalidArgument,
            &["SignalName", "1001"],
        ),
        (
            "long request id",
            signal(|r| r.request_id = long()),
            InvalidArgument,
            &["RequestId", "1001"],
        ),
        (
            "large input",
            signal(|r| r.input = large()),
            InvalidArgument,
            &["2097152"],
        ),
        ("unknown workflow", to("nobody", ""), NotFound, &["nobody"]),
        ("unknown run", to(ID, NO_RUN), NotFound, &[NO_RUN]),
    ];
    let new = || "new".to_owned();
    wait(async {
        let mut client = client(&server);
        for (what, request, code, words) in cases {
            let answer = client.signal_workflow_execution(request);
            refusals.of(what, answer, code, words).await;
        }
        for (what, request, word) in [
            (
                "with start, no name",
                with_start(String::new(), new()),
                "SignalName",
            ),
            ("with start, long name", with_start(long(), new()), "SignalName"),
            (
                "with start, long id",
                with_start("note".to_owned(), long()),
                "WorkflowId",
            ),
        ] {
            let answer = client.signal_with_start_workflow_execution(request);
            refusals.of(what, answer, InvalidArgument, &[word]).await;
        }
    });
    refusals.none_is_missing();
    assert_eq!(seen(&server), before);
}
