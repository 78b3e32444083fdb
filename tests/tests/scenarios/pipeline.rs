//! `pipeline`: signals between activities.

use longhaul_tests::{Language, Server, export};

use crate::{completed, count, eventually, python_with_either_worker, scheduled, server};

const ACTIVITIES: [&str; 3] = ["start_validation", "start_transformation", "finalize_pipeline"];

fn pipeline() -> Server {
    let server = server(&["pipeline"], "pipelines");
    server
        .start_workflow("DataPipelineWorkflow", "p", &[r#""p""#])
        .ok();
    server
}

/// Waits until so many activities have completed.
#[track_caller]
fn completed_activities(server: &Server, number: usize) {
    eventually("the activity completes", || {
        count(server, "p", "EVENT_TYPE_ACTIVITY_TASK_COMPLETED") == number
    });
    assert_eq!(scheduled(server, "p"), ACTIVITIES[..number]);
}

// S1, W1: each step begins with its event.
#[test]
fn each_step_begins_with_its_event() {
    let server = pipeline();
    assert!(scheduled(&server, "p").is_empty());
    server
        .signal("p", "notify_upload_complete", &[r#""s3://bucket/raw.csv""#])
        .ok();
    completed_activities(&server, 1);
    server.signal("p", "notify_validation_complete", &[]).ok();
    completed_activities(&server, 2);
    server.signal("p", "notify_transform_complete", &[]).ok();
    assert_eq!(completed(&server, "p"), "Pipeline p completed successfully");
    assert_eq!(scheduled(&server, "p"), ACTIVITIES);
    export::histories(&server, "pipeline");
}

// S2, S3: events may come in any order, the steps do not.
#[test]
fn early_events_are_kept() {
    let server = pipeline();
    server.signal("p", "notify_transform_complete", &[]).ok();
    server.signal("p", "notify_validation_complete", &[]).ok();
    server
        .signal("p", "notify_upload_complete", &[r#""s3://bucket/raw.csv""#])
        .ok();
    assert_eq!(completed(&server, "p"), "Pipeline p completed successfully");
    assert_eq!(scheduled(&server, "p"), ACTIVITIES);
}

// S1, S3, A1
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn the_python_client_tells_what_others_have_done() {
    let expected = "Pipeline 42 completed successfully\n";
    python_with_either_worker(
        Language::Rust,
        &["pipeline"],
        "pipelines",
        "pipeline.py",
        |printed| {
            assert_eq!(printed, expected);
        },
    );
}
