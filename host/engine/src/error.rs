//! What can be wrong: with a history, with the code that is replayed, with a guest, with a request.

use std::fmt;

use longhaul_history::proto::enums::v1::WorkflowTaskFailedCause;

/// An event that cannot follow the ones before it: the history is damaged, or was written by something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {event_id} ({event}) is not possible here: {why}")]
pub struct IllegalTransition {
    /// The event.
    pub event_id: i64,
    /// Its kind.
    pub event: String,
    /// What stands against it.
    pub why: String,
}

/// The code does something else than what history says it did.
///
/// The message starts with the id under which Temporal documents this error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "[TMPRL1100] Nondeterminism error: at event {event_id} history has {expected}, but the code did {found}"
)]
pub struct Nondeterminism {
    /// The event that the code does not fit; the task's Completed event if history has nothing more.
    pub event_id: i64,
    /// What history has.
    pub expected: String,
    /// What the code did.
    pub found: String,
    /// The guest's command call that differs, counted from 0 within the task; none if the code did too little.
    pub call: Option<u32>,
}

/// A guest that does not keep to the contract. Fails the workflow task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A `seq` was used a second time.
    #[error("seq {0} is already in use: every operation of a run needs a new one")]
    SeqReused(u32),
    /// A `seq` that names nothing, or something of another kind.
    #[error("{command} names seq {seq}, which is no {expected} of this run")]
    UnknownSeq {
        /// The command.
        command: &'static str,
        /// The number.
        seq: u32,
        /// What it should name.
        expected: &'static str,
    },
    /// An update that is not open.
    #[error("complete-update names {0:?}, which is no accepted and unfinished update of this run")]
    UnknownUpdate(String),
    /// Options that no activity can have.
    #[error("activity {activity_type:?} (seq {seq}): {why}")]
    BadActivity {
        /// Its type.
        activity_type: String,
        /// Its number.
        seq: u32,
        /// What is wrong.
        why: String,
    },
    /// Options that no child can have.
    #[error("child workflow {workflow_id:?} (seq {seq}): {why}")]
    BadChild {
        /// Its workflow id.
        workflow_id: String,
        /// Its number.
        seq: u32,
        /// What is wrong.
        why: String,
    },
    /// A signal that cannot be sent.
    #[error("signal {name:?} to workflow {workflow_id:?} (seq {seq}): {why}")]
    BadSignal {
        /// Its name.
        name: String,
        /// Whom it is for.
        workflow_id: String,
        /// Its number.
        seq: u32,
        /// What is wrong.
        why: String,
    },
    /// A cancellation request that cannot be sent.
    #[error("cancelling workflow {workflow_id:?} (seq {seq}): {why}")]
    BadCancel {
        /// Whom it is for.
        workflow_id: String,
        /// Its number.
        seq: u32,
        /// What is wrong.
        why: String,
    },
    /// Options that no next run can have.
    #[error("continue-as-new: {0}")]
    BadContinue(String),
    /// A memo that cannot be written.
    #[error("upsert-memo: {0}")]
    BadMemo(String),
    /// Search attributes that cannot be written.
    #[error("upsert-search-attributes: {0}")]
    BadSearchAttributes(String),
    /// A patch id that cannot be recorded.
    #[error("patched: {0}")]
    BadPatch(String),
    /// An activity id that an activity in flight has.
    #[error(
        "activity {activity_type:?} (seq {seq}): the activity id {activity_id:?} is that of an activity in flight (seq {holder}); wait \
         until that one has ended, or choose another id"
    )]
    DuplicateActivityId {
        /// Its type.
        activity_type: String,
        /// Its number.
        seq: u32,
        /// The id.
        activity_id: String,
        /// The number of the activity that has the id.
        holder: u32,
    },
    /// Numbers were left out: what was used can no longer be told from what was not.
    #[error(
        "seq {seq} comes while {left_out} smaller numbers are not used: operations are numbered 1, 2, 3, ... in the order in which they start"
    )]
    SeqsLeftOut {
        /// The number.
        seq: u32,
        /// How many smaller ones were not used.
        left_out: u32,
    },
    /// A value over a limit.
    #[error("{what} has {size} bytes; the limit is {limit} bytes")]
    TooLarge {
        /// Which value.
        what: String,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// More operations in flight than a run may have.
    #[error("the run has {limit} {what} in flight, which is the limit")]
    TooMany {
        /// Of what.
        what: InFlight,
        /// How many are allowed.
        limit: usize,
    },
}

