//! What a page of a list does not show, it does not read: bounds of time and beginnings of names are sought in the index.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Bench, NS, Random, close, execution, put};
use longhaul_store::{ExecutionRecord, Filter, Group, Limit, Position, Prefix, Status, Store};

/// Closed executions, each of its own id and type; run n closes at the time n.
fn closed(runs: std::ops::Range<u64>, name: impl Fn(u64) -> (String, String)) -> Vec<ExecutionRecord> {
    let record = |run: u64| {
        let (id, workflow_type) = name(run);
        let mut record = execution(&id, run.into(), 1);
        record.workflow_type = workflow_type;
        close(&mut record, Status::Completed, run);
        record
    };
    runs.map(record).collect()
}

fn holding(records: &[ExecutionRecord]) -> Bench {
    let mut bench = Bench::new();
    bench.write(records.iter().map(put).collect());
    bench
}

/// The runs of one page, how many executions were read for it, and where the next one begins.
fn page(
    store: &Store,
    filter: &Filter,
    after: Option<Position>,
    limit: Limit,
) -> (Vec<u128>, usize, Option<Position>) {
    let mut read = 0;
    let take = |_: &ExecutionRecord| {
        read += 1;
        true
    };
    let page = store.read().unwrap().list(filter, after, limit, take).unwrap();
    let runs = page.executions.iter().map(|record| record.run_id.0).collect();
    (runs, read, page.next)
}

/// All pages.
fn pages(store: &Store, filter: &Filter, limit: Limit) -> Vec<u128> {
    let (mut runs, mut after) = (Vec::new(), None);
    loop {
        let (found, _, next) = page(store, filter, after, limit);
        runs.extend(found);
        match next {
            Some(next) => after = Some(next),
            None => return runs,
        }
    }
}

/// A page that may read no more than it shows.
const TIGHT: Limit = Limit {
    executions: 5,
    examined: 5,
};

// E13
#[test]
fn a_page_of_long_ago_reads_what_it_shows() {
    let mut records = closed(1..400, |run| (format!("w{run}"), "Order".to_owned()));
    records.extend((400..700).map(|run| execution(&format!("w{run}"), run.into(), run)));
    let bench = holding(&records);
    let filter = Filter {
        open_to_ns: 404,
        closed_to_ns: 9,
        closed_from_ns: 3,
        ..Filter::all(NS)
    };
    let (open, read, next) = page(&bench.store, &filter, None, TIGHT);
    assert_eq!((open, read), (vec![404, 403, 402, 401, 400], 5));
    let (late, read, next) = page(&bench.store, &filter, next, TIGHT);
    assert_eq!((late, read), (vec![9, 8, 7, 6, 5], 5));
    let (early, read, next) = page(&bench.store, &filter, next, TIGHT);
    assert_eq!((early, read, next), (vec![4, 3], 2, None));

    let never = Filter {
        closed_from_ns: 9,
        closed_to_ns: 8,
        statuses: vec![Status::Completed],
        ..filter
    };
    assert_eq!(page(&bench.store, &never, None, TIGHT), (vec![], 0, None));
}

// E13
#[test]
fn a_beginning_of_an_id_is_sought() {
    // The five lie below and between hundreds of later ones.
    let name = |run: u64| match run % 50 {
        0 => format!("order-{run}"),
        _ => format!("{}-{run}", if run.is_multiple_of(2) { "a" } else { "orders" }),
    };
    let bench = holding(&closed(1..251, |run| (name(run), "Order".to_owned())));
    let filter = Filter {
        prefix: Some(Prefix::WorkflowId("order-".into())),
        ..Filter::all(NS)
    };
    let (runs, read, next) = page(&bench.store, &filter, None, TIGHT);
    assert_eq!((runs, read, next), (vec![250, 200, 150, 100, 50], 5, None));
    // With a time, too.
    let before = Filter {
        closed_to_ns: 149,
        ..filter
    };
    let (runs, read, next) = page(&bench.store, &before, None, TIGHT);
    assert_eq!((runs, read, next), (vec![100, 50], 2, None));
}

/// More than the rows of the index that a list looks for the names of a prefix in.
const MANY: u64 = 5_000;

// E13
#[test]
fn the_executions_of_a_name_are_passed_over_on_the_way_to_the_next() {
    let name = |run: u64| match run {
        1..4 => "Order.z",
        4..=MANY => "Order.a",
        _ => "Other",
    };
    let bench = holding(&closed(1..2 * MANY, |run| {
        (format!("w{run}"), name(run).to_owned())
    }));
    let filter = Filter {
        prefix: Some(Prefix::WorkflowType("Order.".into())),
        ..Filter::all(NS)
    };
    let (runs, read, next) = page(&bench.store, &filter, None, TIGHT);
    assert_eq!((runs.first(), runs.len(), read), (Some(&u128::from(MANY)), 5, 5));
    let (runs, read, _) = page(&bench.store, &filter, next, TIGHT);
    assert_eq!((runs.first(), read), (Some(&u128::from(MANY - 5)), 5));
    // The other name's are merged with them.
    let early = Filter {
        closed_to_ns: 5,
        ..filter
    };
    assert_eq!(
        page(&bench.store, &early, None, TIGHT),
        (vec![5, 4, 3, 2, 1], 5, None)
    );
}

