use longhaul_sdk::{WorkflowContext, WorkflowResult, workflow, workflow_methods};

#[workflow]
struct Order {
    id: String,
}

#[workflow_methods]
impl Order {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, id: String) -> WorkflowResult<String> {
        ctx.state_mut(|order| order.id = id);
        Ok(ctx.state(|order| order.id.clone()))
    }
}

fn main() {}
