//! Sockets: what is granted, what leads elsewhere, and how connections end.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _, copy},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::mpsc,
    thread,
};

use longhaul_tests::{Language, Server, in_each_language};
use serde_json::json;

use super::{assert_ends, exhaust, limits::runs, reach, upload_in};

in_each_language! {
    sockets_go_to_granted_addresses_and_nowhere_else,
    an_attempt_holds_no_more_connections_than_it_may,
}

fn sockets(connect: &[String], private: bool) -> String {
    format!("[grants.sockets]\nconnect = {connect:?}\nprivate = {private}\n")
}

/// A server on this machine that does so with each connection, and its address.
fn serving(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for peer in listener.incoming() {
            let serve = serve.clone();
            thread::spawn(move || serve(peer.unwrap()));
        }
    });
    address
}

/// The guest in Go gets these addresses, and no others.
fn grant(server: &Server, connect: &[String]) {
    upload_in(Language::Go, server, &sockets(connect, false)).ok();
}

// C3
fn sockets_go_to_granted_addresses_and_nowhere_else(language: Language) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (granted, port) = (
        listener.local_addr().unwrap(),
        listener.local_addr().unwrap().port(),
    );
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = Server::start_with(&["--allow-grants"]);
    let udp = datagrams.local_addr().unwrap().to_string();
    upload_in(
        language,
        &server,
        &sockets(&[granted.to_string(), udp.clone()], false),
    )
    .ok();
    assert_ends(
        &server,
        &[
            (&format!("connect {granted}"), "connected"),
            (&format!("send {udp}"), "sent"),
            (&format!("connect {}", other.local_addr().unwrap()), "failed: ..."),
            (&format!("send {granted}"), "sent"),
            ("send 127.0.0.1:9", "failed: ..."),
            ("lookup localhost", "failed: ..."),
            (&format!("connect localhost:{port}"), "failed: ..."),
            (&format!("listen {udp}"), "failed: ..."),
        ],
    );
    if language == Language::Rust {
        // At a port of the system's choice, Go's verb opens a socket for datagrams: its package has none for connections.
        assert_ends(&server, &[("listen 0.0.0.0:0", "failed: ...")]);
    }
    let (peer, _) = listener.accept().unwrap();
    let mut line = String::new();
    BufReader::new(peer).read_line(&mut line).unwrap();
    assert_eq!(line, "reached\n");
    let mut datagram = [0; 16];
    assert_eq!(datagrams.recv(&mut datagram).unwrap(), 7);
    assert!(other.accept().is_err(), "nobody has connected");
    let log = server.log();
    for text in [
        "denied: the module may not connect to 127.0.0.1:9",
        "denied: the module may not look up",
        "denied: an activity may not listen",
    ] {
        assert!(log.contains(text), "{text:?} is missing: {log}");
    }

    // A granted name leads to the addresses that it stands for, and only with its port.
    let name = format!("localhost:{port}");
    upload_in(language, &server, &sockets(std::slice::from_ref(&name), false)).ok();
    assert_ends(&server, &[("lookup localhost", "failed: ...")]);
    upload_in(language, &server, &sockets(std::slice::from_ref(&name), true)).ok();
    assert_ends(
        &server,
        &[
            (&format!("connect {name}"), "connected"),
            (
                &format!("connect localhost:{}", other.local_addr().unwrap().port()),
                "failed: ...",
            ),
            (&format!("connect {granted}"), "failed: ..."),
        ],
    );
}

// C4
fn an_attempt_holds_no_more_connections_than_it_may(language: Language) {
    let address = serving(|mut peer| drop(peer.read(&mut [0])));
    let server = Server::start_with(&["--allow-grants"]);
    upload_in(language, &server, &sockets(&[address.to_string()], false)).ok();
    let end = exhaust(&server, &format!("sockets {address}"));
    assert!(
        end.starts_with("failed: ") && end.contains("did not return") && end.contains("256 handles"),
        "{end}"
    );
    assert_ends(&server, &[(&format!("connect {address}"), "connected")]);
}

