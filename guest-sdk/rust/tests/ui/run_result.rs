use longhaul_sdk::{WorkflowContext, workflow, workflow_methods};

#[workflow]
#[derive(Default)]
struct Order;

#[workflow_methods]
impl Order {
    #[run]
    async fn run(_: &mut WorkflowContext<Self>) -> u32 {
        1
    }
}

fn main() {}
