//! Small records: pending work, clocks, events.

use serde::{Deserialize, Serialize};

use crate::{RunId, codec::blob};

/// The tables of pending work of runs. They hold nothing else, so that to find what is pending never costs more with closed history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pending {
    /// Activities that were scheduled and have no outcome yet.
    Activity,
    /// Updates that were admitted, and not yet delivered.
    Update,
    /// Inputs that were acknowledged while a workflow task was open.
    Buffered,
    /// Messages to other executions that were not acknowledged yet.
    Outbox,
}

impl Pending {
    /// Every table.
    pub const ALL: [Self; 4] = [Self::Activity, Self::Update, Self::Buffered, Self::Outbox];
}

/// A row of pending work, or a timer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The workflow id of the run that the row belongs to, so that its shard is known without a look-up.
    pub workflow_id: String,
    /// The rest, encoded by the caller.
    #[serde(with = "blob")]
    pub body: Vec<u8>,
}

/// What a message from another execution led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The run that took it; when that run is deleted, so is this row.
    pub receiver_run_id: RunId,
    /// The answer, encoded by the caller, to be given again.
    #[serde(with = "blob")]
    pub body: Vec<u8>,
}

/// The times that the store keeps, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock {
    /// How far time skipping has moved the clock ahead of the wall clock.
    pub skipped_ns: u64,
    /// The time of the newest event in the store; the clock never goes behind it.
    pub last_event_time_ns: u64,
}

/// A stretch of one run's history, as it was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventBatch {
    /// The id of its first event.
    pub first_event_id: u64,
    /// How many events it holds; at least 1.
    pub count: u32,
    /// The events, encoded by the caller.
    pub bytes: Vec<u8>,
}

impl EventBatch {
    /// The id of the event after its last.
    pub fn end_event_id(&self) -> u64 {
        self.first_event_id + u64::from(self.count)
    }
}