// C4
#[test]
fn connections_take_part_in_the_servers_descriptors() {
    let settings = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(settings.path(), "[activities]\ndescriptors = 8\n").unwrap();
    let address = serving(|mut peer| drop(peer.read(&mut [0])));
    let server = Server::start_with(&["--allow-grants", "--config", settings.path().to_str().unwrap()]);
    upload_in(Language::Go, &server, &sockets(&[address.to_string()], false)).ok();
    let end = exhaust(&server, &format!("sockets {address}"));
    assert!(
        end.contains("as many open files and connections as they may"),
        "{end}"
    );
    // What a connection holds goes with it.
    assert_ends(&server, &[(&format!("again 20 connect {address}"), "connected")]);
}

// C3
#[test]
fn in_go_a_denial_names_the_line_that_grants_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Server::start_with(&["--allow-grants"]);
    grant(&server, &[format!("localhost:{port}")]);
    let denied = |what: &str, parts: &[&str]| {
        let end = reach(&server, what);
        for part in [&["denied: ", "[grants.sockets]"], parts].concat() {
            assert!(end.contains(part), "{what}: {part:?} is missing: {end}");
        }
        end
    };
    // In the words that the host has for the operator.
    for what in ["connect 127.0.0.1:7", "send 127.0.0.1:7", "ask 127.0.0.1:7"] {
        let end = denied(what, &["connect = [\"127.0.0.1:7\"]"]);
        let (_, reason) = end.split_once("denied: ").unwrap();
        assert!(server.log().contains(&format!("denied: {reason}")), "{end}");
    }
    denied("connect [::1]:7", &["connect = [\"[::1]:7\"]"]);
    denied(
        "connect nowhere.example:7",
        &["connect = [\"nowhere.example:7\"]"],
    );
    denied("lookup nowhere.example", &["connect = [\"nowhere.example:443\"]"]);
    // What a name stands for is the operator's to know.
    let end = denied(
        &format!("connect localhost:{port}"),
        &[
            "\"localhost\" stands for an address that is not public",
            "the log of the attempt",
        ],
    );
    assert!(!end.contains("127.0.0.1") && !end.contains("::1"), "{end}");
    assert!(server.log().contains("denied: \"localhost\" stands for "));
    // With these addresses granted, the name leads there, but not to other ports.
    upload_in(
        Language::Go,
        &server,
        &sockets(&[format!("localhost:{port}")], true),
    )
    .ok();
    assert_ends(&server, &[(&format!("connect localhost:{port}"), "connected")]);
    denied(
        "connect localhost:7",
        &["connect = [\"localhost:7\"]", "the log of the attempt"],
    );
    // Without any grant there is no socket at all.
    upload_in(Language::Go, &server, "").ok();
    denied("connect 127.0.0.1:9", &["connect = [\"127.0.0.1:9\"]"]);
    assert!(server.log().contains("the module has no sockets"));
}

// A3, C3
#[test]
fn in_go_connections_and_datagrams_are_as_in_gos_own_package() {
    // One server for all of it: what takes time is to compile the guest.
    let server = Server::start_with(&["--allow-grants"]);
    an_address_that_cannot_be_read_says_why(&server);
    one_goroutine_reads_while_another_writes(&server);
    a_deadline_ends_a_wait_and_the_connection_goes_on(&server);
    what_the_peer_does_is_told(&server);
    a_cancellation_ends_a_read(&server);
    datagrams_go_to_and_come_from_granted_addresses_only(&server);
}

fn an_address_that_cannot_be_read_says_why(server: &Server) {
    grant(server, &["127.0.0.1:9".to_owned()]);
    for (address, why) in [
        ("127.0.0.1", "missing port in address"),
        (":9", "missing host in address"),
        ("127.0.0.1:http", "the port is not a number"),
        ("127.0.0.1:70000", "the port is not a number"),
        ("::1:9", "too many colons in address"),
        ("[::1:9", "missing ']' in address"),
    ] {
        let end = reach(server, &format!("connect {address}"));
        assert!(end.contains(why), "{address}: {end}");
    }
}

