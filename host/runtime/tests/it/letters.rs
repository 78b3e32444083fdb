//! What becomes of messages between executions where the way is not clear: their sender or their receiver goes, a module is missing, a
//! disk is full (E5, E6). A message that is over leaves no row, and holds up none that comes after it.

use std::time::Duration;

use longhaul_history::proto::{enums::v1::ResetReapplyExcludeType, workflowservice::v1 as wire};
use longhaul_runtime::{Clock, Error, Runtime};
use longhaul_store::{
    Change, NamespaceId, Pending, Store, Transition,
    faults::{FaultyDisk, Loss},
};
use serde_json::{Value, json};

use crate::{
    common::{self, signal},
    world::*,
};

async fn world(shards: usize) -> World {
    let mut world = World::sharded(common::options(), shards);
    world.upload("lab", "lab").await;
    world
}

/// Start the Lab with these steps.
async fn lab(world: &mut World, id: &str, steps: Value) {
    world.start(id, "Lab", &[json!({"steps": steps})]).await.unwrap();
}

fn note(id: &str) -> Value {
    json!({"op": "signal", "id": id, "name": "note", "args": ["hi"]})
}

/// A child that waits for a note.
fn child(id: &str) -> Value {
    json!({"op": "child", "id": id, "program": {"steps": [{"op": "wait", "notes": 1}]}})
}

/// A child of a type of another module.
fn counter(id: &str) -> Value {
    json!({"op": "child", "id": id, "type": "Counter", "program": null})
}

/// Messages that are in the store on a disk.
fn rows_on(disk: &FaultyDisk) -> usize {
    let store = Store::open_with_backend(common::options().store, disk.crash(Loss::All)).unwrap();
    let snapshot = store.read().unwrap();
    snapshot.pending(Pending::Outbox).unwrap().count()
}

/// The server stops after the next commit, and when it is back a module is not there any more, as if it had been removed meanwhile.
async fn start_without(world: &mut World, id: &str, steps: Value, module: &str) {
    let (rt, commits) = (world.rt(), world.commits() + 1);
    let start = rt.start_workflow(start_request(id, "Lab", &[json!({"steps": steps})]));
    let answer = world.drive_until_commit(start, commits).await;
    assert!(answer.is_none(), "it is durable, and nothing was sent yet");
    let disk = world.disk.crash(Loss::All);
    let store = Store::open_with_backend(common::options().store, disk.clone()).unwrap();
    let writer = store.inline_writer().unwrap();
    let removal = Change::RemoveModule {
        namespace: NamespaceId::DEFAULT,
        name: module.into(),
        version: 1,
    };
    let mut submitter = writer.register(|_| ());
    submitter.submit(Transition::new(vec![removal])).unwrap();
    assert_eq!(writer.pump(), 1);
    world.disk = disk;
    world.crash(Loss::All, SECOND);
    world.sim.settle().await;
}

fn exists(world: &World, id: &str) -> bool {
    world.rt().whole_history("default", id, "").is_ok()
}

#[tokio::test]
async fn a_child_that_waits_for_a_module_begins_with_it_or_goes_with_its_parent() {
    // E5, E12
    for shards in [1, 3] {
        let mut world = world(shards).await;
        world.upload("counter", "counter").await;
        let both = json!([{"op": "parallel", "branches": [[counter("k")], [note("k")]]}]);
        start_without(&mut world, "a", both, "counter").await;
        assert_eq!(rows_on(&world.disk), 2, "the start waits, and the note behind it");
        world.terminate("a").await.unwrap();
        world.sim.settle().await;
        assert_eq!(rows_on(&world.disk), 0, "{shards} shards: nothing is left of it");
        world.upload("counter", "counter").await;
        world.sim.settle().await;
        assert!(!exists(&world, "k"), "its parent is gone");
        start_without(&mut world, "b", json!([counter("m")]), "counter").await;
        assert!(!exists(&world, "m"));
        world.upload("counter", "counter").await;
        world.until_history("b", "ChildWorkflowExecutionStarted").await;
    }
}

