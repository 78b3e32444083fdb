//! Transitions on their way to the disk, and what is held until they are there.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use longhaul_engine::{Effect, Turn, outgoing};
use longhaul_history::{Attributes, HistoryEvent, codec, time};
use longhaul_sandbox::CancellationReason;
use longhaul_store::{
    Append, Change, ExecutionRecord, Pending, Row, RowKey, RunId, SeenKey, SubmitError, Submitter, TimerKey,
    Transition,
};
use prost::Message as _;

use super::{
    Alarm, Envelope, Kind, Place, Shard, ShardMailbox, attempts::AttemptKey, attempts::Dispatch,
    delete::SweepAgain, handing::HandedOut, local_attempts::LocalDispatch, message::Notice, moving::Move,
    reset::Reset, run::Run, turn::Tellings,
};
use crate::{
    Error, attributes,
    core::Core,
    executions::{Extra, ParentRef},
};

/// When an alarm rings that has been due all the time.
const AT_ONCE_NS: u64 = 0;

/// Something that is told once all before it is durable, or that could not be made durable.
pub(crate) type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// What is held.
pub(crate) enum Held {
    /// Tell somebody.
    Answer(Answer),
    /// Send a letter to another execution.
    Send(Arc<Envelope>),
    /// A letter of another execution was taken: remembered here until the store does.
    Seen(SeenKey, outgoing::Answer),
    /// All that the run has done is durable, so that it can be replayed with another version.
    Prove(RunId, Place, Box<Move>),
    /// A run's deletion is durable.
    Left(RunId),
    /// All that there is of an execution is durable, so that it can be read for a reset.
    Read(RunId, Box<Reset>),
    /// An execution that fell out of its retention is deleted.
    Swept(Arc<SweepAgain>),
    /// The next stretch of a deleted run's history.
    Purge(RunId),
    /// Run an attempt of an activity.
    Dispatch(Box<Dispatch>),
    /// Run an attempt of a local activity.
    DispatchLocal(Box<LocalDispatch>),
    /// An attempt that this server runs is asked to stop.
    CancelAttempt(AttemptKey),
    /// Nobody waits for an attempt that this server runs.
    EndAttempt(AttemptKey),
    /// Give an attempt of an activity to a worker.
    HandOut(Box<HandedOut>),
    /// Wake the long polls of a run.
    Wake(RunId),
    /// All that the run has done is durable, so that it can be replayed from the store.
    Revive(RunId),
    /// All that the run has done is durable, so that its validators can be asked on replays from the store.
    Validate(RunId),
    /// All that the run has done is durable, so that queries can be asked on replays from the store.
    Ask(RunId),
    /// All that was handed over of the run is durable, so that it can be read again.
    Load(RunId, Place),
    /// The run has closed: its code can leave the memory.
    Closed(RunId),
}

/// A shard's transitions.
pub(crate) struct Commits {
    submitter: Submitter,
    /// The last transition that was handed over.
    ticket: u64,
    /// The last one that is durable.
    durable: u64,
    held: BTreeMap<u64, Vec<Held>>,
    skipped_ns: Option<u64>,
}

impl Commits {
    pub(crate) fn new(core: &Arc<Core>, mailbox: &Arc<ShardMailbox>) -> Self {
        let notices = mailbox.clone();
        let submitter = core.writer.register(move |outcome| {
            notices.notice(match outcome {
                longhaul_store::Notice::Durable { up_to, .. } => Notice::Durable { ticket: up_to },
                longhaul_store::Notice::Failed { epoch, error } => Notice::WriteFailed {
                    epoch,
                    why: error.to_string(),
                },
            });
        });
        Self {
            submitter,
            ticket: 0,
            durable: 0,
            held: BTreeMap::new(),
            skipped_ns: None,
        }
    }

