//! Workers as children: started, given their tasks, and awaited.

use std::collections::BTreeMap;

use longhaul_sdk::workflows::join_all;
use longhaul_sdk::{
    ChildWorkflowOptions, SignalWorkflowOptions, WorkflowContext, WorkflowResult, workflow, workflow_methods,
};

use crate::worker::{TASKS_OF_A_WORKER, TaskData, WorkerWorkflow};
use crate::worker_workflow_id;

/// Starts a worker for each id, gives each its tasks, and returns the results by id.
#[workflow]
#[derive(Default)]
pub(crate) struct CollectorWorkflow {}

#[workflow_methods]
impl CollectorWorkflow {
    #[run]
    async fn run(
        ctx: &mut WorkflowContext<Self>,
        worker_ids: Vec<String>,
    ) -> WorkflowResult<BTreeMap<String, Vec<String>>> {
        // All at once: each call starts its child, the futures only wait.
        let starts = worker_ids.iter().map(|worker_id| {
            let options = ChildWorkflowOptions::workflow_id(worker_workflow_id(worker_id));
            ctx.start_child_workflow(WorkerWorkflow::run, (), options)
        });
        let mut results = Vec::new();
        for (worker_id, started) in worker_ids.iter().zip(join_all(starts).await) {
            let child = started?;
            let signals = (1..=TASKS_OF_A_WORKER).map(|number| {
                let task = TaskData {
                    task_id: format!("task-{worker_id}-{number}"),
                    priority: 1,
                };
                child.signal(
                    WorkerWorkflow::process_task,
                    task,
                    SignalWorkflowOptions::default(),
                )
            });
            for sent in join_all(signals).await {
                sent?;
            }
            results.push(child.result());
        }
        let mut collected = BTreeMap::new();
        for (worker_id, result) in worker_ids.into_iter().zip(join_all(results).await) {
            collected.insert(worker_id, result?);
        }
        Ok(collected)
    }
}
