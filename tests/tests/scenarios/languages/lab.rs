//! The lab's programs: every step, in every language.

use longhaul_tests::{Server, lab::QUEUE};
use serde_json::{Value, json};

use super::{cancel, compare::same_histories, settled, signal, start};
use crate::{completed, count, eventually, updated};

/// Plays a script with the lab and its activities.
#[track_caller]
fn same_labs(play: impl Fn(&Server)) {
    same_histories(&["lab", "lab-activities"], QUEUE, play);
}

/// Starts a program.
#[track_caller]
fn run(server: &Server, id: &str, steps: &Value) {
    start(server, "Lab", id, &[json!({"steps": steps})]);
}

/// Runs a program to its end. What it logged.
#[track_caller]
fn ran(server: &Server, id: &str, steps: &Value) -> Value {
    run(server, id, steps);
    completed(server, id)
}

/// Waits until a line is in a program's log, and what followed it is done.
#[track_caller]
fn logged(server: &Server, id: &str, line: &str) {
    eventually(&format!("{id} logs {line:?}"), || {
        let log = server.query(id, "log");
        log.code == 0
            && log.json()["queryResult"][0]
                .as_array()
                .unwrap()
                .iter()
                .any(|is| is == line)
    });
    settled(server, id);
}

#[track_caller]
fn note(server: &Server, id: &str) {
    signal(server, id, "note", &[r#""go on""#]);
}

/// A child that ends when it is told to, so that its start and its end are never told in one workflow task.
fn child(id: &str, then: &Value) -> Value {
    json!([{"op": "child", "id": id, "program": {"steps": [{"op": "wait", "notes": 1}, then]}}])
}

// E5
#[test]
fn children() {
    same_labs(|server| {
        let begin = |parent: &str, child_id: &str, then: Value| {
            run(server, parent, &child(child_id, &then));
            logged(server, parent, "child started");
            settled(server, child_id);
        };
        begin(
            "parent",
            "child",
            json!({"op": "return", "value": {"is": [1, null]}}),
        );
        note(server, "child");
        let log = completed(server, "parent");
        assert_eq!(log, json!(["child started", r#"child={"is": [1, null]}"#]));

        let failure = json!({"op": "fail", "message": "no", "type": "Asked", "non_retryable": true});
        begin("unhappy parent", "unhappy", failure);
        note(server, "unhappy");
        assert_eq!(completed(server, "unhappy parent")[1], "child failed: Asked: no");

        begin("one without", "cancelled", json!({"op": "log", "text": "never"}));
        cancel(server, "cancelled");
        assert_eq!(completed(server, "one without")[1], "child failed: cancelled");

        begin(
            "another without",
            "terminated",
            json!({"op": "log", "text": "never"}),
        );
        server
            .longhaul(&["workflow", "terminate", "-w", "terminated", "--reason", "asked"])
            .ok();
        assert_eq!(
            completed(server, "another without")[1],
            "child failed: terminated"
        );

        run(
            server,
            "late",
            &child("unhappy parent", &json!({"op": "log", "text": "alive"})),
        );
        logged(server, "late", "child started");
        run(
            server,
            "too late",
            &child("unhappy parent", &json!({"op": "log", "text": "never"})),
        );
        assert_eq!(completed(server, "too late"), json!(["child failed: exists"]));
        note(server, "unhappy parent");
        completed(server, "late");
    });
}

// E5, E6
#[test]
fn parents_that_end_or_are_cancelled() {
    same_labs(|server| {
        for policy in ["terminate", "abandon", "request_cancel"] {
            let (parent, id) = (format!("{policy} parent"), format!("{policy} child"));
            let waits =
                json!({"steps": [{"op": "wait", "notes": 1}], "on_cancel": [{"op": "log", "text": "tidy"}]});
            let steps = json!([
                {"op": "child", "id": id, "policy": policy, "wait": false, "program": waits},
                {"op": "wait", "notes": 1},
            ]);
            run(server, &parent, &steps);
            logged(server, &parent, "child started");
            settled(server, &id);
            note(server, &parent);
            completed(server, &parent);
        }
        assert!(server.result("terminate child").stdout.contains("TERMINATED"));
        assert!(server.result("request_cancel child").stdout.contains("CANCELED"));
        note(server, "abandon child");
        assert_eq!(
            completed(server, "abandon child"),
            json!(["note:go on", "waited"])
        );

        // The child cleans up for as long as it likes, and its parent waits for it.
        let waits = json!({
            "steps": [{"op": "wait", "notes": 1}],
            "on_cancel": [{"op": "wait", "notes": 1}],
        });
        let program = json!([{"op": "child", "id": "slow", "program": waits}]);
        run(server, "patient", &program);
        logged(server, "patient", "child started");
        settled(server, "slow");
        server.longhaul(&["workflow", "cancel", "-w", "patient"]).ok();
        eventually("the child is asked", || {
            server
                .history("slow")
                .contains("WorkflowExecutionCancelRequested")
                && server
                    .history("patient")
                    .contains("ExternalWorkflowExecutionCancelRequested")
        });
        settled(server, "patient");
        settled(server, "slow");
        note(server, "slow");
        for id in ["slow", "patient"] {
            assert!(server.result(id).stdout.contains("CANCELED"), "{id}");
        }
    });
}

// S2, E6
#[test]
fn messages_to_others() {
    same_labs(|server| {
        run(server, "other", &json!([{"op": "wait", "notes": 2}]));
        let steps = json!([
            {"op": "signal", "id": "other", "name": "note", "args": ["hi"]},
            {"op": "signal", "id": "nobody", "name": "note", "args": ["hi"]},
            {"op": "cancel", "id": "nobody"},
            {"op": "signal", "id": "other", "name": "run", "args": [[{"op": "log", "text": "from afar"}]]},
            {"op": "cancel", "id": "other"},
        ]);
        let log = ran(server, "one", &steps);
        assert_eq!(log[0], "signalled");
        assert_eq!(log[4], "cancel requested");
        assert!(server.result("other").stdout.contains("CANCELED"));
    });
}

// A1, A2
#[test]
fn activities() {
    same_labs(|server| {
        let steps = json!([
            {"op": "activity", "type": "echo", "args": [{"list": [], "none": null, "text": "ü", "number": 1.5}]},
            {"op": "activity", "type": "echo", "args": [null], "schedule_to_close_ms": 60_000, "heartbeat_ms": 5_000},
            {"op": "activity", "type": "flaky", "args": [2]},
            {"op": "activity", "type": "flaky", "args": [9], "attempts": 2, "retry_ms": 1},
            {"op": "activity", "type": "flaky", "args": [9], "fatal_types": ["Other", "Flaky"]},
            {"op": "activity", "type": "fatal", "args": ["over"]},
            {"op": "activity", "type": "beat", "args": [4, 1]},
            {"op": "activity", "type": "unserved", "queue": "nobody", "schedule_to_start_ms": 50, "start_to_close_ms": 70},
        ]);
        let log = ran(server, "a", &steps);
        let log: Vec<&str> = log.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(
            log[1..],
            [
                "echo=null",
                "flaky=3",
                "flaky failed: Flaky: attempt 2",
                "flaky failed: Flaky: attempt 1",
                "fatal failed: Fatal: over",
                "beat=[2, 4]",
                "unserved failed: timeout SCHEDULE_TO_START",
            ]
        );
        // Cancelled by a race, and by the workflow's cancellation, after which another one runs. Nobody serves the queue.
        let never = json!({"op": "activity", "type": "unserved", "queue": "nobody"});
        let waits = |id: &str, program: &Value| {
            server.start_workflow("Lab", id, &[&program.to_string()]).ok();
            eventually("the activity is scheduled", || {
                count(server, id, "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED") == 1
            });
        };
        let race = json!([{"op": "race", "branches": [[never], [{"op": "wait", "notes": 1}]]}]);
        waits("race", &json!({"steps": race}));
        note(server, "race");
        assert_eq!(completed(server, "race")[2], "won=1");
        let clean_up = json!([{"op": "activity", "type": "echo", "args": ["clean"]}]);
        waits("cancelled", &json!({"steps": [never], "on_cancel": clean_up}));
        cancel(server, "cancelled");
    });
}

// A5
#[test]
fn local_activities() {
    same_labs(|server| {
        let steps = json!([
            {"op": "local_activity", "type": "echo", "args": [{"list": [], "none": null}]},
            {"op": "local_activity", "type": "flaky", "args": [2]},
            {"op": "local_activity", "type": "flaky", "args": [9], "attempts": 2, "retry_ms": 1},
            {"op": "local_activity", "type": "fatal", "args": ["over"]},
            // Its next attempt is so far away that a timer waits for it.
            {"op": "local_activity", "type": "flaky", "args": [1], "retry_ms": 600_000},
            {"op": "parallel", "branches": [
                [{"op": "local_activity", "type": "echo", "args": [1]}],
                [{"op": "local_activity", "type": "echo", "args": [2]}],
            ]},
        ]);
        let log = ran(server, "l", &steps);
        let mut log: Vec<&str> = log.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        log[5..].sort_unstable();
        assert_eq!(
            log[1..],
            [
                "flaky=3",
                "flaky failed: Flaky: attempt 2",
                "fatal failed: Fatal: over",
                "flaky=2",
                "echo=1",
                "echo=2",
            ]
        );
    });
}

// W1, W7
#[test]
fn patches_side_effects_and_memos() {
    same_labs(|server| {
        let branch = |text: &str| json!([{"op": "log", "text": text}]);
        let steps = json!([
            {"op": "patch", "id": "p", "then": branch("new"), "else": branch("old")},
            {"op": "patch", "id": "p", "then": branch("still new"), "else": branch("old")},
            {"op": "side_effect", "value": {"drawn": [1, 2]}},
            {"op": "memo", "memo": {"b": 2, "a": {"list": []}, "c": "gone"}},
            {"op": "sleep", "ms": 10},
            {"op": "patch", "id": "q", "then": branch("another"), "else": branch("old")},
            {"op": "side_effect", "bytes": 3},
            {"op": "memo", "memo": {"c": null, "d": ""}},
        ]);
        let log = ran(server, "p", &steps);
        assert_eq!(
            log,
            json!([
                "new",
                "still new",
                r#"side={"drawn": [1, 2]}"#,
                "slept",
                "another",
                r#"side="xxx""#,
            ])
        );
    });
}

// E1, S7
#[test]
fn runs_that_go_on_as_new_ones() {
    same_labs(|server| {
        let last = json!({"steps": [{"op": "log", "text": "three"}]});
        let second = json!({"steps": [
            {"op": "log", "text": "two"},
            {"op": "memo", "memo": {"kept": true}},
            {"op": "wait", "notes": 1},
            {"op": "continue", "program": last},
        ]});
        run(
            server,
            "c",
            &json!([{"op": "log", "text": "one"}, {"op": "continue", "program": second}]),
        );
        logged(server, "c", "two");
        note(server, "c");
        assert_eq!(
            completed(server, "c"),
            json!(["one", "two", "note:go on", "waited", "three"])
        );
        let forgetful =
            json!([{"op": "log", "text": "one"}, {"op": "continue", "carry": false, "program": last}]);
        run(server, "f", &forgetful);
        assert_eq!(completed(server, "f"), json!(["three"]));
    });
}

// S4, U1, U7
#[test]
fn signals_updates_and_their_handlers() {
    same_labs(|server| {
        run(
            server,
            "m",
            &json!([{"op": "wait", "notes": 2}, {"op": "handlers"}]),
        );
        assert_eq!(updated(server, "m", "add", &["5"]), 5);
        settled(server, "m");
        server.update("m", "add", &["-1"]).refused(&["negative"]);
        server.update("m", "fail", &[r#""no""#]).refused(&["no"]);
        settled(server, "m");
        server.update("m", "unknown", &[]).refused(&["unknown"]);
        signal(
            server,
            "m",
            "run",
            &[r#"[{"op": "sleep", "ms": 5}, {"op": "log", "text": "told"}]"#],
        );
        logged(server, "m", "told");
        let steps = r#"[{"op": "activity", "type": "echo", "args": [1]}]"#;
        assert_eq!(updated(server, "m", "run", &[steps]), 3);
        settled(server, "m");
        note(server, "m");
        // It ends when this handler does.
        signal(server, "m", "run", &[r#"[{"op": "wait", "notes": 3}]"#]);
        note(server, "m");
        note(server, "m");
        completed(server, "m");
    });
}

// E2, E4
#[test]
fn timers_races_and_failures() {
    same_labs(|server| {
        let steps = json!([
            {"op": "sleep", "ms": 0},
            {"op": "wait", "notes": 1, "timeout_ms": 20},
            {"op": "race", "branches": [[{"op": "sleep", "ms": 10}], [{"op": "sleep", "ms": 9_000}], [{"op": "wait", "notes": 1}]]},
            {"op": "parallel", "branches": [[{"op": "sleep", "ms": 30}], [{"op": "sleep", "ms": 10}], [{"op": "sleep", "ms": 10}]]},
            {"op": "return", "value": [1.5, {"deep": null}]},
        ]);
        assert_eq!(ran(server, "t", &steps), json!([1.5, {"deep": null}]));
        run(
            server,
            "early",
            &json!([{"op": "wait", "notes": 1, "timeout_ms": 9_000}]),
        );
        note(server, "early");
        completed(server, "early");
        for (id, step) in [
            (
                "failed",
                json!({"op": "fail", "message": "no", "type": "Asked", "non_retryable": true}),
            ),
            (
                "failed in a branch",
                json!({"op": "parallel", "branches": [
                    [{"op": "sleep", "ms": 5_000}],
                    [{"op": "sleep", "ms": 5}, {"op": "fail", "message": "no"}],
                ]}),
            ),
        ] {
            run(server, id, &json!([step]));
            assert!(server.result(id).stdout.contains("FAILED"), "{id}");
        }
        let clean_up = json!([{"op": "sleep", "ms": 5}, {"op": "log", "text": "clean"}]);
        start(
            server,
            "Lab",
            "cancelled",
            &[json!({"steps": [{"op": "wait", "notes": 1}], "on_cancel": clean_up})],
        );
        cancel(server, "cancelled");
    });
}
