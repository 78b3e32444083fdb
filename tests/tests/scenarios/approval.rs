//! `approval`: a decision within a week.

use longhaul_tests::{Language, Server, export, in_each_language};
use serde_json::json;

use crate::{completed, count, python_with_either_worker, scheduled, server_in};

const GUESTS: [&str; 2] = ["approval", "approval-activities"];
const QUEUE: &str = "expenses";

in_each_language! {
    an_approved_expense_is_paid,
    a_comment_may_be_left_out,
    a_rejection_says_why_and_stands,
    nobody_decides_and_it_is_rejected_after_a_week,
    #[ignore = "needs the Python environment that `cargo xtask test` makes"]
    the_python_client_approves,
}

fn approval(language: Language) -> Server {
    let server = server_in(language, &GUESTS, QUEUE);
    let request = json!({
        "request_id": "e", "employee": "Bob", "amount": "120.50", "description": "Train", "category": "travel",
    });
    server
        .start_workflow("ExpenseApprovalWorkflow", "e", &[&request.to_string()])
        .ok();
    server
}

// S1, W1: the timer of the wait is cancelled by the decision.
fn an_approved_expense_is_paid(language: Language) {
    let server = approval(language);
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
    export::histories(&server, &language.named("approval"));
}

// S1: an argument with a default may be left out.
fn a_comment_may_be_left_out(language: Language) {
    let server = approval(language);
    server.signal("e", "approve", &[r#""Alice""#]).ok();
    assert_eq!(completed(&server, "e"), "Expense $120.50 approved by Alice");
}

// S2: the first decision counts.
fn a_rejection_says_why_and_stands(language: Language) {
    let server = approval(language);
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
fn nobody_decides_and_it_is_rejected_after_a_week(language: Language) {
    let server = approval(language);
    assert_eq!(
        completed(&server, "e"),
        "Expense rejected: Approval timeout - automatically rejected"
    );
    assert_eq!(count(&server, "e", "EVENT_TYPE_TIMER_FIRED"), 1);
    export::histories(&server, &language.named("approval_timeout"));
}

// S1, S2, A1
fn the_python_client_approves(language: Language) {
    let expected = "\
Signal sent successfully
Expense $99.99 approved by Alice Johnson
Expense rejected: no budget
";
    python_with_either_worker(language, &GUESTS, QUEUE, "approval.py", |printed| {
        assert_eq!(printed, expected);
    });
}
