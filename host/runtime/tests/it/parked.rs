//! A run whose workflow task has failed: how long it waits, and what becomes of what it has admitted.

use longhaul_history::proto::{
    enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage, workflowservice::v1 as wire,
};
use longhaul_runtime::Error;
use longhaul_store::faults::Loss;
use serde_json::json;

use crate::{common, world::*};

#[tokio::test]
async fn an_update_that_a_parked_run_has_admitted_is_not_found_when_the_run_ends() {
    // U7, E11
    let mut world = World::of("hostile").await;
    world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
    world.signal("h", "act", &[json!("panic")]).await.unwrap();
    assert!(world.parked("h").await.is_some());
    let (rt, nothing) = (world.rt(), [json!("nothing")]);
    let update = tokio::spawn(async move { common::update(rt, "h", "act", &nothing, "u").await });
    world.sim.settle().await;
    world.terminate("h").await.unwrap();
    let ended = world.drive(update).await.unwrap();
    assert!(matches!(ended, Err(Error::AlreadyCompleted)), "{ended:?}");
    let gone = world.poll(Stage::Completed, "h", "u").await;
    assert!(matches!(gone, Err(Error::UpdateNotFound(_))), "{gone:?}");
}

/// A run that has too little fuel for one of its signals, and a policy that begins another when its ten seconds are over.
async fn starved(mut options: longhaul_runtime::Options) -> World {
    options.sandbox.fuel_per_activation = 20_000_000;
    options.long_poll = HOUR;
    let mut world = World::with(options);
    world
        .upload_with("hostile", "hostile", "[limits]\nfuel_per_activation = 3000000")
        .await;
    let mut request = start_request("h", "Hostile", &[json!("wait")]);
    let seconds = |seconds: u64| Some(longhaul_history::time::duration_from_ns(seconds * 1_000_000_000));
    request.workflow_run_timeout = seconds(10);
    request.retry_policy = Some(longhaul_history::proto::common::v1::RetryPolicy {
        initial_interval: seconds(1),
        ..Default::default()
    });
    world.start_with(request).await.unwrap();
    world
}

/// The run's time is over, and the next one begins: it takes the newest version, which has more fuel.
async fn next_run(world: &mut World) {
    world
        .upload_with("hostile", "hostile", "[limits]\nfuel_per_activation = 20000000")
        .await;
    world.advance(10 * SECOND).await;
    world.advance(SECOND).await;
}

#[tokio::test]
async fn what_a_parked_run_has_admitted_goes_to_the_run_that_its_policy_begins() {
    // U7, S9, E2, E3
    let mut world = starved(common::options()).await;
    world.signal("h", "act", &[json!("monotonic")]).await.unwrap();
    assert!(world.parked("h").await.is_some(), "it has too little fuel");
    let first = run_id(&mut world).await;
    let (rt, nothing) = (world.rt(), [json!("nothing")]);
    let update = tokio::spawn(async move { common::update(rt, "h", "act", &nothing, "u").await });
    world.sim.settle().await;
    next_run(&mut world).await;
    let updated = world.drive(update).await.unwrap();
    assert_eq!(
        updated.unwrap(),
        Ok(json!("nothing")),
        "its caller follows it there"
    );
    assert_ne!(run_id(&mut world).await, first);
    let history = world.history("h");
    assert_eq!(
        history.matches("WorkflowExecutionSignaled").count(),
        1,
        "{history}"
    );
}

#[tokio::test]
async fn more_updates_than_may_be_in_flight_go_to_the_run_that_the_policy_begins() {
    // U7, U10, E2, E9: a reset has applied them again
    let mut world = starved(common::options()).await;
    for number in 0..12 {
        let id = format!("u{number}");
        world
            .update("h", "act", &[json!("nothing")], &id)
            .await
            .unwrap()
            .unwrap();
    }
    world.signal("h", "act", &[json!("monotonic")]).await.unwrap();
    assert!(world.parked("h").await.is_some());
    let history = world.history("h");
    let task = history
        .lines()
        .find(|line| line.contains("WorkflowTaskCompleted"))
        .unwrap();
    let rt = world.rt();
    let reset = wire::ResetWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("h"),
        reason: "again".into(),
        workflow_task_finish_event_id: task.split_whitespace().next().unwrap().parse().unwrap(),
        request_id: "r1".into(),
        ..Default::default()
    };
    let again = world.drive(rt.reset_workflow(reset)).await.unwrap().run_id;
    world.sim.settle().await;
    assert!(world.parked("h").await.is_some(), "all of it in its first task");
    assert_eq!(world.history("h").matches("UpdateAccepted").count(), 0);
    next_run(&mut world).await;
    assert_ne!(run_id(&mut world).await, again);
    let history = world.history("h");
    assert_eq!(history.matches("UpdateCompleted").count(), 12, "{history}");
}

#[tokio::test]
async fn signals_that_a_parked_run_keeps_are_bounded_and_all_go_to_the_run_that_follows() {
    // S9, E10, E11, E2
    let mut options = common::options();
    options.limits.history.unseen_signals_bytes = 10_000;
    let mut world = starved(options.clone()).await;
    world.signal("h", "act", &[json!("monotonic")]).await.unwrap();
    assert!(world.parked("h").await.is_some());
    let large = [json!("nothing"), json!("x".repeat(1_500))];
    let mut taken = 1;
    let refused = loop {
        match world.signal("h", "act", &large).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::ResourceExhausted(_)), "{refused:?}");
    assert!(refused.to_string().contains("of 10000"), "{refused}");
    assert_eq!(taken, 7);
    // Limits that were set lower since refuse nothing that was acknowledged.
    options.sandbox.fuel_per_activation = 20_000_000;
    options.limits.history.unseen_signals_bytes = 1;
    options.limits.history.stop_events = 1;
    world.reopen(Loss::All, SECOND, options);
    let first = run_id(&mut world).await;
    next_run(&mut world).await;
    assert_ne!(run_id(&mut world).await, first);
    assert_eq!(world.parked("h").await, None);
    let history = world.history("h");
    assert_eq!(
        history.matches("WorkflowExecutionSignaled").count(),
        taken,
        "{history}"
    );
}

async fn run_id(world: &mut World) -> String {
    let described = world.describe("h").await.workflow_execution_info.unwrap();
    described.execution.unwrap().run_id
}

#[tokio::test]
async fn the_wait_between_two_tries_has_a_longest() {
    // E11
    let mut options = common::options();
    options.task_retry_maximum = 2 * SECOND;
    let mut world = World::with(options);
    world.upload("hostile", "hostile").await;
    world.start("h", "Hostile", &[json!("panic")]).await.unwrap();
    for (attempt, wait) in [(1, SECOND), (2, 2 * SECOND), (3, 2 * SECOND), (4, 2 * SECOND)] {
        let task = world.describe("h").await.pending_workflow_task.unwrap();
        assert_eq!(task.attempt, attempt);
        world.advance(wait).await;
    }
    let task = world.describe("h").await.pending_workflow_task.unwrap();
    assert_eq!(task.attempt, 5);
}