#[tokio::test]
async fn what_waits_behind_a_message_that_was_taken_back_goes_at_once() {
    // E5
    let mut world = world(2).await;
    // The child's start fails once: it rests, and the note behind it.
    world.sim.panic_in_turn_of("k");
    let both = json!([{"op": "parallel", "branches": [[child("k")], [note("k")]]}]);
    lab(&mut world, "a", both).await;
    world.sim.settle().await;
    assert_eq!(rows_on(&world.disk), 2);
    assert!(!exists(&world, "k"));
    world.terminate("a").await.unwrap();
    world.sim.settle().await;
    assert_eq!(rows_on(&world.disk), 0);
    assert!(!exists(&world, "k"), "its start was taken back");
}

#[tokio::test]
async fn what_waits_behind_a_message_that_a_reset_has_taken_back_goes_at_once() {
    // E5, E9
    let mut world = world(2).await;
    world.sim.panic_in_turn_of("k");
    let later = json!([{"op": "wait", "notes": 1}, note("k")]);
    lab(
        &mut world,
        "a",
        json!([{"op": "parallel", "branches": [[child("k")], later]}]),
    )
    .await;
    world.sim.settle().await;
    world.signal("a", "note", &[json!("go")]).await.unwrap();
    world.sim.settle().await;
    assert_eq!(rows_on(&world.disk), 2, "the start rests, and the note behind it");
    let history = world.history("a");
    let task = history
        .lines()
        .rfind(|line| line.contains("WorkflowTaskCompleted"))
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap();
    // The new run sends the start that it has kept; the note that the old one has sent goes its way.
    let reset = wire::ResetWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("a"),
        reason: "again".into(),
        workflow_task_finish_event_id: task,
        reset_reapply_exclude_types: vec![ResetReapplyExcludeType::Signal as i32],
        ..Default::default()
    };
    let rt = world.rt();
    world.drive(rt.reset_workflow(reset)).await.unwrap();
    world.sim.settle().await;
    assert!(exists(&world, "k"));
    assert_eq!(rows_on(&world.disk), 0);
}

#[tokio::test]
async fn a_reset_to_an_earlier_run_ends_what_the_open_one_has_started() {
    // E9, E5: the events of the open run have the same numbers as others in the run that is reset.
    let mut world = world(2).await;
    let next = json!({"steps": [child("k"), {"op": "wait", "notes": 1}]});
    let steps = json!([{"op": "wait", "notes": 2}, {"op": "continue", "program": next}]);
    let first = world.start("a", "Lab", &[json!({"steps": steps})]).await.unwrap();
    for text in ["one", "two"] {
        world.signal("a", "note", &[json!(text)]).await.unwrap();
    }
    world.until_history("a", "ChildWorkflowExecutionStarted").await;
    assert!(
        world
            .history("a")
            .contains("\n  5 StartChildWorkflowExecutionInitiated"),
        "{}",
        world.history("a")
    );
    let mut reset = wire::ResetWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("a"),
        reason: "again".into(),
        // The task that the first note has brought about.
        workflow_task_finish_event_id: 8,
        reset_reapply_exclude_types: vec![ResetReapplyExcludeType::Signal as i32],
        ..Default::default()
    };
    reset.workflow_execution.as_mut().unwrap().run_id = first;
    let rt = world.rt();
    world.drive(rt.reset_workflow(reset)).await.unwrap();
    world.sim.settle().await;
    let child = world.history("k");
    assert!(child.contains("WorkflowExecutionTerminated"), "{child}");
    assert_eq!(rows_on(&world.disk), 0);
}

#[tokio::test]
async fn a_failed_disk_makes_nobody_try_again_and_again() {
    // S1, E6, E9
    let mut options = common::options();
    options.retention = HOUR;
    let mut world = World::with(options);
    world.upload("lab", "lab").await;
    lab(&mut world, "closed", json!([])).await;
    lab(&mut world, "b", json!([{"op": "wait", "notes": 1}])).await;
    world.result("closed").await;
    // One whose receiver has to write what it takes, and one that is answered at once.
    let notes = json!([{"op": "parallel", "branches": [[note("b")], [note("nobody")]]}]);
    let (rt, commits) = (world.rt(), world.commits() + 1);
    let start = rt.start_workflow(start_request("a", "Lab", &[json!({"steps": notes})]));
    assert!(world.drive_until_commit(start, commits).await.is_none());
    // A message is to be taken, and a closed execution is to be deleted.
    world.pass(2 * HOUR);
    world.disk.fail_sync(world.disk.syncs() + 1);
    for _ in 0..200 {
        world.sim.round();
    }
    assert!(world.rt().write_failure().is_some());
    let rejected = world.rt().store_stats().rejected;
    assert!((1..10).contains(&rejected), "{rejected} transitions were tried");
    world.crash(Loss::All, SECOND);
    assert_eq!(world.result("b").await, json!(["note:hi", "waited"]));
    world.sim.settle().await;
    assert!(!exists(&world, "closed"));
    assert_eq!(rows_on(&world.disk), 0);
}

