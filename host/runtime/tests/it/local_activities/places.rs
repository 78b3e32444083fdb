//! Places for local activities: the server's slots and a module's gate.

use super::*;

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
