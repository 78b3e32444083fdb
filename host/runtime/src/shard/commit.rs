//! Transitions on their way to the disk, and what is held until they are there.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use longhaul_engine::{Effect, Turn};
use longhaul_history::codec;
use longhaul_store::{
    Append, Change, ExecutionRecord, Pending, Row, RowKey, RunId, SubmitError, Submitter, TimerKey,
    Transition,
};
use prost::Message as _;

use super::{
    Alarm, Kind, Place, Shard, ShardMailbox, attempts::Dispatch, message::Notice, run::Run, turn::Tellings,
};
use crate::{Error, core::Core};

/// Something that is told once all before it is durable, or that could not be made durable.
pub(crate) type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// What is held.
pub(crate) enum Held {
    /// Tell somebody.
    Answer(Answer),
    /// Run an attempt of an activity.
    Dispatch(Box<Dispatch>),
    /// Wake the long polls of a run.
    Wake(RunId),
    /// All that the run has done is durable, so that it can be replayed from the store.
    Revive(RunId),
    /// All that the run has done is durable, so that its validators can be asked on replays from the store.
    Validate(RunId),
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

    /// Attempts of a run that start when a transition that was handed over is durable, by scheduled event and number.
    pub(crate) fn dispatches_of(&self, run_id: RunId) -> HashSet<(i64, u32)> {
        self.held
            .values()
            .flatten()
            .filter_map(|held| match held {
                Held::Dispatch(dispatch) if dispatch.run_id == run_id => {
                    Some((dispatch.scheduled_event_id, dispatch.number))
                }
                _ => None,
            })
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
            Held::Load(run_id, place) => self.begin_load(run_id, &place),
            Held::Closed(run_id) => self.forget_if_idle(run_id),
        }
    }

    /// A write has failed: nobody is told what was not written, and the memory is made anew from what is durable.
    pub(super) fn on_write_failed(&mut self, epoch: u64, why: &str) {
        if self.commits.submitter.epoch() != epoch {
            return;
        }
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
                // Of this run nothing is on its way any more.
                Held::Load(run_id, place) => to_load.push((run_id, place)),
                Held::Wake(_) | Held::Revive(_) | Held::Validate(_) | Held::Closed(_) => {}
            }
        }
        self.commits.durable = self.commits.ticket;
        self.commits.submitter.resume();
        let runs: Vec<(RunId, Box<Run>)> = self.runs.drain().collect();
        self.newest.clear();
        self.due.clear();
        self.due_set.clear();
        self.memory.clear();
        for (_, run) in runs {
            super::recover::tell(run, Tellings::default(), &error);
        }
        let core = self.core();
        match crate::recovery::alarms_of(&core, self.index) {
            Ok(alarms) => {
                self.alarms = Default::default();
                for (due_ns, alarm, place) in alarms {
                    self.alarms.set(due_ns, alarm, place);
                }
            }
            Err(error) => {
                tracing::error!(%error, "pending timers could not be read again; they wait for a restart")
            }
        }
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
                    self.arm_activity(run, *scheduled_event_id);
                    let Some(activity) = run.execution.activities().get(scheduled_event_id) else {
                        continue;
                    };
                    let mut attempt = activity.attempt.clone();
                    attempt.deadline_ns = activity.deadline().map(|deadline| deadline.at_ns);
                    let key = RowKey {
                        namespace,
                        run_id,
                        order: unsigned(*scheduled_event_id),
                    };
                    let row = Row {
                        workflow_id: run.workflow_id.to_string(),
                        body: attempt.encode_to_vec(),
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
                Effect::ActivityCancelRequested { .. }
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
        self.update_rows(run, &mut changes);
        Ok(changes)
    }

    pub(super) fn set_stored_alarm(
        &mut self,
        run: &Run,
        due_ns: u64,
        alarm: Alarm,
        changes: &mut Vec<Change>,
    ) {
        self.alarms.set(due_ns, alarm, run.place());
        if let Some(kind) = alarm.kind.stored() {
            let key = TimerKey {
                namespace: run.namespace,
                due_ns,
                run_id: run.run_id,
                kind,
                id: unsigned(alarm.id),
            };
            let row = Row {
                workflow_id: run.workflow_id.to_string(),
                body: Vec::new(),
            };
            changes.push(Change::PutTimer(key, row));
        }
    }

    pub(super) fn clear_stored_alarm(
        &mut self,
        run: &Run,
        due_ns: u64,
        alarm: Alarm,
        changes: &mut Vec<Change>,
    ) {
        self.alarms.clear(due_ns, alarm);
        if let Some(kind) = alarm.kind.stored() {
            let key = TimerKey {
                namespace: run.namespace,
                due_ns,
                run_id: run.run_id,
                kind,
                id: unsigned(alarm.id),
            };
            changes.push(Change::DeleteTimer(key));
        }
    }
}

/// The row of a run as it is now.
pub(super) fn record_of(run: &Run, core: &Core) -> Result<ExecutionRecord, Error> {
    let execution = &run.execution;
    let start = execution.start();
    let status = core.status_of(execution.status())?;
    Ok(ExecutionRecord {
        namespace: run.namespace,
        workflow_id: run.workflow_id.to_string(),
        run_id: run.run_id,
        status,
        workflow_type: execution.workflow_type().to_owned(),
        task_queue: execution.task_queue().to_owned(),
        module: run.module_ref(),
        start_time_ns: execution.start_time_ns(),
        execution_time_ns: execution.start_time_ns(),
        close_time_ns: execution.close_time_ns(),
        first_run_id: run.run_id,
        next_event_id: unsigned(execution.next_event_id()),
        history_bytes: execution.history_bytes(),
        parked: run.parked.clone(),
        memo: start
            .memo
            .as_ref()
            .map(|memo| memo.encode_to_vec())
            .unwrap_or_default(),
        search_attributes: start
            .search_attributes
            .as_ref()
            .map(|a| a.encode_to_vec())
            .unwrap_or_default(),
        start_request_id: run.start_request_id.clone(),
        state: Vec::new(),
    })
}

/// Event ids count from 1; nothing here is negative.
pub(super) fn unsigned(id: i64) -> u64 {
    u64::try_from(id).unwrap_or(0)
}
