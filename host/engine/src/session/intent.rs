//! What the guest's code has done that stays.

use longhaul_history::proto::{common::v1 as common, failure::v1::Failure};

use crate::{
    ActivityOptions, ChildOptions, ContinueOptions, SignalOptions, Target, local::LocalMarker,
    update::Outcome as UpdateOutcome,
};

/// A command that stands, after pairs were dropped and terminal commands sorted: it becomes one event, or is compared with one.
#[derive(Debug, Clone, PartialEq)]
pub enum Intent {
    /// TimerStarted.
    StartTimer {
        /// The operation's number.
        seq: u32,
        /// In nanoseconds.
        duration_ns: u64,
        /// For tools to show.
        summary: Option<String>,
    },
    /// TimerCanceled.
    CancelTimer {
        /// The operation's number.
        seq: u32,
        /// The timer's event.
        started_event_id: i64,
    },
    /// ActivityTaskScheduled.
    ScheduleActivity {
        /// The operation's number.
        seq: u32,
        /// What to run and how.
        options: Box<ActivityOptions>,
    },
    /// ActivityTaskCancelRequested.
    CancelActivity {
        /// The operation's number.
        seq: u32,
        /// The activity's event.
        scheduled_event_id: i64,
    },
    /// MarkerRecorded, of a local activity or a side effect.
    RecordLocalActivity(Box<LocalMarker>),
    /// StartChildWorkflowExecutionInitiated.
    StartChild {
        /// The operation's number.
        seq: u32,
        /// What to start and how.
        options: Box<ChildOptions>,
    },
    /// RequestCancelExternalWorkflowExecutionInitiated for a child.
    CancelChild {
        /// The child's number.
        seq: u32,
        /// The event that initiated the child.
        initiated_event_id: i64,
        /// The child's workflow id.
        workflow_id: String,
        /// Why.
        reason: String,
    },
    /// SignalExternalWorkflowExecutionInitiated.
    SignalExternal {
        /// The operation's number.
        seq: u32,
        /// Whom.
        target: Target,
        /// It is for a child of this run.
        child_only: bool,
        /// What to send.
        signal: Box<SignalOptions>,
    },
    /// RequestCancelExternalWorkflowExecutionInitiated.
    CancelExternal {
        /// The operation's number.
        seq: u32,
        /// Whose.
        target: Target,
        /// Why.
        reason: String,
    },
    /// MarkerRecorded, and UpsertWorkflowSearchAttributes right behind it.
    Patched {
        /// The change's id.
        id: String,
        /// Only the new side is left in the code.
        deprecated: bool,
        /// All that the run has taken so far, this one included, in order.
        patches: Vec<String>,
    },
    /// WorkflowPropertiesModified.
    UpsertMemo(Vec<(String, Option<common::Payload>)>),
    /// UpsertWorkflowSearchAttributes.
    UpsertSearchAttributes(Vec<(String, Option<common::Payload>)>),
    /// WorkflowExecutionUpdateAccepted.
    AcceptUpdate {
        /// The update's id.
        id: String,
    },
    /// WorkflowExecutionUpdateCompleted.
    CompleteUpdate {
        /// The update's id.
        id: String,
        /// Its result.
        outcome: UpdateOutcome,
    },
    /// WorkflowExecutionCompleted.
    Complete(common::Payloads),
    /// WorkflowExecutionFailed.
    Fail(Box<Failure>),
    /// WorkflowExecutionCanceled.
    Cancelled(common::Payloads),
    /// WorkflowExecutionContinuedAsNew.
    ContinueAsNew(Box<ContinueOptions>),
}
