//! What a guest asks for in one activation.

use std::sync::Arc;

use longhaul_history::proto::{
    common::v1 as common,
    enums::v1::{ParentClosePolicy, WorkflowIdReusePolicy},
    failure::v1::Failure,
};

use crate::{local::LocalMarker, timeouts::Timeouts};

/// A command and the call that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The number of the guest's command call within the activation, from 0. By it a replay can stop at this very call.
    pub index: Option<u32>,
    /// The command.
    pub command: Command,
}

/// A command as the guest gave it, before pairs are dropped and terminal commands sorted.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Start a timer.
    StartTimer {
        /// The operation's number.
        seq: u32,
        /// In nanoseconds.
        duration_ns: u64,
        /// For tools to show.
        summary: Option<String>,
    },
    /// Cancel a timer.
    CancelTimer {
        /// The timer's number.
        seq: u32,
    },
    /// Schedule an activity.
    ScheduleActivity {
        /// The operation's number.
        seq: u32,
        /// What to run and how.
        options: Box<ActivityOptions>,
    },
    /// Cancel an activity.
    CancelActivity {
        /// The activity's number.
        seq: u32,
    },
    /// Run an activity inside the workflow task.
    ScheduleLocalActivity {
        /// The operation's number.
        seq: u32,
        /// What to run and how.
        options: Arc<LocalActivityOptions>,
    },
    /// Cancel a local activity.
    CancelLocalActivity {
        /// The activity's number.
        seq: u32,
    },
    /// A local activity has ended, or its code has cancelled it. Not a call of the guest, but its place among the calls counts.
    RecordLocalActivity(Box<LocalMarker>),
    /// A side effect has its value.
    SideEffect(Box<LocalMarker>),
    /// Start a child workflow.
    StartChild {
        /// The operation's number.
        seq: u32,
        /// What to start and how.
        options: Box<ChildOptions>,
    },
    /// Cancel a child as its cancellation type says.
    CancelChild {
        /// The child's number.
        seq: u32,
        /// Why.
        reason: String,
    },
    /// Signal a child of this run.
    SignalChild {
        /// The operation's number.
        seq: u32,
        /// The child's number.
        child: u32,
        /// What to send.
        signal: Box<SignalOptions>,
    },
    /// Signal another execution.
    SignalExternal {
        /// The operation's number.
        seq: u32,
        /// Whom.
        target: Target,
        /// What to send.
        signal: Box<SignalOptions>,
    },
    /// Give a signal up that is not sent yet.
    CancelSignalExternal {
        /// The signal's number.
        seq: u32,
    },
    /// Request the cancellation of another execution.
    CancelExternal {
        /// The operation's number.
        seq: u32,
        /// Whose.
        target: Target,
        /// Why.
        reason: String,
    },
    /// The run takes the new side of a change.
    Patched {
        /// The change's id.
        id: String,
        /// Only the new side is left in the code.
        deprecated: bool,
    },
    /// Set memo fields, or with none remove them.
    UpsertMemo(Vec<(String, Option<common::Payload>)>),
    /// Set search attributes, or with none remove them.
    UpsertSearchAttributes(Vec<(String, Option<common::Payload>)>),
    /// The host has delivered an accepted update. Not a call of the guest, but its place among the calls counts.
    AcceptUpdate {
        /// The update's id.
        id: String,
    },
    /// An update's handler has ended.
    CompleteUpdate {
        /// The update's id.
        id: String,
        /// Its result.
        outcome: Result<common::Payloads, Box<Failure>>,
    },
    /// The workflow has completed.
    Complete(common::Payloads),
    /// The workflow has failed.
    Fail(Box<Failure>),
    /// The workflow has ended as cancelled.
    Cancelled(common::Payloads),
    /// The workflow goes on as a new run.
    ContinueAsNew(Box<ContinueOptions>),
    /// A text about the present state, for tools to show. It is in no event: a replay makes it again.
    SetCurrentDetails(String),
}

impl Command {
    /// Whether it ends the execution.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Complete(_) | Self::Fail(_) | Self::Cancelled(_) | Self::ContinueAsNew(_)
        )
    }
}

/// A summary as the event of its command holds it.
pub(crate) fn summary_payload(summary: &str) -> common::Payload {
    longhaul_history::payload::json_payload(&serde_json::Value::String(summary.to_owned()))
}

/// What cancelling an operation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancellationType {
    /// Ask, and resolve at once.
    TryCancel,
    /// Ask, and resolve when it has ended.
    WaitCompleted,
    /// Do not ask; resolve at once.
    Abandon,
}

impl CancellationType {
    /// Whether the guest resolves the operation itself as soon as it cancels it; the host then drops the later outcome.
    pub fn resolves_at_once(self) -> bool {
        !matches!(self, Self::WaitCompleted)
    }

    /// Whether what runs is asked to stop.
    pub fn asks(self) -> bool {
        !matches!(self, Self::Abandon)
    }
}

/// An activity as the guest wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityOptions {
    /// Its type.
    pub activity_type: String,
    /// Its id; none: the decimal `seq`.
    pub activity_id: Option<String>,
    /// Its queue; none: the run's.
    pub task_queue: Option<String>,
    /// Its arguments.
    pub input: common::Payloads,
    /// Its header.
    pub header: Option<common::Header>,
    /// Limit over all attempts, in nanoseconds.
    pub schedule_to_close_ns: Option<u64>,
    /// Limit of the wait for a worker, in nanoseconds.
    pub schedule_to_start_ns: Option<u64>,
    /// Limit of one attempt, in nanoseconds.
    pub start_to_close_ns: Option<u64>,
    /// Limit between heartbeats, in nanoseconds.
    pub heartbeat_ns: Option<u64>,
    /// None: the default policy.
    pub retry_policy: Option<common::RetryPolicy>,
    /// What cancelling it means.
    pub cancellation_type: CancellationType,
    /// For tools to show.
    pub summary: Option<String>,
}

