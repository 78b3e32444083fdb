//! The order example, from its creation to its delivery, and how else it may end.

use longhaul_history::text;
use serde_json::{Value, json};

use crate::{common, world::*};

const QUEUE: &str = "orders";

async fn world() -> World {
    world_with(common::options()).await
}

async fn world_with(options: longhaul_runtime::Options) -> World {
    let mut world = World::with(options);
    world.upload("order", QUEUE).await;
    world.upload("order-activities", QUEUE).await;
    world
}

fn item(quantity: i64) -> Value {
    json!({"sku": "SKU-1", "name": "Book", "quantity": quantity, "price": "19.99"})
}

fn payment(amount: &str, token: &str) -> Value {
    json!({"payment_method": "card", "amount": amount, "card_token": token})
}

fn shipping() -> Value {
    json!({"address": "1 Main St", "carrier": "UPS", "tracking_number": "1Z999"})
}

#[tokio::test]
async fn an_order_goes_from_creation_to_delivery() {
    // S1, S4, U1, U2, U3, Q1, A1, W1, W2
    let mut world = world().await;
    world
        .start("o", "OrderWorkflow", &[json!("order-1"), json!("cust-1")])
        .await
        .unwrap();
    assert_eq!(
        world.query("o", "get_status", &[]).await.unwrap(),
        json!("pending")
    );
    assert_eq!(
        world
            .update("o", "add_item", &[item(0)], "bad-quantity")
            .await
            .unwrap(),
        Err("Quantity must be positive".into())
    );
    assert_eq!(
        world
            .update(
                "o",
                "process_payment",
                &[payment("1", "tok_1234567890")],
                "too-early"
            )
            .await
            .unwrap(),
        Err("Cannot pay for empty order".into())
    );
    assert!(
        !world.history("o").contains("Update"),
        "U1: a rejection leaves nothing in history"
    );
    assert_eq!(
        world.update("o", "add_item", &[item(2)], "item-1").await.unwrap(),
        Ok(json!({"items": 1, "total": "39.98"}))
    );
    assert_eq!(
        world
            .update("o", "process_payment", &[payment("39.98", "short")], "bad-token")
            .await
            .unwrap(),
        Err("Invalid card token".into())
    );
    assert_eq!(
        world
            .update(
                "o",
                "process_payment",
                &[payment("1.00", "tok_1234567890")],
                "bad-amount"
            )
            .await
            .unwrap(),
        Err("Payment amount 1.00 != order total 39.98".into())
    );
    assert_eq!(
        world
            .update(
                "o",
                "process_payment",
                &[payment("39.98", "tok_1234567890")],
                "pay"
            )
            .await
            .unwrap(),
        Ok(json!("txn_tok_1234"))
    );
    assert_eq!(world.query("o", "get_status", &[]).await.unwrap(), json!("paid"));
    assert_eq!(
        world
            .update("o", "add_item", &[item(1)], "too-late")
            .await
            .unwrap(),
        Err("Cannot add items in status: paid".into())
    );
    world.signal("o", "mark_shipped", &[shipping()]).await.unwrap();
    world
        .until("the three days", |rt| {
            common::history(rt, "o").contains("after=3d")
        })
        .await;
    assert_eq!(
        world.query("o", "get_progress", &[]).await.unwrap(),
        json!({"status": "shipped", "items_count": 1, "total_amount": "39.98", "payment_status": "paid",
            "shipping_status": "shipped via UPS"})
    );
    world.advance(3 * DAY - SECOND).await;
    assert!(
        !world.history("o").contains("TimerFired"),
        "a timer does not fire early"
    );
    world.pass(SECOND);
    assert_eq!(
        world.result("o").await,
        json!("Order order-1 completed - $39.98 charged")
    );
    assert_eq!(
        world.query("o", "get_status", &[]).await.unwrap(),
        json!("delivered"),
        "Q1: after the close"
    );
    assert_eq!(world.query("o", "get_total", &[]).await.unwrap(), json!("39.98"));
    let events = world.rt().whole_history("default", "o", "").unwrap().events;
    text::assert_history(&events, ORDER);
    world.export("order-delivered", "o");
}

