//! A family across languages: offices in Rust and in Go, each the parent or the child of the other, stamps of either.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use longhaul_tests::Server;
use serde_json::{Value, json};

fn server() -> Server {
    let server = Server::skipping_time();
    server.upload("courier", "default");
    server.upload("courier-go", "default");
    server
}

/// Sends a parcel through these offices. What the first one reports.
#[track_caller]
fn send(server: &Server, parcel: &str, offices: [&str; 3], stamps: [&str; 3], refused: bool) -> Value {
    let rest: Vec<Value> = (1..3)
        .map(|at| json!({"office": offices[at], "stamp": stamps[at]}))
        .collect();
    let route = json!({"parcel": parcel, "stamp": stamps[0], "rest": rest, "refused": refused});
    server
        .start_workflow(offices[0], parcel, &[&route.to_string()])
        .ok();
    let mut result = server.result(parcel).json();
    assert_eq!(
        result["status"],
        "COMPLETED",
        "{result}\n{}",
        server.history(parcel)
    );
    result["result"].take()
}

const RUST: &str = "RustOffice";
const GO: &str = "GoOffice";

// E5, E7, A1
#[test]
fn a_parcel_goes_from_rust_to_go_and_back() {
    let server = server();
    let report = send(
        &server,
        "p1",
        [RUST, GO, RUST],
        ["go_stamp", "rust_stamp", "rust_stamp"],
        false,
    );
    let stamps = [
        "p1 by RustOffice in Go",
        "p1 by GoOffice in Rust",
        "p1 by RustOffice in Rust",
    ];
    assert_eq!(
        report,
        json!({"stamps": stamps, "heard": ["p1"], "refusal": null})
    );
}

// E5, E7, A1
#[test]
fn a_parcel_goes_from_go_to_rust_and_back() {
    let server = server();
    let report = send(
        &server,
        "p2",
        [GO, RUST, GO],
        ["rust_stamp", "go_stamp", "go_stamp"],
        false,
    );
    let stamps = [
        "p2 by GoOffice in Rust",
        "p2 by RustOffice in Go",
        "p2 by GoOffice in Go",
    ];
    assert_eq!(
        report,
        json!({"stamps": stamps, "heard": ["p2"], "refusal": null})
    );
}

// E5
#[test]
fn a_refusal_keeps_its_type_and_its_details_in_the_other_language() {
    let server = server();
    for (parcel, offices) in [
        ("p3", [RUST, GO, RUST]),
        ("p4", [GO, RUST, GO]),
        ("p5", [RUST, RUST, GO]),
        ("p6", [GO, GO, RUST]),
    ] {
        let report = send(
            &server,
            parcel,
            offices,
            ["go_stamp", "rust_stamp", "go_stamp"],
            true,
        );
        let refusal = json!({"parcel": parcel, "reason": format!("{parcel} is not wanted")});
        assert_eq!(
            (&report["refusal"], &report["heard"]),
            (&refusal, &json!([])),
            "{report}"
        );
    }
}
