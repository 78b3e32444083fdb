//! A test subject: activities that are slow, silent or curious, and a workflow that runs one of them.

mod reach;

use std::future::poll_fn;
use std::io::Write as _;
use std::net::TcpStream;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{
    ActivityCancellationType, ActivityDefinition, ActivityExecutionError, ActivityOptions,
    ApplicationFailure, RetryPolicy, SyncWorkflowContext, WorkflowCancellationToken, WorkflowContext,
    WorkflowContextView, WorkflowResult, activities, workflow, workflow_methods,
};
use serde::{Deserialize, Serialize};

/// Limit of one attempt.
const LIMIT: Duration = Duration::from_secs(600);
/// Between two heartbeats of an activity that beats.
const BEAT: Duration = Duration::from_millis(10);

struct Attempts;

#[activities]
impl Attempts {
    /// Beat until it should stop; then end as cancelled, with the reason as details.
    #[activity(name = "Beat")]
    async fn beat(ctx: ActivityContext, _: String) -> Result<String, ActivityError> {
        let reason = beat_until_cancelled(&ctx).await?;
        Err(ActivityError::cancelled_with_details(reason))
    }

    /// Beat until it should stop; then return as if nothing had been asked.
    #[activity(name = "Stubborn")]
    async fn stubborn(ctx: ActivityContext, _: String) -> Result<String, ActivityError> {
        let reason = beat_until_cancelled(&ctx).await?;
        Ok(format!("finished though {reason}"))
    }

    /// Wait until it should stop, without a heartbeat; then end as cancelled, with the reason as details.
    #[activity(name = "Patient")]
    async fn patient(ctx: ActivityContext, _: String) -> Result<String, ActivityError> {
        ctx.cancelled().await;
        let reason = ctx.cancellation_reason();
        Err(ActivityError::cancelled_with_details(
            reason.map_or_else(String::new, |reason| format!("{reason:?}")),
        ))
    }

    /// As many futures as the argument says wait until it should stop; then end as cancelled, with how many were woken as details.
    #[activity(name = "Crowd")]
    async fn crowd(ctx: ActivityContext, count: String) -> Result<String, ActivityError> {
        let mut waiting: FuturesUnordered<_> = (0..count.parse::<u32>()?).map(|_| ctx.cancelled()).collect();
        let mut woken = 0_u32;
        while waiting.next().await.is_some() {
            woken += 1;
        }
        Err(ActivityError::cancelled_with_details(woken.to_string()))
    }

    /// Beat once with the argument and never return; from the second attempt on, return what that heartbeat said.
    #[activity(name = "Silent")]
    async fn silent(ctx: ActivityContext, details: String) -> Result<String, ActivityError> {
        if let Some(earlier) = earlier(&ctx)? {
            return Ok(earlier);
        }
        ctx.record_heartbeat(details).await?;
        never_return().await
    }

    /// Beat twice, the second time with the argument, and never return.
    #[activity(name = "Twice")]
    async fn twice(ctx: ActivityContext, details: String) -> Result<String, ActivityError> {
        ctx.record_heartbeat("first".to_owned()).await?;
        ctx.record_heartbeat(details).await?;
        never_return().await
    }

    /// As many heartbeats as the argument says, one right after the other, and then a failure; from the second attempt on, return
    /// what the last of them said.
    #[activity(name = "Chatty")]
    async fn chatty(ctx: ActivityContext, count: String) -> Result<String, ActivityError> {
        if let Some(earlier) = earlier(&ctx)? {
            return Ok(earlier);
        }
        for number in 1..=count.parse::<u32>()? {
            ctx.record_heartbeat(number.to_string()).await?;
        }
        Err(ApplicationFailure::new("out of breath").into())
    }

    /// Connect to the argument, write a line, and beat until it should stop; then write the reason and end as cancelled.
    #[activity(name = "Hold")]
    async fn hold(ctx: ActivityContext, address: String) -> Result<String, ActivityError> {
        let mut peer = TcpStream::connect(&address)?;
        writeln!(peer, "attempt {}", ctx.info().attempt)?;
        let reason = beat_until_cancelled(&ctx).await?;
        writeln!(peer, "{reason}")?;
        Err(ActivityError::cancelled_with_details(reason))
    }

    /// Leave the end to somebody else, who finds the task token, in hexadecimal, in the details of the heartbeat.
    #[activity(name = "Later")]
    async fn later(ctx: ActivityContext, _: String) -> Result<String, ActivityError> {
        let token: String = ctx
            .info()
            .task_token
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        ctx.record_heartbeat(token).await?;
        Err(ActivityError::WillCompleteAsync)
    }

    /// Reach for the machine, with one of the verbs in `reach.rs`, until it should stop. What is not there fails at once.
    #[activity(name = "Reach")]
    async fn reach(ctx: ActivityContext, what: String) -> Result<String, ActivityError> {
        let (mut reaching, mut cancelled) = (pin!(reach::reach(&what)), pin!(ctx.cancelled()));
        let reached = poll_fn(|cx| match reaching.as_mut().poll(cx) {
            Poll::Ready(reached) => Poll::Ready(Some(reached)),
            Poll::Pending => cancelled.as_mut().poll(cx).map(|()| None),
        });
        let reached = reached.await.ok_or_else(ActivityError::cancelled)?;
        reached.map_err(refused)
    }

    /// The same without ever asking whether it should stop: it does nothing but to reach.
    #[activity(name = "ReachOn")]
    async fn reach_on(_: ActivityContext, what: String) -> Result<String, ActivityError> {
        reach::reach(&what).await.map_err(refused)
    }

