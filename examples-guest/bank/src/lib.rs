//! Two ways to let handlers that run concurrently change one thing: a lock, and a queue.

mod account;
mod queue;

use longhaul_sdk::activities::ActivityError;
use longhaul_sdk::activity_definitions;
use rust_decimal::Decimal;

use account::BankAccountWorkflow;
use queue::QueueBasedWorkflow;

/// The activities, which another component defines: see `bank-activities`.
struct Activities;

#[activity_definitions]
impl Activities {
    #[activity(name = "get_current_balance")]
    fn get_current_balance(last_known: Decimal) -> Result<Decimal, ActivityError> {
        unimplemented!()
    }

    #[activity(name = "update_balance")]
    fn update_balance(balance: Decimal) -> Result<(), ActivityError> {
        unimplemented!()
    }

    #[activity(name = "process_message")]
    fn process_message(message: String) -> Result<(), ActivityError> {
        unimplemented!()
    }
}

longhaul_sdk::export!(BankAccountWorkflow, QueueBasedWorkflow);
