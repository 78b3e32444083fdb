//! Attempts of activities.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, pending, ready};

use super::host::json;
use crate::activities::{
    ActivityContext, ActivityDefinitions, ActivityError, ActivityHost, CancellationReason, sleep, timeout,
};
use crate::bindings::activities::exports::longhaul::workflow::activity_definition::ExecuteError;
use crate::bindings::activities::longhaul::workflow::activity_context::ActivityInfo;
use crate::data_converters::MultiArgs2;
use crate::error::IncomingError;
use crate::failure::{Failure, FailureInfo};
use crate::host::Payload;
use crate::{ApplicationFailure, activities};

#[derive(Default)]
struct FakeHost {
    heartbeats: Mutex<Vec<Payload>>,
    cancelled: bool,
}

impl ActivityHost for FakeHost {
    fn info(&self) -> ActivityInfo {
        ActivityInfo {
            task_token: vec![1],
            namespace: "default".to_owned(),
            workflow_id: "w".to_owned(),
            run_id: "r".to_owned(),
            workflow_type: "W".to_owned(),
            activity_id: "1".to_owned(),
            activity_type: "any".to_owned(),
            task_queue: "q".to_owned(),
            attempt: 2,
            is_local: false,
            header: Vec::new(),
            heartbeat_details: vec![json("3")],
            scheduled_time: 0,
            attempt_scheduled_time: 0,
            started_time: 5_000_000_000,
            schedule_to_close: Some(60_000_000_000),
            start_to_close: Some(10_000_000_000),
            heartbeat: None,
            retry_policy: None,
        }
    }

    fn heartbeat(&self, details: &[Payload]) {
        self.heartbeats.lock().unwrap().extend_from_slice(details);
    }

    fn cancellation(&self) -> Option<CancellationReason> {
        self.cancelled.then_some(CancellationReason::Cancelled)
    }

    fn cancelled(&self) -> BoxFuture<'static, ()> {
        if self.cancelled {
            Box::pin(ready(()))
        } else {
            Box::pin(pending())
        }
    }
}

/// An activity type with a state of its own.
#[derive(Default)]
struct Mail {
    prefix: &'static str,
}

#[activities]
impl Mail {
    /// Send.
    #[activity]
    async fn send(
        self: Arc<Self>,
        ctx: ActivityContext,
        to: String,
        n: u32,
    ) -> Result<String, ActivityError> {
        let done: u32 = ctx.heartbeat_details().deserialize()?.unwrap_or_default();
        ctx.record_heartbeat(done + n).await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(format!(
            "{}{to} {} {:?}",
            self.prefix,
            ctx.info().attempt,
            ctx.info().deadline.map(|_| "limited")
        ))
    }

    #[activity(name = "refuse")]
    fn refuse(_: ActivityContext) -> Result<(), ActivityError> {
        let failure = ApplicationFailure::builder("no")
            .type_name("Refused".to_owned())
            .non_retryable(true)
            .build();
        Err(failure.into())
    }

    #[activity(name = "explain")]
    fn explain(_: ActivityContext, declared: bool) -> Result<(), ActivityError> {
        let cause = ApplicationFailure::builder("dry")
            .type_name("Drought".to_owned())
            .details(MultiArgs2("river".to_owned(), 3))
            .build();
        if declared {
            let failure =
                ApplicationFailure::builder("no water").cause(Box::new(IncomingError::Application(cause)));
            return Err(failure.build().into());
        }
        Err(Wrapped(cause).into())
    }

    #[activity(name = "stop")]
    async fn stop(ctx: ActivityContext) -> Result<(), ActivityError> {
        ctx.cancelled().await;
        Err(ActivityError::cancelled_with_details("half way".to_owned()))
    }

    #[activity(name = "later")]
    async fn later(_: ActivityContext) -> Result<(), ActivityError> {
        Err(ActivityError::WillCompleteAsync)
    }
}

/// An error of the guest's own with a declared failure behind it.
#[derive(Debug, thiserror::Error)]
#[error("no water")]
struct Wrapped(#[source] ApplicationFailure);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

fn run(host: &Arc<FakeHost>, name: &str, input: &[&str]) -> Result<Vec<Payload>, ExecuteError> {
    let input = input.iter().map(|value| json(value)).collect();
    let definitions = ActivityDefinitions::default().with::<Mail>();
    runtime().block_on(activities::run(
        &definitions,
        name,
        ActivityContext::new(host.clone()),
        input,
    ))
}

fn failure(result: Result<Vec<Payload>, ExecuteError>) -> Failure {
    match result {
        Err(ExecuteError::Failed(chain)) => Failure::from_wit(chain),
        other => panic!("{other:?}"),
    }
}

// A3
#[test]
fn an_attempt_sees_the_last_heartbeat_and_sends_its_own() {
    let host = Arc::new(FakeHost::default());
    let output = run(&host, "Mail::send", &["\"you\"", "4"]).unwrap();
    assert_eq!(output, [json("\"you 2 Some(\\\"limited\\\")\"")]);
    assert_eq!(*host.heartbeats.lock().unwrap(), [json("7")]);
}

#[test]
fn an_attempt_fails_stops_or_is_left_to_others() {
    let host = Arc::new(FakeHost {
        cancelled: true,
        ..FakeHost::default()
    });
    let refused = failure(run(&host, "refuse", &[]));
    let FailureInfo::Application(info) = &*refused.info else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (refused.message.as_str(), info.type_.as_str(), info.non_retryable),
        ("no", "Refused", true)
    );
    assert_eq!(
        run(&host, "stop", &[]),
        Err(ExecuteError::Cancelled(vec![json("\"half way\"")]))
    );
    assert_eq!(run(&host, "later", &[]), Err(ExecuteError::WillCompleteAsync));
}

#[test]
fn a_cause_that_is_declared_here_is_told_whole() {
    let host = Arc::new(FakeHost::default());
    for declared in ["true", "false"] {
        let failure = failure(run(&host, "explain", &[declared]));
        assert_eq!(failure.to_string(), "no water: dry");
        let cause = failure.cause.unwrap();
        let FailureInfo::Application(info) = &*cause.info else {
            panic!("{cause:?}")
        };
        assert_eq!(info.type_, "Drought");
        assert_eq!(info.details, [json("\"river\""), json("3")]);
        assert_eq!(cause.cause, None);
    }
}

#[test]
fn an_unknown_activity_and_a_bad_argument_are_named() {
    let host = Arc::new(FakeHost::default());
    let unknown = failure(run(&host, "nope", &[])).message;
    assert_eq!(
        unknown,
        "Activity function 'nope' is not defined by this component. It defines: [Mail::send explain later refuse stop]"
    );
    let bad = failure(run(&host, "Mail::send", &["\"you\"", "\"four\""])).message;
    assert!(
        bad.starts_with("Activity 'Mail::send': argument 2 does not decode: invalid type: string"),
        "{bad}"
    );
}

#[test]
fn a_future_is_waited_for_within_its_time() {
    let mut sent = Arc::new(());
    let waiting = {
        let sent = sent.clone();
        async move {
            sleep(Duration::from_secs(600)).await;
            drop(sent);
        }
    };
    let (late, done) = runtime().block_on(async {
        (
            timeout(Duration::from_millis(1), waiting).await,
            timeout(Duration::from_secs(600), sleep(Duration::from_millis(1))).await,
        )
    });
    assert_eq!(late.unwrap_err().to_string(), "it took longer than 1ms");
    assert_eq!(done, Ok(()));
    // Whoever is given up is dropped.
    assert!(Arc::get_mut(&mut sent).is_some());
}
