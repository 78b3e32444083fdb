//! The scenarios of `examples-guest`, each driven as its users would drive it: through the command line, and where Temporal's
//! documentation shows client code, through the official Python client.
//!
//! `cargo xtask test` makes the Python environment and runs the tests that need it; plain `cargo test` leaves them out.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod approval;
mod bank;
mod batch;
mod cart;
mod endless;
mod family;
mod greeting;
mod labels;
mod languages;
mod migration;
mod multi_approval;
mod orchestrator;
mod payment;
mod pipeline;
mod saga;
mod stages;

use std::{
    thread,
    time::{Duration, Instant},
};

use longhaul_tests::{Language, Server, Worker, export, python};
use serde_json::Value;

/// Whatever a test waits for comes within this time, or never.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something that cannot be awaited.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A server that skips time and has these guests, on a queue of this name.
fn server(guests: &[&str], queue: &str) -> Server {
    server_in(Language::Rust, guests, queue)
}

/// A server that skips time and has these guests in a language, on a queue of this name.
fn server_in(language: Language, guests: &[&str], queue: &str) -> Server {
    let server = Server::skipping_time();
    for guest in guests {
        server.upload_in(language, guest, queue);
    }
    server
}

/// Waits until something holds.
#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it did not come about: {what}");
        thread::sleep(LOOK_AGAIN);
    }
}

/// The events of an execution's newest run.
#[track_caller]
fn events(server: &Server, id: &str) -> Vec<Value> {
    let mut shown = server
        .longhaul(&["workflow", "show", "-w", id, "-o", "json"])
        .json();
    match shown["events"].take() {
        Value::Array(events) => events,
        other => panic!("no events: {other}"),
    }
}

/// The types of the activities that were scheduled, in their order.
#[track_caller]
fn scheduled(server: &Server, id: &str) -> Vec<String> {
    let events = events(server, id);
    let names = events
        .iter()
        .filter_map(|event| event["activityTaskScheduledEventAttributes"]["activityType"]["name"].as_str());
    names.map(str::to_owned).collect()
}

/// How many events of a type an execution's newest run has.
#[track_caller]
fn count(server: &Server, id: &str, event_type: &str) -> usize {
    let events = events(server, id);
    let types = events.iter().filter_map(|event| event["eventType"].as_str());
    types.filter(|name| *name == event_type).count()
}

/// The value of an update that must succeed.
#[track_caller]
fn updated(server: &Server, id: &str, name: &str, inputs: &[&str]) -> Value {
    server.update(id, name, inputs).json()["result"].take()
}

/// The result of an execution that must complete.
#[track_caller]
fn completed(server: &Server, id: &str) -> Value {
    let mut result = server.result(id).json();
    assert_eq!(result["status"], "COMPLETED", "{result}");
    result["result"].take()
}

/// Runs a script of `tests/python/scenarios/` against a server. What it prints.
#[track_caller]
fn python(server: &Server, script: &str) -> String {
    python::run(&format!("python/scenarios/{script}"), server)
}

/// Runs a script of `tests/python/scenarios/` twice: with activities in a component, and with those of the script of the same name in
/// `tests/python/workers/`. It must print the same.
///
/// The first guest has the workflows.
#[track_caller]
fn python_with_either_worker(
    language: Language,
    guests: &[&str],
    queue: &str,
    script: &str,
    printed_well: impl Fn(&str),
) {
    let components = server_in(language, guests, queue);
    printed_well(&python(&components, script));
    drop(components);

    // The component serves its activities on its own queue, and the script starts workflows on another.
    let workflows = server_in(language, &guests[..1], "workflows");
    let worker = Worker::of_scenario(script, &workflows);
    printed_well(&python(&workflows, script));
    worker.assert_served_all(&workflows);
    let name = script.trim_end_matches(".py");
    export::histories(&workflows, &language.named(&format!("{name}_python_worker")));
}
