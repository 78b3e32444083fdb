//! Validators: may an update be accepted (U1)?
//!
//! A validator sees the state as the update's handler will find it, and may change nothing. It runs on a fork of the live instance.
//! The state of some components a fork cannot carry; their validators run on another thread, on instances that are replayed for
//! this and thrown away. The run waits for them: what comes after the update is taken when its verdict is there.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use longhaul_engine::{Turn, execution::Task, proto::failure::v1::Failure, update};
use longhaul_sandbox::Reader;
use longhaul_store::RunId;

use super::{
    Place, Shard,
    load::load_silently,
    message::Notice,
    run::{Code, Run},
};
use crate::{
    core::Core,
    guest::{self, Delivery, Guest, TaskError},
    names,
};

/// What a validator has to say.
pub(crate) enum Verdict {
    Accepted,
    Rejected(Box<Failure>),
}

/// The verdicts on a run's admitted updates, by id.
pub(crate) type Verdicts = HashMap<String, Verdict>;

/// Where validators that do not run on a fork are.
#[derive(Default)]
pub(crate) enum Validation {
    /// None is asked.
    #[default]
    Idle,
    /// They are asked as soon as all that the run has done is durable; the number tells one time from another.
    UnderWay(u64),
    /// They have been asked. The next workflow task takes the verdicts.
    Done(Verdicts),
    /// They could not be asked.
    Failed(TaskError),
}

impl Validation {
    pub(crate) fn is_under_way(&self) -> bool {
        matches!(self, Self::UnderWay(_))
    }

    /// Whether the task that takes the verdicts is still to come: until then nothing else comes to the run.
    pub(crate) fn holds_inbox(&self) -> bool {
        matches!(self, Self::UnderWay(_) | Self::Done(_))
    }

    /// The verdicts that are there.
    pub(crate) fn take_verdicts(&mut self) -> Verdicts {
        match std::mem::take(self) {
            Self::Done(verdicts) => verdicts,
            Self::Idle | Self::UnderWay(_) | Self::Failed(_) => Verdicts::new(),
        }
    }

