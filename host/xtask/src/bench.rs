//! `bench`: measure the release build.

use std::{ffi::OsString, process::Command};

use crate::{error::Error, go, guests, process::run as run_program, workspace::Workspace};

/// Builds for release and runs `longhaul bench ARGUMENTS`; where their first word is `go`, with the component of that language.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<(), Error> {
    guests::build(workspace)?;
    let in_go = arguments.first().is_some_and(|word| word == "go");
    let mut arguments = arguments.to_vec();
    if in_go {
        go::build(workspace)?;
        arguments[0] = OsString::from("--component");
        arguments.insert(1, workspace.guest("bench-go").into_os_string());
    }
    run_program(
        workspace
            .cargo("build")
            .args(["--release", "--package", "longhaul"]),
    )?;
    run_program(
        Command::new(workspace.binary("release"))
            .arg("bench")
            .args(arguments)
            .env("LONGHAUL_GUESTS", workspace.guests()),
    )
}
