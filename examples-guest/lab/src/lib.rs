//! The lab: a workflow that does whatever its argument says.
//!
//! The same program, played on another system, must look the same to a client; see the cases in `tests/lab`.

mod program;
mod steps;
mod text;

use longhaul_sdk::{
    ApplicationFailure, SyncWorkflowContext, WorkflowCancellationToken, WorkflowContext, WorkflowContextView,
    WorkflowResult, WorkflowTermination, workflow, workflow_methods,
};
use serde_json::Value;

use program::{Program, Step};
use steps::{Stop, run_steps};

/// A failure with a type that clients can tell from others.
fn failure(kind: &str, message: impl Into<String>) -> ApplicationFailure {
    ApplicationFailure::builder(message.into())
        .type_name(kind.to_owned())
        .build()
}

/// Runs steps for a handler. The workflow's cancellation reaches the main routine only.
async fn run_in_handler(ctx: &WorkflowContext<Lab>, steps: &[Step]) -> WorkflowResult<()> {
    match run_steps(ctx, &WorkflowCancellationToken::new(), steps).await {
        Ok(()) => Ok(()),
        Err(Stop::Ended(termination)) => Err(termination),
        Err(Stop::Return(_)) => panic!("the step `return` stands in a handler; it is for the main routine"),
    }
}

/// Does what its argument says.
#[workflow]
struct Lab {
    log: Vec<String>,
    notes: u64,
    sum: i64,
}

#[workflow_methods]
impl Lab {
    #[init]
    fn new(_: &WorkflowContextView, program: Program) -> Self {
        Self {
            log: program.parts.log,
            notes: 0,
            sum: 0,
        }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, program: Program) -> WorkflowResult<Value> {
        let program = program.parts;
        match run_steps(ctx, &ctx.cancellation_token(), &program.steps).await {
            Ok(()) => Ok(ctx.state(|lab| lab.log.clone()).into()),
            Err(Stop::Return(value)) => Ok(value),
            Err(Stop::Ended(termination)) => {
                if let Some(clean_up) = &program.on_cancel
                    && is_cancelled(&termination)
                {
                    run_in_handler(ctx, clean_up).await?;
                }
                Err(termination)
            }
        }
    }

    /// A note, which steps can wait for
    #[signal]
    fn note(&mut self, _: &mut SyncWorkflowContext<Self>, text: String) {
        self.notes += 1;
        self.log.push(format!("note:{text}"));
    }

    /// Runs steps
    #[signal(name = "run")]
    async fn signal_run(ctx: &mut WorkflowContext<Self>, steps: Vec<Step>) -> WorkflowResult<()> {
        run_in_handler(ctx, &steps).await
    }

    /// What has happened
    #[query(name = "log")]
    fn query_log(&self, _: &WorkflowContextView) -> Vec<String> {
        self.log.clone()
    }

    /// The sum of what was added
    #[query(name = "sum")]
    fn query_sum(&self, _: &WorkflowContextView) -> i64 {
        self.sum
    }

    /// Fails
    #[query(name = "fail")]
    fn query_fail(&self, _: &WorkflowContextView, message: String) -> Result<(), ApplicationFailure> {
        Err(failure("Asked", message))
    }

    /// Adds a number that is not negative; returns the sum
    #[update]
    fn add(&mut self, _: &mut SyncWorkflowContext<Self>, n: i64) -> i64 {
        self.sum += n;
        self.sum
    }

    #[update_validator(add)]
    fn validate_add(&self, _: &WorkflowContextView, n: &i64) -> Result<(), ApplicationFailure> {
        if *n < 0 {
            return Err(failure("Refused", "negative"));
        }
        Ok(())
    }

    /// Runs steps; returns the length of the log
    #[update(name = "run")]
    async fn update_run(ctx: &mut WorkflowContext<Self>, steps: Vec<Step>) -> WorkflowResult<usize> {
        run_in_handler(ctx, &steps).await?;
        Ok(ctx.state(|lab| lab.log.len()))
    }

    /// Fails
    #[update(name = "fail")]
    async fn update_fail(_: &mut WorkflowContext<Self>, message: String) -> Result<(), ApplicationFailure> {
        Err(failure("Asked", message))
    }
}

/// Has the main routine ended because something was cancelled?
fn is_cancelled(termination: &WorkflowTermination) -> bool {
    match termination {
        WorkflowTermination::Cancelled { .. } => true,
        WorkflowTermination::Failed(error) => error.as_cancelled().is_some(),
        WorkflowTermination::ContinueAsNew(_) => false,
    }
}

longhaul_sdk::export!(Lab);
