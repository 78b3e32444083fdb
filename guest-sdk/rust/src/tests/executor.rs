//! The order in which tasks and conditions go on.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::host::Driver;
use crate::data_converters::RawValue;
use crate::workflows::{join_all, select};
use crate::{
    ActivityOptions, CancellableFuture, SyncWorkflowContext, TimerResult, UntypedActivity, WorkflowContext,
    WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Handlers that wait, and a log of what went on when.
#[workflow]
#[derive(Default)]
struct Order {
    log: Vec<String>,
    level: u32,
    done: bool,
}

#[workflow_methods]
impl Order {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<String>> {
        ctx.state_mut(|s| s.log.push("run".to_owned()));
        ctx.wait_condition(|s| s.done).await?;
        Ok(ctx.state(|s| s.log.clone()))
    }

    #[signal]
    async fn sleep(ctx: &mut WorkflowContext<Self>, name: String) {
        ctx.state_mut(|s| s.log.push(format!("{name} begins")));
        ctx.timer(secs(1)).await;
        ctx.state_mut(|s| s.log.push(format!("{name} ends")));
    }

    #[signal]
    async fn reach(
        ctx: &mut WorkflowContext<Self>,
        name: String,
        level: u32,
        next: u32,
    ) -> WorkflowResult<()> {
        ctx.wait_condition(|s| s.level >= level).await?;
        ctx.state_mut(|s| {
            s.log.push(format!("{name} at {}", s.level));
            s.level = next;
        });
        Ok(())
    }

    #[signal]
    fn set(&mut self, _: &mut SyncWorkflowContext<Self>, level: u32) {
        self.level = level;
    }

    #[signal]
    fn finish(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.done = true;
    }

    #[query]
    fn log(&self, _: &WorkflowContextView) -> String {
        self.log.join(", ")
    }
}

// S3, S4
#[test]
fn handlers_run_before_the_main_routine_and_up_to_their_first_wait() {
    let driver = Driver::start::<Order>(&[]);
    driver.signal("sleep", &["\"a\""]).signal("sleep", &["\"b\""]);
    assert_eq!(driver.commands(), ["timer 1 1s", "timer 2 1s"]);
    driver.advance();
    assert_eq!(driver.query("log", &[]).unwrap(), "\"a begins, b begins, run\"");
}

// W1
#[test]
fn tasks_wake_in_the_order_in_which_their_waits_began() {
    let driver = Driver::start::<Order>(&[]);
    driver
        .signal("sleep", &["\"a\""])
        .signal("sleep", &["\"b\""])
        .advance();
    driver.complete(2, &[]).complete(1, &[]).advance();
    assert_eq!(
        driver.query("log", &[]).unwrap(),
        "\"a begins, b begins, run, a ends, b ends\""
    );
}

// W1
#[test]
fn conditions_are_tried_in_order_and_again_from_the_first() {
    let driver = Driver::start::<Order>(&[]);
    driver.advance();
    // c waits for what b sets, and began first; a waits for nothing that happens.
    driver.signal("reach", &["\"a\"", "9", "9"]);
    driver.signal("reach", &["\"c\"", "2", "0"]);
    driver.signal("reach", &["\"b\"", "1", "2"]);
    driver.signal("set", &["1"]).advance();
    assert_eq!(driver.query("log", &[]).unwrap(), "\"run, b at 1, c at 2\"");
}

// W1
#[test]
fn a_condition_that_began_earlier_goes_before_a_later_one_whoever_made_them_true() {
    let driver = Driver::start::<Order>(&[]);
    driver.advance();
    // b makes both others true: the one before it has its turn first.
    driver.signal("reach", &["\"a\"", "2", "2"]);
    driver.signal("reach", &["\"b\"", "1", "2"]);
    driver.signal("reach", &["\"c\"", "2", "2"]);
    driver.signal("set", &["1"]).advance();
    assert_eq!(
        driver.query("log", &[]).unwrap(),
        "\"run, b at 1, a at 2, c at 2\""
    );
}

// W1
#[test]
fn a_condition_that_another_task_makes_false_again_does_not_wake() {
    let driver = Driver::start::<Order>(&[]);
    driver.advance();
    driver
        .signal("reach", &["\"first\"", "1", "0"])
        .signal("reach", &["\"second\"", "1", "0"]);
    driver.signal("set", &["1"]).advance();
    assert_eq!(driver.query("log", &[]).unwrap(), "\"run, first at 1\"");
}

#[test]
fn waiting_tells_task_operation_and_place() {
    let driver = Driver::start::<Order>(&[]);
    driver.signal("sleep", &["\"a\""]).advance();
    let waiting = driver.waiting();
    let texts: Vec<_> = waiting
        .iter()
        .map(|wait| format!("{}: {} {:?}", wait.task, wait.awaits, wait.seq))
        .collect();
    assert_eq!(texts, ["signal sleep: timer 1s Some(1)", "run: condition None"]);
    assert!(
        waiting
            .iter()
            .all(|wait| wait.place.contains("tests/executor.rs:")),
        "{waiting:?}"
    );
}

/// Races, and futures of many kinds.
#[workflow]
#[derive(Default)]
struct Races {
    ready: bool,
    order: Vec<&'static str>,
}

#[workflow_methods]
impl Races {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, what: String) -> WorkflowResult<String> {
        match what.as_str() {
            "select" => Ok(select! {
                _ = ctx.timer(secs(10)) => "timer",
                result = ctx.wait_condition(|s| s.ready) => { result?; "condition" }
                result = ctx.execute_activity(
                    UntypedActivity::new("Echo"),
                    RawValue::empty(),
                    ActivityOptions::start_to_close_timeout(secs(1)),
                ) => { result?; "activity" }
            }
            .to_owned()),
            "join_all" => {
                let timers: Vec<_> = (1..=3).map(|n| ctx.timer(secs(n))).collect();
                let fired = join_all(timers)
                    .await
                    .iter()
                    .filter(|r| **r == TimerResult::Fired)
                    .count();
                Ok(fired.to_string())
            }
            "branches" => {
                let ctx = &*ctx;
                let branch = |name: &'static str, first: u64| async move {
                    ctx.timer(secs(first)).await;
                    ctx.timer(secs(1)).await;
                    ctx.state_mut(|s| s.order.push(name));
                };
                join_all([branch("a", 20), branch("b", 10)]).await;
                Ok(ctx.state(|s| s.order.join(" ")))
            }
            "join" => {
                let (a, b) = crate::workflows::join!(ctx.timer(secs(1)), async { 7 });
                Ok(format!("{a:?} {b}"))
            }
            "timeout" => Ok(ctx
                .wait_condition_timeout(|s| s.ready, secs(60))
                .await?
                .to_string()),
            "cancel" => {
                let timer = ctx.timer(secs(600));
                timer.cancel();
                Ok(format!("{:?}", timer.await))
            }
            other => panic!("{other}"),
        }
    }

    #[signal]
    fn ready(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.ready = true;
    }
}

