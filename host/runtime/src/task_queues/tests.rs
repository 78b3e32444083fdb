//! The lines by themselves.

use longhaul_engine::proto::taskqueue::v1::{
    self as proto, ConfigMetadata, RateLimitConfig, TaskQueueConfig,
};
use longhaul_store::RunId;

use super::*;
use crate::shard::Place;

const SECOND: u64 = 1_000_000_000;

fn queues() -> TaskQueues {
    TaskQueues::new(Limits {
        polls: 3,
        polls_of_queue: 2,
        configs: 2,
    })
}

fn key(name: &str) -> QueueKey {
    QueueKey {
        namespace: NamespaceId::DEFAULT,
        name: name.into(),
    }
}

fn waiting(run: u128, scheduled_event_id: i64) -> Waiting {
    let namespace = NamespaceId::DEFAULT;
    let workflow_id = "w".into();
    Waiting {
        place: Place {
            namespace,
            workflow_id,
        },
        run_id: RunId(run),
        scheduled_event_id,
    }
}

fn met(taken: &Taken) -> Option<(RunId, i64)> {
    let (waiting, _) = taken.matches.pairs.first()?;
    Some((waiting.run_id, waiting.scheduled_event_id))
}

fn poller<'a>(identity: &'a str, instance_key: &'a str) -> Poller<'a> {
    Poller {
        identity,
        instance_key,
        a_second: None,
    }
}

/// A poller that lets the queue hand out so many in a second.
fn with_rate(a_second: f64) -> Poller<'static> {
    Poller {
        a_second: Some(a_second),
        ..poller("w", "")
    }
}

#[test]
fn the_attempt_that_fell_due_first_goes_first_whoever_brings_it() {
    // A1
    let queues = queues();
    for (due_ns, run) in [(20, 1), (10, 2), (20, 3)] {
        assert!(
            queues
                .offer(&key("q"), due_ns, waiting(run, 5), 30)
                .poll
                .is_none()
        );
    }
    assert!(
        queues.offer(&key("q"), 20, waiting(1, 5), 30).poll.is_none(),
        "what stands in line does not stand there twice"
    );
    assert_eq!(queues.describe(&key("q"), 30).backlog, 3);
    queues.withdraw(RunId(3), 5, 30);
    let order: Vec<_> = (0..3)
        .map(|_| {
            let taken = queues.poll(&key("q"), poller("w", ""), 30).unwrap();
            queues.leave(&key("q"), taken.number, 30);
            met(&taken)
        })
        .collect();
    assert_eq!(order, [Some((RunId(2), 5)), Some((RunId(1), 5)), None]);
}

#[test]
fn a_poll_that_waits_gets_what_comes_and_one_that_has_gone_does_not() {
    // A7
    let queues = queues();
    let gone = queues.poll(&key("q"), poller("gone", ""), 1).unwrap();
    let stays = queues.poll(&key("q"), poller("stays", ""), 2).unwrap();
    drop(gone.answer);
    assert!(queues.offer(&key("other"), 3, waiting(1, 5), 3).poll.is_none());
    let poll = queues.offer(&key("q"), 3, waiting(2, 5), 3).poll.unwrap();
    assert_eq!(poll.identity, "stays");
    assert!(met(&stays).is_none());
    assert_eq!(queues.describe(&key("q"), 3).backlog, 0);
    assert!(
        queues.offer(&key("q"), 3, waiting(3, 5), 3).poll.is_none(),
        "one poll takes one attempt"
    );
}

#[test]
fn polls_are_bounded_in_a_queue_and_in_all() {
    let queues = queues();
    let first = queues.poll(&key("a"), poller("w", ""), 1).unwrap();
    let _second = queues.poll(&key("a"), poller("w", ""), 1).unwrap();
    assert_eq!(
        queues.poll(&key("a"), poller("w", ""), 1).unwrap_err(),
        Refusal::TooMany(2)
    );
    let _third = queues.poll(&key("b"), poller("w", ""), 1).unwrap();
    assert_eq!(
        queues.poll(&key("c"), poller("w", ""), 1).unwrap_err(),
        Refusal::TooMany(3)
    );
    queues.leave(&key("a"), first.number, 2);
    queues.poll(&key("a"), poller("w", ""), 3).unwrap();
}

