//! A pending activity: the part of it that history does not hold.
//!
//! As on Temporal's server, attempts are no events. A pending activity is what ActivityTaskScheduled says plus a row: which
//! attempt, since when, the last failure. ActivityTaskStarted is written together with the end of the last attempt.

use std::{ops::Deref, sync::Arc};

use longhaul_history::{
    proto::{
        activity::v1::ActivityOptions,
        common::v1::{Payloads, RetryPolicy},
        enums::v1::TimeoutType,
        failure::v1::{Failure, TimeoutFailureInfo, failure::FailureInfo},
        history::v1::{ActivityTaskScheduledEventAttributes, HistoryEvent, history_event::Attributes},
    },
    time,
};

use crate::retry::Policy;

/// An activity that has not ended.
#[derive(Debug, Clone)]
pub struct Activity {
    /// Its ActivityTaskScheduled event.
    pub scheduled_event_id: i64,
    /// When it was scheduled, in nanoseconds since 1970.
    pub scheduled_time_ns: u64,
    /// What was scheduled.
    pub attributes: Scheduled,
    /// The current attempt.
    pub attempt: Attempt,
    /// The event that requested its cancellation.
    pub cancel_requested_event_id: Option<i64>,
    /// Its ActivityTaskStarted event, once it is written.
    pub started_event_id: Option<i64>,
}

/// An ActivityTaskScheduled event. It reads as its attributes, which are not copied: a replay folds very many of them.
#[derive(Debug, Clone)]
pub struct Scheduled(Arc<HistoryEvent>);

impl Scheduled {
    /// The event, if it is one.
    pub fn of(event: &Arc<HistoryEvent>) -> Option<Self> {
        matches!(
            event.attributes,
            Some(Attributes::ActivityTaskScheduledEventAttributes(_))
        )
        .then(|| Self(event.clone()))
    }
}

impl Deref for Scheduled {
    type Target = ActivityTaskScheduledEventAttributes;

    fn deref(&self) -> &Self::Target {
        match &self.0.attributes {
            Some(Attributes::ActivityTaskScheduledEventAttributes(attributes)) => attributes,
            _ => unreachable!("`of` has looked at the event, and a shared event does not change"),
        }
    }
}

/// The current attempt of an activity: the row.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Attempt {
    /// From 1.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// When it may start, in nanoseconds since 1970.
    #[prost(uint64, tag = "2")]
    pub due_ns: u64,
    /// When it started; none while it waits.
    #[prost(uint64, optional, tag = "3")]
    pub started_ns: Option<u64>,
    /// Who runs it; while it waits, who ran the one before.
    #[prost(string, tag = "4")]
    pub identity: String,
    /// How the attempt before it ended.
    #[prost(message, optional, boxed, tag = "5")]
    pub last_failure: Option<Box<Failure>>,
    /// Details of the last heartbeat, of this or an earlier attempt.
    #[prost(message, optional, tag = "6")]
    pub heartbeat_details: Option<Payloads>,
    /// When this attempt last sent a heartbeat.
    #[prost(uint64, optional, tag = "7")]
    pub heartbeat_ns: Option<u64>,
    /// The first limit that will pass, as it was when the row was written: what a restart waits for.
    #[prost(uint64, optional, tag = "8")]
    pub deadline_ns: Option<u64>,
    /// It was handed out: whoever has it lives on when the server ends, so only its limits say that it is lost.
    #[prost(bool, tag = "9")]
    pub handed_out: bool,
    /// What it is known by, and what its task token must say besides its number, so that nobody can guess one; 0 while it waits.
    #[prost(fixed64, tag = "10")]
    pub nonce: u64,
    /// When the attempt before it ended.
    #[prost(uint64, optional, tag = "11")]
    pub last_ended_ns: Option<u64>,
    /// Who sent the last heartbeat.
    #[prost(string, tag = "12")]
    pub heartbeat_identity: String,
    /// No attempt starts while this is set.
    #[prost(message, optional, tag = "13")]
    pub pause: Option<Pause>,
    /// What is to be forgotten when this attempt, which runs, is over.
    #[prost(message, optional, tag = "14")]
    pub renewal: Option<Renewal>,
    /// Options other than those that the workflow has asked for.
    #[prost(message, optional, boxed, tag = "15")]
    pub options: Option<Box<ActivityOptions>>,
    /// While it waits, as it was when the row was written: what a restart needs for it to stand in line. None in memory.
    #[prost(message, optional, tag = "16")]
    pub waits_for: Option<WaitsFor>,
}

