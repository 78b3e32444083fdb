//! Activities: who serves them, and what becomes of attempts that fail, hang or are lost.

use std::time::Duration;

use longhaul_history::proto::{enums::v1::PendingActivityState as State, workflow::v1::PendingActivityInfo};
use longhaul_store::faults::Loss;
use serde_json::json;

use crate::{common, world::*};

/// Settings under which no activity of the module can run: there is no memory for it.
const BROKEN: &str = "[limits]\nactivity_memory_bytes = 65536";

/// A run that waits for its first `Echo`, served on `queue` if at all.
async fn steps(world: &mut World, steps: i64) {
    let mut request = start_request("s", "Steps", &[json!(steps)]);
    request.task_queue.as_mut().unwrap().name = "bench".into();
    // No attempt gets anywhere yet: they run only while the test yields to them.
    let rt = world.rt();
    world.drive_alone(rt.start_workflow(request)).await.unwrap();
}

async fn pending(world: &mut World) -> PendingActivityInfo {
    let mut pending = world.describe("s").await.pending_activities;
    assert_eq!(pending.len(), 1, "{pending:?}");
    pending.remove(0)
}

#[tokio::test]
async fn an_activity_that_nobody_serves_says_so_and_starts_when_somebody_does() {
    let mut world = World::of("order").await;
    world
        .start("s", "OrderWorkflow", &[json!("order"), json!("cust")])
        .await
        .unwrap();
    let rt = world.rt();
    let item = [json!({"sku": "a", "name": "b", "quantity": 1, "price": "1.00"})];
    let update = common::update(rt, "s", "add_item", &item, "u");
    let mut update = std::pin::pin!(update);
    let waits = tokio::time::timeout(Duration::from_millis(100), world.sim.drive(&mut update)).await;
    assert!(waits.is_err(), "nobody serves the activity");
    let waiting = pending(&mut world).await;
    assert_eq!(waiting.state(), State::Scheduled);
    let why = waiting.last_failure.unwrap().message;
    assert_eq!(why, "no worker polls order; no uploaded module serves this type");
    // Elsewhere is not here, and describe says where it is.
    world.upload("order-activities", "elsewhere").await;
    let why = pending(&mut world).await.last_failure.unwrap().message;
    assert_eq!(
        why,
        "no worker polls order; module order-activities serves this type on elsewhere"
    );
    world.crash(Loss::All, SECOND);
    let why = pending(&mut world).await.last_failure.unwrap().message;
    assert!(
        why.starts_with("no worker polls order"),
        "also after a restart: {why}"
    );
    world.upload("order-activities", "order").await;
    let added = world.update("s", "add_item", &item, "u").await.unwrap();
    assert_eq!(
        added,
        Ok(json!({"items": 1, "total": "1.00"})),
        "the upload starts it"
    );
    world.export("activity-unserved", "s");
}

#[tokio::test]
async fn a_failing_activity_is_tried_again_and_again() {
    // A2
    let mut world = World::new();
    world.upload_with("bench", "bench", BROKEN).await;
    steps(&mut world, 1).await;
    let mut wait = SECOND;
    for attempt in 2..6 {
        let failed = until_attempt(&mut world, attempt).await;
        assert_eq!(failed.state(), State::Scheduled);
        let failure = failed.last_failure.expect("A2: describe shows the last failure");
        assert!(!failure.message.is_empty());
        assert!(
            !world.history("s").contains("ActivityTaskStarted"),
            "attempts that fail are not in history"
        );
        // 1 s, 2 s, 4 s, ...: not a moment earlier.
        world.advance(wait - Duration::from_nanos(1)).await;
        assert_eq!(pending(&mut world).await.attempt, attempt);
        assert_eq!(
            pending(&mut world).await.state(),
            State::Scheduled,
            "A2: it waits {wait:?}"
        );
        world.pass(Duration::from_nanos(1));
        wait *= 2;
    }
    let attempt = until_attempt(&mut world, 6).await.attempt;
    // A mended version serves the next attempt; the run itself stays with its own.
    world.upload("bench", "bench").await;
    world.crash(Loss::All, wait);
    assert_eq!(world.result("s").await, json!(0));
    let history = world.history("s");
    assert!(history.contains(&format!("attempt={attempt}")), "{history}");
    assert_eq!(
        history.matches("ActivityTaskStarted").count(),
        1,
        "A1: recorded once\n{history}"
    );
    world.export("activity-retried", "s");
}

async fn until_attempt(world: &mut World, number: i32) -> PendingActivityInfo {
    for _ in 0..10_000 {
        let info = pending(world).await;
        if info.attempt == number {
            return info;
        }
        world.sim.settle().await;
    }
    panic!("attempt {number} never comes");
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_given_up() {
    // A2: start-to-close, 60 s in this workflow.
    let mut world = World::of("bench").await;
    steps(&mut world, 1).await;
    world.pass(61 * SECOND);
    world.sim.round();
    let info = pending(&mut world).await;
    assert_eq!((info.attempt, info.state()), (2, State::Scheduled));
    let failure = info.last_failure.unwrap();
    assert!(
        failure.message.contains("StartToClose") || format!("{failure:?}").contains("TimeoutFailureInfo"),
        "{failure:?}"
    );
    world.pass(SECOND);
    assert_eq!(world.result("s").await, json!(0));
    world.export("activity-timeout", "s");
}

#[tokio::test]
async fn an_attempt_that_was_lost_with_the_server_is_tried_again() {
    // A1, A7
    let mut world = World::of("bench").await;
    steps(&mut world, 3).await;
    world.crash(Loss::All, SECOND);
    let info = pending(&mut world).await;
    assert_eq!(info.attempt, 2, "A7: the first attempt is gone: {info:?}");
    world.advance(SECOND).await;
    assert_eq!(world.result("s").await, json!(3));
    let history = world.history("s");
    assert_eq!(
        history.matches("ActivityTaskCompleted").count(),
        3,
        "A1: each result once\n{history}"
    );
    world.export("activity-lost", "s");
}
