//! The connection to a server: Temporal's WorkflowService and the module service on one channel.

use std::{error::Error as StdError, time::Duration};

use longhaul_server::module_proto::{self, module_service_client::ModuleServiceClient};
use tonic::{
    Request,
    codec::CompressionEncoding,
    transport::{Channel, Endpoint},
};

use crate::{
    Error,
    args::{Address, Global},
    proto::workflowservice::v1::{self as wire, workflow_service_client::WorkflowServiceClient},
};

/// How long the TCP connection may take. A refused one fails at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request that does not wait for anything may take; a query may need a replay first.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a request that waits may take. The server answers after 20 s, with or without news.
const LONG_POLL_TIMEOUT: Duration = Duration::from_secs(70);
/// How often a silent connection is probed while a request is under way, and how long the answer may take.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest answer, in bytes. A page of history can be larger than what a request may be.
const MAX_ANSWER_BYTES: usize = 128 * 1024 * 1024;

/// A connected client.
pub(crate) struct Client {
    address: Address,
    workflows: WorkflowServiceClient<Channel>,
    modules: ModuleServiceClient<Channel>,
    /// The namespace of every request.
    pub(crate) namespace: String,
    /// How histories name this client.
    pub(crate) identity: String,
}

impl Client {
    /// Connect; fails at once if nothing listens.
    pub(crate) async fn connect(global: &Global) -> Result<Self, Error> {
        let address = global.address.clone();
        let failed = |error: tonic::transport::Error| Error::Connect {
            address: address.clone(),
            reason: root_cause(&error),
        };
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .map_err(failed)?
            .user_agent(concat!("longhaul-cli/", env!("CARGO_PKG_VERSION")))
            .map_err(failed)?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .connect()
            .await
            .map_err(failed)?;
        Ok(Self {
            workflows: WorkflowServiceClient::new(channel.clone())
                .accept_compressed(CompressionEncoding::Gzip)
                .send_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(MAX_ANSWER_BYTES),
            // Components go over as they are: compressing megabytes takes longer than sending them.
            modules: ModuleServiceClient::new(channel)
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(MAX_ANSWER_BYTES),
            namespace: global.namespace.clone(),
            identity: identity(),
            address,
        })
    }

    /// Store a component. There is no limit on the time: the server compiles it before it answers.
    pub(crate) async fn upload(
        &mut self,
        parts: impl tokio_stream::Stream<Item = module_proto::UploadRequest> + Send + 'static,
    ) -> Result<module_proto::UploadResponse, Error> {
        match self.modules.upload(parts).await {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => Err(self.refused("upload", status)),
        }
    }

    fn refused(&self, operation: &'static str, status: tonic::Status) -> Error {
        match status.source() {
            Some(source) => Error::Disconnected {
                address: self.address.clone(),
                reason: root_cause(source),
            },
            None => Error::Request {
                operation,
                status: Box::new(status),
            },
        }
    }
}

/// One method for each request that has one answer: set its deadline, unwrap its answer, tell its refusal apart from a broken
/// connection.
macro_rules! requests {
    ($($service:ident.$name:ident($request:ty) -> $response:ty, $limit:ident;)*) => {
        impl Client {
            $(pub(crate) async fn $name(&mut self, message: $request) -> Result<$response, Error> {
                let mut request = Request::new(message);
                request.set_timeout($limit);
                match self.$service.$name(request).await {
                    Ok(response) => Ok(response.into_inner()),
                    Err(status) => Err(self.refused(stringify!($name), status)),
                }
            })*
        }
    };
}

