//! The lab: programs whose outcome on a real Temporal server was recorded, played through the official Python client.
//!
//! What each case does and saw stands in `tests/lab/cases`. `cargo xtask test` makes the Python environment and runs this; plain
//! `cargo test` leaves it out.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use longhaul_tests::{Answer, Background, Server, artifacts, export, python};

/// The task queue of the lab and of its activities.
const QUEUE: &str = "lab";

/// How long a step waits for a result, where the case must pass.
const PATIENCE_S: &str = "60";

// S2, S3, S4, S6, S8, Q1, Q2, Q4, Q6, U1, U2, U3, U4, U7, U9, W1, E1, E2, E3, E4, E5, E6, A1, A2, A3, A5
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn every_case_looks_like_on_temporal() {
    let server = Server::start();
    server.upload("lab", QUEUE);
    server.upload("lab-activities", QUEUE);
    must_pass(&server, &cases(|_| true));
    export::histories(&server, "lab");
}

// A1, A2, A3
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn activities_may_be_served_from_python() {
    let server = Server::start();
    server.upload("lab", QUEUE);
    let _worker = Background::start(python::script("lab/worker.py", &server).arg("activities"));
    must_pass(&server, &cases(|name| name.starts_with("activit")));
    export::histories(&server, "lab_python_activities");
}

fn must_pass(server: &Server, cases: &[PathBuf]) {
    let (passed, report) = play(server, cases, PATIENCE_S);
    assert_eq!(passed.len(), cases.len(), "{report}");
}

/// Plays cases. The names of those that passed, and what the runner printed.
fn play(server: &Server, cases: &[PathBuf], patience_s: &str) -> (BTreeSet<String>, String) {
    if cases.is_empty() {
        return (BTreeSet::new(), String::new());
    }
    let mut command = python::script("lab/runner.py", server);
    command.args(["check", "--patience-s", patience_s]);
    let answer = Answer::of(command.args(cases));
    let verdicts = answer.stdout.lines();
    let passed: BTreeSet<String> = verdicts
        .filter_map(|line| line.strip_suffix(": ok").map(str::to_owned))
        .collect();
    // The runner says the number at its end: without it, it did not come so far.
    let sum = format!("{} passed, {} failed", passed.len(), cases.len() - passed.len());
    let report = format!("{}{}", answer.stdout, answer.stderr);
    assert_eq!(answer.stdout.lines().last(), Some(sum.as_str()), "{report}");
    (passed, report)
}

/// The cases whose names are wanted, in order.
fn cases(wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(lab().join("cases")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json") && wanted(stem(path)))
        .collect();
    assert!(!cases.is_empty(), "there are no such cases");
    cases.sort();
    cases
}

fn stem(case: &Path) -> &str {
    case.file_stem().unwrap().to_str().unwrap()
}

fn lab() -> PathBuf {
    artifacts::package().join("lab")
}
