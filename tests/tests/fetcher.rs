//! The example `fetcher`: HTTP, files and a secret in an activity that goes on after a crash.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex},
};

use longhaul_tests::{
    Language, Server, Web, artifacts, in_each_language,
    web::{Answer, Request, say},
};
use serde_json::json;

const TOKEN: &str = "t0ken-4711";

in_each_language! {
    files_are_fetched_and_after_a_crash_only_those_that_were_missing,
    a_host_that_is_not_granted_fails_the_workflow_at_once_with_the_line_that_would_grant_it,
    two_addresses_of_one_name_are_refused_before_anything_is_fetched,
    what_keeps_a_file_from_being_written_now_may_be_gone_in_the_next_attempt,
}

/// A server with the example, its settings changed to a folder and a host of the test.
fn server(language: Language, web: &Web) -> (Server, PathBuf) {
    let server = Server::start_in(&[("LONGHAUL_SECRET_FETCH_TOKEN", TOKEN)], &["--allow-grants"]);
    let folder = server.folder().join("fetched");
    fs::create_dir(&folder).unwrap();
    let example = artifacts::package()
        .parent()
        .unwrap()
        .join("examples-guest/fetcher/fetcher.toml");
    let settings = fs::read_to_string(example).unwrap();
    let changed = settings
        .replace("/tmp/fetched", folder.to_str().unwrap())
        .replace("127.0.0.1:8000", &web.address());
    let file = server.folder().join("fetcher.toml");
    fs::write(&file, changed).unwrap();
    let guest = artifacts::guest(&language.guest("fetcher"));
    let words = [
        "module",
        "upload",
        guest.to_str().unwrap(),
        "--name",
        "fetcher",
        "--config",
        file.to_str().unwrap(),
    ];
    server.longhaul(&words).ok();
    (server, folder)
}

/// Something that a test lets happen.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn pass(&self) {
        let _open = self.1.wait_while(self.0.lock().unwrap(), |open| !*open).unwrap();
    }
}

fn asked_for(web: &Web, path: &str) -> usize {
    web.requests()
        .iter()
        .filter(|request| request.path() == path)
        .count()
}

// A1, A3, C1, C2, C3
fn files_are_fetched_and_after_a_crash_only_those_that_were_missing(language: Language) {
    let gate = Arc::new(Gate::default());
    let web = Web::start({
        let gate = gate.clone();
        move |request: &Request, answer: Answer<'_>| {
            if request.path() == "/three.txt" {
                gate.pass();
            }
            say(answer, "200 OK", "", request.path());
        }
    });
    let (mut server, folder) = server(language, &web);
    let paths = ["/one.txt", "/two.txt", "/three.txt", "/four.txt"];
    let urls = json!(paths.map(|path| web.url(path))).to_string();
    server.start_workflow("FetchWorkflow", "f", &[&urls]).ok();
    // The third file does not come: the attempt that waits for it fails, and the next one begins with it, for the first two are there.
    web.until(|requests| {
        requests
            .iter()
            .filter(|request| request.path() == "/three.txt")
            .count()
            == 2
    });
    server.kill();
    server.restart();
    gate.open();
    let result = server.result("f").json();
    let fetched = paths.map(|path| json!({"name": &path[1..], "bytes": path.len()}));
    assert_eq!(result["result"], json!(fetched));
    for path in paths {
        assert_eq!(fs::read_to_string(folder.join(&path[1..])).unwrap(), path);
    }
    let asked = paths.map(|path| asked_for(&web, path));
    assert_eq!(
        [asked[0], asked[1], asked[3]],
        [1, 1, 1],
        "what was there is not fetched again"
    );
    for request in web.requests() {
        let token = format!("authorization: Bearer {TOKEN}");
        assert!(request.headers.contains(&token), "{request:?}");
    }
    let left: Vec<_> = fs::read_dir(&folder).unwrap().collect();
    assert_eq!(left.len(), paths.len(), "no file is left half done: {left:?}");
    assert!(!server.history("f").contains(TOKEN) && !server.log().contains(TOKEN));
}

// C1, C3
fn a_host_that_is_not_granted_fails_the_workflow_at_once_with_the_line_that_would_grant_it(
    language: Language,
) {
    let (web, other) = (Web::with_text("granted"), Web::with_text("other"));
    let (server, folder) = server(language, &web);
    let urls = json!([web.url("/a"), other.url("/b")]).to_string();
    server.start_workflow("FetchWorkflow", "f", &[&urls]).ok();
    let line = format!("hosts = [\"{}\"]", other.address());
    let shown = server.longhaul(&["workflow", "result", "--workflow-id", "f"]);
    for text in ["FAILED", "Denied: GET", "[grants.http]", &line, "(non-retryable)"] {
        assert!(shown.stdout.contains(text), "{text:?} is missing: {shown:?}");
    }
    assert_eq!(other.requests(), []);
    assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "granted");
    assert!(!folder.join("b").exists());
}

fn two_addresses_of_one_name_are_refused_before_anything_is_fetched(language: Language) {
    let web = Web::with_text("text");
    let (server, folder) = server(language, &web);
    let urls = json!([web.url("/a/x.txt"), web.url("/b/x.txt")]).to_string();
    server.start_workflow("FetchWorkflow", "f", &[&urls]).ok();
    let shown = server.longhaul(&["workflow", "result", "--workflow-id", "f"]);
    for text in ["FAILED", "SameName", "/b/x.txt", "(non-retryable)"] {
        assert!(shown.stdout.contains(text), "{text:?} is missing: {shown:?}");
    }
    assert_eq!(web.requests(), []);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

// A2
fn what_keeps_a_file_from_being_written_now_may_be_gone_in_the_next_attempt(language: Language) {
    let web = Web::with_text("text");
    let (server, folder) = server(language, &web);
    // A folder stands where the file is to be: no grant is missing, and somebody may move it away.
    let blocker = folder.join("x.txt");
    fs::create_dir(&blocker).unwrap();
    fs::write(blocker.join("inside"), "").unwrap();
    let urls = json!([web.url("/x.txt")]).to_string();
    server.start_workflow("FetchWorkflow", "f", &[&urls]).ok();
    web.until(|requests| requests.len() >= 2);
    fs::rename(&blocker, server.folder().join("moved")).unwrap();
    server.result("f").ok();
    assert_eq!(fs::read_to_string(folder.join("x.txt")).unwrap(), "text");
}
