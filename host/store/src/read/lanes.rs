//! The lists as the index holds them.
//!
//! A lane is one status of one list, in the order of its places; the lanes of a page are merged. What a page skips is sought, not read:
//! a lane begins at the page's first place, and the lists of a prefix are found by going from one to the next.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, binary_heap::PeekMut},
    ops::Bound,
};

use redb::{Range, ReadOnlyTable};

use crate::{NamespaceId, ReadError, Status, tables::Facet};

type Key = (u32, u8, &'static str, u8, u64, u128);
pub(super) type Table = ReadOnlyTable<Key, &'static str>;
type Rows = Range<'static, Key, &'static str>;

/// Rows of the index that are read to find the lists of a prefix. More lists than about as many are not looked for: so many lanes
/// would cost more than they spare.
const PREFIX_ROWS_MAX: usize = 4_096;

/// A place in a lane: the inverted time, so that the newest comes first, and the run.
pub(super) type At = (u64, u128);

/// An entry of a list.
pub(super) struct Entry {
    pub(super) at: At,
    pub(super) workflow_id: String,
}

/// The places of a lane from one to another, both included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    first: At,
    last: At,
}

impl Span {
    /// The places of a time and of those between, behind a place; `None` if there are none.
    pub(super) fn new(from_ns: u64, to_ns: u64, after: Option<At>) -> Option<Self> {
        // Times are inverted, so the latest time is the first entry.
        let (mut first, last) = ((!to_ns, 0), (!from_ns, u128::MAX));
        if let Some((time, run)) = after {
            let behind = match run.checked_add(1) {
                Some(run) => (time, run),
                None => (time.checked_add(1)?, 0),
            };
            first = first.max(behind);
        }
        (first <= last).then_some(Self { first, last })
    }

    fn has(&self, at: At) -> bool {
        (self.first..=self.last).contains(&at)
    }
}

/// A facet's lists in a namespace.
pub(super) struct Lists<'t> {
    pub(super) table: &'t Table,
    pub(super) namespace: NamespaceId,
    pub(super) facet: Facet,
}

impl Lists<'_> {
    /// One status of a list within a span; `None` if it has nothing there.
    pub(super) fn lane(&self, name: &str, status: Status, span: Span) -> Result<Option<Lane>, ReadError> {
        let key = |(time, run)| (self.namespace.0, self.facet as u8, name, status as u8, time, run);
        let mut rest = self.table.range(key(span.first)..=key(span.last))?;
        let head = next(&mut rest)?;
        Ok(head.map(|row| Lane {
            head: row.entry,
            rest: Some(rest),
        }))
    }

    /// The lanes of all lists whose names begin with a text, each within the span of its status; lanes of other statuses are left out.
    /// `None` if there are too many to look for.
    pub(super) fn lanes_of_prefix(
        &self,
        prefix: &str,
        spans: &[(Status, Span)],
    ) -> Result<Option<Vec<(Status, Lane)>>, ReadError> {
        let (namespace, facet) = (self.namespace.0, self.facet as u8);
        // The next facet's lists begin there.
        let end = (namespace, facet + 1, "", 0, 0, 0);
        let mut rows = self.table.range((namespace, facet, prefix, 0, 0, 0)..end)?;
        let (mut lanes, mut read) = (Vec::new(), 1);
        let mut row = next(&mut rows)?;
        while let Some(first) = row.take_if(|row| row.name.starts_with(prefix)) {
            if read >= PREFIX_ROWS_MAX {
                return Ok(None);
            }
            read += 1;
            let second = next(&mut rows)?;
            let goes_on = second
                .as_ref()
                .is_some_and(|second| (&second.name, second.status) == (&first.name, first.status));
            let span = spans
                .iter()
                .find(|(status, _)| *status as u8 == first.status)
                .copied();
            row = if goes_on {
                let rest = Bound::Excluded((
                    namespace,
                    facet,
                    first.name.as_str(),
                    first.status,
                    u64::MAX,
                    u128::MAX,
                ));
                rows = self.table.range((rest, Bound::Excluded(end)))?;
                read += 1;
                next(&mut rows)?
            } else {
                second
            };
            let Some((status, span)) = span else { continue };
            let lane = if goes_on {
                self.lane(&first.name, status, span)?
            } else {
                span.has(first.entry.at).then_some(Lane {
                    head: first.entry,
                    rest: None,
                })
            };
            lanes.extend(lane.map(|lane| (status, lane)));
        }
        Ok(Some(lanes))
    }
}

/// A row of the index.
struct Row {
    name: String,
    status: u8,
    entry: Entry,
}

fn next(rows: &mut Rows) -> Result<Option<Row>, ReadError> {
    let row = rows.next().transpose()?;
    Ok(row.map(|(key, workflow_id)| {
        let (_, _, name, status, inverted_time, run_id) = key.value();
        Row {
            name: name.to_owned(),
            status,
            entry: Entry {
                at: (inverted_time, run_id),
                workflow_id: workflow_id.value().to_owned(),
            },
        }
    }))
}

/// One status of one list, with its next entry at hand. Lanes compare by that entry.
pub(super) struct Lane {
    head: Entry,
    rest: Option<Rows>,
}

impl PartialEq for Lane {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Lane {}

impl PartialOrd for Lane {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Lane {
    fn cmp(&self, other: &Self) -> Ordering {
        self.head.at.cmp(&other.head.at)
    }
}

/// Lanes, merged. An execution that is in several lanes comes once.
pub(super) struct Merge {
    lanes: BinaryHeap<Reverse<Lane>>,
    last: Option<At>,
}

impl Merge {
    pub(super) fn new(lanes: impl IntoIterator<Item = Lane>) -> Self {
        Self {
            lanes: lanes.into_iter().map(Reverse).collect(),
            last: None,
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Entry>, ReadError> {
        while let Some(mut first) = self.lanes.peek_mut() {
            let following = match &mut first.0.rest {
                Some(rest) => next(rest)?,
                None => None,
            };
            let entry = match following {
                Some(row) => std::mem::replace(&mut first.0.head, row.entry),
                None => PeekMut::pop(first).0.head,
            };
            if self.last.replace(entry.at) != Some(entry.at) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}
