//! Temporal's official Python client against a Longhaul server.
//!
//! `cargo xtask test` makes the Python environment and runs these tests; plain `cargo test` leaves them out.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use longhaul_tests::{Server, export, order::QUEUE, python};

/// Runs a script of `tests/python/` against a server that has the order's components. What it prints.
fn run(script: &str) -> String {
    let server = Server::skipping_time();
    server.upload("order", QUEUE);
    server.upload("order-activities", QUEUE);
    let printed = python::run(&format!("python/{script}"), &server);
    export::histories(&server, &format!("python_{}", script.trim_end_matches(".py")));
    printed
}

// S1, Q1, Q2, U2, U3, E1
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn the_python_client_plays_an_order() {
    let expected = "\
Order order-12345 created
Item added: {'items': 1, 'total': '1299.99'}
Item added: {'items': 2, 'total': '1359.97'}
Order total: $1359.97
Progress: OrderProgress(status=<OrderStatus.PENDING: 'pending'>, items_count=2, total_amount='1359.97', \
                    payment_status='pending', shipping_status='not shipped')
Payment processed: txn_tok_1234
Order status: paid
Order marked as shipped

Workflow completed: Order order-12345 completed - $1359.97 charged
Order status: delivered
";
    assert_eq!(run("order.py"), expected);
}

// S6, S7, Q4, U1, U3, U4, E1, E4, E12
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn the_python_client_understands_every_refusal() {
    assert_eq!(
        run("refusals.py").lines().last(),
        Some("all refusals are as expected")
    );
}
