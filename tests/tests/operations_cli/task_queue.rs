//! `task-queue config`: how fast a task queue hands out activities.

use longhaul_tests::{Answer, Server};
use serde_json::{Value, json};

use crate::kill_and_restart;

fn config(server: &Server, verb: &str, words: &[&str]) -> Answer {
    server.longhaul(&[&["task-queue", "config", verb, "-t", "billing"], words].concat())
}

fn get_json(server: &Server) -> Value {
    config(server, "get", &["--task-queue-type", "activity", "-o", "json"]).json()
}

// A2
#[test]
fn a_rate_limit_is_set_seen_and_unset_and_outlasts_a_kill() {
    let mut server = Server::start();
    assert_eq!(get_json(&server), json!({}), "nothing was ever set");
    assert!(config(&server, "get", &[]).ok().contains("not set"));
    let words = [
        "--task-queue-type",
        "activity",
        "--queue-rps-limit",
        "2.5",
        "--queue-rps-limit-reason",
        "the bank is slow",
        "--identity",
        "ann",
    ];
    let shown = config(&server, "set", &words).ok();
    for text in ["2.5 a second", "the bank is slow", "ann"] {
        assert!(shown.contains(text), "{shown}");
    }
    let before = get_json(&server);
    let limit = &before["queueRateLimit"];
    assert_eq!(limit["rateLimit"]["requestsPerSecond"], 2.5);
    assert_eq!(limit["metadata"]["reason"], "the bank is slow");
    assert_eq!(limit["metadata"]["updateIdentity"], "ann");
    assert!(limit["metadata"]["updateTime"].is_string(), "{before}");
    kill_and_restart(&mut server);
    assert_eq!(get_json(&server), before);
    let set = config(&server, "set", &["--queue-rps-limit", "0"]);
    assert!(set.stderr.contains("No worker gets an activity"), "{set:?}");
    let answer = config(&server, "set", &["--queue-rps-limit", "default", "-o", "json"]).json();
    kill_and_restart(&mut server);
    let unset = get_json(&server);
    assert_eq!(answer["config"], unset);
    assert!(unset["queueRateLimit"]["rateLimit"].is_null(), "{unset}");
    assert!(
        unset["queueRateLimit"]["metadata"]["updateTime"].is_string(),
        "who has unset it is known: {unset}"
    );
}

// B1
#[test]
fn a_rate_limit_that_cannot_be_is_refused() {
    let server = Server::start();
    for rate in ["-1", "NaN", "inf", "many", ""] {
        let expected = "expected a number from 0 on, or `default`";
        config(&server, "set", &["--queue-rps-limit", rate]).wrong_usage(&[expected]);
    }
    config(&server, "set", &[]).wrong_usage(&["--queue-rps-limit"]);
    let long = "y".repeat(1_001);
    let set = |words: &[&str]| config(&server, "set", &[&["--queue-rps-limit", "1"], words].concat());
    set(&["--queue-rps-limit-reason", &long]).refused(&["Reason has 1001 characters"]);
    set(&["--task-queue-type", "workflow"]).refused(&["workflow task queues is not allowed"]);
    set(&["-n", "nowhere"]).refused(&["Namespace nowhere is not found"]);
    assert_eq!(get_json(&server), json!({}));
}
