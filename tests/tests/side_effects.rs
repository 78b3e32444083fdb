//! Side effects: what a function of the workflow makes is recorded, and never made again.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use longhaul_tests::{Language, Server, artifacts, export, in_each_language};
use serde_json::{Value, json};

/// Whatever a test waits for comes within this time, or never.
const PATIENCE: Duration = Duration::from_secs(60);

const QUEUE: &str = "lab";

in_each_language! {
    a_value_is_made_once_and_outlives_the_server,
    a_function_that_does_more_or_fails_parks_the_run,
    a_value_that_is_too_large_parks_the_run_and_loses_nothing,
    another_version_takes_what_history_has_until_a_reset_makes_it_again,
}

fn lab(language: Language) -> Server {
    let server = Server::start();
    server.upload_in(language, "lab", QUEUE);
    server.upload_in(language, "lab-activities", QUEUE);
    server
}

fn start(server: &Server, id: &str, steps: &Value) {
    let program = json!({"steps": steps}).to_string();
    let words = [
        "workflow",
        "start",
        "--type",
        "Lab",
        "--task-queue",
        QUEUE,
        "-w",
        id,
        "--input",
        &program,
    ];
    server.longhaul(&words).ok();
}

fn side(value: Value) -> Value {
    json!({"op": "side_effect", "value": value})
}

/// The name of a language, which is what a side effect of the lab makes without a value.
fn name(language: Language) -> &'static str {
    match language {
        Language::Rust => "Rust",
        Language::Go => "Go",
    }
}

/// The line of the failed workflow task.
#[track_caller]
fn failure(server: &Server, id: &str) -> String {
    until(server, id, "WorkflowTaskFailed")
}

