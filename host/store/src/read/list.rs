//! Lists and counts of executions.
//!
//! The order is that of Temporal's lists: open executions first, the one that was started last at the top; then the closed ones, the
//! one that closed last at the top. A page costs in proportion to its size, whatever the size of the database.

use std::ops::Bound;

use redb::{Range, ReadOnlyTable, ReadTransaction};

use crate::{
    ExecutionKey, ExecutionRecord, NamespaceId, ReadError, RunId, Snapshot, Status,
    read::read_listed,
    tables::{self, Facet},
};

/// Whose executions are listed or counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Group {
    /// All.
    #[default]
    All,
    /// Those of one workflow type.
    WorkflowType(String),
    /// Those of one workflow id.
    WorkflowId(String),
    /// Those that have one of these [terms](ExecutionRecord::terms); one that has several is listed once.
    Terms(Vec<String>),
}

impl Group {
    fn facet(&self) -> Facet {
        match self {
            Self::All => Facet::All,
            Self::WorkflowType(_) => Facet::WorkflowType,
            Self::WorkflowId(_) => Facet::WorkflowId,
            Self::Terms(_) => Facet::Term,
        }
    }

    /// The lists that hold its executions.
    fn names(&self) -> impl Iterator<Item = &str> {
        let (one, more) = match self {
            Self::All => (Some(""), &[][..]),
            Self::WorkflowType(name) | Self::WorkflowId(name) => (Some(name.as_str()), &[][..]),
            Self::Terms(terms) => (None, terms.as_slice()),
        };
        one.into_iter().chain(more.iter().map(String::as_str))
    }
}

/// What is listed. Whatever else a list is filtered by goes into the closure of [`Snapshot::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The namespace.
    pub namespace: NamespaceId,
    /// Whose executions.
    pub group: Group,
    /// Those of these statuses; empty stands for all.
    pub statuses: Vec<Status>,
    /// Open executions that were started at this time or later, in nanoseconds since 1970; 0 for no bound. It does not apply to
    /// closed ones.
    pub open_from_ns: u64,
    /// Closed executions that closed at this time or later, in nanoseconds since 1970; 0 for no bound.
    pub closed_from_ns: u64,
}

impl Filter {
    /// All executions of a namespace.
    pub fn all(namespace: NamespaceId) -> Self {
        Self {
            namespace,
            group: Group::All,
            statuses: Vec::new(),
            open_from_ns: 0,
            closed_from_ns: 0,
        }
    }

    fn statuses(&self) -> Vec<Status> {
        let wanted = |status: &Status| self.statuses.is_empty() || self.statuses.contains(status);
        Status::ALL.into_iter().filter(wanted).collect()
    }
}

/// How much one call may return and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// At most so many executions are returned.
    pub executions: usize,
    /// At most so many executions are read, so that a closure which takes few of them does not make one call read everything. A
    /// page may then be short, even empty, and still have a next one.
    pub examined: usize,
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// The executions.
    pub executions: Vec<ExecutionRecord>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Position>,
}

/// A place in a list. It stays valid under any change: what closes while one reads may show twice, and nothing that was there all the
/// time is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    open: bool,
    inverted_time: u64,
    run_id: u128,
}

impl Position {
    const VERSION: u8 = 1;

    /// As bytes, for page tokens.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut out = vec![Self::VERSION, u8::from(self.open)];
        out.extend_from_slice(&self.inverted_time.to_be_bytes());
        out.extend_from_slice(&self.run_id.to_be_bytes());
        out
    }

    /// From what [`to_bytes`](Self::to_bytes) gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReadError> {
        let [Self::VERSION, open @ (0 | 1), rest @ ..] = bytes else {
            return Err(ReadError::BadPosition);
        };
        let (time, run) = rest.split_first_chunk::<8>().ok_or(ReadError::BadPosition)?;
        let run = run.try_into().map_err(|_| ReadError::BadPosition)?;
        Ok(Self {
            open: *open == 1,
            inverted_time: u64::from_be_bytes(*time),
            run_id: u128::from_be_bytes(run),
        })
    }
}

