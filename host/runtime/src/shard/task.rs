//! One workflow task of a run: the guest runs, and what it did becomes events.

use std::sync::Arc;

use longhaul_engine::{
    Effect, Turn,
    execution::{Task, TaskFailure},
    update,
};
use longhaul_history::limits::Growth;
use longhaul_sandbox::Reader;
use longhaul_store::{Change, Parked};

use super::{
    Alarm, Kind, Shard,
    run::{Code, Run},
    turn::Tellings,
};
use crate::{
    guest::{self, Delivery, Guest, TaskError},
    names,
    updates::Stage,
};

/// What a validator has to say.
enum Verdict {
    Accepted,
    Rejected(Box<longhaul_engine::proto::failure::v1::Failure>),
}

impl Shard {
    /// Run one task. Nothing is written if all it would do is to reject updates.
    pub(super) fn run_task(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        tellings: &mut Tellings,
    ) -> Result<(), TaskError> {
        let Code::Live(mut guest) = std::mem::replace(&mut run.code, Code::Absent) else {
            return Ok(());
        };
        let outcome = self.run_guest(run, turn, &mut guest, tellings);
        // After an error the instance is of no use: it stays dropped, and a replay makes another.
        if outcome.is_ok() {
            run.code = Code::Live(guest);
        }
        outcome
    }

