//! What can be written.

use crate::{
    ExecutionKey, ExecutionRecord, ModuleRecord, NamespaceId, NamespaceRecord, Pending, Row, RowKey, RunId,
    Seen, SeenKey, TaskQueueKey, TimerKey,
};

/// Changes that become durable together, or not at all, in their order.
#[derive(Debug, Clone, Default)]
pub struct Transition {
    /// The changes.
    pub changes: Vec<Change>,
}

/// One change. To delete what is not there changes nothing.
#[derive(Debug, Clone)]
pub enum Change {
    /// Append events to a run's history. They must follow on its last event.
    AppendEvents(Append),
    /// Write an execution's row, and with it the lists, the counts and what its workflow id stands for.
    ///
    /// Its events are appended before it in the same transition, and where one run closes and another of its workflow id opens, the
    /// closing one stands first.
    PutExecution(Box<ExecutionRecord>),
    /// Delete all that there is of a run: history, row, lists, counts, requests, messages seen, and its pending work except timers and
    /// the outbox: what it has sent is still delivered.
    DeleteExecution(ExecutionKey),
    /// As [`Change::DeleteExecution`], but the history stays. Nothing leads to it any more: delete it in steps with
    /// [`Change::DeleteEvents`], so that a long one does not hold up what others write.
    DeleteExecutionRows(ExecutionKey),
    /// Delete the appends of a run's history whose first event is below an id. The run is deleted already.
    DeleteEvents {
        /// The run's namespace.
        namespace: NamespaceId,
        /// The run.
        run_id: RunId,
        /// The first event that stays, or the one after the last.
        below: u64,
    },
    /// Write a timer.
    PutTimer(TimerKey, Row),
    /// Delete a timer.
    DeleteTimer(TimerKey),
    /// Write a row of pending work.
    PutPending(Pending, RowKey, Row),
    /// Delete a row of pending work.
    DeletePending(Pending, RowKey),
    /// Remember what a request to a run led to (by request id, update id or whatever else the caller tells apart), until the run is
    /// deleted.
    PutRequest {
        /// The run's namespace.
        namespace: NamespaceId,
        /// The run.
        run_id: RunId,
        /// The id that the request is known by.
        request_id: String,
        /// What it led to, encoded by the caller.
        body: Vec<u8>,
    },
    /// Remember a message from another execution, until the run that took it is deleted.
    PutSeen(SeenKey, Seen),
    /// Set how far the clock has been moved ahead, in nanoseconds. It never goes back: a smaller figure changes nothing.
    SetSkipped(u64),
    /// Store a version of a module; `component` is its bytes, and may be empty if a component with this digest is stored already.
    PutModule {
        /// The version.
        record: Box<ModuleRecord>,
        /// The component.
        component: Vec<u8>,
    },
    /// Delete a version of a module, and its component and types where no other version has them. Whether it is in use is the
    /// caller's to know.
    RemoveModule {
        /// Its namespace.
        namespace: NamespaceId,
        /// The module.
        name: String,
        /// The version.
        version: u32,
    },
    /// Make or change a namespace.
    PutNamespace(NamespaceRecord),
    /// Set the type of a search attribute.
    PutSearchAttribute {
        /// The namespace.
        namespace: NamespaceId,
        /// The attribute; at most 65,535 bytes.
        name: String,
        /// Its type, a number of the caller's.
        kind: u8,
    },
    /// Set the configuration of a task queue, encoded by the caller.
    PutTaskQueue(TaskQueueKey, Vec<u8>),
    /// Forget the configuration of a task queue.
    DeleteTaskQueue(TaskQueueKey),
}

/// Events to append to a run's history.
#[derive(Debug, Clone)]
pub struct Append {
    /// The run's namespace.
    pub namespace: NamespaceId,
    /// The run.
    pub run_id: RunId,
    /// The id of the first event; events count from 1.
    pub first_event_id: u64,
    /// How many events; at least 1.
    pub count: u32,
    /// The time of the last event, in nanoseconds since 1970.
    pub last_event_time_ns: u64,
    /// The events, encoded by the caller.
    pub bytes: Vec<u8>,
}

impl Transition {
    /// A transition of these changes.
    pub fn new(changes: Vec<Change>) -> Self {
        Self { changes }
    }

    /// Its size in bytes, near enough to bound memory and commits.
    pub fn size_bytes(&self) -> usize {
        self.changes.iter().map(Change::size_bytes).sum()
    }
}

impl Change {
    fn size_bytes(&self) -> usize {
        // Keys, fixed fields and index rows; measured no more closely than a limit needs.
        const OVERHEAD: usize = 128;
        OVERHEAD
            + match self {
                Self::AppendEvents(append) => append.bytes.len(),
                Self::PutExecution(record) => {
                    let text =
                        record.workflow_id.len() + record.workflow_type.len() + record.task_queue.len();
                    let terms: usize = record.terms.iter().map(|term| 2 * term.len() + 64).sum();
                    text + record.memo.len() + record.search_attributes.len() + record.state.len() + terms
                }
                Self::PutTimer(_, row) | Self::PutPending(_, _, row) => {
                    row.workflow_id.len() + row.body.len()
                }
                Self::PutRequest { request_id, body, .. } => request_id.len() + body.len(),
                Self::PutSeen(key, seen) => key.workflow_id.len() + seen.body.len(),
                Self::PutModule { record, component } => {
                    let types = record.workflow_types.iter().chain(&record.activity_types);
                    let types: usize = types.map(|t| t.name.len() + t.description.len()).sum();
                    component.len() + types + record.config.len() + record.extra.len()
                }
                Self::PutSearchAttribute { name, .. } => name.len(),
                Self::PutTaskQueue(key, body) => key.name.len() + body.len(),
                Self::DeleteExecution(_)
                | Self::DeleteExecutionRows(_)
                | Self::DeleteEvents { .. }
                | Self::DeleteTimer(_)
                | Self::DeletePending(..)
                | Self::SetSkipped(_)
                | Self::RemoveModule { .. }
                | Self::DeleteTaskQueue(_)
                | Self::PutNamespace(_) => 0,
            }
    }
}
