//! The limits of attempts that workers have, their retries, and how workers hear of a cancellation (A2, A3, A4).

use std::time::Duration;

use longhaul_history::proto::enums::v1::PendingActivityState as State;
use longhaul_store::faults::Loss;
use serde_json::json;

use crate::{worker::*, world::*};

const GONE: &str = "invalid activityID or activity already timed out or invoking workflow is completed";

#[tokio::test]
async fn a_silent_worker_loses_its_attempt_and_the_next_one_knows_how_far_it_came() {
    // A2, A3, A7
    for crash in [false, true] {
        let mut world = lab().await;
        world
            .lab(
                "w",
                &[activity(
                    json!({"heartbeat_ms": 2000, "start_to_close_ms": 60_000}),
                )],
            )
            .await;
        let task = world.task("silent").await;
        world.advance(SECOND).await;
        assert!(!world.beat(&task, json!("so far")).await.unwrap());
        let info = world.pending("w").await.unwrap();
        assert_eq!(info.last_worker_identity, "beating");
        assert_eq!(value(info.heartbeat_details.as_ref()), Some(json!("so far")));
        // Counted from the heartbeat, also by the next server.
        if crash {
            world.crash(Loss::All, SECOND);
            world.sim.settle().await;
        } else {
            world.advance(SECOND).await;
        }
        world.advance(SECOND - Duration::from_millis(1)).await;
        assert_eq!(world.pending("w").await.unwrap().state(), State::Started);
        world.advance(Duration::from_millis(1)).await;
        let info = world.pending("w").await.unwrap();
        assert_eq!((info.state(), info.attempt), (State::Scheduled, 2));
        assert_eq!(info.last_failure.unwrap().message, "activity Heartbeat timeout");
        assert_eq!(
            world
                .beat(&task, json!("too late"))
                .await
                .unwrap_err()
                .to_string(),
            GONE
        );
        world.advance(SECOND).await;
        let next = world.task("next").await;
        assert_eq!(next.attempt, 2);
        assert_eq!(value(next.heartbeat_details.as_ref()), Some(json!("so far")));
        world.complete(&next, json!(1)).await.unwrap();
        assert_eq!(world.result("w").await, json!(["echo=1"]));
        if !crash {
            world.export("worker-silent", "w");
        }
    }
}

#[tokio::test]
async fn a_limit_that_passes_after_a_restart_needs_nobody_who_looks() {
    // A2, A7
    let mut world = lab().await;
    world
        .lab(
            "w",
            &[activity(
                json!({"heartbeat_ms": 2000, "start_to_close_ms": 60_000}),
            )],
        )
        .await;
    world.task("dies with the server").await;
    world.crash(Loss::All, Duration::ZERO);
    assert!(world.poll_task("too early").await.is_none());
    // Its heartbeat does not come, and its next attempt waits a second. Until then nobody has asked for the run.
    world.advance(2 * SECOND).await;
    world.advance(SECOND).await;
    assert_eq!(world.task("another").await.attempt, 2);
}

