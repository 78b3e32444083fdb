//! What ends at once by being cancelled, and what the host still resolves.

use std::time::Duration;

use super::host::Driver;
use crate::data_converters::RawValue;
use crate::failure::Failure;
use crate::host::Outcome;
use crate::{
    ActivityCancellationType, ActivityOptions, ChildWorkflowCancellationType, ChildWorkflowOptions,
    LocalActivityOptions, SignalWorkflowOptions, TimerOptions, UntypedActivity, UntypedSignal,
    UntypedWorkflow, WorkflowCancellationToken, WorkflowContext, WorkflowResult, workflow, workflow_methods,
};

/// Starts one operation, waits for its end, and cancels it when the timer before it fires.
#[workflow]
#[derive(Default)]
struct Single;

fn second() -> Duration {
    Duration::from_secs(1)
}

#[workflow_methods]
impl Single {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, what: String, how: String) -> WorkflowResult<String> {
        let token = WorkflowCancellationToken::new();
        let stop = async {
            ctx.timer(second()).await;
            token.cancel_with_reason("enough");
        };
        let (result, ()) = crate::join!(Self::operation(ctx, &what, &how, token.clone()), stop);
        Ok(result)
    }

    async fn operation(
        ctx: &WorkflowContext<Self>,
        what: &str,
        how: &str,
        token: WorkflowCancellationToken,
    ) -> String {
        let activity_type = match how {
            "try" => ActivityCancellationType::TryCancel,
            "abandon" => ActivityCancellationType::Abandon,
            _ => ActivityCancellationType::WaitCancellationCompleted,
        };
        match what {
            "timer" => {
                let options = TimerOptions::builder(Duration::from_secs(60))
                    .cancellation_token(token)
                    .build();
                format!("{:?}", ctx.timer(options).await)
            }
            "activity" => {
                let options = ActivityOptions::with_start_to_close_timeout(second())
                    .cancellation_type(activity_type)
                    .cancellation_token(token)
                    .build();
                let work = ctx.execute_activity(UntypedActivity::new("Work"), RawValue::empty(), options);
                ended(work.await)
            }
            "local" => {
                let options = LocalActivityOptions::builder()
                    .cancel_type(activity_type)
                    .cancellation_token(token)
                    .build();
                let work =
                    ctx.execute_local_activity(UntypedActivity::new("Work"), RawValue::empty(), options);
                ended(work.await)
            }
            "child" => {
                let options = ChildWorkflowOptions::builder()
                    .workflow_id("kid".to_owned())
                    .cancel_type(match how {
                        "try" => ChildWorkflowCancellationType::TryCancel,
                        "abandon" => ChildWorkflowCancellationType::Abandon,
                        "requested" => ChildWorkflowCancellationType::WaitCancellationRequested,
                        _ => ChildWorkflowCancellationType::WaitCancellationCompleted,
                    })
                    .cancellation_token(token)
                    .build();
                let child = ctx.start_child_workflow(UntypedWorkflow::new("Kid"), RawValue::empty(), options);
                match child.await {
                    Ok(child) => ended(child.result().await),
                    Err(error) => format!("not started, cancelled: {}", error.as_cancelled().is_some()),
                }
            }
            "signal" => {
                let options = SignalWorkflowOptions::builder().cancellation_token(token).build();
                let other = ctx.external_workflow("other", None);
                ended(
                    other
                        .signal(UntypedSignal::new("hint"), RawValue::empty(), options)
                        .await,
                )
            }
            other => panic!("{other}"),
        }
    }
}

fn ended<T, E: std::fmt::Display>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => "completed".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// An operation that was sent, and whose token is then cancelled. The operation is 1, the timer before its end 2.
fn cancelled(what: &str, how: &str) -> (Driver, Vec<String>) {
    let driver = Driver::start::<Single>(&[&format!("\"{what}\""), &format!("\"{how}\"")]);
    assert_eq!(driver.advance().len(), 2);
    if what == "child" {
        assert!(
            driver
                .resolve(1, Outcome::ChildStarted("kid-run".to_owned()))
                .advance()
                .is_empty()
        );
    }
    let commands = driver.complete(2, &[]).advance();
    (driver, commands)
}

