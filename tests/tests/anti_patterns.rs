//! The mistakes that people make with messages: what they do, and what they are told to do instead. (Those that the compiler finds
//! are among the tests of the SDK's macros.)
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use longhaul_tests::{Client, Server};
use serde_json::{Value, json};

const TYPE: &str = "AntiPatternWorkflow";
const QUEUE: &str = "anti-patterns";
/// A tight loop asks at least as often as this.
const QUERIES: usize = 500;
const SIGNALS: usize = 10_000;
/// Signals that are sent at the same time.
const AT_ONCE: usize = 100;

fn started(flags: &[&str]) -> Server {
    let server = Server::start_with(flags);
    server.upload("anti-patterns", QUEUE);
    server.start_workflow(TYPE, "w", &[r#""Ann""#]).ok();
    server
}

fn in_tokio<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

// S3, E11, B1: a handler that runs before `run` finds no state that only `run` sets. The task fails, not the workflow, and says where
// state belongs.
#[test]
fn state_that_is_read_before_it_is_set() {
    let server = Server::start();
    server.upload("anti-patterns", QUEUE);
    let words = [
        "workflow",
        "signal-with-start",
        "--type",
        TYPE,
        "--workflow-id",
        "w",
        "--input",
        r#""Ann""#,
        "--signal-name",
        "approve",
    ];
    server.longhaul(&words).ok();
    let described = server.longhaul(&["workflow", "describe", "-w", "w"]).ok();
    for word in [
        "the name is not set",
        "anti-patterns/src/lib.rs",
        "this handler ran before `run` began",
        "#[init]",
    ] {
        assert!(described.contains(word), "{word:?} is missing: {described}");
    }
}

// S3: after `run` has set it, the same signal is no mistake.
#[test]
fn state_that_is_read_after_it_is_set() {
    let server = started(&[]);
    server.signal("w", "approve", &[]).ok();
    server.signal("w", "finish", &[]).ok();
    assert_eq!(server.result("w").json()["result"], "Done");
}

// Q3: what a query writes is gone with it; and what it starts is refused, with what to use instead.
#[test]
fn a_query_that_changes_something() {
    let server = started(&[]);
    let before = server.history("w");
    for _ in 0..3 {
        assert_eq!(server.ask("w", "get_and_increment_counter"), 1);
    }
    server.query("w", "get_external_data").refused(&[
        "`query` is read-only",
        "signal or an update",
        "get_external_data",
    ]);
    assert_eq!(server.history("w"), before);
    // The workflow is none the worse for it.
    server.signal("w", "finish", &[]).ok();
    assert_eq!(server.result("w").json()["result"], "Done");
}

// U7, U8: whoever waits for a handler that the end overtakes is told, and the log says how to avoid it.
#[test]
fn an_end_that_does_not_wait_for_handlers() {
    let server = started(&[]);
    let update = [
        "workflow",
        "update",
        "start",
        "-w",
        "w",
        "--name",
        "slow_update",
        "--update-id",
        "u",
    ];
    server.longhaul(&update).ok();
    server.signal("w", "slow_signal", &[]).ok();
    server.signal("w", "abandoned_signal", &[]).ok();
    server.signal("w", "finish", &[]).ok();
    assert_eq!(server.result("w").json()["result"], "Done");
    server
        .longhaul(&["workflow", "update", "result", "-w", "w", "--update-id", "u"])
        .refused(&["Workflow Update failed because the Workflow completed before the Update completed."]);
    let log = server.log();
    for words in [
        "signal handlers are still running: [slow_signal]",
        "update handlers are still running: [slow_update]",
        "Wait for all_handlers_finished before the workflow ends",
    ] {
        assert!(log.contains(words), "{words:?} is missing: {log}");
    }
    assert!(!log.contains("abandoned_signal"), "{log}");
}

// S1, E10: ten thousand signals all arrive; the log says what would be better, and that is better.
#[test]
fn ten_thousand_signals() {
    let server = started(&["--history-warn-events", "10000"]);
    in_tokio(async {
        let mut signals = tokio::task::JoinSet::new();
        for sender in 0..AT_ONCE {
            let mut client = Client::new(server.address());
            signals.spawn(async move {
                for number in (sender..SIGNALS).step_by(AT_ONCE) {
                    let request = format!("r{number}");
                    let item = json!(format!("item-{number}"));
                    client
                        .signal("w", "process_item", &[item], &request)
                        .await
                        .unwrap();
                }
            });
        }
        while let Some(sent) = signals.join_next().await {
            sent.unwrap();
        }
    });
    assert_eq!(server.ask("w", "get_items"), SIGNALS);
    let log = server.log();
    assert!(
        log.contains("continue as new, send many items in one signal"),
        "{log}"
    );

    server.start_workflow(TYPE, "better", &[r#""Ann""#]).ok();
    let items: Vec<String> = (0..SIGNALS).map(|number| format!("item-{number}")).collect();
    in_tokio(async {
        let mut client = Client::new(server.address());
        client
            .signal("better", "process_batch", &[json!(items)], "r")
            .await
            .unwrap();
    });
    assert_eq!(server.ask("better", "get_items"), SIGNALS);
    assert!(server.history("better").lines().count() < 20);
}

// Q1: a tight loop of queries costs no history and delays no one; the log says, once, what would be better.
#[test]
fn a_status_that_is_asked_in_a_loop() {
    let server = started(&[]);
    let before = server.history("w");
    in_tokio(async {
        let mut client = Client::new(server.address());
        for _ in 0..QUERIES {
            assert_eq!(
                client.query("w", "get_status").await.unwrap(),
                Value::from("running")
            );
        }
    });
    assert_eq!(server.history("w"), before);
    let log = server.log();
    assert_eq!(log.matches("queried again and again").count(), 1, "{log}");
    assert!(
        log.contains("an update that awaits it (`wait_condition`)"),
        "{log}"
    );
    server.signal("w", "finish", &[]).ok();
    assert_eq!(server.result("w").json()["result"], "Done");
}
