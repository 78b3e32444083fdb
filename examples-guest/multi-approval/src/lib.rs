//! A request that one, two or three people approve, by its amount. Workflow and activities are one component.

mod activities;
mod model;

use std::collections::BTreeMap;
use std::time::Duration;

use longhaul_sdk::{
    ActivityOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, log,
    workflow, workflow_methods,
};
use rust_decimal::Decimal;

use activities::{Activities, names};
use model::{ApprovalDecision, ApprovalRequest, Role};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// From here on a director has to approve, too.
const DIRECTOR_AMOUNT: u32 = 1_000;
/// From here on a vice president has to approve, too.
const VP_AMOUNT: u32 = 10_000;

fn required_approvers(amount: Decimal) -> Vec<Role> {
    if amount < Decimal::from(DIRECTOR_AMOUNT) {
        vec![Role::Manager]
    } else if amount < Decimal::from(VP_AMOUNT) {
        vec![Role::Manager, Role::Director]
    } else {
        vec![Role::Manager, Role::Director, Role::Vp]
    }
}

fn within(limit: Duration) -> ActivityOptions {
    ActivityOptions::start_to_close_timeout(limit)
}

/// Approval on several levels, by the amount, within 14 days.
#[workflow]
struct MultiLevelApprovalWorkflow {
    request: ApprovalRequest,
    required_approvers: Vec<Role>,
    approvals: BTreeMap<Role, ApprovalDecision>,
}

impl MultiLevelApprovalWorkflow {
    fn decide(&mut self, role: Role, decision: ApprovalDecision) {
        if !self.required_approvers.contains(&role) {
            log::warn!("{} has nothing to approve here", role.as_str());
            return;
        }
        log::info!(
            "{} decision of {}, at {}: approved {} ({})",
            role.as_str(),
            decision.approver,
            decision.timestamp,
            decision.approved,
            decision.comment
        );
        self.approvals.insert(role, decision);
    }

    fn rejected_by(&self) -> Vec<Role> {
        let rejections = self.approvals.iter().filter(|(_, decision)| !decision.approved);
        rejections.map(|(role, _)| *role).collect()
    }
}

#[workflow_methods]
impl MultiLevelApprovalWorkflow {
    /// Who has to approve is known before the first query or signal is handled.
    #[init]
    fn new(_: &WorkflowContextView, request: ApprovalRequest) -> Self {
        Self {
            required_approvers: required_approvers(request.amount),
            approvals: BTreeMap::new(),
            request,
        }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let (request, required) =
            ctx.state(|state| (state.request.clone(), state.required_approvers.clone()));
        log::info!(
            "Request {} requires approval from: {}",
            request.request_id,
            names(&required)
        );
        ctx.execute_activity(
            Activities::send_approval_requests,
            (request.clone(), required.clone()),
            within(5 * MINUTE),
        )
        .await?;

        let complete = ctx
            .wait_condition_timeout(
                |state| state.approvals.len() == state.required_approvers.len(),
                14 * DAY,
            )
            .await?;
        if !complete {
            return Ok(format!(
                "Approval timeout - only {} of {} approvals received",
                ctx.state(|state| state.approvals.len()),
                required.len()
            ));
        }

        let rejected_by = ctx.state(Self::rejected_by);
        if rejected_by.is_empty() {
            ctx.execute_activity(Activities::process_approved_request, request, within(10 * MINUTE))
                .await?;
            Ok(format!(
                "Request approved by all {} approvers and processed successfully",
                required.len()
            ))
        } else {
            let answer = format!("Request rejected by: {}", names(&rejected_by));
            ctx.execute_activity(
                Activities::notify_rejection,
                (request, rejected_by),
                within(5 * MINUTE),
            )
            .await?;
            Ok(answer)
        }
    }

    /// Decision of the manager
    #[signal]
    fn approve_manager(&mut self, _: &mut SyncWorkflowContext<Self>, decision: ApprovalDecision) {
        self.decide(Role::Manager, decision);
    }

    /// Decision of the director
    #[signal]
    fn approve_director(&mut self, _: &mut SyncWorkflowContext<Self>, decision: ApprovalDecision) {
        self.decide(Role::Director, decision);
    }

    /// Decision of the vice president
    #[signal]
    fn approve_vp(&mut self, _: &mut SyncWorkflowContext<Self>, decision: ApprovalDecision) {
        self.decide(Role::Vp, decision);
    }

    /// What each of the required approvers has decided: pending, approved or rejected
    #[query]
    fn get_approval_status(&self, _: &WorkflowContextView) -> BTreeMap<Role, String> {
        let status = |role| match self.approvals.get(&role) {
            None => "pending",
            Some(decision) if decision.approved => "approved",
            Some(_) => "rejected",
        };
        let required = self.required_approvers.iter();
        required.map(|role| (*role, status(*role).to_owned())).collect()
    }

    /// Have all required approvers approved?
    #[query]
    fn is_fully_approved(&self, _: &WorkflowContextView) -> bool {
        let mut required = self.required_approvers.iter();
        required.all(|role| self.approvals.get(role).is_some_and(|decision| decision.approved))
    }
}

longhaul_sdk::export!(MultiLevelApprovalWorkflow);
longhaul_sdk::export_activities!(Activities);