// E4, A4
#[test]
fn timers_and_what_is_not_waited_for_end_at_once() {
    let cases = [
        ("timer", "", "cancel-timer 1", "Cancelled"),
        (
            "activity",
            "try",
            "cancel-activity 1",
            "Activity cancelled: Activity cancelled",
        ),
        (
            "activity",
            "abandon",
            "cancel-activity 1",
            "Activity cancelled: Activity cancelled",
        ),
        (
            "local",
            "try",
            "cancel-local-activity 1",
            "Activity cancelled: Activity cancelled",
        ),
        (
            "local",
            "abandon",
            "cancel-local-activity 1",
            "Activity cancelled: Activity cancelled",
        ),
        (
            "child",
            "try",
            "cancel-child 1 enough",
            "Child workflow failed: Child Workflow execution cancelled",
        ),
        (
            "child",
            "abandon",
            "cancel-child 1 enough",
            "Child workflow failed: Child Workflow execution cancelled",
        ),
    ];
    for (what, how, command, result) in cases {
        let (driver, commands) = cancelled(what, how);
        assert_eq!(
            commands,
            [command.to_owned(), format!("complete [\"{result}\"]")],
            "{what} {how}"
        );
        // What the host may still say is dropped.
        driver.complete(1, &["1"]);
        assert!(driver.advance().is_empty(), "{what} {how}");
    }
}

// E4, E5, A4
#[test]
fn what_is_waited_for_ends_when_the_host_says_so() {
    let cases = [
        (
            "activity",
            "wait",
            "cancel-activity 1",
            "Activity cancelled: stopped",
        ),
        (
            "local",
            "wait",
            "cancel-local-activity 1",
            "Activity cancelled: stopped",
        ),
        (
            "child",
            "wait",
            "cancel-child 1 enough",
            "Child workflow failed: stopped",
        ),
        (
            "child",
            "requested",
            "cancel-child 1 enough",
            "Child workflow failed: stopped",
        ),
    ];
    for (what, how, command, result) in cases {
        let (driver, commands) = cancelled(what, how);
        assert_eq!(commands, [command], "{what} {how}");
        let stopped = Failure::cancelled("stopped").into_wit();
        let commands = driver.resolve(1, Outcome::Cancelled(stopped)).advance();
        assert_eq!(commands, [format!("complete [\"{result}\"]")], "{what} {how}");
        // The end may also be another one: the work was done in spite of the request.
        let (driver, _) = cancelled(what, how);
        let commands = driver.complete(1, &["null"]).advance();
        assert_eq!(commands, ["complete [\"completed\"]"], "{what} {how}");
    }
}

// E6
#[test]
fn a_signal_that_was_sent_is_given_up_by_the_host() {
    let (driver, commands) = cancelled("signal", "");
    assert_eq!(commands, ["cancel-signal-external 1"]);
    assert_eq!(
        driver.complete(1, &[]).advance(),
        ["complete [\"completed\"]"],
        "it had been delivered"
    );
}

// E5
#[test]
fn a_child_whose_start_is_not_confirmed_is_cancelled_as_its_type_says() {
    for (how, at_once) in [("try", true), ("abandon", true), ("wait", false)] {
        let driver = Driver::start::<Single>(&["\"child\"", &format!("\"{how}\"")]);
        driver.advance();
        let commands = driver.complete(2, &[]).advance();
        assert_eq!(commands[0], "cancel-child 1 enough");
        if !at_once {
            assert_eq!(commands.len(), 1, "{how}");
            let stopped = Failure::cancelled("stopped").into_wit();
            let commands = driver.resolve(1, Outcome::Cancelled(stopped)).advance();
            assert_eq!(commands, ["complete [\"not started, cancelled: true\"]"]);
        } else {
            assert_eq!(
                commands[1], "complete [\"not started, cancelled: true\"]",
                "{how}"
            );
        }
    }
}