/// The line that has this text, as soon as there is one.
#[track_caller]
fn until(server: &Server, id: &str, text: &str) -> String {
    let start = Instant::now();
    loop {
        let history = server.history(id);
        if let Some(line) = history.lines().find(|line| line.contains(text)) {
            return line.to_owned();
        }
        assert!(start.elapsed() < PATIENCE, "{id}: there is no {text}\n{history}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What the side effects of a history have made.
fn values(history: &str) -> Vec<&str> {
    let markers = history
        .lines()
        .filter(|line| line.contains("\"side_effect\":true"));
    markers
        .map(|line| line.split_once("result:").unwrap().1)
        .collect()
}

// W3, W7
fn a_value_is_made_once_and_outlives_the_server(language: Language) {
    let mut server = lab(language);
    // In the main routine, in branches beside local activities, in handlers, and behind a wait.
    let beside = json!({"op": "parallel", "branches": [
        [{"op": "local_activity", "type": "echo", "args": ["a"]}, side(json!(2))],
        [side(json!([3])), {"op": "local_activity", "type": "echo", "args": ["b"]}, side(json!({"four": 4}))],
    ]});
    start(
        &server,
        "w",
        &json!([side(json!(1)), beside, {"op": "wait", "notes": 1}, side(json!("x"))]),
    );
    let handler = json!([side(json!("h")), {"op": "log", "text": "handled"}]).to_string();
    server.update("w", "run", &[&handler]).ok();
    server.signal("w", "run", &[&handler]).ok();
    // The answer of a query comes after the task that handled the signal.
    let before = server.ask("w", "log");
    server.kill();
    server.restart();
    assert_eq!(server.ask("w", "log"), before, "the code was replayed");
    server.signal("w", "note", &["\"go on\""]).ok();
    let log = server.result("w").json()["result"].take();
    for (line, times) in [
        ("side=1", 1),
        ("side=2", 1),
        ("side=[3]", 1),
        ("side={\"four\": 4}", 1),
        ("side=\"h\"", 2),
        ("side=\"x\"", 1),
    ] {
        let lines = log.as_array().unwrap().iter().filter(|logged| *logged == line);
        assert_eq!(lines.count(), times, "{line}: {log}");
    }
    assert_eq!(values(&server.history("w")).len(), 7);
    // Nothing runs in a replay outside of the server either.
    let file = server.folder().join("w.json");
    let shown = server
        .longhaul(&["workflow", "show", "-w", "w", "-o", "json"])
        .ok();
    fs::write(&file, shown).unwrap();
    let module = artifacts::guest(&language.guest("lab"));
    let words = [
        "replay",
        module.to_str().unwrap(),
        "--history",
        file.to_str().unwrap(),
    ];
    server.longhaul(&words).ok();
    export::histories(&server, &language.named("side_effects"));
}

// W3, W7: a hash map's order depends on how many there were before it.
#[test]
fn what_the_function_makes_of_hash_maps_is_made_up_for() {
    let mut server = Server::start();
    server.upload("hostile", "default");
    server
        .start_workflow("Hostile", "w", &["\"side-effect-maps\""])
        .ok();
    let order = |server: &Server| {
        let words = [
            "workflow",
            "query",
            "-w",
            "w",
            "--name",
            "act",
            "--input",
            "\"hash-order\"",
        ];
        server.longhaul(&words).ok()
    };
    let live = order(&server);
    server.kill();
    server.restart();
    assert_eq!(order(&server), live);
    server.signal("w", "finish", &[]).ok();
    assert_eq!(server.result("w").json()["result"], "16 maps");
    export::histories(&server, "side_effects_maps");
}

// W6, W7, E11, Q3
fn a_function_that_does_more_or_fails_parks_the_run(language: Language) {
    let server = Server::skipping_time();
    server.upload(&language.guest("hostile"), "default");
    let refused = match language {
        Language::Rust => "the function of a side effect only makes a value",
        Language::Go => "was called in the function of a SideEffect",
    };
    let mut deeds = vec![
        ("side-effect-command", refused),
        ("side-effect-panic", "no value"),
    ];
    if language == Language::Go {
        deeds.push((
            "side-effect-wait",
            "the function of a SideEffect waits for a channel or a lock of Go's own",
        ));
    }
    for (deed, _) in &deeds {
        server
            .start_workflow("Hostile", deed, &[&format!("{deed:?}")])
            .ok();
    }
    for (deed, text) in &deeds {
        let failure = failure(&server, deed);
        assert!(failure.contains(text), "{deed}: {failure}");
        assert!(!server.history(deed).contains("MarkerRecorded"));
    }
    let (wait, query, input) = match language {
        Language::Rust => ("\"wait\"", "act", &["--input", "\"side-effect\""][..]),
        Language::Go => ("\"patient\"", "side effect", &[][..]),
    };
    server.start_workflow("Hostile", "w", &[wait]).ok();
    let words = ["workflow", "query", "-w", "w", "--name", query];
    let answer = server.longhaul(&[&words[..], input].concat());
    let said = format!("{}{}", answer.stdout, answer.stderr);
    let refused = match language {
        Language::Rust => "`commands.side-effect` was refused: `query` is read-only",
        Language::Go => "workflow.SideEffect was called in a query",
    };
    assert!(answer.code != 0 && said.contains(refused), "{said}");
}

// B2, E11, W7
fn a_value_that_is_too_large_parks_the_run_and_loses_nothing(language: Language) {
    // To write so much takes a while.
    let limits = [
        "--fuel-per-activation",
        "20000000000",
        "--activation-timeout",
        "60s",
    ];
    let server = Server::start_with(&limits);
    server.upload_in(language, "lab", QUEUE);
    let large = json!({"op": "side_effect", "bytes": 2_100_000});
    start(
        &server,
        "w",
        &json!([side(json!(1)), {"op": "wait", "notes": 1}, large]),
    );
    server.ask("w", "log");
    server.signal("w", "note", &["\"go on\""]).ok();
    let failure = failure(&server, "w");
    assert!(
        failure.contains("the value of side effect 2 has 2100")
            && failure.contains("the limit is 2097152 bytes"),
        "{}",
        &failure[..failure.len().min(500)]
    );
    let history = server.history("w");
    assert_eq!(values(&history), ["1}"], "{history}");
    assert!(history.contains("WorkflowExecutionSignaled"));
}

// E9, E11, W7: the other version is the same workflow in the other language, whose code would make another value.
fn another_version_takes_what_history_has_until_a_reset_makes_it_again(language: Language) {
    let mut server = lab(language);
    let wait = |notes: u32| json!({"op": "wait", "notes": notes});
    let own = || side(Value::Null);
    start(&server, "w", &json!([own(), wait(1), own(), wait(2), own()]));
    server.ask("w", "log");
    server.signal("w", "note", &["\"a\""]).ok();
    let other = Language::ALL
        .into_iter()
        .find(|other| *other != language)
        .unwrap();
    let (mine, theirs) = (name(language), name(other));
    let by = |makers: [&str; 2]| {
        let [first, second] = makers.map(|maker| format!("side={maker:?}"));
        json!([first, "note:a", "waited", second])
    };
    assert_eq!(server.ask("w", "log"), by([mine, mine]));

    server.upload_in(other, "lab", QUEUE);
    server
        .longhaul(&["workflow", "update-options", "-w", "w", "--module", "lab@2"])
        .ok();
    assert_eq!(server.ask("w", "log"), by([mine, mine]));
    server.kill();
    server.restart();
    assert_eq!(server.ask("w", "log"), by([mine, mine]));

    // The second task runs again, with the signal that came before it.
    let history = server.history("w");
    let mut tasks = history
        .lines()
        .filter(|line| line.contains("WorkflowTaskCompleted"));
    let second = tasks.nth(1).unwrap().split_whitespace().next().unwrap();
    server
        .longhaul(&[
            "workflow",
            "reset",
            "-w",
            "w",
            "--reason",
            "again",
            "--event-id",
            second,
        ])
        .ok();
    assert_eq!(server.ask("w", "log"), by([mine, theirs]));
    server.signal("w", "note", &["\"b\""]).ok();
    let log = server.result("w").json()["result"].take();
    assert_eq!(
        log.as_array().unwrap().last().unwrap(),
        &json!(format!("side={theirs:?}"))
    );
    assert_eq!(
        values(&server.history("w")),
        [mine, theirs, theirs].map(|maker| format!("{maker:?}}}"))
    );
    export::histories(&server, &language.named("side_effects_reset"));
}
