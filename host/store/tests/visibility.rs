//! Lists, counts and pages, against a model.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Bench, NS, Random, close, execution, put};
use longhaul_store::{
    Change, ExecutionRecord, Filter, Group, Limit, NamespaceId, Position, ReadError, RunId, Status, Store,
};

const PAGE: Limit = Limit {
    executions: 7,
    examined: 1000,
};

/// All pages of a list, as run ids.
fn pages(store: &Store, filter: &Filter, limit: Limit, take: impl Fn(&ExecutionRecord) -> bool) -> Vec<u128> {
    let mut runs = Vec::new();
    let mut after = None;
    loop {
        let page = store.read().unwrap().list(filter, after, limit, &take).unwrap();
        assert!(page.executions.len() <= limit.executions);
        runs.extend(page.executions.iter().map(|record| record.run_id.0));
        match page.next {
            Some(next) => after = Some(Position::from_bytes(&next.to_bytes()).unwrap()),
            None => return runs,
        }
    }
}

/// The same list from the model: open ones by start, then closed ones by close, the newest first, equal times by run.
fn expected(model: &BTreeMap<u128, ExecutionRecord>, wanted: impl Fn(&ExecutionRecord) -> bool) -> Vec<u128> {
    let mut records: Vec<_> = model.values().filter(|record| wanted(record)).collect();
    records.sort_by_key(|record| {
        let time = record.close_time_ns.unwrap_or(record.start_time_ns);
        (!record.status.is_open(), !time, record.run_id)
    });
    records.iter().map(|record| record.run_id.0).collect()
}

/// Some of three terms.
fn terms(random: &mut Random) -> Vec<String> {
    let some = random.below(8);
    let terms = (0..3).filter(|term| some & 1 << term != 0);
    terms.map(|term| format!("t{term}")).collect()
}

#[test]
fn lists_and_counts_follow_every_change() {
    let mut bench = Bench::new();
    let mut random = Random(42);
    let mut model: BTreeMap<u128, ExecutionRecord> = BTreeMap::new();
    for step in 0..600u64 {
        let closed_one = model
            .values()
            .filter(|r| r.status.is_open())
            .nth(random.below(10) as usize)
            .cloned();
        match (random.below(10), closed_one) {
            (0..=2, Some(mut record)) => {
                let status = Status::ALL[1 + random.below(6) as usize];
                close(&mut record, status, 1000 + random.below(50));
                bench.write(vec![put(&record)]);
                model.insert(record.run_id.0, record);
            }
            (3, Some(record)) => {
                bench.write(vec![Change::DeleteExecution(record.key())]);
                model.remove(&record.run_id.0);
            }
            (4, Some(mut record)) => {
                record.state = vec![0; step as usize];
                record.terms = terms(&mut random);
                bench.write(vec![put(&record)]);
                model.insert(record.run_id.0, record);
            }
            _ => {
                // Ids that are open already would be refused, so each is used once at a time.
                let free = (0..40).find(|id| {
                    let id = format!("id{id}");
                    !model
                        .values()
                        .any(|record| record.workflow_id == id && record.status.is_open())
                });
                let Some(id) = free else { continue };
                let mut record = execution(&format!("id{id}"), u128::from(random.next()), random.below(50));
                record.workflow_type = format!("Type{}", random.below(3));
                record.terms = terms(&mut random);
                bench.write(vec![put(&record)]);
                model.insert(record.run_id.0, record);
            }
        }
    }
    assert!(model.len() > 100 && model.values().filter(|record| record.status.is_open()).count() > 5);

    let store = &bench.store;
    let any = |_: &ExecutionRecord| true;
    assert_eq!(
        pages(store, &Filter::all(NS), PAGE, any),
        expected(&model, |_| true)
    );
    for status in Status::ALL {
        let filter = Filter {
            statuses: vec![status],
            ..Filter::all(NS)
        };
        let wanted = expected(&model, |record| record.status == status);
        assert_eq!(
            store.read().unwrap().count(NS, &Group::All, status).unwrap(),
            wanted.len() as u64,
            "{status}"
        );
        assert_eq!(pages(store, &filter, PAGE, any), wanted);
        for name in ["Type0", "Type1", "Type2", "none"] {
            let group = Group::WorkflowType(name.to_owned());
            let wanted = expected(&model, |record| {
                record.status == status && record.workflow_type == name
            });
            assert_eq!(
                store.read().unwrap().count(NS, &group, status).unwrap(),
                wanted.len() as u64
            );
            assert_eq!(
                pages(
                    store,
                    &Filter {
                        group,
                        ..filter.clone()
                    },
                    PAGE,
                    any
                ),
                wanted
            );
        }
    }
    for id in ["id0", "id1", "id10", "id"] {
        let group = Group::WorkflowId(id.to_owned());
        let wanted = expected(&model, |record| record.workflow_id == id);
        let counts = Status::ALL.map(|status| store.read().unwrap().count(NS, &group, status).unwrap());
        assert_eq!(counts.iter().sum::<u64>(), wanted.len() as u64);
        assert_eq!(
            pages(
                store,
                &Filter {
                    group,
                    ..Filter::all(NS)
                },
                PAGE,
                any
            ),
            wanted
        );
    }
    for names in [
        vec!["t0"],
        vec!["t1"],
        vec!["t0", "t2"],
        vec!["t2", "t1", "t0"],
        vec!["t"],
    ] {
        let terms: Vec<_> = names.into_iter().map(str::to_owned).collect();
        let wanted = expected(&model, |record| {
            record.terms.iter().any(|term| terms.contains(term))
        });
        let group = Group::Terms(terms);
        let counts = Status::ALL.map(|status| store.read().unwrap().count(NS, &group, status).unwrap());
        assert_eq!(counts.iter().sum::<u64>(), wanted.len() as u64);
        let filter = Filter {
            group,
            ..Filter::all(NS)
        };
        assert_eq!(pages(store, &filter, PAGE, any), wanted);
    }
    let bounded = Filter {
        open_from_ns: 30,
        closed_from_ns: 1020,
        ..Filter::all(NS)
    };
    let wanted = expected(&model, |r| match r.close_time_ns {
        Some(time) => time >= 1020,
        None => r.start_time_ns >= 30,
    });
    assert_eq!(pages(store, &bounded, PAGE, any), wanted);
    assert_eq!(pages(store, &Filter::all(NamespaceId(2)), PAGE, any), []);

    // A closure that takes few reads no more than it may, and loses nothing.
    let few = |record: &ExecutionRecord| record.run_id.0.is_multiple_of(5);
    let wanted = expected(&model, few);
    assert_eq!(
        pages(
            store,
            &Filter::all(NS),
            Limit {
                executions: 3,
                examined: 4
            },
            few
        ),
        wanted
    );
    let mut examined = 0;
    let read = store.read().unwrap();
    let count = |_: &ExecutionRecord| {
        examined += 1;
        false
    };
    let page = read
        .list(
            &Filter::all(NS),
            None,
            Limit {
                executions: 3,
                examined: 4,
            },
            count,
        )
        .unwrap();
    assert!(page.executions.is_empty() && page.next.is_some());
    assert_eq!(examined, 4);

    // What is open is what a restart finds.
    let open: BTreeSet<u128> = read
        .open_executions()
        .unwrap()
        .map(|record| record.unwrap().run_id.0)
        .collect();
    assert_eq!(
        open,
        expected(&model, |record| record.status.is_open())
            .into_iter()
            .collect()
    );

    // When all are gone, so are the counts.
    for record in model.values() {
        bench.write(vec![Change::DeleteExecution(record.key())]);
    }
    let read = bench.store.read().unwrap();
    for status in Status::ALL {
        assert_eq!(read.count(NS, &Group::All, status).unwrap(), 0);
    }
}

