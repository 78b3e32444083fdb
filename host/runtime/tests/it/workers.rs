//! Workers outside of the server: which attempt they are given, and what becomes of what they say of it.

use std::{future::Future, pin::pin, task::Poll, time::Duration};

use longhaul_history::{
    proto::{enums::v1::PendingActivityState as State, workflowservice::v1 as wire},
    text,
};
use longhaul_runtime::Error;
use longhaul_store::faults::Loss;
use serde_json::json;

use crate::{common, worker::*, world::*};

const GONE: &str = "invalid activityID or activity already timed out or invoking workflow is completed";

/// The refusal's text, and that nothing was written for it.
async fn refusal(world: &mut World, request: impl Future<Output = Result<(), Error>>) -> String {
    let commits = world.commits();
    let error = world.drive(request).await.unwrap_err();
    assert_eq!(world.commits(), commits, "{error}");
    error.to_string()
}

/// A request that has come to the server, and waits there.
fn begun<F: Future>(request: &mut std::pin::Pin<&mut F>) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(request.as_mut().poll(&mut context).is_pending());
}

#[tokio::test]
async fn a_worker_is_given_the_attempt_and_its_result_becomes_history() {
    // A1
    let mut world = lab().await;
    world.lab("w", &[activity(json!({"heartbeat_ms": 5000}))]).await;
    let task = world.task("worker 1").await;
    assert_eq!(
        (
            task.attempt,
            task.activity_id.as_str(),
            task.workflow_namespace.as_str()
        ),
        (1, "1", "default")
    );
    assert_eq!(task.activity_type.as_ref().unwrap().name, "echo");
    assert_eq!(task.workflow_type.as_ref().unwrap().name, "Lab");
    assert_eq!(task.workflow_execution.as_ref().unwrap().workflow_id, "w");
    assert_eq!(value(task.input.as_ref()), Some(json!(1)));
    assert_eq!(task.heartbeat_timeout.unwrap().seconds, 5);
    assert_eq!(task.start_to_close_timeout.unwrap().seconds, 10);
    assert_eq!(
        task.retry_policy
            .as_ref()
            .unwrap()
            .initial_interval
            .unwrap()
            .seconds,
        1
    );
    let info = world.pending("w").await.unwrap();
    assert_eq!(info.state(), State::Started);
    assert_eq!(info.last_worker_identity, "worker 1");
    assert!(info.last_started_time.is_some());
    assert!(
        !world.history("w").contains("ActivityTaskStarted"),
        "as on Temporal's server, it is written with the end"
    );
    world.complete(&task, json!("done")).await.unwrap();
    assert_eq!(world.result("w").await, json!(["echo=\"done\""]));
    let events = world.rt().whole_history("default", "w", "").unwrap().events;
    let identities: Vec<_> = events
        .iter()
        .filter_map(|event| match event.attributes.as_ref().unwrap() {
            longhaul_history::Attributes::ActivityTaskStartedEventAttributes(started) => {
                Some(started.identity.clone())
            }
            longhaul_history::Attributes::ActivityTaskCompletedEventAttributes(completed) => {
                Some(completed.identity.clone())
            }
            _ => None,
        })
        .collect();
    assert_eq!(identities, ["worker 1", "done"], "{}", text::history(&events));
    world.export("worker-completes", "w");
}

#[tokio::test]
async fn a_poll_that_waits_gets_what_is_scheduled_in_the_same_commit() {
    // A1
    let mut world = lab().await;
    let rt = world.rt();
    let mut poll = pin!(poll(rt.clone(), QUEUE, "waits", 20 * SECOND));
    begun(&mut poll);
    let before = world.commits();
    world.lab("w", &[activity(json!({}))]).await;
    let task = world.drive(poll).await.unwrap();
    assert_eq!(world.commits(), before + 1, "scheduled and started together");
    world.complete(&task, json!(2)).await.unwrap();
    assert_eq!(world.result("w").await, json!(["echo=2"]));
}

