//! What an activity may use of the machine: nothing, unless the operator and the module's settings both say so.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
};

use longhaul_tests::{Answer, Server, artifacts};
use serde_json::{Value, json};

/// Uploads the guest `attempts` with settings.
fn upload(server: &Server, settings: &str) -> Answer {
    let file = server.folder().join("attempts.toml");
    fs::write(&file, settings).unwrap();
    let (guest, file) = (artifacts::guest("attempts"), file.to_str().unwrap().to_owned());
    let guest = guest.to_str().unwrap();
    server.longhaul(&["module", "upload", guest, "--queue", "lab", "--config", &file])
}

/// How an activity ends that reaches for something, in the workflow's words.
fn reach(server: &Server, id: &str, what: &str) -> String {
    let plan = json!({"activity": "Reach", "argument": what}).to_string();
    server.start_workflow("Trial", id, &[&plan]).ok();
    match server.result(id).json()["result"].take() {
        Value::String(text) => text,
        other => panic!("{other}"),
    }
}

#[test]
fn settings_that_ask_for_grants_are_refused_where_the_operator_gives_none() {
    // B1
    let server = Server::start();
    for settings in [
        "[grants]\nnetwork = true",
        "[grants]\nenv = { REGION = \"eu\" }",
        "[grants]\nfolders = [{ host = \"/\", guest = \"/machine\" }]",
    ] {
        upload(&server, settings).refused(&["[grants]", "--allow-grants"]);
    }
    assert_eq!(
        server.longhaul(&["module", "list", "-o", "json"]).json(),
        json!([])
    );
    upload(&server, "[grants]\nnetwork = false").ok();
    upload(&server, "[grants]\nnetworks = true").refused(&["networks", "network"]);
}

#[test]
fn an_activity_without_grants_reaches_nothing_and_the_log_says_what_would_let_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    // The operator would allow them, but the module does not ask.
    let server = Server::start_with(&["--allow-grants"]);
    upload(&server, "").ok();
    let secret = server.folder().join("secret");
    fs::write(&secret, "of the machine").unwrap();
    for (number, what) in [
        format!("connect {address}"),
        "env PATH".to_owned(),
        format!("read {}", secret.display()),
        format!("write {}", secret.display()),
        "read /etc/hostname".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let end = reach(&server, &format!("t{number}"), what);
        assert!(end.starts_with("failed: "), "{what}: {end}");
    }
    let accepted = listener.accept().map(|_| ()).unwrap_err();
    assert_eq!(
        accepted.kind(),
        std::io::ErrorKind::WouldBlock,
        "nobody has connected"
    );
    assert_eq!(fs::read_to_string(&secret).unwrap(), "of the machine");
    let log = server.log();
    for text in ["a TCP socket is denied", "network = true", "[grants]"] {
        assert!(log.contains(text), "{text:?} is missing: {log}");
    }
}

#[test]
fn an_activity_with_grants_reaches_what_was_granted_and_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::start_with(&["--allow-grants"]);
    let folder = |name: &str| {
        let path = server.folder().join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("file"), name).unwrap();
        path
    };
    let (read, written, other) = (folder("read"), folder("written"), folder("other"));
    let settings = format!(
        r#"
        [grants]
        network = true
        env = {{ REGION = "eu" }}
        folders = [
            {{ host = "{}", guest = "/read" }},
            {{ host = "{}", guest = "/written", write = true }},
        ]
        "#,
        read.display(),
        written.display()
    );
    upload(&server, &settings).ok();
    for (number, (what, end)) in [
        (format!("connect {address}"), "connected"),
        ("env REGION".to_owned(), "eu"),
        ("read /read/file".to_owned(), "read"),
        ("read /written/file".to_owned(), "written"),
        ("write /written/new".to_owned(), "written"),
        ("env PATH".to_owned(), "failed: "),
        ("write /read/new".to_owned(), "failed: "),
        ("read /written/../other/file".to_owned(), "failed: "),
        (format!("read {}", other.join("file").display()), "failed: "),
    ]
    .iter()
    .enumerate()
    {
        let found = reach(&server, &format!("t{number}"), what);
        match end.strip_suffix(' ') {
            Some(_) => assert!(found.starts_with(end), "{what}: {found}"),
            None => assert_eq!(found, *end, "{what}"),
        }
    }
    let (peer, _) = listener.accept().unwrap();
    let mut line = String::new();
    BufReader::new(peer).read_line(&mut line).unwrap();
    assert_eq!(line, "reached\n");
    assert_eq!(fs::read_to_string(written.join("new")).unwrap(), "written");
    assert!(!read.join("new").exists());
    // The settings belong to the version: without them the same activity reaches nothing any more.
    upload(&server, "").ok();
    assert!(reach(&server, "later", "env REGION").starts_with("failed: "));
}
