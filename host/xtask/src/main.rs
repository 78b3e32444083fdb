//! Set-up and chores, run as `cargo xtask COMMAND` (`just COMMAND` is the same).
//!
//! Every command honours `CARGO_TARGET_DIR`; what the texts call `target/` is that folder.

mod bench;
mod ci;
mod demo;
mod error;
mod glue;
mod go;
mod guests;
mod process;
mod python;
mod soak;
mod tally;
mod test;
mod workers;
mod workspace;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The chores of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    command: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Build every example guest into target/guests/NAME.wasm
    Guests,
    /// Make what tests need of Temporal's SDKs: a Python environment, and workers in TypeScript and Go
    ///
    /// `test` does this by itself.
    Workers,
    /// Write the Go side of wit/ to guest-sdk/go, where it is stale
    Glue,
    /// What TinyGo asks of `wasm-tools`, which it starts when it builds the Go examples
    #[command(subcommand, hide = true)]
    Component(go::component::Command),
    /// TinyGo as the chores use it, with what stands in for `wasm-tools` where that is not installed; for tests
    #[command(hide = true, disable_help_flag = true)]
    Tinygo {
        /// Passed on to TinyGo
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Play an order from creation to delivery, with a crash in the middle
    ///
    /// Builds what is missing, starts a server with a temporary database on free ports, and prints each command with its answer.
    Demo,
    /// Run all tests, and print how many passed and failed
    ///
    /// LONGHAUL_TEST_CYCLES is how often the tests that draw from a seed do so: seeds of random programs (default 2,000), cycles of the
    /// tests that kill the server (default 30) and the server and its workers (default 10).
    Test,
    /// Build for release and run `longhaul bench` with the given arguments, with guests in Go if the first is `go`
    #[command(disable_help_flag = true)]
    Bench {
        /// Passed on to `longhaul bench`; try `--help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Play random programs under random crashes, seed after seed, until one fails
    ///
    /// Prints how far it is. A failure prints its seed, and the command that plays that seed again.
    Soak(soak::Arguments),
    /// Everything that a change must pass: formatting, clippy, documentation, tests
    Ci,
}

fn main() -> ExitCode {
    let chore = Arguments::parse().command;
    let result = match chore {
        // TinyGo starts this one, not cargo.
        Chore::Component(command) => go::component::run(command),
        // A user's build starts this one.
        Chore::Tinygo { arguments } => go::tinygo(&arguments),
        chore => Workspace::locate().and_then(|workspace| run(&workspace, chore)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(workspace: &Workspace, chore: Chore) -> Result<(), error::Error> {
    match chore {
        Chore::Guests => guests::list(workspace),
        Chore::Glue => glue::write(workspace),
        Chore::Workers => workers::list(workspace),
        Chore::Demo => demo::run(workspace),
        Chore::Test => test::run(workspace),
        Chore::Bench { arguments } => bench::run(workspace, &arguments),
        Chore::Soak(arguments) => soak::run(workspace, &arguments),
        Chore::Ci => ci::run(workspace),
        Chore::Component(command) => go::component::run(command),
        Chore::Tinygo { arguments } => go::tinygo(&arguments),
    }
}
