//! Timers.

use longhaul_engine::{Command, Effect};
use serde_json::json;

use crate::{
    guest::{Script, cancel_timer, complete, timer},
    world::{World, at},
};

const TIMER_STARTED: &str = "
    1 WorkflowExecutionStarted type=Test id=workflow queue=default
    2 WorkflowTaskScheduled
    3 WorkflowTaskStarted scheduled=2
    4 WorkflowTaskCompleted scheduled=2 started=3
    5 TimerStarted id=1 after=10s
";

fn started() -> World<crate::guest::Scripted> {
    let mut world = World::new();
    world.task([timer(1, 10)]);
    world
}

#[test]
fn a_timer_fires_when_it_is_due() {
    // W2
    let mut world = started();
    let due_ns = at(10);
    assert_eq!(
        world.effects,
        [Effect::TimerSet {
            started_event_id: 5,
            due_ns
        }]
    );
    world.advance(9);
    assert!(!world.fire(5), "it lies ahead");
    assert!(!world.execution.needs_task());
    world.advance(1);
    assert!(world.fire(5));
    assert_eq!(
        world.effects,
        [Effect::TimerGone {
            started_event_id: 5,
            due_ns
        }]
    );
    assert!(!world.fire(5), "it fires once");
    assert_eq!(world.task([]), ["resolve 1 completed ()"]);
    world.assert(&format!(
        "{TIMER_STARTED}
         6 TimerFired id=1 started=5
         7 WorkflowTaskScheduled
         8 WorkflowTaskStarted scheduled=7
         9 WorkflowTaskCompleted scheduled=7 started=8"
    ));
}

#[test]
fn a_timer_that_is_started_and_cancelled_in_one_task_leaves_nothing() {
    let mut world = World::new();
    world.task([timer(1, 10), timer(2, 20), cancel_timer(1)]);
    assert_eq!(
        world.effects,
        [Effect::TimerSet {
            started_event_id: 5,
            due_ns: at(20)
        }]
    );
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 TimerStarted id=2 after=20s",
    );
}

#[test]
fn a_cancelled_timer_does_not_fire() {
    let mut world = started();
    world.signal("stop", "").unwrap();
    world.task([cancel_timer(1)]);
    assert_eq!(
        world.effects,
        [Effect::TimerGone {
            started_event_id: 5,
            due_ns: at(10)
        }]
    );
    world.advance(10);
    assert!(!world.fire(5));
    world.assert(&format!(
        "{TIMER_STARTED}
         6 WorkflowExecutionSignaled name=stop
         7 WorkflowTaskScheduled
         8 WorkflowTaskStarted scheduled=7
         9 WorkflowTaskCompleted scheduled=7 started=8
        10 TimerCanceled id=1 started=5"
    ));
}

#[test]
fn a_timer_that_fired_and_is_cancelled_in_one_task_is_not_resolved() {
    let mut world = started();
    world.advance(10);
    world.fire(5);
    world.signal("stop", "").unwrap();
    // The signal's handler cancels it before the outcome is delivered.
    assert_eq!(world.script(Script::first([cancel_timer(1)])), ["signal stop"]);
    assert_eq!(world.effects, []);
    world.assert(&format!(
        "{TIMER_STARTED}
         6 TimerFired id=1 started=5
         7 WorkflowExecutionSignaled name=stop
         8 WorkflowTaskScheduled
         9 WorkflowTaskStarted scheduled=8
        10 WorkflowTaskCompleted scheduled=8 started=9"
    ));
}

#[test]
fn a_timer_that_fired_is_cancelled_after_it_was_resolved_in_the_same_task() {
    let mut world = started();
    world.advance(10);
    world.fire(5);
    assert_eq!(world.task([cancel_timer(1)]), ["resolve 1 completed ()"]);
    world.assert(&format!(
        "{TIMER_STARTED}
         6 TimerFired id=1 started=5
         7 WorkflowTaskScheduled
         8 WorkflowTaskStarted scheduled=7
         9 WorkflowTaskCompleted scheduled=7 started=8"
    ));
}

#[test]
fn timers_of_one_task_fire_in_the_order_in_which_they_are_due() {
    let mut world = World::new();
    world.task([timer(1, 3), timer(2, 1), timer(3, 2)]);
    let due: Vec<_> = world
        .execution
        .timers()
        .iter()
        .map(|(id, t)| (*id, t.due_ns))
        .collect();
    assert_eq!(due, [(5, at(3)), (6, at(1)), (7, at(2))]);
    world.advance(2);
    assert!(!world.fire(5));
    assert!(world.fire(6));
    assert!(world.fire(7));
    assert_eq!(
        world.task([]),
        ["resolve 2 completed ()", "resolve 3 completed ()"]
    );
    world.check();
}

#[test]
fn a_summary_stands_with_its_timer() {
    let mut world = World::new();
    world.task([Command::StartTimer {
        seq: 1,
        duration_ns: 0,
        summary: Some("wait for nothing".into()),
    }]);
    assert!(world.fire(5), "zero is due at once");
    world.task([complete(json!(null))]);
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 TimerStarted id=1 after=0s summary=\"wait for nothing\"
         6 TimerFired id=1 started=5
         7 WorkflowTaskScheduled
         8 WorkflowTaskStarted scheduled=7
         9 WorkflowTaskCompleted scheduled=7 started=8
        10 WorkflowExecutionCompleted result=null",
    );
}

#[test]
fn a_timer_survives_a_restart() {
    // W2
    let mut world = started();
    world.restart();
    world.advance(60);
    assert!(world.fire(5));
    assert_eq!(world.task([]), ["resolve 1 completed ()"]);
    world.check();
}
