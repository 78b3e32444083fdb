//! Activities, local activities, children, signals to others, continue-as-new, random values.

use std::time::Duration;

use super::host::{Driver, json};
use crate::activities::{ActivityContext, ActivityError};
use crate::bindings::workflow::exports::longhaul::workflow::definition::{Backoff, ChildStartFailure};
use crate::bindings::workflow::longhaul::workflow::types::{
    ActivityFailure, RetryState, TimeoutFailure, TimeoutType,
};
use crate::failure::{Failure, FailureInfo};
use crate::host::{ChildStartFailedCause, Outcome};
use crate::{
    ActivityOptions, ChildWorkflowOptions, ContinueAsNewOptions, LocalActivityOptions, SignalWorkflowOptions,
    SyncWorkflowContext, WorkflowContext, WorkflowResult, activities, workflow, workflow_methods,
};

struct Work;

#[activities]
impl Work {
    #[activity(name = "join")]
    async fn join(_: ActivityContext, a: String, b: u32) -> Result<String, ActivityError> {
        Ok(format!("{a}{b}"))
    }

    #[activity]
    fn plain(_: ActivityContext) -> u32 {
        1
    }
}

#[workflow]
#[derive(Default)]
struct Child;

#[workflow_methods]
impl Child {
    #[run]
    async fn run(_: &mut WorkflowContext<Self>, n: u32, m: u32) -> WorkflowResult<u32> {
        Ok(n + m)
    }

    #[signal]
    fn poke(&mut self, _: &mut SyncWorkflowContext<Self>, n: u32) {
        let _ = n;
    }
}

#[workflow]
#[derive(Default)]
struct Parent;

#[workflow_methods]
impl Parent {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, what: String) -> WorkflowResult<String> {
        let minute = Duration::from_secs(60);
        match what.as_str() {
            "activity" => {
                let options = ActivityOptions::start_to_close_timeout(minute);
                let joined = ctx
                    .execute_activity(Work::join, ("a".to_owned(), 1), options.clone())
                    .await?;
                let plain = ctx.execute_activity(Work::plain, (), options).await?;
                Ok(format!("{joined} {plain}"))
            }
            "local" => {
                let options = LocalActivityOptions::builder()
                    .start_to_close_timeout(minute)
                    .build();
                Ok(ctx
                    .execute_local_activity(Work::join, ("a".to_owned(), 1), options)
                    .await?)
            }
            "child" => {
                let options = ChildWorkflowOptions::workflow_id("kid".to_owned());
                let child = ctx.start_child_workflow(Child::run, (1, 2), options).await?;
                child
                    .signal(Child::poke, 5, SignalWorkflowOptions::default())
                    .await?;
                Ok(format!("{} {}", child.run_id.clone(), child.result().await?))
            }
            "random-child" => {
                drop(ctx.start_child_workflow(Child::run, (1, 2), ChildWorkflowOptions::default()));
                Ok(ctx.uuid4())
            }
            "external" => {
                let other = ctx.external_workflow("other", None);
                other
                    .signal(Child::poke, 5, SignalWorkflowOptions::default())
                    .await?;
                other.cancel(Some("enough".to_owned())).await?;
                Ok("sent".to_owned())
            }
            "again" => {
                ctx.continue_as_new("more".to_owned(), ContinueAsNewOptions::default())?;
                unreachable!()
            }
            other => panic!("{other}"),
        }
    }
}

fn activity_failure(cause: Failure) -> Vec<crate::host::FailureCause> {
    let info = ActivityFailure {
        scheduled_event_id: 5,
        started_event_id: 6,
        identity: String::new(),
        activity_type: "join".to_owned(),
        activity_id: "1".to_owned(),
        retry_state: RetryState::MaximumAttemptsReached,
    };
    Failure::new("activity failed", FailureInfo::Activity(info))
        .with_cause(cause)
        .into_wit()
}

#[test]
fn activities_take_and_return_typed_values() {
    let driver = Driver::start::<Parent>(&["\"activity\""]);
    assert_eq!(driver.advance(), ["activity 1 join [\"a\", 1]"]);
    assert_eq!(
        driver.complete(1, &["\"a1\""]).advance(),
        ["activity 2 Work::plain []"]
    );
    assert_eq!(driver.complete(2, &["7"]).advance(), ["complete [\"a1 7\"]"]);
}

#[test]
fn an_activitys_failure_keeps_its_chain() {
    let driver = Driver::start::<Parent>(&["\"activity\""]);
    driver.advance();
    let failure = activity_failure(Failure::application("Broken", "no luck"));
    assert_eq!(
        driver.resolve(1, Outcome::Failed(failure)).advance(),
        ["fail activity failed: no luck"]
    );
}