    /// Nothing is on its way, and nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.ticket == self.durable
    }

    /// The last transition that was handed over; 0: none yet.
    pub(crate) fn ticket(&self) -> u64 {
        self.ticket
    }

    /// Attempts of a run that start when a transition that was handed over is durable, by scheduled event and nonce.
    pub(crate) fn dispatches_of(&self, run_id: RunId) -> HashSet<(i64, u64)> {
        self.held
            .values()
            .flatten()
            .filter_map(|held| match held {
                Held::Dispatch(dispatch) => Some(dispatch.key()),
                _ => None,
            })
            .filter(|key| key.run_id == run_id)
            .map(|key| (key.scheduled_event_id, key.nonce))
            .collect()
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable
    }

    /// Remember a skip of the clock with the next transition.
    pub(crate) fn set_skipped(&mut self, skipped_ns: u64) {
        self.skipped_ns = Some(skipped_ns);
    }

    /// Hand a transition over; answers its ticket.
    pub(crate) fn submit(&mut self, mut changes: Vec<Change>) -> Result<u64, SubmitError> {
        if let Some(skipped_ns) = self.skipped_ns.take() {
            changes.push(Change::SetSkipped(skipped_ns));
        }
        self.ticket = self.submitter.submit(Transition::new(changes))?;
        Ok(self.ticket)
    }

    /// Hold something until a transition is durable; gives it back if it is already.
    fn hold(&mut self, ticket: u64, held: Held) -> Option<Held> {
        if ticket <= self.durable {
            return Some(held);
        }
        self.held.entry(ticket).or_default().push(held);
        None
    }
}

impl Shard {
    /// Hold something until all that this run has written so far is durable.
    pub(super) fn hold(&mut self, ticket: u64, held: Held) {
        if let Some(held) = self.commits.hold(ticket, held) {
            self.release(held);
        }
    }

    pub(super) fn on_durable(&mut self, ticket: u64) {
        self.commits.durable = self.commits.durable.max(ticket);
        let later = self.commits.held.split_off(&(ticket + 1));
        let released = std::mem::replace(&mut self.commits.held, later);
        for held in released.into_values().flatten() {
            self.release(held);
        }
    }

    fn release(&mut self, held: Held) {
        match held {
            Held::Answer(answer) => answer(Ok(())),
            Held::Dispatch(dispatch) => self.dispatch(*dispatch),
            Held::DispatchLocal(dispatch) => self.dispatch_local(*dispatch),
            Held::CancelAttempt(attempt) => self.attempts.cancel(attempt),
            Held::EndAttempt(attempt) => self.end_attempt(attempt),
            Held::HandOut(handed_out) => handed_out.deliver(),
            Held::Send(envelope) => self.send(envelope),
            Held::Seen(key, _) => {
                self.seen.remove(&key);
            }
            Held::Prove(run_id, place, moving) => self.prove(run_id, place, moving),
            Held::Swept(done) => drop(done),
            Held::Left(run_id) => {
                self.leaving.remove(&run_id);
            }
            Held::Read(newest, reset) => self.read_for_reset(newest, reset),
            Held::Purge(run_id) => self.purge_on(run_id),
            Held::Wake(run_id) => self.core.watchers.wake(&run_id.to_string()),
            Held::Revive(run_id) => {
                if let Some(run) = self.runs.get(&run_id) {
                    self.begin_revival(run);
                }
            }
            Held::Validate(run_id) => {
                if let Some(run) = self.runs.get(&run_id) {
                    self.ask_validators(run);
                }
            }
            Held::Ask(run_id) => self.ask_replays(run_id),
            Held::Load(run_id, place) => self.begin_load(run_id, &place),
            Held::Closed(run_id) => {
                self.forget_if_idle(run_id);
                self.expect_expiry();
            }
        }
    }

    /// A write has failed: nobody is told what was not written, and the memory is made anew from what is durable.
    pub(super) fn on_write_failed(&mut self, epoch: u64, why: &str) {
        if self.commits.submitter.epoch() != epoch {
            return;
        }
        self.core.note_failed_write();
        self.start_over(why);
    }

