//! A loop that works once an hour.

use std::time::Duration;

use longhaul_sdk::{
    ActivityExecutionError, ActivityOptions, ContinueAsNewOptions, TimerResult, WorkflowContext,
    WorkflowContextView, WorkflowResult, WorkflowTermination, log, workflow, workflow_methods,
};

use crate::Activities;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Processes a batch every hour, and single items whenever they come.
#[workflow]
pub(crate) struct LongRunningWorkflow {
    iteration: u64,
    total_processed: u64,
}

#[workflow_methods]
impl LongRunningWorkflow {
    /// The arguments are what the run before has reached; the first run has none.
    #[init]
    fn new(_: &WorkflowContextView, iteration: Option<u64>, total_processed: Option<u64>) -> Self {
        Self {
            iteration: iteration.unwrap_or_default(),
            total_processed: total_processed.unwrap_or_default(),
        }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        loop {
            ctx.state_mut(|state| state.iteration += 1);
            ctx.execute_activity(
                Activities::batch_process,
                (),
                ActivityOptions::start_to_close_timeout(10 * MINUTE),
            )
            .await?;

            if ctx.continue_as_new_suggested() {
                log::info!("Event history approaching limits - Continue-As-New");
                // A handler that has not ended would end with this run.
                ctx.wait_condition(|_| ctx.all_handlers_finished()).await?;
                let (iteration, total) = ctx.state(|state| (state.iteration, state.total_processed));
                ctx.continue_as_new(
                    (Some(iteration), Some(total)).into(),
                    ContinueAsNewOptions::default(),
                )?;
            }
            if ctx.timer(HOUR).await == TimerResult::Cancelled {
                return Err(WorkflowTermination::cancelled());
            }
        }
    }

    /// Process an item
    #[signal]
    async fn process_item(
        ctx: &mut WorkflowContext<Self>,
        item: String,
    ) -> Result<(), ActivityExecutionError> {
        ctx.execute_activity(
            Activities::process_item_activity,
            item,
            ActivityOptions::start_to_close_timeout(5 * MINUTE),
        )
        .await?;
        ctx.state_mut(|state| state.total_processed += 1);
        Ok(())
    }

    /// Hours, in all runs
    #[query]
    fn get_iteration(&self, _: &WorkflowContextView) -> u64 {
        self.iteration
    }

    /// Items that have been processed, in all runs
    #[query]
    fn get_total_processed(&self, _: &WorkflowContextView) -> u64 {
        self.total_processed
    }
}
