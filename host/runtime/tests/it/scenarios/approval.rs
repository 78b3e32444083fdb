//! `approval`: a decision within a week.

use serde_json::json;

use super::{Scenario, acts::*, play};
use crate::world::DAY;

const MODULES: [(&str, &str); 2] = [("approval", "expenses"), ("approval-activities", "expenses")];

fn begin() -> [Act; 2] {
    let request = json!({
        "request_id": "e", "employee": "Bob", "amount": "120.50", "description": "Train", "category": "travel",
    });
    [start("e", "ExpenseApprovalWorkflow", [request]), rest(["e"])]
}

#[tokio::test]
async fn an_approval_survives_any_crash() {
    // S1, A1, W1
    play(Scenario {
        name: "approval_approved",
        modules: &MODULES,
        executions: &["e"],
        acts: begin()
            .into_iter()
            .chain([signal("e", "approve", [json!("Alice"), json!("ok")]), end("e")])
            .collect(),
        commits: 4,
        ..Scenario::default()
    })
    .await;
}

#[tokio::test]
async fn an_approval_that_never_comes_survives_any_crash() {
    // A1, W1, W2
    play(Scenario {
        name: "approval_timeout",
        modules: &MODULES,
        executions: &["e"],
        acts: begin().into_iter().chain([pass(7 * DAY), end("e")]).collect(),
        commits: 4,
        ..Scenario::default()
    })
    .await;
}
