//! Rows of executions as Temporal's messages.

use longhaul_engine::proto::{
    common::v1 as common,
    deployment::v1::WorkerDeploymentVersion,
    history::v1::{HistoryEvent, WorkflowExecutionStartedEventAttributes},
    workflow::v1::{WorkflowExecutionConfig, WorkflowExecutionInfo, WorkflowExecutionVersioningInfo},
};
use longhaul_history::time;
use longhaul_store::ExecutionRecord;
use prost::Message as _;

use crate::Error;

/// The memo field in which `describe` tells why a run is parked. Not part of the execution's own memo.
pub const PARKED_REASON: &str = "longhaul.parked";

/// What lists and descriptions show of an execution.
pub(crate) fn info(record: &ExecutionRecord) -> Result<WorkflowExecutionInfo, Error> {
    let damaged = |error: prost::DecodeError| {
        Error::Internal(format!("the row of run {} is damaged: {error}", record.run_id))
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
        execution: Some(common::WorkflowExecution {
            workflow_id: record.workflow_id.clone(),
            run_id: record.run_id.to_string(),
        }),
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
        root_execution: Some(common::WorkflowExecution {
            workflow_id: record.workflow_id.clone(),
            run_id: record.run_id.to_string(),
        }),
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
pub(crate) fn config(start: &WorkflowExecutionStartedEventAttributes) -> WorkflowExecutionConfig {
    WorkflowExecutionConfig {
        task_queue: start.task_queue.clone(),
        workflow_execution_timeout: start.workflow_execution_timeout,
        workflow_run_timeout: start.workflow_run_timeout,
        default_workflow_task_timeout: start.workflow_task_timeout,
        ..Default::default()
    }
}
