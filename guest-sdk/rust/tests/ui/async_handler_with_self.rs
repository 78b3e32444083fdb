use longhaul_sdk::{WorkflowContext, WorkflowResult, workflow, workflow_methods};

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
    async fn pay(&mut self, _: &mut WorkflowContext<Self>) {}
}

fn main() {}