#[tokio::test]
async fn what_waits_longest_goes_first_whichever_shard_has_it() {
    // A1
    let mut world = World::sharded(common::options(), 4);
    world.upload("lab", "lab").await;
    let names = ["d", "b", "a", "c", "f", "e"];
    for name in names {
        world.lab(name, &[activity(json!({"args": [name]}))]).await;
        world.pass(Duration::from_millis(1));
    }
    let described = world.describe_queue().await;
    let stats = described.stats.unwrap();
    assert_eq!(stats.approximate_backlog_count, 6);
    assert_eq!(stats.approximate_backlog_age.unwrap().nanos, 6_000_000);
    assert!(described.pollers.is_empty());
    for name in names {
        let task = world.task("worker").await;
        assert_eq!(value(task.input.as_ref()), Some(json!(name)));
    }
    let described = world.describe_queue().await;
    assert_eq!(described.stats.unwrap().approximate_backlog_count, 0);
    assert_eq!(described.pollers[0].identity, "worker");
}

#[tokio::test]
async fn an_answer_counts_once_and_only_with_its_own_token() {
    // A1, A6, B1
    let mut world = lab().await;
    world
        .lab("w", &[activity(json!({})), activity(json!({"type": "second"}))])
        .await;
    let task = world.task("worker").await;
    let rt = world.rt();
    // The last byte of the token is of what nobody can guess.
    let mut forged = task.task_token.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(
        refusal(&mut world, complete(rt.clone(), &forged, json!(0))).await,
        GONE
    );
    assert_eq!(
        refusal(&mut world, complete(rt.clone(), b"a token", json!(0))).await,
        "Error deserializing task token."
    );
    world.complete(&task, json!(1)).await.unwrap();
    let again = refusal(&mut world, complete(rt.clone(), &task.task_token, json!(2))).await;
    assert_eq!(again, GONE);
    let second = world.task("worker").await;
    assert_eq!(world.fail(&second, "no", "Broken").await.ok(), Some(()));
    let stale = refusal(&mut world, complete(rt.clone(), &second.task_token, json!(2))).await;
    assert_eq!(stale, GONE, "that attempt is over");
    world.advance(SECOND).await;
    let retried = world.task("worker").await;
    assert_eq!(retried.attempt, 2);
    world.complete(&retried, json!(3)).await.unwrap();
    assert_eq!(world.result("w").await, json!(["echo=1", "second=3"]));
    let closed = refusal(&mut world, complete(rt, &retried.task_token, json!(4))).await;
    assert_eq!(closed, "workflow execution already completed");
    let history = world.history("w");
    assert_eq!(history.matches("ActivityTaskCompleted").count(), 2, "{history}");
    world.export("worker-answers-once", "w");
}

#[tokio::test]
async fn an_attempt_whose_worker_vanishes_before_it_arrives_goes_back_in_line() {
    // A7
    let mut world = lab().await;
    let rt = world.rt();
    {
        let mut vanishing = pin!(poll(rt.clone(), QUEUE, "vanishes", 20 * SECOND));
        begun(&mut vanishing);
        world.lab("w", &[activity(json!({}))]).await;
        world.sim.settle().await;
        let info = world.pending("w").await.unwrap();
        assert_eq!(
            (info.state(), info.last_worker_identity.as_str()),
            (State::Started, "vanishes"),
            "it is on its way"
        );
        // The answer is there, and nobody takes it.
    }
    world.sim.settle().await;
    let info = world.pending("w").await.unwrap();
    assert_eq!((info.state(), info.attempt), (State::Scheduled, 1));
    let task = world.task("another").await;
    assert_eq!(task.attempt, 1, "it was no attempt");
    world.complete(&task, json!(1)).await.unwrap();
    assert_eq!(world.result("w").await, json!(["echo=1"]));
    assert!(!world.history("w").contains("vanishes"));
    world.export("worker-vanishes", "w");
}

#[tokio::test]
async fn polls_that_have_gone_are_given_nothing() {
    // A7
    let mut world = lab().await;
    let rt = world.rt();
    for _ in 0..3 {
        let mut gone = pin!(poll(rt.clone(), QUEUE, "gone", 20 * SECOND));
        begun(&mut gone);
    }
    assert!(world.poll_task("waits in vain").await.is_none());
    let commits = world.commits();
    world.lab("w", &[activity(json!({}))]).await;
    world.sim.settle().await;
    assert_eq!(world.commits(), commits + 1);
    assert_eq!(world.pending("w").await.unwrap().state(), State::Scheduled);
    assert_eq!(world.task("here").await.attempt, 1);
}

