//! What is logged live, in replay, and of long histories.

use longhaul_history::{Attributes, proto::enums::v1::SuggestContinueAsNewReason as Reason};
use longhaul_runtime::{Report, replay};
use longhaul_store::faults::Loss;
use serde_json::json;
use tracing::Level;

use crate::{captured::Captured, common, world::*};

/// What guests log while a history is replayed.
fn replayed(world: &World, id: &str) -> (Vec<(Level, String)>, Report) {
    let history = world.rt().whole_history("default", id, "").unwrap();
    let log = Captured::begin();
    let report = replay(common::options().sandbox, &common::component("hostile"), history).unwrap();
    (log.of_guests(), report)
}

#[tokio::test]
async fn a_replay_logs_what_the_live_run_has_logged_and_a_run_that_comes_back_does_not() {
    // W3
    let mut world = World::of("hostile").await;
    let log = Captured::begin();
    world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
    for round in 0..3 {
        world.advance(SECOND).await;
        world.signal("h", "act", &[json!("log")]).await.unwrap();
        world.signal("h", "act", &[json!("print")]).await.unwrap();
        world
            .update("h", "act", &[json!("log")], &format!("u{round}"))
            .await
            .unwrap()
            .unwrap();
        world.crash(Loss::All, SECOND);
    }
    world.signal("h", "finish", &[]).await.unwrap();
    assert_eq!(world.result("h").await, json!("writes 0"));
    let live = log.of_guests();
    drop(log);

    let of = |level, text: &str| {
        let found = live
            .iter()
            .filter(|(l, message)| *l == level && message.starts_with(text));
        found.count()
    };
    assert_eq!(of(Level::INFO, "logged at "), 6, "through the contract: {live:?}");
    assert_eq!(
        of(Level::INFO, "printed with "),
        6,
        "on standard output: {live:?}"
    );
    assert_eq!(of(Level::WARN, "printed"), 3, "on standard error: {live:?}");
    assert_eq!(
        live.len(),
        15,
        "each once, though the run came back three times: {live:?}"
    );

    let (first, report) = replayed(&world, "h");
    assert_eq!(first, live, "with the same times and the same random numbers");
    assert_eq!(replayed(&world, "h"), (live, report));
    world.export("logs", "h");
}

#[tokio::test]
async fn a_validator_runs_once_for_each_update_and_never_in_replay() {
    // U6
    let mut world = World::of("hostile").await;
    let log = Captured::begin();
    world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
    // Of this update only the validator logs.
    for number in 1..=3 {
        let answer = world
            .update("h", "validated", &[json!("log")], &format!("v{number}"))
            .await
            .unwrap();
        assert_eq!(answer, Ok(json!("log")));
        assert_eq!(log.of_guests().len(), 2 * number, "{:?}", log.of_guests());
    }
    // Of this one the handler does.
    world
        .update("h", "act", &[json!("print")], "a")
        .await
        .unwrap()
        .unwrap();
    let live = log.of_guests();
    assert_eq!(live.len(), 7);

    world.crash(Loss::All, SECOND);
    assert_eq!(
        world.query("h", "writes", &[]).await.unwrap(),
        json!(0),
        "it is replayed"
    );
    world.signal("h", "finish", &[]).await.unwrap();
    world.result("h").await;
    assert_eq!(
        log.of_guests(),
        live,
        "the replay before the query ran no validator"
    );
    drop(log);

    let (lines, _) = replayed(&world, "h");
    assert_eq!(
        lines,
        live[6..],
        "three validators are missing, and the handler is there"
    );
}

#[tokio::test]
async fn a_long_history_is_warned_about_and_the_code_is_told_to_continue_as_new() {
    // E3, E10
    let mut options = common::options();
    let limits = &mut options.limits.history;
    (limits.suggest_events, limits.warn_events) = (12, 20);
    let mut world = World::with(options);
    world.upload("hostile", "hostile").await;
    let log = Captured::begin();
    world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
    world.start("short", "Hostile", &[json!("wait")]).await.unwrap();
    for number in 0..5 {
        let told = world
            .update("h", "suggested", &[], &format!("u{number}"))
            .await
            .unwrap();
        // An update is five events; what counts is what stood there before its task.
        let before = 4 + 5 * number;
        assert_eq!(told, Ok(json!(before >= 12)), "after {before} events");
    }
    let warnings = too_long(&log);
    assert_eq!(
        warnings.len(),
        2,
        "of the tasks that ended with event 24 and 29: {warnings:?}"
    );
    for (line, events) in warnings.iter().zip([24, 29]) {
        assert_eq!(line.level, Level::WARN);
        for text in ["workflow_id=\"h\"", &format!("events={events} ")] {
            assert!(line.fields.contains(text), "{text:?}: {line:?}");
        }
    }
    let history = world.rt().whole_history("default", "h", "").unwrap();
    let suggestions: Vec<(i64, Vec<Reason>)> = history
        .events
        .iter()
        .filter_map(|event| match event.attributes.as_ref().unwrap() {
            Attributes::WorkflowTaskStartedEventAttributes(started) => {
                assert_eq!(
                    started.suggest_continue_as_new,
                    !started.suggest_continue_as_new_reasons.is_empty()
                );
                Some((
                    event.event_id,
                    started.suggest_continue_as_new_reasons().collect(),
                ))
            }
            _ => None,
        })
        .collect();
    for (event_id, reasons) in suggestions {
        let before = event_id - 2;
        let expected: &[Reason] = if before >= 12 {
            &[Reason::TooManyHistoryEvents]
        } else {
            &[]
        };
        assert_eq!(reasons, expected, "event {event_id}");
    }
    // The answers are part of what the code saw: a server with other limits replays them as they were.
    world.reopen(Loss::All, SECOND, common::options());
    world.signal("h", "finish", &[]).await.unwrap();
    assert_eq!(world.result("h").await, json!("writes 0"));
    world.export("long", "h");
}

#[tokio::test]
async fn a_history_of_many_bytes_is_warned_about_too() {
    // E10
    let mut options = common::options();
    let limits = &mut options.limits.history;
    (limits.suggest_bytes, limits.warn_bytes) = (20_000, 30_000);
    let mut world = World::with(options);
    world.upload("hostile", "hostile").await;
    let log = Captured::begin();
    world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
    let large = "x".repeat(12_000);
    for (number, warned) in [(1, 0), (2, 0), (3, 1)] {
        // The second argument is for nobody.
        world
            .signal("h", "act", &[json!("nothing"), json!(large)])
            .await
            .unwrap();
        assert_eq!(too_long(&log).len(), warned, "after {number}");
    }
    let told = world.update("h", "suggested", &[], "u").await.unwrap();
    assert_eq!(told, Ok(json!(true)));
}

/// The warnings about histories.
fn too_long(log: &Captured) -> Vec<crate::captured::Line> {
    let lines = log.lines().into_iter();
    lines
        .filter(|line| line.message.contains("continue as new"))
        .collect()
}
