//! What a guest asks for in one activation.

use longhaul_history::proto::{common::v1 as common, failure::v1::Failure};

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
    /// A text about the present state, for tools to show. It is in no event: a replay makes it again.
    SetCurrentDetails(String),
    /// Something that the contract has and the server does not serve yet.
    NotOffered(&'static str),
}

impl Command {
    /// Whether it ends the execution.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Complete(_) | Self::Fail(_) | Self::Cancelled(_))
    }
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
