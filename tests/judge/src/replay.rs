//! Driving Core's replay worker.

use std::collections::VecDeque;

use temporalio_common::worker::WorkerTaskTypes;
use temporalio_protos::{
    coresdk::{
        workflow_activation::{
            RemoveFromCache, WorkflowActivation, remove_from_cache::EvictionReason, workflow_activation_job,
        },
        workflow_commands::{CompleteWorkflowExecution, workflow_command::Variant as Command},
        workflow_completion::WorkflowActivationCompletion,
    },
    temporal::api::{
        enums::v1::EventType,
        history::v1::{History, HistoryEvent, history_event::Attributes},
    },
};
use temporalio_sdk_core::{
    PollError, Worker, WorkerConfig, WorkerVersioningStrategy, init_replay_worker,
    replay::{HistoryFeeder, HistoryForReplay, HistoryInfo, ReplayWorkerInput},
};

use crate::{
    closing::{Closed, closed},
    script::Script,
    verdict::{Error, Options, Verdict, core_words, named_event},
};

/// Judges `history` by replaying it with the commands that it records itself.
///
/// Blocks until the verdict; must not be called from within an async runtime.
///
/// # Errors
/// [`Error`] where there is no verdict, above all where Core did not look at every command.
pub fn judge(history: &History, options: &Options) -> Result<Verdict, Error> {
    let code = Script::read(history)?;
    judge_against(history, &code, options)
}

/// Judges `history` by replaying it with the commands of `code`, task by task in order.
///
/// Blocks until the verdict; must not be called from within an async runtime.
///
/// # Errors
/// [`Error`] where there is no verdict, above all where Core did not look at every command.
pub fn judge_against(history: &History, code: &Script, options: &Options) -> Result<Verdict, Error> {
    if let Some(reason) = malformed(history) {
        return Ok(Verdict::Refused {
            reason,
            event: None,
            last_started: 0,
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Worker(format!("no runtime: {error}")))?;
    runtime.block_on(Replay::new(closed(history), code, options).run())
}

/// What Core's replay worker unwraps, so that its users see a panic; in its words where it has any.
fn malformed(history: &History) -> Option<String> {
    if let Err(error) = HistoryInfo::new_from_history(history, None) {
        return Some(error.to_string());
    }
    match history.events.first().and_then(|event| event.attributes.as_ref()) {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
            if started.task_queue.is_none() {
                return Some("WorkflowExecutionStarted has no task_queue".to_owned());
            }
            if started.original_execution_run_id.is_empty() {
                return Some("WorkflowExecutionStarted has no original_execution_run_id".to_owned());
            }
            None
        }
        _ => Some("the first event is not WorkflowExecutionStarted".to_owned()),
    }
}

/// One replay.
struct Replay<'a> {
    /// What is fed to Core.
    history: History,
    /// The WorkflowTaskStarted of the task that the judge added to end the history.
    closing: Option<i64>,
    code: &'a Script,
    options: &'a Options,
    /// WorkflowTaskStarted ids of the history's own completed tasks, in order.
    completed: Vec<i64>,
    /// Rounds of commands that are due, from tasks that have been activated.
    due: VecDeque<Vec<Command>>,
    /// How many tasks have been activated.
    reached: usize,
    last_started: i64,
    activations: usize,
    commands: usize,
}

impl<'a> Replay<'a> {
    fn new(closed: Closed, code: &'a Script, options: &'a Options) -> Self {
        let Closed {
            history,
            started: closing,
        } = closed;
        let completed = history.events.iter().filter_map(|event| match &event.attributes {
            Some(Attributes::WorkflowTaskCompletedEventAttributes(a)) => Some(a.started_event_id),
            _ => None,
        });
        let completed = completed.filter(|&started| Some(started) != closing).collect();
        Self {
            history,
            closing,
            code,
            options,
            completed,
            due: VecDeque::new(),
            reached: 0,
            last_started: 0,
            activations: 0,
            commands: 0,
        }
    }

    async fn run(mut self) -> Result<Verdict, Error> {
        let worker = self.worker().await?;
        let mut verdict = None;
        loop {
            let activation = match self.within(worker.poll_workflow_activation()).await? {
                Ok(activation) => activation,
                Err(PollError::ShutDown) => break,
                Err(error) => return Err(Error::Worker(error.to_string())),
            };
            let run_id = activation.run_id.clone();
            let answer = if let Some(eviction) = eviction(&activation) {
                // Shutting down evicts once more; the first verdict stands.
                verdict.get_or_insert(self.verdict(eviction)?);
                worker.initiate_shutdown();
                Vec::new()
            } else if verdict.is_some() {
                Vec::new()
            } else {
                self.answer(&activation)?
            };
            let completion = WorkflowActivationCompletion::from_cmds(run_id, answer);
            // A command that Core cannot take is told by the eviction that follows.
            if let Err(error) = self
                .within(worker.complete_workflow_activation(completion))
                .await?
            {
                return Err(Error::Worker(error.to_string()));
            }
        }
        self.within(worker.finalize_shutdown()).await?;
        verdict.ok_or_else(|| Error::Worker("it shut down without a verdict".to_owned()))
    }

