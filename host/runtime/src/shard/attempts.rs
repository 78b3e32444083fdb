//! Attempts of activities: which run, which wait, and who runs them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use longhaul_engine::{
    Turn,
    activity::{Activity, Starter},
    execution::AttemptEnd,
};
use longhaul_history::time;
use longhaul_sandbox::{
    ActivityCall, ActivityHost, ActivityInfo, CancellationReason, ExecuteError, wit::types,
};
use longhaul_store::{NamespaceId, RunId};

use tokio::sync::watch;

use super::{
    Alarm, Kind, Place, Shard, ShardMailbox,
    commit::Held,
    gated::{Gated, Which},
    message::{Input, Notice},
    run::Run,
    turn::Tellings,
};
use crate::{
    activities::{self, Server},
    core::Core,
    gates::Permit,
    guest,
    registry::Version,
    task_queues::QueueKey,
};

/// What a shard knows of attempts.
pub(crate) struct Attempts {
    slots: usize,
    /// Attempts that run, or will as soon as their transition is durable.
    running: HashMap<(RunId, i64), Running>,
    /// Activities that want to start, by run: in the run's next turn, or when a slot is free.
    wanting: HashMap<RunId, VecDeque<i64>>,
    /// Runs that wait for a slot, in the order in which they came.
    slotless: VecDeque<(RunId, Place)>,
    /// Activities whose module runs as many attempts as it may.
    pub(super) gated: Gated,
    /// Activities that nobody in the server serves: they wait in their task queues for a worker.
    unserved: BTreeMap<(RunId, i64), (Service, Place)>,
    /// Attempts that workers outside of the server have.
    outside: BTreeSet<(RunId, i64)>,
}

/// What a worker serves: a namespace's queue, and an activity type.
type Service = (NamespaceId, String, String);

struct Running {
    number: u32,
    cancel: Arc<Cancellation>,
    task: Option<tokio::task::AbortHandle>,
    /// Its module's other attempts wait while it is held.
    #[expect(dead_code, reason = "held until it is dropped")]
    permit: Option<Permit>,
}

/// An attempt that is to run.
pub(crate) struct Dispatch {
    pub(crate) run_id: RunId,
    pub(crate) place: Place,
    pub(crate) scheduled_event_id: i64,
    pub(crate) number: u32,
    server: Server,
    call: ActivityCall,
    host: Arc<Host>,
}

/// Whether, and why, an attempt should stop.
#[derive(Debug, Default)]
pub(super) struct Cancellation(watch::Sender<Option<CancellationReason>>);

impl Cancellation {
    pub(super) fn request(&self, reason: CancellationReason) {
        self.0.send_replace(Some(reason));
    }

    pub(super) fn reason(&self) -> Option<CancellationReason> {
        *self.0.borrow()
    }

    /// Follow it.
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<CancellationReason>> {
        self.0.subscribe()
    }
}

