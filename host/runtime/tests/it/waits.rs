//! An activity that could start and does not: `describe` says why.

use std::time::Duration;

use longhaul_history::{
    failure,
    proto::{enums::v1::PendingActivityState as State, failure::v1::Failure},
};
use serde_json::json;

use crate::{common, worker::*, world::*};

/// A run of the guest `attempts` that waits for an activity which runs until it is cancelled.
async fn beat(world: &mut World, id: &str) {
    let plan = json!({"activity": "Beat", "cancellation": "wait"});
    world.start(id, "Trial", &[plan]).await.unwrap();
    world.sim.settle().await;
}

/// What `describe` says of the activity that a run waits for.
async fn told(world: &mut World, id: &str) -> (State, Option<Failure>) {
    let activity = world.pending(id).await.unwrap();
    (activity.state(), activity.last_failure)
}

/// Why the activity of a run waits.
async fn why(world: &mut World, id: &str) -> String {
    let (state, told) = told(world, id).await;
    assert_eq!(state, State::Scheduled);
    let told = told.expect("it waits for something");
    failure::why_it_waits(&told).0.expect("why").to_owned()
}

#[tokio::test]
async fn the_places_of_a_module_are_taken() {
    let mut world = World::new();
    let config = "[limits]\nactivity_concurrency = 1";
    world.upload_with("attempts", "attempts", config).await;
    beat(&mut world, "first").await;
    beat(&mut world, "second").await;
    assert_eq!(told(&mut world, "first").await, (State::Started, None));
    assert_eq!(
        why(&mut world, "second").await,
        "module attempts has no place for another attempt: its activity_concurrency is 1, and all are taken"
    );
    world.terminate("first").await.unwrap();
    world.sim.settle().await;
    assert_eq!(told(&mut world, "second").await, (State::Started, None));
}

#[tokio::test]
async fn the_places_of_the_server_are_taken() {
    let mut options = common::options();
    options.activity_slots = 1;
    let mut world = World::with(options);
    world.upload("attempts", "attempts").await;
    beat(&mut world, "first").await;
    beat(&mut world, "second").await;
    let text = "the server has no place for another attempt: its activity_slots are 1, and all are taken";
    assert_eq!(why(&mut world, "second").await, text);
    // Turns of the run that waits change nothing.
    for _ in 0..3 {
        world.query("second", "outcome", &[]).await.unwrap();
        world.signal("second", "nothing", &[]).await.ok();
    }
    assert_eq!(why(&mut world, "second").await, text);
    world.terminate("first").await.unwrap();
    world.sim.settle().await;
    assert_eq!(told(&mut world, "second").await, (State::Started, None));
}

#[tokio::test]
async fn the_last_failure_stands_behind_what_an_activity_waits_for() {
    // A2
    let mut world = lab().await;
    world.lab("w", &[activity(json!({}))]).await;
    let task = world.task("worker").await;
    world.fail(&task, "no", "Broken").await.unwrap();
    let (_, failed) = told(&mut world, "w").await;
    assert_eq!(failed.unwrap().message, "no", "it waits for its time");
    world.advance(SECOND).await;
    let (_, failed) = told(&mut world, "w").await;
    assert_eq!(failed.unwrap().message, "no", "somebody polled a moment ago");
    world.advance(Duration::from_secs(120)).await;
    let (_, told) = told(&mut world, "w").await;
    let told = told.unwrap();
    let (why, failed) = failure::why_it_waits(&told);
    assert_eq!(
        why,
        Some("no worker polls lab; no uploaded module serves this type")
    );
    assert_eq!(failed.unwrap().message, "no");
    world.complete(&task, json!(1)).await.unwrap_err();
    let task = world.task("worker").await;
    assert_eq!(task.attempt, 2);
}
