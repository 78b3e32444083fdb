//! Attempts start: in a turn of their run, where there is a place for them.

use std::sync::Arc;

use longhaul_engine::{
    Turn,
    activity::{Activity, Starter},
};
use longhaul_history::time;
use longhaul_sandbox::{ActivityCall, ActivityInfo};
use longhaul_store::RunId;

use super::{AttemptKey, Running, host::Host, running::run_attempt};
use crate::{
    activities::Server,
    guest,
    registry::Service,
    shard::{Place, Shard, commit::Held, gated::Which, handing, message::Input, run::Run, turn::Tellings},
};

/// An attempt that is to run.
pub(crate) struct Dispatch {
    pub(super) key: AttemptKey,
    pub(super) place: Place,
    pub(super) server: Server,
    pub(super) call: ActivityCall,
    pub(super) host: Arc<Host>,
}

impl Dispatch {
    pub(in crate::shard) fn key(&self) -> AttemptKey {
        self.key
    }
}

impl Shard {
    /// Start what is ready: the row says so first, then, when that is durable, it runs.
    pub(in crate::shard) fn start_attempts(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        tellings: &mut Tellings,
    ) {
        use longhaul_engine::Effect;
        let changed: Vec<i64> = turn
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::ActivityChanged { scheduled_event_id } => Some(*scheduled_event_id),
                _ => None,
            })
            .collect();
        for scheduled_event_id in changed {
            // An attempt that has run out of time, or failed, is over: what still runs of it ends, once that is durable.
            let activity = run.execution.activities().get(&scheduled_event_id);
            if let Some(running) = self.attempts.running(run.run_id, scheduled_event_id)
                && !activity.is_some_and(|activity| activity.attempt.runs_as(running.nonce))
            {
                tellings.0.push(Held::EndAttempt(running));
            }
            self.note_outside(run, scheduled_event_id);
            // If it waits it lines up anew: it may be paused, or be for another queue.
            self.attempts.served(&self.core, run.run_id, scheduled_event_id);
            self.attempts
                .leave_queue(&self.core, run.run_id, scheduled_event_id);
            self.attempts.try_later(run.run_id, scheduled_event_id);
        }
        // Also behind one for which there is no slot: others may be for workers outside.
        for scheduled_event_id in self.attempts.wanting.take_fresh(run.run_id) {
            if self.start_attempt(run, turn, tellings, scheduled_event_id) {
                self.attempts.wanting.leave_line(run.run_id, scheduled_event_id);
            } else {
                let place = run.place();
                self.attempts
                    .wanting
                    .line_up(run.run_id, place, scheduled_event_id);
            }
        }
    }

    /// How many more attempts may run. Those of local activities take slots as well.
    pub(in crate::shard) fn free_slots(&self) -> usize {
        self.attempts
            .free_slots()
            .saturating_sub(self.local_attempts.running())
    }

    /// False: there is no slot.
    fn start_attempt(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        tellings: &mut Tellings,
        scheduled_event_id: i64,
    ) -> bool {
        let id = (run.run_id, scheduled_event_id);
        let promised = self.attempts.promised.remove(&id);
        let ready = run.execution.activities().get(&scheduled_event_id);
        let Some(activity) = ready.filter(|activity| activity.is_ready(turn.now_ns) && !self.stopping) else {
            self.attempts
                .leave_lines(&self.core, run.run_id, scheduled_event_id);
            return true;
        };
        let (queue, activity_type, due_ns) = (
            activity.task_queue().to_owned(),
            activity.activity_type().to_owned(),
            activity.attempt.due_ns,
        );
        let Some(server) = self
            .core
            .registry
            .server_of(run.namespace, &queue, &activity_type)
        else {
            self.attempts
                .leave_lines(&self.core, run.run_id, scheduled_event_id);
            let service = (run.namespace, queue, activity_type);
            self.attempts
                .unserved
                .insert(run.run_id, scheduled_event_id, service, run.place());
            self.offer(run, turn, tellings, scheduled_event_id);
            return true;
        };
        self.attempts.served(&self.core, run.run_id, scheduled_event_id);
        if let Some(running) = self.attempts.running.get_mut(&id) {
            // The attempt before it is to be told first that it is over; then this one is looked at again.
            running.followed = Some(run.place());
            return true;
        }
        if self.attempts.limited.waits(run.run_id, scheduled_event_id) {
            // Its queue calls it.
            return true;
        }
        // Whoever came first goes first, also where a slot is free by now.
        if !promised && (self.free_slots() == 0 || self.attempts.wanting.has_line()) {
            // Whatever it was given it cannot use.
            self.attempts
                .leave_queue(&self.core, run.run_id, scheduled_event_id);
            return false;
        }
        let entrance = self.enter_gate(
            &server,
            run.run_id,
            run.place(),
            Which::Scheduled(scheduled_event_id),
        );
        let Ok(permit) = entrance.permit() else {
            self.attempts
                .leave_queue(&self.core, run.run_id, scheduled_event_id);
            return true;
        };
        // Last, when there is a place for it: what is handed out runs. Whoever has to wait holds no place.
        let service = (run.namespace, queue, activity_type);
        let Ok(token) = self.enter_queue(run, scheduled_event_id, due_ns, service, turn.now_ns) else {
            return true;
        };
        let starter = Starter {
            identity: &self.core.options.identity,
            outside: false,
            nonce: self.core.new_nonce(),
        };
        if !run.execution.start_attempt(turn, scheduled_event_id, starter) {
            return true;
        }
        if let Some(token) = token {
            token.spend(turn.now_ns);
        }
        let Some(activity) = run.execution.activities().get(&scheduled_event_id) else {
            return true;
        };
        let host = Arc::new(Host::new(self.core.clone(), self.mailbox.clone(), run, activity));
        let logs = self.core.logs_of(&run.workflow_id, run.run_id);
        let dispatch = Dispatch {
            key: host.key(),
            place: run.place(),
            call: ActivityCall {
                info: activity_info(run, activity, turn.now_ns),
                input: guest::payloads_in(activity.attributes.input.as_ref()),
                host: host.clone(),
                grants: server.grants(&self.core.options, &*logs),
                logs,
            },
            server,
            host,
        };
        self.attempts.running.insert(
            id,
            Running {
                nonce: dispatch.key.nonce,
                cancel: dispatch.host.cancel.clone(),
                task: None,
                followed: None,
                permit,
            },
        );
        tellings.0.push(Held::Dispatch(Box::new(dispatch)));
        true
    }

    /// The row is durable: run it.
    pub(in crate::shard) fn dispatch(&mut self, dispatch: Dispatch) {
        let key = dispatch.key;
        let Some(running) = self
            .attempts
            .running
            .get_mut(&(key.run_id, key.scheduled_event_id))
            .filter(|running| running.nonce == key.nonce)
        else {
            return;
        };
        let (core, mailbox) = (self.core.clone(), self.mailbox.clone());
        metrics::counter!("longhaul_activity_attempts_total").increment(1);
        running.task = Some(self.core.attempts.spawn(run_attempt(core, mailbox, dispatch)));
    }

    /// Give free slots to the runs that wait for one, in the order in which they came.
    pub(in crate::shard) fn fill_slots(&mut self) {
        // A promise is kept until the run has had its turn, and no longer: what could not be read does not hold a slot.
        let (due, loading) = (&self.due_set, &self.loading);
        self.attempts
            .promised
            .retain(|(run_id, _)| due.contains(run_id) || loading.contains_key(run_id));
        let runs = &self.runs;
        let awaited = |run_id: RunId| {
            // One that holds its inbox back, for a replay or a verdict, has not had its turn.
            let holds = |run: &Run| !run.inbox.is_empty() || !run.early.is_empty();
            due.contains(&run_id)
                || loading.contains_key(&run_id)
                || runs.get(&run_id).is_some_and(|run| holds(run))
        };
        self.attempts.gated.keep_permits(awaited);
        self.attempts.limited.keep_tokens(awaited);
        while self.free_slots() > 0
            && let Some((run_id, place, scheduled_event_id)) = self.attempts.wanting.next()
        {
            self.attempts.promised.insert((run_id, scheduled_event_id));
            self.deliver(run_id, &place, Input::TryAttempt { scheduled_event_id });
        }
    }

    /// A module or the embedding code serves these now: what waits for them starts.
    pub(in crate::shard) fn try_unserved(&mut self, services: &[Service]) {
        for (run_id, place, scheduled_event_id) in self.attempts.unserved.of_services(services) {
            self.deliver(run_id, &place, Input::TryAttempt { scheduled_event_id });
        }
    }

    /// Whether the current attempt of an activity is with a worker outside.
    pub(in crate::shard) fn note_outside(&mut self, run: &Run, scheduled_event_id: i64) {
        let activity = run.execution.activities().get(&scheduled_event_id);
        let is_outside = activity.is_some_and(|activity| {
            let attempt = &activity.attempt;
            attempt.started_ns.is_some() && attempt.handed_out
        });
        if is_outside {
            self.attempts.handed_out(run.run_id, scheduled_event_id);
        } else {
            self.attempts.outside.remove(&(run.run_id, scheduled_event_id));
        }
    }

    /// Whether the current attempt of an activity is running in this server.
    pub(in crate::shard) fn is_running(&self, run: &Run, activity: &Activity) -> bool {
        let running = self.attempts.running(run.run_id, activity.scheduled_event_id);
        running.is_some_and(|running| activity.attempt.runs_as(running.nonce))
    }
}

