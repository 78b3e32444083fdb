//! The lab: programs whose outcome on a real Temporal server was recorded, played through the official Python client.
//!
//! What each case does and saw stands in `tests/lab/cases`. `cargo xtask test` makes the Python environment and runs this; plain
//! `cargo test` leaves it out.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::path::PathBuf;

use longhaul_tests::{
    Background, Server, export,
    lab::{QUEUE, cases, must_pass, play, stem},
    python,
};

/// How long a step waits for a result where the case cannot pass yet, so that what does not come does not take long.
const SHORT_PATIENCE_S: &str = "5";

/// Cases that cannot pass yet, and why. One that passes is an error: then it goes from here.
const LATER: [(&str, &str); 1] = [("local-activity", "local activities are not served")];

// S2, S3, S4, S6, S8, Q1, Q2, Q4, Q6, U1, U2, U3, U4, U7, U9, W1, E1, E2, E3, E4, E5, E6, A1, A2, A3
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn every_case_looks_like_on_temporal() {
    let server = Server::start();
    server.upload("lab", QUEUE);
    server.upload("lab-activities", QUEUE);
    let (now, later) = divide(cases(|_| true), &LATER);
    must_pass(&server, &now);
    // Before the others, whose histories end in the middle.
    export::histories(&server, "lab");
    must_not_pass(&server, &later, &LATER);
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

/// The cases that must pass, and those that are listed.
fn divide(cases: Vec<PathBuf>, list: &[(&str, &str)]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let is_listed = |case: &PathBuf| list.iter().any(|(name, _)| *name == stem(case));
    let (later, now): (Vec<_>, Vec<_>) = cases.into_iter().partition(is_listed);
    assert_eq!(
        later.len(),
        list.len(),
        "a case is listed that is not there: {list:?}"
    );
    (now, later)
}

fn must_not_pass(server: &Server, cases: &[PathBuf], list: &[(&str, &str)]) {
    let (passed, _) = play(server, cases, SHORT_PATIENCE_S);
    let wrong: Vec<_> = list.iter().filter(|(name, _)| passed.contains(*name)).collect();
    assert!(
        wrong.is_empty(),
        "these cases pass, and are listed as if they could not: {wrong:?}"
    );
}
