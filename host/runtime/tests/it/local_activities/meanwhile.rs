//! Messages that come while a workflow task is open: what is acknowledged, and in which order the code is shown it.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn what_comes_meanwhile_is_acknowledged_and_follows_the_task() {
    // A5, S1, S2, E4
    let (mut world, gate) = gated().await;
    let steps = [
        local("gate"),
        json!({"op": "wait", "notes": 2}),
        json!({"op": "sleep", "ms": 60_000}),
    ];
    let program = json!({"steps": steps, "on_cancel": [{"op": "log", "text": "cleaned"}]});
    world.start("l", "Lab", &[program]).await.unwrap();
    gate.until_begun(&mut world, 1).await;
    world.signal("l", "note", &[json!("one")]).await.unwrap();
    // Sent again: the same.
    for _ in 0..2 {
        let (rt, two) = (world.rt(), [json!("two")]);
        world
            .drive(common::signal(rt, "l", "note", &two, "the same"))
            .await
            .unwrap();
    }
    world.cancel("l").await.unwrap();
    assert!(!world.history("l").contains("Signaled"));
    gate.let_one_end();
    world.until_history("l", "WorkflowExecutionCanceled").await;
    let history = world.history("l");
    let expected = [
        &["WorkflowExecutionStarted"],
        &TASK[..],
        &[
            "MarkerRecorded",
            "WorkflowExecutionSignaled",
            "WorkflowExecutionSignaled",
        ],
        &["WorkflowExecutionCancelRequested"],
        &TASK[..],
        &["WorkflowExecutionCanceled"],
    ];
    assert_eq!(kinds(&history), expected.concat(), "{history}");
    world.export("local-activity-meanwhile", "l");
}

#[tokio::test]
async fn a_query_waits_for_the_tasks_end_and_sees_what_was_acknowledged_before_it() {
    // A5, Q2
    let (mut world, gate) = gated().await;
    let steps = [
        json!({"op": "wait", "notes": 1}),
        local("gate"),
        json!({"op": "wait", "notes": 3}),
    ];
    world.lab("l", &steps).await;
    world.sim.settle().await;
    world.signal("l", "note", &[json!("one")]).await.unwrap();
    gate.until_begun(&mut world, 1).await;
    let rt = world.rt();
    let mut first = Box::pin(common::query(rt.clone(), "l", "log"));
    world.poll_once(&mut first).await;
    world.signal("l", "note", &[json!("two")]).await.unwrap();
    world.signal("l", "note", &[json!("three")]).await.unwrap();
    let mut second = Box::pin(common::query(rt, "l", "log"));
    world.poll_once(&mut second).await;
    gate.let_one_end();
    assert_eq!(
        world.drive(first).await.unwrap(),
        json!(["note:one", "waited", "gate=7"])
    );
    assert_eq!(
        world.drive(second).await.unwrap(),
        json!(["note:one", "waited", "gate=7", "note:two", "note:three", "waited"])
    );
}

#[tokio::test]
async fn a_run_does_not_end_before_its_code_has_seen_what_was_acknowledged() {
    // A5, S9
    let (mut world, gate) = gated().await;
    world.lab("l", &[local("gate")]).await;
    gate.until_begun(&mut world, 1).await;
    world.signal("l", "note", &[json!("one")]).await.unwrap();
    gate.let_one_end();
    // The task runs again; this time a signal is not acknowledged before it has ended.
    gate.until_begun(&mut world, 2).await;
    let note = [json!("late")];
    let mut late = Box::pin(common::signal(world.rt(), "l", "note", &note, ""));
    world.poll_once(&mut late).await;
    gate.let_one_end();
    let refused = world.drive(late).await.unwrap_err();
    assert_eq!(refused.to_string(), "workflow execution already completed");
    assert_eq!(world.result("l").await, json!(["note:one", "gate=7"]));
    let history = world.history("l");
    let expected = [
        &["WorkflowExecutionStarted", "WorkflowExecutionSignaled"],
        &TASK[..],
        &["MarkerRecorded", "WorkflowExecutionCompleted"],
    ];
    assert_eq!(kinds(&history), expected.concat(), "{history}");
}

#[tokio::test]
async fn an_update_is_accepted_after_the_task_and_one_that_runs_it_ends_with_it() {
    // A5, U2, U5
    let (mut world, gate) = gated().await;
    world
        .lab(
            "l",
            &[json!({"op": "wait", "notes": 1}), json!({"op": "handlers"})],
        )
        .await;
    world.sim.settle().await;
    let rt = world.rt();
    let (steps, five) = ([json!([local("gate")])], [json!(5)]);
    let mut run = Box::pin(common::update(rt.clone(), "l", "run", &steps, "run"));
    world.poll_once(&mut run).await;
    gate.until_begun(&mut world, 1).await;
    let mut add = Box::pin(common::update(rt, "l", "add", &five, "add"));
    world.poll_once(&mut add).await;
    assert!(!world.history("l").contains("UpdateAccepted"));
    gate.let_one_end();
    assert!(world.drive(run).await.unwrap().is_ok());
    assert_eq!(world.drive(add).await.unwrap(), Ok(json!(5)));
    world.signal("l", "note", &[json!("on")]).await.unwrap();
    world.result("l").await;
    assert_eq!(world.query("l", "sum", &[]).await.unwrap(), json!(5));
    world.export("local-activity-updates", "l");
}

#[tokio::test]
async fn a_run_that_an_update_ends_ends_although_a_signal_came_meanwhile() {
    // A5, S9, U4
    let (mut world, gate) = gated().await;
    // The update's handler is what the run waits for.
    let steps = [json!({"op": "sleep", "ms": 1}), json!({"op": "handlers"})];
    world.lab("l", &steps).await;
    world.sim.settle().await;
    let (rt, with) = (world.rt(), [json!([local("gate")])]);
    let mut run = Box::pin(common::update(rt, "l", "run", &with, "u"));
    world.poll_once(&mut run).await;
    gate.until_begun(&mut world, 1).await;
    world.advance(Duration::from_millis(1)).await;
    world.signal("l", "note", &[json!("one")]).await.unwrap();
    for begun in 1.. {
        gate.until_begun(&mut world, begun).await;
        gate.let_one_end();
        world.sim.settle().await;
        if world.history("l").contains("WorkflowExecutionCompleted") {
            assert!(begun <= 2, "it runs again once at most");
            break;
        }
    }
    assert!(world.drive(run).await.unwrap().is_ok());
    assert_eq!(world.history("l").matches("WorkflowExecutionSignaled").count(), 1);
}
