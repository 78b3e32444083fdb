use longhaul_sdk::{workflow, workflow_methods};

#[workflow]
#[derive(Default)]
struct Order;

#[workflow_methods]
impl Order {}

fn main() {}
