//! A turn that cannot end, by a defect of the server or because the store refuses what it would write: it costs that one turn.

use std::future::Future;

use longhaul_runtime::Error;
use longhaul_store::faults::Loss;
use serde_json::json;

use crate::{common, world::*};

/// A run of `hostile` that waits, and another execution in the same shard.
async fn world() -> World {
    let mut world = World::of("counter").await;
    world.upload("hostile", "hostile").await;
    world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
    world.start("neighbour", "Counter", &[]).await.unwrap();
    world
}

/// Whatever was counted is there, and the other way round.
async fn settled(world: &mut World, runs: usize) {
    world.sim.settle().await;
    assert_eq!(world.sim.runs_in_memory(), (runs, runs));
}

#[tokio::test]
async fn a_transition_that_the_store_refuses_fails_its_own_turn_alone() {
    // S1, S9
    let mut world = world().await;
    let mut options = common::options();
    options.store.transition_max_bytes = 64 << 10;
    world.reopen(Loss::All, SECOND, options);
    world.signal("h", "act", &[json!("nothing")]).await.unwrap();
    let rt = world.rt();
    let (one, large) = ([json!(1)], [json!("x".repeat(100 << 10))]);
    let requests = async {
        tokio::join!(
            common::signal(rt.clone(), "neighbour", "add", &one, ""),
            common::signal(rt.clone(), "h", "act", &large, ""),
        )
    };
    // Both turns stand before the same commit.
    let (earlier, refused) = world.drive(requests).await;
    assert_eq!(
        earlier.map_err(|error| error.to_string()),
        Ok(()),
        "what was handed over before is answered"
    );
    let Err(Error::Unavailable(message)) = refused else {
        panic!("{refused:?}")
    };
    assert!(message.contains("over the limit of 65536 bytes"), "{message}");
    assert_eq!(world.query("neighbour", "all", &[]).await.unwrap(), json!([1]));
    let history = world.history("h");
    assert!(!history.contains("xxx"), "{history}");
    world.signal("h", "finish", &[]).await.unwrap();
    assert_eq!(
        world.result("h").await,
        json!("writes 0"),
        "the run goes on from what was written"
    );
    settled(&mut world, 1).await;
    world.export("recover-refused", "h");
}

#[tokio::test]
async fn a_panic_in_a_turn_costs_that_turn_alone() {
    // S1, E11
    let mut world = world().await;
    let rt = world.rt();
    world.sim.panic_in_turn_of("h");
    let (one, nothing) = ([json!(1)], [json!("nothing")]);
    let requests = async {
        tokio::join!(
            common::signal(rt.clone(), "neighbour", "add", &one, ""),
            common::signal(rt.clone(), "h", "finish", &[], ""),
            common::query(rt.clone(), "h", "writes"),
            common::update(rt.clone(), "h", "act", &nothing, "u"),
        )
    };
    let (neighbour, signal, query, update) = world.drive(requests).await;
    assert!(neighbour.is_ok(), "{neighbour:?}");
    for lost in [signal.map(|()| json!(0)), query, update.map(|_| json!(0))] {
        let Err(Error::Internal(message)) = lost else {
            panic!("everybody is told: {lost:?}")
        };
        assert!(message.contains("defect of the server"), "{message}");
    }
    settled(&mut world, 2).await;
    assert!(
        !world.history("h").contains("finish"),
        "nothing of the turn was written"
    );
    assert_eq!(world.query("h", "writes", &[]).await.unwrap(), json!(0));
    world.signal("h", "finish", &[]).await.unwrap();
    assert_eq!(world.result("h").await, json!("writes 0"));
    settled(&mut world, 1).await;
    world.export("recover-panic", "h");
}

#[tokio::test]
async fn what_waits_behind_a_panic_is_served() {
    let mut world = world().await;
    let rt = world.rt();
    world.sim.panic_in_turn_of("h");
    let nothing = [json!("nothing")];
    let mut lost = std::pin::pin!(common::signal(rt.clone(), "h", "act", &nothing, ""));
    let sent = std::future::poll_fn(|context| std::task::Poll::Ready(lost.as_mut().poll(context))).await;
    assert!(sent.is_pending(), "it is in the mailbox");
    // The turn is lost, and the run not yet back.
    world.sim.round();
    let asked = async {
        tokio::join!(
            common::signal(rt.clone(), "h", "finish", &[], ""),
            common::result(rt.clone(), "h")
        )
    };
    let (finished, result) = world.drive(asked).await;
    assert!(finished.is_ok(), "{finished:?}");
    assert_eq!(result.unwrap(), json!("writes 0"));
    assert!(world.drive(lost).await.is_err());
}

#[tokio::test]
async fn a_start_that_panics_leaves_nothing() {
    // E1
    let mut options = common::options();
    options.activity_slots = 1;
    let mut world = World::with(options);
    world.upload("bench", "bench").await;
    world.sim.panic_in_turn_of("s");
    let lost = world.start("s", "Steps", &[json!(2)]).await;
    assert!(matches!(lost, Err(Error::Internal(_))), "{lost:?}");
    settled(&mut world, 0).await;
    // The id is free, and so is the one slot that its activity had been given.
    world.start("s", "Steps", &[json!(2)]).await.unwrap();
    assert_eq!(world.result("s").await, json!(1));
}

#[tokio::test]
async fn a_slot_that_a_lost_turn_had_taken_is_free_again() {
    // A1
    let mut options = common::options();
    options.activity_slots = 1;
    let mut world = World::with(options);
    world.upload("bench", "bench").await;
    world.start("s", "Steps", &[json!(2)]).await.unwrap();
    // The next turn takes the first result, and schedules and starts the second activity.
    world.sim.panic_in_turn_of("s");
    let result = common::result(world.rt(), "s");
    let mut result = std::pin::pin!(result);
    // While nothing happens, time passes: the result was lost with its turn, so the attempt is tried again.
    let ended = world.drive_until_commit(result.as_mut(), u64::MAX).await;
    assert_eq!(ended.unwrap().unwrap(), json!(1));
    let history = world.history("s");
    assert!(history.contains("attempt=2"), "{history}");
    assert_eq!(history.matches("ActivityTaskCompleted").count(), 2, "{history}");
}

#[tokio::test]
async fn a_timer_that_a_lost_turn_had_taken_fires() {
    // W2
    let mut world = world().await;
    world.start("a", "Hostile", &[json!("adapt")]).await.unwrap();
    world.sim.panic_in_turn_of("a");
    world.advance(HOUR).await;
    assert!(!world.history("a").contains("TimerFired"), "its turn was lost");
    world.advance(SECOND).await;
    assert_eq!(world.result("a").await, json!("with much memory"));
    world.export("recover-timer", "a");
}
