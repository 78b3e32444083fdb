//! Histories that cannot be, of children and of other executions.

use std::sync::Arc;

use longhaul_engine::{Execution, IllegalTransition, replay};
use longhaul_history::{
    Builder, HistoryEvent, payload,
    proto::enums::v1::{
        CancelExternalWorkflowExecutionFailedCause, SignalExternalWorkflowExecutionFailedCause,
        StartChildWorkflowExecutionFailedCause,
    },
};
use serde_json::json;

use crate::{guest::failure, world::identity};

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

/// One completed task that has started a child by event 5, signalled by event 6 and asked for a cancellation by event 7.
fn begun() -> Builder {
    let mut history = Builder::new();
    history.add_started("Test", "default");
    history.add_workflow_task();
    history.add_child_initiated(1, "Child", "kid", None);
    history.add_external_signal_initiated(2, "b", "note", None);
    history.add_external_cancel_initiated(3, "b", "enough");
    history
}

const ENDS: [fn(&mut Builder) -> i64; 5] = [
    |history| history.add_child_completed(1, None),
    |history| history.add_child_failed(1, *failure("sad", "Sad")),
    |history| history.add_child_canceled(1, None),
    |history| history.add_child_timed_out(1),
    |history| history.add_child_terminated(1),
];

#[test]
fn a_child_starts_before_it_ends_and_ends_once() {
    // E5
    for end in ENDS {
        let mut history = begun();
        end(&mut history);
        assert_refused(history, "the child initiated by event 5 has not started");
        for again in ENDS {
            let mut history = begun();
            history.add_child_started(1);
            end(&mut history);
            again(&mut history);
            assert_refused(history, "no child initiated by event 5 is pending");
        }
        let mut history = begun();
        history.add_child_started(1);
        end(&mut history);
        let execution = fold(history).unwrap();
        assert!(execution.children().is_empty() && execution.needs_task());
    }
}

#[test]
fn a_child_starts_once_or_not_at_all() {
    // E5
    let cause = StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists;
    let mut history = begun();
    history.add_child_started(1);
    history.add_child_started(1);
    assert_refused(history, "the child initiated by event 5 has started already");
    let mut history = begun();
    history.add_child_started(1);
    history.add_child_start_failed(1, cause);
    assert_refused(history, "the child initiated by event 5 has started already");
    let mut history = begun();
    history.add_child_start_failed(1, cause);
    history.add_child_started(1);
    assert_refused(history, "no child initiated by event 5 is pending");
    let mut history = begun();
    history.add_child_started(9);
    assert_refused(history, "no child initiated by event 0 is pending");
}

#[test]
fn a_message_has_one_outcome() {
    // E6
    let signal_failed = SignalExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound;
    let cancel_failed = CancelExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound;
    let signal_ends: [fn(&mut Builder, SignalExternalWorkflowExecutionFailedCause) -> i64; 2] = [
        |history, _| history.add_external_signaled(2),
        |history, cause| history.add_external_signal_failed(2, cause),
    ];
    let cancel_ends: [fn(&mut Builder, CancelExternalWorkflowExecutionFailedCause) -> i64; 2] = [
        |history, _| history.add_external_cancel_requested(3),
        |history, cause| history.add_external_cancel_failed(3, cause),
    ];
    for end in signal_ends {
        for again in signal_ends {
            let mut history = begun();
            end(&mut history, signal_failed);
            again(&mut history, signal_failed);
            assert_refused(history, "no signal initiated by event 6 is pending");
        }
    }
    for end in cancel_ends {
        for again in cancel_ends {
            let mut history = begun();
            end(&mut history, cancel_failed);
            again(&mut history, cancel_failed);
            assert_refused(history, "no cancellation request initiated by event 7 is pending");
        }
    }
    // The outcome of the one is not that of the other.
    let mut history = begun();
    history.add_external_signaled(3);
    assert_refused(history, "no signal initiated by event 7 is pending");
    let mut history = begun();
    history.add_external_cancel_requested(1);
    assert_refused(history, "no cancellation request initiated by event 0 is pending");
}

#[test]
fn what_is_pending_is_known() {
    // E5, E6
    let execution = fold(begun()).unwrap();
    assert_eq!(execution.pending_orders(), [5, 6, 7]);
    let child = &execution.children()[&5];
    assert_eq!((child.workflow_id(), child.workflow_type()), ("kid", "Child"));
    assert!(!execution.needs_task(), "what was initiated is no news");
    let mut history = begun();
    history.add_child_started(1);
    history.add_external_signaled(2);
    assert_eq!(fold(history).unwrap().pending_orders(), [7]);
    let mut history = begun();
    history.add_execution_completed(None);
    let closed = fold(history).unwrap();
    assert!(closed.pending_orders().is_empty() && closed.children().is_empty());
}

#[test]
fn a_history_tells_memo_search_attributes_patches_and_versions() {
    // W5, E11
    let mut history = Builder::new();
    history.add_started("Test", "default");
    history.add_workflow_task();
    let value = |value| payload::json_payload(&value);
    history.add_memo_modified([
        ("a".to_owned(), value(json!(1))),
        ("b".to_owned(), value(json!(2))),
    ]);
    history.add_memo_modified([("a".to_owned(), payload::null_payload())]);
    history.add_search_attributes_upserted([("Stage".to_owned(), value(json!("paid")))]);
    history.add_patch("p", false);
    history.add_options_updated("orders", 2);
    let execution = fold(history).unwrap();
    assert!(!execution.needs_task());
    assert_eq!(execution.memo().fields.keys().collect::<Vec<_>>(), ["b"]);
    let mut names: Vec<_> = execution.search_attributes().indexed_fields.keys().collect();
    names.sort();
    assert_eq!(names, ["Stage", "TemporalChangeVersion"]);
}

#[test]
fn a_history_tells_that_it_was_reset() {
    // E9
    let mut history = Builder::new();
    history.add_started("Test", "default");
    history.add_workflow_task_scheduled();
    history.add_workflow_task_started();
    history.add_workflow_task_reset("base", "new");
    let execution = fold(history).unwrap();
    assert!(execution.is_reset_of("base") && execution.needs_task());
    assert_eq!(execution.failed_tasks(), 0, "a reset is no failure of the code");
}
