//! Components, requests, and a simulated runtime on a disk that can lose power.

use std::path::PathBuf;

use longhaul_history::{
    payload,
    proto::{
        common::v1::{Payloads, WorkflowExecution, WorkflowType},
        query::v1::WorkflowQuery,
        taskqueue::v1::TaskQueue,
        update::v1 as update,
        workflowservice::v1 as wire,
    },
};
use longhaul_runtime::{Clock, Error, Options, Runtime, Simulation, modules::Upload};
use longhaul_store::{Store, faults::FaultyDisk};
use serde_json::Value;

/// 2026-01-01T00:00:00Z.
pub(crate) const EPOCH_NS: u64 = 1_767_225_600_000_000_000;

/// A component that `cargo xtask guests` has built.
pub(crate) fn component(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("LONGHAUL_GUESTS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/guests"),
        PathBuf::from,
    );
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask guests` first", path.display()))
}

/// Settings for tests: small, and nothing beside the database.
pub(crate) fn options() -> Options {
    let mut options = Options::new("simulated.redb");
    options.sandbox.cache_dir = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("modules"));
    options.sandbox.arena_slots = 64;
    options.activity_slots = 64;
    options.store.database_id = Some(7);
    options.store.created_at_ns = Some(EPOCH_NS);
    options
}

/// A simulated runtime on a disk.
pub(crate) fn open(disk: FaultyDisk, options: Options) -> Simulation {
    let store = Store::open_with_backend(options.store.clone(), disk).unwrap();
    Simulation::open(options, store, Clock::simulated(EPOCH_NS), 1).unwrap()
}

pub(crate) fn upload(name: &str, queue: &str) -> Upload {
    Upload {
        namespace: "default".into(),
        name: name.into(),
        queue: queue.into(),
        config: String::new(),
        bytes: component(name),
    }
}

pub(crate) fn values(values: &[Value]) -> Option<Payloads> {
    Some(payload::from_values(values))
}

pub(crate) fn execution(workflow_id: &str) -> Option<WorkflowExecution> {
    Some(WorkflowExecution {
        workflow_id: workflow_id.into(),
        run_id: String::new(),
    })
}

pub(crate) async fn start(
    runtime: Runtime,
    workflow_id: &str,
    workflow_type: &str,
    queue: &str,
    input: &[Value],
) -> Result<String, Error> {
    let request = wire::StartWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_id: workflow_id.into(),
        workflow_type: Some(WorkflowType {
            name: workflow_type.into(),
        }),
        task_queue: Some(TaskQueue {
            name: queue.into(),
            ..Default::default()
        }),
        input: values(input),
        request_id: format!("start {workflow_id}"),
        ..Default::default()
    };
    Ok(runtime.start_workflow(request).await?.run_id)
}

pub(crate) async fn signal(
    runtime: Runtime,
    workflow_id: &str,
    name: &str,
    input: &[Value],
    id: &str,
) -> Result<(), Error> {
    let request = wire::SignalWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: execution(workflow_id),
        signal_name: name.into(),
        input: values(input),
        request_id: id.into(),
        ..Default::default()
    };
    runtime.signal_workflow(request).await.map(|_| ())
}

pub(crate) async fn query(runtime: Runtime, workflow_id: &str, name: &str) -> Result<Value, Error> {
    let request = wire::QueryWorkflowRequest {
        namespace: "default".into(),
        execution: execution(workflow_id),
        query: Some(WorkflowQuery {
            query_type: name.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let answer = runtime.query_workflow(request).await?;
    Ok(payload::to_json(&answer.query_result.unwrap().payloads[0]).unwrap())
}

/// The update's result, or its failure's message.
pub(crate) async fn update(
    runtime: Runtime,
    workflow_id: &str,
    name: &str,
    input: &[Value],
    id: &str,
) -> Result<Result<Value, String>, Error> {
    let mut policy = update::WaitPolicy::default();
    policy.set_lifecycle_stage(
        longhaul_history::proto::enums::v1::UpdateWorkflowExecutionLifecycleStage::Completed,
    );
    let request = wire::UpdateWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: execution(workflow_id),
        wait_policy: Some(policy),
        request: Some(update::Request {
            meta: Some(update::Meta {
                update_id: id.into(),
                identity: "test".into(),
            }),
            input: Some(update::Input {
                name: name.into(),
                args: values(input),
                header: None,
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let answer = runtime.update_workflow(request).await?;
    Ok(match answer.outcome.unwrap().value.unwrap() {
        update::outcome::Value::Success(payloads) => Ok(payload::to_json(&payloads.payloads[0]).unwrap()),
        update::outcome::Value::Failure(failure) => Err(failure.message),
    })
}

/// The workflow's result; waits for the closing event.
pub(crate) async fn result(runtime: Runtime, workflow_id: &str) -> Result<Value, Error> {
    use longhaul_history::Attributes;
    let mut request = wire::GetWorkflowExecutionHistoryRequest {
        namespace: "default".into(),
        execution: execution(workflow_id),
        wait_new_event: true,
        ..Default::default()
    };
    request.set_history_event_filter_type(
        longhaul_history::proto::enums::v1::HistoryEventFilterType::CloseEvent,
    );
    loop {
        let answer = runtime.history(request.clone()).await?;
        let events = answer.history.unwrap().events;
        match events.first().map(|event| event.attributes.clone().unwrap()) {
            None => request.next_page_token = answer.next_page_token,
            Some(Attributes::WorkflowExecutionCompletedEventAttributes(completed)) => {
                return Ok(payload::to_json(&completed.result.unwrap().payloads[0]).unwrap());
            }
            Some(other) => panic!("closed by {other:?}"),
        }
    }
}

/// The durable history as text.
pub(crate) fn history(runtime: &Runtime, workflow_id: &str) -> String {
    let history = runtime.whole_history("default", workflow_id, "").unwrap();
    longhaul_history::text::history(&history.events)
}

/// Leave a run's history for the judge, in the folder that `LONGHAUL_HISTORIES` names or else in the target folder.
pub(crate) fn export(runtime: &Runtime, name: &str, workflow_id: &str) {
    use prost::Message;
    let folder = std::env::var_os("LONGHAUL_HISTORIES").map_or_else(
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../histories"),
        PathBuf::from,
    );
    std::fs::create_dir_all(&folder).unwrap();
    let history = runtime.whole_history("default", workflow_id, "").unwrap();
    std::fs::write(folder.join(format!("{name}.pb")), history.encode_to_vec()).unwrap();
}