    fn run_guest(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        guest: &mut Guest,
        tellings: &mut Tellings,
    ) -> Result<(), TaskError> {
        let limits = &self.core.options.limits;
        let task = run.execution.plan_task(turn, limits);
        guest.begin(&task, false);
        let jobs = guest.session.observe(run.execution.unseen());
        let events = run.execution.needs_task_for_events();
        let start = run.execution.start();
        let info = || guest::execution_info(run.execution.identity(), start, run.execution.start_time_ns());
        guest.deliver_first(jobs.before_updates, info, start)?;

        let mut calls = Vec::new();
        let mut accepted = Vec::new();
        for id in run.execution.admitted_updates().to_vec() {
            match self.validate(run, turn, guest, &task, &accepted, &id)? {
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
                    accepted.push(id);
                }
            }
        }
        if accepted.is_empty() && !events {
            return Ok(());
        }
        guest.finish(jobs.after_updates, &mut calls)?;
        let intents = guest.conclude(calls, limits)?;
        let intents = intents.into_iter().map(|(_, intent)| intent).collect();
        let worker = run.worker(&self.core.options.identity);
        let first_new = turn.events.len();
        for (seq, event_id) in run.execution.complete_task(turn, &task, &worker, intents) {
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
                "the history is very long: the workflow should continue as new"
            );
        }
        metrics::counter!("longhaul_workflow_tasks_total", "outcome" => "completed").increment(1);
        Ok(())
    }

    /// Ask the update's validator, on a copy of the state as it is now.
    fn validate(
        &self,
        run: &Run,
        turn: &Turn,
        guest: &Guest,
        task: &Task,
        accepted: &[String],
        id: &str,
    ) -> Result<Verdict, TaskError> {
        let Some(update::State::Admitted { request, .. }) =
            run.execution.update(id).map(|update| &update.state)
        else {
            return Ok(Verdict::Accepted);
        };
        let name = request.input.as_ref().map_or("", |input| input.name.as_str());
        if let Some(workflow_type) = run.version.workflow_types.get(run.execution.workflow_type())
            && !workflow_type.dynamic_handlers
        {
            match workflow_type.updates.iter().find(|handler| handler.name == name) {
                None => return Ok(unknown_update(name, workflow_type)),
                Some(handler) if !handler.has_validator => return Ok(Verdict::Accepted),
                Some(_) => {}
            }
        }
        let arguments = guest::payloads_in(request.input.as_ref().and_then(|input| input.args.as_ref()));
        let meta = guest::update_meta(request, 0, task.now_ns);
        let ask = |reader: &mut Reader<'_>| match reader.validate_update(id, &meta, name, &arguments) {
            Ok(Ok(())) => Verdict::Accepted,
            Ok(Err(failure)) => Verdict::Rejected(Box::new(guest::failure_out(failure))),
            // A validator that traps is an error for its caller alone: nothing of the workflow has changed.
            Err(trap) => Verdict::Rejected(Box::new(longhaul_history::failure::application(
                format!("the validator of update {name:?} failed: {trap}"),
                "ValidatorTrap",
                true,
            ))),
        };
        match guest.instance.fork() {
            Ok(mut reader) => Ok(ask(&mut reader)),
            Err(longhaul_sandbox::ForkError::NotEligible(_)) => {
                let mut reader = self.throw_away(run, turn, task, accepted)?;
                Ok(ask(&mut reader))
            }
            Err(error) => Err(TaskError::Fork(error.to_string())),
        }
    }

    /// For components that cannot be forked: replay to the last completed task, then deliver what this task has delivered so far.
    fn throw_away(
        &self,
        run: &Run,
        turn: &Turn,
        task: &Task,
        accepted: &[String],
    ) -> Result<Reader<'static>, TaskError> {
        let (Some(history), Some(module)) = (&run.history, run.version.compiled()) else {
            return Err(TaskError::Fork(
                "the history for a throw-away replay is not in memory".into(),
            ));
        };
        let limits = &self.core.options.limits;
        // What this turn has done already is not in the run's own list yet.
        let history: Vec<_> = history.iter().chain(&turn.events).cloned().collect();
        let (mut copy, _) = guest::replay(&module, &run.execution, &history, &self.core.no_logs(), limits)?;
        copy.begin(task, true);
        let jobs = copy.session.observe(run.execution.unseen());
        let start = run.execution.start();
        let info = || guest::execution_info(run.execution.identity(), start, run.execution.start_time_ns());
        copy.deliver_first(jobs.before_updates, info, start)?;
        let mut calls = Vec::new();
        for id in accepted {
            if let Some(update::State::Admitted { request, .. }) = run.execution.update(id).map(|u| &u.state)
            {
                let delivery = Delivery {
                    id,
                    request,
                    event_id: task.scheduled_event_id,
                };
                copy.deliver_update(&delivery, task.now_ns, &mut calls)?;
            }
        }
        copy.instance
            .into_reader()
            .map_err(|error| TaskError::Fork(error.to_string()))
    }

    /// A task has failed: the run is parked, and tried again later (E11).
    pub(super) fn park(&mut self, run: &mut Run, turn: &mut Turn, extra: &mut Vec<Change>, error: TaskError) {
        run.code = Code::Absent;
        run.retrying = false;
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
                    self.attempts.cancel(run.run_id, *scheduled_event_id);
                }
                Effect::ActivityGone { scheduled_event_id } => {
                    self.attempts.gone(run.run_id, *scheduled_event_id)
                }
                Effect::TimerSet { .. }
                | Effect::TimerGone { .. }
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
        tellings
            .0
            .push(super::commit::Held::Answer(Box::new(move |written| {
                stage.send_replace(match written {
                    Ok(()) => Stage::Completed(Err(failure)),
                    Err(error) => Stage::Gone(error),
                });
            })));
    }
}

/// In the words of Temporal's Python SDK (U3).
fn unknown_update(name: &str, workflow_type: &crate::modules::WorkflowType) -> Verdict {
    let mut known: Vec<&str> = workflow_type
        .updates
        .iter()
        .map(|handler| handler.name.as_str())
        .collect();
    known.sort_unstable();
    let nearest = names::known(name, known.iter().copied());
    Verdict::Rejected(Box::new(longhaul_history::failure::application(
        format!(
            "Update handler for {name:?} expected but not found, and there is no dynamic handler. known updates: [{}]; nearest: \
             {nearest}",
            known.join(" ")
        ),
        "RuntimeError",
        true,
    )))
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
        let guest = guest::new_guest(&module, &self.execution, no_history)?;
        self.code = Code::Live(Box::new(guest));
        Ok(())
    }
}
