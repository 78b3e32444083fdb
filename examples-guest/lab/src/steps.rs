//! What each step does, and what it writes to the log.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{FutureExt, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use longhaul_sdk::data_converters::RawValue;
use longhaul_sdk::error::StartChildWorkflowExecutionFailedCause;
use longhaul_sdk::workflows::select;
use longhaul_sdk::{
    ActivityCloseTimeouts, ActivityExecutionError, ActivityOptions, ApplicationFailure,
    ChildWorkflowExecutionError, ChildWorkflowOptions, ChildWorkflowStartError, ContinueAsNewOptions,
    LocalActivityOptions, MemoValue, ParentClosePolicy, RetryPolicy, SignalWorkflowOptions, TimerOptions,
    TimerResult, UntypedActivity, UntypedSignal, UntypedWorkflow, WaitConditionOptions,
    WorkflowCancellationToken, WorkflowContext, WorkflowResult, WorkflowTermination,
};
use serde_json::{Map, Value};

use crate::Lab;
use crate::program::{Call, Child, Policy, Program, QUEUE, Step};
use crate::text::{dump, say, say_cause};

/// Why steps end before their last one.
pub(crate) enum Stop {
    /// The workflow ends with this result.
    Return(Value),
    /// The workflow ends without one.
    Ended(WorkflowTermination),
}

impl<E> From<E> for Stop
where
    WorkflowTermination: From<E>,
{
    fn from(error: E) -> Self {
        Self::Ended(error.into())
    }
}

type Context = WorkflowContext<Lab>;
type Token = WorkflowCancellationToken;

fn log(ctx: &Context, line: impl Into<String>) {
    ctx.state_mut(|lab| lab.log.push(line.into()));
}

/// Runs steps one after the other; the token cancels what they start.
pub(crate) fn run_steps<'a>(
    ctx: &'a Context,
    token: &'a Token,
    steps: &'a [Step],
) -> LocalBoxFuture<'a, Result<(), Stop>> {
    async move {
        for step in steps {
            run_step(ctx, token, step).await?;
        }
        Ok(())
    }
    .boxed_local()
}

