//! Updates, and waiting for their stages (U3).

use longhaul_engine::proto::{
    enums::v1::UpdateWorkflowExecutionLifecycleStage as Wanted, update::v1 as wire_update,
    workflowservice::v1 as wire,
};

use super::check;
use crate::{
    Error, Runtime,
    shard::{Message, UpdateTicket},
    updates::Stage,
};

impl Runtime {
    /// Update an execution; waits for the stage that the request asks for, at most for the server's long poll, and then answers with
    /// the stage that was reached.
    ///
    /// # Errors
    ///
    /// There is no such execution, it has closed, or a limit is passed (U10).
    pub async fn update_workflow(
        &self,
        request: wire::UpdateWorkflowExecutionRequest,
    ) -> Result<wire::UpdateWorkflowExecutionResponse, Error> {
        let target = self.target(&request.namespace, request.workflow_execution.as_ref())?;
        let limits = &self.inner.core.options.limits.history;
        let mut update = request.request.unwrap_or_default();
        let input = update.input.as_ref().filter(|input| !input.name.is_empty());
        let input =
            input.ok_or_else(|| Error::InvalidArgument("update name is not set on request".into()))?;
        check::name(limits, "update name", &input.name)?;
        check::payloads(limits, "update arguments", input.args.as_ref())?;
        check::header(limits, input.header.as_ref())?;
        let meta = update.meta.get_or_insert_default();
        if meta.update_id.is_empty() {
            meta.update_id = uuid::Uuid::new_v4().to_string();
        }
        check::name(limits, "update ID", &meta.update_id)?;
        let update_id = meta.update_id.clone();
        // Whoever names no stage waits for the end; only a poll can ask for the stage as it is.
        let wanted = Some(wanted(request.wait_policy.as_ref())?)
            .filter(|wanted| *wanted != Wanted::Unspecified)
            .unwrap_or(Wanted::Completed);
        let workflow_id = target.workflow_id.to_string();
        let ticket = self
            .ask(target, |reply| Message::Update {
                request: Box::new(update),
                reply,
            })
            .await?;
        let run_id = ticket.run_id.to_string();
        let (stage, outcome) = self.reach(ticket, wanted).await?;
        Ok(wire::UpdateWorkflowExecutionResponse {
            update_ref: Some(update_ref(workflow_id, run_id, update_id)),
            outcome,
            stage: stage as i32,
            ..Default::default()
        })
    }

    /// Wait for an update's stage.
    ///
    /// # Errors
    ///
    /// No such update is known.
    pub async fn poll_update(
        &self,
        request: wire::PollWorkflowExecutionUpdateRequest,
    ) -> Result<wire::PollWorkflowExecutionUpdateResponse, Error> {
        let reference = request.update_ref.unwrap_or_default();
        let target = self.target(&request.namespace, reference.workflow_execution.as_ref())?;
        if reference.update_id.is_empty() {
            return Err(Error::InvalidArgument("update ID is not set on request".into()));
        }
        let wanted = wanted(request.wait_policy.as_ref())?;
        let (workflow_id, update_id) = (target.workflow_id.to_string(), reference.update_id.clone());
        let ticket = self
            .ask(target, |reply| Message::FindUpdate {
                update_id: reference.update_id,
                reply,
            })
            .await?;
        let run_id = ticket.run_id.to_string();
        let (stage, outcome) = self.reach(ticket, wanted).await?;
        Ok(wire::PollWorkflowExecutionUpdateResponse {
            outcome,
            stage: stage as i32,
            update_ref: Some(update_ref(workflow_id, run_id, update_id)),
        })
    }

    /// Follow an update until it has reached a stage, or the long poll is over.
    async fn reach(
        &self,
        ticket: UpdateTicket,
        wanted: Wanted,
    ) -> Result<(Wanted, Option<wire_update::Outcome>), Error> {
        let mut stages = ticket.stage;
        let reached = |stage: &Stage| match stage {
            Stage::Admitted => wanted == Wanted::Unspecified,
            Stage::Accepted => wanted != Wanted::Completed,
            Stage::Completed(_) | Stage::Gone(_) => true,
        };
        let waited = tokio::time::timeout(self.inner.core.options.long_poll, stages.wait_for(reached))
            .await
            .map(|reached| reached.is_ok());
        if waited == Ok(false) {
            // Its sender has gone without a word only if the shard did.
            let over = matches!(&*stages.borrow(), Stage::Completed(_) | Stage::Gone(_));
            if !over {
                return Err(Error::Unavailable(
                    "the server stops; poll for the update again".into(),
                ));
            }
        }
        use wire_update::outcome::Value;
        let stage = stages.borrow().clone();
        match stage {
            Stage::Admitted => Ok((Wanted::Admitted, None)),
            Stage::Accepted => Ok((Wanted::Accepted, None)),
            Stage::Completed(Ok(payloads)) => Ok((
                Wanted::Completed,
                Some(wire_update::Outcome {
                    value: Some(Value::Success(payloads)),
                }),
            )),
            Stage::Completed(Err(failure)) => Ok((
                Wanted::Completed,
                Some(wire_update::Outcome {
                    value: Some(Value::Failure(*failure)),
                }),
            )),
            Stage::Gone(error) => Err(error),
        }
    }
}

fn wanted(policy: Option<&wire_update::WaitPolicy>) -> Result<Wanted, Error> {
    match policy.map_or(Wanted::Unspecified, wire_update::WaitPolicy::lifecycle_stage) {
        Wanted::Admitted => Err(Error::PermissionDenied(
            "waiting for the stage ADMITTED is not allowed; wait for ACCEPTED or COMPLETED".into(),
        )),
        stage => Ok(stage),
    }
}

fn update_ref(workflow_id: String, run_id: String, update_id: String) -> wire_update::UpdateRef {
    let workflow_execution =
        Some(longhaul_engine::proto::common::v1::WorkflowExecution { workflow_id, run_id });
    wire_update::UpdateRef {
        workflow_execution,
        update_id,
    }
}
