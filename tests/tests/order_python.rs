//! Temporal's official Python client against a Longhaul server.
//!
//! `cargo xtask test` makes the Python environment and runs these tests; plain `cargo test` leaves them out.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use longhaul_tests::{Server, Worker, export, order::QUEUE, python};

/// Runs a script of `tests/python/` twice: with the order's activities in a component, and in a Python worker. It must print the same.
fn run(script: &str, printed_well: impl Fn(&str)) {
    let path = format!("python/{script}");
    let name = format!("python_{}", script.trim_end_matches(".py"));
    let server = Server::skipping_time();
    server.upload("order", QUEUE);
    server.upload("order-activities", QUEUE);
    printed_well(&python::run(&path, &server));
    export::histories(&server, &name);

    let server = Server::skipping_time();
    server.upload("order", QUEUE);
    let worker = Worker::of_scenario("order.py", &server);
    printed_well(&python::run(&path, &server));
    worker.assert_served_all(&server);
    export::histories(&server, &format!("{name}_python_worker"));
}

// S1, Q1, Q2, U2, U3, E1, A1
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
    run("order.py", |printed| assert_eq!(printed, expected));
}

// S6, S7, Q4, U1, U3, U4, E1, E4, E12
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn the_python_client_understands_every_refusal() {
    run("refusals.py", |printed| {
        assert_eq!(printed.lines().last(), Some("all refusals are as expected"));
    });
}
