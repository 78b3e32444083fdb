//! What Core refuses by itself, what the judge refuses beyond it, and what neither sees.

use longhaul_judge::{Alteration, Error, Options, Script, ScriptError, Verdict, judge, judge_against};
use temporalio_protos::temporal::api::{common::v1::Payloads, history::v1::history_event::Attributes};

use crate::{
    edited,
    tape::{Record, Tape},
};

/// Histories that contradict Temporal's rules, with the words in which Core refuses them.
#[test]
fn core_refuses_what_its_state_machines_do_not_know() {
    let refused: [(&str, &str, Record); 12] = [
        (
            "a move without worker_may_ignore",
            "not a non-stateful event",
            |t| {
                t.task();
                t.timer_started(1);
                t.options_updated(false);
            },
        ),
        (
            "a command in a task that nothing woke",
            "No command scheduled for event",
            |t| {
                t.task();
                t.options_updated(true);
                t.task();
                t.completed();
            },
        ),
        (
            "an activity that completes before it started",
            "transition is invalid",
            |t| {
                t.task();
                let activity = t.activity_scheduled("1", "charge");
                t.activity_completed(activity, 0);
            },
        ),
        (
            "an activity that fails before it started",
            "transition is invalid",
            |t| {
                t.task();
                let activity = t.activity_scheduled("1", "charge");
                t.activity_failed(activity, 0);
            },
        ),
        ("an activity that starts twice", "transition is invalid", |t| {
            t.task();
            let activity = t.activity_scheduled("1", "charge");
            t.activity_started(activity, 1);
            t.activity_started(activity, 2);
        }),
        (
            "an activity that is cancelled without a request",
            "transition is invalid",
            |t| {
                t.task();
                let activity = t.activity_scheduled("1", "charge");
                let started = t.activity_started(activity, 1);
                t.activity_canceled(activity, started);
            },
        ),
        (
            "an activity that completes after it was cancelled",
            "cannot be completed after being cancelled",
            |t| {
                t.task();
                let activity = t.activity_scheduled("1", "charge");
                t.signaled("stop");
                t.task();
                t.activity_cancel_requested(activity);
                let started = t.activity_started(activity, 1);
                t.activity_canceled(activity, started);
                t.activity_completed(activity, started);
            },
        ),
        (
            "a timer that fires after it was cancelled",
            "transition is invalid",
            |t| {
                t.task();
                let timer = t.timer_started(1);
                t.signaled("stop");
                t.task();
                t.timer_canceled(timer, 1);
                t.timer_fired(timer, 1);
            },
        ),
        (
            "a timer that nobody started",
            "could not find a matching command",
            |t| {
                t.task();
                t.timer_started(1);
                t.timer_fired(1, 1);
            },
        ),
        (
            "an update that is accepted twice",
            "Invalid transition while handling update response",
            |t| {
                t.task();
                t.update_accepted("u1");
                t.update_accepted("u1");
            },
        ),
        (
            "an update that completes twice",
            "Invalid transition while handling update response",
            |t| {
                t.task();
                let update = t.update_accepted("u1");
                t.update_completed("u1", update);
                t.update_completed("u1", update);
            },
        ),
        (
            "a deprecated patch without its search attribute",
            "UpsertWorkflowSearchAttributesMachine",
            |t| {
                t.task();
                t.patch_marker("a", true);
                t.completed();
            },
        ),
    ];
    for (name, words, record) in refused {
        let mut tape = Tape::new();
        record(&mut tape);
        let verdict = judge(&tape.history(), &Options::default());
        let refused = matches!(&verdict, Ok(Verdict::Refused { reason, .. }) if reason.contains(words));
        assert!(refused, "{name}: {verdict:?}");
    }
}

#[test]
fn core_refuses_a_result_of_none_or_two_payloads() {
    for count in [0, 2] {
        let mut tape = Tape::new();
        tape.task();
        let scheduled = tape.activity_scheduled("1", "charge");
        let started = tape.activity_started(scheduled, 1);
        let completed = tape.activity_completed(scheduled, started);
        let history = edited(tape.history(), completed, |attributes| {
            if let Attributes::ActivityTaskCompletedEventAttributes(a) = attributes {
                a.result = Some(Payloads {
                    payloads: vec![Default::default(); count],
                });
            }
        });
        let verdict = judge(&history, &Options::default()).unwrap();
        let refused =
            matches!(&verdict, Verdict::Refused { reason, .. } if reason.contains("Not exactly one payload"));
        assert!(refused, "{count} payloads: {verdict:?}");
    }
}

/// Core's replay worker panics over these; the judge says what it would panic about.
#[test]
fn a_malformed_start_is_refused_without_a_panic() {
    let mut tape = Tape::new();
    tape.task();
    let history = tape.history();
    type Edit = fn(&mut Attributes);
    let edits: [(&str, Edit); 3] = [
        ("task_queue", |attributes| {
            if let Attributes::WorkflowExecutionStartedEventAttributes(a) = attributes {
                a.task_queue = None;
            }
        }),
        ("original_execution_run_id", |attributes| {
            if let Attributes::WorkflowExecutionStartedEventAttributes(a) = attributes {
                a.original_execution_run_id.clear();
            }
        }),
        ("workflow type", |attributes| {
            if let Attributes::WorkflowExecutionStartedEventAttributes(a) = attributes {
                a.workflow_type = None;
            }
        }),
    ];
    for (words, edit) in edits {
        let verdict = judge(&edited(history.clone(), 1, edit), &Options::default()).unwrap();
        let refused = matches!(&verdict, Verdict::Refused { reason, .. } if reason.contains(words));
        assert!(refused, "{words}: {verdict:?}");
    }
}

