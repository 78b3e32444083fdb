//! The lab: programs whose outcome on a real Temporal server was recorded, played through the official Python client.
//!
//! What each case does and saw stands in `tests/lab/cases`. `cargo xtask test` makes the Python environment and runs this; plain
//! `cargo test` leaves it out.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use longhaul_tests::{
    Background, Language, Server, export, in_each_language,
    lab::{QUEUE, cases, must_pass},
    python,
};

in_each_language! {
    #[ignore = "needs the Python environment that `cargo xtask test` makes"]
    every_case_looks_like_on_temporal,
    #[ignore = "needs the Python environment that `cargo xtask test` makes"]
    activities_may_be_served_from_python,
}

// S2, S3, S4, S6, S8, Q1, Q2, Q4, Q6, U1, U2, U3, U4, U7, U9, W1, E1, E2, E3, E4, E5, E6, A1, A2, A3, A5
fn every_case_looks_like_on_temporal(language: Language) {
    let server = Server::start();
    server.upload_in(language, "lab", QUEUE);
    server.upload_in(language, "lab-activities", QUEUE);
    must_pass(&server, &cases(|_| true));
    export::histories(&server, &language.named("lab"));
}

// A1, A2, A3
fn activities_may_be_served_from_python(language: Language) {
    let server = Server::start();
    server.upload_in(language, "lab", QUEUE);
    let _worker = Background::start(python::script("lab/worker.py", &server).arg("activities"));
    must_pass(&server, &cases(|name| name.starts_with("activit")));
    export::histories(&server, &language.named("lab_python_activities"));
}
