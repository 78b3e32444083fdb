//! A worker: a workflow that takes tasks as signals.

use std::time::Duration;

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{
    ActivityExecutionError, ActivityOptions, WorkflowContext, WorkflowContextView, WorkflowResult,
    activities, log, workflow, workflow_methods,
};
use serde::{Deserialize, Serialize};

/// Tasks after which a worker ends.
pub(crate) const TASKS_OF_A_WORKER: usize = 5;
/// How long a worker waits for them.
const WORKER_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// Limit of one task.
const TASK_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// A task for a worker.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct TaskData {
    pub(crate) task_id: String,
    pub(crate) priority: i64,
}

/// What the worker does to the world, simulated.
pub(crate) struct Activities;

#[activities]
impl Activities {
    /// Process one task
    #[activity(name = "process_task_activity")]
    async fn process_task_activity(_: ActivityContext, task: TaskData) -> Result<String, ActivityError> {
        log::info!("Processing {} (priority {})", task.task_id, task.priority);
        Ok(format!("{} done", task.task_id))
    }
}

/// Processes five tasks, or as many as come within an hour; its result is theirs.
#[workflow]
#[derive(Default)]
pub(crate) struct WorkerWorkflow {
    tasks: Vec<String>,
}

#[workflow_methods]
impl WorkerWorkflow {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<String>> {
        ctx.wait_condition_timeout(|worker| worker.tasks.len() >= TASKS_OF_A_WORKER, WORKER_TIMEOUT)
            .await?;
        // A task that has begun is part of the result.
        ctx.wait_condition(|_| ctx.all_handlers_finished()).await?;
        Ok(ctx.state(|worker| worker.tasks.clone()))
    }

    /// Process a task
    #[signal]
    pub(crate) async fn process_task(
        ctx: &mut WorkflowContext<Self>,
        task: TaskData,
    ) -> Result<(), ActivityExecutionError> {
        let result = ctx
            .execute_activity(
                Activities::process_task_activity,
                task,
                ActivityOptions::start_to_close_timeout(TASK_TIMEOUT),
            )
            .await?;
        ctx.state_mut(|worker| worker.tasks.push(result));
        Ok(())
    }

    /// The results so far
    #[query]
    fn get_results(&self, _: &WorkflowContextView) -> Vec<String> {
        self.tasks.clone()
    }
}
