//! Executions: their row, what their workflow id stands for, the lists and the counts.

use redb::ReadableTable;

use crate::{
    ExecutionKey, ExecutionRecord, NamespaceId, Pending, ReadError, RunId, Seen, SeenKey, Status, Violation,
    codec,
    record::{ExecutionHeader, ExecutionRow, decode_execution, encode_execution},
    tables::Facet,
    writer::{apply::Refusal, tables::Tables},
};

/// Where an execution stands in the lists.
struct Listed<'a> {
    namespace: u32,
    workflow_id: &'a str,
    workflow_type: &'a str,
    run_id: u128,
    header: ExecutionHeader,
    terms: &'a [&'a str],
}

/// The id of the event that comes next in a run's history.
pub(super) fn history_end(
    tables: &mut Tables<'_>,
    namespace: NamespaceId,
    run_id: RunId,
) -> Result<u64, Refusal> {
    if let Some(end) = tables.history_ends.get(&(namespace.0, run_id.0)) {
        return Ok(*end);
    }
    let run = (namespace.0, run_id.0, 0)..=(namespace.0, run_id.0, u64::MAX);
    let end = match tables.journal_index()?.range(run)?.next_back() {
        Some(last) => {
            let (key, value) = last?;
            let ((_, _, first), (_, count, _)) = (key.value(), value.value());
            first + u64::from(count)
        }
        None => 1,
    };
    tables.history_ends.insert((namespace.0, run_id.0), end);
    Ok(end)
}

pub(super) fn put(tables: &mut Tables<'_>, record: &ExecutionRecord) -> Result<(), Refusal> {
    if record.close_time_ns.is_some() == record.status.is_open() {
        return Err(Violation::CloseTime(record.key()).into());
    }
    let most = usize::from(u16::MAX);
    if let Some(term) = record.terms.iter().find(|term| term.len() > most) {
        return Err(Violation::TermTooLong {
            key: record.key(),
            bytes: term.len(),
            most,
        }
        .into());
    }
    let history = history_end(tables, record.namespace, record.run_id)?;
    if record.next_event_id != history {
        return Err(Violation::NextEvent {
            key: record.key(),
            record: record.next_event_id,
            history,
        }
        .into());
    }
    let header = record.header();
    let terms: Vec<&str> = record.terms.iter().map(String::as_str).collect();
    let now = Listed {
        namespace: record.namespace.0,
        workflow_id: &record.workflow_id,
        workflow_type: &record.workflow_type,
        run_id: record.run_id.0,
        header,
        terms: &terms,
    };
    let key = (record.namespace.0, record.workflow_id.as_str(), record.run_id.0);
    let before = {
        let old = tables
            .executions()?
            .insert(key, encode_execution(record).as_slice())?;
        old.map(|old| indexed(record, old.value())).transpose()?
    };
    match before {
        // The common case: nothing that is indexed has changed.
        Some((before, terms_before)) if before == header && terms_before == record.terms => Ok(()),
        Some((before, _)) if !before.status.is_open() && header.status.is_open() => {
            Err(Violation::Reopened(record.key()).into())
        }
        Some((before, terms_before)) => {
            let terms_before: Vec<&str> = terms_before.iter().map(String::as_str).collect();
            unlist(
                tables,
                &Listed {
                    header: before,
                    terms: &terms_before,
                    ..now
                },
            )?;
            list(tables, &now)?;
            set_current(tables, record)
        }
        None => {
            list(tables, &now)?;
            set_current(tables, record)
        }
    }
}

/// What a row is indexed by.
fn indexed(record: &ExecutionRecord, row: &[u8]) -> Result<(ExecutionHeader, Vec<String>), ReadError> {
    let corrupt = |detail| ReadError::corrupt("executions", record.key().to_string(), detail);
    let row =
        ExecutionRow::cut(row).ok_or_else(|| corrupt("its head is too short or names an unknown status"))?;
    let terms = row.terms().ok_or_else(|| corrupt("its terms are damaged"))?;
    Ok((row.header, terms.into_iter().map(str::to_owned).collect()))
}

/// A workflow id stands for its open run, or for the last that was started.
fn set_current(tables: &mut Tables<'_>, record: &ExecutionRecord) -> Result<(), Refusal> {
    let key = (record.namespace.0, record.workflow_id.as_str());
    let current = tables.current()?.get(key)?.map(|current| current.value());
    match current {
        Some((run, status)) if run != record.run_id.0 => {
            if !record.status.is_open() {
                // An older run has changed, or a run is brought in closed: the id stands for what it stood for.
                return Ok(());
            }
            if status == Status::Running as u8 {
                return Err(Violation::TwoOpen {
                    key: record.key(),
                    open: RunId(run),
                }
                .into());
            }
        }
        Some(_) | None => {}
    }
    tables
        .current()?
        .insert(key, (record.run_id.0, record.status as u8))?;
    Ok(())
}

