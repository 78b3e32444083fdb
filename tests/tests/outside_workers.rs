//! Activities in Temporal's official Python worker: what becomes of them when workers and server die.
//!
//! `cargo xtask test` makes the Python environment and runs these tests; plain `cargo test` leaves them out.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::time::Instant;

use longhaul_tests::{
    Answer, export,
    outside::{PATIENCE, Place, step},
    python,
    worker::Language,
};
use serde_json::json;

/// What a client says of an activity by its task token.
fn later(place: &Place, token: &str, verb: &str, value: &str) -> String {
    let mut command = python::script("python/complete_later.py", &place.server);
    Answer::of(command.args([token, verb, value]))
        .ok()
        .trim()
        .to_owned()
}

// A1, A3, A7
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn an_activity_of_a_killed_worker_goes_to_another_which_knows_how_far_it_came() {
    let place = Place::new();
    // One that is killed while it waits takes nothing with it.
    drop(place.worker(Language::Python, "idle"));
    let first = place.worker(Language::Python, "first");
    place.start("w", &[step("hold", "w", json!({"heartbeat_ms": 1000}))]);
    place.wait("w-first-1");
    place.wait_for_heartbeat("w");
    drop(first);
    let _second = place.worker(Language::Python, "second");
    place.wait("w-second-2");
    place.touch("w-go");
    assert_eq!(place.result("w"), json!(["hold=[\"second\", 2, [\"first\"]]"]));
    let history = place.server.history("w");
    assert_eq!(history.matches("ActivityTaskCompleted").count(), 1, "{history}");
    export::histories(&place.server, "outside_killed_worker");
}

// A1, A7
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn an_activity_outlives_a_server_that_is_killed() {
    let mut place = Place::new();
    let _worker = place.worker(Language::Python, "worker");
    place.start("runs", &[step("hold", "runs", json!({"heartbeat_ms": 30_000}))]);
    place.wait("runs-worker-1");
    place.start(
        "other",
        &[
            json!({"op": "wait", "notes": 1}),
            step("hold", "other", json!({})),
        ],
    );
    place.server.kill();
    place.server.restart();
    place.touch("runs-go");
    assert_eq!(place.result("runs"), json!(["hold=[\"worker\", 1, []]"]));
    // Its polls go on as well.
    place.touch("other-go");
    place.server.signal("other", "note", &["\"go\""]).ok();
    assert_eq!(
        place.result("other"),
        json!(["note:go", "waited", "hold=[\"worker\", 1, []]"])
    );
    export::histories(&place.server, "outside_killed_server");
}

// A3, A4
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn a_cancellation_reaches_the_python_code() {
    let place = Place::new();
    let _worker = place.worker(Language::Python, "worker");
    let race = json!({"op": "race", "branches": [
        [step("hold", "w", json!({"heartbeat_ms": 5000}))],
        [json!({"op": "wait", "notes": 1})],
    ]});
    place.start("w", &[race, json!({"op": "wait", "notes": 2})]);
    place.wait("w-worker-1");
    place.server.signal("w", "note", &["\"1\""]).ok();
    place.wait("w-cancelled");
    place.wait_for_event("w", "ActivityTaskCanceled");
    place.server.signal("w", "note", &["\"2\""]).ok();
    place.result("w");
}

// A6
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn an_activity_that_is_completed_later_waits_for_that_over_all_restarts() {
    let mut place = Place::new();
    let worker = place.worker(Language::Python, "worker");
    place.start("token", &[step("later", "token", json!({}))]);
    place.start("id", &[step("later", "id", json!({}))]);
    let token = place.wait("token-token");
    place.wait("id-token");
    drop(worker);
    place.server.kill();
    place.server.restart();
    assert_eq!(later(&place, &token, "heartbeat", "half"), "done");
    assert_eq!(later(&place, &token, "complete", "in the end"), "done");
    assert_eq!(place.result("token"), json!(["later=\"in the end\""]));
    let again = later(&place, &token, "complete", "again");
    assert!(again.starts_with("NOT_FOUND"), "{again}");

    let longhaul = |words: &[&str]| place.server.longhaul(words);
    let told = longhaul(&[
        "activity",
        "heartbeat",
        "-w",
        "id",
        "--activity-id",
        "1",
        "--details",
        "7",
        "-o",
        "json",
    ]);
    assert_eq!(
        told.json(),
        json!({"cancelRequested": false, "activityPaused": false, "activityReset": false})
    );
    longhaul(&["activity", "complete", "-w", "id", "-a", "9", "--result", "1"])
        .refused(&["cannot find pending activity with ActivityID 9"]);
    longhaul(&["activity", "cancel", "-w", "id", "-a", "1"])
        .refused(&["without activity being request canceled first"]);
    longhaul(&[
        "activity",
        "complete",
        "-w",
        "id",
        "-a",
        "1",
        "--result",
        "{\"by\": \"hand\"}",
    ])
    .ok();
    assert_eq!(place.result("id"), json!(["later={\"by\": \"hand\"}"]));
    longhaul(&["activity", "fail", "-w", "id", "-a", "1"]).refused(&["workflow execution already completed"]);
    export::histories(&place.server, "outside_later");
}

