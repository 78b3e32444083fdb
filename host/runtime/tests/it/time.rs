//! Timers across restarts, and skipped time.

use std::time::Duration;

use longhaul_store::{Store, faults::Loss};
use serde_json::json;

use crate::{common, world::*};

const MINUTE: Duration = Duration::from_secs(60);

fn ms(duration: Duration) -> serde_json::Value {
    json!(u64::try_from(duration.as_millis()).unwrap())
}

#[tokio::test]
async fn a_timer_survives_a_restart_and_fires_at_its_time() {
    // W2
    let mut world = World::of("bench").await;
    world.start("t", "Sleep", &[ms(HOUR)]).await.unwrap();
    world.crash(Loss::All, 10 * MINUTE);
    world.advance(50 * MINUTE - Duration::from_nanos(1)).await;
    assert!(
        !world.history("t").contains("TimerFired"),
        "a timer does not fire early after a restart either"
    );
    world.pass(Duration::from_nanos(1));
    assert_eq!(world.result("t").await, ms(HOUR));
    world.export("timer-restart", "t");
}

#[tokio::test]
async fn timers_past_due_at_a_restart_fire_at_once_and_in_order() {
    // W2
    let mut world = World::of("bench").await;
    world.start("late", "Sleep", &[ms(2 * HOUR)]).await.unwrap();
    world.start("early", "Sleep", &[ms(HOUR)]).await.unwrap();
    world.crash(Loss::Some { seed: 3 }, DAY);
    world.until_history("early", "WorkflowExecutionCompleted").await;
    world.until_history("late", "WorkflowExecutionCompleted").await;
    world.export("timer-past-due", "late");
}

#[tokio::test]
async fn a_timer_that_has_ended_leaves_nothing_in_the_store() {
    // W2
    let mut world = World::of("bench").await;
    world.start("fired", "Sleep", &[ms(MINUTE)]).await.unwrap();
    world.start("pending", "Sleep", &[ms(HOUR)]).await.unwrap();
    let timers = |world: &World| {
        let disk = world.disk.crash(Loss::All);
        let store = Store::open_with_backend(common::options().store, disk).unwrap();
        store.read().unwrap().timers().unwrap().count()
    };
    assert_eq!(timers(&world), 2);
    world.pass(MINUTE);
    assert_eq!(world.result("fired").await, ms(MINUTE));
    assert_eq!(timers(&world), 1);
    world.terminate("pending").await.unwrap();
    assert_eq!(timers(&world), 0);
}

#[tokio::test]
async fn a_clock_that_goes_back_at_a_restart_does_not_take_time_back() {
    // W2, W3
    let mut world = World::of("bench").await;
    world.advance(HOUR).await;
    world.start("t", "Sleep", &[ms(MINUTE)]).await.unwrap();
    let before_ns = world.sim.now_ns();
    world.set_wall_back(HOUR);
    world.crash(Loss::All, Duration::ZERO);
    assert!(
        world.sim.now_ns() >= before_ns,
        "time never goes back behind the last event"
    );
}

#[tokio::test]
async fn time_is_skipped_only_while_somebody_waits_for_a_result() {
    let mut options = common::options();
    options.time_skipping = true;
    let mut world = World::with(options);
    world.upload("bench", "bench").await;
    world.start("t", "Sleep", &[ms(DAY)]).await.unwrap();
    let started_ns = world.sim.now_ns();
    world.sim.settle().await;
    world.describe("t").await;
    assert_eq!(world.sim.now_ns(), started_ns, "nobody waits for the result");
    assert_eq!(world.result("t").await, ms(DAY));
    let day_ns = u64::try_from(DAY.as_nanos()).unwrap();
    assert_eq!(
        world.sim.now_ns(),
        started_ns + day_ns,
        "to the timer, and no further"
    );
    world.crash(Loss::All, SECOND);
    assert!(
        world.sim.now_ns() >= started_ns + day_ns,
        "what was skipped stays skipped after a restart"
    );
    world.start("u", "Sleep", &[ms(SECOND)]).await.unwrap();
    assert_eq!(world.result("u").await, ms(SECOND));
    world.export("time-skipped", "u");
}
