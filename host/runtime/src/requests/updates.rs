//! Updates, and waiting for their stages (U3).

pub(super) use longhaul_engine::proto::enums::v1::UpdateWorkflowExecutionLifecycleStage as Wanted;
use longhaul_engine::proto::{update::v1 as wire_update, workflowservice::v1 as wire};

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
        let (update, wanted) = self.check_update(request.request, request.wait_policy.as_ref())?;
        let (workflow_id, update_id) = (target.workflow_id.to_string(), id_of(&update).to_owned());
        let ticket = self
            .ask(target, |reply| Message::Update {
                request: Box::new(update),
                chain: request.first_execution_run_id,
                reply,
            })
            .await?;
        self.follow(ticket, workflow_id, update_id, wanted).await
    }

    /// Check an update, give it an id if it has none, and say which stage its caller waits for.
    pub(super) fn check_update(
        &self,
        update: Option<wire_update::Request>,
        policy: Option<&wire_update::WaitPolicy>,
    ) -> Result<(wire_update::Request, Wanted), Error> {
        let limits = &self.inner.core.options.limits.history;
        let mut update = update.unwrap_or_default();
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
        // Whoever names no stage waits for the end; only a poll can ask for the stage as it is.
        let wanted = Some(wanted(policy)?)
            .filter(|wanted| *wanted != Wanted::Unspecified)
            .unwrap_or(Wanted::Completed);
        Ok((update, wanted))
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
        let wanted_ref = request.update_ref.unwrap_or_default();
        let target = self.target(&request.namespace, wanted_ref.workflow_execution.as_ref())?;
        if wanted_ref.update_id.is_empty() {
            return Err(Error::InvalidArgument("update ID is not set on request".into()));
        }
        let wanted = wanted(request.wait_policy.as_ref())?;
        let (workflow_id, update_id) = (target.workflow_id.to_string(), wanted_ref.update_id.clone());
        let ticket = self
            .ask(target, |reply| Message::FindUpdate {
                update_id: wanted_ref.update_id,
                reply,
            })
            .await?;
        let run_id = ticket.run_id.to_string();
        let (stage, outcome) = self.reach(ticket, wanted).await?;
        Ok(wire::PollWorkflowExecutionUpdateResponse {
            outcome,
            stage: stage as i32,
            update_ref: Some(reference(workflow_id, run_id, update_id)),
        })
    }

    /// Follow an update until it has reached a stage, or the long poll is over.
    pub(super) async fn reach(
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

/// The id of a checked update.
pub(super) fn id_of(update: &wire_update::Request) -> &str {
    update.meta.as_ref().map_or("", |meta| meta.update_id.as_str())
}

pub(super) fn reference(workflow_id: String, run_id: String, update_id: String) -> wire_update::UpdateRef {
    let workflow_execution =
        Some(longhaul_engine::proto::common::v1::WorkflowExecution { workflow_id, run_id });
    wire_update::UpdateRef {
        workflow_execution,
        update_id,
    }
}
