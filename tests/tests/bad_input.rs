//! Bad input: each is refused with what was wrong, where, and what to do; nothing is written, nothing is lost, nothing panics.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that fails may panic"
)]

mod components;

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use longhaul_tests::{
    Answer, Client, Server, artifacts,
    order::{QUEUE, TYPE},
    server::refused_start,
};
use redb::{Database, TableDefinition};
use serde_json::{Value, json};
use tonic::{Code, Status};

/// The largest payload that is taken, in bytes (B2).
const PAYLOAD_BYTES: usize = 2 << 20;
/// The largest request that is taken, in bytes (B2).
const REQUEST_BYTES: usize = 4 << 20;
/// The small disk's size, and what of it is taken away and given back.
const DISK_BYTES: u64 = 32 << 20;
const BALLAST_BYTES: u64 = 8 << 20;
/// White space in a signal that fills the disk.
const SIGNAL_BYTES: usize = 32 << 10;
/// A wait that is longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a refused request rests.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

fn upload(server: &Server, file: &Path) -> Answer {
    server.longhaul(&["module", "upload", file.to_str().unwrap(), "--name", "bad"])
}

fn modules(server: &Server) -> Value {
    server.longhaul(&["module", "list", "-o", "json"]).json()
}

/// Runs gRPC calls.
fn wait<T>(calls: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(calls)
}

// B3: what is no component is refused, with the list of what is wrong; nothing is stored.
#[test]
fn a_component_that_does_not_fit_is_refused() {
    let server = Server::start();
    let good = fs::read(artifacts::guest("counter")).unwrap();
    let cases: [(&str, Vec<u8>, &[&str]); 8] = [
        ("an empty file", vec![], &["no bytes"]),
        (
            "a script",
            b"#!/bin/sh\nexit 0\n".to_vec(),
            &["not a WebAssembly component"],
        ),
        (
            "a core module",
            wat::parse_str("(module)").unwrap(),
            &["core module"],
        ),
        (
            "half a component",
            good[..good.len() / 2].to_vec(),
            &["not valid"],
        ),
        (
            "an empty component",
            wat::parse_str("(component)").unwrap(),
            &["longhaul:workflow/definition@0.1.0"],
        ),
        (
            "a command",
            components::wasi_command(),
            &["longhaul:workflow/definition@0.1.0"],
        ),
        (
            "a foreign import",
            components::with_foreign_import(),
            &["acme:tools/secrets@1.0.0"],
        ),
        ("a trap in describe", components::that_traps(), &["describe"]),
    ];
    for (what, bytes, words) in cases {
        let file = server.folder().join("bad.wasm");
        fs::write(&file, bytes).unwrap();
        let answer = upload(&server, &file);
        assert!(answer.stdout.is_empty(), "{what}: {answer:?}");
        answer.refused(words);
        assert_eq!(modules(&server), json!([]), "{what} was stored");
    }
    upload(&server, Path::new("no-such-file.wasm")).refused(&["no-such-file.wasm"]);
}

// B3: a type belongs to one module.
#[test]
fn a_type_that_another_module_owns_is_refused() {
    let server = Server::start();
    server.upload("counter", QUEUE);
    let before = modules(&server);
    upload(&server, &artifacts::guest("counter")).refused(&["Counter", "counter"]);
    assert_eq!(modules(&server), before);
    // The same module takes it as its own: nothing new, nothing refused.
    server.upload("counter", QUEUE);
    assert_eq!(modules(&server), before);
}

// B1: wrong usage is found before a server is asked; the exit code is 2.
#[test]
fn json_that_does_not_parse_is_wrong_usage() {
    let server = Server::start();
    server.upload("counter", QUEUE);
    for bad in ["{", "order-1", "[1,]", "{\"a\": 1}}", "", "\"a\nb\""] {
        server
            .start_workflow("Counter", "c", &[bad])
            .wrong_usage(&["JSON", "--input"]);
    }
    let file = server.folder().join("bad.json");
    fs::write(&file, "{\"a\": tea}").unwrap();
    let words = [
        "workflow",
        "start",
        "--type",
        "Counter",
        "-w",
        "c",
        "--input-file",
        file.to_str().unwrap(),
    ];
    server.longhaul(&words).wrong_usage(&["JSON", "bad.json"]);
    server
        .longhaul(&["workflow", "describe", "-w", "c"])
        .refused(&["c"]);
    server.longhaul(&["workflow", "strat"]).wrong_usage(&["start"]);
}

