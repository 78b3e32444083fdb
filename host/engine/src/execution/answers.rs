//! What workers outside of the server say of attempts: by task token, or by the activity's id (A3, A6).

use longhaul_history::proto::common::v1::Payloads;

use super::{AttemptEnd, Execution};
use crate::{Effect, Turn, activity::Activity};

/// Which attempt somebody speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one that a task token names.
    Token {
        /// Its ActivityTaskScheduled event.
        scheduled_event_id: i64,
        /// The attempt, from 1.
        number: u32,
        /// What only its token says.
        nonce: u64,
    },
    /// The current attempt of the activity with this id.
    ActivityId(String),
}

/// Why an answer changes nothing. The texts are those of Temporal's server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The run has closed.
    #[error("workflow execution already completed")]
    Closed,
    /// The attempt has ended already, or never was.
    #[error("invalid activityID or activity already timed out or invoking workflow is completed")]
    NotRunning,
    /// No activity with this id is pending.
    #[error(
        "cannot find pending activity with ActivityID {0}, check workflow execution history for more details"
    )]
    NoSuchActivity(String),
    /// It says that it was cancelled, which nobody has asked for.
    #[error("unable to mark activity as canceled without activity being request canceled first")]
    NotAskedToCancel,
}

/// What whoever sends a heartbeat is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// The workflow has asked for the activity's cancellation.
    pub cancel_requested: bool,
    /// The activity is paused.
    pub paused: bool,
    /// The activity was reset while this attempt runs.
    pub reset: bool,
}

impl Execution {
    /// An attempt has ended, says somebody outside (A1, A6). `details`: a last heartbeat that comes with it.
    ///
    /// # Errors
    ///
    /// It is not the current attempt, or does not run. A completion by id needs no attempt that runs, as on Temporal's server.
    pub fn answer_attempt(
        &mut self,
        turn: &mut Turn,
        which: &Which,
        end: AttemptEnd,
        details: Option<Payloads>,
        identity: String,
    ) -> Result<(), NotTaken> {
        let now_ns = turn.now_ns;
        let scheduled_event_id = self.would_take_answer(which, &end)?;
        let Some(activity) = self.activities.get_mut(&scheduled_event_id) else {
            return Err(NotTaken::NotRunning);
        };
        if activity.attempt.started_ns.is_none() {
            activity.attempt.started_ns = Some(now_ns);
            activity.attempt.identity.clone_from(&identity);
        }
        if details.is_some() {
            activity.attempt.heartbeat_details = details;
        }
        self.attempt_ended(turn, scheduled_event_id, end, identity);
        Ok(())
    }

    /// The activity of which [`answer_attempt`](Self::answer_attempt) would take this end.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn would_take_answer(&mut self, which: &Which, end: &AttemptEnd) -> Result<i64, NotTaken> {
        let forces = matches!((which, end), (Which::ActivityId(_), AttemptEnd::Completed(_)));
        let activity = self.addressed(which, forces)?;
        if matches!(end, AttemptEnd::Cancelled(_)) && activity.cancel_requested_event_id.is_none() {
            return Err(NotTaken::NotAskedToCancel);
        }
        Ok(activity.scheduled_event_id)
    }

    /// Whether a limit of the activity that somebody speaks of has passed, and was not [looked at](Self::check_deadline) since.
    pub fn is_overdue(&mut self, which: &Which, now_ns: u64) -> bool {
        self.addressed(which, true)
            .is_ok_and(|activity| activity.is_overdue(now_ns))
    }

    /// An attempt is alive, says somebody outside (A3).
    ///
    /// # Errors
    ///
    /// It is not the current attempt, or does not run.
    pub fn hear_attempt(
        &mut self,
        turn: &mut Turn,
        which: &Which,
        details: Option<Payloads>,
        identity: String,
    ) -> Result<Told, NotTaken> {
        let now_ns = turn.now_ns;
        let activity = self.addressed(which, false)?;
        activity.attempt.heartbeat_ns = Some(now_ns);
        activity.attempt.heartbeat_details = details;
        activity.attempt.heartbeat_identity = identity;
        let told = Told {
            cancel_requested: activity.cancel_requested_event_id.is_some(),
            paused: activity.attempt.pause.is_some(),
            reset: activity.attempt.renewal.is_some_and(|renewal| renewal.told),
        };
        let scheduled_event_id = activity.scheduled_event_id;
        turn.effects.push(Effect::ActivityChanged { scheduled_event_id });
        Ok(told)
    }

    /// An attempt that was handed out has not reached its worker: it waits as before. `false`: it is not the current one.
    pub fn take_attempt_back(&mut self, turn: &mut Turn, scheduled_event_id: i64, nonce: u64) -> bool {
        let Some(activity) = self.activities.get_mut(&scheduled_event_id).filter(|activity| {
            activity.attempt.started_ns.is_some()
                && activity.attempt.handed_out
                && activity.attempt.nonce == nonce
        }) else {
            return false;
        };
        activity.attempt.started_ns = None;
        activity.attempt.handed_out = false;
        activity.attempt.nonce = 0;
        activity.attempt.identity = String::new();
        if activity.cancel_requested_event_id.is_some() {
            // What does not run ends at once when it is cancelled.
            self.write_canceled(turn, scheduled_event_id, None, String::new());
        } else {
            turn.effects.push(Effect::ActivityChanged { scheduled_event_id });
        }
        true
    }

    /// The activity that somebody speaks of. `waiting_too`: also if no attempt of it runs.
    fn addressed(&mut self, which: &Which, waiting_too: bool) -> Result<&mut Activity, NotTaken> {
        if !self.is_open() {
            return Err(NotTaken::Closed);
        }
        let activity = match which {
            Which::Token {
                scheduled_event_id,
                number,
                nonce,
            } => self
                .activities
                .get_mut(scheduled_event_id)
                .filter(|activity| activity.attempt.number == *number && activity.attempt.nonce == *nonce)
                .ok_or(NotTaken::NotRunning)?,
            Which::ActivityId(id) => self
                .activities
                .values_mut()
                .find(|activity| activity.attributes.activity_id == *id)
                .ok_or_else(|| NotTaken::NoSuchActivity(id.clone()))?,
        };
        if activity.attempt.started_ns.is_none() && !waiting_too {
            return Err(NotTaken::NotRunning);
        }
        Ok(activity)
    }
}