#[tokio::test]
async fn nobody_who_comes_in_time_is_the_end_and_is_not_tried_again() {
    // A2
    for crash in [false, true] {
        let mut world = lab().await;
        world
            .lab(
                "w",
                &[activity(json!({"schedule_to_start_ms": 5000, "attempts": 3}))],
            )
            .await;
        if crash {
            world.crash(Loss::All, 4 * SECOND);
            world.sim.settle().await;
        } else {
            world.advance(4 * SECOND).await;
        }
        assert_eq!(world.pending("w").await.unwrap().state(), State::Scheduled);
        world.advance(SECOND).await;
        assert_eq!(
            world.result("w").await,
            json!(["echo failed: timeout SCHEDULE_TO_START"])
        );
        assert!(world.poll_task("late").await.is_none(), "nothing waits any more");
        let history = world.history("w");
        assert!(!history.contains("ActivityTaskStarted"), "{history}");
        if !crash {
            world.export("worker-none-in-time", "w");
        }
    }
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_tried_again_until_all_time_is_over() {
    // A2
    let mut world = lab().await;
    world
        .lab(
            "w",
            &[activity(
                json!({"start_to_close_ms": 2000, "schedule_to_close_ms": 7000}),
            )],
        )
        .await;
    let first = world.task("slow").await;
    world.advance(2 * SECOND).await;
    let info = world.pending("w").await.unwrap();
    assert_eq!((info.state(), info.attempt), (State::Scheduled, 2));
    assert_eq!(
        info.last_failure.unwrap().message,
        "activity StartToClose timeout"
    );
    assert!(
        world.poll_task("early").await.is_none(),
        "its second attempt waits a second"
    );
    world.advance(SECOND).await;
    let second = world.task("slow").await;
    assert_eq!((first.attempt, second.attempt), (1, 2));
    // Two seconds later it would be tried again at the end of seven: that is not past it.
    world.advance(2 * SECOND).await;
    world.advance(2 * SECOND).await;
    assert_eq!(
        world.result("w").await,
        json!(["echo failed: timeout SCHEDULE_TO_CLOSE"])
    );
    world.export("worker-too-slow", "w");
}

#[tokio::test]
async fn failures_are_tried_again_as_the_policy_says() {
    // A2
    let mut world = lab().await;
    world
        .lab(
            "w",
            &[
                activity(json!({"attempts": 3, "fatal_types": ["Fatal"]})),
                activity(json!({"fatal_types": ["Fatal"]})),
            ],
        )
        .await;
    for attempt in 1..=3 {
        let task = world.task("w").await;
        assert_eq!(task.attempt, attempt);
        world.fail(&task, "no", "Broken").await.unwrap();
        if attempt < 3 {
            let info = world.pending("w").await.unwrap();
            assert_eq!(info.last_failure.unwrap().message, "no");
            assert!(world.poll_task("early").await.is_none());
        }
        world
            .advance(SECOND * 2_u32.pow(u32::try_from(attempt).unwrap() - 1))
            .await;
    }
    let task = world.task("w").await;
    world.fail(&task, "never", "Fatal").await.unwrap();
    assert_eq!(
        world.result("w").await,
        json!(["echo failed: Broken: no", "echo failed: Fatal: never"])
    );
    world.export("worker-fails", "w");
}

#[tokio::test]
async fn a_worker_cannot_say_that_it_was_cancelled_unasked_nor_once_the_run_has_closed() {
    // A4
    let mut world = lab().await;
    world.lab("w", &[activity(json!({"heartbeat_ms": 5000}))]).await;
    let task = world.task("worker").await;
    let unasked = world.cancelled(&task, json!("why not")).await.unwrap_err();
    assert_eq!(
        unasked.to_string(),
        "unable to mark activity as canceled without activity being request canceled first"
    );
    assert!(!world.beat(&task, json!(1)).await.unwrap());
    world.cancel("w").await.unwrap();
    world.until_history("w", "WorkflowExecutionCanceled").await;
    for closed in [
        world.cancelled(&task, json!("stopped")).await.err(),
        world.beat(&task, json!(2)).await.err(),
    ] {
        assert_eq!(
            closed.unwrap().to_string(),
            "workflow execution already completed"
        );
    }
}

#[tokio::test]
async fn an_attempt_that_is_tried_to_cancel_hears_of_it_while_its_run_goes_on() {
    // A3, A4
    let mut world = lab().await;
    let race = json!({"op": "race", "branches": [
        [activity(json!({"heartbeat_ms": 60_000, "start_to_close_ms": 120_000}))],
        [json!({"op": "wait", "notes": 1})],
    ]});
    world.lab("w", &[race, json!({"op": "wait", "notes": 2})]).await;
    let task = world.task("worker").await;
    world.signal("w", "note", &[json!("cancel")]).await.unwrap();
    world.until_history("w", "ActivityTaskCancelRequested").await;
    let info = world.pending("w").await.unwrap();
    assert_eq!(info.state(), State::CancelRequested);
    assert!(world.beat(&task, json!("hears it")).await.unwrap());
    world.crash(Loss::All, SECOND);
    assert!(
        world.beat(&task, json!("still")).await.unwrap(),
        "also the next server knows"
    );
    world.cancelled(&task, json!("stopped")).await.unwrap();
    assert!(world.history("w").contains("ActivityTaskCanceled"));
    world.signal("w", "note", &[json!("end")]).await.unwrap();
    world.result("w").await;
    world.export("worker-cancelled", "w");
}

#[tokio::test]
async fn an_activity_is_completed_by_its_id_whether_it_runs_or_waits() {
    // A6
    let mut world = lab().await;
    world.lab("w", &[activity(json!({})), activity(json!({}))]).await;
    let task = world.task("worker").await;
    let rt = world.rt();
    let unknown = world
        .drive(complete_by_id(rt.clone(), "w", "99", json!(0)))
        .await
        .unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "cannot find pending activity with ActivityID 99, check workflow execution history for more details"
    );
    let nobody = world
        .drive(complete_by_id(rt.clone(), "nobody", "1", json!(0)))
        .await
        .unwrap_err();
    assert_eq!(nobody.to_string(), "workflow not found for ID: nobody");
    world
        .drive(complete_by_id(rt.clone(), "w", &task.activity_id, json!("a")))
        .await
        .unwrap();
    assert_eq!(
        world.complete(&task, json!("b")).await.unwrap_err().to_string(),
        GONE
    );
    // The second one waits in its queue.
    world
        .drive(complete_by_id(rt, "w", "2", json!("c")))
        .await
        .unwrap();
    assert_eq!(world.result("w").await, json!(["echo=\"a\"", "echo=\"c\""]));
    assert!(world.poll_task("late").await.is_none());
    world.export("worker-by-id", "w");
}
