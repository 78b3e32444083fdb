//! Activities that operators pause, reset, or give other options (A2, A3).

use std::time::Duration;

use longhaul_history::{
    proto::{
        activity::v1::ActivityOptions,
        common::v1::RetryPolicy,
        enums::v1::PendingActivityState as State,
        workflow::v1::pending_activity_info::pause_info::PausedBy,
        workflowservice::v1::{
            self as wire, pause_activity_request, reset_activity_request, unpause_activity_request,
            update_activity_options_request,
        },
    },
    time,
};
use longhaul_runtime::{
    Error,
    activities::{self, Context},
};
use longhaul_store::faults::Loss;
use serde_json::{Value, json};

use crate::{common, worker::*, world::*};

async fn pause(world: &mut World, id: &str) -> Result<(), Error> {
    let request = wire::PauseActivityRequest {
        namespace: "default".into(),
        execution: common::execution("w"),
        identity: "operator".into(),
        activity: Some(pause_activity_request::Activity::Id(id.into())),
        reason: "the bank is down".into(),
        ..Default::default()
    };
    let rt = world.rt();
    world.drive(rt.pause_activity(request)).await.map(|_| ())
}

/// As [`pause`], with a request id.
async fn pause_once(world: &mut World, request_id: &str) -> Result<(), Error> {
    let request = wire::PauseActivityRequest {
        namespace: "default".into(),
        execution: common::execution("w"),
        activity: Some(pause_activity_request::Activity::Id("1".into())),
        request_id: request_id.into(),
        ..Default::default()
    };
    let rt = world.rt();
    world.drive(rt.pause_activity(request)).await.map(|_| ())
}

async fn unpause(world: &mut World, reset_attempts: bool, reset_heartbeat: bool) {
    let request = wire::UnpauseActivityRequest {
        namespace: "default".into(),
        execution: common::execution("w"),
        activity: Some(unpause_activity_request::Activity::UnpauseAll(true)),
        reset_attempts,
        reset_heartbeat,
        ..Default::default()
    };
    let rt = world.rt();
    world.drive(rt.unpause_activity(request)).await.unwrap();
}

async fn reset(world: &mut World, change: impl FnOnce(&mut wire::ResetActivityRequest)) {
    let mut request = wire::ResetActivityRequest {
        namespace: "default".into(),
        execution: common::execution("w"),
        activity: Some(reset_activity_request::Activity::Type("echo".into())),
        ..Default::default()
    };
    change(&mut request);
    let rt = world.rt();
    world.drive(rt.reset_activity(request)).await.unwrap();
}