#[test]
fn the_judge_refuses_what_stands_at_the_wrong_place() {
    let wrong: [(&str, ScriptError, Record); 5] = [
        (
            "behind the close",
            ScriptError::AfterClose {
                event: 6,
                kind: "WORKFLOW_EXECUTION_SIGNALED",
            },
            |t| {
                t.task();
                t.completed();
                t.signaled("late");
            },
        ),
        (
            "in a running task",
            ScriptError::NotStarted { event: 5, says: 3 },
            |t| {
                t.task_scheduled();
                t.task_started();
                t.signaled("early");
                t.task_completed();
            },
        ),
        (
            "a command behind a signal",
            ScriptError::Misplaced {
                event: 6,
                kind: "TIMER_STARTED",
            },
            |t| {
                t.task();
                t.signaled("first");
                t.timer_started(1);
            },
        ),
        (
            "a cancel of an unknown activity",
            ScriptError::Unreadable {
                event: 6,
                kind: "ACTIVITY_TASK_CANCEL_REQUESTED",
                problem: "event 5 scheduled no activity".to_owned(),
            },
            |t| {
                t.task();
                t.timer_started(1);
                t.activity_cancel_requested(5);
            },
        ),
        (
            "a cancel that names another timer",
            ScriptError::Unreadable {
                event: 6,
                kind: "TIMER_CANCELED",
                problem: "event 5 did not start timer 2".to_owned(),
            },
            |t| {
                t.task();
                t.timer_started(1);
                t.timer_canceled(5, 2);
            },
        ),
    ];
    for (name, expected, record) in wrong {
        let mut tape = Tape::new();
        record(&mut tape);
        match judge(&tape.history(), &Options::default()) {
            Err(Error::Script(error)) => assert_eq!(error, expected, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn the_judge_refuses_a_command_that_names_another_task() {
    let mut tape = Tape::new();
    tape.task();
    let timer = tape.timer_started(1);
    let history = edited(tape.history(), timer, |attributes| {
        if let Attributes::TimerStartedEventAttributes(a) = attributes {
            a.workflow_task_completed_event_id = 3;
        }
    });
    let expected = ScriptError::WrongTask {
        event: 5,
        kind: "TIMER_STARTED",
        says: 3,
        stands: 4,
    };
    match judge(&history, &Options::default()) {
        Err(Error::Script(error)) => assert_eq!(error, expected),
        other => panic!("{other:?}"),
    }
}

/// Core itself accepts these, and replays them in another order than they were lived.
#[test]
fn the_judge_refuses_tasks_that_core_would_merge() {
    let merged: [(&str, Record); 3] = [
        ("an update admitted at event 0", |t| {
            t.task();
            t.task();
            let update = t.update_accepted_at("u1", 0);
            t.update_completed("u1", update);
        }),
        ("an update behind another command", |t| {
            t.task();
            t.task();
            t.timer_started(1);
            t.update_accepted("u1");
        }),
        ("a signal behind a task that was scheduled for nothing", |t| {
            t.task();
            t.task_scheduled();
            t.signaled("add");
            t.task_started();
            t.task_completed();
            t.completed();
        }),
    ];
    for (name, record) in merged {
        let mut tape = Tape::new();
        record(&mut tape);
        let verdict = judge(&tape.history(), &Options::default());
        assert!(
            matches!(verdict, Err(Error::Merged { first_started: 3, .. })),
            "{name}: {verdict:?}"
        );
    }
}

/// What nobody notices; the README lists it, and this test keeps the list true.
#[test]
fn blind_spots_are_as_documented() {
    // Without the flags in the first completed task, ids and types are not compared.
    let mut tape = Tape::new();
    tape.task();
    let scheduled = tape.activity_scheduled("1", "charge");
    let started = tape.activity_started(scheduled, 1);
    tape.activity_completed(scheduled, started);
    tape.task();
    tape.completed();
    let unflagged = edited(tape.history(), 4, |attributes| {
        if let Attributes::WorkflowTaskCompletedEventAttributes(a) = attributes {
            a.sdk_metadata = None;
        }
    });
    let code = Script::read(&unflagged).unwrap();
    let (altered, _) = Alteration::ActivityType.apply(&unflagged).unwrap();
    assert_accepted(
        &judge_against(&altered, &code, &Options::default()),
        "types without flags",
    );

    // Which of two updates a completion is for.
    let told = |first: &str, second: &str| {
        let mut tape = Tape::new();
        tape.task();
        let updates = [
            ("u1", tape.update_accepted("u1")),
            ("u2", tape.update_accepted("u2")),
        ];
        for name in [first, second] {
            for (id, accepted) in updates.iter().filter(|(id, _)| *id == name) {
                tape.update_completed(id, *accepted);
            }
        }
        tape.completed();
        tape.history()
    };
    let code = Script::read(&told("u1", "u2")).unwrap();
    let exchanged = told("u2", "u1");
    assert_accepted(
        &judge_against(&exchanged, &code, &Options::default()),
        "completions of two updates",
    );

    // The closing command goes to the end, wherever the code issued it.
    let mut tape = Tape::new();
    tape.task();
    tape.timer_started(1);
    tape.completed();
    let history = tape.history();
    let code = Script::read(&history).unwrap().swapped(0, 0).unwrap();
    assert_accepted(
        &judge_against(&history, &code, &Options::default()),
        "a command behind the closing one",
    );
}

#[track_caller]
fn assert_accepted(verdict: &Result<Verdict, Error>, what: &str) {
    assert!(
        matches!(verdict, Ok(Verdict::Accepted { .. })),
        "{what}: {verdict:?}"
    );
}
