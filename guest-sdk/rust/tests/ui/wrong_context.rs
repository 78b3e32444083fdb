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

    #[update]
    fn pay(&mut self, _: &mut WorkflowContext<Self>, amount: u32) -> u32 {
        amount
    }
}

fn main() {}
