//! Activities of modules whose code returns, and leaves their end to somebody else (A6).

use std::time::Duration;

use longhaul_history::proto::enums::v1::PendingActivityState as State;
use longhaul_store::faults::Loss;
use serde_json::json;

use crate::{common, worker::*, world::*};

/// A world with one slot, and a run whose activity waits for somebody.
async fn world(plan: serde_json::Value) -> (World, Vec<u8>) {
    let mut options = common::options();
    options.activity_slots = 1;
    let mut world = World::with(options);
    world.upload("attempts", "attempts").await;
    world.start("t", "Trial", &[plan]).await.unwrap();
    for _ in 0..10_000 {
        let activity = world.pending("t").await.unwrap();
        if let Some(token) = value(activity.heartbeat_details.as_ref()) {
            let token = hex::decode(token.as_str().unwrap()).unwrap();
            return (world, token);
        }
        world.sim.settle().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("the token never comes")
}

#[tokio::test]
async fn it_takes_no_slot_and_waits_over_restarts_until_its_token_ends_it() {
    // A1, A6
    let (mut world, token) = world(json!({"activity": "Later"})).await;
    // The only slot is free as soon as the code has returned.
    let other = json!({"activity": "Reach", "argument": "env NOTHING"});
    world.start("other", "Trial", &[other]).await.unwrap();
    world.result("other").await;
    for _ in 0..2 {
        world.crash(Loss::All, SECOND);
        world.sim.settle().await;
        let activity = world.pending("t").await.unwrap();
        assert_eq!((activity.state(), activity.attempt), (State::Started, 1));
    }
    let request = complete(world.rt(), &token, json!("by token"));
    world.drive(request).await.unwrap();
    assert_eq!(world.result("t").await, json!("by token"));
    let history = world.history("t");
    assert_eq!(history.matches("ActivityTaskStarted").count(), 1, "{history}");
    world.export("activity-handed-over", "t");
}

#[tokio::test]
async fn its_limits_count_and_the_next_attempt_has_a_token_of_its_own() {
    // A2, A6
    let (mut world, token) = world(json!({"activity": "Later", "heartbeat_ms": 5000})).await;
    // The token was in the heartbeat, so the code has returned when the other activity gets the slot.
    let other = json!({"activity": "Reach", "argument": "env NOTHING"});
    world.start("other", "Trial", &[other]).await.unwrap();
    world.result("other").await;
    world.advance(5 * SECOND).await;
    let activity = world.pending("t").await.unwrap();
    assert_eq!((activity.state(), activity.attempt), (State::Scheduled, 2));
    assert_eq!(
        activity.last_failure.unwrap().message,
        "activity Heartbeat timeout"
    );
    let request = complete(world.rt(), &token, json!("too late"));
    world.drive(request).await.unwrap_err();
    // One that waits for its next attempt may be completed by its id.
    let request = complete_by_id(world.rt(), "t", &activity.activity_id, json!("by id"));
    world.drive(request).await.unwrap();
    assert_eq!(world.result("t").await, json!("by id"));
    world.export("activity-handed-over-late", "t");
}
