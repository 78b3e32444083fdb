//! The rate that workers set for their whole task queue (A2).

use std::{future::Future, pin::pin, task, time::Duration};

use longhaul_history::{
    failure,
    proto::{enums::v1::RateLimitSource, taskqueue::v1::TaskQueueMetadata, workflowservice::v1 as wire},
};
use longhaul_runtime::{Error, Runtime};
use longhaul_store::faults::Loss;
use serde_json::json;

use crate::{common, worker::*, world::*};

const MS: Duration = Duration::from_millis(1);

/// A poll that lets the queue hand out so many in a second. It waits for as long as anybody drives it.
async fn poll_at(rt: Runtime, a_second: impl Into<Option<f64>>) -> Result<Task, Error> {
    let request = wire::PollActivityTaskQueueRequest {
        namespace: "default".into(),
        task_queue: queue(QUEUE),
        identity: "worker".into(),
        task_queue_metadata: Some(TaskQueueMetadata {
            max_tasks_per_second: a_second.into(),
        }),
        ..Default::default()
    };
    rt.poll_activity_task_queue(request, Some(20 * SECOND)).await
}

/// What the poll has got by now.
async fn now<F: Future>(world: &mut World, poll: &mut std::pin::Pin<&mut F>) -> Option<F::Output> {
    // What was met goes to the shard and to the disk and back.
    for _ in 0..3 {
        let mut context = task::Context::from_waker(task::Waker::noop());
        if let task::Poll::Ready(answer) = poll.as_mut().poll(&mut context) {
            return Some(answer);
        }
        world.sim.settle().await;
    }
    None
}

/// Runs that each wait for a worker.
async fn waiting(world: &mut World, names: &[&str]) {
    for name in names {
        world.lab(name, &[activity(json!({"args": [name]}))]).await;
        world.pass(MS);
    }
}

#[tokio::test]
async fn a_queue_hands_out_as_many_in_a_second_as_the_last_poll_says() {
    let mut world = World::sharded(common::options(), 3);
    world.upload("lab", "lab").await;
    waiting(&mut world, &["a", "b", "c", "d", "e", "f"]).await;
    // Two at once, then one each half second, whoever asks.
    for name in ["a", "b"] {
        let poll = poll_at(world.rt(), 2.0);
        let task = world.drive(poll).await.unwrap();
        assert_eq!(value(task.input.as_ref()), Some(json!(name)));
    }
    for name in ["c", "d"] {
        let mut poll = pin!(poll_at(world.rt(), None));
        assert!(now(&mut world, &mut poll).await.is_none());
        world.advance(499 * MS).await;
        assert!(
            now(&mut world, &mut poll).await.is_none(),
            "{name} comes too early"
        );
        world.advance(MS).await;
        let task = now(&mut world, &mut poll).await.expect(name).unwrap();
        assert_eq!(value(task.input.as_ref()), Some(json!(name)));
    }
    let mut slow = pin!(poll_at(world.rt(), None));
    assert!(now(&mut world, &mut slow).await.is_none());
    let told = world.pending("e").await.unwrap().last_failure.unwrap();
    assert_eq!(
        failure::why_it_waits(&told).0,
        Some(
            "task queue lab has handed out as many attempts as its workers allow: 2 a second \
             (max_task_queue_activities_per_second)"
        )
    );
    let limit = world.describe_queue().await.effective_rate_limit.unwrap();
    assert_eq!(
        (limit.requests_per_second, limit.rate_limit_source()),
        (2.0, RateLimitSource::Worker)
    );
    // Another rate counts from the poll that brings it on, also for polls that wait already.
    let mut fast = pin!(poll_at(world.rt(), 100.0));
    let second = now(&mut world, &mut fast).await;
    let first = now(&mut world, &mut slow).await;
    for (name, poll) in [("e", first), ("f", second)] {
        let task = poll.unwrap_or_else(|| panic!("{name} comes at once")).unwrap();
        assert_eq!(value(task.input.as_ref()), Some(json!(name)));
    }
}

#[tokio::test]
async fn what_comes_while_polls_wait_is_held_back_as_well() {
    let mut world = lab().await;
    let mut polls: Vec<_> = (0..3).map(|_| Box::pin(poll_at(world.rt(), 1.0))).collect();
    for poll in &mut polls {
        assert!(now(&mut world, &mut poll.as_mut()).await.is_none());
    }
    waiting(&mut world, &["a", "b", "c"]).await;
    let begun = world.sim.now_ns();
    let mut came = Vec::new();
    for _ in 0..40 {
        for poll in &mut polls {
            if came.len() < 3
                && let Some(task) = now(&mut world, &mut poll.as_mut()).await
            {
                let waited_ms = (world.sim.now_ns() - begun) / 1_000_000;
                came.push((value(task.unwrap().input.as_ref()), waited_ms));
                *poll = Box::pin(poll_at(world.rt(), 1.0));
            }
        }
        world.advance(100 * MS).await;
    }
    let names: Vec<_> = came.iter().map(|(name, _)| name.clone().unwrap()).collect();
    assert_eq!(names, [json!("a"), json!("b"), json!("c")]);
    // The first one's token was taken 3 ms before the count begins.
    let waits: Vec<_> = came.iter().map(|(_, waited_ms)| *waited_ms).collect();
    assert_eq!(waits, [0, 1000, 2000]);
}

#[tokio::test]
async fn nothing_is_handed_out_at_a_rate_of_nothing_and_a_restart_forgets_it() {
    let mut world = lab().await;
    waiting(&mut world, &["a"]).await;
    let mut poll = pin!(poll_at(world.rt(), 0.0));
    assert!(now(&mut world, &mut poll).await.is_none());
    world.advance(3600 * SECOND).await;
    assert!(now(&mut world, &mut poll).await.is_none());
    // The next server knows what the workers tell it.
    world.crash(Loss::All, SECOND);
    world.sim.settle().await;
    assert_eq!(world.describe_queue().await.effective_rate_limit, None);
    world.task("worker").await;
}

#[tokio::test]
async fn a_rate_that_is_none_is_refused() {
    // B1
    let mut world = lab().await;
    for odd in [-1.0, f64::NAN, f64::INFINITY] {
        let poll = poll_at(world.rt(), odd);
        let error = world.drive(poll).await.unwrap_err();
        assert!(
            matches!(&error, Error::InvalidArgument(why) if why.contains("MaxTasksPerSecond")),
            "{error}"
        );
    }
}
