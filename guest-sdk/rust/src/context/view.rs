//! Facts about the execution.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use super::base::{MessageInfo, UpdateInfo, time};
use crate::bindings::workflow::longhaul::workflow::types;
use crate::data_converters::{DecodablePayloads, Payload, PayloadConversionError, TemporalDeserializable};
use crate::failure::Failure;
use crate::host::ExecutionInfo;
use crate::memo::Memo;
use crate::retry_policy::RetryPolicy;
use crate::runtime::Runtime;
use crate::search_attributes::SearchAttributes;

/// Names an execution.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct WorkflowExecution {
    workflow_id: String,
    run_id: String,
}

impl WorkflowExecution {
    pub(crate) fn new(workflow_id: String, run_id: String) -> Self {
        Self { workflow_id, run_id }
    }

    /// The workflow's id.
    pub fn workflow_id(&self) -> &str {
        &self.workflow_id
    }

    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }
}

/// Names an execution in any namespace.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NamespacedWorkflowInfo {
    raw: types::NamespacedExecution,
}

impl NamespacedWorkflowInfo {
    /// The workflow's id.
    pub fn workflow_id(&self) -> &str {
        &self.raw.workflow_id
    }

    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.raw.run_id
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.raw.namespace
    }
}

/// What init methods, queries and validators may know: facts, no commands.
#[derive(Clone)]
#[non_exhaustive]
pub struct WorkflowContextView {
    runtime: Rc<Runtime>,
    info: Rc<ExecutionInfo>,
    message: Option<Rc<MessageInfo>>,
}

impl std::fmt::Debug for WorkflowContextView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkflowContextView")
            .field("workflow_id", &self.workflow_id())
            .finish_non_exhaustive()
    }
}

impl WorkflowContextView {
    pub(crate) fn new(runtime: &Rc<Runtime>, message: Option<Rc<MessageInfo>>) -> Self {
        Self {
            runtime: runtime.clone(),
            info: runtime.info.clone(),
            message,
        }
    }

    /// The workflow's id.
    pub fn workflow_id(&self) -> &str {
        &self.info.workflow_id
    }

    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.info.run_id
    }

    /// The workflow's type.
    pub fn workflow_type(&self) -> &str {
        &self.info.workflow_type
    }

    /// The workflow's task queue.
    pub fn task_queue(&self) -> &str {
        &self.info.task_queue
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.info.namespace
    }

    /// From 1; above 1 if the workflow's retry policy has started this run.
    pub fn attempt(&self) -> u32 {
        self.info.attempt
    }

    /// The first run of the chain that continue-as-new, retry and cron make.
    pub fn first_execution_run_id(&self) -> &str {
        &self.info.first_run_id
    }

    /// The run that continued as this one.
    pub fn continued_from_run_id(&self) -> Option<&str> {
        self.info.continued_from_run_id.as_deref()
    }

    /// When this run started.
    pub fn start_time(&self) -> Option<SystemTime> {
        Some(time(self.info.start_time))
    }

    /// The workflow's time: when the current workflow task started.
    pub fn workflow_time(&self) -> Option<SystemTime> {
        Some(time(self.runtime.host.now()))
    }

    /// Limit of the whole chain.
    pub fn execution_timeout(&self) -> Option<Duration> {
        self.info.execution_timeout.map(Duration::from_nanos)
    }

    /// Limit of this run.
    pub fn run_timeout(&self) -> Option<Duration> {
        self.info.run_timeout.map(Duration::from_nanos)
    }

    /// Limit of one workflow task.
    pub fn task_timeout(&self) -> Option<Duration> {
        Some(Duration::from_nanos(self.info.task_timeout))
    }

    /// The parent, if this is a child.
    pub fn parent(&self) -> Option<NamespacedWorkflowInfo> {
        self.info.parent.clone().map(|raw| NamespacedWorkflowInfo { raw })
    }

    /// The topmost ancestor, if that is another execution.
    pub fn root(&self) -> Option<WorkflowExecution> {
        self.info
            .root
            .clone()
            .map(|root| WorkflowExecution::new(root.workflow_id, root.run_id))
    }

    /// How the workflow is retried.
    pub fn retry_policy(&self) -> Option<RetryPolicy> {
        self.info.retry_policy.clone().map(Into::into)
    }

    /// When the workflow runs again and again.
    pub fn cron_schedule(&self) -> Option<&str> {
        self.info.cron_schedule.as_deref()
    }

    /// The execution's memo.
    pub fn memo(&self) -> Memo {
        Memo::new(self.runtime.host.memo())
    }

    /// The execution's search attributes.
    pub fn search_attributes(&self) -> Option<SearchAttributes> {
        Some(SearchAttributes::from_wit(self.runtime.host.search_attributes()))
    }

    /// The result of the last run that completed, in a cron or retry chain.
    ///
    /// # Errors
    /// If it is not of this type.
    pub fn last_completion_result<T: TemporalDeserializable + 'static>(
        &self,
    ) -> Result<Option<T>, PayloadConversionError> {
        if self.info.last_completion_result.is_empty() {
            return Ok(None);
        }
        DecodablePayloads::new(self.info.last_completion_result.clone())
            .deserialize()
            .map(Some)
    }

    /// The failure of the last run that failed, in a cron or retry chain.
    pub fn last_failure(&self) -> Option<Failure> {
        self.info.last_failure.clone().map(Failure::from_wit)
    }

    /// The update that is being validated; none elsewhere.
    pub fn current_update_info(&self) -> Option<UpdateInfo> {
        self.message.as_ref().and_then(|message| message.update.clone())
    }

    /// Values that came with the message beside its arguments; empty where there is no message.
    pub fn headers(&self) -> HashMap<String, Payload> {
        self.message
            .as_ref()
            .map(|message| message.headers().clone())
            .unwrap_or_default()
    }
}
