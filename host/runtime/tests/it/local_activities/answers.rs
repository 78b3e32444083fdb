//! What workers say of attempts while a workflow task is open: an answer that was taken counts, and one that comes after the attempt's
//! limit is not taken.

use std::time::Duration;

use longhaul_history::proto::enums::v1::PendingActivityState as State;
use longhaul_runtime::Error;
use longhaul_store::faults::Loss;

use super::*;
use crate::{
    attempt_faults::hold,
    worker::{Task, activity, complete_by_id, value},
};

#[tokio::test]
async fn a_workers_answer_is_kept_meanwhile() {
    // A1, A5, B1
    let (mut world, mut gate) = gated().await;
    let both = json!({"op": "parallel", "branches": [[activity(json!({}))], [
        {"op": "sleep", "ms": 1000}, local_with("gate", json!({"start_to_close_ms": 60_000}))]]});
    world.lab("l", &[both]).await;
    let task = world.task("w").await;
    world.advance(SECOND).await;
    gate.until_begun(&mut world, 1).await;
    world.complete(&task, json!(5)).await.unwrap();
    let twice = world.complete(&task, json!(6)).await.unwrap_err();
    assert!(matches!(twice, longhaul_runtime::Error::NotFound(_)), "{twice:?}");
    assert!(!world.history("l").contains("ActivityTaskCompleted"));
    world.crash(Loss::All, SECOND);
    gate.serve(&world);
    gate.until_begun(&mut world, 2).await;
    gate.let_one_end();
    let result = world.result("l").await;
    let mut log: Vec<String> = serde_json::from_value(result).unwrap();
    log.sort();
    assert_eq!(log, ["echo=5", "gate=7", "slept"]);
    world.export("local-activity-answer", "l");
}

/// A run with an activity that a worker has, and beside it a local activity that keeps a task open from one second on.
async fn beside(options: Value) -> (World, Gate, Task) {
    let (mut world, gate) = gated().await;
    let both = json!({"op": "parallel", "branches": [
        [activity(options)],
        [{"op": "sleep", "ms": 1000}, long_gate()],
    ]});
    world.lab("l", &[both]).await;
    let task = world.task("w").await;
    world.advance(SECOND).await;
    gate.until_begun(&mut world, 1).await;
    (world, gate, task)
}

/// The power goes; the local activity runs again and keeps a task open.
async fn crash(world: &mut World, gate: &mut Gate) {
    let begun = gate.begun();
    world.crash(Loss::All, Duration::ZERO);
    gate.serve(world);
    gate.until_begun(world, begun + 1).await;
}

/// What the run has seen in the end, in no particular order.
async fn seen(world: &mut World, gate: &Gate) -> Vec<String> {
    gate.let_one_end();
    let mut log: Vec<String> = serde_json::from_value(world.result("l").await).unwrap();
    log.sort();
    log
}

#[tokio::test]
async fn an_answer_that_was_taken_is_stronger_than_a_limit_that_passes_after_it() {
    // A1, A2, A5
    for crashes in [false, true] {
        let (mut world, mut gate, task) = beside(json!({"start_to_close_ms": 5_000, "attempts": 1})).await;
        world.advance(3 * SECOND).await;
        world.complete(&task, json!(5)).await.unwrap();
        if crashes {
            crash(&mut world, &mut gate).await;
        }
        // Its limit passes while the task is open.
        world.advance(3 * SECOND).await;
        assert_eq!(
            seen(&mut world, &gate).await,
            ["echo=5", "gate=7", "slept"],
            "crashes: {crashes}"
        );
        assert!(!world.history("l").contains("TimedOut"));
    }
}

#[tokio::test]
async fn an_answer_after_the_limit_is_refused_though_the_timeout_is_no_event_yet() {
    // A1, A2, A5, B1
    for crashes in [false, true] {
        let (mut world, mut gate, task) = beside(json!({"start_to_close_ms": 5_000, "attempts": 1})).await;
        world.advance(4 * SECOND).await;
        assert!(!world.history("l").contains("TimedOut"), "the task is open");
        for _ in 0..2 {
            let late = world.complete(&task, json!(5)).await.unwrap_err();
            assert!(matches!(late, Error::NotFound(_)), "{late:?}");
            let late = world.beat(&task, json!("alive")).await.unwrap_err();
            assert!(matches!(late, Error::NotFound(_)), "{late:?}");
        }
        if crashes {
            crash(&mut world, &mut gate).await;
        }
        let log = seen(&mut world, &gate).await;
        assert_eq!(
            log,
            ["echo failed: timeout START_TO_CLOSE", "gate=7", "slept"],
            "crashes: {crashes}"
        );
        let history = world.history("l");
        assert_eq!(history.matches("ActivityTaskTimedOut").count(), 1, "{history}");
    }
}

#[tokio::test]
async fn who_completes_an_overdue_activity_by_its_id_waits_for_what_has_become_of_it() {
    // A5, A6
    for attempts in [1, 2] {
        let options = json!({"start_to_close_ms": 5_000, "attempts": attempts});
        let (mut world, gate, _) = beside(options).await;
        world.advance(4 * SECOND).await;
        let mut by_id = Box::pin(complete_by_id(world.rt(), "l", "1", json!(6)));
        world.poll_once(&mut by_id).await;
        gate.let_one_end();
        let answer = world.drive(by_id).await;
        let mut log: Vec<String> = serde_json::from_value(world.result("l").await).unwrap();
        log.sort();
        if attempts == 1 {
            assert!(matches!(answer, Err(Error::NotFound(_))), "{answer:?}");
            assert_eq!(log[0], "echo failed: timeout START_TO_CLOSE");
        } else {
            // Its next attempt waits, and somebody knows the result.
            answer.unwrap();
            assert_eq!(log[0], "echo=6");
        }
    }
}

