use longhaul_sdk::{WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods};

#[workflow]
#[derive(Default)]
struct Order;

#[workflow_methods]
impl Order {
    #[run]
    async fn run(_: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        Ok(())
    }

    #[query]
    async fn status(&self, _: &WorkflowContextView) -> u32 {
        0
    }
}

fn main() {}