// B1, S11: JSON that is not what the handler takes reaches the caller as that, and the workflow goes on.
#[test]
fn json_of_another_shape_is_refused_by_the_update() {
    let server = Server::start();
    server.upload("order", QUEUE);
    server
        .start_workflow(TYPE, "o", &[r#""o""#, r#""customer""#])
        .ok();
    for bad in [
        r#"{"sku": "A"}"#,
        "7",
        r#"{"sku": 1, "name": "a", "quantity": "many", "price": []}"#,
    ] {
        server.update("o", "add_item", &[bad]).refused(&["add_item"]);
    }
    server.update("o", "add_item", &[]).refused(&["add_item"]);
    assert_eq!(server.ask("o", "get_status"), "pending");
}

// B2
#[test]
fn payloads_over_the_limit_are_refused() {
    let server = Server::start();
    server.upload("counter", QUEUE);
    server.start_workflow("Counter", "c", &[]).ok();
    let before = server.history("c");
    let text = |bytes: usize| Value::String("x".repeat(bytes));
    let refused = |what: &str, answer: Result<(), Status>| {
        let status = answer.expect_err(what);
        assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status}");
        assert!(!status.message().is_empty());
    };
    wait(async {
        let mut client = Client::new(server.address());
        for bytes in [PAYLOAD_BYTES, REQUEST_BYTES + 1] {
            let large = [text(bytes)];
            refused("start", client.start("Counter", "large", &large, "start").await);
            refused("signal", client.signal("c", "add", &large, "signal").await);
            refused(
                "update",
                client
                    .update("c", "add_and_get", &large, "update")
                    .await
                    .map(drop),
            );
        }
        let status = client.result("large").await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{status}");
    });
    assert_eq!(server.history("c"), before);
    server
        .start_workflow("Counter", &"i".repeat(1_001), &[])
        .refused(&["1001", "1000"]);
    server.signal("c", "add", &["5"]).ok();
    assert_eq!(server.ask("c", "total"), 5);
}

// B4: whatever the file is, it is left as it was.
#[test]
fn a_file_that_is_no_database_of_ours_is_refused_and_left_alone() {
    let mut server = Server::start();
    server.upload("counter", QUEUE);
    assert!(server.stop());
    let good = fs::read(server.database()).unwrap();
    let folder = server.folder();

    let foreign = folder.join("notes.txt");
    fs::write(&foreign, "tea, milk, bread\n".repeat(1_000)).unwrap();
    let other = folder.join("other.redb");
    make_other_database(&other);
    let truncated = folder.join("truncated.redb");
    fs::write(&truncated, &good[..good.len() / 2]).unwrap();
    let stub = folder.join("stub.redb");
    fs::write(&stub, &good[..6]).unwrap();
    let newer = folder.join("newer.redb");
    fs::write(&newer, &good).unwrap();
    set_format(&newer, 7);
    let cases: [(&PathBuf, &[&str]); 5] = [
        (&foreign, &["notes.txt", "not a Longhaul database"]),
        (&other, &["other.redb", "another program"]),
        (&truncated, &["truncated.redb", "damaged"]),
        (&stub, &["stub.redb", "damaged"]),
        (&newer, &["newer.redb", "format 7"]),
    ];
    for (path, words) in cases {
        let before = fs::read(path).unwrap();
        refused_start(path, "0").refused(words);
        assert!(
            fs::read(path).unwrap() == before,
            "{} was changed",
            path.display()
        );
    }
    refused_start(folder, "0").refused(&["directory"]);
    refused_start(&folder.join("no/such/folder/x.redb"), "0").refused(&["does not exist"]);

    // The good one still opens.
    server.restart();
    server.start_workflow("Counter", "c", &[]).ok();
}

// B1
#[test]
fn a_second_server_on_the_same_file_is_refused() {
    let server = Server::start();
    server.upload("counter", QUEUE);
    refused_start(server.database(), "0").refused(&["test.redb", "in use"]);
    server.start_workflow("Counter", "c", &[]).ok();
}

// B1
#[test]
fn a_port_in_use_is_named() {
    let server = Server::start();
    let database = server.folder().join("second.redb");
    refused_start(&database, server.port()).refused(&[server.port(), "in use"]);
    refused_start(
        &server.folder().join("third.redb"),
        server.http_address().rsplit(':').next().unwrap(),
    )
    .refused(&["in use"]);
}

// B1: without a server a command fails at once and says what to do.
#[test]
fn a_server_that_is_not_there_is_said_at_once() {
    let mut server = Server::start();
    server.kill();
    let refusal = server
        .longhaul(&["workflow", "list"])
        .refused(&["cannot connect", "longhaul server start"]);
    assert!(refusal.contains(server.address()), "{refusal}");
}

// B1: no space: what is not written is not acknowledged, what was acknowledged stays, and writing resumes when there is space.
#[test]
fn a_full_disk_loses_nothing_and_is_recovered_from() {
    let Some(server) = Server::on_small_disk(DISK_BYTES, BALLAST_BYTES) else {
        eprintln!("not tested: this user may not mount a file system (unshare --map-root-user --mount)");
        return;
    };
    server.upload("counter", QUEUE);
    server.start_workflow("Counter", "c", &[]).ok();
    // White space makes the payload large, and not what it says.
    let padded = |value: i64| format!("{}{value}", " ".repeat(SIGNAL_BYTES));

    let (acknowledged, refusal) = wait(async {
        let mut client = Client::new(server.address());
        for value in 1.. {
            if let Err(status) = client
                .signal_text("c", "add", padded(value), &value.to_string())
                .await
            {
                return (value - 1, status);
            }
            assert!(
                value < i64::try_from(DISK_BYTES / SIGNAL_BYTES as u64).unwrap(),
                "the disk never fills"
            );
        }
        unreachable!("the loop has no other end")
    });
    assert!(
        matches!(refusal.code(), Code::Unavailable | Code::ResourceExhausted),
        "{refusal}"
    );
    assert_eq!(health(&server), 503);

    server.make_space();
    let next = acknowledged + 1;
    wait(async {
        let mut client = Client::new(server.address());
        let deadline = Instant::now() + PATIENCE;
        // The request that was refused, until it is taken: it must count once.
        while let Err(status) = client
            .signal_text("c", "add", padded(next), &next.to_string())
            .await
        {
            assert!(
                matches!(status.code(), Code::Unavailable | Code::ResourceExhausted),
                "{status}"
            );
            assert!(Instant::now() < deadline, "writing does not resume: {status}");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    });
    assert_eq!(server.ask("c", "all"), json!((1..=next).collect::<Vec<_>>()));
    assert_eq!(health(&server), 200);
}

/// The status code of `/health`.
fn health(server: &Server) -> u32 {
    let mut stream = TcpStream::connect(server.http_address()).unwrap();
    write!(
        stream,
        "GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no status: {answer}"))
}

fn make_other_database(path: &Path) {
    let database = Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(TableDefinition::<u64, u64>::new("birds"))
        .unwrap()
        .insert(1, 2)
        .unwrap();
    transaction.commit().unwrap();
}

/// Makes the file say that it has another format.
fn set_format(path: &Path, format: u32) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = TableDefinition::<&str, &[u8]>::new("longhaul_meta");
    transaction
        .open_table(meta)
        .unwrap()
        .insert("format", &format.to_le_bytes()[..])
        .unwrap();
    transaction.commit().unwrap();
}
