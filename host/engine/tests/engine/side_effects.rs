//! Side effects: their values are markers, as local activities have them (W7).

use longhaul_engine::{Command, Violation, replay::tasks};
use longhaul_history::{payload, proto::enums::v1::EventType};
use serde_json::json;

use crate::{
    guest::{Script, activity, complete_update, side_effect, timer},
    world::World,
};

fn ran(commands: impl IntoIterator<Item = Command>) -> World<crate::guest::Scripted> {
    let mut world = World::new();
    world.task(commands);
    world.check();
    world
}

#[test]
fn a_value_is_a_marker_in_its_place_among_the_commands() {
    // W7
    let mut world = ran([timer(1, 5), side_effect(2, json!({"a": 1})), timer(3, 5)]);
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 TimerStarted id=1 after=5s
         6 MarkerRecorded name=core_local_activity details={data:{\"activation_index\":1,\"activity_id\":\"2\",\"activity_type\":\"SideEffect\",\"attempt\":1,\"backoff\":null,\"complete_time\":{\"nanos\":0,\"seconds\":1767225600},\"original_schedule_time\":{\"nanos\":0,\"seconds\":1767225600},\"seq\":2,\"side_effect\":true},result:{\"a\":1}} summary=\"a draw\"
         7 TimerStarted id=3 after=5s",
    );
    // In a handler it stands behind the acceptance of the update.
    world.update("u", "draw").unwrap();
    world.script(Script::default().update("u", [side_effect(4, json!(2)), complete_update("u", json!(2))]));
    let kinds: Vec<_> = world.history[10..]
        .iter()
        .map(|event| event.event_type())
        .collect();
    assert_eq!(
        kinds,
        [
            EventType::WorkflowExecutionUpdateAccepted,
            EventType::MarkerRecorded,
            EventType::WorkflowExecutionUpdateCompleted
        ]
    );
    world.check();
}

#[test]
fn replay_is_told_of_the_values_that_a_task_has_recorded() {
    // W7
    let world = ran([
        side_effect(1, json!("x")),
        timer(2, 5),
        side_effect(3, json!(null)),
    ]);
    let slices: Vec<_> = tasks(&world.history).collect();
    let values: Vec<_> = slices[0].side_effects().collect();
    let expected =
        [(1, json!("x")), (3, json!(null))].map(|(seq, value)| (seq, payload::json_payload(&value)));
    assert_eq!(values, expected);
    assert_eq!(slices[0].local_ends().count(), 0, "they are no local activities");
}

#[test]
fn what_the_function_would_make_now_is_not_compared() {
    // W4, W7
    let world = ran([side_effect(1, json!("x"))]);
    world
        .replay_as(vec![Script::last([side_effect(1, json!("y"))])])
        .unwrap();
}

#[test]
fn a_side_effect_that_is_gone_new_or_elsewhere_differs() {
    // W4, W7
    let world = ran([side_effect(1, json!("x")), timer(2, 5)]);
    let differs = |commands: Vec<Command>| {
        let error = world
            .replay_as(vec![Script::last(commands)])
            .map(drop)
            .unwrap_err();
        (error.event_id, error.found)
    };
    assert_eq!(differs(vec![timer(1, 5)]), (5, "TimerStarted id=1".into()));
    let (event_id, found) = differs(vec![activity(1, "draw"), timer(2, 5)]);
    assert_eq!((event_id, found.starts_with("ActivityTaskScheduled")), (5, true));
    assert_eq!(
        differs(vec![timer(1, 5), side_effect(2, json!("x"))]),
        (5, "TimerStarted id=1".into())
    );
    assert_eq!(
        differs(vec![side_effect(2, json!("x")), timer(1, 5)]),
        (5, "MarkerRecorded of side effect 2".into())
    );
    assert_eq!(
        differs(vec![
            side_effect(1, json!("x")),
            side_effect(2, json!("x")),
            timer(3, 5)
        ]),
        (6, "MarkerRecorded of side effect 2".into())
    );
    // A local activity that is called the same is another thing.
    let mut called_so = match side_effect(1, json!("x")) {
        Command::SideEffect(marker) => marker,
        other => panic!("{other:?}"),
    };
    called_so.side_effect = false;
    let (event_id, found) = differs(vec![Command::RecordLocalActivity(called_so), timer(2, 5)]);
    assert_eq!(event_id, 5);
    assert!(
        found.starts_with("MarkerRecorded of local activity SideEffect"),
        "{found}"
    );
}

#[test]
fn a_value_that_is_too_large_and_a_number_that_was_used_fail_the_task() {
    // B2, W7
    let failed = |commands: Vec<Command>| World::new().try_script(Script::last(commands)).unwrap_err();
    let size = World::new().limits.history.payload_bytes;
    match failed(vec![side_effect(1, json!("x".repeat(size)))]) {
        Violation::TooLarge {
            what,
            size: has,
            limit,
        } => {
            assert_eq!((what.as_str(), limit), ("the value of side effect 1", size));
            assert!(has > size);
        }
        other => panic!("{other}"),
    }
    assert_eq!(
        failed(vec![timer(1, 5), side_effect(1, json!(1))]),
        Violation::SeqReused(1)
    );
}