#[tokio::test]
async fn a_heartbeat_keeps_an_attempt_alive_and_its_details_reach_the_next_one() {
    // A3, A5, A7
    for crashes in [false, true] {
        let options = json!({"heartbeat_ms": 2_000, "start_to_close_ms": 60_000});
        let (mut world, mut gate, task) = beside(options).await;
        for second in 1..=4 {
            world.beat(&task, json!(second)).await.unwrap();
            world.advance(SECOND).await;
        }
        assert!(!world.history("l").contains("MarkerRecorded"), "the task is open");
        if crashes {
            crash(&mut world, &mut gate).await;
        }
        let info = world.pending("l").await.unwrap();
        assert_eq!((info.state(), info.attempt), (State::Started, 1));
        assert_eq!(value(info.heartbeat_details.as_ref()), Some(json!(4)));
        // It falls silent, and the task is still open; then it ends.
        world.advance(SECOND).await;
        gate.let_one_end();
        world.until_history("l", "MarkerRecorded").await;
        world.advance(SECOND).await;
        let next = world.task("next").await;
        assert_eq!(next.attempt, 2);
        assert_eq!(value(next.heartbeat_details.as_ref()), Some(json!(4)));
        world.complete(&next, json!(2)).await.unwrap();
        let mut log: Vec<String> = serde_json::from_value(world.result("l").await).unwrap();
        log.sort();
        assert_eq!(log, ["echo=2", "gate=7", "slept"], "crashes: {crashes}");
    }
}

#[tokio::test]
async fn an_attempt_that_falls_due_while_the_task_is_open_starts() {
    // A2, A5
    let (mut world, gate) = gated().await;
    let both = json!({"op": "parallel", "branches": [
        [activity(json!({"retry_ms": 3_000}))],
        [{"op": "sleep", "ms": 1000}, long_gate()],
    ]});
    world.lab("l", &[both]).await;
    let first = world.task("w").await;
    world.fail(&first, "no", "Broken").await.unwrap();
    world.advance(SECOND).await;
    gate.until_begun(&mut world, 1).await;
    world.advance(2 * SECOND).await;
    let second = world.task("w").await;
    assert_eq!(second.attempt, 2);
    assert!(!world.history("l").contains("MarkerRecorded"), "the task is open");
    world.complete(&second, json!(2)).await.unwrap();
    assert_eq!(seen(&mut world, &gate).await, ["echo=2", "gate=7", "slept"]);
}

#[tokio::test]
async fn heartbeats_that_follow_fast_on_each_other_are_not_lost_to_an_open_task() {
    // A3, A5
    let (mut world, gate) = gated().await;
    let held = hold(&world);
    let both = json!({"op": "parallel", "branches": [
        [activity(json!({"type": "Hold", "start_to_close_ms": 60_000, "heartbeat_ms": 30_000}))],
        [{"op": "sleep", "ms": 1000}, long_gate()],
    ]});
    world.lab("l", &[both]).await;
    world.sim.settle().await;
    world.advance(SECOND).await;
    gate.until_begun(&mut world, 1).await;
    let (end, context) = held.lock().unwrap().remove(0);
    // The first is passed on at once, the others are kept back; the end of the attempt brings the last one.
    for number in 1..=3 {
        context.heartbeat_json(&number).unwrap();
        world.sim.settle().await;
    }
    assert_eq!(details(&mut world).await, Some(json!(1)));
    drop(end);
    world.sim.settle().await;
    assert_eq!(details(&mut world).await, Some(json!(3)));
    assert!(!world.history("l").contains("MarkerRecorded"), "the task is open");
    gate.let_one_end();
    world.until_history("l", "MarkerRecorded").await;
    world.advance(SECOND).await;
    let (end, context) = held.lock().unwrap().remove(0);
    assert_eq!(context.info().attempt, 2);
    assert_eq!(context.heartbeat_details_json::<u32>().unwrap(), Some(3));
    end.send("done".into()).unwrap();
    world.result("l").await;
}

/// The details of the last heartbeat of the activity that the run waits for.
async fn details(world: &mut World) -> Option<Value> {
    value(world.pending("l").await.unwrap().heartbeat_details.as_ref())
}

#[tokio::test]
async fn a_heartbeat_after_the_limit_does_not_bring_an_attempt_back() {
    // A3, A5
    let (mut world, gate) = gated().await;
    let held = hold(&world);
    let both = json!({"op": "parallel", "branches": [
        [activity(json!({"type": "Hold", "start_to_close_ms": 60_000, "heartbeat_ms": 2_000}))],
        [{"op": "sleep", "ms": 1000}, long_gate()],
    ]});
    world.lab("l", &[both]).await;
    world.sim.settle().await;
    world.advance(SECOND).await;
    gate.until_begun(&mut world, 1).await;
    world.advance(2 * SECOND).await;
    let (_end, context) = held.lock().unwrap().remove(0);
    context.heartbeat_json(&"too late").unwrap();
    world.sim.settle().await;
    gate.let_one_end();
    world.until_history("l", "MarkerRecorded").await;
    let info = world.pending("l").await.unwrap();
    assert_eq!((info.state(), info.attempt), (State::Scheduled, 2));
    assert_eq!(info.heartbeat_details, None);
}