/// Who may run an activity.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct WaitsFor {
    /// Workers of this queue.
    #[prost(string, tag = "1")]
    pub task_queue: String,
    /// Those that know this type.
    #[prost(string, tag = "2")]
    pub activity_type: String,
}

impl Attempt {
    /// Whether it is the attempt with this nonce, and runs.
    pub fn runs_as(&self, nonce: u64) -> bool {
        self.started_ns.is_some() && self.nonce == nonce
    }
}

/// Who has paused an activity, and why.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Pause {
    /// Since when, in nanoseconds since 1970.
    #[prost(uint64, tag = "1")]
    pub since_ns: u64,
    /// Who.
    #[prost(string, tag = "2")]
    pub identity: String,
    /// Why.
    #[prost(string, tag = "3")]
    pub reason: String,
    /// Of the request that has paused it.
    #[prost(string, tag = "4")]
    pub request_id: String,
}

/// See [`Attempt::renewal`].
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Renewal {
    /// The next attempt is the first.
    #[prost(bool, tag = "1")]
    pub attempts: bool,
    /// How far attempts have come.
    #[prost(bool, tag = "2")]
    pub heartbeat: bool,
    /// The attempt that runs is told that it was reset.
    #[prost(bool, tag = "3")]
    pub told: bool,
}

/// Who starts an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Starter<'a> {
    /// What it calls itself.
    pub identity: &'a str,
    /// It is a worker, not the server itself.
    pub outside: bool,
    /// Random; the attempt is known by it, and it goes into its task token.
    pub nonce: u64,
}

/// What history can say of an activity that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// ActivityTaskStarted.
    Start,
    /// ActivityTaskCancelRequested.
    RequestCancel,
    /// ActivityTaskCompleted or ActivityTaskFailed.
    End,
    /// ActivityTaskTimedOut.
    TimeOut,
    /// ActivityTaskCanceled.
    Cancel,
}

/// A limit that an activity can pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When, in nanoseconds since 1970.
    pub at_ns: u64,
    /// Which limit.
    pub timeout: TimeoutType,
}

impl Activity {
    pub(crate) fn new(scheduled_event_id: i64, scheduled_time_ns: u64, attributes: Scheduled) -> Self {
        Self {
            scheduled_event_id,
            scheduled_time_ns,
            attributes,
            attempt: Attempt {
                number: 1,
                due_ns: scheduled_time_ns,
                ..Default::default()
            },
            cancel_requested_event_id: None,
            started_event_id: None,
        }
    }

    /// The run was reset: the activity counts as scheduled now, and its attempts begin anew.
    pub(crate) fn begin_again(&mut self, now_ns: u64) {
        self.scheduled_time_ns = now_ns;
        self.attempt = Attempt {
            number: 1,
            due_ns: now_ns,
            ..Default::default()
        };
        self.started_event_id = None;
    }

