//! Activities in Rust, in the process that embeds the runtime.
//!
//! ```no_run
//! use longhaul_runtime::{Runtime, activities::{self, Context, Error}};
//!
//! # async fn register(runtime: Runtime) -> Result<(), longhaul_runtime::Error> {
//! runtime.register_activity(
//!     "orders",
//!     "Charge",
//!     activities::json(async |context: Context, cents: u64| {
//!         context.heartbeat_json(&"asking the bank")?;
//!         if cents == 0 {
//!             return Err(Error::failed("nothing to charge", "EmptyCharge").non_retryable());
//!         }
//!         Ok(format!("charged {cents} cents"))
//!     }),
//! )
//! # }
//! ```
//!
//! An attempt runs as a task on threads that serve nothing but attempts ([`Options::activity_threads`](crate::Options)): it waits with
//! `await` and blocks no thread. It has all of the process's rights;
//! what must not have them is a component. Attempts start, are retried, time out, heartbeat and are cancelled as those of components.

mod context;
mod error;
mod panic;
pub(crate) mod size;

use std::{pin::Pin, sync::Arc};

use longhaul_engine::execution::AttemptEnd;
use longhaul_history::{
    payload,
    proto::common::v1::{Payload, Payloads},
};
use longhaul_sandbox::{ActivityCall, Grants, LogLevel, LogLine, LogSink, LogSource};
use serde::{Serialize, de::DeserializeOwned};

pub use context::{CancellationReason, Context, Info};
pub use error::Error;

use crate::{
    Error as RequestError, Options, Runtime, guest,
    registry::{Native, Service, Version},
    shard::Notice,
};

/// An attempt that runs.
pub type Attempt = Pin<Box<dyn Future<Output = Result<Payloads, Error>> + Send>>;

/// The code of an activity. Closures from [`Context`] and payloads to a future are this; [`json`] makes one of a closure over Rust's
/// types.
pub trait Activity: Send + Sync + 'static {
    /// Begin an attempt.
    fn run(&self, context: Context, input: Payloads) -> Attempt;
}

impl<F, A> Activity for F
where
    F: Fn(Context, Payloads) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Payloads, Error>> + Send + 'static,
{
    fn run(&self, context: Context, input: Payloads) -> Attempt {
        Box::pin(self(context, input))
    }
}

/// An activity with one argument and a result, both as JSON. Without an argument, or with several, `I` is a tuple.
pub fn json<I, O, A>(run: impl Fn(Context, I) -> A + Send + Sync + 'static) -> impl Activity
where
    I: DeserializeOwned + Send + 'static,
    O: Serialize + Send + 'static,
    A: Future<Output = Result<O, Error>> + Send + 'static,
{
    let run = Arc::new(run);
    move |context: Context, input: Payloads| {
        let run = run.clone();
        async move {
            let input = argument(&input)?;
            let output = run(context, input).await?;
            Ok(Payloads {
                payloads: vec![encode(&output)?],
            })
        }
    }
}

/// One payload is a value, any other number an array of values.
fn argument<I: DeserializeOwned>(input: &Payloads) -> Result<I, Error> {
    let wrong = |error: serde_json::Error| {
        // It will be as wrong in the next attempt.
        Error::failed(format!("the arguments do not fit: {error}"), "InvalidArgument").non_retryable()
    };
    match input.payloads.as_slice() {
        [one] => serde_json::from_slice(&one.data).map_err(wrong),
        several => {
            let values: Result<Vec<serde_json::Value>, _> = several
                .iter()
                .map(|one| serde_json::from_slice(&one.data))
                .collect();
            let values = serde_json::Value::Array(values.map_err(wrong)?);
            serde_json::from_value(values).map_err(wrong)
        }
    }
}

fn encode(value: &impl Serialize) -> Result<Payload, Error> {
    payload::serialize(value)
        .map_err(|error| Error::failed(format!("the value cannot be written: {error}"), "InvalidResult"))
}

impl Runtime {
    /// Serve an activity type on a task queue of the namespace `default` with code of this process.
    ///
    /// It is served as long as the runtime runs; register it again after a restart. What waits for it starts at once.
    ///
    /// # Errors
    ///
    /// The type is served on this queue already, by a module or by earlier code; or a name is not allowed.
    pub fn register_activity(
        &self,
        task_queue: &str,
        activity_type: &str,
        activity: impl Activity,
    ) -> Result<(), RequestError> {
        self.register_activity_in("default", task_queue, activity_type, activity)
    }

    /// [`Runtime::register_activity`] in another namespace.
    ///
    /// # Errors
    ///
    /// As there; or there is no such namespace.
    pub fn register_activity_in(
        &self,
        namespace: &str,
        task_queue: &str,
        activity_type: &str,
        activity: impl Activity,
    ) -> Result<(), RequestError> {
        let core = &self.inner.core;
        let namespace = self.namespace_id(namespace)?;
        let limits = &core.options.limits.history;
        limits.check_id("task queue", task_queue)?;
        limits.check_id("activity type", activity_type)?;
        // An upload looks for owners and becomes one under this lock.
        let turn = core
            .uploads
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let owner = core.registry.activity_owner(namespace, task_queue, activity_type);
        if let Some(owner) = owner {
            return Err(RequestError::FailedPrecondition(format!(
                "activity type {activity_type:?} on queue {task_queue:?} belongs to {owner}; register it under another name or queue"
            )));
        }
        core.registry
            .insert_native(namespace, task_queue, activity_type, Arc::new(activity));
        drop(turn);
        let service: Service = (namespace, task_queue.to_owned(), activity_type.to_owned());
        let services: Arc<[Service]> = [service].into();
        core.tell_all(|| Notice::ModulesChanged(services.clone()));
        Ok(())
    }
}

/// Who serves an activity in this process.
#[derive(Clone)]
pub(crate) enum Server {
    /// An uploaded module.
    Module(Arc<Version>),
    /// The code that embeds the runtime.
    Native(Native),
}

impl Server {
    /// What an attempt may use: what the module's settings ask for, as long as the server allows that at all.
    pub(crate) fn grants(&self, options: &Options, logs: &dyn LogSink) -> Grants {
        let Self::Module(version) = self else {
            return Grants::default();
        };
        if options.allow_grants || !version.config.asks_for_grants() {
            return version.config.grants.clone();
        }
        // It was uploaded when the server did.
        logs.log(LogLine {
            level: LogLevel::Warn,
            source: LogSource::Host,
            message: format!(
                "the settings of module {}@{} ask for [grants], and this server gives none: it was started without --allow-grants",
                version.name, version.number
            ),
            fields: Vec::new(),
        });
        Grants::default()
    }
}

/// Run an attempt to its end, whatever that is.
pub(crate) async fn run(
    activity: &Native,
    call: ActivityCall,
    cancellation: context::Cancellation,
) -> AttemptEnd {
    let activity_type = call.info.activity_type.clone();
    let input = guest::payloads_out(call.input);
    let context = Context::new(&call.info, call.host, cancellation);
    // The code begins before its first `await`, and may panic there too.
    let attempt = async { activity.run(context, input).await };
    match panic::caught(attempt).await {
        Ok(Ok(result)) => AttemptEnd::Completed(result),
        Ok(Err(error)) => error.into_end(),
        Err(text) => Error::failed(
            format!("activity {activity_type:?} has panicked: {text}"),
            "ActivityPanic",
        )
        .into_end(),
    }
}
