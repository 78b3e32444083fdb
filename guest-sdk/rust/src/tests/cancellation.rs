//! How a cancellation reaches operations.

use std::time::Duration;

use super::host::Driver;
use crate::data_converters::RawValue;
use crate::host::Outcome;
use crate::{
    ActivityCancellationType, ActivityExecutionError, ActivityOptions, ChildWorkflowOptions, UntypedActivity,
    UntypedWorkflow, WaitConditionOptions, WorkflowCancellationToken, WorkflowContext, WorkflowResult,
    WorkflowTermination, join, workflow, workflow_methods,
};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn options(cancellation: ActivityCancellationType) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(secs(10))
        .cancellation_type(cancellation)
        .build()
}

#[workflow]
#[derive(Default)]
struct Cancelled {
    log: Vec<String>,
}

#[workflow_methods]
impl Cancelled {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, what: String) -> WorkflowResult<Vec<String>> {
        let activity = |cancellation| {
            ctx.execute_activity(
                UntypedActivity::new("Work"),
                RawValue::empty(),
                options(cancellation),
            )
        };
        match what.as_str() {
            "all" => {
                let first = activity(ActivityCancellationType::WaitCancellationCompleted);
                let second = activity(ActivityCancellationType::TryCancel);
                let timer = ctx.timer(secs(60));
                let second = second.await;
                ctx.state_mut(|s| s.log.push(format!("second {}", second.is_err())));
                ctx.state_mut(|s| s.log.push("waiting for first".to_owned()));
                let first = first.await;
                Ok(vec![
                    format!("{first:?}").chars().take(13).collect(),
                    format!("{:?}", timer.await),
                ])
            }
            "propagate" => {
                activity(ActivityCancellationType::TryCancel).await?;
                Ok(Vec::new())
            }
            "unsent" => {
                let token = WorkflowCancellationToken::new();
                let options = ActivityOptions::with_start_to_close_timeout(secs(10))
                    .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
                    .cancellation_token(token.clone())
                    .build();
                let work = ctx.execute_activity(UntypedActivity::new("Work"), RawValue::empty(), options);
                token.cancel_with_reason("not needed");
                let cancelled = matches!(work.await, Err(ActivityExecutionError::Cancelled(_)));
                Ok(vec![cancelled.to_string()])
            }
            "clean-up" => {
                let reason = ctx.cancelled().await;
                let detached = ActivityOptions::with_start_to_close_timeout(secs(10))
                    .cancellation_token(WorkflowCancellationToken::new())
                    .build();
                ctx.execute_activity(UntypedActivity::new("CleanUp"), RawValue::empty(), detached)
                    .await?;
                Err(WorkflowTermination::cancelled_with_details(reason))
            }
            "condition" => {
                ctx.wait_condition(|s| !s.log.is_empty()).await?;
                Ok(Vec::new())
            }
            "timeout" => {
                ctx.wait_condition_timeout(|s| !s.log.is_empty(), secs(5)).await?;
                Ok(Vec::new())
            }
            "group" => {
                let group = ctx.cancellation_token().child_token();
                let options = WaitConditionOptions::builder()
                    .cancellation_token(group.clone())
                    .build();
                let wait = ctx.wait_condition_timeout_with_options(|s| !s.log.is_empty(), secs(5), options);
                let stop = async {
                    ctx.timer(secs(1)).await;
                    group.cancel_with_reason("enough");
                };
                let (waited, ()) = join!(wait, stop);
                Ok(vec![format!("{waited:?}")])
            }
            other => panic!("{other}"),
        }
    }
}

/// Awaits something whose options say nothing of its cancellation.
#[workflow]
#[derive(Default)]
struct Unsaid;

#[workflow_methods]
impl Unsaid {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, what: String) -> WorkflowResult<String> {
        let failed = match what.as_str() {
            "activity" => {
                let options = ActivityOptions::start_to_close_timeout(secs(10));
                let work = ctx.execute_activity(UntypedActivity::new("Work"), RawValue::empty(), options);
                work.await.is_err()
            }
            "child" => {
                let options = ChildWorkflowOptions::workflow_id("kid".to_owned());
                let child = ctx.start_child_workflow(UntypedWorkflow::new("Kid"), RawValue::empty(), options);
                match child.await {
                    Ok(child) => child.result().await.is_err(),
                    Err(error) => panic!("it was started: {error}"),
                }
            }
            other => panic!("{other}"),
        };
        Ok(format!("failed {failed}"))
    }
}

