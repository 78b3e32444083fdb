//! A data pipeline whose steps are done elsewhere: an activity starts each step, a signal tells that it has ended.

use std::time::Duration;

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{
    ActivityOptions, SyncWorkflowContext, WorkflowContext, WorkflowResult, activities, log, workflow,
    workflow_methods,
};

const MINUTE: Duration = Duration::from_secs(60);

/// What the pipeline asks of other systems. It is simulated: they would answer with the signals.
struct Activities;

#[activities]
impl Activities {
    /// Ask for the validation of what was uploaded
    #[activity(name = "start_validation")]
    async fn start_validation(_: ActivityContext, data_location: String) -> Result<(), ActivityError> {
        log::info!("Validation of {data_location} is requested");
        Ok(())
    }

    /// Ask for the transformation of what was uploaded
    #[activity(name = "start_transformation")]
    async fn start_transformation(_: ActivityContext, data_location: String) -> Result<(), ActivityError> {
        log::info!("Transformation of {data_location} is requested");
        Ok(())
    }

    /// Publish the result
    #[activity(name = "finalize_pipeline")]
    async fn finalize_pipeline(_: ActivityContext, pipeline_id: String) -> Result<(), ActivityError> {
        log::info!("Pipeline {pipeline_id} is published");
        Ok(())
    }
}

fn within(limit: Duration) -> ActivityOptions {
    ActivityOptions::start_to_close_timeout(limit)
}

/// Upload, validation, transformation and publication, driven by events from outside.
#[workflow]
#[derive(Default)]
struct DataPipelineWorkflow {
    uploaded_data_location: Option<String>,
    validation_complete: bool,
    transform_complete: bool,
}

#[workflow_methods]
impl DataPipelineWorkflow {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, pipeline_id: String) -> WorkflowResult<String> {
        log::info!("Starting pipeline {pipeline_id}");
        ctx.wait_condition(|state| state.uploaded_data_location.is_some())
            .await?;
        // The wait has ended because there is one.
        let location = ctx.state(|state| state.uploaded_data_location.clone().unwrap_or_default());

        ctx.execute_activity(Activities::start_validation, location.clone(), within(5 * MINUTE))
            .await?;
        ctx.wait_condition(|state| state.validation_complete).await?;

        ctx.execute_activity(Activities::start_transformation, location, within(5 * MINUTE))
            .await?;
        ctx.wait_condition(|state| state.transform_complete).await?;

        ctx.execute_activity(
            Activities::finalize_pipeline,
            pipeline_id.clone(),
            within(10 * MINUTE),
        )
        .await?;
        Ok(format!("Pipeline {pipeline_id} completed successfully"))
    }

    /// The data have been uploaded to a location
    #[signal]
    fn notify_upload_complete(&mut self, _: &mut SyncWorkflowContext<Self>, data_location: String) {
        log::info!("Data uploaded to {data_location}");
        self.uploaded_data_location = Some(data_location);
    }

    /// The validation has ended
    #[signal]
    fn notify_validation_complete(&mut self, _: &mut SyncWorkflowContext<Self>) {
        log::info!("Validation complete");
        self.validation_complete = true;
    }

    /// The transformation has ended
    #[signal]
    fn notify_transform_complete(&mut self, _: &mut SyncWorkflowContext<Self>) {
        log::info!("Transform complete");
        self.transform_complete = true;
    }
}

longhaul_sdk::export!(DataPipelineWorkflow);
longhaul_sdk::export_activities!(Activities);
