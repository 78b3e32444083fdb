//! An expense that a person approves or rejects, and that is rejected by itself when nobody does so for a week.

use std::time::Duration;

use longhaul_sdk::activities::ActivityError;
use longhaul_sdk::{
    ActivityOptions, SyncWorkflowContext, WorkflowContext, WorkflowResult, activity_definitions, log,
    workflow, workflow_methods,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is to be approved.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct ExpenseRequest {
    request_id: String,
    employee: String,
    amount: Decimal,
    description: String,
    category: String,
}

/// The activities, which another component defines: see `approval-activities`.
struct Activities;

#[activity_definitions]
impl Activities {
    #[activity(name = "send_approval_notification")]
    fn send_approval_notification(request: ExpenseRequest) -> Result<(), ActivityError> {
        unimplemented!()
    }

    #[activity(name = "process_approved_expense")]
    fn process_approved_expense(request: ExpenseRequest) -> Result<(), ActivityError> {
        unimplemented!()
    }

    #[activity(name = "notify_rejection")]
    fn notify_rejection(request: ExpenseRequest, comment: String) -> Result<(), ActivityError> {
        unimplemented!()
    }
}

fn within(limit: Duration) -> ActivityOptions {
    ActivityOptions::start_to_close_timeout(limit)
}

#[derive(Clone, Debug)]
struct ApprovalDecision {
    approved: bool,
    approver: String,
    comment: String,
}

/// Approval of an expense by a manager, within a week.
#[workflow]
#[derive(Default)]
struct ExpenseApprovalWorkflow {
    decision: Option<ApprovalDecision>,
}

impl ExpenseApprovalWorkflow {
    /// The first decision counts: a second one may come before the workflow has acted on the first.
    fn decide(&mut self, decision: ApprovalDecision) {
        match &self.decision {
            None => self.decision = Some(decision),
            Some(first) => log::warn!(
                "{} has decided; {} comes too late",
                first.approver,
                decision.approver
            ),
        }
    }
}

#[workflow_methods]
impl ExpenseApprovalWorkflow {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, request: ExpenseRequest) -> WorkflowResult<String> {
        ctx.execute_activity(
            Activities::send_approval_notification,
            request.clone(),
            within(5 * MINUTE),
        )
        .await?;

        ctx.wait_condition_timeout(|state| state.decision.is_some(), 7 * DAY)
            .await?;
        let decision = ctx.state_mut(|state| {
            let timeout = || ApprovalDecision {
                approved: false,
                approver: "system".to_owned(),
                comment: "Approval timeout - automatically rejected".to_owned(),
            };
            state.decision.get_or_insert_with(timeout).clone()
        });

        if decision.approved {
            let amount = request.amount;
            ctx.execute_activity(Activities::process_approved_expense, request, within(10 * MINUTE))
                .await?;
            Ok(format!("Expense ${amount} approved by {}", decision.approver))
        } else {
            ctx.execute_activity(
                Activities::notify_rejection,
                (request, decision.comment.clone()),
                within(5 * MINUTE),
            )
            .await?;
            Ok(format!("Expense rejected: {}", decision.comment))
        }
    }

    /// Approve the expense; the comment may be left out
    #[signal]
    fn approve(&mut self, _: &mut SyncWorkflowContext<Self>, approver: String, comment: Option<String>) {
        self.decide(ApprovalDecision {
            approved: true,
            approver,
            comment: comment.unwrap_or_default(),
        });
    }

    /// Reject the expense, and say why
    #[signal]
    fn reject(&mut self, _: &mut SyncWorkflowContext<Self>, approver: String, reason: String) {
        self.decide(ApprovalDecision {
            approved: false,
            approver,
            comment: reason,
        });
    }
}

longhaul_sdk::export!(ExpenseApprovalWorkflow);
