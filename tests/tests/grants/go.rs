//! What activities in Go do beside what those in Rust do: goroutines, bodies that are made while they are sent, and Go's own packages.

use std::{collections::HashSet, thread, time::Duration};

use longhaul_tests::{
    Language, Server, Web,
    web::{Answer, Request, say},
};
use serde_json::json;

use super::{assert_ends, limits::runs, reach, run, upload_in};

fn server(settings: &str) -> Server {
    let server = Server::start_with(&["--allow-grants"]);
    upload_in(Language::Go, &server, settings).ok();
    server
}

// C3
#[test]
fn bodies_are_made_and_read_while_they_are_sent() {
    let web = Web::start(|request: &Request, answer: Answer<'_>| match request.path() {
        "/how" => {
            let encoding = "transfer-encoding: chunked".to_owned();
            let how = if request.headers.contains(&encoding) {
                "unknown"
            } else {
                "known"
            };
            say(answer, "200 OK", "", &format!("{} {how}", request.body.len()));
        }
        "/slow" => {
            // Never silent, never done, and not long before it is late.
            let _ = write!(answer, "HTTP/1.1 200 OK\r\n\r\n");
            while answer.write_all(b"x").and_then(|()| answer.flush()).is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        "/endless" => {
            let _ = write!(answer, "HTTP/1.1 200 OK\r\n\r\n");
            while answer.write_all(&[b'x'; 1 << 16]).is_ok() {}
        }
        _ => loop {
            thread::park();
        },
    });
    let server = server(&format!("[grants.http]\nhosts = [\"{}\"]\n", web.address()));
    let never = web.url("/never");
    assert_ends(
        &server,
        &[
            // The length of what is made is not known before; that of a text is.
            (&format!("pour 1000 {}", web.url("/how")), "200 4000 unknown"),
            (&format!("post 3 {}", web.url("/how")), "200 3 known"),
            // One that cannot be made ends its request.
            (
                &format!("break {never}"),
                &format!("failed: POST {never}: the body is broken"),
            ),
            // One that comes is noticed also if something else always runs.
            (&format!("beside {}", web.url("/how")), "200 0 known"),
            // Whoever closes one ends the reading of another goroutine.
            (&format!("close {}", web.url("/endless")), "closed"),
        ],
    );
    // The limit of the whole is one of the body too, also if something always comes.
    for (path, limit_ms) in [("/never", 50), ("/slow", 50)] {
        let url = web.url(path);
        let end = reach(&server, &format!("within {limit_ms} {url}"));
        assert_eq!(
            end,
            format!("failed: GET {url}: it took longer than {limit_ms}ms")
        );
    }
}

#[test]
fn time_random_numbers_and_errors_of_files_are_as_in_go() {
    let server = server("");
    assert_ends(
        &server,
        &[
            ("sleep 20", "slept"),
            (
                "read /nowhere/file",
                "failed: open /nowhere/file: permission denied",
            ),
            (
                "create /nowhere/folder",
                "failed: mkdir /nowhere/folder: permission denied",
            ),
            (
                "remove /nowhere/file",
                "failed: remove /nowhere/file: permission denied",
            ),
        ],
    );
    let drawn: HashSet<String> = (0..3).map(|_| reach(&server, "random 16")).collect();
    assert!(
        drawn.len() == 3 && drawn.iter().all(|random| random.len() == 32),
        "{drawn:?}"
    );
}

// A3
#[test]
fn an_attempt_ends_with_its_function_and_hears_of_a_cancellation_where_it_waits_for_it() {
    let server = server("");
    // A goroutine of it would sleep for ten minutes.
    assert_eq!(run(&server, &json!({"activity": "Returns"})), "returned");
    let end = run(&server, &json!({"activity": "Stuck", "attempts": 1}));
    assert!(
        end.contains("all goroutines of the activity Stuck are asleep: deadlock"),
        "{end}"
    );
    let plan = json!({"activity": "Patient", "cancellation": "wait"}).to_string();
    server.start_workflow("Trial", "p", &[&plan]).ok();
    while !runs(&server, "p") {}
    server.signal("p", "cancel", &[]).ok();
    assert_eq!(server.result("p").json()["result"], "cancelled with Cancelled");
}