#[test]
fn a_worker_that_stops_gets_nothing_and_the_others_go_on() {
    let queues = queues();
    let mut mine = queues.poll(&key("q"), poller("w", "mine"), 1).unwrap();
    let mut other = queues.poll(&key("q"), poller("w", "other"), 1).unwrap();
    queues.dismiss(&key("q"), "mine");
    assert!(matches!(mine.answer.try_recv(), Ok(None)));
    assert!(matches!(
        other.answer.try_recv(),
        Err(oneshot::error::TryRecvError::Empty)
    ));
    queues.stop();
    assert!(matches!(
        other.answer.try_recv(),
        Err(oneshot::error::TryRecvError::Closed)
    ));
    assert_eq!(
        queues.poll(&key("q"), poller("w", ""), 1).unwrap_err(),
        Refusal::Stopping
    );
}

#[test]
fn pollers_are_seen_for_a_while_and_queues_that_nobody_uses_go() {
    let queues = queues();
    let poll = queues.poll(&key("q"), poller("w", ""), 5).unwrap();
    queues.leave(&key("q"), poll.number, 6);
    assert!(queues.is_polled(&key("q"), 7));
    assert_eq!(queues.describe(&key("q"), 7).pollers, [("w".to_owned(), 5)]);
    assert!(!queues.is_polled(&key("q"), LATELY_NS + 6));
    let other = queues.poll(&key("other"), poller("w", ""), KEPT_NS + 6).unwrap();
    queues.leave(&key("other"), other.number, KEPT_NS + 6);
    let inner = queues.lock();
    assert!(!inner.queues.contains_key(&key("q")));
    assert!(inner.queues.contains_key(&key("other")));
    drop(inner);
    for number in 0..IDLE_QUEUES_MAX + 10 {
        let key = key(&number.to_string());
        let poll = queues.poll(&key, poller("w", ""), KEPT_NS + 7).unwrap();
        queues.leave(&key, poll.number, KEPT_NS + 7);
    }
    assert_eq!(queues.lock().queues.len(), IDLE_QUEUES_MAX);
}

/// The runs of attempts that have met polls.
fn runs(matches: &Matches) -> Vec<u128> {
    matches
        .pairs
        .iter()
        .map(|(waiting, _)| waiting.run_id.0)
        .collect()
}

#[test]
fn a_queue_hands_out_as_many_in_a_second_as_its_workers_ask() {
    // A2
    let queues = TaskQueues::new(Limits {
        polls: 100,
        polls_of_queue: 100,
        configs: 1,
    });
    let q = key("q");
    for run in 1..=6 {
        assert!(queues.offer(&q, run, waiting(run.into(), 5), 0).poll.is_none());
    }
    let first = queues.poll(&q, with_rate(2.0), 0).unwrap();
    assert_eq!((runs(&first.matches), first.matches.again_ns), (vec![1], None));
    let second = queues.poll(&q, poller("w", ""), 0).unwrap();
    assert_eq!(runs(&second.matches), [2]);
    // Those of a second are handed out: polls and attempts wait, and somebody is told once when to look.
    let held: Vec<_> = (0..3)
        .map(|_| queues.poll(&q, with_rate(2.0), 0).unwrap())
        .collect();
    let agains: Vec<_> = held.iter().map(|taken| taken.matches.again_ns).collect();
    assert_eq!(agains, [Some(SECOND / 2), None, None]);
    assert_eq!(queues.holds_back(&q, 1), limit(SetBy::Worker, 2.0));
    assert_eq!(queues.describe(&q, 1).limit, limit(SetBy::Worker, 2.0));
    let early = queues.go_on(&q, SECOND / 2 - 1);
    assert_eq!(
        (runs(&early), early.again_ns),
        (vec![], None),
        "that look still comes"
    );
    let then = queues.go_on(&q, SECOND / 2);
    assert_eq!((runs(&then), then.again_ns), (vec![3], Some(SECOND)));
    // Whoever comes when there is room again goes behind those that have waited longer, and takes nothing from them.
    let offered = queues.offer(&q, 0, waiting(7, 5), SECOND);
    assert!(offered.poll.is_some(), "it has fallen due before the others");
    assert_eq!(offered.others.again_ns, None, "that look still comes");
    let now = 3 * SECOND / 2;
    let late = queues.offer(&q, 9, waiting(8, 5), now);
    assert!(late.poll.is_none());
    assert_eq!(runs(&late.others), [4]);
    // A higher rate counts at once, and the next look comes earlier; with none nobody looks.
    let _waits = queues.poll(&q, with_rate(2.0), now).unwrap();
    assert_eq!(queues.go_on(&q, now).again_ns, Some(2 * SECOND));
    let faster = queues.poll(&q, with_rate(4.0), now).unwrap();
    assert_eq!(runs(&faster.matches), [5, 6]);
    let faster = queues.poll(&q, with_rate(4.0), now).unwrap();
    assert_eq!(
        (runs(&faster.matches), faster.matches.again_ns),
        (vec![], Some(7 * SECOND / 4))
    );
    let none = queues.poll(&q, with_rate(0.0), now).unwrap();
    assert_eq!((runs(&none.matches), none.matches.again_ns), (vec![], None));
    assert_eq!(queues.holds_back(&q, u64::MAX), limit(SetBy::Worker, 0.0));
}

