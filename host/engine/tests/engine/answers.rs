//! Attempts that are with workers outside: who may speak of them, and how (A3, A6).

use longhaul_engine::{
    CancellationType, Effect,
    execution::{AttemptEnd, NotTaken, Which},
};
use longhaul_history::proto::common::v1::Payloads;
use serde_json::json;

use crate::{
    guest::{Scripted, activity_with, cancel_activity, failure, json},
    world::World,
};

const CHANGED: Effect = Effect::ActivityChanged {
    scheduled_event_id: 5,
};
const GONE: Effect = Effect::ActivityGone {
    scheduled_event_id: 5,
};

/// A run with the activity `charge`, scheduled by event 5.
fn scheduled() -> World<Scripted> {
    let mut world = World::new();
    world.task([activity_with(1, "charge", |options| {
        options.cancellation_type = CancellationType::WaitCompleted;
    })]);
    world
}

fn token(number: u32, nonce: u64) -> Which {
    Which::Token {
        scheduled_event_id: 5,
        number,
        nonce,
    }
}

fn by_id(id: &str) -> Which {
    Which::ActivityId(id.into())
}

fn completed() -> AttemptEnd {
    AttemptEnd::Completed(json(&json!("paid")))
}

#[test]
fn only_the_token_of_the_current_attempt_counts() {
    // A1, A6
    let mut world = scheduled();
    let which = token(1, 70);
    assert_eq!(world.answer(&which, completed()), Err(NotTaken::NotRunning));
    assert!(world.hand_out(5, 70));
    assert_eq!(world.effects, [CHANGED]);
    for wrong in [token(1, 71), token(2, 70), token(0, 0)] {
        assert_eq!(
            world.answer(&wrong, completed()),
            Err(NotTaken::NotRunning),
            "{wrong:?}"
        );
        assert_eq!(
            world.hear(&wrong, json!(1)),
            Err(NotTaken::NotRunning),
            "{wrong:?}"
        );
        assert_eq!(world.effects, []);
    }
    let failed = AttemptEnd::Failed(failure("no", "Broken"));
    assert_eq!(world.answer(&which, failed), Ok(()));
    assert_eq!(world.effects, [CHANGED]);
    world.advance(1);
    assert!(world.hand_out(5, 72));
    assert_eq!(
        world.answer(&which, completed()),
        Err(NotTaken::NotRunning),
        "it is over"
    );
    assert_eq!(world.answer(&token(2, 72), completed()), Ok(()));
    assert_eq!(world.effects, [GONE]);
    assert_eq!(
        world.answer(&token(2, 72), completed()),
        Err(NotTaken::NotRunning)
    );
    assert_eq!(world.task([]), ["resolve 1 completed (\"paid\")"]);
    world.terminate("enough").unwrap();
    assert_eq!(world.answer(&token(2, 72), completed()), Err(NotTaken::Closed));
    world.check();
}

#[test]
fn a_heartbeat_says_whether_to_stop_and_only_then_it_may() {
    // A3, A4
    let mut world = scheduled();
    assert!(world.hand_out(5, 70));
    let which = token(1, 70);
    assert_eq!(world.hear(&which, json!("half")), Ok(false));
    let attempt = &world.execution.activities()[&5].attempt;
    assert_eq!(attempt.heartbeat_ns, Some(world.now_ns));
    assert_eq!(attempt.heartbeat_identity, "beats");
    assert_eq!(attempt.heartbeat_details, Some(json(&json!("half"))));
    let cancelled = || AttemptEnd::Cancelled(Payloads::default());
    assert_eq!(world.answer(&which, cancelled()), Err(NotTaken::NotAskedToCancel));
    world.signal("stop", "").unwrap();
    world.task([cancel_activity(1)]);
    assert_eq!(world.hear(&which, json!("half")), Ok(true));
    assert_eq!(world.answer(&which, cancelled()), Ok(()));
    assert_eq!(world.effects, [GONE]);
    world.check();
}

#[test]
fn an_activity_may_be_completed_by_its_id_before_anybody_has_it() {
    // A6
    let mut world = scheduled();
    assert_eq!(
        world.answer(&by_id("2"), completed()),
        Err(NotTaken::NoSuchActivity("2".into()))
    );
    let failed = AttemptEnd::Failed(failure("no", "Broken"));
    assert_eq!(world.answer(&by_id("1"), failed), Err(NotTaken::NotRunning));
    assert_eq!(world.hear(&by_id("1"), json!(1)), Err(NotTaken::NotRunning));
    assert_eq!(world.answer(&by_id("1"), completed()), Ok(()));
    let history = world.history.clone();
    let lines: Vec<_> = history[5..]
        .iter()
        .map(|event| longhaul_history::text::event(event))
        .collect();
    assert_eq!(
        lines[..2].iter().map(|line| line.trim()).collect::<Vec<_>>(),
        [
            "6 ActivityTaskStarted scheduled=5",
            "7 ActivityTaskCompleted scheduled=5 started=6 result=\"paid\"",
        ]
    );
    world.check();
}

#[test]
fn an_attempt_that_did_not_arrive_waits_as_before() {
    // A7
    let mut world = scheduled();
    let before = world.execution.activities()[&5].attempt.clone();
    assert!(!world.take_back(5, 70), "nobody has it");
    assert!(world.hand_out(5, 70));
    assert!(!world.take_back(5, 71), "another one's");
    assert!(world.take_back(5, 70));
    assert_eq!(world.effects, [CHANGED]);
    assert_eq!(world.execution.activities()[&5].attempt, before);
    assert_eq!(
        world.answer(&token(1, 70), completed()),
        Err(NotTaken::NotRunning)
    );
    // One whose cancellation was asked for meanwhile ends, as what does not run does.
    assert!(world.hand_out(5, 73));
    world.signal("stop", "").unwrap();
    world.task([cancel_activity(1)]);
    assert!(world.take_back(5, 73));
    assert_eq!(world.effects, [GONE]);
    world.check();
}

#[test]
fn an_attempt_that_was_handed_over_goes_on_outside() {
    // A6
    let mut world = scheduled();
    assert!(world.start_attempt(5));
    assert!(!world.execution.activities()[&5].attempt.handed_out);
    assert!(world.end_attempt(5, 1, AttemptEnd::HandedOver));
    assert_eq!(world.effects, [CHANGED]);
    assert!(world.execution.activities()[&5].attempt.handed_out);
    assert_eq!(world.answer(&by_id("1"), completed()), Ok(()));
    assert!(
        !world.end_attempt(5, 1, AttemptEnd::HandedOver),
        "whoever was asked may be faster than the code that has asked"
    );
    world.check();
}
