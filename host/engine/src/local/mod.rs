//! Local activities (A5): they run inside a workflow task, and history knows only how they ended.
//!
//! Whoever runs them keeps a [`LocalActivity`] for each: which attempt it is at, and when it must be looked at again. Nothing of it is
//! stored. After a crash the workflow task runs again from its start, and its local activities with it.

mod marker;

use std::sync::Arc;

use longhaul_history::proto::{
    common::v1::Payloads,
    enums::v1::{RetryState, TimeoutType},
    failure::v1::{Failure, TimeoutFailureInfo, failure::FailureInfo},
};

pub use self::marker::LocalMarker;
use crate::{
    LocalActivityOptions,
    execution::AttemptEnd,
    retry::{Decision, Policy},
};

/// A local activity that has not ended.
#[derive(Debug, Clone)]
pub struct LocalActivity {
    seq: u32,
    options: Arc<LocalActivityOptions>,
    /// A longer wait is the code's.
    threshold_ns: u64,
    policy: Policy,
    /// When this call of it was scheduled, in nanoseconds since 1970.
    scheduled_ns: u64,
    attempt: u32,
    state: State,
    cancel_requested: bool,
    last_failure: Option<Box<Failure>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its attempt may start from then on.
    Waits { due_ns: u64 },
    /// Its attempt runs since then.
    Runs { started_ns: u64 },
}

/// What follows the end of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Nothing: it was another attempt that ended.
    Stale,
    /// Another attempt; see [`LocalActivity::wake_ns`].
    Again,
    /// The end.
    End(Box<LocalMarker>),
}

impl LocalActivity {
    /// One that is scheduled now. `task_timeout_ns` is the limit of a workflow task.
    pub fn new(seq: u32, options: Arc<LocalActivityOptions>, now_ns: u64, task_timeout_ns: u64) -> Self {
        Self {
            seq,
            threshold_ns: options.local_retry_threshold_ns.unwrap_or(task_timeout_ns),
            policy: Policy::new(options.retry_policy.as_ref()),
            scheduled_ns: now_ns,
            attempt: options.attempt.max(1),
            state: State::Waits { due_ns: now_ns },
            cancel_requested: false,
            last_failure: None,
            options,
        }
    }

    /// Its number.
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// What was asked for.
    pub fn options(&self) -> &Arc<LocalActivityOptions> {
        &self.options
    }

    /// Its retry policy with the defaults filled in.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The number of its attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When the first of all attempts was scheduled, in nanoseconds since 1970.
    pub fn original_schedule_ns(&self) -> u64 {
        self.options.original_schedule_ns.unwrap_or(self.scheduled_ns)
    }

    /// When its attempt may start or could have started, in nanoseconds since 1970.
    pub fn due_ns(&self) -> u64 {
        match self.state {
            State::Waits { due_ns } => due_ns,
            State::Runs { started_ns } => started_ns,
        }
    }

