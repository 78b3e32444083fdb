//! Activities: the only place for input and output.
//!
//! ```
//! use longhaul_sdk::activities::{ActivityContext, ActivityError, activities};
//!
//! struct Mail;
//!
//! #[activities]
//! impl Mail {
//!     /// Send a mail.
//!     #[activity]
//!     async fn send(ctx: ActivityContext, to: String) -> Result<(), ActivityError> {
//!         ctx.record_heartbeat(format!("sending to {to}")).await?;
//!         Ok(())
//!     }
//! }
//! ```
//!
//! An attempt runs in an instance of its own, on a single-threaded tokio with timers. While it waits for nothing but [`sleep`]s,
//! [`timeout`]s, answers to its requests and its [cancellation](ActivityContext::cancelled) it does not run at all. Timers of tokio's own
//! and tasks that it spawns work, too; but while a request or the cancellation is waited for it has to look after them now and then, and
//! such a timer may be late, by up to a sixteenth of the time for which nothing else has happened.

mod attempt;
mod timers;
mod waits;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use futures_util::future::{BoxFuture, LocalBoxFuture};
use wasip2::io::poll::Pollable;

use crate::bindings::activities::exports::longhaul::workflow::activity_definition::ExecuteError;
use crate::bindings::activities::longhaul::workflow::activity_context as wit;
use crate::context::time;
use crate::data_converters::{
    DecodablePayloads, Payload, PayloadConversionError, RawValue, TemporalDeserializable,
    TemporalSerializable, encode, encode_all,
};
use crate::definitions::{ArgumentError, Arguments};
use crate::error::{ApplicationFailure, FailurePayloads};
use crate::failure::Failure;
use crate::log::LogLevel;
use crate::retry_policy::RetryPolicy;

#[doc(inline)]
pub use longhaul_sdk_macros::{activities, activity, activity_definitions};
pub use timers::{Elapsed, sleep, timeout};

pub(crate) use attempt::attempt;
#[cfg(feature = "http")]
pub(crate) use waits::wait;

/// How an activity ends without a result.
#[derive(Debug)]
#[non_exhaustive]
pub enum ActivityError {
    /// It failed. The retry policy decides whether there is another attempt.
    Application(Box<ApplicationFailure>),
    /// It stopped because it was cancelled.
    Cancelled {
        /// Details for the workflow.
        details: Option<FailurePayloads>,
    },
    /// Somebody else will complete it, by its task token or its id.
    WillCompleteAsync,
}

impl ActivityError {
    /// Cancelled, without details.
    pub fn cancelled() -> Self {
        Self::Cancelled { details: None }
    }

    /// Cancelled, with details.
    pub fn cancelled_with_details<T: Into<FailurePayloads>>(details: T) -> Self {
        Self::Cancelled {
            details: Some(details.into()),
        }
    }

    /// Failed.
    pub fn application(error: ApplicationFailure) -> Self {
        Self::Application(Box::new(error))
    }
}

impl<E: Into<anyhow::Error>> From<E> for ActivityError {
    fn from(error: E) -> Self {
        match error.into().downcast::<ApplicationFailure>() {
            Ok(failure) => Self::application(failure),
            Err(error) => Self::application(ApplicationFailure::new(error)),
        }
    }
}

/// Why an attempt should stop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CancellationReason {
    /// The workflow asked for it.
    Cancelled,
    /// The workflow, or the activity, is no more.
    NotFound,
    /// A limit has passed.
    TimedOut,
    /// The server stops.
    Shutdown,
}

/// What an attempt knows of itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ActivityInfo {
    /// Names this attempt; whoever has it can complete the activity.
    pub task_token: Vec<u8>,
    /// The type of the workflow that runs the activity.
    pub workflow_type: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// The id of the workflow that runs the activity.
    pub workflow_id: Option<String>,
    /// The run that runs the activity.
    pub workflow_run_id: Option<String>,
    /// The activity's id.
    pub activity_id: String,
    /// The activity's type.
    pub activity_type: String,
    /// The queue that it came from.
    pub task_queue: String,
    /// Limit between two heartbeats.
    pub heartbeat_timeout: Option<Duration>,
    /// When the activity was scheduled.
    pub scheduled_time: Option<SystemTime>,
    /// When this attempt started.
    pub started_time: Option<SystemTime>,
    /// When the attempt has to end.
    pub deadline: Option<SystemTime>,
    /// From 1.
    pub attempt: u32,
    /// When this attempt was scheduled.
    pub current_attempt_scheduled_time: Option<SystemTime>,
    /// How the activity is retried.
    pub retry_policy: Option<RetryPolicy>,
    /// Does it run inside a workflow task?
    pub is_local: bool,
}

