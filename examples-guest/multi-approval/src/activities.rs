//! What the approval does to the world. It is simulated: a real one would send mails.

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{activities, log};

use crate::model::{ApprovalRequest, Role};

pub(crate) struct Activities;

#[activities]
impl Activities {
    /// Ask every approver for a decision
    #[activity(name = "send_approval_requests")]
    pub(crate) async fn send_approval_requests(
        _: ActivityContext,
        request: ApprovalRequest,
        approvers: Vec<Role>,
    ) -> Result<(), ActivityError> {
        log::info!("Asking {} to approve {}", names(&approvers), request.request_id);
        Ok(())
    }

    /// Tell the requester who has rejected the request
    #[activity(name = "notify_rejection")]
    pub(crate) async fn notify_rejection(
        _: ActivityContext,
        request: ApprovalRequest,
        rejected_by: Vec<Role>,
    ) -> Result<(), ActivityError> {
        log::info!(
            "Telling {} that {} was rejected by {}",
            request.requester,
            request.request_id,
            names(&rejected_by)
        );
        Ok(())
    }

    /// Do what was requested
    #[activity(name = "process_approved_request")]
    pub(crate) async fn process_approved_request(
        _: ActivityContext,
        request: ApprovalRequest,
    ) -> Result<(), ActivityError> {
        log::info!(
            "Processing {}: ${} for {}",
            request.request_id,
            request.amount,
            request.description
        );
        Ok(())
    }
}

/// Roles for people to read.
pub(crate) fn names(roles: &[Role]) -> String {
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    names.join(", ")
}
