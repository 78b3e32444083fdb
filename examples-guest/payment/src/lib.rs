//! Payments whose update id says which of them have been made, and an update that the workflow need not wait for.

use std::collections::BTreeMap;
use std::time::Duration;

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{
    ActivityExecutionError, ActivityOptions, ApplicationFailure, ContinueAsNewOptions,
    HandlerUnfinishedPolicy, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult,
    activities, log, workflow, workflow_methods,
};
use rust_decimal::Decimal;

/// Limit of one payment.
const PAYMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Limit of the optional work.
const DATA_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// What the optional work takes in this example.
const SIMULATED_WORK: Duration = Duration::from_secs(10 * 60);

struct Activities;

#[activities]
impl Activities {
    /// Charge a payment; returns the transaction's id
    #[activity(name = "charge_payment")]
    async fn charge_payment(
        _: ActivityContext,
        payment_id: String,
        amount: Decimal,
    ) -> Result<String, ActivityError> {
        log::info!("Charging {amount} for {payment_id}");
        Ok(format!("txn_{payment_id}"))
    }

    /// Work for a long time, unless it is cancelled
    #[activity(name = "process_data")]
    async fn process_data(ctx: ActivityContext, data: String) -> Result<(), ActivityError> {
        log::info!("Processing {data}");
        match tokio::time::timeout(SIMULATED_WORK, ctx.cancelled()).await {
            Ok(()) => Err(ActivityError::cancelled()),
            Err(_) => Ok(()),
        }
    }
}

/// Takes payments until it is told to finish.
#[workflow]
struct PaymentWorkflow {
    /// Transactions by the id of their update.
    results: BTreeMap<String, String>,
    payments_in_progress: u32,
    finished: bool,
}

#[workflow_methods]
impl PaymentWorkflow {
    /// The argument is what earlier runs have done; the first run has none.
    #[init]
    fn new(_: &WorkflowContextView, results: Option<BTreeMap<String, String>>) -> Self {
        Self {
            results: results.unwrap_or_default(),
            payments_in_progress: 0,
            finished: false,
        }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        // Payments are waited for, the optional update is not.
        ctx.wait_condition(|state| {
            (state.finished || ctx.continue_as_new_suggested()) && state.payments_in_progress == 0
        })
        .await?;
        if ctx.state(|state| state.finished) {
            return Ok("Completed".to_owned());
        }
        let results = ctx.state(|state| state.results.clone());
        match ctx.continue_as_new(Some(results), ContinueAsNewOptions::default())? {}
    }

    /// Make a payment; the same update id pays once and returns the same transaction, also in a later run
    #[update]
    async fn process_payment(
        ctx: &mut WorkflowContext<Self>,
        payment_id: String,
        amount: Decimal,
    ) -> Result<String, ActivityExecutionError> {
        // An update handler always has an update.
        let update_id = ctx
            .current_update_info()
            .map(|update| update.id)
            .unwrap_or_default();
        if let Some(result) = ctx.state(|state| state.results.get(&update_id).cloned()) {
            log::info!("Duplicate update: {update_id}");
            return Ok(result);
        }
        ctx.state_mut(|state| state.payments_in_progress += 1);
        let result = ctx
            .execute_activity(
                Activities::charge_payment,
                (payment_id, amount),
                ActivityOptions::start_to_close_timeout(PAYMENT_TIMEOUT),
            )
            .await;
        ctx.state_mut(|state| {
            state.payments_in_progress -= 1;
            if let Ok(transaction) = &result {
                state.results.insert(update_id, transaction.clone());
            }
        });
        result
    }

    /// Only positive amounts can be paid.
    #[update_validator(process_payment)]
    fn validate_payment(
        &self,
        _: &WorkflowContextView,
        _payment_id: &str,
        amount: &Decimal,
    ) -> Result<(), ApplicationFailure> {
        if *amount > Decimal::ZERO {
            return Ok(());
        }
        Err(ApplicationFailure::builder("Payment amount must be positive")
            .type_name("ValueError".to_owned())
            .build())
    }

    /// Work that nobody depends on: if the workflow ends first, it is abandoned
    #[update(unfinished_policy = HandlerUnfinishedPolicy::Abandon)]
    async fn optional_update(
        ctx: &mut WorkflowContext<Self>,
        data: String,
    ) -> Result<(), ActivityExecutionError> {
        ctx.execute_activity(
            Activities::process_data,
            data,
            ActivityOptions::start_to_close_timeout(DATA_TIMEOUT),
        )
        .await
    }

    /// Finish once all payments have been made
    #[signal]
    fn finish(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.finished = true;
    }

    /// Transactions by the id of their update
    #[query]
    fn get_results(&self, _: &WorkflowContextView) -> BTreeMap<String, String> {
        self.results.clone()
    }
}

longhaul_sdk::export!(PaymentWorkflow);
longhaul_sdk::export_activities!(Activities);
