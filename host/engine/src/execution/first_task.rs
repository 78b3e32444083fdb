//! The wait for a run's first workflow task: a start delay, a retry's backoff, the time until a cron schedule's next run.
//!
//! It is told by history alone: WorkflowExecutionStarted names it, and the first WorkflowTaskScheduled ends it. So a restart knows
//! it without a row.

use longhaul_history::proto::{
    enums::v1::ContinueAsNewInitiator,
    history::v1::{HistoryEvent, WorkflowExecutionStartedEventAttributes},
};

use super::Execution;
use crate::{Effect, Turn};

/// What a run's first workflow task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstTask {
    /// Nothing, or it is over.
    Free,
    /// A delay that the client has asked for. A signal ends it, unless it came with the start: then only another one that would
    /// have started the run does.
    Delay {
        /// Whether the run began with a signal.
        with_signal: bool,
    },
    /// A time that the server has found (retry, cron): nothing ends it early.
    Backoff,
}

impl FirstTask {
    pub(super) fn of(start: &WorkflowExecutionStartedEventAttributes, backoff_ns: u64) -> Self {
        if backoff_ns == 0 {
            Self::Free
        } else if start.cron_schedule.is_empty() && start.initiator() == ContinueAsNewInitiator::Unspecified {
            Self::Delay { with_signal: false }
        } else {
            Self::Backoff
        }
    }

    /// A signal has come.
    pub(super) fn signaled(self, event: &HistoryEvent, time_ns: u64, start_time_ns: u64) -> Self {
        match self {
            // Start and signal of one request are one transition, and so have one time.
            Self::Delay { .. } if event.event_id == 2 && time_ns == start_time_ns => {
                Self::Delay { with_signal: true }
            }
            Self::Delay { with_signal: false } => Self::Free,
            waits => waits,
        }
    }
}

impl Execution {
    /// Until when the first workflow task waits, in nanoseconds since 1970; none: it does not, or the wait is over.
    pub fn first_task_due_ns(&self) -> Option<u64> {
        (self.is_open() && self.first_task != FirstTask::Free)
            .then(|| self.start_time_ns.saturating_add(self.first_task_backoff_ns()))
    }

    /// The wait may be over. `false`: it is not, or has been before.
    pub fn release_first_task(&mut self, turn: &mut Turn) -> bool {
        if self.first_task_due_ns().is_none_or(|due_ns| due_ns > turn.now_ns) {
            return false;
        }
        self.free_first_task(turn);
        true
    }

    /// A request that would have started the run, and signals it instead, ends its start delay. `false`: there is none.
    pub fn end_start_delay(&mut self, turn: &mut Turn) -> bool {
        if !self.is_open() || !matches!(self.first_task, FirstTask::Delay { .. }) {
            return false;
        }
        self.free_first_task(turn);
        true
    }

    pub(super) fn free_first_task(&mut self, turn: &mut Turn) {
        self.first_task = FirstTask::Free;
        turn.effects.push(Effect::FirstTaskReleased);
    }

    pub(super) fn waits_for_first_task(&self) -> bool {
        self.first_task != FirstTask::Free
    }
}
