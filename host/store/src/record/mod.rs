//! What the tables hold, as typed records.

mod execution;
mod module;
mod row;

pub use execution::{Current, ExecutionRecord, ModuleRef, Parked, Status};
pub use module::{ComponentDigest, ModuleRecord, NamespaceRecord, TaskQueueKey, TypeDescription};
pub use row::{Clock, EventBatch, Pending, Row, Seen};

pub(crate) use execution::{ExecutionHeader, ExecutionRow, decode_execution, encode_execution};
