//! `ci`: everything that a change must pass.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    error::Error,
    go,
    guests::{self, TARGET},
    process::{run as run_program, say},
    test,
    workspace::Workspace,
};

/// Runs the phases in the order of their cost and stops at the first that fails.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    let mut times = Vec::new();
    let result = phases(workspace, &mut times);
    say("");
    for (name, took) in times {
        say(format!("{name:<14} {:>7.1} s", took.as_secs_f64()));
    }
    result
}

fn phases(workspace: &Workspace, times: &mut Vec<(&'static str, Duration)>) -> Result<(), Error> {
    let mut phase = |name, body: &dyn Fn() -> Result<(), Error>| {
        say(format!("\n== {name}"));
        let started = Instant::now();
        let result = body();
        times.push((name, started.elapsed()));
        result
    };
    phase("fmt", &|| format(workspace))?;
    phase("clippy", &|| clippy(workspace))?;
    phase("go vet", &|| go::check(workspace))?;
    phase("doc", &|| documentation(workspace))?;
    phase("test", &|| test::run(workspace))
}

/// Every workspace is formatted.
fn format(workspace: &Workspace) -> Result<(), Error> {
    for folder in [
        workspace.root.clone(),
        workspace.sdk(),
        workspace.examples(),
        workspace.judge(),
    ] {
        run_program(
            workspace
                .cargo_in(&folder, &workspace.target, "fmt")
                .args(["--all", "--check"]),
        )?;
    }
    Ok(())
}

/// No lint fires: in the host, in the SDK as it is tested and as it is shipped, in the guests, in the judge.
fn clippy(workspace: &Workspace) -> Result<(), Error> {
    guests::ensure_target()?;
    let deny = |command: &mut Command| run_program(command.args(["--", "--deny", "warnings"]));
    let guest = workspace.guest_build();
    deny(workspace.cargo("clippy").args(["--workspace", "--all-targets"]))?;
    deny(workspace.cargo_in(&workspace.sdk(), &guest, "clippy").args([
        "--workspace",
        "--all-features",
        "--all-targets",
    ]))?;
    deny(workspace.cargo_in(&workspace.sdk(), &guest, "clippy").args([
        "--workspace",
        "--all-features",
        "--target",
        TARGET,
    ]))?;
    deny(workspace.cargo_in(&workspace.examples(), &guest, "clippy").args([
        "--workspace",
        "--target",
        TARGET,
    ]))?;
    deny(
        workspace
            .cargo_in(&workspace.judge(), &workspace.judge_build(), "clippy")
            .arg("--all-targets"),
    )
}

/// The documentation has no broken link, and nothing public lacks a text.
fn documentation(workspace: &Workspace) -> Result<(), Error> {
    for mut command in [
        workspace.cargo("doc"),
        workspace.cargo_in(&workspace.sdk(), &workspace.guest_build(), "doc"),
    ] {
        run_program(
            command
                .args(["--workspace", "--all-features", "--no-deps"])
                .env("RUSTDOCFLAGS", "--deny warnings"),
        )?;
    }
    Ok(())
}
