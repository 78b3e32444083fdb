//! `stages`: activities that wait for events from outside.

use longhaul_tests::{Server, export};

use crate::{completed, count, eventually, python_with_either_worker, scheduled, server};

const ACTIVITIES: [&str; 4] = ["my_activity_1", "my_activity_2", "my_activity_3", "my_activity_4"];

fn stages() -> Server {
    let server = server(&["stages", "stages-activities"], "stages");
    server.start_workflow("MyWorkflow", "s", &[]).ok();
    server
}

fn advance(server: &Server, stage: usize) {
    server.signal("s", "advance_stage", &[&stage.to_string()]).ok();
}

/// Waits until so many activities have completed.
#[track_caller]
fn completed_activities(server: &Server, number: usize) {
    eventually("the activity completes", || {
        count(server, "s", "EVENT_TYPE_ACTIVITY_TASK_COMPLETED") == number
    });
    assert_eq!(scheduled(server, "s"), ACTIVITIES[..number]);
}

// S1, W1: each activity waits for its stage, also across a crash of the server.
#[test]
fn each_activity_waits_for_its_stage() {
    let mut server = stages();
    completed_activities(&server, 1);
    for stage in 1..=3 {
        // Nothing but the signal lets it go on.
        assert_eq!(scheduled(&server, "s").len(), stage);
        server.kill();
        server.restart();
        advance(&server, stage);
        completed_activities(&server, stage + 1);
    }
    assert_eq!(completed(&server, "s"), serde_json::Value::Null);
    export::histories(&server, "stages");
}

// S3: an event that comes before anybody waits for it is not lost.
#[test]
fn an_early_event_lets_all_stages_through() {
    let server = stages();
    advance(&server, 3);
    completed(&server, "s");
    assert_eq!(scheduled(&server, "s"), ACTIVITIES);
    assert_eq!(count(&server, "s", "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED"), 1);
}

// S1, A1
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn the_python_client_advances_the_stages() {
    let expected = "\
Advanced to stage 1
Advanced to stage 2
Advanced to stage 3
Result: None
";
    python_with_either_worker(
        &["stages", "stages-activities"],
        "stages",
        "stages.py",
        |printed| {
            assert_eq!(printed, expected);
        },
    );
}
