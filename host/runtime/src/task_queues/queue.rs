//! One task queue.

use std::{collections::BTreeMap, mem};

use longhaul_store::RunId;
use tokio::sync::oneshot;

use super::{limiter::Limiter, pollers::Pollers, rate::Rate, token::Token};
use crate::shard::{Delivery, Place};

/// The order of a line: when the attempt fell due, then when it came.
pub(super) type Rank = (u64, u64);

#[derive(Default)]
pub(super) struct Queue {
    pub(super) line: BTreeMap<Rank, Waiting>,
    /// Attempts that this server runs itself, and that wait for their turn. They need no poll.
    pub(super) served: BTreeMap<Rank, Waiting>,
    /// By number, which is the order in which they came.
    pub(super) polls: BTreeMap<u64, Waits>,
    /// Polls that were taken and are not answered: those above, and those that have just been given an attempt.
    pub(super) taken: usize,
    pub(super) idle_since_ns: Option<u64>,
    pub(super) pollers: Pollers,
    pub(super) added: Rate,
    pub(super) handed_out: Rate,
    /// Attempts that it is to hand out in a second, as an operator has set it.
    by_api: Option<f64>,
    /// The same, as the last poll that has said so wants it.
    by_worker: Option<f64>,
    /// For the stronger of the two.
    limiter: Option<Limiter>,
    /// For when a shard was told that the queue may go on.
    again_ns: Option<u64>,
}

/// How many attempts a queue may hand out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RateLimit {
    pub(crate) a_second: f64,
    pub(crate) by: SetBy,
}

/// Who has set a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetBy {
    /// An operator.
    Api,
    /// A worker.
    Worker,
}

/// An attempt that waits for a worker.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) place: Place,
    pub(crate) run_id: RunId,
    pub(crate) scheduled_event_id: i64,
}

/// A poll in a queue.
pub(super) struct Waits {
    pub(super) instance_key: String,
    pub(super) poll: Poll,
}

/// A worker's poll. Dropped unanswered it is asked again by whoever waits for it.
#[derive(Debug)]
pub(crate) struct Poll {
    pub(crate) identity: String,
    reply: oneshot::Sender<Option<Delivery>>,
}

/// Attempts and polls that have met.
#[derive(Debug, Default)]
pub(crate) struct Matches {
    /// The shard of each attempt is to give it to the poll.
    pub(crate) pairs: Vec<(Waiting, Poll)>,
    /// The shard of each of these attempts may start it. Without a token: the queue has no limit any more.
    pub(crate) called: Vec<(Waiting, Option<Token>)>,
    /// There are more, for which the queue may [go on](super::TaskQueues::go_on) then; whoever gets this sees to it.
    pub(crate) again_ns: Option<u64>,
}

/// The same, before anybody has been given anything.
#[derive(Default)]
pub(super) struct Met {
    pub(super) pairs: Vec<(Waiting, Poll)>,
    /// With whether a token was taken for it.
    pub(super) called: Vec<(Waiting, bool)>,
    pub(super) again_ns: Option<u64>,
}

impl Poll {
    pub(super) fn new(identity: &str, reply: oneshot::Sender<Option<Delivery>>) -> Self {
        let identity = identity.to_owned();
        Self { identity, reply }
    }

    /// Whether its worker still waits.
    pub(crate) fn is_alive(&self) -> bool {
        !self.reply.is_closed()
    }

    /// Answer it. A delivery that does not arrive goes back to its shard by being dropped.
    pub(crate) fn answer(self, delivery: Delivery) {
        drop(self.reply.send(Some(delivery)));
    }

    /// Its worker stops: nothing comes.
    pub(super) fn end(self) {
        drop(self.reply.send(None));
    }
}

impl Queue {
    /// Of which an operator has set so much.
    pub(super) fn new(by_api: Option<f64>) -> Self {
        Self {
            by_api,
            limiter: by_api.map(Limiter::new),
            ..Self::default()
        }
    }

    /// A worker wants at most so many in a second to be handed out from now on.
    pub(super) fn limit_by_worker(&mut self, a_second: f64, now_ns: u64) {
        self.by_worker = Some(a_second);
        self.fit_limiter(now_ns);
    }

