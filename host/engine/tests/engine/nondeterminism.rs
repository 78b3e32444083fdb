//! Code that does something else than history says it did.

use longhaul_engine::{CancellationType, Command, Nondeterminism};
use longhaul_history::payload::{ENCODING_JSON, encoded};
use serde_json::json;

use crate::{
    guest::{
        Script, activity, activity_with, cancel_activity, cancel_timer, complete, complete_update, fail,
        json, timer,
    },
    world::World,
};

/// The difference between what ran, as one task, and what replays.
#[track_caller]
fn difference(
    ran: impl IntoIterator<Item = Command>,
    replays: impl IntoIterator<Item = Command>,
) -> Nondeterminism {
    let mut world = World::new();
    world.task(ran);
    let scripts = vec![Script::last(replays)];
    world.replay_as(scripts).err().expect("the two differ")
}

#[track_caller]
fn assert_same(ran: Command, replays: Command) {
    let mut world = World::new();
    world.task([ran]);
    let scripts = vec![Script::last([replays])];
    if let Err(difference) = world.replay_as(scripts) {
        panic!("{difference}");
    }
}

fn with_input(seq: u32, json_text: &str) -> Command {
    let text = json_text.to_owned();
    activity_with(seq, "charge", |options| {
        options.input.payloads = vec![encoded(ENCODING_JSON, text)];
    })
}

fn found(event_id: i64, expected: &str, found: &str, call: Option<u32>) -> Nondeterminism {
    Nondeterminism {
        event_id,
        expected: expected.into(),
        found: found.into(),
        call,
    }
}

#[test]
fn another_kind_is_found() {
    // W4
    let difference = difference([timer(1, 5), timer(2, 5)], [timer(1, 5), activity(2, "charge")]);
    assert_eq!(
        difference,
        found(
            6,
            "TimerStarted id=2 after=5s",
            "ActivityTaskScheduled id=2 type=charge input=()",
            Some(1)
        )
    );
    assert!(
        difference
            .to_string()
            .starts_with("[TMPRL1100] Nondeterminism error: at event 6 history has "),
        "{difference}"
    );
    assert!(
        difference
            .to_string()
            .ends_with(", but the code did ActivityTaskScheduled id=2 type=charge input=()"),
        "{difference}"
    );
}

#[test]
fn another_id_or_type_is_found() {
    // W4
    assert_eq!(
        difference([timer(1, 5)], [timer(2, 5)]),
        found(5, "TimerStarted id=1 after=5s", "TimerStarted id=2", Some(0))
    );
    let scheduled = "ActivityTaskScheduled id=1 type=charge queue=default start-to-close=10s";
    assert_eq!(
        difference([activity(1, "charge")], [activity(2, "charge")]),
        found(
            5,
            scheduled,
            "ActivityTaskScheduled id=2 type=charge input=()",
            Some(0)
        )
    );
    assert_eq!(
        difference([activity(1, "charge")], [activity(1, "send")]),
        found(
            5,
            scheduled,
            "ActivityTaskScheduled id=1 type=send input=()",
            Some(0)
        )
    );
    let own_id = activity_with(1, "charge", |options| options.activity_id = Some("mine".into()));
    assert_eq!(
        difference([activity(1, "charge")], [own_id]),
        found(
            5,
            scheduled,
            "ActivityTaskScheduled id=mine type=charge input=()",
            Some(0)
        )
    );
}

