//! Group commit, notices, and what a refused transition does to others.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::mpsc;

use common::{Bench, NS, append, close, execution, open, options, put, register};
use longhaul_store::{
    Change, Filter, Limit, Notice, Options, Pending, Row, RowKey, RunId, Status, Store, SubmitError,
    Transition, WriteError, faults::FaultyDisk,
};

fn row(order: u64) -> Change {
    let key = RowKey {
        namespace: NS,
        run_id: RunId(1),
        order,
    };
    Change::PutPending(
        Pending::Update,
        key,
        Row {
            workflow_id: "w".to_owned(),
            body: vec![0; 100],
        },
    )
}

fn rows(store: &Store) -> usize {
    store.read().unwrap().pending(Pending::Update).unwrap().count()
}

#[test]
fn queued_transitions_share_one_commit() {
    let mut bench = Bench::new();
    let before = bench.store.stats();
    for order in 0..500 {
        bench.submit(vec![row(order)]).unwrap();
    }
    assert_eq!(rows(&bench.store), 0, "nothing is visible before it is durable");
    assert_eq!(bench.writer.pump(), 1);
    let notices = bench.notices.take();
    assert!(
        matches!(notices.as_slice(), [Notice::Durable { epoch: 0, up_to: 500 }]),
        "{notices:?}"
    );
    assert_eq!(rows(&bench.store), 500);
    let after = bench.store.stats();
    assert_eq!(after.commits - before.commits, 1);
    assert_eq!(after.transitions, 500);
    assert_eq!(after.largest_commit, 500);
    assert_eq!(after.syncs - before.syncs, 2, "a commit takes two syncs");
}

#[test]
fn a_commit_is_bounded() {
    let store = Store::open_with_backend(
        Options {
            batch_max_transitions: 100,
            ..options()
        },
        FaultyDisk::new(),
    );
    let mut bench = Bench::on(store.unwrap());
    for order in 0..250 {
        bench.submit(vec![row(order)]).unwrap();
    }
    assert_eq!(bench.writer.pump(), 3);
    assert_eq!(bench.store.stats().largest_commit, 100);

    let store = Store::open_with_backend(
        Options {
            batch_max_bytes: 1000,
            ..options()
        },
        FaultyDisk::new(),
    );
    let mut bench = Bench::on(store.unwrap());
    for order in 0..10 {
        bench.submit(vec![row(order)]).unwrap();
    }
    assert!(bench.writer.pump() > 1);
    assert_eq!(rows(&bench.store), 10);
}

#[test]
fn the_queue_is_bounded_and_hands_back_what_it_does_not_take() {
    let store = Store::open_with_backend(
        Options {
            queue_capacity: 4,
            ..options()
        },
        FaultyDisk::new(),
    );
    let mut bench = Bench::on(store.unwrap());
    let mut taken = 0;
    let refused = loop {
        match bench.submit(vec![row(taken)]) {
            Ok(ticket) => taken = ticket,
            Err(error) => break error,
        }
    };
    let SubmitError::Full(transition) = refused else {
        panic!("{refused}")
    };
    assert_eq!(transition.changes.len(), 1);
    bench.writer.pump();
    assert_eq!(bench.notices.durable(), taken);
    // The ticket that was not given out before is given out now.
    assert_eq!(bench.submitter.submit(*transition).unwrap(), taken + 1);
}

#[test]
fn a_transition_over_the_limit_is_refused_at_once() {
    let store = Store::open_with_backend(
        Options {
            transition_max_bytes: 1000,
            ..options()
        },
        FaultyDisk::new(),
    );
    let mut bench = Bench::on(store.unwrap());
    let mut record = execution("w", 1, 1);
    let events = append(&mut record, 1, &[0; 2000]);
    assert!(matches!(
        bench.submit(vec![events]),
        Err(SubmitError::TooLarge { limit: 1000, .. })
    ));
}

#[test]
fn the_thread_gathers_what_arrives_and_tells_every_submitter_once_a_commit() {
    const EACH: u64 = 2000;
    let store = open(&FaultyDisk::new());
    let writer = store.writer().unwrap();
    assert!(
        store.writer().is_none() && store.inline_writer().is_none(),
        "there is one writer"
    );
    let (done, finished) = mpsc::channel();
    std::thread::scope(|scope| {
        for shard in 0..3 {
            let (send, notices) = mpsc::channel();
            let mut submitter = writer.register(move |notice| send.send(notice).unwrap());
            let done = done.clone();
            scope.spawn(move || {
                for order in 0..EACH {
                    submitter
                        .submit(Transition::new(vec![row(shard * EACH + order)]))
                        .unwrap();
                }
                let mut count = 0;
                let mut last = 0;
                while last < EACH {
                    let Notice::Durable { up_to, .. } = notices.recv().unwrap() else {
                        panic!("it failed")
                    };
                    assert!(up_to > last, "tickets only go up");
                    last = up_to;
                    count += 1;
                }
                done.send(count).unwrap();
            });
        }
    });
    drop(done);
    let stats = store.stats();
    assert_eq!(stats.transitions, 3 * EACH);
    assert!(stats.commits < 3 * EACH / 2, "{stats:?}");
    assert!(finished.iter().all(|notices: u64| notices <= stats.commits));
    assert_eq!(rows(&store) as u64, 3 * EACH);
    writer.stop();
}

