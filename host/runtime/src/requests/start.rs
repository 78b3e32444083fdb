//! Start, and what starts and does something more in one step: signal-with-start (S8) and update-with-start (U9).

use longhaul_engine::proto::{
    enums::v1::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy},
    workflowservice::v1 as wire,
};
use longhaul_history::time;
use longhaul_store::NamespaceId;
use tokio::sync::oneshot;
use wire::{
    execute_multi_operation_request::operation::Operation,
    execute_multi_operation_response::{Response, response},
};

use super::{answered, check, updates};
use crate::{
    Error, Runtime,
    shard::{Beginning, Request, Started, UpdateTicket, With},
};

impl Runtime {
    /// Start an execution.
    ///
    /// # Errors
    ///
    /// The type is unknown, the id is taken (E1), a limit is passed (B2), or something is asked for that is not offered yet.
    pub async fn start_workflow(
        &self,
        request: wire::StartWorkflowExecutionRequest,
    ) -> Result<wire::StartWorkflowExecutionResponse, Error> {
        let namespace = self.check_start(&request).await?;
        let (reply, answer) = oneshot::channel();
        self.begin(namespace, request, With::Nothing(reply))?;
        Ok(response(&answered(answer.await)?))
    }

    /// Signal the execution that has the id, or start one whose first message is the signal: one atomic step (S8).
    ///
    /// # Errors
    ///
    /// As [`Runtime::start_workflow`] and [`Runtime::signal_workflow`]; nothing was written then.
    pub async fn signal_with_start(
        &self,
        request: wire::SignalWithStartWorkflowExecutionRequest,
    ) -> Result<wire::SignalWithStartWorkflowExecutionResponse, Error> {
        let (start, signal) = split(request);
        if start.workflow_id_conflict_policy() == WorkflowIdConflictPolicy::Fail {
            return Err(Error::InvalidArgument(
                "WorkflowIdConflictPolicy FAIL is not supported for this operation: a signal goes to what runs".into(),
            ));
        }
        self.check_signal(&signal)?;
        let namespace = self.check_start(&start).await?;
        let (reply, answer) = oneshot::channel();
        let signal = Box::new(signal);
        self.begin(namespace, start, With::Signal { signal, reply })?;
        let started = answered(answer.await)?;
        Ok(wire::SignalWithStartWorkflowExecutionResponse {
            run_id: started.run_id.to_string(),
            started: started.started,
            ..Default::default()
        })
    }

    /// Start an execution and update it, or update the one that has the id: one atomic step (U9). The request holds exactly a start and
    /// an update, in this order.
    ///
    /// # Errors
    ///
    /// [`Error::MultiOperation`] where one of the two was refused, and with it the other; INVALID_ARGUMENT where the request is of
    /// another form.
    pub async fn execute_multi_operation(
        &self,
        request: wire::ExecuteMultiOperationRequest,
    ) -> Result<wire::ExecuteMultiOperationResponse, Error> {
        let (start, update) = both(request)?;
        let namespace = self.check_start(&start).await.map_err(start_refused)?;
        if start.workflow_id_conflict_policy() == WorkflowIdConflictPolicy::Unspecified {
            return Err(start_refused(Error::InvalidArgument(
                "WorkflowIdConflictPolicy is not set: say USE_EXISTING, FAIL or TERMINATE_EXISTING".into(),
            )));
        }
        let workflow_id = start.workflow_id.clone();
        let (update, wanted) = self
            .check_update(update.request, update.wait_policy.as_ref())
            .map_err(update_refused)?;
        let update_id = updates::id_of(&update).to_owned();
        let (reply, answer) = oneshot::channel();
        let with = With::Update {
            update: Box::new(update),
            reply,
            asked: None,
        };
        self.begin(namespace, start, with).map_err(start_refused)?;
        let ticket: UpdateTicket = answered(answer.await).map_err(update_refused)?;
        let started = Started {
            run_id: ticket.run_id,
            started: ticket.started,
            status: longhaul_engine::Status::Running,
        };
        let updated = self
            .follow(ticket, workflow_id, update_id, wanted)
            .await
            .map_err(update_refused)?;
        let responses = [
            response::Response::StartWorkflow(response(&started)),
            response::Response::UpdateWorkflow(updated),
        ];
        Ok(wire::ExecuteMultiOperationResponse {
            responses: responses
                .map(|response| Response {
                    response: Some(response),
                })
                .into(),
        })
    }

