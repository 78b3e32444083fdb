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

    #[update_validator(pay)]
    fn validate_pay(&self, _: &WorkflowContextView) -> Result<(), String> {
        Ok(())
    }
}

fn main() {}