    /// An operator does, or leaves it to the workers again.
    pub(super) fn limit_by_api(&mut self, a_second: Option<f64>, now_ns: u64) {
        self.by_api = a_second;
        self.fit_limiter(now_ns);
    }

    fn fit_limiter(&mut self, now_ns: u64) {
        match (self.rate_limit(), &mut self.limiter) {
            (Some(limit), Some(limiter)) => limiter.set(limit.a_second, now_ns),
            (limit, limiter) => *limiter = limit.map(|limit| Limiter::new(limit.a_second)),
        }
    }

    /// As on Temporal's server: what an operator has set counts, whatever the workers say.
    pub(super) fn rate_limit(&self) -> Option<RateLimit> {
        let limit = |by, a_second: Option<f64>| a_second.map(|a_second| RateLimit { a_second, by });
        limit(SetBy::Api, self.by_api).or_else(|| limit(SetBy::Worker, self.by_worker))
    }

    /// The limit, if it is what attempts wait for.
    pub(super) fn holds_back(&self, now_ns: u64) -> Option<RateLimit> {
        let limiter = self.limiter.as_ref()?;
        let later = limiter.next_ns().is_none_or(|next_ns| next_ns > now_ns);
        if later && !self.line.is_empty() && !self.polls.is_empty() {
            self.rate_limit()
        } else {
            None
        }
    }

    /// The attempts that have waited longest meet the polls that have, or are called where the server runs them, as many as there are and
    /// as may be handed out.
    pub(super) fn meet(&mut self, now_ns: u64) -> Met {
        let mut met = Met::default();
        loop {
            while self
                .polls
                .first_key_value()
                .is_some_and(|(_, waits)| !waits.poll.is_alive())
            {
                self.polls.pop_first();
            }
            let first = |line: &BTreeMap<Rank, Waiting>| line.first_key_value().map(|(rank, _)| *rank);
            let polled = first(&self.line).filter(|_| !self.polls.is_empty());
            let served = first(&self.served);
            if polled.is_none() && served.is_none() {
                break;
            }
            if let Some(limiter) = &mut self.limiter
                && !limiter.take(now_ns)
            {
                met.again_ns = self.wake_again();
                break;
            }
            // Whoever fell due first goes first.
            if served.is_some_and(|served| polled.is_none_or(|polled| served < polled)) {
                let next = self.served.pop_first();
                let limited = self.limiter.is_some();
                met.called.extend(next.map(|(_, waiting)| (waiting, limited)));
            } else if let (Some((_, waiting)), Some((_, waits))) =
                (self.line.pop_first(), self.polls.pop_first())
            {
                self.handed_out.count(now_ns);
                met.pairs.push((waiting, waits.poll));
            }
        }
        met
    }

    /// A token that was taken is not needed.
    pub(super) fn give_back(&mut self) {
        if let Some(limiter) = &mut self.limiter {
            limiter.give_back();
        }
    }

    /// When nothing that was handed out is missing any more.
    pub(super) fn full_ns(&self) -> u64 {
        self.limiter.as_ref().map_or(0, Limiter::full_ns)
    }

    /// Since when the attempt that has waited longest does.
    pub(super) fn oldest_ns(&self) -> Option<u64> {
        let first = |line: &BTreeMap<Rank, Waiting>| line.first_key_value().map(|((due_ns, _), _)| *due_ns);
        first(&self.line).into_iter().chain(first(&self.served)).min()
    }

    /// When somebody is to look again, unless somebody does so before.
    fn wake_again(&mut self) -> Option<u64> {
        let next_ns = self.limiter.as_ref()?.next_ns()?;
        if self.again_ns.is_some_and(|again_ns| again_ns <= next_ns) {
            return None;
        }
        self.again_ns = Some(next_ns);
        self.again_ns
    }

    /// Somebody looks again.
    pub(super) fn wakes(&mut self, now_ns: u64) {
        self.again_ns = mem::take(&mut self.again_ns).filter(|again_ns| *again_ns > now_ns);
    }
}
