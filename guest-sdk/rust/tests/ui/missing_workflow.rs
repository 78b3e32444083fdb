use longhaul_sdk::{WorkflowContext, WorkflowResult, workflow_methods};

#[derive(Default)]
struct Order;

#[workflow_methods]
impl Order {
    #[run]
    async fn run(_: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        Ok(())
    }
}

fn main() {}
