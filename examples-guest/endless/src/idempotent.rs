//! Payments that are made once, whichever run their update reaches.

use std::collections::VecDeque;
use std::time::Duration;

use longhaul_sdk::{
    ActivityExecutionError, ActivityOptions, ContinueAsNewOptions, WorkflowContext, WorkflowContextView,
    WorkflowResult, log, workflow, workflow_methods,
};

use crate::Activities;

/// Ids that are remembered, the newest. A caller must not repeat an update after so many others.
const REMEMBERED: usize = 1_000;
/// Limit of one payment.
const PAYMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Takes payments for ever.
#[workflow]
pub(crate) struct IdempotentWorkflow {
    /// Ids of updates that have been processed, the oldest first. Within one run the server knows them; the next run would not.
    processed_update_ids: VecDeque<String>,
}

#[workflow_methods]
impl IdempotentWorkflow {
    /// The argument is what the run before has processed; the first run has none.
    #[init]
    fn new(_: &WorkflowContextView, processed_update_ids: Option<VecDeque<String>>) -> Self {
        Self {
            processed_update_ids: processed_update_ids.unwrap_or_default(),
        }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        // The run is looked at again with each update, and only updates make its history longer.
        ctx.wait_condition(|_| ctx.continue_as_new_suggested() && ctx.all_handlers_finished())
            .await?;
        let processed = ctx.state(|state| state.processed_update_ids.clone());
        match ctx.continue_as_new(Some(processed), ContinueAsNewOptions::default())? {}
    }

    /// Make a payment; returns its receipt, or "already_processed"
    #[update]
    async fn process_payment(
        ctx: &mut WorkflowContext<Self>,
        payment_id: String,
    ) -> Result<String, ActivityExecutionError> {
        // An update handler always has an update.
        let update_id = ctx
            .current_update_info()
            .map(|update| update.id)
            .unwrap_or_default();
        if ctx.state(|state| state.processed_update_ids.contains(&update_id)) {
            log::info!("Skipping duplicate update: {update_id}");
            return Ok("already_processed".to_owned());
        }
        let receipt = ctx
            .execute_activity(
                Activities::charge_payment,
                payment_id,
                ActivityOptions::start_to_close_timeout(PAYMENT_TIMEOUT),
            )
            .await?;
        ctx.state_mut(|state| {
            if state.processed_update_ids.len() == REMEMBERED {
                state.processed_update_ids.pop_front();
            }
            state.processed_update_ids.push_back(update_id);
        });
        Ok(receipt)
    }

    /// How many ids are remembered
    #[query]
    fn get_processed_count(&self, _: &WorkflowContextView) -> usize {
        self.processed_update_ids.len()
    }
}
