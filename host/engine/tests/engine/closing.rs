//! How runs end.

use longhaul_engine::{Command, Effect, Status};
use longhaul_history::proto::common::v1::Payloads;
use serde_json::json;

use crate::{
    guest::{activity, complete, fail, json, timer},
    world::{World, at},
};

const FIRST_TASK: &str = "
    1 WorkflowExecutionStarted type=Test id=workflow queue=default
    2 WorkflowTaskScheduled
    3 WorkflowTaskStarted scheduled=2
    4 WorkflowTaskCompleted scheduled=2 started=3
";

#[test]
fn the_first_terminal_command_comes_last_and_the_others_are_dropped() {
    let mut world = World::new();
    world.task([
        complete(json!(1)),
        timer(1, 5),
        fail("no"),
        Command::Cancelled(Payloads::default()),
    ]);
    assert_eq!(
        world.effects,
        [
            Effect::TimerSet {
                started_event_id: 5,
                due_ns: at(5)
            },
            Effect::TimerGone {
                started_event_id: 5,
                due_ns: at(5)
            },
            Effect::Closed
        ]
    );
    world.assert(&format!(
        "{FIRST_TASK}
         5 TimerStarted id=1 after=5s
         6 WorkflowExecutionCompleted result=1"
    ));
}

#[test]
fn a_failed_workflow_says_why() {
    let mut world = World::new();
    world.task([fail("no")]);
    assert_eq!(world.execution.status(), Status::Failed);
    world.assert(&format!(
        "{FIRST_TASK}
         5 WorkflowExecutionFailed failure=\"Broken: no\" retry-state=RetryPolicyNotSet"
    ));
}

#[test]
fn cancellation_is_a_request_and_idempotent() {
    // E4
    let mut world = World::new();
    assert_eq!(world.cancel("enough"), Ok(true));
    assert_eq!(world.cancel("again"), Ok(false));
    world.restart();
    assert_eq!(world.cancel("again"), Ok(false));
    assert_eq!(
        world.task([Command::Cancelled(json(&json!("tidy")))]),
        ["start", "cancel enough"]
    );
    assert_eq!(world.execution.status(), Status::Canceled);
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowExecutionCancelRequested cause=enough
         3 WorkflowTaskScheduled
         4 WorkflowTaskStarted scheduled=3
         5 WorkflowTaskCompleted scheduled=3 started=4
         6 WorkflowExecutionCanceled details=\"tidy\"",
    );
}

#[test]
fn terminate_runs_no_code_and_ends_what_is_pending() {
    // E4
    let mut world = World::new();
    world.task([
        timer(1, 5),
        activity(2, "charge"),
        activity(3, "send"),
        timer(4, 6),
    ]);
    world.start_attempt(6);
    world.terminate("enough").unwrap();
    assert_eq!(
        world.effects,
        [
            Effect::TimerGone {
                started_event_id: 5,
                due_ns: at(5)
            },
            Effect::TimerGone {
                started_event_id: 8,
                due_ns: at(6)
            },
            Effect::ActivityCancelRequested {
                scheduled_event_id: 6
            },
            Effect::ActivityGone {
                scheduled_event_id: 6
            },
            Effect::ActivityGone {
                scheduled_event_id: 7
            },
            Effect::Closed
        ]
    );
    world.advance(60);
    assert!(!world.fire(5));
    assert!(!world.complete_attempt(6, 1, json!(1)));
    assert_eq!(world.execution.status(), Status::Terminated);
    world.assert(&format!(
        "{FIRST_TASK}
         5 TimerStarted id=1 after=5s
         6 ActivityTaskScheduled id=2 type=charge queue=default start-to-close=10s
         7 ActivityTaskScheduled id=3 type=send queue=default start-to-close=10s
         8 TimerStarted id=4 after=6s
         9 WorkflowExecutionTerminated reason=enough"
    ));
}

#[test]
fn a_run_ends_at_its_time_limit() {
    // E2
    let mut world = World::with_run_timeout(30);
    assert_eq!(world.execution.run_expires_ns(), Some(at(30)));
    let time_out = |world: &mut World<_>| world.step(|execution, turn, _| execution.run_timed_out(turn));
    world.advance(29);
    assert!(!time_out(&mut world));
    world.advance(1);
    assert!(time_out(&mut world));
    assert_eq!(world.effects, [Effect::Closed]);
    assert!(!time_out(&mut world));
    assert_eq!(world.execution.close_time_ns(), Some(at(30)));
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default run-timeout=30s
         2 WorkflowExecutionTimedOut retry-state=RetryPolicyNotSet",
    );
}