// E13
#[test]
fn more_names_than_are_looked_for_are_listed_all_the_same() {
    let name = |run: u64| {
        let id = if run.is_multiple_of(2) { "order" } else { "other" };
        (format!("{id}-{run}"), format!("Type{}", run % 3))
    };
    let bench = holding(&closed(1..2 * MANY, name));
    let filter = Filter {
        prefix: Some(Prefix::WorkflowId("order-".into())),
        group: Group::WorkflowType("Type1".into()),
        ..Filter::all(NS)
    };
    let wanted: Vec<_> = (1..u128::from(2 * MANY))
        .rev()
        .filter(|run| run % 2 == 0 && run % 3 == 1)
        .collect();
    let limit = Limit {
        executions: 300,
        examined: 400,
    };
    assert_eq!(pages(&bench.store, &filter, limit), wanted);
    // They are the group's in order of time, and of these none is read whose id begins otherwise.
    let (runs, read, next) = page(&bench.store, &filter, None, limit);
    assert_eq!((runs.len(), read), (200, 200));
    assert!(next.is_some());
}

// E13
#[test]
fn bounds_and_beginnings_take_what_reading_everything_takes() {
    let mut random = Random(11);
    let mut records: Vec<ExecutionRecord> = Vec::new();
    for run in 1..400_u128 {
        let mut record = execution(&format!("id{}", random.below(40)), run, random.below(20));
        record.workflow_type = format!("Type{}", random.below(15));
        record.terms = (0..12)
            .filter(|_| random.below(5) == 0)
            .map(|term| format!("t{term}"))
            .collect();
        record.terms.sort_unstable();
        let taken =
            |other: &ExecutionRecord| other.status.is_open() && other.workflow_id == record.workflow_id;
        if records.iter().any(taken) || random.below(2) == 0 {
            let status = Status::ALL[1 + random.below(6) as usize];
            close(&mut record, status, 20 + random.below(30));
        }
        records.push(record);
    }
    // Nothing may be started on an id that is open.
    records.sort_by_key(|record| record.status.is_open());
    let bench = holding(&records);
    let mut shown = 0;
    for _ in 0..1_500 {
        let number = random.below(20);
        let group = match random.below(6) {
            0 => Group::WorkflowType(format!("Type{number}")),
            1 => Group::WorkflowId(format!("id{number}")),
            2 => Group::Terms(vec![format!("t{number}"), "t1".to_owned()]),
            _ => Group::All,
        };
        let number = ["", "1", "2", "3", "11"][random.below(5) as usize];
        let prefix = match random.below(4) {
            0 => Some(Prefix::WorkflowType(format!("Type{number}"))),
            1 => Some(Prefix::WorkflowId(format!("id{number}"))),
            2 => Some(Prefix::Term(format!("t{number}"))),
            _ => None,
        };
        let mut bound = |none: u64| match random.below(2) {
            0 => none,
            _ => random.below(50),
        };
        let filter = Filter {
            namespace: NS,
            group,
            prefix,
            open_from_ns: bound(0) / 2,
            open_to_ns: bound(u64::MAX),
            closed_from_ns: bound(0),
            closed_to_ns: bound(u64::MAX),
            statuses: match random.below(3) {
                0 => vec![Status::Running, Status::Failed, Status::TimedOut],
                1 => vec![Status::Completed],
                _ => Vec::new(),
            },
        };
        let takes = |record: &&ExecutionRecord| {
            let time_is_in = match record.close_time_ns {
                Some(time) => (filter.closed_from_ns..=filter.closed_to_ns).contains(&time),
                None => (filter.open_from_ns..=filter.open_to_ns).contains(&record.start_time_ns),
            };
            let in_group = match &filter.group {
                Group::All => true,
                Group::WorkflowType(name) => record.workflow_type == *name,
                Group::WorkflowId(id) => record.workflow_id == *id,
                Group::Terms(terms) => terms.iter().any(|term| record.terms.contains(term)),
            };
            let begins = match &filter.prefix {
                None => true,
                Some(Prefix::WorkflowType(text)) => record.workflow_type.starts_with(text),
                Some(Prefix::WorkflowId(text)) => record.workflow_id.starts_with(text),
                Some(Prefix::Term(text)) => record.terms.iter().any(|term| term.starts_with(text)),
            };
            let of_status = filter.statuses.is_empty() || filter.statuses.contains(&record.status);
            time_is_in && in_group && begins && of_status
        };
        let mut wanted: Vec<_> = records.iter().filter(takes).collect();
        wanted.sort_by_key(|record| {
            let time = record.close_time_ns.unwrap_or(record.start_time_ns);
            (!record.status.is_open(), !time, record.run_id)
        });
        let wanted: Vec<_> = wanted.into_iter().map(|record| record.run_id.0).collect();
        let limit = Limit {
            executions: 1 + random.below(30) as usize,
            examined: 1 + random.below(60) as usize,
        };
        assert_eq!(pages(&bench.store, &filter, limit), wanted, "{filter:?}");
        shown += wanted.len();
    }
    assert!(shown > 5_000, "{shown}");
}
