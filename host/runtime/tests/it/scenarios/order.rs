//! `order`: everything together.

use longhaul_runtime::Options;
use serde_json::json;

use super::{Scenario, acts::*, play, play_with};
use crate::{crashes::Crash, world::DAY};

const QUEUE: &str = "orders";
const MODULES: [(&str, &str); 2] = [("order", QUEUE), ("order-activities", QUEUE)];

fn create() -> Act {
    start("o", "OrderWorkflow", [json!("order"), json!("cust")])
}

fn add(quantity: i64) -> Act {
    let item = json!({"sku": "SKU-1", "name": "Book", "quantity": quantity, "price": "19.99"});
    update("o", "add_item", [item])
}

fn pay(amount: &str) -> Act {
    let payment = json!({"payment_method": "card", "amount": amount, "card_token": "tok_1234567890"});
    update("o", "process_payment", [payment])
}

fn ship() -> Act {
    let shipping = json!({"address": "1 Main St", "carrier": "UPS", "tracking_number": "1Z999"});
    signal("o", "mark_shipped", [shipping])
}

/// From the upload of its modules to the delivery. The days in between are skipped.
fn delivered() -> Scenario {
    Scenario {
        name: "order_delivered",
        executions: &["o"],
        options: |options: &mut Options| options.time_skipping = true,
        acts: vec![
            upload("order", QUEUE),
            upload("order-activities", QUEUE),
            create(),
            add(2),
            add(-1),
            add(1),
            pay("1.00"),
            pay("59.97"),
            ship(),
            end("o"),
            query("o", "get_progress"),
        ],
        commits: 13,
        ..Scenario::default()
    }
}

#[tokio::test]
async fn an_order_survives_any_crash() {
    // S1, S5, U2, U4, A1, W2
    play(delivered()).await;
}

#[tokio::test]
async fn an_order_survives_a_power_cut_at_any_sync() {
    // S1, S5, U2, U4, A1, W2
    play_with(delivered(), Crash::AtSync).await;
}

#[tokio::test]
async fn an_order_that_nobody_pays_survives_any_crash() {
    // W1, W2
    play(Scenario {
        name: "order_unpaid",
        modules: &MODULES,
        executions: &["o"],
        acts: vec![
            create(),
            add(1),
            pass(7 * DAY),
            end("o"),
            query("o", "get_status"),
        ],
        commits: 4,
        ..Scenario::default()
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_order_survives_any_crash() {
    // E4, S1
    play(Scenario {
        name: "order_cancelled",
        modules: &MODULES,
        executions: &["o"],
        acts: vec![
            create(),
            add(1),
            signal("o", "cancel_order", [json!("changed my mind")]),
            query("o", "get_status"),
            pay("19.99"),
            cancel("o"),
            end("o"),
        ],
        commits: 5,
        ..Scenario::default()
    })
    .await;
}
