//! History: the events of one run, as they were appended.

use std::ops::RangeBounds;

use redb::{Range, ReadOnlyTable};

use crate::{EventBatch, NamespaceId, ReadError, RunId, Snapshot, read::raw, tables};

/// The batches of events of one run, in order; backwards with [`rev`](Iterator::rev). Each step reads one batch.
pub struct Events {
    namespace: NamespaceId,
    run_id: RunId,
    index: Range<'static, (u32, u128, u64), (u64, u32, u32)>,
    journal: ReadOnlyTable<u64, &'static [u8]>,
    /// Where the journal goes on behind the last batch that was read forwards.
    next: Option<Range<'static, u64, &'static [u8]>>,
}

/// Batches of other runs between two batches of this one that are passed over; behind more of them the next one is looked up. A look-up
/// costs about as much as so many steps.
const PASSED_MAX: u64 = 8;

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events")
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// The batches that hold a run's events from the one with id `from`, up to the end of its history; the first may begin before
    /// `from`. A run that is not known has none.
    pub fn events(&self, namespace: NamespaceId, run_id: RunId, from: u64) -> Result<Events, ReadError> {
        let index = self.0.open_table(tables::JOURNAL_INDEX)?;
        let run = |first: u64| (namespace.0, run_id.0, first);
        let before = index.range(run(0)..=run(from))?.next_back().transpose()?;
        let start = before.map_or(0, |(key, _)| key.value().2);
        self.event_range(namespace, run_id, index, run(start)..=run(u64::MAX))
    }

    /// Batches of a run's history up to the one that holds event `last`, to be read from their end.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn events_to(&self, namespace: NamespaceId, run_id: RunId, last: u64) -> Result<Events, ReadError> {
        let index = self.0.open_table(tables::JOURNAL_INDEX)?;
        let run = |first: u64| (namespace.0, run_id.0, first);
        self.event_range(namespace, run_id, index, run(0)..=run(last))
    }

    /// The last batch of a run's history: where it is closed, the one with its closing event.
    pub fn last_events(
        &self,
        namespace: NamespaceId,
        run_id: RunId,
    ) -> Result<Option<EventBatch>, ReadError> {
        self.events(namespace, run_id, 0)?.next_back().transpose()
    }

    fn event_range(
        &self,
        namespace: NamespaceId,
        run_id: RunId,
        index: ReadOnlyTable<(u32, u128, u64), (u64, u32, u32)>,
        range: impl RangeBounds<(u32, u128, u64)>,
    ) -> Result<Events, ReadError> {
        let journal = self.0.open_table(tables::JOURNAL)?;
        Ok(Events {
            namespace,
            run_id,
            index: index.range(range)?,
            journal,
            next: None,
        })
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Forwards,
    Backwards,
}

type IndexRow = (
    redb::AccessGuard<'static, (u32, u128, u64)>,
    redb::AccessGuard<'static, (u64, u32, u32)>,
);

impl Events {
    /// The row of the journal with this number. Batches of one run that was alone for a while lie side by side: then the next row is
    /// one step away, and no path from the root of the table.
    fn journal(
        &mut self,
        sequence: u64,
    ) -> Result<Option<redb::AccessGuard<'static, &'static [u8]>>, redb::StorageError> {
        if let Some(next) = &mut self.next {
            for _ in 0..=PASSED_MAX {
                let Some(row) = next.next() else { break };
                let (key, row) = row?;
                match key.value() {
                    found if found == sequence => return Ok(Some(row)),
                    // It lies before the place, or is not there: the look-up tells.
                    found if found > sequence => break,
                    _ => {}
                }
            }
        }
        let mut range = self.journal.range(sequence..)?;
        let row = range.next().transpose()?;
        self.next = Some(range);
        Ok(row.filter(|(key, _)| key.value() == sequence).map(|(_, row)| row))
    }

    fn read(
        &mut self,
        row: Result<IndexRow, redb::StorageError>,
        direction: Direction,
    ) -> Result<EventBatch, ReadError> {
        let (key, value) = row?;
        let ((_, _, first_event_id), (sequence, count, _)) = (key.value(), value.value());
        let (namespace, run_id) = (self.namespace, self.run_id);
        let name = || format!("{namespace}, run {run_id}, event {first_event_id}, sequence {sequence}");
        let row = match direction {
            Direction::Forwards => self.journal(sequence)?,
            Direction::Backwards => self.journal.get(sequence)?,
        };
        let row = row.ok_or_else(|| {
            ReadError::corrupt("journal", name(), "the index names it, and it is not there")
        })?;
        Ok(EventBatch {
            first_event_id,
            count,
            bytes: raw("journal", name, row.value())?.to_vec(),
        })
    }
}

impl Iterator for Events {
    type Item = Result<EventBatch, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.index.next()?;
        Some(self.read(row, Direction::Forwards))
    }
}

impl DoubleEndedIterator for Events {
    fn next_back(&mut self) -> Option<Self::Item> {
        let row = self.index.next_back()?;
        Some(self.read(row, Direction::Backwards))
    }
}
