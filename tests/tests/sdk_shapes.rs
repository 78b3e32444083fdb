//! Workflows in the shapes of the examples of Temporal's Rust SDK: they compile, and they run.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use longhaul_tests::{Answer, Server};
use serde_json::{Value, json};

/// A server that has the component, which holds workflows and activities.
fn server() -> Server {
    let server = Server::start();
    server.upload("sdk-shapes", "default");
    server
}

/// Starts a workflow.
#[track_caller]
fn start(server: &Server, workflow_type: &str, input: &Value) {
    server
        .start_workflow(workflow_type, workflow_type, &[&input.to_string()])
        .ok();
}

/// Runs a workflow to its end. Its result.
#[track_caller]
fn execute(server: &Server, workflow_type: &str, input: &Value) -> Value {
    start(server, workflow_type, input);
    result(end(server, workflow_type))
}

/// Waits for the end of an execution, but not for ever.
fn end(server: &Server, id: &str) -> Answer {
    server.longhaul(&[
        "workflow",
        "result",
        "--workflow-id",
        id,
        "-o",
        "json",
        "--command-timeout",
        "60s",
    ])
}

/// The result of an execution that has completed.
#[track_caller]
fn result(answer: Answer) -> Value {
    answer.json()["result"].take()
}

// A1
#[test]
fn hello() {
    let server = server();
    assert_eq!(execute(&server, "Welcome", &json!("Ida")), "Good morning, Ida");
}

// Q1, U1, U2, W1
#[test]
fn message_passing() {
    let server = server();
    start(&server, "Thermostat", &json!(20));
    server.signal("Thermostat", "heat", &["5"]).ok();
    assert_eq!(server.ask("Thermostat", "read"), 5);
    assert_eq!(server.update("Thermostat", "set", &["12"]).json()["result"], 5);
    let refused = server.update("Thermostat", "set", &["-300"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("colder than possible"), "{refused:?}");
    server.signal("Thermostat", "heat", &["10"]).ok();
    assert_eq!(result(end(&server, "Thermostat")), 22);
}

// W1, W2
#[test]
fn timers_and_races() {
    let server = server();
    let races = execute(&server, "Races", &Value::Null);
    assert_eq!(races, json!(["Fired", "Good morning, racer", "true", "Fired 7"]));
    let history = server.history("Races");
    // The timer that lost the race goes on, for a dropped future cancels nothing; the one that was cancelled at once was never
    // written.
    assert_eq!(history.matches("TimerStarted").count(), 3, "{history}");
    assert_eq!(history.matches("TimerCanceled").count(), 0, "{history}");
}

// W1, W2
#[test]
fn an_updatable_timer() {
    let server = Server::skipping_time();
    server.upload("sdk-shapes", "default");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let in_days = |days: u64| (now + Duration::from_secs(days * 86_400)).as_millis().to_string();
    server.start_workflow("Alarm", "Alarm", &[&in_days(30)]).ok();
    server.signal("Alarm", "set", &[&in_days(60)]).ok();
    assert_eq!(server.ask("Alarm", "at").to_string(), in_days(60));
    server.signal("Alarm", "set", &["1"]).ok();
    assert_eq!(result(end(&server, "Alarm")), "rang after 2 changes");
    let history = server.history("Alarm");
    assert_eq!(history.matches("TimerStarted").count(), 2, "{history}");
}

// E5
#[test]
fn child_workflows() {
    let server = server();
    let greetings = execute(&server, "Household", &json!(["Ada", "Ben"]));
    assert_eq!(greetings, json!(["Good evening, Ada", "Good evening, Ben"]));
    let history = server.history("Household");
    assert_eq!(
        history.matches("ChildWorkflowExecutionCompleted").count(),
        2,
        "{history}"
    );
    assert_eq!(result(end(&server, "Household-1")), "Good evening, Ben");
}

// E3
#[test]
fn continue_as_new() {
    let server = server();
    let counted = execute(&server, "Countdown", &json!([3, 3]));
    assert_eq!(counted, "counted down from 3");
}

// E4, A3, A4
#[test]
fn cancellation_with_clean_up() {
    let server = server();
    start(&server, "Interruptible", &Value::Null);
    server
        .longhaul(&[
            "workflow",
            "cancel",
            "--workflow-id",
            "Interruptible",
            "--reason",
            "lunch",
        ])
        .ok();
    let ended = result(end(&server, "Interruptible"));
    assert_eq!(ended, "cancelled (lunch), the desk is tidy");
}

// E4
#[test]
fn a_saga_undoes_in_reverse() {
    let server = server();
    let booked = execute(&server, "Trip", &json!("sea"));
    assert_eq!(
        booked,
        json!(["room for sea", "train for sea", "bicycle for sea"])
    );

    server.start_workflow("Trip", "moon", &["\"moon\""]).ok();
    let failed = end(&server, "moon");
    assert_eq!(failed.code, 1);
    assert!(failed.stdout.contains("no bicycle for moon"), "{failed:?}");
    let undone = server.history("moon");
    let scheduled: Vec<&str> = undone
        .lines()
        .filter(|line| line.contains("ActivityTaskScheduled"))
        .collect();
    assert_eq!(scheduled.len(), 5, "{undone}");
    assert!(scheduled[3].contains("train for moon"), "{undone}");
    assert!(scheduled[4].contains("room for moon"), "{undone}");
}

#[test]
fn polling() {
    let server = server();
    assert_eq!(execute(&server, "Poller", &json!(5)), "there at look 3");
    server.start_workflow("Poller", "impatient", &["2"]).ok();
    assert_eq!(result(end(&server, "impatient")), "not there after 2 looks");
}

// E13
#[test]
fn search_attributes_and_memo() {
    let server = server();
    let read = execute(&server, "Labelled", &Value::Null);
    assert_eq!(read, "\"\" Wien fragile None");
}

// W5
#[test]
fn a_changed_workflow() {
    let server = server();
    assert_eq!(execute(&server, "Versioned", &Value::Null), "true true");
    let history = server.history("Versioned");
    assert_eq!(history.matches("core_patch").count(), 2, "{history}");
}
