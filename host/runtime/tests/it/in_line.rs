//! Activities that wait, for a worker or for a slot: who is next, and who holds up whom (A1, A7).

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use longhaul_runtime::activities::{self, Context};
use longhaul_store::faults::Loss;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{common, worker::*, world::*};

/// How many attempts wait in the lab's queue.
async fn backlog(world: &mut World) -> i64 {
    let described = world.describe_queue().await;
    described.stats.unwrap().approximate_backlog_count
}

/// The tasks come in this order, and none after them.
async fn tasks(world: &mut World, names: &[&str]) {
    for name in names {
        let task = world.task("worker").await;
        assert_eq!(value(task.input.as_ref()), Some(json!(name)));
        world.complete(&task, json!(name)).await.unwrap();
    }
    assert!(world.poll_task("worker").await.is_none());
}

#[tokio::test]
async fn what_waits_for_a_worker_keeps_its_place_whatever_brings_its_run_back() {
    // A1, A7
    let mut options = common::options();
    options.instances = 1;
    let mut world = World::with(options);
    world.upload("lab", "lab").await;
    for name in ["c", "a", "b"] {
        // Without a limit of the wait nothing but a worker ever starts it.
        world.lab(name, &[activity(json!({"args": [name]}))]).await;
        world.pass(Duration::from_millis(1));
    }
    // Each of them has left the memory at least once, and no poll brings it back.
    for name in ["b", "c", "a"] {
        assert!(world.pending(name).await.is_some());
        world.signal(name, "note", &[json!("hello")]).await.unwrap();
        world.sim.settle().await;
    }
    assert_eq!(backlog(&mut world).await, 3);
    tasks(&mut world, &["c", "a", "b"]).await;
    for name in ["a", "b", "c"] {
        assert_eq!(
            world.result(name).await,
            json!(["note:hello", format!("echo={name:?}")])
        );
    }
}

#[tokio::test]
async fn a_restart_puts_what_waits_in_line_without_reading_its_runs() {
    // A1, A7
    let mut world = lab().await;
    for name in ["c", "a", "b"] {
        world.lab(name, &[activity(json!({"args": [name]}))]).await;
        world.pass(Duration::from_millis(1));
    }
    world
        .lab("d", &[activity(json!({"schedule_to_start_ms": 60_000}))])
        .await;
    world
        .lab("own", &[activity(json!({"type": "Own", "args": ["mine"]}))])
        .await;
    world.crash(Loss::All, SECOND);
    world.sim.settle().await;
    assert_eq!(world.sim.runs_in_memory(), (0, 0));
    assert_eq!(backlog(&mut world).await, 5);
    // Its limit counts although nobody has looked at its run.
    world.advance(60 * SECOND).await;
    world.until_history("d", "ActivityTaskTimedOut").await;
    // Code of the embedding program takes over what is its own.
    let own = activities::json(async |_: Context, name: String| Ok(name));
    world.rt().register_activity(QUEUE, "Own", own).unwrap();
    assert_eq!(world.result("own").await, json!(["Own=\"mine\""]));
    tasks(&mut world, &["c", "a", "b"]).await;
    assert_eq!(world.result("b").await, json!(["echo=\"b\""]));
}

/// A world with one slot, and an activity `Turn` of the embedding program that notes its argument and waits until it is let go.
async fn one_slot(instances: usize) -> (World, Arc<Mutex<Vec<Value>>>, Arc<Semaphore>) {
    let mut options = common::options();
    options.instances = instances;
    options.activity_slots = 1;
    let mut world = World::with(options);
    world.upload("lab", "lab").await;
    let (begun, go) = (Arc::<Mutex<Vec<Value>>>::default(), Arc::new(Semaphore::new(0)));
    let (noted, lets) = (begun.clone(), go.clone());
    let turn = activities::json(move |_: Context, name: Value| {
        let (noted, lets) = (noted.clone(), lets.clone());
        async move {
            noted.lock().unwrap().push(name);
            lets.acquire().await.unwrap().forget();
            Ok(())
        }
    });
    world.rt().register_activity(QUEUE, "Turn", turn).unwrap();
    (world, begun, go)
}