    /// Forget all that is not known to be durable.
    fn start_over(&mut self, why: &str) {
        tracing::error!(
            shard = self.index,
            why,
            "a write has failed; the shard starts over from what is durable"
        );
        let error = Error::Unavailable(format!(
            "the server cannot write: {why}; nothing of the request was kept"
        ));
        let mut to_load = Vec::new();
        for held in std::mem::take(&mut self.commits.held).into_values().flatten() {
            match held {
                Held::Answer(answer) => answer(Err(error.clone())),
                Held::Dispatch(dispatch) => self.attempts.give_back(&dispatch),
                Held::HandOut(handed_out) => handed_out.forget(),
                // A receiver that has gone needs no answer.
                Held::Prove(_, _, moving) => drop(moving.reply.send(Err(error.clone()))),
                Held::Read(_, reset) => drop(reset.reply.send(Err(error.clone()))),
                // Of this run nothing is on its way any more.
                Held::Load(run_id, place) => to_load.push((run_id, place)),
                // All attempts of local activities end below.
                Held::DispatchLocal(_)
                // An attempt that was not to go on goes on: what says otherwise was not written.
                | Held::CancelAttempt(_)
                | Held::EndAttempt(_)
                | Held::Wake(_)
                | Held::Revive(_)
                | Held::Validate(_)
                | Held::Ask(_)
                | Held::Left(_)
                | Held::Closed(_)
                | Held::Send(_)
                | Held::Seen(..)
                | Held::Purge(_)
                | Held::Swept(_) => {}
            }
        }
        self.commits.durable = self.commits.ticket;
        self.commits.submitter.resume();
        let runs: Vec<(RunId, Box<Run>)> = self.runs.drain().collect();
        self.newest.clear();
        self.due.clear();
        self.due_set.clear();
        self.memory.clear();
        // Their tasks run again from their start.
        self.local_attempts.end_all(CancellationReason::NotFound);
        for (_, run) in runs {
            super::recover::tell(run, Tellings::default(), &error);
        }
        self.seen.clear();
        self.leaving.clear();
        self.purges.clear();
        self.outbox.forget();
        let core = self.core();
        match crate::recovery::alarms_of(&core, self.index) {
            Ok(alarms) => {
                self.alarms = Default::default();
                self.attempts.start_over(&core);
                for due in alarms {
                    self.restore(due);
                }
            }
            Err(error) => {
                tracing::error!(%error, "pending timers could not be read again; they wait for a restart")
            }
        }
        let index = self.index;
        let letters = super::letters_of(&core, |envelope| {
            if core.shard_of(&envelope.sender) == index {
                self.outbox.restore(envelope);
            }
        });
        if let Err(error) = letters {
            tracing::error!(%error, "pending messages to other executions could not be read again; they wait for a restart");
        }
        self.send_restored();
        self.call_restored();
        self.sweep();
        for (run_id, place) in to_load {
            self.begin_load(run_id, &place);
        }
    }

