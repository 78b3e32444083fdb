//! Start and signals.

use longhaul_engine::{Effect, Refused, execution::Admission};
use longhaul_history::limits;
use prost::Message;
use serde_json::json;

use crate::{
    guest::{Script, complete, timer},
    world::{World, request, signal},
};

#[test]
fn a_run_starts_and_completes_in_one_task() {
    let mut world = World::new();
    assert!(world.execution.needs_task());
    assert_eq!(world.task([complete(json!("done"))]), ["start"]);
    assert_eq!(world.effects, [Effect::Closed]);
    assert!(!world.execution.needs_task());
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 WorkflowExecutionCompleted result=\"done\"",
    );
}

#[test]
fn signals_before_the_first_task_are_kept_in_order() {
    // S2, S3
    let mut world = World::new();
    for name in ["c", "a", "b"] {
        assert_eq!(world.signal(name, ""), Ok(true));
        assert_eq!(world.effects, []);
    }
    assert_eq!(world.task([]), ["start", "signal c", "signal a", "signal b"]);
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowExecutionSignaled name=c
         3 WorkflowExecutionSignaled name=a
         4 WorkflowExecutionSignaled name=b
         5 WorkflowTaskScheduled
         6 WorkflowTaskStarted scheduled=5
         7 WorkflowTaskCompleted scheduled=5 started=6",
    );
}

#[test]
fn a_repeated_request_id_is_taken_once() {
    // S5
    let mut world = World::new();
    assert_eq!(world.signal("go", "r1"), Ok(true));
    assert_eq!(world.signal("go", "r1"), Ok(false));
    world.task([]);
    world.restart();
    assert_eq!(world.signal("go", "r1"), Ok(false), "also after a restart");
    assert_eq!(world.signal("go", "r2"), Ok(true));
    // Without a request id there is nothing to tell repeats by.
    assert_eq!(world.signal("go", ""), Ok(true));
    assert_eq!(world.signal("go", ""), Ok(true));
    assert_eq!(world.task([]), ["signal go", "signal go", "signal go"]);
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowExecutionSignaled name=go
         3 WorkflowTaskScheduled
         4 WorkflowTaskStarted scheduled=3
         5 WorkflowTaskCompleted scheduled=3 started=4
         6 WorkflowExecutionSignaled name=go
         7 WorkflowExecutionSignaled name=go
         8 WorkflowExecutionSignaled name=go
         9 WorkflowTaskScheduled
        10 WorkflowTaskStarted scheduled=9
        11 WorkflowTaskCompleted scheduled=9 started=10",
    );
}

#[test]
fn a_closed_run_takes_no_signal() {
    // S6
    let mut world = World::new();
    world.task([complete(json!(1))]);
    let events = world.history.len();
    let refused = world.signal("go", "").unwrap_err();
    assert_eq!(refused, Refused::Closed);
    assert_eq!(refused.to_string(), "workflow execution already completed");
    assert_eq!(world.cancel("late"), Err(Refused::Closed));
    assert_eq!(world.terminate("late"), Err(Refused::Closed));
    assert_eq!(world.update("u", "add"), Err(Refused::Closed));
    assert_eq!(world.history.len(), events);
}

#[test]
fn one_task_tells_signals_then_updates_then_outcomes() {
    // S3
    let mut world = World::new();
    world.task([timer(1, 5)]);
    world.advance(5);
    assert!(world.fire(5));
    assert_eq!(world.cancel("why not"), Ok(true));
    assert_eq!(world.update("u", "add"), Ok(Admission::Admitted));
    assert_eq!(world.signal("go", ""), Ok(true));
    let script = Script::first([timer(2, 1)])
        .update("u", [timer(3, 1)])
        .and_last([timer(4, 1)]);
    assert_eq!(
        world.script(script),
        [
            "signal go",
            "update u",
            "resolve 1 completed ()",
            "cancel why not"
        ]
    );
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 TimerStarted id=1 after=5s
         6 TimerFired id=1 started=5
         7 WorkflowExecutionCancelRequested cause=\"why not\"
         8 WorkflowExecutionSignaled name=go
         9 WorkflowTaskScheduled
        10 WorkflowTaskStarted scheduled=9
        11 WorkflowTaskCompleted scheduled=9 started=10
        12 TimerStarted id=2 after=1s
        13 WorkflowExecutionUpdateAccepted id=u name=add task=9
        14 TimerStarted id=3 after=1s
        15 TimerStarted id=4 after=1s",
    );
}

