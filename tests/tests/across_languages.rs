//! Failures and values that go from one language to another and back: a client and a worker in Python, workflows and activities in Rust.
//!
//! `cargo xtask test` makes the Python environment and runs these tests; plain `cargo test` leaves them out.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use longhaul_tests::{Answer, Server, Worker, export, python};

/// The task queue of the activities in Python.
const PYTHON: &str = "relay";
/// The task queue of the component, which serves the same activities.
const WASM: &str = "relay-wasm";
/// What the client hides.
const WORD: &str = "a word that nobody else may read";

/// A server that has the component, and a Python worker.
fn relay(codec: &str) -> (Server, Worker) {
    let server = Server::start();
    server.upload("relay", WASM);
    let mut command = python::script("python/relay/worker.py", &server);
    command.arg(codec);
    let worker = Worker::start(command, &server, "worker");
    (server, worker)
}

/// Runs a script of `tests/python/relay/`. What it prints.
#[track_caller]
fn run(server: &Server, script: &str, words: &[&str]) -> String {
    let mut command = python::script(&format!("python/relay/{script}"), server);
    Answer::of(command.args(words)).ok()
}

// A2, W6: type, details, causes, flag, delay and category of an activity's failure are the same for the activity in Python, the workflow
// in Rust, and the client in Python; and the delay that the first failure asks for is kept.
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn a_failure_in_python_reaches_rust_and_comes_back_whole() {
    let (server, worker) = relay("plain");
    let printed = run(&server, "failures.py", &["plain", PYTHON]);
    assert_eq!(printed, "3 failures came whole, 1 of them with a stack trace\n");
    worker.assert_served_all(&server);
    export::histories(&server, "across_python");
}

// A2, W6
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn a_failure_in_rust_reaches_python_whole() {
    let server = Server::start();
    server.upload("relay", WASM);
    let printed = run(&server, "failures.py", &["plain", WASM]);
    assert_eq!(printed, "3 failures came whole, 0 of them with a stack trace\n");
    export::histories(&server, "across_rust");
}

// A2, W6: the workflow reads what it may, and passes on what it cannot read.
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn a_failure_whose_text_is_hidden_comes_back_whole() {
    let (server, worker) = relay("hiding");
    let printed = run(&server, "failures.py", &["hiding", PYTHON]);
    assert_eq!(printed, "3 failures came whole, 1 of them with a stack trace\n");
    worker.assert_served_all(&server);
    assert_nowhere(&server, "witness", &["no water", "the river is dry", "kitchen"]);
    export::histories(&server, "across_hidden");
}

// A1: payloads are bytes with a label, whatever the label says.
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn payloads_of_any_encoding_pass_through_python_untouched() {
    let (server, worker) = relay("plain");
    let printed = run(&server, "values.py", &[PYTHON, "raw"]);
    assert_eq!(printed, "10 payloads came back as they were\n");
    // Nobody on the way can read it, not even the activity.
    assert_eq!(
        run(&server, "values.py", &[PYTHON, "hidden"]),
        format!("{WORD}\n")
    );
    worker.assert_served_all(&server);
    export::histories(&server, "across_values_python");
}

// A1
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn payloads_of_any_encoding_pass_through_a_component_untouched() {
    let server = Server::start();
    server.upload("relay", WASM);
    let printed = run(&server, "values.py", &[WASM, "raw"]);
    assert_eq!(printed, "10 payloads came back as they were\n");
    assert_eq!(run(&server, "values.py", &[WASM, "hidden"]), format!("{WORD}\n"));
    export::histories(&server, "across_values_rust");
}

// A1: client and worker hide their values from the server and from the workflow between them.
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn what_client_and_worker_hide_stays_hidden_between_them() {
    let (server, worker) = relay("hiding");
    let printed = run(&server, "values.py", &[PYTHON, "hidden"]);
    assert_eq!(printed, format!("read {WORD}\n"));
    worker.assert_served_all(&server);
    assert_nowhere(&server, "relay", &[WORD]);
    export::histories(&server, "across_values_hidden");
}

/// None of these texts is in the bytes of a history.
#[track_caller]
fn assert_nowhere(server: &Server, id: &str, texts: &[&str]) {
    let history = export::history(server, id);
    assert!(contains(&history, id.as_bytes()), "this is no history of {id}");
    for text in texts {
        assert!(
            !contains(&history, text.as_bytes()),
            "{text:?} is there for everybody"
        );
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
