//! Messages that are processed one after the other, because the main routine takes them from a queue.

use std::time::Duration;

use longhaul_sdk::workflows::Queue;
use longhaul_sdk::{
    ActivityOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, log,
    workflow, workflow_methods,
};

use crate::Activities;

/// Messages that may wait.
const CAPACITY: usize = 1_000;
/// Limit of one message.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Processes messages in the order in which they came, without a lock.
#[workflow]
pub(crate) struct QueueBasedWorkflow {
    message_queue: Queue<String>,
    processed: u64,
    should_shutdown: bool,
}

#[workflow_methods]
impl QueueBasedWorkflow {
    #[init]
    fn new(_: &WorkflowContextView) -> Self {
        Self {
            message_queue: Queue::new(CAPACITY),
            processed: 0,
            should_shutdown: false,
        }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let queue = ctx.state(|state| state.message_queue.clone());
        loop {
            ctx.wait_condition(|state| !state.message_queue.is_empty() || state.should_shutdown)
                .await?;
            // What came before the shutdown is processed, too.
            let Some(message) = queue.try_pop() else {
                return Ok(());
            };
            ctx.execute_activity(
                Activities::process_message,
                message,
                ActivityOptions::start_to_close_timeout(MESSAGE_TIMEOUT),
            )
            .await?;
            ctx.state_mut(|state| state.processed += 1);
        }
    }

    /// Add a message; it is dropped where 1,000 wait
    #[signal]
    fn add_message(&mut self, _: &mut SyncWorkflowContext<Self>, message: String) {
        if let Err(message) = self.message_queue.try_push(message) {
            log::warn!("Queue full, dropping message {message}");
        }
    }

    /// End once all messages have been processed
    #[signal]
    fn shutdown(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.should_shutdown = true;
    }

    /// How many messages have been processed
    #[query]
    fn get_processed(&self, _: &WorkflowContextView) -> u64 {
        self.processed
    }
}
