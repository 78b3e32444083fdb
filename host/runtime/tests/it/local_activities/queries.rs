//! Queries of components that cannot be forked, while local activities keep tasks open.

use std::time::Duration;

use super::*;
use crate::replay::Replays;

#[tokio::test]
async fn all_queries_that_wait_are_answered_at_the_end_of_one_task() {
    // A5, Q2, Q3
    const QUERIES: usize = 5;
    let (mut world, gate) = unforkable().await;
    world
        .lab("l", &[json!({"op": "log", "text": "so far"}), long_gate()])
        .await;
    gate.until_begun(&mut world, 1).await;
    let replays = Replays::default();
    let _guard = metrics::set_default_local_recorder(&replays);
    let mut queries = Vec::new();
    for _ in 0..QUERIES {
        let mut query = Box::pin(common::query(world.rt(), "l", "log"));
        world.poll_once(&mut query).await;
        queries.push(query);
    }
    // What came after a signal waits for the task that shows it to the code.
    world.signal("l", "note", &[json!("one")]).await.unwrap();
    let mut later = Box::pin(common::query(world.rt(), "l", "log"));
    world.poll_once(&mut later).await;
    world.pass(Duration::from_secs(8));
    for query in queries {
        assert_eq!(world.drive(query).await.unwrap(), json!(["so far"]));
    }
    let history = world.history("l");
    assert_eq!(
        history.matches("WorkflowTaskCompleted").count(),
        1,
        "one task is over: {history}"
    );
    world.poll_once(&mut later).await;
    assert_eq!(
        replays.count(),
        QUERIES as u64,
        "each query has one of its own, and the run goes on without"
    );
    assert_eq!(gate.begun(), 1);
    world.pass(Duration::from_secs(8));
    assert_eq!(world.drive(later).await.unwrap(), json!(["so far", "note:one"]));
    gate.let_one_end();
    assert_eq!(world.result("l").await, json!(["so far", "note:one", "gate=7"]));
    assert_eq!(gate.begun(), 1, "no query has cost its task");
    assert_eq!(replays.count(), QUERIES as u64 + 1);
}

#[tokio::test]
async fn a_query_that_is_asked_on_a_replay_is_told_when_its_run_is_lost_or_deleted() {
    // A5, B1
    for deleted in [false, true] {
        let (mut world, gate) = unforkable().await;
        world.lab("l", &[long_gate()]).await;
        gate.until_begun(&mut world, 1).await;
        let mut queries: Vec<_> = (0..2)
            .map(|_| Box::pin(common::query(world.rt(), "l", "log")))
            .collect();
        world.poll_once(&mut queries[0]).await;
        // The first is being asked; the second, of the task after, waits for that.
        world.sim.hold_workers(true);
        world.advance(Duration::from_secs(8)).await;
        world.poll_once(&mut queries[1]).await;
        world.advance(Duration::from_secs(8)).await;
        if deleted {
            let request = wire::DeleteWorkflowExecutionRequest {
                namespace: "default".into(),
                workflow_execution: common::execution("l"),
            };
            let rt = world.rt();
            world.drive_alone(rt.delete_workflow(request)).await.unwrap();
        } else {
            world.sim.panic_in_turn_of("l");
            world.terminate("l").await.unwrap_err();
        }
        world.sim.settle().await;
        let second = queries.pop().unwrap();
        assert!(world.drive(second).await.is_err(), "deleted: {deleted}");
        world.sim.hold_workers(false);
        let first = world.drive(queries.pop().unwrap()).await;
        assert_eq!(first.is_err(), deleted, "{first:?}");
    }
}
