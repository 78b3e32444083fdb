//! Updates.

use longhaul_engine::{
    Command, Effect, Refused, Violation,
    execution::Admission,
    update::{CLOSED_FIRST, State},
};
use longhaul_history::{failure::application, limits};
use serde_json::json;

use crate::{
    guest::{Script, complete, complete_update, json},
    world::World,
};

#[test]
fn an_update_is_accepted_and_completed_in_one_task() {
    // U2
    let mut world = World::new();
    assert_eq!(world.update("u", "add"), Ok(Admission::Admitted));
    assert_eq!(world.effects, [Effect::UpdateAdmitted { id: "u".into() }]);
    assert_eq!(world.history.len(), 1, "admission is no event");
    assert!(matches!(
        world.execution.update("u").unwrap().state,
        State::Admitted { .. }
    ));
    let told = world.script(Script::default().update("u", [complete_update("u", json!(7))]));
    assert_eq!(told, ["start", "update u"]);
    assert_eq!(
        world.effects,
        [
            Effect::UpdateAccepted { id: "u".into() },
            Effect::UpdateCompleted { id: "u".into() }
        ]
    );
    assert_eq!(world.execution.update_outcome("u"), Some(Ok(json(&json!(7)))));
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 WorkflowExecutionUpdateAccepted id=u name=add task=2
         6 WorkflowExecutionUpdateCompleted id=u accepted=5 result=7",
    );
}

#[test]
fn an_update_completes_tasks_later_and_in_any_order() {
    // U2, U5
    let mut world = World::new();
    world.update("first", "add").unwrap();
    world.update("second", "add").unwrap();
    assert_eq!(world.execution.admitted_updates(), ["first", "second"]);
    assert_eq!(world.task([]), ["start", "update first", "update second"]);
    assert!(world.execution.admitted_updates().is_empty());
    assert_eq!(world.execution.update_outcome("first"), None);
    assert!(!world.execution.needs_task());
    world.restart();
    world.signal("go", "").unwrap();
    let broken = application("no", "Broken", false);
    world.task([
        complete_update("second", json!(2)),
        Command::CompleteUpdate {
            id: "first".into(),
            outcome: Err(Box::new(broken.clone())),
        },
    ]);
    assert_eq!(
        world.execution.update_outcome("first"),
        Some(Err(Box::new(broken)))
    );
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 WorkflowExecutionUpdateAccepted id=first name=add task=2
         6 WorkflowExecutionUpdateAccepted id=second name=add task=2
         7 WorkflowExecutionSignaled name=go
         8 WorkflowTaskScheduled
         9 WorkflowTaskStarted scheduled=8
        10 WorkflowTaskCompleted scheduled=8 started=9
        11 WorkflowExecutionUpdateCompleted id=second accepted=6 result=2
        12 WorkflowExecutionUpdateCompleted id=first accepted=5 failure=\"Broken: no\"",
    );
}

#[test]
fn a_rejected_update_leaves_nothing() {
    // U1
    let mut world = World::new();
    world.task([]);
    let (events, bytes) = (world.history.len(), world.execution.history_bytes());
    world.update("u", "add").unwrap();
    assert!(world.execution.needs_task());
    assert!(!world.execution.needs_task_for_events());
    world.execution.forget_update("u");
    assert!(!world.execution.needs_task());
    assert!(world.execution.update("u").is_none());
    assert_eq!(
        (world.history.len(), world.execution.history_bytes()),
        (events, bytes)
    );
    assert_eq!(
        world.update("u", "add"),
        Ok(Admission::Admitted),
        "the id is free again"
    );
    world.check();
}

#[test]
fn the_same_id_executes_once() {
    // U4
    let mut world = World::new();
    world.update("u", "add").unwrap();
    assert_eq!(world.update("u", "add"), Ok(Admission::Known));
    assert_eq!(world.effects, []);
    world.task([]);
    assert_eq!(world.update("u", "add"), Ok(Admission::Known));
    world.execution.forget_update("u");
    assert!(
        world.execution.update("u").is_some(),
        "what was accepted is not forgotten"
    );
    world.signal("go", "").unwrap();
    world.task([complete_update("u", json!(1)), complete(json!("end"))]);
    world.restart();
    assert_eq!(
        world.update("u", "add"),
        Ok(Admission::Known),
        "also after the close"
    );
    assert_eq!(world.execution.update_outcome("u"), Some(Ok(json(&json!(1)))));
    assert_eq!(world.update("v", "add"), Err(Refused::Closed));
    world.check();
}

