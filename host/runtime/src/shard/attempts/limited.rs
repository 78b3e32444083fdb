//! Activities that this server serves and whose task queue has handed out as many attempts as it may: they wait for their turn.

use std::collections::{BTreeMap, BTreeSet};

use longhaul_store::RunId;

use crate::{
    registry::Service,
    shard::{Place, Shard, message::Input, run::Run},
    task_queues::{Admission, QueueKey, Token, Waiting},
};

/// Those of a shard. In which order they go only their queue knows.
#[derive(Debug, Default)]
pub(super) struct Limited {
    waiting: BTreeMap<(RunId, i64), (Service, Place)>,
    /// What was called and is about to start.
    tokens: BTreeMap<(RunId, i64), Token>,
    /// Queues whose lines are being made from the store; nobody has been called yet.
    restored: BTreeSet<QueueKey>,
}

impl Limited {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.tokens.is_empty()
    }

    /// Whether an activity stands in its queue's line.
    pub(super) fn waits(&self, run_id: RunId, scheduled_event_id: i64) -> bool {
        self.waiting.contains_key(&(run_id, scheduled_event_id))
    }

    fn insert(&mut self, id: (RunId, i64), service: Service, place: Place) {
        self.waiting.insert(id, (service, place));
    }

    /// It does not wait any more. `false`: it stood in no line.
    pub(super) fn remove(&mut self, run_id: RunId, scheduled_event_id: i64) -> bool {
        let id = (run_id, scheduled_event_id);
        self.tokens.remove(&id);
        self.waiting.remove(&id).is_some()
    }

    /// Those of one run.
    pub(super) fn of_run(&self, run_id: RunId) -> Vec<i64> {
        let of_run = (run_id, i64::MIN)..=(run_id, i64::MAX);
        let waiting = self.waiting.range(of_run.clone()).map(|((_, id), _)| *id);
        let tokens = self.tokens.range(of_run).map(|((_, id), _)| *id);
        waiting.chain(tokens).collect()
    }

    /// All.
    pub(super) fn all(&self) -> Vec<(RunId, i64)> {
        self.waiting.keys().chain(self.tokens.keys()).copied().collect()
    }

    /// What was called keeps its token until its run has had its turn, and no longer: a run that cannot be read takes no turn.
    pub(super) fn keep_tokens(&mut self, awaited: impl Fn(RunId) -> bool) {
        self.tokens.retain(|(run_id, _), _| awaited(*run_id));
    }
}

impl Shard {
    /// Whether the rate of its task queue lets an attempt of this server start now; if not, it waits until it is called. `Ok(None)`:
    /// there is no limit.
    pub(super) fn enter_queue(
        &mut self,
        run: &Run,
        scheduled_event_id: i64,
        due_ns: u64,
        service: Service,
        now_ns: u64,
    ) -> Result<Option<Token>, Waits> {
        let id = (run.run_id, scheduled_event_id);
        if let Some(token) = self.attempts.limited.tokens.remove(&id) {
            return Ok(Some(token));
        }
        let (key, waiting) = stands(id, run.place(), &service);
        let (admission, others) = self.core.task_queues.admit(&key, due_ns, waiting, now_ns);
        self.core.bring(&key, others);
        match admission {
            Admission::Free => Ok(None),
            Admission::With(token) => Ok(Some(token)),
            Admission::Waits => {
                self.attempts.limited.insert(id, service, run.place());
                Err(Waits)
            }
        }
    }

    /// The store says that an activity waits which this server serves. `false`: not for its turn.
    pub(super) fn restore_limited(
        &mut self,
        id: (RunId, i64),
        place: Place,
        due_ns: u64,
        service: Service,
        now_ns: u64,
    ) -> bool {
        let (key, waiting) = stands(id, place.clone(), &service);
        let waits = self
            .core
            .task_queues
            .restore_served(&key, due_ns, waiting, now_ns);
        if waits {
            self.attempts.limited.insert(id, service, place);
            self.attempts.limited.restored.insert(key);
        }
        waits
    }

    /// All that waits stands in line: the first are called.
    pub(in crate::shard) fn call_restored(&mut self) {
        let now_ns = self.core.clock.now_ns();
        for key in std::mem::take(&mut self.attempts.limited.restored) {
            let matches = self.core.task_queues.go_on(&key, now_ns);
            self.core.bring(&key, matches);
        }
    }

    /// Its task queue calls an activity that waited for its turn. Without a token: the queue has no limit any more.
    pub(in crate::shard) fn on_called(&mut self, called: Waiting, token: Option<Token>) {
        let Waiting {
            place,
            run_id,
            scheduled_event_id,
        } = called;
        if !self.attempts.limited.remove(run_id, scheduled_event_id) {
            return;
        }
        // It may have left its line and stood in it anew while this was on its way.
        self.core
            .task_queues
            .withdraw(run_id, scheduled_event_id, self.core.clock.now_ns());
        if let Some(token) = token {
            let id = (run_id, scheduled_event_id);
            self.attempts.limited.tokens.insert(id, token);
        }
        self.deliver(run_id, &place, Input::TryAttempt { scheduled_event_id });
    }

    /// What the server runs may be another: activities that wait for their turn here, and which nobody here serves any more, look around
    /// again.
    pub(in crate::shard) fn try_limited(&mut self) {
        let registry = &self.core.registry;
        let waiting = self.attempts.limited.waiting.iter();
        let unserved: Vec<(RunId, i64, Place)> = waiting
            .filter(|(_, ((namespace, queue, activity_type), _))| {
                registry.server_of(*namespace, queue, activity_type).is_none()
            })
            .map(|((run_id, id), (_, place))| (*run_id, *id, place.clone()))
            .collect();
        for (run_id, scheduled_event_id, place) in unserved {
            self.deliver(run_id, &place, Input::TryAttempt { scheduled_event_id });
        }
    }
}

fn stands(
    (run_id, scheduled_event_id): (RunId, i64),
    place: Place,
    service: &Service,
) -> (QueueKey, Waiting) {
    let key = QueueKey {
        namespace: service.0,
        name: service.1.as_str().into(),
    };
    let waiting = Waiting {
        place,
        run_id,
        scheduled_event_id,
    };
    (key, waiting)
}

/// It stands in its queue's line.
pub(super) struct Waits;
