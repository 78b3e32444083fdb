//! Reset, delete, and move to another version.

use longhaul_engine::proto::{
    workflow::v1::{WorkflowExecutionOptions, versioning_override::Override},
    workflowservice::v1 as wire,
};
use longhaul_history::time;
use tokio::sync::oneshot;

use super::{answered, check, modules::not_found};
use crate::{
    Error, Runtime,
    shard::{Message, Move, Place, Request, Reset},
};

impl Runtime {
    /// Begin an execution again from one of its workflow tasks (E9): a new run, with the events up to there. What has the id now is
    /// terminated in the same step; signals and updates that came later are applied again unless they are excluded.
    ///
    /// # Errors
    ///
    /// There is no such execution, or the event is no workflow task's.
    pub async fn reset_workflow(
        &self,
        request: wire::ResetWorkflowExecutionRequest,
    ) -> Result<wire::ResetWorkflowExecutionResponse, Error> {
        let target = self.target(&request.namespace, request.workflow_execution.as_ref())?;
        let limits = &self.inner.core.options.limits.history;
        check::name(limits, "RequestId", &request.request_id)?;
        let (reply, answer) = oneshot::channel();
        let place = Place {
            namespace: target.namespace,
            workflow_id: target.workflow_id,
        };
        let reset = Reset {
            namespace: target.namespace,
            request: Box::new(request),
            reply,
            read: None,
            reads: 0,
        };
        self.send(&place, Request::Reset(reset))?;
        Ok(wire::ResetWorkflowExecutionResponse {
            run_id: answered(answer.await)?.to_string(),
        })
    }

    /// Delete an execution and all that there is of it. One that is open is terminated in the same step.
    ///
    /// # Errors
    ///
    /// There is no such execution.
    pub async fn delete_workflow(
        &self,
        request: wire::DeleteWorkflowExecutionRequest,
    ) -> Result<wire::DeleteWorkflowExecutionResponse, Error> {
        let target = self.target(&request.namespace, request.workflow_execution.as_ref())?;
        self.ask(target, |reply| Message::Delete {
            reply: Some(reply),
            expired: None,
        })
        .await?;
        Ok(wire::DeleteWorkflowExecutionResponse::default())
    }

    /// Move an execution to another version of a module: `versioning_override.pinned.version` names the module as its deployment and
    /// the version as its build id (empty: the newest). The history is replayed there first.
    ///
    /// # Errors
    ///
    /// There is no such execution or version, the execution has closed, or its history does not replay with that version: the text
    /// says where they differ.
    pub async fn update_workflow_options(
        &self,
        request: wire::UpdateWorkflowExecutionOptionsRequest,
    ) -> Result<wire::UpdateWorkflowExecutionOptionsResponse, Error> {
        let target = self.target(&request.namespace, request.workflow_execution.as_ref())?;
        let options = request.workflow_execution_options.unwrap_or_default();
        let pinned = options.versioning_override.and_then(|by| by.r#override);
        let wanted = match pinned {
            Some(Override::Pinned(pinned)) => pinned.version,
            _ => None,
        };
        let wanted = wanted.ok_or_else(|| {
            Error::InvalidArgument(
                "only a versioning override that is pinned to a version can be set: the module is its deployment, and the \
                 version its build id"
                    .into(),
            )
        })?;
        let (name, build) = (wanted.deployment_name, wanted.build_id);
        let number = match build.as_str() {
            "" => 0,
            text => text.parse::<u32>().map_err(|_| {
                Error::InvalidArgument(format!(
                    "{text:?} is no version of a module: versions are numbers from 1"
                ))
            })?,
        };
        let version = self
            .inner
            .core
            .registry
            .version(target.namespace, &name, number)
            .ok_or_else(|| not_found(&self.inner.core, target.namespace, &name, number))?;
        let (identity, now_ns) = (request.identity, self.inner.core.clock.now_ns());
        let number = version.number;
        self.ask(target, |reply| {
            Message::Move(Box::new(Move {
                version,
                identity,
                reply,
                proof: None,
                stale: 0,
            }))
        })
        .await?;
        Ok(wire::UpdateWorkflowExecutionOptionsResponse {
            workflow_execution_options: Some(pinned_to(name, number)),
            update_time: Some(time::timestamp_from_ns(now_ns)),
        })
    }
}

fn pinned_to(name: String, number: u32) -> WorkflowExecutionOptions {
    use longhaul_engine::proto::{
        deployment::v1::WorkerDeploymentVersion,
        workflow::v1::{
            VersioningOverride,
            versioning_override::{PinnedOverride, PinnedOverrideBehavior},
        },
    };
    let pinned = PinnedOverride {
        behavior: PinnedOverrideBehavior::Pinned as i32,
        version: Some(WorkerDeploymentVersion {
            deployment_name: name,
            build_id: number.to_string(),
        }),
    };
    WorkflowExecutionOptions {
        versioning_override: Some(VersioningOverride {
            r#override: Some(Override::Pinned(pinned)),
            ..Default::default()
        }),
        ..Default::default()
    }
}
