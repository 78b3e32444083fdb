//! What messages do, and what becomes of those that cannot be taken.

use std::time::Duration;

use super::host::Driver;
use crate::failure::FailureInfo;
use crate::{
    ApplicationFailure, HandlerUnfinishedPolicy, SyncWorkflowContext, WorkflowContext, WorkflowContextView,
    WorkflowResult, workflow, workflow_methods,
};

/// What the type is for.
#[workflow(name = "renamed", signals("approval"))]
struct Messages {
    start: u64,
    sum: u64,
}

#[workflow_methods]
impl Messages {
    #[init]
    fn new(_: &WorkflowContextView, start: u64) -> Self {
        Self { start, sum: 0 }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, start: u64, end: u64) -> WorkflowResult<String> {
        ctx.wait_condition(|s| s.sum >= end).await?;
        Ok(format!("{start}..{end}: {}", ctx.state(|s| s.start)))
    }

    /// Add two values.
    ///
    /// Both are payloads of their own.
    #[signal]
    fn add(&mut self, _: &mut SyncWorkflowContext<Self>, a: u64, b: Option<u64>) {
        self.sum += a + b.unwrap_or_default();
    }

    #[signal(name = "fail")]
    fn fail_plainly(&mut self, _: &mut SyncWorkflowContext<Self>) -> Result<(), ApplicationFailure> {
        Err(ApplicationFailure::builder("bad signal")
            .type_name("Bad".to_owned())
            .build())
    }

    #[query]
    fn product(&self, _: &WorkflowContextView, a: u64, b: u64) -> Result<u64, &'static str> {
        a.checked_mul(b).ok_or("too large")
    }

    #[update]
    async fn slow_add(
        ctx: &mut WorkflowContext<Self>,
        a: u64,
        b: u64,
    ) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        ctx.timer(Duration::from_secs(1)).await;
        if a == 0 {
            return Err("nothing to add".into());
        }
        ctx.state_mut(|s| s.sum += a + b);
        let update = ctx.current_update_info().ok_or("there is an update")?;
        Ok(format!("{} {}", update.id, update.name))
    }

    #[update_validator(slow_add)]
    fn validate_slow_add(&self, view: &WorkflowContextView, a: &u64, _b: &u64) -> Result<(), String> {
        let name = view
            .current_update_info()
            .map(|update| update.name)
            .unwrap_or_default();
        if *a > 100 {
            Err(format!("{name}: {a} is too much"))
        } else {
            Ok(())
        }
    }

    #[update]
    fn sum(&mut self, _: &mut SyncWorkflowContext<Self>) -> u64 {
        self.sum
    }

    #[update(unfinished_policy = HandlerUnfinishedPolicy::Abandon)]
    async fn abandoned(ctx: &mut WorkflowContext<Self>) {
        ctx.timer(Duration::from_secs(1)).await;
    }

    #[signal]
    async fn approve(ctx: &mut WorkflowContext<Self>) -> Result<(), crate::WaitSignalError> {
        let first = ctx.wait_signal::<u64>("approval").await?;
        let newer = ctx.wait_signal::<u64>("approval").newer_than(first.event_id);
        assert!(newer.peek().is_none());
        let second = newer.await?;
        ctx.state_mut(|s| s.sum = first.value + second.value);
        Ok(())
    }

    #[signal]
    async fn finish_alone(ctx: &mut WorkflowContext<Self>) {
        let others = ctx.clone();
        ctx.state_mut(|s| s.sum = u64::from(others.all_handlers_finished()));
    }
}

fn started() -> Driver {
    Driver::start::<Messages>(&["1", "10"])
}

