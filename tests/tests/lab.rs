//! The lab: programs whose outcome on a real Temporal server was recorded, played through the official Python client.
//!
//! What each case does and saw stands in `tests/lab/cases`. `cargo xtask test` makes the Python environment and runs this; plain
//! `cargo test` leaves it out.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use longhaul_tests::{
    Background, Server, export,
    lab::{QUEUE, cases, must_pass},
    python,
};

// S2, S3, S4, S6, S8, Q1, Q2, Q4, Q6, U1, U2, U3, U4, U7, U9, W1, E1, E2, E3, E4, E5, E6, A1, A2, A3, A5
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn every_case_looks_like_on_temporal() {
    let server = Server::start();
    server.upload("lab", QUEUE);
    server.upload("lab-activities", QUEUE);
    must_pass(&server, &cases(|_| true));
    export::histories(&server, "lab");
}

// A1, A2, A3
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn activities_may_be_served_from_python() {
    let server = Server::start();
    server.upload("lab", QUEUE);
    let _worker = Background::start(python::script("lab/worker.py", &server).arg("activities"));
    must_pass(&server, &cases(|name| name.starts_with("activit")));
    export::histories(&server, "lab_python_activities");
}
