//! Attempts of local activities: which run, and which wait for a slot.
//!
//! They run where the attempts of other activities run, and never on the shard's thread. History does not know of them, so nothing of
//! this is stored.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use longhaul_engine::{Violation, execution::AttemptEnd, local::LocalActivity};
use longhaul_sandbox::{ActivityCall, ActivityHost, ActivityInfo, CancellationReason, wit::types};
use longhaul_store::RunId;

use super::{
    Alarm, Kind, Shard, ShardMailbox,
    attempts::{Cancellation, execute},
    commit::Held,
    gated::Which,
    message::{Input, Notice},
    run::Run,
    turn::Tellings,
};
use crate::{
    activities::{self, Server, size},
    core::Core,
    gates::Permit,
    guest::{self, TaskError},
    names,
};

/// A local activity of a run, while it has not ended.
pub(crate) struct Local {
    pub(super) activity: LocalActivity,
    /// When its alarm rings.
    alarm_ns: Option<u64>,
}

impl Local {
    pub(super) fn new(activity: LocalActivity) -> Self {
        Self {
            activity,
            alarm_ns: None,
        }
    }
}

/// What a shard knows of attempts of local activities.
#[derive(Default)]
pub(crate) struct LocalAttempts {
    running: BTreeMap<(RunId, u32), Running>,
    /// Those that are due and have no slot, in the order in which they came. Those that have ended meanwhile are passed over.
    slotless: VecDeque<(RunId, u32)>,
    /// Which stand there.
    waiting: BTreeSet<(RunId, u32)>,
    /// How many were started. By it an attempt is known: its number comes again when its task runs again.
    starts: u64,
}

struct Running {
    start: u64,
    cancel: Arc<Cancellation>,
    task: Option<tokio::task::AbortHandle>,
    /// Nobody waits for its end; it may come to it.
    abandoned: bool,
    #[expect(dead_code, reason = "held until it is dropped")]
    permit: Option<Permit>,
}

/// An attempt that is to run when all that made it due is durable.
pub(crate) struct LocalDispatch {
    run_id: RunId,
    seq: u32,
    attempt: u32,
    start: u64,
    server: Server,
    call: ActivityCall,
    cancel: Arc<Cancellation>,
    /// It ends then, also if nobody waits for it any more.
    limit: Duration,
}

impl LocalAttempts {
    /// How many run.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// None runs, and none waits for a slot.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.slotless.is_empty()
    }

    /// This start of it runs no more. `false`: it did not.
    fn forget(&mut self, run_id: RunId, seq: u32, start: u64) -> bool {
        let key = (run_id, seq);
        let current = self
            .running
            .get(&key)
            .is_some_and(|running| running.start == start);
        if current {
            self.running.remove(&key);
        }
        current
    }

    /// Ask one to stop.
    pub(super) fn cancel(&self, run_id: RunId, seq: u32) {
        if let Some(running) = self.running.get(&(run_id, seq)) {
            running.cancel.request(CancellationReason::Cancelled);
        }
    }

    /// Nobody waits for its end any more.
    pub(super) fn abandon(&mut self, run_id: RunId, seq: u32, asks: bool) {
        if let Some(running) = self.running.get_mut(&(run_id, seq)) {
            running.abandoned = true;
            if asks {
                running.cancel.request(CancellationReason::Cancelled);
            }
        }
    }

    /// It ran out of time: what runs of it ends.
    pub(super) fn end(&mut self, run_id: RunId, seq: u32, reason: CancellationReason) {
        if let Some(running) = self.running.remove(&(run_id, seq)) {
            running.cancel.request(reason);
            if let Some(task) = running.task {
                task.abort();
            }
        }
    }

    /// The run's task is given up, or the run has closed: what runs of it ends, but for what its code has abandoned.
    pub(super) fn end_run(&mut self, run_id: RunId) {
        let of_run = (run_id, 0)..=(run_id, u32::MAX);
        let seqs: Vec<u32> = self
            .running
            .range(of_run)
            .filter(|(_, running)| !running.abandoned)
            .map(|((_, seq), _)| *seq)
            .collect();
        for seq in seqs {
            self.end(run_id, seq, CancellationReason::NotFound);
        }
    }

    /// All end: the server stops, or the shard starts over.
    pub(super) fn end_all(&mut self, reason: CancellationReason) {
        self.slotless.clear();
        self.waiting.clear();
        for (_, running) in std::mem::take(&mut self.running) {
            running.cancel.request(reason);
            if let Some(task) = running.task {
                task.abort();
            }
        }
    }
}

