//! The other extreme: a workflow that takes every message.

use std::time::UNIX_EPOCH;

use longhaul_sdk::{
    MessageSender, SyncWorkflowContext, WaitSignalError, WorkflowContext, WorkflowContextView, workflow,
    workflow_methods,
};

/// Waits for a signal that it has declared nowhere, and keeps what it is told of every message.
#[workflow(dynamic)]
#[derive(Default)]
pub(crate) struct Open {
    letters: Vec<String>,
    facts: Vec<String>,
}

#[workflow_methods]
impl Open {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> Result<String, WaitSignalError> {
        let signal = ctx.wait_signal::<String>("undeclared").await?;
        Ok(signal.value)
    }

    #[signal]
    fn letter(&mut self, ctx: &mut SyncWorkflowContext<Self>) {
        let Some(message) = ctx.current_message_info() else {
            return;
        };
        let sender = match &message.sender {
            MessageSender::Client(identity) => format!("client {identity}"),
            MessageSender::Workflow { workflow_id, .. } => format!("workflow {workflow_id}"),
        };
        let time = message.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let tenant = ctx.headers().get("tenant");
        let tenant = tenant.map_or_else(String::new, |tenant| {
            String::from_utf8_lossy(&tenant.data).into_owned()
        });
        self.letters.push(format!(
            "event {} at {} from {sender} for {tenant}",
            message.event_id,
            time.as_nanos()
        ));
    }

    /// Keeps what the server tells of the update and of the workflow task. The number of facts so far.
    #[update]
    fn fact(&mut self, ctx: &mut SyncWorkflowContext<Self>) -> usize {
        let message = ctx.current_message_info();
        let message = message.map(|message| (message.event_id, message.time));
        self.facts.push(format!(
            "{message:?} {} {} {} {:?}",
            ctx.history_length(),
            ctx.history_size_bytes(),
            ctx.continue_as_new_suggested(),
            ctx.workflow_time()
        ));
        self.facts.len()
    }

    #[query]
    fn facts(&self, _: &WorkflowContextView) -> Vec<String> {
        self.facts.clone()
    }

    #[query]
    fn letters(&self, _: &WorkflowContextView) -> Vec<String> {
        self.letters.clone()
    }
}
