//! What an attempt can use up: what is its own.

use std::net::TcpListener;

use longhaul_tests::{
    Language, Server, Web, in_each_language,
    web::{Answer, Request, say},
};
use serde_json::json;

use super::{assert_ends, exhaust, folder, upload, upload_in};

in_each_language! {
    an_attempt_that_uses_something_up_fails_and_nothing_else_does,
    a_trap_fails_its_attempt_with_the_guests_own_place,
    a_module_runs_no_more_attempts_at_once_than_it_says_and_others_do_not_wait_for_it,
}

// C4
fn an_attempt_that_uses_something_up_fails_and_nothing_else_does(language: Language) {
    let endless = Web::start(|request: &Request, answer: Answer<'_>| match request.path() {
        "/endless" => {
            let _ = write!(answer, "HTTP/1.1 200 OK\r\n\r\n");
            while answer.write_all(&[b'x'; 1 << 16]).is_ok() {}
        }
        _ => say(answer, "200 OK", "", "short"),
    });
    let server = Server::start_with(&["--allow-grants"]);
    let path = folder(&server, "read");
    upload_in(
        language,
        &server,
        &format!(
            "[limits]\nactivity_memory_bytes = 8388608\nactivity_fuel = 2000000000\n[grants]\n\
             folders = [{{ host = \"{}\", guest = \"/read\" }}]\n[grants.http]\nhosts = [\"{}\"]\n",
            path.display(),
            endless.address()
        ),
    )
    .ok();
    for (what, text) in [
        ("memory", "8388608 bytes of memory"),
        ("fuel", "`activity_fuel`"),
        ("handles /read/file", "256 handles"),
        (
            &format!("response {}", endless.url("/endless")),
            "8388608 bytes of memory",
        ),
    ] {
        let end = exhaust(&server, what);
        assert!(
            end.starts_with("failed: ") && end.contains("did not return") && end.contains(text),
            "{what}: {end}"
        );
    }
    let get = format!("get {}", endless.url("/"));
    assert_ends(&server, &[("read /read/file", "read"), (&get, "200 short")]);
}

// C4
#[test]
fn an_attempt_that_takes_longer_than_its_module_may_fails() {
    let server = Server::start();
    upload(&server, "[limits]\nactivity_timeout_s = 1").ok();
    let end = exhaust(&server, "time");
    assert!(end.contains("longer than 1 s"), "{end}");
}

// C4
fn a_trap_fails_its_attempt_with_the_guests_own_place(language: Language) {
    let server = Server::start();
    upload_in(language, &server, "[limits]\nactivity_memory_bytes = 8388608").ok();
    let plan = json!({"activity": "Exhaust", "argument": "memory", "attempts": 1}).to_string();
    server.start_workflow("Trial", "trap", &[&plan]).ok();
    server.result("trap").ok();
    let events = server
        .longhaul(&["workflow", "show", "--workflow-id", "trap", "-o", "json"])
        .json();
    let failure = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|event| event.get("activityTaskFailedEventAttributes"))
        .unwrap();
    let trace = failure["failure"]["stackTrace"].as_str().unwrap();
    let place = match language {
        Language::Rust => "attempts/src/reach.rs:",
        Language::Go => "attempts/reach.go:",
    };
    assert!(trace.contains(place), "{trace}");
    // The server, the module and the queue are as before.
    upload_in(language, &server, "").ok();
    assert_ends(&server, &[("envs", "")]);
}

// C5
fn a_module_runs_no_more_attempts_at_once_than_it_says_and_others_do_not_wait_for_it(language: Language) {
    // The attempts of `Hold` connect and stay until they are cancelled; each connection is one that runs.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::start_with(&["--allow-grants"]);
    upload_in(
        language,
        &server,
        &format!("[limits]\nactivity_concurrency = 2\n[grants.sockets]\nconnect = [\"{address}\"]\n"),
    )
    .ok();
    let plan =
        json!({"activity": "Hold", "argument": address.to_string(), "cancellation": "wait"}).to_string();
    for number in 0..5 {
        server
            .start_workflow("Trial", &format!("hold-{number}"), &[&plan])
            .ok();
    }
    let mut peers: Vec<_> = (0..2).map(|_| listener.accept().unwrap().0).collect();
    // Those of another module do not wait. (Workflow types belong to one module, so the other one is another guest.)
    server.upload("batch", "batches");
    let words = [
        "workflow",
        "execute",
        "--type",
        "BatchProcessingWorkflow",
        "--workflow-id",
        "batch",
        "--input",
        "2",
    ];
    server.longhaul(&[&words[..], &["-o", "json"]].concat()).ok();
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "a third attempt runs");
    listener.set_nonblocking(false).unwrap();
    // Whichever ends, the next one runs; in the end all have.
    for _ in 0..3 {
        let waiting: Vec<String> = (0..5)
            .map(|n| format!("hold-{n}"))
            .filter(|id| runs(&server, id))
            .collect();
        server.signal(&waiting[0], "cancel", &[]).ok();
        peers.push(listener.accept().unwrap().0);
    }
    assert_eq!(peers.len(), 5);
}

/// Whether the execution's attempt has started, and was not cancelled.
pub(super) fn runs(server: &Server, id: &str) -> bool {
    let described = server
        .longhaul(&["workflow", "describe", "--workflow-id", id, "-o", "json"])
        .json();
    described["pendingActivities"][0]["state"] == "PENDING_ACTIVITY_STATE_STARTED"
}
