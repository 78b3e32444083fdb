//! Executions are deleted: when their retention is over, or when a client says so (E9).

use std::time::Duration;

use longhaul_history::proto::workflowservice::v1 as wire;
use longhaul_runtime::Error;
use longhaul_store::faults::Loss;
use serde_json::json;

use crate::{common, world::*};

async fn world(retention: Duration) -> World {
    let mut options = common::options();
    options.retention = retention;
    let mut world = World::sharded(options, 3);
    world.upload("lab", "lab").await;
    world
}

async fn lab(world: &mut World, id: &str, steps: serde_json::Value) {
    world.start(id, "Lab", &[json!({"steps": steps})]).await.unwrap();
}

fn exists(world: &World, id: &str) -> bool {
    world.rt().whole_history("default", id, "").is_ok()
}

async fn count(world: &mut World) -> i64 {
    let request = wire::CountWorkflowExecutionsRequest {
        namespace: "default".into(),
        ..Default::default()
    };
    let rt = world.rt();
    world.drive(rt.count_workflows(request)).await.unwrap().count
}

async fn delete(world: &mut World, id: &str) -> Result<(), Error> {
    let request = wire::DeleteWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution(id),
    };
    let rt = world.rt();
    world.drive(rt.delete_workflow(request)).await.map(|_| ())
}

#[tokio::test]
async fn what_has_closed_goes_when_its_retention_is_over_and_not_before() {
    // E9
    let mut world = world(DAY).await;
    lab(&mut world, "early", json!([])).await;
    lab(&mut world, "open", json!([{"op": "wait", "notes": 1}])).await;
    world.result("early").await;
    world.advance(12 * HOUR).await;
    lab(&mut world, "late", json!([])).await;
    world.result("late").await;
    world.advance(12 * HOUR - SECOND).await;
    assert!(exists(&world, "early"));
    world.advance(SECOND).await;
    assert!(!exists(&world, "early"), "its day is over");
    assert!(exists(&world, "late"));
    // A restart forgets nothing of it.
    world.crash(Loss::All, 12 * HOUR);
    world.sim.settle().await;
    assert!(!exists(&world, "late"));
    assert!(exists(&world, "open"), "what runs stays, however long");
    assert_eq!(count(&mut world).await, 1);
    let refused = world.query("late", "log", &[]).await;
    assert!(matches!(&refused, Err(Error::WorkflowNotFound(_))), "{refused:?}");
}

#[tokio::test]
async fn more_than_one_look_can_hold_goes_as_well() {
    // E9
    const EXECUTIONS: usize = 300;
    let mut world = world(HOUR).await;
    for number in 0..EXECUTIONS {
        lab(&mut world, &format!("e{number}"), json!([])).await;
    }
    world.sim.settle().await;
    assert_eq!(count(&mut world).await, EXECUTIONS as i64);
    world.advance(HOUR).await;
    world.sim.settle().await;
    assert_eq!(count(&mut world).await, 0);
}

#[tokio::test]
async fn an_execution_is_deleted_on_demand_also_while_it_runs() {
    // E9
    let mut world = world(DAY).await;
    lab(&mut world, "closed", json!([])).await;
    world.result("closed").await;
    delete(&mut world, "closed").await.unwrap();
    assert!(!exists(&world, "closed"));
    let child = json!({"op": "child", "id": "k", "program": {"steps": [{"op": "wait", "notes": 1}]}});
    lab(&mut world, "open", json!([child])).await;
    world.until_history("open", "ChildWorkflowExecutionStarted").await;
    delete(&mut world, "open").await.unwrap();
    assert!(!exists(&world, "open"));
    // What it has still to say is said.
    world.until_history("k", "WorkflowExecutionTerminated").await;
    let refused = delete(&mut world, "open").await;
    assert!(matches!(&refused, Err(Error::WorkflowNotFound(_))), "{refused:?}");
    // The id is free.
    lab(&mut world, "open", json!([])).await;
    assert_eq!(world.result("open").await, json!([]));
}

#[tokio::test]
async fn a_long_history_goes_in_steps_also_across_a_crash() {
    // E9
    let mut world = world(DAY).await;
    lab(&mut world, "long", json!([{"op": "wait", "notes": 100_000}])).await;
    let rt = world.rt();
    for round in 0..60 {
        let notes: Vec<_> = (0..100)
            .map(|number| {
                let rt = rt.clone();
                async move {
                    common::signal(rt, "long", "note", &[json!("x")], &format!("{round}/{number}")).await
                }
            })
            .collect();
        let all = async {
            for note in notes {
                note.await.unwrap();
            }
        };
        world.drive(all).await;
    }
    let events = rt.whole_history("default", "long", "").unwrap().events.len();
    assert!(events > 10_000, "{events}: more than one step deletes");
    let run_id = world
        .describe("long")
        .await
        .workflow_execution_info
        .unwrap()
        .execution;
    let before = world.commits();
    delete(&mut world, "long").await.unwrap();
    assert!(!exists(&world, "long"));
    world.crash(Loss::All, SECOND);
    world.sim.settle().await;
    assert!(!exists(&world, "long"));
    assert!(
        world.commits() > before || world.commits() > 1,
        "the rest went in steps of its own"
    );
    drop(run_id);
}