const ORDER: &str = r#"
  1 WorkflowExecutionStarted type=OrderWorkflow id=o queue=orders input=("order-1","cust-1")
  2 WorkflowTaskScheduled
  3 WorkflowTaskStarted scheduled=2
  4 WorkflowTaskCompleted scheduled=2 started=3
  5 TimerStarted id=1 after=7d
  6 WorkflowTaskScheduled
  7 WorkflowTaskStarted scheduled=6
  8 WorkflowTaskCompleted scheduled=6 started=7
  9 WorkflowExecutionUpdateAccepted id=item-1 name=add_item input=({"name":"Book","price":"19.99","quantity":2,"sku":"SKU-1"}) task=6
 10 ActivityTaskScheduled id=2 type=check_inventory queue=orders input=({"name":"Book","price":"19.99","quantity":2,"sku":"SKU-1"}) start-to-close=10s
 11 ActivityTaskStarted scheduled=10
 12 ActivityTaskCompleted scheduled=10 started=11 result=true
 13 WorkflowTaskScheduled
 14 WorkflowTaskStarted scheduled=13
 15 WorkflowTaskCompleted scheduled=13 started=14
 16 WorkflowExecutionUpdateCompleted id=item-1 accepted=9 result={"items":1,"total":"39.98"}
 17 WorkflowTaskScheduled
 18 WorkflowTaskStarted scheduled=17
 19 WorkflowTaskCompleted scheduled=17 started=18
 20 WorkflowExecutionUpdateAccepted id=bad-amount name=process_payment input=({"amount":"1.00","card_token":"tok_1234567890","payment_method":"card"}) task=17
 21 WorkflowExecutionUpdateCompleted id=bad-amount accepted=20 failure="ValueError: Payment amount 1.00 != order total 39.98"
 22 WorkflowTaskScheduled
 23 WorkflowTaskStarted scheduled=22
 24 WorkflowTaskCompleted scheduled=22 started=23
 25 WorkflowExecutionUpdateAccepted id=pay name=process_payment input=({"amount":"39.98","card_token":"tok_1234567890","payment_method":"card"}) task=22
 26 ActivityTaskScheduled id=3 type=charge_payment queue=orders input=({"amount":"39.98","card_token":"tok_1234567890","payment_method":"card"}) start-to-close=30s
 27 ActivityTaskStarted scheduled=26
 28 ActivityTaskCompleted scheduled=26 started=27 result="txn_tok_1234"
 29 WorkflowTaskScheduled
 30 WorkflowTaskStarted scheduled=29
 31 WorkflowTaskCompleted scheduled=29 started=30
 32 WorkflowExecutionUpdateCompleted id=pay accepted=25 result="txn_tok_1234"
 33 TimerCanceled id=1 started=5
 34 TimerStarted id=4 after=30d
 35 WorkflowExecutionSignaled name=mark_shipped input=({"address":"1 Main St","carrier":"UPS","tracking_number":"1Z999"})
 36 WorkflowTaskScheduled
 37 WorkflowTaskStarted scheduled=36
 38 WorkflowTaskCompleted scheduled=36 started=37
 39 ActivityTaskScheduled id=5 type=update_shipping_system queue=orders input=("order-1",{"address":"1 Main St","carrier":"UPS","tracking_number":"1Z999"}) start-to-close=10s
 40 ActivityTaskStarted scheduled=39
 41 ActivityTaskCompleted scheduled=39 started=40 result=null
 42 WorkflowTaskScheduled
 43 WorkflowTaskStarted scheduled=42
 44 WorkflowTaskCompleted scheduled=42 started=43
 45 TimerCanceled id=4 started=34
 46 TimerStarted id=6 after=3d
 47 TimerFired id=6 started=46
 48 WorkflowTaskScheduled
 49 WorkflowTaskStarted scheduled=48
 50 WorkflowTaskCompleted scheduled=48 started=49
 51 ActivityTaskScheduled id=7 type=send_delivery_confirmation queue=orders input=("cust-1","order-1") start-to-close=30s
 52 ActivityTaskStarted scheduled=51
 53 ActivityTaskCompleted scheduled=51 started=52 result=null
 54 WorkflowTaskScheduled
 55 WorkflowTaskStarted scheduled=54
 56 WorkflowTaskCompleted scheduled=54 started=55
 57 WorkflowExecutionCompleted result="Order order-1 completed - $39.98 charged"