impl ActivityOptions {
    /// Its limits, as the guest gave them.
    pub(crate) fn timeouts(&self) -> Timeouts {
        Timeouts {
            schedule_to_close_ns: self.schedule_to_close_ns.unwrap_or(0),
            schedule_to_start_ns: self.schedule_to_start_ns.unwrap_or(0),
            start_to_close_ns: self.start_to_close_ns.unwrap_or(0),
            heartbeat_ns: self.heartbeat_ns.unwrap_or(0),
        }
    }
}

/// An activity that runs inside the workflow task.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalActivityOptions {
    /// Its type.
    pub activity_type: String,
    /// Its id; none: the decimal `seq`.
    pub activity_id: Option<String>,
    /// Its arguments.
    pub input: common::Payloads,
    /// Its header.
    pub header: Option<common::Header>,
    /// Limit over all attempts, in nanoseconds.
    pub schedule_to_close_ns: Option<u64>,
    /// Limit of the wait for a place among those that run, in nanoseconds.
    pub schedule_to_start_ns: Option<u64>,
    /// Limit of one attempt, in nanoseconds.
    pub start_to_close_ns: Option<u64>,
    /// None: the default policy.
    pub retry_policy: Option<common::RetryPolicy>,
    /// What cancelling it means.
    pub cancellation_type: CancellationType,
    /// A longer wait between two attempts ends them here: the code waits with a timer. In nanoseconds; none: the task's own limit.
    pub local_retry_threshold_ns: Option<u64>,
    /// The number of the first attempt: more than 1 after such a wait.
    pub attempt: u32,
    /// When the first of all attempts was scheduled, in nanoseconds since 1970; none: this is it.
    pub original_schedule_ns: Option<u64>,
    /// For tools to show.
    pub summary: Option<String>,
}

impl LocalActivityOptions {
    /// The id of the activity with this number.
    pub fn id(&self, seq: u32) -> String {
        self.activity_id.clone().unwrap_or_else(|| seq.to_string())
    }
}

/// What cancelling a child means for its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildCancellationType {
    /// Do not ask; resolve at once.
    Abandon,
    /// Ask, and resolve at once.
    TryCancel,
    /// Ask, and resolve when the child has closed.
    WaitCompleted,
    /// Ask, and resolve when the child has got the request.
    WaitRequested,
}

impl ChildCancellationType {
    /// Whether the guest resolves the child itself as soon as it cancels it; the host then drops the later outcomes.
    pub fn resolves_at_once(self) -> bool {
        matches!(self, Self::Abandon | Self::TryCancel)
    }
}

/// A child workflow as the guest wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChildOptions {
    /// Its type.
    pub workflow_type: String,
    /// Its workflow id.
    pub workflow_id: String,
    /// Its queue; none: the run's.
    pub task_queue: Option<String>,
    /// Its arguments.
    pub input: common::Payloads,
    /// Its header.
    pub header: Option<common::Header>,
    /// Its memo.
    pub memo: Option<common::Memo>,
    /// Its search attributes.
    pub search_attributes: Option<common::SearchAttributes>,
    /// Limit of the chain of its runs, in nanoseconds.
    pub execution_timeout_ns: Option<u64>,
    /// Limit of one run, in nanoseconds.
    pub run_timeout_ns: Option<u64>,
    /// Limit of one workflow task, in nanoseconds; none: the server's default.
    pub task_timeout_ns: Option<u64>,
    /// Whether its id may have been used before.
    pub id_reuse_policy: WorkflowIdReusePolicy,
    /// None: it is not tried again.
    pub retry_policy: Option<common::RetryPolicy>,
    /// None: it runs once.
    pub cron_schedule: Option<String>,
    /// What becomes of it when this run closes.
    pub parent_close_policy: ParentClosePolicy,
    /// What cancelling it means.
    pub cancellation_type: ChildCancellationType,
    /// For tools to show.
    pub summary: Option<String>,
}

/// A signal to another execution.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalOptions {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub input: common::Payloads,
    /// Its header.
    pub header: Option<common::Header>,
}

/// Another execution in the same namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its workflow id.
    pub workflow_id: String,
    /// None: whichever run is the newest.
    pub run_id: Option<String>,
}

/// The next run as the guest wants it. What is none is carried over from this run (E3).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContinueOptions {
    /// Its type.
    pub workflow_type: Option<String>,
    /// Its queue.
    pub task_queue: Option<String>,
    /// Its arguments.
    pub input: common::Payloads,
    /// Its header.
    pub header: Option<common::Header>,
    /// Limit of the run, in nanoseconds.
    pub run_timeout_ns: Option<u64>,
    /// Limit of one workflow task, in nanoseconds.
    pub task_timeout_ns: Option<u64>,
    /// Its memo.
    pub memo: Option<common::Memo>,
    /// Its search attributes.
    pub search_attributes: Option<common::SearchAttributes>,
    /// Its retry policy.
    pub retry_policy: Option<common::RetryPolicy>,
}
