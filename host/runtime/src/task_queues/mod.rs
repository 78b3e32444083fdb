//! Task queues: attempts of activities that wait for a worker, and polls of workers that wait for an attempt.
//!
//! What waits is in the store, as a row of its activity; a line here only says in which order. It is made anew after a restart, as
//! the shards look at the rows again. Whoever finds both sides, an attempt that begins to wait or a poll that comes, brings them
//! together at once, so nobody polls, and while a poll waits in a queue no attempt does.

mod pollers;
mod rate;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use longhaul_store::{NamespaceId, RunId};
use tokio::sync::oneshot;

use self::{pollers::Pollers, rate::Rate};
use crate::shard::{Delivery, Place};

/// Queues that nobody uses are kept so long, for their pollers to be seen: 5 min, as Temporal's server keeps those.
const KEPT_NS: u64 = 300_000_000_000;
/// Who has polled so lately counts as polling: a poll takes 60 s at most, and the next one follows.
const LATELY_NS: u64 = 70_000_000_000;
/// So many of them at most; the one that was idle longest goes first.
const IDLE_QUEUES_MAX: usize = 10_000;

/// Names a task queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct QueueKey {
    pub(crate) namespace: NamespaceId,
    pub(crate) name: Arc<str>,
}

/// How many polls may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// In all.
    pub(crate) polls: usize,
    /// In one queue.
    pub(crate) polls_of_queue: usize,
}

/// Why a poll is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many wait; this many are allowed.
    TooMany(usize),
    /// The server stops.
    Stopping,
}

/// All task queues. Shared by the shards and the requests; each call takes a lock for a few map operations.
pub(crate) struct TaskQueues {
    inner: Mutex<Inner>,
    limits: Limits,
}

#[derive(Default)]
struct Inner {
    queues: HashMap<QueueKey, Queue>,
    /// Where each attempt that waits stands.
    places: BTreeMap<(RunId, i64), (QueueKey, Rank)>,
    /// Queues in the order in which they became idle; entries of those that are not any more are skipped.
    idle: VecDeque<(u64, QueueKey)>,
    polls: usize,
    last_rank: u64,
    last_poll: u64,
    stopping: bool,
}

/// The order of a line: when the attempt fell due, then when it came.
type Rank = (u64, u64);

#[derive(Default)]
struct Queue {
    line: BTreeMap<Rank, Waiting>,
    /// By number, which is the order in which they came.
    polls: BTreeMap<u64, Waits>,
    /// Polls that were taken and are not answered: those above, and those that have just been given an attempt.
    taken: usize,
    idle_since_ns: Option<u64>,
    pollers: Pollers,
    added: Rate,
    handed_out: Rate,
}

/// An attempt that waits for a worker.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) place: Place,
    pub(crate) run_id: RunId,
    pub(crate) scheduled_event_id: i64,
}

/// A poll in a queue.
struct Waits {
    instance_key: String,
    poll: Poll,
}

/// A worker's poll. Dropped unanswered it is asked again by whoever waits for it.
#[derive(Debug)]
pub(crate) struct Poll {
    pub(crate) identity: String,
    reply: oneshot::Sender<Option<Delivery>>,
}

impl Poll {
    /// Whether its worker still waits.
    pub(crate) fn is_alive(&self) -> bool {
        !self.reply.is_closed()
    }

    /// Answer it. A delivery that does not arrive goes back to its shard by being dropped.
    pub(crate) fn answer(self, delivery: Delivery) {
        drop(self.reply.send(Some(delivery)));
    }

    /// Its worker stops: nothing comes.
    fn end(self) {
        drop(self.reply.send(None));
    }
}

/// A poll that was taken, for whoever waits for its answer.
#[derive(Debug)]
pub(crate) struct Taken {
    /// By which it [leaves](TaskQueues::leave).
    pub(crate) number: u64,
    /// An error: it was dropped, and is to be asked again. None: its worker stops.
    pub(crate) answer: oneshot::Receiver<Option<Delivery>>,
    /// The attempt that has waited longest, which its shard is to give to the poll. None: the poll waits.
    pub(crate) met: Option<(Waiting, Poll)>,
}

/// What `DescribeTaskQueue` tells.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Described {
    /// Who has polled, the last one first: identity, and when.
    pub(crate) pollers: Vec<(String, u64)>,
    /// Attempts that wait.
    pub(crate) backlog: usize,
    /// Since when the first of them does, in nanoseconds since 1970.
    pub(crate) oldest_ns: Option<u64>,
    /// Attempts that came, a second.
    pub(crate) added: f32,
    /// Attempts that were handed out, a second.
    pub(crate) handed_out: f32,
}

