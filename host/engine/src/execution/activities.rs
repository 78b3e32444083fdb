//! Attempts of activities: they start, end, time out, and are tried again.

use longhaul_history::proto::{
    common::v1::Payloads,
    enums::v1::{RetryState, TimeoutType},
    failure::v1::Failure,
    history::v1::{
        ActivityTaskCanceledEventAttributes, ActivityTaskCompletedEventAttributes,
        ActivityTaskFailedEventAttributes, ActivityTaskStartedEventAttributes,
        ActivityTaskTimedOutEventAttributes, history_event::Attributes,
    },
};

use super::Execution;
use crate::{
    Effect, Turn,
    activity::{Activity, Attempt, Starter},
    retry::Decision,
};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum AttemptEnd {
    /// With a result.
    Completed(Payloads),
    /// With a failure.
    Failed(Box<Failure>),
    /// It stopped because it was cancelled.
    Cancelled(Payloads),
    /// Its code has returned, and somebody else will tell how it ends (A6): the attempt goes on, outside of the server.
    HandedOver,
    /// The server that ran it is gone, and nobody knows how far it came. Counts as an attempt that ran out of time.
    Lost,
}

impl Execution {
    /// Overlay the row of an activity after the state was rebuilt from history.
    pub fn restore_attempt(&mut self, scheduled_event_id: i64, row: Attempt) {
        if let Some(activity) = self.activities.get_mut(&scheduled_event_id) {
            // What the row says of limits and queues follows from the rest.
            activity.attempt = Attempt {
                deadline_ns: None,
                waits_for: None,
                ..row
            };
        }
    }

    /// Start the current attempt if it is due; its row must be durable before it runs.
    pub fn start_attempt(&mut self, turn: &mut Turn, scheduled_event_id: i64, starter: Starter<'_>) -> bool {
        let now_ns = turn.now_ns;
        let Some(activity) = self
            .activities
            .get_mut(&scheduled_event_id)
            .filter(|a| a.is_ready(now_ns))
        else {
            return false;
        };
        activity.attempt.started_ns = Some(now_ns);
        activity.attempt.heartbeat_ns = None;
        activity.attempt.identity = starter.identity.to_owned();
        activity.attempt.handed_out = starter.outside;
        activity.attempt.nonce = starter.nonce;
        turn.effects.push(Effect::ActivityChanged { scheduled_event_id });
        true
    }

    /// A running attempt is alive (A3); `nonce` is its [`Starter`]'s. `false`: it is not the current one.
    pub fn heartbeat(
        &mut self,
        turn: &mut Turn,
        scheduled_event_id: i64,
        nonce: u64,
        details: Payloads,
    ) -> bool {
        let now_ns = turn.now_ns;
        let Some(activity) = self.running_attempt(scheduled_event_id, nonce) else {
            return false;
        };
        activity.attempt.heartbeat_ns = Some(now_ns);
        activity.attempt.heartbeat_details = Some(details);
        turn.effects.push(Effect::ActivityChanged { scheduled_event_id });
        true
    }

    /// An attempt has ended; `nonce` is its [`Starter`]'s. `false`: it is not the current one, so the end comes too late and changes
    /// nothing.
    pub fn end_attempt(
        &mut self,
        turn: &mut Turn,
        scheduled_event_id: i64,
        nonce: u64,
        end: AttemptEnd,
    ) -> bool {
        let Some(activity) = self.running_attempt(scheduled_event_id, nonce) else {
            return false;
        };
        let identity = activity.attempt.identity.clone();
        self.attempt_ended(turn, scheduled_event_id, end, identity);
        true
    }

