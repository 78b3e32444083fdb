//! Activities that wait because their module runs as many attempts as it may.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use longhaul_store::RunId;

use super::{Place, Shard, ShardMailbox, message::Input, message::Notice};
use crate::{
    activities::Server,
    gates::{Key, Permit, Wake},
};

/// An activity of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Which {
    /// The one that this event has scheduled.
    Scheduled(i64),
    /// The local one with this number.
    Local(u32),
}

impl Which {
    const FIRST: Self = Self::Scheduled(i64::MIN);
    const LAST: Self = Self::Local(u32::MAX);
}

/// A shard's activities that wait for a gate, in the order in which they came.
#[derive(Default)]
pub(crate) struct Gated {
    lines: HashMap<Key, VecDeque<(RunId, Which)>>,
    /// Which of them still wait. What was withdrawn stays in its line until it is at the front.
    waiting: BTreeMap<(RunId, Which), (Key, Place)>,
    /// What was let in and is about to start.
    permits: BTreeMap<(RunId, Which), Permit>,
}

impl Wake for ShardMailbox {
    fn wake(&self, key: Key) {
        self.notice(Notice::GateOpen(key));
    }
}

impl Gated {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.permits.is_empty()
    }

    /// Whether an activity waits for its module.
    pub(crate) fn waits(&self, run_id: RunId, which: Which) -> bool {
        self.waiting.contains_key(&(run_id, which))
    }

    /// An activity waits for its module.
    fn push(&mut self, key: Key, run_id: RunId, place: Place, which: Which) {
        let waits = (run_id, which);
        if self.waiting.insert(waits, (key.clone(), place)).is_none() {
            self.lines.entry(key).or_default().push_back(waits);
        }
    }

    /// An activity does not wait any more.
    pub(crate) fn withdraw(&mut self, run_id: RunId, which: Which) {
        let waited = (run_id, which);
        self.permits.remove(&waited);
        if let Some((key, _)) = self.waiting.remove(&waited)
            && let Some(line) = self.lines.get_mut(&key)
        {
            // Those behind a withdrawn one would keep their line alive, so the line is as long as it looks only at its front.
            while line
                .front()
                .is_some_and(|front| !self.waiting.contains_key(front))
            {
                line.pop_front();
            }
            if line.is_empty() {
                self.lines.remove(&key);
            }
        }
    }

    /// None of a run's activities waits any more.
    pub(crate) fn withdraw_run(&mut self, run_id: RunId) {
        let of_run = (run_id, Which::FIRST)..=(run_id, Which::LAST);
        let waiting = self.waiting.range(of_run.clone()).map(|(waits, _)| *waits);
        let permits = self.permits.range(of_run).map(|(waits, _)| *waits);
        let all: Vec<(RunId, Which)> = waiting.chain(permits).collect();
        for (run_id, which) in all {
            self.withdraw(run_id, which);
        }
    }

    /// What was let in is kept until its run has had its turn, and no longer: a run that cannot be read takes no place.
    pub(super) fn keep_permits(&mut self, awaited: impl Fn(RunId) -> bool) {
        self.permits.retain(|(run_id, _), _| awaited(*run_id));
    }

    /// The next that waits for this module.
    fn front(&self, key: &Key) -> Option<(RunId, Which)> {
        self.lines.get(key)?.front().copied()
    }

    /// Take one that waits.
    fn take(&mut self, run_id: RunId, which: Which) -> Option<Place> {
        let place = self.waiting.get(&(run_id, which)).map(|(_, place)| place.clone());
        self.withdraw(run_id, which);
        place
    }
}

impl Shard {
    /// Whether an attempt of this server may start now; if not, it waits until one has ended.
    pub(super) fn enter_gate(
        &mut self,
        server: &Server,
        run_id: RunId,
        place: Place,
        which: Which,
    ) -> Entrance {
        let Server::Module(version) = server else {
            return Entrance::Open;
        };
        let Some(limit) = version.config.activity_concurrency else {
            return Entrance::Open;
        };
        if let Some(permit) = self.attempts.gated.permits.remove(&(run_id, which)) {
            return Entrance::With(permit);
        }
        let key = (version.record.namespace, version.name.clone());
        // Whoever came first goes first, also where there is room by now: its shard was woken for it.
        let behind = self.attempts.gated.front(&key).is_some();
        let wake: Arc<dyn Wake> = self.mailbox.clone();
        let permit = match behind {
            true => None,
            false => self.core.gates.enter(&key, limit, self.index, &wake),
        };
        match permit {
            Some(permit) => Entrance::With(permit),
            None => {
                self.attempts.gated.push(key, run_id, place, which);
                Entrance::Closed
            }
        }
    }

    /// There may be room in a module's gate: let in as many as there is.
    pub(super) fn pass_gate(&mut self, key: &Key) {
        while let Some((run_id, which)) = self.attempts.gated.front(key) {
            let version = self.core.registry.version(key.0, &key.1, 0);
            let limit = version.and_then(|version| version.config.activity_concurrency);
            let permit = match limit {
                // The module has no limit any more, or is gone: its activities look around again.
                None => None,
                Some(limit) => {
                    let wake: Arc<dyn Wake> = self.mailbox.clone();
                    match self.core.gates.enter(key, limit, self.index, &wake) {
                        Some(permit) => Some(permit),
                        None => return,
                    }
                }
            };
            let Some(place) = self.attempts.gated.take(run_id, which) else {
                continue;
            };
            if let Some(permit) = permit {
                self.attempts.gated.permits.insert((run_id, which), permit);
            }
            match which {
                Which::Scheduled(scheduled_event_id) => {
                    self.deliver(run_id, &place, Input::TryAttempt { scheduled_event_id });
                }
                Which::Local(seq) => self.deliver_local(run_id, Input::TryLocal { seq }),
            }
        }
        // All that waited here have been let in, or have given up: there may be more room.
        self.core.gates.pass_on(key);
    }

    /// A module was stored or removed: its limit may be another.
    pub(super) fn pass_all_gates(&mut self) {
        let keys: Vec<Key> = self.attempts.gated.lines.keys().cloned().collect();
        for key in &keys {
            self.pass_gate(key);
        }
    }
}

/// What a gate says.
pub(super) enum Entrance {
    /// There is no gate.
    Open,
    /// It is open for one.
    With(Permit),
    /// It is full.
    Closed,
}

impl Entrance {
    /// The permit, if one is needed; `Err` if the attempt has to wait.
    pub(super) fn permit(self) -> Result<Option<Permit>, ()> {
        match self {
            Self::Open => Ok(None),
            Self::With(permit) => Ok(Some(permit)),
            Self::Closed => Err(()),
        }
    }
}
