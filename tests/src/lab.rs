//! The lab's cases, played through the official Python client.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{Answer, Server, artifacts, python};

/// The task queue of the lab and of its activities.
pub const QUEUE: &str = "lab";

/// How long a step waits for a result, where the case must pass.
const PATIENCE_S: &str = "60";

/// Plays cases, all of which must pass.
#[track_caller]
pub fn must_pass(server: &Server, cases: &[PathBuf]) {
    let (passed, report) = play(server, cases, PATIENCE_S);
    assert_eq!(passed.len(), cases.len(), "{report}");
}

/// Plays cases. The names of those that passed, and what the runner printed.
pub fn play(server: &Server, cases: &[PathBuf], patience_s: &str) -> (BTreeSet<String>, String) {
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
pub fn cases(wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(lab().join("cases")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json") && wanted(stem(path)))
        .collect();
    assert!(!cases.is_empty(), "there are no such cases");
    cases.sort();
    cases
}

/// The name of a case.
pub fn stem(case: &Path) -> &str {
    case.file_stem().unwrap().to_str().unwrap()
}

fn lab() -> PathBuf {
    artifacts::package().join("lab")
}
