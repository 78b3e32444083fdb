//! Start, signal, query, describe, cancel, terminate.

use longhaul_engine::proto::{history::v1::history_event::Attributes, workflowservice::v1 as wire};
use tokio::sync::oneshot;

use super::{answered, check};
use crate::{
    Error, Runtime, executions,
    shard::{Message, Place, Request},
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
        check::name(
            limits,
            "TaskQueue",
            request
                .task_queue
                .as_ref()
                .map_or("", |queue| queue.name.as_str()),
        )?;
        check::name(limits, "RequestId", &request.request_id)?;
        check::payloads(limits, "Input", request.input.as_ref())?;
        check::header(limits, request.header.as_ref())?;
        check::memo(limits, request.memo.as_ref(), request.search_attributes.as_ref())?;
        let not_offered = [
            ("RetryPolicy", request.retry_policy.is_some()),
            ("CronSchedule", !request.cron_schedule.is_empty()),
            (
                "WorkflowStartDelay",
                request
                    .workflow_start_delay
                    .as_ref()
                    .is_some_and(|d| d.seconds > 0 || d.nanos > 0),
            ),
            ("CompletionCallbacks", !request.completion_callbacks.is_empty()),
            ("VersioningOverride", request.versioning_override.is_some()),
        ];
        if let Some((what, _)) = not_offered.iter().find(|(_, set)| *set) {
            return Err(Error::Unimplemented(format!(
                "{what} of a workflow is not offered yet; start it without"
            )));
        }
        let (reply, answer) = oneshot::channel();
        let place = Place {
            namespace,
            workflow_id: request.workflow_id.as_str().into(),
        };
        self.send(
            &place,
            Request::Start {
                namespace,
                request: Box::new(request),
                reply,
            },
        )?;
        answered(answer.await)
    }

    /// Signal an execution.
    ///
    /// # Errors
    ///
    /// There is none (any more), its type has no such signal (S7), or a limit is passed.
    pub async fn signal_workflow(
        &self,
        request: wire::SignalWorkflowExecutionRequest,
    ) -> Result<wire::SignalWorkflowExecutionResponse, Error> {
        let target = self.target(&request.namespace, request.workflow_execution.as_ref())?;
        let limits = &self.inner.core.options.limits.history;
        if request.signal_name.is_empty() {
            return Err(Error::InvalidArgument("SignalName is not set on request.".into()));
        }
        check::name(limits, "SignalName", &request.signal_name)?;
        check::name(limits, "RequestId", &request.request_id)?;
        check::payloads(limits, "Input", request.input.as_ref())?;
        check::header(limits, request.header.as_ref())?;
        self.ask(target, |reply| Message::Signal {
            request: Box::new(request),
            reply,
        })
        .await?;
        Ok(wire::SignalWorkflowExecutionResponse::default())
    }

    /// Query an execution. A query that is rejected for the execution's status is an answer, not an error (Q6).
    ///
    /// # Errors
    ///
    /// There is no such execution or query, or its handler failed.
    pub async fn query_workflow(
        &self,
        request: wire::QueryWorkflowRequest,
    ) -> Result<wire::QueryWorkflowResponse, Error> {
        let target = self.target(&request.namespace, request.execution.as_ref())?;
        let limits = &self.inner.core.options.limits.history;
        let query = request
            .query
            .as_ref()
            .filter(|query| !query.query_type.is_empty());
        let query = query.ok_or_else(|| Error::InvalidArgument("QueryType is not set on request.".into()))?;
        check::name(limits, "QueryType", &query.query_type)?;
        check::payloads(limits, "QueryArgs", query.query_args.as_ref())?;
        self.ask(target, |reply| Message::Query {
            request: Box::new(request),
            reply,
        })
        .await
    }

    /// Describe an execution.
    ///
    /// # Errors
    ///
    /// There is no such execution.
    pub async fn describe_workflow(
        &self,
        request: wire::DescribeWorkflowExecutionRequest,
    ) -> Result<wire::DescribeWorkflowExecutionResponse, Error> {
        let target = self.target(&request.namespace, request.execution.as_ref())?;
        let key = self.find(target.namespace, request.execution.as_ref(), target.run_id)?;
        let record = self.record(&key)?;
        if !record.status.is_open() {
            // It will not change any more: no need to bring it back to life.
            return self.describe_closed(&record);
        }
        self.ask(target, |reply| Message::Describe { reply }).await
    }

    fn describe_closed(
        &self,
        record: &longhaul_store::ExecutionRecord,
    ) -> Result<wire::DescribeWorkflowExecutionResponse, Error> {
        let first = self.events(&record.key(), 1, 1)?;
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(start)) =
            first.into_iter().next().and_then(|event| event.attributes)
        else {
            return Err(Error::Internal(format!(
                "the history of run {} has no beginning",
                record.run_id
            )));
        };
        Ok(wire::DescribeWorkflowExecutionResponse {
            execution_config: Some(executions::config(&start)),
            workflow_execution_info: Some(executions::info(record)?),
            ..Default::default()
        })
    }

    /// Request an execution's cancellation. On a closed one it is accepted and does nothing (E4).
    ///
    /// # Errors
    ///
    /// There is no such execution.
    pub async fn request_cancel(
        &self,
        request: wire::RequestCancelWorkflowExecutionRequest,
    ) -> Result<wire::RequestCancelWorkflowExecutionResponse, Error> {
        let target = self.target(&request.namespace, request.workflow_execution.as_ref())?;
        self.ask(target, |reply| Message::Cancel {
            request: Box::new(request),
            reply,
        })
        .await?;
        Ok(wire::RequestCancelWorkflowExecutionResponse::default())
    }

    /// Close an execution without running its code.
    ///
    /// # Errors
    ///
    /// There is none (any more).
    pub async fn terminate(
        &self,
        request: wire::TerminateWorkflowExecutionRequest,
    ) -> Result<wire::TerminateWorkflowExecutionResponse, Error> {
        let target = self.target(&request.namespace, request.workflow_execution.as_ref())?;
        self.ask(target, |reply| Message::Terminate {
            request: Box::new(request),
            reply,
        })
        .await?;
        Ok(wire::TerminateWorkflowExecutionResponse::default())
    }
}
