//! Patches: markers that say which side of a change a run takes (W5).

use longhaul_engine::{Command, Violation, replay::tasks};
use longhaul_history::payload;
use serde_json::json;

use crate::{
    guest::{Script, timer},
    world::World,
};

fn patched(id: &str) -> Command {
    Command::Patched {
        id: id.into(),
        deprecated: false,
    }
}

fn deprecated(id: &str) -> Command {
    Command::Patched {
        id: id.into(),
        deprecated: true,
    }
}

fn ran(commands: impl IntoIterator<Item = Command>) -> World<crate::guest::Scripted> {
    let mut world = World::new();
    world.task(commands);
    world.check();
    world
}

#[test]
fn a_patch_is_a_marker_and_a_search_attribute() {
    // W5
    let mut world = ran([timer(1, 5), patched("b"), patched("a"), patched("b")]);
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 TimerStarted id=1 after=5s
         6 MarkerRecorded name=core_patch details={patch-data:{\"deprecated\":false,\"id\":\"b\"}}
         7 UpsertWorkflowSearchAttributes search={TemporalChangeVersion:[\"b\"]}
         8 MarkerRecorded name=core_patch details={patch-data:{\"deprecated\":false,\"id\":\"a\"}}
         9 UpsertWorkflowSearchAttributes search={TemporalChangeVersion:[\"a\",\"b\"]}",
    );
    let list = &world.execution.search_attributes().indexed_fields["TemporalChangeVersion"];
    assert_eq!(payload::to_json(list), Some(json!(["a", "b"])));
    assert_eq!(list.metadata["type"], b"KeywordList");
    // Asked again, it writes nothing again, also after a restart.
    world.restart();
    world.signal("go", "").unwrap();
    world.task([patched("a")]);
    assert_eq!(world.history.len(), 13);
    world.check();
}

#[test]
fn replay_is_told_of_the_patches_that_a_task_has_written() {
    // W5
    let world = ran([patched("a"), deprecated("b")]);
    let slices: Vec<_> = tasks(&world.history).collect();
    assert_eq!(slices[0].patches().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn code_that_no_longer_asks_for_a_patch_differs() {
    // W4, W5
    let world = ran([patched("p"), timer(1, 5)]);
    let error = world
        .replay_as(vec![Script::last([timer(1, 5)])])
        .map(drop)
        .unwrap_err();
    assert_eq!(error.event_id, 5);
    assert!(error.expected.contains("core_patch"), "{error}");
    let error = world
        .replay_as(vec![Script::last([patched("q"), timer(1, 5)])])
        .map(drop)
        .unwrap_err();
    assert_eq!((error.event_id, &*error.found), (5, "MarkerRecorded of patch q"));
    // The marker without its list, as an older server might have it, is the same patch.
    world
        .replay_as(vec![Script::last([deprecated("p"), timer(1, 5)])])
        .unwrap();
}

#[test]
fn a_deprecated_patch_may_be_taken_out_of_the_code() {
    // W5
    let world = ran([timer(1, 5), deprecated("p"), timer(2, 5), deprecated("q")]);
    for code in [
        vec![timer(1, 5), deprecated("p"), timer(2, 5), deprecated("q")],
        vec![timer(1, 5), timer(2, 5)],
        vec![timer(1, 5), timer(2, 5), deprecated("q")],
        vec![timer(1, 5), deprecated("p"), timer(2, 5)],
        // It may also be asked for at another place.
        vec![deprecated("p"), timer(1, 5), timer(2, 5), deprecated("q")],
    ] {
        world.replay_as(vec![Script::last(code)]).unwrap();
    }
    let error = world
        .replay_as(vec![Script::last([timer(1, 5)])])
        .map(drop)
        .unwrap_err();
    assert!(error.expected.contains("TimerStarted id=2"), "{error}");
}

#[test]
fn a_patch_that_history_does_not_have_differs() {
    // W4, W5
    let world = ran([timer(1, 5)]);
    let error = world
        .replay_as(vec![Script::last([timer(1, 5), patched("p")])])
        .map(drop)
        .unwrap_err();
    assert_eq!(error.expected, "no further command of this workflow task");
    let error = world
        .replay_as(vec![Script::last([patched("p"), timer(1, 5)])])
        .map(drop)
        .unwrap_err();
    assert_eq!(error.event_id, 5);
}

#[test]
fn the_list_of_patches_is_left_out_when_it_grows_too_large() {
    // W5
    let long = "x".repeat(900);
    let ids = ["a", "b", "c"].map(|id| format!("{id}{long}"));
    let world = ran(ids.iter().map(|id| patched(id)));
    let kinds: Vec<i32> = world.history[4..].iter().map(|event| event.event_type).collect();
    assert_eq!(kinds.len(), 5, "two lists and three markers");
    world
        .replay_as(vec![Script::last(ids.iter().map(|id| patched(id)))])
        .unwrap();
}

#[test]
fn the_list_of_patches_is_not_for_the_code_to_write() {
    // W5
    let list = Command::UpsertSearchAttributes(vec![(
        "TemporalChangeVersion".into(),
        Some(payload::json_payload(&json!(["fake"]))),
    )]);
    let mut world = World::new();
    world.task([list, patched("p")]);
    let attributes = &world.execution.search_attributes().indexed_fields["TemporalChangeVersion"];
    assert_eq!(payload::to_json(attributes), Some(json!(["p"])));
    world.check();
}

#[test]
fn a_patch_needs_a_name() {
    // W5
    let mut world = World::new();
    let violation = world.try_script(Script::last([patched("")])).unwrap_err();
    assert_eq!(violation, Violation::BadPatch("the patch id is empty".into()));
}