impl Violation {
    /// Temporal's cause for the WorkflowTaskFailed that it leads to.
    pub fn cause(&self) -> WorkflowTaskFailedCause {
        use WorkflowTaskFailedCause as Cause;
        match self {
            Self::BadActivity { .. } => Cause::BadScheduleActivityAttributes,
            Self::DuplicateActivityId { .. } => Cause::ScheduleActivityDuplicateId,
            Self::BadChild { .. } => Cause::BadStartChildExecutionAttributes,
            Self::BadSignal { .. } => Cause::BadSignalWorkflowExecutionAttributes,
            Self::BadCancel { .. } => Cause::BadRequestCancelExternalWorkflowExecutionAttributes,
            Self::BadContinue(_) => Cause::BadContinueAsNewAttributes,
            Self::BadMemo(_) => Cause::BadModifyWorkflowPropertiesAttributes,
            Self::BadSearchAttributes(_) => Cause::BadSearchAttributes,
            Self::BadPatch(_) => Cause::BadRecordMarkerAttributes,
            Self::TooLarge { .. } => Cause::PayloadsTooLarge,
            Self::TooMany { what, .. } => match what {
                InFlight::Activities => Cause::PendingActivitiesLimitExceeded,
                InFlight::Children => Cause::PendingChildWorkflowsLimitExceeded,
                InFlight::Signals => Cause::PendingSignalsLimitExceeded,
                InFlight::Cancels => Cause::PendingRequestCancelLimitExceeded,
                InFlight::Timers => Cause::WorkflowWorkerUnhandledFailure,
            },
            Self::SeqReused(_)
            | Self::SeqsLeftOut { .. }
            | Self::UnknownSeq { .. }
            | Self::UnknownUpdate(_) => Cause::WorkflowWorkerUnhandledFailure,
        }
    }
}

/// What a run may have only so many of at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InFlight {
    /// Timers.
    Timers,
    /// Activities.
    Activities,
    /// Children, from their start's command to their end.
    Children,
    /// Signals to other executions.
    Signals,
    /// Cancellation requests for other executions and for children.
    Cancels,
}

impl fmt::Display for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timers => "timers",
            Self::Activities => "activities",
            Self::Children => "child workflows",
            Self::Signals => "signals to other executions",
            Self::Cancels => "cancellation requests for other executions",
        })
    }
}

/// An input that an execution does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has closed.
    #[error("workflow execution already completed")]
    Closed,
    /// Another update (U10) or signal would pass a limit.
    #[error(transparent)]
    Limit(#[from] longhaul_history::limits::Error),
    /// The history is at its hard limit.
    #[error(
        "the history has reached its limit of {events} events or {bytes} bytes; only cancel and terminate are taken"
    )]
    HistoryFull {
        /// Events at most.
        events: u64,
        /// Bytes at most.
        bytes: u64,
    },
}

/// What no execution can be started with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadStart {
    /// The cron schedule cannot be read.
    #[error(transparent)]
    Cron(#[from] crate::cron::Bad),
    /// A delay beside a cron schedule, which has its own.
    #[error("a start delay cannot be used with a cron schedule: the schedule says when the first run begins")]
    DelayAndCron,
    /// The retry policy cannot be kept.
    #[error("the retry policy is not valid: {0}")]
    RetryPolicy(#[from] crate::retry::BadPolicy),
}

/// A reset that is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadReset {
    /// The history has no such event.
    #[error("event {event_id} is not in the history, which has the events 1 to {last}")]
    NoSuchEvent {
        /// The event that was named.
        event_id: i64,
        /// The last one that there is.
        last: i64,
    },
    /// It is not the end of a workflow task.
    #[error(
        "event {event_id} ({event}) is not the start or the end of a workflow task: name a WorkflowTaskStarted, \
         WorkflowTaskCompleted, WorkflowTaskFailed or WorkflowTaskTimedOut event"
    )]
    NoTask {
        /// The event that was named.
        event_id: i64,
        /// Its kind.
        event: String,
    },
    /// The history cannot be folded up to there.
    #[error(transparent)]
    Damaged(#[from] IllegalTransition),
}