// A6
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn an_activity_that_was_handed_over_is_failed_by_hand_for_good() {
    let place = Place::new();
    let _worker = place.worker(Language::Python, "worker");
    place.start("w", &[step("later", "w", json!({}))]);
    place.wait("w-token");
    let fail = [
        "activity",
        "fail",
        "-w",
        "w",
        "-a",
        "1",
        "--reason",
        "no answer",
        "--detail",
        "3",
    ];
    place.server.longhaul(&fail).ok();
    let log = place.result("w").to_string();
    assert!(log.contains("no answer"), "{log}");
    assert!(!log.contains("tried again"), "{log}");
}

// A3
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn an_activity_that_is_paused_stops_and_goes_on_where_it_was() {
    let place = Place::new();
    let _worker = place.worker(Language::Python, "worker");
    let longhaul = |words: &[&str]| place.server.longhaul(words);
    place.start("w", &[step("hold", "w", json!({"heartbeat_ms": 5000}))]);
    place.wait("w-worker-1");
    place.wait_for_heartbeat("w");
    longhaul(&["activity", "pause", "-w", "w", "-a", "1", "--reason", "a holiday"]).ok();
    // The code hears of it, and its attempt ends.
    place.wait("w-cancelled");
    let began = Instant::now();
    let paused = loop {
        let described = longhaul(&["workflow", "describe", "-w", "w", "-o", "json"]).json();
        let activity = described["pendingActivities"][0].clone();
        if activity["state"] == "PENDING_ACTIVITY_STATE_PAUSED" {
            break activity;
        }
        assert!(began.elapsed() < PATIENCE, "{activity}");
    };
    assert_eq!(paused["pauseInfo"]["manual"]["reason"], "a holiday", "{paused}");
    let options = [
        "activity",
        "update-options",
        "-w",
        "w",
        "-a",
        "1",
        "--heartbeat-timeout",
        "7s",
        "-o",
        "json",
    ];
    assert_eq!(longhaul(&options).json()["heartbeatTimeout"], "7s");
    place.touch("w-go");
    longhaul(&["activity", "unpause", "-w", "w", "-a", "1"]).ok();
    assert_eq!(place.result("w"), json!(["hold=[\"worker\", 2, [\"worker\"]]"]));
    longhaul(&["activity", "reset", "-w", "w", "--match-all"])
        .refused(&["workflow execution already completed"]);
}

// B2
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn a_result_that_is_too_large_is_told_to_the_workflow() {
    let place = Place::new();
    let _worker = place.worker(Language::Python, "worker");
    place.start("w", &[step("large", 3 << 20, json!({"attempts": 2}))]);
    place.result("w");
    let history = place.server.history("w");
    assert!(history.contains("ActivityTaskFailed"), "{history}");
    assert!(history.len() < 20_000, "nothing of it is kept");
}

// A worker that stops in order is given nothing while it does.
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn a_worker_that_stops_in_order_leaves_what_comes_to_the_others() {
    let place = Place::new();
    let _stopping = place.worker(Language::Python, "stopping");
    let _stays = place.worker(Language::Python, "stays");
    place.touch("worker-stopping-stop");
    place.wait("worker-stopping-stopped");
    place.touch("w-go");
    for number in 0..10 {
        let id = format!("w{number}");
        place.touch(&format!("{id}-go"));
        place.start(&id, &[step("hold", id.as_str(), json!({"heartbeat_ms": 60_000}))]);
        assert_eq!(place.result(&id), json!(["hold=[\"stays\", 1, []]"]));
    }
}
