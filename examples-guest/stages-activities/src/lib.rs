//! The activities of `stages`. A real one would ask another system for something that it announces later by a signal.

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{activities, log};

struct StageActivities;

#[activities]
impl StageActivities {
    /// First stage
    #[activity(name = "my_activity_1")]
    async fn my_activity_1(ctx: ActivityContext) -> Result<(), ActivityError> {
        run(&ctx)
    }

    /// Second stage
    #[activity(name = "my_activity_2")]
    async fn my_activity_2(ctx: ActivityContext) -> Result<(), ActivityError> {
        run(&ctx)
    }

    /// Third stage
    #[activity(name = "my_activity_3")]
    async fn my_activity_3(ctx: ActivityContext) -> Result<(), ActivityError> {
        run(&ctx)
    }

    /// Fourth stage
    #[activity(name = "my_activity_4")]
    async fn my_activity_4(ctx: ActivityContext) -> Result<(), ActivityError> {
        run(&ctx)
    }
}

fn run(ctx: &ActivityContext) -> Result<(), ActivityError> {
    let info = ctx.info();
    let workflow = info.workflow_id.as_deref().unwrap_or_default();
    log::info!("{} of {workflow}, attempt {}", info.activity_type, info.attempt);
    Ok(())
}

longhaul_sdk::export_activities!(StageActivities);