    /// The current attempt, which runs, has ended. `identity`: who says so.
    pub(super) fn attempt_ended(
        &mut self,
        turn: &mut Turn,
        scheduled_event_id: i64,
        end: AttemptEnd,
        identity: String,
    ) {
        let Some(activity) = self.activities.get_mut(&scheduled_event_id) else {
            return;
        };
        match end {
            AttemptEnd::Completed(result) => {
                let started_event_id = self.write_started(turn, scheduled_event_id);
                let attributes = ActivityTaskCompletedEventAttributes {
                    // Temporal's Core SDK refuses a list without payloads; no result is no list.
                    result: (!result.payloads.is_empty()).then_some(result),
                    scheduled_event_id,
                    started_event_id,
                    identity,
                    ..Default::default()
                };
                self.finish(
                    turn,
                    scheduled_event_id,
                    Attributes::ActivityTaskCompletedEventAttributes(attributes),
                );
            }
            AttemptEnd::Cancelled(details) if activity.cancel_requested_event_id.is_some() => {
                self.write_canceled(turn, scheduled_event_id, Some(details), identity);
            }
            AttemptEnd::Cancelled(details) => {
                // Nobody asked for it, so for the workflow it is a failure like any other (as on Temporal's server, which
                // refuses such an answer).
                let failure =
                    longhaul_history::failure::cancelled("activity cancelled itself unasked", details);
                self.attempt_failed(turn, scheduled_event_id, failure, identity);
            }
            AttemptEnd::Failed(failure) => self.attempt_failed(turn, scheduled_event_id, *failure, identity),
            AttemptEnd::HandedOver => {
                activity.attempt.handed_out = true;
                turn.effects.push(Effect::ActivityChanged { scheduled_event_id });
            }
            AttemptEnd::Lost => self.attempt_timed_out(turn, scheduled_event_id, TimeoutType::StartToClose),
        }
    }

    /// Look whether a limit of the activity has passed. `false`: nothing has.
    pub fn check_deadline(&mut self, turn: &mut Turn, scheduled_event_id: i64) -> bool {
        let passed = self
            .activities
            .get(&scheduled_event_id)
            .and_then(Activity::deadline)
            .filter(|deadline| deadline.at_ns <= turn.now_ns);
        let Some(deadline) = passed else { return false };
        self.attempt_timed_out(turn, scheduled_event_id, deadline.timeout);
        true
    }

    /// The workflow has asked to cancel an activity: what does not run ends at once.
    pub(super) fn cancel_waiting(&mut self, turn: &mut Turn, scheduled_event_id: i64) {
        let Some(activity) = self.activities.get(&scheduled_event_id) else {
            return;
        };
        if activity.attempt.started_ns.is_some() {
            turn.effects
                .push(Effect::ActivityCancelRequested { scheduled_event_id });
        } else {
            self.write_canceled(turn, scheduled_event_id, None, String::new());
        }
    }

    /// By its nonce: two attempts have the same number if an operator has reset the activity between them.
    fn running_attempt(&mut self, scheduled_event_id: i64, nonce: u64) -> Option<&mut Activity> {
        self.activities
            .get_mut(&scheduled_event_id)
            .filter(|activity| activity.attempt.runs_as(nonce))
    }

    fn attempt_timed_out(&mut self, turn: &mut Turn, scheduled_event_id: i64, timeout: TimeoutType) {
        let Some(activity) = self.activities.get(&scheduled_event_id) else {
            return;
        };
        let retriable = matches!(timeout, TimeoutType::StartToClose | TimeoutType::Heartbeat);
        let cause = if retriable {
            None
        } else {
            activity.attempt.last_failure.clone()
        };
        let failure = activity.timeout_failure(timeout, cause);
        if retriable {
            self.attempt_failed(turn, scheduled_event_id, failure, String::new());
        } else {
            self.write_timed_out(turn, scheduled_event_id, failure, RetryState::Timeout);
        }
    }

