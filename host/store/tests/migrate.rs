//! A file of an older format is brought to the newest, whatever cuts the opening off.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Bench, NS, append, close, execution, open, options, put};
use longhaul_store::{
    Change, OpenError, RunId, Seen, SeenKey, Status, Store,
    faults::{FaultyDisk, Loss},
};
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTableMetadata, TableDefinition, TableError,
    WriteTransaction,
};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("longhaul_meta");
const SEEN: TableDefinition<'_, (u32, &str, u128, u64), &[u8]> = TableDefinition::new("outbox_seen_v1");
const BY_RUN: TableDefinition<'_, (u32, u128, u128, u64), ()> = TableDefinition::new("outbox_seen_by_run_v1");

const RUNS: [u128; 2] = [1, 2];
/// Letters that each of them has taken.
const LETTERS: u64 = 5;

fn seen_by(run: u128, order: u64) -> SeenKey {
    SeenKey {
        namespace: NS,
        workflow_id: "w".into(),
        sender_run_id: RunId(100 + run),
        order,
    }
}

/// The file by itself, without the store.
fn database(disk: &FaultyDisk) -> Database {
    Database::builder().create_with_backend(disk.clone()).unwrap()
}

fn write(disk: &FaultyDisk, change: impl FnOnce(&WriteTransaction)) {
    let database = database(disk);
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

/// A database as a server of the first format has left it: two closed runs, and what each has taken from others.
fn first_format() -> FaultyDisk {
    let disk = FaultyDisk::new();
    let mut bench = Bench::on(open(&disk));
    for run in RUNS {
        let mut record = execution("w", run, 1);
        let mut changes = vec![append(&mut record, 1, b"event")];
        close(&mut record, Status::Completed, 2);
        changes.push(put(&record));
        for order in 0..LETTERS {
            let seen = Seen {
                receiver_run_id: RunId(run),
                body: b"answer".to_vec(),
            };
            changes.push(Change::PutSeen(seen_by(run, order), seen));
        }
        bench.write(changes);
    }
    drop(bench);
    write(&disk, |transaction| {
        assert!(transaction.delete_table(BY_RUN).unwrap());
        let mut meta = transaction.open_table(META).unwrap();
        meta.insert("format", 1_u32.to_le_bytes().as_slice()).unwrap();
    });
    disk
}

/// The format of a file, and how many rows the table has that came with the second.
fn found(disk: &FaultyDisk) -> (u32, Option<u64>) {
    let count = |transaction: &ReadTransaction| match transaction.open_table(BY_RUN) {
        Ok(table) => Some(table.len().unwrap()),
        Err(TableError::TableDoesNotExist(_)) => None,
        Err(error) => panic!("{error}"),
    };
    let database = database(disk);
    let transaction = database.begin_read().unwrap();
    let format = transaction.open_table(META).unwrap().get("format").unwrap();
    let format = u32::from_le_bytes(format.unwrap().value().try_into().unwrap());
    (format, count(&transaction))
}

/// With a run goes what it has taken, and nothing else.
fn check(disk: &FaultyDisk) {
    let mut bench = Bench::on(open(disk));
    bench.write(vec![Change::DeleteExecution(execution("w", 1, 1).key())]);
    let read = bench.store.read().unwrap();
    for order in 0..LETTERS {
        assert_eq!(read.seen(&seen_by(1, order)).unwrap(), None);
        assert!(read.seen(&seen_by(2, order)).unwrap().is_some());
    }
    drop((read, bench));
    assert_eq!(found(disk), (2, Some(LETTERS)));
}

// B4, E9
#[test]
fn a_file_of_the_first_format_gets_what_the_second_has() {
    let disk = first_format();
    assert_eq!(found(&disk), (1, None));
    check(&disk);
}

// B4, E9
#[test]
fn a_migration_that_is_cut_off_leaves_the_old_format_or_the_new_one() {
    let old = first_format();
    for torn in [false, true] {
        let (mut cut, mut left) = (1, [0, 0]);
        loop {
            let disk = old.crash(Loss::All);
            disk.cut_power_at_sync(cut);
            // As far as it comes; also the closing may be cut off.
            drop(Store::open_with_backend(options(), disk.clone()));
            if disk.syncs() < cut {
                break;
            }
            let crashed = disk.crash(match torn {
                true => Loss::Some { seed: cut },
                false => Loss::All,
            });
            match found(&crashed.crash(Loss::All)) {
                (1, None) => left[0] += 1,
                (2, Some(rows)) if rows == 2 * LETTERS => left[1] += 1,
                other => panic!("torn: {torn}, power cut at sync {cut}: {other:?}"),
            }
            check(&crashed);
            cut += 1;
        }
        assert!(left.iter().all(|times| *times > 0), "torn: {torn}: {left:?}");
    }
}

// B4
#[test]
fn a_row_that_does_not_decode_stops_the_migration_and_is_named() {
    let disk = first_format();
    let key = (1, "w", 101, 3);
    let mut good = Vec::new();
    write(&disk, |transaction| {
        let mut seen = transaction.open_table(SEEN).unwrap();
        let row = seen.insert(key, [9; 40].as_slice()).unwrap();
        good.extend_from_slice(row.unwrap().value());
    });
    for _ in 0..2 {
        let error = Store::open_with_backend(options(), disk.clone()).unwrap_err();
        let OpenError::Corrupt { detail, .. } = &error else {
            panic!("{error}");
        };
        assert!(
            detail.contains("outbox_seen") && detail.contains("workflow \"w\", sender 65, 3"),
            "{detail}"
        );
        assert_eq!(found(&disk), (1, None), "nothing was written");
    }
    write(&disk, |transaction| {
        let mut seen = transaction.open_table(SEEN).unwrap();
        seen.insert(key, good.as_slice()).unwrap();
    });
    check(&disk);
}