#[test]
fn updates_in_flight_are_limited_in_number_and_bytes() {
    // U10
    let mut world = World::new();
    world.limits.history.updates_in_flight = 2;
    world.update("a", "add").unwrap();
    world.task([]);
    world.update("b", "add").unwrap();
    assert_eq!(
        world.update("c", "add"),
        Err(Refused::Limit(limits::Error::UpdatesInFlight {
            in_flight: 2,
            limit: 2
        }))
    );
    assert!(world.execution.update("c").is_none());
    world.script(Script::last([complete_update("a", json!(1))]));
    assert_eq!(world.update("c", "add"), Ok(Admission::Admitted));

    let mut world = World::new();
    world.update("a", "add").unwrap();
    let Some(bytes) = world.execution.update("a").unwrap().state.in_flight_bytes() else {
        panic!("it is in flight");
    };
    world.limits.history.updates_in_flight_bytes = 2 * bytes - 1;
    assert_eq!(
        world.update("b", "add"),
        Err(Refused::Limit(limits::Error::UpdateBytesInFlight {
            bytes: 2 * bytes,
            limit: 2 * bytes - 1
        }))
    );
    world.limits.history.updates_in_flight_bytes = 2 * bytes;
    assert_eq!(world.update("b", "add"), Ok(Admission::Admitted));
}

#[test]
fn updates_of_a_run_are_limited() {
    // U10
    let mut world = World::new();
    world.limits.history.updates_per_run = 2;
    world.update("a", "add").unwrap();
    world.script(Script::default().update("a", [complete_update("a", json!(1))]));
    world.update("b", "add").unwrap();
    assert_eq!(
        world.update("c", "add"),
        Err(Refused::Limit(limits::Error::UpdatesPerRun {
            count: 2,
            limit: 2
        }))
    );
    world.execution.forget_update("b");
    assert_eq!(
        world.update("c", "add"),
        Ok(Admission::Admitted),
        "a rejected one does not count"
    );
    world.restart();
    assert_eq!(
        world.update("d", "add"),
        Err(Refused::Limit(limits::Error::UpdatesPerRun {
            count: 2,
            limit: 2
        }))
    );
}

#[test]
fn a_close_ends_accepted_updates_and_forgets_admitted_ones() {
    // U7
    let mut world = World::new();
    world.update("accepted", "add").unwrap();
    world.task([]);
    world.update("admitted", "add").unwrap();
    world.terminate("enough").unwrap();
    let outcome = world.execution.update_outcome("accepted").unwrap().unwrap_err();
    assert_eq!(outcome.message, CLOSED_FIRST);
    assert_eq!(
        CLOSED_FIRST,
        "Workflow Update failed because the Workflow completed before the Update completed."
    );
    assert!(world.execution.update("admitted").is_none());
    assert!(world.execution.admitted_updates().is_empty());
    world.assert(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 WorkflowExecutionUpdateAccepted id=accepted name=add task=2
         6 WorkflowExecutionTerminated reason=enough",
    );
}

#[test]
fn an_update_is_completed_once() {
    let mut world = World::new();
    world.update("u", "add").unwrap();
    let twice = [complete_update("u", json!(1)), complete_update("u", json!(2))];
    let violation = world.try_script(Script::last(twice)).unwrap_err();
    assert_eq!(violation, Violation::UnknownUpdate("u".into()));
    assert_eq!(
        violation.to_string(),
        "complete-update names \"u\", which is no accepted and unfinished update of this run"
    );
    let unknown = world.try_script(Script::last([complete_update("v", json!(1))]));
    assert_eq!(unknown, Err(Violation::UnknownUpdate("v".into())));
    assert_eq!(world.execution.admitted_updates(), ["u"], "it stays admitted");
    assert_eq!(world.task([]), ["start", "update u"]);
    assert_eq!(world.session.open_updates().collect::<Vec<_>>(), ["u"]);
    world.check();
}