fn limit(by: SetBy, a_second: f64) -> Option<RateLimit> {
    Some(RateLimit { a_second, by })
}

/// What an operator has set at a time; none: unset.
fn config(a_second: Option<f32>, at_ns: u64) -> TaskQueueConfig {
    TaskQueueConfig {
        queue_rate_limit: Some(RateLimitConfig {
            rate_limit: a_second.map(|requests_per_second| proto::RateLimit { requests_per_second }),
            metadata: Some(ConfigMetadata {
                update_time: Some(longhaul_history::time::timestamp_from_ns(at_ns)),
                ..Default::default()
            }),
        }),
        ..Default::default()
    }
}

#[test]
fn what_an_operator_has_set_is_stronger_than_what_workers_say_until_it_is_unset() {
    // A2
    let queues = TaskQueues::new(Limits {
        polls: 100,
        polls_of_queue: 100,
        configs: 1,
    });
    let q = key("q");
    assert!(
        queues
            .configure(&q, config(Some(1.0), 0), None, 0)
            .pairs
            .is_empty()
    );
    assert_eq!(
        queues.describe(&q, 0).limit,
        limit(SetBy::Api, 1.0),
        "before anybody has used it"
    );
    for run in 1..=5 {
        assert!(queues.offer(&q, run, waiting(run.into(), 5), 0).poll.is_none());
    }
    let polls: Vec<_> = (0..5)
        .map(|_| queues.poll(&q, with_rate(100.0), 0).unwrap())
        .collect();
    let met: Vec<_> = polls.iter().map(|taken| runs(&taken.matches)).collect();
    assert_eq!(met, [vec![1], vec![], vec![], vec![], vec![]]);
    assert_eq!(queues.holds_back(&q, 0), limit(SetBy::Api, 1.0));
    // None: what is held goes on only when that is over.
    let none = queues.configure(&q, config(Some(0.0), 1), None, SECOND);
    assert_eq!((runs(&none), none.again_ns), (vec![], None));
    assert_eq!(runs(&queues.go_on(&q, 2 * SECOND)), [0; 0]);
    let slow = queues.configure(&q, config(Some(1.0), 2), None, 2 * SECOND);
    assert_eq!((runs(&slow), slow.again_ns), (vec![2], Some(3 * SECOND)));
    // What the workers have said meanwhile counts from now on, also for what is held.
    let unset = queues.configure(&q, config(None, 3), None, 2 * SECOND);
    assert_eq!((runs(&unset), unset.again_ns), (vec![3, 4, 5], None));
    assert_eq!(queues.describe(&q, 2 * SECOND).limit, limit(SetBy::Worker, 100.0));
    assert_eq!(
        queues.config(&q),
        Some(config(None, 3)),
        "who has unset it is known"
    );
}

