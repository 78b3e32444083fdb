//! Starts that wait, that repeat, that end by their limits.

use longhaul_tests::Server;

use crate::{QUEUE, count, described, eventually, kill_and_restart, server, workflow};

// E2, S1: before its delay is over the code does not run, also after SIGKILL. A signal ends the delay; a schedule it does not end.
#[test]
fn a_delayed_start_waits_for_its_time_or_a_signal() {
    let mut server = server(&["counter"]);
    for (id, flag, value) in [
        ("delayed", "--start-delay", "1h"),
        ("cron", "--cron", "@every 1h"),
    ] {
        let words = ["--type", "Counter", "-w", id, flag, value];
        workflow(&server, "start", &words).ok();
    }
    kill_and_restart(&mut server);
    for id in ["delayed", "cron"] {
        let history = server.history(id);
        assert!(history.contains("backoff=1h"), "{history}");
        assert_eq!(history.lines().count(), 1, "{history}");
        let text = described(&server, id);
        assert!(
            text.contains("ExecutionTime"),
            "when the first task is due: {text}"
        );
        server.signal(id, "add", &["5"]).ok();
    }
    assert_eq!(server.ask("delayed", "total"), 5);
    let history = server.history("cron");
    assert!(history.contains("WorkflowExecutionSignaled"), "{history}");
    assert!(!history.contains("WorkflowTaskScheduled"), "{history}");

    let start = |flags: &[&str]| {
        let words = ["--type", "Counter", "-w", "d"];
        workflow(&server, "start", &[&words, flags].concat())
    };
    start(&["--start-delay", "soon"]).wrong_usage(&["--start-delay"]);
    start(&["--start-delay", "1h", "--cron", "@hourly"]).wrong_usage(&["--start-delay", "--cron"]);
    start(&["--cron", "whenever"]).refused(&["\"whenever\"", "@every"]);
    assert_eq!(count(&server, "WorkflowId = 'd'"), 0);
}

// E2: the delay comes before the day that the workflow itself waits.
#[test]
fn a_delayed_start_begins_when_its_time_has_come() {
    let server = Server::skipping_time();
    server.upload("greeting", QUEUE);
    let words = ["--type", "GreetingWorkflow", "-w", "g", "--start-delay", "2h"];
    let words = [&words[..], &["-o", "json"]].concat();
    let result = workflow(&server, "execute", &words).json();
    assert_eq!(result["result"], "Hello");
    let history = server.history("g");
    let shows = |event: &str, time: &str| {
        history
            .lines()
            .any(|line| line.contains(event) && line.contains(time))
    };
    assert!(shows("WorkflowTaskScheduled", "+2h"), "{history}");
    assert!(shows("TimerFired", "+1d2h"), "{history}");
}

// E2: a schedule starts run after run, and a restart does not end it.
#[test]
fn a_cron_workflow_runs_again_and_again() {
    let mut server = server(&["hostile"]);
    let words = ["--type", "Hostile", "-w", "h", "-i", r#""nothing""#];
    let words = [&words[..], &["--cron", "@every 1s"]].concat();
    workflow(&server, "start", &words).ok();
    let runs = |server: &Server| count(server, "WorkflowId = 'h' AND ExecutionStatus = 'Completed'");
    eventually("a run completes", || runs(&server) >= 1);
    kill_and_restart(&mut server);
    let before = runs(&server);
    eventually("another run completes", || runs(&server) > before);
    let history = server.history("h");
    assert!(history.contains("cron=\"@every 1s\""), "{history}");

    workflow(&server, "terminate", &["-w", "h"]).ok();
    kill_and_restart(&mut server);
    assert_eq!(
        count(&server, "WorkflowId = 'h' AND ExecutionStatus = 'Running'"),
        0,
        "the schedule has ended"
    );
}

// E2: the limit of a run closes it.
#[test]
fn a_run_that_takes_too_long_times_out() {
    let server = server(&["counter"]);
    let words = ["--type", "Counter", "-w", "c", "--run-timeout", "1s"];
    let answer = workflow(&server, "execute", &words);
    assert!(answer.stdout.contains("TIMED_OUT"), "{answer:?}");
    answer.refused(&["TIMED_OUT"]);
}

// E1, B2: what people read of an execution is kept with its first event, whichever verb starts it, and has limits of its own.
#[test]
fn a_summary_and_details_are_kept_and_shown() {
    let mut server = server(&["counter"]);
    let about = [
        "--static-summary",
        "tea for two",
        "--static-details",
        "# Tea\n- hot",
    ];
    let start = |verb: &str, id: &str, more: &[&str]| {
        let words = ["--type", "Counter", "-w", id];
        workflow(&server, verb, &[&words, &about, more].concat()).ok()
    };
    start("start", "plain", &[]);
    start(
        "signal-with-start",
        "signalled",
        &["--signal-name", "add", "--signal-input", "5"],
    );
    let update = ["--update-name", "add_and_get", "--update-input", "5"];
    start("execute-update-with-start", "updated", &update);
    server.signal("updated", "finish", &[]).ok();
    server.result("updated").ok();
    kill_and_restart(&mut server);
    for id in ["plain", "signalled", "updated"] {
        let text = described(&server, id);
        assert!(
            text.contains("About:\n  Summary  tea for two\n  Details  # Tea\n           - hot\n"),
            "{text}"
        );
        let json = workflow(&server, "describe", &["-w", id, "-o", "json"]).json();
        let metadata = &json["executionConfig"]["userMetadata"];
        assert_eq!(metadata["summary"], "tea for two", "{json}");
        assert_eq!(metadata["details"], "# Tea\n- hot", "{json}");
        let history = server.history(id);
        let first = history.lines().next().unwrap();
        assert!(first.contains("summary=\"tea for two\""), "{history}");
    }
    let refused = |flag: &str, bytes: usize, words: &[&str]| {
        let text = "x".repeat(bytes);
        let start = ["--type", "Counter", "-w", "long", flag, &text];
        workflow(&server, "start", &start).refused(words);
    };
    refused("--static-summary", 400, &["user_metadata.summary", "at most 400"]);
    refused(
        "--static-details",
        20_000,
        &["user_metadata.details", "at most 20000"],
    );
    assert_eq!(count(&server, "WorkflowId = 'long'"), 0);
}
