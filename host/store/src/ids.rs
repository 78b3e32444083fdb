//! The identifiers that keys are made of.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A namespace's number. Every key starts with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NamespaceId(pub u32);

impl NamespaceId {
    /// The namespace `default`, which every database has from its creation.
    pub const DEFAULT: Self = Self(1);
}

impl fmt::Display for NamespaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "namespace {}", self.0)
    }
}

/// A run's id: a UUID, whose text form is what clients see.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(pub u128);

impl RunId {
    /// A new random id (UUID version 4).
    pub fn random() -> Self {
        Uuid::new_v4().into()
    }
}

impl From<Uuid> for RunId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid.as_u128())
    }
}

impl From<RunId> for Uuid {
    fn from(run_id: RunId) -> Self {
        Uuid::from_u128(run_id.0)
    }
}

impl FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self::from)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from(*self).hyphenated().fmt(f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Names one run of one workflow id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionKey {
    /// Its namespace.
    pub namespace: NamespaceId,
    /// Its workflow id.
    pub workflow_id: String,
    /// Its run.
    pub run_id: RunId,
}

impl fmt::Display for ExecutionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, workflow {:?}, run {}",
            self.namespace, self.workflow_id, self.run_id
        )
    }
}

/// Names a row of pending work of one run (see [`Pending`](crate::Pending)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// The run's namespace.
    pub namespace: NamespaceId,
    /// The run that the row belongs to; in the outbox the sender.
    pub run_id: RunId,
    /// Distinguishes the rows of one run and orders them; chosen by the caller: for activities the scheduled event's id, for
    /// updates and buffered inputs the order of arrival, in the outbox the order of sending.
    pub order: u64,
}

/// Names a timer; the order of these keys is the order in which timers are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerKey {
    /// The run's namespace.
    pub namespace: NamespaceId,
    /// When it is due, in nanoseconds since 1970 of the server's clock (which may have skipped ahead).
    pub due_ns: u64,
    /// The run that it belongs to.
    pub run_id: RunId,
    /// What it is for (a timer of the workflow, a retry, a timeout, retention, ...); the numbers are the caller's.
    pub kind: u8,
    /// Distinguishes timers of one run and kind that are due at the same time; the caller's.
    pub id: u64,
}

/// What a receiver knows a message from another execution by, so that one that is sent again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeenKey {
    /// The receiver's namespace.
    pub namespace: NamespaceId,
    /// The receiver's workflow id.
    pub workflow_id: String,
    /// The run that sent the message.
    pub sender_run_id: RunId,
    /// The message's order in its sender's outbox.
    pub order: u64,
}