    /// Why they could not be asked.
    pub(crate) fn take_failure(&mut self) -> Option<TaskError> {
        match std::mem::take(self) {
            Self::Failed(error) => Some(error),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl Shard {
    /// Whether the run's next task needs a verdict that no fork can give.
    pub(super) fn needs_replayed_validators(run: &Run) -> bool {
        let known =
            |id: &String| matches!(&run.validation, Validation::Done(verdicts) if verdicts.contains_key(id));
        !run.version.forks()
            && run
                .execution
                .admitted_updates()
                .iter()
                .any(|id| !known(id) && declared(run, id).is_none())
    }

    /// Ask the validators of the run's admitted updates on another thread.
    pub(super) fn begin_validation(&mut self, run: &mut Run) {
        self.validations += 1;
        run.validation = Validation::UnderWay(self.validations);
        run.wants_verdicts = true;
    }

    /// All that the run has done is durable: ask.
    pub(super) fn ask_validators(&self, run: &Run) {
        let Validation::UnderWay(number) = run.validation else {
            return;
        };
        let (core, mailbox, place, run_id) =
            (self.core.clone(), self.mailbox.clone(), run.place(), run.run_id);
        self.core.workers.run(Box::new(move || {
            let result =
                catch_unwind(AssertUnwindSafe(|| verdicts(&core, &place, run_id))).unwrap_or_else(|_| {
                    Err(TaskError::Unavailable(
                        "asking the validators has panicked".into(),
                    ))
                });
            mailbox.notice(Notice::Validated {
                run_id,
                number,
                result,
            });
        }));
    }

    /// The validators have been asked.
    pub(super) fn on_validated(&mut self, run_id: RunId, number: u64, result: Result<Verdicts, TaskError>) {
        let asked =
            |run: &&mut Box<Run>| matches!(run.validation, Validation::UnderWay(asked) if asked == number);
        let Some(run) = self.runs.get_mut(&run_id).filter(asked) else {
            return;
        };
        run.validation = match result {
            Ok(verdicts) => Validation::Done(verdicts),
            Err(error) => Validation::Failed(error),
        };
        self.mark_due(run_id);
    }
}

/// Ask an update's validator on a fork. None: the state cannot be forked.
pub(super) fn on_fork(run: &Run, guest: &Guest, task: &Task, id: &str) -> Result<Option<Verdict>, TaskError> {
    if let Some(verdict) = declared(run, id) {
        return Ok(Some(verdict));
    }
    match guest.instance.fork() {
        Ok(mut reader) => Ok(Some(ask(&mut reader, run, task, id))),
        Err(longhaul_sandbox::ForkError::NotEligible(_)) => Ok(None),
        Err(error) => Err(TaskError::Fork(error.to_string())),
    }
}

/// Ask the validators of a run's admitted updates on throw-away replays from the store. Blocks.
fn verdicts(core: &Core, place: &Place, run_id: RunId) -> Result<Verdicts, TaskError> {
    let read = || {
        load_silently(core, place, run_id)
            .map_err(|error| TaskError::Unavailable(error.to_string()))
            .and_then(|loaded| loaded.replay_error.map_or(Ok(loaded.run), Err))
    };
    let mut run = read()?;
    let ids = run.execution.admitted_updates().to_vec();
    let (mut verdicts, mut accepted) = (Verdicts::new(), Vec::new());
    for id in ids {
        let verdict = match declared(&run, &id) {
            Some(verdict) => verdict,
            None => {
                if !run.is_live() {
                    run = read()?;
                }
                let now_ns = core.clock.now_ns().max(run.execution.last_event_time_ns());
                let task = run
                    .execution
                    .plan_task(&Turn::new(now_ns, ""), &core.options.limits);
                let Code::Live(mut copy) = std::mem::replace(&mut run.code, Code::Absent) else {
                    return Err(TaskError::Unavailable("the code is not in memory".into()));
                };
                deliver_so_far(&mut copy, &run, &task, &accepted)?;
                let mut reader = copy
                    .instance
                    .into_reader()
                    .map_err(|error| TaskError::Fork(error.to_string()))?;
                ask(&mut reader, &run, &task, &id)
            }
        };
        if let Verdict::Accepted = verdict {
            accepted.push(id.clone());
        }
        verdicts.insert(id, verdict);
    }
    Ok(verdicts)
}

/// Bring a copy to where the task is when it comes to the next update.
fn deliver_so_far(copy: &mut Guest, run: &Run, task: &Task, accepted: &[String]) -> Result<(), TaskError> {
    copy.begin(task, false);
    let jobs = copy.session.observe(run.execution.unseen());
    let start = run.execution.start();
    let info = || guest::execution_info(run.execution.identity(), start, run.execution.start_time_ns());
    copy.deliver_first(jobs.before_updates, info, start)?;
    let mut calls = Vec::new();
    for id in accepted {
        if let Some(update::State::Admitted { request, .. }) = run.execution.update(id).map(|u| &u.state) {
            let delivery = Delivery {
                id,
                request,
                event_id: task.scheduled_event_id,
            };
            copy.deliver_update(&delivery, task.now_ns, &mut calls)?;
        }
    }
    Ok(())
}

/// What can be said of an update without asking its validator. None: it has to be asked.
fn declared(run: &Run, id: &str) -> Option<Verdict> {
    let Some(update::State::Admitted { request, .. }) = run.execution.update(id).map(|update| &update.state)
    else {
        return Some(Verdict::Accepted);
    };
    let name = request.input.as_ref().map_or("", |input| input.name.as_str());
    let workflow_type = run
        .version
        .workflow_types
        .get(run.execution.workflow_type())
        .filter(|workflow_type| !workflow_type.dynamic_handlers)?;
    match workflow_type.updates.iter().find(|handler| handler.name == name) {
        None => Some(unknown_update(name, workflow_type)),
        Some(handler) if !handler.has_validator => Some(Verdict::Accepted),
        Some(_) => None,
    }
}

fn ask(reader: &mut Reader<'_>, run: &Run, task: &Task, id: &str) -> Verdict {
    let Some(update::State::Admitted { request, .. }) = run.execution.update(id).map(|update| &update.state)
    else {
        return Verdict::Accepted;
    };
    let name = request.input.as_ref().map_or("", |input| input.name.as_str());
    let arguments = guest::payloads_in(request.input.as_ref().and_then(|input| input.args.as_ref()));
    let meta = guest::update_meta(request, 0, task.now_ns);
    match reader.validate_update(id, &meta, name, &arguments) {
        Ok(Ok(())) => Verdict::Accepted,
        Ok(Err(failure)) => Verdict::Rejected(Box::new(guest::failure_out(failure))),
        // A validator that traps is an error for its caller alone: nothing of the workflow has changed.
        Err(trap) => Verdict::Rejected(Box::new(longhaul_history::failure::application(
            format!("the validator of update {name:?} failed: {trap}"),
            "ValidatorTrap",
            true,
        ))),
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
