//! What cancelling an activity means (A4).

use longhaul_engine::{CancellationType, Effect, Violation, execution::AttemptEnd};
use longhaul_history::proto::common::v1::Payloads;
use serde_json::json;

use crate::{
    guest::{Script, Scripted, activity, activity_with, cancel_activity, cancel_timer, failure, timer},
    world::World,
};

const CHANGED: Effect = Effect::ActivityChanged {
    scheduled_event_id: 5,
};
const GONE: Effect = Effect::ActivityGone {
    scheduled_event_id: 5,
};
const TOLD: Effect = Effect::ActivityCancelRequested {
    scheduled_event_id: 5,
};

/// A run whose activity was scheduled by event 5; `running`: its first attempt has started. Event 6 is a signal.
fn world(cancellation_type: CancellationType, running: bool) -> World<Scripted> {
    let mut world = World::new();
    world.task([activity_with(1, "charge", |options| {
        options.cancellation_type = cancellation_type;
    })]);
    assert_eq!(running && world.start_attempt(5), running);
    world.signal("stop", "").unwrap();
    world
}

#[track_caller]
fn assert_after_signal(world: &World<Scripted>, rest: &str) {
    world.assert(&format!(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 ActivityTaskScheduled id=1 type=charge queue=default start-to-close=10s
         6 WorkflowExecutionSignaled name=stop
         7 WorkflowTaskScheduled
         8 WorkflowTaskStarted scheduled=7
         9 WorkflowTaskCompleted scheduled=7 started=8
         {rest}"
    ));
}

#[test]
fn try_cancel_asks_and_ignores_the_later_outcome() {
    // A4
    let mut world = world(CancellationType::TryCancel, true);
    world.task([cancel_activity(1)]);
    assert_eq!(world.effects, [CHANGED, TOLD]);
    assert!(world.complete_attempt(5, 1, json!("late")));
    assert_eq!(world.task([]), [""; 0], "the code has resolved it itself");
    assert_after_signal(
        &world,
        "10 ActivityTaskCancelRequested scheduled=5
         11 ActivityTaskStarted scheduled=5
         12 ActivityTaskCompleted scheduled=5 started=11 result=\"late\"
         13 WorkflowTaskScheduled
         14 WorkflowTaskStarted scheduled=13
         15 WorkflowTaskCompleted scheduled=13 started=14",
    );
}

#[test]
fn wait_completed_resolves_when_it_has_ended() {
    // A4
    let mut world = world(CancellationType::WaitCompleted, true);
    world.task([cancel_activity(1), cancel_activity(1)]);
    assert_eq!(world.effects, [CHANGED, TOLD], "asked once");
    assert!(!world.execution.needs_task());
    assert!(world.end_attempt(5, 1, AttemptEnd::Cancelled(Payloads::default())));
    let told = world.task([]);
    assert!(told[0].starts_with("resolve 1 cancelled "), "{told:?}");
    assert_after_signal(
        &world,
        "10 ActivityTaskCancelRequested scheduled=5
         11 ActivityTaskStarted scheduled=5
         12 ActivityTaskCanceled scheduled=5 started=11
         13 WorkflowTaskScheduled
         14 WorkflowTaskStarted scheduled=13
         15 WorkflowTaskCompleted scheduled=13 started=14",
    );
}

#[test]
fn an_activity_that_waits_is_cancelled_at_once() {
    // A4
    let mut world = world(CancellationType::WaitCompleted, false);
    world.task([cancel_activity(1)]);
    assert_eq!(world.effects, [CHANGED, GONE]);
    assert!(!world.start_attempt(5));
    let told = world.task([]);
    assert!(told[0].starts_with("resolve 1 cancelled "), "{told:?}");
    assert_after_signal(
        &world,
        "10 ActivityTaskCancelRequested scheduled=5
         11 ActivityTaskCanceled scheduled=5
         12 WorkflowTaskScheduled
         13 WorkflowTaskStarted scheduled=12
         14 WorkflowTaskCompleted scheduled=12 started=13",
    );
}

#[test]
fn abandon_asks_nobody() {
    // A4
    let mut world = world(CancellationType::Abandon, true);
    world.task([cancel_activity(1)]);
    assert_eq!(world.effects, []);
    assert!(world.complete_attempt(5, 1, json!("late")));
    assert_eq!(world.task([]), [""; 0]);
    assert_after_signal(
        &world,
        "10 ActivityTaskStarted scheduled=5
         11 ActivityTaskCompleted scheduled=5 started=10 result=\"late\"
         12 WorkflowTaskScheduled
         13 WorkflowTaskStarted scheduled=12
         14 WorkflowTaskCompleted scheduled=12 started=13",
    );
}

#[test]
fn a_cancellation_that_comes_too_late_is_ignored() {
    // A4
    for cancellation_type in [CancellationType::TryCancel, CancellationType::WaitCompleted] {
        let mut world = world(cancellation_type, true);
        world.complete_attempt(5, 1, json!("paid"));
        let told = world.script(Script::first([cancel_activity(1)]));
        let own = cancellation_type.resolves_at_once();
        assert_eq!(told.len(), if own { 1 } else { 2 }, "{told:?}");
        assert_eq!(world.effects, []);
        assert_eq!(world.history.len(), 11, "no event");
        world.check();
    }
}

#[test]
fn what_ended_in_an_earlier_task_is_not_cancelled() {
    // A4
    let mut world = World::new();
    world.task([activity(1, "charge"), timer(2, 10), timer(3, 10), cancel_timer(3)]);
    world.start_attempt(5);
    world.complete_attempt(5, 1, json!("paid"));
    world.advance(10);
    world.fire(6);
    world.task([]);
    world.signal("stop", "").unwrap();
    world.restart();
    let events = world.history.len();
    world.task([cancel_activity(1), cancel_timer(2), cancel_timer(3)]);
    assert_eq!(world.effects, []);
    assert_eq!(world.history.len(), events + 3, "no event but the task's own");
    let unknown = world.try_script(Script::last([cancel_activity(4)])).unwrap_err();
    assert!(
        matches!(unknown, Violation::UnknownSeq { seq: 4, .. }),
        "{unknown}"
    );
    world.check();
}

#[test]
fn scheduled_and_cancelled_in_one_task_leaves_nothing() {
    let mut world = World::new();
    world.task([activity(1, "charge"), cancel_activity(1)]);
    assert_eq!(world.effects, []);
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3",
    );
}

#[test]
fn a_failure_after_the_request_is_not_retried() {
    // A4
    let mut world = world(CancellationType::WaitCompleted, true);
    world.task([cancel_activity(1)]);
    assert!(world.end_attempt(5, 1, AttemptEnd::Failed(failure("no", "Broken"))));
    assert_eq!(world.effects, [GONE]);
    assert_after_signal(
        &world,
        "10 ActivityTaskCancelRequested scheduled=5
         11 ActivityTaskStarted scheduled=5
         12 ActivityTaskFailed scheduled=5 started=11 failure=\"Broken: no\" retry-state=CancelRequested",
    );
}

#[test]
fn an_activity_that_cancels_itself_unasked_has_failed() {
    let mut world = world(CancellationType::WaitCompleted, true);
    assert!(world.end_attempt(5, 1, AttemptEnd::Cancelled(Payloads::default())));
    let text = longhaul_history::text::event(&world.history[7]);
    assert!(
        text.starts_with("  8 ActivityTaskFailed scheduled=5 started=7 "),
        "{text}"
    );
    let told = world.task([]);
    assert!(told[1].starts_with("resolve 1 failed "), "{told:?}");
    world.check();
}
