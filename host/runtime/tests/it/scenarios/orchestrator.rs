//! `orchestrator`: workflows that signal others, and start them.

use serde_json::json;

use super::{MINUTE, Scenario, acts::*, play};
use crate::{crashes::Comparison, world::HOUR};

const MODULES: [(&str, &str); 1] = [("orchestrator", "workers")];

#[tokio::test]
async fn tasks_for_workers_that_run_survive_any_crash() {
    // E6, S4, S9, W1
    const ALL: [&str; 3] = ["o", "worker-a", "worker-b"];
    let worker = |id| start(id, "WorkerWorkflow", []);
    play(Scenario {
        name: "orchestrator_external",
        modules: &MODULES,
        executions: &ALL,
        shards: &[1, 3],
        acts: vec![
            worker("worker-a"),
            worker("worker-b"),
            rest(["worker-a", "worker-b"]),
            // There is no ghost.
            start("o", "OrchestratorWorkflow", [json!(["a", "ghost", "b"])]),
            until_history("o", "TimerStarted"),
            rest(ALL),
            query("worker-a", "get_results"),
            pass(10 * MINUTE),
            end("o"),
            pass(HOUR),
            end("worker-a"),
            end("worker-b"),
        ],
        commits: 10,
        ..Scenario::default()
    })
    .await;
}

#[tokio::test]
async fn children_that_work_at_the_same_time_survive_any_crash() {
    // E5, E6, S4, S9
    const ALL: [&str; 3] = ["c", "worker-x", "worker-y"];
    play(Scenario {
        name: "orchestrator_children",
        modules: &MODULES,
        executions: &ALL,
        shards: &[1, 3],
        comparison: Comparison::AnyOrder,
        acts: vec![
            start("c", "CollectorWorkflow", [json!(["x", "y"])]),
            until_history("c", " WorkflowExecutionCompleted"),
        ],
        commits: 10,
        ..Scenario::default()
    })
    .await;
}
