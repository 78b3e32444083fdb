//! Attempts of activities that this server runs, or that wait for somebody who does.
//!
//! An attempt begins in a turn of its run ([`starting`]), when its row says so it runs ([`running`]), and what its code calls is
//! [`host`]. Attempts that workers outside of the server take are in [`handing`](super::handing).

mod alarm;
mod host;
mod limited;
mod restored;
mod running;
mod starting;
mod unserved;
mod waits;
mod wanting;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use longhaul_sandbox::CancellationReason;
use longhaul_store::RunId;

use self::{limited::Limited, unserved::Unserved, wanting::Wanting};
use super::{
    Place,
    gated::{Gated, Which},
    message::Input,
};
use crate::{core::Core, gates::Permit};

pub(crate) use self::starting::Dispatch;
pub(in crate::shard) use self::{host::Cancellation, running::execute};

/// What a shard knows of attempts.
pub(crate) struct Attempts {
    slots: usize,
    /// Attempts that run, or will as soon as their transition is durable.
    running: HashMap<(RunId, i64), Running>,
    wanting: Wanting,
    /// Slots that are kept for activities which were the next in line, until their runs have had their turns.
    promised: HashSet<(RunId, i64)>,
    /// Activities whose module runs as many attempts as it may.
    pub(super) gated: Gated,
    unserved: Unserved,
    /// Activities whose task queue hands out as many as it may.
    limited: Limited,
    /// Attempts that workers outside of the server have.
    outside: BTreeSet<(RunId, i64)>,
}

/// Names an attempt of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AttemptKey {
    pub(crate) run_id: RunId,
    pub(crate) scheduled_event_id: i64,
    /// Its number is not enough: there is another of that number after a reset.
    pub(crate) nonce: u64,
}

struct Running {
    nonce: u64,
    cancel: Arc<Cancellation>,
    task: Option<tokio::task::AbortHandle>,
    /// The next attempt of the activity is due, and waits for the end of this one; where its run is found.
    followed: Option<Place>,
    /// Its module's other attempts wait while it is held.
    #[expect(dead_code, reason = "held until it is dropped")]
    permit: Option<Permit>,
}