#[tokio::test]
async fn a_crash_of_the_server_leaves_the_attempt_with_its_worker() {
    // A1, A7
    let mut world = lab().await;
    world
        .lab("w", &[activity(json!({"start_to_close_ms": 60_000}))])
        .await;
    let task = world.task("worker").await;
    for _ in 0..2 {
        world.crash(Loss::All, SECOND);
        world.sim.settle().await;
        assert!(world.poll_task("another").await.is_none(), "the worker has it");
    }
    let info = world.pending("w").await.unwrap();
    assert_eq!((info.state(), info.attempt), (State::Started, 1));
    assert!(!world.beat(&task, json!("half")).await.unwrap());
    world.crash(Loss::All, SECOND);
    world.complete(&task, json!("late")).await.unwrap();
    assert_eq!(world.result("w").await, json!(["echo=\"late\""]));
    assert!(!world.history("w").contains("attempt="), "it was the first");
    world.export("worker-survives-server", "w");
}

#[tokio::test]
async fn a_worker_and_a_server_that_die_at_any_commit_lose_nothing_and_record_once() {
    // A1, A7
    for commits in 0..6 {
        for worker_dies in [false, true] {
            let mut world = lab().await;
            world
                .lab(
                    "w",
                    &[activity(json!({"heartbeat_ms": 5000})), activity(json!({}))],
                )
                .await;
            let until = world.commits() + commits;
            let rt = world.rt();
            let mut held = None;
            let work = async {
                for _ in 0..2 {
                    let task = poll(rt.clone(), QUEUE, "first", 20 * SECOND).await?;
                    held = Some(task.task_token.clone());
                    complete(rt.clone(), &task.task_token, json!(1)).await?;
                    held = None;
                }
                Ok::<(), Error>(())
            };
            world.drive_until_commit(work, until).await;
            world.crash(Loss::All, SECOND);
            if let (false, Some(token)) = (worker_dies, &held) {
                // It may have been taken before the crash; then nobody misses it.
                let request = complete(world.rt(), token, json!(1));
                let _ = world.drive(request).await;
            }
            // The limits of both, and the waits after them.
            for _ in 0..5 {
                world.advance(6 * SECOND).await;
                if let Some(task) = world.poll_task("second").await {
                    world.complete(&task, json!(1)).await.unwrap();
                }
            }
            assert_eq!(
                world.result("w").await,
                json!(["echo=1", "echo=1"]),
                "{commits} {worker_dies}"
            );
            let history = world.history("w");
            assert_eq!(history.matches("ActivityTaskCompleted").count(), 2, "{history}");
        }
    }
}

#[tokio::test]
async fn a_run_that_has_left_the_memory_takes_what_its_worker_says() {
    // A1, A3
    let mut options = common::options();
    options.instances = 1;
    let mut world = World::with(options);
    world.upload("lab", "lab").await;
    for id in ["a", "b", "c"] {
        world
            .lab(id, &[activity(json!({"args": [id], "heartbeat_ms": 5000}))])
            .await;
    }
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(world.task("worker").await);
    }
    for task in &tasks {
        assert!(!world.beat(task, json!("alive")).await.unwrap());
    }
    for (task, id) in tasks.iter().zip(["a", "b", "c"]) {
        world.complete(task, json!(id)).await.unwrap();
        assert_eq!(world.result(id).await, json!([format!("echo={:?}", id)]));
        assert!(!world.history(id).contains("attempt="), "none was taken for lost");
    }
}

#[tokio::test]
async fn a_module_that_is_uploaded_takes_over_what_waits() {
    let mut world = lab().await;
    world.lab("w", &[activity(json!({"args": [7]}))]).await;
    assert_eq!(
        world
            .describe_queue()
            .await
            .stats
            .unwrap()
            .approximate_backlog_count,
        1
    );
    world.upload("lab-activities", "lab").await;
    assert_eq!(world.result("w").await, json!(["echo=7"]));
    assert_eq!(
        world
            .describe_queue()
            .await
            .stats
            .unwrap()
            .approximate_backlog_count,
        0
    );
    assert!(world.poll_task("worker").await.is_none());
}