#[test]
fn a_timeout_is_a_timeout() {
    let timeout = FailureInfo::Timeout(TimeoutFailure {
        type_: TimeoutType::Heartbeat,
        last_heartbeat_details: vec![json("3")],
    });
    let failure = Failure::from_wit(activity_failure(Failure::new("too late", timeout)));
    let error = crate::ActivityExecutionError::failed(failure);
    let timeout = error.as_timeout().unwrap();
    assert_eq!(timeout.timeout_type(), crate::TimeoutType::Heartbeat);
    assert_eq!(timeout.last_heartbeat_details::<u32>().unwrap(), Some(3));
}

#[test]
fn a_result_that_does_not_decode_fails_the_task() {
    let driver = Driver::start::<Parent>(&["\"activity\""]);
    driver.advance();
    let commands = driver.complete(1, &["17"]).advance();
    assert!(
        commands[0].starts_with("fail-task Encoding error: invalid type: integer `17`"),
        "{commands:?}"
    );
}

// A5
#[test]
fn a_long_backoff_of_a_local_activity_is_a_timer() {
    let driver = Driver::start::<Parent>(&["\"local\""]);
    assert_eq!(driver.advance(), ["local-activity 1 join attempt 1"]);
    let backoff = Backoff {
        attempt: 4,
        delay: 30_000_000_000,
        original_schedule_time: 1,
    };
    assert_eq!(
        driver.resolve(1, Outcome::Backoff(backoff)).advance(),
        ["timer 2 30s"]
    );
    assert_eq!(
        driver.complete(2, &[]).advance(),
        ["local-activity 3 join attempt 4"]
    );
    assert_eq!(
        driver.complete(3, &["\"done\""]).advance(),
        ["complete [\"done\"]"]
    );
}

// E5
#[test]
fn a_childs_start_and_end_are_awaited_apart() {
    let driver = Driver::start::<Parent>(&["\"child\""]);
    assert_eq!(driver.advance(), ["child 1 Child kid [1, 2]"]);
    let started = Outcome::ChildStarted("child-run".to_owned());
    assert_eq!(
        driver.resolve(1, started).advance(),
        ["signal-child 2 1 poke [5]"]
    );
    driver.complete(1, &["3"]);
    assert_eq!(driver.complete(2, &[]).advance(), ["complete [\"child-run 3\"]"]);
    let driver = Driver::start::<Parent>(&["\"child\""]);
    driver.advance();
    let refused = ChildStartFailure {
        workflow_id: "kid".to_owned(),
        workflow_type: "Child".to_owned(),
        cause: ChildStartFailedCause::WorkflowAlreadyExists,
    };
    let commands = driver.resolve(1, Outcome::ChildStartFailed(refused)).advance();
    assert!(
        commands[0].starts_with("fail Child workflow start failed: workflow_id=kid"),
        "{commands:?}"
    );
}

// E4, E5
#[test]
fn a_child_that_is_cancelled_is_waited_for() {
    let driver = Driver::start::<Parent>(&["\"child\""]);
    driver.advance();
    driver
        .resolve(1, Outcome::ChildStarted("child-run".to_owned()))
        .advance();
    driver.complete(2, &[]).advance();
    assert_eq!(driver.cancel("stop").advance(), ["cancel-child 1 stop"]);
    let cancelled = Failure::cancelled("child stopped").into_wit();
    assert_eq!(
        driver.resolve(1, Outcome::Cancelled(cancelled)).advance(),
        ["cancelled []"]
    );
}

#[test]
fn a_child_without_an_id_gets_a_uuid() {
    let driver = Driver::start::<Parent>(&["\"random-child\""]);
    let commands = driver.advance();
    assert_eq!(
        commands[0],
        "child 1 Child 01020304-0506-4708-890a-0b0c0d0e0f10 [1, 2]"
    );
    assert_eq!(commands[1], "complete [\"11121314-1516-4718-991a-1b1c1d1e1f20\"]");
}

// E6
#[test]
fn others_are_signalled_and_cancelled() {
    let driver = Driver::start::<Parent>(&["\"external\""]);
    assert_eq!(driver.advance(), ["signal-external 1 other poke [5]"]);
    assert_eq!(
        driver.complete(1, &[]).advance(),
        ["cancel-external 2 other enough"]
    );
    let failed = Failure::application("Other", "no such execution").into_wit();
    let commands = driver.resolve(2, Outcome::Failed(failed)).advance();
    assert_eq!(commands, ["fail no such execution"]);
}

// E3
#[test]
fn continue_as_new_carries_its_input() {
    let driver = Driver::start::<Parent>(&["\"again\""]);
    assert_eq!(driver.advance(), ["continue-as-new [\"more\"]"]);
}
