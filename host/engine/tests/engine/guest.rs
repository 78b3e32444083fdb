//! Guests without code: what they do is written down, or drawn from a seed and from what they have seen.

use std::collections::BTreeMap;

use longhaul_engine::{
    ActivityOptions, Call, CancellationType, ChildCancellationType, ChildOptions, Command, Job, Outcome,
    Session, SignalOptions, Target, local::LocalMarker,
};
use longhaul_history::{
    builder::START_NS,
    payload,
    proto::{
        common::v1::Payloads,
        enums::v1::{ParentClosePolicy, WorkflowIdReusePolicy},
        failure::v1::Failure,
        history::v1::history_event::Attributes,
    },
    text, time,
};
use serde_json::Value;

/// When within a task the guest is asked for commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment<'a> {
    /// After start and signals.
    First,
    /// After the update of this id was delivered.
    Update(&'a str),
    /// After cancellation and outcomes.
    Last,
}

/// What stands in for the code of a workflow. It must be deterministic.
pub(crate) trait Guest {
    /// An instance that has seen nothing.
    fn fresh(&self) -> Self;
    /// A workflow task begins.
    fn begin(&mut self);
    /// What it does now; `told` is everything that the task has delivered so far.
    fn react(&mut self, moment: Moment<'_>, told: &[String]) -> Vec<Command>;
}

/// What a scripted guest does in one task.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    first: Vec<Command>,
    updates: BTreeMap<String, Vec<Command>>,
    last: Vec<Command>,
}

impl Script {
    /// Commands after everything was delivered.
    pub(crate) fn last(commands: impl IntoIterator<Item = Command>) -> Self {
        Self::default().and_last(commands)
    }

    /// Commands of start and of signal handlers, before updates.
    pub(crate) fn first(commands: impl IntoIterator<Item = Command>) -> Self {
        Self {
            first: commands.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Commands of an update's handler.
    pub(crate) fn update(mut self, id: &str, commands: impl IntoIterator<Item = Command>) -> Self {
        self.updates.insert(id.to_owned(), commands.into_iter().collect());
        self
    }

    /// As [`Script::last`].
    pub(crate) fn and_last(mut self, commands: impl IntoIterator<Item = Command>) -> Self {
        self.last = commands.into_iter().collect();
        self
    }
}

/// Does what its scripts say, a script a task.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scripted {
    pub(crate) scripts: Vec<Script>,
    pub(crate) begun: usize,
}

impl Guest for Scripted {
    fn fresh(&self) -> Self {
        Self {
            scripts: self.scripts.clone(),
            begun: 0,
        }
    }

    fn begin(&mut self) {
        self.begun += 1;
    }

