//! One history for each thing that an execution can do.

use temporalio_protos::temporal::api::history::v1::History;

use crate::{
    across,
    tape::{Record, Tape},
};

/// A history, and what Core has to say of it.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) history: History,
    /// How many commands the code issued.
    pub(crate) commands: usize,
}

/// The history whose first two commands are patches, the second a deprecated one.
pub(crate) const WITH_PATCHES: &str = "patches, memo and a local activity";

/// All histories that Core accepts.
pub(crate) fn all() -> Vec<Scenario> {
    let recorded: [(&'static str, usize, Record); 38] = [
        ("completes at once", 1, |t| {
            t.task();
            t.completed();
        }),
        ("fails", 1, |t| {
            t.task();
            t.failed();
        }),
        ("continues as new", 1, |t| {
            t.task();
            t.continued_as_new();
        }),
        ("still waits without a command", 0, |t| t.task()),
        ("still sleeps", 1, |t| {
            t.task();
            t.timer_started(1);
        }),
        ("its first task is delayed", 0, |_| ()),
        ("its first task is scheduled", 0, |t| t.task_scheduled()),
        ("its first task has started", 0, |t| {
            t.task_scheduled();
            t.task_started();
        }),
        ("its first task has failed, and it was terminated", 0, |t| {
            t.task_scheduled();
            t.task_started();
            t.task_failed();
            t.signaled("add");
            t.terminated();
        }),
        ("terminated while its first task ran", 0, |t| {
            t.task_scheduled();
            t.task_started();
            t.terminated();
        }),
        ("parked in its second task", 1, |t| {
            t.task();
            t.timer_started(1);
            t.signaled("add");
            t.task_scheduled();
            t.task_started();
            t.task_failed();
            t.signaled("add");
            t.cancel_requested();
        }),
        ("parked in its second task, which is scheduled again", 1, |t| {
            t.task();
            t.timer_started(1);
            t.signaled("add");
            t.task_scheduled();
            t.task_started();
            t.task_failed();
            t.task_scheduled();
        }),
        ("timer fires", 2, |t| {
            t.task();
            let timer = t.timer_started(1);
            t.timer_fired(timer, 1);
            t.task();
            t.completed();
        }),
        ("timer is cancelled by a signal", 3, |t| {
            t.task();
            let timer = t.timer_started(1);
            t.signaled("stop");
            t.task();
            t.timer_canceled(timer, 1);
            t.completed();
        }),
        ("two timers, one fires and one is cancelled", 4, |t| {
            t.task();
            let first = t.timer_started(1);
            let second = t.timer_started(2);
            t.timer_fired(second, 2);
            t.task();
            t.timer_canceled(first, 1);
            t.completed();
        }),
        ("activity completes", 2, |t| {
            t.task();
            let scheduled = t.activity_scheduled("1", "charge");
            let started = t.activity_started(scheduled, 1);
            t.activity_completed(scheduled, started);
            t.task();
            t.completed();
        }),
        ("activity with an id of its own fails after retries", 2, |t| {
            t.task();
            let scheduled = t.activity_scheduled("charge-4711", "charge");
            let started = t.activity_started(scheduled, 3);
            t.activity_failed(scheduled, started);
            t.task();
            t.failed();
        }),
        ("activity times out after it started", 2, |t| {
            t.task();
            let scheduled = t.activity_scheduled("1", "charge");
            let started = t.activity_started(scheduled, 1);
            t.activity_timed_out(scheduled, started);
            t.task();
            t.failed();
        }),
        ("activity times out before it started", 2, |t| {
            t.task();
            let scheduled = t.activity_scheduled("1", "charge");
            t.activity_timed_out(scheduled, 0);
            t.task();
            t.failed();
        }),
        ("activity is cancelled and reports it", 3, |t| {
            t.task();
            let scheduled = t.activity_scheduled("1", "charge");
            t.signaled("stop");
            t.task();
            t.activity_cancel_requested(scheduled);
            let started = t.activity_started(scheduled, 1);
            t.activity_canceled(scheduled, started);
            t.task();
            t.completed();
        }),
        ("activity is cancelled before it started", 3, |t| {
            t.task();
            let scheduled = t.activity_scheduled("1", "charge");
            t.signaled("stop");
            t.task();
            t.activity_cancel_requested(scheduled);
            t.activity_canceled(scheduled, 0);
            t.task();
            t.completed();
        }),
        ("activity is cancelled but completes all the same", 3, |t| {
            t.task();
            let scheduled = t.activity_scheduled("1", "charge");
            t.signaled("stop");
            t.task();
            t.activity_cancel_requested(scheduled);
            let started = t.activity_started(scheduled, 1);
            t.activity_completed(scheduled, started);
            t.task();
            t.completed();
        }),
        ("try-cancel goes on in the same task", 4, |t| {
            t.task();
            let scheduled = t.activity_scheduled("1", "charge");
            t.signaled("stop");
            t.task();
            t.activity_cancel_requested(scheduled);
            let timer = t.timer_started(1);
            t.timer_fired(timer, 1);
            t.task();
            t.completed();
        }),
        ("signals before the first task", 1, |t| {
            t.signaled("add");
            t.signaled("add");
            t.task();
            t.completed();
        }),
        ("signal between scheduled and started", 1, |t| {
            t.task_scheduled();
            t.signaled("add");
            t.task_started();
            t.task_completed();
            t.completed();
        }),
        ("update before the first task", 3, |t| {
            t.task();
            let accepted = t.update_accepted("u1");
            t.update_completed("u1", accepted);
            t.completed();
        }),
        (
            "update accepted and completed in one task, after a task without commands",
            3,
            |t| {
                t.task();
                t.task();
                let accepted = t.update_accepted("u1");
                t.update_completed("u1", accepted);
                t.completed();
            },
        ),
        ("update across tasks", 5, |t| {
            t.task();
            t.task();
            let accepted = t.update_accepted("u1");
            let scheduled = t.activity_scheduled("1", "charge");
            let started = t.activity_started(scheduled, 1);
            t.activity_completed(scheduled, started);
            t.task();
            t.update_completed("u1", accepted);
            t.timer_started(1);
            t.signaled("finish");
            t.task();
            t.completed();
        }),
        ("two updates in a task, one of them fails", 5, |t| {
            t.task();
            t.task();
            let first = t.update_accepted("u1");
            t.update_completed("u1", first);
            let second = t.update_accepted("u2");
            t.update_failed("u2", second);
            t.completed();
        }),
        ("updates, each in a task of its own", 4, |t| {
            t.task();
            t.task();
            let first = t.update_accepted("u1");
            t.update_completed("u1", first);
            t.task();
            let second = t.update_accepted("u2");
            t.update_completed("u2", second);
        }),
        ("update behind a signal", 2, |t| {
            t.task();
            t.signaled("add");
            t.task();
            let accepted = t.update_accepted("u1");
            t.update_completed("u1", accepted);
        }),
        ("cancel is asked for and answered", 3, |t| {
            t.task();
            let timer = t.timer_started(1);
            t.cancel_requested();
            t.task();
            t.timer_canceled(timer, 1);
            t.canceled();
        }),
        ("failed task, then success", 2, |t| {
            t.task_scheduled();
            t.task_started();
            t.task_failed();
            t.task();
            let timer = t.timer_started(1);
            t.timer_fired(timer, 1);
            t.task_scheduled();
            t.task_started();
            t.task_failed();
            t.signaled("wake");
            t.task();
            t.completed();
        }),
        (
            "update in a task that failed once, after a task without commands",
            2,
            |t| {
                t.task();
                t.task_scheduled();
                t.task_started();
                t.task_failed();
                t.task();
                let accepted = t.update_accepted("u1");
                t.update_completed("u1", accepted);
            },
        ),
        ("terminated while it sleeps", 1, |t| {
            t.task();
            t.timer_started(1);
            t.terminated();
        }),
        ("moved to another version", 2, |t| {
            t.task();
            let timer = t.timer_started(1);
            t.options_updated(true);
            t.timer_fired(timer, 1);
            t.task();
            t.completed();
        }),
        (WITH_PATCHES, 6, |t| {
            t.task();
            t.patched("a", false, &["a"]);
            t.patched("b", true, &["a", "b"]);
            t.memo_modified();
            t.local_activity(1, "lookup");
            let timer = t.timer_started(1);
            t.timer_fired(timer, 1);
            t.task();
            t.completed();
        }),
        (
            "child is started and cancelled, another workflow is signalled",
            4,
            |t| {
                t.task();
                let child = t.child_initiated("child");
                let started = t.child_started(child, "child");
                t.task();
                let signal = t.signal_external_initiated("other");
                let cancel = t.child_cancel_initiated("child");
                t.external_signaled(signal, "other");
                t.external_cancel_requested(cancel, "child");
                t.child_canceled(child, started, "child");
                t.task();
                t.completed();
            },
        ),
    ];
    let told = recorded
        .into_iter()
        .chain(across::RECORDED)
        .map(|(name, commands, record)| {
            let mut tape = Tape::new();
            record(&mut tape);
            Scenario {
                name,
                commands,
                history: tape.history(),
            }
        });
    told.collect()
}
