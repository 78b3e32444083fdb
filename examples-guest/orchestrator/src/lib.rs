//! One workflow that gives tasks to others: to those that run, by their ids, or to children that it starts.

mod collector;
mod worker;

use std::time::Duration;

use longhaul_sdk::{SignalWorkflowOptions, WorkflowContext, WorkflowResult, log, workflow, workflow_methods};
use longhaul_sdk::{TimerResult, WorkflowSignalError, WorkflowTermination};
use serde::{Deserialize, Serialize};

use collector::CollectorWorkflow;
use worker::{Activities, TaskData, WorkerWorkflow};

/// What the workers get for their tasks.
const WORK_TIME: Duration = Duration::from_secs(10 * 60);

/// The orchestrator's result.
#[derive(Debug, Deserialize, Serialize)]
struct Coordinated {
    workers_coordinated: usize,
    /// Workers of which no workflow runs.
    unreachable: Vec<String>,
}

fn worker_workflow_id(worker_id: &str) -> String {
    format!("worker-{worker_id}")
}

/// Sends each worker a task; the workers are other workflows that run already.
#[workflow]
#[derive(Default)]
struct OrchestratorWorkflow {}

#[workflow_methods]
impl OrchestratorWorkflow {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, worker_ids: Vec<String>) -> WorkflowResult<Coordinated> {
        let mut unreachable = Vec::new();
        for worker_id in &worker_ids {
            let task = TaskData {
                task_id: format!("task-{worker_id}"),
                priority: 1,
            };
            let worker = ctx.external_workflow(worker_workflow_id(worker_id), None);
            let sent = worker.signal(
                WorkerWorkflow::process_task,
                task,
                SignalWorkflowOptions::default(),
            );
            match sent.await {
                Ok(()) => log::info!("Task sent to worker {worker_id}"),
                Err(WorkflowSignalError::NotFound(_)) => {
                    log::warn!("Worker {worker_id} does not run");
                    unreachable.push(worker_id.clone());
                }
                Err(error) => return Err(WorkflowTermination::from(error)),
            }
        }
        if ctx.timer(WORK_TIME).await == TimerResult::Cancelled {
            return Err(WorkflowTermination::cancelled());
        }
        Ok(Coordinated {
            workers_coordinated: worker_ids.len() - unreachable.len(),
            unreachable,
        })
    }
}

longhaul_sdk::export!(OrchestratorWorkflow, CollectorWorkflow, WorkerWorkflow);
longhaul_sdk::export_activities!(Activities);
