//! A workflow's code at work: a sandbox instance and the engine's session of it.
//!
//! The same functions run a task live and in replay; the difference is only where updates come from and what becomes of the
//! intents.

mod convert;
mod info;
mod replay;
mod stored;

use std::sync::Arc;

use longhaul_engine::{
    Call, Command, Intent, Job, LocalCalls, Session, Violation,
    execution::{Limits, Task},
    local::LocalMarker,
    proto::{
        enums::v1::{SuggestContinueAsNewReason, WorkflowTaskFailedCause},
        failure::v1::Failure,
        history::v1::{HistoryEvent, WorkflowExecutionStartedEventAttributes, history_event::Attributes},
        update::v1 as wire,
    },
};
use longhaul_history::time;
use longhaul_sandbox::{
    Instance, Trap,
    wit::{context::ContinueAsNewReason, definition},
};

pub(crate) use convert::{
    failure_in, failure_out, fields_in, header_in, payload_out, payloads_in, payloads_out, retry_policy_in,
};
pub use replay::Report;
pub(crate) use replay::{Code, Difference, check, new_guest};
pub(crate) use stored::{Replayed, Stored};

/// Why a task did not end well. It fails the task, never the workflow.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum TaskError {
    /// The code panicked, ran out of fuel, or did what it may not do.
    #[error("{0}")]
    Trap(Box<Trap>),
    /// The code failed the task itself.
    #[error("{}", .0.message)]
    Failed(Box<Failure>),
    /// It broke the contract.
    #[error("{0}")]
    Violation(#[from] Violation),
    /// It does something else than history says.
    #[error("{0}")]
    Nondeterminism(Box<Difference>),
    /// No instance could be made.
    #[error("{0}")]
    Sandbox(Arc<longhaul_sandbox::Error>),
    /// No copy could be made for a validator.
    #[error("the state could not be copied for a read-only call: {0}")]
    Fork(String),
    /// The run could not be read or its module not compiled.
    #[error("{0}")]
    Unavailable(String),
    /// The history cannot be folded.
    #[error("the history is damaged: {0}")]
    History(#[from] longhaul_engine::IllegalTransition),
}

impl From<Trap> for TaskError {
    fn from(trap: Trap) -> Self {
        Self::Trap(Box::new(trap))
    }
}

impl TaskError {
    /// Temporal's cause for WorkflowTaskFailed.
    pub(crate) fn cause(&self) -> WorkflowTaskFailedCause {
        match self {
            Self::Nondeterminism(_) => WorkflowTaskFailedCause::NonDeterministicError,
            Self::Violation(violation) => violation.cause(),
            Self::Trap(_)
            | Self::Failed(_)
            | Self::Sandbox(_)
            | Self::Fork(_)
            | Self::Unavailable(_)
            | Self::History(_) => WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure,
        }
    }

    /// The failure that WorkflowTaskFailed carries.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Failed(failure) => Failure::clone(failure),
            other => Failure {
                message: other.to_string(),
                source: "longhaul".into(),
                stack_trace: other.backtrace(),
                ..longhaul_history::failure::application("", other.kind(), false)
            },
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Trap(trap) => match trap.kind {
                longhaul_sandbox::TrapKind::Panic { .. } => "Panic",
                longhaul_sandbox::TrapKind::OutOfFuel => "OutOfFuel",
                longhaul_sandbox::TrapKind::Timeout => "Timeout",
                longhaul_sandbox::TrapKind::Memory => "OutOfMemory",
                longhaul_sandbox::TrapKind::StackOverflow => "StackOverflow",
                longhaul_sandbox::TrapKind::Refused { .. } => "Refused",
                _ => "Trap",
            },
            Self::Failed(_) => "Failed",
            Self::Violation(_) => "ContractViolation",
            Self::Nondeterminism(_) => "Nondeterminism",
            Self::Sandbox(_) | Self::Fork(_) => "Sandbox",
            Self::Unavailable(_) => "Unavailable",
            Self::History(_) => "DamagedHistory",
        }
    }

    /// The guest's frames, one a line.
    pub(crate) fn backtrace(&self) -> String {
        let frames = match self {
            Self::Trap(trap) => &trap.backtrace,
            Self::Nondeterminism(difference) => &difference.backtrace,
            _ => return String::new(),
        };
        // What lies below the user's own code is the SDK's and the same for everybody.
        let end = frames
            .iter()
            .rposition(|frame| frame.user)
            .map_or(frames.len(), |last| last + 1);
        frames[..end]
            .iter()
            .map(|frame| format!("  at {frame}\n"))
            .collect()
    }
}

