//! What an activity may use of the machine: nothing, unless the operator and the module's settings both say so.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod files;
mod go;
mod https;
mod limits;
mod network;
mod requests;
mod settings;
mod shared;
mod sockets;

use std::fs;

use longhaul_tests::{Answer, Language, Server, artifacts};
use serde_json::{Value, json};

/// Uploads the guest `attempts` with settings.
fn upload(server: &Server, settings: &str) -> Answer {
    upload_in(Language::Rust, server, settings)
}

/// The same in a language, under the name that it has in all of them.
fn upload_in(language: Language, server: &Server, settings: &str) -> Answer {
    let file = server.folder().join("attempts.toml");
    fs::write(&file, settings).unwrap();
    let (guest, file) = (
        artifacts::guest(&language.guest("attempts")),
        file.to_str().unwrap().to_owned(),
    );
    let guest = guest.to_str().unwrap();
    server.longhaul(&[
        "module", "upload", guest, "--name", "attempts", "--queue", "lab", "--config", &file,
    ])
}

/// How an activity ends that reaches for something, in the workflow's words.
#[track_caller]
fn reach(server: &Server, what: &str) -> String {
    run(server, &json!({"activity": "Reach", "argument": what}))
}

/// How the only attempt of an activity ends that uses something up, in the workflow's words.
#[track_caller]
fn exhaust(server: &Server, what: &str) -> String {
    run(
        server,
        &json!({"activity": "Exhaust", "argument": what, "attempts": 1}),
    )
}

#[track_caller]
fn run(server: &Server, plan: &Value) -> String {
    let plan = plan.to_string();
    let words = ["workflow", "execute", "--type", "Trial", "--workflow-id"];
    // What is run twice is an execution of its own each time.
    let id = format!(
        "trial-{}",
        NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    );
    let answer = server.longhaul(&[&words[..], &[&id, "--input", &plan, "-o", "json"]].concat());
    match answer.json()["result"].take() {
        Value::String(text) => text,
        other => panic!("{other}"),
    }
}

static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// Each of these ends as it should: with this text, or, where that ends in `...`, with a text that begins so.
#[track_caller]
fn assert_ends(server: &Server, cases: &[(&str, &str)]) {
    for (what, end) in cases {
        let found = reach(server, what);
        match end.strip_suffix("...") {
            Some(beginning) => assert!(found.starts_with(beginning), "{what}: {found}"),
            None => assert_eq!(found, *end, "{what}"),
        }
    }
}

/// A folder with a file `file` that holds the folder's name.
fn folder(server: &Server, name: &str) -> std::path::PathBuf {
    let path = server.folder().join(name);
    fs::create_dir(&path).unwrap();
    fs::write(path.join("file"), name).unwrap();
    path
}
