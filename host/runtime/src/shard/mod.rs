//! A shard: one single-threaded loop that owns a share of the executions, by hash of their workflow ids.
//!
//! The loop takes everything that waits, sorts it to runs, and gives each run its turn: inputs become events, a workflow task runs,
//! and all of it becomes one transition for the writer. What has to be told (answers, attempts of activities, news for long polls)
//! is held until the transition is durable. The shard computes ahead: a run's next turn need not wait for the last commit.

mod alarms;
mod answers;
mod asked;
mod attempts;
mod beginning;
mod buffered;
mod chain;
mod commit;
mod delete;
mod deliver;
mod describe;
mod gated;
mod handing;
mod kept;
mod letter;
mod load;
mod local_attempts;
mod meanwhile;
mod memory;
mod message;
mod metadata;
mod moving;
mod open_task;
mod outbox;
mod polling;
mod query;
mod recover;
mod reset;
mod reset_children;
mod routing;
mod run;
mod stack;
mod start;
mod task;
mod throttled;
mod turn;
mod updates;
mod validate;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use longhaul_engine::outgoing::Answer;
use longhaul_sandbox::CancellationReason;
use longhaul_store::{RunId, SeenKey};

use crate::{core::Core, executions::ParentRef, mailbox::Mailbox, recovery::Due};

pub(crate) use alarms::{Alarm, Alarms, Kind, Place};
pub(crate) use answers::{Operation, Said, Saying};
pub(crate) use beginning::{Beginning, Started, With};
pub(crate) use handing::Delivery;
pub(crate) use letter::Envelope;
pub(crate) use load::read_events;
pub(crate) use message::{Message, Notice, Request, Target, UpdateTicket};
pub(crate) use moving::Move;
pub(crate) use outbox::letters_of;
pub(crate) use reset::Reset;
use {
    attempts::Attempts, commit::Commits, delete::Purges, kept::Kept, local_attempts::LocalAttempts,
    memory::Memory, message::Input, outbox::Outbox, run::Run, throttled::Throttled,
};

/// Where a shard is written to.
pub(crate) type ShardMailbox = Mailbox<Request, Notice>;

/// How often a shard looks whether the store takes writes again.
const UNWRITABLE_WAIT: Duration = Duration::from_millis(500);

/// The state of one shard.
pub(crate) struct Shard {
    core: Arc<Core>,
    index: usize,
    mailbox: Arc<ShardMailbox>,
    runs: HashMap<RunId, Box<Run>>,
    /// The newest run of each workflow id that is in memory or not yet durable.
    newest: HashMap<Place, Newest>,
    /// Runs that are being read; what waits for them.
    loading: HashMap<RunId, (Place, VecDeque<Input>)>,
    /// What waits for runs that could not be read, until they are.
    kept: Kept,
    /// Requests among that.
    unread_requests: usize,
    /// Held by each start that waits for machine code.
    compiling: Arc<()>,
    /// Runs that have something in their inbox, in order.
    due: VecDeque<RunId>,
    due_set: HashSet<RunId>,
    alarms: Alarms,
    attempts: Attempts,
    local_attempts: LocalAttempts,
    throttled: Throttled,
    commits: Commits,
    memory: Memory,
    outbox: Outbox,
    /// Answers to other executions that are on their way to the disk, and the transition that holds each.
    seen: HashMap<SeenKey, (u64, Answer)>,
    purges: Purges,
    /// Runs whose deletion is on its way to the disk: for everybody they are gone.
    leaving: HashSet<RunId>,
    /// Runs whose last turn was lost, until they are back from the store.
    astray: HashSet<RunId>,
    /// How often validators were asked on another thread.
    validations: u64,
    /// The next turn of this execution shall panic. For tests.
    pub(crate) panic_in_turn_of: Option<String>,
    /// The next time that this execution is read it shall not be readable. For tests.
    pub(crate) unreadable: Option<String>,
    /// The id of the next run with which a chain goes on.
    next_run_id: String,
    stopping: bool,
}

/// The newest run of a workflow id.
#[derive(Debug, Clone)]
struct Newest {
    run_id: RunId,
    status: longhaul_engine::Status,
    start_request_id: String,
    /// The first run of its chain.
    first_run_id: RunId,
    parent: Option<ParentRef>,
}

impl Newest {
    fn of(run: &Run) -> Self {
        Self {
            run_id: run.run_id,
            status: run.execution.status(),
            start_request_id: run.start_request_id.clone(),
            first_run_id: run.first_run_id(),
            parent: run.execution.parent().map(ParentRef::from),
        }
    }

    fn is_open(&self) -> bool {
        self.status == longhaul_engine::Status::Running
    }
}

impl Shard {
    pub(crate) fn new(core: Arc<Core>, index: usize, mailbox: Arc<ShardMailbox>) -> Self {
        let commits = Commits::new(&core, &mailbox);
        let slots = core.options.activity_slots.div_ceil(core.options.shards.get());
        let memory = Memory::new(&core.options);
        let next_run_id = core.new_run_id().to_string();
        Self {
            core,
            index,
            mailbox,
            runs: HashMap::new(),
            newest: HashMap::new(),
            loading: HashMap::new(),
            kept: Kept::default(),
            unread_requests: 0,
            compiling: Arc::new(()),
            due: VecDeque::new(),
            due_set: HashSet::new(),
            alarms: Alarms::default(),
            attempts: Attempts::new(slots),
            local_attempts: LocalAttempts::default(),
            throttled: Throttled::default(),
            commits,
            memory,
            outbox: Outbox::default(),
            seen: HashMap::new(),
            purges: Purges::default(),
            leaving: HashSet::new(),
            astray: HashSet::new(),
            validations: 0,
            panic_in_turn_of: None,
            unreadable: None,
            next_run_id,
            stopping: false,
        }
    }

