//! An account from which several callers withdraw at the same time.

use std::time::Duration;

use longhaul_sdk::workflows::Mutex;
use longhaul_sdk::{
    ActivityOptions, ApplicationFailure, SyncWorkflowContext, WorkflowContext, WorkflowContextView,
    WorkflowResult, workflow, workflow_methods,
};
use rust_decimal::Decimal;

use crate::Activities;

/// What a new account holds.
const OPENING_BALANCE: u32 = 1_000;
/// The largest withdrawal.
const DAILY_LIMIT: u32 = 10_000;

fn within_10_seconds() -> ActivityOptions {
    ActivityOptions::start_to_close_timeout(Duration::from_secs(10))
}

/// The failure that clients see as a `ValueError`.
fn value_error(message: impl Into<String>) -> ApplicationFailure {
    ApplicationFailure::builder(message.into())
        .type_name("ValueError".to_owned())
        .build()
}

/// Decimals with two digits behind the point, as a statement of account has them.
fn cents(amount: Decimal) -> Decimal {
    let mut amount = amount;
    amount.rescale(2);
    amount
}

/// A bank account. Withdrawals read the balance, wait, and write it: a lock lets one at a time do so.
#[workflow]
pub(crate) struct BankAccountWorkflow {
    lock: Mutex,
    balance: Decimal,
    closed: bool,
}

#[workflow_methods]
impl BankAccountWorkflow {
    #[init]
    fn new(_: &WorkflowContextView) -> Self {
        Self {
            lock: Mutex::new(),
            balance: cents(Decimal::from(OPENING_BALANCE)),
            closed: false,
        }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Decimal> {
        // A withdrawal that has begun ends, and its caller is told.
        ctx.wait_condition(|account| account.closed && ctx.all_handlers_finished())
            .await?;
        Ok(ctx.state(|account| account.balance))
    }

    /// Withdraw an amount; returns the new balance
    #[update]
    async fn withdraw(
        ctx: &mut WorkflowContext<Self>,
        amount: Decimal,
    ) -> Result<Decimal, Box<dyn std::error::Error + Send + Sync>> {
        let lock = ctx.state(|account| account.lock.clone());
        let _guard = lock.lock().await;
        let last_known = ctx.state(|account| account.balance);
        let current = ctx
            .execute_activity(Activities::get_current_balance, last_known, within_10_seconds())
            .await?;
        if current < amount {
            return Err(value_error("Insufficient funds").into());
        }
        let balance = cents(current - amount);
        ctx.state_mut(|account| account.balance = balance);
        ctx.execute_activity(Activities::update_balance, balance, within_10_seconds())
            .await?;
        Ok(balance)
    }

    /// Amounts are positive and within the daily limit.
    #[update_validator(withdraw)]
    fn validate_withdraw(&self, _: &WorkflowContextView, amount: &Decimal) -> Result<(), ApplicationFailure> {
        if self.closed {
            return Err(value_error("Account is closed"));
        }
        if *amount <= Decimal::ZERO {
            return Err(value_error("Amount must be positive"));
        }
        if *amount > Decimal::from(DAILY_LIMIT) {
            return Err(value_error("Amount exceeds daily limit"));
        }
        Ok(())
    }

    /// The balance
    #[query]
    fn get_balance(&self, _: &WorkflowContextView) -> Decimal {
        self.balance
    }

    /// Close the account; the balance is the workflow's result
    #[signal]
    fn close(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.closed = true;
    }
}
