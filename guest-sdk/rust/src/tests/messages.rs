//! What handlers know of their messages, and what their ends mean.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use super::host::{Driver, json};
use crate::data_converters::{RawValue, encode};
use crate::{
    ActivityOptions, ApplicationFailure, HandlerUnfinishedPolicy, MessageSender, SignalWorkflowOptions,
    SyncWorkflowContext, UntypedActivity, UntypedSignal, WorkflowCancellationToken, WorkflowContext,
    WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};

#[workflow]
#[derive(Default)]
struct Post {
    log: Vec<String>,
}

fn options() -> ActivityOptions {
    ActivityOptions::start_to_close_timeout(Duration::from_secs(1))
}

#[workflow_methods]
impl Post {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, what: String) -> WorkflowResult<String> {
        match what.as_str() {
            "handlers" => {
                ctx.wait_condition(|s| s.log.last().is_some_and(|line| line == "close"))
                    .await?;
                ctx.wait_condition(|_| ctx.all_handlers_finished()).await?;
                Ok(ctx.state(|s| s.log.join(", ")))
            }
            "patches" => {
                let new = ctx.patched("change");
                let old = ctx.deprecate_patch("older change");
                Ok(format!("{new} {old}"))
            }
            "clean-up" => {
                ctx.cancelled().await;
                let detached = ActivityOptions::with_start_to_close_timeout(Duration::from_secs(1))
                    .cancellation_token(WorkflowCancellationToken::new())
                    .build();
                ctx.execute_activity(UntypedActivity::new("CleanUp"), RawValue::empty(), detached)
                    .await?;
                Ok("clean".to_owned())
            }
            "send" => {
                let headers = HashMap::from([
                    ("tenant".to_owned(), encode(&"acme".to_owned())?),
                    ("batch".to_owned(), encode(&7)?),
                ]);
                let options = SignalWorkflowOptions::builder().headers(headers).build();
                let other = ctx.external_workflow("other", None);
                other
                    .signal(UntypedSignal::new("letter"), RawValue::empty(), options)
                    .await?;
                Ok("sent".to_owned())
            }
            "fail" => Err(ApplicationFailure::new("at once").into()),
            other => panic!("{other}"),
        }
    }

    /// Says what it knows of the message.
    #[signal]
    fn letter(&mut self, ctx: &mut SyncWorkflowContext<Self>) {
        let Some(message) = ctx.current_message_info() else {
            panic!("a handler has a message")
        };
        let sender = match &message.sender {
            MessageSender::Client(identity) => format!("client {identity}"),
            MessageSender::Workflow { workflow_id, run_id } => format!("workflow {workflow_id} {run_id}"),
        };
        let seconds = message
            .time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let tenant = String::from_utf8_lossy(&ctx.headers()["tenant"].data).into_owned();
        self.log.push(format!(
            "event {} at {seconds} from {sender} for {tenant}",
            message.event_id
        ));
    }

    #[signal]
    async fn slowly(ctx: &mut WorkflowContext<Self>, line: String) {
        ctx.timer(Duration::from_secs(1)).await;
        ctx.state_mut(|s| s.log.push(line));
    }

    /// Nobody minds if it does not end.
    #[signal(unfinished_policy = HandlerUnfinishedPolicy::Abandon)]
    async fn forgettable(ctx: &mut WorkflowContext<Self>) {
        ctx.timer(Duration::from_secs(1)).await;
    }

    #[signal]
    fn close(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.log.push("close".to_owned());
    }

    #[signal]
    async fn work(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.execute_activity(UntypedActivity::new("Work"), RawValue::empty(), options())
            .await?;
        Ok(())
    }

    #[signal]
    async fn fail_later(ctx: &mut WorkflowContext<Self>) -> Result<(), ApplicationFailure> {
        ctx.timer(Duration::from_secs(1)).await;
        Err(ApplicationFailure::new("too late"))
    }

    #[update]
    async fn fail_update(ctx: &mut WorkflowContext<Self>) -> Result<(), ApplicationFailure> {
        ctx.timer(Duration::from_secs(1)).await;
        Err(ApplicationFailure::new("only this update"))
    }

    /// The update's own id, from its beginning to its end.
    #[update]
    async fn id(ctx: &mut WorkflowContext<Self>) -> Vec<String> {
        let own = || {
            let update = ctx.current_update_info();
            update.map(|update| update.id).unwrap_or_default()
        };
        let before = own();
        ctx.timer(Duration::from_secs(1)).await;
        vec![before, own()]
    }

    #[query]
    fn log(&self, _: &WorkflowContextView) -> Vec<String> {
        self.log.clone()
    }
}

