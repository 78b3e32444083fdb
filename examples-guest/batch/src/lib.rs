//! Batches, one after the other, with a query for a dashboard. A batch that fails does not stop the others.

use std::time::{Duration, SystemTime};

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::search_attributes::Timestamp;
use longhaul_sdk::{
    ActivityExecutionError, ActivityOptions, ApplicationFailure, RetryPolicy, WorkflowContext,
    WorkflowContextView, WorkflowResult, activities, log, workflow, workflow_methods,
};
use serde::{Deserialize, Serialize};

/// Limit of one attempt of a batch.
const BATCH_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Attempts of a batch, before it counts as failed.
const MAX_ATTEMPTS: u32 = 3;
/// What a batch takes in this example.
const SIMULATED_WORK: Duration = Duration::from_millis(200);
/// In this example every batch of which the number leaves the rest 3 is damaged.
const DAMAGED_EVERY: u32 = 4;

struct Activities;

#[activities]
impl Activities {
    /// Process one batch
    #[activity(name = "process_batch")]
    async fn process_batch(_: ActivityContext, batch: u32) -> Result<(), ActivityError> {
        tokio::time::sleep(SIMULATED_WORK).await;
        if batch % DAMAGED_EVERY == DAMAGED_EVERY - 1 {
            // Nothing would be different the next time.
            let failure = ApplicationFailure::non_retryable(format!("batch {batch} is damaged"));
            return Err(ActivityError::application(failure));
        }
        log::info!("Processed batch {batch}");
        Ok(())
    }
}

/// What the query `get_dashboard_data` answers.
#[derive(Debug, Deserialize, Serialize)]
struct DashboardData {
    total_processed: u32,
    total_failed: u32,
    current_batch: u32,
    /// In seconds.
    average_processing_time: f64,
    /// In ISO 8601.
    estimated_completion: String,
}

/// Processes batches, and tells how far it has come.
#[workflow]
struct BatchProcessingWorkflow {
    total_batches: u32,
    processed: u32,
    failed: u32,
    current_batch: u32,
    /// Of all batches that have ended. A sum, so that a query need not add them up.
    processing_time: Duration,
}

impl BatchProcessingWorkflow {
    fn average(&self) -> Duration {
        self.processing_time
            .checked_div(self.processed + self.failed)
            .unwrap_or_default()
    }

    fn ended(&mut self, result: Result<(), ActivityExecutionError>, took: Duration) {
        match result {
            Ok(()) => self.processed += 1,
            Err(error) => {
                self.failed += 1;
                let reason = error.reason().map(ToString::to_string).unwrap_or_default();
                log::error!("Batch {} failed: {reason}", self.current_batch);
            }
        }
        self.processing_time += took;
    }
}

#[workflow_methods]
impl BatchProcessingWorkflow {
    #[init]
    fn new(_: &WorkflowContextView, total_batches: u32) -> Self {
        Self {
            total_batches,
            processed: 0,
            failed: 0,
            current_batch: 0,
            processing_time: Duration::ZERO,
        }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        for batch in 0..ctx.state(|state| state.total_batches) {
            ctx.state_mut(|state| state.current_batch = batch);
            let retries = RetryPolicy::builder().maximum_attempts(MAX_ATTEMPTS).build();
            let options = ActivityOptions::with_start_to_close_timeout(BATCH_TIMEOUT)
                .retry_policy(retries)
                .build();
            let start = ctx.workflow_time();
            let result = ctx
                .execute_activity(Activities::process_batch, batch, options)
                .await;
            // A cancellation is for the whole workflow, not for one batch.
            if let Err(error) = &result
                && error.as_cancelled().is_some()
            {
                result?;
                break;
            }
            let took = between(start, ctx.workflow_time());
            ctx.state_mut(|state| state.ended(result, took));
        }
        Ok(ctx.state(|state| format!("Processed {} batches, {} failed", state.processed, state.failed)))
    }

    /// Counts, average time of a batch, and when all will be done
    #[query]
    fn get_dashboard_data(&self, view: &WorkflowContextView) -> DashboardData {
        let ended = self.processed + self.failed;
        let remaining = self.total_batches.saturating_sub(ended);
        let now = view.workflow_time().unwrap_or(SystemTime::UNIX_EPOCH);
        DashboardData {
            total_processed: self.processed,
            total_failed: self.failed,
            current_batch: self.current_batch,
            average_processing_time: self.average().as_secs_f64(),
            estimated_completion: Timestamp::from(now + self.average() * remaining).to_string(),
        }
    }
}

fn between(start: Option<SystemTime>, end: Option<SystemTime>) -> Duration {
    match (start, end) {
        (Some(start), Some(end)) => end.duration_since(start).unwrap_or_default(),
        _ => Duration::ZERO,
    }
}

longhaul_sdk::export!(BatchProcessingWorkflow);
longhaul_sdk::export_activities!(Activities);