fn one_goroutine_reads_while_another_writes(server: &Server) {
    let address = serving(|peer| {
        copy(&mut &peer, &mut &peer).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
    });
    grant(server, &[address.to_string()]);
    // More than the system keeps for both: neither ends unless the other goes on.
    let local: SocketAddr = reach(server, &format!("echo {address} 20000000"))
        .parse()
        .unwrap();
    assert!(local.ip().is_loopback() && local.port() != 0, "{local}");
    reach(server, &format!("echo {address} 0"))
        .parse::<SocketAddr>()
        .unwrap();
}

fn a_deadline_ends_a_wait_and_the_connection_goes_on(server: &Server) {
    let address = serving(|peer| {
        let mut line = String::new();
        BufReader::new(&peer).read_line(&mut line).unwrap();
        writeln!(&peer, "then {}", line.trim()).unwrap();
    });
    // It takes connections and nothing else.
    let deaf = serving(|_peer| {
        loop {
            thread::park();
        }
    });
    grant(server, &[address.to_string(), deaf.to_string()]);
    assert_ends(
        server,
        &[
            (&format!("hear {address} 20"), "i/o timeout, then now"),
            (&format!("flood {deaf} 100000000"), "late"),
            (
                &format!("dial 0 {address}"),
                &format!("failed: dial tcp {address}: i/o timeout"),
            ),
            (&format!("dial 60000 {address}"), "connected"),
        ],
    );
}

fn what_the_peer_does_is_told(server: &Server) {
    let closing = serving(|mut peer| peer.read_exact(&mut [0]).unwrap());
    let resetting = serving(|peer| {
        // What is closed before it was read is reset.
        peer.peek(&mut [0]).unwrap();
    });
    let silent = serving(|mut peer| drop(peer.read(&mut [0])));
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let all = [closing, resetting, silent, refusing].map(|address| address.to_string());
    grant(server, &all);
    assert_ends(
        server,
        &[
            (&format!("end {closing}"), "ended"),
            (&format!("end {resetting}"), "reset"),
            (&format!("hangup {silent}"), "closed"),
            (&format!("connect {refusing}"), "refused"),
        ],
    );
}

fn a_cancellation_ends_a_read(server: &Server) {
    let (sender, lines) = mpsc::channel();
    let address = serving(move |mut peer| {
        let mut text = String::new();
        let _ = peer.read_to_string(&mut text);
        sender.send(text).unwrap();
    });
    grant(server, &[address.to_string()]);
    let plan =
        json!({"activity": "Hold", "argument": address.to_string(), "cancellation": "wait"}).to_string();
    server.start_workflow("Trial", "h", &[&plan]).ok();
    while !runs(server, "h") {}
    server.signal("h", "cancel", &[]).ok();
    assert_eq!(
        server.result("h").json()["result"],
        "cancelled with the activity was cancelled"
    );
    assert_eq!(lines.recv().unwrap(), "attempt 1\n");
}

fn datagrams_go_to_and_come_from_granted_addresses_only(server: &Server) {
    let granted = UdpSocket::bind("127.0.0.1:0").unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = granted.local_addr().unwrap();
    grant(server, &[address.to_string()]);
    thread::spawn(move || {
        let mut text = [0; 16];
        loop {
            let (count, from) = granted.recv_from(&mut text).unwrap();
            other.send_to(b"other", from).unwrap();
            granted.send_to(&text[..count], from).unwrap();
        }
    });
    assert_ends(
        server,
        &[
            (&format!("ask {address}"), "reached\n"),
            (&format!("first {address}"), "reac"),
        ],
    );
    let end = reach(server, "first 127.0.0.1:9");
    assert!(
        end.starts_with("failed: write udp4 0.0.0.0:")
            && end.contains("->127.0.0.1:9: denied: the module may not connect"),
        "{end}"
    );
}
