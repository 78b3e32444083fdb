//! Requests that end otherwise than by their response, and files that are longer than an attempt's memory.

use std::{fs::File, thread};

use longhaul_tests::{
    Language, Server, Web, in_each_language,
    web::{Answer, Request},
};
use serde_json::json;

use super::{assert_ends, folder, reach, run, upload_in};

in_each_language! {
    a_response_that_is_longer_than_the_activity_takes_is_an_error,
    a_server_that_falls_silent_is_given_up,
    what_is_no_request_is_refused_before_anything_is_sent,
    a_cancellation_ends_a_request_that_waits,
    a_file_that_is_longer_than_the_attempts_memory_is_read_in_parts,
}

/// Says nothing, or half of it, until the test's process ends.
fn silent(request: &Request, answer: Answer<'_>) {
    if request.path() == "/half" {
        let _ = write!(answer, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        let _ = answer.flush();
    }
    loop {
        thread::park();
    }
}

/// A server that lets the activities ask this web server.
fn server(language: Language, web: &Web) -> Server {
    let server = Server::start_with(&["--allow-grants"]);
    let settings = format!("[grants.http]\nhosts = [\"{}\"]\n", web.address());
    upload_in(language, &server, &settings).ok();
    server
}

// C3
fn a_response_that_is_longer_than_the_activity_takes_is_an_error(language: Language) {
    let web = Web::start(|request: &Request, answer: Answer<'_>| {
        let length: usize = request.path()[1..].parse().unwrap();
        let _ = write!(answer, "HTTP/1.1 200 OK\r\nx-told: no\r\n\r\n");
        let _ = answer.write_all(&vec![b'x'; length]);
    });
    let server = server(language, &web);
    let told = format!("200 {}", "x".repeat(65536));
    assert_ends(&server, &[(&format!("get {}", web.url("/65536")), &told)]);
    let url = web.url("/65537");
    let end = reach(&server, &format!("get {url}"));
    assert_eq!(
        end,
        format!("failed: GET {url}: the response is longer than 65536 bytes")
    );
}

// C3
fn a_server_that_falls_silent_is_given_up(language: Language) {
    let web = Web::start(silent);
    let server = server(language, &web);
    for path in ["/nothing", "/half"] {
        let url = web.url(path);
        let end = reach(&server, &format!("silence 1000 {url}"));
        assert_eq!(
            end,
            format!("failed: GET {url}: the response did not come in time")
        );
    }
    let end = reach(&server, &format!("patience 50 {}", web.url("/nothing")));
    assert_eq!(end, "given up");
}

// B1, C3
fn what_is_no_request_is_refused_before_anything_is_sent(language: Language) {
    let web = Web::with_text("text");
    let server = server(language, &web);
    for header in [
        "Host other",
        "Transfer-Encoding chunked",
        "no\tname value",
        "x a\nb",
    ] {
        let end = reach(&server, &format!("header {} {header}", web.url("/")));
        assert!(
            end.starts_with("failed: GET http")
                && end.contains("the header")
                && end.contains("is not allowed"),
            "{header}: {end}"
        );
    }
    for (address, why) in [
        ("a/b", "it begins with `http://` or `https://`"),
        ("ftp://a/", "it begins with `http://` or `https://`"),
        ("http:///b", "it has no host"),
        (
            "http://user:word@a/",
            "a name and a password go into the header `authorization`",
        ),
    ] {
        let end = reach(&server, &format!("get {address}"));
        assert!(
            end.starts_with("failed: ")
                && end.contains("is no address for a request: ")
                && end.ends_with(why),
            "{address}: {end}"
        );
    }
    assert_eq!(web.requests(), []);
    let end = reach(&server, &format!("header {} X-Own value", web.url("/")));
    assert_eq!(end, "200 text");
    assert!(web.requests()[0].headers.contains(&"x-own: value".to_owned()));
}

// A3, C3
fn a_cancellation_ends_a_request_that_waits(language: Language) {
    let web = Web::start(silent);
    let server = server(language, &web);
    for (number, path) in ["/nothing", "/half"].into_iter().enumerate() {
        let plan = json!({"activity": "Reach", "argument": format!("get {}", web.url(path)), "cancellation": "wait"});
        server.start_workflow("Trial", path, &[&plan.to_string()]).ok();
        web.until(|requests| requests.len() > number);
        // Without a heartbeat.
        server.signal(path, "cancel", &[]).ok();
        assert_eq!(server.result(path).json()["result"], "cancelled with nothing");
    }
}

// C2, C4
fn a_file_that_is_longer_than_the_attempts_memory_is_read_in_parts(language: Language) {
    const BYTES: u64 = 64 << 20;
    let server = Server::start_with(&["--allow-grants"]);
    let read = folder(&server, "read");
    File::create(read.join("long")).unwrap().set_len(BYTES).unwrap();
    let settings = format!(
        "[limits]\nactivity_memory_bytes = 8388608\n[grants]\nfolders = [{{ host = \"{}\", guest = \"/read\" }}]\n",
        read.display()
    );
    upload_in(language, &server, &settings).ok();
    let plan = json!({"activity": "Reach", "argument": "length /read/long", "attempts": 1});
    assert_eq!(run(&server, &plan), BYTES.to_string());
}
