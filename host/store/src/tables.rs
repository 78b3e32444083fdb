//! Every table, its key and its value, in one place.
//!
//! A table's name ends in the version of its shape; the rows of those whose value is bytes start with a version byte of their own.
//! Every key starts with a namespace number, except where the row belongs to the whole file. redb compares tuple keys element by
//! element: integers by value, text by bytes, so `("a", 2)` comes before `("ab", 1)`.

use redb::TableDefinition;

/// (what) -> value. `format` is four bytes, little-endian, in every version of the file for ever.
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("longhaul_meta");

/// (name) -> namespace.
pub(crate) const NAMESPACES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("namespaces_v1");

/// (namespace, module, version) -> module version.
pub(crate) const MODULES: TableDefinition<'_, (u32, &str, u32), &[u8]> = TableDefinition::new("modules_v1");

/// (digest) -> component, as it was uploaded.
pub(crate) const COMPONENTS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("components_v1");

/// (namespace, workflow type) -> module.
pub(crate) const WORKFLOW_TYPES: TableDefinition<'_, (u32, &str), &str> =
    TableDefinition::new("workflow_types_v1");

/// (namespace, task queue, activity type) -> module.
pub(crate) const ACTIVITY_TYPES: TableDefinition<'_, (u32, &str, &str), &str> =
    TableDefinition::new("activity_types_v1");

/// (namespace, search attribute) -> its type, by the caller's numbers.
pub(crate) const SEARCH_ATTRIBUTES: TableDefinition<'_, (u32, &str), u8> =
    TableDefinition::new("search_attributes_v1");

/// (namespace, kind of task queue by the caller's numbers, task queue) -> a version byte and its configuration.
pub(crate) const TASK_QUEUES: TableDefinition<'_, (u32, u8, &str), &[u8]> =
    TableDefinition::new("task_queues_v1");

/// (namespace, workflow id, run) -> execution.
pub(crate) const EXECUTIONS: TableDefinition<'_, (u32, &str, u128), &[u8]> =
    TableDefinition::new("executions_v1");

/// (namespace, workflow id) -> (run, status): the run that was started last.
pub(crate) const CURRENT: TableDefinition<'_, (u32, &str), (u128, u8)> = TableDefinition::new("current_v1");

/// (namespace, facet, name, status, !time, run) -> workflow id. See [`Facet`].
pub(crate) const VISIBILITY: TableDefinition<'_, (u32, u8, &str, u8, u64, u128), &str> =
    TableDefinition::new("visibility_v1");

/// (namespace, facet, name, status) -> how many executions.
pub(crate) const COUNTERS: TableDefinition<'_, (u32, u8, &str, u8), u64> =
    TableDefinition::new("counters_v1");

/// (sequence) -> a version byte and events, as they were appended.
pub(crate) const JOURNAL: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("journal_v1");

/// (namespace, run, first event) -> (journal sequence, events, bytes).
pub(crate) const JOURNAL_INDEX: TableDefinition<'_, (u32, u128, u64), (u64, u32, u32)> =
    TableDefinition::new("journal_index_v1");

/// (namespace, due, run, kind, id) -> row.
pub(crate) const TIMERS: TableDefinition<'_, (u32, u64, u128, u8, u64), &[u8]> =
    TableDefinition::new("timers_v1");

/// The shape of the tables of pending work: (namespace, run, order) -> row.
pub(crate) type PendingTable = TableDefinition<'static, (u32, u128, u64), &'static [u8]>;

pub(crate) const ACTIVITIES: PendingTable = TableDefinition::new("activities_v1");
pub(crate) const UPDATES: PendingTable = TableDefinition::new("updates_v1");
pub(crate) const BUFFERED: PendingTable = TableDefinition::new("buffered_v1");
pub(crate) const OUTBOX: PendingTable = TableDefinition::new("outbox_v1");

/// (namespace, run, request) -> a version byte and what it led to.
pub(crate) const REQUESTS: TableDefinition<'_, (u32, u128, &str), &[u8]> =
    TableDefinition::new("requests_v1");

/// (namespace, receiver's workflow id, sender's run, order) -> what it led to.
pub(crate) const SEEN: TableDefinition<'_, (u32, &str, u128, u64), &[u8]> =
    TableDefinition::new("outbox_seen_v1");

/// (namespace, receiver's run, sender's run, order) -> nothing: the rows of [`SEEN`] that go with a run. Its workflow id is theirs.
pub(crate) const SEEN_BY_RUN: TableDefinition<'_, (u32, u128, u128, u64), ()> =
    TableDefinition::new("outbox_seen_by_run_v1");

/// The version byte of rows that hold a caller's bytes and nothing else.
pub(crate) const RAW_VERSION: u8 = 1;

/// What the lists are kept by. The numbers are part of the file format.
///
/// An execution stands in the list of each facet under its status and its time: its start while it is open, its close from then on;
/// times are stored inverted, so that the newest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Facet {
    /// All executions; the name is empty.
    All = 0,
    /// Those of one workflow type.
    WorkflowType = 1,
    /// Those of one workflow id. Not counted: there is no bound on how many ids there are.
    WorkflowId = 2,
    /// Those of one term of the caller's making, which search attributes become. Not counted either.
    Term = 3,
}
