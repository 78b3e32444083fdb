//! `bench`: measure the release build.

use std::{ffi::OsString, process::Command};

use crate::{
    error::Error,
    go, guests,
    process::{run as run_program, say},
    workspace::Workspace,
};

/// Builds for release and runs `longhaul bench ARGUMENTS`. Where their first word is `go`, the case is run with the component in Rust,
/// then with the same one in Go.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<(), Error> {
    guests::build(workspace)?;
    let (in_go, arguments) = match arguments.split_first() {
        Some((word, rest)) if word == "go" => (true, rest),
        _ => (false, arguments),
    };
    if in_go {
        go::build(workspace)?;
    }
    // The same selection as that of the tests, so that the same features of dependencies are built.
    run_program(
        workspace
            .cargo("build")
            .args(["--release", "--workspace", "--bins"]),
    )?;
    if !in_go {
        return measure(workspace, arguments, None);
    }
    for (language, guest) in [("Rust", "bench"), ("Go", "bench-go")] {
        say(format!("\n== {language}"));
        measure(workspace, arguments, Some(guest))?;
    }
    Ok(())
}

fn measure(workspace: &Workspace, arguments: &[OsString], guest: Option<&str>) -> Result<(), Error> {
    let mut command = Command::new(workspace.binary("release"));
    command.arg("bench");
    if let Some(guest) = guest {
        command.arg("--component").arg(workspace.guest(guest));
    }
    run_program(command.args(arguments).env("LONGHAUL_GUESTS", workspace.guests()))
}
