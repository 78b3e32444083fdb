//! `payment`: an update that knows its id, and one that may be left behind.

use longhaul_tests::{Language, Server, export};
use serde_json::json;

use crate::{completed, count, python_with_either_worker, scheduled, server};

const QUEUE: &str = "payments";

fn payments() -> Server {
    let server = server(&["payment"], QUEUE);
    server.start_workflow("PaymentWorkflow", "p", &[]).ok();
    server
}

fn update(server: &Server, verb: &str, name: &str, id: &str, inputs: &[&str]) -> longhaul_tests::Answer {
    let mut words = vec![
        "workflow",
        "update",
        verb,
        "-w",
        "p",
        "--name",
        name,
        "--update-id",
        id,
        "-o",
        "json",
    ];
    inputs.iter().for_each(|input| words.extend(["--input", input]));
    server.longhaul(&words)
}

// U4, U11: the same id pays once, and the workflow knows it by that id.
#[test]
fn an_update_id_pays_once() {
    let server = payments();
    for _ in 0..2 {
        let paid = update(
            &server,
            "execute",
            "process_payment",
            "u1",
            &[r#""p1""#, r#""9.99""#],
        )
        .json();
        assert_eq!(paid["result"], "txn_p1");
    }
    let paid = update(&server, "execute", "process_payment", "u2", &[r#""p2""#, "5"]).json();
    assert_eq!(paid["result"], "txn_p2");
    assert_eq!(scheduled(&server, "p"), ["charge_payment", "charge_payment"]);
    assert_eq!(
        server.ask("p", "get_results"),
        json!({"u1": "txn_p1", "u2": "txn_p2"})
    );
    // U1
    update(&server, "execute", "process_payment", "u3", &[r#""p3""#, "0"])
        .refused(&["Payment amount must be positive"]);
    server.signal("p", "finish", &[]).ok();
    assert_eq!(completed(&server, "p"), "Completed");
    export::histories(&server, "payment");
}

// U7, U8: the optional update is left behind; its caller is told, and the log has no warning.
#[test]
fn an_optional_update_is_abandoned() {
    let server = payments();
    update(&server, "start", "optional_update", "o", &[r#""data""#]).ok();
    server.signal("p", "finish", &[]).ok();
    assert_eq!(completed(&server, "p"), "Completed");
    let result = ["workflow", "update", "result", "-w", "p", "--update-id", "o"];
    server
        .longhaul(&result)
        .refused(&["the Workflow completed before the Update completed"]);
    assert_eq!(
        count(&server, "p", "EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED"),
        1
    );
    assert_eq!(
        count(&server, "p", "EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED"),
        0
    );
    assert!(
        !server.log().contains("handlers are still running"),
        "{}",
        server.log()
    );
    export::histories(&server, "payment_abandoned");
}

// U3, U4, A1
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn the_python_client_starts_an_update_and_asks_later() {
    let expected = "\
Update accepted by workflow (validator passed)
Payment processed: txn_payment-1
The same update: txn_payment-1
Payment failed: Payment amount must be positive
Completed
";
    python_with_either_worker(Language::Rust, &["payment"], QUEUE, "payment.py", |printed| {
        assert_eq!(printed, expected);
    });
}
