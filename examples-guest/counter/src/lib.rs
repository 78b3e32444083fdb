//! A workflow that adds what it is sent: the smallest one with a signal, a query and an update.

use longhaul_sdk::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};

/// Adds values until it is told to finish; its result is the total.
#[workflow]
#[derive(Default)]
struct Counter {
    values: Vec<i64>,
    total: i64,
    finished: bool,
}

impl Counter {
    fn push(&mut self, value: i64) {
        self.values.push(value);
        self.total += value;
    }
}

#[workflow_methods]
impl Counter {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<i64> {
        ctx.wait_condition(|counter| counter.finished).await?;
        Ok(ctx.state(|counter| counter.total))
    }

    /// Add a value.
    #[signal]
    fn add(&mut self, _: &mut SyncWorkflowContext<Self>, value: i64) {
        self.push(value);
    }

    /// Finish with the total as the result.
    #[signal]
    fn finish(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.finished = true;
    }

    /// Every value in the order in which it was added.
    #[query]
    fn all(&self, _: &WorkflowContextView) -> Vec<i64> {
        self.values.clone()
    }

    /// The total.
    #[query]
    fn total(&self, _: &WorkflowContextView) -> i64 {
        self.total
    }

    /// Add a value and return the total.
    #[update]
    fn add_and_get(&mut self, _: &mut SyncWorkflowContext<Self>, value: i64) -> i64 {
        self.push(value);
        self.total
    }
}

longhaul_sdk::export!(Counter);