"#;

#[tokio::test]
async fn an_order_that_nobody_pays_is_cancelled_after_a_week() {
    // W1, W2
    let mut world = world().await;
    world
        .start("o", "OrderWorkflow", &[json!("order-2"), json!("cust")])
        .await
        .unwrap();
    world.advance(7 * DAY - SECOND).await;
    assert_eq!(
        world.query("o", "get_status", &[]).await.unwrap(),
        json!("pending")
    );
    world.pass(SECOND);
    assert_eq!(
        world.result("o").await,
        json!("Order order-2 cancelled - payment timeout")
    );
    assert_eq!(
        world.query("o", "get_status", &[]).await.unwrap(),
        json!("cancelled")
    );
    world.export("order-payment-timeout", "o");
}

#[tokio::test]
async fn days_of_waiting_are_skipped_for_who_waits_for_the_result() {
    let mut options = common::options();
    options.time_skipping = true;
    let mut world = world_with(options).await;
    world
        .start("o", "OrderWorkflow", &[json!("order-3"), json!("cust")])
        .await
        .unwrap();
    world
        .update("o", "add_item", &[item(1)], "item")
        .await
        .unwrap()
        .unwrap();
    world
        .update(
            "o",
            "process_payment",
            &[payment("19.99", "tok_1234567890")],
            "pay",
        )
        .await
        .unwrap()
        .unwrap();
    world.signal("o", "mark_shipped", &[shipping()]).await.unwrap();
    assert_eq!(
        world.result("o").await,
        json!("Order order-3 completed - $19.99 charged")
    );
    world.export("order-time-skipped", "o");
}

#[tokio::test]
async fn a_cancelled_order_ends_as_cancelled() {
    // E4
    let mut world = world().await;
    world
        .start("o", "OrderWorkflow", &[json!("order-4"), json!("cust")])
        .await
        .unwrap();
    world.cancel("o").await.unwrap();
    world.cancel("o").await.unwrap();
    world.until_history("o", "WorkflowExecutionCanceled").await;
    let history = world.history("o");
    assert_eq!(
        history.matches("CancelRequested").count(),
        1,
        "E4: idempotent\n{history}"
    );
    assert!(
        history.contains("TimerCanceled id=1"),
        "E4: what is awaited is cancelled\n{history}"
    );
    world.cancel("o").await.unwrap();
    assert_eq!(
        world.history("o"),
        history,
        "E4: accepted on a closed run, and nothing happens"
    );
    world.export("order-cancelled", "o");
}

#[tokio::test]
async fn two_updates_at_once_take_turns() {
    // U5: the lock of the example lets the second one wait for the first.
    let mut world = world().await;
    world
        .start("o", "OrderWorkflow", &[json!("order-5"), json!("cust")])
        .await
        .unwrap();
    let rt = world.rt();
    let both = async {
        let (first, second) = ([item(1)], [item(2)]);
        tokio::join!(
            common::update(rt.clone(), "o", "add_item", &first, "u1"),
            common::update(rt.clone(), "o", "add_item", &second, "u2"),
        )
    };
    let (first, second) = world.drive(both).await;
    assert_eq!(first.unwrap(), Ok(json!({"items": 1, "total": "19.99"})));
    assert_eq!(second.unwrap(), Ok(json!({"items": 2, "total": "59.97"})));
    world.export("order-two-updates", "o");
    world.terminate("o").await.unwrap();
}
