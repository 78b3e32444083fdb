//! A turn that cannot end, where more than one execution is concerned: it costs the runs of its transition, and nothing that was
//! sent is lost or comes twice.

use longhaul_history::proto::{
    enums::v1::{WorkflowExecutionStatus as Status, WorkflowIdConflictPolicy as Conflict},
    workflowservice::v1 as wire,
};
use longhaul_runtime::Error;
use serde_json::{Value, json};

use crate::{common, world::*};

async fn world() -> World {
    let mut world = World::sharded(common::options(), 2);
    world.upload("lab", "lab").await;
    world
}

/// Start the Lab with these steps.
async fn lab(world: &mut World, id: &str, steps: Value) -> String {
    world.start(id, "Lab", &[json!({"steps": steps})]).await.unwrap()
}

/// The run that has the id, and how it stands.
async fn newest(world: &mut World, id: &str) -> (String, Status) {
    let info = world.describe(id).await.workflow_execution_info.unwrap();
    (info.execution.as_ref().unwrap().run_id.clone(), info.status())
}

fn defect<T: std::fmt::Debug>(lost: Result<T, Error>) {
    let Err(Error::Internal(message)) = lost else {
        panic!("the caller is told: {lost:?}")
    };
    assert!(message.contains("defect of the server"), "{message}");
}

fn once(history: &str, line: &str) {
    assert_eq!(history.matches(line).count(), 1, "{line}\n{history}");
}

#[tokio::test]
async fn an_answer_that_a_lost_turn_had_taken_comes_again() {
    // E5
    let mut world = world().await;
    let child = json!({"op": "child", "id": "k", "program": {"steps": [{"op": "wait", "notes": 1}]}});
    lab(&mut world, "a", json!([child])).await;
    // The next turn takes the child's start.
    world.sim.panic_in_turn_of("a");
    world.until_history("a", "ChildWorkflowExecutionStarted").await;
    // And this one its end.
    world.sim.panic_in_turn_of("a");
    world.signal("k", "note", &[json!("x")]).await.unwrap();
    world.sim.settle().await;
    assert!(
        !world.history("a").contains("ChildWorkflowExecutionCompleted"),
        "its turn was lost"
    );
    world.advance(2 * SECOND).await;
    let result = world.result("a").await;
    assert_eq!(result[0], json!("child started"));
    let history = world.history("a");
    once(&history, "ChildWorkflowExecutionStarted");
    once(&history, "ChildWorkflowExecutionCompleted");
    world.export("recover-child", "a");
}

#[tokio::test]
async fn what_a_lost_turn_would_have_sent_is_not_sent() {
    // E5, E6
    let mut world = world().await;
    lab(&mut world, "b", json!([{"op": "wait", "notes": 1}])).await;
    let note = json!({"op": "signal", "id": "b", "name": "note", "args": ["hi"]});
    let child = json!({"op": "child", "id": "k", "program": {"steps": []}});
    lab(&mut world, "a", json!([{"op": "wait", "notes": 1}, note, child])).await;
    world.sim.panic_in_turn_of("a");
    defect(world.signal("a", "note", &[json!("go")]).await);
    world.advance(2 * SECOND).await;
    assert!(!world.history("b").contains("WorkflowExecutionSignaled"));
    world.signal("a", "note", &[json!("go")]).await.unwrap();
    world.result("a").await;
    assert_eq!(world.result("b").await, json!(["note:hi", "waited"]));
    once(&world.history("b"), "WorkflowExecutionSignaled");
    world.export("recover-sender", "a");
}

#[tokio::test]
async fn a_signal_that_a_lost_turn_had_taken_is_sent_again_and_comes_once() {
    // E6, S1
    let mut world = world().await;
    lab(&mut world, "b", json!([{"op": "wait", "notes": 1}])).await;
    world.sim.panic_in_turn_of("b");
    let note = json!({"op": "signal", "id": "b", "name": "note", "args": ["hi"]});
    lab(&mut world, "a", json!([note])).await;
    world.sim.settle().await;
    assert!(
        !world.history("b").contains("WorkflowExecutionSignaled"),
        "its turn was lost"
    );
    world.advance(2 * SECOND).await;
    assert_eq!(world.result("a").await, json!(["signalled"]));
    assert_eq!(world.result("b").await, json!(["note:hi", "waited"]));
    once(&world.history("b"), "WorkflowExecutionSignaled");
}

#[tokio::test]
async fn signals_whose_first_one_is_sent_again_come_in_their_order() {
    // E6, S2
    let mut world = world().await;
    lab(&mut world, "b", json!([{"op": "wait", "notes": 2}])).await;
    world.sim.panic_in_turn_of("b");
    let note = |text: &str| json!([{"op": "signal", "id": "b", "name": "note", "args": [text]}]);
    let both = json!([{"op": "parallel", "branches": [note("one"), note("two")]}]);
    lab(&mut world, "a", both).await;
    world.sim.settle().await;
    world.advance(2 * SECOND).await;
    assert_eq!(world.result("b").await, json!(["note:one", "note:two", "waited"]));
}

