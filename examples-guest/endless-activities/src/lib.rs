//! The activities of `endless`, simulated.

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{activities, log};

struct EndlessActivities;

#[activities]
impl EndlessActivities {
    /// The work of one hour
    #[activity(name = "batch_process")]
    async fn batch_process(_: ActivityContext) -> Result<(), ActivityError> {
        log::info!("Processing the batch");
        Ok(())
    }

    /// Process one item
    #[activity(name = "process_item_activity")]
    async fn process_item_activity(_: ActivityContext, item: String) -> Result<(), ActivityError> {
        log::info!("Processing {item}");
        Ok(())
    }

    /// Charge a payment; returns the receipt
    #[activity(name = "charge_payment")]
    async fn charge_payment(_: ActivityContext, payment_id: String) -> Result<String, ActivityError> {
        log::info!("Charging {payment_id}");
        Ok(format!("receipt_{payment_id}"))
    }
}

longhaul_sdk::export_activities!(EndlessActivities);