fn type_of(failure: &crate::failure::Failure) -> &str {
    match &*failure.info {
        FailureInfo::Application(info) => &info.type_,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_argument_is_a_payload() {
    let driver = started();
    driver.signal("add", &["4", "5"]).signal("add", &["1"]);
    assert_eq!(driver.query("product", &["6", "7"]).unwrap(), "42");
    assert_eq!(driver.advance(), ["complete [\"1..10: 1\"]"]);
}

#[test]
fn an_argument_that_does_not_decode_is_named() {
    let Err(failure) = Driver::try_start::<Messages>(&["1", "\"ten\""]) else {
        panic!("it started")
    };
    assert_eq!(
        failure.message,
        "Workflow 'renamed' cannot start: argument 2 does not decode: invalid type: string \"ten\", expected u64 at \
         line 1 column 5"
    );
    let Err(failure) = Driver::try_start::<Messages>(&["1"]) else {
        panic!("it started")
    };
    assert_eq!(
        failure.message,
        "Workflow 'renamed' cannot start: argument 2 is missing"
    );
    let driver = started();
    let failure = driver.query("product", &["1", "true"]).unwrap_err();
    assert!(
        failure
            .message
            .starts_with("Query 'product': argument 2 does not decode: "),
        "{failure}"
    );
    let failure = driver.validate("slow_add", &["1", "true"]).unwrap_err();
    assert!(
        failure
            .message
            .starts_with("Update 'slow_add': argument 2 does not decode: "),
        "{failure}"
    );
    assert!(driver.validate("sum", &[]).is_ok());
    driver.update("u", "slow_add", &["-1", "1"]);
    assert!(
        driver.commands()[0].starts_with("update u failed: Update 'slow_add': argument 1 does not decode: ")
    );
}

#[test]
fn a_signal_that_does_not_decode_is_dropped_with_a_warning() {
    let driver = started();
    driver.signal("add", &["\"x\""]);
    assert!(driver.advance().is_empty());
    let logs = driver.logs();
    assert!(
        logs[0].contains("Signal 'add' of event 1 was dropped: argument 1 does not decode"),
        "{logs:?}"
    );
}

// Q4, U3
#[test]
fn unknown_names_are_refused_with_those_that_are_known() {
    let driver = started();
    let failure = driver.validate("nope", &[]).unwrap_err();
    assert_eq!(
        failure.message,
        "Update handler for 'nope' expected but not found, and there is no dynamic handler. known updates: [abandoned \
         slow_add sum]"
    );
    assert_eq!(type_of(&failure), "RuntimeError");
    let failure = driver.query("nope", &[]).unwrap_err();
    assert_eq!(
        failure.message,
        "Query handler for 'nope' expected but not found, known queries: [__stack_trace __temporal_workflow_metadata \
         product]"
    );
    let Err(failure) = Driver::try_start_as::<Messages>("Other", &[]) else {
        panic!("it started")
    };
    assert_eq!(
        failure.message,
        "Workflow type 'Other' is not defined by this component. It defines: [renamed]"
    );
}

// U1, U2
#[test]
fn updates_are_validated_and_end_with_a_result_or_a_failure() {
    let driver = started();
    assert_eq!(
        driver.validate("slow_add", &["101", "0"]).unwrap_err().message,
        "slow_add: 101 is too much"
    );
    assert!(driver.validate("slow_add", &["100", "0"]).is_ok());
    driver
        .update("u1", "slow_add", &["2", "3"])
        .update("u2", "slow_add", &["0", "0"])
        .update("u3", "sum", &[]);
    assert_eq!(driver.commands(), ["timer 1 1s", "timer 2 1s", "update u3 [0]"]);
    driver.advance();
    let commands = driver.complete(1, &[]).complete(2, &[]).advance();
    assert_eq!(
        commands,
        ["update u1 [\"u1 slow_add\"]", "update u2 failed: nothing to add"]
    );
}

// S11
#[test]
fn a_failure_in_a_signal_handler_fails_the_workflow() {
    let driver = started();
    driver.signal("fail", &[]);
    assert_eq!(driver.commands(), ["fail bad signal"]);
}

#[test]
fn a_failing_query_keeps_its_text() {
    let driver = started();
    assert_eq!(
        driver
            .query("product", &["18446744073709551615", "2"])
            .unwrap_err()
            .message,
        "too large"
    );
}

// E8
#[test]
fn wait_signal_takes_the_newest_and_tells_it_from_older_ones() {
    let driver = started();
    driver
        .signal("approval", &["1"])
        .signal("approval", &["4"])
        .signal("approve", &[])
        .advance();
    assert_eq!(driver.waiting()[0].awaits, "signal approval");
    driver.signal("approval", &["7"]);
    assert_eq!(driver.advance(), ["complete [\"1..10: 1\"]"]);
    assert!(driver.logs().is_empty());
}

// S7, U8
#[test]
fn unfinished_handlers_and_untaken_signals_are_warned_about_once() {
    let driver = started();
    driver.signal("approval", &["1"]);
    driver
        .update("u1", "slow_add", &["1", "1"])
        .update("u2", "abandoned", &[]);
    driver.signal("add", &["10"]).advance();
    driver.advance();
    let logs = driver.logs();
    assert_eq!(logs.len(), 2, "{logs:?}");
    assert!(
        logs[0].contains("update handlers are still running: [slow_add]"),
        "{logs:?}"
    );
    assert!(
        logs[1].contains("signals that nobody took: [approval]"),
        "{logs:?}"
    );
}

// U8
#[test]
fn a_running_handler_counts_as_unfinished() {
    let driver = started();
    driver.signal("finish_alone", &[]).update("u", "sum", &[]);
    assert_eq!(driver.commands(), ["update u [0]"]);
}

#[test]
fn descriptions_come_from_doc_texts() {
    let descriptor = <Messages as crate::workflows::WorkflowImplementation>::descriptor();
    assert_eq!(
        (descriptor.name, descriptor.description),
        ("renamed", "What the type is for.")
    );
    assert_eq!(
        descriptor.signals[0].description,
        "Add two values.\n\nBoth are payloads of their own."
    );
    assert_eq!(descriptor.signals[1].name, "fail");
    assert!(descriptor.updates[0].has_validator && !descriptor.updates[1].has_validator);
}