#[test]
fn a_full_history_takes_no_message_but_cancel_and_terminate() {
    // E10
    let mut world = World::new();
    world.limits.history.stop_events = 3;
    assert_eq!(world.signal("one", "r1"), Ok(true));
    assert_eq!(world.signal("two", ""), Ok(true));
    let full = Refused::HistoryFull {
        events: 3,
        bytes: world.limits.history.stop_bytes,
    };
    assert_eq!(world.signal("three", ""), Err(full.clone()));
    assert_eq!(
        world.signal("one", "r1"),
        Ok(false),
        "a repeat needs no room (S5)"
    );
    assert_eq!(world.update("u", "add"), Err(full));
    assert!(world.execution.admitted_updates().is_empty());

    world.limits.history.stop_events = 1_000;
    world.limits.history.stop_bytes = world.execution.history_bytes();
    let full = Refused::HistoryFull {
        events: 1_000,
        bytes: world.limits.history.stop_bytes,
    };
    assert_eq!(world.signal("four", ""), Err(full));
    world.limits.history.stop_bytes += 1;
    assert_eq!(world.signal("four", ""), Ok(true));
    assert_eq!(world.cancel("enough"), Ok(true));
    assert_eq!(world.terminate("enough"), Ok(()));
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowExecutionSignaled name=one
         3 WorkflowExecutionSignaled name=two
         4 WorkflowExecutionSignaled name=four
         5 WorkflowExecutionCancelRequested cause=enough
         6 WorkflowExecutionTerminated reason=enough",
    );
}

#[test]
fn signals_that_the_code_has_not_seen_have_a_limit() {
    // E10, S5, S9
    let mut world = World::new();
    let bytes = signal("go", "r1").encoded_len();
    world.limits.history.unseen_signals_bytes = 2 * bytes;
    let full = Err(Refused::Limit(limits::Error::UnseenSignals {
        bytes: 3 * bytes,
        limit: 2 * bytes,
    }));
    assert_eq!(world.signal("go", "r1"), Ok(true));
    assert_eq!(world.signal("go", "r2"), Ok(true));
    assert_eq!(world.signal("go", "r3"), full);
    assert_eq!(world.signal("go", "r1"), Ok(false), "a repeat needs no room");
    world.restart();
    assert_eq!(world.signal("go", "r3"), full, "also after a restart");
    world.task([]);
    // What the code has seen makes room.
    assert_eq!(world.signal("go", "r3"), Ok(true));
    assert_eq!(world.signal("go", "r4"), Ok(true));
    assert_eq!(world.signal("go", "r5"), full);
    assert_eq!(world.task([]), ["signal go", "signal go"]);
}

#[test]
fn a_long_history_suggests_to_continue_as_new() {
    // E3, E10
    let mut world = World::new();
    world.limits.history.suggest_events = 8;
    world.limits.history.suggest_updates = 1;
    world.step(|execution, turn, limits| {
        execution.admit_update(turn, request("u", "add"), limits).unwrap();
        let task = execution.plan_task(turn, limits);
        assert!(task.suggest.is_empty());
        assert_eq!(
            (task.scheduled_event_id, task.started_event_id, task.now_ns),
            (2, 3, turn.now_ns)
        );
        assert_eq!(task.history_bytes, execution.history_bytes());
    });
    world.task([]);
    world.signal("a", "").unwrap();
    world.task([]);
    world.signal("b", "").unwrap();
    world.limits.history.suggest_bytes = world.execution.history_bytes();
    world.task([]);
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 WorkflowExecutionUpdateAccepted id=u name=add task=2
         6 WorkflowExecutionSignaled name=a
         7 WorkflowTaskScheduled
         8 WorkflowTaskStarted scheduled=7 suggests-continue-as-new=(TooManyUpdates)
         9 WorkflowTaskCompleted scheduled=7 started=8
        10 WorkflowExecutionSignaled name=b
        11 WorkflowTaskScheduled
        12 WorkflowTaskStarted scheduled=11 suggests-continue-as-new=(HistorySizeTooLarge,TooManyHistoryEvents,TooManyUpdates)
        13 WorkflowTaskCompleted scheduled=11 started=12",
    );
    let suggested: Vec<usize> = longhaul_engine::replay::tasks(&world.history)
        .map(|task| task.suggest().len())
        .collect();
    assert_eq!(suggested, [0, 1, 3], "a replay tells the code the same");
}

#[test]
fn the_sender_of_a_signal_is_kept() {
    let mut world = World::new();
    let mut attributes = signal("go", "");
    attributes.identity = "me".into();
    world
        .step(|execution, turn, limits| execution.signal(turn, attributes, limits))
        .unwrap();
    let Some(longhaul_history::Attributes::WorkflowExecutionSignaledEventAttributes(kept)) =
        &world.history[1].attributes
    else {
        panic!("{:?}", world.history[1]);
    };
    assert_eq!(kept.identity, "me");
}