async fn update(
    world: &mut World,
    options: Option<ActivityOptions>,
    paths: &[&str],
) -> Result<ActivityOptions, Error> {
    let request = wire::UpdateActivityOptionsRequest {
        namespace: "default".into(),
        execution: common::execution("w"),
        activity: Some(update_activity_options_request::Activity::Id("1".into())),
        restore_original: options.is_none(),
        activity_options: options,
        update_mask: Some(prost_wkt_types::FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
        ..Default::default()
    };
    let rt = world.rt();
    let answer = world.drive(rt.update_activity_options(request)).await?;
    Ok(answer.activity_options.unwrap())
}

#[tokio::test]
async fn what_is_paused_while_it_waits_is_given_to_nobody_until_it_is_unpaused() {
    let mut world = lab().await;
    world
        .lab("w", &[activity(json!({"schedule_to_start_ms": 5000}))])
        .await;
    pause(&mut world, "1").await.unwrap();
    assert!(world.poll_task("worker").await.is_none());
    world.crash(Loss::All, 10 * SECOND);
    world.sim.settle().await;
    assert!(
        world.poll_task("worker").await.is_none(),
        "also by the next server"
    );
    let info = world.pending("w").await.unwrap();
    assert_eq!((info.state(), info.paused), (State::Paused, true));
    let Some(PausedBy::Manual(by)) = info.pause_info.unwrap().paused_by else {
        panic!("nobody has paused it")
    };
    assert_eq!(
        (by.identity.as_str(), by.reason.as_str()),
        ("operator", "the bank is down")
    );
    // It waits from now on: the limit of its wait for a worker has not passed meanwhile.
    unpause(&mut world, false, false).await;
    assert_eq!(world.pending("w").await.unwrap().state(), State::Scheduled);
    let task = world.task("worker").await;
    assert_eq!(task.attempt, 1);
    world.complete(&task, json!(1)).await.unwrap();
    assert_eq!(world.result("w").await, json!(["echo=1"]));
    world.export("activity-paused", "w");
}

#[tokio::test]
async fn what_is_paused_while_it_runs_hears_of_it_and_may_end_but_is_not_tried_again() {
    // A3
    let mut world = lab().await;
    world.lab("w", &[activity(json!({}))]).await;
    let task = world.task("worker").await;
    world.beat(&task, json!("half")).await.unwrap();
    pause(&mut world, "1").await.unwrap();
    assert_eq!(world.pending("w").await.unwrap().state(), State::PauseRequested);
    let request = wire::RecordActivityTaskHeartbeatRequest {
        namespace: "default".into(),
        task_token: task.task_token.clone(),
        details: common::values(&[json!("half")]),
        ..Default::default()
    };
    let rt = world.rt();
    let told = world
        .drive(rt.record_activity_task_heartbeat(request))
        .await
        .unwrap();
    assert_eq!(
        (told.activity_paused, told.cancel_requested, told.activity_reset),
        (true, false, false)
    );
    world.fail(&task, "no", "Broken").await.unwrap();
    world.advance(60 * SECOND).await;
    assert!(world.poll_task("worker").await.is_none());
    let info = world.pending("w").await.unwrap();
    assert_eq!((info.state(), info.attempt), (State::Paused, 2));
    unpause(&mut world, true, true).await;
    let task = world.task("worker").await;
    assert_eq!((task.attempt, task.heartbeat_details.is_none()), (1, true));
    world.complete(&task, json!(1)).await.unwrap();
    assert_eq!(world.result("w").await, json!(["echo=1"]));
    world.export("activity-paused-running", "w");
}

#[tokio::test]
async fn an_activity_that_is_reset_begins_with_its_first_attempt() {
    // A2, A3
    let mut world = lab().await;
    world
        .lab("w", &[activity(json!({"attempts": 2, "retry_ms": 3_600_000}))])
        .await;
    let task = world.task("worker").await;
    world.beat(&task, json!("half")).await.unwrap();
    world.fail(&task, "no", "Broken").await.unwrap();
    let info = world.pending("w").await.unwrap();
    assert_eq!(info.current_retry_interval.unwrap().seconds, 3600);
    assert!(info.next_attempt_schedule_time.is_some() && info.last_attempt_complete_time.is_some());
    // While it waits: at once, and the attempt is the first.
    reset(&mut world, |_| {}).await;
    let task = world.task("worker").await;
    assert_eq!(task.attempt, 1);
    assert_eq!(value(task.heartbeat_details.as_ref()), Some(json!("half")));
    // While it runs: the attempt goes on and may still fail, which is not the last that there may be.
    reset(&mut world, |request| request.reset_heartbeat = true).await;
    let request = wire::RecordActivityTaskHeartbeatRequest {
        namespace: "default".into(),
        task_token: task.task_token.clone(),
        details: common::values(&[json!("more")]),
        ..Default::default()
    };
    let rt = world.rt();
    let told = world
        .drive(rt.record_activity_task_heartbeat(request))
        .await
        .unwrap();
    assert!(told.activity_reset);
    world.fail(&task, "no", "Broken").await.unwrap();
    world.advance(Duration::from_secs(3600)).await;
    let task = world.task("worker").await;
    assert_eq!((task.attempt, task.heartbeat_details.is_none()), (1, true));
    // Its two attempts are counted from there.
    world.fail(&task, "no", "Broken").await.unwrap();
    world.advance(Duration::from_secs(3600)).await;
    let task = world.task("worker").await;
    assert_eq!(task.attempt, 2);
    world.fail(&task, "never", "Broken").await.unwrap();
    assert_eq!(world.result("w").await, json!(["echo failed: Broken: never"]));
    world.export("activity-reset", "w");
}

#[tokio::test]
async fn what_is_paused_is_not_paused_again_and_what_is_not_is_not_unpaused() {
    // A2, B1
    let mut world = lab().await;
    world
        .lab("w", &[activity(json!({"attempts": 2, "retry_ms": 3_600_000}))])
        .await;
    let task = world.task("worker").await;
    world.fail(&task, "no", "Broken").await.unwrap();
    // It waits for its next attempt, and goes on waiting.
    let (before, commits) = (world.pending("w").await.unwrap(), world.commits());
    unpause(&mut world, true, true).await;
    assert_eq!(world.pending("w").await.unwrap(), before);
    pause_once(&mut world, "one").await.unwrap();
    let paused = world.pending("w").await.unwrap();
    pause_once(&mut world, "one").await.unwrap();
    assert_eq!(world.commits(), commits + 1, "only the first pause is written");
    let again = pause_once(&mut world, "another").await.unwrap_err();
    assert!(matches!(again, Error::FailedPrecondition(_)), "{again:?}");
    assert_eq!(again.to_string(), "activity is already paused");
    assert_eq!(world.pending("w").await.unwrap(), paused);
}

#[tokio::test]
async fn an_unpause_does_not_take_a_reset_back() {
    // A2, A3
    let mut world = lab().await;
    world.lab("w", &[activity(json!({"attempts": 2}))]).await;
    let task = world.task("worker").await;
    world.fail(&task, "no", "Broken").await.unwrap();
    world.advance(SECOND).await;
    let task = world.task("worker").await;
    assert_eq!(task.attempt, 2);
    pause_once(&mut world, "one").await.unwrap();
    reset(&mut world, |request| request.keep_paused = true).await;
    unpause(&mut world, false, true).await;
    let request = wire::RecordActivityTaskHeartbeatRequest {
        namespace: "default".into(),
        task_token: task.task_token.clone(),
        ..Default::default()
    };
    let rt = world.rt();
    let told = world
        .drive(rt.record_activity_task_heartbeat(request))
        .await
        .unwrap();
    assert!(told.activity_reset && !told.activity_paused);
    world.fail(&task, "no", "Broken").await.unwrap();
    world.advance(SECOND).await;
    assert_eq!(world.task("worker").await.attempt, 1);
}

#[tokio::test]
async fn an_attempt_that_hangs_and_was_reset_ends_for_itself_alone() {
    // A1, A2
    let mut world = lab().await;
    type Begun = std::sync::Arc<std::sync::Mutex<Vec<tokio::sync::oneshot::Sender<String>>>>;
    let begun = Begun::default();
    let noted = begun.clone();
    let hangs = activities::json(move |_: Context, _: Value| {
        let (end, ended) = tokio::sync::oneshot::channel();
        noted.lock().unwrap().push(end);
        async move { Ok(ended.await.map_err(std::io::Error::other)?) }
    });
    world.rt().register_activity(QUEUE, "Hangs", hangs).unwrap();
    let step = json!({"type": "Hangs", "start_to_close_ms": 10_000, "retry_ms": 1000});
    world.lab("w", &[activity(step)]).await;
    world.sim.settle().await;
    reset(&mut world, |request| {
        request.activity = Some(reset_activity_request::Activity::Type("Hangs".into()));
    })
    .await;
    world.advance(10 * SECOND).await;
    assert!(begun.lock().unwrap()[0].is_closed(), "it has run out of time");
    world.advance(SECOND).await;
    let info = world.pending("w").await.unwrap();
    assert_eq!(
        (info.state(), info.attempt),
        (State::Started, 1),
        "another first one"
    );
    let mut begun = std::mem::take(&mut *begun.lock().unwrap());
    assert_eq!(begun.len(), 2);
    begun.remove(1).send("the second".into()).unwrap();
    assert_eq!(world.result("w").await, json!(["Hangs=\"the second\""]));
    world.export("activity-reset-hanging", "w");
}

#[tokio::test]
async fn a_limit_that_was_shortened_counts_over_a_restart() {
    // A2
    let mut world = lab().await;
    world.lab("w", &[activity(json!({"retry_ms": 3_600_000}))]).await;
    let task = world.task("worker").await;
    world.fail(&task, "no", "Broken").await.unwrap();
    let options = ActivityOptions {
        schedule_to_close_timeout: Some(time::duration_from_ns(300 * time::NS_PER_SECOND)),
        ..Default::default()
    };
    update(&mut world, Some(options), &["schedule_to_close_timeout"])
        .await
        .unwrap();
    world.crash(Loss::All, SECOND);
    // Nobody asks for the run.
    world.advance(300 * SECOND).await;
    world.until_history("w", "ActivityTaskTimedOut").await;
}

#[tokio::test]
async fn other_options_count_at_once_and_over_a_restart() {
    // A2
    let mut world = lab().await;
    world
        .lab(
            "w",
            &[activity(
                json!({"start_to_close_ms": 10_000, "retry_ms": 3_600_000}),
            )],
        )
        .await;
    let seconds = |seconds: u64| Some(time::duration_from_ns(seconds * time::NS_PER_SECOND));
    // The queue, while it waits.
    let options = ActivityOptions {
        task_queue: queue("elsewhere"),
        ..Default::default()
    };
    let options = update(&mut world, Some(options), &["task_queue.name"])
        .await
        .unwrap();
    assert_eq!(options.task_queue.unwrap().name, "elsewhere");
    assert_eq!(
        options.start_to_close_timeout,
        seconds(10),
        "what is not named stays"
    );
    assert!(world.poll_task("worker").await.is_none());
    world.crash(Loss::All, SECOND);
    let request = poll(world.rt(), "elsewhere", "worker", 20 * SECOND);
    let task = world.drive(request).await.unwrap();
    assert_eq!(task.attempt, 1);
    // A limit of the attempt that runs.
    let options = ActivityOptions {
        start_to_close_timeout: seconds(2),
        ..Default::default()
    };
    update(&mut world, Some(options), &["startToCloseTimeout"])
        .await
        .unwrap();
    world.advance(2 * SECOND).await;
    let info = world.pending("w").await.unwrap();
    assert_eq!((info.state(), info.attempt), (State::Scheduled, 2));
    // The wait for the next one.
    let options = ActivityOptions {
        retry_policy: Some(RetryPolicy {
            initial_interval: seconds(3),
            ..Default::default()
        }),
        ..Default::default()
    };
    update(&mut world, Some(options), &["retry_policy.initial_interval"])
        .await
        .unwrap();
    world.advance(3 * SECOND).await;
    let request = poll(world.rt(), "elsewhere", "worker", 20 * SECOND);
    assert_eq!(world.drive(request).await.unwrap().attempt, 2);
    let options = update(&mut world, None, &[]).await.unwrap();
    assert_eq!(
        options.task_queue.unwrap().name,
        "lab",
        "as the workflow has asked for"
    );
    assert_eq!(options.retry_policy.unwrap().initial_interval, seconds(3600));
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_and_changes_nothing() {
    // B1
    let mut world = lab().await;
    world.lab("w", &[activity(json!({}))]).await;
    let before = world.pending("w").await.unwrap();
    assert_eq!(
        pause(&mut world, "9").await.unwrap_err().to_string(),
        "cannot find pending activity with ActivityID 9, check workflow execution history for more details"
    );
    let none = Some(ActivityOptions::default());
    for (options, paths, words) in [
        (
            none.clone(),
            ["start_to_close_timeout"],
            "one of the schedule-to-close",
        ),
        (none.clone(), ["colour"], "\"colour\""),
        (none.clone(), ["retry_policy.colour"], "\"retry_policy.colour\""),
        (none, ["task_queue.name"], "TaskQueue is not set"),
        (None, ["heartbeat_timeout"], "cannot be combined"),
    ] {
        let error = update(&mut world, options, &paths).await.unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let rt = world.rt();
    let request = wire::ResetActivityRequest {
        namespace: "default".into(),
        execution: common::execution("w"),
        ..Default::default()
    };
    let error = world.drive(rt.reset_activity(request)).await.unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
    assert_eq!(world.pending("w").await.unwrap(), before);
}
