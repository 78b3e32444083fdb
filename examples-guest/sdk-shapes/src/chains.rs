//! More than one execution: children, and a workflow that continues as new.

use std::time::Duration;

use longhaul_sdk::{
    ChildWorkflowOptions, ContinueAsNewOptions, WorkflowContext, WorkflowResult, workflow, workflow_methods,
};

/// A child that greets one person.
#[workflow]
#[derive(Default)]
pub struct Greeting;

#[workflow_methods]
impl Greeting {
    #[run(name = "GreetOne")]
    pub async fn run(_ctx: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<String> {
        Ok(format!("Good evening, {name}"))
    }
}

/// A parent that greets everybody, one child after the other.
#[workflow]
#[derive(Default)]
pub struct Household;

#[workflow_methods]
impl Household {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, names: Vec<String>) -> WorkflowResult<Vec<String>> {
        let mut greetings = Vec::new();
        for (number, name) in names.iter().enumerate() {
            let child = ctx
                .start_child_workflow(
                    Greeting::run,
                    name.clone(),
                    ChildWorkflowOptions::workflow_id(format!("{}-{number}", ctx.workflow_id())),
                )
                .await?;
            greetings.push(child.result().await?);
        }
        Ok(greetings)
    }
}

/// Counts down, each number in a run of its own.
#[workflow]
#[derive(Default)]
pub struct Countdown;

#[workflow_methods]
impl Countdown {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, input: (u32, u32)) -> WorkflowResult<String> {
        let (left, from) = input;
        ctx.timer(Duration::from_millis(5)).await;
        if left > 0 {
            ctx.continue_as_new((left - 1, from), ContinueAsNewOptions::default())?;
        }
        Ok(format!("counted down from {from}"))
    }
}
