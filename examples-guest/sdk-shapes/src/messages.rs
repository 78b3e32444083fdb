//! A signal, a query, an update with a validator, and a wait for what they change.

use longhaul_sdk::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};

/// Ends when it is warm enough.
#[workflow]
#[derive(Default)]
pub struct Thermostat {
    degrees: i32,
}

#[workflow_methods]
impl Thermostat {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, wanted: i32) -> WorkflowResult<i32> {
        ctx.wait_condition(|s| s.degrees >= wanted).await?;
        Ok(ctx.state(|s| s.degrees))
    }

    /// Heat or cool
    #[signal]
    pub fn heat(&mut self, _ctx: &mut SyncWorkflowContext<Self>, degrees: i32) {
        self.degrees += degrees;
    }

    /// How warm is it?
    #[query]
    pub fn read(&self, _ctx: &WorkflowContextView) -> i32 {
        self.degrees
    }

    #[update_validator(set)]
    fn validate_set(
        &self,
        _ctx: &WorkflowContextView,
        degrees: &i32,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if *degrees < -273 {
            return Err("colder than possible".into());
        }
        Ok(())
    }

    /// Set the temperature; returns the one before
    #[update]
    pub fn set(&mut self, _ctx: &mut SyncWorkflowContext<Self>, degrees: i32) -> i32 {
        std::mem::replace(&mut self.degrees, degrees)
    }
}
