//! Histories that cannot be: every machine refuses what its table does not have.

use std::{sync::Arc, time::Duration};

use longhaul_engine::{Execution, IllegalTransition, replay};
use longhaul_history::{
    Attributes, Builder, HistoryEvent,
    proto::{enums::v1::WorkflowTaskFailedCause, history::v1::WorkflowTaskCompletedEventAttributes},
};

use crate::world::identity;

fn fold(history: Builder) -> Result<Execution, IllegalTransition> {
    let events: Vec<Arc<HistoryEvent>> = history.into_events().into_iter().map(Arc::new).collect();
    // Whatever the history, cutting it must not panic.
    let _ = replay::tasks(&events).count();
    Execution::from_history(identity(), &events)
}

/// The last event is refused, for this reason.
#[track_caller]
fn assert_refused(history: Builder, why: &str) {
    let event_id = history.last_event_id();
    let illegal = fold(history).expect_err("it is not possible");
    assert_eq!((illegal.event_id, &*illegal.why), (event_id, why), "{illegal}");
}

/// One completed task.
fn begun() -> Builder {
    let mut history = Builder::new();
    history.add_started("Test", "default");
    history.add_workflow_task();
    history
}

#[test]
fn a_history_begins_with_its_start() {
    let empty = Execution::from_history(identity(), &[]).unwrap_err();
    assert_eq!(
        empty.to_string(),
        "event 1 (none) is not possible here: the history is empty"
    );
    let mut history = Builder::new();
    history.add_signal("go", None);
    assert_refused(history, "a history begins with WorkflowExecutionStarted");
    let mut history = Builder::new();
    history.add_started("Test", "default");
    history.amend(|event| event.event_id = 2);
    let illegal = fold(history).unwrap_err();
    assert_eq!(illegal.why, "the first event has id 1");
    let mut history = begun();
    history.add_started("Test", "default");
    assert_refused(history, "the execution has started already");
}

#[test]
fn ids_are_consecutive_and_events_have_attributes() {
    let mut history = begun();
    history.add_signal("go", None);
    history.amend(|event| event.event_id = 6);
    let illegal = fold(history).unwrap_err();
    assert_eq!(
        illegal.to_string(),
        "event 6 (WORKFLOW_EXECUTION_SIGNALED) is not possible here: the next event has id 5"
    );
    let mut history = begun();
    history.add_signal("go", None);
    history.amend(|event| event.attributes = None);
    assert_refused(history, "it has no attributes");
}

#[test]
fn nothing_follows_the_end() {
    let mut history = begun();
    history.add_execution_completed(None);
    history.add_signal("late", None);
    assert_refused(history, "the execution has closed");
}

#[test]
fn a_workflow_task_is_scheduled_then_started_then_ended() {
    let mut history = begun();
    history.add_workflow_task_started();
    assert_refused(history, "the workflow task is Idle");
    let mut history = begun();
    history.add_workflow_task_completed();
    assert_refused(history, "the workflow task is Idle");
    let mut history = begun();
    history.add_workflow_task_failed(WorkflowTaskFailedCause::NonDeterministicError, None);
    assert_refused(history, "the workflow task is Idle");
    let mut history = begun();
    history.add_workflow_task_scheduled();
    history.add_workflow_task_scheduled();
    assert_refused(
        history,
        "the workflow task is Scheduled { scheduled_event_id: 5 }",
    );
    let mut history = begun();
    history.add_workflow_task_scheduled();
    history.add_workflow_task_completed();
    assert_refused(
        history,
        "the workflow task is Scheduled { scheduled_event_id: 5 }",
    );
    let mut history = begun();
    history.add_workflow_task_scheduled();
    history.add_workflow_task_started();
    history.add_workflow_task_started();
    assert_refused(
        history,
        "the workflow task is Started { scheduled_event_id: 5, started_event_id: 6 }",
    );
}

#[test]
fn the_end_of_a_workflow_task_names_its_events() {
    for (scheduled_event_id, started_event_id) in [(2, 6), (5, 3), (5, 0), (5, i64::MIN), (5, i64::MAX)] {
        let mut history = begun();
        history.add_workflow_task_scheduled();
        history.add_workflow_task_started();
        history.push(WorkflowTaskCompletedEventAttributes {
            scheduled_event_id,
            started_event_id,
            ..Default::default()
        });
        assert_refused(
            history,
            "the workflow task is Started { scheduled_event_id: 5, started_event_id: 6 }",
        );
    }
}