impl ActivityInfo {
    fn new(info: &wit::ActivityInfo) -> Self {
        let started = time(info.started_time);
        let scheduled = time(info.scheduled_time);
        let limits = [
            info.start_to_close
                .map(|limit| started + Duration::from_nanos(limit)),
            info.schedule_to_close
                .map(|limit| scheduled + Duration::from_nanos(limit)),
        ];
        Self {
            task_token: info.task_token.clone(),
            workflow_type: Some(info.workflow_type.clone()),
            namespace: info.namespace.clone(),
            workflow_id: Some(info.workflow_id.clone()),
            workflow_run_id: Some(info.run_id.clone()),
            activity_id: info.activity_id.clone(),
            activity_type: info.activity_type.clone(),
            task_queue: info.task_queue.clone(),
            heartbeat_timeout: info.heartbeat.map(Duration::from_nanos),
            scheduled_time: Some(scheduled),
            started_time: Some(started),
            deadline: limits.into_iter().flatten().min(),
            attempt: info.attempt,
            current_attempt_scheduled_time: Some(time(info.attempt_scheduled_time)),
            retry_policy: info.retry_policy.clone().map(Into::into),
            is_local: info.is_local,
        }
    }
}

/// What the last heartbeat of an earlier attempt said.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ActivityHeartbeatDetails(DecodablePayloads);

impl ActivityHeartbeatDetails {
    /// Read it; none if there was no heartbeat.
    ///
    /// # Errors
    /// If it is not of this type.
    pub fn deserialize<T: TemporalDeserializable + 'static>(
        &self,
    ) -> Result<Option<T>, PayloadConversionError> {
        if self.0.raw().is_empty() {
            Ok(None)
        } else {
            self.0.deserialize().map(Some)
        }
    }

    /// It, unread.
    pub fn raw(&self) -> &[Payload] {
        self.0.raw()
    }

    /// It, unread.
    pub fn into_raw(self) -> RawValue {
        self.0.into_raw()
    }
}

/// The import `activity-context`.
pub(crate) trait ActivityHost: Send + Sync {
    fn info(&self) -> wit::ActivityInfo;
    fn heartbeat(&self, details: &[Payload]);
    fn cancellation(&self) -> Option<CancellationReason>;
    /// Ends when there is a reason to stop.
    fn cancelled(&self) -> BoxFuture<'static, ()>;
}

#[derive(Default)]
struct Imports {
    /// One handle for all who wait: the host counts handles.
    cancelled: OnceLock<Arc<Pollable>>,
}

/// The host of a component.
pub(crate) fn imports() -> impl ActivityHost + use<> {
    crate::log::use_activity(|level, message| wit::log(level, message, &[]));
    Imports::default()
}

impl ActivityHost for Imports {
    fn info(&self) -> wit::ActivityInfo {
        wit::info()
    }

    fn heartbeat(&self, details: &[Payload]) {
        wit::heartbeat(details);
    }

    fn cancellation(&self) -> Option<CancellationReason> {
        wit::cancellation().map(|reason| match reason {
            wit::CancellationReason::Cancelled => CancellationReason::Cancelled,
            wit::CancellationReason::NotFound => CancellationReason::NotFound,
            wit::CancellationReason::TimedOut => CancellationReason::TimedOut,
            wit::CancellationReason::Shutdown => CancellationReason::Shutdown,
        })
    }

    fn cancelled(&self) -> BoxFuture<'static, ()> {
        let pollable = self
            .cancelled
            .get_or_init(|| Arc::new(wit::subscribe_cancellation()));
        Box::pin(waits::wait(pollable.clone()))
    }
}

/// What an activity may do and know.
#[derive(Clone)]
pub struct ActivityContext {
    host: Arc<dyn ActivityHost>,
    info: Arc<ActivityInfo>,
    heartbeat_details: Arc<ActivityHeartbeatDetails>,
    headers: Arc<HashMap<String, Payload>>,
}

impl ActivityContext {
    pub(crate) fn new(host: Arc<dyn ActivityHost>) -> Self {
        let info = host.info();
        Self {
            host,
            heartbeat_details: Arc::new(ActivityHeartbeatDetails(DecodablePayloads::new(
                info.heartbeat_details.clone(),
            ))),
            headers: Arc::new(info.header.iter().cloned().collect()),
            info: Arc::new(ActivityInfo::new(&info)),
        }
    }

    /// About this attempt.
    pub fn info(&self) -> &ActivityInfo {
        &self.info
    }

    /// Values that came with the activity beside its arguments.
    pub fn headers(&self) -> &HashMap<String, Payload> {
        &self.headers
    }

