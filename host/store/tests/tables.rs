//! Every record written and read back, and deletion.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use common::{Bench, NS, append, close, execution, put};
use longhaul_store::{
    Change, Clock, Current, ExecutionRecord, ModuleRecord, NamespaceId, NamespaceRecord, Options, Parked,
    Pending, Row, RowKey, RunId, Seen, SeenKey, Snapshot, Status, Store, TaskQueueKey, TimerKey,
    TypeDescription, faults::FaultyDisk,
};
use redb::{Database, StorageBackend, TableDefinition};

fn row(workflow_id: &str, body: &[u8]) -> Row {
    Row {
        workflow_id: workflow_id.to_owned(),
        body: body.to_vec(),
    }
}

fn events(read: &Snapshot, run: u128, from: u64) -> Vec<(u64, u32, Vec<u8>)> {
    let events = read.events(NS, RunId(run), from).unwrap();
    events
        .map(|batch| batch.unwrap())
        .map(|batch| (batch.first_event_id, batch.count, batch.bytes))
        .collect()
}

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

fn module(name: &str, version: u32, digest: u8, workflows: &[&str], activities: &[&str]) -> ModuleRecord {
    let types = |names: &[&str]| {
        let describe = |name: &&str| TypeDescription {
            name: (*name).to_owned(),
            description: name.as_bytes().to_vec(),
        };
        names.iter().map(describe).collect()
    };
    ModuleRecord {
        namespace: NS,
        name: name.to_owned(),
        version,
        digest: [digest; 32],
        size: 3,
        queue: "q".to_owned(),
        uploaded_at_ns: 5,
        workflow_types: types(workflows),
        activity_types: types(activities),
        config: "fuel = 1".to_owned(),
        extra: vec![1],
    }
}

fn put_module(record: &ModuleRecord, component: &[u8]) -> Change {
    Change::PutModule {
        record: Box::new(record.clone()),
        component: component.to_vec(),
    }
}