impl Attempts {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            slots: slots.max(1),
            running: HashMap::new(),
            wanting: HashMap::new(),
            slotless: VecDeque::new(),
            gated: Gated::default(),
            unserved: BTreeMap::new(),
            outside: BTreeSet::new(),
        }
    }

    /// No attempt runs, here or outside, and none waits for a slot or a worker.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty()
            && self.wanting.is_empty()
            && self.gated.is_empty()
            && self.unserved.is_empty()
            && self.outside.is_empty()
    }

    /// A worker outside of the server has an attempt, or has had it when the last server ended.
    pub(crate) fn handed_out(&mut self, run_id: RunId, scheduled_event_id: i64) {
        self.outside.insert((run_id, scheduled_event_id));
    }

    /// An activity may be ready to start.
    pub(crate) fn try_later(&mut self, run_id: RunId, scheduled_event_id: i64) {
        self.wanting
            .entry(run_id)
            .or_default()
            .push_back(scheduled_event_id);
    }

    /// Ask a running attempt to stop.
    pub(crate) fn cancel(&self, run_id: RunId, scheduled_event_id: i64) {
        if let Some(running) = self.running.get(&(run_id, scheduled_event_id)) {
            running.cancel.request(CancellationReason::Cancelled);
        }
    }

    /// Nobody waits for the activity any more: what still runs of it is told, and ended.
    pub(crate) fn gone(&mut self, core: &Core, run_id: RunId, scheduled_event_id: i64) {
        self.outside.remove(&(run_id, scheduled_event_id));
        self.served(core, run_id, scheduled_event_id);
        self.gated.withdraw(run_id, Which::Scheduled(scheduled_event_id));
        if let Some(wanting) = self.wanting.get_mut(&run_id) {
            wanting.retain(|id| *id != scheduled_event_id);
            if wanting.is_empty() {
                self.wanting.remove(&run_id);
            }
        }
        if let Some(running) = self.running.remove(&(run_id, scheduled_event_id)) {
            running.cancel.request(CancellationReason::NotFound);
            if let Some(task) = running.task {
                task.abort();
            }
        }
    }

    /// An activity does not wait for a worker any more.
    fn served(&mut self, core: &Core, run_id: RunId, scheduled_event_id: i64) {
        if self.unserved.remove(&(run_id, scheduled_event_id)).is_some() {
            core.task_queues
                .withdraw(run_id, scheduled_event_id, core.clock.now_ns());
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
        self.running
            .remove(&(dispatch.run_id, dispatch.scheduled_event_id));
    }

    /// The turn of a run was lost: attempts that it was about to start do not start. Those whose transition is `on_its_way` do.
    pub(crate) fn take_back(&mut self, core: &Core, run_id: RunId, on_its_way: &HashSet<(i64, u32)>) {
        self.running.retain(|(run, scheduled_event_id), running| {
            *run != run_id
                || running.task.is_some()
                || on_its_way.contains(&(*scheduled_event_id, running.number))
        });
        // What waits, or is outside, is found again when the run is read.
        self.wanting.remove(&run_id);
        self.gated.withdraw_run(run_id);
        let of_run = (run_id, i64::MIN)..=(run_id, i64::MAX);
        let waiting: Vec<i64> = self
            .unserved
            .range(of_run.clone())
            .map(|((_, id), _)| *id)
            .collect();
        for scheduled_event_id in waiting {
            self.served(core, run_id, scheduled_event_id);
        }
        let outside: Vec<_> = self.outside.range(of_run).copied().collect();
        for key in outside {
            self.outside.remove(&key);
        }
    }
}

