use longhaul_sdk::{SyncWorkflowContext, WorkflowContext, WorkflowResult, workflow, workflow_methods};

#[workflow]
#[derive(Default)]
struct Order;

#[workflow_methods]
impl Order {
    #[run]
    async fn run(_: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        Ok(())
    }

    #[signal]
    fn pay(&mut self, _: &mut SyncWorkflowContext<Self>) {}

    #[signal(name = "pay")]
    fn pay_again(&mut self, _: &mut SyncWorkflowContext<Self>) {}
}

fn main() {}
