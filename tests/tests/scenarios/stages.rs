//! `stages`: activities that wait for events from outside.

use longhaul_tests::{Language, Server, export, in_each_language};

use crate::{completed, count, eventually, python_with_either_worker, scheduled, server_in};

const ACTIVITIES: [&str; 4] = ["my_activity_1", "my_activity_2", "my_activity_3", "my_activity_4"];

in_each_language! {
    each_activity_waits_for_its_stage,
    an_early_event_lets_all_stages_through,
    #[ignore = "needs the Python environment that `cargo xtask test` makes"]
    the_python_client_advances_the_stages,
}

fn stages(language: Language) -> Server {
    let server = server_in(language, &["stages", "stages-activities"], "stages");
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
fn each_activity_waits_for_its_stage(language: Language) {
    let mut server = stages(language);
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
    export::histories(&server, &language.named("stages"));
}

// S3: an event that comes before anybody waits for it is not lost.
fn an_early_event_lets_all_stages_through(language: Language) {
    let server = stages(language);
    advance(&server, 3);
    completed(&server, "s");
    assert_eq!(scheduled(&server, "s"), ACTIVITIES);
    assert_eq!(count(&server, "s", "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED"), 1);
}

// S1, A1
fn the_python_client_advances_the_stages(language: Language) {
    let expected = "\
Advanced to stage 1
Advanced to stage 2
Advanced to stage 3
Result: None
";
    python_with_either_worker(
        language,
        &["stages", "stages-activities"],
        "stages",
        "stages.py",
        |printed| {
            assert_eq!(printed, expected);
        },
    );
}
