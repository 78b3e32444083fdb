//! Validators of components that cannot be forked: the same answers and histories, and the shard does not wait for them.

use std::{num::NonZeroUsize, time::Duration};

use longhaul_history::proto::enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage;
use longhaul_runtime::{Clock, Runtime};
use longhaul_store::{
    Store,
    faults::{FaultyDisk, Loss},
};
use serde_json::json;

use crate::{common, world::*};

async fn world(forks: bool) -> World {
    world_with(forks, common::options().long_poll).await
}

async fn world_with(forks: bool, long_poll: Duration) -> World {
    let mut options = common::options();
    options.long_poll = long_poll;
    options.sandbox.fuel_per_read = 20_000_000;
    options.sandbox.activation_timeout = Duration::from_secs(120);
    let mut world = World::with(options);
    if forks {
        world.upload("hostile", "hostile").await;
    } else {
        world.upload_unforkable("hostile", "hostile").await;
    }
    world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
    world
}

/// What a client sees of updates, signals and queries that come together, and what history has of them.
async fn together(forks: bool) -> String {
    let mut world = world(forks).await;
    let rt = world.rt();
    let update = |what: &str| {
        let (rt, id) = (rt.clone(), what.to_owned());
        async move { common::update(rt, "h", "validated", &[json!(id)], &id).await }
    };
    let (nothing, print) = ([json!("nothing")], [json!("print")]);
    let requests = async {
        tokio::join!(
            common::signal(rt.clone(), "h", "act", &nothing, ""),
            update("nothing"),
            update("fail"),
            update("write"),
            common::signal(rt.clone(), "h", "act", &print, ""),
            update("spin"),
            common::query(rt.clone(), "h", "writes"),
            common::update(rt.clone(), "h", "unknown", &[], "unknown"),
        )
    };
    let answers = world.drive(requests).await;
    let mut text = format!("{answers:?}\n");
    text += &format!("{:?}\n", world.query("h", "writes", &[]).await);
    assert_eq!(world.parked("h").await, None);
    text += &world.history("h");
    world.crash(Loss::All, SECOND);
    world.signal("h", "finish", &[]).await.unwrap();
    text += &format!("{:?}\n", world.result("h").await);
    if !forks {
        world.export("validators-replayed", "h");
    }
    text
}

#[tokio::test]
async fn replayed_validators_answer_as_forked_ones() {
    // U1, U5, U6, Q2, Q3
    let forked = together(true).await;
    assert!(forked.contains("Ok(Ok(String(\"write\")))"), "{forked}");
    assert!(forked.contains("told to fail"), "{forked}");
    let order: Vec<_> = [
        "WorkflowExecutionSignaled",
        "UpdateAccepted id=nothing",
        "UpdateAccepted id=write",
    ]
    .map(|text| forked.find(text).unwrap_or_else(|| panic!("{text}:\n{forked}")))
    .into();
    assert!(order.is_sorted(), "{forked}");
    assert!(
        forked.rfind("WorkflowExecutionSignaled") > forked.find("UpdateAccepted id=write"),
        "what stands behind an update comes after it:\n{forked}"
    );
    assert_eq!(together(false).await, forked);
}

#[tokio::test]
async fn an_update_whose_validator_is_asked_when_the_power_goes_is_not_lost() {
    // U3, U4
    for commits in 1..4 {
        let mut world = world(false).await;
        let nothing = [json!("nothing")];
        let request = common::update(world.rt(), "h", "validated", &nothing, "u");
        let commits = world.commits() + commits;
        let answer = world.drive_until_commit(request, commits).await;
        world.crash(Loss::All, SECOND);
        let reached = world.poll(Stage::Completed, "h", "u").await.unwrap();
        assert_eq!(
            reached.0,
            Stage::Completed,
            "it was admitted, durably: {answer:?}"
        );
        assert_eq!(outcome(reached.1), Ok(json!("nothing")));
        assert_eq!(world.history("h").matches("UpdateAccepted").count(), 1);
    }
}

