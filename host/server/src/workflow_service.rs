//! `temporal.api.workflowservice.v1.WorkflowService`: the part of it that this server offers.
//!
//! A handler checks that the request names a namespace and an execution, and passes it to the runtime as it
//! is. Methods that are not here keep their generated default, which the request layer turns into an
//! UNIMPLEMENTED that names the method.

use longhaul_runtime::Runtime;
use prost::Message;
use temporalio_protos::temporal::api::{
    common::v1::WorkflowExecution,
    workflowservice::v1::{
        CountWorkflowExecutionsRequest, CountWorkflowExecutionsResponse, DeleteWorkflowExecutionRequest,
        DeleteWorkflowExecutionResponse, DescribeNamespaceRequest, DescribeNamespaceResponse,
        DescribeTaskQueueRequest, DescribeTaskQueueResponse, DescribeWorkflowExecutionRequest,
        DescribeWorkflowExecutionResponse, ExecuteMultiOperationRequest, ExecuteMultiOperationResponse,
        GetClusterInfoRequest, GetClusterInfoResponse, GetSystemInfoRequest, GetSystemInfoResponse,
        GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse,
        GetWorkflowExecutionHistoryReverseRequest, GetWorkflowExecutionHistoryReverseResponse,
        ListClosedWorkflowExecutionsRequest, ListClosedWorkflowExecutionsResponse, ListNamespacesRequest,
        ListNamespacesResponse, ListOpenWorkflowExecutionsRequest, ListOpenWorkflowExecutionsResponse,
        ListWorkflowExecutionsRequest, ListWorkflowExecutionsResponse, PauseActivityRequest,
        PauseActivityResponse, PollActivityTaskQueueRequest, PollActivityTaskQueueResponse,
        PollWorkflowExecutionUpdateRequest, PollWorkflowExecutionUpdateResponse, QueryWorkflowRequest,
        QueryWorkflowResponse, RecordActivityTaskHeartbeatByIdRequest,
        RecordActivityTaskHeartbeatByIdResponse, RecordActivityTaskHeartbeatRequest,
        RecordActivityTaskHeartbeatResponse, RequestCancelWorkflowExecutionRequest,
        RequestCancelWorkflowExecutionResponse, ResetActivityRequest, ResetActivityResponse,
        ResetWorkflowExecutionRequest, ResetWorkflowExecutionResponse,
        RespondActivityTaskCanceledByIdRequest, RespondActivityTaskCanceledByIdResponse,
        RespondActivityTaskCanceledRequest, RespondActivityTaskCanceledResponse,
        RespondActivityTaskCompletedByIdRequest, RespondActivityTaskCompletedByIdResponse,
        RespondActivityTaskCompletedRequest, RespondActivityTaskCompletedResponse,
        RespondActivityTaskFailedByIdRequest, RespondActivityTaskFailedByIdResponse,
        RespondActivityTaskFailedRequest, RespondActivityTaskFailedResponse, ScanWorkflowExecutionsRequest,
        ScanWorkflowExecutionsResponse, ShutdownWorkerRequest, ShutdownWorkerResponse,
        SignalWithStartWorkflowExecutionRequest, SignalWithStartWorkflowExecutionResponse,
        SignalWorkflowExecutionRequest, SignalWorkflowExecutionResponse, StartWorkflowExecutionRequest,
        StartWorkflowExecutionResponse, TerminateWorkflowExecutionRequest,
        TerminateWorkflowExecutionResponse, UnpauseActivityRequest, UnpauseActivityResponse,
        UpdateActivityOptionsRequest, UpdateActivityOptionsResponse, UpdateTaskQueueConfigRequest,
        UpdateTaskQueueConfigResponse, UpdateWorkflowExecutionOptionsRequest,
        UpdateWorkflowExecutionOptionsResponse, UpdateWorkflowExecutionRequest,
        UpdateWorkflowExecutionResponse,
    },
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::{
    deadline, request, status, system, temporal::workflowservice::workflow_service_server::WorkflowService,
};

/// The namespace that every server has.
const DEFAULT_NAMESPACE: &str = "default";

/// The service.
pub(crate) struct Workflows {
    runtime: Runtime,
    /// Cancelled when the server stops: long polls end.
    stop: CancellationToken,
    gzip_min_bytes: usize,
}

impl Workflows {
    pub(crate) fn new(runtime: Runtime, stop: CancellationToken, gzip_min_bytes: usize) -> Self {
        Self {
            runtime,
            stop,
            gzip_min_bytes,
        }
    }

    /// The answer on its way out.
    fn reply<M: Message>(&self, answer: Result<M, longhaul_runtime::Error>) -> Result<Response<M>, Status> {
        let answer = answer.map_err(status::from_runtime)?;
        let small = answer.encoded_len() < self.gzip_min_bytes;
        let mut response = Response::new(answer);
        if small {
            response.disable_compression();
        }
        Ok(response)
    }

    /// Like [`reply`](Self::reply) for what may wait for something to happen: it does not hold the server's
    /// stop up.
    async fn reply_before_stop<M: Message>(
        &self,
        work: impl Future<Output = Result<M, longhaul_runtime::Error>>,
    ) -> Result<Response<M>, Status> {
        self.reply(before_stop(&self.stop, work).await?)
    }
}

/// What `work` comes to, unless the server stops first.
async fn before_stop<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Result<T, Status> {
    tokio::select! {
        biased;
        done = work => Ok(done),
        () = stop.cancelled() => Err(status::stopping()),
    }
}

/// Refuses a request without a namespace.
fn check_namespace(namespace: &str, workflow_id: &str) -> Result<(), Status> {
    request::note(namespace, workflow_id);
    if namespace.is_empty() {
        return Err(status::invalid_argument("Namespace not set on request."));
    }
    Ok(())
}

/// As [`check_namespace`], for a request about an execution. Whether it says which one, the runtime checks.
fn check_execution(namespace: &str, execution: Option<&WorkflowExecution>) -> Result<(), Status> {
    let workflow_id = execution.map_or("", |execution| execution.workflow_id.as_str());
    check_namespace(namespace, workflow_id)
}

#[tonic::async_trait]
impl WorkflowService for Workflows {
    async fn get_system_info(
        &self,
        _: Request<GetSystemInfoRequest>,
    ) -> Result<Response<GetSystemInfoResponse>, Status> {
        self.reply(Ok(system::system_info()))
    }

    async fn get_cluster_info(
        &self,
        _: Request<GetClusterInfoRequest>,
    ) -> Result<Response<GetClusterInfoResponse>, Status> {
        self.reply(
            self.runtime
                .namespace(DEFAULT_NAMESPACE)
                .map(|found| system::cluster_info(found.cluster_id)),
        )
    }

    async fn describe_namespace(
        &self,
        request: Request<DescribeNamespaceRequest>,
    ) -> Result<Response<DescribeNamespaceResponse>, Status> {
        let DescribeNamespaceRequest { namespace, id, .. } = request.into_inner();
        request::note(&namespace, "");
        if namespace.is_empty() && id.is_empty() {
            return Err(status::invalid_argument("Namespace not set on request."));
        }
        if !namespace.is_empty() {
            return self.reply(self.runtime.namespace(&namespace).map(system::namespace));
        }
        let found = self
            .runtime
            .namespace(DEFAULT_NAMESPACE)
            .map_err(status::from_runtime)?;
        if found.id != id {
            return Err(status::namespace_not_found(id));
        }
        self.reply(Ok(system::namespace(found)))
    }

    async fn list_namespaces(
        &self,
        request: Request<ListNamespacesRequest>,
    ) -> Result<Response<ListNamespacesResponse>, Status> {
        // One page holds all of them.
        if !request.into_inner().next_page_token.is_empty() {
            return Err(status::invalid_argument("Invalid NextPageToken."));
        }
        let found = self.runtime.namespace(DEFAULT_NAMESPACE);
        self.reply(found.map(|found| ListNamespacesResponse {
            namespaces: vec![system::namespace(found)],
            ..Default::default()
        }))
    }

    async fn start_workflow_execution(
        &self,
        request: Request<StartWorkflowExecutionRequest>,
    ) -> Result<Response<StartWorkflowExecutionResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, &request.workflow_id)?;
        self.reply(self.runtime.start_workflow(request).await)
    }

    async fn signal_workflow_execution(
        &self,
        request: Request<SignalWorkflowExecutionRequest>,
    ) -> Result<Response<SignalWorkflowExecutionResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.workflow_execution.as_ref())?;
        self.reply(self.runtime.signal_workflow(request).await)
    }

    async fn signal_with_start_workflow_execution(
        &self,
        request: Request<SignalWithStartWorkflowExecutionRequest>,
    ) -> Result<Response<SignalWithStartWorkflowExecutionResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, &request.workflow_id)?;
        self.reply(self.runtime.signal_with_start(request).await)
    }

    async fn execute_multi_operation(
        &self,
        request: Request<ExecuteMultiOperationRequest>,
    ) -> Result<Response<ExecuteMultiOperationResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply_before_stop(self.runtime.execute_multi_operation(request))
            .await
    }

    async fn query_workflow(
        &self,
        request: Request<QueryWorkflowRequest>,
    ) -> Result<Response<QueryWorkflowResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.execution.as_ref())?;
        self.reply(self.runtime.query_workflow(request).await)
    }

    async fn update_workflow_execution(
        &self,
        request: Request<UpdateWorkflowExecutionRequest>,
    ) -> Result<Response<UpdateWorkflowExecutionResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.workflow_execution.as_ref())?;
        self.reply_before_stop(self.runtime.update_workflow(request))
            .await
    }

    async fn poll_workflow_execution_update(
        &self,
        request: Request<PollWorkflowExecutionUpdateRequest>,
    ) -> Result<Response<PollWorkflowExecutionUpdateResponse>, Status> {
        let request = request.into_inner();
        let Some(update) = &request.update_ref else {
            check_namespace(&request.namespace, "")?;
            return Err(status::invalid_argument("UpdateRef is not set on request."));
        };
        check_execution(&request.namespace, update.workflow_execution.as_ref())?;
        self.reply_before_stop(self.runtime.poll_update(request)).await
    }

    async fn get_workflow_execution_history(
        &self,
        request: Request<GetWorkflowExecutionHistoryRequest>,
    ) -> Result<Response<GetWorkflowExecutionHistoryResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.execution.as_ref())?;
        if request.wait_new_event {
            self.reply_before_stop(self.runtime.history(request)).await
        } else {
            self.reply(self.runtime.history(request).await)
        }
    }

    async fn get_workflow_execution_history_reverse(
        &self,
        request: Request<GetWorkflowExecutionHistoryReverseRequest>,
    ) -> Result<Response<GetWorkflowExecutionHistoryReverseResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.execution.as_ref())?;
        self.reply(self.runtime.history_reverse(request).await)
    }

    async fn describe_workflow_execution(
        &self,
        request: Request<DescribeWorkflowExecutionRequest>,
    ) -> Result<Response<DescribeWorkflowExecutionResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.execution.as_ref())?;
        self.reply(self.runtime.describe_workflow(request).await)
    }

    async fn list_workflow_executions(
        &self,
        request: Request<ListWorkflowExecutionsRequest>,
    ) -> Result<Response<ListWorkflowExecutionsResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply(self.runtime.list_workflows(request).await)
    }

    async fn list_open_workflow_executions(
        &self,
        request: Request<ListOpenWorkflowExecutionsRequest>,
    ) -> Result<Response<ListOpenWorkflowExecutionsResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply(self.runtime.list_open_workflows(request).await)
    }

    async fn list_closed_workflow_executions(
        &self,
        request: Request<ListClosedWorkflowExecutionsRequest>,
    ) -> Result<Response<ListClosedWorkflowExecutionsResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply(self.runtime.list_closed_workflows(request).await)
    }

    async fn scan_workflow_executions(
        &self,
        request: Request<ScanWorkflowExecutionsRequest>,
    ) -> Result<Response<ScanWorkflowExecutionsResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply(self.runtime.scan_workflows(request).await)
    }

    async fn count_workflow_executions(
        &self,
        request: Request<CountWorkflowExecutionsRequest>,
    ) -> Result<Response<CountWorkflowExecutionsResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply(self.runtime.count_workflows(request).await)
    }

    async fn request_cancel_workflow_execution(
        &self,
        request: Request<RequestCancelWorkflowExecutionRequest>,
    ) -> Result<Response<RequestCancelWorkflowExecutionResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.workflow_execution.as_ref())?;
        self.reply(self.runtime.request_cancel(request).await)
    }

    async fn reset_workflow_execution(
        &self,
        request: Request<ResetWorkflowExecutionRequest>,
    ) -> Result<Response<ResetWorkflowExecutionResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.workflow_execution.as_ref())?;
        self.reply(self.runtime.reset_workflow(request).await)
    }

    async fn delete_workflow_execution(
        &self,
        request: Request<DeleteWorkflowExecutionRequest>,
    ) -> Result<Response<DeleteWorkflowExecutionResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.workflow_execution.as_ref())?;
        self.reply(self.runtime.delete_workflow(request).await)
    }

    async fn update_workflow_execution_options(
        &self,
        request: Request<UpdateWorkflowExecutionOptionsRequest>,
    ) -> Result<Response<UpdateWorkflowExecutionOptionsResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.workflow_execution.as_ref())?;
        self.reply(self.runtime.update_workflow_options(request).await)
    }

    async fn terminate_workflow_execution(
        &self,
        request: Request<TerminateWorkflowExecutionRequest>,
    ) -> Result<Response<TerminateWorkflowExecutionResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.workflow_execution.as_ref())?;
        self.reply(self.runtime.terminate(request).await)
    }

    async fn poll_activity_task_queue(
        &self,
        request: Request<PollActivityTaskQueueRequest>,
    ) -> Result<Response<PollActivityTaskQueueResponse>, Status> {
        let within = deadline::long_poll(request.metadata());
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply_before_stop(self.runtime.poll_activity_task_queue(request, within))
            .await
    }

    async fn respond_activity_task_completed(
        &self,
        request: Request<RespondActivityTaskCompletedRequest>,
    ) -> Result<Response<RespondActivityTaskCompletedResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply(self.runtime.respond_activity_task_completed(request).await)
    }

    async fn respond_activity_task_completed_by_id(
        &self,
        request: Request<RespondActivityTaskCompletedByIdRequest>,
    ) -> Result<Response<RespondActivityTaskCompletedByIdResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, &request.workflow_id)?;
        self.reply(self.runtime.respond_activity_task_completed_by_id(request).await)
    }

    async fn respond_activity_task_failed(
        &self,
        request: Request<RespondActivityTaskFailedRequest>,
    ) -> Result<Response<RespondActivityTaskFailedResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply(self.runtime.respond_activity_task_failed(request).await)
    }

    async fn respond_activity_task_failed_by_id(
        &self,
        request: Request<RespondActivityTaskFailedByIdRequest>,
    ) -> Result<Response<RespondActivityTaskFailedByIdResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, &request.workflow_id)?;
        self.reply(self.runtime.respond_activity_task_failed_by_id(request).await)
    }

    async fn respond_activity_task_canceled(
        &self,
        request: Request<RespondActivityTaskCanceledRequest>,
    ) -> Result<Response<RespondActivityTaskCanceledResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply(self.runtime.respond_activity_task_canceled(request).await)
    }

    async fn respond_activity_task_canceled_by_id(
        &self,
        request: Request<RespondActivityTaskCanceledByIdRequest>,
    ) -> Result<Response<RespondActivityTaskCanceledByIdResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, &request.workflow_id)?;
        self.reply(self.runtime.respond_activity_task_canceled_by_id(request).await)
    }

    async fn record_activity_task_heartbeat(
        &self,
        request: Request<RecordActivityTaskHeartbeatRequest>,
    ) -> Result<Response<RecordActivityTaskHeartbeatResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply(self.runtime.record_activity_task_heartbeat(request).await)
    }

    async fn record_activity_task_heartbeat_by_id(
        &self,
        request: Request<RecordActivityTaskHeartbeatByIdRequest>,
    ) -> Result<Response<RecordActivityTaskHeartbeatByIdResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, &request.workflow_id)?;
        self.reply(self.runtime.record_activity_task_heartbeat_by_id(request).await)
    }

    async fn shutdown_worker(
        &self,
        request: Request<ShutdownWorkerRequest>,
    ) -> Result<Response<ShutdownWorkerResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply(self.runtime.shutdown_worker(request).await)
    }

    async fn describe_task_queue(
        &self,
        request: Request<DescribeTaskQueueRequest>,
    ) -> Result<Response<DescribeTaskQueueResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply(self.runtime.describe_task_queue(request).await)
    }

    async fn update_task_queue_config(
        &self,
        request: Request<UpdateTaskQueueConfigRequest>,
    ) -> Result<Response<UpdateTaskQueueConfigResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace, "")?;
        self.reply(self.runtime.update_task_queue_config(request).await)
    }

    async fn pause_activity(
        &self,
        request: Request<PauseActivityRequest>,
    ) -> Result<Response<PauseActivityResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.execution.as_ref())?;
        self.reply(self.runtime.pause_activity(request).await)
    }

    async fn unpause_activity(
        &self,
        request: Request<UnpauseActivityRequest>,
    ) -> Result<Response<UnpauseActivityResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.execution.as_ref())?;
        self.reply(self.runtime.unpause_activity(request).await)
    }

    async fn reset_activity(
        &self,
        request: Request<ResetActivityRequest>,
    ) -> Result<Response<ResetActivityResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.execution.as_ref())?;
        self.reply(self.runtime.reset_activity(request).await)
    }

    async fn update_activity_options(
        &self,
        request: Request<UpdateActivityOptionsRequest>,
    ) -> Result<Response<UpdateActivityOptionsResponse>, Status> {
        let request = request.into_inner();
        check_execution(&request.namespace, request.execution.as_ref())?;
        self.reply(self.runtime.update_activity_options(request).await)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tonic::Code;

    use super::*;

    #[tokio::test]
    async fn a_long_poll_ends_when_the_server_stops() {
        let stop = CancellationToken::new();
        stop.cancel();
        let status = before_stop(&stop, pending::<()>()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(
            before_stop(&stop, ready(7)).await.unwrap(),
            7,
            "what is ready is still answered"
        );
    }

    // B1
    #[test]
    fn what_is_missing_is_named_in_temporals_words() {
        let execution = |id: &str| WorkflowExecution {
            workflow_id: id.into(),
            run_id: String::new(),
        };
        let status = check_execution("", Some(&execution("w"))).unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, "Namespace not set on request.")
        );
        check_execution("default", Some(&execution("w"))).unwrap();
    }
}