    /// What a run's turn has to store. Empty if there is nothing.
    pub(super) fn changes_of(&mut self, run: &mut Run, turn: &Turn) -> Result<Vec<Change>, Error> {
        let mut changes = Vec::new();
        let (namespace, run_id) = (run.namespace, run.run_id);
        if let (Some(first), Some(last)) = (turn.events.first(), turn.events.last()) {
            changes.push(Change::AppendEvents(Append {
                namespace,
                run_id,
                first_event_id: unsigned(first.event_id),
                count: u32::try_from(turn.events.len()).unwrap_or(u32::MAX),
                last_event_time_ns: turn.now_ns,
                bytes: codec::encode_batch(&turn.events),
            }));
            debug_assert_eq!(last.event_id + 1, run.execution.next_event_id());
            if turn.events.iter().any(|event| changes_search_attributes(event)) {
                run.indexed = None;
            }
            if run.indexed.is_none() {
                run.indexed = Some(index_of(run, &self.core));
            }
            changes.push(Change::PutExecution(Box::new(record_of(run, &self.core)?)));
        }
        for effect in &turn.effects {
            match effect {
                Effect::TimerSet {
                    started_event_id,
                    due_ns,
                } => {
                    let alarm = Alarm {
                        run_id,
                        kind: Kind::Timer,
                        id: *started_event_id,
                    };
                    self.set_stored_alarm(run, *due_ns, alarm, &mut changes);
                }
                Effect::TimerGone {
                    started_event_id,
                    due_ns,
                } => {
                    let alarm = Alarm {
                        run_id,
                        kind: Kind::Timer,
                        id: *started_event_id,
                    };
                    self.clear_stored_alarm(run, *due_ns, alarm, &mut changes);
                }
                Effect::ActivityChanged { scheduled_event_id } => {
                    self.arm_activity(run, *scheduled_event_id, turn.now_ns);
                    let Some(activity) = run.execution.activities().get(scheduled_event_id) else {
                        continue;
                    };
                    let key = RowKey {
                        namespace,
                        run_id,
                        order: unsigned(*scheduled_event_id),
                    };
                    let row = Row {
                        workflow_id: run.workflow_id.to_string(),
                        body: activity.row().encode_to_vec(),
                    };
                    changes.push(Change::PutPending(Pending::Activity, key, row));
                }
                Effect::ActivityGone { scheduled_event_id } => {
                    self.disarm_activity(run, *scheduled_event_id);
                    let key = RowKey {
                        namespace,
                        run_id,
                        order: unsigned(*scheduled_event_id),
                    };
                    changes.push(Change::DeletePending(Pending::Activity, key));
                }
                Effect::OutboxPut { order } => {
                    let Some(letter) = run.execution.outgoing(*order) else {
                        continue;
                    };
                    let envelope = Arc::new(Envelope::new(run.place(), run_id, *order, letter));
                    changes.push(Change::PutPending(
                        Pending::Outbox,
                        envelope.key(),
                        envelope.row(),
                    ));
                    self.outbox.note(&envelope);
                    run.letters.push(envelope);
                }
                Effect::OutboxGone { order } => {
                    self.take_back(run, *order);
                    let key = RowKey {
                        namespace,
                        run_id,
                        order: unsigned(*order),
                    };
                    changes.push(Change::DeletePending(Pending::Outbox, key));
                }
                // Its alarm stays until the task has ended: before that nothing in the store says that the wait is over.
                Effect::FirstTaskReleased
                | Effect::ActivityCancelRequested { .. }
                | Effect::UpdateAdmitted { .. }
                | Effect::UpdateAccepted { .. }
                | Effect::UpdateCompleted { .. } => {}
                Effect::Closed => {
                    if let Some(due_ns) = run.execution.run_expires_ns() {
                        let alarm = Alarm {
                            run_id,
                            kind: Kind::RunTimeout,
                            id: 0,
                        };
                        self.clear_stored_alarm(run, due_ns, alarm, &mut changes);
                    }
                    if let Some(parked) = run.parked.take() {
                        let alarm = Alarm {
                            run_id,
                            kind: Kind::TaskRetry,
                            id: 0,
                        };
                        self.clear_stored_alarm(run, parked.next_attempt_ns, alarm, &mut changes);
                    }
                }
            }
        }
        self.disarm_first_task(run, &mut changes);
        self.note_task(run, &mut changes);
        self.update_rows(run, &mut changes);
        Ok(changes)
    }

    /// A task that is still due when the turn ends is one that waits for the code. What brings the code back is in memory: a row says
    /// so to whoever comes after a crash.
    fn note_task(&self, run: &mut Run, changes: &mut Vec<Change>) {
        let due = run.has_task_to_note();
        if due == std::mem::replace(&mut run.task_noted, due) {
            return;
        }
        let (place, alarm) = (run.place(), Alarm::of(run.run_id, Kind::Task));
        changes.extend(if due {
            self.stored_alarm(&place, AT_ONCE_NS, alarm)
        } else {
            self.stored_alarm_gone(&place, AT_ONCE_NS, alarm)
        });
    }

