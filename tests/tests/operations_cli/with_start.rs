//! `signal-with-start`, `execute-update-with-start`, `start-update-with-start`.

use longhaul_tests::{Answer, Server, cli::assert_in_order};
use serde_json::json;

use crate::{NOT_FOUND, QUEUE, count, kill_and_restart, run_id, server, workflow};

fn signal(server: &Server, id: &str, name: &str, input: &str, flags: &[&str]) -> Answer {
    let words = ["--type", "Counter", "-w", id, "--signal-name", name];
    let words = [&words[..], &["--signal-input", input], flags].concat();
    workflow(server, "signal-with-start", &words)
}

fn update(server: &Server, id: &str, input: &str, flags: &[&str]) -> Answer {
    let words = ["--type", "Counter", "-w", id, "--update-name", "add_and_get"];
    let words = [&words[..], &["--update-input", input], flags].concat();
    workflow(server, "execute-update-with-start", &words)
}

// S8, S9: what was acknowledged survives SIGKILL, both where it started and where it only signalled.
#[test]
fn a_signal_with_start_starts_then_signals_and_is_durable() {
    let mut server = server(&["counter"]);
    let started = signal(&server, "c", "add", "5", &["-o", "json"]).json();
    kill_and_restart(&mut server);
    let run_id = started["runId"].as_str().unwrap();
    assert_eq!(
        started,
        json!({"workflowId": "c", "runId": run_id, "type": "Counter", "namespace": "default", "taskQueue": QUEUE})
    );
    assert_in_order(
        &server.history("c"),
        &[
            "WorkflowExecutionStarted",
            "WorkflowExecutionSignaled",
            "WorkflowTaskScheduled",
        ],
    );

    let signalled = signal(&server, "c", "add", "7", &[]);
    kill_and_restart(&mut server);
    assert!(
        signalled.stderr.contains("open already; it was signalled"),
        "{signalled:?}"
    );
    assert!(signalled.ok().contains(run_id));
    assert_eq!(server.ask("c", "all"), json!([5, 7]));
    assert_eq!(count(&server, "WorkflowId = 'c'"), 1);

    // Where it has closed, the next one starts another.
    server.signal("c", "finish", &[]).ok();
    server.result("c").ok();
    let again = signal(&server, "c", "add", "9", &["-o", "none"]);
    assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("", ""));
    assert_eq!(server.ask("c", "all"), json!([9]));
    assert_eq!(count(&server, "WorkflowId = 'c'"), 2);
}

// S8, S7, E12: a refusal starts nothing, and says what would be right.
#[test]
fn a_signal_with_start_that_is_refused_starts_nothing() {
    let server = server(&["counter"]);
    signal(&server, "c", "ad", "5", &[]).refused(&["\"ad\"", "known signals: add, finish"]);
    let unknown = ["--type", "Countr", "-w", "c", "--signal-name", "add"];
    workflow(&server, "signal-with-start", &unknown).refused(&["Countr", "Counter"]);
    let unknown = ["--type", "Counter", "-w", "c", "--update-name", "add"];
    workflow(&server, "execute-update-with-start", &unknown).refused(&["known updates: [add_and_get]"]);
    signal(&server, "d", "add", "{", &[]).wrong_usage(&["--signal-input is not valid JSON"]);
    signal(&server, "d", "", "5", &[]).wrong_usage(&["--signal-name"]);
    update(&server, "d", "five", &[]).wrong_usage(&["--update-input is not valid JSON"]);
    workflow(&server, "describe", &["-w", "d"]).refused(&[NOT_FOUND]);

    signal(&server, "e", "add", "5", &[]).ok();
    signal(&server, "e", "add", "6", &["--id-conflict-policy", "Fail"]).refused(&["FAIL is not supported"]);
    assert_eq!(server.ask("e", "all"), json!([5]));
}

// U9, U4: one step; it starts or attaches, and an update that was made already starts nothing, also after SIGKILL.
#[test]
fn an_update_with_start_starts_or_attaches_once() {
    let mut server = server(&["counter"]);
    let first = update(&server, "c", "5", &["--update-id", "u1", "-o", "json"]).json();
    assert_eq!(
        first,
        json!({"name": "add_and_get", "updateId": "u1", "result": 5})
    );
    kill_and_restart(&mut server);
    let run = run_id(&server, "c");

    let second = update(&server, "c", "7", &["--update-id", "u2"]);
    assert!(second.stderr.contains("nothing was started"), "{second:?}");
    assert_eq!(second.ok(), "Name      add_and_get\nUpdateId  u2\nResult    12\n");
    // The policy is the start's: here it may not attach, and the refusal is that of the start.
    let refusal =
        update(&server, "c", "1", &["--id-conflict-policy", "Fail"]).refused(&["already", "Hint: "]);
    assert!(!refusal.contains("could not be executed"), "{refusal}");
    assert_eq!(server.ask("c", "all"), json!([5, 7]));

    server.signal("c", "finish", &[]).ok();
    server.result("c").ok();
    kill_and_restart(&mut server);
    let again = update(&server, "c", "5", &["--update-id", "u1", "-o", "json"]).json();
    assert_eq!(again, first);
    assert_eq!(run_id(&server, "c"), run, "nothing was started");
    let third = update(&server, "c", "1", &["--update-id", "u3", "-o", "json"]).json();
    assert_eq!(third["result"], 1);
    assert_ne!(run_id(&server, "c"), run);
}

// U9, U3: accepted is enough; the outcome is asked for later, by the id, from a server that was killed in between.
#[test]
fn an_update_with_start_may_be_left_alone_once_it_is_accepted() {
    let mut server = server(&["lab"]);
    let program = json!({"steps": [{"op": "wait", "notes": 2}]}).to_string();
    let steps = json!([{"op": "wait", "notes": 1}]).to_string();
    let words = ["--type", "Lab", "-w", "lab", "-i", &program];
    let update = [
        "--update-name",
        "run",
        "--update-input",
        &steps,
        "--update-id",
        "u",
        "-o",
        "json",
    ];
    let sent = workflow(
        &server,
        "start-update-with-start",
        &[&words[..], &update].concat(),
    );
    assert_eq!(sent.json(), json!({"name": "run", "updateId": "u"}));
    kill_and_restart(&mut server);
    let known = ["workflow", "update", "describe", "-w", "lab"];
    let known = [&known[..], &["--update-id", "u", "-o", "json"]].concat();
    assert_eq!(
        server.longhaul(&known).json(),
        json!({"updateId": "u", "stage": "ACCEPTED"})
    );
    server.signal("lab", "note", &[r#""go on""#]).ok();
    let result = ["workflow", "update", "result", "-w", "lab"];
    let result = [&result[..], &["--update-id", "u", "-o", "json"]].concat();
    assert_eq!(server.longhaul(&result).json()["result"], 2);
}
