//! The wait for the first workflow task: start delays.

use longhaul_engine::{Effect, execution::Start};
use longhaul_history::time;

use crate::{
    guest::Scripted,
    world::{World, at, start},
};

fn delayed() -> World<Scripted> {
    let begun = Start {
        first_task_backoff_ns: 60 * time::NS_PER_SECOND,
        ..start()
    };
    World::with(Scripted::default(), begun)
}

#[test]
fn nothing_runs_before_the_delay_is_over() {
    // S3
    let mut world = delayed();
    assert_eq!(world.execution.first_task_due_ns(), Some(at(60)));
    world.update("u", "add").unwrap();
    world.cancel("enough").unwrap();
    assert!(!world.execution.needs_task());
    world.restart();
    assert_eq!(world.execution.first_task_due_ns(), Some(at(60)));
    world.advance(60);
    assert!(world.step(|execution, turn, _| execution.release_first_task(turn)));
    assert_eq!(world.effects, [Effect::FirstTaskReleased]);
    assert!(world.execution.needs_task());
    assert_eq!(world.task([]), ["start", "update u", "cancel enough"]);
    assert_eq!(world.execution.first_task_due_ns(), None);
    world.check();
    world.restart();
    assert_eq!(
        world.execution.first_task_due_ns(),
        None,
        "history says that it is over"
    );
}

#[test]
fn a_signal_ends_a_start_delay() {
    let mut world = delayed();
    world.advance(1);
    world.signal("go", "").unwrap();
    assert!(world.execution.needs_task());
    assert!(
        world.effects.contains(&Effect::FirstTaskReleased),
        "{:?}",
        world.effects
    );
    world.restart();
    assert!(world.execution.needs_task(), "also after a restart");
    assert_eq!(world.task([]), ["start", "signal go"]);
}

#[test]
fn a_signal_that_came_with_the_start_waits_with_it() {
    // S8
    let mut world = delayed();
    world.signal("first", "").unwrap();
    assert!(!world.execution.needs_task());
    world.advance(1);
    world.signal("plain", "").unwrap();
    assert!(
        !world.execution.needs_task(),
        "only one that would have started the run ends the delay"
    );
    assert!(world.step(|execution, turn, _| execution.end_start_delay(turn)));
    assert!(world.execution.needs_task());
    assert!(
        !world.step(|execution, turn, _| execution.end_start_delay(turn)),
        "once"
    );
    assert_eq!(world.task([]), ["start", "signal first", "signal plain"]);
}

#[test]
fn a_delayed_run_that_ends_waits_for_nothing() {
    let mut world = delayed();
    world.terminate("enough").unwrap();
    assert_eq!(world.effects, [Effect::FirstTaskReleased, Effect::Closed]);
    assert_eq!(world.execution.first_task_due_ns(), None);
    world.check();
}
