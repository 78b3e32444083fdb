//! What operators do with activities that are pending: pause them, let them go on, begin anew, with other options.
//!
//! As on Temporal's server none of it is an event: it changes the activity's row, and with it what its attempts are.

use longhaul_history::{
    proto::{activity::v1::ActivityOptions, common::v1::RetryPolicy, taskqueue::v1::TaskQueue},
    time,
};

use super::{Execution, NotTaken};
use crate::{
    Effect, Turn,
    activity::{Activity, Pause, Renewal},
    retry::{self, BadPolicy, Policy},
    timeouts::Timeouts,
};

/// Which of a run's pending activities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The one with this id.
    Id(String),
    /// Those of this type.
    Type(String),
    /// All of them.
    All,
}

/// What is done with each of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// No attempt starts; one that runs may end, and hears of it with its next heartbeat.
    Pause {
        /// Who wants it.
        identity: String,
        /// Why.
        reason: String,
        /// The same request twice pauses once.
        request_id: String,
    },
    /// Attempts of what is paused start again; what waits does so at once, after `delay_ns`. What is not paused stays as it is.
    Unpause {
        /// Count attempts from 1.
        reset_attempts: bool,
        /// Forget how far earlier attempts have come.
        reset_heartbeat: bool,
        /// In nanoseconds.
        delay_ns: u64,
    },
    /// Attempts count from 1, and what waits starts at once, after `delay_ns`. An attempt that runs may end, and hears of it with its
    /// next heartbeat; if another follows, that is the first.
    Reset {
        /// Forget how far earlier attempts have come.
        reset_heartbeat: bool,
        /// What is paused stays so.
        keep_paused: bool,
        /// Back to what the workflow has asked for.
        restore_options: bool,
        /// In nanoseconds.
        delay_ns: u64,
    },
    /// Other options.
    Update(Changes),
    /// Back to what the workflow has asked for.
    RestoreOptions,
}

/// Options that are to change. None: it stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// The queue whose workers may run it.
    pub task_queue: Option<String>,
    /// In nanoseconds; 0: no limit.
    pub schedule_to_close_ns: Option<u64>,
    /// In nanoseconds; 0: no limit.
    pub schedule_to_start_ns: Option<u64>,
    /// In nanoseconds; 0: no limit.
    pub start_to_close_ns: Option<u64>,
    /// In nanoseconds; 0: no limit.
    pub heartbeat_ns: Option<u64>,
    /// In nanoseconds; 0: the default.
    pub initial_interval_ns: Option<u64>,
    /// In nanoseconds; 0: the default.
    pub maximum_interval_ns: Option<u64>,
    /// 0: the default.
    pub backoff_coefficient: Option<f64>,
    /// 0: no limit.
    pub maximum_attempts: Option<i32>,
}