/// Deletes all of a run but its history.
pub(super) fn delete_rows(tables: &mut Tables<'_>, key: &ExecutionKey) -> Result<(), Refusal> {
    let (namespace, run_id) = (key.namespace.0, key.run_id.0);
    let row = {
        let row = tables
            .executions()?
            .remove((namespace, key.workflow_id.as_str(), run_id))?;
        row.map(|row| decode_execution(key.namespace, &key.workflow_id, key.run_id, row.value()))
            .transpose()?
    };
    if let Some(record) = row {
        let terms: Vec<&str> = record.terms.iter().map(String::as_str).collect();
        unlist(
            tables,
            &Listed {
                namespace,
                workflow_id: &record.workflow_id,
                workflow_type: &record.workflow_type,
                run_id,
                header: record.header(),
                terms: &terms,
            },
        )?;
    }
    let workflow = (namespace, key.workflow_id.as_str());
    let is_current = tables
        .current()?
        .get(workflow)?
        .is_some_and(|current| current.value().0 == run_id);
    if is_current {
        tables.current()?.remove(workflow)?;
    }
    let mine = [Pending::Activity, Pending::Update, Pending::Buffered];
    for pending in mine {
        let run = (namespace, run_id, 0)..=(namespace, run_id, u64::MAX);
        tables.pending(pending)?.retain_in(run, |_, _| false)?;
    }
    delete_requests(tables, namespace, run_id)?;
    delete_seen(tables, key)
}

/// Deletes the appends of a run's history whose first event is below an id.
pub(super) fn delete_history(
    tables: &mut Tables<'_>,
    namespace: NamespaceId,
    run_id: RunId,
    below: u64,
) -> Result<(), Refusal> {
    let (namespace, run_id) = (namespace.0, run_id.0);
    tables.history_ends.remove(&(namespace, run_id));
    let run = (namespace, run_id, 0)..(namespace, run_id, below);
    let mut sequences = Vec::new();
    tables.journal_index()?.retain_in(run, |_, (sequence, _, _)| {
        sequences.push(sequence);
        false
    })?;
    let journal = tables.journal()?;
    for sequence in sequences {
        journal.remove(sequence)?;
    }
    Ok(())
}

fn delete_requests(tables: &mut Tables<'_>, namespace: u32, run_id: u128) -> Result<(), Refusal> {
    // Text has no greatest value, so the range is open towards the next run.
    let requests = tables.requests()?;
    match run_id.checked_add(1) {
        Some(next) => requests.retain_in((namespace, run_id, "")..(namespace, next, ""), |_, _| false)?,
        None => requests.retain_in((namespace, run_id, "").., |(n, run, _), _| {
            (n, run) != (namespace, run_id)
        })?,
    }
    Ok(())
}

/// Remembers a message that a run took.
pub(super) fn put_seen(tables: &mut Tables<'_>, key: &SeenKey, seen: &Seen) -> Result<(), Refusal> {
    let (namespace, sender, order) = (key.namespace.0, key.sender_run_id.0, key.order);
    let before = {
        let row = (namespace, key.workflow_id.as_str(), sender, order);
        let old = tables.seen()?.insert(row, codec::encode(seen).as_slice())?;
        old.map(|old| codec::decode::<Seen>("outbox_seen", || format!("{key:?}"), old.value()))
            .transpose()?
    };
    let by_run = tables.seen_by_run()?;
    if let Some(before) = before {
        by_run.remove((namespace, before.receiver_run_id.0, sender, order))?;
    }
    by_run.insert((namespace, seen.receiver_run_id.0, sender, order), ())?;
    Ok(())
}

/// The messages that this run took.
fn delete_seen(tables: &mut Tables<'_>, key: &ExecutionKey) -> Result<(), Refusal> {
    let (namespace, run_id) = (key.namespace.0, key.run_id.0);
    let run = (namespace, run_id, 0, 0)..=(namespace, run_id, u128::MAX, u64::MAX);
    let mut taken = Vec::new();
    tables
        .seen_by_run()?
        .retain_in(run, |(_, _, sender, order), ()| {
            taken.push((sender, order));
            false
        })?;
    let seen = tables.seen()?;
    for (sender, order) in taken {
        seen.remove((namespace, key.workflow_id.as_str(), sender, order))?;
    }
    Ok(())
}

fn list(tables: &mut Tables<'_>, listed: &Listed<'_>) -> Result<(), Refusal> {
    let visibility = tables.visibility()?;
    for key in listed.keys() {
        visibility.insert(key, listed.workflow_id)?;
    }
    count(tables, listed, 1);
    Ok(())
}

fn unlist(tables: &mut Tables<'_>, listed: &Listed<'_>) -> Result<(), Refusal> {
    let visibility = tables.visibility()?;
    for key in listed.keys() {
        visibility.remove(key)?;
    }
    count(tables, listed, -1);
    Ok(())
}

fn count(tables: &mut Tables<'_>, listed: &Listed<'_>, by: i64) {
    let status = listed.header.status;
    tables.count(listed.namespace, Facet::All, "", status, by);
    tables.count(
        listed.namespace,
        Facet::WorkflowType,
        listed.workflow_type,
        status,
        by,
    );
}

impl<'a> Listed<'a> {
    fn keys(&self) -> impl Iterator<Item = (u32, u8, &'a str, u8, u64, u128)> {
        let key = |facet: Facet, name: &'a str| {
            (
                self.namespace,
                facet as u8,
                name,
                self.header.status as u8,
                // Inverted, so that the newest comes first.
                !self.header.sort_time_ns(),
                self.run_id,
            )
        };
        [
            key(Facet::All, ""),
            key(Facet::WorkflowType, self.workflow_type),
            key(Facet::WorkflowId, self.workflow_id),
        ]
        .into_iter()
        .chain(self.terms.iter().map(move |term| key(Facet::Term, term)))
    }
}