impl Attempts {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            slots: slots.max(1),
            running: HashMap::new(),
            wanting: Wanting::default(),
            promised: HashSet::new(),
            gated: Gated::default(),
            unserved: Unserved::default(),
            limited: Limited::default(),
            outside: BTreeSet::new(),
        }
    }

    /// No attempt runs, here or outside, and none waits for a slot or a worker.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty()
            && self.wanting.is_empty()
            && self.gated.is_empty()
            && self.unserved.is_empty()
            && self.limited.is_empty()
            && self.outside.is_empty()
    }

    fn free_slots(&self) -> usize {
        self.slots
            .saturating_sub(self.running.len() + self.promised.len())
    }

    /// A worker outside of the server has an attempt, or has had it when the last server ended.
    pub(crate) fn handed_out(&mut self, run_id: RunId, scheduled_event_id: i64) {
        self.outside.insert((run_id, scheduled_event_id));
    }

    /// An activity may be ready to start.
    pub(crate) fn try_later(&mut self, run_id: RunId, scheduled_event_id: i64) {
        self.wanting.add(run_id, scheduled_event_id);
    }

    /// The attempt of an activity that this server runs, if it does.
    pub(crate) fn running(&self, run_id: RunId, scheduled_event_id: i64) -> Option<AttemptKey> {
        let running = self.running.get(&(run_id, scheduled_event_id))?;
        Some(AttemptKey {
            run_id,
            scheduled_event_id,
            nonce: running.nonce,
        })
    }

    fn runs(&self, attempt: AttemptKey) -> bool {
        self.running(attempt.run_id, attempt.scheduled_event_id) == Some(attempt)
    }

    /// Ask an attempt to stop, if it still runs.
    pub(crate) fn cancel(&self, attempt: AttemptKey) {
        if self.runs(attempt)
            && let Some(running) = self.running.get(&(attempt.run_id, attempt.scheduled_event_id))
        {
            running.cancel.request(CancellationReason::Cancelled);
        }
    }

    /// Nobody waits for the activity any more: it waits for nobody. What runs of it is [ended](super::Shard::end_attempt) when that is
    /// durable.
    pub(crate) fn withdraw(&mut self, core: &Core, run_id: RunId, scheduled_event_id: i64) {
        self.outside.remove(&(run_id, scheduled_event_id));
        self.served(core, run_id, scheduled_event_id);
        self.leave_lines(core, run_id, scheduled_event_id);
        self.wanting.remove(run_id, scheduled_event_id);
        self.promised.remove(&(run_id, scheduled_event_id));
    }

    /// An activity does not wait for a worker any more.
    pub(super) fn served(&mut self, core: &Core, run_id: RunId, scheduled_event_id: i64) {
        if self.unserved.remove(run_id, scheduled_event_id) {
            core.task_queues
                .withdraw(run_id, scheduled_event_id, core.clock.now_ns());
        }
    }

    /// An activity that the server serves does not wait for its queue any more.
    pub(super) fn leave_queue(&mut self, core: &Core, run_id: RunId, scheduled_event_id: i64) {
        if self.limited.remove(run_id, scheduled_event_id) {
            core.task_queues
                .withdraw(run_id, scheduled_event_id, core.clock.now_ns());
        }
    }

    /// The same for a place in its module as well.
    fn leave_lines(&mut self, core: &Core, run_id: RunId, scheduled_event_id: i64) {
        self.leave_queue(core, run_id, scheduled_event_id);
        self.gated.withdraw(run_id, Which::Scheduled(scheduled_event_id));
    }

    /// An attempt runs no more. None: it did not.
    fn remove(&mut self, attempt: AttemptKey) -> Option<Running> {
        if self.runs(attempt) {
            self.running.remove(&(attempt.run_id, attempt.scheduled_event_id))
        } else {
            None
        }
    }

    /// The server stops: attempts are told, and ended; the next server tries them again.
    pub(crate) fn shut_down(&mut self) {
        for (_, running) in self.running.drain() {
            running.cancel.request(CancellationReason::Shutdown);
            if let Some(task) = running.task {
                task.abort();
            }
        }
    }

    /// A dispatch that could not be written.
    pub(crate) fn give_back(&mut self, dispatch: &Dispatch) {
        self.remove(dispatch.key());
    }

    /// The turn of a run was lost: attempts that it was about to start do not start. Those whose transition is `on_its_way` do.
    pub(crate) fn take_back(&mut self, core: &Core, run_id: RunId, on_its_way: &HashSet<(i64, u64)>) {
        self.running.retain(|(run, scheduled_event_id), running| {
            *run != run_id
                || running.task.is_some()
                || on_its_way.contains(&(*scheduled_event_id, running.nonce))
        });
        // What waits, or is outside, is found again when the run is read.
        self.wanting.remove_run(run_id);
        self.promised.retain(|(run, _)| *run != run_id);
        self.gated.withdraw_run(run_id);
        for scheduled_event_id in self.unserved.of_run(run_id) {
            self.served(core, run_id, scheduled_event_id);
        }
        for scheduled_event_id in self.limited.of_run(run_id) {
            self.leave_queue(core, run_id, scheduled_event_id);
        }
        let of_run = (run_id, i64::MIN)..=(run_id, i64::MAX);
        let outside: Vec<_> = self.outside.range(of_run).copied().collect();
        for key in outside {
            self.outside.remove(&key);
        }
    }

    /// A write has failed: what waits or is outside may be of what was not written. The store says what does; attempts that run go on.
    pub(crate) fn start_over(&mut self, core: &Core) {
        let now_ns = core.clock.now_ns();
        for (run_id, scheduled_event_id) in self.unserved.take_all() {
            core.task_queues.withdraw(run_id, scheduled_event_id, now_ns);
        }
        for (run_id, scheduled_event_id) in self.limited.all() {
            self.leave_queue(core, run_id, scheduled_event_id);
        }
        self.wanting = Wanting::default();
        self.promised.clear();
        self.gated = Gated::default();
        self.outside.clear();
    }
}

impl super::Shard {
    /// Nobody waits for an attempt any more, and that is durable: it is told, and ended.
    pub(super) fn end_attempt(&mut self, attempt: AttemptKey) {
        if let Some(running) = self.attempts.remove(attempt) {
            running.cancel.request(CancellationReason::NotFound);
            if let Some(task) = &running.task {
                task.abort();
            }
            self.follow(attempt, running);
        }
    }

    /// An attempt has ended by itself.
    pub(super) fn on_attempt_ended(&mut self, attempt: AttemptKey) {
        if let Some(running) = self.attempts.remove(attempt) {
            self.follow(attempt, running);
        }
    }

    /// An attempt runs no more: the next one of its activity may start, if that has waited for it.
    fn follow(&mut self, attempt: AttemptKey, ended: Running) {
        if let Some(place) = ended.followed {
            let scheduled_event_id = attempt.scheduled_event_id;
            self.deliver(attempt.run_id, &place, Input::TryAttempt { scheduled_event_id });
        }
    }
}
