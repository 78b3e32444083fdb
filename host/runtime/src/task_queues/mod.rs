//! Task queues: attempts of activities that wait for a worker, and polls of workers that wait for an attempt.
//!
//! What waits is in the store, as a row of its activity; a line here only says in which order. It is made anew after a restart, as
//! the shards look at the rows again. Whoever finds both sides, an attempt that begins to wait or a poll that comes, brings them
//! together at once, so nobody polls. While a poll waits in a queue an attempt does so only where the queue hands out as many in a
//! second as it may, as an operator or its workers say: then a shard is told when it may go on. Attempts that the server runs itself
//! take their turns with the others there, and wait in no other queue.

pub(crate) mod config;
mod limiter;
mod pollers;
mod queue;
mod rate;
mod token;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use longhaul_store::{NamespaceId, RunId};
use tokio::sync::oneshot;

use self::{
    config::Configs,
    queue::{Queue, Rank, Waits},
};
use crate::shard::Delivery;

pub(crate) use self::{
    config::Full,
    queue::{Matches, Poll, RateLimit, SetBy, Waiting},
    token::{Admission, Token},
};

/// Queues that nobody uses are kept so long, for their pollers to be seen: 5 min, as Temporal's server keeps those.
const KEPT_NS: u64 = 300_000_000_000;
/// Who has polled so lately counts as polling: a poll takes 60 s at most, and the next one follows.
const LATELY_NS: u64 = 70_000_000_000;
/// So many of them at most; the one that was idle longest goes first.
const IDLE_QUEUES_MAX: usize = 10_000;

/// Names a task queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueueKey {
    pub(crate) namespace: NamespaceId,
    pub(crate) name: Arc<str>,
}

/// How much there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Polls that wait.
    pub(crate) polls: usize,
    /// The same in one queue.
    pub(crate) polls_of_queue: usize,
    /// Queues for which operators have set something.
    pub(crate) configs: usize,
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
    inner: Shared,
    limits: Limits,
}

type Shared = Arc<Mutex<Inner>>;

#[derive(Default)]
struct Inner {
    queues: HashMap<QueueKey, Queue>,
    configs: Configs,
    /// Where each attempt that waits stands.
    places: BTreeMap<(RunId, i64), (QueueKey, Rank)>,
    /// Queues that nobody uses, each once, in the order in which they became idle.
    idle: BTreeSet<(u64, QueueKey)>,
    polls: usize,
    last_rank: u64,
    last_poll: u64,
    stopping: bool,
}

/// A poll that was taken, for whoever waits for its answer.
#[derive(Debug)]
pub(crate) struct Taken {
    /// By which it [leaves](TaskQueues::leave).
    pub(crate) number: u64,
    /// An error: it was dropped, and is to be asked again. None: its worker stops.
    pub(crate) answer: oneshot::Receiver<Option<Delivery>>,
    /// Who has met; the poll is among them unless it waits.
    pub(crate) matches: Matches,
}

/// What becomes of an attempt that begins to wait.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    /// The poll that is to be answered with it. None: it waits in line from now on.
    pub(crate) poll: Option<Poll>,
    /// Others who have met.
    pub(crate) others: Matches,
}

/// What a worker says of itself when it polls.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Poller<'a> {
    pub(crate) identity: &'a str,
    /// By which it is [dismissed](TaskQueues::dismiss).
    pub(crate) instance_key: &'a str,
    /// Attempts that the queue is to hand out in a second at most, to all workers; a number, and not negative. None: as before.
    pub(crate) a_second: Option<f64>,
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
    /// The most that may be handed out; none: there is no limit.
    pub(crate) limit: Option<RateLimit>,
}