    pub(super) fn set_stored_alarm(
        &mut self,
        run: &Run,
        due_ns: u64,
        alarm: Alarm,
        changes: &mut Vec<Change>,
    ) {
        self.alarms.set(due_ns, alarm, run.place());
        changes.extend(self.stored_alarm(&run.place(), due_ns, alarm));
    }

    /// The row of an alarm; none: the store keeps no alarms of this kind.
    pub(super) fn stored_alarm(&self, place: &Place, due_ns: u64, alarm: Alarm) -> Option<Change> {
        let row = Row {
            workflow_id: place.workflow_id.to_string(),
            body: Vec::new(),
        };
        Some(Change::PutTimer(timer_key(place, due_ns, alarm)?, row))
    }

    /// The end of an alarm's row.
    pub(super) fn stored_alarm_gone(&self, place: &Place, due_ns: u64, alarm: Alarm) -> Option<Change> {
        timer_key(place, due_ns, alarm).map(Change::DeleteTimer)
    }

    pub(super) fn clear_stored_alarm(
        &mut self,
        run: &Run,
        due_ns: u64,
        alarm: Alarm,
        changes: &mut Vec<Change>,
    ) {
        self.alarms.clear(due_ns, alarm);
        changes.extend(self.stored_alarm_gone(&run.place(), due_ns, alarm));
    }
}

fn timer_key(place: &Place, due_ns: u64, alarm: Alarm) -> Option<TimerKey> {
    Some(TimerKey {
        namespace: place.namespace,
        due_ns,
        run_id: alarm.run_id,
        kind: alarm.kind.stored()?,
        id: unsigned(alarm.id),
    })
}

/// The row of a run as it is now.
pub(super) fn record_of(run: &Run, core: &Core) -> Result<ExecutionRecord, Error> {
    let execution = &run.execution;
    let start = execution.start();
    let status = core.status_of(execution.status())?;
    let (terms, search_attributes) = match &run.indexed {
        Some(indexed) => indexed.clone(),
        None => index_of(run, core),
    };
    let backoff_ns = start.first_workflow_task_backoff.as_ref();
    let backoff_ns = backoff_ns.and_then(time::ns_from_duration).unwrap_or(0);
    let extra = Extra {
        parent: execution.parent().map(ParentRef::from),
        root: start.root_workflow_execution.clone(),
    };
    Ok(ExecutionRecord {
        namespace: run.namespace,
        workflow_id: run.workflow_id.to_string(),
        run_id: run.run_id,
        status,
        workflow_type: execution.workflow_type().to_owned(),
        task_queue: execution.task_queue().to_owned(),
        module: run.module_ref(),
        start_time_ns: execution.start_time_ns(),
        execution_time_ns: execution.start_time_ns().saturating_add(backoff_ns),
        close_time_ns: execution.close_time_ns(),
        first_run_id: run.first_run_id(),
        next_event_id: unsigned(execution.next_event_id()),
        history_bytes: execution.history_bytes(),
        parked: run.parked.clone(),
        memo: execution.memo().encode_to_vec(),
        search_attributes,
        terms,
        start_request_id: run.start_request_id.clone(),
        state: extra.encode_to_vec(),
    })
}

/// What a run's search attributes are found by, and how they are shown.
fn index_of(run: &Run, core: &Core) -> (Vec<String>, Vec<u8>) {
    let fields = &run.execution.search_attributes().indexed_fields;
    if fields.is_empty() {
        return (Vec::new(), Vec::new());
    }
    attributes::indexed(&core.attributes.of(run.namespace), fields)
}

fn changes_search_attributes(event: &HistoryEvent) -> bool {
    matches!(
        event.attributes,
        Some(Attributes::UpsertWorkflowSearchAttributesEventAttributes(_))
    )
}

/// Event ids count from 1; nothing here is negative.
pub(super) fn unsigned(id: i64) -> u64 {
    u64::try_from(id).unwrap_or(0)
}
