//! A test subject: a workflow with the mistakes that people make with messages. The host has to bear them, and to say what to do
//! instead.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use longhaul_sdk::{
    BaseWorkflowContext, HandlerUnfinishedPolicy, SyncWorkflowContext, WorkflowContext, WorkflowContextView,
    WorkflowResult, log, workflow, workflow_methods,
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Makes mistakes.
#[workflow]
#[derive(Default)]
struct AntiPatternWorkflow {
    /// Set in `run`, although handlers need it: too late for a message that comes first.
    name: Option<String>,
    /// What a query counts, although it must not change anything.
    counter: Cell<u32>,
    /// A context that a query uses, although it has none.
    context: RefCell<Option<BaseWorkflowContext>>,
    items: usize,
    finished: bool,
}

#[workflow_methods]
impl AntiPatternWorkflow {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<String> {
        let base: BaseWorkflowContext = (***ctx).clone();
        ctx.state_mut(|state| {
            state.name = Some(name);
            state.context = RefCell::new(Some(base));
        });
        // The end does not wait for handlers.
        ctx.wait_condition(|state| state.finished).await?;
        Ok("Done".to_owned())
    }

    /// Reads state that only `run` sets
    #[signal]
    fn approve(&mut self, _: &mut SyncWorkflowContext<Self>) {
        let name = self.name.as_deref().expect("the name is not set");
        log::info!("{name} is approved");
    }

    /// Changes state in a query
    #[query]
    fn get_and_increment_counter(&self, _: &WorkflowContextView) -> u32 {
        self.counter.set(self.counter.get() + 1);
        self.counter.get()
    }

    /// Starts a timer in a query
    #[query]
    fn get_external_data(&self, _: &WorkflowContextView) -> String {
        if let Some(context) = &*self.context.borrow() {
            drop(context.timer(HOUR));
        }
        "data".to_owned()
    }

    /// Is still running when the workflow ends
    #[update]
    async fn slow_update(ctx: &mut WorkflowContext<Self>) -> bool {
        ctx.timer(HOUR).await;
        true
    }

    /// Is still running when the workflow ends
    #[signal]
    async fn slow_signal(ctx: &mut WorkflowContext<Self>) {
        ctx.timer(HOUR).await;
    }

    /// Is still running when the workflow ends, which nobody minds
    #[signal(unfinished_policy = HandlerUnfinishedPolicy::Abandon)]
    async fn abandoned_signal(ctx: &mut WorkflowContext<Self>) {
        ctx.timer(HOUR).await;
    }

    /// One of very many items
    #[signal]
    fn process_item(&mut self, _: &mut SyncWorkflowContext<Self>, _item: String) {
        self.items += 1;
    }

    /// The right way: many items at once
    #[signal]
    fn process_batch(&mut self, _: &mut SyncWorkflowContext<Self>, items: Vec<String>) {
        self.items += items.len();
    }

    /// How many items came
    #[query]
    fn get_items(&self, _: &WorkflowContextView) -> usize {
        self.items
    }

    /// What people ask in a loop
    #[query]
    fn get_status(&self, _: &WorkflowContextView) -> String {
        let status = if self.finished { "completed" } else { "running" };
        status.to_owned()
    }

    /// End at once
    #[signal]
    fn finish(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.finished = true;
    }
}

longhaul_sdk::export!(AntiPatternWorkflow);
