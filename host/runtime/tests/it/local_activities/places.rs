//! Places for local activities: the server's slots and a module's gate.

use super::*;
use crate::attempt_faults::{free, full};

#[tokio::test]
async fn tasks_that_wait_for_it_stay_in_memory_and_slots_are_shared() {
    // A5, C5
    let mut options = common::options();
    options.instances = 1;
    options.activity_slots = 2;
    let mut world = World::with(options);
    world.upload("lab", "lab").await;
    let mut gate = Gate::new();
    gate.serve(&world);
    for id in ["a", "b", "c"] {
        world
            .lab(id, &[local_with("gate", json!({"start_to_close_ms": 60_000}))])
            .await;
    }
    world.sim.settle().await;
    assert_eq!(gate.begun(), 2, "there are two slots");
    for _ in 0..3 {
        gate.let_one_end();
    }
    for id in ["a", "b", "c"] {
        assert_eq!(world.result(id).await, json!(["gate=7"]));
    }
    assert_eq!(gate.begun(), 3, "no task was dropped to make room");
}

#[tokio::test]
async fn a_slot_goes_past_those_that_want_it_no_longer() {
    // A5, C5, E4
    const GONE: usize = 30;
    let mut options = common::options();
    options.activity_slots = 1;
    let mut world = World::with(options);
    world.upload("lab", QUEUE).await;
    let (mut world, gate) = gated_in(world);
    world.lab("first", &[long_gate()]).await;
    for number in 0..GONE {
        world.lab(&format!("gone-{number}"), &[long_gate()]).await;
    }
    world.lab("next", &[long_gate()]).await;
    world.sim.settle().await;
    assert_eq!(gate.begun(), 1, "there is one slot");
    for number in 0..GONE {
        world.terminate(&format!("gone-{number}")).await.unwrap();
    }
    world.sim.settle().await;
    gate.let_one_end();
    // A server that has nothing to do sleeps: the slot is not handed on by one of them a round.
    for _ in 0..GONE / 3 {
        tokio::task::yield_now().await;
        world.sim.round();
    }
    tokio::task::yield_now().await;
    assert_eq!(gate.begun(), 2);
    gate.let_one_end();
    for id in ["first", "next"] {
        assert_eq!(world.result(id).await, json!(["gate=7"]));
    }
}

/// A world whose module runs one attempt at a time.
async fn one_place(options: longhaul_runtime::Options) -> World {
    let mut world = World::with(options);
    world.upload("lab", QUEUE).await;
    let config = "[limits]\nactivity_concurrency = 1";
    world.upload_with("lab-activities", QUEUE, config).await;
    world
}

/// A local activity in the module that runs until its run is terminated.
fn endless() -> Value {
    local_with("slow", json!({"args": [600_000], "start_to_close_ms": 600_000}))
}

#[tokio::test]
async fn a_place_in_a_module_goes_past_those_that_want_it_no_longer() {
    // A5, C5, E4
    let mut world = one_place(common::options()).await;
    world.lab("first", &[endless()]).await;
    for id in ["gone", "next"] {
        world.lab(id, &[local("echo")]).await;
    }
    world.sim.settle().await;
    world.terminate("gone").await.unwrap();
    assert!(!world.history("next").contains("MarkerRecorded"));
    world.terminate("first").await.unwrap();
    assert_eq!(world.result("next").await, json!(["echo=7"]));
}

#[tokio::test]
async fn a_place_that_was_kept_for_a_run_that_cannot_be_read_goes_to_the_next() {
    // A1, C5
    let mut options = common::options();
    options.instances = 1;
    let mut world = one_place(options).await;
    let remote = |kind: &str, argument: Value| {
        worker::activity(json!({"type": kind, "args": [argument], "start_to_close_ms": 600_000}))
    };
    world.lab("first", &[remote("slow", json!(600_000))]).await;
    world.sim.settle().await;
    for id in ["second", "third"] {
        world.lab(id, &[remote("echo", json!(id))]).await;
    }
    // All of them have left the memory.
    for id in ["x", "y"] {
        world.lab(id, &[json!({"op": "wait", "notes": 1})]).await;
    }
    world.sim.fail_read_of("second");
    world.terminate("first").await.unwrap();
    // No time passes, so the second is not looked at again.
    assert_eq!(world.result("third").await, json!(["echo=\"third\""]));
    assert!(!world.history("second").contains("ActivityTaskStarted"));
    world.advance(10 * SECOND).await;
    assert_eq!(world.result("second").await, json!(["echo=\"second\""]));
}

#[tokio::test]
async fn one_that_could_not_be_written_takes_no_slot() {
    // A5, A7
    let mut options = common::options();
    options.activity_slots = 1;
    let mut world = World::with(options);
    world.upload("lab", QUEUE).await;
    let (mut world, gate) = gated_in(world);
    full(&world);
    let program = json!({"steps": [long_gate()], "log": ["x".repeat(1 << 20)]});
    world.refuses(program).await;
    free(&mut world).await;
    assert_eq!(gate.begun(), 0, "the run was never there");
    world.lab("l", &[long_gate()]).await;
    gate.until_begun(&mut world, 1).await;
    gate.let_one_end();
    assert_eq!(world.result("l").await, json!(["gate=7"]));
}

#[tokio::test]
async fn one_that_only_waits_for_its_cancellation_is_woken_by_it_and_leaves_its_slot() {
    // A3, A5
    for module in ["attempts", "attempts-go"] {
        let mut options = common::options();
        options.activity_slots = 1;
        let mut world = World::with(options);
        world.upload("lab", QUEUE).await;
        world.upload(module, QUEUE).await;
        let (mut world, gate) = gated_in(world);
        let patient = local_with("Patient", json!({"args": [""], "start_to_close_ms": 600_000}));
        let race = json!({"op": "race", "branches": [[patient], [{"op": "sleep", "ms": 1}]]});
        world.lab("l", &[race]).await;
        world.sim.settle().await;
        // A task ends before the activity, the next one shows that the timer has fired, and whoever has lost is cancelled.
        for _ in 0..2 {
            world.advance(8 * SECOND).await;
        }
        world.until_history("l", "TimerFired").await;
        assert_eq!(world.result("l").await, json!(["slept", "won=1"]), "{module}");
        world.lab("next", &[long_gate()]).await;
        gate.until_begun(&mut world, 1).await;
        gate.let_one_end();
        assert_eq!(world.result("next").await, json!(["gate=7"]));
    }
}
