//! `workflow reset`.

use longhaul_tests::{Answer, Server, export};
use serde_json::{Value, json};

use crate::{NOT_FOUND, count, kill_and_restart, run_id, server, status_of, workflow};

fn reset(server: &Server, words: &[&str]) -> Answer {
    let target = ["-w", "c", "--reason", "mended code", "-o", "json"];
    workflow(server, "reset", &[&target, words].concat())
}

/// A counter that was sent 1 and 2 as signals and 10 as an update, each handled by a task of its own.
fn counter() -> Server {
    let server = server(&["counter"]);
    server.start_workflow("Counter", "c", &[]).ok();
    for value in ["1", "2"] {
        server.signal("c", "add", &[value]).ok();
        // The answer of a query comes after the task that handled the signal.
        server.ask("c", "total");
    }
    server.update("c", "add_and_get", &["10"]).ok();
    server
}

/// The events of a type, by id.
fn ids(server: &Server, event_type: &str) -> Vec<String> {
    let shown = workflow(server, "show", &["-w", "c", "-o", "json"]).json();
    let events = shown["events"].as_array().unwrap().iter();
    let ids = events.filter(|event| event["eventType"] == event_type);
    ids.map(|event| event["eventId"].as_str().unwrap().to_owned())
        .collect()
}

fn all(server: &Server) -> Value {
    server.ask("c", "all")
}

// E9, S9: a new run, the old one terminated; what came later is delivered again. Durable when it is answered.
#[test]
fn a_reset_begins_again_and_delivers_later_messages_again() {
    let mut server = counter();
    let old = run_id(&server, "c");
    let answer = reset(&server, &["--type", "FirstWorkflowTask"]).json();
    kill_and_restart(&mut server);
    let new = run_id(&server, "c");
    assert_eq!(answer, json!({"workflowId": "c", "runId": new}));
    assert_ne!(old, new);
    assert_eq!(all(&server), json!([1, 2, 10]));
    assert_eq!(status_of(&server, "c", &old), "TERMINATED");
    let history = server.history("c");
    assert!(history.contains("ResetWorkflow: mended code"), "{history}");
    // The new run is as any other.
    server.signal("c", "finish", &[]).ok();
    assert_eq!(server.result("c").json()["result"], 13);
    export::histories(&server, "reset_cli");
}

// E9
#[test]
fn what_is_excluded_is_not_delivered_again() {
    for (kinds, expected) in [
        (&["signal"][..], json!([10])),
        (&["Update"], json!([1, 2])),
        (&["Signal", "Update"], json!([])),
        (&["All"], json!([])),
    ] {
        let server = counter();
        let exclude = kinds.iter().flat_map(|kind| ["--reapply-exclude", kind]);
        let words: Vec<_> = ["--type", "FirstWorkflowTask"]
            .into_iter()
            .chain(exclude)
            .collect();
        reset(&server, &words).ok();
        assert_eq!(all(&server), expected, "{kinds:?}");
    }
}

// E9: to one of several tasks, named by its event or as the last; also when the run has closed.
#[test]
fn a_reset_goes_to_the_task_that_is_named() {
    let server = counter();
    let tasks = ids(&server, "EVENT_TYPE_WORKFLOW_TASK_COMPLETED");
    let [first, .., last] = tasks.as_slice() else {
        panic!("{tasks:?}")
    };
    server.signal("c", "finish", &[]).ok();
    server.result("c").ok();
    let closed = run_id(&server, "c");

    // Before this event stand both signals; the update came with the task and is taken again, unless it is excluded.
    reset(&server, &["--event-id", last, "--reapply-exclude", "All"]).ok();
    assert_eq!(all(&server), json!([1, 2]));
    assert_eq!(
        status_of(&server, "c", &closed),
        "COMPLETED",
        "it had closed by itself"
    );
    let words = ["--event-id", first, "--reapply-exclude", "All", "-r", &closed];
    reset(&server, &words).ok();
    assert_eq!(all(&server), json!([]), "of the run that was named");

    server.signal("c", "add", &["4"]).ok();
    all(&server);
    let text = workflow(
        &server,
        "reset",
        &["-w", "c", "--reason", "r", "--type", "LastWorkflowTask"],
    );
    let run = run_id(&server, "c");
    assert_eq!(text.ok(), format!("WorkflowId  c\nRunId       {run}\n"));
    assert_eq!(all(&server), json!([4]));
}

// E9, E3
#[test]
fn a_reset_may_go_back_to_the_run_before() {
    let server = server(&["lab"]);
    let next = json!({"steps": [{"op": "wait", "notes": 2}]});
    let program = json!({"steps": [{"op": "wait", "notes": 1}, {"op": "continue", "program": next}]});
    server.start_workflow("Lab", "c", &[&program.to_string()]).ok();
    server.signal("c", "note", &[r#""one""#]).ok();
    // Its answer comes after the task in which the first run ended.
    server.ask("c", "log");
    server.signal("c", "note", &[r#""two""#]).ok();
    let continued = run_id(&server, "c");
    reset(&server, &["--type", "LastContinuedAsNew"]).ok();
    let log = server.ask("c", "log").to_string();
    assert!(log.contains("note:one") && log.contains("note:two"), "{log}");
    assert_eq!(status_of(&server, "c", &continued), "TERMINATED");
}

// E9, B1: what is no point of the history is refused, and nothing is written.
#[test]
fn a_reset_to_nowhere_is_refused() {
    let server = counter();
    let before = server.history("c");
    let signal = &ids(&server, "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED")[0];
    reset(&server, &["--event-id", "5000"]).refused(&["event 5000 is not in the history"]);
    reset(&server, &["--event-id", signal]).refused(&[&format!("event {signal} "), "workflow task"]);
    reset(&server, &["--event-id", "1"]).refused(&["event 1 "]);
    reset(&server, &["--event-id", "0"]).wrong_usage(&["--event-id"]);
    reset(&server, &[]).wrong_usage(&["--event-id", "--type"]);
    reset(&server, &["--type", "Yesterday"]).wrong_usage(&["Yesterday", "LastWorkflowTask"]);
    reset(&server, &["--type", "LastContinuedAsNew"]).wrong_usage(&["continued as new", "--event-id"]);
    let unknown = ["-w", "nobody", "--reason", "r", "--type", "FirstWorkflowTask"];
    workflow(&server, "reset", &unknown).refused(&[NOT_FOUND, "Hint: "]);
    let unknown = ["-w", "nobody", "--reason", "r", "--event-id", "4"];
    workflow(&server, "reset", &unknown).refused(&[NOT_FOUND, "Hint: "]);
    assert_eq!(server.history("c"), before);
    assert_eq!(count(&server, "WorkflowId = 'c'"), 1);
}