async fn run_step(ctx: &Context, token: &Token, step: &Step) -> Result<(), Stop> {
    match step {
        Step::Log { text } => log(ctx, text),
        Step::Sleep { ms } => sleep(ctx, token, *ms).await?,
        Step::Activity(call) => {
            let result = ctx.execute_activity(
                UntypedActivity::new(&call.r#type),
                arguments(&call.args)?,
                activity_options(call, token),
            );
            log_activity(ctx, call, result.await)?;
        }
        Step::LocalActivity(call) => {
            let result = ctx.execute_local_activity(
                UntypedActivity::new(&call.r#type),
                arguments(&call.args)?,
                local_activity_options(call, token),
            );
            log_activity(ctx, call, result.await)?;
        }
        Step::Wait { notes, timeout_ms } => wait(ctx, token, *notes, *timeout_ms).await?,
        Step::Parallel { branches } => {
            let mut running: FuturesUnordered<_> = branches
                .iter()
                .map(|branch| run_steps(ctx, token, branch))
                .collect();
            while let Some(result) = running.next().await {
                result?;
            }
        }
        Step::Race { branches } => race(ctx, token, branches).await?,
        Step::Child(child) => run_child(ctx, token, child).await?,
        Step::Signal { id, name, args } => signal(ctx, token, id, name, args).await?,
        Step::Cancel { id } => match ctx.external_workflow(id, None).cancel(None).await {
            Ok(()) => log(ctx, "cancel requested"),
            Err(error) => match error.reason() {
                Some(reason) => log(ctx, format!("cancel failed: {}", say(reason))),
                None => return Err(error.into()),
            },
        },
        Step::Continue { program, carry } => {
            let mut program: Program = program.clone();
            if *carry {
                program.carry(ctx.state(|lab| lab.log.clone()));
            }
            ctx.continue_as_new(program, ContinueAsNewOptions::default())?;
        }
        Step::Patch { id, then, r#else } => {
            let side = if ctx.patched(id) { then } else { r#else };
            run_steps(ctx, token, side).await?;
        }
        Step::SideEffect { value, bytes } => side_effect(ctx, value, *bytes),
        Step::Fail {
            message,
            r#type,
            non_retryable,
        } => {
            let failure = ApplicationFailure::builder(message.clone())
                .type_name(r#type.clone())
                .non_retryable(*non_retryable)
                .build();
            return Err(failure.into());
        }
        Step::Return { value } => return Err(Stop::Return(value.clone())),
        Step::Memo { memo } => set_memo(ctx, memo)?,
        Step::Handlers {} => {
            let finished = ctx.wait_condition_with_options(|_| ctx.all_handlers_finished(), until(token));
            finished.await?;
        }
    }
    Ok(())
}

fn until(token: &Token) -> WaitConditionOptions {
    WaitConditionOptions::builder()
        .cancellation_token(token.clone())
        .build()
}

async fn sleep(ctx: &Context, token: &Token, ms: u64) -> WorkflowResult<()> {
    let options = TimerOptions::builder(Duration::from_millis(ms))
        .cancellation_token(token.clone())
        .build();
    // To sleep for no time is no timer.
    if ms > 0 && ctx.timer(options).await == TimerResult::Cancelled {
        return Err(WorkflowTermination::cancelled());
    }
    log(ctx, "slept");
    Ok(())
}

async fn wait(ctx: &Context, token: &Token, notes: u64, timeout_ms: Option<u64>) -> WorkflowResult<()> {
    let enough = |lab: &Lab| lab.notes >= notes;
    let in_time = match timeout_ms.map(Duration::from_millis) {
        None => {
            ctx.wait_condition_with_options(enough, until(token)).await?;
            true
        }
        Some(timeout) => {
            ctx.wait_condition_timeout_with_options(enough, timeout, until(token))
                .await?
        }
    };
    log(ctx, if in_time { "waited" } else { "timeout" });
    Ok(())
}

/// The arguments of a call, each a payload of its own.
fn arguments(values: &[Value]) -> WorkflowResult<RawValue> {
    let mut payloads = Vec::new();
    for value in values {
        payloads.extend(RawValue::try_from_value(value)?.payloads);
    }
    Ok(RawValue::new(payloads))
}

fn retry_policy(call: &Call) -> RetryPolicy {
    RetryPolicy::builder()
        .initial_interval(Duration::from_millis(call.retry_ms))
        .maximum_attempts(call.attempts)
        .non_retryable_error_types(&call.fatal_types)
        .build()
}

fn activity_options(call: &Call, token: &Token) -> ActivityOptions {
    let ms = |limit: Option<u64>| limit.map(Duration::from_millis);
    let limits = match (ms(call.start_to_close_ms), ms(call.schedule_to_close_ms)) {
        (Some(start_to_close), None) => ActivityCloseTimeouts::StartToClose(start_to_close),
        (None, Some(schedule_to_close)) => ActivityCloseTimeouts::ScheduleToClose(schedule_to_close),
        (Some(start_to_close), Some(schedule_to_close)) => ActivityCloseTimeouts::ScheduleAndStartToClose {
            schedule_to_close,
            start_to_close,
        },
        (None, None) => panic!(
            "activity {}: one of its two close limits is required",
            call.r#type
        ),
    };
    ActivityOptions::with_close_timeouts(limits)
        .task_queue(&call.queue)
        .maybe_schedule_to_start_timeout(ms(call.schedule_to_start_ms))
        .maybe_heartbeat_timeout(ms(call.heartbeat_ms))
        .retry_policy(retry_policy(call))
        .cancellation_token(token.clone())
        .build()
}

fn local_activity_options(call: &Call, token: &Token) -> LocalActivityOptions {
    let ms = |limit: Option<u64>| limit.map(Duration::from_millis);
    LocalActivityOptions::builder()
        .maybe_start_to_close_timeout(ms(call.start_to_close_ms))
        .maybe_schedule_to_close_timeout(ms(call.schedule_to_close_ms))
        .maybe_schedule_to_start_timeout(ms(call.schedule_to_start_ms))
        .retry_policy(retry_policy(call))
        .cancellation_token(token.clone())
        .build()
}

fn log_activity(
    ctx: &Context,
    call: &Call,
    result: Result<RawValue, ActivityExecutionError>,
) -> WorkflowResult<()> {
    let line = match result {
        Ok(value) => format!("{}={}", call.r#type, dump(&value.try_to_value()?)),
        Err(error @ ActivityExecutionError::Failed(_)) if error.as_cancelled().is_none() => {
            format!("{} failed: {}", call.r#type, say_cause(error.reason()))
        }
        Err(error) => return Err(error.into()),
    };
    log(ctx, line);
    Ok(())
}

/// Whoever wins, and however, cancels the others. A cancellation of the race itself ends it at once: as in the reference, it
/// does not reach what the branches have started.
async fn race(ctx: &Context, token: &Token, branches: &[Vec<Step>]) -> WorkflowResult<()> {
    let tokens: Vec<Token> = branches.iter().map(|_| Token::new()).collect();
    let mut running: FuturesUnordered<_> = branches
        .iter()
        .zip(&tokens)
        .enumerate()
        .map(|(index, (branch, token))| run_steps(ctx, token, branch).map(move |_| index))
        .collect();
    let mut cancelled = token.cancelled();
    let won = select! {
        won = first(&mut running).fuse() => won,
        () = cancelled => return Err(WorkflowTermination::cancelled()),
    };
    tokens.iter().for_each(Token::cancel);
    while !running.is_empty() {
        select! {
            _ = running.next() => {}
            () = cancelled => return Err(WorkflowTermination::cancelled()),
        }
    }
    if let Some(won) = won {
        log(ctx, format!("won={won}"));
    }
    Ok(())
}

/// The first of the branches that end in the same moment; none if there are no branches.
async fn first<F: Future<Output = usize>>(running: &mut FuturesUnordered<F>) -> Option<usize> {
    let mut ended = running.next().await?;
    poll_fn(|context| {
        while let Poll::Ready(Some(another)) = running.poll_next_unpin(context) {
            ended = ended.min(another);
        }
        Poll::Ready(())
    })
    .await;
    Some(ended)
}

async fn run_child(ctx: &Context, token: &Token, child: &Child) -> WorkflowResult<()> {
    let options = ChildWorkflowOptions::builder()
        .workflow_id(child.id.clone())
        .task_queue(QUEUE.to_owned())
        .parent_close_policy(match child.policy {
            Policy::Terminate => ParentClosePolicy::Terminate,
            Policy::Abandon => ParentClosePolicy::Abandon,
            Policy::RequestCancel => ParentClosePolicy::RequestCancel,
        })
        .cancellation_token(token.clone())
        .build();
    let workflow = UntypedWorkflow::new(&child.r#type);
    let input = RawValue::try_from_value(&child.program)?;
    let failed = match ctx.start_child_workflow(workflow, input, options).await {
        Ok(started) => {
            log(ctx, "child started");
            if !child.wait {
                return Ok(());
            }
            match started.result().await {
                Ok(value) => {
                    log(ctx, format!("child={}", dump(&value.try_to_value()?)));
                    return Ok(());
                }
                Err(error @ ChildWorkflowExecutionError::Serialization(_)) => return Err(error.into()),
                Err(error) if error.as_cancelled().is_some() => cancelled(ctx, error)?,
                Err(error) => say_cause(error.reason()),
            }
        }
        Err(ChildWorkflowStartError::StartFailed {
            cause: StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists,
            ..
        }) => "exists".to_owned(),
        Err(error) if error.as_cancelled().is_some() => cancelled(ctx, error)?,
        Err(error) => return Err(error.into()),
    };
    log(ctx, format!("child failed: {failed}"));
    Ok(())
}

/// A cancelled child ends the steps of a cancelled workflow; in any other it is one of the ways to fail.
fn cancelled(ctx: &Context, error: impl Into<WorkflowTermination>) -> WorkflowResult<String> {
    if ctx.cancellation_token().is_cancelled() {
        Err(error.into())
    } else {
        Ok("cancelled".to_owned())
    }
}

async fn signal(ctx: &Context, token: &Token, id: &str, name: &str, args: &[Value]) -> WorkflowResult<()> {
    let options = SignalWorkflowOptions::builder()
        .cancellation_token(token.clone())
        .build();
    let other = ctx.external_workflow(id, None);
    match other
        .signal(UntypedSignal::new(name), arguments(args)?, options)
        .await
    {
        Ok(()) => log(ctx, "signalled"),
        Err(error) => match error.reason() {
            Some(reason) => log(ctx, format!("signal failed: {}", say(reason))),
            None => return Err(error.into()),
        },
    }
    Ok(())
}

fn side_effect(ctx: &Context, value: &Value, bytes: Option<usize>) {
    let mut when = "";
    let made = ctx.side_effect(|| {
        if ctx.is_replaying() {
            when = " again";
        }
        match (bytes, value) {
            (Some(bytes), _) => "x".repeat(bytes).into(),
            (None, Value::Null) => "Rust".into(),
            (None, value) => value.clone(),
        }
    });
    log(ctx, format!("side{when}={}", dump(&made)));
}

fn set_memo(ctx: &Context, memo: &Map<String, Value>) -> WorkflowResult<()> {
    let fields = memo.iter().map(|(key, value)| {
        let value = (!value.is_null()).then(|| MemoValue::new(value.clone()));
        (key.as_str(), value)
    });
    ctx.upsert_memo(fields)?;
    Ok(())
}