#[tokio::test]
async fn a_task_that_waits_for_the_code_when_the_power_goes_runs_after_the_restart() {
    // S1, S9
    let mut world = world(false).await;
    // A query takes the code of a component that cannot be forked: it comes back by a replay.
    world.query("h", "writes", &[]).await.unwrap();
    let tasks = |world: &World| world.history("h").matches("WorkflowTaskCompleted").count();
    let (before, commits) = (tasks(&world), world.commits() + 1);
    let nothing = [json!("nothing")];
    let request = common::signal(world.rt(), "h", "act", &nothing, "");
    world.drive_until_commit(request, commits).await;
    world.crash(Loss::All, SECOND);
    assert!(
        world.history("h").contains("WorkflowExecutionSignaled"),
        "it is durable"
    );
    assert_eq!(tasks(&world), before, "its task is not");
    world.sim.settle().await;
    assert_eq!(tasks(&world), before + 1, "nobody had to ask for it");
}

#[tokio::test]
async fn a_parked_run_asks_its_validators_when_it_is_tried_again() {
    // E11, U1
    let mut world = world_with(false, Duration::from_millis(50)).await;
    world.signal("h", "act", &[json!("panic")]).await.unwrap();
    let update = world
        .update_to(Stage::Accepted, "h", "validated", &[json!("nothing")], "u")
        .await;
    assert_eq!(update.unwrap().0, Stage::Admitted);
    world.advance(SECOND).await;
    assert!(world.parked("h").await.unwrap().contains("told to panic"));
    world.terminate("h").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_does_not_wait_for_a_validator() {
    // U1
    let mut options = common::options();
    options.shards = NonZeroUsize::MIN;
    options.sandbox.fuel_per_read = 2_000_000_000;
    options.sandbox.activation_timeout = Duration::from_secs(120);
    let store = Store::open_with_backend(options.store.clone(), FaultyDisk::new()).unwrap();
    let rt = Runtime::open_on(options, store, Clock::system()).unwrap();
    let mut hostile = common::upload("hostile", "hostile");
    hostile.bytes.extend(UNUSED_MODULE);
    rt.upload_module(hostile).await.unwrap();
    rt.upload_module(common::upload("counter", "counter"))
        .await
        .unwrap();
    common::start(rt.clone(), "h", "Hostile", "", &[json!("wait")])
        .await
        .unwrap();
    common::start(rt.clone(), "neighbour", "Counter", "", &[])
        .await
        .unwrap();

    let (spin, seven) = ([json!("spin")], [json!(7)]);
    let spins = common::update(rt.clone(), "h", "validated", &spin, "u");
    let mut spins = std::pin::pin!(spins);
    let neighbour = common::update(rt.clone(), "neighbour", "add_and_get", &seven, "");
    let sum = tokio::select! {
        biased;
        spun = &mut spins => panic!("the other execution had to wait for it: {spun:?}"),
        sum = neighbour => sum,
    };
    assert_eq!(sum.unwrap(), Ok(json!(7)));
    let refused = spins.await.unwrap().unwrap_err();
    assert!(refused.contains("fuel"), "{refused}");
    tokio::task::spawn_blocking(move || rt.stop()).await.unwrap();
}

#[tokio::test]
async fn a_validator_sees_what_the_update_before_it_has_done() {
    // U1, U5
    for forks in [true, false] {
        let mut world = World::new();
        if forks {
            world.upload("cart", "cart").await;
        } else {
            world.upload_unforkable("cart", "cart").await;
        }
        world.start("c", "ShoppingCartWorkflow", &[]).await.unwrap();
        let rt = world.rt();
        let item = [json!({"sku": "one", "name": "Thing", "price": "7.50"})];
        // Both in one workflow task: the second one's SKU is taken when its turn comes.
        let both = async {
            tokio::join!(
                common::update(rt.clone(), "c", "add_item", &item, "u1"),
                common::update(rt.clone(), "c", "add_item", &item, "u2"),
            )
        };
        let (first, second) = world.drive(both).await;
        assert!(first.as_ref().unwrap().is_ok(), "forks: {forks}: {first:?}");
        assert!(second.as_ref().unwrap().is_err(), "forks: {forks}: {second:?}");
        assert_eq!(world.history("c").matches("UpdateAccepted").count(), 1);
    }
}
