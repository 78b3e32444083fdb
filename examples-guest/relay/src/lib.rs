//! A test subject: values and failures that pass through a workflow unread, and one that reads a failure.

use std::time::Duration;

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::data_converters::{MultiArgs2, MultiArgs3, Payload, RawValue};
use longhaul_sdk::error::{ApplicationErrorCategory, FailurePayloads, IncomingError};
use longhaul_sdk::{
    ActivityOptions, ApplicationFailure, RetryPolicy, UntypedActivity, WorkflowContext, WorkflowContextView,
    WorkflowResult, activities, workflow, workflow_methods,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Limit of one attempt.
const LIMIT: Duration = Duration::from_secs(60);
/// Longer than any test waits: a retry comes sooner only if the failure says so.
const RETRY_LATE: Duration = Duration::from_secs(3600);
/// When the first failure wants to be followed by another attempt.
const RETRY_SOON: Duration = Duration::from_millis(10);

struct Activities;

#[activities]
impl Activities {
    /// Give the arguments back, unread
    #[activity(name = "relay")]
    async fn relay(_: ActivityContext, values: RawValue) -> Result<RawValue, ActivityError> {
        Ok(values)
    }

    /// Fail twice: first with a wish for another attempt soon, then for good, with two causes behind it
    #[activity(name = "fail")]
    async fn fail(ctx: ActivityContext) -> Result<(), ActivityError> {
        if ctx.info().attempt == 1 {
            let soon = ApplicationFailure::builder("not yet")
                .type_name("NotYet".to_owned())
                .next_retry_delay(RETRY_SOON)
                .build();
            return Err(soon.into());
        }
        let root = ApplicationFailure::builder("the river is dry")
            .type_name("Drought".to_owned())
            .build();
        let pump = ApplicationFailure::builder("the pump stands still")
            .type_name("PumpStopped".to_owned())
            .details(details(MultiArgs2("north".to_owned(), 7)))
            .cause(Box::new(IncomingError::Application(root)))
            .build();
        let water = ApplicationFailure::builder("no water")
            .type_name("NoWater".to_owned())
            .non_retryable(true)
            .next_retry_delay(Duration::from_secs(7))
            .category(ApplicationErrorCategory::Benign)
            .details(details(MultiArgs3(
                json!({"floor": 3}),
                vec!["kitchen", "bath"],
                2.5,
            )))
            .cause(Box::new(IncomingError::Application(pump)))
            .build();
        Err(ActivityError::application(water))
    }
}

/// Several values, each a payload of its own.
fn details(values: impl Into<FailurePayloads>) -> FailurePayloads {
    values.into()
}

fn options() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(LIMIT)
        .retry_policy(RetryPolicy::builder().initial_interval(RETRY_LATE).build())
        .build()
}

/// Gives its arguments to the activity `relay`, and returns what that returns; nothing of it is read.
#[workflow]
#[derive(Default)]
struct Relay;

#[workflow_methods]
impl Relay {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, values: RawValue) -> WorkflowResult<RawValue> {
        Ok(ctx
            .execute_activity(UntypedActivity::new("relay"), values, options())
            .await?)
    }
}

/// A failure, as workflow code reads it.
#[derive(Clone, Deserialize, Serialize)]
struct Link {
    message: String,
    r#type: Option<String>,
    non_retryable: bool,
    next_retry_delay_ms: Option<u64>,
    benign: bool,
    /// Each a value of its own; as a text what is not JSON.
    details: Vec<Value>,
    source: String,
    has_stack_trace: bool,
    /// Message and stack trace are elsewhere, for those who can read them.
    encoded: bool,
}

impl Link {
    /// A failure and its causes, which are all declared by user code; the kind of one that is not.
    fn chain(error: Option<&IncomingError>) -> Result<Vec<Self>, String> {
        let mut chain = Vec::new();
        let mut next = error;
        while let Some(error) = next {
            let IncomingError::Application(failure) = error else {
                return Err(format!("{error:?}"));
            };
            chain.push(Self {
                message: failure.to_string(),
                r#type: failure.type_name().map(str::to_owned),
                non_retryable: failure.is_non_retryable(),
                next_retry_delay_ms: failure
                    .next_retry_delay()
                    .and_then(|delay| delay.as_millis().try_into().ok()),
                benign: failure.category() == ApplicationErrorCategory::Benign,
                details: failure
                    .raw_details()
                    .unwrap_or_default()
                    .iter()
                    .map(value)
                    .collect(),
                source: error.failure().source.clone(),
                has_stack_trace: !error.failure().stack_trace.is_empty(),
                encoded: error.failure().encoded_attributes.is_some(),
            });
            next = failure.cause();
        }
        Ok(chain)
    }
}

fn value(payload: &Payload) -> Value {
    serde_json::from_slice(&payload.data).unwrap_or_else(|_| {
        let encoding = payload.metadata.iter().find(|(key, _)| key == "encoding");
        encoding.map_or(Value::Null, |(_, name)| String::from_utf8_lossy(name).into())
    })
}

/// Runs the activity `fail`, remembers what it reads of the failure, and fails with it.
#[workflow]
struct Witness {
    seen: Vec<Link>,
}

#[workflow_methods]
impl Witness {
    #[init]
    fn new(_: &WorkflowContextView) -> Self {
        Self { seen: Vec::new() }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<RawValue> {
        let ended = ctx
            .execute_activity(UntypedActivity::new("fail"), RawValue::default(), options())
            .await;
        if let Err(error) = &ended {
            let seen = Link::chain(error.reason()).map_err(ApplicationFailure::non_retryable)?;
            ctx.state_mut(|witness| witness.seen = seen);
        }
        Ok(ended?)
    }

    /// The failure and its causes, outermost first
    #[query]
    fn seen(&self, _: &WorkflowContextView) -> Vec<Link> {
        self.seen.clone()
    }
}

longhaul_sdk::export!(Relay, Witness);
longhaul_sdk::export_activities!(Activities);
