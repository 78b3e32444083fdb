//! Chains of runs: continue-as-new, retry, cron, and the limits of time (E2, E3).

use longhaul_engine::{
    BadStart, Command, ContinueOptions, Effect, Status, Violation,
    execution::{Start, Successor},
    proto::enums::v1::{ContinueAsNewInitiator, RetryState, WorkflowTaskFailedCause},
};
use longhaul_history::{
    Attributes, payload,
    proto::common::v1::{Memo, Payload, RetryPolicy, SearchAttributes},
    text, time,
};
use serde_json::{Value, json};

use crate::{
    guest::{Script, Scripted, complete, fail, failure, json},
    town::Town,
    world::{NEXT_RUN_ID, World, at, start},
};

fn value(value: Value) -> Payload {
    payload::json_payload(&value)
}

fn memo(fields: &[(&str, Value)]) -> Memo {
    let fields = fields.iter().map(|(k, v)| ((*k).to_owned(), value(v.clone())));
    Memo {
        fields: fields.collect(),
    }
}

fn attributes(fields: &[(&str, Value)]) -> SearchAttributes {
    SearchAttributes {
        indexed_fields: memo(fields).fields,
    }
}

fn last(world: &World<Scripted>) -> String {
    text::event(world.history.last().unwrap()).trim_start().to_owned()
}

fn successor(world: &mut World<Scripted>) -> Successor {
    *world.successor.take().expect("the chain goes on")
}

fn seconds(seconds: u64) -> u64 {
    seconds * time::NS_PER_SECOND
}

#[test]
fn continue_as_new_is_a_new_run_of_the_same_id() {
    // E3
    let mut town = Town::new();
    town.start("loop");
    let first = town.world("loop").execution.identity().run_id.clone();
    let options = ContinueOptions {
        input: json(&json!({"round": 2})),
        ..Default::default()
    };
    town.task("loop", [Command::ContinueAsNew(Box::new(options))]);
    assert_eq!(town.past[0].execution.status(), Status::ContinuedAsNew);
    town.past[0].assert(
        "1 WorkflowExecutionStarted type=Test id=loop queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 WorkflowExecutionContinuedAsNew type=Test queue=default input=({\"round\":2})",
    );
    let Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(closed)) =
        &town.past[0].history[4].attributes
    else {
        panic!("{:?}", town.past[0].history[4])
    };
    let second = &town.world("loop").execution;
    assert_eq!(closed.new_execution_run_id, *second.identity().run_id);
    assert_ne!(second.identity().run_id, first);
    assert_eq!(second.first_run_id(), &*first);
    assert_eq!(second.start().continued_execution_run_id, *first);
    assert_eq!(second.start().initiator(), ContinueAsNewInitiator::Workflow);
    assert_eq!(
        second.start().original_execution_run_id,
        *second.identity().run_id
    );
    town.world("loop")
        .assert("1 WorkflowExecutionStarted type=Test id=loop queue=default input=({\"round\":2})");
    assert_eq!(town.task("loop", [complete(json!("done"))]), ["start"]);
    assert_eq!(town.world("loop").execution.first_run_id(), &*first);
}

