//! `cart`: a workflow that its first message starts.

use serde_json::{Value, json};

use super::{Scenario, acts::*, play};
use crate::world::DAY;

const MODULES: [(&str, &str); 2] = [("cart", "shopping"), ("cart-activities", "shopping")];
const TYPE: &str = "ShoppingCartWorkflow";

fn item(sku: &str, price: &str) -> Value {
    json!({"sku": sku, "name": sku.to_lowercase(), "price": price})
}

#[tokio::test]
async fn a_cart_that_a_signal_starts_survives_any_crash() {
    // S1, S5, S8, W2
    play(Scenario {
        name: "cart_signal_with_start",
        modules: &MODULES,
        executions: &["c"],
        acts: vec![
            signal_with_start("c", TYPE, "add_item", item("TEA-1", "4.20")),
            signal_with_start("c", TYPE, "add_item", item("TEA-1", "4.20")),
            signal("c", "add_item", [item("BOX-1", "-1.00")]),
            query("c", "get_total"),
            pass(DAY),
            end("c"),
        ],
        commits: 4,
        ..Scenario::default()
    })
    .await;
}

#[tokio::test]
async fn a_cart_that_an_update_starts_survives_any_crash() {
    // U1, U2, U4, U9, W2
    let add = |sku, price| update_with_start("c", TYPE, Value::Null, "add_item", item(sku, price));
    play(Scenario {
        name: "cart_update_with_start",
        modules: &MODULES,
        executions: &["c"],
        acts: vec![
            add("TEA-1", "4.20"),
            add("CUP-1", "7.50"),
            add("TEA-1", "4.20"),
            pass(DAY),
            end("c"),
        ],
        commits: 4,
        ..Scenario::default()
    })
    .await;
}
