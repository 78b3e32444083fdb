//! What a workflow must not do ends in the same class of error, whatever language it is written in, and harms nobody else.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use longhaul_tests::{Language, Server, artifacts, in_each_language};
use serde_json::Value;

/// Whatever a test waits for comes within this time, or never.
const PATIENCE: Duration = Duration::from_secs(60);

/// The workflow type and the word that make the example `hostile` of a language do it.
type Deed = (&'static str, &'static str);

/// What is done, in Rust and in Go, and the class of the failure that comes of it.
const DEEDS: [(Deed, Deed, &str); 8] = [
    (("Hostile", "panic"), ("Hostile", "panic"), "Panic"),
    (("Hostile", "spin"), ("Hostile", "loop"), "OutOfFuel"),
    (("Hostile", "allocate"), ("Hostile", "memory"), "OutOfMemory"),
    (("Hostile", "recurse"), ("Hostile", "recursion"), "StackOverflow"),
    (("Hostile", "exit"), ("Hostile", "exit"), "Refused"),
    (("Hostile", "sleep"), ("Hostile", "sleep"), "Refused"),
    (("Hostile", "connect"), ("Outside", "dial"), "Refused"),
    (
        ("Hostile", "side-effect-panic"),
        ("Hostile", "side-effect-panic"),
        "Panic",
    ),
];

in_each_language! {
    a_mistake_parks_the_run_with_a_class_of_its_own,
    what_reads_only_harms_nobody,
    arguments_of_another_type_are_refused_where_they_come_in,
}

/// A server with the example `hostile`, which gets little memory: before it is used up, the fuel must not be.
fn server(language: Language) -> Server {
    let server = Server::skipping_time();
    let config = server.folder().join("hostile.toml");
    fs::write(&config, "[limits]\nmemory_bytes = 16777216\n").unwrap();
    let guest = artifacts::guest(&language.guest("hostile"));
    let (guest, config) = (guest.to_str().unwrap(), config.to_str().unwrap());
    server
        .longhaul(&["module", "upload", guest, "--config", config])
        .ok();
    server
}

/// A word of the one or the other language.
fn of<T>(language: Language, rust: T, go: T) -> T {
    match language {
        Language::Rust => rust,
        Language::Go => go,
    }
}

/// A run that waits for what never comes.
fn start_waiting(server: &Server, language: Language) {
    let word = of(language, "\"wait\"", "\"patient\"");
    server.start_workflow("Hostile", "w", &[word]).ok();
}