#[test]
fn select_takes_the_first_that_is_ready_and_cancels_nothing() {
    let driver = Driver::start::<Races>(&["\"select\""]);
    assert_eq!(driver.advance(), ["timer 1 10s", "activity 2 Echo [-]"]);
    assert_eq!(
        driver.signal("ready", &[]).advance(),
        ["complete [\"condition\"]"]
    );
    let driver = Driver::start::<Races>(&["\"select\""]);
    driver.advance();
    assert_eq!(driver.complete(2, &[]).advance(), ["complete [\"activity\"]"]);
}

// W1
#[test]
fn branches_that_become_ready_together_go_on_in_the_order_in_which_their_waits_began() {
    let driver = Driver::start::<Races>(&["\"branches\""]);
    assert_eq!(driver.advance(), ["timer 1 20s", "timer 2 10s"]);
    assert_eq!(driver.complete(2, &[]).advance(), ["timer 3 1s"]);
    assert_eq!(driver.complete(1, &[]).advance(), ["timer 4 1s"]);
    // b has waited since timer 3, a since timer 4.
    let commands = driver.complete(4, &[]).complete(3, &[]).advance();
    assert_eq!(commands, ["complete [\"b a\"]"]);
}

#[test]
fn join_all_waits_for_all() {
    let driver = Driver::start::<Races>(&["\"join_all\""]);
    driver.advance();
    assert!(driver.complete(2, &[]).complete(1, &[]).advance().is_empty());
    assert_eq!(driver.complete(3, &[]).advance(), ["complete [\"3\"]"]);
    let driver = Driver::start::<Races>(&["\"join\""]);
    driver.advance();
    assert_eq!(driver.complete(1, &[]).advance(), ["complete [\"Fired 7\"]"]);
}

// W1
#[test]
fn a_condition_with_a_timeout_is_one_timer_that_is_cancelled_at_once() {
    let driver = Driver::start::<Races>(&["\"timeout\""]);
    assert_eq!(driver.advance(), ["timer 1 60s"]);
    assert_eq!(
        driver.signal("ready", &[]).advance(),
        ["cancel-timer 1", "complete [\"true\"]"]
    );
    let driver = Driver::start::<Races>(&["\"timeout\""]);
    driver.advance();
    assert_eq!(driver.complete(1, &[]).advance(), ["complete [\"false\"]"]);
    let driver = Driver::start::<Races>(&["\"timeout\""]);
    driver.advance();
    driver.signal("ready", &[]).complete(1, &[]);
    assert_eq!(
        driver.advance(),
        ["complete [\"true\"]"],
        "the condition counts if both happen in one task"
    );
    let driver = Driver::start::<Races>(&["\"timeout\""]);
    assert_eq!(
        driver.signal("ready", &[]).advance(),
        ["complete [\"true\"]"],
        "no timer if it holds at once"
    );
}

#[test]
fn a_cancelled_timer_resolves_in_place() {
    let driver = Driver::start::<Races>(&["\"cancel\""]);
    assert_eq!(
        driver.advance(),
        ["timer 1 600s", "cancel-timer 1", "complete [\"Cancelled\"]"]
    );
}

/// A thousand futures, each of which counts its polls.
#[workflow]
#[derive(Default)]
struct Crowd {
    polls: Rc<RefCell<u32>>,
}

struct Counted<F>(F, Rc<RefCell<u32>>);

impl<F: Future + Unpin> Future for Counted<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        *self.1.borrow_mut() += 1;
        Pin::new(&mut self.0).poll(context)
    }
}

#[workflow_methods]
impl Crowd {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let polls = ctx.state(|s| s.polls.clone());
        join_all((0..1000).map(|_| Counted(ctx.timer(secs(1)), polls.clone()))).await;
        Ok(())
    }

    #[query]
    fn polls(&self, _: &WorkflowContextView) -> u32 {
        *self.polls.borrow()
    }
}

#[test]
fn one_event_does_not_poll_a_thousand_futures() {
    let driver = Driver::start::<Crowd>(&[]);
    driver.advance();
    assert_eq!(driver.query("polls", &[]).unwrap(), "1000");
    driver.complete(500, &[]).advance();
    assert_eq!(driver.query("polls", &[]).unwrap(), "1001");
}
