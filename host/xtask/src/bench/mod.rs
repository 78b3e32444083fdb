//! `bench`: measure the release build.

mod beside;

use std::{ffi::OsString, process::Command};

use crate::{
    error::Error,
    go, guests,
    process::{capture, run as run_program, say, text},
    workspace::Workspace,
};

/// Builds for release and runs `longhaul bench ARGUMENTS`. Where their first word is `go`, the case is run with the component in Rust,
/// then with the same one in Go, and the figures of both stand side by side.
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
        return run_program(&mut longhaul(workspace, arguments, None));
    }
    let mut documents = Vec::with_capacity(LANGUAGES.len());
    for (language, guest) in LANGUAGES {
        say(format!("Measuring the component in {language} ..."));
        let mut command = longhaul(workspace, arguments, Some(guest));
        command.args(["-o", "json"]);
        let printed = capture(&mut command)?;
        documents.push(
            serde_json::from_str::<serde_json::Value>(&printed).map_err(|error| Error::Answer {
                command: text(&command),
                problem: error.to_string(),
            })?,
        );
    }
    if let [rust, go] = documents.as_slice() {
        say(beside::table(LANGUAGES.map(|(language, _)| language), [rust, go]));
    }
    Ok(())
}

/// The languages that are compared, each with its component.
const LANGUAGES: [(&str, &str); 2] = [("Rust", "bench"), ("Go", "bench-go")];

fn longhaul(workspace: &Workspace, arguments: &[OsString], guest: Option<&str>) -> Command {
    let mut command = Command::new(workspace.binary("release"));
    command.arg("bench");
    if let Some(guest) = guest {
        command.arg("--component").arg(workspace.guest(guest));
    }
    command.args(arguments).env("LONGHAUL_GUESTS", workspace.guests());
    command
}