    /// Decide between another attempt and the end. `identity`: who says that it failed.
    fn attempt_failed(
        &mut self,
        turn: &mut Turn,
        scheduled_event_id: i64,
        failure: Failure,
        identity: String,
    ) {
        let now_ns = turn.now_ns;
        let Some(activity) = self.activities.get_mut(&scheduled_event_id) else {
            return;
        };
        let decision = if activity.cancel_requested_event_id.is_some() {
            Decision::Stop(RetryState::CancelRequested)
        } else {
            activity
                .policy()
                .decide(activity.counted(), &failure, now_ns, activity.expires_ns())
        };
        match decision {
            Decision::Retry { due_ns } => {
                activity.try_again(due_ns, now_ns, failure);
                turn.effects.push(Effect::ActivityChanged { scheduled_event_id });
            }
            Decision::Stop(RetryState::Timeout) => {
                // A2: no retry that would start past schedule-to-close; the failure is then that timeout, its cause the last
                // failure.
                let failure = activity.timeout_failure(TimeoutType::ScheduleToClose, Some(Box::new(failure)));
                self.write_timed_out(turn, scheduled_event_id, failure, RetryState::Timeout);
            }
            Decision::Stop(state) if is_timeout(&failure) => {
                self.write_timed_out(turn, scheduled_event_id, failure, state);
            }
            Decision::Stop(state) => {
                let started_event_id = self.write_started(turn, scheduled_event_id);
                let mut attributes = ActivityTaskFailedEventAttributes {
                    failure: Some(failure),
                    scheduled_event_id,
                    started_event_id,
                    identity,
                    ..Default::default()
                };
                attributes.set_retry_state(state);
                self.finish(
                    turn,
                    scheduled_event_id,
                    Attributes::ActivityTaskFailedEventAttributes(attributes),
                );
            }
        }
    }

    fn write_timed_out(
        &mut self,
        turn: &mut Turn,
        scheduled_event_id: i64,
        failure: Failure,
        state: RetryState,
    ) {
        let ever_started = self
            .activities
            .get(&scheduled_event_id)
            .is_some_and(Activity::ever_started);
        let started_event_id = if ever_started {
            self.write_started(turn, scheduled_event_id)
        } else {
            0
        };
        let mut attributes = ActivityTaskTimedOutEventAttributes {
            failure: Some(failure),
            scheduled_event_id,
            started_event_id,
            ..Default::default()
        };
        attributes.set_retry_state(state);
        self.finish(
            turn,
            scheduled_event_id,
            Attributes::ActivityTaskTimedOutEventAttributes(attributes),
        );
    }

    pub(super) fn write_canceled(
        &mut self,
        turn: &mut Turn,
        scheduled_event_id: i64,
        details: Option<Payloads>,
        identity: String,
    ) {
        let Some(activity) = self.activities.get(&scheduled_event_id) else {
            return;
        };
        let latest_cancel_requested_event_id = activity.cancel_requested_event_id.unwrap_or(0);
        let started_event_id = if activity.ever_started() {
            self.write_started(turn, scheduled_event_id)
        } else {
            0
        };
        let attributes = ActivityTaskCanceledEventAttributes {
            details,
            latest_cancel_requested_event_id,
            scheduled_event_id,
            started_event_id,
            identity,
            ..Default::default()
        };
        self.finish(
            turn,
            scheduled_event_id,
            Attributes::ActivityTaskCanceledEventAttributes(attributes),
        );
    }

    fn write_started(&mut self, turn: &mut Turn, scheduled_event_id: i64) -> i64 {
        let Some(activity) = self.activities.get(&scheduled_event_id) else {
            return 0;
        };
        let attributes = ActivityTaskStartedEventAttributes {
            scheduled_event_id,
            identity: activity.attempt.identity.clone(),
            request_id: format!("{scheduled_event_id}/{}", activity.attempt.number),
            attempt: i32::try_from(activity.attempt.number).unwrap_or(i32::MAX),
            last_failure: activity.attempt.last_failure.as_deref().cloned(),
            ..Default::default()
        };
        self.emit(turn, Attributes::ActivityTaskStartedEventAttributes(attributes))
    }

    fn finish(&mut self, turn: &mut Turn, scheduled_event_id: i64, attributes: Attributes) {
        self.emit(turn, attributes);
        turn.effects.push(Effect::ActivityGone { scheduled_event_id });
    }
}

fn is_timeout(failure: &Failure) -> bool {
    use longhaul_history::proto::failure::v1::failure::FailureInfo;
    matches!(failure.failure_info, Some(FailureInfo::TimeoutFailureInfo(_)))
}
