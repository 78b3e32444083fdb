//! Expected histories, whole: `goldens/NAME.txt` holds what the client sees and what the runs leave.
//!
//! `LONGHAUL_UPDATE_GOLDENS=1 cargo test -p longhaul-runtime --test it scenarios` writes them anew; then look at what has changed.

use std::{collections::BTreeSet, env, fmt::Write as _, fs, path::PathBuf};

use longhaul_history::text;

use crate::crashes::{Comparison, Outcome};

/// Compares, or writes where that is asked for and `may_write`.
pub(super) fn check(name: &str, outcome: &Outcome, comparison: Comparison, may_write: bool) {
    let path = folder().join(format!("{name}.txt"));
    let is = format(outcome, comparison);
    if may_write && env::var_os("LONGHAUL_UPDATE_GOLDENS").is_some() {
        fs::write(&path, is).unwrap();
        return;
    }
    let should = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; LONGHAUL_UPDATE_GOLDENS=1 writes it", path.display()));
    if let Some(diff) = text::diff(&should, &is) {
        panic!("{name}, - expected, + found:\n{diff}");
    }
}

fn format(outcome: &Outcome, comparison: Comparison) -> String {
    let mut text = String::from("answers\n");
    // Most acts have nothing to answer.
    let answers = outcome.answers.iter().enumerate();
    for (number, answer) in answers.filter(|(_, answer)| !answer.is_null()) {
        let _ = writeln!(text, "{number:>3} {answer}"); // writing to a String cannot fail
    }
    for run in &outcome.runs {
        let _ = writeln!(text, "\n{}, run {}", run.workflow_id, run.run);
        text.push_str(&comparison.stable(&run.history));
    }
    text
}

/// There is no golden file that no scenario compares.
pub(super) fn assert_no_others(names: &[&str]) {
    let files = fs::read_dir(folder()).unwrap();
    let found: BTreeSet<String> = files
        .map(|file| {
            file.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(found, names.iter().map(|name| (*name).to_owned()).collect());
}

/// Read when the test runs, not when it is compiled: several clones may share a target folder.
fn folder() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("run the tests through cargo");
    PathBuf::from(package).join("tests/it/scenarios/goldens")
}