requests! {
    workflows.start_workflow_execution(wire::StartWorkflowExecutionRequest) -> wire::StartWorkflowExecutionResponse, REQUEST_TIMEOUT;
    workflows.signal_workflow_execution(wire::SignalWorkflowExecutionRequest) -> wire::SignalWorkflowExecutionResponse, REQUEST_TIMEOUT;
    workflows.query_workflow(wire::QueryWorkflowRequest) -> wire::QueryWorkflowResponse, REQUEST_TIMEOUT;
    workflows.update_workflow_execution(wire::UpdateWorkflowExecutionRequest) -> wire::UpdateWorkflowExecutionResponse, LONG_POLL_TIMEOUT;
    workflows.poll_workflow_execution_update(wire::PollWorkflowExecutionUpdateRequest) -> wire::PollWorkflowExecutionUpdateResponse, LONG_POLL_TIMEOUT;
    workflows.get_workflow_execution_history(wire::GetWorkflowExecutionHistoryRequest) -> wire::GetWorkflowExecutionHistoryResponse, LONG_POLL_TIMEOUT;
    workflows.describe_workflow_execution(wire::DescribeWorkflowExecutionRequest) -> wire::DescribeWorkflowExecutionResponse, REQUEST_TIMEOUT;
    workflows.list_workflow_executions(wire::ListWorkflowExecutionsRequest) -> wire::ListWorkflowExecutionsResponse, REQUEST_TIMEOUT;
    workflows.count_workflow_executions(wire::CountWorkflowExecutionsRequest) -> wire::CountWorkflowExecutionsResponse, REQUEST_TIMEOUT;
    workflows.request_cancel_workflow_execution(wire::RequestCancelWorkflowExecutionRequest) -> wire::RequestCancelWorkflowExecutionResponse, REQUEST_TIMEOUT;
    workflows.terminate_workflow_execution(wire::TerminateWorkflowExecutionRequest) -> wire::TerminateWorkflowExecutionResponse, REQUEST_TIMEOUT;
    workflows.signal_with_start_workflow_execution(wire::SignalWithStartWorkflowExecutionRequest) -> wire::SignalWithStartWorkflowExecutionResponse, REQUEST_TIMEOUT;
    workflows.execute_multi_operation(wire::ExecuteMultiOperationRequest) -> wire::ExecuteMultiOperationResponse, LONG_POLL_TIMEOUT;
    workflows.reset_workflow_execution(wire::ResetWorkflowExecutionRequest) -> wire::ResetWorkflowExecutionResponse, REQUEST_TIMEOUT;
    workflows.delete_workflow_execution(wire::DeleteWorkflowExecutionRequest) -> wire::DeleteWorkflowExecutionResponse, REQUEST_TIMEOUT;
    workflows.update_workflow_execution_options(wire::UpdateWorkflowExecutionOptionsRequest) -> wire::UpdateWorkflowExecutionOptionsResponse, REQUEST_TIMEOUT;
    workflows.respond_activity_task_completed_by_id(wire::RespondActivityTaskCompletedByIdRequest) -> wire::RespondActivityTaskCompletedByIdResponse, REQUEST_TIMEOUT;
    workflows.respond_activity_task_failed_by_id(wire::RespondActivityTaskFailedByIdRequest) -> wire::RespondActivityTaskFailedByIdResponse, REQUEST_TIMEOUT;
    workflows.respond_activity_task_canceled_by_id(wire::RespondActivityTaskCanceledByIdRequest) -> wire::RespondActivityTaskCanceledByIdResponse, REQUEST_TIMEOUT;
    workflows.record_activity_task_heartbeat_by_id(wire::RecordActivityTaskHeartbeatByIdRequest) -> wire::RecordActivityTaskHeartbeatByIdResponse, REQUEST_TIMEOUT;
    workflows.pause_activity(wire::PauseActivityRequest) -> wire::PauseActivityResponse, REQUEST_TIMEOUT;
    workflows.unpause_activity(wire::UnpauseActivityRequest) -> wire::UnpauseActivityResponse, REQUEST_TIMEOUT;
    workflows.reset_activity(wire::ResetActivityRequest) -> wire::ResetActivityResponse, REQUEST_TIMEOUT;
    workflows.describe_task_queue(wire::DescribeTaskQueueRequest) -> wire::DescribeTaskQueueResponse, REQUEST_TIMEOUT;
    workflows.update_task_queue_config(wire::UpdateTaskQueueConfigRequest) -> wire::UpdateTaskQueueConfigResponse, REQUEST_TIMEOUT;
    workflows.update_activity_options(wire::UpdateActivityOptionsRequest) -> wire::UpdateActivityOptionsResponse, REQUEST_TIMEOUT;
    modules.list(module_proto::ListRequest) -> module_proto::ListResponse, REQUEST_TIMEOUT;
    modules.describe(module_proto::DescribeRequest) -> module_proto::DescribeResponse, REQUEST_TIMEOUT;
    modules.remove(module_proto::RemoveRequest) -> module_proto::RemoveResponse, REQUEST_TIMEOUT;
    modules.describe_execution(module_proto::DescribeExecutionRequest) -> module_proto::DescribeExecutionResponse, REQUEST_TIMEOUT;
}

/// `longhaul-cli:USER`.
fn identity() -> String {
    let user = ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    format!("longhaul-cli:{}", user.as_deref().unwrap_or("unknown"))
}

/// The innermost cause's text: "Connection refused", not "transport error".
fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
