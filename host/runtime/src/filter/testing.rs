//! Executions, and stores full of them, for tests.

use std::sync::Arc;

use longhaul_store::{
    Append, Change, ExecutionRecord, Limit, ModuleRef, NamespaceId, Options, Position, RunId, Status, Store,
    Transition, faults::FaultyDisk,
};
use proptest::prelude::*;

use super::{Limits, Query};
use crate::attributes::Known;

pub(crate) const NS: NamespaceId = NamespaceId::DEFAULT;

/// A second, in nanoseconds.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// An open execution.
pub(crate) fn execution(
    workflow_id: &str,
    workflow_type: &str,
    run: u128,
    start_time_ns: u64,
) -> ExecutionRecord {
    ExecutionRecord {
        namespace: NS,
        workflow_id: workflow_id.to_owned(),
        run_id: RunId(run),
        status: Status::Running,
        workflow_type: workflow_type.to_owned(),
        task_queue: "default".to_owned(),
        module: ModuleRef {
            name: "orders".to_owned(),
            version: 1,
            digest: [3; 32],
        },
        start_time_ns,
        execution_time_ns: start_time_ns,
        close_time_ns: None,
        first_run_id: RunId(run),
        next_event_id: 1,
        history_bytes: 0,
        parked: None,
        memo: Vec::new(),
        search_attributes: Vec::new(),
        terms: Vec::new(),
        start_request_id: format!("request-{run}"),
        state: Vec::new(),
    }
}

/// The same execution, closed.
pub(crate) fn closed(mut record: ExecutionRecord, status: Status, close_time_ns: u64) -> ExecutionRecord {
    record.status = status;
    record.close_time_ns = Some(close_time_ns);
    record
}

/// A store in memory that holds these.
pub(crate) fn store(records: &[ExecutionRecord]) -> Store {
    let options = Options {
        cache_size_bytes: 1 << 20,
        ..Options::new("test.redb")
    };
    let store = Store::open_with_backend(options, FaultyDisk::new()).unwrap();
    let writer = store.inline_writer().unwrap();
    let mut submitter = writer.register(|notice| {
        assert!(
            matches!(notice, longhaul_store::Notice::Durable { .. }),
            "{notice:?}"
        );
    });
    let mut changes = Vec::new();
    for record in records {
        if record.next_event_id > 1 {
            changes.push(history(record));
        }
        changes.push(Change::PutExecution(Box::new(record.clone())));
    }
    submitter.submit(Transition::new(changes)).unwrap();
    writer.pump();
    store
}

/// Events that nobody reads, as many as an execution says that it has.
fn history(record: &ExecutionRecord) -> Change {
    Change::AppendEvents(Append {
        namespace: record.namespace,
        run_id: record.run_id,
        first_event_id: 1,
        count: u32::try_from(record.next_event_id - 1).unwrap(),
        last_event_time_ns: record.start_time_ns,
        bytes: vec![0; usize::try_from(record.history_bytes).unwrap()],
    })
}

/// The executions that a list must show, in its order: open ones by start, then closed ones by close, the latest first, equal times
/// by run.
pub(crate) fn expected(records: &[ExecutionRecord], takes: impl Fn(&ExecutionRecord) -> bool) -> Vec<RunId> {
    let mut records: Vec<_> = records.iter().filter(|record| takes(record)).collect();
    records.sort_by_key(|record| {
        let time = record.close_time_ns.unwrap_or(record.start_time_ns);
        (!record.status.is_open(), !time, record.run_id)
    });
    records.iter().map(|record| record.run_id).collect()
}

/// All pages of a query.
pub(crate) fn listed(store: &Store, query: &Query, limit: Limit) -> Vec<RunId> {
    let Some(filter) = query.plan().filter(NS) else {
        return Vec::new();
    };
    let mut runs = Vec::new();
    let mut after: Option<Position> = None;
    loop {
        let page = store
            .read()
            .unwrap()
            .list(&filter, after, limit, |record| query.takes(record))
            .unwrap();
        runs.extend(page.executions.iter().map(|record| record.run_id));
        match page.next {
            Some(next) => after = Some(next),
            None => return runs,
        }
    }
}

/// The query of a count, which must be well-formed.
pub(crate) fn query(text: &str) -> Query {
    Query::of_count(text, Limits::default(), &attributes())
        .unwrap_or_else(|invalid| panic!("{text}: {invalid}"))
}

