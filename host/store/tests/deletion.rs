//! What is left of an execution when it is deleted, and how the oldest are found.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use common::{Bench, NS, append, close, events, execution, put, row};
use longhaul_store::{
    Change, ExecutionRecord, Options, Pending, RowKey, RunId, Seen, SeenKey, Status, Store,
    faults::FaultyDisk,
};
use redb::StorageBackend;

// E9: after retention everything of an execution is gone.
#[test]
fn deletion_leaves_nothing_of_a_run_and_all_of_the_others() {
    let mut bench = Bench::new();
    // Neighbours on every side: the runs before and after, and the greatest.
    let mut records: Vec<_> = [4, 5, 6, u128::MAX]
        .map(|run| execution(&format!("w{}", run % 2), run, 10))
        .into();
    for record in &mut records {
        let run_id = record.run_id;
        let mut changes = vec![append(record, 2, b"one"), append(record, 1, b"two")];
        close(record, Status::Completed, 20);
        changes.push(put(record));
        for order in 0..3 {
            changes.push(Change::PutRequest {
                namespace: NS,
                run_id,
                request_id: format!("r{order}"),
                body: vec![order],
            });
            let key = SeenKey {
                namespace: NS,
                workflow_id: record.workflow_id.clone(),
                sender_run_id: run_id,
                order: order.into(),
            };
            changes.push(Change::PutSeen(
                key,
                Seen {
                    receiver_run_id: run_id,
                    body: vec![order],
                },
            ));
            for pending in Pending::ALL {
                let key = RowKey {
                    namespace: NS,
                    run_id,
                    order: order.into(),
                };
                changes.push(Change::PutPending(
                    pending,
                    key,
                    row(&record.workflow_id, &[order]),
                ));
            }
        }
        bench.write(changes);
    }
    let has = |bench: &Bench, record: &ExecutionRecord| {
        let read = bench.store.read().unwrap();
        let seen = |order| SeenKey {
            namespace: NS,
            workflow_id: record.workflow_id.clone(),
            sender_run_id: record.run_id,
            order,
        };
        let pending = Pending::ALL
            .iter()
            .map(|p| read.pending_of(*p, NS, record.run_id).unwrap().count())
            .sum::<usize>();
        (
            read.execution(NS, &record.workflow_id, record.run_id)
                .unwrap()
                .is_some(),
            read.events(NS, record.run_id, 1).unwrap().count(),
            read.requests(NS, record.run_id).unwrap().len(),
            (0..3)
                .filter(|order| read.seen(&seen(*order)).unwrap().is_some())
                .count(),
            pending,
        )
    };
    for gone in [1, 3] {
        bench.write(vec![Change::DeleteExecution(records[gone].key())]);
        // Of pending work only the outbox stays: what was sent is still delivered.
        assert_eq!(has(&bench, &records[gone]), (false, 0, 0, 0, 3));
    }
    for kept in [0, 2] {
        assert_eq!(has(&bench, &records[kept]), (true, 2, 3, 3, 12));
    }
    // Twice is once.
    bench.write(vec![Change::DeleteExecution(records[1].key())]);
    assert_eq!(
        bench
            .store
            .read()
            .unwrap()
            .request(NS, RunId(4), "r2")
            .unwrap()
            .unwrap(),
        [2]
    );
}

/// A disk that counts what is read of it.
#[derive(Debug, Clone, Default)]
struct CountingDisk {
    disk: FaultyDisk,
    reads: Arc<AtomicU64>,
}

impl StorageBackend for CountingDisk {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(offset, data)
    }
}

