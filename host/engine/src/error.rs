//! What can be wrong: with a history, with the code that is replayed, with a guest, with a request.

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
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// Part of the contract that the server does not serve yet.
    #[error("{0} is not offered yet")]
    NotOffered(&'static str),
}

/// An input that an execution does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has closed.
    #[error("workflow execution already completed")]
    Closed,
    /// Another update would pass a limit (U10).
    #[error(transparent)]
    Update(#[from] longhaul_history::limits::Error),
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