    /// Whether its attempt runs.
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Runs { .. })
    }

    /// Whether its attempt may start.
    pub fn is_ready(&self, now_ns: u64) -> bool {
        matches!(self.state, State::Waits { due_ns } if due_ns <= now_ns)
    }

    /// Its attempt starts.
    pub fn start(&mut self, now_ns: u64) {
        self.state = State::Runs { started_ns: now_ns };
    }

    /// When something is due if nothing happens: its attempt, or one of its limits. One whose attempt is due already and that waits
    /// for a place is woken by that.
    pub fn wake_ns(&self, now_ns: u64) -> Option<u64> {
        let due_ns = match self.state {
            State::Waits { due_ns } if due_ns > now_ns => Some(due_ns),
            _ => None,
        };
        due_ns
            .into_iter()
            .chain(self.deadline().map(|(at_ns, _)| at_ns))
            .min()
    }

    /// An attempt has ended.
    pub fn ended(&mut self, attempt: u32, end: AttemptEnd, now_ns: u64) -> Next {
        if attempt != self.attempt || !self.is_running() {
            return Next::Stale;
        }
        let failure = match end {
            AttemptEnd::Completed(result) => return self.end(Ok(result), now_ns),
            AttemptEnd::Cancelled(details) if self.cancel_requested => {
                return self.end_cancelled(Some(details), now_ns);
            }
            AttemptEnd::Cancelled(details) => {
                longhaul_history::failure::cancelled("activity cancelled itself unasked", details)
            }
            AttemptEnd::Failed(failure) => *failure,
            AttemptEnd::HandedOver => longhaul_history::failure::application(
                format!(
                    "local activity {:?} cannot be completed by somebody else later: run it as an ordinary activity",
                    self.options.activity_type
                ),
                "AsyncCompletion",
                true,
            ),
            AttemptEnd::Lost => timeout(TimeoutType::StartToClose, None),
        };
        self.failed(failure, now_ns)
    }

    /// Look whether one of its limits has passed.
    pub fn check_deadline(&mut self, now_ns: u64) -> Next {
        match self.deadline() {
            Some((at_ns, kind)) if at_ns <= now_ns => {
                if kind == TimeoutType::StartToClose {
                    return self.failed(timeout(kind, None), now_ns);
                }
                let failure = timeout(kind, self.last_failure.take());
                self.end(Err(Box::new(failure)), now_ns)
            }
            _ => Next::Stale,
        }
    }

    /// The code has asked for its cancellation and waits for its end. What does not run ends at once.
    pub fn request_cancel(&mut self, now_ns: u64) -> Next {
        self.cancel_requested = true;
        if self.is_running() {
            return Next::Again;
        }
        self.end_cancelled(None, now_ns)
    }

    /// The marker of one that its code has cancelled and does not wait for.
    pub(crate) fn abandoned(seq: u32, options: &LocalActivityOptions) -> LocalMarker {
        LocalMarker {
            seq,
            activity_id: options.id(seq),
            activity_type: options.activity_type.clone(),
            attempt: options.attempt.max(1),
            complete_time_ns: None,
            original_schedule_ns: options.original_schedule_ns,
            backoff_ns: None,
            round: 0,
            side_effect: false,
            result: Err(Box::new(cancelled(None))),
            summary: options.summary.clone(),
        }
    }

    /// The first limit that passes if nothing happens.
    fn deadline(&self) -> Option<(u64, TimeoutType)> {
        let after = |start_ns: u64, limit_ns: Option<u64>, kind| {
            let limit_ns = limit_ns.filter(|ns| *ns > 0)?;
            Some((start_ns.saturating_add(limit_ns), kind))
        };
        let options = &self.options;
        let total = after(
            self.original_schedule_ns(),
            options.schedule_to_close_ns,
            TimeoutType::ScheduleToClose,
        );
        let attempt = match self.state {
            State::Waits { due_ns } => {
                after(due_ns, options.schedule_to_start_ns, TimeoutType::ScheduleToStart)
            }
            State::Runs { started_ns } => {
                after(started_ns, options.start_to_close_ns, TimeoutType::StartToClose)
            }
        };
        total.into_iter().chain(attempt).min_by_key(|(at_ns, _)| *at_ns)
    }

    /// Decide between another attempt, a wait of the code, and the end.
    fn failed(&mut self, failure: Failure, now_ns: u64) -> Next {
        if self.cancel_requested {
            return self.end(Err(Box::new(failure)), now_ns);
        }
        let limit_ns = self.options.schedule_to_close_ns.filter(|ns| *ns > 0);
        let expires_ns = limit_ns.map(|ns| self.original_schedule_ns().saturating_add(ns));
        match self.policy.decide(self.attempt, &failure, now_ns, expires_ns) {
            Decision::Retry { due_ns } if due_ns - now_ns > self.threshold_ns => {
                let marker = LocalMarker {
                    backoff_ns: Some(due_ns - now_ns),
                    ..self.marker(Err(Box::new(failure)), now_ns)
                };
                Next::End(Box::new(marker))
            }
            Decision::Retry { due_ns } => {
                self.attempt = self.attempt.saturating_add(1);
                self.state = State::Waits { due_ns };
                self.last_failure = Some(Box::new(failure));
                Next::Again
            }
            // A2: no attempt would start before that limit; its cause is the last failure.
            Decision::Stop(RetryState::Timeout) => {
                let failure = timeout(TimeoutType::ScheduleToClose, Some(Box::new(failure)));
                self.end(Err(Box::new(failure)), now_ns)
            }
            Decision::Stop(_) => self.end(Err(Box::new(failure)), now_ns),
        }
    }

    fn end_cancelled(&self, details: Option<Payloads>, now_ns: u64) -> Next {
        self.end(Err(Box::new(cancelled(details))), now_ns)
    }

    fn end(&self, result: Result<Payloads, Box<Failure>>, now_ns: u64) -> Next {
        Next::End(Box::new(self.marker(result, now_ns)))
    }

    fn marker(&self, result: Result<Payloads, Box<Failure>>, now_ns: u64) -> LocalMarker {
        LocalMarker {
            seq: self.seq,
            activity_id: self.options.id(self.seq),
            activity_type: self.options.activity_type.clone(),
            attempt: self.attempt,
            complete_time_ns: Some(now_ns),
            original_schedule_ns: Some(self.original_schedule_ns()),
            backoff_ns: None,
            round: 0,
            side_effect: false,
            result,
            summary: self.options.summary.clone(),
        }
    }
}

fn cancelled(details: Option<Payloads>) -> Failure {
    longhaul_history::failure::cancelled(
        "Activity cancelled",
        details.filter(|details| !details.payloads.is_empty()),
    )
}

/// In the words of Temporal's Core SDK.
fn timeout(kind: TimeoutType, cause: Option<Box<Failure>>) -> Failure {
    let mut info = TimeoutFailureInfo::default();
    info.set_timeout_type(kind);
    Failure {
        message: "Activity timed out".into(),
        cause,
        failure_info: Some(FailureInfo::TimeoutFailureInfo(info)),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
