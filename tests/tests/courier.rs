//! A family across languages: offices in Rust and in Go, each the parent or the child of the other, stamps of either.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    thread,
    time::{Duration, Instant},
};

use longhaul_tests::Server;
use serde_json::{Value, json};

/// Whatever a test waits for comes within this time, or never.
const PATIENCE: Duration = Duration::from_secs(60);

fn server() -> Server {
    let server = Server::skipping_time();
    server.upload("courier", "default");
    server.upload("courier-go", "default");
    server
}

/// What befalls a parcel beside its way.
#[derive(Clone, Copy, Default)]
struct Fate {
    /// It is stamped by local activities.
    local: bool,
    /// The last office refuses it.
    refused: bool,
    /// The last office keeps it until that is cancelled.
    kept: bool,
}

/// Starts a parcel on its way through these offices.
#[track_caller]
fn start(server: &Server, parcel: &str, offices: [&str; 3], stamps: [&str; 3], fate: Fate) {
    let rest: Vec<Value> = (1..3)
        .map(|at| json!({"office": offices[at], "stamp": stamps[at]}))
        .collect();
    let Fate { local, refused, kept } = fate;
    let route = json!({
        "parcel": parcel, "stamp": stamps[0], "rest": rest, "local": local, "refused": refused, "kept": kept,
    });
    server
        .start_workflow(offices[0], parcel, &[&route.to_string()])
        .ok();
}

/// Sends a parcel through these offices. What the first one reports.
#[track_caller]
fn send(server: &Server, parcel: &str, offices: [&str; 3], stamps: [&str; 3], fate: Fate) -> Value {
    start(server, parcel, offices, stamps, fate);
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
        Fate::default(),
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
        Fate::default(),
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
            Fate {
                refused: true,
                ..Fate::default()
            },
        );
        let refusal = json!({"parcel": parcel, "reason": format!("{parcel} is not wanted")});
        assert_eq!(
            (&report["refusal"], &report["heard"]),
            (&refusal, &json!([])),
            "{report}"
        );
    }
}

// E7, E8
#[test]
fn what_one_office_tells_stops_at_a_quiet_one_of_the_other_language() {
    let server = server();
    for (parcel, offices) in [
        ("q1", [RUST, "QuietGoOffice", RUST]),
        ("q2", [GO, "QuietRustOffice", GO]),
    ] {
        let stamps = ["go_stamp", "rust_stamp", "go_stamp"];
        let report = send(&server, parcel, offices, stamps, Fate::default());
        assert_eq!(report["heard"], json!([]), "{parcel}");
        // The quiet one waits for the newest signal, and looks at it once more.
        let quiet = server.result(&format!("{parcel}/{}", offices[1])).json();
        assert_eq!(quiet["result"]["heard"], json!([parcel, parcel]));
        let history = server.history(parcel);
        assert!(!history.contains("WorkflowExecutionSignaled"), "{history}");
    }
}

// A5
#[test]
fn a_local_activity_of_the_other_language_runs_in_the_workflow_task() {
    let server = server();
    for (parcel, offices, stamps) in [
        ("l1", [RUST, GO, RUST], ["go_stamp", "rust_stamp", "go_stamp"]),
        ("l2", [GO, RUST, GO], ["rust_stamp", "go_stamp", "rust_stamp"]),
    ] {
        let local = Fate {
            local: true,
            ..Fate::default()
        };
        let report = send(&server, parcel, offices, stamps, local);
        let in_words = |stamp: &str| if stamp == "go_stamp" { "Go" } else { "Rust" };
        let stamps: Vec<String> = (0..3)
            .map(|at| format!("{parcel} by {} in {}", offices[at], in_words(stamps[at])))
            .collect();
        assert_eq!(
            report,
            json!({"stamps": stamps, "heard": [parcel], "refusal": null})
        );
        let history = server.history(parcel);
        assert!(
            history.contains("MarkerRecorded") && !history.contains("ActivityTaskScheduled"),
            "{history}"
        );
    }
}

// E5, E6
#[test]
fn a_cancellation_goes_down_through_children_of_the_other_language_and_their_ends_come_up() {
    let server = server();
    for (parcel, offices) in [("c1", [RUST, GO, RUST]), ("c2", [GO, RUST, GO])] {
        let kept = Fate {
            kept: true,
            ..Fate::default()
        };
        let stamps = ["go_stamp", "rust_stamp", "go_stamp"];
        start(&server, parcel, offices, stamps, kept);
        let last = format!("{parcel}/{}/{}", offices[1], offices[2]);
        let begun = Instant::now();
        loop {
            let shown = server.longhaul(&["workflow", "show", "-w", &last]);
            if shown.code == 0 && shown.stdout.contains("ActivityTaskCompleted") {
                break;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "the parcel has not arrived: {shown:?}"
            );
            thread::sleep(Duration::from_millis(20));
        }
        server.longhaul(&["workflow", "cancel", "-w", parcel]).ok();
        let middle = format!("{parcel}/{}", offices[1]);
        for office in [parcel, &middle, &last] {
            let result = server.result(office);
            assert!(result.stdout.contains("CANCELED"), "{office}: {result:?}");
        }
        for office in [parcel, &middle] {
            let history = server.history(office);
            assert!(
                history.contains("ChildWorkflowExecutionCanceled"),
                "{office}: {history}"
            );
        }
    }
}
