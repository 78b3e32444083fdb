//! The durable store.
#![doc = include_str!("../README.md")]

mod change;
mod codec;
mod disk;
mod error;
pub mod faults;
mod ids;
mod meta;
mod migrate;
mod open;
mod options;
mod read;
mod record;
mod store;
mod sync;
mod tables;
mod writer;

pub use change::{Append, Change, Transition};
pub use error::{OpenError, ReadError, SubmitError, Violation, WriteError};
pub use ids::{ExecutionKey, NamespaceId, RowKey, RunId, SeenKey, TimerKey};
pub use options::Options;
pub use read::{Events, Filter, Group, Limit, OldestClosed, Page, Position, Prefix, Snapshot};
pub use record::{
    Clock, ComponentDigest, Current, EventBatch, ExecutionRecord, ModuleRecord, ModuleRef, NamespaceRecord,
    Parked, Pending, Row, Seen, Status, TaskQueueKey, TypeDescription,
};
pub use store::{Health, Identity, Stats, Store};
pub use writer::{Notice, Submitter, Writer};