    fn begin(
        &self,
        namespace: NamespaceId,
        request: wire::StartWorkflowExecutionRequest,
        with: With,
    ) -> Result<(), Error> {
        let beginning = Beginning {
            namespace,
            request: Box::new(request),
            with,
        };
        self.send(&beginning.place(), Request::Start(beginning))
    }

    async fn check_start(&self, request: &wire::StartWorkflowExecutionRequest) -> Result<NamespaceId, Error> {
        let namespace = self.namespace_id(&request.namespace)?;
        let limits = &self.inner.core.options.limits.history;
        check::workflow_id(limits, &request.workflow_id)?;
        let workflow_type = request.workflow_type.as_ref().map_or("", |t| t.name.as_str());
        if workflow_type.is_empty() {
            return Err(Error::InvalidArgument(
                "WorkflowType is not set on request.".into(),
            ));
        }
        check::name(limits, "WorkflowType", workflow_type)?;
        let queue = request.task_queue.as_ref();
        check::name(limits, "TaskQueue", queue.map_or("", |queue| queue.name.as_str()))?;
        check::name(limits, "RequestId", &request.request_id)?;
        check::payloads(limits, "Input", request.input.as_ref())?;
        check::header(limits, request.header.as_ref())?;
        check::memo(limits, request.memo.as_ref(), request.search_attributes.as_ref())?;
        check::user_metadata(limits, request.user_metadata.as_ref())?;
        let durations = [
            ("WorkflowExecutionTimeout", &request.workflow_execution_timeout),
            ("WorkflowRunTimeout", &request.workflow_run_timeout),
            ("WorkflowTaskTimeout", &request.workflow_task_timeout),
            ("WorkflowStartDelay", &request.workflow_start_delay),
        ];
        for (what, duration) in durations {
            if let Some(duration) = duration
                && time::ns_from_duration(duration).is_none()
            {
                return Err(Error::InvalidArgument(format!(
                    "{what} is negative or too long; leave it out for none"
                )));
            }
        }
        if !request.completion_callbacks.is_empty() {
            return Err(Error::Unimplemented(
                "completion callbacks are not offered by this version: start the workflow without them, and learn of its end by \
                 waiting for its result, or from a parent workflow"
                    .into(),
            ));
        }
        if request.versioning_override.is_some() {
            return Err(Error::Unimplemented(
                "a versioning override at the start is not offered by this version: start the workflow without one, on the newest \
                 version of its module, then move it with UpdateWorkflowExecutionOptions (`longhaul workflow update-options`)"
                    .into(),
            ));
        }
        if names_two_policies(request) {
            return Err(Error::InvalidArgument(
                "WorkflowIdReusePolicy TERMINATE_IF_RUNNING cannot be used together with a WorkflowIdConflictPolicy: use \
                 ALLOW_DUPLICATE with TERMINATE_EXISTING"
                    .into(),
            ));
        }
        self.admit_attributes(namespace, request.search_attributes.as_ref())
            .await?;
        Ok(namespace)
    }

    pub(super) fn check_signal(&self, request: &wire::SignalWorkflowExecutionRequest) -> Result<(), Error> {
        let limits = &self.inner.core.options.limits.history;
        if request.signal_name.is_empty() {
            return Err(Error::InvalidArgument("SignalName is not set on request.".into()));
        }
        check::name(limits, "SignalName", &request.signal_name)?;
        check::name(limits, "RequestId", &request.request_id)?;
        check::payloads(limits, "Input", request.input.as_ref())?;
        check::header(limits, request.header.as_ref())
    }

    /// Follow an update until it has reached a stage, or the long poll is over.
    pub(super) async fn follow(
        &self,
        ticket: UpdateTicket,
        workflow_id: String,
        update_id: String,
        wanted: updates::Wanted,
    ) -> Result<wire::UpdateWorkflowExecutionResponse, Error> {
        let run_id = ticket.run_id.to_string();
        let (stage, outcome) = self.reach(ticket, wanted).await?;
        Ok(wire::UpdateWorkflowExecutionResponse {
            update_ref: Some(updates::reference(workflow_id, run_id, update_id)),
            outcome,
            stage: stage as i32,
            ..Default::default()
        })
    }
}

