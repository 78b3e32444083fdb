//! What an execution knows of itself, from its first event.

use longhaul_engine::{Identity, proto::history::v1::WorkflowExecutionStartedEventAttributes};
use longhaul_history::time;
use longhaul_sandbox::wit::types;
use sha2::{Digest, Sha256};

use super::{failure_in, header_in, payloads_in, retry_policy_in};

/// The record that the guest gets in `start`.
pub(crate) fn execution_info(
    identity: &Identity,
    start: &WorkflowExecutionStartedEventAttributes,
    start_time_ns: u64,
) -> types::ExecutionInfo {
    let limit =
        |duration: Option<&time::Duration>| duration.and_then(time::ns_from_duration).filter(|ns| *ns > 0);
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    types::ExecutionInfo {
        namespace: identity.namespace.to_string(),
        workflow_id: identity.workflow_id.to_string(),
        run_id: identity.run_id.to_string(),
        first_run_id: start.first_execution_run_id.clone(),
        workflow_type: start
            .workflow_type
            .as_ref()
            .map(|t| t.name.clone())
            .unwrap_or_default(),
        task_queue: start
            .task_queue
            .as_ref()
            .map(|q| q.name.clone())
            .unwrap_or_default(),
        attempt: u32::try_from(start.attempt).unwrap_or(1).max(1),
        start_time: start_time_ns,
        execution_timeout: limit(start.workflow_execution_timeout.as_ref()),
        run_timeout: limit(start.workflow_run_timeout.as_ref()),
        task_timeout: limit(start.workflow_task_timeout.as_ref()).unwrap_or(0),
        retry_policy: start.retry_policy.as_ref().map(retry_policy_in),
        cron_schedule: text(&start.cron_schedule),
        continued_from_run_id: text(&start.continued_execution_run_id),
        parent: start
            .parent_workflow_execution
            .as_ref()
            .map(|parent| types::NamespacedExecution {
                namespace: start.parent_workflow_namespace.clone(),
                workflow_id: parent.workflow_id.clone(),
                run_id: parent.run_id.clone(),
            }),
        root: start
            .root_workflow_execution
            .as_ref()
            .map(|root| types::Execution {
                workflow_id: root.workflow_id.clone(),
                run_id: root.run_id.clone(),
            }),
        last_completion_result: payloads_in(start.last_completion_result.as_ref()),
        last_failure: start.continued_failure.as_ref().map(failure_in),
        header: header_in(start.header.as_ref()),
    }
}

/// The seed of a run's random streams: SHA-256 of the original run id, which a history always carries.
pub(crate) fn seed(start: &WorkflowExecutionStartedEventAttributes) -> [u8; 32] {
    seed_of(&start.original_execution_run_id)
}

/// The seed that a run id stands for.
pub(crate) fn seed_of(run_id: &str) -> [u8; 32] {
    Sha256::digest(run_id.as_bytes()).into()
}
