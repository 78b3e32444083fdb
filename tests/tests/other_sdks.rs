//! Activity workers of Temporal's TypeScript and Go SDKs, as they come from their registries.
//!
//! `cargo xtask test` makes them from `tests/workers` and runs these tests; plain `cargo test` leaves them out.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use longhaul_tests::{
    export,
    lab::{cases, must_pass},
    outside::{Place, step},
    worker::Language,
};
use serde_json::json;

mod typescript {
    use super::*;

    const LANGUAGE: Language = Language::TypeScript;

    // A1, A2, A3
    #[test]
    #[ignore = "needs Node.js, and the worker that `cargo xtask test` makes"]
    fn a_typescript_worker_serves_the_lab() {
        serves_the_lab(LANGUAGE);
    }

    // A1, A3, A7
    #[test]
    #[ignore = "needs Node.js, and the worker that `cargo xtask test` makes"]
    fn a_typescript_worker_takes_over_from_one_that_was_killed() {
        takes_over(LANGUAGE);
    }

    // A1, A7
    #[test]
    #[ignore = "needs Node.js, and the worker that `cargo xtask test` makes"]
    fn a_typescript_worker_outlives_the_server() {
        outlives_the_server(LANGUAGE);
    }

    // A3, A4
    #[test]
    #[ignore = "needs Node.js, and the worker that `cargo xtask test` makes"]
    fn a_cancellation_reaches_typescript() {
        hears_of_a_cancellation(LANGUAGE);
    }
}

mod go {
    use super::*;

    const LANGUAGE: Language = Language::Go;

    // A1, A2, A3
    #[test]
    #[ignore = "needs the worker that `cargo xtask test` makes with Go"]
    fn a_go_worker_serves_the_lab() {
        serves_the_lab(LANGUAGE);
    }

    // A1, A3, A7
    #[test]
    #[ignore = "needs the worker that `cargo xtask test` makes with Go"]
    fn a_go_worker_takes_over_from_one_that_was_killed() {
        takes_over(LANGUAGE);
    }

    // A1, A7
    #[test]
    #[ignore = "needs the worker that `cargo xtask test` makes with Go"]
    fn a_go_worker_outlives_the_server() {
        outlives_the_server(LANGUAGE);
    }

    // A3, A4
    #[test]
    #[ignore = "needs the worker that `cargo xtask test` makes with Go"]
    fn a_cancellation_reaches_go() {
        hears_of_a_cancellation(LANGUAGE);
    }
}

/// Results, retries, failures of every kind, limits and heartbeats: what a Temporal server has shown of them.
fn serves_the_lab(language: Language) {
    let place = Place::new();
    let _worker = place.worker(language, "worker");
    must_pass(&place.server, &cases(|name| name.starts_with("activit")));
    export::histories(&place.server, &format!("lab_{language:?}_activities"));
}

/// The second worker knows how far the first one came, and whose attempt that was.
fn takes_over(language: Language) {
    let place = Place::new();
    let first = place.worker(language, "first");
    place.start("w", &[step("hold", "w", json!({"heartbeat_ms": 1000}))]);
    place.wait("w-first-1");
    place.wait_for_heartbeat("w");
    drop(first);
    let _second = place.worker(language, "second");
    place.wait("w-second-2");
    place.touch("w-go");
    assert_eq!(place.result("w"), json!(["hold=[\"second\", 2, [\"first\"]]"]));
    let history = place.server.history("w");
    assert_eq!(history.matches("ActivityTaskCompleted").count(), 1, "{history}");
}

/// An attempt goes on while the server is killed, and so do the worker's polls.
fn outlives_the_server(language: Language) {
    let mut place = Place::new();
    let _worker = place.worker(language, "worker");
    place.start("runs", &[step("hold", "runs", json!({"heartbeat_ms": 30_000}))]);
    place.wait("runs-worker-1");
    place.server.kill();
    place.server.restart();
    place.touch("runs-go");
    assert_eq!(place.result("runs"), json!(["hold=[\"worker\", 1, []]"]));
    place.touch("next-go");
    place.start("next", &[step("hold", "next", json!({"heartbeat_ms": 30_000}))]);
    assert_eq!(place.result("next"), json!(["hold=[\"worker\", 1, []]"]));
}

/// The code hears of it, says that it has stopped, and history has that.
fn hears_of_a_cancellation(language: Language) {
    let place = Place::new();
    let _worker = place.worker(language, "worker");
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
