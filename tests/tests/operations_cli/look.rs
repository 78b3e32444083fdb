//! `workflow describe`, `stack` and `metadata`: what a workflow waits for, and what it answers.

use longhaul_tests::cli::assert_in_order;
use serde_json::json;

use crate::{NOT_FOUND, described, server, workflow};

/// Waits for everything that there is to wait for, in four branches.
fn busy() -> String {
    let child = json!({"op": "child", "id": "kid", "program": {"steps": [{"op": "wait", "notes": 1}]}});
    let branches = json!([
        [{"op": "sleep", "ms": 3_600_000}],
        [{"op": "sleep", "ms": 60_000}],
        [{"op": "activity", "type": "echo"}],
        [child],
    ]);
    json!({"steps": [{"op": "parallel", "branches": branches}]}).to_string()
}

// Q5: where each task waits, for what and until when, and `describe` the same; nobody serves the activity, which is said.
#[test]
fn all_that_is_pending_is_shown() {
    let server = server(&["lab"]);
    server.start_workflow("Lab", "lab", &[&busy()]).ok();
    let steps = json!([{"op": "wait", "notes": 1}]).to_string();
    let words = ["workflow", "update", "start", "-w", "lab", "--name", "run"];
    let words = [&words[..], &["-i", &steps, "--update-id", "u"]].concat();
    server.longhaul(&words).ok();

    let text = described(&server, "lab");
    assert_in_order(
        &text,
        &[
            "Pending activities:",
            "Type        echo",
            "no uploaded module serves this type",
            "Pending child workflows:",
            "WorkflowId  kid",
            "Pending timers:",
            "TimerId       2",
            "TimerId       1",
            "Pending updates:",
            "UpdateId  u",
            "Stage     ACCEPTED",
        ],
    );
    let fires: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Fires"))
        .map(str::trim)
        .collect();
    let [minute, hour] = fires.as_slice() else {
        panic!("two timers wait: {text}")
    };

    let stack = workflow(&server, "stack", &["-w", "lab"]).ok();
    assert_eq!(stack.lines().count(), 5, "{stack}");
    for waits in [
        "update run: waits for condition at lab/src/steps.rs:",
        &format!("run: waits for timer 1h, due {hour} at lab/src/steps.rs:"),
        &format!("run: waits for timer 1m, due {minute} at lab/src/steps.rs:"),
        "run: waits for activity echo, attempt 1 (not started) at lab/src/steps.rs:",
        "run: waits for child Lab, id kid (started) at lab/src/steps.rs:",
    ] {
        assert!(stack.contains(waits), "{waits:?} is missing: {stack}");
    }
    let json = workflow(&server, "stack", &["-w", "lab", "-o", "json"]).json();
    assert_eq!(json, json!({ "stack": stack }));

    workflow(&server, "terminate", &["-w", "lab"]).ok();
    let text = described(&server, "lab");
    assert!(!text.contains("Pending"), "nothing waits any more: {text}");
}

// Q5, Q1: handlers with their docs, open or closed.
#[test]
fn metadata_names_the_handlers_with_their_docs() {
    let server = server(&["counter"]);
    server.start_workflow("Counter", "c", &[]).ok();
    let metadata = |form: &str| workflow(&server, "metadata", &["-w", "c", "-o", form]);
    let text = metadata("text").ok();
    assert_in_order(
        &text,
        &[
            "Type  Counter\n",
            "Kind    Name                          Description\n",
            "signal  add                           Add a value.\n",
            "query   total                         The total.\n",
            "update  add_and_get                   Add a value and return the total.\n",
        ],
    );
    let json = metadata("json").json();
    assert_eq!(json["definition"]["type"], "Counter");
    assert_eq!(
        json["definition"]["signalDefinitions"],
        json!([
            {"name": "add", "description": "Add a value."},
            {"name": "finish", "description": "Finish with the total as the result."},
        ])
    );
    server.signal("c", "finish", &[]).ok();
    server.result("c").ok();
    assert_eq!(metadata("text").ok(), text);
    for verb in ["stack", "metadata"] {
        workflow(&server, verb, &["-w", "nobody"]).refused(&[NOT_FOUND, "Hint: "]);
    }
}
