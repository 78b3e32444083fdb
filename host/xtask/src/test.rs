//! `test`: all tests of the repository, and one count of them.

use std::{
    fs, io,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    error::Error,
    go, guests,
    process::{run as run_program, say, text, watch},
    python,
    tally::Tally,
    workers::Sdk,
    workspace::Workspace,
};

/// A phase that has ended.
struct Phase {
    name: &'static str,
    tally: Tally,
    took: Duration,
    /// What went wrong beside tests that failed.
    problem: Option<String>,
}

/// Runs all tests. A phase that fails does not keep the later ones from running.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    let started = Instant::now();
    guests::build(workspace)?;
    // Without them, half of what the host's tests compare is missing: that is a failure, which the end tells once more.
    let go_guests = go::build(workspace);
    if let Err(error) = &go_guests {
        say(format!(
            "\nTHE GUESTS IN GO WERE NOT BUILT, and what needs them fails: {error}\n"
        ));
    }
    // In one command with the tests, so that both are built with the same features of the same dependencies.
    run_program(
        workspace
            .cargo("build")
            .args(["--workspace", "--bins", "--tests"]),
    )?;
    let built = started.elapsed();
    // What earlier tests have left must not be judged again.
    let left = histories(workspace);
    match fs::remove_dir_all(&left) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::file("remove", left)(error));
        }
        _ => {}
    }

    let mut phases = Vec::new();
    phases.push(phase("host", || {
        let mut command = host_tests(workspace);
        count(command.arg("--no-fail-fast"))
    }));
    phases.push(phase("guest SDK", || {
        let mut command = workspace.cargo_in(&workspace.sdk(), &workspace.guest_build(), "test");
        count(command.args(["--workspace", "--all-features", "--no-fail-fast"]))
    }));
    phases.push(phase("Go SDK", || {
        go_guests?;
        let mut command = Command::new("go");
        count(
            command
                // From the examples' module, which has packages of its own beside the SDK's.
                .args(["test", "-v", "longhaul/...", "./internal/..."])
                .current_dir(workspace.go_examples()),
        )
    }));
    phases.push(phase("Python client", || {
        let python = python::environment(workspace)?;
        // Plain `cargo test` ignores these tests, because it has no Python environment.
        let mut command = host_tests(workspace);
        count(
            command
                .args([
                    "--test",
                    "order_python",
                    "--test",
                    "outside_workers",
                    "--test",
                    "scenarios",
                    "--test",
                    "operations_cli",
                    "--test",
                    "lab",
                    "--test",
                    "across_languages",
                    "--test",
                    "kill_activities",
                    "--",
                    "--ignored",
                ])
                .env("LONGHAUL_PYTHON", python),
        )
    }));
    let mut left_out = Vec::new();
    for sdk in Sdk::ALL {
        if let Some(why) = sdk.missing() {
            left_out.push((sdk.name(), why));
            continue;
        }
        phases.push(phase(sdk.name(), || {
            // The cases of the lab are played by a client in Python.
            let (python, worker) = (python::environment(workspace)?, sdk.make(workspace)?);
            let mut command = host_tests(workspace);
            count(
                command
                    .args(["--test", "other_sdks", "--", "--ignored", sdk.tests()])
                    .env("LONGHAUL_PYTHON", python)
                    .env(sdk.variable(), worker),
            )
        }));
    }
    phases.push(phase("judge", || {
        let mut command = workspace.cargo_in(&workspace.judge(), &workspace.judge_build(), "test");
        count(
            command
                .arg("--no-fail-fast")
                .env("LONGHAUL_HISTORIES", histories(workspace)),
        )
    }));
    report(built, &phases, &left_out)
}

/// `cargo test` over the host's workspace, with what the end-to-end tests need to know.
fn host_tests(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo("test");
    command
        .arg("--workspace")
        .env("LONGHAUL_BIN", workspace.binary("debug"))
        .env("LONGHAUL_GUESTS", workspace.guests())
        .env("LONGHAUL_HISTORIES", histories(workspace));
    command
}

/// Where tests leave the histories that the judge replays.
fn histories(workspace: &Workspace) -> PathBuf {
    workspace.target.join("histories")
}

/// Runs a phase and takes its time.
fn phase(name: &'static str, body: impl FnOnce() -> Result<(Tally, Option<String>), Error>) -> Phase {
    say(format!("\n== {name}"));
    let started = Instant::now();
    let (tally, problem) = match body() {
        Ok((tally, problem)) => (tally, problem),
        Err(error) => (Tally::default(), Some(error.to_string())),
    };
    // A phase in which nothing ran has shown nothing.
    let problem = problem.or_else(|| (tally.ran() == 0).then(|| "no test ran".to_owned()));
    Phase {
        name,
        tally,
        took: started.elapsed(),
        problem,
    }
}

/// Runs a test command and counts its tests; says if it failed without a failed test (it did not compile, it crashed).
fn count(command: &mut Command) -> Result<(Tally, Option<String>), Error> {
    let mut tally = Tally::default();
    let succeeded = watch(command, |line| tally.see(line))?;
    let problem = (!succeeded && tally.failed == 0).then(|| format!("`{}` failed", text(command)));
    Ok((tally, problem))
}

/// Prints a line a phase, what this machine could not run, and the sum; an error if anything is wrong.
fn report(built: Duration, phases: &[Phase], left_out: &[(&str, String)]) -> Result<(), Error> {
    say(format!("\n{:<14} {:>7.1} s", "build", built.as_secs_f64()));
    let mut sum = Tally::default();
    for Phase {
        name,
        tally,
        took,
        problem,
    } in phases
    {
        let note = problem
            .as_ref()
            .map(|problem| format!("  {problem}"))
            .unwrap_or_default();
        let Tally { passed, failed } = tally;
        say(format!(
            "{name:<14} {:>7.1} s  {passed:>5} passed {failed:>3} failed{note}",
            took.as_secs_f64()
        ));
        sum += *tally;
    }
    for (name, why) in left_out {
        say(format!("{name:<14} NOT TESTED: {why}"));
    }
    say(format!("{} passed, {} failed", sum.passed, sum.failed));

    let incomplete: Vec<&str> = phases
        .iter()
        .filter(|phase| phase.problem.is_some())
        .map(|phase| phase.name)
        .collect();
    match (sum.failed, incomplete.as_slice()) {
        (0, []) => Ok(()),
        (failed, []) => Err(Error::Tests(format!("{failed} tests failed"))),
        (_, names) => Err(Error::Tests(format!("not everything ran: {}", names.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_without_tests_is_a_failure() {
        let empty = phase("empty", || Ok((Tally::default(), None)));
        assert_eq!(empty.problem.as_deref(), Some("no test ran"));
        assert!(report(Duration::ZERO, &[empty], &[]).is_err());
    }

    #[test]
    fn a_failed_test_is_a_failure() {
        let good = phase("good", || Ok((Tally { passed: 2, failed: 0 }, None)));
        assert!(report(Duration::ZERO, &[good], &[]).is_ok());
        let bad = phase("bad", || Ok((Tally { passed: 2, failed: 1 }, None)));
        assert!(report(Duration::ZERO, &[bad], &[]).is_err());
    }
}
