//! Rows of executions as Temporal's messages.

use longhaul_engine::{
    execution::Parent,
    proto::{
        common::v1 as common,
        deployment::v1::WorkerDeploymentVersion,
        history::v1::{HistoryEvent, WorkflowExecutionStartedEventAttributes},
        sdk::v1::UserMetadata,
        workflow::v1::{WorkflowExecutionConfig, WorkflowExecutionInfo, WorkflowExecutionVersioningInfo},
    },
};
use longhaul_history::time;
use longhaul_store::{ExecutionRecord, RunId};
use prost::Message as _;

use crate::Error;

/// The memo field in which `describe` tells why a run is parked. Not part of the execution's own memo.
pub const PARKED_REASON: &str = "longhaul.parked";

/// What the row of an execution keeps for this crate alone. Its encoding is part of the file: tags are never used again.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Extra {
    #[prost(message, optional, tag = "1")]
    pub(crate) parent: Option<ParentRef>,
    /// The execution at the top of the family; none: it is this one.
    #[prost(message, optional, tag = "2")]
    pub(crate) root: Option<common::WorkflowExecution>,
}

/// Who has started an execution as its child.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct ParentRef {
    #[prost(string, tag = "1")]
    pub(crate) workflow_id: String,
    #[prost(string, tag = "2")]
    pub(crate) run_id: String,
    #[prost(int64, tag = "3")]
    pub(crate) initiated_event_id: i64,
}

impl Extra {
    pub(crate) fn of(record: &ExecutionRecord) -> Result<Self, Error> {
        Self::decode(record.state.as_slice()).map_err(|error| damaged(record.run_id, &error))
    }
}

impl From<Parent> for ParentRef {
    fn from(parent: Parent) -> Self {
        Self {
            workflow_id: parent.workflow_id,
            run_id: parent.run_id,
            initiated_event_id: parent.initiated_event_id,
        }
    }
}

fn damaged(run_id: RunId, error: &prost::DecodeError) -> Error {
    Error::Internal(format!("the row of run {run_id} is damaged: {error}"))
}

/// What lists and descriptions show of an execution.
pub(crate) fn info(record: &ExecutionRecord) -> Result<WorkflowExecutionInfo, Error> {
    let damaged = |error: prost::DecodeError| damaged(record.run_id, &error);
    let extra = Extra::of(record)?;
    let myself = common::WorkflowExecution {
        workflow_id: record.workflow_id.clone(),
        run_id: record.run_id.to_string(),
    };
    let memo = (!record.memo.is_empty())
        .then(|| common::Memo::decode(record.memo.as_slice()))
        .transpose()
        .map_err(damaged)?;
    let search_attributes = (!record.search_attributes.is_empty())
        .then(|| common::SearchAttributes::decode(record.search_attributes.as_slice()))
        .transpose()
        .map_err(damaged)?;
    let duration = record
        .close_time_ns
        .map(|close_ns| close_ns.saturating_sub(record.execution_time_ns));
    Ok(WorkflowExecutionInfo {
        execution: Some(myself.clone()),
        r#type: Some(common::WorkflowType {
            name: record.workflow_type.clone(),
        }),
        start_time: Some(time::timestamp_from_ns(record.start_time_ns)),
        close_time: record.close_time_ns.map(time::timestamp_from_ns),
        status: record.status as i32,
        history_length: i64::try_from(record.next_event_id.saturating_sub(1)).unwrap_or(i64::MAX),
        execution_time: Some(time::timestamp_from_ns(record.execution_time_ns)),
        memo,
        search_attributes,
        task_queue: record.task_queue.clone(),
        history_size_bytes: i64::try_from(record.history_bytes).unwrap_or(i64::MAX),
        worker_deployment_name: record.module.name.clone(),
        versioning_info: Some(WorkflowExecutionVersioningInfo {
            deployment_version: Some(WorkerDeploymentVersion {
                deployment_name: record.module.name.clone(),
                build_id: record.module.version.to_string(),
            }),
            ..Default::default()
        }),
        execution_duration: duration.map(time::duration_from_ns),
        parent_execution: extra.parent.map(|parent| common::WorkflowExecution {
            workflow_id: parent.workflow_id,
            run_id: parent.run_id,
        }),
        root_execution: Some(extra.root.unwrap_or(myself)),
        first_run_id: record.first_run_id.to_string(),
        ..Default::default()
    })
}

/// Whether an event closes its execution.
pub(crate) fn is_close(event: &HistoryEvent) -> bool {
    use longhaul_engine::proto::enums::v1::EventType as T;
    matches!(
        event.event_type(),
        T::WorkflowExecutionCompleted
            | T::WorkflowExecutionFailed
            | T::WorkflowExecutionCanceled
            | T::WorkflowExecutionTerminated
            | T::WorkflowExecutionTimedOut
            | T::WorkflowExecutionContinuedAsNew
    )
}

/// What an execution was started with, as descriptions show it.
pub(crate) fn config(
    start: &WorkflowExecutionStartedEventAttributes,
    user_metadata: Option<&UserMetadata>,
) -> WorkflowExecutionConfig {
    WorkflowExecutionConfig {
        task_queue: start.task_queue.clone(),
        workflow_execution_timeout: start.workflow_execution_timeout,
        workflow_run_timeout: start.workflow_run_timeout,
        default_workflow_task_timeout: start.workflow_task_timeout,
        user_metadata: user_metadata.cloned(),
    }
}