impl Shard {
    /// A local activity whose type nobody serves fails the task and not the workflow: it goes on when there is a module for it (E12).
    pub(super) fn check_local_type(
        &self,
        run: &Run,
        seq: u32,
        activity_type: &str,
    ) -> Result<Server, TaskError> {
        let queue = run.execution.task_queue();
        let registry = &self.core.registry;
        registry
            .server_of(run.namespace, queue, activity_type)
            .ok_or_else(|| {
                let types = registry.activity_types(run.namespace, queue);
                let why = format!(
                    "no module in this server serves it on the workflow's own task queue {queue:?}, and a local activity runs nowhere \
                     else; served there: {}",
                    names::known(activity_type, types.iter().map(String::as_str))
                );
                TaskError::Violation(Violation::BadActivity {
                    activity_type: activity_type.to_owned(),
                    seq,
                    why,
                })
            })
    }

    /// Start the attempt of a local activity if it is due and there is a slot for it; set its alarm.
    pub(super) fn try_local(
        &mut self,
        run: &mut Run,
        now_ns: u64,
        tellings: &mut Tellings,
        seq: u32,
    ) -> Result<(), TaskError> {
        if let Some(local) = run
            .locals
            .get(&seq)
            .filter(|local| local.activity.is_ready(now_ns))
        {
            let activity_type = &local.activity.options().activity_type;
            let server = self.check_local_type(run, seq, activity_type)?;
            if self.local_attempts.running.contains_key(&(run.run_id, seq)) {
                // One that its code has abandoned, from before the task was given up: it is the same number.
                self.local_attempts
                    .end(run.run_id, seq, CancellationReason::NotFound);
            }
            self.start_local(run, now_ns, tellings, seq, server);
        }
        self.arm_local(run, now_ns, seq);
        Ok(())
    }

    fn start_local(&mut self, run: &mut Run, now_ns: u64, tellings: &mut Tellings, seq: u32, server: Server) {
        if self.free_slots() == 0 {
            let waits = (run.run_id, seq);
            if self.local_attempts.waiting.insert(waits) {
                self.local_attempts.slotless.push_back(waits);
            }
            return;
        }
        let entrance = self.enter_gate(&server, run.run_id, run.place(), Which::Local(seq));
        let Ok(permit) = entrance.permit() else {
            return;
        };
        let Some(local) = run.locals.get_mut(&seq) else {
            return;
        };
        local.activity.start(now_ns);
        let cancel = Arc::new(Cancellation::default());
        let activity = &run.locals[&seq].activity;
        let attempt = activity.attempt();
        let options = activity.options();
        // One of the two is set, or it would have been refused.
        let limits = [options.start_to_close_ns, options.schedule_to_close_ns];
        let limit_ns = limits.into_iter().flatten().filter(|ns| *ns > 0).min();
        let limit = Duration::from_nanos(limit_ns.unwrap_or(u64::MAX));
        let logs = self.core.logs_of(&run.workflow_id, run.run_id);
        let call = ActivityCall {
            info: info_of(run, activity, now_ns),
            input: guest::payloads_in(Some(&activity.options().input)),
            host: Arc::new(LocalHost(cancel.clone())),
            grants: server.grants(&self.core.options, &*logs),
            logs,
        };
        self.local_attempts.starts += 1;
        let start = self.local_attempts.starts;
        let running = Running {
            start,
            cancel: cancel.clone(),
            task: None,
            abandoned: false,
            permit,
        };
        self.local_attempts.running.insert((run.run_id, seq), running);
        let dispatch = LocalDispatch {
            run_id: run.run_id,
            seq,
            attempt,
            start,
            server,
            call,
            cancel,
            limit,
        };
        tellings.0.push(Held::DispatchLocal(Box::new(dispatch)));
    }

    /// All that made it due is durable: run it.
    pub(super) fn dispatch_local(&mut self, dispatch: LocalDispatch) {
        let running = self
            .local_attempts
            .running
            .get_mut(&(dispatch.run_id, dispatch.seq))
            .filter(|running| running.start == dispatch.start);
        let Some(running) = running else { return };
        metrics::counter!("longhaul_local_activity_attempts_total").increment(1);
        let attempt = run_attempt(self.core.clone(), self.mailbox.clone(), dispatch);
        running.task = Some(self.core.attempts.spawn(attempt));
    }

    /// An attempt has come to its end: tell the run, if its task is still open.
    pub(super) fn on_local_ended(
        &mut self,
        run_id: RunId,
        seq: u32,
        attempt: u32,
        start: u64,
        end: AttemptEnd,
    ) {
        if !self.local_attempts.forget(run_id, seq, start) {
            return;
        }
        self.deliver_local(run_id, Input::LocalEnded { seq, attempt, end });
    }

    /// Tell a run something about a local activity. A run that is not in memory has none.
    pub(super) fn deliver_local(&mut self, run_id: RunId, input: Input) {
        let seq = input.local();
        let waits = |run: &&mut Box<Run>| seq.is_some_and(|seq| run.locals.contains_key(&seq));
        if let Some(run) = self.runs.get_mut(&run_id).filter(waits) {
            run.inbox.push_back(input);
            self.mark_due(run_id);
        }
    }

