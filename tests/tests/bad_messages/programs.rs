//! What the code of a workflow may not ask for.

use super::*;

/// Play a program, and answer its log.
fn log_of(server: &Server, id: &str, program: &Value) -> Vec<String> {
    server.start_workflow("Lab", id, &[&program.to_string()]).ok();
    let answer = server
        .longhaul(&["workflow", "result", "-w", id, "-o", "json"])
        .json();
    serde_json::from_value(answer["result"].clone()).unwrap()
}

// E5: who begets itself is told that the id is taken; the run goes on.
#[test]
fn a_cycle_of_parents_is_a_child_that_cannot_start() {
    let server = Server::start();
    server.upload("lab", "lab");
    let child = |id: &str, steps: Value| json!({"op": "child", "id": id, "program": {"steps": steps}});
    let program = json!({"steps": [child("self", json!([]))]});
    assert_eq!(log_of(&server, "self", &program), ["child failed: exists"]);

    let grandchild = child("first", json!([]));
    let program = json!({"steps": [child("second", json!([child("third", json!([grandchild]))]))]});
    let log = log_of(&server, "first", &program);
    assert_eq!(log[0], "child started");
    assert!(log[1].contains("child failed: exists"), "{log:?}");
    let count = server.longhaul(&["workflow", "count", "-o", "json"]).json();
    assert_eq!(count["count"], "4", "the four that could start");
}

// E6: through a handle nobody reaches oneself, neither by a signal nor by a cancellation.
#[test]
fn who_sends_to_oneself_is_told_that_it_does_not_go() {
    let server = Server::start();
    server.upload("lab", "lab");
    let program = json!({"steps": [
        {"op": "signal", "id": "narcissus", "name": "note", "args": ["me"]},
        {"op": "cancel", "id": "narcissus"},
    ]});
    let log = log_of(&server, "narcissus", &program);
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(log[0].starts_with("signal failed"), "{log:?}");
    assert!(log[1].starts_with("cancel failed"), "{log:?}");
}

// B2: what the code itself sends is measured as what clients send; its run waits for mended code, and says why.
#[test]
fn what_a_workflow_sends_has_the_same_limits() {
    let server = Server::start();
    server.upload("lab", "lab");
    let children = |id: String| json!({"steps": [{"op": "child", "id": id, "program": {"steps": []}}]});
    let signal = |name: String| json!({"steps": [{"op": "signal", "id": "nobody", "name": name}]});
    for (id, program, what) in [
        ("long-child", children(long()), "workflow id"),
        ("long-signal", signal(long()), "signal name"),
    ] {
        server.start_workflow("Lab", id, &[&program.to_string()]).ok();
        let text = parked(&server, id);
        let why = format!("the {what} has more than 1000 characters");
        assert!(text.contains(&why), "{id}: {text}");
        server.longhaul(&["workflow", "terminate", "-w", id]).ok();
    }
}

// A5: one limit of a local activity is required. Where the code names none it has the SDK's, and where it says that there is none its
// run waits for mended code: `describe`, a query and the history say why.
#[test]
fn a_local_activity_has_a_limit() {
    let server = Server::start();
    server.upload("lab", "lab");
    server.upload("lab-activities", "lab");
    let program = |limit: Value| {
        json!({"steps": [
            {"op": "local_activity", "type": "echo", "args": ["x"], "start_to_close_ms": limit},
            {"op": "wait", "notes": 1},
        ]})
    };
    server
        .start_workflow("Lab", "none", &[&program(Value::Null).to_string()])
        .ok();
    server.signal("none", "note", &[r#""on""#]).ok();
    let result = server.result("none").json();
    assert_eq!(result["result"], json!(["echo=\"x\"", "note:on", "waited"]));

    server
        .start_workflow("Lab", "zero", &[&program(json!(0)).to_string()])
        .ok();
    let why = "set schedule-to-close or start-to-close: one of the two limits is required";
    let text = parked(&server, "zero");
    for words in [why, "echo"] {
        assert!(text.contains(words), "{words:?} is missing: {text}");
    }
    server.query("zero", "log").refused(&["no task yet", why]);
    let history = server.history("zero");
    assert_eq!(history.matches("WorkflowTaskFailed").count(), 1, "{history}");
    assert!(history.contains("BadScheduleActivityAttributes"), "{history}");
    assert!(!history.contains("MarkerRecorded"), "{history}");
    // What is sent meanwhile is kept, and the run can be ended.
    server.signal("zero", "note", &[r#""kept""#]).ok();
    server.longhaul(&["workflow", "terminate", "-w", "zero"]).ok();
    let history = server.history("zero");
    assert!(history.contains("WorkflowExecutionSignaled"), "{history}");
}

/// Why a run is parked, as soon as it is.
fn parked(server: &Server, id: &str) -> String {
    let begun = std::time::Instant::now();
    loop {
        let text = server
            .longhaul(&["workflow", "describe", "-w", id, "-o", "json"])
            .ok();
        if text.contains("longhaul.parked") {
            return text;
        }
        assert!(begun.elapsed() < PATIENCE, "{id} is not parked: {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
