//! What a workflow starts: timers, activities, updates' ends, children, signals, markers.

use std::time::Duration;

use super::{Builder, IDENTITY, RUN_ID, WORKFLOW_ID};
use crate::{
    failure,
    proto::{
        common::v1::{ActivityType, Header, Payloads, RetryPolicy, WorkflowExecution},
        enums::v1::{RetryState, TimeoutType},
        failure::v1::Failure,
        history::v1::{
            ActivityTaskCancelRequestedEventAttributes, ActivityTaskCanceledEventAttributes,
            ActivityTaskCompletedEventAttributes, ActivityTaskFailedEventAttributes,
            ActivityTaskScheduledEventAttributes, ActivityTaskStartedEventAttributes,
            ActivityTaskTimedOutEventAttributes, TimerCanceledEventAttributes, TimerFiredEventAttributes,
            TimerStartedEventAttributes, WorkflowExecutionUpdateAcceptedEventAttributes,
            WorkflowExecutionUpdateCompletedEventAttributes,
        },
        update::v1::{Input, Meta, Outcome, Request, outcome::Value},
    },
    time,
};

/// The events of an activity; 0 for what has not happened.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Activity {
    scheduled: i64,
    started: i64,
    cancel_requested: i64,
}

impl Builder {
    /// TimerStarted. The timer's id is the decimal `seq`.
    pub fn add_timer_started(&mut self, seq: u32, duration: Duration) -> i64 {
        let event_id = self.push(TimerStartedEventAttributes {
            timer_id: seq.to_string(),
            start_to_fire_timeout: Some(time::duration_from_std(duration)),
            workflow_task_completed_event_id: self.task_completed,
        });
        self.timers.insert(seq, event_id);
        event_id
    }

    /// TimerFired.
    pub fn add_timer_fired(&mut self, seq: u32) -> i64 {
        let started_event_id = self.timers.get(&seq).copied().unwrap_or(0);
        self.push(TimerFiredEventAttributes {
            timer_id: seq.to_string(),
            started_event_id,
        })
    }

    /// TimerCanceled.
    pub fn add_timer_canceled(&mut self, seq: u32) -> i64 {
        let started_event_id = self.timers.get(&seq).copied().unwrap_or(0);
        self.push(TimerCanceledEventAttributes {
            timer_id: seq.to_string(),
            started_event_id,
            workflow_task_completed_event_id: self.task_completed,
            identity: IDENTITY.to_owned(),
        })
    }

    /// ActivityTaskScheduled: the id is the decimal `seq`, attempts take 10 s at most and are retried by the default policy.
    pub fn add_activity_scheduled(
        &mut self,
        seq: u32,
        activity_type: &str,
        input: impl Into<Option<Payloads>>,
    ) -> i64 {
        let second = |seconds: u64| Some(time::duration_from_ns(seconds * time::NS_PER_SECOND));
        let scheduled = self.push(ActivityTaskScheduledEventAttributes {
            activity_id: seq.to_string(),
            activity_type: Some(ActivityType {
                name: activity_type.to_owned(),
            }),
            task_queue: Some(self.queue()),
            header: Some(Header::default()),
            input: input.into(),
            schedule_to_close_timeout: second(0),
            schedule_to_start_timeout: second(0),
            start_to_close_timeout: second(10),
            heartbeat_timeout: second(0),
            workflow_task_completed_event_id: self.task_completed,
            retry_policy: Some(RetryPolicy {
                initial_interval: second(1),
                backoff_coefficient: 2.0,
                maximum_interval: second(100),
                ..Default::default()
            }),
            ..Default::default()
        });
        self.activities.insert(
            seq,
            Activity {
                scheduled,
                ..Default::default()
            },
        );
        scheduled
    }

    /// ActivityTaskStarted, first attempt. The methods for an activity's end add it where it is missing.
    pub fn add_activity_started(&mut self, seq: u32) -> i64 {
        let scheduled_event_id = self.activity(seq).scheduled;
        let started = self.push(ActivityTaskStartedEventAttributes {
            scheduled_event_id,
            identity: IDENTITY.to_owned(),
            request_id: format!("activity-{seq}"),
            attempt: 1,
            ..Default::default()
        });
        self.activities.entry(seq).or_default().started = started;
        started
    }

    /// ActivityTaskCompleted.
    pub fn add_activity_completed(&mut self, seq: u32, result: impl Into<Option<Payloads>>) -> i64 {
        let activity = self.started_activity(seq);
        self.push(ActivityTaskCompletedEventAttributes {
            result: result.into(),
            scheduled_event_id: activity.scheduled,
            started_event_id: activity.started,
            identity: IDENTITY.to_owned(),
            ..Default::default()
        })
    }