/// Cause and class of the first task of a run that failed, and its text.
#[track_caller]
fn failure(server: &Server, id: &str) -> (String, String, String) {
    let start = Instant::now();
    loop {
        let shown = server
            .longhaul(&["workflow", "show", "-w", id, "-o", "json"])
            .json();
        let events = shown["events"].as_array().unwrap();
        let failed = events
            .iter()
            .map(|event| &event["workflowTaskFailedEventAttributes"])
            .find(|failed| failed.is_object());
        if let Some(failed) = failed {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            return (
                text(&failed["cause"]),
                text(&failed["failure"]["applicationFailureInfo"]["type"]),
                text(&failed["failure"]["message"]),
            );
        }
        assert!(start.elapsed() < PATIENCE, "{id}: no task has failed\n{shown}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What a command says, which must be refused. The panic that it tells of is the guest's.
#[track_caller]
fn refused(server: &Server, words: &[&str]) -> String {
    let output = server.command(words).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

// W6, E11
fn a_mistake_parks_the_run_with_a_class_of_its_own(language: Language) {
    let server = server(language);
    let deeds = DEEDS.map(|(rust, go, class)| (of(language, rust, go), class));
    for ((workflow_type, word), _) in deeds {
        let input = format!("{word:?}");
        server.start_workflow(workflow_type, word, &[&input]).ok();
    }
    let cause = "WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE";
    for ((_, word), class) in deeds {
        let (is, of_class, text) = failure(&server, word);
        assert_eq!((is.as_str(), of_class.as_str()), (cause, class), "{word}: {text}");
    }
    // Parked, and not lost: it takes signals, and can be ended.
    for ((_, word), _) in deeds {
        let described = server.longhaul(&["workflow", "describe", "-w", word]).ok();
        assert!(described.contains("RUNNING"), "{word}: {described}");
        server.signal(word, of(language, "act", "keep"), &["1"]).ok();
        server
            .longhaul(&["workflow", "terminate", "-w", word, "--reason", "seen"])
            .ok();
        assert!(server.result(word).stdout.contains("TERMINATED"), "{word}");
    }
}

// Q3, Q4, U1
fn what_reads_only_harms_nobody(language: Language) {
    let server = server(language);
    start_waiting(&server, language);
    let settled = |server: &Server| server.query("w", of(language, "writes", "changes")).code == 0;
    let start = Instant::now();
    while !settled(&server) {
        assert!(start.elapsed() < PATIENCE, "the run answers no query");
    }
    let before = server.history("w");
    let validated = |how: &str| {
        refused(
            &server,
            &[
                "workflow",
                "update",
                "execute",
                "-w",
                "w",
                "--name",
                "validated",
                "--input",
                how,
            ],
        )
    };
    for (how, text) in [
        (of(language, "\"panic\"", "0"), "panicked"),
        (
            of(language, "\"command\"", "1"),
            of(language, "is read-only", "was called in a validator"),
        ),
    ] {
        let said = validated(how);
        assert!(
            said.contains("ValidatorTrap: the validator of update \"validated\" failed")
                && said.contains(text),
            "{how}: {said}"
        );
    }
    let ask = |name: &str, input: &[&str]| {
        refused(
            &server,
            &[&["workflow", "query", "-w", "w", "--name", name], input].concat(),
        )
    };
    let said = of(
        language,
        ask("act", &["--input", "\"panic\""]),
        ask("panics", &[]),
    );
    assert!(said.contains("panicked"), "{said}");
    let said = of(
        language,
        ask("act", &["--input", "\"command\""]),
        ask("commands", &[]),
    );
    assert!(
        said.contains(of(language, "is read-only", "was called in a query")),
        "{said}"
    );
    assert!(ask("nothing", &[]).contains("nothing"));
    assert_eq!(
        server.history("w"),
        before,
        "none of it has left anything in history"
    );
}

// B1, S7, U1
fn arguments_of_another_type_are_refused_where_they_come_in(language: Language) {
    let server = server(language);
    server.start_workflow("Hostile", "number", &["5"]).ok();
    let (_, class, text) = failure(&server, "number");
    assert_eq!(class, "InvalidArgument", "{text}");
    assert!(
        text.contains("Workflow 'Hostile' cannot start: argument 1 does not decode"),
        "{text}"
    );

    start_waiting(&server, language);
    let (name, wrong) = of(language, ("act", "5"), ("keep", "1.5"));
    let update = [
        "workflow", "update", "execute", "-w", "w", "--name", name, "--input", wrong,
    ];
    let said = refused(&server, &update);
    let text = format!("InvalidArgument: Update '{name}': argument 1 does not decode");
    assert!(said.contains(&text), "{said}");
    let (query, wrong) = of(language, ("act", "5"), ("item", "[]"));
    let said = refused(
        &server,
        &["workflow", "query", "-w", "w", "--name", query, "--input", wrong],
    );
    let text = format!("Query '{query}': argument 1 does not decode");
    assert!(said.contains(&text), "{said}");
    // A signal cannot be refused: it is dropped, with a line in the log.
    server.signal("w", name, &["[]"]).ok();
    let start = Instant::now();
    while !server.log().contains("was dropped: argument 1 does not decode") {
        assert!(start.elapsed() < PATIENCE, "{}", server.log());
        thread::sleep(Duration::from_millis(20));
    }
    let (good, result) = of(language, ("\"nothing\"", "nothing".into()), ("8", Value::from(1)));
    assert_eq!(server.update("w", name, &[good]).json()["result"], result);
}
