//! `longhaul bench` through the binary: tiny runs, of which only the form is looked at. No test here knows how fast it should be.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// The component that `cargo xtask guests` builds. Without it, and if LONGHAUL_GUESTS does not promise it, there is nothing to run.
fn component() -> Option<PathBuf> {
    match std::env::var_os("LONGHAUL_GUESTS") {
        Some(folder) => Some(PathBuf::from(folder).join("bench.wasm")),
        None => {
            let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests/bench.wasm");
            built.exists().then_some(built)
        }
    }
}

fn bench(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_longhaul"))
        .arg("bench")
        .args(arguments)
        .current_dir(folder)
        .env_remove("TEMPORAL_ADDRESS")
        .env_remove("LONGHAUL_GUESTS")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Run with `-o json`, and look that nothing stays behind in the current folder.
fn measured(arguments: &[&str]) -> Option<Value> {
    let component = component()?;
    let folder = tempfile::tempdir().unwrap();
    let component = component.to_str().unwrap();
    let output = bench(
        folder.path(),
        &[arguments, &["--component", component, "-o", "json"]].concat(),
    );
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn empty_executions_are_counted_in_process_and_over_grpc() {
    for (mode, flags) in [("in-process", &["--in-process"][..]), ("grpc", &[])] {
        let arguments = [&["empty", "--count", "3", "--concurrency", "2"], flags].concat();
        let Some(document) = measured(&arguments) else {
            return;
        };
        assert_eq!(document["mode"], mode);
        let load = &document["loads"][0];
        assert_eq!(load["case"], "empty");
        assert_eq!(load["unit"], "executions");
        assert_eq!(load["count"], 3);
        assert_eq!(load["callers"], 2);
        assert_eq!(load["errors"], 0);
        // Each execution ends in at least one transition, and no commit is without one.
        let (commits, transitions) = (load["commits"].as_u64(), load["transitions"].as_u64());
        assert!(transitions >= Some(3), "{load}");
        assert!(commits >= Some(1) && commits <= transitions, "{load}");
        assert!(load["p50Us"].as_f64() <= load["maxUs"].as_f64(), "{load}");
    }
}

/// The case in process and over gRPC, each with its loads and figures.
fn both_ways(arguments: &[&str], look: impl Fn(&[Value], &[Value])) {
    for flags in [&["--in-process"][..], &[]] {
        let Some(document) = measured(&[arguments, flags].concat()) else {
            return;
        };
        let part = |name: &str| document[name].as_array().unwrap().clone();
        look(&part("loads"), &part("figures"));
    }
}

#[test]
fn signals_are_spread_over_executions() {
    both_ways(
        &["signal-many", "--count", "6", "--concurrency", "3"],
        |loads, _| {
            let load = &loads[0];
            assert_eq!(
                (&load["case"], &load["unit"]),
                (&"signal-many".into(), &"signals".into())
            );
            assert_eq!((&load["count"], &load["callers"]), (&6.into(), &3.into()));
            assert_eq!(load["errors"], 0);
            // Six executions get one signal each, and no transition is of two executions.
            assert!(load["transitions"].as_u64() >= Some(6), "{load}");
        },
    );
}

#[test]
fn every_other_signal_with_start_starts_an_execution() {
    both_ways(
        &["signal-with-start", "--count", "8", "--concurrency", "4"],
        |loads, figures| {
            let load = &loads[0];
            assert_eq!(
                (&load["case"], &load["unit"]),
                (&"signal-with-start".into(), &"requests".into())
            );
            assert_eq!((&load["count"], &load["errors"]), (&8.into(), &0.into()));
            assert_eq!(figures[0]["what"], "of them started an execution");
            assert_eq!(figures[0]["value"], 50.0, "{figures:?}");
        },
    );
}

#[test]
fn children_are_counted_over_all_parents() {
    both_ways(&["children", "--count", "5"], |loads, figures| {
        let load = &loads[0];
        assert_eq!(
            (&load["case"], &load["unit"]),
            (&"children".into(), &"children".into())
        );
        // Three parents, each of which ends in one transition at least, as each of its children does.
        assert_eq!((&load["count"], &load["errors"]), (&15.into(), &0.into()));
        assert!(load["transitions"].as_u64() >= Some(18), "{load}");
        assert_eq!(figures[0]["what"], "median time of a parent and its 5 children");
        assert!(figures[0]["value"].as_f64() > Some(0.0), "{figures:?}");
    });
}

#[test]
fn a_chain_is_measured_to_the_end_of_its_last_run() {
    both_ways(&["continue-as-new", "--count", "7"], |loads, _| {
        let load = &loads[0];
        assert_eq!(
            (&load["case"], &load["unit"]),
            (&"continue-as-new".into(), &"runs".into())
        );
        assert_eq!((&load["count"], &load["errors"]), (&7.into(), &0.into()));
        // Each run ends in a transition of its own, and so does the parent that waits for the last one.
        assert!(load["transitions"].as_u64() >= Some(8), "{load}");
    });
}

#[test]
fn lists_are_measured_by_each_filter_and_no_page_is_short() {
    both_ways(&["list", "--count", "120"], |loads, _| {
        let cases: Vec<_> = loads.iter().map(|load| load["case"].as_str().unwrap()).collect();
        assert_eq!(
            cases,
            [
                "list filling",
                "list status",
                "list type",
                "list attribute",
                "list prefix",
                "list close time",
                "list deep"
            ]
        );
        assert_eq!(
            (&loads[0]["unit"], &loads[0]["count"]),
            (&"executions".into(), &120.into())
        );
        for load in loads {
            assert_eq!(load["errors"], 0, "{load}");
        }
        for pages in &loads[1..] {
            assert_eq!(pages["unit"], "pages");
            assert!(pages["p50Us"].as_f64() <= pages["p99Us"].as_f64(), "{pages}");
            // A page only reads.
            assert_eq!(pages["transitions"], 0, "{pages}");
        }
    });
}

#[test]
fn suspended_executions_are_there_after_the_kill() {
    let Some(document) = measured(&["suspend", "--count", "5"]) else {
        return;
    };
    let figures = document["figures"].as_array().unwrap();
    let reopened = figures
        .iter()
        .any(|figure| figure["what"] == "first query after reopening");
    assert!(reopened, "{figures:?}");
    assert_eq!(evicted(&document), 0.0);
}

#[test]
fn suspended_executions_may_be_evicted_to_keep_within_a_bound() {
    let Some(document) = measured(&["suspend", "--count", "20", "--instance-memory", "1"]) else {
        return;
    };
    // One byte has room for none; the last ones may still be there, because eviction looks between turns.
    assert!(evicted(&document) >= 50.0, "{document}");
}

/// Percent of the executions.
fn evicted(document: &Value) -> f64 {
    let figures = document["figures"].as_array().unwrap();
    let figure = figures.iter().find(|figure| figure["what"] == "of them evicted");
    figure.unwrap()["value"].as_f64().unwrap()
}

#[test]
fn activities_are_timed_one_by_one_and_counted_over_all_clients() {
    for case in ["activity", "remote-activity"] {
        both_ways(
            &[case, "--count", "3", "--concurrency", "2", "--pollers", "5"],
            |loads, _| {
                let many = format!("{case} many");
                let expected = [(case, 3, 1), (&*many, 30, 2)];
                assert_eq!(loads.len(), expected.len());
                for (load, (name, count, callers)) in loads.iter().zip(expected) {
                    assert_eq!(
                        (&load["case"], &load["unit"]),
                        (&name.into(), &"activities".into())
                    );
                    assert_eq!(
                        (&load["count"], &load["callers"], &load["errors"]),
                        (&count.into(), &callers.into(), &0.into()),
                        "each is timed: {load}"
                    );
                    assert!(load["p50Us"].as_f64() > Some(0.0), "{load}");
                    // An attempt starts in a transition and ends in another, in which the next one starts.
                    assert!(load["transitions"].as_u64() > Some(count), "{load}");
                }
            },
        );
    }
}

#[test]
fn retries_wait_over_the_kill() {
    let Some(document) = measured(&["pending-retries", "--count", "1003"]) else {
        return;
    };
    let figures = document["figures"].as_array().unwrap();
    let whole = "resident memory of a server with 1003 activities that wait for a retry";
    for what in [
        whole,
        "times that a thread of it goes on",
        "reopening after kill -9",
        "first description of an execution after reopening",
    ] {
        assert!(
            figures.iter().any(|figure| figure["what"] == what),
            "{what}: {figures:?}"
        );
    }
}

#[test]
fn polls_wait_together_and_one_of_them_gets_each_activity() {
    // More than one queue takes by default.
    let Some(document) = measured(&["pollers", "--count", "2100"]) else {
        return;
    };
    let figures = document["figures"].as_array().unwrap();
    assert_eq!(
        figures[0]["what"],
        "resident memory of a server with 2100 polls that wait"
    );
    let load = &document["loads"][0];
    assert_eq!((&load["count"], &load["errors"]), (&500.into(), &0.into()));
}

#[test]
fn a_component_that_is_not_there_is_named_with_what_builds_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(folder.path(), &["empty", "--component", "nowhere.wasm"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    for text in ["nowhere.wasm", "cargo xtask guests", "--component"] {
        assert!(errors.contains(text), "{errors}");
    }
    assert!(output.stdout.is_empty());
}
