//! The examples that are written in several languages: the same script leaves the same history, whatever the language.
//!
//! Each script waits until the workflow has nothing left to do before it goes on, so that the order of the events depends on nothing
//! but the workflow.

mod compare;
mod lab;
mod relatives;

use longhaul_tests::{
    Server,
    order::{self, CARD, item, payment, shipping},
};
use serde_json::{Value, json};

use self::compare::same_histories;
use crate::{completed, eventually, updated};

/// Waits until an execution has ended, or waits for something that nobody is working on.
#[track_caller]
fn settled(server: &Server, id: &str) {
    eventually("the workflow has nothing to do", || {
        let described = server
            .longhaul(&["workflow", "describe", "-w", id, "-o", "json"])
            .json();
        let none = |key: &str| described[key].as_array().is_none_or(Vec::is_empty);
        described["pendingWorkflowTask"].is_null() && none("pendingActivities")
    });
}

#[track_caller]
fn start(server: &Server, workflow_type: &str, id: &str, inputs: &[Value]) {
    let inputs: Vec<String> = inputs.iter().map(Value::to_string).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    server.start_workflow(workflow_type, id, &inputs).ok();
    settled(server, id);
}

#[track_caller]
fn signal(server: &Server, id: &str, name: &str, inputs: &[&str]) {
    server.signal(id, name, inputs).ok();
    settled(server, id);
}

#[track_caller]
fn cancel(server: &Server, id: &str) {
    server.longhaul(&["workflow", "cancel", "-w", id]).ok();
    assert!(server.result(id).stdout.contains("CANCELED"));
}

#[test]
fn a_counter() {
    same_histories(&["counter"], "counters", |server| {
        start(server, "Counter", "c", &[]);
        for value in ["1", "2"] {
            signal(server, "c", "add", &[value]);
        }
        assert_eq!(updated(server, "c", "add_and_get", &["4"]), 7);
        settled(server, "c");
        signal(server, "c", "finish", &[]);
        assert_eq!(completed(server, "c"), 7);
        start(server, "Counter", "cancelled", &[]);
        cancel(server, "cancelled");
    });
}