#[tokio::test]
async fn a_chain_whose_next_run_could_not_begin_has_not_gone_on() {
    // E3, S9
    let mut world = world().await;
    let second = json!({"steps": [{"op": "log", "text": "two"}]});
    let first = lab(
        &mut world,
        "a",
        json!([{"op": "wait", "notes": 1}, {"op": "continue", "program": second}]),
    )
    .await;
    world.sim.panic_in_turn_of("a");
    defect(world.signal("a", "note", &[json!("go")]).await);
    assert_eq!(newest(&mut world, "a").await, (first.clone(), Status::Running));
    let mut another = start_request("a", "Lab", &[json!({"steps": []})]);
    another.request_id = "another".into();
    let taken = world.start_with(another).await;
    assert!(matches!(taken, Err(Error::AlreadyStarted { .. })), "{taken:?}");
    world.sim.settle().await;
    assert_eq!(
        world.sim.runs_in_memory(),
        (1, 1),
        "nothing of the next run is left"
    );
    world.signal("a", "note", &[json!("go")]).await.unwrap();
    let result = world.result("a").await;
    assert_eq!(result.as_array().unwrap().last(), Some(&json!("two")));
    assert_ne!(newest(&mut world, "a").await.0, first);
}

#[tokio::test]
async fn a_run_that_was_to_be_replaced_goes_on_where_the_other_cannot_begin() {
    // E1
    let mut world = world().await;
    let wait = json!({"steps": [{"op": "wait", "notes": 1}]});
    let old = world
        .start("a", "Lab", std::slice::from_ref(&wait))
        .await
        .unwrap();
    let mut request = start_request("a", "Lab", &[wait]);
    request.request_id = "another".into();
    request.set_workflow_id_conflict_policy(Conflict::TerminateExisting);
    world.sim.panic_in_turn_of("a");
    defect(world.start_with(request.clone()).await);
    assert_eq!(newest(&mut world, "a").await, (old.clone(), Status::Running));
    world.sim.settle().await;
    assert_eq!(world.sim.runs_in_memory(), (1, 1), "nothing of the other is left");
    let new = world.start_with(request).await.unwrap().run_id;
    assert_ne!(new, old);
    world.signal("a", "note", &[json!("x")]).await.unwrap();
    world.result("a").await;
    assert_eq!(newest(&mut world, "a").await, (new, Status::Completed));
}

#[tokio::test]
async fn a_run_goes_on_where_its_reset_or_its_deletion_was_lost() {
    // E9
    let mut world = world().await;
    let steps =
        json!([{"op": "wait", "notes": 1}, {"op": "sleep", "ms": 60_000}, {"op": "wait", "notes": 2}]);
    let old = lab(&mut world, "a", steps).await;
    world.signal("a", "note", &[json!("x")]).await.unwrap();
    let reset = wire::ResetWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("a"),
        reason: "again".into(),
        workflow_task_finish_event_id: 4,
        ..Default::default()
    };
    let rt = world.rt();
    world.sim.panic_in_turn_of("a");
    defect(world.drive(rt.reset_workflow(reset.clone())).await);
    assert_eq!(newest(&mut world, "a").await, (old.clone(), Status::Running));
    let delete = wire::DeleteWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("a"),
    };
    world.sim.panic_in_turn_of("a");
    defect(world.drive(rt.delete_workflow(delete)).await);
    assert_eq!(newest(&mut world, "a").await, (old.clone(), Status::Running));
    // Its timer has not been forgotten.
    world.advance(2 * 60 * SECOND).await;
    assert!(world.history("a").contains("TimerFired"));
    let new = world.drive(rt.reset_workflow(reset)).await.unwrap().run_id;
    assert_eq!(newest(&mut world, "a").await, (new, Status::Running));
}

#[tokio::test]
async fn a_signal_behind_an_update_opens_the_next_task_also_when_the_code_is_away() {
    // S2, S9
    let mut histories = Vec::new();
    for forks in [true, false] {
        let mut world = World::new();
        if forks {
            world.upload("hostile", "hostile").await;
        } else {
            world.upload_unforkable("hostile", "hostile").await;
        }
        world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
        // The question takes the instance of a component that cannot be forked.
        world.query("h", "writes", &[]).await.unwrap();
        let (rt, nothing) = (world.rt(), [json!("nothing")]);
        let requests = async {
            tokio::join!(
                common::update(rt.clone(), "h", "act", &nothing, "u"),
                common::signal(rt.clone(), "h", "act", &nothing, ""),
            )
        };
        let (update, signal) = world.drive(requests).await;
        assert!(update.is_ok() && signal.is_ok(), "{update:?} {signal:?}");
        let history = world.history("h");
        let accepted = history.find("WorkflowExecutionUpdateAccepted").unwrap();
        let signaled = history.find("WorkflowExecutionSignaled").unwrap();
        assert!(accepted < signaled, "forks: {forks}\n{history}");
        histories.push(history);
    }
    assert_eq!(histories[0], histories[1]);
}
