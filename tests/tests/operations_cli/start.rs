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