#[test]
fn what_was_submitted_before_a_stop_is_durable_and_later_submissions_are_refused() {
    let disk = FaultyDisk::new();
    let store = open(&disk);
    let writer = store.writer().unwrap();
    let (mut submitter, notices) = register(&writer);
    for order in 0..100 {
        submitter.submit(Transition::new(vec![row(order)])).unwrap();
    }
    writer.stop();
    assert!(matches!(
        submitter.submit(Transition::new(vec![row(100)])),
        Err(SubmitError::Stopped)
    ));
    let notices = notices.take();
    assert!(
        matches!(
            notices.last(),
            Some(Notice::Failed {
                error: WriteError::Stopped,
                ..
            })
        ),
        "{notices:?}"
    );
    drop((submitter, writer, store));
    assert_eq!(rows(&open(&disk)), 100);
}

#[test]
fn a_contradiction_fails_its_submitter_alone_and_what_it_had_queued_behind() {
    let mut bench = Bench::new();
    let (mut other, others) = register(&bench.writer);
    let mut record = execution("w", 1, 10);
    let events = append(&mut record, 2, b"ab");
    bench.submit(vec![events, put(&record)]).unwrap();
    // Event 3 comes next, not 5.
    record.next_event_id = 5;
    let gap = append(&mut record, 1, b"c");
    bench.submit(vec![row(1), gap]).unwrap();
    bench.submit(vec![row(2)]).unwrap();
    other.submit(Transition::new(vec![row(3)])).unwrap();

    assert_eq!(bench.writer.pump(), 1);
    let notices = bench.notices.take();
    let [Notice::Failed { epoch: 0, error }] = notices.as_slice() else {
        panic!("{notices:?}")
    };
    assert!(
        error
            .to_string()
            .contains("events from 5 were to be appended where 3 comes next"),
        "{error}"
    );
    assert_eq!(others.durable(), 1);
    assert_eq!(rows(&bench.store), 1, "the other's row alone");
    // Nothing of the batch is durable for the submitter that failed: even its first transition was to be computed again.
    assert_eq!(
        bench.store.read().unwrap().execution(NS, "w", RunId(1)).unwrap(),
        None
    );

    // Until it resumes, whatever it submits builds on what is lost.
    bench.submit(vec![row(4)]).unwrap();
    bench.writer.pump();
    assert!(bench.notices.take().is_empty(), "an epoch fails once");
    assert_eq!(rows(&bench.store), 1);
    assert_eq!(bench.submitter.resume(), 1);
    bench.submit(vec![row(5)]).unwrap();
    bench.writer.pump();
    let notices = bench.notices.take();
    assert!(
        matches!(notices.as_slice(), [Notice::Durable { epoch: 1, .. }]),
        "{notices:?}"
    );
    assert_eq!(rows(&bench.store), 2);
    assert_eq!(bench.store.stats().rejected, 4);
}

#[test]
fn contradictions_are_found() {
    let mut bench = Bench::new();
    let mut record = execution("w", 1, 10);
    let events = append(&mut record, 3, b"abc");
    bench.write(vec![events, put(&record)]);

    let mut wrong = record.clone();
    wrong.next_event_id = 3;
    let again = append(&mut wrong, 1, b"x");
    let error = bench.refused(vec![again]);
    assert!(
        error.contains("events from 3 were to be appended where 4 comes next"),
        "{error}"
    );

    let mut wrong = record.clone();
    wrong.next_event_id = 9;
    let error = bench.refused(vec![put(&wrong)]);
    assert!(
        error.contains("the record says that event 9 comes next, its history that 4 does"),
        "{error}"
    );

    let empty = append(&mut record.clone(), 0, b"");
    assert!(bench.refused(vec![empty]).contains("an append without events"));

    let mut wrong = record.clone();
    wrong.close_time_ns = Some(5);
    assert!(
        bench
            .refused(vec![put(&wrong)])
            .contains("status and close time do not fit")
    );

    let second = execution("w", 2, 20);
    assert!(
        bench
            .refused(vec![put(&second)])
            .contains("it cannot open while run")
    );

    let mut closed = record.clone();
    close(&mut closed, Status::Completed, 30);
    bench.write(vec![put(&closed), put(&second)]);
    assert!(
        bench
            .refused(vec![put(&record)])
            .contains("it is closed, and was to be opened again")
    );

    // None of the refused left anything.
    let read = bench.store.read().unwrap();
    let limit = Limit {
        executions: 10,
        examined: 10,
    };
    let page = read.list(&Filter::all(NS), None, limit, |_| true).unwrap();
    assert_eq!(page.executions, [second, closed]);
}
