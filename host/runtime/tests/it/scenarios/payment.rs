//! `payment`: an update that knows its id, and one that may be left behind.

use serde_json::json;

use super::{Scenario, acts::*, play};

const MODULES: [(&str, &str); 1] = [("payment", "payments")];

#[tokio::test]
async fn payments_survive_any_crash() {
    // U1, U2, U4, U11
    let pay = |id: &str, amount: &str| update("p", "process_payment", [json!(id), json!(amount)]);
    play(Scenario {
        name: "payment",
        modules: &MODULES,
        executions: &["p"],
        acts: vec![
            start("p", "PaymentWorkflow", []),
            pay("p1", "9.99"),
            pay("p2", "-1"),
            pay("p3", "5"),
            query("p", "get_results"),
            last_signal("p", "finish"),
            end("p"),
        ],
        commits: 6,
        ..Scenario::default()
    })
    .await;
}

#[tokio::test]
async fn an_update_that_is_left_behind_survives_any_crash() {
    // U3, U7
    play(Scenario {
        name: "payment_abandoned",
        modules: &MODULES,
        executions: &["p"],
        acts: vec![
            start("p", "PaymentWorkflow", []),
            accepted_update("p", "optional_update", [json!("data")]),
            last_signal("p", "finish"),
            end("p"),
        ],
        commits: 3,
        ..Scenario::default()
    })
    .await;
}
