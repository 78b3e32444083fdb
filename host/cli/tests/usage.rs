//! The binary as a user meets it when something is wrong: exit codes, and what stands on which stream.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    io::Write as _,
    net::TcpListener,
    process::{Command, Output, Stdio},
};

fn longhaul(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longhaul"));
    command
        .args(arguments)
        .env_remove("TEMPORAL_ADDRESS")
        .env_remove("TEMPORAL_NAMESPACE")
        .stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    longhaul(arguments).output().unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// An address at which nothing listens: the port was free a moment ago, and the system does not give it out again so soon.
fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn help_is_a_result() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    for text in [
        "server",
        "module",
        "workflow",
        "run",
        "replay",
        "completion",
        "Examples:",
        "TEMPORAL_ADDRESS",
    ] {
        assert!(stdout(&output).contains(text), "{text}");
    }
    assert_eq!(stderr(&output), "");
}

#[test]
fn wrong_usage_is_2() {
    for arguments in [
        &[][..],
        &["workflow", "strat"],
        &["workflow", "start"],
        &["--color", "pink", "module", "list"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
        assert_ne!(stderr(&output), "", "{arguments:?}");
    }
}

// B1
#[test]
fn json_that_does_not_parse_is_2_and_shows_where() {
    for verb in [
        &["workflow", "start", "--type", "T"][..],
        &["workflow", "execute", "--type", "T"],
        &["workflow", "signal", "-w", "w", "--name", "n"],
        &["workflow", "query", "-w", "w", "--name", "n"],
        &["workflow", "update", "execute", "-w", "w", "--name", "n"],
        &["workflow", "update", "start", "-w", "w", "--name", "n"],
    ] {
        let address = refusing();
        let output = run(&[verb, &["--address", &address, "--input", "{\"a\": 1,, }"]].concat());
        assert_eq!(output.status.code(), Some(2), "{verb:?}: {}", stderr(&output));
        let expected = "Error: --input is not valid JSON: key must be a string at line 1 column 9\n    {\"a\": 1,, }\n            ^\n";
        assert_eq!(stderr(&output), expected, "{verb:?}");
    }
}

#[test]
fn an_input_file_is_named_where_it_is_wrong() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"{\n  \"a\": nul\n}").unwrap();
    let path = file.path().to_str().unwrap();
    let output = run(&["workflow", "start", "--type", "T", "--input-file", path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains(path) && stderr(&output).contains("line 2"),
        "{}",
        stderr(&output)
    );

    let output = run(&[
        "workflow",
        "start",
        "--type",
        "T",
        "--input-file",
        "/nowhere/at/all.json",
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("/nowhere/at/all.json"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_refused_connection_names_the_address_and_says_what_to_do() {
    let address = refusing();
    for verb in [
        &["workflow", "start", "--type", "T"][..],
        &["workflow", "result", "-w", "w"],
        &["workflow", "list"],
        &["module", "list"],
        &["-o", "json", "workflow", "count"],
        &["-o", "none", "workflow", "count"],
    ] {
        let output = run(&[verb, &["--address", &address]].concat());
        assert_eq!(output.status.code(), Some(1), "{verb:?}");
        assert_eq!(stdout(&output), "", "{verb:?}");
        let text = stderr(&output);
        assert!(
            text.starts_with(&format!("Error: cannot connect to {address}: Connection refused")),
            "{text}"
        );
        assert!(text.contains("longhaul server start"), "{text}");
    }
}

#[test]
fn the_address_comes_from_the_flag_else_from_the_environment() {
    let (flag, environment) = (refusing(), refusing());
    let from_environment = longhaul(&["module", "list"])
        .env("TEMPORAL_ADDRESS", &environment)
        .output()
        .unwrap();
    assert!(
        stderr(&from_environment).contains(&environment),
        "{}",
        stderr(&from_environment)
    );
    let from_flag = longhaul(&["module", "list", "--address", &flag])
        .env("TEMPORAL_ADDRESS", &environment)
        .output()
        .unwrap();
    assert!(stderr(&from_flag).contains(&flag), "{}", stderr(&from_flag));
}

#[test]
fn a_server_that_never_answers_is_left_after_the_command_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let output = run(&[
        "workflow",
        "count",
        "--address",
        &address,
        "--command-timeout",
        "50ms",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).starts_with("Error: gave up after 50ms\n"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_connection_that_breaks_is_told_apart_from_a_refusal() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let child = longhaul(&["workflow", "count", "--address", &address])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Something that is no gRPC server answers in its own way.
    let (mut stream, _) = listener.accept().unwrap();
    stream
        .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
    drop(stream);
    drop(listener);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.starts_with("Error: ") && text.contains(&address), "{text}");
}

#[test]
fn a_missing_component_is_named() {
    for arguments in [
        &["module", "upload", "/nowhere/order.wasm"][..],
        &["run", "/nowhere/order.wasm", "--type", "T"],
        &["replay", "/nowhere/order.wasm", "--history", "h.json"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            stderr(&output).starts_with("Error: cannot read /nowhere/order.wasm: "),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_history_that_is_none_is_refused() {
    let mut component = tempfile::NamedTempFile::new().unwrap();
    component.write_all(b"\0asm").unwrap();
    let mut history = tempfile::NamedTempFile::new().unwrap();
    history.write_all(b"{\"events\": 7}").unwrap();
    let (component, history) = (
        component.path().to_str().unwrap(),
        history.path().to_str().unwrap(),
    );
    let output = run(&["replay", component, "--history", history]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(
        text.starts_with(&format!("Error: {history} is no history: ")),
        "{text}"
    );
    assert!(text.contains("workflow show -o json"), "{text}");
}

#[test]
fn completion_scripts_are_results() {
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef longhaul"),
        ("fish", "complete -c longhaul"),
    ] {
        let output = run(&["completion", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(stdout(&output).contains(sign), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = longhaul(&["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_configuration_file_that_is_wrong_is_named_with_its_line() {
    for (text, expected) in [
        (
            "[runtime]\nmailbux = 7\n",
            "line 2: runtime.mailbux is no setting; the nearest is runtime.mailbox",
        ),
        (
            "[runtime]\nmailbox = 0\n",
            "line 2: runtime.mailbox: it is 0, but must be at least 1",
        ),
        (
            "[history]\nstop_size = \"big\"\n",
            "line 2: history.stop_size: \"big\" is no size",
        ),
    ] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let path = file.path().to_str().unwrap();
        let output = run(&["server", "start", "--config", path]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        let found = stderr(&output);
        assert!(
            found.starts_with(&format!("Error: {path}, {expected}")),
            "{found}"
        );
    }
    let output = run(&["server", "start", "--config", "/nowhere/longhaul.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).starts_with("Error: cannot read /nowhere/longhaul.toml: "),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_server_starts_from_the_configuration_that_it_prints_and_flags_win() {
    use serde::Deserialize as _;

    let folder = tempfile::tempdir().unwrap();
    let printed = run(&["server", "config"]);
    assert_eq!(printed.status.code(), Some(0));
    let database = folder.path().join("configured.redb");
    let config = folder.path().join("longhaul.toml");
    // Port 1 is not for us, so the server starts only if the flag wins.
    let text = stdout(&printed)
        .replace("#db = \"longhaul.redb\"", &format!("db = {database:?}"))
        .replace("#port = 7233", "port = 1")
        .replace("#http_port = 8233", "http_port = 0")
        .replace("#arena_slots = 65536", "arena_slots = 64");
    std::fs::write(&config, text).unwrap();
    let mut server = longhaul(&["server", "start", "-o", "json", "--port", "0", "--config"])
        .arg(&config)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // One object, over several lines.
    let mut printed = serde_json::Deserializer::from_reader(server.stdout.take().unwrap());
    let told = serde_json::Value::deserialize(&mut printed);
    server.kill().unwrap();
    server.wait().unwrap();
    let told = told.unwrap();
    assert!(
        told["database"].as_str().unwrap().ends_with("configured.redb"),
        "{told}"
    );
    assert!(!told["address"].as_str().unwrap().ends_with(":1"), "{told}");
    assert!(database.exists());
}