impl TaskQueues {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            inner: Shared::default(),
            limits,
        }
    }

    /// An attempt may start, and nobody in the server serves it: it meets a poll, or waits in line from now on. `due_ns`: since when it
    /// may start.
    pub(crate) fn offer(&self, key: &QueueKey, due_ns: u64, waiting: Waiting, now_ns: u64) -> Offered {
        let mut inner = self.lock();
        let id = (waiting.run_id, waiting.scheduled_event_id);
        if inner.places.contains_key(&id) {
            return Offered::default();
        }
        let rank = inner.stand(key, due_ns, id, now_ns);
        inner.queue(key).line.insert(rank, waiting);
        let mut others = inner.meet(&self.inner, key, now_ns);
        let mine = others
            .pairs
            .iter()
            .position(|(waiting, _)| (waiting.run_id, waiting.scheduled_event_id) == id);
        let poll = mine.map(|at| others.pairs.swap_remove(at).1);
        Offered { poll, others }
    }

    /// An attempt does not wait any more.
    pub(crate) fn withdraw(&self, run_id: RunId, scheduled_event_id: i64, now_ns: u64) {
        let mut inner = self.lock();
        if let Some((key, rank)) = inner.places.remove(&(run_id, scheduled_event_id)) {
            let queue = inner.queue(&key);
            queue.line.remove(&rank);
            queue.served.remove(&rank);
            inner.rest(&key, now_ns);
        }
    }

    /// A worker polls. With [`Taken::number`] the poll must [leave](Self::leave), however it ends.
    pub(crate) fn poll(&self, key: &QueueKey, poller: Poller<'_>, now_ns: u64) -> Result<Taken, Refusal> {
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
        let queue = inner.queue(key);
        if queue.taken >= self.limits.polls_of_queue {
            return Err(Refusal::TooMany(self.limits.polls_of_queue));
        }
        queue.taken += 1;
        queue.pollers.polled(poller.identity, now_ns);
        if let Some(a_second) = poller.a_second {
            queue.limit_by_worker(a_second, now_ns);
        }
        let waits = Waits {
            instance_key: poller.instance_key.to_owned(),
            poll: Poll::new(poller.identity, reply),
        };
        queue.polls.insert(number, waits);
        inner.polls += 1;
        Ok(Taken {
            number,
            answer,
            matches: inner.meet(&self.inner, key, now_ns),
        })
    }

    /// A queue may hand out again: [`Matches::again_ns`] has come.
    pub(crate) fn go_on(&self, key: &QueueKey, now_ns: u64) -> Matches {
        let mut inner = self.lock();
        let Some(queue) = inner.queues.get_mut(key) else {
            return Matches::default();
        };
        queue.wakes(now_ns);
        inner.meet(&self.inner, key, now_ns)
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

    /// Polls that wait in all queues.
    pub(crate) fn polls_that_wait(&self) -> usize {
        self.lock().polls
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
            return Described {
                limit: Queue::new(inner.configs.a_second(key)).rate_limit(),
                ..Described::default()
            };
        };
        Described {
            pollers: queue.pollers.since(now_ns.saturating_sub(KEPT_NS)),
            backlog: queue.line.len() + queue.served.len(),
            oldest_ns: queue.oldest_ns(),
            added: queue.added.a_second(now_ns),
            handed_out: queue.handed_out.a_second(now_ns),
            limit: queue.rate_limit(),
        }
    }

    /// How many a queue hands out, if attempts wait in it because it has handed out that many.
    pub(crate) fn holds_back(&self, key: &QueueKey, now_ns: u64) -> Option<RateLimit> {
        let inner = self.lock();
        inner.queues.get(key)?.holds_back(now_ns)
    }

    /// How many a queue hands out.
    pub(crate) fn rate_limit(&self, key: &QueueKey) -> Option<RateLimit> {
        self.lock().queues.get(key)?.rate_limit()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    // Whatever panics while it is held is a defect of this file; the lines are made anew from the store in any case.
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn queue(&mut self, key: &QueueKey) -> &mut Queue {
        let queue = self
            .queues
            .entry(key.clone())
            .or_insert_with(|| Queue::new(self.configs.a_second(key)));
        if let Some(since_ns) = queue.idle_since_ns.take() {
            self.idle.remove(&(since_ns, key.clone()));
        }
        queue
    }

    /// An attempt begins to wait: its place in the line.
    fn stand(&mut self, key: &QueueKey, due_ns: u64, id: (RunId, i64), now_ns: u64) -> Rank {
        self.last_rank += 1;
        let rank = (due_ns, self.last_rank);
        self.places.insert(id, (key.clone(), rank));
        self.queue(key).added.count(now_ns);
        rank
    }

    /// Who can meet in a queue, meets. `shared` is what this is in.
    fn meet(&mut self, shared: &Shared, key: &QueueKey, now_ns: u64) -> Matches {
        let Some(queue) = self.queues.get_mut(key) else {
            return Matches::default();
        };
        let met = queue.meet(now_ns);
        let called = met.called.into_iter().map(|(waiting, limited)| {
            let token = limited.then(|| Token::new(key, shared));
            (waiting, token)
        });
        let matches = Matches {
            called: called.collect(),
            pairs: met.pairs,
            again_ns: met.again_ns,
        };
        let pairs = matches.pairs.iter().map(|(waiting, _)| waiting);
        for waiting in pairs.chain(matches.called.iter().map(|(waiting, _)| waiting)) {
            self.places.remove(&(waiting.run_id, waiting.scheduled_event_id));
        }
        self.rest(key, now_ns);
        matches
    }

    /// Perhaps nobody uses the queue any more.
    fn rest(&mut self, key: &QueueKey, now_ns: u64) {
        if let Some(queue) = self.queues.get_mut(key)
            && queue.line.is_empty()
            && queue.served.is_empty()
            && queue.taken == 0
        {
            // What was handed out lately counts for as long as it makes a difference.
            let idle_ns = queue.full_ns().max(now_ns);
            if let Some(since_ns) = queue.idle_since_ns.replace(idle_ns) {
                self.idle.remove(&(since_ns, key.clone()));
            }
            self.idle.insert((idle_ns, key.clone()));
        }
        while let Some((since_ns, _)) = self.idle.first()
            && (self.idle.len() > IDLE_QUEUES_MAX || since_ns.saturating_add(KEPT_NS) <= now_ns)
            && let Some((_, key)) = self.idle.pop_first()
        {
            self.queues.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