/// Executions of few ids, types and times (the first nanoseconds of 1970), so that queries hit some of them; at most one of an id is open.
pub(crate) fn executions() -> impl Strategy<Value = Vec<ExecutionRecord>> {
    let one = (
        0..6_u8,
        0..3_u8,
        1..8_u8,
        0..20_u64,
        0..3_u64,
        0..20_u64,
        1..4_u64,
    );
    prop::collection::vec(one, 0..40)
        .prop_map(|rows| {
            let mut open = Vec::new();
            let rows = rows.into_iter().enumerate();
            rows.map(|(run, (id, of_type, status, start, delay, lasts, events))| {
                let (id, of_type) = (format!("id{id}"), format!("Type{of_type}"));
                let mut record = execution(&id, &of_type, run as u128 + 1, start);
                record.execution_time_ns += delay;
                record.next_event_id = events;
                record.history_bytes = events - 1;
                let status = Status::ALL[usize::from(status) - 1];
                if status.is_open() && !open.contains(&id) {
                    open.push(id);
                    return record;
                }
                let status = if status.is_open() {
                    Status::TimedOut
                } else {
                    status
                };
                closed(record, status, start + lasts)
            })
            // Closed ones first: nothing may be started on an id that is open.
            .collect::<Vec<_>>()
            .into_iter()
            .partition::<Vec<_>, _>(|record| !record.status.is_open())
        })
        .prop_map(|(closed, open)| [closed, open].concat())
}

/// Filters over the same ids, types and times, as text.
pub(crate) fn filters() -> impl Strategy<Value = String> {
    let comparison = || prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let not = || prop::sample::select(vec!["", "NOT "]);
    let status = || prop::sample::select(Status::ALL.to_vec());
    let time_field = || {
        prop::sample::select(vec![
            "StartTime",
            "CloseTime",
            "ExecutionTime",
            "ExecutionDuration",
        ])
    };
    let moment = || 0..24_u64;
    let condition = prop_oneof![
        (comparison(), 0..7_u8).prop_map(|(op, id)| format!("WorkflowId {op} 'id{id}'")),
        (comparison(), 0..4_u8).prop_map(|(op, of_type)| format!("WorkflowType {op} 'Type{of_type}'")),
        (not(), 0..4_u8, 0..4_u8)
            .prop_map(|(not, a, b)| format!("WorkflowType {not}IN ('Type{a}', 'Type{b}')")),
        (not(), 0..2_u8).prop_map(|(not, id)| format!("WorkflowId {not}STARTS_WITH 'id{id}'")),
        (not(), prop::sample::select(vec!["", "T", "Type1", "Type9"]))
            .prop_map(|(not, start)| format!("WorkflowType {not}STARTS_WITH '{start}'")),
        (not(), status()).prop_map(|(not, status)| format!("ExecutionStatus {not}IN ('{status}')")),
        (not(), status(), status()).prop_map(|(not, a, b)| format!("ExecutionStatus {not}IN ('{a}', '{b}')")),
        (time_field(), comparison(), moment()).prop_map(|(field, op, ns)| format!("{field} {op} {ns}")),
        (time_field(), not(), moment(), moment())
            .prop_map(|(field, not, a, b)| format!("{field} {not}BETWEEN {a} AND {b}")),
        (time_field(), not(), moment(), moment())
            .prop_map(|(field, not, a, b)| format!("{field} {not}IN ({a}, {b})")),
        (time_field(), not()).prop_map(|(field, not)| format!("{field} IS {not}NULL")),
        (comparison(), 0..4_u8).prop_map(|(op, length)| format!("HistoryLength {op} {length}")),
    ];
    condition.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" AND "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" OR "))),
            inner.prop_map(|part| format!("NOT ({part})")),
        ]
    })
}

/// Search attributes of every type.
pub(crate) fn attributes() -> Arc<Known> {
    use crate::attributes::Kind as K;
    let known = [
        ("Note", K::Text),
        ("City", K::Keyword),
        ("Size", K::Int),
        ("Weight", K::Double),
        ("Urgent", K::Bool),
        ("Due", K::Datetime),
        ("Tags", K::KeywordList),
    ];
    Arc::new(known.map(|(name, kind)| (name.to_owned(), kind)).into())
}
