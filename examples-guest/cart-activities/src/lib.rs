//! What a shopping cart does to the world. It is simulated: a real one would make an order of it.

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{activities, log};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
struct CartItem {
    #[serde(default)]
    sku: String,
    #[serde(default)]
    name: String,
    price: Decimal,
}

#[derive(Deserialize, Serialize)]
struct Checkout {
    items: Vec<CartItem>,
    total: Decimal,
}

struct CartActivities;

#[activities]
impl CartActivities {
    /// Check a cart out
    #[activity(name = "process_checkout")]
    async fn process_checkout(_: ActivityContext, checkout: Checkout) -> Result<(), ActivityError> {
        log::info!(
            "Checking out {} items for ${}",
            checkout.items.len(),
            checkout.total
        );
        Ok(())
    }
}

longhaul_sdk::export_activities!(CartActivities);