#[tokio::test]
async fn a_message_whose_end_could_not_be_written_is_sent_again() {
    // E5, S1
    let mut world = world(1).await;
    world.upload("counter", "counter").await;
    start_without(&mut world, "a", json!([counter("k")]), "counter").await;
    world.disk.set_free_pages(Some(0));
    // The child's start is taken back in a transition for which there is no space.
    let request = wire::TerminateWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("a"),
        details: common::values(&[json!("x".repeat(1_500_000))]),
        ..Default::default()
    };
    let rt = world.rt();
    let refused = world.drive(rt.terminate(request)).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    world.sim.settle().await;
    world.disk.set_free_pages(None);
    assert!(world.sim.look_for_space());
    world.pass(2 * SECOND);
    world.upload("counter", "counter").await;
    world.until_history("a", "ChildWorkflowExecutionStarted").await;
}

/// A runtime with its threads and one shard.
fn running(disk: &FaultyDisk) -> (Runtime, Store) {
    let mut options = common::options();
    options.shards = std::num::NonZeroUsize::MIN;
    options.long_poll = Duration::from_secs(20);
    let store = Store::open_with_backend(options.store.clone(), disk.clone()).unwrap();
    let rt = Runtime::open_on(options, store.clone(), Clock::system()).unwrap();
    (rt, store)
}

/// The disk holds what is to be written next.
async fn until_held(disk: &FaultyDisk) {
    while !disk.holds_a_sync() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_for_an_execution_that_is_being_deleted_ends_its_message() {
    // E6, E9
    const SYNCS_OF_A_COMMIT: u64 = 2;
    let disk = FaultyDisk::new();
    let (rt, store) = running(&disk);
    rt.upload_module(common::upload("lab", "lab")).await.unwrap();
    let steps = |steps: Value| [json!({"steps": steps})];
    let wait = json!({"op": "wait", "notes": 1});
    common::start(rt.clone(), "b", "Lab", "lab", &steps(json!([wait])))
        .await
        .unwrap();
    let program = steps(json!([wait, note("b"), wait]));
    common::start(rt.clone(), "a", "Lab", "lab", &program)
        .await
        .unwrap();
    // The signal to the sender gets through, and with it the row of its message; what the receiver makes of that does not.
    disk.hold_syncs_from(Some(disk.syncs() + SYNCS_OF_A_COMMIT + 1));
    signal(rt.clone(), "a", "note", &[json!("go")], "s1")
        .await
        .unwrap();
    assert_eq!(store.read().unwrap().pending(Pending::Outbox).unwrap().count(), 1);
    until_held(&disk).await;
    let delete = wire::DeleteWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("a"),
    };
    let deleter = rt.clone();
    let deleting = tokio::spawn(async move { deleter.delete_workflow(delete).await });
    let describe = |id: &str| {
        rt.describe_workflow(wire::DescribeWorkflowExecutionRequest {
            namespace: "default".into(),
            execution: common::execution(id),
        })
    };
    // For everybody it is gone before that is durable.
    while !matches!(
        tokio::time::timeout(Duration::from_millis(10), describe("a")).await,
        Ok(Err(Error::WorkflowNotFound(_)))
    ) {}
    disk.hold_syncs_from(Some(disk.syncs() + SYNCS_OF_A_COMMIT + 1));
    common::result(rt.clone(), "b").await.unwrap();
    until_held(&disk).await;
    // Behind this the answer has come to the shard.
    describe("b").await.unwrap();
    assert!(
        rt.whole_history("default", "a", "").is_ok(),
        "its deletion is not durable yet"
    );
    disk.hold_syncs_from(None);
    deleting.await.unwrap().unwrap();
    tokio::task::spawn_blocking(move || rt.stop()).await.unwrap();
    assert_eq!(store.read().unwrap().pending(Pending::Outbox).unwrap().count(), 0);
}