fn turn(name: &str) -> Value {
    activity(json!({"type": "Turn", "args": [name], "start_to_close_ms": 600_000}))
}

#[tokio::test]
async fn without_a_slot_workers_outside_get_their_attempts_all_the_same() {
    // A1
    let (mut world, begun, go) = one_slot(64).await;
    world.lab("busy", &[turn("busy")]).await;
    world.sim.settle().await;
    // The one for which there is no slot comes first.
    let branches = json!({"op": "parallel", "branches": [[turn("waits")], [activity(json!({}))]]});
    world.lab("w", &[branches]).await;
    let task = world.task("worker").await;
    world.complete(&task, json!(1)).await.unwrap();
    world.sim.settle().await;
    assert_eq!(*begun.lock().unwrap(), [json!("busy")]);
    go.add_permits(2);
    assert_eq!(world.result("w").await, json!(["echo=1", "Turn=null"]));
}

#[tokio::test]
async fn a_run_whose_slot_comes_free_stands_behind_those_that_wait() {
    // A1
    let (mut world, begun, go) = one_slot(64).await;
    world.lab("first", &[turn("1"), turn("2"), turn("3")]).await;
    world.sim.settle().await;
    world.lab("second", &[turn("a"), turn("b")]).await;
    world.lab("third", &[turn("x")]).await;
    world.sim.settle().await;
    // Turns of a run that waits change nothing.
    for _ in 0..10 {
        world.signal("third", "note", &[json!("hello")]).await.unwrap();
    }
    for _ in 0..6 {
        go.add_permits(1);
        world.sim.settle().await;
    }
    let begun = begun.lock().unwrap().clone();
    assert_eq!(begun, ["1", "a", "x", "2", "b", "3"]);
    for id in ["first", "second", "third"] {
        world.result(id).await;
    }
}

#[tokio::test]
async fn a_slot_is_kept_for_the_next_in_line_while_its_run_is_read() {
    // A1
    let (mut world, begun, go) = one_slot(1).await;
    world.lab("first", &[turn("1")]).await;
    world.sim.settle().await;
    world.lab("second", &[turn("a")]).await;
    // Both have left the memory, and are not read yet when the slot comes free.
    for id in ["x", "y"] {
        world.lab(id, &[json!({"op": "wait", "notes": 1})]).await;
    }
    world.sim.hold_workers(true);
    go.add_permits(1);
    world.sim.settle().await;
    world.lab("third", &[turn("z")]).await;
    world.sim.settle().await;
    assert_eq!(*begun.lock().unwrap(), ["1"]);
    world.sim.hold_workers(false);
    go.add_permits(2);
    for id in ["first", "second", "third"] {
        world.result(id).await;
    }
    assert_eq!(*begun.lock().unwrap(), ["1", "a", "z"]);
}

#[tokio::test]
async fn a_slot_that_was_kept_for_a_run_that_cannot_be_read_goes_to_the_next() {
    // A1
    let (mut world, begun, go) = one_slot(1).await;
    world.lab("first", &[turn("1")]).await;
    world.sim.settle().await;
    for id in ["second", "third"] {
        world.lab(id, &[turn(id)]).await;
    }
    world.lab("x", &[json!({"op": "wait", "notes": 1})]).await;
    world.sim.fail_read_of("second");
    go.add_permits(3);
    for id in ["first", "third"] {
        world.result(id).await;
    }
    assert_eq!(*begun.lock().unwrap(), ["1", "third"]);
    // It is looked at again after a while.
    world.advance(10 * SECOND).await;
    world.result("second").await;
    assert_eq!(*begun.lock().unwrap(), ["1", "third", "second"]);
}

#[tokio::test]
async fn what_waits_for_a_slot_and_is_terminated_takes_none() {
    // A1, E4
    let (mut world, begun, go) = one_slot(64).await;
    world.lab("busy", &[turn("busy")]).await;
    world.sim.settle().await;
    for id in ["gone", "stays"] {
        world.lab(id, &[turn(id)]).await;
    }
    world.sim.settle().await;
    world.terminate("gone").await.unwrap();
    go.add_permits(2);
    world.result("stays").await;
    assert_eq!(*begun.lock().unwrap(), [json!("busy"), json!("stays")]);
}
