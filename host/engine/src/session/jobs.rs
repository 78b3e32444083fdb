//! What a task delivers to the guest.

use std::sync::Arc;

use longhaul_history::proto::{
    common::v1 as common, enums::v1::StartChildWorkflowExecutionFailedCause, failure::v1::Failure,
    history::v1::HistoryEvent, update::v1 as wire,
};

/// The jobs of one task.
#[derive(Debug, Default)]
pub struct Jobs {
    /// Start and signals.
    pub before_updates: Vec<Job>,
    /// Cancellation and outcomes.
    pub after_updates: Vec<Job>,
}

/// Something to deliver to the guest.
#[derive(Debug, Clone)]
pub enum Job {
    /// The run was reset: from here on its random numbers are those of this run id. Stands before everything else.
    Reseed {
        /// The new run's id.
        run_id: String,
    },
    /// Construct the workflow.
    Start,
    /// A WorkflowExecutionSignaled event.
    Signal(Arc<HistoryEvent>),
    /// Cancellation was requested.
    Cancel {
        /// The reason that the client gave.
        reason: String,
    },
    /// An operation has ended.
    Resolve {
        /// Its number.
        seq: u32,
        /// How.
        outcome: Outcome,
    },
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With values.
    Completed(common::Payloads),
    /// It failed.
    Failed(Box<Failure>),
    /// It was cancelled.
    Cancelled(Box<Failure>),
    /// It ran out of time.
    TimedOut(Box<Failure>),
    /// A local activity's next attempt is too far away to keep the task open.
    Backoff {
        /// The number of that attempt.
        attempt: u32,
        /// How long to wait before it, in nanoseconds.
        delay_ns: u64,
        /// When the first of all attempts was scheduled, in nanoseconds since 1970.
        original_schedule_ns: u64,
    },
    /// The child runs; its end is told later.
    ChildStarted {
        /// Its run id.
        run_id: String,
    },
    /// The child could not be started; nothing follows.
    ChildStartFailed {
        /// Its workflow id.
        workflow_id: String,
        /// Its type.
        workflow_type: String,
        /// Why.
        cause: StartChildWorkflowExecutionFailedCause,
    },
}

/// An update as replay delivers it.
#[derive(Debug, Clone)]
pub struct AcceptedUpdate {
    /// Its id.
    pub id: String,
    /// What was asked.
    pub request: wire::Request,
    /// The event that scheduled the task which accepted it.
    pub sequencing_event_id: i64,
}