    async fn worker(&self) -> Result<Worker, Error> {
        let config = WorkerConfig::builder()
            .namespace("default")
            .task_queue("judge")
            .task_types(WorkerTaskTypes::workflow_only())
            .versioning_strategy(WorkerVersioningStrategy::None {
                build_id: "judge".to_owned(),
            })
            .build()
            .map_err(Error::Worker)?;
        let (feeder, histories) = HistoryFeeder::new(1);
        let workflow_id = workflow_id(&self.history);
        let fed = feeder
            .feed(HistoryForReplay::new(self.history.clone(), workflow_id))
            .await;
        fed.map_err(|error| Error::Worker(error.to_string()))?;
        init_replay_worker(ReplayWorkerInput::new(config, histories))
            .map_err(|error| Error::Worker(error.to_string()))
    }

    async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        let Options { patience } = *self.options;
        let last_started = self.last_started;
        tokio::time::timeout(patience, work)
            .await
            .map_err(|_| Error::Stalled {
                patience,
                last_started,
            })
    }

    /// The commands that the code issues in answer to `activation`.
    ///
    /// Core's `history_length` is the id of the task's WorkflowTaskStarted. It merges tasks without commands with
    /// the next, and sends more activations than one for a task, for example when a cancelled activity is resolved.
    fn answer(&mut self, activation: &WorkflowActivation) -> Result<Vec<Command>, Error> {
        self.last_started = i64::from(activation.history_length);
        self.check_merge()?;
        while self
            .completed
            .get(self.reached)
            .is_some_and(|&started| started <= self.last_started)
        {
            self.due.extend(
                self.code
                    .rounds(self.reached)
                    .iter()
                    .filter(|round| !round.is_empty())
                    .cloned(),
            );
            self.reached += 1;
        }
        let mut commands = self.due.pop_front().unwrap_or_default();
        self.commands += commands.len();
        if self.closing == Some(self.last_started) {
            commands.push(Command::CompleteWorkflowExecution(
                CompleteWorkflowExecution::default(),
            ));
        } else {
            self.activations += 1;
        }
        Ok(commands)
    }

    /// Checks that the activation that has just come does not merge two tasks that both had work of their own.
    ///
    /// Only a task directly behind one without commands is ever merged. One that had nothing to do is not handed out
    /// at all, and no fault: Core writes such heartbeats while a local activity runs.
    fn check_merge(&self) -> Result<(), Error> {
        let last_started = self.last_started;
        let Some(&first_started) = self.completed.get(self.reached) else {
            return Ok(());
        };
        if first_started >= last_started || !self.completed.contains(&last_started) {
            return Ok(());
        }
        // Behind the first task's Started stands its Completed.
        let next = self.behind(first_started).nth(1).map(HistoryEvent::event_type);
        let before = self
            .reached
            .checked_sub(1)
            .and_then(|task| self.completed.get(task));
        if next == Some(EventType::WorkflowTaskScheduled)
            && self.has_work(before.copied().unwrap_or(0), first_started)
            && self.has_work(first_started, last_started)
        {
            return Err(Error::Merged {
                first_started,
                last_started,
            });
        }
        Ok(())
    }

    /// Whether the task that started at event `started` had something to do that came after event `from`.
    fn has_work(&self, from: i64, started: i64) -> bool {
        let mut news = self.behind(from).take_while(|event| event.event_id < started);
        // The request of an accepted update is no event of its own: it is handed out with the task that accepts it.
        let mut commands = self
            .behind(started)
            .skip(1)
            .take_while(|event| event.is_command_event());
        news.any(|event| !event.is_command_event() && !is_of_task(event.event_type()))
            || commands.any(|event| event.event_type() == EventType::WorkflowExecutionUpdateAccepted)
    }

    /// The events behind the one of this id.
    fn behind(&self, id: i64) -> impl Iterator<Item = &HistoryEvent> {
        self.history
            .events
            .iter()
            .skip_while(move |event| event.event_id <= id)
    }

    fn verdict(&self, eviction: &RemoveFromCache) -> Result<Verdict, Error> {
        if eviction.reason() != EvictionReason::LangRequested {
            let reason = core_words(&eviction.message);
            let event = named_event(&reason);
            return Ok(Verdict::Refused {
                reason,
                event,
                last_started: self.last_started,
            });
        }
        let total = self.code.commands();
        if self.commands != total {
            return Err(Error::Unasked {
                asked: self.commands,
                total,
            });
        }
        Ok(Verdict::Accepted {
            activations: self.activations,
            commands: self.commands,
        })
    }
}

/// Whether an event tells of the course of workflow tasks, and so is nothing that code would be activated for.
fn is_of_task(kind: EventType) -> bool {
    matches!(
        kind,
        EventType::WorkflowTaskScheduled
            | EventType::WorkflowTaskStarted
            | EventType::WorkflowTaskCompleted
            | EventType::WorkflowTaskFailed
            | EventType::WorkflowTaskTimedOut
    )
}

fn eviction(activation: &WorkflowActivation) -> Option<&RemoveFromCache> {
    activation.jobs.iter().find_map(|job| match &job.variant {
        Some(workflow_activation_job::Variant::RemoveFromCache(eviction)) => Some(eviction),
        _ => None,
    })
}

/// The id to replay under; Core does not compare it.
fn workflow_id(history: &History) -> String {
    let started = history
        .events
        .iter()
        .find(|e| e.event_type() == EventType::WorkflowExecutionStarted);
    match started.and_then(|event| event.attributes.as_ref()) {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(a)) if !a.workflow_id.is_empty() => {
            a.workflow_id.clone()
        }
        _ => "judged".to_owned(),
    }
}