    /// Give free slots to those that wait for one, in the order in which they came, and before other activities: they keep workflow
    /// tasks open.
    pub(super) fn fill_local_slots(&mut self) {
        let mut free = self.free_slots();
        while free > 0
            && let Some((run_id, seq)) = self.local_attempts.slotless.pop_front()
        {
            self.local_attempts.waiting.remove(&(run_id, seq));
            let local = self.runs.get(&run_id).and_then(|run| run.locals.get(&seq));
            if local.is_some_and(|local| !local.activity.is_running()) {
                free -= 1;
                self.deliver_local(run_id, Input::TryLocal { seq });
            }
        }
    }

    /// Set the alarm of a local activity to when it next needs a look.
    pub(super) fn arm_local(&mut self, run: &mut Run, now_ns: u64, seq: u32) {
        let (run_id, place) = (run.run_id, run.place());
        let Some(local) = run.locals.get_mut(&seq) else {
            return;
        };
        let alarm = alarm_of(run_id, seq);
        if let Some(due_ns) = local.alarm_ns.take() {
            self.alarms.clear(due_ns, alarm);
        }
        local.alarm_ns = local.activity.wake_ns(now_ns);
        if let Some(due_ns) = local.alarm_ns {
            self.alarms.set(due_ns, alarm, place);
        }
    }

    /// A local activity has ended, or its code has given it up. `stops`: what runs of it ends as well.
    pub(super) fn drop_local(&mut self, run: &mut Run, seq: u32, stops: Option<CancellationReason>) {
        if let Some(local) = run.locals.remove(&seq)
            && let Some(due_ns) = local.alarm_ns
        {
            self.alarms.clear(due_ns, alarm_of(run.run_id, seq));
        }
        self.attempts.gated.withdraw(run.run_id, Which::Local(seq));
        if let Some(reason) = stops {
            self.local_attempts.end(run.run_id, seq, reason);
        }
    }

    /// None of a run's local activities is waited for any more.
    pub(super) fn drop_locals(&mut self, run: &mut Run) {
        let seqs: Vec<u32> = run.locals.keys().copied().collect();
        for seq in seqs {
            self.drop_local(run, seq, None);
        }
        run.ended_locals.clear();
        run.early.clear();
        self.local_attempts.end_run(run.run_id);
    }
}

fn alarm_of(run_id: RunId, seq: u32) -> Alarm {
    Alarm {
        run_id,
        kind: Kind::Local,
        id: i64::from(seq),
    }
}

async fn run_attempt(core: Arc<Core>, mailbox: Arc<ShardMailbox>, dispatch: LocalDispatch) {
    let LocalDispatch {
        run_id,
        seq,
        attempt,
        start,
        server,
        call,
        cancel,
        limit,
    } = dispatch;
    let run = async {
        match &server {
            Server::Module(version) => execute(&core, version, call).await,
            Server::Native(activity) => activities::run(activity, call, cancel.subscribe()).await,
        }
    };
    // The shard ends one that is waited for at its limit; one that was abandoned must not keep its slot for ever either.
    let end = tokio::time::timeout(limit, run).await.unwrap_or(AttemptEnd::Lost);
    let end = size::within(&core.options.limits.history, end);
    mailbox.notice(Notice::LocalEnded {
        run_id,
        seq,
        attempt,
        start,
        end,
    });
}

/// What the code of a local activity calls. Its heartbeats are of no use to anybody: a later attempt begins anew.
struct LocalHost(Arc<Cancellation>);

#[async_trait]
impl ActivityHost for LocalHost {
    fn heartbeat(&self, _: types::Payloads) {}

    fn cancellation(&self) -> Option<CancellationReason> {
        self.0.reason()
    }

    async fn cancelled(&self) {
        self.0.requested().await;
    }
}

fn info_of(run: &Run, activity: &LocalActivity, now_ns: u64) -> ActivityInfo {
    let options = activity.options();
    ActivityInfo {
        // Nobody can complete it from elsewhere.
        task_token: Vec::new(),
        namespace: run.execution.identity().namespace.to_string(),
        workflow_id: run.workflow_id.to_string(),
        run_id: run.run_id.to_string(),
        workflow_type: run.execution.workflow_type().to_owned(),
        activity_id: options.id(activity.seq()),
        activity_type: options.activity_type.clone(),
        task_queue: run.execution.task_queue().to_owned(),
        attempt: activity.attempt(),
        is_local: true,
        header: guest::header_in(options.header.as_ref()),
        heartbeat_details: Vec::new(),
        scheduled_time: activity.original_schedule_ns(),
        attempt_scheduled_time: activity.due_ns(),
        started_time: now_ns,
        schedule_to_close: options.schedule_to_close_ns.filter(|ns| *ns > 0),
        start_to_close: options.start_to_close_ns.filter(|ns| *ns > 0),
        heartbeat: None,
        retry_policy: options.retry_policy.as_ref().map(guest::retry_policy_in),
    }
}
