//! `batch`: a query for a dashboard, and activities that fail.

use longhaul_tests::{Language, Server, export};
use serde_json::Value;

use crate::{completed, count, eventually, python_with_either_worker, server};

const QUEUE: &str = "batches";

fn dashboard(server: &Server) -> Value {
    server.ask("b", "get_dashboard_data")
}

fn number(data: &Value, field: &str) -> f64 {
    data[field]
        .as_f64()
        .unwrap_or_else(|| panic!("no {field}: {data}"))
}

// Q1, Q2: the dashboard moves while the batches do, and costs nothing of the history.
#[test]
fn a_dashboard_shows_how_far_it_is() {
    let server = server(&["batch"], QUEUE);
    server.start_workflow("BatchProcessingWorkflow", "b", &["8"]).ok();
    let mut seen = 0.0;
    eventually("the last batch begins", || {
        let data = dashboard(&server);
        let ended = number(&data, "total_processed") + number(&data, "total_failed");
        assert!(ended >= seen, "{ended} after {seen}");
        seen = ended;
        assert_eq!(
            number(&data, "average_processing_time") > 0.0,
            ended > 0.0,
            "{data}"
        );
        number(&data, "current_batch") == 7.0
    });
    assert_eq!(completed(&server, "b"), "Processed 6 batches, 2 failed");

    let data = dashboard(&server);
    assert_eq!(number(&data, "total_processed"), 6.0);
    assert_eq!(number(&data, "total_failed"), 2.0);
    // Nothing remains, so the end is the last task's time.
    let ended = events_last_task_time(&server);
    assert_eq!(data["estimated_completion"], ended);
    assert_eq!(count(&server, "b", "EVENT_TYPE_ACTIVITY_TASK_FAILED"), 2);
    assert_eq!(count(&server, "b", "EVENT_TYPE_ACTIVITY_TASK_COMPLETED"), 6);
    export::histories(&server, "batch");
}

/// When the last workflow task started.
fn events_last_task_time(server: &Server) -> Value {
    let events = crate::events(server, "b");
    let mut started = events
        .into_iter()
        .filter(|event| event["eventType"] == "EVENT_TYPE_WORKFLOW_TASK_STARTED");
    started.next_back().unwrap()["eventTime"].take()
}

// Q1
#[test]
fn no_batches_are_done_at_once() {
    let server = server(&["batch"], QUEUE);
    server.start_workflow("BatchProcessingWorkflow", "b", &["0"]).ok();
    assert_eq!(completed(&server, "b"), "Processed 0 batches, 0 failed");
    assert_eq!(number(&dashboard(&server), "average_processing_time"), 0.0);
}

// Q1, Q2, A1
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn the_python_client_shows_a_dashboard() {
    python_with_either_worker(Language::Rust, &["batch"], QUEUE, "batch.py", |printed| {
        assert!(printed.contains("Batch Progress Dashboard"), "{printed}");
        assert_eq!(
            printed.lines().last(),
            Some("Workflow completed: Processed 6 batches, 2 failed")
        );
    });
}
