//! The bank's ledger, and the receiver of messages. Both are simulated: the ledger keeps nothing, so it is told the last balance
//! that was written, and answers with it after a while, as a real one would.

use std::time::Duration;

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{activities, log};
use rust_decimal::Decimal;

/// How long the ledger takes. Long enough for another withdrawal to come in between.
const LATENCY: Duration = Duration::from_millis(20);

struct BankActivities;

#[activities]
impl BankActivities {
    /// Read the balance from the ledger
    #[activity(name = "get_current_balance")]
    async fn get_current_balance(_: ActivityContext, last_known: Decimal) -> Result<Decimal, ActivityError> {
        tokio::time::sleep(LATENCY).await;
        Ok(last_known)
    }

    /// Write the balance to the ledger
    #[activity(name = "update_balance")]
    async fn update_balance(_: ActivityContext, balance: Decimal) -> Result<(), ActivityError> {
        tokio::time::sleep(LATENCY).await;
        log::info!("The balance is {balance}");
        Ok(())
    }

    /// Process a message
    #[activity(name = "process_message")]
    async fn process_message(_: ActivityContext, message: String) -> Result<(), ActivityError> {
        log::info!("Processing {message}");
        Ok(())
    }
}

longhaul_sdk::export_activities!(BankActivities);
