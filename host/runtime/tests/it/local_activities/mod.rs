//! Local activities: they keep a workflow task open, and what comes meanwhile has its turn after it.

mod answers;
mod between_tasks;
mod crash;
mod from_outside;
mod meanwhile;
mod places;
mod queries;
mod repeated;
mod tasks;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use longhaul_history::proto::{enums::v1::WorkflowIdConflictPolicy, workflowservice::v1 as wire};
use longhaul_runtime::activities::{self, Context};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    common,
    worker::{self, QUEUE},
    world::*,
};

/// An activity that runs until the test lets it end, and how often it was begun.
#[derive(Clone)]
struct Gate {
    open: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
}

impl Gate {
    fn new() -> Self {
        Self {
            open: Arc::new(Semaphore::new(0)),
            begun: Arc::default(),
        }
    }

    /// The server runs it from now on. What a server before it has begun does not end any more.
    fn serve(&mut self, world: &World) {
        self.open = Arc::new(Semaphore::new(0));
        let gate = self.clone();
        let code = activities::json(move |_: Context, value: Value| {
            let gate = gate.clone();
            async move {
                gate.begun.fetch_add(1, Ordering::SeqCst);
                gate.open.acquire().await.unwrap().forget();
                Ok(value)
            }
        });
        world.rt().register_activity(QUEUE, "gate", code).unwrap();
    }

    fn let_end(&self, count: usize) {
        self.open.add_permits(count);
    }

    fn let_one_end(&self) {
        self.let_end(1);
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    async fn until_begun(&self, world: &mut World, times: usize) {
        let gate = self.clone();
        world.until("it begins", |_| gate.begun() == times).await;
    }
}

fn local(kind: &str) -> Value {
    local_with(kind, json!({}))
}

fn local_with(kind: &str, options: Value) -> Value {
    let mut step = json!({"op": "local_activity", "type": kind, "args": [7], "retry_ms": 1000});
    let object = step.as_object_mut().unwrap();
    object.extend(options.as_object().unwrap().clone());
    step
}

/// A gate that no limit of its own ends while a test lasts.
fn long_gate() -> Value {
    local_with("gate", json!({"start_to_close_ms": 600_000}))
}

async fn gated() -> (World, Gate) {
    gated_in(worker::lab().await)
}

fn gated_in(world: World) -> (World, Gate) {
    let mut gate = Gate::new();
    gate.serve(&world);
    (world, gate)
}

/// As [`gated`], with a component whose live state no fork can carry.
async fn unforkable() -> (World, Gate) {
    let mut world = World::new();
    world.upload_unforkable("lab", QUEUE).await;
    gated_in(world)
}

/// The kinds of a history's events, in order.
fn kinds(history: &str) -> Vec<&str> {
    let word = |line| str::split_whitespace(line).nth(1);
    history.lines().filter_map(word).collect()
}

const TASK: [&str; 3] = [
    "WorkflowTaskScheduled",
    "WorkflowTaskStarted",
    "WorkflowTaskCompleted",
];

/// The reset of a run to its first task.
fn reset_to_the_first_task(id: &str) -> wire::ResetWorkflowExecutionRequest {
    wire::ResetWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution(id),
        workflow_task_finish_event_id: 4,
        request_id: "reset".into(),
        ..Default::default()
    }
}

/// The start of a run that takes the place of the one that has the id.
fn replacement(id: &str, steps: &[Value]) -> wire::StartWorkflowExecutionRequest {
    let mut request = start_request(id, "Lab", &[json!({ "steps": steps })]);
    request.request_id = "another".into();
    request.set_workflow_id_conflict_policy(WorkflowIdConflictPolicy::TerminateExisting);
    request
}
