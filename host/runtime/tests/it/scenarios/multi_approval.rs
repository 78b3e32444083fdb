//! `multi-approval`: several decisions, and queries over them.

use serde_json::json;

use super::{Scenario, acts::*, play};

const MODULES: [(&str, &str); 1] = [("multi-approval", "approvals")];

fn begin(amount: &str) -> Vec<Act> {
    let request = json!({"request_id": "a", "requester": "Bob", "amount": amount, "description": "Server"});
    vec![start("a", "MultiLevelApprovalWorkflow", [request]), rest(["a"])]
}

fn decide(role: &str, signal_name: &'static str, approved: bool) -> Act {
    let decision = json!({"approved": approved, "approver": role, "timestamp": "2026-03-02T10:00:00Z"});
    signal("a", signal_name, [decision])
}

#[tokio::test]
async fn three_approvals_survive_any_crash() {
    // S1, Q1, Q2, A1
    let mut acts = begin("12000");
    acts.extend([
        decide("director", "approve_director", true),
        decide("manager", "approve_manager", true),
        query("a", "get_approval_status"),
        decide("vp", "approve_vp", true),
        end("a"),
        query("a", "get_approval_status"),
        query("a", "is_fully_approved"),
    ]);
    play(Scenario {
        name: "multi_approval_approved",
        modules: &MODULES,
        executions: &["a"],
        acts,
        commits: 6,
        ..Scenario::default()
    })
    .await;
}

#[tokio::test]
async fn a_rejection_survives_any_crash() {
    // S1, Q1, A1
    let mut acts = begin("4200");
    acts.extend([
        decide("manager", "approve_manager", true),
        decide("director", "approve_director", false),
        end("a"),
        query("a", "get_approval_status"),
    ]);
    play(Scenario {
        name: "multi_approval_rejected",
        modules: &MODULES,
        executions: &["a"],
        acts,
        commits: 5,
        ..Scenario::default()
    })
    .await;
}