    fn react(&mut self, moment: Moment<'_>, _told: &[String]) -> Vec<Command> {
        let script = &self.scripts[self.begun - 1];
        match moment {
            Moment::First => script.first.clone(),
            Moment::Update(id) => script.updates.get(id).cloned().unwrap_or_default(),
            Moment::Last => script.last.clone(),
        }
    }
}

/// Run one task of the guest, live or in replay: the calls that it made and what it was told, in order.
pub(crate) fn run(
    guest: &mut impl Guest,
    session: &mut Session,
    events: &[std::sync::Arc<longhaul_history::HistoryEvent>],
    updates: &[String],
) -> (Vec<Call>, Vec<String>) {
    let jobs = session.observe(events);
    let (mut calls, mut told) = (Vec::new(), Vec::new());
    let mut index = 0;
    let mut ask = |guest: &mut _, calls: &mut Vec<Call>, moment, told: &[String]| {
        for command in Guest::react(guest, moment, told) {
            calls.push(Call {
                index: Some(index),
                command,
            });
            index += 1;
        }
    };
    guest.begin();
    told.extend(jobs.before_updates.iter().map(tell));
    ask(guest, &mut calls, Moment::First, &told);
    for id in updates {
        told.push(format!("update {id}"));
        calls.push(Call {
            index: None,
            command: Command::AcceptUpdate { id: id.clone() },
        });
        ask(guest, &mut calls, Moment::Update(id), &told);
    }
    let cancelled = session.cancelled_by_guest(&calls);
    let heard = |job: &&Job| !matches!(job, Job::Resolve { seq, .. } if cancelled.contains(seq));
    told.extend(jobs.after_updates.iter().filter(heard).map(tell));
    ask(guest, &mut calls, Moment::Last, &told);
    (calls, told)
}

/// A job as text.
fn tell(job: &Job) -> String {
    match job {
        Job::Reseed { run_id } => format!("reseed {run_id}"),
        Job::Start => "start".into(),
        Job::Signal(event) => match &event.attributes {
            Some(Attributes::WorkflowExecutionSignaledEventAttributes(signal)) => {
                format!("signal {}", signal.signal_name)
            }
            other => panic!("a signal job holds {other:?}"),
        },
        Job::Cancel { reason } => format!("cancel {reason}"),
        Job::Resolve { seq, outcome } => match outcome {
            Outcome::Completed(values) => format!("resolve {seq} completed {}", text::payloads(Some(values))),
            Outcome::Failed(failure) => format!("resolve {seq} failed {}", text::failure(failure)),
            Outcome::Cancelled(failure) => format!("resolve {seq} cancelled {}", text::failure(failure)),
            Outcome::TimedOut(failure) => format!("resolve {seq} timed out {}", text::failure(failure)),
            Outcome::Backoff {
                attempt, delay_ns, ..
            } => format!("resolve {seq} backoff {delay_ns} ns before {attempt}"),
            Outcome::ChildStarted { run_id } => format!("child {seq} started {run_id}"),
            Outcome::ChildStartFailed {
                workflow_id, cause, ..
            } => format!("resolve {seq} not started {workflow_id} {cause:?}"),
        },
    }
}

/// Start a timer of so many seconds.
pub(crate) fn timer(seq: u32, seconds: u64) -> Command {
    Command::StartTimer {
        seq,
        duration_ns: seconds * time::NS_PER_SECOND,
        summary: None,
    }
}

/// A side effect that has made this value.
pub(crate) fn side_effect(seq: u32, value: Value) -> Command {
    let value = payload::json_payload(&value);
    let marker = LocalMarker::of_side_effect(seq, value, Some("a draw".into()), START_NS, 1);
    Command::SideEffect(Box::new(marker))
}

/// Cancel a timer.
pub(crate) fn cancel_timer(seq: u32) -> Command {
    Command::CancelTimer { seq }
}

/// Cancel an activity.
pub(crate) fn cancel_activity(seq: u32) -> Command {
    Command::CancelActivity { seq }
}

/// An activity whose attempts may take ten seconds, without input.
pub(crate) fn options(activity_type: &str) -> ActivityOptions {
    ActivityOptions {
        activity_type: activity_type.to_owned(),
        activity_id: None,
        task_queue: None,
        input: Payloads::default(),
        header: None,
        schedule_to_close_ns: None,
        schedule_to_start_ns: None,
        start_to_close_ns: Some(10 * time::NS_PER_SECOND),
        heartbeat_ns: None,
        retry_policy: None,
        cancellation_type: CancellationType::TryCancel,
        summary: None,
    }
}

/// Schedule the activity of [`options`], changed.
pub(crate) fn activity_with(
    seq: u32,
    activity_type: &str,
    change: impl FnOnce(&mut ActivityOptions),
) -> Command {
    let mut options = options(activity_type);
    change(&mut options);
    Command::ScheduleActivity {
        seq,
        options: Box::new(options),
    }
}

/// A child of type `Child` without anything special.
pub(crate) fn child_options(workflow_id: &str) -> ChildOptions {
    ChildOptions {
        workflow_type: "Child".into(),
        workflow_id: workflow_id.into(),
        task_queue: None,
        input: Payloads::default(),
        header: None,
        memo: None,
        search_attributes: None,
        execution_timeout_ns: None,
        run_timeout_ns: None,
        task_timeout_ns: None,
        id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate,
        retry_policy: None,
        cron_schedule: None,
        parent_close_policy: ParentClosePolicy::Terminate,
        cancellation_type: ChildCancellationType::WaitCompleted,
        summary: None,
    }
}

/// Start the child of [`child_options`], changed.
pub(crate) fn child_with(seq: u32, workflow_id: &str, change: impl FnOnce(&mut ChildOptions)) -> Command {
    let mut options = child_options(workflow_id);
    change(&mut options);
    Command::StartChild {
        seq,
        options: Box::new(options),
    }
}

/// Start the child of [`child_options`].
pub(crate) fn child(seq: u32, workflow_id: &str) -> Command {
    child_with(seq, workflow_id, |_| {})
}

/// Cancel a child.
pub(crate) fn cancel_child(seq: u32) -> Command {
    Command::CancelChild {
        seq,
        reason: "enough".into(),
    }
}

/// The newest run of another execution.
pub(crate) fn target(workflow_id: &str) -> Target {
    Target {
        workflow_id: workflow_id.into(),
        run_id: None,
    }
}

/// A signal without arguments.
pub(crate) fn to_send(name: &str) -> Box<SignalOptions> {
    Box::new(SignalOptions {
        name: name.into(),
        input: Payloads::default(),
        header: None,
    })
}

/// Signal another execution.
pub(crate) fn signal_external(seq: u32, workflow_id: &str, name: &str) -> Command {
    Command::SignalExternal {
        seq,
        target: target(workflow_id),
        signal: to_send(name),
    }
}

/// Request the cancellation of another execution.
pub(crate) fn cancel_external(seq: u32, workflow_id: &str) -> Command {
    Command::CancelExternal {
        seq,
        target: target(workflow_id),
        reason: "enough".into(),
    }
}

/// Schedule the activity of [`options`].
pub(crate) fn activity(seq: u32, activity_type: &str) -> Command {
    activity_with(seq, activity_type, |_| {})
}

/// End an update well.
pub(crate) fn complete_update(id: &str, result: Value) -> Command {
    Command::CompleteUpdate {
        id: id.to_owned(),
        outcome: Ok(json(&result)),
    }
}

/// Complete the workflow.
pub(crate) fn complete(result: Value) -> Command {
    Command::Complete(json(&result))
}

/// Fail the workflow.
pub(crate) fn fail(message: &str) -> Command {
    Command::Fail(failure(message, "Broken"))
}

/// One JSON value.
pub(crate) fn json(value: &Value) -> Payloads {
    payload::from_values([value])
}

/// A failure that may be retried.
pub(crate) fn failure(message: &str, error_type: &str) -> Box<Failure> {
    Box::new(longhaul_history::failure::application(message, error_type, false))
}