impl Shard {
    /// Start what is ready: the row says so first, then, when that is durable, it runs.
    pub(super) fn start_attempts(&mut self, run: &mut Run, turn: &mut Turn, tellings: &mut Tellings) {
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
            // An attempt that has run out of time, or failed, is over: what still runs of it ends.
            let current = run
                .execution
                .activities()
                .get(&scheduled_event_id)
                .map(|a| a.attempt.number);
            let stale = self
                .attempts
                .running
                .get(&(run.run_id, scheduled_event_id))
                .is_some_and(|running| Some(running.number) != current);
            if stale {
                self.attempts.gone(&self.core, run.run_id, scheduled_event_id);
            }
            self.note_outside(run, scheduled_event_id);
            self.attempts.try_later(run.run_id, scheduled_event_id);
        }
        let Some(mut wanting) = self.attempts.wanting.remove(&run.run_id) else {
            return;
        };
        while let Some(scheduled_event_id) = wanting.pop_front() {
            if !self.start_attempt(run, turn, tellings, scheduled_event_id) {
                wanting.push_front(scheduled_event_id);
                self.attempts.slotless.push_back((run.run_id, run.place()));
                self.attempts.wanting.insert(run.run_id, wanting);
                return;
            }
        }
    }

    /// False: there is no slot.
    fn start_attempt(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        tellings: &mut Tellings,
        scheduled_event_id: i64,
    ) -> bool {
        let Some(activity) = run.execution.activities().get(&scheduled_event_id) else {
            self.attempts
                .gated
                .withdraw(run.run_id, Which::Scheduled(scheduled_event_id));
            return true;
        };
        if !activity.is_ready(turn.now_ns) || self.stopping {
            self.attempts
                .gated
                .withdraw(run.run_id, Which::Scheduled(scheduled_event_id));
            return true;
        }
        let (queue, activity_type) = (
            activity.task_queue().to_owned(),
            activity.activity_type().to_owned(),
        );
        let Some(server) = self
            .core
            .registry
            .server_of(run.namespace, &queue, &activity_type)
        else {
            self.attempts
                .gated
                .withdraw(run.run_id, Which::Scheduled(scheduled_event_id));
            let service = (run.namespace, queue, activity_type);
            self.attempts
                .unserved
                .insert((run.run_id, scheduled_event_id), (service, run.place()));
            self.offer(run, turn, tellings, scheduled_event_id);
            return true;
        };
        self.attempts.served(&self.core, run.run_id, scheduled_event_id);
        if self.free_slots() == 0 {
            return false;
        }
        let entrance = self.enter_gate(
            &server,
            run.run_id,
            run.place(),
            Which::Scheduled(scheduled_event_id),
        );
        let Ok(permit) = entrance.permit() else {
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
        let Some(activity) = run.execution.activities().get(&scheduled_event_id) else {
            return true;
        };
        let number = activity.attempt.number;
        let cancel = Arc::new(Cancellation::default());
        let info = activity_info(run, activity, turn.now_ns);
        let host = Arc::new(Host {
            run_id: run.run_id,
            place: run.place(),
            scheduled_event_id,
            number,
            mailbox: self.mailbox.clone(),
            cancel: cancel.clone(),
            beat: Mutex::new(Beat {
                every: beat_every(activity),
                ..Beat::default()
            }),
            keeps: tokio::sync::Notify::new(),
        });
        let call = ActivityCall {
            info,
            input: guest::payloads_in(activity.attributes.input.as_ref()),
            host: host.clone(),
            logs: self.core.logs_of(&run.workflow_id, run.run_id),
            grants: server.grants(),
        };
        let dispatch = Dispatch {
            run_id: run.run_id,
            place: run.place(),
            scheduled_event_id,
            number,
            server,
            call,
            host,
        };
        self.attempts.running.insert(
            (run.run_id, scheduled_event_id),
            Running {
                number,
                cancel,
                task: None,
                permit,
            },
        );
        tellings.0.push(Held::Dispatch(Box::new(dispatch)));
        true
    }

    /// The row is durable: run it.
    pub(super) fn dispatch(&mut self, dispatch: Dispatch) {
        let key = (dispatch.run_id, dispatch.scheduled_event_id);
        let Some(running) = self
            .attempts
            .running
            .get_mut(&key)
            .filter(|running| running.number == dispatch.number)
        else {
            return;
        };
        let (core, mailbox) = (self.core.clone(), self.mailbox.clone());
        metrics::counter!("longhaul_activity_attempts_total").increment(1);
        running.task = Some(
            self.core
                .tokio
                .spawn(run_attempt(core, mailbox, dispatch))
                .abort_handle(),
        );
    }

    pub(super) fn on_attempt_ended(&mut self, run_id: RunId, scheduled_event_id: i64, number: u32) {
        let key = (run_id, scheduled_event_id);
        if self
            .attempts
            .running
            .get(&key)
            .is_some_and(|running| running.number == number)
        {
            self.attempts.running.remove(&key);
        }
    }

    /// How many more attempts may run. Those of local activities take slots as well.
    pub(super) fn free_slots(&self) -> usize {
        let running = self.attempts.running.len() + self.local_attempts.running();
        self.attempts.slots.saturating_sub(running)
    }

    /// Give free slots to the runs that wait for one, in the order in which they came.
    pub(super) fn fill_slots(&mut self) {
        let mut free = self.free_slots();
        while free > 0
            && let Some((next, place)) = self.attempts.slotless.pop_front()
        {
            let Some(wanting) = self.attempts.wanting.get_mut(&next) else {
                continue;
            };
            if let Some(scheduled_event_id) = wanting.pop_front() {
                free -= 1;
                self.deliver(next, &place, Input::TryAttempt { scheduled_event_id });
            }
            if self.attempts.wanting.get(&next).is_some_and(VecDeque::is_empty) {
                self.attempts.wanting.remove(&next);
            }
        }
    }

    /// A module was stored: perhaps it serves what nobody did.
    pub(super) fn try_unserved(&mut self) {
        let registry = &self.core.registry;
        let served: Vec<_> = self
            .attempts
            .unserved
            .iter()
            .filter(|(_, ((namespace, queue, activity_type), _))| {
                registry.server_of(*namespace, queue, activity_type).is_some()
            })
            .map(|((run_id, scheduled_event_id), (_, place))| (*run_id, place.clone(), *scheduled_event_id))
            .collect();
        for (run_id, place, scheduled_event_id) in served {
            self.deliver(run_id, &place, Input::TryAttempt { scheduled_event_id });
        }
    }

    /// Whether the current attempt of an activity is with a worker outside.
    pub(super) fn note_outside(&mut self, run: &Run, scheduled_event_id: i64) {
        let activity = run.execution.activities().get(&scheduled_event_id);
        let is_outside = activity.is_some_and(|activity| {
            let attempt = &activity.attempt;
            attempt.started_ns.is_some() && attempt.handed_out
        });
        // If it waits it lines up anew: it may be paused, or be for another queue.
        self.attempts.served(&self.core, run.run_id, scheduled_event_id);
        if is_outside {
            self.attempts.handed_out(run.run_id, scheduled_event_id);
        } else {
            self.attempts.outside.remove(&(run.run_id, scheduled_event_id));
        }
    }

    /// Set the alarm of an activity to when it next needs a look.
    pub(super) fn arm_activity(&mut self, run: &mut Run, scheduled_event_id: i64) {
        self.disarm_activity(run, scheduled_event_id);
        let Some(activity) = run.execution.activities().get(&scheduled_event_id) else {
            return;
        };
        let due_ns = match activity.attempt.started_ns {
            // What could start already waits for a worker or a slot, not for a time; only its limits are timed.
            None if activity.attempt.due_ns <= self.core.clock.now_ns() => {
                activity.deadline().map(|deadline| deadline.at_ns)
            }
            _ => activity.wake_ns(),
        };
        if let Some(due_ns) = due_ns {
            let alarm = Alarm {
                run_id: run.run_id,
                kind: Kind::Activity,
                id: scheduled_event_id,
            };
            run.activity_alarms.insert(scheduled_event_id, due_ns);
            self.alarms.set(due_ns, alarm, run.place());
        }
    }

    pub(super) fn disarm_activity(&mut self, run: &mut Run, scheduled_event_id: i64) {
        if let Some(due_ns) = run.activity_alarms.remove(&scheduled_event_id) {
            self.alarms.clear(
                due_ns,
                Alarm {
                    run_id: run.run_id,
                    kind: Kind::Activity,
                    id: scheduled_event_id,
                },
            );
        }
    }

    /// Whether an attempt of a run is running in this server.
    pub(super) fn is_running(&self, run_id: RunId, scheduled_event_id: i64) -> bool {
        self.attempts.running.contains_key(&(run_id, scheduled_event_id))
    }

    /// Why an activity waits, in words, if nobody serves it.
    pub(super) fn unserved_reason(&self, run: &Run, activity: &Activity) -> Option<String> {
        let (queue, activity_type) = (activity.task_queue(), activity.activity_type());
        if self
            .core
            .registry
            .server_of(run.namespace, queue, activity_type)
            .is_some()
        {
            return None;
        }
        let key = QueueKey {
            namespace: run.namespace,
            name: queue.into(),
        };
        if self.core.task_queues.is_polled(&key, self.core.clock.now_ns()) {
            return None;
        }
        let places = self.core.registry.elsewhere(run.namespace, activity_type);
        let elsewhere = match places.first() {
            Some((module, queue)) => format!("; module {module} serves this type on {queue}"),
            None => "; no uploaded module serves this type".into(),
        };
        Some(format!("no worker polls {queue}{elsewhere}"))
    }
}