/// Options that an activity cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOptions {
    /// See [`BadPolicy`].
    #[error("the retry policy cannot be kept: {0}")]
    Policy(#[from] BadPolicy),
    /// Nothing would end an attempt that hangs.
    #[error("one of the schedule-to-close and start-to-close timeouts has to be set")]
    NoLimit,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// There is no such activity.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    /// Another request has paused one of them. The text is that of Temporal's server.
    #[error("activity is already paused")]
    Paused,
    /// No pending activity is meant.
    #[error("no pending activity {0}, check workflow execution history for more details")]
    None(String),
    /// See [`BadOptions`].
    #[error(transparent)]
    Options(#[from] BadOptions),
}

impl Execution {
    /// Do something with pending activities: with all that are meant, or with none. Answers the options of the first of them.
    ///
    /// # Errors
    ///
    /// The run has closed, no such activity is pending, or the options cannot be kept.
    pub fn administer(
        &mut self,
        turn: &mut Turn,
        selection: &Selection,
        act: &Act,
    ) -> Result<ActivityOptions, NotDone> {
        if !self.is_open() {
            return Err(NotTaken::Closed.into());
        }
        let run_timeout_ns = self.run_timeout_ns();
        let mut options = None;
        let mut changed = Vec::new();
        for before in self
            .activities
            .values()
            .filter(|activity| selection.means(activity))
        {
            let mut activity = before.clone();
            act.on(&mut activity, turn.now_ns, run_timeout_ns)?;
            options.get_or_insert_with(|| activity.options());
            if activity.attempt != before.attempt {
                changed.push(activity);
            }
        }
        let options = match (options, selection) {
            (Some(options), _) => options,
            (None, Selection::Id(id)) => return Err(NotTaken::NoSuchActivity(id.clone()).into()),
            (None, Selection::Type(name)) => return Err(NotDone::None(format!("is of type {name:?}"))),
            (None, Selection::All) => return Err(NotDone::None("is left".into())),
        };
        for activity in changed {
            let scheduled_event_id = activity.scheduled_event_id;
            self.activities.insert(scheduled_event_id, activity);
            turn.effects.push(Effect::ActivityChanged { scheduled_event_id });
        }
        Ok(options)
    }
}

impl Selection {
    fn means(&self, activity: &Activity) -> bool {
        match self {
            Self::Id(id) => activity.attributes.activity_id == *id,
            Self::Type(name) => activity.activity_type() == name,
            Self::All => true,
        }
    }
}

impl Act {
    fn on(&self, activity: &mut Activity, now_ns: u64, run_timeout_ns: u64) -> Result<(), NotDone> {
        let runs = activity.attempt.started_ns.is_some();
        match self {
            Self::Pause {
                identity,
                reason,
                request_id,
            } => match &activity.attempt.pause {
                Some(pause) if pause.request_id == *request_id => {}
                Some(_) => return Err(NotDone::Paused),
                None => {
                    activity.attempt.pause = Some(Pause {
                        since_ns: now_ns,
                        identity: identity.clone(),
                        reason: reason.clone(),
                        request_id: request_id.clone(),
                    });
                }
            },
            Self::Unpause { .. } if activity.attempt.pause.is_none() => {}
            Self::Unpause {
                reset_attempts,
                reset_heartbeat,
                delay_ns,
            } => {
                activity.attempt.pause = None;
                if runs {
                    if *reset_attempts || *reset_heartbeat {
                        activity.renew_later(Renewal {
                            attempts: *reset_attempts,
                            heartbeat: *reset_heartbeat,
                            told: false,
                        });
                    }
                } else {
                    activity.renew(*reset_attempts, *reset_heartbeat);
                    activity.attempt.due_ns = now_ns.saturating_add(*delay_ns);
                }
            }
            Self::Reset {
                reset_heartbeat,
                keep_paused,
                restore_options,
                delay_ns,
            } => {
                if *restore_options {
                    activity.attempt.options = None;
                }
                if !keep_paused {
                    activity.attempt.pause = None;
                }
                if runs {
                    activity.renew_later(Renewal {
                        attempts: true,
                        heartbeat: *reset_heartbeat,
                        told: true,
                    });
                } else {
                    activity.renew(true, *reset_heartbeat);
                    activity.attempt.due_ns = now_ns.saturating_add(*delay_ns);
                }
            }
            Self::Update(changes) => changes.apply(activity, run_timeout_ns)?,
            Self::RestoreOptions => {
                activity.attempt.options = None;
                wait_anew(activity);
            }
        }
        Ok(())
    }
}

impl Changes {
    fn apply(&self, activity: &mut Activity, run_timeout_ns: u64) -> Result<(), BadOptions> {
        let duration = |ns: u64| Some(time::duration_from_ns(ns));
        let mut options = activity.options();
        if let Some(name) = &self.task_queue {
            options.task_queue = Some(TaskQueue {
                name: name.clone(),
                kind: 1,
                ..Default::default()
            });
        }
        let limit = |change: Option<u64>, before: Option<&time::Duration>| {
            change.unwrap_or_else(|| before.and_then(time::ns_from_duration).unwrap_or(0))
        };
        let timeouts = Timeouts {
            schedule_to_close_ns: limit(
                self.schedule_to_close_ns,
                options.schedule_to_close_timeout.as_ref(),
            ),
            schedule_to_start_ns: limit(
                self.schedule_to_start_ns,
                options.schedule_to_start_timeout.as_ref(),
            ),
            start_to_close_ns: limit(self.start_to_close_ns, options.start_to_close_timeout.as_ref()),
            heartbeat_ns: limit(self.heartbeat_ns, options.heartbeat_timeout.as_ref()),
        };
        if !timeouts.end_attempts() {
            return Err(BadOptions::NoLimit);
        }
        let timeouts = timeouts.completed(run_timeout_ns);
        options.schedule_to_close_timeout = duration(timeouts.schedule_to_close_ns);
        options.schedule_to_start_timeout = duration(timeouts.schedule_to_start_ns);
        options.start_to_close_timeout = duration(timeouts.start_to_close_ns);
        options.heartbeat_timeout = duration(timeouts.heartbeat_ns);
        let policy: &mut RetryPolicy = options.retry_policy.get_or_insert_default();
        let before = Policy::new(Some(policy));
        if let Some(ns) = self.initial_interval_ns {
            policy.initial_interval = duration(ns);
        }
        if let Some(ns) = self.maximum_interval_ns {
            policy.maximum_interval = duration(ns);
        }
        if let Some(coefficient) = self.backoff_coefficient {
            policy.backoff_coefficient = coefficient;
        }
        if let Some(attempts) = self.maximum_attempts {
            policy.maximum_attempts = attempts;
        }
        retry::check(policy)?;
        let intervals_change = Policy::new(Some(policy)) != before;
        activity.attempt.options = Some(Box::new(options));
        if intervals_change {
            wait_anew(activity);
        }
        Ok(())
    }
}

/// What waits for its next attempt waits as its policy says now.
fn wait_anew(activity: &mut Activity) {
    let attempt = &activity.attempt;
    if let (None, Some(ended_ns), 2..) = (attempt.started_ns, attempt.last_ended_ns, attempt.number) {
        let interval_ns = activity.policy().interval_after(attempt.number - 1);
        activity.attempt.due_ns = ended_ns.saturating_add(interval_ns);
    }
}
