//! `temporal.api.operatorservice.v1.OperatorService`: the part of it that this server offers, which is about search attributes.
//!
//! They need no registration here; the calls let Temporal's tools that insist on it go on.

use longhaul_runtime::Runtime;
use temporalio_protos::temporal::api::operatorservice::v1::{
    AddSearchAttributesRequest, AddSearchAttributesResponse, ListSearchAttributesRequest,
    ListSearchAttributesResponse,
};
use tonic::{Request, Response, Status};

use crate::{request, status, temporal::operatorservice::operator_service_server::OperatorService};

/// The service.
pub(crate) struct Operator {
    runtime: Runtime,
}

impl Operator {
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self { runtime }
    }
}

fn check_namespace(namespace: &str) -> Result<(), Status> {
    request::note(namespace, "");
    if namespace.is_empty() {
        return Err(status::invalid_argument("Namespace not set on request."));
    }
    Ok(())
}

#[tonic::async_trait]
impl OperatorService for Operator {
    async fn list_search_attributes(
        &self,
        request: Request<ListSearchAttributesRequest>,
    ) -> Result<Response<ListSearchAttributesResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace)?;
        let answer = self.runtime.search_attributes(&request);
        answer.map(Response::new).map_err(status::from_runtime)
    }

    async fn add_search_attributes(
        &self,
        request: Request<AddSearchAttributesRequest>,
    ) -> Result<Response<AddSearchAttributesResponse>, Status> {
        let request = request.into_inner();
        check_namespace(&request.namespace)?;
        let answer = self.runtime.add_search_attributes(request).await;
        answer.map(Response::new).map_err(status::from_runtime)
    }
}