fn activity_info(run: &Run, activity: &Activity, now_ns: u64) -> ActivityInfo {
    let attributes = &activity.attributes;
    let limit =
        |duration: Option<&time::Duration>| duration.and_then(time::ns_from_duration).filter(|ns| *ns > 0);
    let attempt = &activity.attempt;
    ActivityInfo {
        task_token: handing::token_of(run, activity),
        namespace: run.execution.identity().namespace.to_string(),
        workflow_id: run.workflow_id.to_string(),
        run_id: run.run_id.to_string(),
        workflow_type: run.execution.workflow_type().to_owned(),
        activity_id: attributes.activity_id.clone(),
        activity_type: activity.activity_type().to_owned(),
        task_queue: activity.task_queue().to_owned(),
        attempt: attempt.number,
        is_local: false,
        header: guest::header_in(attributes.header.as_ref()),
        heartbeat_details: guest::payloads_in(attempt.heartbeat_details.as_ref()),
        scheduled_time: activity.scheduled_time_ns,
        attempt_scheduled_time: attempt.due_ns,
        started_time: now_ns,
        schedule_to_close: limit(activity.schedule_to_close()),
        start_to_close: limit(activity.start_to_close()),
        heartbeat: limit(activity.heartbeat()),
        retry_policy: attributes
            .retry_policy
            .as_ref()
            .map(|_| guest::retry_policy_in(&activity.retry_policy())),
    }
}