#[test]
fn what_an_operator_has_set_outlasts_the_queue_and_the_server() {
    let queues = queues();
    let q = key("q");
    queues.configure(&q, config(Some(1.0), 0), None, 0);
    for (name, now_ns) in [("q", 1), ("other", KEPT_NS + 1)] {
        let poll = queues.poll(&key(name), with_rate(9.0), now_ns).unwrap();
        queues.leave(&key(name), poll.number, now_ns);
    }
    assert!(!queues.lock().queues.contains_key(&q));
    let again = queues.poll(&q, poller("w", ""), KEPT_NS + 2).unwrap();
    queues.leave(&q, again.number, KEPT_NS + 2);
    assert_eq!(queues.describe(&q, KEPT_NS + 2).limit, limit(SetBy::Api, 1.0));
    // As the store has it.
    let stored = |change| match change {
        longhaul_store::Change::PutTaskQueue(key, body) => (key, body),
        other => panic!("{other:?}"),
    };
    let next = self::queues();
    next.restore(vec![stored(config::put(&q, &config(Some(1.0), 0)))])
        .unwrap();
    assert_eq!(next.config(&q), Some(config(Some(1.0), 0)));
    let (key, _) = stored(config::put(&q, &config(None, 0)));
    let error = next.restore(vec![(key, vec![0xFF])]).unwrap_err();
    assert!(
        error.to_string().contains("task queue \"q\" is damaged"),
        "{error}"
    );
}

#[test]
fn what_was_unset_longest_ago_is_forgotten_first_and_what_holds_never() {
    // B1
    let queues = queues();
    let (a, b, c) = (key("a"), key("b"), key("c"));
    queues.configure(&a, config(Some(1.0), 0), None, 0);
    queues.configure(&b, config(Some(1.0), 1), None, 1);
    assert_eq!(queues.gives_way_to(&a), Ok(None), "it is configured already");
    assert_eq!(queues.gives_way_to(&c), Err(Full(2)));
    queues.configure(&b, config(None, 2), None, 2);
    queues.configure(&a, config(None, 3), None, 3);
    assert_eq!(queues.gives_way_to(&c), Ok(Some(b.clone())));
    queues.configure(&c, config(Some(1.0), 4), Some(&b), 4);
    assert_eq!((queues.config(&b), queues.config(&c).is_some()), (None, true));
}

#[test]
fn polls_that_have_gone_use_up_nothing_of_a_queues_rate() {
    // A7
    let queues = queues();
    let gone = queues.poll(&key("q"), with_rate(1.0), 1).unwrap();
    drop(gone.answer);
    assert!(queues.offer(&key("q"), 1, waiting(1, 5), 1).poll.is_none());
    let stays = queues.poll(&key("q"), poller("stays", ""), 1).unwrap();
    assert_eq!(met(&stays), Some((RunId(1), 5)));
}

#[test]
fn a_busy_queue_makes_no_other_forget_its_pollers() {
    let queues = queues();
    let idle = queues.poll(&key("idle"), poller("seen", ""), SECOND).unwrap();
    queues.leave(&key("idle"), idle.number, SECOND);
    // A fast worker, whose queue is empty whenever its poll has ended.
    for _ in 0..IDLE_QUEUES_MAX + 10 {
        let taken = queues.poll(&key("busy"), poller("fast", ""), SECOND).unwrap();
        queues.leave(&key("busy"), taken.number, SECOND);
    }
    let polled = |name: &str, now_ns: u64| queues.is_polled(&key(name), now_ns);
    assert!(polled("idle", 2 * SECOND) && polled("busy", 2 * SECOND));
    assert_eq!(queues.lock().idle.len(), 2, "each of them stands there once");
    // What is used again is not idle any more, and what nobody uses is forgotten after a while.
    let _waits = queues.poll(&key("busy"), poller("fast", ""), SECOND).unwrap();
    assert_eq!(queues.lock().idle.len(), 1);
    let late = queues
        .poll(&key("late"), poller("w", ""), SECOND + KEPT_NS)
        .unwrap();
    queues.leave(&key("late"), late.number, SECOND + KEPT_NS);
    let inner = queues.lock();
    assert_eq!((inner.idle.len(), inner.queues.len()), (1, 2));
}

