//! Settings that ask for grants, and what is stored and shown of them.

use std::{fs, net::TcpListener};

use longhaul_tests::{Language, Server, in_each_language};
use serde_json::{Value, json};

use super::{assert_ends, reach, upload, upload_in};

in_each_language! {
    a_secret_reaches_the_guest_whole,
    an_activity_without_grants_reaches_nothing_and_the_log_says_what_would_let_it,
}

// B1, C1
#[test]
fn settings_that_ask_for_grants_are_refused_where_the_operator_gives_none() {
    let server = Server::start();
    for settings in [
        "[grants.http]\nhosts = [\"a.example\"]",
        "[grants.sockets]\nconnect = [\"a.example:1\"]",
        "[grants]\nenv = { REGION = \"eu\" }",
        "[grants]\nsecrets = [\"TOKEN\"]",
        "[grants]\nfolders = [{ host = \"/\", guest = \"/machine\" }]",
    ] {
        upload(&server, settings).refused(&["[grants]", "--allow-grants"]);
    }
    assert_eq!(
        server.longhaul(&["module", "list", "-o", "json"]).json(),
        json!([])
    );
    upload(&server, "[grants.http]\nhosts = []").ok();
}

// B1
#[test]
fn settings_with_mistakes_are_refused_with_their_place_and_the_nearest() {
    let server = Server::start_with(&["--allow-grants"]);
    for (settings, words) in [
        (
            "[grants]\nhttps = { hosts = [] }",
            &["\"https\"", "[grants]", "http"][..],
        ),
        ("[grants.http]\nhost = [\"a\"]", &["line 2", "\"host\"", "hosts"]),
        (
            "[grants.http]\nhosts = [\"https://a\"]",
            &["`hosts` under `[grants.http]`", "without"],
        ),
        (
            "[grants]\nfolders = [{ host = \"data\", guest = \"/d\" }]",
            &["\"data\"", "absolute"],
        ),
        (
            "[grants]\nfolders = [{ host = \"/a/../b\", guest = \"/d\" }]",
            &["`..`"],
        ),
        (
            "[limits]\nactivity_memory_bytes = 99999999999",
            &["activity_memory_bytes", "server's own"],
        ),
        (
            "[limits]\nactivity_timeout_s = 999999999",
            &["activity_timeout_s", "server's own"],
        ),
    ] {
        upload(&server, settings).refused(words);
    }
}

// B1
#[test]
fn the_schema_is_printed_and_its_example_is_taken() {
    let server = Server::start_with(&["--allow-grants"]);
    // No server is asked.
    let mut command = server.command(&["module", "config-schema"]);
    command.env("TEMPORAL_ADDRESS", "127.0.0.1:1");
    let schema: Value = longhaul_tests::Answer::of(&mut command).json();
    assert_eq!(schema["additionalProperties"], json!(false));
    let example = &schema["examples"][0];
    // JSON's inline tables are TOML's but for the colons.
    let settings = format!(
        "limits = {}\ngrants = {}",
        toml_of(&example["limits"]),
        toml_of(&example["grants"])
    );
    upload(&server, &settings).ok();
}

fn toml_of(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(k, v)| format!("{k} = {}", toml_of(v)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(toml_of).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

// C1
fn an_activity_without_grants_reaches_nothing_and_the_log_says_what_would_let_it(language: Language) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    // The operator would allow them, but the module does not ask.
    let server = Server::start_in(&[("LONGHAUL_SECRET_TOKEN", "hidden")], &["--allow-grants"]);
    upload_in(language, &server, "").ok();
    let secret = server.folder().join("secret");
    fs::write(&secret, "of the machine").unwrap();
    let file = secret.display();
    for what in [
        format!("connect {address}"),
        format!("send {address}"),
        "listen 0.0.0.0:0".to_owned(),
        "lookup localhost".to_owned(),
        format!("get http://{address}/"),
        "env PATH".to_owned(),
        "env TOKEN".to_owned(),
        "env LONGHAUL_SECRET_TOKEN".to_owned(),
        format!("read {file}"),
        format!("write {file}"),
        format!("list {}", server.folder().display()),
        "read /etc/hostname".to_owned(),
        "read ../../../../etc/hostname".to_owned(),
    ] {
        let end = reach(&server, &what);
        assert!(end.starts_with("failed: "), "{what}: {end}");
    }
    assert_eq!(reach(&server, "envs"), "");
    let accepted = listener.accept().map(|_| ()).unwrap_err();
    assert_eq!(
        accepted.kind(),
        std::io::ErrorKind::WouldBlock,
        "nobody has connected"
    );
    assert_eq!(fs::read_to_string(&secret).unwrap(), "of the machine");
    let (log, http) = (server.log(), format!("hosts = [\\\"{address}\\\"]"));
    // TinyGo's runtime asks the host for nothing that is not below a folder, and has no sockets.
    let asked_by_rust = match language {
        Language::Rust => &[
            "denied: a TCP socket",
            "denied: a UDP socket",
            "[grants.sockets]",
            "has no folders",
        ][..],
        Language::Go => &[],
    };
    for text in asked_by_rust.iter().chain(&["[grants.http]"]) {
        assert!(log.contains(text), "{text:?} is missing: {log}");
    }
    assert!(
        log.replace('\\', "").contains(&http.replace('\\', "")),
        "{http} is missing: {log}"
    );
}

// C1
#[test]
fn a_secret_comes_from_the_servers_environment_and_is_neither_stored_nor_shown() {
    const SECRET: &str = "tell-nobody-4711";
    let mut server = Server::start_in(
        &[("LONGHAUL_SECRET_TOKEN", SECRET), ("OTHER", "of the server")],
        &["--allow-grants"],
    );
    upload(
        &server,
        "[grants]\nenv = { REGION = \"eu\" }\nsecrets = [\"TOKEN\"]",
    )
    .ok();
    assert_ends(
        &server,
        &[
            ("env REGION", "eu"),
            ("envs", "REGION TOKEN"),
            ("env OTHER", "failed: ..."),
        ],
    );
    let described = server.longhaul(&["module", "describe", "attempts"]).ok();
    assert!(
        described.contains("TOKEN") && !described.contains(SECRET),
        "{described}"
    );
    assert!(server.stop());
    let stored = fs::read(server.database()).unwrap();
    let is_in = |text: &str| stored.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(is_in("TOKEN"), "its name is in the settings");
    assert!(!is_in(SECRET));
    assert!(!server.log().contains(SECRET));

    // Without the variable the attempt fails and says what to set.
    let server = Server::start_with(&["--allow-grants"]);
    upload(&server, "[grants]\nsecrets = [\"TOKEN\"]").ok();
    let plan = json!({"activity": "Reach", "argument": "env TOKEN", "attempts": 1});
    let end = super::run(&server, &plan);
    assert!(end.contains("LONGHAUL_SECRET_TOKEN"), "{end}");
}

// C1
fn a_secret_reaches_the_guest_whole(language: Language) {
    let server = Server::start_in(&[("LONGHAUL_SECRET_TOKEN", "k=v w")], &["--allow-grants"]);
    upload_in(language, &server, "[grants]\nsecrets = [\"TOKEN\"]").ok();
    assert_ends(&server, &[("env TOKEN", "k=v w")]);
    // The settings belong to the version: without them the same activity reaches nothing any more.
    upload_in(language, &server, "").ok();
    assert_ends(&server, &[("env TOKEN", "failed: ...")]);
}
