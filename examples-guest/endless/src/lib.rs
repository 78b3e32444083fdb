//! Workflows that run for ever: before its history grows too long, each goes on as a new run.

mod hourly;
mod idempotent;

use longhaul_sdk::activities::ActivityError;
use longhaul_sdk::activity_definitions;

use hourly::LongRunningWorkflow;
use idempotent::IdempotentWorkflow;

/// The activities, which another component defines: see `endless-activities`.
struct Activities;

#[activity_definitions]
impl Activities {
    #[activity(name = "batch_process")]
    fn batch_process() -> Result<(), ActivityError> {
        unimplemented!()
    }

    #[activity(name = "process_item_activity")]
    fn process_item_activity(item: String) -> Result<(), ActivityError> {
        unimplemented!()
    }

    #[activity(name = "charge_payment")]
    fn charge_payment(payment_id: String) -> Result<String, ActivityError> {
        unimplemented!()
    }
}

longhaul_sdk::export!(LongRunningWorkflow, IdempotentWorkflow);