/// Closed executions that closed first; see [`Snapshot::oldest_closed`].
#[derive(Debug, Default)]
pub struct OldestClosed {
    /// Those that closed until the moment that was asked for.
    pub executions: Vec<ExecutionKey>,
    /// When the first of the others closed, in nanoseconds since 1970.
    pub next_close_ns: Option<u64>,
}

type VisibilityTable = ReadOnlyTable<(u32, u8, &'static str, u8, u64, u128), &'static str>;
type VisibilityRange = Range<'static, (u32, u8, &'static str, u8, u64, u128), &'static str>;

/// An entry of a list; entries are in the order of `at`.
struct Entry {
    at: (u64, u128),
    workflow_id: String,
}

/// One status of one list, with its next entry at hand.
struct Lane {
    range: VisibilityRange,
    head: Option<Entry>,
}

impl Lane {
    fn advance(&mut self) -> Result<Option<Entry>, ReadError> {
        let next = self.range.next().transpose()?.map(|(key, workflow_id)| {
            let (_, _, _, _, inverted_time, run_id) = key.value();
            Entry {
                at: (inverted_time, run_id),
                workflow_id: workflow_id.value().to_owned(),
            }
        });
        Ok(std::mem::replace(&mut self.head, next))
    }
}

/// The lanes of the open or of the closed statuses, merged. An execution that is in several lanes comes once.
struct Merge {
    lanes: Vec<Lane>,
    last: Option<(u64, u128)>,
}

impl Merge {
    fn new(
        table: &VisibilityTable,
        filter: &Filter,
        statuses: &[Status],
        after: Option<(u64, u128)>,
        from_ns: u64,
    ) -> Result<Self, ReadError> {
        let facet = filter.group.facet();
        let mut lanes = Vec::with_capacity(statuses.len());
        for (name, status) in filter
            .group
            .names()
            .flat_map(|name| statuses.iter().map(move |status| (name, status)))
        {
            let key = |status: Status, (time, run): (u64, u128)| {
                (filter.namespace.0, facet as u8, name, status as u8, time, run)
            };
            let first = match after {
                Some(at) => Bound::Excluded(key(*status, at)),
                None => Bound::Included(key(*status, (0, 0))),
            };
            // Times are inverted, so the earliest time is the last entry.
            let last = key(*status, (!from_ns, u128::MAX));
            if after.is_some_and(|at| at >= (!from_ns, u128::MAX)) {
                continue;
            }
            let mut lane = Lane {
                range: table.range((first, Bound::Included(last)))?,
                head: None,
            };
            lane.advance()?;
            lanes.push(lane);
        }
        Ok(Self { lanes, last: None })
    }

    fn next(&mut self) -> Result<Option<Entry>, ReadError> {
        loop {
            let first = self
                .lanes
                .iter_mut()
                .filter(|lane| lane.head.is_some())
                .min_by_key(|lane| {
                    // Without a head it was filtered out.
                    lane.head.as_ref().map(|entry| entry.at)
                });
            let Some(entry) = first.map_or(Ok(None), Lane::advance)? else {
                return Ok(None);
            };
            if self.last.replace(entry.at) != Some(entry.at) {
                return Ok(Some(entry));
            }
        }
    }
}