#[test]
fn what_is_not_set_is_carried_over() {
    // E3
    let begun = Start {
        memo: Some(memo(&[("a", json!(1)), ("b", json!(2))])),
        search_attributes: Some(attributes(&[("Customer", json!("c"))])),
        retry_policy: Some(RetryPolicy {
            maximum_attempts: 3,
            ..Default::default()
        }),
        cron_schedule: "0 * * * *".into(),
        run_timeout_ns: seconds(30),
        execution_timeout_ns: seconds(90),
        ..start()
    };
    let mut world = World::with(Scripted::default(), begun.clone());
    world.advance(3_600);
    assert!(world.step(|execution, turn, _| execution.release_first_task(turn)));
    world.task([
        Command::UpsertMemo(vec![("b".into(), None), ("c".into(), Some(value(json!(3))))]),
        Command::Patched {
            id: "p".into(),
            deprecated: false,
        },
        Command::ContinueAsNew(Box::default()),
    ]);
    let next = successor(&mut world);
    assert_eq!(next.run_id, NEXT_RUN_ID);
    let carried = &next.start;
    assert_eq!(carried.memo, Some(memo(&[("a", json!(1)), ("c", json!(3))])));
    // The next run takes every new side: the list of patches is not its own.
    assert_eq!(carried.search_attributes, begun.search_attributes);
    assert_eq!(carried.retry_policy, begun.retry_policy);
    assert_eq!(
        (carried.run_timeout_ns, carried.execution_timeout_ns),
        (seconds(30), seconds(90))
    );
    assert_eq!(carried.cron_schedule, begun.cron_schedule);
    assert_eq!(carried.first_task_backoff_ns, 0, "only the schedule itself waits");
    assert_eq!(carried.expires_ns, world.execution.chain_expires_ns());
    assert_eq!(carried.attempt, 1);

    let mut world = World::with(
        Scripted::default(),
        Start {
            cron_schedule: String::new(),
            ..begun
        },
    );
    world.task([Command::ContinueAsNew(Box::new(ContinueOptions {
        workflow_type: Some("Other".into()),
        task_queue: Some("elsewhere".into()),
        run_timeout_ns: Some(seconds(7)),
        task_timeout_ns: Some(seconds(5)),
        memo: Some(Memo::default()),
        search_attributes: Some(attributes(&[("Customer", json!("d"))])),
        retry_policy: Some(RetryPolicy::default()),
        ..Default::default()
    }))]);
    let set = successor(&mut world).start;
    assert_eq!((&*set.workflow_type, &*set.task_queue), ("Other", "elsewhere"));
    assert_eq!(
        (set.run_timeout_ns, set.task_timeout_ns),
        (seconds(7), seconds(5))
    );
    assert_eq!(set.memo, Some(Memo::default()));
    assert_eq!(
        set.search_attributes,
        Some(attributes(&[("Customer", json!("d"))]))
    );
    assert_eq!(set.retry_policy, Some(RetryPolicy::default()));
    world.check();
}

#[test]
fn options_that_no_next_run_can_have_fail_the_task() {
    // E3
    let mut world = World::new();
    let options = ContinueOptions {
        workflow_type: Some(String::new()),
        ..Default::default()
    };
    let violation = world
        .try_script(Script::last([Command::ContinueAsNew(Box::new(options))]))
        .unwrap_err();
    assert_eq!(
        violation,
        Violation::BadContinue("the workflow type is empty".into())
    );
    assert_eq!(
        violation.cause(),
        WorkflowTaskFailedCause::BadContinueAsNewAttributes
    );
}

fn retried(attempts: i32) -> Start {
    Start {
        input: Some(json(&json!("in"))),
        retry_policy: Some(RetryPolicy {
            maximum_attempts: attempts,
            non_retryable_error_types: vec!["Fatal".into()],
            ..Default::default()
        }),
        ..start()
    }
}

#[test]
fn a_failed_run_is_tried_again_by_its_policy() {
    // E2
    let mut town = Town::new();
    town.start_with("work", at(0), retried(2));
    town.task("work", [fail("first")]);
    assert_eq!(
        last(&town.past[0]),
        "5 WorkflowExecutionFailed failure=\"Broken: first\" retry-state=InProgress"
    );
    assert_eq!(town.past[0].execution.status(), Status::Failed);
    let second = town.world("work");
    second.assert(
        "1 WorkflowExecutionStarted type=Test id=work queue=default input=(\"in\") retry={attempts:2,not:Fatal} attempt=2 backoff=1s initiator=Retry \
         last-failure=\"Broken: first\"",
    );
    assert!(!second.execution.needs_task(), "it waits");
    assert_eq!(second.execution.first_task_due_ns(), Some(at(1)));
    town.with("work", |work| {
        assert!(
            !work.step(|execution, turn, _| execution.release_first_task(turn)),
            "too early"
        );
        work.advance(1);
        assert!(work.step(|execution, turn, _| execution.release_first_task(turn)));
        assert_eq!(work.effects, [Effect::FirstTaskReleased]);
        assert!(
            !work.step(|execution, turn, _| execution.release_first_task(turn)),
            "once"
        );
    });
    town.task("work", [fail("second")]);
    assert_eq!(town.past.len(), 1, "two attempts are all");
    assert_eq!(
        last(town.world("work")),
        "5 WorkflowExecutionFailed failure=\"Broken: second\" retry-state=MaximumAttemptsReached"
    );
}

