//! Scripts that use Temporal's official Python client.
//!
//! `cargo xtask test` makes the Python environment and runs the tests that need it; plain `cargo test` leaves them out.

use std::process::Command;

use crate::{Answer, Server, artifacts};

/// A script of this package, such as `python/order.py`, to be run against a server; further arguments may follow.
pub fn script(path: &str, server: &Server) -> Command {
    let mut command = command(path);
    command.arg(server.address());
    command
}

/// A script of this package without arguments.
pub(crate) fn command(path: &str) -> Command {
    let mut command = Command::new(artifacts::python());
    command
        // No compiled files beside the scripts.
        .arg("-B")
        .arg(artifacts::package().join(path))
        .env_remove("PYTHONPATH");
    command
}

/// Runs a script, which must succeed. What it prints.
#[track_caller]
pub fn run(path: &str, server: &Server) -> String {
    Answer::of(&mut script(path, server)).ok()
}
