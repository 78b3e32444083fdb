//! A run whose workflow task has failed: how long it waits, and what becomes of what it has admitted.

use longhaul_history::proto::enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage;
use longhaul_runtime::Error;
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

#[tokio::test]
async fn what_a_parked_run_has_admitted_goes_to_the_run_that_its_policy_begins() {
    // U7, S9, E2, E3
    let mut options = common::options();
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
    let first = world.start_with(request).await.unwrap().run_id;
    world.signal("h", "act", &[json!("monotonic")]).await.unwrap();
    assert!(world.parked("h").await.is_some(), "it has too little fuel");
    let (rt, nothing) = (world.rt(), [json!("nothing")]);
    let update = tokio::spawn(async move { common::update(rt, "h", "act", &nothing, "u").await });
    world.sim.settle().await;
    // The run that follows takes the newest version, which has more.
    world
        .upload_with("hostile", "hostile", "[limits]\nfuel_per_activation = 20000000")
        .await;
    world.advance(10 * SECOND).await;
    world.advance(SECOND).await;
    let updated = world.drive(update).await.unwrap();
    assert_eq!(
        updated.unwrap(),
        Ok(json!("nothing")),
        "its caller follows it there"
    );
    let next = world.describe("h").await.workflow_execution_info.unwrap();
    assert_ne!(next.execution.unwrap().run_id, first);
    let history = world.history("h");
    assert_eq!(
        history.matches("WorkflowExecutionSignaled").count(),
        1,
        "{history}"
    );
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