#[test]
fn what_ends_a_chain_of_retries() {
    // E2
    let state = |begun: Start, command: Command| {
        let mut world = World::with(Scripted::default(), begun);
        world.task([command]);
        assert_eq!(world.successor, None);
        match &world.history.last().unwrap().attributes {
            Some(Attributes::WorkflowExecutionFailedEventAttributes(failed)) => failed.retry_state(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(state(start(), fail("x")), RetryState::RetryPolicyNotSet);
    assert_eq!(
        state(retried(0), Command::Fail(failure("x", "Fatal"))),
        RetryState::NonRetryableFailure
    );
    let stubborn = longhaul_history::failure::application("x", "T", true);
    assert_eq!(
        state(retried(0), Command::Fail(Box::new(stubborn))),
        RetryState::NonRetryableFailure
    );
    let short = Start {
        execution_timeout_ns: time::NS_PER_SECOND / 2,
        ..retried(0)
    };
    assert_eq!(state(short, fail("x")), RetryState::Timeout);
    // What ends well, or was cancelled or terminated, is not tried again.
    let mut world = World::with(Scripted::default(), retried(0));
    world.task([complete(json!(1))]);
    assert_eq!(world.successor, None);
    let mut world = World::with(Scripted::default(), retried(0));
    world.task([Command::Cancelled(Default::default())]);
    assert_eq!(world.successor, None);
    let mut world = World::with(Scripted::default(), retried(0));
    world.terminate("enough").unwrap();
    assert_eq!(world.successor, None);
}

#[test]
fn a_failure_may_say_when_the_next_run_begins() {
    // E2
    let mut world = World::with(Scripted::default(), retried(0));
    let mut late = longhaul_history::failure::application("x", "T", false);
    use longhaul_history::proto::failure::v1::failure::FailureInfo;
    if let Some(FailureInfo::ApplicationFailureInfo(info)) = &mut late.failure_info {
        info.next_retry_delay = Some(time::duration_from_ns(seconds(9)));
    }
    world.task([Command::Fail(Box::new(late))]);
    assert_eq!(successor(&mut world).start.first_task_backoff_ns, seconds(9));
}

#[test]
fn a_cron_run_is_followed_by_the_next() {
    // E2
    let begun = Start {
        cron_schedule: "0 * * * *".into(),
        retry_policy: Some(RetryPolicy {
            maximum_attempts: 1,
            ..Default::default()
        }),
        ..start()
    };
    let mut town = Town::new();
    // The history begins at full hours of 2026.
    town.start_with("hourly", at(600), begun);
    assert_eq!(
        town.world("hourly").execution.first_task_due_ns(),
        Some(at(3_600))
    );
    let tick = |town: &mut Town, command| {
        town.with("hourly", |run| {
            let due = run.execution.first_task_due_ns().unwrap();
            run.now_ns = due;
            assert!(run.step(|execution, turn, _| execution.release_first_task(turn)));
            run.advance(5);
        });
        town.task("hourly", [command]);
    };
    tick(&mut town, complete(json!("one")));
    let second = town.world("hourly");
    assert_eq!(second.execution.first_task_due_ns(), Some(at(7_200)));
    assert_eq!(
        second.execution.start().initiator(),
        ContinueAsNewInitiator::CronSchedule
    );
    assert_eq!(
        second.execution.start().last_completion_result,
        Some(json(&json!("one")))
    );
    assert!(last(&town.past[0]).starts_with("5 WorkflowExecutionCompleted result=\"one\""));
    tick(&mut town, fail("two"));
    let third = town.world("hourly").execution.start();
    assert_eq!(
        third.last_completion_result,
        Some(json(&json!("one"))),
        "of the last that completed"
    );
    assert_eq!(third.continued_failure.as_ref().unwrap().message, "two");
    assert_eq!(third.attempt, 1);
    let Some(Attributes::WorkflowExecutionFailedEventAttributes(failed)) =
        &town.past[1].history.last().unwrap().attributes
    else {
        panic!("it has failed")
    };
    assert_eq!(failed.retry_state(), RetryState::MaximumAttemptsReached);
    assert_eq!(
        failed.new_execution_run_id,
        *town.world("hourly").execution.identity().run_id
    );
    // A run that takes longer than an hour misses those times.
    town.with("hourly", |run| run.advance(3 * 3_600));
    tick(&mut town, complete(json!("three")));
    assert_eq!(
        town.world("hourly").execution.first_task_due_ns(),
        Some(at(14_400))
    );
    // The chain ends when it is cancelled or terminated.
    tick(&mut town, Command::Cancelled(Default::default()));
    assert_eq!(town.past.len(), 3);
    assert_eq!(town.world("hourly").execution.status(), Status::Canceled);
    town.check();
}

#[test]
fn a_chain_out_of_time_goes_nowhere_also_by_its_schedule() {
    // E2
    let begun = Start {
        cron_schedule: "0 * * * *".into(),
        run_timeout_ns: seconds(60),
        execution_timeout_ns: seconds(15),
        ..start()
    };
    let mut world = World::with(Scripted::default(), begun);
    assert_eq!(
        world.execution.start().workflow_run_timeout,
        Some(time::duration_from_ns(seconds(15))),
        "a run has no more time than its chain"
    );
    assert_eq!(world.execution.chain_expires_ns(), Some(at(3_615)));
    world.now_ns = at(3_615);
    assert!(world.step(|execution, turn, _| execution.run_timed_out(turn)));
    assert_eq!(last(&world), "2 WorkflowExecutionTimedOut retry-state=Timeout");
    assert_eq!(world.successor, None);
}

#[test]
fn a_runs_time_counts_from_its_first_task_and_its_chains_from_the_start() {
    // E2
    let begun = Start {
        run_timeout_ns: seconds(10),
        execution_timeout_ns: seconds(15),
        first_task_backoff_ns: seconds(100),
        ..retried(0)
    };
    let mut world = World::with(Scripted::default(), begun);
    assert_eq!(world.execution.run_expires_ns(), Some(at(110)));
    assert_eq!(world.execution.chain_expires_ns(), Some(at(115)));
    world.advance(109);
    assert!(!world.step(|execution, turn, _| execution.run_timed_out(turn)));
    world.advance(1);
    assert!(world.step(|execution, turn, _| execution.run_timed_out(turn)));
    assert_eq!(last(&world), "2 WorkflowExecutionTimedOut retry-state=InProgress");
    let next = successor(&mut world).start;
    assert_eq!((next.attempt, next.first_task_backoff_ns), (2, seconds(1)));
    assert_eq!(next.last_failure.as_ref().unwrap().message, "workflow timeout");
    // The next run has what is left of the chain's time.
    let mut world = World::begin(crate::world::identity(), at(110), Scripted::default(), next);
    assert_eq!(world.execution.run_expires_ns(), Some(at(115)));
    world.now_ns = at(115);
    assert!(world.step(|execution, turn, _| execution.run_timed_out(turn)));
    assert_eq!(last(&world), "2 WorkflowExecutionTimedOut retry-state=Timeout");
    assert_eq!(world.successor, None, "a chain out of time goes nowhere");
    world.check();
}

#[test]
fn no_acknowledged_signal_is_lost_between_runs() {
    // S5, S9, U7
    let begun = Start {
        run_timeout_ns: seconds(10),
        ..retried(0)
    };
    let mut town = Town::new();
    town.start_with("work", at(0), begun);
    town.task("work", []);
    town.with("work", |work| {
        work.signal("one", "r1").unwrap();
        work.update("u", "add").unwrap();
        work.signal("two", "").unwrap();
        work.advance(10);
        assert!(work.step(|execution, turn, _| execution.run_timed_out(turn)));
    });
    let next = town.world("work");
    assert_eq!(next.execution.admitted_updates(), ["u"]);
    town.with("work", |work| {
        work.advance(1);
        assert!(work.step(|execution, turn, _| execution.release_first_task(turn)));
    });
    assert_eq!(
        town.task("work", []),
        ["start", "signal one", "signal two", "update u"]
    );
    // The request id is known to the next run, too.
    assert_eq!(town.with("work", |work| work.signal("one", "r1")), Ok(false));
    town.check();
}

#[test]
fn a_signal_that_the_last_task_has_seen_is_not_seen_again() {
    // S9
    let mut town = Town::new();
    town.start("loop");
    town.with("loop", |run| run.signal("one", "")).unwrap();
    town.task("loop", [Command::ContinueAsNew(Box::default())]);
    assert_eq!(town.task("loop", []), ["start"]);
}

#[test]
fn what_no_execution_can_be_started_with() {
    // E2
    let with = |cron: &str, delay: u64| Start {
        cron_schedule: cron.into(),
        first_task_backoff_ns: delay,
        ..start()
    };
    assert_eq!(with("", 5).check(), Ok(()));
    assert_eq!(with("@every 5m", 0).check(), Ok(()));
    assert_eq!(with("@every 5m", 5).check(), Err(BadStart::DelayAndCron));
    assert!(matches!(with("5m", 0).check(), Err(BadStart::Cron(_))));
    let mut bad = retried(0);
    bad.retry_policy.as_mut().unwrap().maximum_attempts = -1;
    assert_eq!(
        bad.check().unwrap_err().to_string(),
        "the retry policy is not valid: the number of attempts is negative"
    );
}
