//! A migration whose progress callers await, instead of asking for it again and again.

use std::time::Duration;

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{
    ActivityOptions, WorkflowCancellationError, WorkflowContext, WorkflowContextView, WorkflowResult,
    activities, log, workflow, workflow_methods,
};

/// Limit of one record.
const RECORD_TIMEOUT: Duration = Duration::from_secs(30);
/// What a record takes in this example.
const SIMULATED_WORK: Duration = Duration::from_millis(20);

struct Activities;

#[activities]
impl Activities {
    /// Migrate one record
    #[activity(name = "migrate_record")]
    async fn migrate_record(_: ActivityContext, record: u64) -> Result<(), ActivityError> {
        tokio::time::sleep(SIMULATED_WORK).await;
        log::debug!("Migrated record {record}");
        Ok(())
    }
}

/// Migrates records, one after the other.
#[workflow]
#[derive(Default)]
struct DataMigrationWorkflow {
    progress: u64,
    completed: bool,
}

#[workflow_methods]
impl DataMigrationWorkflow {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, total_records: u64) -> WorkflowResult<String> {
        // A line for each tenth; for each record where there are fewer than ten.
        let tenth = (total_records / 10).max(1);
        for record in 0..total_records {
            ctx.execute_activity(
                Activities::migrate_record,
                record,
                ActivityOptions::start_to_close_timeout(RECORD_TIMEOUT),
            )
            .await?;
            let progress = record + 1;
            ctx.state_mut(|state| state.progress = progress);
            if progress % tenth == 0 {
                log::info!("Progress: {}%", progress * 100 / total_records);
            }
        }
        ctx.state_mut(|state| state.completed = true);
        // Whoever still waits is answered before the end: an update that the end overtakes fails.
        ctx.wait_condition(|_| ctx.all_handlers_finished()).await?;
        Ok(format!("Migrated {total_records} records"))
    }

    /// Wait until so many records have been migrated, or there are no more; returns how many
    #[update]
    async fn wait_for_progress(
        ctx: &mut WorkflowContext<Self>,
        min_progress: u64,
    ) -> Result<u64, WorkflowCancellationError> {
        ctx.wait_condition(|state| state.progress >= min_progress || state.completed)
            .await?;
        Ok(ctx.state(|state| state.progress))
    }

    /// How many records have been migrated
    #[query]
    fn get_current_progress(&self, _: &WorkflowContextView) -> u64 {
        self.progress
    }
}

longhaul_sdk::export!(DataMigrationWorkflow);
longhaul_sdk::export_activities!(Activities);