#[test]
fn input_is_compared_as_json_by_value() {
    // W4
    assert_same(
        with_input(1, r#"{"a": 1, "b": [1.0, "x"]}"#),
        with_input(1, r#"{"b":[1e0,"x"],"a":1}"#),
    );
    assert_eq!(
        difference([with_input(1, r#"{"a":1}"#)], [with_input(1, r#"{"a":2}"#)]),
        found(
            5,
            "ActivityTaskScheduled id=1 type=charge queue=default input=({\"a\":1}) start-to-close=10s \
             with another input: ({\"a\":1})",
            "ActivityTaskScheduled id=1 type=charge input=({\"a\":2})",
            Some(0)
        )
    );
    let none = difference([with_input(1, "1")], [activity(1, "charge")]);
    assert_eq!(none.found, "ActivityTaskScheduled id=1 type=charge input=()");
}

#[test]
fn limits_policies_and_queues_may_change() {
    // W4
    assert_same(timer(1, 5), timer(1, 500));
    let other = activity_with(1, "charge", |options| {
        options.task_queue = Some("other".into());
        options.start_to_close_ns = Some(1);
        options.heartbeat_ns = Some(1);
        options.cancellation_type = CancellationType::Abandon;
    });
    assert_same(activity(1, "charge"), other);
    assert_same(complete(json!(1)), complete(json!(2)));
}

#[test]
fn a_missing_command_is_found() {
    // W4
    assert_eq!(
        difference([timer(1, 5), timer(2, 5)], [timer(1, 5)]),
        found(
            6,
            "TimerStarted id=2 after=5s",
            "no further command in this workflow task",
            None
        )
    );
}

#[test]
fn a_command_too_many_is_found() {
    // W4
    assert_eq!(
        difference([timer(1, 5)], [timer(1, 5), timer(2, 5)]),
        found(
            4,
            "no further command of this workflow task",
            "TimerStarted id=2",
            Some(1)
        )
    );
}

#[test]
fn another_end_is_found() {
    // W4
    assert_eq!(
        difference([complete(json!(1))], [fail("no")]),
        found(
            5,
            "WorkflowExecutionCompleted result=1",
            "WorkflowExecutionFailed",
            Some(0)
        )
    );
    let cancelled = difference([fail("no")], [Command::Cancelled(json(&json!(1)))]);
    assert_eq!(
        (cancelled.event_id, &*cancelled.found),
        (5, "WorkflowExecutionCanceled")
    );
}

#[test]
fn another_cancellation_is_found() {
    // W4
    let start = [
        timer(1, 5),
        timer(2, 5),
        activity(3, "charge"),
        activity(4, "charge"),
    ];
    let mut world = World::new();
    world.task(start.clone());
    world.signal("stop", "").unwrap();
    world.task([cancel_timer(1), cancel_activity(3)]);
    let replay = |commands: [Command; 2]| {
        let scripts = vec![Script::last(start.clone()), Script::last(commands)];
        world.replay_as(scripts).map(|_| ())
    };
    assert_eq!(replay([cancel_timer(1), cancel_activity(3)]), Ok(()));
    assert_eq!(
        replay([cancel_timer(2), cancel_activity(3)]),
        Err(found(
            13,
            "TimerCanceled id=1 started=5",
            "TimerCanceled id=2",
            Some(0)
        ))
    );
    assert_eq!(
        replay([cancel_timer(1), cancel_activity(4)]),
        Err(found(
            14,
            "ActivityTaskCancelRequested scheduled=7",
            "ActivityTaskCancelRequested scheduled=8",
            Some(1)
        ))
    );
}

#[test]
fn an_update_that_ends_elsewhere_is_found() {
    // W4, U6
    let mut world = World::new();
    world.update("a", "add").unwrap();
    world.update("b", "add").unwrap();
    world.script(Script::default().update("a", [complete_update("a", json!(1))]));
    let later = Script::default().update("b", [complete_update("a", json!(1))]);
    assert_eq!(
        world.replay_as(vec![later]).map(|_| ()),
        Err(found(
            6,
            "WorkflowExecutionUpdateCompleted id=a accepted=5 result=1",
            "WorkflowExecutionUpdateAccepted id=b",
            None
        ))
    );
    let other = Script::default().update("a", [timer(1, 1)]);
    assert_eq!(
        world.replay_as(vec![other]).map(|_| ()),
        Err(found(
            6,
            "WorkflowExecutionUpdateCompleted id=a accepted=5 result=1",
            "TimerStarted id=1",
            Some(0)
        ))
    );
    let another_result = Script::default().update("a", [complete_update("a", json!(2))]);
    assert!(
        world.replay_as(vec![another_result]).is_ok(),
        "results are not compared"
    );
}
