//! What Go programs do, in a workflow: their habits are the same in every replay, their mistakes are told with what to do instead.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use longhaul_tests::{Server, artifacts};
use serde_json::Value;

/// Whatever a test waits for comes within this time, or never.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the task of a run fails.
#[track_caller]
fn failure(server: &Server, id: &str) -> String {
    let start = Instant::now();
    loop {
        let history = server.history(id);
        if let Some(line) = history.lines().find(|line| line.contains("WorkflowTaskFailed")) {
            return line.to_owned();
        }
        assert!(start.elapsed() < PATIENCE, "{id}: no task has failed\n{history}");
        thread::sleep(Duration::from_millis(20));
    }
}

// E11, W6
#[test]
fn a_mistake_parks_the_run_and_says_what_and_where() {
    let server = Server::skipping_time();
    server.upload("hostile-go", "default");
    // What the error says, and a file that it names where it can.
    let deeds = [
        ("panic", "panicked: no such order", ""),
        ("error", "panicked: an error: error", ""),
        ("nil", "nil pointer dereference", ""),
        ("bounds", "index out of range", ""),
        ("map", "assignment to entry in nil map", ""),
        ("goroutine", "panicked: in a goroutine", "hostile/main.go:"),
        ("loop", "the fuel of this call is spent", ""),
        ("recursion", "stack", "hostile/main.go:"),
        ("sleep", "workflow.Sleep", ""),
        ("exit", "the guest called exit", ""),
        ("channel", "a chan has no JSON", ""),
    ];
    for (deed, ..) in deeds {
        let input = format!("{deed:?}");
        server.start_workflow("Hostile", deed, &[&input]).ok();
    }
    for (deed, text, file) in deeds {
        let failure = failure(&server, deed);
        assert!(
            failure.contains(text) && failure.contains(file),
            "{deed}: {failure}"
        );
    }
}

// E11, W6
#[test]
fn the_main_routine_is_named_where_its_line_is_not_known() {
    let server = Server::skipping_time();
    server.upload("hostile-go", "default");
    server.start_workflow("Hostile", "w", &["\"bounds\""]).ok();
    let failure = failure(&server, "w");
    assert!(failure.contains("(in (*main.state).run"), "{failure}");
}

// E11
#[test]
fn a_deadlock_is_told() {
    let server = Server::skipping_time();
    server.upload("hostile-go", "default");
    for how in ["channel", "lock"] {
        server.start_workflow("Stuck", how, &[&format!("{how:?}")]).ok();
        let failure = failure(&server, how);
        assert!(
            failure.contains("deadlock") && failure.contains("workflow.Channel"),
            "{failure}"
        );
    }
}

#[test]
fn files_are_for_activities() {
    let server = Server::skipping_time();
    server.upload("hostile-go", "default");
    server.start_workflow("Hostile", "w", &["\"file\""]).ok();
    assert_ne!(
        server.result("w").code,
        0,
        "the workflow fails with the error that it got"
    );
    let history = server.history("w");
    assert!(
        history.contains("read and write them in an activity"),
        "{history}"
    );
}

#[test]
fn goroutines_that_wait_do_not_keep_a_workflow_from_ending() {
    let server = Server::skipping_time();
    server.upload("hostile-go", "default");
    server.start_workflow("Hostile", "w", &["\"blocked\""]).ok();
    assert_eq!(server.result("w").json()["result"], "done");
}

// Q3, Q4
#[test]
fn a_query_that_waits_panics_or_changes_something_harms_nobody() {
    let server = Server::start();
    server.upload("hostile-go", "default");
    // It waits for a message that never comes.
    server.start_workflow("Hostile", "w", &["\"patient\""]).ok();
    let refused = |name: &str, text: &str| {
        let answer = server.query("w", name);
        let said = format!("{}{}", answer.stdout, answer.stderr);
        assert!(said.contains(text) && said.contains("hostile/main.go:"), "{said}");
    };
    refused(
        "waits",
        "workflow.NewTimer or workflow.Sleep was called in a query",
    );
    refused(
        "commands",
        "workflow.NewTimer or workflow.Sleep was called in a query",
    );
    refused("panics", "index out of range");
    assert_eq!(server.ask("w", "changes"), 1);
    assert_eq!(server.ask("w", "changes"), 1, "the first left nothing behind");
}

// W3
#[test]
fn go_habits_are_the_same_in_every_replay() {
    let mut server = Server::skipping_time();
    server.upload("habits-go", "default");
    server.start_workflow("Habits", "w", &[]).ok();
    server.signal("w", "again", &[]).ok();
    let lines = |server: &Server| -> Vec<Value> { server.ask("w", "lines").as_array().unwrap().clone() };
    let start = Instant::now();
    while lines(&server).len() < 3 {
        assert!(start.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(20));
    }
    let live = lines(&server);
    assert_ne!(
        live[0], live[1],
        "maps, select and random numbers differ from time to time"
    );

    // In another process there is nothing but history.
    server.kill();
    server.restart();
    assert_eq!(lines(&server), live);
    server.signal("w", "end", &[]).ok();
    let result = server.result("w").json();
    assert_eq!(result["result"].as_array().unwrap()[..3], live[..]);

    let history = server.longhaul(&["workflow", "show", "-w", "w", "-o", "json"]);
    let file = server.folder().join("history.json");
    fs::write(&file, &history.stdout).unwrap();
    let guest = artifacts::guest("habits-go");
    server
        .longhaul(&[
            "replay",
            guest.to_str().unwrap(),
            "--history",
            file.to_str().unwrap(),
        ])
        .ok();
}

// W3
#[test]
fn what_a_go_program_draws_is_its_runs_own() {
    let server = Server::skipping_time();
    server.upload("habits-go", "default");
    let drawn = |id: &str| -> [String; 2] {
        server.start_workflow("Habits", id, &[]).ok();
        let lines = server.ask(id, "lines");
        let mut parts = lines[0].as_str().unwrap().split(" | ").map(str::to_owned);
        // The order of a map comes first, a number of math/rand last but one.
        [parts.next().unwrap(), parts.nth(2).unwrap()]
    };
    let (one, other) = (drawn("one"), drawn("other"));
    assert_ne!(one[0], other[0], "the order of a map");
    assert_ne!(one[1], other[1], "a random number");
}
