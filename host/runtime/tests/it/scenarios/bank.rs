//! `bank`: handlers that run at the same time.

use serde_json::json;

use super::{Scenario, acts::*, play};

const MODULES: [(&str, &str); 2] = [("bank", "bank"), ("bank-activities", "bank")];

#[tokio::test]
async fn withdrawals_at_the_same_time_survive_any_crash() {
    // U2, U4, U5, A1
    let withdraw = |amount: &str| update("b", "withdraw", [json!(amount)]);
    play(Scenario {
        name: "bank_account",
        modules: &MODULES,
        executions: &["b"],
        acts: vec![
            start("b", "BankAccountWorkflow", []),
            withdraw("-5"),
            together(vec![withdraw("100"), withdraw("1000"), withdraw("250.50")]),
            last_signal("b", "close"),
            end("b"),
        ],
        commits: 8,
        ..Scenario::default()
    })
    .await;
}

#[tokio::test]
async fn a_queue_of_messages_survives_any_crash() {
    // S1, S2, A1
    let add = |number: u32| signal("b", "add_message", [json!(format!("message-{number}"))]);
    play(Scenario {
        name: "bank_queue",
        modules: &MODULES,
        executions: &["b"],
        acts: vec![
            start("b", "QueueBasedWorkflow", []),
            rest(["b"]),
            add(1),
            rest(["b"]),
            add(2),
            rest(["b"]),
            query("b", "get_processed"),
            last_signal("b", "shutdown"),
            end("b"),
            query("b", "get_processed"),
        ],
        commits: 6,
        ..Scenario::default()
    })
    .await;
}
