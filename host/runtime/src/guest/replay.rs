//! Replay: a new instance, fed with what history says the old one saw.

use std::{fmt, sync::Arc};

use longhaul_engine::{
    Execution, Identity, Intent, Nondeterminism, Session, compare,
    execution::{Limits, Task},
    proto::history::v1::{HistoryEvent, WorkflowExecutionStartedEventAttributes},
    replay::{TaskSlice, tasks},
};
use longhaul_sandbox::{Frame, LogSink, Module, Setup};

use super::{Delivery, Guest, TaskError, convert, execution_info, fields_in, seed};

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
fn replay(
    code: Code<'_>,
    origin: Origin<'_>,
    events: &[Arc<HistoryEvent>],
) -> Result<(Guest, Report), TaskError> {
    let play = |stop_at| {
        let mut player = Player::new(code, origin, stop_at).map_err(Stop::Failed)?;
        for slice in tasks(events) {
            player.play(&slice)?;
        }
        Ok(player.end(events.len()))
    };
    match play(None) {
        Ok(played) => Ok(played),
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::Differs { task, nondeterminism }) => {
            Err(differs(nondeterminism, |call| play(Some((task, call))).err()))
        }
    }
}

/// The code that is replayed.
#[derive(Clone, Copy)]
pub(crate) struct Code<'a> {
    pub(crate) module: &'a Module,
    pub(crate) logs: &'a Arc<dyn LogSink>,
}

/// How an execution began: what a new instance of its code is told.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) start: &'a WorkflowExecutionStartedEventAttributes,
    pub(crate) start_time_ns: u64,
}

impl<'a> Origin<'a> {
    pub(crate) fn of(execution: &'a Execution) -> Self {
        Self {
            identity: execution.identity(),
            start: execution.start(),
            start_time_ns: execution.start_time_ns(),
        }
    }
}

/// Why a replay ends early.
pub(super) enum Stop {
    /// The code does something else than history says.
    Differs {
        /// The task, counted from 0.
        task: usize,
        nondeterminism: Nondeterminism,
    },
    /// The code fails.
    Failed(TaskError),
}

impl<E: Into<TaskError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The error for a difference. `again` replays once more and traps at that call: the trap has the guest's own backtrace.
pub(super) fn differs(nondeterminism: Nondeterminism, again: impl FnOnce(u32) -> Option<Stop>) -> TaskError {
    let backtrace = match nondeterminism.call.and_then(again) {
        Some(Stop::Failed(TaskError::Trap(trap))) => trap.backtrace,
        _ => Vec::new(),
    };
    TaskError::Nondeterminism(Box::new(Difference {
        nondeterminism,
        backtrace,
    }))
}

/// A new instance that is shown one recorded task after the other.
pub(super) struct Player<'a> {
    origin: Origin<'a>,
    /// The task and the call at which the guest is to trap.
    stop_at: Option<(usize, u32)>,
    guest: Guest,
    report: Report,
}

impl<'a> Player<'a> {
    pub(super) fn new(
        code: Code<'_>,
        origin: Origin<'a>,
        stop_at: Option<(usize, u32)>,
    ) -> Result<Self, TaskError> {
        Ok(Self {
            origin,
            stop_at,
            guest: new_guest(code.module, origin.start, code.logs)?,
            report: Report {
                events: 0,
                tasks: 0,
                commands: 0,
                memory_hash: [0; 32],
            },
        })
    }

    /// The guest as it is now, and what it has done; `events`: how many events there were.
    pub(super) fn end(self, events: usize) -> (Guest, Report) {
        let report = Report {
            events,
            ..self.report
        };
        (self.guest, report)
    }

    /// Show the guest the next task, and compare what it does.
    pub(super) fn play(&mut self, slice: &TaskSlice<'_>) -> Result<(), Stop> {
        let number = self.report.tasks;
        if let Some((task, call)) = self.stop_at
            && task == number
        {
            self.guest.instance.trap_at_command(Some(call));
        }
        let intents = self.run(slice)?;
        let bindings = compare::task(&intents, slice).map_err(|nondeterminism| Stop::Differs {
            task: number,
            nondeterminism,
        })?;
        for (seq, event) in bindings {
            self.guest.session.bind(seq, event);
        }
        self.report.tasks += 1;
        self.report.commands += intents.len();
        Ok(())
    }

    fn run(&mut self, slice: &TaskSlice<'_>) -> Result<Vec<(Option<u32>, Intent)>, TaskError> {
        let (guest, origin) = (&mut self.guest, self.origin);
        let task = Task {
            scheduled_event_id: slice.started.event_id - 1,
            started_event_id: slice.started.event_id,
            now_ns: slice.now_ns(),
            history_bytes: slice.history_bytes(),
            suggest: slice.suggest(),
        };
        guest.begin(&task, true);
        guest.instance.set_patches(slice.patches());
        let values = slice.side_effects();
        let values = values.map(|(seq, value)| (seq, convert::payload_in(&value)));
        guest.instance.set_side_effects(values);
        let jobs = guest.session.observe(slice.seen);
        let info = || execution_info(origin.identity, origin.start, origin.start_time_ns);
        guest.deliver_first(jobs.before_updates, info, origin.start)?;
        let mut calls = Vec::new();
        for update in slice.updates() {
            let delivery = Delivery {
                id: &update.id,
                request: &update.request,
                event_id: update.sequencing_event_id,
            };
            guest.deliver_update(&delivery, task.now_ns, &mut calls)?;
        }
        // What it asks of local activities is in history, or it is for whoever goes on from its end.
        let limits = Limits::none();
        guest.finish(jobs.after_updates, &mut calls, &limits)?;
        for marker in slice.local_ends() {
            if calls.iter().any(|call| call.command.is_terminal()) {
                break;
            }
            guest.next_round(Box::new(marker), &mut calls, &limits)?;
        }
        guest.conclude(calls, &limits)
    }
}

/// A new instance for a run.
pub(crate) fn new_guest(
    module: &Module,
    start: &WorkflowExecutionStartedEventAttributes,
    logs: &Arc<dyn LogSink>,
) -> Result<Guest, TaskError> {
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
        round: 0,
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
    let code = Code { module, logs };
    let (guest, mut report) = replay(code, Origin::of(&execution), events)?;
    report.memory_hash = guest.instance.memory_hash();
    Ok(report)
}