    /// ActivityTaskFailed, for a failure that must not be retried.
    pub fn add_activity_failed(&mut self, seq: u32, failure: Failure) -> i64 {
        let activity = self.started_activity(seq);
        self.push(ActivityTaskFailedEventAttributes {
            failure: Some(failure),
            scheduled_event_id: activity.scheduled,
            started_event_id: activity.started,
            identity: IDENTITY.to_owned(),
            retry_state: RetryState::NonRetryableFailure.into(),
            ..Default::default()
        })
    }

    /// ActivityTaskTimedOut. Schedule-to-start and schedule-to-close leave an activity unstarted that has not started.
    pub fn add_activity_timed_out(&mut self, seq: u32, timeout_type: TimeoutType) -> i64 {
        let activity = match timeout_type {
            TimeoutType::ScheduleToStart | TimeoutType::ScheduleToClose => self.activity(seq),
            _ => self.started_activity(seq),
        };
        self.push(ActivityTaskTimedOutEventAttributes {
            failure: Some(failure::activity_timeout(timeout_type, None, None)),
            scheduled_event_id: activity.scheduled,
            started_event_id: activity.started,
            retry_state: RetryState::Timeout.into(),
        })
    }

    /// ActivityTaskCancelRequested.
    pub fn add_activity_cancel_requested(&mut self, seq: u32) -> i64 {
        let event_id = self.push(ActivityTaskCancelRequestedEventAttributes {
            scheduled_event_id: self.activity(seq).scheduled,
            workflow_task_completed_event_id: self.task_completed,
        });
        self.activities.entry(seq).or_default().cancel_requested = event_id;
        event_id
    }

    /// ActivityTaskCanceled. An activity that has not started stays so.
    pub fn add_activity_canceled(&mut self, seq: u32, details: impl Into<Option<Payloads>>) -> i64 {
        let activity = self.activity(seq);
        self.push(ActivityTaskCanceledEventAttributes {
            details: details.into(),
            latest_cancel_requested_event_id: activity.cancel_requested,
            scheduled_event_id: activity.scheduled,
            started_event_id: activity.started,
            identity: IDENTITY.to_owned(),
            ..Default::default()
        })
    }

    /// WorkflowExecutionUpdateAccepted, by the last workflow task.
    pub fn add_update_accepted(
        &mut self,
        update_id: &str,
        name: &str,
        args: impl Into<Option<Payloads>>,
    ) -> i64 {
        let event_id = self.push(WorkflowExecutionUpdateAcceptedEventAttributes {
            protocol_instance_id: update_id.to_owned(),
            accepted_request_message_id: format!("{update_id}/request"),
            accepted_request_sequencing_event_id: self.task_scheduled,
            accepted_request: Some(Request {
                meta: Some(meta(update_id)),
                input: Some(Input {
                    header: Some(Header::default()),
                    name: name.to_owned(),
                    args: args.into(),
                }),
                ..Default::default()
            }),
        });
        self.updates.insert(update_id.to_owned(), event_id);
        event_id
    }

    /// WorkflowExecutionUpdateCompleted.
    pub fn add_update_completed(
        &mut self,
        update_id: &str,
        outcome: Result<Option<Payloads>, Failure>,
    ) -> i64 {
        let accepted_event_id = self.updates.get(update_id).copied().unwrap_or(0);
        let value = match outcome {
            Ok(result) => Value::Success(result.unwrap_or_default()),
            Err(failure) => Value::Failure(failure),
        };
        self.push(WorkflowExecutionUpdateCompletedEventAttributes {
            meta: Some(meta(update_id)),
            accepted_event_id,
            outcome: Some(Outcome { value: Some(value) }),
        })
    }

    /// The execution that this history is of.
    #[must_use]
    pub fn execution(&self) -> WorkflowExecution {
        WorkflowExecution {
            workflow_id: WORKFLOW_ID.to_owned(),
            run_id: RUN_ID.to_owned(),
        }
    }

    fn activity(&self, seq: u32) -> Activity {
        self.activities.get(&seq).copied().unwrap_or_default()
    }

    fn started_activity(&mut self, seq: u32) -> Activity {
        if self.activity(seq).started == 0 {
            self.add_activity_started(seq);
        }
        self.activity(seq)
    }
}

fn meta(update_id: &str) -> Meta {
    Meta {
        update_id: update_id.to_owned(),
        identity: IDENTITY.to_owned(),
    }
}
