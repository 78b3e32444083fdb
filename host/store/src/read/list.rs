//! Lists and counts of executions.
//!
//! The order is that of Temporal's lists: open executions first, the one that was started last at the top; then the closed ones, the
//! one that closed last at the top. A page costs in proportion to its size, whatever the size of the database.

use redb::ReadTransaction;

use super::lanes::{At, Lane, Lists, Merge, Span, Table};
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

    fn has(&self, record: &ExecutionRecord) -> bool {
        match self {
            Self::All => true,
            Self::WorkflowType(name) => record.workflow_type == *name,
            Self::WorkflowId(id) => record.workflow_id == *id,
            Self::Terms(terms) => record.terms.iter().any(|term| terms.contains(term)),
        }
    }
}

/// What a name of a listed execution begins with. An empty text leaves out nothing but executions without terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prefix {
    /// Its workflow type.
    WorkflowType(String),
    /// Its workflow id.
    WorkflowId(String),
    /// One of its [terms](ExecutionRecord::terms).
    Term(String),
}

impl Prefix {
    /// What the name begins with.
    pub fn text(&self) -> &str {
        match self {
            Self::WorkflowType(text) | Self::WorkflowId(text) | Self::Term(text) => text,
        }
    }

    fn facet(&self) -> Facet {
        match self {
            Self::WorkflowType(_) => Facet::WorkflowType,
            Self::WorkflowId(_) => Facet::WorkflowId,
            Self::Term(_) => Facet::Term,
        }
    }

    fn has(&self, record: &ExecutionRecord) -> bool {
        match self {
            Self::WorkflowType(text) => record.workflow_type.starts_with(text),
            Self::WorkflowId(text) => record.workflow_id.starts_with(text),
            Self::Term(text) => record.terms.iter().any(|term| term.starts_with(text)),
        }
    }
}

/// What is listed. Whatever else a list is filtered by goes into the closure of [`Snapshot::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The namespace.
    pub namespace: NamespaceId,
    /// Whose executions.
    pub group: Group,
    /// Those of them that have a name which begins so; `None` for all. Up to some thousand names the executions are looked up by it;
    /// if more names begin so, by the group, and those of other names are examined too.
    pub prefix: Option<Prefix>,
    /// Those of these statuses; empty stands for all.
    pub statuses: Vec<Status>,
    /// Open executions that were started at this time or later, in nanoseconds since 1970; 0 for no bound. It does not apply to
    /// closed ones.
    pub open_from_ns: u64,
    /// Open executions that were started at this time or earlier; `u64::MAX` for no bound.
    pub open_to_ns: u64,
    /// Closed executions that closed at this time or later, in nanoseconds since 1970; 0 for no bound.
    pub closed_from_ns: u64,
    /// Closed executions that closed at this time or earlier; `u64::MAX` for no bound.
    pub closed_to_ns: u64,
}

impl Filter {
    /// All executions of a namespace.
    pub fn all(namespace: NamespaceId) -> Self {
        Self {
            namespace,
            group: Group::All,
            prefix: None,
            statuses: Vec::new(),
            open_from_ns: 0,
            open_to_ns: u64::MAX,
            closed_from_ns: 0,
            closed_to_ns: u64::MAX,
        }
    }

    /// Where in the lanes of each status its executions behind a position are; statuses that have none there are left out.
    fn spans(&self, after: Option<Position>) -> Vec<(Status, Span)> {
        let wanted = |status: &Status| self.statuses.is_empty() || self.statuses.contains(status);
        let span = |status: Status| {
            let after = match after {
                Some(position) if position.open == status.is_open() => Some(position.at()),
                // Behind the open ones already.
                Some(position) if !position.open => return None,
                _ => None,
            };
            let (from_ns, to_ns) = match status.is_open() {
                true => (self.open_from_ns, self.open_to_ns),
                false => (self.closed_from_ns, self.closed_to_ns),
            };
            Span::new(from_ns, to_ns, after).map(|span| (status, span))
        };
        Status::ALL.into_iter().filter(wanted).filter_map(span).collect()
    }

    /// The lanes of the lists that its group names.
    fn lanes_of_group(&self, table: &Table, spans: &[(Status, Span)]) -> Result<Vec<Lane>, ReadError> {
        let lists = Lists {
            table,
            namespace: self.namespace,
            facet: self.group.facet(),
        };
        let mut lanes = Vec::new();
        for name in self.group.names() {
            for (status, span) in spans {
                lanes.extend(lists.lane(name, *status, *span)?);
            }
        }
        Ok(lanes)
    }

    /// The lanes of the lists whose names begin with its prefix; `None` without one, or if there are too many.
    fn lanes_of_prefix(
        &self,
        table: &Table,
        spans: &[(Status, Span)],
    ) -> Result<Option<Vec<(Status, Lane)>>, ReadError> {
        let Some(prefix) = &self.prefix else {
            return Ok(None);
        };
        let lists = Lists {
            table,
            namespace: self.namespace,
            facet: prefix.facet(),
        };
        lists.lanes_of_prefix(prefix.text(), spans)
    }

    /// What its index tells of an execution without reading that.
    fn can_have(&self, workflow_id: &str) -> bool {
        match &self.prefix {
            Some(Prefix::WorkflowId(text)) => workflow_id.starts_with(text),
            _ => true,
        }
    }

    /// Whether an execution is in its group and has its prefix: a list is looked up by one of the two.
    fn has(&self, record: &ExecutionRecord) -> bool {
        self.prefix
            .as_ref()
            .is_none_or(|prefix| prefix.has(record) && self.group.has(record))
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

    fn at(self) -> At {
        (self.inverted_time, self.run_id)
    }

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
        let spans = filter.spans(after);
        let mut of_prefix = filter.lanes_of_prefix(&table, &spans)?;
        let mut page = Page {
            executions: Vec::new(),
            next: None,
        };
        let mut examined = 0;
        for is_open in [true, false] {
            let lanes = match &mut of_prefix {
                Some(lanes) => lanes
                    .extract_if(.., |(status, _)| status.is_open() == is_open)
                    .map(|(_, lane)| lane)
                    .collect(),
                None => {
                    let mut spans = spans.clone();
                    spans.retain(|(status, _)| status.is_open() == is_open);
                    filter.lanes_of_group(&table, &spans)?
                }
            };
            let mut entries = Merge::new(lanes);
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
                examined += 1;
                page.next = Some(Position {
                    open: is_open,
                    inverted_time,
                    run_id,
                });
                if !filter.can_have(&key.workflow_id) {
                    continue;
                }
                let record = read_listed(&executions, &key)?;
                if filter.has(&record) && take(&record) {
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
                    statuses: vec![status],
                    ..Filter::all(namespace)
                };
                let table = self.0.open_table(tables::VISIBILITY)?;
                let mut entries = Merge::new(filter.lanes_of_group(&table, &filter.spans(None))?);
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
