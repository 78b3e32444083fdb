use longhaul_sdk::{activity, signal};

struct Order;

impl Order {
    #[signal]
    fn pay(&mut self) {}

    #[activity]
    fn charge() {}
}

fn main() {}