    /// The table of transitions: what stands against the input; none: it is legal.
    pub(crate) fn refuses(&self, input: Input) -> Option<&'static str> {
        let started = self.started_event_id.is_some();
        let cancel_requested = self.cancel_requested_event_id.is_some();
        match input {
            Input::Start if started => Some("has started already"),
            Input::RequestCancel if cancel_requested => Some("was asked to cancel already"),
            Input::End if !started => Some("has not started"),
            Input::Cancel if !cancel_requested => Some("was not asked to cancel"),
            Input::Start | Input::RequestCancel | Input::End | Input::TimeOut | Input::Cancel => None,
        }
    }

    /// Its type.
    pub fn activity_type(&self) -> &str {
        self.attributes
            .activity_type
            .as_ref()
            .map_or("", |t| t.name.as_str())
    }

    /// The queue whose workers may run it.
    pub fn task_queue(&self) -> &str {
        let queue = match &self.attempt.options {
            Some(options) => options.task_queue.as_ref(),
            None => self.attributes.task_queue.as_ref(),
        };
        queue.map_or("", |q| q.name.as_str())
    }

    /// The limit of all attempts together.
    pub fn schedule_to_close(&self) -> Option<&time::Duration> {
        match &self.attempt.options {
            Some(options) => options.schedule_to_close_timeout.as_ref(),
            None => self.attributes.schedule_to_close_timeout.as_ref(),
        }
    }

    /// The limit of the wait for a worker.
    pub fn schedule_to_start(&self) -> Option<&time::Duration> {
        match &self.attempt.options {
            Some(options) => options.schedule_to_start_timeout.as_ref(),
            None => self.attributes.schedule_to_start_timeout.as_ref(),
        }
    }

    /// The limit of one attempt.
    pub fn start_to_close(&self) -> Option<&time::Duration> {
        match &self.attempt.options {
            Some(options) => options.start_to_close_timeout.as_ref(),
            None => self.attributes.start_to_close_timeout.as_ref(),
        }
    }

    /// The limit of the time between two heartbeats.
    pub fn heartbeat(&self) -> Option<&time::Duration> {
        match &self.attempt.options {
            Some(options) => options.heartbeat_timeout.as_ref(),
            None => self.attributes.heartbeat_timeout.as_ref(),
        }
    }

    /// Its retry policy with the defaults filled in.
    pub fn policy(&self) -> Policy {
        Policy::new(match &self.attempt.options {
            Some(options) => options.retry_policy.as_ref(),
            None => self.attributes.retry_policy.as_ref(),
        })
    }

    /// Its retry policy as the wire has it, with the defaults filled in.
    pub fn retry_policy(&self) -> RetryPolicy {
        self.policy().to_wire()
    }

    /// Its options as they are now.
    pub fn options(&self) -> ActivityOptions {
        match &self.attempt.options {
            Some(options) => ActivityOptions::clone(options),
            None => ActivityOptions {
                task_queue: self.attributes.task_queue.clone(),
                schedule_to_close_timeout: self.attributes.schedule_to_close_timeout,
                schedule_to_start_timeout: self.attributes.schedule_to_start_timeout,
                start_to_close_timeout: self.attributes.start_to_close_timeout,
                heartbeat_timeout: self.attributes.heartbeat_timeout,
                retry_policy: Some(self.retry_policy()),
                priority: self.attributes.priority.clone(),
                ..Default::default()
            },
        }
    }

    /// Its row, as the store keeps it.
    pub fn row(&self) -> Attempt {
        let waits = self.attempt.started_ns.is_none();
        Attempt {
            deadline_ns: self.deadline().map(|deadline| deadline.at_ns),
            waits_for: waits.then(|| WaitsFor {
                task_queue: self.task_queue().to_owned(),
                activity_type: self.activity_type().to_owned(),
            }),
            ..self.attempt.clone()
        }
    }

    /// Whether an attempt may start at `now_ns`.
    pub fn is_ready(&self, now_ns: u64) -> bool {
        self.attempt.started_ns.is_none() && self.attempt.due_ns <= now_ns && self.attempt.pause.is_none()
    }

    /// When the schedule-to-close limit passes.
    pub fn expires_ns(&self) -> Option<u64> {
        let limit_ns = limit(self.schedule_to_close())?;
        Some(self.scheduled_time_ns.saturating_add(limit_ns))
    }

    /// The first limit that will pass if nothing happens. Of those that pass at the same time it is the one that Temporal's server
    /// names: start-to-close before schedule-to-start before schedule-to-close before heartbeat.
    pub fn deadline(&self) -> Option<Deadline> {
        let total = self.expires_ns().map(|at_ns| Deadline {
            at_ns,
            timeout: TimeoutType::ScheduleToClose,
        });
        let after = |start_ns: u64, limit_ns: Option<u64>, timeout| {
            limit_ns.map(|limit_ns| Deadline {
                at_ns: start_ns.saturating_add(limit_ns),
                timeout,
            })
        };
        let (first, second) = match self.attempt.started_ns {
            // Nobody can start what is paused.
            None if self.attempt.pause.is_some() => (None, None),
            None => {
                let limit_ns = limit(self.schedule_to_start());
                (
                    after(self.attempt.due_ns, limit_ns, TimeoutType::ScheduleToStart),
                    None,
                )
            }
            Some(started_ns) => (
                after(
                    started_ns,
                    limit(self.start_to_close()),
                    TimeoutType::StartToClose,
                ),
                after(
                    self.attempt.heartbeat_ns.unwrap_or(started_ns),
                    limit(self.heartbeat()),
                    TimeoutType::Heartbeat,
                ),
            ),
        };
        [total, first, second]
            .into_iter()
            .flatten()
            .min_by_key(|deadline| (deadline.at_ns, deadline.timeout as i32))
    }

    /// Whether one of its limits has passed.
    pub fn is_overdue(&self, now_ns: u64) -> bool {
        self.deadline().is_some_and(|deadline| deadline.at_ns <= now_ns)
    }

    /// When the shell should look at it again: an attempt falls due or a limit passes. None: only when something happens.
    pub fn wake_ns(&self) -> Option<u64> {
        let due_ns = self.attempt.started_ns.is_none().then_some(self.attempt.due_ns);
        due_ns
            .into_iter()
            .chain(self.deadline().map(|deadline| deadline.at_ns))
            .min()
    }

    /// The next attempt: it may start at `due_ns`, and knows how the one before ended.
    pub(crate) fn try_again(&mut self, due_ns: u64, now_ns: u64, failure: Failure) {
        let number = self.counted().saturating_add(1);
        let before = std::mem::take(&mut self.attempt);
        let forgets = before.renewal.is_some_and(|renewal| renewal.heartbeat);
        self.attempt = Attempt {
            number,
            due_ns,
            identity: before.identity,
            last_failure: Some(Box::new(failure)),
            heartbeat_details: before.heartbeat_details.filter(|_| !forgets),
            last_ended_ns: Some(now_ns),
            pause: before.pause,
            options: before.options,
            ..Default::default()
        };
    }

    /// Attempts that count, with this one.
    pub(crate) fn counted(&self) -> u32 {
        match self.attempt.renewal {
            Some(Renewal { attempts: true, .. }) => 0,
            _ => self.attempt.number,
        }
    }

    /// What is to be forgotten when the attempt that runs is over, besides what is already.
    pub(crate) fn renew_later(&mut self, renewal: Renewal) {
        let before = self.attempt.renewal.unwrap_or_default();
        self.attempt.renewal = Some(Renewal {
            attempts: before.attempts || renewal.attempts,
            heartbeat: before.heartbeat || renewal.heartbeat,
            told: before.told || renewal.told,
        });
    }

    /// It waits, and begins anew.
    pub(crate) fn renew(&mut self, attempts: bool, heartbeat: bool) {
        if attempts {
            self.attempt.number = 1;
        }
        if heartbeat {
            self.attempt.heartbeat_details = None;
        }
    }

    /// Whether it ever had an attempt, so that ActivityTaskStarted must precede its end.
    pub(crate) fn ever_started(&self) -> bool {
        self.attempt.last_ended_ns.is_some() || self.attempt.number > 1 || self.attempt.started_ns.is_some()
    }

    /// The failure that says a limit has passed, in the words of Temporal's server.
    pub(crate) fn timeout_failure(&self, timeout: TimeoutType, cause: Option<Box<Failure>>) -> Failure {
        let mut info = TimeoutFailureInfo {
            last_heartbeat_details: self.attempt.heartbeat_details.clone(),
            ..Default::default()
        };
        info.set_timeout_type(timeout);
        let name = match timeout {
            TimeoutType::StartToClose => "StartToClose",
            TimeoutType::ScheduleToStart => "ScheduleToStart",
            TimeoutType::ScheduleToClose => "ScheduleToClose",
            TimeoutType::Heartbeat => "Heartbeat",
            TimeoutType::Unspecified => "Unspecified",
        };
        Failure {
            message: format!("activity {name} timeout"),
            source: "Server".into(),
            cause,
            failure_info: Some(FailureInfo::TimeoutFailureInfo(info)),
            ..Default::default()
        }
    }
}

/// A limit in nanoseconds; zero and none both mean that there is none.
fn limit(duration: Option<&time::Duration>) -> Option<u64> {
    duration.and_then(time::ns_from_duration).filter(|ns| *ns > 0)
}
