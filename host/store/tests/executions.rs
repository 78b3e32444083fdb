//! Executions and what belongs to one, written and read back.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Bench, NS, append, close, events, execution, put, row};
use longhaul_store::{
    Change, Clock, Current, ExecutionRecord, NamespaceId, Parked, Pending, RowKey, RunId, Status, TimerKey,
};

#[test]
fn a_record_comes_back_as_it_was() {
    let mut bench = Bench::new();
    let plain = execution("plain", 1, 10);
    let mut full = ExecutionRecord {
        workflow_id: "ümläut/with \0 and 日本".to_owned(),
        parked: Some(Parked {
            attempt: 3,
            reason: "trap".to_owned(),
            since_ns: 4,
            next_attempt_ns: 5,
        }),
        memo: (0..=255).collect(),
        search_attributes: vec![0; 100_000],
        terms: vec!["City\0Rome".into(), "Size\0L".into()],
        execution_time_ns: u64::MAX,
        first_run_id: RunId(u128::MAX),
        state: Vec::new(),
        ..execution("", u128::MAX, u64::MAX)
    };
    bench.write(vec![put(&plain), put(&full)]);
    let read = bench.store.read().unwrap();
    assert_eq!(read.execution(NS, "plain", RunId(1)).unwrap().unwrap(), plain);
    assert_eq!(
        read.current_execution(NS, &full.workflow_id).unwrap().unwrap(),
        full
    );
    assert_eq!(read.execution(NS, "plain", RunId(2)).unwrap(), None);
    assert_eq!(read.execution(NamespaceId(2), "plain", RunId(1)).unwrap(), None);

    close(&mut full, Status::TimedOut, 0);
    bench.write(vec![put(&full)]);
    // The older snapshot still sees what was.
    assert_eq!(
        read.current(NS, &full.workflow_id).unwrap().unwrap().status,
        Status::Running
    );
    let read = bench.store.read().unwrap();
    assert_eq!(
        read.current_execution(NS, &full.workflow_id).unwrap().unwrap(),
        full
    );
}

#[test]
fn history_is_read_from_any_event_and_backwards() {
    let mut bench = Bench::new();
    let (mut a, mut b) = (execution("a", 1, 10), execution("b", 2, 10));
    for (record, count, bytes) in [
        (0, 3, "a1"),
        (1, 1, "b1"),
        (0, 2, "a2"),
        (1, 4, "b2"),
        (0, 1, "a3"),
    ] {
        let record = if record == 0 { &mut a } else { &mut b };
        let change = append(record, count, bytes.as_bytes());
        bench.write(vec![change, put(record)]);
    }
    let read = bench.store.read().unwrap();
    let all = [
        (1, 3, b"a1".to_vec()),
        (4, 2, b"a2".to_vec()),
        (6, 1, b"a3".to_vec()),
    ];
    assert_eq!(events(&read, 1, 0), all);
    assert_eq!(
        events(&read, 1, 3),
        all,
        "the batch that holds event 3 begins before it"
    );
    assert_eq!(events(&read, 1, 4), all[1..]);
    assert_eq!(events(&read, 1, 5), all[1..]);
    assert_eq!(events(&read, 1, 6), all[2..]);
    assert_eq!(
        events(&read, 2, 1),
        [(1, 1, b"b1".to_vec()), (2, 4, b"b2".to_vec())]
    );
    assert_eq!(events(&read, 3, 1), []);
    let last = read.last_events(NS, RunId(1)).unwrap().unwrap();
    assert_eq!((last.first_event_id, last.end_event_id()), (6, 7));
    let backwards: Vec<u64> = read
        .events(NS, RunId(2), 1)
        .unwrap()
        .rev()
        .map(|batch| batch.unwrap().first_event_id)
        .collect();
    assert_eq!(backwards, [2, 1]);
}

#[test]
fn a_run_is_read_whole_however_much_of_others_lies_between_its_batches() {
    let mut bench = Bench::new();
    let (mut a, mut other) = (execution("a", 1, 10), execution("other", 2, 10));
    let (mut written, mut of_other) = (Vec::new(), 0);
    // Neighbours, near ones that are stepped to, far ones that are looked up, and neighbours again.
    for gap in [0, 0, 1, 7, 8, 9, 10, 40, 0, 8, 9, 0] {
        for _ in 0..gap {
            let change = append(&mut other, 1, b"other");
            bench.write(vec![change, put(&other)]);
            of_other += 1;
        }
        let bytes = format!("behind {gap}").into_bytes();
        written.push((a.next_event_id, 2, bytes.clone()));
        let change = append(&mut a, 2, &bytes);
        bench.write(vec![change, put(&a)]);
    }
    let read = bench.store.read().unwrap();
    assert_eq!(events(&read, 1, 1), written);
    assert_eq!(events(&read, 2, 1).len(), of_other);
    let backwards: Vec<_> = read
        .events(NS, RunId(1), 1)
        .unwrap()
        .rev()
        .map(|b| b.unwrap().bytes)
        .collect();
    let forwards: Vec<_> = written.iter().rev().map(|(_, _, bytes)| bytes.clone()).collect();
    assert_eq!(backwards, forwards);
    // From both ends at once.
    let mut both = read.events(NS, RunId(1), 1).unwrap();
    let mut met = Vec::new();
    while let Some(front) = both.next() {
        met.push(front.unwrap().bytes);
        if let Some(back) = both.next_back() {
            met.push(back.unwrap().bytes);
        }
    }
    assert_eq!(met.len(), written.len());
    for (_, _, bytes) in &written {
        assert!(met.contains(bytes));
    }
}