    /// Ask for the argument until it should stop; then end as cancelled, with the reason as details.
    #[activity(name = "Ask")]
    async fn ask(ctx: ActivityContext, url: String) -> Result<String, ActivityError> {
        match select(pin!(reach::get(&url)), pin!(ctx.cancelled())).await {
            Either::Left((told, _)) => Ok(told?),
            Either::Right(((), _)) => {
                let reason = format!("{:?}", ctx.cancellation_reason());
                Err(ActivityError::cancelled_with_details(reason))
            }
        }
    }

    /// Use up what there is: `memory`, `time`, `fuel`, `handles FILE`, `sockets ADDRESS` or `response URL`. Nothing ends it but a limit.
    #[activity(name = "Exhaust")]
    async fn exhaust(_: ActivityContext, what: String) -> Result<String, ActivityError> {
        Ok(reach::exhaust(&what).await?)
    }
}

/// There is no use in another attempt.
fn refused(error: std::io::Error) -> ActivityError {
    let failure = ApplicationFailure::builder(error)
        .type_name("Refused".to_owned())
        .non_retryable(true)
        .build();
    ActivityError::application(failure)
}

/// The details of an earlier attempt's last heartbeat.
fn earlier(ctx: &ActivityContext) -> Result<Option<String>, ActivityError> {
    Ok(ctx.heartbeat_details().deserialize()?)
}

/// Longer than anybody waits. A future that nothing can wake would end the attempt: its thread has nothing else to do.
async fn never_return() -> Result<String, ActivityError> {
    tokio::time::sleep(LIMIT).await;
    Err(ApplicationFailure::new("nobody has given this attempt up").into())
}

/// Why it should stop.
async fn beat_until_cancelled(ctx: &ActivityContext) -> Result<String, ActivityError> {
    loop {
        if let Some(reason) = ctx.cancellation_reason() {
            return Ok(format!("{reason:?}"));
        }
        ctx.record_heartbeat(format!("attempt {}", ctx.info().attempt))
            .await?;
        tokio::time::sleep(BEAT).await;
    }
}

/// An activity by its name.
struct Named(String);

impl ActivityDefinition for Named {
    type Input = String;
    type Output = String;

    fn name(&self) -> &str {
        &self.0
    }
}

/// What a `Trial` does.
#[derive(Clone, Deserialize, Serialize)]
struct Plan {
    /// The activity's type.
    activity: String,
    /// Its argument.
    #[serde(default)]
    argument: String,
    /// `try`, which is the default, `wait` or `abandon`.
    #[serde(default)]
    cancellation: String,
    /// Limit between two heartbeats, in milliseconds.
    heartbeat_ms: Option<u64>,
    /// Attempts of the activity; none: without end.
    #[serde(default)]
    attempts: u32,
    /// Wait for the signal `finish` at the end.
    #[serde(default)]
    linger: bool,
}

/// Runs one activity and returns how it ended, in words.
#[workflow]
struct Trial {
    plan: Plan,
    token: WorkflowCancellationToken,
    outcome: Option<String>,
    finished: bool,
}

#[workflow_methods]
impl Trial {
    #[init]
    fn new(_: &WorkflowContextView, plan: Plan) -> Self {
        Self {
            plan,
            token: WorkflowCancellationToken::new(),
            outcome: None,
            finished: false,
        }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let token = ctx.cancellation_token().child_token();
        let plan = ctx.state_mut(|trial| {
            trial.token = token.clone();
            trial.plan.clone()
        });
        let cancellation = match plan.cancellation.as_str() {
            "wait" => ActivityCancellationType::WaitCancellationCompleted,
            "abandon" => ActivityCancellationType::Abandon,
            _ => ActivityCancellationType::TryCancel,
        };
        let options = ActivityOptions::with_start_to_close_timeout(LIMIT)
            .cancellation_type(cancellation)
            .cancellation_token(token)
            .retry_policy(RetryPolicy::builder().maximum_attempts(plan.attempts).build())
            .maybe_heartbeat_timeout(plan.heartbeat_ms.map(Duration::from_millis))
            .build();
        let ended = ctx
            .execute_activity(Named(plan.activity), plan.argument, options)
            .await;
        let outcome = in_words(ended);
        ctx.state_mut(|trial| trial.outcome = Some(outcome.clone()));
        if plan.linger {
            ctx.wait_condition(|trial| trial.finished).await?;
        }
        Ok(outcome)
    }

    /// Cancel the activity.
    #[signal]
    fn cancel(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.token.cancel();
    }

    /// Return, if it lingers.
    #[signal]
    fn finish(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.finished = true;
    }

    /// How the activity ended; nothing while it has not.
    #[query]
    fn outcome(&self, _: &WorkflowContextView) -> Option<String> {
        self.outcome.clone()
    }
}

fn in_words(ended: Result<String, ActivityExecutionError>) -> String {
    let error = match ended {
        Ok(text) => return text,
        Err(error) => error,
    };
    if let Some(cancelled) = error.as_cancelled() {
        let details = cancelled.details::<String>().ok().flatten();
        return format!("cancelled with {}", details.as_deref().unwrap_or("nothing"));
    }
    if let Some(timeout) = error.as_timeout() {
        return format!("timed out: {:?}", timeout.timeout_type());
    }
    error
        .reason()
        .map_or_else(|| error.to_string(), |reason| format!("failed: {reason}"))
}

longhaul_sdk::export!(Trial);
longhaul_sdk::export_activities!(Attempts);