impl TaskQueues {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            inner: Mutex::default(),
            limits,
        }
    }

    /// An attempt may start, and nobody in the server serves it. A poll that waits is given back, to be answered with it; otherwise
    /// the attempt waits in line from now on. `due_ns`: since when it may start.
    pub(crate) fn offer(&self, key: &QueueKey, due_ns: u64, waiting: Waiting, now_ns: u64) -> Option<Poll> {
        let mut inner = self.lock();
        let id = (waiting.run_id, waiting.scheduled_event_id);
        if inner.places.contains_key(&id) {
            return None;
        }
        inner.last_rank += 1;
        let rank = (due_ns, inner.last_rank);
        let queue = inner.queue(key);
        queue.added.count(now_ns);
        while let Some((_, waits)) = queue.polls.pop_first() {
            if waits.poll.is_alive() {
                queue.handed_out.count(now_ns);
                return Some(waits.poll);
            }
        }
        queue.line.insert(rank, waiting);
        inner.places.insert(id, (key.clone(), rank));
        None
    }

    /// An attempt does not wait any more.
    pub(crate) fn withdraw(&self, run_id: RunId, scheduled_event_id: i64, now_ns: u64) {
        let mut inner = self.lock();
        if let Some((key, rank)) = inner.places.remove(&(run_id, scheduled_event_id)) {
            inner.queue(&key).line.remove(&rank);
            inner.rest(&key, now_ns);
        }
    }

    /// A worker polls. With [`Taken::number`] the poll must [leave](Self::leave), however it ends.
    pub(crate) fn poll(
        &self,
        key: &QueueKey,
        identity: &str,
        instance_key: &str,
        now_ns: u64,
    ) -> Result<Taken, Refusal> {
        let mut inner = self.lock();
        if inner.stopping {
            return Err(Refusal::Stopping);
        }
        if inner.polls >= self.limits.polls {
            return Err(Refusal::TooMany(self.limits.polls));
        }
        inner.last_poll += 1;
        let number = inner.last_poll;
        let (reply, answer) = oneshot::channel();
        let poll = Poll {
            identity: identity.to_owned(),
            reply,
        };
        let queue = inner.queue(key);
        if queue.taken >= self.limits.polls_of_queue {
            return Err(Refusal::TooMany(self.limits.polls_of_queue));
        }
        queue.taken += 1;
        queue.pollers.polled(identity, now_ns);
        let met = match queue.line.pop_first() {
            Some((_, waiting)) => {
                queue.handed_out.count(now_ns);
                Some((waiting, poll))
            }
            None => {
                let instance_key = instance_key.to_owned();
                queue.polls.insert(number, Waits { instance_key, poll });
                None
            }
        };
        if let Some((waiting, _)) = &met {
            inner.places.remove(&(waiting.run_id, waiting.scheduled_event_id));
        }
        inner.polls += 1;
        Ok(Taken { number, answer, met })
    }

    /// A poll is answered, or given up.
    pub(crate) fn leave(&self, key: &QueueKey, number: u64, now_ns: u64) {
        let mut inner = self.lock();
        let queue = inner.queue(key);
        queue.taken = queue.taken.saturating_sub(1);
        queue.polls.remove(&number);
        inner.polls = inner.polls.saturating_sub(1);
        inner.rest(key, now_ns);
    }

    /// A worker stops: its polls of a queue, which it knows by a key of its own, are answered with nothing.
    pub(crate) fn dismiss(&self, key: &QueueKey, instance_key: &str) {
        let mut ended = BTreeMap::new();
        if let Some(queue) = self.lock().queues.get_mut(key) {
            (ended, queue.polls) = std::mem::take(&mut queue.polls)
                .into_iter()
                .partition(|(_, waits)| waits.instance_key == instance_key);
        }
        for waits in ended.into_values() {
            waits.poll.end();
        }
    }

    /// The server stops: no poll waits, and none is taken.
    pub(crate) fn stop(&self) {
        let mut inner = self.lock();
        inner.stopping = true;
        let polls: Vec<_> = inner
            .queues
            .values_mut()
            .map(|queue| std::mem::take(&mut queue.polls))
            .collect();
        drop(inner);
        drop(polls);
    }

    /// Whether somebody has polled lately, or does.
    pub(crate) fn is_polled(&self, key: &QueueKey, now_ns: u64) -> bool {
        let inner = self.lock();
        let queue = inner.queues.get(key);
        queue
            .is_some_and(|queue| queue.taken > 0 || queue.pollers.any_since(now_ns.saturating_sub(LATELY_NS)))
    }

    pub(crate) fn describe(&self, key: &QueueKey, now_ns: u64) -> Described {
        let mut inner = self.lock();
        let Some(queue) = inner.queues.get_mut(key) else {
            return Described::default();
        };
        Described {
            pollers: queue.pollers.since(now_ns.saturating_sub(KEPT_NS)),
            backlog: queue.line.len(),
            oldest_ns: queue.line.first_key_value().map(|((due_ns, _), _)| *due_ns),
            added: queue.added.a_second(now_ns),
            handed_out: queue.handed_out.a_second(now_ns),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whatever panics while it is held is a defect of this file; the lines are made anew from the store in any case.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn queue(&mut self, key: &QueueKey) -> &mut Queue {
        let queue = self.queues.entry(key.clone()).or_default();
        queue.idle_since_ns = None;
        queue
    }

    /// Perhaps nobody uses the queue any more.
    fn rest(&mut self, key: &QueueKey, now_ns: u64) {
        if let Some(queue) = self.queues.get_mut(key)
            && queue.line.is_empty()
            && queue.taken == 0
        {
            queue.idle_since_ns = Some(now_ns);
            self.idle.push_back((now_ns, key.clone()));
        }
        while let Some((since_ns, key)) = self.idle.front()
            && (self.idle.len() > IDLE_QUEUES_MAX || since_ns.saturating_add(KEPT_NS) <= now_ns)
        {
            if self
                .queues
                .get(key)
                .is_some_and(|queue| queue.idle_since_ns == Some(*since_ns))
            {
                self.queues.remove(key);
            }
            self.idle.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues() -> TaskQueues {
        TaskQueues::new(Limits {
            polls: 3,
            polls_of_queue: 2,
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
        let (waiting, _) = taken.met.as_ref()?;
        Some((waiting.run_id, waiting.scheduled_event_id))
    }

    #[test]
    fn the_attempt_that_fell_due_first_goes_first_whoever_brings_it() {
        // A1
        let queues = queues();
        for (due_ns, run) in [(20, 1), (10, 2), (20, 3)] {
            assert!(queues.offer(&key("q"), due_ns, waiting(run, 5), 30).is_none());
        }
        assert!(
            queues.offer(&key("q"), 20, waiting(1, 5), 30).is_none(),
            "what stands in line does not stand there twice"
        );
        assert_eq!(queues.describe(&key("q"), 30).backlog, 3);
        queues.withdraw(RunId(3), 5, 30);
        let order: Vec<_> = (0..3)
            .map(|_| {
                let taken = queues.poll(&key("q"), "w", "", 30).unwrap();
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
        let gone = queues.poll(&key("q"), "gone", "", 1).unwrap();
        let stays = queues.poll(&key("q"), "stays", "", 2).unwrap();
        drop(gone.answer);
        assert!(queues.offer(&key("other"), 3, waiting(1, 5), 3).is_none());
        let poll = queues.offer(&key("q"), 3, waiting(2, 5), 3).unwrap();
        assert_eq!(poll.identity, "stays");
        assert!(stays.met.is_none());
        assert_eq!(queues.describe(&key("q"), 3).backlog, 0);
        assert!(
            queues.offer(&key("q"), 3, waiting(3, 5), 3).is_none(),
            "one poll takes one attempt"
        );
    }

    #[test]
    fn polls_are_bounded_in_a_queue_and_in_all() {
        let queues = queues();
        let first = queues.poll(&key("a"), "w", "", 1).unwrap();
        let _second = queues.poll(&key("a"), "w", "", 1).unwrap();
        assert_eq!(
            queues.poll(&key("a"), "w", "", 1).unwrap_err(),
            Refusal::TooMany(2)
        );
        let _third = queues.poll(&key("b"), "w", "", 1).unwrap();
        assert_eq!(
            queues.poll(&key("c"), "w", "", 1).unwrap_err(),
            Refusal::TooMany(3)
        );
        queues.leave(&key("a"), first.number, 2);
        queues.poll(&key("a"), "w", "", 3).unwrap();
    }

    #[test]
    fn a_worker_that_stops_gets_nothing_and_the_others_go_on() {
        let queues = queues();
        let mut mine = queues.poll(&key("q"), "w", "mine", 1).unwrap();
        let mut other = queues.poll(&key("q"), "w", "other", 1).unwrap();
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
        assert_eq!(queues.poll(&key("q"), "w", "", 1).unwrap_err(), Refusal::Stopping);
    }

    #[test]
    fn pollers_are_seen_for_a_while_and_queues_that_nobody_uses_go() {
        let queues = queues();
        let poll = queues.poll(&key("q"), "w", "", 5).unwrap();
        queues.leave(&key("q"), poll.number, 6);
        assert!(queues.is_polled(&key("q"), 7));
        assert_eq!(queues.describe(&key("q"), 7).pollers, [("w".to_owned(), 5)]);
        assert!(!queues.is_polled(&key("q"), LATELY_NS + 6));
        let other = queues.poll(&key("other"), "w", "", KEPT_NS + 6).unwrap();
        queues.leave(&key("other"), other.number, KEPT_NS + 6);
        let inner = queues.lock();
        assert!(!inner.queues.contains_key(&key("q")));
        assert!(inner.queues.contains_key(&key("other")));
        drop(inner);
        for number in 0..IDLE_QUEUES_MAX + 10 {
            let key = key(&number.to_string());
            let poll = queues.poll(&key, "w", "", KEPT_NS + 7).unwrap();
            queues.leave(&key, poll.number, KEPT_NS + 7);
        }
        assert_eq!(queues.lock().queues.len(), IDLE_QUEUES_MAX);
    }
}
