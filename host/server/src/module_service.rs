//! `longhaul.module.v1.ModuleService`: the components that define workflow and activity types, and what Temporal's messages have no
//! place for.

use std::{sync::Arc, time::Duration};

use longhaul_runtime::Runtime;
use temporalio_protos::temporal::api::{
    common::v1::WorkflowExecution, workflowservice::v1::DescribeWorkflowExecutionRequest,
};
use tokio::{sync::Semaphore, time::timeout};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    Options,
    module_proto::{
        DescribeExecutionRequest, DescribeExecutionResponse, DescribeRequest, DescribeResponse, ListRequest,
        ListResponse, RemoveRequest, RemoveResponse, UploadRequest, UploadResponse,
        module_service_server::ModuleService,
    },
    request, status,
    upload::{Assembly, check_name, namespace_or_default},
};

/// The service.
pub(crate) struct Modules {
    runtime: Runtime,
    /// Uploads that are received: each may hold a whole component in memory.
    uploads: Arc<Semaphore>,
    max_bytes: usize,
    idle_timeout: Duration,
}

impl Modules {
    pub(crate) fn new(runtime: Runtime, options: &Options) -> Self {
        Self {
            runtime,
            uploads: Arc::new(Semaphore::new(options.uploads_max)),
            max_bytes: options.module_max_bytes,
            idle_timeout: options.upload_idle_timeout,
        }
    }

    /// The next message, or `None` at the stream's end.
    async fn next(&self, stream: &mut Streaming<UploadRequest>) -> Result<Option<UploadRequest>, Status> {
        timeout(self.idle_timeout, stream.message()).await.map_err(|_| {
            status::deadline_exceeded(format!(
                "the upload was silent for {:?}; send it again without such a pause",
                self.idle_timeout
            ))
        })?
    }
}

#[tonic::async_trait]
impl ModuleService for Modules {
    async fn upload(
        &self,
        request: Request<Streaming<UploadRequest>>,
    ) -> Result<Response<UploadResponse>, Status> {
        let mut stream = request.into_inner();
        // Cannot fail: nobody closes the semaphore.
        let _permit = self.uploads.acquire().await.map_err(|_| status::stopping())?;
        let first = self.next(&mut stream).await?.and_then(|message| message.part);
        let mut assembly = Assembly::begin(first, self.max_bytes)?;
        while let Some(message) = self.next(&mut stream).await? {
            assembly.add(message.part)?;
        }
        let upload = assembly.finish()?;
        request::note(&upload.namespace, "");
        let stored = self
            .runtime
            .upload_module(upload)
            .await
            .map_err(status::from_runtime)?;
        Ok(Response::new(UploadResponse {
            module: Some(stored.module.into()),
            unchanged: stored.unchanged,
        }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let namespace = namespace_or_default(request.into_inner().namespace);
        request::note(&namespace, "");
        let modules = self
            .runtime
            .list_modules(&namespace)
            .await
            .map_err(status::from_runtime)?;
        Ok(Response::new(ListResponse {
            modules: modules.into_iter().map(Into::into).collect(),
        }))
    }

    async fn describe(
        &self,
        request: Request<DescribeRequest>,
    ) -> Result<Response<DescribeResponse>, Status> {
        let DescribeRequest {
            namespace,
            name,
            version,
        } = request.into_inner();
        let namespace = namespace_or_default(namespace);
        request::note(&namespace, "");
        check_name(&name)?;
        let (module, versions) = self
            .runtime
            .describe_module(&namespace, &name, version)
            .await
            .map_err(status::from_runtime)?;
        Ok(Response::new(DescribeResponse {
            module: Some(module.into()),
            versions,
        }))
    }

    async fn remove(&self, request: Request<RemoveRequest>) -> Result<Response<RemoveResponse>, Status> {
        let RemoveRequest {
            namespace,
            name,
            version,
        } = request.into_inner();
        let namespace = namespace_or_default(namespace);
        request::note(&namespace, "");
        check_name(&name)?;
        self.runtime
            .remove_module(&namespace, &name, version)
            .await
            .map_err(status::from_runtime)?;
        Ok(Response::new(RemoveResponse {}))
    }

    async fn describe_execution(
        &self,
        request: Request<DescribeExecutionRequest>,
    ) -> Result<Response<DescribeExecutionResponse>, Status> {
        let DescribeExecutionRequest {
            namespace,
            workflow_id,
            run_id,
        } = request.into_inner();
        let namespace = namespace_or_default(namespace);
        request::note(&namespace, &workflow_id);
        if workflow_id.is_empty() {
            return Err(status::invalid_argument("WorkflowId is not set on request."));
        }
        let request = DescribeWorkflowExecutionRequest {
            namespace,
            execution: Some(WorkflowExecution { workflow_id, run_id }),
        };
        let description = self
            .runtime
            .describe_in_full(request)
            .await
            .map_err(status::from_runtime)?;
        Ok(Response::new(description.into()))
    }
}
