//! The rate at which a task queue hands out attempts, as its workers or an operator set it (A2).

use std::{future::Future, pin::pin, task, time::Duration};

use longhaul_history::{
    failure,
    proto::{
        enums::v1::{RateLimitSource, TaskQueueType},
        taskqueue::v1::{RateLimit, TaskQueueConfig, TaskQueueMetadata},
        workflowservice::v1::{self as wire, update_task_queue_config_request::RateLimitUpdate},
    },
};
use longhaul_runtime::{Error, Runtime};
use longhaul_store::faults::Loss;
use serde_json::json;

use crate::{common, worker::*, world::*};

const MS: Duration = Duration::from_millis(1);

/// A poll that lets the queue hand out so many in a second. It waits for as long as anybody drives it.
pub(crate) async fn poll_at(rt: Runtime, a_second: impl Into<Option<f64>>) -> Result<Task, Error> {
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
pub(crate) async fn now<F: Future>(world: &mut World, poll: &mut std::pin::Pin<&mut F>) -> Option<F::Output> {
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

pub(crate) fn update(a_second: impl Into<Option<f32>>, reason: &str) -> wire::UpdateTaskQueueConfigRequest {
    let limit = |requests_per_second| RateLimit { requests_per_second };
    wire::UpdateTaskQueueConfigRequest {
        namespace: "default".into(),
        identity: "operator".into(),
        task_queue: QUEUE.into(),
        task_queue_type: TaskQueueType::Activity as i32,
        update_queue_rate_limit: Some(RateLimitUpdate {
            rate_limit: a_second.into().map(limit),
            reason: reason.into(),
        }),
        ..Default::default()
    }
}

pub(crate) async fn configure(
    world: &mut World,
    request: wire::UpdateTaskQueueConfigRequest,
) -> Result<TaskQueueConfig, Error> {
    let rt = world.rt();
    let answer = world.drive(rt.update_task_queue_config(request)).await?;
    Ok(answer.config.unwrap_or_default())
}

/// What an operator has set, and why; none: nothing is set.
fn is_set(config: Option<&TaskQueueConfig>) -> Option<(Option<f32>, &str)> {
    let limit = config?.queue_rate_limit.as_ref()?;
    let rate = limit.rate_limit.map(|limit| limit.requests_per_second);
    Some((rate, &limit.metadata.as_ref()?.reason))
}

// A2
#[tokio::test]
async fn an_operators_rate_is_stronger_than_the_workers_and_outlasts_the_server() {
    let mut world = World::sharded(common::options(), 3);
    world.upload("lab", "lab").await;
    waiting(&mut world, &["a", "b", "c", "d"]).await;
    let set_ns = world.sim.now_ns();
    let config = configure(&mut world, update(1.0, "the bank is slow"))
        .await
        .unwrap();
    assert_eq!(is_set(Some(&config)), Some((Some(1.0), "the bank is slow")));
    let metadata = config.queue_rate_limit.unwrap().metadata.unwrap();
    assert_eq!(metadata.update_identity, "operator");
    assert_eq!(
        metadata
            .update_time
            .as_ref()
            .and_then(longhaul_history::time::ns_from_timestamp),
        Some(set_ns)
    );
    let poll = poll_at(world.rt(), 100.0);
    let task = world.drive(poll).await.unwrap();
    assert_eq!(value(task.input.as_ref()), Some(json!("a")));
    let mut held = pin!(poll_at(world.rt(), 100.0));
    assert!(now(&mut world, &mut held).await.is_none());
    let told = world.pending("b").await.unwrap().last_failure.unwrap();
    assert_eq!(
        failure::why_it_waits(&told).0,
        Some(
            "task queue lab has handed out as many attempts as its rate limit allows: 1 a second (UpdateTaskQueueConfig)"
        )
    );
    world.advance(SECOND).await;
    let task = now(&mut world, &mut held).await.expect("its turn").unwrap();
    assert_eq!(value(task.input.as_ref()), Some(json!("b")));
    // Whatever was not synced is lost; what was acknowledged is not.
    world.crash(Loss::All, SECOND);
    world.sim.settle().await;
    let described = world.describe_queue().await;
    assert_eq!(
        is_set(described.config.as_ref()),
        Some((Some(1.0), "the bank is slow"))
    );
    let limit = described.effective_rate_limit.unwrap();
    assert_eq!(
        (limit.requests_per_second, limit.rate_limit_source()),
        (1.0, RateLimitSource::Api)
    );
    let poll = poll_at(world.rt(), 100.0);
    let task = world.drive(poll).await.unwrap();
    assert_eq!(value(task.input.as_ref()), Some(json!("c")));
    let mut held = pin!(poll_at(world.rt(), 100.0));
    assert!(now(&mut world, &mut held).await.is_none());
    // The workers' own rate again, at once, for those that wait as well.
    let config = configure(&mut world, update(None, "it is fast again"))
        .await
        .unwrap();
    assert_eq!(is_set(Some(&config)), Some((None, "it is fast again")));
    let task = now(&mut world, &mut held).await.expect("at once").unwrap();
    assert_eq!(value(task.input.as_ref()), Some(json!("d")));
    let limit = world.describe_queue().await.effective_rate_limit.unwrap();
    assert_eq!(
        (limit.requests_per_second, limit.rate_limit_source()),
        (100.0, RateLimitSource::Worker)
    );
    world.crash(Loss::All, SECOND);
    world.sim.settle().await;
    let described = world.describe_queue().await;
    assert_eq!(
        is_set(described.config.as_ref()),
        Some((None, "it is fast again"))
    );
    assert_eq!(described.effective_rate_limit, None);
}

// A2
#[tokio::test]
async fn what_could_not_be_written_is_not_in_force() {
    let mut world = lab().await;
    configure(&mut world, update(5.0, "first")).await.unwrap();
    world.disk.fail_sync(world.disk.syncs() + 1);
    let error = configure(&mut world, update(1.0, "second")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    let described = world.describe_queue().await;
    assert_eq!(is_set(described.config.as_ref()), Some((Some(5.0), "first")));
    assert_eq!(described.effective_rate_limit.unwrap().requests_per_second, 5.0);
}

// B1
#[tokio::test]
async fn what_cannot_be_set_is_refused_and_sets_nothing() {
    let mut options = common::options();
    options.queue_configs = 1;
    let mut world = World::sharded(options, 1);
    world.upload("lab", "lab").await;
    let changed = |change: &dyn Fn(&mut wire::UpdateTaskQueueConfigRequest)| {
        let mut request = update(1.0, "");
        change(&mut request);
        request
    };
    let of_type = |kind: TaskQueueType| changed(&|request| request.task_queue_type = kind as i32);
    let refused = [
        (
            update(-1.0, ""),
            "RequestsPerSecond of UpdateQueueRateLimit is -1",
        ),
        (
            update(f32::NAN, ""),
            "RequestsPerSecond of UpdateQueueRateLimit is NaN",
        ),
        (
            update(f32::INFINITY, ""),
            "RequestsPerSecond of UpdateQueueRateLimit is inf",
        ),
        (
            update(1.0, &"y".repeat(1_001)),
            "UpdateQueueRateLimit.Reason has 1001 characters",
        ),
        (
            changed(&|request| request.identity = "y".repeat(1_001)),
            "Identity has 1001 characters",
        ),
        (
            changed(&|request| request.namespace = "nowhere".into()),
            "namespace \"nowhere\" is not found",
        ),
        (
            changed(&|request| request.task_queue.clear()),
            "TaskQueue is not set",
        ),
        (
            changed(&|request| request.task_queue = "y".repeat(1_001)),
            "TaskQueue has 1001 characters",
        ),
        (of_type(TaskQueueType::Unspecified), "workflow task queues"),
        (of_type(TaskQueueType::Workflow), "workflow task queues"),
        (of_type(TaskQueueType::Nexus), "Nexus task queues"),
        (
            changed(&|request| {
                request.update_fairness_key_rate_limit_default = request.update_queue_rate_limit.take()
            }),
            "fairness keys",
        ),
        (
            changed(&|request| {
                request.set_fairness_weight_overrides.insert("key".into(), 2.0);
            }),
            "fairness keys",
        ),
        (
            changed(&|request| request.unset_fairness_weight_overrides.push("key".into())),
            "fairness keys",
        ),
    ];
    for (request, why) in refused {
        let error = configure(&mut world, request).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let described = world.describe_queue().await;
    assert_eq!((described.config, described.effective_rate_limit), (None, None));
    // Nothing to change is no mistake.
    let nothing = changed(&|request| request.update_queue_rate_limit = None);
    assert_eq!(
        configure(&mut world, nothing).await.unwrap(),
        TaskQueueConfig::default()
    );
    configure(&mut world, update(1.0, "")).await.unwrap();
    let other = changed(&|request| request.task_queue = "other".into());
    let error = configure(&mut world, other.clone()).await.unwrap_err();
    assert!(
        matches!(&error, Error::ResourceExhausted(why) if why.contains("queue_configs")),
        "{error}"
    );
    configure(&mut world, update(None, "not needed")).await.unwrap();
    configure(&mut world, other).await.unwrap();
    // The one that gave way is forgotten for good.
    world.crash(Loss::All, SECOND);
    world.sim.settle().await;
    assert_eq!(world.describe_queue().await.config, None);
}