// S10
#[test]
fn a_handler_knows_event_time_sender_and_header() {
    let driver = Driver::start::<Post>(&["\"handlers\""]);
    driver.signal("letter", &[]);
    let header = vec![("tenant".to_owned(), json("\"other\""))];
    driver.signal_from("sender", header, "letter", &[]).advance();
    assert_eq!(
        driver.query("log", &[]).unwrap(),
        r#"["event 1 at 1 from client tester for \"acme\"","event 2 at 1 from workflow sender sender-run for \"other\""]"#
    );
}

// S10
#[test]
fn a_sent_signal_carries_its_headers() {
    let driver = Driver::start::<Post>(&["\"send\""]);
    assert_eq!(
        driver.advance(),
        ["signal-external 1 other letter [-] batch=7 tenant=\"acme\""]
    );
}

// S11
#[test]
fn a_failure_fails_the_workflow_in_a_signal_and_only_the_update_in_an_update() {
    let driver = Driver::start::<Post>(&["\"handlers\""]);
    driver
        .update("u", "fail_update", &[])
        .signal("fail_later", &[])
        .advance();
    assert_eq!(
        driver.complete(1, &[]).advance(),
        ["update u failed: only this update"]
    );
    assert_eq!(driver.complete(2, &[]).advance(), ["fail too late"]);
}

// U8
#[test]
fn the_main_routine_can_wait_for_its_handlers() {
    let driver = Driver::start::<Post>(&["\"handlers\""]);
    driver
        .signal("slowly", &["\"slow\""])
        .signal("close", &[])
        .advance();
    assert!(driver.advance().is_empty());
    assert_eq!(driver.complete(1, &[]).advance(), ["complete [\"close, slow\"]"]);
    assert!(driver.logs().is_empty());
}

// U8
#[test]
fn a_signal_handler_that_has_not_ended_is_warned_about_unless_it_may_be_abandoned() {
    let driver = Driver::start::<Post>(&["\"fail\""]);
    driver.signal("slowly", &["\"slow\""]).signal("forgettable", &[]);
    assert_eq!(driver.advance(), ["timer 1 1s", "timer 2 1s", "fail at once"]);
    let logs = driver.logs();
    assert_eq!(logs.len(), 1, "{logs:?}");
    assert!(
        logs[0].contains("signal handlers are still running: [slowly]"),
        "{logs:?}"
    );
}

// U11
#[test]
fn an_update_knows_its_id_all_the_time_and_others_do_not_disturb_it() {
    let driver = Driver::start::<Post>(&["\"handlers\""]);
    driver
        .update("first", "id", &[])
        .update("second", "id", &[])
        .advance();
    assert_eq!(
        driver.complete(2, &[]).complete(1, &[]).advance(),
        [
            "update first [[\"first\",\"first\"]]",
            "update second [[\"second\",\"second\"]]"
        ]
    );
}

// W5
#[test]
fn patches_are_asked_of_the_host() {
    let driver = Driver::start::<Post>(&["\"patches\""]);
    assert_eq!(
        driver.advance(),
        [
            "patched change false",
            "patched older change true",
            "complete [\"true true\"]"
        ]
    );
}

// E4
#[test]
fn a_handler_that_is_cancelled_leaves_the_end_to_the_main_routine() {
    let driver = Driver::start::<Post>(&["\"clean-up\""]);
    driver.signal("work", &[]).advance();
    assert_eq!(
        driver.cancel("stop").advance(),
        ["cancel-activity 1", "activity 2 CleanUp [-]"]
    );
    assert_eq!(driver.complete(2, &["1"]).advance(), ["complete [\"clean\"]"]);
}
