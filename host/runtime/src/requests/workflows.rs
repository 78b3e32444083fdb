//! Signal, query, describe, cancel, terminate.

use longhaul_engine::proto::{history::v1::history_event::Attributes, workflowservice::v1 as wire};

use super::check;
use crate::{Description, Error, Runtime, executions, shard::Message};

impl Runtime {
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
        self.check_signal(&request)?;
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
        Ok(self.describe_in_full(request).await?.described)
    }

    /// As [`Runtime::describe_workflow`], with what Temporal's description has no place for: pending timers and updates.
    ///
    /// # Errors
    ///
    /// There is no such execution.
    pub async fn describe_in_full(
        &self,
        request: wire::DescribeWorkflowExecutionRequest,
    ) -> Result<Description, Error> {
        let target = self.target(&request.namespace, request.execution.as_ref())?;
        let key = self.find(target.namespace, request.execution.as_ref(), target.run_id)?;
        let record = self.record(&key)?;
        if !record.status.is_open() {
            // It will not change any more: no need to bring it back to life.
            return Ok(Description {
                described: self.describe_closed(&record)?,
                ..Default::default()
            });
        }
        self.ask(target, |reply| Message::Describe { reply }).await
    }

    fn describe_closed(
        &self,
        record: &longhaul_store::ExecutionRecord,
    ) -> Result<wire::DescribeWorkflowExecutionResponse, Error> {
        let first = self.events(&record.key(), 1, 1)?.into_iter().next();
        let (attributes, metadata) = first.map(|event| (event.attributes, event.user_metadata)).unzip();
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(start)) = attributes.flatten() else {
            return Err(Error::Internal(format!(
                "the history of run {} has no beginning",
                record.run_id
            )));
        };
        Ok(wire::DescribeWorkflowExecutionResponse {
            execution_config: Some(executions::config(&start, metadata.flatten().as_ref())),
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
