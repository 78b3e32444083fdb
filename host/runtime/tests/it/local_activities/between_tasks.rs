//! Between two tasks of a local activity: what happens to it while none is open is told in the next one.

use std::time::Duration;

use longhaul_store::faults::Loss;

use super::*;
use crate::operations::move_to;

/// An update with a validator, which of a component that cannot be forked takes a replay: until that is there, no task is open.
async fn while_none_is_open(
    world: &mut World,
    gate: &Gate,
) -> impl Future<Output = Result<Result<Value, String>, longhaul_runtime::Error>> + Unpin + use<> {
    gate.until_begun(world, 1).await;
    let rt = world.rt();
    let mut update = Box::pin(async move { common::update(rt, "l", "add", &[json!(5)], "add").await });
    world.poll_once(&mut update).await;
    world.sim.hold_workers(true);
    world.advance(Duration::from_secs(8)).await;
    world.until_history("l", "WorkflowTaskCompleted").await;
    update
}

#[tokio::test]
async fn its_end_between_two_tasks_is_told_in_the_next() {
    // A5
    let (mut world, gate) = unforkable().await;
    world.lab("l", &[long_gate()]).await;
    let update = while_none_is_open(&mut world, &gate).await;
    gate.let_one_end();
    world.sim.settle().await;
    world.sim.hold_workers(false);
    assert_eq!(world.drive(update).await.unwrap(), Ok(json!(5)));
    assert_eq!(world.result("l").await, json!(["gate=7"]));
    assert_eq!(gate.begun(), 1);
    let history = world.history("l");
    assert_eq!(history.matches("MarkerRecorded").count(), 1, "{history}");
    world.export("local-activity-between", "l");
}

#[tokio::test]
async fn its_limit_that_passes_between_two_tasks_counts() {
    // A2, A5
    let (mut world, gate) = unforkable().await;
    let options = json!({"start_to_close_ms": 9_000, "attempts": 1});
    world.lab("l", &[local_with("gate", options)]).await;
    let update = while_none_is_open(&mut world, &gate).await;
    world.advance(SECOND).await;
    world.sim.hold_workers(false);
    assert_eq!(world.drive(update).await.unwrap(), Ok(json!(5)));
    assert_eq!(
        world.result("l").await,
        json!(["gate failed: timeout START_TO_CLOSE"])
    );
}

#[tokio::test]
async fn a_place_that_comes_free_between_two_tasks_is_taken_in_the_next() {
    // A5, C5
    let mut world = World::new();
    world.upload_unforkable("lab", QUEUE).await;
    let config = "[limits]\nactivity_concurrency = 1";
    world.upload_with("lab-activities", QUEUE, config).await;
    let (mut world, gate) = gated_in(world);
    // It has the module's only place.
    let slow = json!({"args": [600_000], "start_to_close_ms": 600_000});
    world.lab("first", &[local_with("slow", slow)]).await;
    world.sim.settle().await;
    let both = json!({"op": "parallel", "branches": [[local("echo")], [long_gate()]]});
    world.lab("l", &[both]).await;
    let update = while_none_is_open(&mut world, &gate).await;
    world.terminate("first").await.unwrap();
    world.sim.settle().await;
    world.sim.hold_workers(false);
    // The update ends with the next task, and that when nothing runs any more.
    gate.let_one_end();
    assert_eq!(world.drive(update).await.unwrap(), Ok(json!(5)));
    let mut log: Vec<String> = serde_json::from_value(world.result("l").await).unwrap();
    log.sort();
    assert_eq!(log, ["echo=7", "gate=7"]);
}

#[tokio::test]
async fn what_comes_behind_the_last_that_a_task_is_told_of_is_told_in_the_next() {
    // A2, A5
    const MANY: usize = 1_100;
    let mut options = common::options();
    options.activity_slots = MANY + 1;
    let mut world = World::with(options);
    world.upload("lab", QUEUE).await;
    let (mut world, gate) = gated_in(world);
    let never = activities::json(async |_: Context, _: Value| {
        std::future::pending::<()>().await;
        Ok(())
    });
    world.rt().register_activity(QUEUE, "never", never).unwrap();
    let mut branches = vec![json!([long_gate()]); MANY];
    let limited = json!({"start_to_close_ms": 60_000, "attempts": 1});
    branches.push(json!([local_with("never", limited)]));
    world
        .lab("l", &[json!({"op": "parallel", "branches": branches})])
        .await;
    gate.until_begun(&mut world, MANY).await;
    // All have ended and the limit has passed when the shard looks.
    gate.let_end(MANY);
    for _ in 0..MANY {
        tokio::task::yield_now().await;
    }
    world.pass(Duration::from_secs(60));
    let mut log: Vec<String> = serde_json::from_value(world.result("l").await).unwrap();
    log.sort();
    let mut wanted = vec!["gate=7".to_owned(); MANY];
    wanted.push("never failed: timeout START_TO_CLOSE".to_owned());
    assert_eq!(log, wanted);
    let history = world.history("l");
    assert_eq!(history.matches("MarkerRecorded").count(), MANY + 1);
    // The first is over as well, since it has been open for so long.
    assert_eq!(history.matches("WorkflowTaskCompleted").count(), 3);
    assert_eq!(gate.begun(), MANY);
}

