//! Attempts on a server whose disk is full or cannot be read, or whose clock runs while it decides: none is lost, none ends for a
//! request that was refused, and nothing is left of what was never written (A1, A2, A7).

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use longhaul_history::proto::{enums::v1::PendingActivityState as State, workflowservice::v1 as wire};
use longhaul_runtime::{
    Clock, Error, Simulation,
    activities::{self, CancellationReason, Context},
};
use longhaul_store::{
    Store,
    faults::{FaultyDisk, Loss},
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{common, worker::*, world::*};

/// By which a test ends an attempt of `Hold`, and what it knows. Closed: the attempt is gone.
pub(crate) type Attempt = (oneshot::Sender<String>, Context);

/// Those that have begun, in this order.
pub(crate) type Held = Arc<Mutex<Vec<Attempt>>>;

/// An activity of the embedding program that runs until the test ends it.
pub(crate) fn hold(world: &World) -> Held {
    let held = Held::default();
    let begun = held.clone();
    let hold = activities::json(move |context: Context, _: Value| {
        let (sender, receiver) = oneshot::channel();
        begun.lock().unwrap().push((sender, context));
        async move { Ok(receiver.await.map_err(std::io::Error::other)?) }
    });
    world.rt().register_activity(QUEUE, "Hold", hold).unwrap();
    held
}

fn holding() -> Value {
    activity(json!({"type": "Hold", "start_to_close_ms": 600_000}))
}

impl World {
    /// A run `w` with an attempt of `Hold`, which has begun.
    async fn held(&mut self) -> Attempt {
        self.held_by(json!({"steps": [holding()]})).await
    }

    async fn held_by(&mut self, program: Value) -> Attempt {
        let held = hold(self);
        self.start("w", "Lab", &[program]).await.unwrap();
        self.sim.settle().await;
        held.lock().unwrap().remove(0)
    }

    /// A start that does not fit on the disk any more.
    pub(crate) async fn refuses(&mut self, program: Value) {
        let refused = self.start("ghost", "Lab", &[program]).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    }
}

/// Larger than what still fits on a disk that is full.
fn large() -> Value {
    json!("x".repeat(1 << 20))
}

pub(crate) fn full(world: &World) {
    world.disk.set_free_pages(Some(0));
}

pub(crate) async fn free(world: &mut World) {
    world.disk.set_free_pages(None);
    assert!(world.sim.look_for_space());
    world.sim.settle().await;
}

#[tokio::test]
async fn an_attempt_does_not_end_for_a_request_that_could_not_be_written() {
    // A1, E4
    let mut world = lab().await;
    let (end, context) = world.held().await;
    full(&world);
    let request = wire::TerminateWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("w"),
        details: common::values(&[large()]),
        ..Default::default()
    };
    let rt = world.rt();
    let refused = world.drive(rt.terminate(request)).await.map(|_| ());
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    world.sim.settle().await;
    free(&mut world).await;
    let info = world.pending("w").await.unwrap();
    assert_eq!((info.state(), info.attempt), (State::Started, 1));
    assert_eq!(
        context.cancellation(),
        None,
        "the attempt runs on, and knows of nothing"
    );
    end.send("kept".into()).unwrap();
    assert_eq!(world.result("w").await, json!(["Hold=\"kept\""]));
    assert!(!world.history("w").contains("attempt="), "it was the first");
}

#[tokio::test]
async fn an_attempt_ends_once_the_end_of_its_run_is_durable() {
    // A1, E4
    let mut world = lab().await;
    let (end, context) = world.held().await;
    world.terminate("w").await.unwrap();
    world.sim.settle().await;
    assert!(end.is_closed());
    assert_eq!(context.cancellation(), Some(CancellationReason::NotFound));
}

