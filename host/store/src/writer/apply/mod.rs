//! What each change does to the tables.

mod execution;
mod module;

use crate::{
    Append, Change, ReadError, Row, RowKey, TaskQueueKey, TimerKey, Violation, WriteError, codec,
    tables::RAW_VERSION, writer::tables::Tables,
};

/// Why a change was not applied.
pub(crate) enum Refusal {
    /// The change is at fault, or what it builds on; others can be written.
    Change(WriteError),
    /// The database failed.
    Storage(redb::Error),
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self::Change(violation.into())
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::Change(error.into())
    }
}

impl From<redb::StorageError> for Refusal {
    fn from(error: redb::StorageError) -> Self {
        Self::Storage(error.into())
    }
}

impl From<redb::TableError> for Refusal {
    fn from(error: redb::TableError) -> Self {
        Self::Storage(error.into())
    }
}

/// Applies one change. What was applied before a refusal goes with the transaction.
pub(crate) fn apply(tables: &mut Tables<'_>, change: &Change) -> Result<(), Refusal> {
    match change {
        Change::AppendEvents(append) => append_events(tables, append),
        Change::PutExecution(record) => execution::put(tables, record),
        Change::PutSearchAttribute {
            namespace,
            name,
            kind,
        } => {
            tables
                .search_attributes()?
                .insert((namespace.0, name.as_str()), *kind)?;
            Ok(())
        }
        Change::PutTaskQueue(key, body) => {
            let mut slot = tables
                .task_queues()?
                .insert_reserve(task_queue_key(key), 1 + body.len())?;
            fill(slot.as_mut(), body);
            Ok(())
        }
        Change::DeleteTaskQueue(key) => {
            tables.task_queues()?.remove(task_queue_key(key))?;
            Ok(())
        }
        Change::DeleteExecution(key) => {
            execution::delete_rows(tables, key)?;
            execution::delete_history(tables, key.namespace, key.run_id, u64::MAX)
        }
        Change::DeleteExecutionRows(key) => execution::delete_rows(tables, key),
        Change::DeleteEvents {
            namespace,
            run_id,
            below,
        } => execution::delete_history(tables, *namespace, *run_id, *below),
        Change::PutTimer(key, row) => put_timer(tables, key, row),
        Change::DeleteTimer(key) => {
            tables.timers()?.remove(timer_key(key))?;
            Ok(())
        }
        Change::PutPending(pending, key, row) => {
            tables
                .pending(*pending)?
                .insert(row_key(key), codec::encode(row).as_slice())?;
            Ok(())
        }
        Change::DeletePending(pending, key) => {
            tables.pending(*pending)?.remove(row_key(key))?;
            Ok(())
        }
        Change::PutRequest {
            namespace,
            run_id,
            request_id,
            body,
        } => {
            let mut slot = tables
                .requests()?
                .insert_reserve((namespace.0, run_id.0, request_id.as_str()), 1 + body.len())?;
            fill(slot.as_mut(), body);
            Ok(())
        }
        Change::PutSeen(key, seen) => execution::put_seen(tables, key, seen),
        Change::SetSkipped(skipped_ns) => {
            let clock = &mut tables.state.clock;
            clock.skipped_ns = clock.skipped_ns.max(*skipped_ns);
            Ok(())
        }
        Change::PutModule { record, component } => module::put(tables, record, component),
        Change::RemoveModule {
            namespace,
            name,
            version,
        } => module::remove(tables, *namespace, name, *version),
        Change::PutNamespace(record) => module::put_namespace(tables, record),
    }
}

fn append_events(tables: &mut Tables<'_>, append: &Append) -> Result<(), Refusal> {
    let Append {
        namespace,
        run_id,
        first_event_id,
        count,
        ..
    } = *append;
    if count == 0 {
        return Err(Violation::EmptyAppend { namespace, run_id }.into());
    }
    let expected = execution::history_end(tables, namespace, run_id)?;
    if first_event_id != expected {
        return Err(Violation::AppendGap {
            namespace,
            run_id,
            expected,
            found: first_event_id,
        }
        .into());
    }
    let sequence = tables.state.next_sequence;
    tables.state.next_sequence += 1;
    let clock = &mut tables.state.clock;
    clock.last_event_time_ns = clock.last_event_time_ns.max(append.last_event_time_ns);
    {
        let mut slot = tables
            .journal()?
            .insert_reserve(sequence, 1 + append.bytes.len())?;
        fill(slot.as_mut(), &append.bytes);
    }
    // The size is for lists and limits only; a value is at most 3 GiB, so it fits.
    let bytes = u32::try_from(append.bytes.len()).unwrap_or(u32::MAX);
    tables
        .journal_index()?
        .insert((namespace.0, run_id.0, first_event_id), (sequence, count, bytes))?;
    tables
        .history_ends
        .insert((namespace.0, run_id.0), first_event_id + u64::from(count));
    Ok(())
}

fn put_timer(tables: &mut Tables<'_>, key: &TimerKey, row: &Row) -> Result<(), Refusal> {
    tables
        .timers()?
        .insert(timer_key(key), codec::encode(row).as_slice())?;
    Ok(())
}

fn timer_key(key: &TimerKey) -> (u32, u64, u128, u8, u64) {
    (key.namespace.0, key.due_ns, key.run_id.0, key.kind, key.id)
}

fn row_key(key: &RowKey) -> (u32, u128, u64) {
    (key.namespace.0, key.run_id.0, key.order)
}

fn task_queue_key(key: &TaskQueueKey) -> (u32, u8, &str) {
    (key.namespace.0, key.kind, &key.name)
}

/// A row of the caller's bytes: a version byte before them.
fn fill(slot: &mut [u8], bytes: &[u8]) {
    if let Some((version, rest)) = slot.split_first_mut() {
        *version = RAW_VERSION;
        rest.copy_from_slice(bytes);
    }
}