#[tokio::test]
async fn a_turn_that_is_lost_between_two_tasks_frees_the_slot() {
    // A5, C5
    let mut options = common::options();
    options.activity_slots = 1;
    let mut world = World::with(options);
    world.upload_unforkable("lab", QUEUE).await;
    let (mut world, gate) = gated_in(world);
    world.lab("l", &[long_gate()]).await;
    let update = while_none_is_open(&mut world, &gate).await;
    world.lab("next", &[long_gate()]).await;
    world.sim.settle().await;
    assert_eq!(gate.begun(), 1, "there is one slot");
    world.sim.panic_in_turn_of("l");
    let request = wire::DescribeWorkflowExecutionRequest {
        namespace: "default".into(),
        execution: common::execution("l"),
    };
    let rt = world.rt();
    let mut described = Box::pin(rt.describe_workflow(request));
    world.poll_once(&mut described).await;
    gate.until_begun(&mut world, 2).await;
    gate.let_one_end();
    assert_eq!(world.result("next").await, json!(["gate=7"]));
    // The first begins again when its task is tried again.
    world.sim.hold_workers(false);
    assert!(world.drive(update).await.is_err(), "its caller was told");
    world.drive(described).await.unwrap();
    world.advance(SECOND).await;
    gate.until_begun(&mut world, 3).await;
    gate.let_one_end();
    assert_eq!(world.result("l").await, json!(["gate=7"]));
}

/// A run that owes a task for nothing but its local activity.
async fn owes_a_task(module: &str) -> (World, Gate) {
    let mut world = World::new();
    world.upload_as("lab", module, QUEUE).await;
    let (mut world, gate) = gated_in(world);
    // More than it takes to make an instance.
    let mut steps = vec![json!({"op": "log", "text": "so far"}); 500];
    steps.push(long_gate());
    world.lab("l", &steps).await;
    gate.until_begun(&mut world, 1).await;
    world.advance(Duration::from_secs(8)).await;
    world.until_history("l", "WorkflowTaskCompleted").await;
    (world, gate)
}

/// With too little fuel to replay it.
fn little(fuel: u64) -> longhaul_runtime::Options {
    let mut little = common::options();
    little.sandbox.fuel_per_activation = fuel;
    little
}

#[tokio::test]
async fn a_run_that_owes_a_task_for_nothing_else_is_parked_when_its_code_cannot_be_replayed() {
    // A5, E11
    let (mut world, mut gate) = owes_a_task("lab").await;
    world.reopen(Loss::All, SECOND, little(100_000));
    gate.serve(&world);
    // Nobody asks for it.
    world.until_history("l", "WorkflowTaskFailed").await;
    let parked = world.parked("l").await.unwrap();
    assert!(parked.contains("fuel_per_activation"), "{parked}");
    for attempt in [2, 3] {
        world.advance(2 * SECOND).await;
        let task = world.describe("l").await.pending_workflow_task.unwrap();
        assert_eq!(task.attempt, attempt, "it is tried again");
    }
    assert_eq!(gate.begun(), 1);
    world.reopen(Loss::All, 10 * SECOND, common::options());
    gate.serve(&world);
    gate.until_begun(&mut world, 2).await;
    gate.let_one_end();
    let log = world.result("l").await;
    assert_eq!((&log[499], &log[500]), (&json!("so far"), &json!("gate=7")));
    assert_eq!(world.parked("l").await, None);
}

/// With this the lab in Rust reads its program, and that in Go does not.
const ENOUGH_IN_RUST: u64 = 20_000_000;

#[tokio::test]
async fn a_move_to_code_that_replays_goes_on_with_what_the_run_owes() {
    // A5, E11, E12
    let (mut world, mut gate) = owes_a_task("lab-go").await;
    // Nobody serves the activity any more: the run is parked, and so the store has no note of the task.
    world.reopen(Loss::All, SECOND, common::options());
    world.until_history("l", "WorkflowTaskFailed").await;
    world.reopen(Loss::All, SECOND, little(ENOUGH_IN_RUST));
    gate.serve(&world);
    world.upload_as("lab", "lab", QUEUE).await;
    let rt = world.rt();
    world
        .drive(rt.update_workflow_options(move_to("l", "lab", "2")))
        .await
        .unwrap();
    gate.until_begun(&mut world, 2).await;
    gate.let_one_end();
    let log = world.result("l").await;
    assert_eq!(log[500], json!("gate=7"));
    assert_eq!(world.parked("l").await, None);
}
