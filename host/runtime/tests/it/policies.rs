//! Who may start, message and end an execution, and what the refusals say.

use longhaul_history::proto::failure::v1::failure::FailureInfo;
use longhaul_history::proto::{
    enums::v1::{
        QueryRejectCondition, UpdateWorkflowExecutionLifecycleStage as Stage,
        WorkflowExecutionStatus as Status, WorkflowIdConflictPolicy as Conflict,
        WorkflowIdReusePolicy as Reuse,
    },
    update::v1::outcome::Value as Outcome,
};
use longhaul_runtime::Error;
use longhaul_store::faults::Loss;
use serde_json::json;

use crate::{common, world::*};

/// A start with another request id than that of the run that is there.
fn again(
    id: &str,
    conflict: Conflict,
    reuse: Reuse,
) -> longhaul_history::proto::workflowservice::v1::StartWorkflowExecutionRequest {
    let mut request = start_request(id, "Counter", &[]);
    request.request_id = "another".into();
    request.workflow_id_conflict_policy = conflict as i32;
    request.workflow_id_reuse_policy = reuse as i32;
    request
}

#[tokio::test]
async fn a_second_start_is_refused_and_says_which_run_has_the_id() {
    // E1
    let mut world = World::of("counter").await;
    let run_id = world.start("c", "Counter", &[]).await.unwrap();
    let same = world
        .start_with(start_request("c", "Counter", &[]))
        .await
        .unwrap();
    assert_eq!(
        same.run_id, run_id,
        "E1: the same request id returns the same run"
    );
    let refused = world
        .start_with(again("c", Conflict::Fail, Reuse::AllowDuplicate))
        .await;
    let Err(Error::AlreadyStarted {
        message,
        start_request_id,
        run_id: taken,
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!((start_request_id.as_str(), &taken), ("start c", &run_id));
    assert_eq!(
        message,
        format!("Workflow execution is already running. WorkflowId: c, RunId: {run_id}.")
    );
    let by_default = world
        .start_with(again("c", Conflict::Unspecified, Reuse::Unspecified))
        .await;
    assert!(
        matches!(&by_default, Err(Error::AlreadyStarted { run_id: taken, .. }) if *taken == run_id),
        "a running id conflicts by default: {by_default:?}"
    );
    let existing = world
        .start_with(again("c", Conflict::UseExisting, Reuse::AllowDuplicate))
        .await
        .unwrap();
    assert_eq!((existing.run_id, existing.started), (run_id.clone(), false));
    world.crash(Loss::All, SECOND);
    let same = world
        .start_with(start_request("c", "Counter", &[]))
        .await
        .unwrap();
    assert_eq!(same.run_id, run_id, "E1: also after a restart");
}

#[tokio::test]
async fn terminate_existing_ends_one_run_and_starts_another_in_one_commit() {
    // E1
    let mut world = World::of("counter").await;
    let first = world.start("c", "Counter", &[]).await.unwrap();
    let commits = world.commits();
    let second = world
        .start_with(again("c", Conflict::TerminateExisting, Reuse::AllowDuplicate))
        .await
        .unwrap();
    assert_eq!(world.commits(), commits + 1, "one commit");
    assert!(second.started);
    assert_ne!(second.run_id, first);
    let old = world.rt().whole_history("default", "c", &first).unwrap();
    assert!(longhaul_history::text::history(&old.events).contains("WorkflowExecutionTerminated"));
    world.signal("c", "add", &[json!(1)]).await.unwrap();
    assert_eq!(world.query("c", "all", &[]).await.unwrap(), json!([1]));
}

#[tokio::test]
async fn terminate_existing_for_a_type_that_does_not_exist_leaves_the_run_alone() {
    // E1, E12
    let mut world = World::of("bench").await;
    world.start("c", "Sleep", &[json!(1_000)]).await.unwrap();
    let mut request = again("c", Conflict::TerminateExisting, Reuse::AllowDuplicate);
    request.workflow_type.as_mut().unwrap().name = "Slep".into();
    let refused = world.start_with(request).await;
    assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{refused:?}");
    world.pass(SECOND);
    assert_eq!(world.result("c").await, json!(1_000), "its timer still fires");
}

#[tokio::test]
async fn terminate_existing_with_a_module_that_is_not_loaded_yet_ends_the_old_run_durably() {
    // E1: after a restart the new run's module has to be compiled first.
    let mut world = World::of("counter").await;
    world.upload("bench", "bench").await;
    let first = world.start("c", "Counter", &[]).await.unwrap();
    world.crash(Loss::All, SECOND);
    world.query("c", "all", &[]).await.unwrap();
    let mut request = again("c", Conflict::TerminateExisting, Reuse::AllowDuplicate);
    request.workflow_type.as_mut().unwrap().name = "Signals".into();
    request.input = common::values(&[json!(1)]);
    world.start_with(request).await.unwrap();
    world.crash(Loss::All, SECOND);
    let old =
        longhaul_history::text::history(&world.rt().whole_history("default", "c", &first).unwrap().events);
    assert!(old.contains("WorkflowExecutionTerminated"), "{old}");
}

#[tokio::test]
async fn a_closed_id_is_used_again_as_the_policy_says() {
    // E1
    let mut world = World::of("counter").await;
    world.start("good", "Counter", &[]).await.unwrap();
    world.signal("good", "finish", &[]).await.unwrap();
    world.result("good").await;
    world.start("bad", "Counter", &[]).await.unwrap();
    world.terminate("bad").await.unwrap();
    for id in ["good", "bad"] {
        let refused = world
            .start_with(again(id, Conflict::Fail, Reuse::RejectDuplicate))
            .await;
        let Err(Error::AlreadyStarted { message, .. }) = refused else {
            panic!("{refused:?}")
        };
        assert!(message.contains("reject duplicate"), "{message}");
    }
    let refused = world
        .start_with(again("good", Conflict::Fail, Reuse::AllowDuplicateFailedOnly))
        .await;
    assert!(
        matches!(refused, Err(Error::AlreadyStarted { .. })),
        "{refused:?}"
    );
    world
        .start_with(again("bad", Conflict::Fail, Reuse::AllowDuplicateFailedOnly))
        .await
        .unwrap();
    world
        .start_with(again("good", Conflict::Fail, Reuse::AllowDuplicate))
        .await
        .unwrap();
    world.terminate("good").await.unwrap();
    let mut by_default = again("good", Conflict::Unspecified, Reuse::Unspecified);
    by_default.request_id = "by default".into();
    assert!(
        world.start_with(by_default).await.unwrap().started,
        "a closed id is free by default"
    );
}

#[tokio::test]
async fn an_unknown_type_is_refused_with_the_nearest_names() {
    // E12
    let mut world = World::of("bench").await;
    let refused = world.start("x", "Step", &[]).await;
    let Err(Error::InvalidArgument(message)) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        message.contains("\"Step\"") && message.contains("known types: Steps, "),
        "{message}"
    );
    assert!(
        message.contains("longhaul module upload"),
        "it says what to do: {message}"
    );
    let nothing = world.rt().whole_history("default", "x", "");
    assert!(
        matches!(nothing, Err(Error::WorkflowNotFound(_))),
        "nothing was written: {nothing:?}"
    );
}

#[tokio::test]
async fn messages_to_what_is_not_there_are_not_found() {
    // S6, Q1, B1
    let mut world = World::of("counter").await;
    fn not_found<T: std::fmt::Debug>(answer: Result<T, Error>) {
        assert!(
            matches!(&answer, Err(Error::WorkflowNotFound(id)) if id == "nobody"),
            "{answer:?}"
        );
    }
    not_found(world.signal("nobody", "add", &[json!(1)]).await);
    not_found(world.query("nobody", "all", &[]).await);
    not_found(world.update("nobody", "add_and_get", &[json!(1)], "u").await);
    not_found(world.poll(Stage::Completed, "nobody", "u").await);
    not_found(world.cancel("nobody").await);
    not_found(world.terminate("nobody").await);
}

#[tokio::test]
async fn a_closed_run_takes_no_messages() {
    // S6, E4, U3
    let mut world = World::of("counter").await;
    world.start("c", "Counter", &[]).await.unwrap();
    world.signal("c", "finish", &[]).await.unwrap();
    world.result("c").await;
    for _ in ["in memory", "from the store"] {
        let closed = world.signal("c", "add", &[json!(1)]).await;
        assert!(matches!(closed, Err(Error::AlreadyCompleted)), "S6: {closed:?}");
        assert_eq!(
            closed.unwrap_err().to_string(),
            "workflow execution already completed"
        );
        let closed = world.update("c", "add_and_get", &[json!(1)], "u").await;
        assert!(matches!(closed, Err(Error::AlreadyCompleted)), "{closed:?}");
        let closed = world.terminate("c").await;
        assert!(matches!(closed, Err(Error::AlreadyCompleted)), "{closed:?}");
        world.cancel("c").await.unwrap();
        assert_eq!(world.query("c", "total", &[]).await.unwrap(), json!(0), "Q1");
        world.crash(Loss::All, SECOND);
    }
    world.export("counter-empty", "c");
}

#[tokio::test]
async fn an_unknown_name_is_refused_with_the_nearest() {
    // S7, Q4, U3
    let mut world = World::of("counter").await;
    world.start("c", "Counter", &[]).await.unwrap();
    let Err(Error::InvalidArgument(signal)) = world.signal("c", "ad", &[]).await else {
        panic!("S7: the type's handlers are closed")
    };
    assert!(signal.contains("known signals: add, finish"), "{signal}");
    let Err(Error::QueryFailed { message, .. }) = world.query("c", "totl", &[]).await else {
        panic!("Q4: the query is unknown")
    };
    assert!(
        message.contains("'totl'") && message.contains("known queries: total, "),
        "{message}"
    );
    let (stage, outcome) = world
        .update_to(Stage::Completed, "c", "add_and_gat", &[], "u")
        .await
        .unwrap();
    assert_eq!(stage, Stage::Completed, "U3: an unknown update is a rejection");
    let Some(Outcome::Failure(failure)) = outcome.unwrap().value else {
        panic!("U3: a failure")
    };
    let Some(FailureInfo::ApplicationFailureInfo(info)) = &failure.failure_info else {
        panic!("{failure:?}")
    };
    assert_eq!(info.r#type, "RuntimeError");
    assert!(
        failure.message.contains("add_and_get"),
        "it lists the known ones: {}",
        failure.message
    );
    assert!(!world.history("c").contains("Update"), "U1: it leaves nothing");
}

#[tokio::test]
async fn queries_are_rejected_by_the_status_as_asked() {
    // Q6
    let mut world = World::of("counter").await;
    world.start("c", "Counter", &[]).await.unwrap();
    let open = world
        .query_unless("c", "total", &[], QueryRejectCondition::NotOpen)
        .await
        .unwrap();
    assert!(open.query_rejected.is_none());
    world.terminate("c").await.unwrap();
    for condition in [
        QueryRejectCondition::NotOpen,
        QueryRejectCondition::NotCompletedCleanly,
    ] {
        let rejected = world.query_unless("c", "total", &[], condition).await.unwrap();
        assert_eq!(
            rejected.query_rejected.unwrap().status(),
            Status::Terminated,
            "{condition:?}"
        );
    }
    assert_eq!(world.query("c", "total", &[]).await.unwrap(), json!(0));
    world.start("d", "Counter", &[]).await.unwrap();
    world.signal("d", "finish", &[]).await.unwrap();
    world.result("d").await;
    let clean = world
        .query_unless("d", "total", &[], QueryRejectCondition::NotCompletedCleanly)
        .await
        .unwrap();
    assert!(clean.query_rejected.is_none(), "it has completed: {clean:?}");
    let closed = world
        .query_unless("d", "total", &[], QueryRejectCondition::NotOpen)
        .await
        .unwrap();
    assert_eq!(closed.query_rejected.unwrap().status(), Status::Completed);
}

#[tokio::test]
async fn an_update_id_runs_once_for_all_who_ask() {
    // U4, U11
    let mut world = World::of("counter").await;
    world.start("c", "Counter", &[]).await.unwrap();
    let rt = world.rt();
    let (five, six) = ([json!(5)], [json!(6)]);
    let both = async {
        tokio::join!(
            common::update(rt.clone(), "c", "add_and_get", &five, "u"),
            common::update(rt.clone(), "c", "add_and_get", &six, "u")
        )
    };
    let (first, second) = world.drive(both).await;
    assert_eq!((first.unwrap(), second.unwrap()), (Ok(json!(5)), Ok(json!(5))));
    assert_eq!(world.query("c", "all", &[]).await.unwrap(), json!([5]));
    world.signal("c", "finish", &[]).await.unwrap();
    assert_eq!(world.result("c").await, json!(5));
    for _ in ["in memory", "from the store"] {
        assert_eq!(
            world.update("c", "add_and_get", &[json!(7)], "u").await.unwrap(),
            Ok(json!(5)),
            "U4: after close"
        );
        let (stage, value) = world.poll(Stage::Completed, "c", "u").await.unwrap();
        assert_eq!((stage, outcome(value)), (Stage::Completed, Ok(json!(5))));
        let unknown = world.poll(Stage::Completed, "c", "v").await;
        assert!(matches!(unknown, Err(Error::UpdateNotFound(_))), "{unknown:?}");
        world.crash(Loss::All, SECOND);
    }
    world.export("update-once", "c");
}

#[tokio::test]
async fn callers_choose_the_stage_that_they_wait_for() {
    // U3
    let mut options = common::options();
    options.long_poll = std::time::Duration::from_millis(50);
    let mut world = World::with(options);
    world.upload("order", "orders").await;
    world
        .start("o", "OrderWorkflow", &[json!("order"), json!("cust")])
        .await
        .unwrap();
    let item = [json!({"sku": "a", "name": "b", "quantity": 1, "price": "1.00"})];
    let denied = world
        .update_to(Stage::Admitted, "o", "add_item", &item, "u")
        .await;
    assert!(matches!(denied, Err(Error::PermissionDenied(_))), "{denied:?}");
    // Nobody serves the activity, so the handler waits.
    let (stage, none) = world
        .update_to(Stage::Accepted, "o", "add_item", &item, "u")
        .await
        .unwrap();
    assert_eq!((stage, none), (Stage::Accepted, None));
    let (stage, none) = world
        .update_to(Stage::Completed, "o", "add_item", &item, "u")
        .await
        .unwrap();
    assert_eq!(
        (stage, none),
        (Stage::Accepted, None),
        "the stage reached, not an error"
    );
    world.crash(Loss::All, SECOND);
    let (stage, none) = world.poll(Stage::Completed, "o", "u").await.unwrap();
    assert_eq!((stage, none), (Stage::Accepted, None), "also after a restart");

    // U7
    world.terminate("o").await.unwrap();
    for _ in ["in memory", "from the store"] {
        let (stage, value) = world.poll(Stage::Completed, "o", "u").await.unwrap();
        assert_eq!(stage, Stage::Completed);
        assert_eq!(
            outcome(value),
            Err("Workflow Update failed because the Workflow completed before the Update completed.".into())
        );
        world.crash(Loss::All, SECOND);
    }
    world.export("update-unfinished", "o");
}

#[tokio::test]
async fn updates_have_limits() {
    // U10
    let mut options = common::options();
    options.long_poll = std::time::Duration::from_millis(50);
    options.limits.history.updates_in_flight = 3;
    options.limits.history.updates_per_run = 5;
    let mut world = World::with(options);
    world.upload("order", "orders").await;
    world.upload("counter", "counter").await;
    world
        .start("o", "OrderWorkflow", &[json!("order"), json!("cust")])
        .await
        .unwrap();
    let item = [json!({"sku": "a", "name": "b", "quantity": 1, "price": "1.00"})];
    for number in 0..3 {
        let id = format!("u{number}");
        let (stage, _) = world
            .update_to(Stage::Accepted, "o", "add_item", &item, &id)
            .await
            .unwrap();
        assert_eq!(stage, Stage::Accepted);
    }
    let over = world
        .update_to(Stage::Accepted, "o", "add_item", &item, "u3")
        .await;
    let Err(Error::ResourceExhausted(message)) = over else {
        panic!("{over:?}")
    };
    assert_eq!(
        message,
        "limit on number of concurrent in-flight updates has been reached (3); wait until one of them has completed"
    );
    world
        .update_to(Stage::Accepted, "o", "add_item", &item, "u2")
        .await
        .expect("a known id is no new update");
    world.start("c", "Counter", &[]).await.unwrap();
    for number in 0..5 {
        world
            .update("c", "add_and_get", &[json!(1)], &format!("u{number}"))
            .await
            .unwrap()
            .unwrap();
    }
    let over = world.update("c", "add_and_get", &[json!(1)], "u5").await;
    let Err(Error::ResourceExhausted(message)) = over else {
        panic!("{over:?}")
    };
    assert!(
        message.contains("(5); let the workflow continue as new"),
        "{message}"
    );
}

#[tokio::test]
async fn a_cancelled_run_ends_when_its_code_lets_it_and_a_terminated_one_at_once() {
    // E4
    let mut world = World::of("bench").await;
    world.start("c", "Sleep", &[json!(60_000)]).await.unwrap();
    world.cancel("c").await.unwrap();
    world.sim.settle().await;
    let history = world.history("c");
    assert!(history.contains("WorkflowExecutionCancelRequested"), "{history}");
    world.start("t", "Sleep", &[json!(60_000)]).await.unwrap();
    world.terminate("t").await.unwrap();
    let history = world.history("t");
    assert!(
        history.ends_with("WorkflowExecutionTerminated reason=enough")
            || history.contains("WorkflowExecutionTerminated")
    );
    let status = world
        .describe("t")
        .await
        .workflow_execution_info
        .unwrap()
        .status();
    assert_eq!(status, Status::Terminated);
    world.advance(HOUR).await;
    assert_eq!(world.history("t"), history, "its timer is gone");
    world.export("terminated", "t");
}

#[tokio::test]
async fn a_run_that_takes_too_long_times_out() {
    // E2
    for restart in [false, true] {
        let mut world = World::of("bench").await;
        let mut request = start_request("r", "Sleep", &[json!(60_000)]);
        request.workflow_run_timeout = Some(longhaul_history::time::duration_from_ns(10_000_000_000));
        world.start_with(request).await.unwrap();
        if restart {
            world.crash(Loss::All, 9 * SECOND);
        } else {
            world.pass(9 * SECOND);
        }
        world.sim.settle().await;
        assert!(!world.history("r").contains("TimedOut"));
        world.pass(SECOND);
        world.until_history("r", "WorkflowExecutionTimedOut").await;
        let status = world
            .describe("r")
            .await
            .workflow_execution_info
            .unwrap()
            .status();
        assert_eq!(status, Status::TimedOut);
        world.export("run-timeout", "r");
    }
}

#[tokio::test]
async fn limits_of_time_are_the_documented_ones() {
    // U3, E2, E9, E11
    let options = longhaul_runtime::Options::new("simulated.redb");
    let minute = 60 * SECOND;
    assert_eq!(options.long_poll, 20 * SECOND);
    assert_eq!(options.task_timeout, 10 * SECOND);
    assert_eq!(options.retention, 3 * DAY);
    assert_eq!(
        (options.task_retry_initial, options.task_retry_maximum),
        (SECOND, 10 * minute)
    );
    // They are what a run gets.
    let mut world = World::of("counter").await;
    world.start("default", "Counter", &[]).await.unwrap();
    let mut asked = start_request("asked", "Counter", &[]);
    asked.workflow_task_timeout = Some(longhaul_history::time::duration_from_ns(7_000_000_000));
    world.start_with(asked).await.unwrap();
    for (id, seconds) in [("default", 10), ("asked", 7)] {
        let config = world.describe(id).await.execution_config.unwrap();
        let timeout = config.default_workflow_task_timeout.unwrap();
        assert_eq!((timeout.seconds, timeout.nanos), (seconds, 0), "{id}");
    }
}

#[tokio::test]
async fn no_workflow_task_may_take_longer_than_two_minutes_nor_than_its_run() {
    // E2
    let mut options = common::options();
    options.task_timeout = 600 * SECOND;
    let mut world = World::sharded(options, 1);
    world.upload("counter", "counter").await;
    let seconds = |seconds: u64| Some(longhaul_history::time::duration_from_ns(seconds * 1_000_000_000));
    for (id, asked, of_run, stated, holds) in [
        ("default", None, None, " task-timeout=2m", 120),
        ("hour", Some(3_600), None, " task-timeout=2m", 120),
        (
            "short run",
            Some(3_600),
            Some(60),
            " run-timeout=1m task-timeout=1m",
            60,
        ),
        ("short task", Some(10), Some(60), " run-timeout=1m", 10),
    ] {
        let mut request = start_request(id, "Counter", &[]);
        request.workflow_task_timeout = asked.and_then(seconds);
        request.workflow_run_timeout = of_run.and_then(seconds);
        world.start_with(request).await.unwrap();
        let config = world.describe(id).await.execution_config.unwrap();
        assert_eq!(
            config.default_workflow_task_timeout.unwrap().seconds,
            holds,
            "{id}"
        );
        let history = world.history(id);
        let first = history.lines().next().unwrap();
        assert!(first.ends_with(stated), "{first}");
    }
}

#[tokio::test]
async fn a_repeated_signal_changes_nothing() {
    // S5
    let mut world = World::of("counter").await;
    world.start("c", "Counter", &[]).await.unwrap();
    for restart in [false, true] {
        let rt = world.rt();
        world
            .drive(common::signal(rt, "c", "add", &[json!(1)], "same"))
            .await
            .unwrap();
        if !restart {
            let rt = world.rt();
            world
                .drive(common::signal(rt, "c", "add", &[json!(1)], "same"))
                .await
                .unwrap();
            world.crash(Loss::All, SECOND);
        }
    }
    assert_eq!(world.query("c", "all", &[]).await.unwrap(), json!([1]));
}

#[tokio::test]
async fn too_large_a_payload_is_refused_and_nothing_is_written() {
    // B2, E1
    let mut options = common::options();
    options.limits.history.payload_bytes = 1_000;
    let mut world = World::with(options);
    world.upload("counter", "counter").await;
    world.start("c", "Counter", &[]).await.unwrap();
    let commits = world.commits();
    let large = json!("x".repeat(1_001));
    let refused = world.signal("c", "add", std::slice::from_ref(&large)).await;
    assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{refused:?}");
    let refused = world
        .update("c", "add_and_get", std::slice::from_ref(&large), "u")
        .await;
    assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{refused:?}");
    let refused = world.start("d", "Counter", &[large]).await;
    assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{refused:?}");
    let refused = world.start(&"i".repeat(1_001), "Counter", &[]).await;
    assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{refused:?}");
    assert_eq!(world.commits(), commits);
}