/// The reuse policy of old clients that says what a conflict policy says.
fn names_two_policies(request: &wire::StartWorkflowExecutionRequest) -> bool {
    #[expect(
        deprecated,
        reason = "old clients still send it, and Temporal's server still serves it"
    )]
    let terminate = WorkflowIdReusePolicy::TerminateIfRunning;
    request.workflow_id_reuse_policy() == terminate
        && request.workflow_id_conflict_policy() != WorkflowIdConflictPolicy::Unspecified
}

fn response(started: &Started) -> wire::StartWorkflowExecutionResponse {
    wire::StartWorkflowExecutionResponse {
        run_id: started.run_id.to_string(),
        started: started.started,
        status: started.status as i32,
        ..Default::default()
    }
}

/// A signal-with-start as its two halves. The signal is known by the id of the request, so that it is taken once however often it is
/// sent.
fn split(
    request: wire::SignalWithStartWorkflowExecutionRequest,
) -> (
    wire::StartWorkflowExecutionRequest,
    wire::SignalWorkflowExecutionRequest,
) {
    let signal = wire::SignalWorkflowExecutionRequest {
        namespace: request.namespace.clone(),
        signal_name: request.signal_name,
        input: request.signal_input,
        identity: request.identity.clone(),
        request_id: request.request_id.clone(),
        header: request.header.clone(),
        links: request.links.clone(),
        ..Default::default()
    };
    let start = wire::StartWorkflowExecutionRequest {
        namespace: request.namespace,
        workflow_id: request.workflow_id,
        workflow_type: request.workflow_type,
        task_queue: request.task_queue,
        input: request.input,
        workflow_execution_timeout: request.workflow_execution_timeout,
        workflow_run_timeout: request.workflow_run_timeout,
        workflow_task_timeout: request.workflow_task_timeout,
        identity: request.identity,
        request_id: request.request_id,
        workflow_id_reuse_policy: request.workflow_id_reuse_policy,
        workflow_id_conflict_policy: request.workflow_id_conflict_policy,
        retry_policy: request.retry_policy,
        cron_schedule: request.cron_schedule,
        memo: request.memo,
        search_attributes: request.search_attributes,
        header: request.header,
        workflow_start_delay: request.workflow_start_delay,
        user_metadata: request.user_metadata,
        links: request.links,
        versioning_override: request.versioning_override,
        priority: request.priority,
        time_skipping_config: request.time_skipping_config,
        ..Default::default()
    };
    (start, signal)
}

/// The two operations of an update-with-start.
fn both(
    request: wire::ExecuteMultiOperationRequest,
) -> Result<
    (
        wire::StartWorkflowExecutionRequest,
        wire::UpdateWorkflowExecutionRequest,
    ),
    Error,
> {
    let bad =
        |why: &str| Error::InvalidArgument(format!("Operations have to be exactly [Start, Update]: {why}"));
    let operations: [_; 2] = request
        .operations
        .try_into()
        .map_err(|operations: Vec<_>| bad(&format!("there are {}", operations.len())))?;
    let (mut start, update) = match operations.map(|operation| operation.operation) {
        [
            Some(Operation::StartWorkflow(start)),
            Some(Operation::UpdateWorkflow(update)),
        ] => (start, update),
        _ => return Err(bad("they are others")),
    };
    if start.namespace.is_empty() {
        start.namespace.clone_from(&request.namespace);
    }
    let execution = update.workflow_execution.as_ref();
    if let Some(execution) = execution
        && execution.workflow_id != start.workflow_id
    {
        return Err(bad(&format!(
            "they name two workflow ids, {:?} and {:?}",
            start.workflow_id, execution.workflow_id
        )));
    }
    if execution.is_some_and(|execution| !execution.run_id.is_empty())
        || !update.first_execution_run_id.is_empty()
    {
        return Err(bad("the update may not name a run"));
    }
    if start.request_eager_execution
        || !start.cron_schedule.is_empty()
        || start.workflow_start_delay.is_some()
    {
        return Err(bad(
            "the start may have no cron schedule, no delay and no eager execution",
        ));
    }
    Ok((start, update))
}

fn start_refused(error: Error) -> Error {
    match error {
        Error::MultiOperation { .. } => error,
        error => Error::MultiOperation {
            statuses: vec![Some(Box::new(error)), None],
        },
    }
}

fn update_refused(error: Error) -> Error {
    match error {
        Error::MultiOperation { .. } => error,
        error => Error::MultiOperation {
            statuses: vec![None, Some(Box::new(error))],
        },
    }
}
