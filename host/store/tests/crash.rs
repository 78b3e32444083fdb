//! The power is cut at every sync of a random workload: what was acknowledged is there, and nothing is there in part.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NS, Random, append, close, execution, open, options, put, register};
use longhaul_store::{
    Change, ExecutionRecord, Filter, Group, Limit, NamespaceId, Pending, Row, RowKey, RunId, Status, Store,
    Transition, WriteError,
    faults::{FaultyDisk, Loss},
};

/// The executions of a workload. Every transition also replaces one row that says how many there were.
struct Workload {
    random: Random,
    records: Vec<ExecutionRecord>,
    transitions: u64,
}

const MARK: RowKey = RowKey {
    namespace: NamespaceId::DEFAULT,
    run_id: RunId(0),
    order: 0,
};

impl Workload {
    fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            records: Vec::new(),
            transitions: 0,
        }
    }

    fn next(&mut self) -> Transition {
        self.transitions += 1;
        let mark = Row {
            workflow_id: String::new(),
            body: self.transitions.to_le_bytes().to_vec(),
        };
        let mut changes = vec![Change::PutPending(Pending::Outbox, MARK, mark)];
        let choice = self.random.below(8);
        let pick = self.random.next() as usize;
        let open = self
            .records
            .iter()
            .filter(|record| record.status.is_open())
            .count();
        if choice < 2 || open == 0 {
            let run = self.records.len() as u128 + 1;
            self.records
                .push(execution(&format!("w{run}"), run, self.transitions));
            changes.push(put(&self.records[run as usize - 1]));
        } else {
            // There is an open one, as counted above.
            let record = self
                .records
                .iter_mut()
                .filter(|record| record.status.is_open())
                .nth(pick % open)
                .unwrap();
            let bytes = vec![self.transitions as u8; self.random.below(3000) as usize];
            changes.push(append(record, 1 + self.random.below(3) as u32, &bytes));
            if choice == 7 {
                close(record, Status::Completed, self.transitions);
            }
            changes.push(put(record));
        }
        Transition::new(changes)
    }
}

/// How many transitions the store holds, by its mark; every invariant between its tables is checked on the way.
fn check(store: &Store) -> u64 {
    let read = store.read().unwrap();
    let mut counts = [0; 8];
    let limit = Limit {
        executions: 100_000,
        examined: 100_000,
    };
    for record in read
        .list(&Filter::all(NS), None, limit, |_| true)
        .unwrap()
        .executions
    {
        counts[record.status as usize] += 1;
        let (mut next, mut bytes) = (1, 0);
        for batch in read.events(NS, record.run_id, 1).unwrap() {
            let batch = batch.unwrap();
            assert_eq!(batch.first_event_id, next, "the history has no gap");
            next = batch.end_event_id();
            bytes += batch.bytes.len() as u64;
        }
        assert_eq!(
            (next, bytes),
            (record.next_event_id, record.history_bytes),
            "row and history are of one transition"
        );
        let current = read.current(NS, &record.workflow_id).unwrap().unwrap();
        assert_eq!((current.run_id, current.status), (record.run_id, record.status));
    }
    for status in Status::ALL {
        assert_eq!(
            read.count(NS, &Group::All, status).unwrap(),
            counts[status as usize]
        );
    }
    let mark = read.pending_of(Pending::Outbox, NS, RunId(0)).unwrap().next();
    mark.map_or(0, |row| {
        u64::from_le_bytes(row.unwrap().1.body.try_into().unwrap())
    })
}

/// Runs a workload until the power goes at a sync, or to its end; returns how many transitions were acknowledged and how many were
/// handed over, and whether the power went.
fn run(disk: &FaultyDisk, seed: u64, groups: u64) -> (u64, u64, bool) {
    // While the power goes before the store is open there is nothing to acknowledge.
    let Ok(store) = Store::open_with_backend(options(), disk.clone()) else {
        return (0, 0, true);
    };
    let writer = store.inline_writer().unwrap();
    let (mut submitter, notices) = register(&writer);
    let mut workload = Workload::new(seed);
    let mut acknowledged = 0;
    for _ in 0..groups {
        for _ in 0..1 + workload.random.below(5) {
            submitter.submit(workload.next()).unwrap();
        }
        writer.pump();
        if let Some(error) = store.health().error() {
            assert!(matches!(error, WriteError::ReadOnly { .. }), "{error}");
            return (acknowledged, workload.transitions, true);
        }
        acknowledged = notices.durable();
    }
    assert_eq!(check(&store), workload.transitions);
    (acknowledged, workload.transitions, false)
}

fn crash_everywhere(seed: u64, loss: impl Fn(u64) -> Loss) {
    const GROUPS: u64 = 12;
    let new = FaultyDisk::new();
    drop(open(&new));
    let new = new.crash(Loss::All);
    let mut cut = 1;
    loop {
        let disk = new.crash(Loss::All);
        disk.cut_power_at_sync(cut);
        let (acknowledged, submitted, power_went) = run(&disk, seed, GROUPS);
        let store = open(&disk.crash(loss(cut)));
        let found = check(&store);
        assert!(
            found >= acknowledged && found <= submitted,
            "seed {seed}, power cut at sync {cut}: {acknowledged} acknowledged, {found} found, {submitted} submitted"
        );
        // It goes on where it is.
        let writer = store.inline_writer().unwrap();
        let (mut submitter, notices) = register(&writer);
        submitter
            .submit(Transition::new(vec![put(&execution("after", 1 << 64, 9))]))
            .unwrap();
        writer.pump();
        assert_eq!(notices.durable(), 1);
        check(&store);
        if !power_went {
            assert!(cut > 2 * GROUPS, "every commit was hit");
            return;
        }
        cut += 1;
    }
}

#[test]
fn a_power_cut_at_any_sync_loses_nothing_that_was_acknowledged() {
    for seed in 0..4 {
        crash_everywhere(seed, |_| Loss::All);
    }
}

#[test]
fn a_power_cut_that_keeps_any_part_of_what_was_not_synced_loses_nothing_either() {
    for seed in 4..8 {
        crash_everywhere(seed, |cut| Loss::Some {
            seed: seed * 1000 + cut,
        });
    }
}

#[test]
fn a_reopening_after_a_crash_needs_no_full_repair() {
    let disk = FaultyDisk::new();
    drop(open(&disk));
    let (acknowledged, _, _) = run(&disk, 1, 30);
    // A process that is killed leaves what it had written; a store that is forgotten is never closed.
    let crashed = {
        let store = open(&disk);
        let writer = store.inline_writer().unwrap();
        let (mut submitter, notices) = register(&writer);
        submitter
            .submit(Transition::new(vec![put(&execution("last", 1 << 64, 9))]))
            .unwrap();
        writer.pump();
        assert_eq!(notices.durable(), 1);
        disk.crash(Loss::All)
    };
    // A full repair would write what it finds; the quick one finds it written.
    let store = open(&crashed);
    assert!(store.stats().syncs <= 2, "{:?}", store.stats());
    assert_eq!(check(&store), acknowledged);
}
