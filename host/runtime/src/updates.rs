//! How far an update has come, as its callers follow it.

use longhaul_engine::update::Outcome;

use crate::Error;

/// A stage; it only ever moves on.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    /// Taken, not yet durable or not yet seen by the workflow.
    Admitted,
    /// Accepted, durably.
    Accepted,
    /// Ended, durably. A rejection is an end as well, and leaves nothing behind (U1).
    Completed(Outcome),
    /// It will never end: its run closed before it was accepted, or could not be written.
    Gone(Error),
}
