//! One workflow task of a run: the guest runs, and what it did becomes events.

use std::sync::Arc;

use longhaul_engine::{
    Effect, Intent, Turn, Violation,
    execution::{Task, TaskFailure},
    proto::common::v1::SearchAttributes,
    update,
};
use longhaul_history::limits::Growth;
use longhaul_store::{Change, Parked};

use super::{
    Alarm, Kind, Shard,
    commit::Held,
    open_task::OpenTask,
    run::{Code, Run},
    turn::Tellings,
    validate::{self, Validation, Verdict},
};
use crate::{
    guest::{self, Delivery, Guest, TaskError},
    updates::Stage,
};

/// How far a task has come.
pub(super) enum Ran {
    /// To its end.
    ToItsEnd,
    /// It waits for local activities, and stays open.
    StaysOpen,
    /// Nothing of it stays: it runs again from its start.
    GivenUp,
    /// To an update whose validator cannot be asked on a fork of the instance, which has been given up.
    ToAValidator,
}

impl Shard {
    /// Run one task. Nothing is written if all it would do is to reject updates.
    pub(super) fn run_task(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        tellings: &mut Tellings,
    ) -> Result<Ran, TaskError> {
        let Code::Live(mut guest) = std::mem::replace(&mut run.code, Code::Absent) else {
            return Ok(Ran::ToItsEnd);
        };
        let outcome = self.run_guest(run, turn, extra, &mut guest, tellings);
        // After an error, or half-way, the instance is of no use: it stays dropped, and a replay makes another.
        if let Ok(Ran::ToItsEnd | Ran::StaysOpen) = outcome {
            run.code = Code::Live(guest);
        }
        outcome
    }

    fn run_guest(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        guest: &mut Guest,
        tellings: &mut Tellings,
    ) -> Result<Ran, TaskError> {
        let limits = &self.core.options.limits;
        let task = run.execution.plan_task(turn, limits);
        guest.begin(&task, false);
        let jobs = guest.session.observe(run.execution.unseen());
        let events = run.has_news();
        let start = run.execution.start();
        let info = || guest::execution_info(run.execution.identity(), start, run.execution.start_time_ns());
        guest.deliver_first(jobs.before_updates, info, start)?;

        let mut calls = Vec::new();
        let mut accepted = false;
        let mut verdicts = run.validation.take_verdicts();
        for id in run.execution.admitted_updates().to_vec() {
            let verdict = match verdicts.remove(&id) {
                Some(verdict) => verdict,
                None => match validate::on_fork(run, guest, &task, &id)? {
                    Some(verdict) => verdict,
                    None => return Ok(Ran::ToAValidator),
                },
            };
            match verdict {
                Verdict::Rejected(failure) => {
                    run.execution.forget_update(&id);
                    reject(run, tellings, &id, failure);
                }
                Verdict::Accepted => {
                    let Some(update::State::Admitted { request, .. }) =
                        run.execution.update(&id).map(|u| &u.state)
                    else {
                        continue;
                    };
                    let delivery = Delivery {
                        id: &id,
                        request,
                        event_id: task.scheduled_event_id,
                    };
                    guest.deliver_update(&delivery, task.now_ns, &mut calls)?;
                    accepted = true;
                }
            }
        }
        if !accepted && !events {
            return Ok(Ran::ToItsEnd);
        }
        let mut asked = guest.finish(jobs.after_updates, &mut calls, limits)?;
        Self::locals_again(guest, run, &mut asked);
        let mut open = OpenTask::new(task, calls);
        if !self.keep_open(run, turn, tellings, guest, &mut open, asked)? {
            run.open_task = Some(Box::new(open));
            return Ok(Ran::StaysOpen);
        }
        self.end_task(run, turn, extra, guest, &mut open)
    }

