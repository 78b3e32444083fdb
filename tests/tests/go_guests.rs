//! What Go programs do, in a workflow: their habits are the same in every replay, their mistakes are told with what to do instead.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use longhaul_tests::{Client, Server, artifacts};
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
    // What the error says, and the file that it names where code of the user's is on the stack.
    let deeds = [
        ("panic", "panicked: no such order", "hostile/main.go:"),
        ("error", "panicked: an error: error", "hostile/main.go:"),
        ("nil", "nil pointer dereference", "hostile/main.go:"),
        ("bounds", "index out of range", "hostile/main.go:"),
        ("map", "assignment to entry in nil map", "hostile/main.go:"),
        ("goroutine", "panicked: in a goroutine", "hostile/main.go:"),
        ("loop", "the fuel of this call is spent", "hostile/main.go:"),
        ("recursion", "the code recurses too deeply", "hostile/main.go:"),
        // Whatever it writes over, and however that shows.
        (
            "overflow",
            "the stack of a goroutine has overflowed",
            "hostile/main.go:",
        ),
        (
            "quiet overflow",
            "the stack of a goroutine has overflowed",
            "hostile/main.go:",
        ),
        ("endless overflow", "recurses too deeply", "hostile/main.go:"),
        // This is what it says, and not a stack's.
        ("wild", "out of bounds memory access", "hostile/main.go:"),
        ("condition", "index out of range", "hostile/main.go:"),
        (
            "blocked condition",
            "the condition of an Await waits for a channel or a lock of Go's own",
            "",
        ),
        (
            "init",
            "an init function waits for a channel or a lock of Go's own",
            "",
        ),
        ("sleep", "workflow.Sleep", ""),
        ("exit", "the guest called exit", "hostile/main.go:"),
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
fn a_workflow_that_needs_more_memory_than_it_may_have_is_told() {
    let server = Server::skipping_time();
    let config = server.folder().join("hostile.toml");
    fs::write(&config, "[limits]\nmemory_bytes = 8388608\n").unwrap();
    let guest = artifacts::guest("hostile-go");
    let (guest, config) = (guest.to_str().unwrap(), config.to_str().unwrap());
    server
        .longhaul(&["module", "upload", guest, "--config", config])
        .ok();
    server.start_workflow("Hostile", "w", &["\"memory\""]).ok();
    let failure = failure(&server, "w");
    let told = "the guest needs more than its 8388608 bytes of memory; raise the module's memory limit";
    assert!(failure.contains(told), "{failure}");
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

// E11, W3
#[test]
fn time_that_passes_by_itself_and_the_network_are_refused_with_what_to_use_instead() {
    let server = Server::skipping_time();
    server.upload("hostile-go", "default");
    let wait =
        "a workflow must not block its thread; wait with `ctx.timer(..)` (Rust) or `workflow.Sleep` (Go)";
    let reach = "workflows have no files and no network; do this in an activity";
    let deeds = [
        ("after", wait),
        ("timer", wait),
        ("func", wait),
        ("ticker", wait),
        ("timeout", wait),
        ("select", wait),
        ("dial", reach),
        ("lookup", reach),
        ("packet", reach),
    ];
    for (deed, _) in deeds {
        server
            .start_workflow("Outside", deed, &[&format!("{deed:?}")])
            .ok();
    }
    for (deed, text) in deeds {
        let failure = failure(&server, deed);
        assert!(
            failure.contains("Refused: ") && failure.contains(text),
            "{deed}: {failure}"
        );
        // Whoever calls the network is named by file and line; whoever waits is not on the stack when everybody waits.
        assert!(
            text == wait || failure.contains("hostile/outside.go:"),
            "{deed}: {failure}"
        );
    }
}

// E11, W3
#[test]
fn files_are_for_activities() {
    let server = Server::skipping_time();
    server.upload("hostile-go", "default");
    server.start_workflow("Outside", "w", &["\"file\""]).ok();
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
    let blocked = server.query("w", "blocks");
    let said = format!("{}{}", blocked.stdout, blocked.stderr);
    assert!(
        said.contains("something in a query waits for a channel or a lock of Go's own"),
        "{said}"
    );
    assert_eq!(server.ask("w", "changes"), 1);
    assert_eq!(server.ask("w", "changes"), 1, "the first left nothing behind");
}

// E11, U1
#[test]
fn a_validator_that_waits_or_panics_harms_nobody() {
    let server = Server::start();
    server.upload("hostile-go", "default");
    server.start_workflow("Hostile", "w", &["\"patient\""]).ok();
    assert_eq!(server.update("w", "keep", &["1"]).json()["result"], 1);
    let before = server.history("w");
    let refusals = [
        ("0", "index out of range"),
        (
            "1",
            "workflow.NewTimer or workflow.Sleep was called in a validator",
        ),
        (
            "2",
            "something in a validator waits for a channel or a lock of Go's own",
        ),
    ];
    for (how, text) in refusals {
        let said = server.update("w", "validated", &[how]).refused(&[text]);
        let what = "ValidatorTrap: the validator of update \"validated\" failed";
        assert!(said.contains(what), "{said}");
    }
    // Nothing of it is left, and the run goes on.
    assert_eq!(server.history("w"), before);
    assert_eq!(server.update("w", "keep", &["2"]).json()["result"], 2);
    assert_eq!(server.ask("w", "changes"), 3);
}

// B1, S7, U1
#[test]
fn an_argument_of_another_type_is_refused_where_it_comes_in() {
    let server = Server::start();
    server.upload("hostile-go", "default");
    server.start_workflow("Hostile", "number", &["5"]).ok();
    let start = failure(&server, "number");
    assert!(
        start.contains("Workflow 'Hostile' cannot start: argument 1 does not decode"),
        "{start}"
    );

    server.start_workflow("Hostile", "w", &["\"patient\""]).ok();
    server.signal("w", "keep", &["\"text\""]).ok();
    server.signal("w", "keep", &["7"]).ok();
    let update = server.update("w", "keep", &["1.5"]);
    let said = format!("{}{}", update.stdout, update.stderr);
    assert!(
        said.contains("Update 'keep': argument 1 does not decode"),
        "{said}"
    );
    let query = server.longhaul(&["workflow", "query", "-w", "w", "--name", "item", "--input", "[]"]);
    assert!(
        query.stderr.contains("Query 'item': argument 1 does not decode"),
        "{}",
        query.stderr
    );
    // Only what fits has come in.
    assert_eq!(server.update("w", "keep", &["8"]).json()["result"], 2);
    let log = server.log();
    assert!(
        log.contains("Signal 'keep' of event") && log.contains("was dropped: argument 1 does not decode"),
        "{log}"
    );
}

// E11
#[test]
fn a_handler_that_is_registered_twice_is_told() {
    let server = Server::start();
    server.upload("hostile-go", "default");
    for kind in ["signal", "channel", "query", "update"] {
        let input = format!("{kind:?}");
        server.start_workflow("Twice", kind, &[&input]).ok();
    }
    for kind in ["signal", "channel", "query", "update"] {
        let failure = failure(&server, kind);
        assert!(
            failure.contains("workflow Twice has two handlers of one kind named once")
                && failure.contains("hostile/main.go:"),
            "{kind}: {failure}"
        );
    }
}

/// Waits until a query's list is that long.
#[track_caller]
fn lines(server: &Server, id: &str, count: usize) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let lines = server.ask(id, "lines").as_array().unwrap().clone();
        if lines.len() >= count {
            return lines;
        }
        assert!(start.elapsed() < PATIENCE, "{id}: {lines:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Replays a run's history with the guest.
#[track_caller]
fn replay(server: &Server, guest: &str, id: &str) {
    let history = server.longhaul(&["workflow", "show", "-w", id, "-o", "json"]);
    let file = server.folder().join(format!("{id}.json"));
    fs::write(&file, &history.stdout).unwrap();
    let guest = artifacts::guest(guest);
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

// W1, W3, A5
#[test]
fn a_plain_goroutine_waits_again_and_again_also_after_a_replay() {
    let mut server = Server::skipping_time();
    server.upload("habits-go", "default");
    server.start_workflow("Goroutines", "w", &[]).ok();
    server.signal("w", "number", &["1"]).ok();
    // All but two numbers, and the activities, whose next attempts are an hour away: until somebody waits for the result.
    let before = lines(&server, "w", 10);
    server.kill();
    server.restart();
    assert_eq!(lines(&server, "w", 10), before);
    server.signal("w", "number", &["2"]).ok();
    server.signal("w", "number", &["3"]).ok();
    let result = server.result("w").json();
    let mut have: Vec<&str> = result["result"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    have.sort_unstable();
    assert_eq!(
        have,
        [
            "attempt 2",
            "attempt 2",
            "attempt 2",
            "condition 0",
            "condition 1",
            "condition 2",
            "doubled 0",
            "doubled 2",
            "doubled 4",
            "number 1",
            "number 2",
            "number 3",
            "slept 0",
            "slept 1",
            "slept 2",
        ]
    );
    replay(&server, "habits-go", "w");
}

// S3, S8
#[test]
fn a_plain_function_and_its_goroutines_begin_behind_the_first_messages() {
    let server = Server::skipping_time();
    server.upload("habits-go", "default");
    server
        .longhaul(&[
            "workflow",
            "signal-with-start",
            "--type",
            "Early",
            "-w",
            "w",
            "--signal-name",
            "number",
            "--signal-input",
            "7",
        ])
        .ok();
    let result = server.result("w").json();
    assert_eq!(
        result["result"],
        serde_json::json!(["number 7", "slept 0", "slept 1", "slept 2"])
    );
    replay(&server, "habits-go", "w");
}

// S11
#[test]
fn a_branch_of_the_lab_that_is_dropped_does_nothing_more_in_any_language() {
    let logs = ["lab", "lab-go"].map(|guest| {
        let server = Server::skipping_time();
        server.upload(guest, "default");
        let program = r#"{"steps": [{"op": "wait", "notes": 2}]}"#;
        server.start_workflow("Lab", "w", &[program]).ok();
        let branches = r#"[{"op": "parallel", "branches": [
            [{"op": "sleep", "ms": 20}, {"op": "log", "text": "late"}],
            [{"op": "parallel", "branches": [[{"op": "wait", "notes": 1}, {"op": "log", "text": "later"}]]}],
            [{"op": "fail", "message": "no", "type": "Asked"}]
        ]}]"#;
        let update = server.update("w", "run", &[branches]);
        assert!(
            update.stderr.contains("no") || update.stdout.contains("no"),
            "{guest}: {}",
            update.stderr
        );
        server.signal("w", "note", &["\"one\""]).ok();
        server
            .update("w", "run", &[r#"[{"op": "sleep", "ms": 40}]"#])
            .json();
        let log = server.ask("w", "log");
        server.signal("w", "note", &["\"end\""]).ok();
        server.result("w").json();
        log
    });
    assert_eq!(logs[0], serde_json::json!(["note:one", "slept"]));
    assert_eq!(logs[1], logs[0]);
}

// A2, A4
#[test]
fn an_attempt_ends_when_its_function_returns_and_is_cancelled_only_if_asked() {
    let server = Server::start();
    server.upload("habits-go", "default");
    for (activity, result) in [
        ("Impatient", serde_json::json!("in time")),
        ("Beating", serde_json::json!("beaten 3")),
        // The first attempt ends by a cancellation of its own, and is a failure like any other.
        ("Stops", serde_json::json!(2)),
    ] {
        server
            .start_workflow("Perform", activity, &[&format!("{activity:?}")])
            .ok();
        assert_eq!(server.result(activity).json()["result"], result, "{activity}");
    }
}

// B1
#[test]
fn json_that_is_nested_deeply_is_read_and_written_or_refused() {
    let mut server = Server::skipping_time();
    server.upload("habits-go", "default");
    let list = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let object = |depth: usize| r#"{"a":"#.repeat(depth) + "1" + &"}".repeat(depth);
    let tree = |depth: usize| r#"{"name":"n","children":["#.repeat(depth / 2) + &"]}".repeat(depth / 2);
    let empty = r#"{"name":"","children":[]}"#.len();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut client = runtime.block_on(async { Client::new(server.address()) });
    let mut signal = |name: &str, text: String| {
        let request = format!("{name} {}", text.len());
        runtime
            .block_on(client.signal_text("w", name, text, &request))
            .unwrap();
    };

    server.start_workflow("Deep", "deep", &[&list(126)]).ok();
    assert_eq!(server.ask("deep", "written"), 252 + empty);
    server.start_workflow("Deep", "w", &["1"]).ok();
    assert_eq!(server.ask("w", "written"), 1 + empty);
    signal("value", list(127));
    assert_eq!(server.ask("w", "written"), 254 + empty);
    signal("value", object(127));
    assert_eq!(server.ask("w", "written"), 1 + 127 * 6 + empty);
    signal("tree", tree(126));
    assert_eq!(server.ask("w", "written"), 1 + 127 * 6 + tree(126).len());
    for text in [list(128), object(128), list(500_000), tree(128)] {
        let name = if text.contains("name") { "tree" } else { "value" };
        signal(name, text);
        assert_eq!(server.ask("w", "written"), 1 + 127 * 6 + tree(126).len());
    }
    assert!(
        server
            .log()
            .contains("its lists and objects are nested 128 deep, and 127 is the limit")
    );
    server.kill();
    server.restart();
    server.signal("w", "end", &[]).ok();
    assert_eq!(server.result("w").json()["result"], 1 + 127 * 6 + tree(126).len());
}

// W3, W7
#[test]
fn go_habits_are_the_same_in_every_replay() {
    let mut server = Server::skipping_time();
    server.upload("habits-go", "default");
    server.start_workflow("Habits", "w", &[]).ok();
    server.signal("w", "again", &[]).ok();
    let live = lines(&server, "w", 3);
    assert_ne!(
        live[0], live[1],
        "maps, select and random numbers differ from time to time"
    );

    // In another process there is nothing but history.
    server.kill();
    server.restart();
    assert_eq!(lines(&server, "w", 3), live);
    server.signal("w", "end", &[]).ok();
    let result = server.result("w").json();
    assert_eq!(result["result"].as_array().unwrap()[..3], live[..]);

    replay(&server, "habits-go", "w");
}
