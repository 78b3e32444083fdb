//! HTTP and sockets: what is granted, and what leads elsewhere.

use std::sync::{Arc, Barrier};

use longhaul_tests::{
    Language, Server, Web, in_each_language,
    web::{Answer, Request, say},
};

use super::{assert_ends, reach, upload, upload_in};

in_each_language! {
    http_goes_to_granted_hosts_and_nowhere_else,
    a_redirect_is_not_followed_and_what_it_names_is_judged_by_itself,
    while_a_request_waits_other_futures_of_its_attempt_run,
    a_body_of_many_parts_arrives_whole,
    a_server_that_answers_badly_fails_the_request_only,
}

fn http(hosts: &[&str], private: bool) -> String {
    format!("[grants.http]\nhosts = {hosts:?}\nprivate = {private}\n")
}

// C3
fn http_goes_to_granted_hosts_and_nowhere_else(language: Language) {
    let (granted, other) = (Web::with_text("granted"), Web::with_text("other"));
    let server = Server::start_with(&["--allow-grants"]);
    upload_in(language, &server, &http(&[&granted.address()], false)).ok();
    assert_ends(
        &server,
        &[(&format!("get {}", granted.url("/a?b=c")), "200 granted")],
    );
    let request = &granted.requests()[0];
    assert_eq!(request.line, "GET /a?b=c HTTP/1.1");
    assert!(
        request.headers.contains(&format!("host: {}", granted.address())),
        "{request:?}"
    );

    let line = format!("hosts = [\"{}\"]", other.address());
    let end = reach(&server, &format!("get {}", other.url("/")));
    for text in ["failed: ", "denied: ", "[grants.http]", &line] {
        assert!(end.contains(text), "{text:?} is missing: {end}");
    }
    assert!(
        server
            .log()
            .contains("denied: the module may not send HTTP requests")
    );
    for what in [
        format!("get http://localhost:{}/", granted.port()),
        format!("get http://127.0.0.2:{}/", granted.port()),
        format!("get http://{}@{}/", granted.address(), other.address()),
        format!("get http://[::ffff:127.0.0.1]:{}/", other.port()),
        format!("get http://2130706433:{}/", granted.port()),
        "get http://169.254.169.254/latest/meta-data/".to_owned(),
    ] {
        let end = reach(&server, &what);
        assert!(end.starts_with("failed: "), "{what}: {end}");
    }
    assert_eq!((granted.requests().len(), other.requests().len()), (1, 0));
}

// C3
#[test]
fn a_name_does_not_stand_for_this_machine_unless_that_is_granted() {
    let web = Web::with_text("reached");
    let server = Server::start_with(&["--allow-grants"]);
    let (name, url) = (
        format!("localhost:{}", web.port()),
        format!("get http://localhost:{}/", web.port()),
    );
    // The name is granted, what it stands for is not.
    upload(&server, &http(&[&name], false)).ok();
    let end = reach(&server, &url);
    for text in [
        "denied: ",
        "\"localhost\" stands for",
        "private = true",
        "[grants.http]",
    ] {
        assert!(end.contains(text), "{text:?} is missing: {end}");
    }
    // As any name, also in the numbers that the system takes for addresses.
    upload(&server, &http(&["*:*"], false)).ok();
    for what in [
        url.clone(),
        format!("get http://2130706433:{}/", web.port()),
        format!("get http://127.1:{}/", web.port()),
        format!("get http://{}/", web.address()),
    ] {
        let end = reach(&server, &what);
        assert!(end.contains("denied: "), "{what}: {end}");
    }
    assert_eq!(web.requests(), []);
    // Either of these grants it.
    let by_address = http(&[&name, &web.address(), &format!("[::1]:{}", web.port())], false);
    for settings in [http(&[&name], true), by_address] {
        upload(&server, &settings).ok();
        assert_ends(&server, &[(&url, "200 reached")]);
    }
}

// C3
fn a_redirect_is_not_followed_and_what_it_names_is_judged_by_itself(language: Language) {
    let other = Web::with_text("other");
    let target = other.url("/");
    let redirecting = Web::start(
        move |request: &Request, answer: Answer<'_>| match request.path() {
            "/away" => say(answer, "302 Found", &format!("location: {target}\r\n"), ""),
            "/metadata" => say(
                answer,
                "307 Temporary Redirect",
                "location: http://169.254.169.254/\r\n",
                "",
            ),
            path => say(answer, "200 OK", "", &format!("at {path}")),
        },
    );
    let server = Server::start_with(&["--allow-grants"]);
    upload_in(language, &server, &http(&[&redirecting.address()], false)).ok();
    assert_ends(&server, &[(&format!("get {}", redirecting.url("/away")), "302 ")]);
    for path in ["/away", "/metadata"] {
        let end = reach(&server, &format!("follow {}", redirecting.url(path)));
        assert!(end.contains("denied: the module may not"), "{path}: {end}");
    }
    assert_eq!(other.requests(), []);
    // With the other host granted too, the guest may follow.
    upload_in(
        language,
        &server,
        &http(&[&redirecting.address(), &other.address()], false),
    )
    .ok();
    assert_ends(
        &server,
        &[(&format!("follow {}", redirecting.url("/away")), "200 other")],
    );
}

fn while_a_request_waits_other_futures_of_its_attempt_run(language: Language) {
    // The first page is served when the second has been asked for.
    let both = Arc::new(Barrier::new(2));
    let web = Web::start(
        move |request: &Request, answer: Answer<'_>| match request.path() {
            "/never" => loop {
                std::thread::park();
            },
            path => {
                both.wait();
                say(answer, "200 OK", "", path);
            }
        },
    );
    let server = Server::start_with(&["--allow-grants"]);
    upload_in(language, &server, &http(&[&web.address()], false)).ok();
    assert_ends(
        &server,
        &[
            (
                &format!("both {} {}", web.url("/a"), web.url("/b")),
                "200 /a, 200 /b",
            ),
            (&format!("patience 20 {}", web.url("/never")), "given up"),
        ],
    );
}

fn a_body_of_many_parts_arrives_whole(language: Language) {
    let web = Web::start(|request: &Request, answer: Answer<'_>| {
        let text = format!("{} bytes", request.body.len());
        say(answer, "200 OK", "", &text);
    });
    let server = Server::start_with(&["--allow-grants"]);
    upload_in(language, &server, &http(&[&web.address()], false)).ok();
    let post = format!("post 3000000 {}", web.url("/"));
    assert_ends(&server, &[(&post, "200 3000000 bytes")]);
}

// C3
fn a_server_that_answers_badly_fails_the_request_only(language: Language) {
    let web = Web::start(|request: &Request, answer: Answer<'_>| {
        let _ = match request.path() {
            "/nothing" => Ok(()),
            "/nonsense" => writeln!(answer, "this is no HTTP"),
            "/short" => write!(answer, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"),
            "/head" => (0..100_000).try_for_each(|n| write!(answer, "HTTP/1.1 200 OK\r\nx-{n}: {n}\r\n")),
            _ => {
                say(answer, "200 OK", "", "good");
                Ok(())
            }
        };
    });
    let server = Server::start_with(&["--allow-grants"]);
    upload_in(language, &server, &http(&[&web.address()], false)).ok();
    for path in ["/nothing", "/nonsense", "/short", "/head"] {
        let end = reach(&server, &format!("get {}", web.url(path)));
        assert!(
            end.starts_with("failed: ") && !end.contains("did not return"),
            "{path}: {end}"
        );
    }
    assert_ends(&server, &[(&format!("get {}", web.url("/")), "200 good")]);
}
