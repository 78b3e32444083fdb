//! `orchestrator`: workflows that signal others, and start them.

use longhaul_tests::{Language, Server, export};
use serde_json::json;

use crate::{completed, count, eventually, python_with_either_worker, server};

const WORKER: &str = "WorkerWorkflow";

fn workers(ids: &[&str]) -> Server {
    let server = server(&["orchestrator"], "workers");
    for id in ids {
        server.start_workflow(WORKER, &format!("worker-{id}"), &[]).ok();
    }
    server
}

// E6: the workers get their tasks; one that does not run is a failed outcome, not the end.
#[test]
fn tasks_reach_the_workers_that_run() {
    let server = workers(&["a", "b"]);
    server
        .start_workflow("OrchestratorWorkflow", "o", &[r#"["a", "ghost", "b"]"#])
        .ok();
    eventually("the worker has its task", || {
        server.ask("worker-b", "get_results") == json!(["task-b done"])
    });
    assert_eq!(server.ask("worker-a", "get_results"), json!(["task-a done"]));
    let expected = json!({"workers_coordinated": 2, "unreachable": ["ghost"]});
    assert_eq!(completed(&server, "o"), expected);

    let initiated = "EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED";
    assert_eq!(count(&server, "o", initiated), 3);
    assert_eq!(
        count(&server, "o", "EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED"),
        2
    );
    assert_eq!(
        count(
            &server,
            "o",
            "EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED"
        ),
        1
    );
    assert_eq!(
        count(&server, "worker-a", "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED"),
        1
    );
    export::histories(&server, "orchestrator");
}

// S4, W1: a worker ends after five tasks, or after an hour with those that it has.
#[test]
fn a_worker_ends_with_its_tasks_or_its_hour() {
    let server = workers(&["a", "b"]);
    let task = |number: u32| json!({"task_id": format!("t{number}"), "priority": 1}).to_string();
    for number in 1..=5 {
        server.signal("worker-a", "process_task", &[&task(number)]).ok();
    }
    let mut results = completed(&server, "worker-a");
    // The activities run at the same time, so their results have no order.
    results.as_array_mut().unwrap().sort_by_key(ToString::to_string);
    assert_eq!(
        results,
        json!(["t1 done", "t2 done", "t3 done", "t4 done", "t5 done"])
    );

    server.signal("worker-b", "process_task", &[&task(1)]).ok();
    assert_eq!(completed(&server, "worker-b"), json!(["t1 done"]));
}

// E5: children are started together, signalled, and awaited.
#[test]
fn the_results_of_children_are_collected() {
    let server = workers(&[]);
    server
        .start_workflow("CollectorWorkflow", "c", &[r#"["x", "y"]"#])
        .ok();
    let collected = completed(&server, "c");
    for worker in ["x", "y"] {
        let mut results = collected[worker].clone();
        results.as_array_mut().unwrap().sort_by_key(ToString::to_string);
        let expected: Vec<String> = (1..=5)
            .map(|number| format!("task-{worker}-{number} done"))
            .collect();
        assert_eq!(results, json!(expected));
    }
    assert_eq!(
        count(&server, "c", "EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED"),
        2
    );
    assert_eq!(
        count(&server, "c", "EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED"),
        2
    );
    export::histories(&server, "orchestrator_children");
}

// E5: an id that is in use is a failure of the start.
#[test]
fn a_worker_that_runs_already_cannot_be_a_child() {
    let server = workers(&["x"]);
    server
        .start_workflow("CollectorWorkflow", "c", &[r#"["x"]"#])
        .ok();
    server.result("c").refused(&["worker-x", "WorkflowAlreadyExists"]);
    assert_eq!(
        count(&server, "c", "EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED"),
        1
    );
}

// E5, E6, A1
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn the_python_client_lets_workflows_give_tasks_to_others() {
    let expected = "\
Coordinated(workers_coordinated=1, unreachable=['ghost'])
Worker a: ['task-a done']
Worker x: ['task-x-1 done', 'task-x-2 done', 'task-x-3 done', 'task-x-4 done', 'task-x-5 done']
";
    python_with_either_worker(
        Language::Rust,
        &["orchestrator"],
        "workers",
        "orchestrator.py",
        |printed| {
            assert_eq!(printed, expected);
        },
    );
}