    /// Add what the store says will fall due.
    pub(crate) fn restore(&mut self, due: Due) {
        if due.outside {
            self.attempts.handed_out(due.alarm.run_id, due.alarm.id);
        }
        let at_ns = match &due.waits {
            Some(waits) if self.line_up_unread(due.alarm, &due.place, waits) => due.deadline_ns,
            _ => due.at_ns,
        };
        if let Some(at_ns) = at_ns {
            self.alarms.set(at_ns, due.alarm, due.place);
        }
    }

    /// Everything was restored: go on with what needs no input.
    pub(crate) fn resume(&mut self) {
        self.send_restored();
        self.call_restored();
        self.sweep();
    }

    /// Add what the store says was sent and has no answer.
    pub(crate) fn restore_letter(&mut self, envelope: Envelope) {
        self.outbox.restore(envelope);
    }

    /// Run until the mailbox is closed and everything that was taken is durable.
    pub(crate) fn run(mut self) {
        tracing::debug!(shard = self.index, alarms = self.alarms.len(), "shard runs");
        while !self.is_done() {
            let timeout = self.idle_time();
            self.step(timeout);
        }
        self.attempts.shut_down();
        self.local_attempts.end_all(CancellationReason::Shutdown);
        self.mailbox.shut();
        tracing::debug!(shard = self.index, "shard has stopped");
    }

    /// One round: wait for something for at most `timeout`, then do all there is to do.
    pub(crate) fn step(&mut self, timeout: Option<Duration>) {
        let batch = self.mailbox.take(timeout);
        self.stopping |= batch.closed;
        for notice in batch.notices {
            self.contained(|shard| shard.on_notice(notice));
        }
        for request in batch.requests {
            self.contained(|shard| shard.on_request(request));
        }
        self.ring_alarms();
        self.run_due();
        self.fill_local_slots();
        self.fill_slots();
        self.evict();
        if self.core.options.time_skipping {
            self.skip_time();
        }
    }

    fn is_done(&self) -> bool {
        self.stopping && self.due.is_empty() && self.loading.is_empty() && self.commits.is_empty()
    }

    /// How long nothing needs to be done unless a message comes.
    fn idle_time(&self) -> Option<Duration> {
        if !self.due.is_empty() {
            return Some(Duration::ZERO);
        }
        if self.core.store.health().error().is_some() {
            return Some(UNWRITABLE_WAIT);
        }
        // A client that begins to wait sends no message here; with time skipping it changes what there is to do.
        let longest = self
            .core
            .options
            .time_skipping
            .then_some(Duration::from_millis(20));
        let next_ns = self
            .alarms
            .next_ns()
            .into_iter()
            .chain(self.throttled.next_ns())
            .min();
        let alarm = next_ns.map(|due_ns| {
            // A timer must not fire early, so a fraction of a microsecond is rounded up.
            Duration::from_nanos(due_ns.saturating_sub(self.core.clock.now_ns())) + Duration::from_nanos(1)
        });
        match (alarm, longest) {
            (Some(alarm), Some(longest)) => Some(alarm.min(longest)),
            (alarm, longest) => alarm.or(longest),
        }
    }

    fn ring_alarms(&mut self) {
        // What cannot be written would fall due again at once.
        if self.stopping || self.core.store.health().error().is_some() {
            return;
        }
        let now_ns = self.core.clock.now_ns();
        while let Some((due_ns, alarm, place)) = self.alarms.pop(now_ns) {
            match alarm.kind {
                Kind::Send => self.send_again(alarm),
                Kind::Retention => self.sweep(),
                Kind::Purge => self.purge(alarm, place, due_ns),
                _ => self.deliver(alarm.run_id, &place, Input::Alarm(alarm)),
            }
        }
        self.go_on_with_queues(now_ns);
    }

    fn run_due(&mut self) {
        while let Some(run_id) = self.due.pop_front() {
            self.due_set.remove(&run_id);
            self.contained(|shard| shard.turn(run_id));
        }
    }

    /// A defect must not take the shard's executions with it. The turn of a run has a guard of its own, which puts everything back
    /// ([`Shard::recover`]); here is what goes on outside of turns, where whoever waits is told because what would have answered is
    /// dropped.
    fn contained(&mut self, work: impl FnOnce(&mut Self)) {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(self))).is_err() {
            tracing::error!(
                shard = self.index,
                "something has panicked: a defect of the server"
            );
            metrics::counter!("longhaul_panics_total").increment(1);
        }
    }

    fn mark_due(&mut self, run_id: RunId) {
        if self.due_set.insert(run_id) {
            self.due.push_back(run_id);
        }
    }

    /// Jump to the next alarm if nothing can happen before it and a client waits for a result.
    fn skip_time(&mut self) {
        let busy = !self.due.is_empty()
            || !self.loading.is_empty()
            || !self.commits.is_empty()
            || !self.attempts.is_idle()
            || !self.local_attempts.is_idle()
            || !self.outbox.is_idle()
            // What is away with the workers comes back through the mailbox: asked in this order nothing slips through.
            || !self.core.workers.is_idle()
            || !self.mailbox.is_empty()
            || self.core.watchers.waiting_for_results() == 0;
        if busy || self.stopping {
            return;
        }
        if let Some(due_ns) = self.alarms.next_skippable_ns()
            && due_ns > self.core.clock.now_ns()
        {
            let skipped_ns = self.core.clock.skip_to(due_ns);
            self.commits.set_skipped(skipped_ns);
            tracing::info!(
                skipped_s = skipped_ns / 1_000_000_000,
                "time was skipped to the next timer"
            );
        }
    }
}
