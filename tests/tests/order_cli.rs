//! An order, from creation to delivery, through the command line.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use longhaul_tests::{
    Language, Server, artifacts,
    cli::assert_in_order,
    export, in_each_language,
    order::{CARD, QUEUE, TYPE, item, payment, progress, shipping},
};
use serde_json::json;

in_each_language! {
    an_order_goes_from_creation_to_delivery,
    a_refused_update_leaves_nothing,
    a_failed_update_is_recorded_and_the_order_goes_on,
    an_update_id_is_used_once,
    an_order_that_nobody_pays_for_is_cancelled_after_a_week,
    signals_reach_plain_and_async_handlers_until_the_close,
    an_unknown_name_is_answered_with_the_nearest,
    cancel_asks_and_terminate_does_not,
    a_shown_history_replays,
    the_server_stops_in_order_and_goes_on,
    one_workflow_runs_without_a_server,
}

/// A server that has the order's two components.
fn shop(language: Language) -> Server {
    let server = Server::skipping_time();
    server.upload_in(language, "order", QUEUE);
    server.upload_in(language, "order-activities", QUEUE);
    server
}

/// A shop with an order of a laptop and two mice.
fn shop_with_order(language: Language, id: &str) -> Server {
    let server = shop(language);
    server
        .start_workflow(TYPE, id, &[&json!(id).to_string(), r#""customer-789""#])
        .ok();
    server
        .update(id, "add_item", &[&item("LAPTOP-001", 1, "1299.99")])
        .ok();
    server
        .update(id, "add_item", &[&item("MOUSE-001", 2, "29.99")])
        .ok();
    server
}

// S1, Q1, Q2, U1, U2, U3, E1, W1, W2, A1
fn an_order_goes_from_creation_to_delivery(language: Language) {
    let server = shop(language);
    let started = server
        .start_workflow(TYPE, "order-1", &[r#""order-1""#, r#""customer-789""#])
        .json();
    assert_eq!(started["workflowId"], "order-1");
    assert_eq!(started["type"], TYPE);
    assert_eq!(started["namespace"], "default");
    // The module's queue, because the request names none.
    assert_eq!(started["taskQueue"], QUEUE);

    let added = server
        .update("order-1", "add_item", &[&item("LAPTOP-001", 1, "1299.99")])
        .json();
    assert_eq!(added["result"], json!({"items": 1, "total": "1299.99"}));
    assert_eq!(added["name"], "add_item");
    let added = server
        .update("order-1", "add_item", &[&item("MOUSE-001", 2, "29.99")])
        .json();
    assert_eq!(added["result"], json!({"items": 2, "total": "1359.97"}));

    assert_eq!(server.ask("order-1", "get_total"), "1359.97");
    let expected = progress("pending", 2, "1359.97", "pending", "not shipped");
    assert_eq!(server.ask("order-1", "get_progress"), expected);

    let paid = server
        .update("order-1", "process_payment", &[&payment("1359.97", CARD)])
        .json();
    assert_eq!(paid["result"], "txn_tok_1234");
    assert_eq!(server.ask("order-1", "get_status"), "paid");

    server.signal("order-1", "mark_shipped", &[&shipping("UPS")]).ok();
    let result = server.result("order-1").json();
    assert_eq!(result["status"], "COMPLETED");
    assert_eq!(result["result"], "Order order-1 completed - $1359.97 charged");
    assert_eq!(result["runId"], started["runId"]);

    // After the close.
    assert_eq!(server.ask("order-1", "get_status"), "delivered");
    let expected = progress("delivered", 2, "1359.97", "paid", "shipped via UPS");
    assert_eq!(server.ask("order-1", "get_progress"), expected);
    export::histories(&server, &language.named("order"));
}

// U1: a rejection reaches the caller and leaves nothing in history.
fn a_refused_update_leaves_nothing(language: Language) {
    let server = shop_with_order(language, "order-2");
    let before = server.history("order-2");
    for (name, input, reason) in [
        (
            "add_item",
            item("MOUSE-001", 0, "29.99"),
            "Quantity must be positive",
        ),
        (
            "add_item",
            item("MOUSE-001", -3, "29.99"),
            "Quantity must be positive",
        ),
        ("process_payment", payment("1359.97", "tok"), "Invalid card token"),
    ] {
        server.update("order-2", name, &[&input]).refused(&[reason]);
    }
    assert_eq!(server.history("order-2"), before);

    server
        .update("order-2", "process_payment", &[&payment("1359.97", CARD)])
        .ok();
    let before = server.history("order-2");
    let late = server.update("order-2", "add_item", &[&item("BOOK-001", 1, "9.99")]);
    late.refused(&["Cannot add items in status: paid"]);
    let again = server.update("order-2", "process_payment", &[&payment("1359.97", CARD)]);
    again.refused(&["Cannot process payment in status: paid"]);
    assert_eq!(server.history("order-2"), before);
}

// U2, S11: what the handler raises fails the update and not the workflow; both ends are in history.
fn a_failed_update_is_recorded_and_the_order_goes_on(language: Language) {
    let server = shop_with_order(language, "order-3");
    let wrong = server.update("order-3", "process_payment", &[&payment("1.00", CARD)]);
    wrong.refused(&["Payment amount 1.00 != order total 1359.97"]);
    let history = server.history("order-3");
    assert_eq!(
        history.matches("WorkflowExecutionUpdateAccepted").count(),
        3,
        "{history}"
    );
    assert_eq!(
        history.matches("WorkflowExecutionUpdateCompleted").count(),
        3,
        "{history}"
    );
    assert!(
        history.contains("Payment amount 1.00 != order total 1359.97"),
        "{history}"
    );

    assert_eq!(server.ask("order-3", "get_status"), "pending");
    server
        .update("order-3", "process_payment", &[&payment("1359.97", CARD)])
        .ok();
    export::histories(&server, &language.named("order_failed_update"));
}

// U4: the same update id executes once, also after the close.
fn an_update_id_is_used_once(language: Language) {
    let server = shop_with_order(language, "order-4");
    let words = [
        "workflow",
        "update",
        "execute",
        "-w",
        "order-4",
        "--name",
        "process_payment",
        "-o",
        "json",
    ];
    let input = payment("1359.97", CARD);
    let words = [&words[..], &["--update-id", "pay", "--input", &input]].concat();
    let first = server.longhaul(&words).json();
    let second = server.longhaul(&words).json();
    assert_eq!(first, second);
    assert_eq!(first["updateId"], "pay");
    assert_eq!(
        server.history("order-4").matches("name=process_payment").count(),
        1
    );

    server.signal("order-4", "mark_shipped", &[&shipping("UPS")]).ok();
    server.result("order-4").ok();
    assert_eq!(server.longhaul(&words).json(), first);
}

// W1, W2: both waits of the order end by their timers, days later.
fn an_order_that_nobody_pays_for_is_cancelled_after_a_week(language: Language) {
    let server = shop_with_order(language, "order-5");
    let result = server.result("order-5").json();
    assert_eq!(result["result"], "Order order-5 cancelled - payment timeout");
    assert_eq!(server.ask("order-5", "get_status"), "cancelled");

    server
        .start_workflow(TYPE, "order-6", &[r#""order-6""#, r#""customer-789""#])
        .ok();
    server
        .update("order-6", "add_item", &[&item("PEN-001", 1, "2.50")])
        .ok();
    server
        .update("order-6", "process_payment", &[&payment("2.50", CARD)])
        .ok();
    let result = server.result("order-6").json();
    assert_eq!(result["result"], "Order order-6 paid but not shipped");
    export::histories(&server, &language.named("order_timeouts"));
}

// S4, S6
fn signals_reach_plain_and_async_handlers_until_the_close(language: Language) {
    let server = shop_with_order(language, "order-7");
    // Refused by the handler, which a sender cannot see.
    server.signal("order-7", "mark_shipped", &[&shipping("UPS")]).ok();
    assert_eq!(server.ask("order-7", "get_status"), "pending");
    server
        .signal("order-7", "cancel_order", &[r#""changed my mind""#])
        .ok();
    assert_eq!(server.ask("order-7", "get_status"), "cancelled");

    server.result("order-7").ok();
    let late = server.signal("order-7", "cancel_order", &[r#""again""#]);
    late.refused(&["workflow execution already completed"]);
    server
        .update("order-7", "add_item", &[&item("PEN-001", 1, "2.50")])
        .refused(&["workflow execution already completed"]);
    export::histories(&server, &language.named("order_signals"));
}

// E1
#[test]
fn an_id_is_started_once_while_it_runs() {
    let server = Server::skipping_time();
    server.upload("counter", QUEUE);
    let start = |flags: &[&str]| {
        let words = [
            "workflow",
            "start",
            "--type",
            "Counter",
            "--workflow-id",
            "c",
            "-o",
            "json",
        ];
        server.longhaul(&[&words[..], flags].concat())
    };
    let first = start(&[]).json();
    start(&[]).refused(&["already", "c"]);
    let same = start(&["--id-conflict-policy", "UseExisting"]).json();
    assert_eq!(same["runId"], first["runId"]);
    let other = start(&["--id-conflict-policy", "TerminateExisting"]).json();
    assert_ne!(other["runId"], first["runId"]);

    server.signal("c", "finish", &[]).ok();
    server.result("c").ok();
    start(&["--id-reuse-policy", "RejectDuplicate"]).refused(&["already", "c"]);
    start(&["--id-reuse-policy", "AllowDuplicateFailedOnly"]).refused(&["already", "c"]);
    let again = start(&[]).json();
    assert_ne!(again["runId"], other["runId"]);
}

// E12, S7, Q4, U3: each refusal names what exists, the nearest first; nothing is written.
fn an_unknown_name_is_answered_with_the_nearest(language: Language) {
    let server = shop_with_order(language, "order-8");
    server.upload_in(language, "counter", QUEUE);
    let before = server.history("order-8");

    let refusal = server
        .start_workflow("OrderWorkflo", "x", &[])
        .refused(&["OrderWorkflo"]);
    assert_in_order(&refusal, &["OrderWorkflow", "Counter"]);
    server
        .longhaul(&["workflow", "describe", "-w", "x"])
        .refused(&["x"]);

    let refusal = server
        .signal("order-8", "mark_shiped", &[&shipping("UPS")])
        .refused(&["mark_shiped"]);
    assert_in_order(&refusal, &["mark_shipped", "cancel_order"]);
    let refusal = server.query("order-8", "get_totl").refused(&["get_totl"]);
    assert_in_order(&refusal, &["get_total", "get_status", "get_progress"]);
    let refusal = server.update("order-8", "ad_item", &[]).refused(&["ad_item"]);
    assert_in_order(&refusal, &["add_item", "process_payment"]);
    assert_eq!(server.history("order-8"), before);

    for answer in [
        server.query("order-9", "get_total"),
        server.signal("order-9", "cancel_order", &[r#""no""#]),
        server.update("order-9", "add_item", &[]),
        server.result("order-9"),
        server.longhaul(&["workflow", "show", "-w", "order-9"]),
        server.longhaul(&["workflow", "describe", "-w", "order-9"]),
        server.longhaul(&["workflow", "cancel", "-w", "order-9"]),
        server.longhaul(&["workflow", "terminate", "-w", "order-9"]),
    ] {
        answer.refused(&["order-9"]);
    }
}

// E4
fn cancel_asks_and_terminate_does_not(language: Language) {
    let server = shop_with_order(language, "order-10");
    server.upload_in(language, "counter", QUEUE);
    server.longhaul(&["workflow", "cancel", "-w", "order-10"]).ok();
    server.longhaul(&["workflow", "cancel", "-w", "order-10"]).ok();
    let ended = server.result("order-10");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stdout.contains("CANCELED"), "{ended:?}");

    server.start_workflow("Counter", "c", &[]).ok();
    server
        .longhaul(&["workflow", "terminate", "-w", "c", "--reason", "enough"])
        .ok();
    let ended = server.result("c");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stdout.contains("TERMINATED"), "{ended:?}");
    let history = server.history("c");
    assert!(history.contains("WorkflowExecutionTerminated"), "{history}");
    export::histories(&server, &language.named("cancel"));
}

#[test]
fn executions_are_listed_counted_and_described() {
    let server = shop_with_order(Language::Rust, "order-11");
    server.upload("counter", QUEUE);
    server.start_workflow("Counter", "c", &[]).ok();
    let count = |query: &str| {
        let answer = server
            .longhaul(&["workflow", "count", "--query", query, "-o", "json"])
            .json();
        answer["count"].as_str().unwrap().parse::<u32>().unwrap()
    };
    let list = |query: &str| {
        let answer = server
            .longhaul(&["workflow", "list", "--query", query, "-o", "json"])
            .json();
        let ids = answer
            .as_array()
            .unwrap()
            .iter()
            .map(|info| info["execution"]["workflowId"].as_str().unwrap());
        ids.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(count("ExecutionStatus = 'Running'"), 2);
    assert_eq!(list("WorkflowType = 'OrderWorkflow'"), ["order-11"]);
    assert_eq!(list("WorkflowId = 'c'"), ["c"]);
    server.signal("c", "finish", &[]).ok();
    server.result("c").ok();
    assert_eq!(count("ExecutionStatus = 'Running'"), 1);
    assert_eq!(
        list("ExecutionStatus = 'Completed' AND CloseTime > '2020-01-01T00:00:00Z'"),
        ["c"]
    );
    server
        .longhaul(&["workflow", "list", "--query", "Colour = 'red'"])
        .refused(&["Colour"]);

    let described = server
        .longhaul(&["workflow", "describe", "-w", "order-11", "-o", "json"])
        .json();
    assert_eq!(described["workflowExecutionInfo"]["type"]["name"], TYPE);
    assert_eq!(
        described["workflowExecutionInfo"]["status"],
        "WORKFLOW_EXECUTION_STATUS_RUNNING"
    );
}

// W3: a fresh process replays what the server wrote; another component does not.
fn a_shown_history_replays(language: Language) {
    let server = shop_with_order(language, "order-12");
    server
        .update("order-12", "process_payment", &[&payment("1359.97", CARD)])
        .ok();
    server
        .signal("order-12", "mark_shipped", &[&shipping("UPS")])
        .ok();
    server.result("order-12").ok();
    let history = server.folder().join("order.json");
    let shown = server
        .longhaul(&["workflow", "show", "-w", "order-12", "-o", "json"])
        .ok();
    std::fs::write(&history, &shown).unwrap();
    let replay = |guest: &str| {
        let guest = artifacts::guest(&language.guest(guest));
        server.longhaul(&[
            "replay",
            guest.to_str().unwrap(),
            "--history",
            history.to_str().unwrap(),
        ])
    };
    replay("order").ok();
    replay("counter").refused(&["OrderWorkflow"]);

    // W4: an activity of another type in history.
    std::fs::write(&history, shown.replace("charge_payment", "charge_twice")).unwrap();
    replay("order").refused(&["charge_payment", "charge_twice"]);
}

fn the_server_stops_in_order_and_goes_on(language: Language) {
    let mut server = shop_with_order(language, "order-13");
    assert!(server.stop(), "{}", server.log());
    server.restart();
    assert_eq!(server.ask("order-13", "get_total"), "1359.97");
    server
        .update("order-13", "add_item", &[&item("PEN-001", 1, "2.50")])
        .ok();
    server.kill();
    server.restart();
    assert_eq!(server.ask("order-13", "get_total"), "1362.47");
    export::histories(&server, &language.named("order_restart"));
}

fn one_workflow_runs_without_a_server(language: Language) {
    let server = Server::start();
    let [order, activities] =
        ["order", "order-activities"].map(|example| artifacts::guest(&language.guest(example)));
    let words = [
        "run",
        order.to_str().unwrap(),
        activities.to_str().unwrap(),
        "--type",
        TYPE,
    ];
    let inputs = ["--input", r#""order-14""#, "--input", r#""customer-789""#];
    let printed = server.longhaul(&[&words[..], &inputs].concat()).ok();
    assert_eq!(printed.trim(), r#""Order order-14 cancelled - payment timeout""#);
}
