//! What an attempt knows and may do.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use longhaul_history::proto::common::v1::Payloads;
use longhaul_sandbox::{ActivityHost, ActivityInfo};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;

use super::Error;
use crate::guest;

/// Why an attempt should stop.
pub use longhaul_sandbox::CancellationReason;

/// Whether, and why, an attempt should stop.
pub(crate) type Cancellation = watch::Receiver<Option<CancellationReason>>;

/// What an attempt knows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// Names this attempt; whoever has it can complete the activity.
    pub task_token: Vec<u8>,
    /// The namespace.
    pub namespace: String,
    /// The workflow that runs the activity.
    pub workflow_id: String,
    /// Its run.
    pub run_id: String,
    /// Its type.
    pub workflow_type: String,
    /// The activity's id.
    pub activity_id: String,
    /// The activity's type.
    pub activity_type: String,
    /// The queue that it came from.
    pub task_queue: String,
    /// From 1.
    pub attempt: u32,
    /// It runs inside a workflow task: its heartbeats tell nobody anything, and it cannot be completed from elsewhere.
    pub is_local: bool,
    /// When the activity was scheduled.
    pub scheduled_time: SystemTime,
    /// When this attempt started.
    pub started_time: SystemTime,
    /// Limit of the activity with all its attempts.
    pub schedule_to_close_timeout: Option<Duration>,
    /// Limit of this attempt.
    pub start_to_close_timeout: Option<Duration>,
    /// Limit between two heartbeats.
    pub heartbeat_timeout: Option<Duration>,
}

/// What an attempt knows and may do. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    info: Arc<Info>,
    details: Arc<Payloads>,
    host: Arc<dyn ActivityHost>,
    cancellation: Cancellation,
}

impl Context {
    pub(super) fn new(info: &ActivityInfo, host: Arc<dyn ActivityHost>, cancellation: Cancellation) -> Self {
        let time = |ns: u64| SystemTime::UNIX_EPOCH + Duration::from_nanos(ns);
        let limit = |ns: Option<u64>| ns.map(Duration::from_nanos);
        Self {
            info: Arc::new(Info {
                task_token: info.task_token.clone(),
                namespace: info.namespace.clone(),
                workflow_id: info.workflow_id.clone(),
                run_id: info.run_id.clone(),
                workflow_type: info.workflow_type.clone(),
                activity_id: info.activity_id.clone(),
                activity_type: info.activity_type.clone(),
                task_queue: info.task_queue.clone(),
                attempt: info.attempt,
                is_local: info.is_local,
                scheduled_time: time(info.scheduled_time),
                started_time: time(info.started_time),
                schedule_to_close_timeout: limit(info.schedule_to_close),
                start_to_close_timeout: limit(info.start_to_close),
                heartbeat_timeout: limit(info.heartbeat),
            }),
            details: Arc::new(guest::payloads_out(info.heartbeat_details.clone())),
            host,
            cancellation,
        }
    }

    /// About this attempt.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// What the last heartbeat of an earlier attempt said.
    pub fn heartbeat_details(&self) -> &Payloads {
        &self.details
    }

    /// What the last heartbeat of an earlier attempt said, from JSON; none if there was none.
    ///
    /// # Errors
    ///
    /// It is of another type.
    pub fn heartbeat_details_json<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        let first = self.details.payloads.first();
        first
            .map(|payload| serde_json::from_slice(&payload.data))
            .transpose()
    }

    /// Tell that the attempt is alive and how far it has come. The next attempt sees the last of these, also after a restart.
    pub fn heartbeat(&self, details: Payloads) {
        self.host.heartbeat(guest::payloads_in(Some(&details)));
    }

    /// [`Context::heartbeat`] with a value as JSON.
    ///
    /// # Errors
    ///
    /// The value cannot be written.
    pub fn heartbeat_json(&self, details: &impl Serialize) -> Result<(), Error> {
        let payloads = vec![super::encode(details)?];
        self.heartbeat(Payloads { payloads });
        Ok(())
    }

    /// Should the attempt stop, and why?
    pub fn cancellation(&self) -> Option<CancellationReason> {
        *self.cancellation.borrow()
    }

    /// Wait until the attempt should stop.
    pub async fn cancelled(&self) -> CancellationReason {
        let mut cancellation = self.cancellation.clone();
        match cancellation.wait_for(Option::is_some).await {
            Ok(reason) => reason.unwrap_or(CancellationReason::NotFound),
            // Nobody can ask any more: nobody waits for the attempt either.
            Err(_) => CancellationReason::NotFound,
        }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}
