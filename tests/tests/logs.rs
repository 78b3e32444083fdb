//! What a workflow logs, in the server and in a replay elsewhere.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{fs, process::Command};

use longhaul_tests::{Answer, Server, artifacts};
use serde_json::Value;

/// Level and text of the lines that guests have logged, from a log in JSON.
fn of_guests(log: &str) -> Vec<(String, String)> {
    log.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .filter(|line| line["target"] == "guest")
        .map(|line| {
            assert_eq!(
                line["fields"]["workflow_id"], "h",
                "a line tells whose it is: {line}"
            );
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&line["level"]), text(&line["fields"]["message"]))
        })
        .collect()
}

#[test]
fn a_replay_in_another_process_logs_what_the_server_has_logged() {
    // W3
    let mut server = Server::start_with(&["--log-format", "json"]);
    server.upload("hostile", "hostile");
    server.start_workflow("Hostile", "h", &["\"wait\""]).ok();
    for _ in 0..2 {
        server.signal("h", "act", &["\"log\""]).ok();
        server.update("h", "act", &["\"log\""]).ok();
        server.update("h", "validated", &["\"nothing\""]).ok();
        server.signal("h", "act", &["\"print\""]).ok();
        // The signal's answer does not wait for its task; a query does.
        server.ask("h", "writes");
        server.kill();
        server.restart();
    }
    server.signal("h", "finish", &[]).ok();
    server.result("h").ok();
    let live = of_guests(&server.log());
    let of = |text: &str| {
        live.iter()
            .filter(|(_, message)| message.starts_with(text))
            .count()
    };
    assert_eq!(
        (of("logged at "), of("printed with "), live.len()),
        (4, 4, 10),
        "{live:?}"
    );

    let history = server.folder().join("h.json");
    let shown = server
        .longhaul(&["workflow", "show", "--workflow-id", "h", "-o", "json"])
        .ok();
    fs::write(&history, shown).unwrap();
    let replay = |flags: &[&str]| {
        let mut command = Command::new(artifacts::longhaul());
        command
            .arg("replay")
            .arg(artifacts::guest("hostile"))
            .arg("--history")
            .arg(&history)
            .args(["-o", "json", "--log-format", "json"])
            .args(flags)
            .env_remove("LONGHAUL_LOG");
        Answer::of(&mut command)
    };
    let first = replay(&["--log-level", "guest=info"]);
    assert_eq!(
        of_guests(&first.stderr),
        live,
        "the same times and the same random numbers"
    );
    let silent = replay(&[]);
    assert_eq!(silent.stderr, "", "nobody asked for the lines");
    assert_eq!(first.json()["memoryHash"], silent.json()["memoryHash"]);
}
