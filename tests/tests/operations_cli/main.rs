//! What an operator does with the command line beyond starting, signalling and asking: both in one step, resets, moves to another
//! version, deletions, and looks into a workflow.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod delete;
mod look;
mod options;
mod requests;
mod reset;
mod search_attributes;
mod start;
mod task_queue;
mod with_start;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use longhaul_tests::{Answer, Server, artifacts};
use serde_json::Value;

/// Whatever a test waits for comes within this time, or never.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something that cannot be awaited.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The task queue of every module here.
const QUEUE: &str = "operations";
const NOT_FOUND: &str = "workflow not found for ID: ";

/// A server that has these guests.
fn server(guests: &[&str]) -> Server {
    let server = Server::start();
    for guest in guests {
        server.upload(guest, QUEUE);
    }
    server
}

/// SIGKILL, and the same database again.
fn kill_and_restart(server: &mut Server) {
    server.kill();
    server.restart();
}

/// Uploads a guest with settings of its own.
#[track_caller]
fn upload_with(server: &Server, guest: &str, settings: &str) {
    let file = server.folder().join("settings.toml");
    fs::write(&file, settings).unwrap();
    let (guest, file) = (artifacts::guest(guest), file.to_str().unwrap().to_owned());
    let words = ["module", "upload", guest.to_str().unwrap(), "--config", &file];
    server.longhaul(&words).ok();
}

/// `longhaul workflow VERB`, with further words.
fn workflow(server: &Server, verb: &str, words: &[&str]) -> Answer {
    server.longhaul(&[&["workflow", verb], words].concat())
}

/// What `describe` shows to people.
#[track_caller]
fn described(server: &Server, id: &str) -> String {
    workflow(server, "describe", &["-w", id]).ok()
}

/// What `describe -o json` says of the execution.
#[track_caller]
fn info(server: &Server, id: &str) -> Value {
    workflow(server, "describe", &["-w", id, "-o", "json"]).json()["workflowExecutionInfo"].take()
}

/// The run that has the id now.
#[track_caller]
fn run_id(server: &Server, id: &str) -> String {
    info(server, id)["execution"]["runId"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// `RUNNING`, `TERMINATED`, ... of one run.
#[track_caller]
fn status_of(server: &Server, id: &str, run_id: &str) -> String {
    let described = workflow(server, "describe", &["-w", id, "-r", run_id, "-o", "json"]).json();
    let status = described["workflowExecutionInfo"]["status"].as_str().unwrap();
    status.replace("WORKFLOW_EXECUTION_STATUS_", "")
}

/// How many executions a filter finds.
#[track_caller]
fn count(server: &Server, query: &str) -> u32 {
    let counted = workflow(server, "count", &["--query", query, "-o", "json"]).json();
    counted["count"].as_str().unwrap().parse().unwrap()
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
