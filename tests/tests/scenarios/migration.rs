//! `migration`: updates that wait.

use std::thread;

use longhaul_tests::{Language, Server, export};
use serde_json::Value;

use crate::{completed, count, python_with_either_worker, server, updated};

const QUEUE: &str = "migrations";

fn migration() -> Server {
    let server = server(&["migration"], QUEUE);
    server.start_workflow("DataMigrationWorkflow", "m", &["40"]).ok();
    server
}

fn wait_for(server: &Server, progress: u64) -> u64 {
    let reached = updated(server, "m", "wait_for_progress", &[&progress.to_string()]);
    reached.as_u64().unwrap_or_else(|| panic!("no number: {reached}"))
}

// U2, U3, U5, W1: callers wait at the same time, and each is answered with one request when its progress is reached.
#[test]
fn callers_are_told_when_it_is_time() {
    let server = migration();
    let goals = [30, 10, 20, 1_000_000];
    let reached: Vec<u64> = thread::scope(|scope| {
        let waiting = goals.map(|goal| {
            let server = &server;
            scope.spawn(move || wait_for(server, goal))
        });
        waiting.map(|caller| caller.join().unwrap()).into()
    });
    // Answered at the very record, unless the request came later; what is never reached ends with the migration.
    assert!(
        reached[0] >= 30 && reached[1] >= 10 && reached[2] >= 20,
        "{reached:?}"
    );
    assert_eq!(reached[3], 40);
    assert_eq!(completed(&server, "m"), "Migrated 40 records");
    assert_eq!(
        count(&server, "m", "EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED"),
        goals.len()
    );
    assert_eq!(server.ask("m", "get_current_progress"), 40);
    export::histories(&server, "migration");
}

// U8: the workflow answers whoever waits before it ends, so nobody learns that it overtook an update.
#[test]
fn who_waits_for_the_end_is_answered() {
    let server = migration();
    let id = [
        "--workflow-id",
        "m",
        "--name",
        "wait_for_progress",
        "--update-id",
        "end",
    ];
    let start = ["workflow", "update", "start", "--input", "40"];
    server.longhaul(&[&start[..], &id].concat()).ok();
    completed(&server, "m");
    let result = [
        "workflow",
        "update",
        "result",
        "-w",
        "m",
        "--update-id",
        "end",
        "-o",
        "json",
    ];
    assert_eq!(server.longhaul(&result).json()["result"], Value::from(40));
}

#[test]
fn nothing_to_migrate_ends_at_once() {
    let server = server(&["migration"], QUEUE);
    server.start_workflow("DataMigrationWorkflow", "m", &["0"]).ok();
    assert_eq!(completed(&server, "m"), "Migrated 0 records");
}

// U3, A1
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn the_python_client_waits_for_progress() {
    let expected = "\
50% checkpoint reached: 50 records
100% complete: 100 records
Migrated 100 records
";
    python_with_either_worker(Language::Rust, &["migration"], QUEUE, "migration.py", |printed| {
        assert_eq!(printed, expected);
    });
}
