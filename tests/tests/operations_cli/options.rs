//! `workflow update-options`: a run moves to another version of its module.

use longhaul_tests::{Answer, Server, export};

use crate::{NOT_FOUND, described, eventually, info, kill_and_restart, server, upload_with, workflow};

fn move_to(server: &Server, id: &str, module: &str) -> Answer {
    workflow(server, "update-options", &["-w", id, "--module", module])
}

/// `NAME@VERSION` that a run is pinned to.
fn module(server: &Server, id: &str) -> String {
    let version = &info(server, id)["versioningInfo"]["deploymentVersion"];
    let text = |field: &str| version[field].as_str().unwrap().to_owned();
    format!("{}@{}", text("deploymentName"), text("buildId"))
}

// E11: only to a version that replays the history. What `adapt` does depends on the memory that its module's settings allow, so two
// versions of the same bytes differ in their first command, or do not.
#[test]
fn a_run_moves_to_a_version_that_replays_its_history_and_to_no_other() {
    let mut server = server(&["hostile"]);
    server.start_workflow("Hostile", "h", &[r#""adapt""#]).ok();
    server.ask("h", "writes");
    upload_with(&server, "hostile", "[limits]\nmemory_bytes = 8388608\n");
    upload_with(&server, "hostile", "[limits]\nmemory_bytes = 33554432\n");
    let before = server.history("h");
    assert_eq!(module(&server, "h"), "hostile@1", "an upload moves nothing");

    move_to(&server, "h", "hostile@2").refused(&[
        "hostile@2",
        "[TMPRL1100] Nondeterminism error: at event 5 history has TimerStarted",
        "the code did ActivityTaskScheduled",
        "hostile/src/lib.rs:",
    ]);
    let no_version = "\"hostile\" has no version 9; it has 1, 2, 3";
    move_to(&server, "h", "hostile@9").refused(&[no_version, "longhaul module list"]);
    let no_module = "there is no module \"nobody\"; known modules: hostile";
    move_to(&server, "h", "nobody@1").refused(&[no_module, "longhaul module list"]);
    move_to(&server, "h", "hostile").wrong_usage(&["names no version", "hostile@2"]);
    move_to(&server, "h", "hostile@0").wrong_usage(&["hostile@0"]);
    move_to(&server, "nobody", "hostile@2").refused(&[NOT_FOUND]);
    assert_eq!(server.history("h"), before, "what is refused changes nothing");
    assert_eq!(module(&server, "h"), "hostile@1");

    let moved = move_to(&server, "h", "hostile@3");
    kill_and_restart(&mut server);
    assert_eq!(moved.stderr, "The workflow runs hostile@3 now\n");
    assert_eq!(moved.ok(), "");
    assert_eq!(module(&server, "h"), "hostile@3");
    let history = server.history("h");
    assert_eq!(
        history.matches("WorkflowExecutionOptionsUpdated").count(),
        1,
        "{history}"
    );
    server.update("h", "validated", &[r#""nothing""#]).ok();
    export::histories(&server, "update_options_cli");
}

// E11, Q2: a run with too little fuel is parked, says so to who looks, and goes on as soon as it is moved to mended settings. What
// came meanwhile was kept.
#[test]
fn a_parked_run_is_mended_by_a_move() {
    let mut server = server(&[]);
    upload_with(&server, "hostile", "[limits]\nfuel_per_activation = 3000000\n");
    server.start_workflow("Hostile", "h", &[r#""wait""#]).ok();
    server.ask("h", "writes");
    server.signal("h", "act", &[r#""monotonic""#]).ok();
    eventually("it is parked", || described(&server, "h").contains("Parked"));
    server.signal("h", "finish", &[]).ok();
    let words = ["workflow", "update", "execute", "-w", "h", "--name", "validated"];
    let words = [
        &words[..],
        &["-i", r#""nothing""#, "--update-id", "u", "-o", "json"],
    ]
    .concat();
    let mut waiting = server
        .command(&words)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("the update is admitted", || {
        described(&server, "h").contains("UpdateId  u\n")
    });
    let text = described(&server, "h");
    for shown in [
        "Pending workflow task:",
        "fuel",
        "NextAttempt",
        "Pending updates:",
        "Stage     ADMITTED",
    ] {
        assert!(text.contains(shown), "{shown:?} is missing: {text}");
    }
    waiting.kill().unwrap();
    waiting.wait().unwrap();

    upload_with(&server, "hostile", "[limits]\nfuel_per_activation = 900000000\n");
    let moved = move_to(&server, "h", "hostile@2");
    kill_and_restart(&mut server);
    moved.ok();
    let result = server.result("h").json();
    assert_eq!(
        (&result["status"], &result["result"]),
        (&"COMPLETED".into(), &"writes 0".into())
    );
    move_to(&server, "h", "hostile@1").refused(&["workflow execution already completed", "Hint: "]);
    let text = described(&server, "h");
    assert!(
        !text.contains("Parked") && !text.contains("Pending"),
        "it has closed: {text}"
    );
}
