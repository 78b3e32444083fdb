//! Four activities in a row, each of which waits for an event from outside: a signal says how far the workflow may go.

use std::time::Duration;

use longhaul_sdk::activities::ActivityError;
use longhaul_sdk::{
    ActivityOptions, SyncWorkflowContext, WorkflowContext, WorkflowResult, activity_definitions, log,
    workflow, workflow_methods,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The activities, which another component defines: see `stages-activities`.
struct Activities;

#[activity_definitions]
impl Activities {
    #[activity(name = "my_activity_1")]
    fn my_activity_1() -> Result<(), ActivityError> {
        unimplemented!()
    }

    #[activity(name = "my_activity_2")]
    fn my_activity_2() -> Result<(), ActivityError> {
        unimplemented!()
    }

    #[activity(name = "my_activity_3")]
    fn my_activity_3() -> Result<(), ActivityError> {
        unimplemented!()
    }

    #[activity(name = "my_activity_4")]
    fn my_activity_4() -> Result<(), ActivityError> {
        unimplemented!()
    }
}

fn within(limit: Duration) -> ActivityOptions {
    ActivityOptions::start_to_close_timeout(limit)
}

/// Four activities, each after a signal but the first.
#[workflow]
#[derive(Default)]
struct MyWorkflow {
    stage: i64,
}

#[workflow_methods]
impl MyWorkflow {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        log::info!("Executing activity 1");
        ctx.execute_activity(Activities::my_activity_1, (), within(45 * SECOND))
            .await?;
        log::info!("Finished activity 1");

        ctx.wait_condition(|state| state.stage > 0).await?;
        log::info!("Executing activity 2");
        ctx.execute_activity(Activities::my_activity_2, (), within(30 * SECOND))
            .await?;
        log::info!("Finished activity 2");

        ctx.wait_condition(|state| state.stage > 1).await?;
        log::info!("Executing activity 3");
        ctx.execute_activity(Activities::my_activity_3, (), within(15 * MINUTE))
            .await?;
        log::info!("Finished activity 3");

        ctx.wait_condition(|state| state.stage > 2).await?;
        log::info!("Executing activity 4");
        ctx.execute_activity(Activities::my_activity_4, (), within(2 * HOUR))
            .await?;
        log::info!("Finished activity 4");
        Ok(())
    }

    /// Let the workflow go on up to a stage: 1, 2 or 3
    #[signal]
    fn advance_stage(&mut self, _: &mut SyncWorkflowContext<Self>, stage: i64) {
        self.stage = stage;
    }
}

longhaul_sdk::export!(MyWorkflow);
