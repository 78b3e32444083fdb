use longhaul_sdk::{WorkflowContext, WorkflowResult, workflow, workflow_methods};

#[workflow(nme = "order")]
#[derive(Default)]
struct Order;

#[workflow]
#[derive(Default)]
struct Refund;

#[workflow_methods]
impl Refund {
    #[run(nme = "refund")]
    async fn run(_: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        Ok(())
    }
}

fn main() {}
