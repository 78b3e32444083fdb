//! `bench`: measure the release build.

use std::{ffi::OsString, process::Command};

use crate::{error::Error, guests, process::run as run_program, workspace::Workspace};

/// Builds for release and runs `longhaul bench ARGUMENTS`.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<(), Error> {
    guests::build(workspace)?;
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