    /// What the code has done becomes events.
    pub(super) fn write_task(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        guest: &mut Guest,
        task: &Task,
        intents: Vec<Intent>,
    ) -> Result<(), TaskError> {
        let limits = &self.core.options.limits;
        self.check_types(run, &intents)?;
        extra.extend(self.admit_attributes(run, &intents)?);
        let worker = run.worker(&self.core.options.identity);
        let first_new = turn.events.len();
        for (seq, event_id) in run.execution.complete_task(turn, task, &worker, intents) {
            if let Some(event) = turn.events[first_new..]
                .iter()
                .find(|event| event.event_id == event_id)
            {
                guest.session.bind(seq, event);
            }
        }
        let events = super::commit::unsigned(run.execution.next_event_id() - 1);
        let bytes = run.execution.history_bytes();
        if matches!(limits.history.growth(events, bytes), Growth::Warn | Growth::Stop) {
            // E10
            tracing::warn!(
                workflow_id = &*run.workflow_id, run_id = %run.run_id, events, bytes,
                "the history is very long: let the workflow continue as new, send many items in one signal, or share them out to \
                 child workflows"
            );
        }
        metrics::counter!("longhaul_workflow_tasks_total", "outcome" => "completed").increment(1);
        Ok(())
    }

    /// E12, for what workflow code starts: an unknown type fails the task and not the workflow, so that it goes on when there is a
    /// module for it.
    fn check_types(&self, run: &Run, intents: &[Intent]) -> Result<(), TaskError> {
        for intent in intents {
            match intent {
                Intent::StartChild { seq, options } => {
                    self.version_for(run.namespace, &options.workflow_type)
                        .map_err(|error| Violation::BadChild {
                            seq: *seq,
                            workflow_id: options.workflow_id.clone(),
                            why: error.to_string(),
                        })?;
                }
                Intent::ContinueAsNew(options) => {
                    let workflow_type = options.workflow_type.as_deref();
                    let workflow_type = workflow_type.unwrap_or(run.execution.workflow_type());
                    if !run.version.workflow_types.contains_key(workflow_type) {
                        self.version_for(run.namespace, workflow_type)
                            .map_err(|error| Violation::BadContinue(error.to_string()))?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// E13, for what workflow code sets: a value that does not fit its attribute fails the task. Answers what the first use of a name
    /// has to write.
    fn admit_attributes(&self, run: &Run, intents: &[Intent]) -> Result<Vec<Change>, TaskError> {
        let mut changes = Vec::new();
        for intent in intents {
            let attributes = match intent {
                Intent::UpsertSearchAttributes(fields) => {
                    let set = fields
                        .iter()
                        .filter_map(|(name, payload)| Some((name.clone(), payload.clone()?)));
                    SearchAttributes {
                        indexed_fields: set.collect(),
                    }
                }
                Intent::StartChild { options, .. } => options.search_attributes.clone().unwrap_or_default(),
                Intent::ContinueAsNew(options) => options.search_attributes.clone().unwrap_or_default(),
                _ => continue,
            };
            if attributes.indexed_fields.is_empty() {
                continue;
            }
            let core = &self.core;
            let new = core
                .attributes
                .admit(&core.options.search_attributes, run.namespace, &attributes)
                .map_err(|error| Violation::BadSearchAttributes(error.to_string()))?;
            changes.extend(new);
        }
        Ok(changes)
    }

    /// A task has failed: the run is parked, and tried again later (E11).
    pub(super) fn park(&mut self, run: &mut Run, turn: &mut Turn, extra: &mut Vec<Change>, error: TaskError) {
        self.give_up(run);
        self.drop_locals(run);
        run.code = Code::Absent;
        run.retrying = false;
        run.validation = Validation::Idle;
        let attempt = run
            .parked
            .as_ref()
            .map_or(0, |parked| parked.attempt)
            .saturating_add(1);
        let since_ns = run.parked.as_ref().map_or(turn.now_ns, |parked| parked.since_ns);
        let delay = self.core.options.task_retry_after(attempt);
        let next_attempt_ns = turn
            .now_ns
            .saturating_add(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX));
        let reason = format!("{error}\n{}", error.backtrace());
        tracing::warn!(
            workflow_id = &*run.workflow_id, run_id = %run.run_id, module = %run.version.name, version = run.version.number,
            attempt, retry_after_s = delay.as_secs(), "workflow task failed: {error}"
        );
        metrics::counter!("longhaul_workflow_tasks_total", "outcome" => "failed").increment(1);
        let task = run.execution.plan_task(turn, &self.core.options.limits);
        let worker = run.worker(&self.core.options.identity);
        let failed = TaskFailure {
            cause: error.cause(),
            failure: error.failure(),
        };
        run.execution.fail_task(turn, &task, &worker, failed);
        self.clear_task_retry(run, extra);
        run.parked = Some(Parked {
            attempt,
            reason: reason.trim_end().to_owned(),
            since_ns,
            next_attempt_ns,
        });
        let alarm = Alarm {
            run_id: run.run_id,
            kind: Kind::TaskRetry,
            id: 0,
        };
        self.set_stored_alarm(run, next_attempt_ns, alarm, extra);
        // The row says why it is parked, also where the streak has its event already.
        if turn.events.is_empty() {
            self.put_record(run, extra);
        }
    }

    /// The task of a run has completed: it is parked no longer.
    pub(super) fn unpark(&mut self, run: &mut Run, turn: &Turn, extra: &mut Vec<Change>) {
        run.retrying = false;
        self.clear_task_retry(run, extra);
        // Where the task left no event, as after a refused update, the row is written for this alone.
        if run.parked.take().is_some() && turn.events.is_empty() {
            self.put_record(run, extra);
        }
    }

    /// The wait of a parked run ends with the outcome of its next try, in the transition that holds it: a crash before that leaves
    /// the wait in the store, and the run is tried again.
    fn clear_task_retry(&mut self, run: &Run, extra: &mut Vec<Change>) {
        if let Some(parked) = &run.parked {
            let alarm = Alarm {
                run_id: run.run_id,
                kind: Kind::TaskRetry,
                id: 0,
            };
            self.clear_stored_alarm(run, parked.next_attempt_ns, alarm, extra);
        }
    }

    /// Tell who waits for an effect.
    pub(super) fn tell_effects(&mut self, run: &mut Run, turn: &Turn) {
        for effect in &turn.effects {
            match effect {
                Effect::UpdateAccepted { id } => self.tell_stage(run, id, Stage::Accepted),
                Effect::UpdateCompleted { id } => {
                    if let Some(outcome) = run.execution.update_outcome(id) {
                        self.tell_stage(run, id, Stage::Completed(outcome));
                        run.stages.remove(id);
                    }
                }
                Effect::ActivityCancelRequested { scheduled_event_id } => {
                    if let Some(attempt) = self.attempts.running(run.run_id, *scheduled_event_id) {
                        self.hold(run.ticket, Held::CancelAttempt(attempt));
                    }
                }
                Effect::ActivityGone { scheduled_event_id } => {
                    self.attempts
                        .withdraw(&self.core, run.run_id, *scheduled_event_id);
                    if let Some(attempt) = self.attempts.running(run.run_id, *scheduled_event_id) {
                        self.hold(run.ticket, Held::EndAttempt(attempt));
                    }
                }
                Effect::TimerSet { .. }
                | Effect::TimerGone { .. }
                | Effect::OutboxPut { .. }
                | Effect::OutboxGone { .. }
                | Effect::FirstTaskReleased
                | Effect::ActivityChanged { .. }
                | Effect::UpdateAdmitted { .. }
                | Effect::Closed => {}
            }
        }
    }
}

/// Tell the callers of an update that was rejected (U1).
fn reject(
    run: &mut Run,
    tellings: &mut Tellings,
    id: &str,
    failure: Box<longhaul_engine::proto::failure::v1::Failure>,
) {
    if let Some(stage) = run.stages.remove(id) {
        tellings.0.push(Held::Answer(Box::new(move |written| {
            stage.send_replace(match written {
                Ok(()) => Stage::Completed(Err(failure)),
                Err(error) => Stage::Gone(error),
            });
        })));
    }
}

impl Run {
    /// A fresh instance for a run that has seen nothing yet.
    pub(super) fn make_live(
        &mut self,
        no_history: &Arc<dyn longhaul_sandbox::LogSink>,
    ) -> Result<(), TaskError> {
        let Some(module) = self.version.compiled() else {
            return Ok(());
        };
        let guest = guest::new_guest(&module, self.execution.start(), no_history)?;
        self.code = Code::Live(Box::new(guest));
        Ok(())
    }
}
