//! A server that falls behind: what waits inside is bounded, and what is refused for it can be sent again.

use longhaul_runtime::Error;
use longhaul_store::faults::Loss;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::{common, world::*};

/// Two requests may wait in one place.
async fn world() -> World {
    let mut options = common::options();
    options.mailbox_capacity = 2;
    options.sandbox.fuel_per_read = 20_000_000;
    World::with(options)
}

/// A request that gets no answer yet.
async fn waits<T: Send + 'static>(
    world: &mut World,
    request: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let request = tokio::spawn(request);
    world.sim.settle().await;
    assert!(!request.is_finished());
    request
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Error>, why: &str) {
    match answer {
        Err(Error::ResourceExhausted(text)) => assert!(text.contains(why), "{text}"),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn requests_that_wait_for_executions_to_be_read_are_bounded() {
    // S1, E4
    let mut world = world().await;
    world.upload("counter", "counter").await;
    for id in ["a", "b", "c"] {
        world.start(id, "Counter", &[]).await.unwrap();
    }
    world.crash(Loss::All, SECOND);
    world.sim.hold_workers(true);
    let rt = world.rt();
    let add = |id: &'static str| {
        let rt = rt.clone();
        async move { common::signal(rt, id, "add", &[json!(1)], "").await }
    };
    let waiting = [
        waits(&mut world, add("a")).await,
        waits(&mut world, add("b")).await,
    ];
    assert_refused(
        world.signal("a", "add", &[json!(10)]).await,
        "2 requests wait for executions",
    );
    assert_refused(world.terminate("c").await, "2 requests wait for executions");
    world.sim.hold_workers(false);
    for request in waiting {
        world.drive(request).await.unwrap().unwrap();
    }
    world.signal("a", "add", &[json!(100)]).await.unwrap();
    assert_eq!(world.query("a", "total", &[]).await.unwrap(), json!(101));
    assert_eq!(world.query("b", "total", &[]).await.unwrap(), json!(1));
    world.terminate("c").await.unwrap();
}

#[tokio::test]
async fn requests_that_wait_for_verdicts_are_bounded() {
    // S1, U1
    let mut world = world().await;
    world.upload_unforkable("hostile", "hostile").await;
    world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
    world.start("other", "Hostile", &[json!("wait")]).await.unwrap();
    world.sim.hold_workers(true);
    let rt = world.rt();
    let nothing = [json!("nothing")];
    let update = {
        let (rt, nothing) = (rt.clone(), nothing.clone());
        async move { common::update(rt, "h", "validated", &nothing, "u").await }
    };
    let update = waits(&mut world, update).await;
    let act = |id: &'static str| {
        let (rt, nothing) = (rt.clone(), nothing.clone());
        async move { common::signal(rt, "h", "act", &nothing, id).await }
    };
    let waiting = [
        waits(&mut world, act("s1")).await,
        waits(&mut world, act("s2")).await,
    ];
    assert_refused(
        world.signal("h", "act", &nothing).await,
        "2 requests wait for the code of workflow \"h\"",
    );
    world.signal("other", "act", &nothing).await.unwrap();
    world.sim.hold_workers(false);
    assert_eq!(world.drive(update).await.unwrap().unwrap(), Ok(json!("nothing")));
    for request in waiting {
        world.drive(request).await.unwrap().unwrap();
    }
    world.signal("h", "act", &nothing).await.unwrap();
    assert_eq!(world.history("h").matches("WorkflowExecutionSignaled").count(), 3);
}

#[tokio::test]
async fn queries_that_wait_for_the_code_are_bounded() {
    // Q2
    let mut world = world().await;
    world.upload_unforkable("hostile", "hostile").await;
    world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
    // The instance is given up for it.
    assert_eq!(world.query("h", "writes", &[]).await.unwrap(), json!(0));
    world.sim.hold_workers(true);
    let rt = world.rt();
    let query = || {
        let rt = rt.clone();
        async move { common::query(rt, "h", "writes").await }
    };
    let waiting = [waits(&mut world, query()).await, waits(&mut world, query()).await];
    assert_refused(
        world.query("h", "writes", &[]).await,
        "2 requests wait for the code of workflow \"h\"",
    );
    world.sim.hold_workers(false);
    for request in waiting {
        assert_eq!(world.drive(request).await.unwrap().unwrap(), json!(0));
    }
    assert_eq!(world.query("h", "writes", &[]).await.unwrap(), json!(0));
}

#[tokio::test]
async fn starts_that_wait_for_machine_code_are_bounded() {
    // E1
    let mut world = world().await;
    world.upload("counter", "counter").await;
    world.crash(Loss::All, SECOND);
    world.sim.hold_workers(true);
    let rt = world.rt();
    let start = |id: &'static str| {
        let rt = rt.clone();
        async move { common::start(rt, id, "Counter", "", &[]).await }
    };
    let waiting = [
        waits(&mut world, start("a")).await,
        waits(&mut world, start("b")).await,
    ];
    assert_refused(
        world.start("c", "Counter", &[]).await,
        "2 starts wait for code to be compiled",
    );
    world.sim.hold_workers(false);
    for request in waiting {
        world.drive(request).await.unwrap().unwrap();
    }
    let gone = world.query("c", "total", &[]).await;
    assert!(matches!(gone, Err(Error::WorkflowNotFound(_))), "{gone:?}");
    world.start("c", "Counter", &[]).await.unwrap();
}

#[tokio::test]
async fn a_limit_that_is_lowered_keeps_no_run_from_going_on() {
    // E10, W3
    let mut world = World::of("lab").await;
    let sleep = json!([{"op": "sleep", "ms": 60_000}]);
    let steps = json!([{"op": "parallel", "branches": [sleep, sleep]}]);
    world.start("a", "Lab", &[json!({"steps": steps})]).await.unwrap();
    world.until_history("a", "TimerStarted").await;
    let mut options = common::options();
    options.limits.timers_in_flight = 1;
    world.reopen(Loss::All, SECOND, options);
    world.advance(60 * SECOND).await;
    assert_eq!(world.result("a").await, json!(["slept", "slept"]));
    // What begins now is held to it.
    world.start("b", "Lab", &[json!({"steps": steps})]).await.unwrap();
    let parked = world.parked("b").await.unwrap();
    assert!(parked.contains("timers"), "{parked}");
}