impl Snapshot {
    /// A page of a list: the executions that `filter` names and `take` takes, behind `after`, at most `limit`.
    pub fn list(
        &self,
        filter: &Filter,
        after: Option<Position>,
        limit: Limit,
        mut take: impl FnMut(&ExecutionRecord) -> bool,
    ) -> Result<Page, ReadError> {
        let table = self.0.open_table(tables::VISIBILITY)?;
        let executions = self.0.open_table(tables::EXECUTIONS)?;
        let (open, closed): (Vec<_>, Vec<_>) =
            filter.statuses().into_iter().partition(|status| status.is_open());
        let mut page = Page {
            executions: Vec::new(),
            next: None,
        };
        let mut examined = 0;
        for (is_open, statuses, from_ns) in [
            (true, open, filter.open_from_ns),
            (false, closed, filter.closed_from_ns),
        ] {
            let after = match after {
                Some(position) if position.open == is_open => Some((position.inverted_time, position.run_id)),
                // Behind the open ones already.
                Some(position) if !position.open && is_open => continue,
                _ => None,
            };
            let mut entries = Merge::new(&table, filter, &statuses, after, from_ns)?;
            while let Some(entry) = entries.next()? {
                if page.executions.len() >= limit.executions.max(1) || examined >= limit.examined.max(1) {
                    return Ok(page);
                }
                let (inverted_time, run_id) = entry.at;
                let key = ExecutionKey {
                    namespace: filter.namespace,
                    workflow_id: entry.workflow_id,
                    run_id: RunId(run_id),
                };
                let record = read_listed(&executions, &key)?;
                examined += 1;
                page.next = Some(Position {
                    open: is_open,
                    inverted_time,
                    run_id,
                });
                if take(&record) {
                    page.executions.push(record);
                }
            }
        }
        page.next = None;
        Ok(page)
    }

    /// The closed executions of a namespace that closed first: those that closed until a moment, at most `count`, and when the first of
    /// the others closed.
    pub fn oldest_closed(
        &self,
        namespace: NamespaceId,
        until_ns: u64,
        count: usize,
    ) -> Result<OldestClosed, ReadError> {
        let table = self.0.open_table(tables::VISIBILITY)?;
        let mut oldest = OldestClosed::default();
        for status in Status::ALL.into_iter().filter(|status| !status.is_open()) {
            let key = |time, run| (namespace.0, Facet::All as u8, "", status as u8, time, run);
            // Times are inverted, so the earliest stands last.
            for row in table.range(key(0, 0)..=key(u64::MAX, u128::MAX))?.rev() {
                let (key, workflow_id) = row?;
                let (.., inverted_time, run_id) = key.value();
                let close_ns = !inverted_time;
                if close_ns > until_ns || oldest.executions.len() >= count {
                    let next = oldest.next_close_ns.map_or(close_ns, |next| next.min(close_ns));
                    oldest.next_close_ns = Some(next);
                    break;
                }
                oldest.executions.push(ExecutionKey {
                    namespace,
                    workflow_id: workflow_id.value().to_owned(),
                    run_id: RunId(run_id),
                });
            }
        }
        Ok(oldest)
    }

    /// How many executions of a group have a status. For all and for a workflow type it is one look-up; the executions of a workflow id
    /// or of terms are counted one by one.
    pub fn count(&self, namespace: NamespaceId, group: &Group, status: Status) -> Result<u64, ReadError> {
        let name = match group {
            Group::All => "",
            Group::WorkflowType(name) => name,
            Group::WorkflowId(_) | Group::Terms(_) => {
                let filter = Filter {
                    group: group.clone(),
                    ..Filter::all(namespace)
                };
                let table = self.0.open_table(tables::VISIBILITY)?;
                let mut entries = Merge::new(&table, &filter, &[status], None, 0)?;
                let mut count = 0;
                while entries.next()?.is_some() {
                    count += 1;
                }
                return Ok(count);
            }
        };
        let key = (namespace.0, group.facet() as u8, name, status as u8);
        let count = self.0.open_table(tables::COUNTERS)?.get(key)?;
        Ok(count.map_or(0, |count| count.value()))
    }
}

/// The keys of a namespace's open executions, the newest first.
pub(super) fn open_keys(
    transaction: &ReadTransaction,
    namespace: NamespaceId,
    keys: &mut Vec<ExecutionKey>,
) -> Result<(), ReadError> {
    let table = transaction.open_table(tables::VISIBILITY)?;
    let key = |time, run| {
        (
            namespace.0,
            Facet::All as u8,
            "",
            Status::Running as u8,
            time,
            run,
        )
    };
    for row in table.range(key(0, 0)..=key(u64::MAX, u128::MAX))? {
        let (key, workflow_id) = row?;
        let run_id = RunId(key.value().5);
        keys.push(ExecutionKey {
            namespace,
            workflow_id: workflow_id.value().to_owned(),
            run_id,
        });
    }
    Ok(())
}