#[test]
fn pending_work_is_found_by_run_and_as_a_whole() {
    let mut bench = Bench::new();
    let key = |run, order| RowKey {
        namespace: NS,
        run_id: RunId(run),
        order,
    };
    for pending in Pending::ALL {
        let changes = [(2, 1), (1, 300), (1, 2)].map(|(run, order)| {
            Change::PutPending(
                pending,
                key(run, order),
                row("w", format!("{pending:?} {run} {order}").as_bytes()),
            )
        });
        bench.write(changes.into());
    }
    let read = bench.store.read().unwrap();
    for pending in Pending::ALL {
        let all: Vec<_> = read.pending(pending).unwrap().map(|row| row.unwrap().0).collect();
        assert_eq!(all, [key(1, 2), key(1, 300), key(2, 1)]);
        let of_run: Vec<_> = read
            .pending_of(pending, NS, RunId(1))
            .unwrap()
            .map(|row| row.unwrap())
            .collect();
        assert_eq!(
            of_run[1],
            (key(1, 300), row("w", format!("{pending:?} 1 300").as_bytes()))
        );
    }
    let timer = |due_ns, run, id| TimerKey {
        namespace: NS,
        due_ns,
        run_id: RunId(run),
        kind: 1,
        id,
    };
    let timers = [timer(500, 1, 1), timer(5, 2, 9), timer(500, 1, 0)];
    bench.write(
        timers
            .iter()
            .map(|key| Change::PutTimer(*key, row("w", b"t")))
            .collect(),
    );
    let due = |bench: &Bench| -> Vec<TimerKey> {
        bench
            .store
            .read()
            .unwrap()
            .timers()
            .unwrap()
            .map(|timer| timer.unwrap().0)
            .collect()
    };
    assert_eq!(due(&bench), [timer(5, 2, 9), timer(500, 1, 0), timer(500, 1, 1)]);
    // To delete what is not there changes nothing.
    bench.write(vec![
        Change::DeleteTimer(timer(5, 2, 9)),
        Change::DeleteTimer(timer(5, 2, 9)),
        Change::DeletePending(Pending::Outbox, key(1, 2)),
        Change::DeletePending(Pending::Outbox, key(7, 7)),
    ]);
    assert_eq!(due(&bench), [timer(500, 1, 0), timer(500, 1, 1)]);
    assert_eq!(
        bench
            .store
            .read()
            .unwrap()
            .pending(Pending::Outbox)
            .unwrap()
            .count(),
        2
    );
}

#[test]
fn the_current_run_is_the_one_started_last() {
    let mut bench = Bench::new();
    let mut first = execution("w", 9, 10);
    bench.write(vec![put(&first)]);
    let current = |bench: &Bench| bench.store.read().unwrap().current(NS, "w").unwrap();
    assert_eq!(
        current(&bench),
        Some(Current {
            run_id: RunId(9),
            status: Status::Running
        })
    );
    close(&mut first, Status::ContinuedAsNew, 20);
    // One transition closes a run and opens the next.
    let mut second = execution("w", 3, 20);
    bench.write(vec![put(&first), put(&second)]);
    assert_eq!(
        current(&bench),
        Some(Current {
            run_id: RunId(3),
            status: Status::Running
        })
    );
    close(&mut second, Status::Completed, 30);
    bench.write(vec![put(&second)]);
    assert_eq!(
        current(&bench),
        Some(Current {
            run_id: RunId(3),
            status: Status::Completed
        })
    );
    // An older run that changes stays an older run, and to delete it changes nothing for the newer.
    first.state = vec![9];
    bench.write(vec![put(&first)]);
    assert_eq!(
        current(&bench),
        Some(Current {
            run_id: RunId(3),
            status: Status::Completed
        })
    );
    bench.write(vec![Change::DeleteExecution(first.key())]);
    assert_eq!(
        current(&bench),
        Some(Current {
            run_id: RunId(3),
            status: Status::Completed
        })
    );
    bench.write(vec![Change::DeleteExecution(second.key())]);
    assert_eq!(current(&bench), None);
}

#[test]
fn the_clock_never_goes_back() {
    let mut bench = Bench::new();
    let mut record = execution("w", 1, 1000);
    let first = append(&mut record, 5, b"x");
    bench.write(vec![Change::SetSkipped(50), first]);
    assert_eq!(
        bench.store.read().unwrap().clock().unwrap(),
        Clock {
            skipped_ns: 50,
            last_event_time_ns: 1001
        }
    );
    record.start_time_ns = 0;
    let second = append(&mut record, 1, b"y");
    bench.write(vec![Change::SetSkipped(20), second]);
    assert_eq!(
        bench.store.read().unwrap().clock().unwrap(),
        Clock {
            skipped_ns: 50,
            last_event_time_ns: 1001
        }
    );
}