#[tokio::test]
async fn a_worker_that_stops_is_given_nothing_more() {
    let mut world = lab().await;
    let rt = world.rt();
    let mut stopping = pin!(poll(rt.clone(), QUEUE, "stops", 20 * SECOND));
    let mut stays = pin!(poll(rt.clone(), QUEUE, "stays", 20 * SECOND));
    begun(&mut stopping);
    begun(&mut stays);
    let request = wire::ShutdownWorkerRequest {
        namespace: "default".into(),
        task_queue: QUEUE.into(),
        worker_instance_key: "key of stops".into(),
        ..Default::default()
    };
    world.drive(rt.shutdown_worker(request)).await.unwrap();
    let answer = world.drive(stopping).await.unwrap();
    assert!(answer.task_token.is_empty());
    world.lab("w", &[activity(json!({}))]).await;
    let task = world.drive(stays).await.unwrap();
    assert_eq!(task.attempt, 1);
}

#[tokio::test]
async fn too_many_polls_are_refused() {
    let mut options = common::options();
    options.polls_of_queue = 1;
    let mut world = World::with(options);
    let rt = world.rt();
    let mut first = pin!(poll(rt.clone(), QUEUE, "first", 20 * SECOND));
    begun(&mut first);
    let error = world
        .drive(poll(rt.clone(), QUEUE, "second", SECOND))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ResourceExhausted(_)), "{error}");
    let nameless = world.drive(poll(rt, "", "w", SECOND)).await.unwrap_err();
    assert_eq!(nameless.to_string(), "TaskQueue is not set on request.");
}

#[tokio::test]
async fn time_is_not_skipped_while_a_worker_has_an_attempt() {
    let mut options = common::options();
    options.time_skipping = true;
    let mut world = World::with(options);
    world.upload("lab", "lab").await;
    world
        .lab(
            "w",
            &[activity(json!({})), json!({"op": "sleep", "ms": 3_600_000})],
        )
        .await;
    let task = world.task("worker").await;
    let before = world.sim.now_ns();
    let rt = world.rt();
    let mut result = pin!(common::result(rt, "w"));
    begun(&mut result);
    world.sim.settle().await;
    assert_eq!(
        world.sim.now_ns(),
        before,
        "somebody waits, and so does the worker"
    );
    world.complete(&task, json!(1)).await.unwrap();
    assert_eq!(world.drive(result).await.unwrap(), json!(["echo=1", "slept"]));
    assert!(world.sim.now_ns() > before, "the sleep was skipped");
}

#[tokio::test]
async fn a_result_that_is_too_large_fails_the_activity_and_the_workflow_sees_why() {
    // B2
    let mut world = lab().await;
    world.lab("w", &[activity(json!({}))]).await;
    let task = world.task("worker").await;
    world.complete(&task, json!("x".repeat(3 << 20))).await.unwrap();
    world.result("w").await;
    let history = world.history("w");
    assert!(history.contains("COMPLETE_RESULT_EXCEEDS_LIMIT"), "{history}");
    assert!(history.contains("ActivityTaskFailed"), "{history}");
    assert!(history.len() < 10_000, "nothing of it is kept");
}

#[tokio::test]
async fn the_queue_stays_in_order_over_a_restart() {
    // A1
    let mut world = lab().await;
    for name in ["c", "a", "b"] {
        world.lab(name, &[activity(json!({"args": [name]}))]).await;
        world.pass(Duration::from_millis(1));
    }
    world.crash(Loss::All, SECOND);
    world.sim.settle().await;
    for name in ["c", "a", "b"] {
        let task = world.task("worker").await;
        assert_eq!(value(task.input.as_ref()), Some(json!(name)));
    }
}

#[tokio::test]
async fn a_turn_that_panics_takes_the_start_back_and_the_worker_still_gets_it() {
    // A7
    let mut world = lab().await;
    world.lab("w", &[activity(json!({}))]).await;
    world.sim.panic_in_turn_of("w");
    let rt = world.rt();
    let mut poll = pin!(poll(rt, QUEUE, "worker", 20 * SECOND));
    let polled = std::future::poll_fn(|context| Poll::Ready(poll.as_mut().poll(context))).await;
    assert!(polled.is_pending());
    world.sim.settle().await;
    // What fell due is looked at again after a while.
    world.advance(2 * SECOND).await;
    let task = world.drive(poll).await.unwrap();
    assert_eq!(task.attempt, 1);
    world.complete(&task, json!(1)).await.unwrap();
    assert_eq!(world.result("w").await, json!(["echo=1"]));
}