async fn run_attempt(core: Arc<Core>, mailbox: Arc<ShardMailbox>, dispatch: Dispatch) {
    let Dispatch {
        run_id,
        place,
        scheduled_event_id,
        number,
        server,
        call,
        host,
    } = dispatch;
    let run = async {
        match &server {
            Server::Module(version) => execute(&core, version, call).await,
            Server::Native(activity) => activities::run(activity, call, host.cancel.subscribe()).await,
        }
    };
    let end = tokio::select! {
        biased;
        end = run => end,
        never = host.pass_on() => match never {},
    };
    host.flush();
    mailbox.notice(Notice::AttemptEnded {
        run_id,
        place,
        scheduled_event_id,
        number,
        end,
    });
}

/// Run the code of an attempt to its end, whatever that is.
pub(super) async fn execute(core: &Arc<Core>, version: &Arc<Version>, call: ActivityCall) -> AttemptEnd {
    let activity_type = call.info.activity_type.clone();
    let module = match core.module(version).await {
        Ok(module) => module,
        Err(error) => return failed(&error.to_string(), "ModuleUnavailable"),
    };
    match module.execute(call).await {
        Ok(Ok(result)) => AttemptEnd::Completed(guest::payloads_out(result)),
        Ok(Err(ExecuteError::Failed(failure))) => AttemptEnd::Failed(Box::new(guest::failure_out(failure))),
        Ok(Err(ExecuteError::Cancelled(details))) => AttemptEnd::Cancelled(guest::payloads_out(details)),
        Ok(Err(ExecuteError::WillCompleteAsync)) => AttemptEnd::HandedOver,
        Err(trap) => {
            let mut failure = longhaul_history::failure::application(
                format!("activity {activity_type:?} did not return: {trap}"),
                "ActivityTrap",
                false,
            );
            failure.stack_trace = trap
                .backtrace
                .iter()
                .map(|frame| format!("  at {frame}\n"))
                .collect();
            AttemptEnd::Failed(Box::new(failure))
        }
    }
}