#[tokio::test]
async fn an_attempt_hears_of_a_cancellation_once_that_is_durable() {
    // A3, A4, E4
    for written in [true, false] {
        let mut world = lab().await;
        // The run stays open, so that nothing but the cancellation reaches the attempt.
        let program = json!({"steps": [holding()], "on_cancel": [{"op": "wait", "notes": 1}]});
        let (_end, context) = world.held_by(program).await;
        if !written {
            world.disk.fail_sync(world.disk.syncs() + 1);
        }
        let answer = world.cancel("w").await;
        assert_eq!(answer.is_ok(), written, "{answer:?}");
        world.sim.settle().await;
        let told = written.then_some(CancellationReason::Cancelled);
        assert_eq!(context.cancellation(), told);
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_start_that_could_not_be_written() {
    // A1, A7
    for polled in [false, true] {
        let mut options = common::options();
        options.time_skipping = true;
        let mut world = World::with(options);
        world.upload("lab", "lab").await;
        let rt = world.rt();
        let mut poll = pin!(poll(rt, QUEUE, "worker", 20 * SECOND));
        if polled {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(poll.as_mut().poll(&mut context).is_pending());
        }
        full(&world);
        let program = json!({"steps": [activity(json!({"args": [large()]}))]});
        world.refuses(program).await;
        free(&mut world).await;
        let stats = world.describe_queue().await.stats.unwrap();
        assert_eq!(stats.approximate_backlog_count, 0, "{polled}");
        // Nor does it count as something for which time must not be skipped.
        world.lab("s", &[json!({"op": "sleep", "ms": 3_600_000})]).await;
        assert_eq!(world.result("s").await, json!(["slept"]), "{polled}");
        world.lab("w", &[activity(json!({}))]).await;
        let task = if polled {
            world.drive(poll).await.unwrap()
        } else {
            world.task("worker").await
        };
        assert_eq!(task.workflow_execution.unwrap().workflow_id, "w");
    }
}

#[tokio::test]
async fn what_waits_is_in_line_again_when_there_is_space() {
    // A1, A7
    let mut world = lab().await;
    for name in ["b", "a"] {
        world.lab(name, &[activity(json!({"args": [name]}))]).await;
        world.pass(Duration::from_millis(1));
    }
    full(&world);
    world.refuses(json!({"steps": [], "log": [large()]})).await;
    free(&mut world).await;
    for name in ["b", "a"] {
        let task = world.task("worker").await;
        assert_eq!(value(task.input.as_ref()), Some(json!(name)));
    }
}

/// A world that holds one run in memory, and another run that is there instead of the first.
async fn small() -> World {
    let mut options = common::options();
    options.instances = 1;
    let mut world = World::with(options);
    world.upload("lab", "lab").await;
    world
}

async fn evict(world: &mut World) {
    let waits = json!({"op": "wait", "notes": 1});
    for id in ["x", "y"] {
        world.lab(id, std::slice::from_ref(&waits)).await;
    }
}

#[tokio::test]
async fn the_end_of_an_attempt_waits_until_its_run_can_be_read() {
    // A1
    let mut world = small().await;
    let (end, _) = world.held().await;
    evict(&mut world).await;
    world.sim.fail_read_of("w");
    end.send("late".into()).unwrap();
    world.sim.settle().await;
    assert!(!world.history("w").contains("ActivityTaskCompleted"));
    // The run is read again after a while, and nobody has to ask for it.
    world.advance(10 * SECOND).await;
    world.until_history("w", "ActivityTaskCompleted").await;
    assert_eq!(world.result("w").await, json!(["Hold=\"late\""]));
    assert!(!world.history("w").contains("attempt="), "it was the first");
}

#[tokio::test]
async fn a_heartbeat_waits_until_its_run_can_be_read() {
    // A3
    let mut world = small().await;
    let (_end, context) = world.held().await;
    evict(&mut world).await;
    world.sim.fail_read_of("w");
    context.heartbeat_json(&"half-way").unwrap();
    world.sim.settle().await;
    // Nobody asks for the run: it is read again after a while, and what it was told becomes durable.
    let before = world.commits();
    world.advance(10 * SECOND).await;
    assert!(world.commits() > before);
    world.crash(Loss::All, SECOND);
    let info = world.pending("w").await.unwrap();
    assert_eq!(value(info.heartbeat_details.as_ref()), Some(json!("half-way")));
}

#[tokio::test]
async fn an_attempt_that_is_over_ends_before_the_next_one_begins() {
    // A1, A2
    let mut world = small().await;
    let held = hold(&world);
    let step = json!({"type": "Hold", "start_to_close_ms": 10_000, "retry_ms": 3_600_000});
    world.lab("w", &[activity(step)]).await;
    world.sim.settle().await;
    evict(&mut world).await;
    // Its time is over, and an operator lets it begin anew: both wait for the run to be read, and come in one turn.
    world.sim.hold_workers(true);
    world.advance(10 * SECOND).await;
    let request = wire::ResetActivityRequest {
        namespace: "default".into(),
        execution: common::execution("w"),
        activity: Some(wire::reset_activity_request::Activity::Type("Hold".into())),
        ..Default::default()
    };
    let rt = world.rt();
    let reset = tokio::spawn(async move { rt.reset_activity(request).await });
    world.sim.settle().await;
    assert!(!reset.is_finished());
    world.sim.hold_workers(false);
    world.drive(reset).await.unwrap().unwrap();
    world.sim.settle().await;
    let mut held = std::mem::take(&mut *held.lock().unwrap());
    assert_eq!(held.len(), 2);
    let (second, _) = held.remove(1);
    assert!(held[0].0.is_closed(), "nobody waits for the first one");
    second.send("anew".into()).unwrap();
    assert_eq!(world.result("w").await, json!(["Hold=\"anew\""]));
}

#[tokio::test]
async fn an_attempt_that_did_not_arrive_goes_back_when_its_run_can_be_read() {
    // A7
    let mut world = small().await;
    let rt = world.rt();
    {
        let mut vanishes = pin!(poll(rt, QUEUE, "vanishes", 20 * SECOND));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(vanishes.as_mut().poll(&mut context).is_pending());
        world
            .lab("w", &[activity(json!({"start_to_close_ms": 600_000}))])
            .await;
        world.sim.settle().await;
        evict(&mut world).await;
        world.sim.fail_read_of("w");
        // The answer is there, and nobody takes it.
    }
    world.sim.settle().await;
    world.advance(10 * SECOND).await;
    let task = world.task("another").await;
    assert_eq!(task.attempt, 1, "it was no attempt");
    world.complete(&task, json!(1)).await.unwrap();
    assert_eq!(world.result("w").await, json!(["echo=1"]));
}

#[tokio::test]
async fn a_retry_that_falls_due_while_its_turn_is_computed_starts() {
    // A2
    let options = common::options();
    let store = Store::open_with_backend(options.store.clone(), FaultyDisk::new()).unwrap();
    // Each look at the clock takes a millisecond, and so does the wait before the next attempt.
    let clock = Clock::running(common::EPOCH_NS, 1_000_000);
    let mut sim = Simulation::open(options, store, clock, 1).unwrap();
    let rt = sim.runtime();
    sim.drive(rt.upload_module(common::upload("lab", "lab")))
        .await
        .unwrap()
        .unwrap();
    let flaky = activities::json(async |context: Context, _: Value| match context.info().attempt {
        attempt @ 5.. => Ok(attempt),
        attempt => Err(std::io::Error::other(format!("attempt {attempt}")).into()),
    });
    rt.register_activity(QUEUE, "Flaky", flaky).unwrap();
    let step = activity(json!({"type": "Flaky", "retry_ms": 1}));
    let program = json!({ "steps": [step] });
    sim.drive(common::start(rt.clone(), "w", "Lab", "lab", &[program]))
        .await
        .unwrap()
        .unwrap();
    let result = sim.drive(common::result(rt, "w")).await.unwrap().unwrap();
    assert_eq!(result, json!(["Flaky=5"]));
}