#[test]
fn modules_own_their_types_and_share_components() {
    let mut bench = Bench::new();
    let one = module("orders", 1, 1, &["Order", "Old"], &["ship"]);
    let two = module("orders", 2, 1, &["Order"], &["ship", "bill"]);
    bench.write(vec![put_module(&one, b"abc")]);
    // The same bytes again need not be sent again.
    bench.write(vec![put_module(&two, b"")]);
    let read = bench.store.read().unwrap();
    assert_eq!(read.module(NS, "orders", 1).unwrap().unwrap(), one);
    assert_eq!(
        read.module_versions(NS, "orders").unwrap(),
        [one.clone(), two.clone()]
    );
    assert_eq!(read.modules().unwrap().len(), 2);
    assert_eq!(read.component(&[1; 32]).unwrap().unwrap(), b"abc");
    assert_eq!(
        read.workflow_type_owner(NS, "Order").unwrap().as_deref(),
        Some("orders")
    );
    assert_eq!(
        read.activity_type_owner(NS, "q", "bill").unwrap().as_deref(),
        Some("orders")
    );
    assert_eq!(read.activity_type_owner(NS, "other", "bill").unwrap(), None);

    let error = bench.refused(vec![put_module(&module("thief", 1, 2, &["Order"], &[]), b"x")]);
    assert!(
        error.contains(r#"the type "Order" belongs to module "orders", so module "thief" cannot define it"#)
    );
    let error = bench.refused(vec![put_module(&module("thief", 1, 2, &[], &["ship"]), b"x")]);
    assert!(
        error.contains(r#"the type "ship" belongs to module "orders""#),
        "{error}"
    );
    assert!(
        bench
            .refused(vec![put_module(&two, b"")])
            .contains("has a version 2 already")
    );
    assert_eq!(
        bench.store.read().unwrap().component(&[2; 32]).unwrap(),
        None,
        "a refused module leaves nothing"
    );

    let remove = |version| Change::RemoveModule {
        namespace: NS,
        name: "orders".to_owned(),
        version,
    };
    bench.write(vec![remove(1)]);
    let read = bench.store.read().unwrap();
    assert_eq!(read.workflow_type_owner(NS, "Old").unwrap(), None);
    assert_eq!(
        read.workflow_type_owner(NS, "Order").unwrap().as_deref(),
        Some("orders")
    );
    assert!(
        read.component(&[1; 32]).unwrap().is_some(),
        "version 2 still has it"
    );
    bench.write(vec![remove(2), remove(2)]);
    let read = bench.store.read().unwrap();
    assert_eq!(read.workflow_type_owner(NS, "Order").unwrap(), None);
    assert_eq!(read.activity_type_owner(NS, "q", "ship").unwrap(), None);
    assert_eq!(read.component(&[1; 32]).unwrap(), None);
    assert!(read.modules().unwrap().is_empty());
}

#[test]
fn a_database_has_the_namespace_default() {
    let mut bench = Bench::new();
    let default = bench.store.read().unwrap().namespace("default").unwrap().unwrap();
    assert_eq!(
        (default.id, default.retention_s),
        (NamespaceId::DEFAULT, 3 * 86_400)
    );
    assert_ne!(default.uuid, bench.store.identity().id);
    let other = NamespaceRecord {
        name: "other".to_owned(),
        id: NamespaceId(2),
        uuid: 5,
        retention_s: 1,
        created_at_ns: 2,
    };
    bench.write(vec![Change::PutNamespace(other.clone())]);
    assert_eq!(
        bench.store.read().unwrap().namespaces().unwrap(),
        [default.clone(), other.clone()]
    );
    let changed = NamespaceRecord {
        retention_s: 9,
        ..other.clone()
    };
    bench.write(vec![Change::PutNamespace(changed.clone())]);
    assert_eq!(
        bench.store.read().unwrap().namespace("other").unwrap(),
        Some(changed)
    );
    let thief = NamespaceRecord {
        name: "thief".to_owned(),
        ..other
    };
    assert!(
        bench
            .refused(vec![Change::PutNamespace(thief)])
            .contains("the name or the number is taken")
    );
}

#[test]
fn what_is_set_for_a_task_queue_comes_back_until_it_is_forgotten() {
    const TABLE: TableDefinition<'_, (u32, u8, &str), &[u8]> = TableDefinition::new("task_queues_v1");
    let queue = |namespace, kind, name: &str| TaskQueueKey {
        namespace: NamespaceId(namespace),
        kind,
        name: name.to_owned(),
    };
    let disk = FaultyDisk::new();
    drop(common::open(&disk));
    // A server of before did not have the table.
    let database = Database::builder().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(transaction.delete_table(TABLE).unwrap());
    transaction.commit().unwrap();
    drop(database);
    let mut bench = Bench::on(common::open(&disk));
    let read = |bench: &Bench| bench.store.read().unwrap().task_queues().unwrap();
    assert_eq!(read(&bench), []);
    let put = |queue, body: &[u8]| Change::PutTaskQueue(queue, body.to_vec());
    bench.write(vec![
        put(queue(1, 2, "orders"), b"first"),
        put(queue(1, 1, "orders"), b""),
        put(queue(2, 2, "orders"), b"other"),
        put(queue(1, 2, "orders"), b"second"),
        put(queue(1, 2, ""), b"unnamed"),
    ]);
    let mut expected = vec![
        (queue(1, 1, "orders"), b"".to_vec()),
        (queue(1, 2, ""), b"unnamed".to_vec()),
        (queue(1, 2, "orders"), b"second".to_vec()),
        (queue(2, 2, "orders"), b"other".to_vec()),
    ];
    assert_eq!(read(&bench), expected);
    bench.write(vec![
        Change::DeleteTaskQueue(queue(1, 2, "orders")),
        Change::DeleteTaskQueue(queue(1, 2, "nobody's")),
    ]);
    drop(bench);
    expected.remove(2);
    assert_eq!(read(&Bench::on(common::open(&disk))), expected);
}