#[test]
fn a_workflow_task_may_run_out_of_time_before_and_after_it_started() {
    for started in [false, true] {
        let mut history = begun();
        history.add_signal("go", None);
        history.add_workflow_task_scheduled();
        if started {
            history.add_workflow_task_started();
        }
        history.add_workflow_task_timed_out();
        let execution = fold(history).unwrap();
        assert_eq!(execution.failed_tasks(), 1);
        assert!(execution.needs_task(), "the signal is still to be seen");
    }
}

#[test]
fn a_timer_ends_once() {
    let pending = "no timer 1 started by event 5 is pending";
    let with_timer = || {
        let mut history = begun();
        history.add_timer_started(1, Duration::from_secs(1));
        history
    };
    let mut history = with_timer();
    history.add_timer_fired(1);
    history.add_timer_fired(1);
    assert_refused(history, pending);
    let mut history = with_timer();
    history.add_timer_fired(1);
    history.add_workflow_task();
    history.add_timer_canceled(1);
    assert_refused(history, pending);
    let mut history = with_timer();
    history.add_timer_canceled(1);
    history.add_timer_fired(1);
    assert_refused(history, pending);
    let mut history = with_timer();
    history.add_timer_fired(2);
    assert_refused(history, "no timer 2 started by event 0 is pending");
    let mut history = with_timer();
    history.add_timer_fired(1);
    history.amend(|event| {
        if let Some(Attributes::TimerFiredEventAttributes(fired)) = &mut event.attributes {
            fired.timer_id = "2".into();
        }
    });
    assert_refused(history, "no timer 2 started by event 5 is pending");
}

#[test]
fn an_activity_starts_once_and_ends_once() {
    let with_activity = || {
        let mut history = begun();
        history.add_activity_scheduled(1, "charge", None);
        history
    };
    let mut history = with_activity();
    history.add_activity_started(1);
    history.add_activity_started(1);
    assert_refused(history, "the activity scheduled by event 5 has started already");
    let mut history = with_activity();
    history.add_activity_completed(1, None);
    history.add_activity_completed(1, None);
    assert_refused(history, "no activity scheduled by event 5 is pending");
    let mut history = with_activity();
    history.add_activity_started(2);
    assert_refused(history, "no activity scheduled by event 0 is pending");
    let mut history = with_activity();
    history.add_activity_started(1);
    history.add_activity_canceled(1, None);
    assert_refused(
        history,
        "the activity scheduled by event 5 was not asked to cancel",
    );
    let mut history = with_activity();
    history.add_activity_cancel_requested(1);
    history.add_activity_cancel_requested(1);
    assert_refused(
        history,
        "the activity scheduled by event 5 was asked to cancel already",
    );
    let mut history = with_activity();
    history.add_activity_started(1);
    let started = history.last_event_id();
    history.amend(|event| {
        let attributes = longhaul_history::proto::history::v1::ActivityTaskCompletedEventAttributes {
            scheduled_event_id: started - 1,
            ..Default::default()
        };
        event.attributes = Some(Attributes::ActivityTaskCompletedEventAttributes(attributes));
    });
    assert_refused(history, "the activity scheduled by event 5 has not started");
}

#[test]
fn an_update_is_accepted_once_and_completed_once() {
    let accepted = || {
        let mut history = begun();
        history.add_update_accepted("u", "add", None);
        history
    };
    let mut history = accepted();
    history.add_update_accepted("u", "add", None);
    assert_refused(history, "the update is accepted already");
    let mut history = accepted();
    history.add_update_completed("v", Ok(None));
    assert_refused(history, "no such update is accepted and unfinished");
    let mut history = accepted();
    history.add_update_completed("u", Ok(None));
    history.add_update_completed("u", Ok(None));
    assert_refused(history, "no such update is accepted and unfinished");
    let complete = |change: fn(
        &mut longhaul_history::proto::history::v1::WorkflowExecutionUpdateCompletedEventAttributes,
    )| {
        let mut history = accepted();
        history.add_update_completed("u", Ok(None));
        history.amend(|event| {
            if let Some(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(completed)) =
                &mut event.attributes
            {
                change(completed);
            }
        });
        history
    };
    assert_refused(complete(|a| a.outcome = None), "it has no outcome");
    assert_refused(
        complete(|a| a.accepted_event_id = 4),
        "event 5 has accepted the update",
    );
}
