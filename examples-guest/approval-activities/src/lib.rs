//! What an expense approval does to the world. It is simulated: a real one would send mails and pay the money back.

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{activities, log};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
struct ExpenseRequest {
    request_id: String,
    employee: String,
    amount: Decimal,
    description: String,
    category: String,
}

struct ApprovalActivities;

#[activities]
impl ApprovalActivities {
    /// Ask the manager for a decision
    #[activity(name = "send_approval_notification")]
    async fn send_approval_notification(
        _: ActivityContext,
        request: ExpenseRequest,
    ) -> Result<(), ActivityError> {
        log::info!(
            "Asking for approval of {}: ${} for {} by {}",
            request.request_id,
            request.amount,
            request.description,
            request.employee
        );
        Ok(())
    }

    /// Pay the expense
    #[activity(name = "process_approved_expense")]
    async fn process_approved_expense(
        _: ActivityContext,
        request: ExpenseRequest,
    ) -> Result<(), ActivityError> {
        log::info!(
            "Paying ${} ({}) to {}",
            request.amount,
            request.category,
            request.employee
        );
        Ok(())
    }

    /// Tell the employee why not
    #[activity(name = "notify_rejection")]
    async fn notify_rejection(
        _: ActivityContext,
        request: ExpenseRequest,
        comment: String,
    ) -> Result<(), ActivityError> {
        log::info!(
            "Telling {} that {} was rejected: {comment}",
            request.employee,
            request.request_id
        );
        Ok(())
    }
}

longhaul_sdk::export_activities!(ApprovalActivities);
