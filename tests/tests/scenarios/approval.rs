//! `approval`: a decision within a week.

use longhaul_tests::{Server, export};
use serde_json::json;

use crate::{completed, count, python_with_either_worker, scheduled, server};

const GUESTS: [&str; 2] = ["approval", "approval-activities"];
const QUEUE: &str = "expenses";

fn approval() -> Server {
    let server = server(&GUESTS, QUEUE);
    let request = json!({
        "request_id": "e", "employee": "Bob", "amount": "120.50", "description": "Train", "category": "travel",
    });
    server
        .start_workflow("ExpenseApprovalWorkflow", "e", &[&request.to_string()])
        .ok();
    server
}

// S1, W1: the timer of the wait is cancelled by the decision.
#[test]
fn an_approved_expense_is_paid() {
    let server = approval();
    server
        .signal("e", "approve", &[r#""Alice""#, r#""Budget approved""#])
        .ok();
    assert_eq!(completed(&server, "e"), "Expense $120.50 approved by Alice");
    assert_eq!(
        scheduled(&server, "e"),
        ["send_approval_notification", "process_approved_expense"]
    );
    let timers = count(&server, "e", "EVENT_TYPE_TIMER_STARTED");
    assert_eq!(count(&server, "e", "EVENT_TYPE_TIMER_CANCELED"), timers);
    assert_eq!(count(&server, "e", "EVENT_TYPE_TIMER_FIRED"), 0);
    export::histories(&server, "approval");
}

// S1: an argument with a default may be left out.
#[test]
fn a_comment_may_be_left_out() {
    let server = approval();
    server.signal("e", "approve", &[r#""Alice""#]).ok();
    assert_eq!(completed(&server, "e"), "Expense $120.50 approved by Alice");
}

// S2: the first decision counts.
#[test]
fn a_rejection_says_why_and_stands() {
    let server = approval();
    server
        .signal("e", "reject", &[r#""Carol""#, r#""too expensive""#])
        .ok();
    // The second one may come too late to be taken at all.
    server.signal("e", "approve", &[r#""Alice""#]);
    assert_eq!(completed(&server, "e"), "Expense rejected: too expensive");
    assert_eq!(
        scheduled(&server, "e"),
        ["send_approval_notification", "notify_rejection"]
    );
}

// W1, W2
#[test]
fn nobody_decides_and_it_is_rejected_after_a_week() {
    let server = approval();
    assert_eq!(
        completed(&server, "e"),
        "Expense rejected: Approval timeout - automatically rejected"
    );
    assert_eq!(count(&server, "e", "EVENT_TYPE_TIMER_FIRED"), 1);
    export::histories(&server, "approval_timeout");
}

// S1, S2, A1
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn the_python_client_approves() {
    let expected = "\
Signal sent successfully
Expense $99.99 approved by Alice Johnson
Expense rejected: no budget
";
    python_with_either_worker(&GUESTS, QUEUE, "approval.py", |printed| {
        assert_eq!(printed, expected);
    });
}