/// A live instance and what it calls things.
pub(crate) struct Guest {
    pub(crate) instance: Instance,
    pub(crate) session: Session,
    /// The round of the current task, from 0: each end of a local activity begins another, and so does each side effect.
    round: u64,
}

/// An update to deliver.
pub(crate) struct Delivery<'a> {
    pub(crate) id: &'a str,
    pub(crate) request: &'a wire::Request,
    /// The event that the handler is told of.
    pub(crate) event_id: i64,
}

impl Guest {
    /// Begin a task.
    pub(crate) fn begin(&mut self, task: &Task, replaying: bool) {
        self.round = 0;
        self.instance.begin_task(longhaul_sandbox::Task {
            now_ns: task.now_ns,
            history_length: u64::try_from(task.started_event_id).unwrap_or(0),
            history_size_bytes: task.history_bytes,
            continue_as_new_suggested: !task.suggest.is_empty(),
            continue_as_new_reasons: task
                .suggest
                .iter()
                .filter_map(|reason| reason_in(*reason))
                .collect(),
            replaying,
        });
    }

    /// Deliver start and signals.
    pub(crate) fn deliver_first(
        &mut self,
        jobs: Vec<Job>,
        info: impl FnOnce() -> longhaul_sandbox::wit::types::ExecutionInfo,
        start: &WorkflowExecutionStartedEventAttributes,
    ) -> Result<(), TaskError> {
        let mut info = Some(info);
        for job in jobs {
            match job {
                Job::Start => {
                    let Some(info) = info.take() else { continue };
                    let input = payloads_in(start.input.as_ref());
                    let started = self.instance.start(&info(), &input)?;
                    started.map_err(|failure| TaskError::Failed(Box::new(failure_out(failure))))?;
                }
                Job::Signal(event) => self.signal(&event)?,
                Job::Reseed { run_id } => self.instance.reseed(info::seed_of(&run_id)),
                Job::Cancel { .. } | Job::Resolve { .. } => {}
            }
        }
        Ok(())
    }

    fn signal(&mut self, event: &HistoryEvent) -> Result<(), TaskError> {
        let Some(Attributes::WorkflowExecutionSignaledEventAttributes(signal)) = &event.attributes else {
            return Ok(());
        };
        let sender = match &signal.external_workflow_execution {
            Some(execution) => definition::Sender::Workflow(longhaul_sandbox::wit::types::Execution {
                workflow_id: execution.workflow_id.clone(),
                run_id: execution.run_id.clone(),
            }),
            None => definition::Sender::Client(signal.identity.clone()),
        };
        let meta = definition::MessageMeta {
            event_id: event.event_id,
            time: event
                .event_time
                .as_ref()
                .and_then(time::ns_from_timestamp)
                .unwrap_or(0),
            sender,
            header: header_in(signal.header.as_ref()),
        };
        Ok(self
            .instance
            .signal(&meta, &signal.signal_name, &payloads_in(signal.input.as_ref()))?)
    }

    /// Deliver an accepted update; the commands so far are moved to `calls`, so that its acceptance gets its place.
    pub(crate) fn deliver_update(
        &mut self,
        delivery: &Delivery<'_>,
        now_ns: u64,
        calls: &mut Vec<Call>,
    ) -> Result<(), TaskError> {
        self.collect(calls)?;
        calls.push(Call {
            index: None,
            command: Command::AcceptUpdate {
                id: delivery.id.to_owned(),
            },
        });
        let meta = update_meta(delivery.request, delivery.event_id, now_ns);
        let input = delivery.request.input.as_ref();
        let name = input.map_or("", |input| input.name.as_str());
        let arguments = payloads_in(input.and_then(|input| input.args.as_ref()));
        Ok(self.instance.update(delivery.id, &meta, name, &arguments)?)
    }