#[test]
fn a_greeting() {
    same_histories(&["greeting"], "greetings", |server| {
        start(server, "GreetingWorkflow", "g", &[]);
        updated(server, "g", "set_language", &[r#""de""#]);
        settled(server, "g");
        server
            .update("g", "set_language", &[r#""tlh""#])
            .refused(&["tlh"]);
        assert_eq!(completed(server, "g"), "Hallo");
        start(server, "GreetingWorkflow", "cancelled", &[]);
        cancel(server, "cancelled");
    });
}

#[test]
fn stages() {
    same_histories(&["stages", "stages-activities"], "stages", |server| {
        start(server, "MyWorkflow", "s", &[]);
        for stage in ["1", "2", "2", "3"] {
            signal(server, "s", "advance_stage", &[stage]);
        }
        completed(server, "s");
    });
}

#[test]
fn an_approval() {
    same_histories(&["approval", "approval-activities"], "expenses", |server| {
        let start = |id: &str| {
            let request = json!({
                "request_id": id, "employee": "Bob", "amount": "120.50", "description": "Train", "category": "travel",
            });
            start(server, "ExpenseApprovalWorkflow", id, &[request]);
        };
        start("approved");
        signal(server, "approved", "approve", &[r#""Alice""#]);
        start("rejected");
        signal(
            server,
            "rejected",
            "reject",
            &[r#""Carol""#, r#""too expensive""#],
        );
        start("forgotten");
        for id in ["approved", "rejected", "forgotten"] {
            completed(server, id);
        }
        start("cancelled");
        cancel(server, "cancelled");
    });
}

#[test]
fn a_cart() {
    same_histories(&["cart", "cart-activities"], "shopping", |server| {
        start(server, "ShoppingCartWorkflow", "c", &[]);
        signal(server, "c", "add_item", &[r#"{"name": "Tea", "price": 4.2}"#]);
        updated(
            server,
            "c",
            "add_item",
            &[r#"{"sku": "CUP-1", "name": "Cup", "price": "7.50"}"#],
        );
        settled(server, "c");
        signal(server, "c", "add_item", &[r#"{"name": "Box", "price": "-1"}"#]);
        assert_eq!(completed(server, "c"), json!({"items": 2, "total": "11.70"}));
        start(server, "ShoppingCartWorkflow", "empty", &[]);
        completed(server, "empty");
        start(server, "ShoppingCartWorkflow", "cancelled", &[]);
        signal(
            server,
            "cancelled",
            "add_item",
            &[r#"{"name": "Tea", "price": 4.2}"#],
        );
        cancel(server, "cancelled");
        assert!(
            !server.history("cancelled").contains("ActivityTask"),
            "nothing is checked out"
        );
    });
}

#[test]
fn an_account_and_a_queue() {
    same_histories(&["bank", "bank-activities"], "bank", |server| {
        start(server, "BankAccountWorkflow", "a", &[]);
        updated(server, "a", "withdraw", &["99.5"]);
        settled(server, "a");
        server
            .update("a", "withdraw", &[r#""901""#])
            .refused(&["Insufficient funds"]);
        settled(server, "a");
        signal(server, "a", "close", &[]);
        assert_eq!(completed(server, "a"), "900.50");
        start(server, "QueueBasedWorkflow", "q", &[]);
        for message in [r#""one""#, r#""two""#] {
            signal(server, "q", "add_message", &[message]);
        }
        signal(server, "q", "shutdown", &[]);
        completed(server, "q");
    });
}

#[test]
fn endless_workflows() {
    same_histories(&["endless", "endless-activities"], "endless", |server| {
        start(server, "LongRunningWorkflow", "l", &[]);
        signal(server, "l", "process_item", &[r#""item-1""#]);
        cancel(server, "l");
        // As a run that goes on from another one.
        start(server, "IdempotentWorkflow", "i", &[json!(["before"])]);
        updated(server, "i", "process_payment", &[r#""p1""#]);
        settled(server, "i");
        cancel(server, "i");
    });
}

#[test]
fn trips() {
    same_histories(&["saga", "saga-activities"], "trips", |server| {
        let start = |id: &str, flight: &str, card_token: &str| {
            let trip = json!({
                "trip_id": id, "hotel": "Ritz", "flight": flight, "card_token": card_token, "amount": "899.00",
            });
            start(server, "TripWorkflow", id, &[trip]);
        };
        start("booked", "LH400", "tok_1234567890");
        signal(server, "booked", "confirm", &[]);
        completed(server, "booked");
        start("full", "full", "tok_1234567890");
        start("declined", "LH400", "declined");
        signal(server, "declined", "confirm", &[]);
        start("cancelled", "LH400", "tok_1234567890");
        cancel(server, "cancelled");
        start("expired", "LH400", "tok_1234567890");
        for id in ["full", "declined", "expired"] {
            assert!(server.result(id).stdout.contains("FAILED"), "{id}");
        }
    });
}

#[test]
fn orders() {
    same_histories(&["order", "order-activities"], order::QUEUE, |server| {
        let start = |id: &str| {
            start(server, order::TYPE, id, &[json!(id), json!("customer-789")]);
            for item in [item("LAPTOP-001", 1, "1299.99"), item("MOUSE-001", 2, "29.99")] {
                updated(server, id, "add_item", &[&item]);
                settled(server, id);
            }
        };
        start("delivered");
        let wrong = server.update("delivered", "process_payment", &[&payment("1.00", CARD)]);
        wrong.refused(&["Payment amount 1.00 != order total 1359.97"]);
        settled(server, "delivered");
        signal(server, "delivered", "mark_shipped", &[&shipping("UPS")]);
        updated(
            server,
            "delivered",
            "process_payment",
            &[&payment("1359.97", CARD)],
        );
        settled(server, "delivered");
        signal(server, "delivered", "mark_shipped", &[&shipping("UPS")]);
        assert_eq!(
            completed(server, "delivered"),
            "Order delivered completed - $1359.97 charged"
        );
        start("returned");
        let paid = payment("1359.97", CARD);
        updated(server, "returned", "process_payment", &[&paid]);
        settled(server, "returned");
        signal(server, "returned", "mark_shipped", &[&shipping("UPS")]);
        cancel(server, "returned");
        start("unpaid");
        signal(server, "unpaid", "cancel_order", &[r#""changed my mind""#]);
        completed(server, "unpaid");
        start("cancelled");
        cancel(server, "cancelled");
    });
}
