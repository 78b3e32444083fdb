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

use longhaul_tests::{Answer, Background, Language, Server, artifacts, export, in_each_language, python};

/// The task queue of the lab and of its activities.
const QUEUE: &str = "lab";

/// How long a step waits for a result, where the case must pass.
const PATIENCE_S: &str = "60";

/// The same where the case cannot pass yet, so that what does not come does not take long.
const SHORT_PATIENCE_S: &str = "5";

/// Cases that cannot pass yet, and why. One that passes is an error: then it goes from here.
const LATER: [(&str, &str); 1] = [("local-activity", "local activities are not served")];

in_each_language! {
    #[ignore = "needs the Python environment that `cargo xtask test` makes"]
    every_case_looks_like_on_temporal,
    #[ignore = "needs the Python environment that `cargo xtask test` makes"]
    activities_may_be_served_from_python,
}

// S2, S3, S4, S6, S8, Q1, Q2, Q4, Q6, U1, U2, U3, U4, U7, U9, W1, E1, E2, E3, E4, E5, E6, A1, A2, A3
fn every_case_looks_like_on_temporal(language: Language) {
    let server = Server::start();
    server.upload_in(language, "lab", QUEUE);
    server.upload_in(language, "lab-activities", QUEUE);
    let (now, later) = divide(cases(|_| true), &LATER);
    must_pass(&server, &now);
    // Before the others, whose histories end in the middle.
    export::histories(&server, &language.named("lab"));
    must_not_pass(&server, &later, &LATER);
}

// A1, A2, A3
fn activities_may_be_served_from_python(language: Language) {
    let server = Server::start();
    server.upload_in(language, "lab", QUEUE);
    let _worker = Background::start(python::script("lab/worker.py", &server).arg("activities"));
    must_pass(&server, &cases(|name| name.starts_with("activit")));
    export::histories(&server, &language.named("lab_python_activities"));
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

fn must_pass(server: &Server, cases: &[PathBuf]) {
    let (passed, report) = play(server, cases, PATIENCE_S);
    assert_eq!(passed.len(), cases.len(), "{report}");
}

fn must_not_pass(server: &Server, cases: &[PathBuf], list: &[(&str, &str)]) {
    let (passed, _) = play(server, cases, SHORT_PATIENCE_S);
    let wrong: Vec<_> = list.iter().filter(|(name, _)| passed.contains(*name)).collect();
    assert!(
        wrong.is_empty(),
        "these cases pass, and are listed as if they could not: {wrong:?}"
    );
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
