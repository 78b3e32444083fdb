//! What there is to say of an execution beyond Temporal's own description, which has no place for timers and updates.

use longhaul_engine::proto::workflowservice::v1::DescribeWorkflowExecutionResponse;

/// An execution as it is now, with all that it waits for.
#[derive(Debug, Clone, Default)]
pub struct Description {
    /// Temporal's description: pending activities and children, the pending workflow task of a parked run.
    pub described: DescribeWorkflowExecutionResponse,
    /// Timers that have not fired, the first due first.
    pub timers: Vec<PendingTimer>,
    /// Updates that have not ended: admitted or accepted, by id.
    pub updates: Vec<PendingUpdate>,
}

/// A timer of the workflow's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingTimer {
    /// Its id.
    pub timer_id: String,
    /// Its TimerStarted event.
    pub started_event_id: i64,
    /// When it fires, in nanoseconds since 1970.
    pub due_ns: u64,
}

/// An update that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingUpdate {
    /// Its id.
    pub update_id: String,
    /// Whether the workflow has accepted it; otherwise it waits for the next workflow task.
    pub accepted: bool,
}
