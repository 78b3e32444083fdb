//! `cart`: a workflow that its first message starts.

use longhaul_tests::{Answer, Language, Server, export, in_each_language};
use serde_json::{Value, json};

use crate::{completed, count, python_with_either_worker, scheduled, server_in, updated};

const GUESTS: [&str; 2] = ["cart", "cart-activities"];
const QUEUE: &str = "shopping";
const TYPE: &str = "ShoppingCartWorkflow";
const ID: &str = "cart-alice";

in_each_language! {
    a_signal_cannot_say_no_and_an_update_can,
    a_cart_has_room_for_a_hundred_items,
    an_empty_cart_is_not_checked_out,
    the_first_signal_starts_the_cart,
    the_first_update_starts_the_cart,
    #[ignore = "needs the Python environment that `cargo xtask test` makes"]
    the_python_client_fills_a_cart_that_it_need_not_start,
}

fn item(sku: &str, price: &str) -> String {
    json!({"sku": sku, "name": sku.to_lowercase(), "price": price}).to_string()
}

fn signal_with_start(server: &Server, item: &str) -> Answer {
    let start = [
        "workflow",
        "signal-with-start",
        "--type",
        TYPE,
        "--workflow-id",
        ID,
    ];
    let signal = ["--signal-name", "add_item", "--signal-input", item, "-o", "json"];
    server.longhaul(&[&start[..], &signal].concat())
}

fn update_with_start(server: &Server, item: &str, flags: &[&str]) -> Answer {
    let start = [
        "workflow",
        "execute-update-with-start",
        "--type",
        TYPE,
        "--workflow-id",
        ID,
    ];
    let update = ["--update-name", "add_item", "--update-input", item, "-o", "json"];
    let policy = ["--id-conflict-policy", "UseExisting"];
    server.longhaul(&[&start[..], &update, &policy, flags].concat())
}

// S1, U1, U2: a signal and an update of one name are two handlers; only the update refuses.
fn a_signal_cannot_say_no_and_an_update_can(language: Language) {
    let server = server_in(language, &GUESTS, QUEUE);
    server.start_workflow(TYPE, ID, &[]).ok();
    server.signal(ID, "add_item", &[&item("TEA-1", "4.20")]).ok();
    assert_eq!(
        updated(&server, ID, "add_item", &[&item("CUP-1", "7.50")]),
        "11.70"
    );
    // Twice the same: the signal adds it, the update refuses.
    server.signal(ID, "add_item", &[&item("TEA-1", "4.20")]).ok();
    for (item, reason) in [
        (item("CUP-1", "7.50"), "Item CUP-1 already in cart"),
        (item("", "1.00"), "Item SKU is required"),
        (item("BOX-1", "-1.00"), "Invalid price"),
    ] {
        server.update(ID, "add_item", &[&item]).refused(&[reason]);
    }
    // Refused by the handler, which the sender cannot see.
    server.signal(ID, "add_item", &[&item("BOX-1", "-1.00")]).ok();
    assert_eq!(server.ask(ID, "get_total"), "15.90");
    assert_eq!(completed(&server, ID), json!({"items": 3, "total": "15.90"}));
    assert_eq!(scheduled(&server, ID), ["process_checkout"]);
    export::histories(&server, &language.named("cart"));
}

// U1
fn a_cart_has_room_for_a_hundred_items(language: Language) {
    let server = server_in(language, &GUESTS, QUEUE);
    server.start_workflow(TYPE, ID, &[]).ok();
    for number in 1..=100 {
        server
            .signal(ID, "add_item", &[&item(&format!("TEA-{number}"), "1.00")])
            .ok();
    }
    server
        .update(ID, "add_item", &[&item("CUP-1", "7.50")])
        .refused(&["Cart is full (max 100 items)"]);
    assert_eq!(server.ask(ID, "get_total"), "100.00");
}

fn an_empty_cart_is_not_checked_out(language: Language) {
    let server = server_in(language, &GUESTS, QUEUE);
    server.start_workflow(TYPE, ID, &[]).ok();
    assert_eq!(completed(&server, ID), json!({"items": 0, "total": "0.00"}));
    assert!(scheduled(&server, ID).is_empty());
}

// S8: the first signal starts the cart, the second reaches it, and after its end the third starts another.
fn the_first_signal_starts_the_cart(language: Language) {
    let server = server_in(language, &GUESTS, QUEUE);
    let first = signal_with_start(&server, &item("TEA-1", "4.20")).json();
    let second = signal_with_start(&server, &item("TEA-2", "5.30")).json();
    assert_eq!(first["runId"], second["runId"]);
    assert_eq!(server.ask(ID, "get_total"), "9.50");
    assert_eq!(count(&server, ID, "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED"), 2);
    assert_eq!(completed(&server, ID), json!({"items": 2, "total": "9.50"}));

    let third = signal_with_start(&server, &item("TEA-3", "1.00")).json();
    assert_ne!(third["runId"], first["runId"]);
    assert_eq!(server.ask(ID, "get_total"), "1.00");
    export::histories(&server, &language.named("cart_signal_with_start"));
}

// U9, U4: the first update starts the cart; one that was made already returns its result and starts nothing.
fn the_first_update_starts_the_cart(language: Language) {
    let server = server_in(language, &GUESTS, QUEUE);
    let total = |answer: Answer| -> Value { answer.json()["result"].take() };
    assert_eq!(
        total(update_with_start(
            &server,
            &item("TEA-1", "4.20"),
            &["--update-id", "u1"]
        )),
        "4.20"
    );
    assert_eq!(
        total(update_with_start(&server, &item("TEA-2", "5.30"), &[])),
        "9.50"
    );
    // Refused; the cart that was open stays as it is.
    update_with_start(&server, &item("TEA-1", "4.20"), &[]).refused(&["Item TEA-1 already in cart"]);
    assert_eq!(completed(&server, ID), json!({"items": 2, "total": "9.50"}));

    let again = update_with_start(&server, &item("TEA-1", "4.20"), &["--update-id", "u1"]);
    assert_eq!(total(again), "4.20");
    assert_eq!(
        server
            .longhaul(&[
                "workflow",
                "count",
                "--query",
                "ExecutionStatus = 'Running'",
                "-o",
                "json"
            ])
            .json()["count"],
        "0"
    );
    export::histories(&server, &language.named("cart_update_with_start"));
}

// S8, U9, A1
fn the_python_client_fills_a_cart_that_it_need_not_start(language: Language) {
    let expected = "\
Item added to cart for user alice
Item added to cart for user alice
Item added. Cart total: $24.50
Failed to add item: Item CUP-1 already in cart
{'items': 3, 'total': '24.50'}
";
    python_with_either_worker(language, &GUESTS, QUEUE, "cart.py", |printed| {
        assert_eq!(printed, expected);
    });
}
