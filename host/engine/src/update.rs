//! An update's machine.

use longhaul_history::proto::{common::v1 as common, failure::v1::Failure, update::v1 as wire};

/// How an update ended.
pub type Outcome = Result<common::Payloads, Box<Failure>>;

/// An update that an execution knows.
#[derive(Debug, Clone)]
pub struct Update {
    /// Where it is.
    pub state: State,
}

/// Where an update is: `Admitted` -> `Accepted` -> `Completed`. A rejected one is forgotten.
#[derive(Debug, Clone)]
pub enum State {
    /// Durable or about to be, and not yet seen by the guest.
    Admitted {
        /// What was asked.
        request: Box<wire::Request>,
        /// Its size in bytes.
        bytes: usize,
    },
    /// The guest runs its handler.
    Accepted {
        /// The event.
        event_id: i64,
        /// Size of the request in bytes.
        bytes: usize,
    },
    /// The handler has ended.
    Completed {
        /// The event that accepted it.
        accepted_event_id: i64,
        /// The event that completed it.
        event_id: i64,
        /// The result.
        outcome: Outcome,
    },
}

impl State {
    /// Whether it counts as in flight.
    pub fn in_flight_bytes(&self) -> Option<usize> {
        match self {
            Self::Admitted { bytes, .. } | Self::Accepted { bytes, .. } => Some(*bytes),
            Self::Completed { .. } => None,
        }
    }
}

/// What an accepted update fails with when its run closes first (the text of Temporal's server).
pub const CLOSED_FIRST: &str =
    "Workflow Update failed because the Workflow completed before the Update completed.";
