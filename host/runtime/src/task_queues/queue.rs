//! One task queue.

use std::{collections::BTreeMap, mem};

use longhaul_store::RunId;
use tokio::sync::oneshot;

use super::{limiter::Limiter, pollers::Pollers, rate::Rate};
use crate::shard::{Delivery, Place};

/// The order of a line: when the attempt fell due, then when it came.
pub(super) type Rank = (u64, u64);

#[derive(Default)]
pub(super) struct Queue {
    pub(super) line: BTreeMap<Rank, Waiting>,
    /// By number, which is the order in which they came.
    pub(super) polls: BTreeMap<u64, Waits>,
    /// Polls that were taken and are not answered: those above, and those that have just been given an attempt.
    pub(super) taken: usize,
    pub(super) idle_since_ns: Option<u64>,
    pub(super) pollers: Pollers,
    pub(super) added: Rate,
    pub(super) handed_out: Rate,
    limiter: Option<Limiter>,
    /// For when a shard was told that the queue may go on.
    again_ns: Option<u64>,
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
    /// There are more, for which the queue may [go on](super::TaskQueues::go_on) then; whoever gets this sees to it.
    pub(crate) again_ns: Option<u64>,
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
    /// Hand out at most so many in a second from now on.
    pub(super) fn limit(&mut self, a_second: f64, now_ns: u64) {
        match &mut self.limiter {
            Some(limiter) => limiter.set(a_second, now_ns),
            None => self.limiter = Some(Limiter::new(a_second)),
        }
    }

    pub(super) fn limit_a_second(&self) -> Option<f64> {
        self.limiter.as_ref().map(Limiter::a_second)
    }

    /// The limit, if it is what attempts wait for.
    pub(super) fn holds_back(&self, now_ns: u64) -> Option<f64> {
        let limiter = self.limiter.as_ref()?;
        let later = limiter.next_ns().is_none_or(|next_ns| next_ns > now_ns);
        (later && !self.line.is_empty() && !self.polls.is_empty()).then(|| limiter.a_second())
    }

    /// The attempts that have waited longest meet the polls that have, as many as there are and as may be handed out.
    pub(super) fn meet(&mut self, now_ns: u64) -> Matches {
        let mut matches = Matches::default();
        while !self.line.is_empty() {
            while self
                .polls
                .first_key_value()
                .is_some_and(|(_, waits)| !waits.poll.is_alive())
            {
                self.polls.pop_first();
            }
            if self.polls.is_empty() {
                break;
            }
            if let Some(limiter) = &mut self.limiter
                && !limiter.take(now_ns)
            {
                matches.again_ns = self.wake_again();
                break;
            }
            if let (Some((_, waiting)), Some((_, waits))) = (self.line.pop_first(), self.polls.pop_first()) {
                self.handed_out.count(now_ns);
                matches.pairs.push((waiting, waits.poll));
            }
        }
        matches
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