#[test]
fn paging_beside_writes_leaves_out_nothing_that_was_there_all_the_time() {
    let mut bench = Bench::new();
    let mut random = Random(7);
    let mut records: Vec<_> = (0..200)
        .map(|n| execution(&format!("w{n}"), n, 1000 + n as u64))
        .collect();
    for record in &mut records {
        bench.write(vec![put(record)]);
        if record.run_id.0 % 3 == 0 {
            close(record, Status::Completed, 5000 + record.run_id.0 as u64);
            bench.write(vec![put(record)]);
        }
    }
    let mut seen = BTreeSet::new();
    let mut after = None;
    let mut next_run = 1000;
    let mut closed_at = 10_000;
    loop {
        let page = bench
            .store
            .read()
            .unwrap()
            .list(&Filter::all(NS), after, PAGE, |_| true)
            .unwrap();
        seen.extend(page.executions.iter().map(|record| record.run_id.0));
        let Some(next) = page.next else { break };
        after = Some(next);
        // Between the pages executions start and close.
        let new = execution(&format!("w{next_run}"), next_run, 1000 + random.below(300));
        next_run += 1;
        let victim = random.below(200) as usize;
        bench.write(vec![put(&new)]);
        if records[victim].status.is_open() {
            closed_at += 1;
            close(&mut records[victim], Status::Failed, closed_at);
            bench.write(vec![put(&records[victim])]);
        }
    }
    assert!(next_run > 1010);
    let missing: Vec<_> = (0..200).filter(|run| !seen.contains(run)).collect();
    assert_eq!(missing, [0; 0]);
}

#[test]
fn a_page_token_that_we_did_not_make_is_refused() {
    for bytes in [
        &[][..],
        &[1],
        &[1, 2, 3],
        &[2; 26],
        &[1; 25],
        &[1; 27],
        b"garbage",
    ] {
        assert!(
            matches!(Position::from_bytes(bytes), Err(ReadError::BadPosition)),
            "{bytes:?}"
        );
    }
    assert!(Position::from_bytes(&[1; 26]).is_ok());
    assert_eq!(RunId(1).to_string(), "00000000-0000-0000-0000-000000000001");
    assert!("no uuid".parse::<RunId>().is_err());
}
