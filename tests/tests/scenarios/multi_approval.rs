//! `multi-approval`: several decisions, and queries over them.

use longhaul_tests::{Language, Server, export};
use serde_json::json;

use crate::{completed, python_with_either_worker, scheduled, server};

fn approval(amount: &str) -> Server {
    let server = server(&["multi-approval"], "approvals");
    let request = json!({"request_id": "a", "requester": "Bob", "amount": amount, "description": "Server"});
    server
        .start_workflow("MultiLevelApprovalWorkflow", "a", &[&request.to_string()])
        .ok();
    server
}

fn decide(server: &Server, role: &str, approved: bool) {
    let decision = json!({
        "approved": approved, "approver": role, "timestamp": "2026-03-02T10:00:00Z", "comment": "",
    });
    server
        .signal("a", &format!("approve_{role}"), &[&decision.to_string()])
        .ok();
}

// Q1, Q2: the state is there before the first decision, follows each, and stays after the end.
#[test]
fn the_status_follows_the_decisions() {
    let server = approval("12000");
    let mut expected = json!({"manager": "pending", "director": "pending", "vp": "pending"});
    assert_eq!(server.ask("a", "get_approval_status"), expected);
    for role in ["director", "manager", "vp"] {
        assert_eq!(server.ask("a", "is_fully_approved"), false);
        decide(&server, role, true);
        expected[role] = "approved".into();
        assert_eq!(server.ask("a", "get_approval_status"), expected);
    }
    assert_eq!(server.ask("a", "is_fully_approved"), true);
    assert_eq!(
        completed(&server, "a"),
        "Request approved by all 3 approvers and processed successfully"
    );
    assert_eq!(server.ask("a", "get_approval_status"), expected);
    assert_eq!(
        scheduled(&server, "a"),
        ["send_approval_requests", "process_approved_request"]
    );
    export::histories(&server, "multi_approval");
}

#[test]
fn the_amount_says_who_decides() {
    for (amount, roles) in [("999.99", 1), ("1000", 2), ("9999.99", 2), ("10000.00", 3)] {
        let server = approval(amount);
        let status = server.ask("a", "get_approval_status");
        assert_eq!(status.as_object().unwrap().len(), roles, "{amount}: {status}");
    }
}

// S2: a decision of somebody who has nothing to decide does not count.
#[test]
fn one_rejection_is_enough() {
    let server = approval("4200");
    decide(&server, "vp", true);
    decide(&server, "manager", true);
    assert_eq!(
        server.ask("a", "get_approval_status"),
        json!({"manager": "approved", "director": "pending"})
    );
    decide(&server, "director", false);
    assert_eq!(completed(&server, "a"), "Request rejected by: director");
    assert_eq!(
        scheduled(&server, "a"),
        ["send_approval_requests", "notify_rejection"]
    );
    assert_eq!(server.ask("a", "is_fully_approved"), false);
}

// W1, W2
#[test]
fn after_two_weeks_it_says_how_many_have_decided() {
    let server = approval("4200");
    decide(&server, "manager", true);
    assert_eq!(
        completed(&server, "a"),
        "Approval timeout - only 1 of 2 approvals received"
    );
}

// S1, Q1, Q2, A1
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn the_python_client_shows_who_has_decided() {
    let expected = "\
Status: {'manager': 'pending', 'director': 'pending'}
Status: {'manager': 'approved', 'director': 'pending'}
Status: {'manager': 'approved', 'director': 'approved'}
Request approved by all 2 approvers and processed successfully
Fully approved: True
";
    python_with_either_worker(
        Language::Rust,
        &["multi-approval"],
        "approvals",
        "multi_approval.py",
        |printed| {
            assert_eq!(printed, expected);
        },
    );
}