fn failed(message: &str, kind: &str) -> AttemptEnd {
    AttemptEnd::Failed(Box::new(longhaul_history::failure::application(
        message, kind, false,
    )))
}

/// What the guest of an attempt calls.
struct Host {
    run_id: RunId,
    place: Place,
    scheduled_event_id: i64,
    number: u32,
    mailbox: Arc<ShardMailbox>,
    cancel: Arc<Cancellation>,
    beat: Mutex<Beat>,
    /// Details are kept now.
    keeps: tokio::sync::Notify,
}

/// Heartbeats, not more often than they are of use: each that is passed on is a commit.
#[derive(Default)]
struct Beat {
    every: Duration,
    sent: Option<Instant>,
    /// The newest details, while they are not passed on.
    kept: Option<types::Payloads>,
}

/// As Temporal's SDKs: at four fifths of the heartbeat timeout, at most every 30 s; the details of the last one are passed on when
/// that time is over, also if no other follows.
fn beat_every(activity: &Activity) -> Duration {
    const LONGEST: Duration = Duration::from_secs(30);
    let limit_ns = activity.heartbeat().and_then(time::ns_from_duration).unwrap_or(0);
    if limit_ns == 0 {
        LONGEST
    } else {
        Duration::from_nanos(limit_ns / 5 * 4).min(LONGEST)
    }
}

impl Host {
    /// Pass on what was kept.
    fn flush(&self) {
        let mut beat = self.beat();
        let Some(details) = beat.kept.take() else { return };
        beat.sent = Some(Instant::now());
        drop(beat);
        self.send(details);
    }

    /// Pass on what is kept as soon as it is of use: the code's next heartbeat may come after the timeout.
    async fn pass_on(&self) -> Infallible {
        loop {
            self.keeps.notified().await;
            let rest = {
                let beat = self.beat();
                beat.sent
                    .map_or(Duration::ZERO, |sent| beat.every.saturating_sub(sent.elapsed()))
            };
            tokio::time::sleep(rest).await;
            self.flush();
        }
    }

    fn beat(&self) -> MutexGuard<'_, Beat> {
        self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, details: types::Payloads) {
        self.mailbox.notice(Notice::Heartbeat {
            run_id: self.run_id,
            place: self.place.clone(),
            scheduled_event_id: self.scheduled_event_id,
            number: self.number,
            details: guest::payloads_out(details),
        });
    }
}

impl ActivityHost for Host {
    fn heartbeat(&self, details: types::Payloads) {
        let mut beat = self.beat();
        if beat.sent.is_some_and(|sent| sent.elapsed() < beat.every) {
            let first = beat.kept.replace(details).is_none();
            drop(beat);
            if first {
                self.keeps.notify_one();
            }
            return;
        }
        beat.sent = Some(Instant::now());
        beat.kept = None;
        drop(beat);
        self.send(details);
    }

    fn cancellation(&self) -> Option<CancellationReason> {
        self.cancel.reason()
    }
}

fn activity_info(run: &Run, activity: &Activity, now_ns: u64) -> ActivityInfo {
    let attributes = &activity.attributes;
    let limit =
        |duration: Option<&time::Duration>| duration.and_then(time::ns_from_duration).filter(|ns| *ns > 0);
    let attempt = &activity.attempt;
    ActivityInfo {
        task_token: super::handing::token_of(run, activity),
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