// E4, E5
#[test]
fn by_default_an_activity_is_not_waited_for_and_a_child_is() {
    let driver = Driver::start::<Unsaid>(&["\"activity\""]);
    driver.advance();
    assert_eq!(
        driver.cancel("stop").advance(),
        ["cancel-activity 1", "complete [\"failed true\"]"]
    );
    let driver = Driver::start::<Unsaid>(&["\"child\""]);
    driver.advance();
    driver
        .resolve(1, Outcome::ChildStarted("kid-run".to_owned()))
        .advance();
    assert_eq!(driver.cancel("stop").advance(), ["cancel-child 1 stop"]);
    let stopped = crate::failure::Failure::cancelled("stopped").into_wit();
    assert_eq!(
        driver.resolve(1, Outcome::Cancelled(stopped)).advance(),
        ["complete [\"failed true\"]"]
    );
}

// E4
#[test]
fn cancellation_reaches_operations_in_the_order_in_which_they_started() {
    let driver = Driver::start::<Cancelled>(&["\"all\""]);
    assert_eq!(
        driver.advance(),
        ["activity 1 Work [-]", "activity 2 Work [-]", "timer 3 60s"]
    );
    assert_eq!(
        driver.cancel("stop").advance(),
        ["cancel-activity 1", "cancel-activity 2", "cancel-timer 3"]
    );
    let cancelled = crate::failure::Failure::cancelled("stopped").into_wit();
    let commands = driver.resolve(1, Outcome::Cancelled(cancelled)).advance();
    assert_eq!(commands, ["complete [[\"Err(Cancelled\",\"Cancelled\"]]"]);
}

#[test]
fn what_has_ended_is_not_cancelled_and_a_late_outcome_is_dropped() {
    let driver = Driver::start::<Cancelled>(&["\"all\""]);
    driver.advance();
    driver.complete(2, &[]).cancel("stop");
    assert_eq!(driver.advance(), ["cancel-activity 1", "cancel-timer 3"]);
    driver.complete(3, &[]);
    assert_eq!(driver.complete(1, &["1"]).advance().len(), 1);
}

// E4
#[test]
fn a_cancellation_that_is_passed_on_closes_the_workflow_as_cancelled() {
    let driver = Driver::start::<Cancelled>(&["\"propagate\""]);
    driver.advance();
    assert_eq!(
        driver.cancel("stop").advance(),
        ["cancel-activity 1", "cancelled []"]
    );
    let driver = Driver::start::<Cancelled>(&["\"condition\""]);
    driver.advance();
    assert_eq!(driver.cancel("stop").advance(), ["cancelled []"]);
    let driver = Driver::start::<Cancelled>(&["\"timeout\""]);
    assert_eq!(driver.advance(), ["timer 1 5s"]);
    assert_eq!(
        driver.cancel("stop").advance(),
        ["cancel-timer 1", "cancelled []"]
    );
}

#[test]
fn what_was_not_sent_ends_at_once_whatever_its_cancellation_type() {
    let driver = Driver::start::<Cancelled>(&["\"unsent\""]);
    assert_eq!(
        driver.advance(),
        [
            "activity 1 Work [-]",
            "cancel-activity 1",
            "complete [[\"true\"]]"
        ]
    );
}

// E4, W1
#[test]
fn a_token_of_its_own_ends_a_wait_and_its_timer() {
    let driver = Driver::start::<Cancelled>(&["\"group\""]);
    assert_eq!(driver.advance(), ["timer 1 5s", "timer 2 1s"]);
    let commands = driver.complete(2, &[]).advance();
    assert_eq!(commands[0], "cancel-timer 1");
    assert!(
        commands[1].contains("Err(WorkflowCancellationError { reason: Some(\\\"enough\\\") })"),
        "{commands:?}"
    );
}

// E4
#[test]
fn a_token_of_its_own_lets_clean_up_go_on() {
    let driver = Driver::start::<Cancelled>(&["\"clean-up\""]);
    assert!(driver.advance().is_empty());
    assert_eq!(driver.cancel("stop").advance(), ["activity 1 CleanUp [-]"]);
    assert_eq!(driver.complete(1, &[]).advance(), ["cancelled [\"stop\"]"]);
}