    /// What the last heartbeat of an earlier attempt said.
    pub fn heartbeat_details(&self) -> &ActivityHeartbeatDetails {
        &self.heartbeat_details
    }

    /// Tell that the attempt is alive and how far it has come.
    ///
    /// # Errors
    /// If the details cannot be written.
    #[expect(clippy::unused_async, reason = "as in Temporal's SDK")]
    pub async fn record_heartbeat<T: TemporalSerializable + 'static>(
        &self,
        details: T,
    ) -> Result<(), PayloadConversionError> {
        let details = encode_all(&details)?;
        self.host.heartbeat(&details);
        Ok(())
    }

    /// Should the attempt stop?
    pub fn is_cancelled(&self) -> bool {
        self.cancellation_reason().is_some()
    }

    /// Should the attempt stop, and why?
    pub fn cancellation_reason(&self) -> Option<CancellationReason> {
        self.host.cancellation()
    }

    /// Wait until the attempt should stop. Whoever waits is woken then, and does not run before.
    pub async fn cancelled(&self) {
        if !self.is_cancelled() {
            self.host.cancelled().await;
        }
    }

    /// Write a log line.
    pub fn log(&self, level: LogLevel, message: &str) {
        crate::log::write(level, format_args!("{message}"));
    }
}

/// An attempt that runs.
pub type ActivityCall = LocalBoxFuture<'static, Result<Payload, ActivityError>>;

type Call = Box<dyn Fn(ActivityContext, &Arguments) -> Result<ActivityCall, ArgumentError>>;

struct Entry {
    description: &'static str,
    call: Call,
}

/// The activities of a component, by their types.
#[derive(Default)]
pub struct ActivityDefinitions {
    entries: BTreeMap<&'static str, Entry>,
}

impl std::fmt::Debug for ActivityDefinitions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

impl ActivityDefinitions {
    /// Add the activities of a type.
    #[must_use]
    pub fn with<A: ActivityImplementer>(mut self) -> Self {
        A::register_all(&mut self);
        self
    }

    /// Add an activity. The macro `#[activities]` calls this.
    ///
    /// # Panics
    /// If there is one of this type: a component can have only one.
    pub fn add(
        &mut self,
        name: &'static str,
        description: &'static str,
        call: impl Fn(ActivityContext, &Arguments) -> Result<ActivityCall, ArgumentError> + 'static,
    ) {
        let entry = Entry {
            description,
            call: Box::new(call),
        };
        assert!(
            self.entries.insert(name, entry).is_none(),
            "two activities have the type `{name}`"
        );
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.entries
            .iter()
            .map(|(name, entry)| (*name, entry.description))
    }
}

/// A type with activities. `#[activities]` implements it.
pub trait ActivityImplementer {
    /// Add every activity of the type.
    fn register_all(definitions: &mut ActivityDefinitions);
}

/// The payload of an activity's result.
///
/// # Errors
/// If it cannot be written.
pub fn encode_result<T: TemporalSerializable + 'static>(result: &T) -> Result<Payload, ActivityError> {
    encode(result).map_err(|error| ActivityError::application(ApplicationFailure::non_retryable(error)))
}

/// Run one attempt.
pub(crate) fn run(
    definitions: &ActivityDefinitions,
    activity_type: &str,
    context: ActivityContext,
    input: Vec<Payload>,
) -> impl Future<Output = Result<Vec<Payload>, ExecuteError>> + use<> {
    let call = match definitions.entries.get(activity_type) {
        None => {
            let known: Vec<&str> = definitions.entries.keys().copied().collect();
            let message = format!(
                "Activity function '{activity_type}' is not defined by this component. It defines: [{}]",
                known.join(" ")
            );
            Err(failed("NotFoundError", message))
        }
        Some(entry) => (entry.call)(context, &Arguments::new(input))
            .map_err(|error| failed("InvalidArgument", format!("Activity '{activity_type}': {error}"))),
    };
    async move {
        match call?.await {
            Ok(output) => Ok(vec![output]),
            Err(ActivityError::Application(error)) => {
                Err(ExecuteError::Failed(error.to_failure().into_wit()))
            }
            Err(ActivityError::Cancelled { details }) => Err(ExecuteError::Cancelled(
                details.map(|details| details.to_wit()).unwrap_or_default(),
            )),
            Err(ActivityError::WillCompleteAsync) => Err(ExecuteError::WillCompleteAsync),
        }
    }
}

fn failed(type_name: &str, message: String) -> ExecuteError {
    ExecuteError::Failed(Failure::application(type_name, message).into_wit())
}
