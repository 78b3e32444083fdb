//! Replay: a new instance, fed with what history says the old one saw.

use std::{fmt, sync::Arc};

use longhaul_engine::{
    Execution, Identity, Nondeterminism, Session, compare,
    execution::{Limits, Task},
    proto::history::v1::HistoryEvent,
    replay::{TaskSlice, tasks},
};
use longhaul_sandbox::{Frame, LogSink, Module, Setup};

use super::{Delivery, Guest, TaskError, execution_info, fields_in, seed};

/// Where code and history differ, and where in the code that is.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    /// The difference.
    pub(crate) nondeterminism: Nondeterminism,
    /// The guest's frames at the command that differs, innermost first; empty if the code did too little.
    pub(crate) backtrace: Vec<Frame>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.nondeterminism.fmt(f)?;
        if let Some(frame) = self
            .backtrace
            .iter()
            .find(|frame| frame.user && frame.file.is_some())
        {
            write!(f, ", in {frame}")?;
        }
        Ok(())
    }
}

/// What a replay that found no difference has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Events of the history.
    pub events: usize,
    /// Workflow tasks that were replayed.
    pub tasks: usize,
    /// Commands that were compared.
    pub commands: usize,
    /// SHA-256 over the guest's memory after the last task.
    pub memory_hash: [u8; 32],
}

/// Replay a whole history: the instance as it was after the last completed task.
///
/// # Errors
///
/// The code traps, breaks the contract, or differs from history. A difference is looked up once more with a stop at the command, so
/// that the error carries the place in the code.
pub(crate) fn replay(
    module: &Module,
    execution: &Execution,
    events: &[Arc<HistoryEvent>],
    logs: &Arc<dyn LogSink>,
    limits: &Limits,
) -> Result<(Guest, Report), TaskError> {
    replay_until(module, execution, events, logs, limits, usize::MAX)
}

/// As [`replay`], but only the first `count` tasks.
pub(crate) fn replay_until(
    module: &Module,
    execution: &Execution,
    events: &[Arc<HistoryEvent>],
    logs: &Arc<dyn LogSink>,
    limits: &Limits,
    count: usize,
) -> Result<(Guest, Report), TaskError> {
    let run = Run {
        module,
        execution,
        events,
        logs,
        limits,
        count,
    };
    match run.play(None) {
        Err(Stop::Differs { task, nondeterminism }) => {
            let backtrace = match nondeterminism.call {
                Some(call) => run.backtrace_of(task, call),
                None => Vec::new(),
            };
            Err(TaskError::Nondeterminism(Box::new(Difference {
                nondeterminism,
                backtrace,
            })))
        }
        Err(Stop::Failed(error)) => Err(error),
        Ok(played) => Ok(played),
    }
}

struct Run<'a> {
    module: &'a Module,
    execution: &'a Execution,
    events: &'a [Arc<HistoryEvent>],
    logs: &'a Arc<dyn LogSink>,
    limits: &'a Limits,
    count: usize,
}

enum Stop {
    Differs {
        task: usize,
        nondeterminism: Nondeterminism,
    },
    Failed(TaskError),
}

impl<E: Into<TaskError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Run<'_> {
    /// `stop_at`: the task and the call at which the guest is to trap.
    fn play(&self, stop_at: Option<(usize, u32)>) -> Result<(Guest, Report), Stop> {
        let mut guest = new_guest(self.module, self.execution, self.logs)?;
        let mut report = Report {
            events: self.events.len(),
            tasks: 0,
            commands: 0,
            memory_hash: [0; 32],
        };
        for (number, slice) in tasks(self.events).take(self.count).enumerate() {
            if let Some((task, call)) = stop_at
                && task == number
            {
                guest.instance.trap_at_command(Some(call));
            }
            let intents = self.play_task(&mut guest, &slice)?;
            let bindings = compare::task(&intents, &slice).map_err(|nondeterminism| Stop::Differs {
                task: number,
                nondeterminism,
            })?;
            for (seq, event) in bindings {
                guest.session.bind(seq, event);
            }
            report.tasks += 1;
            report.commands += intents.len();
        }
        Ok((guest, report))
    }

    fn play_task(
        &self,
        guest: &mut Guest,
        slice: &TaskSlice<'_>,
    ) -> Result<Vec<(Option<u32>, longhaul_engine::Intent)>, TaskError> {
        let task = Task {
            scheduled_event_id: slice.started.event_id - 1,
            started_event_id: slice.started.event_id,
            now_ns: slice.now_ns(),
            history_bytes: slice.history_bytes(),
            suggest: slice.suggest(),
        };
        guest.begin(&task, true);
        let jobs = guest.session.observe(slice.seen);
        let start = self.execution.start();
        let info = || execution_info(self.execution.identity(), start, self.execution.start_time_ns());
        guest.deliver_first(jobs.before_updates, info, start)?;
        let mut calls = Vec::new();
        for update in slice.updates() {
            let delivery = Delivery {
                id: &update.id,
                request: &update.request,
                event_id: update.sequencing_event_id,
            };
            guest.deliver_update(&delivery, task.now_ns, &mut calls)?;
        }
        guest.finish(jobs.after_updates, &mut calls)?;
        guest.conclude(calls, self.limits)
    }

    /// Replay once more and trap at the command: the guest's own backtrace.
    fn backtrace_of(&self, task: usize, call: u32) -> Vec<Frame> {
        match self.play(Some((task, call))) {
            Err(Stop::Failed(TaskError::Trap(trap))) => trap.backtrace,
            _ => Vec::new(),
        }
    }
}

/// A new instance for a run.
pub(crate) fn new_guest(
    module: &Module,
    execution: &Execution,
    logs: &Arc<dyn LogSink>,
) -> Result<Guest, TaskError> {
    let start = execution.start();
    let setup = Setup {
        seed: seed(start),
        logs: logs.clone(),
    };
    let mut instance = module
        .instantiate(setup)
        .map_err(|error| TaskError::Sandbox(Arc::new(error)))?;
    if let Some(memo) = &start.memo {
        instance.set_memo(fields_in(&memo.fields).into_iter().collect());
    }
    if let Some(attributes) = &start.search_attributes {
        instance.set_search_attributes(fields_in(&attributes.indexed_fields).into_iter().collect());
    }
    Ok(Guest {
        instance,
        session: Session::new(),
    })
}

/// Replay a history against a component, outside of any server.
///
/// # Errors
///
/// As [`replay`]; and a history that cannot be folded.
pub(crate) fn check(
    module: &Module,
    identity: Identity,
    events: &[Arc<HistoryEvent>],
    logs: &Arc<dyn LogSink>,
) -> Result<Report, TaskError> {
    let execution = Execution::from_history(identity, events)?;
    let (guest, mut report) = replay(module, &execution, events, logs, &Limits::default())?;
    report.memory_hash = guest.instance.memory_hash();
    Ok(report)
}