/// An attempt of the server's own.
fn admit(queues: &TaskQueues, key: &QueueKey, run: u128, now_ns: u64) -> (Admission, Matches) {
    queues.admit(key, now_ns, waiting(run, 5), now_ns)
}

/// The runs that are called, with their tokens.
fn called(matches: Matches) -> (Vec<u128>, Vec<Token>) {
    let (waiting, tokens): (Vec<_>, Vec<_>) = matches.called.into_iter().unzip();
    let runs = waiting.iter().map(|waiting| waiting.run_id.0).collect();
    (runs, tokens.into_iter().flatten().collect())
}

#[test]
fn a_token_that_is_not_spent_is_there_for_whoever_comes() {
    // A2
    let queues = queues();
    let q = key("q");
    assert!(
        matches!(admit(&queues, &q, 1, 0).0, Admission::Free),
        "nobody has limited it"
    );
    assert!(queues.lock().queues.is_empty(), "and nothing is kept of it");
    queues.configure(&q, config(Some(1.0), 0), None, 0);
    let (Admission::With(token), _) = admit(&queues, &q, 1, 0) else {
        panic!("the first may start")
    };
    let (Admission::Waits, matches) = admit(&queues, &q, 2, 1) else {
        panic!("the second waits")
    };
    assert_eq!(matches.again_ns, Some(SECOND));
    assert!(matches!(admit(&queues, &q, 2, 1).0, Admission::Waits));
    assert_eq!(queues.describe(&q, 1).backlog, 1, "it stands there once");
    drop(token);
    // Whoever stands in line goes before whoever comes.
    let (Admission::Waits, matches) = admit(&queues, &q, 3, 2) else {
        panic!("the third waits")
    };
    let (runs, tokens) = called(matches);
    assert_eq!(runs, [2]);
    for token in tokens {
        token.spend(2);
    }
    assert_eq!(called(queues.go_on(&q, SECOND)).0, [0; 0], "it was spent");
    let (runs, tokens) = called(queues.go_on(&q, SECOND + 2));
    assert_eq!((runs, tokens.len()), (vec![3], 1));
    drop(tokens);
    // Without a limit nobody needs one.
    let (Admission::With(_token), _) = admit(&queues, &q, 4, SECOND + 2) else {
        panic!("the one that was given back is there")
    };
    assert!(matches!(admit(&queues, &q, 5, SECOND + 2).0, Admission::Waits));
    let (runs, tokens) = called(queues.configure(&q, config(None, 1), None, SECOND + 2));
    assert_eq!((runs, tokens.len()), (vec![5], 0));
}

#[test]
fn a_slow_rate_is_not_forgotten_while_nobody_waits() {
    // A2
    let queues = queues();
    let (q, other) = (key("q"), key("other"));
    queues.configure(&q, config(Some(0.001), 0), None, 0);
    let (Admission::With(token), _) = admit(&queues, &q, 1, 0) else {
        panic!("the first may start")
    };
    token.spend(0);
    let touch = |now_ns: u64| {
        let poll = queues.poll(&other, poller("w", ""), now_ns).unwrap();
        queues.leave(&other, poll.number, now_ns);
    };
    // Longer than idle queues are kept, and shorter than a token takes.
    touch(2 * KEPT_NS);
    assert!(matches!(admit(&queues, &q, 2, 2 * KEPT_NS).0, Admission::Waits));
    queues.withdraw(RunId(2), 5, 2 * KEPT_NS);
    touch(1_000 * SECOND + KEPT_NS);
    assert!(
        !queues.lock().queues.contains_key(&q),
        "it makes no difference any more"
    );
}
