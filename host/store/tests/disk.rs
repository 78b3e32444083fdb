//! A full disk and a failed one, under an open store.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Bench, NS, append, execution, open, options, put, register};
use longhaul_store::{
    Health, Notice, Options, ReadError, RunId, Store, Transition, WriteError,
    faults::{FaultyDisk, Loss},
};

fn has(store: &Store, run: u128) -> bool {
    store
        .read()
        .unwrap()
        .execution(NS, &format!("w{run}"), RunId(run))
        .unwrap()
        .is_some()
}

/// A transition that needs new pages.
fn large(run: u128) -> Vec<longhaul_store::Change> {
    let mut record = execution(&format!("w{run}"), run, 1);
    let events = append(&mut record, 1, &vec![7; 1 << 20]);
    vec![events, put(&record)]
}

#[test]
fn a_full_disk_refuses_writes_and_takes_them_again_when_there_is_space() {
    let disk = FaultyDisk::new();
    let mut bench = Bench::on(open(&disk));
    let (mut other, others) = register(&bench.writer);
    bench.write(vec![put(&execution("w1", 1, 1))]);
    let old = bench.store.read().unwrap();

    disk.set_free_pages(Some(0));
    let lost = bench.submit(large(2)).unwrap();
    bench.writer.pump();
    let notices = bench.notices.take();
    let [
        Notice::Failed {
            epoch: 0,
            error: WriteError::NoSpace { .. },
        },
    ] = notices.as_slice()
    else {
        panic!("{notices:?}")
    };
    assert!(matches!(bench.store.health(), Health::NoSpace(_)));
    // Reads go on, on a new view of the file; the old one says that it is gone, if it has to read.
    assert!(has(&bench.store, 1) && !has(&bench.store, 2));
    let stale = old.execution(NS, "w1", RunId(1));
    assert!(
        matches!(stale, Ok(Some(_)) | Err(ReadError::Reopened)),
        "{stale:?}"
    );

    // Everybody is refused, small or large, and asking for recovery does not help yet.
    other
        .submit(Transition::new(vec![put(&execution("w3", 3, 1))]))
        .unwrap();
    bench.writer.pump();
    assert!(matches!(
        others.take().as_slice(),
        [Notice::Failed {
            error: WriteError::NoSpace { .. },
            ..
        }]
    ));
    let full = bench.writer.recover();
    if full.is_ok() {
        // The probe found a page; the next large transition fails as before.
        bench.submitter.resume();
        bench.submit(large(2)).unwrap();
        bench.writer.pump();
        assert!(matches!(
            bench.notices.take().as_slice(),
            [Notice::Failed { epoch: 1, .. }]
        ));
    }
    assert!(matches!(bench.store.health(), Health::NoSpace(_)));

    disk.set_free_pages(None);
    bench.writer.recover().unwrap();
    assert!(matches!(bench.store.health(), Health::Ok));
    // What was computed before the failure is still refused: it builds on what was lost.
    bench.submit(vec![put(&execution("w4", 4, 1))]).unwrap();
    bench.writer.pump();
    assert!(bench.notices.take().is_empty());
    bench.submitter.resume();
    let kept = bench.submit(large(2)).unwrap();
    assert!(kept > lost, "tickets go on");
    bench.writer.pump();
    assert_eq!(bench.notices.durable(), kept);
    assert!(has(&bench.store, 2) && !has(&bench.store, 3) && !has(&bench.store, 4));
    // And it is durable.
    drop(bench.store.read().unwrap());
    assert!(has(&open(&disk.crash(Loss::All)), 2));
}

#[test]
fn a_disk_that_fills_up_at_any_point_of_a_commit_loses_nothing() {
    const RUNS: u128 = 25;
    let mut failures = 0;
    for free in 0..60 {
        let disk = FaultyDisk::new();
        let mut bench = Bench::on(open(&disk));
        disk.set_free_pages(Some(free));
        let mut durable = Vec::new();
        for run in 1..=RUNS {
            let mut record = execution(&format!("w{run}"), run, 1);
            let events = append(&mut record, 1, &[7; 20_000]);
            bench.submit(vec![events, put(&record)]).unwrap();
            bench.writer.pump();
            match bench.notices.take().as_slice() {
                [Notice::Durable { .. }] => durable.push(run),
                [
                    Notice::Failed {
                        error: WriteError::NoSpace { .. },
                        ..
                    },
                ] => {
                    failures += 1;
                    // A crash at this point, too, leaves what was acknowledged.
                    let crashed = open(&disk.crash(Loss::Some { seed: free }));
                    assert!(durable.iter().all(|run| has(&crashed, *run)), "{free} pages");
                    disk.set_free_pages(None);
                    bench.writer.recover().unwrap();
                    bench.submitter.resume();
                }
                notices => panic!("{free} pages: {notices:?}"),
            }
        }
        let again = open(&disk.crash(Loss::All));
        assert!(durable.iter().all(|run| has(&again, *run)), "{free} pages");
        assert!(durable.len() as u128 >= RUNS - 1, "the disk fills up once");
    }
    assert_eq!(failures, 60, "the workload is larger than the space");
}

#[test]
fn a_failed_sync_makes_the_store_read_only_until_it_is_opened_again() {
    // A commit has two syncs.
    for which in 1..=2 {
        let disk = FaultyDisk::new();
        let mut bench = Bench::on(open(&disk));
        bench.write(vec![put(&execution("w1", 1, 1))]);
        disk.fail_sync(disk.syncs() + which);
        bench.submit(vec![put(&execution("w2", 2, 1))]).unwrap();
        bench.writer.pump();
        let notices = bench.notices.take();
        let [
            Notice::Failed {
                error: WriteError::ReadOnly { detail, .. },
                ..
            },
        ] = notices.as_slice()
        else {
            panic!("{notices:?}")
        };
        assert!(detail.contains("failed to sync"), "{detail}");
        let written = disk.contents();
        // The disk is well again, and yet: what the system holds of the file may not be what the disk holds.
        assert!(matches!(bench.writer.recover(), Err(WriteError::ReadOnly { .. })));
        bench.submitter.resume();
        bench.submit(vec![put(&execution("w3", 3, 1))]).unwrap();
        bench.writer.pump();
        assert!(matches!(
            bench.notices.take().as_slice(),
            [Notice::Failed { epoch: 1, .. }]
        ));
        assert!(has(&bench.store, 1) && !has(&bench.store, 3));
        assert!(matches!(bench.store.health(), Health::ReadOnly(_)));
        drop(bench);
        assert_eq!(disk.contents(), written, "nothing was written since");

        // The next opening writes all of it again before it goes on, so that what it reads is what the disk has.
        let store = Store::open_with_backend(
            Options {
                verify: true,
                ..options()
            },
            disk.clone(),
        )
        .unwrap();
        assert!(has(&store, 1));
        let second = has(&store, 2);
        let mut bench = Bench::on(store);
        bench.write(vec![put(&execution("w5", 5, 1))]);
        let again = open(&disk.crash(Loss::All));
        assert!(has(&again, 1) && has(&again, 5));
        assert_eq!(has(&again, 2), second, "what the opening saw did not change");
    }
}