// E9
#[test]
fn a_deletion_costs_by_what_the_run_has_taken_and_not_by_what_others_of_its_id_have() {
    let reads = |letters_to_others: u64| {
        let disk = CountingDisk::default();
        let options = Options {
            // Every page is read from the disk.
            cache_size_bytes: 0,
            ..common::options()
        };
        let mut bench = Bench::on(Store::open_with_backend(options, disk.clone()).unwrap());
        for (run, letters) in [(1, 3), (2, letters_to_others)] {
            let mut record = execution("w", run, 1);
            let mut changes = vec![append(&mut record, 1, b"event")];
            close(&mut record, Status::Completed, 2);
            changes.push(put(&record));
            for order in 0..letters {
                let key = SeenKey {
                    namespace: NS,
                    workflow_id: "w".into(),
                    sender_run_id: RunId(100 + run),
                    order,
                };
                let seen = Seen {
                    receiver_run_id: RunId(run),
                    body: b"answer".to_vec(),
                };
                changes.push(Change::PutSeen(key, seen));
            }
            bench.write(changes);
        }
        let before = disk.reads.load(Ordering::Relaxed);
        bench.write(vec![Change::DeleteExecution(execution("w", 1, 1).key())]);
        disk.reads.load(Ordering::Relaxed) - before
    };
    let (few, many) = (reads(10), reads(40_000));
    assert!(few > 0, "nothing is read from memory");
    // The tables are deeper, and no more.
    assert!(
        many < few * 3,
        "{few} reads, and with many letters to others {many}"
    );
}

// E9
#[test]
fn a_long_history_is_deleted_in_steps_behind_its_row() {
    let mut bench = Bench::new();
    let mut record = execution("w", 5, 10);
    let mut other = execution("x", 6, 10);
    let mut changes = Vec::new();
    for number in 0..6 {
        changes.push(append(&mut record, 10, &[number]));
    }
    changes.extend([append(&mut other, 1, b"kept"), put(&other)]);
    close(&mut record, Status::Completed, 20);
    changes.push(put(&record));
    bench.write(changes);
    bench.write(vec![Change::DeleteExecutionRows(record.key())]);
    let read = bench.store.read().unwrap();
    assert_eq!(read.execution(NS, "w", RunId(5)).unwrap(), None);
    assert_eq!(read.current(NS, "w").unwrap(), None);
    assert_eq!(events(&read, 5, 1).len(), 6, "the history stays");
    let delete = |below| Change::DeleteEvents {
        namespace: NS,
        run_id: RunId(5),
        below,
    };
    // An append goes when its first event is below: never a part of one.
    for (below, left) in [(1, 6), (2, 5), (21, 4), (22, 3), (61, 0), (61, 0)] {
        bench.write(vec![delete(below)]);
        let read = bench.store.read().unwrap();
        assert_eq!(events(&read, 5, 1).len(), left, "below {below}");
    }
    assert_eq!(events(&bench.store.read().unwrap(), 6, 1).len(), 1);
}

// E9
#[test]
fn the_oldest_closed_executions_are_found_by_their_close() {
    let mut bench = Bench::new();
    let closed = [
        (Status::Completed, 30),
        (Status::Failed, 10),
        (Status::Terminated, 20),
        (Status::Completed, 40),
    ];
    for (run, (status, at)) in (1..).zip(closed) {
        let mut record = execution(&format!("w{at}"), run, 1);
        close(&mut record, status, at);
        bench.write(vec![put(&record)]);
    }
    bench.write(vec![put(&execution("open", 9, 1))]);
    let oldest = |until_ns, count| {
        let oldest = bench
            .store
            .read()
            .unwrap()
            .oldest_closed(NS, until_ns, count)
            .unwrap();
        let mut ids: Vec<_> = oldest.executions.into_iter().map(|key| key.workflow_id).collect();
        ids.sort();
        (ids, oldest.next_close_ns)
    };
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(oldest(9, 10), (ids(&[]), Some(10)));
    assert_eq!(oldest(20, 10), (ids(&["w10", "w20"]), Some(30)));
    assert_eq!(oldest(99, 10), (ids(&["w10", "w20", "w30", "w40"]), None));
    let (some, next) = oldest(99, 2);
    assert_eq!(some.len(), 2, "at most so many");
    assert!(next.is_some());
    assert_eq!(oldest(99, 0).0, ids(&[]));
}
