//! Requests that change nothing while a workflow task is open cost nothing, and the end of an attempt counts for its own start only.

use std::{
    sync::{Mutex, mpsc},
    time::Duration,
};

use longhaul_runtime::Error;

use super::*;
use crate::operations::move_to;

#[tokio::test]
async fn a_cancellation_that_is_asked_for_again_does_not_run_the_clean_up_again() {
    // A5, E4
    let (mut world, gate) = gated().await;
    let program = json!({"steps": [{"op": "wait", "notes": 1}], "on_cancel": [local("gate")]});
    world.start("l", "Lab", &[program]).await.unwrap();
    world.cancel("l").await.unwrap();
    gate.until_begun(&mut world, 1).await;
    for _ in 0..3 {
        world.cancel("l").await.unwrap();
    }
    gate.let_one_end();
    world.until_history("l", "WorkflowExecutionCanceled").await;
    assert_eq!(gate.begun(), 1);
    let history = world.history("l");
    assert_eq!(history.matches("CancelRequested").count(), 1, "{history}");
}

#[tokio::test]
async fn two_cancellations_in_one_task_are_one() {
    // A5, E4
    let (mut world, gate) = gated().await;
    world
        .lab("l", &[local("gate"), json!({"op": "wait", "notes": 1})])
        .await;
    gate.until_begun(&mut world, 1).await;
    for _ in 0..3 {
        world.cancel("l").await.unwrap();
    }
    gate.let_one_end();
    world.until_history("l", "WorkflowExecutionCanceled").await;
    assert_eq!(gate.begun(), 1);
    let history = world.history("l");
    assert_eq!(history.matches("CancelRequested").count(), 1, "{history}");
}

#[tokio::test]
async fn a_signal_that_is_sent_again_uses_up_nothing() {
    // A5, S5, E10
    let mut options = common::options();
    options.limits.history.unseen_signals_bytes = 10_000;
    let mut world = World::with(options);
    world.upload("lab", QUEUE).await;
    let (mut world, gate) = gated_in(world);
    let ends = json!({"op": "wait", "notes": 3});
    world.lab("l", &[local("gate"), ends]).await;
    gate.until_begun(&mut world, 1).await;
    let large = |text: &str| json!(text.repeat(1_000));
    let send = |world: &World, text: &str| {
        let (rt, input, request) = (world.rt(), [large(text)], text.to_owned());
        async move { common::signal(rt, "l", "note", &input, &request).await }
    };
    for text in ["one", "one", "one", "one", "two", "one", "six", "two"] {
        let sent = send(&world, text);
        world.drive(sent).await.unwrap();
    }
    let refused = send(&world, "ten");
    let refused = world.drive(refused).await.unwrap_err();
    assert!(matches!(refused, Error::ResourceExhausted(_)), "{refused:?}");
    gate.let_one_end();
    let mut log = vec![json!("gate=7")];
    log.extend(["one", "two", "six"].map(|text| json!(format!("note:{}", text.repeat(1_000)))));
    log.push(json!("waited"));
    assert_eq!(world.result("l").await, json!(log));
    let history = world.history("l");
    assert_eq!(
        history.matches("WorkflowExecutionSignaled").count(),
        3,
        "{history}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_end_of_an_attempt_that_was_given_up_is_not_taken_for_that_of_the_next() {
    // A5: code that computes for long cannot be ended. Its task runs again meanwhile, and the new attempt has the same number.
    let mut world = worker::lab().await;
    let (begins, begun) = mpsc::channel();
    let blocks = Arc::new(Mutex::new(begins));
    let activity = activities::json(move |_: Context, _: Value| {
        let begins = blocks.clone();
        async move {
            let (end, ends) = mpsc::channel::<&str>();
            begins.lock().unwrap().send(end).unwrap();
            Ok(ends.recv_timeout(Duration::from_secs(60))?)
        }
    });
    world.rt().register_activity(QUEUE, "blocks", activity).unwrap();
    let next = async |world: &mut World| {
        let mut end = None;
        world
            .until("an attempt begins", |_| {
                end = end.take().or_else(|| begun.try_recv().ok());
                end.is_some()
            })
            .await;
        end.unwrap()
    };
    world
        .lab(
            "l",
            &[local_with("blocks", json!({"start_to_close_ms": 600_000}))],
        )
        .await;
    let first = next(&mut world).await;
    // A move to another version gives the task up; it runs again with that.
    let other = "[limits]\nfuel_per_activation = 900000000";
    world.upload_with("lab", QUEUE, other).await;
    let rt = world.rt();
    world
        .drive(rt.update_workflow_options(move_to("l", "lab", "2")))
        .await
        .unwrap();
    let second = next(&mut world).await;
    first.send("old").unwrap();
    // Whatever the first one says has come when something that was sent later is answered.
    while first.send("again").is_ok() {
        tokio::task::yield_now().await;
    }
    world.sim.settle().await;
    assert!(
        !world.history("l").contains("MarkerRecorded"),
        "{}",
        world.history("l")
    );
    second.send("new").unwrap();
    assert_eq!(world.result("l").await, json!(["blocks=\"new\""]));
}