    /// Deliver cancellation and outcomes, and run the guest until it waits. Answers what it asks of local activities.
    pub(crate) fn finish(
        &mut self,
        jobs: Vec<Job>,
        calls: &mut Vec<Call>,
        limits: &Limits,
    ) -> Result<LocalCalls, TaskError> {
        self.collect(calls)?;
        let cancelled = self.session.cancelled_by_guest(calls);
        for job in jobs {
            match job {
                Job::Cancel { reason } => self.instance.cancel(&reason)?,
                Job::Resolve { seq, outcome } if !cancelled.contains(&seq) => {
                    self.instance.resolve(seq, &convert::outcome_in(outcome))?;
                }
                Job::Resolve { .. } | Job::Start | Job::Signal(_) | Job::Reseed { .. } => {}
            }
        }
        self.instance.advance()?;
        self.collect(calls)?;
        Ok(self.session.local_calls(calls, 0, self.round, limits)?)
    }

    /// A local activity has ended while its task is open: tell the guest, and run it until it waits. None: the code does not wait for
    /// it any more.
    pub(crate) fn next_round(
        &mut self,
        mut marker: Box<LocalMarker>,
        calls: &mut Vec<Call>,
        limits: &Limits,
    ) -> Result<Option<LocalCalls>, TaskError> {
        let Some(outcome) = self.session.end_local(&mut marker) else {
            return Ok(None);
        };
        self.round += 1;
        marker.round = self.round;
        let seq = marker.seq;
        if let Some(now_ns) = marker.complete_time_ns {
            self.instance.continue_task(now_ns);
        }
        calls.push(Call {
            index: None,
            command: Command::RecordLocalActivity(marker),
        });
        let from = calls.len();
        self.instance.resolve(seq, &convert::outcome_in(outcome))?;
        self.instance.advance()?;
        self.collect(calls)?;
        Ok(Some(self.session.local_calls(calls, from, self.round, limits)?))
    }

    /// Check and sort what the guest did.
    pub(crate) fn conclude(
        &mut self,
        calls: Vec<Call>,
        limits: &Limits,
    ) -> Result<Vec<(Option<u32>, Intent)>, TaskError> {
        Ok(self.session.conclude(calls, limits)?)
    }

    fn collect(&mut self, calls: &mut Vec<Call>) -> Result<(), TaskError> {
        for issued in self.instance.take_commands() {
            match convert::command_out(issued, &mut self.round) {
                Ok(call) => calls.push(call),
                Err(failure) => return Err(TaskError::Failed(failure)),
            }
        }
        Ok(())
    }
}

/// What an update's handler or validator is told of it.
pub(crate) fn update_meta(request: &wire::Request, event_id: i64, now_ns: u64) -> definition::MessageMeta {
    definition::MessageMeta {
        event_id,
        time: now_ns,
        sender: definition::Sender::Client(
            request
                .meta
                .as_ref()
                .map(|meta| meta.identity.clone())
                .unwrap_or_default(),
        ),
        header: header_in(request.input.as_ref().and_then(|input| input.header.as_ref())),
    }
}

pub(crate) use info::{execution_info, seed};

fn reason_in(reason: SuggestContinueAsNewReason) -> Option<ContinueAsNewReason> {
    match reason {
        SuggestContinueAsNewReason::HistorySizeTooLarge => Some(ContinueAsNewReason::HistoryTooLarge),
        SuggestContinueAsNewReason::TooManyHistoryEvents => Some(ContinueAsNewReason::TooManyEvents),
        SuggestContinueAsNewReason::TooManyUpdates => Some(ContinueAsNewReason::TooManyUpdates),
        SuggestContinueAsNewReason::Unspecified => None,
        #[allow(unreachable_patterns)]
        _ => None,
    }
}
