//! The workers of Temporal's TypeScript and Go SDKs that tests start, made from `tests/workers`.

use std::{
    fs, io,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    error::Error,
    process::{run, say},
    python,
    workspace::Workspace,
};

/// An SDK whose worker is made here.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sdk {
    TypeScript,
    Go,
}

/// What the TypeScript worker is made of.
const TYPESCRIPT_FILES: [&str; 4] = ["package.json", "package-lock.json", "tsconfig.json", "worker.ts"];
/// As the SDK's packages say (`engines` in `package.json`).
const NODE: Version = Version(20, 3);
/// From here on, Go gets by itself whatever later version `go.mod` names.
const GO: Version = Version(1, 21);

impl Sdk {
    pub(crate) const ALL: [Self; 2] = [Self::TypeScript, Self::Go];

    /// As people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TypeScript => "TypeScript SDK",
            Self::Go => "Go SDK",
        }
    }

    /// The module of `tests/tests/other_sdks.rs` with its tests.
    pub(crate) fn tests(self) -> &'static str {
        match self {
            Self::TypeScript => "typescript::",
            Self::Go => "go::",
        }
    }

    /// The variable that tells the tests where the worker is.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::TypeScript => "LONGHAUL_TYPESCRIPT_WORKER",
            Self::Go => "LONGHAUL_GO_WORKER",
        }
    }

    /// What this machine lacks to make and run the worker.
    pub(crate) fn missing(self) -> Option<String> {
        match self {
            Self::TypeScript => lacks("node", &["--version"], NODE).or_else(|| {
                answer("npm", &["--version"])
                    .is_none()
                    .then(|| "there is no `npm`".to_owned())
            }),
            Self::Go => lacks("go", &["version"], GO),
        }
    }

    /// Makes the worker; where it is.
    pub(crate) fn make(self, workspace: &Workspace) -> Result<PathBuf, Error> {
        match self {
            Self::TypeScript => typescript(workspace),
            Self::Go => go(workspace),
        }
    }
}

/// Makes everything, and prints where it is or why it is not.
pub(crate) fn list(workspace: &Workspace) -> Result<(), Error> {
    say(format!("Python: {}", python::environment(workspace)?.display()));
    for sdk in Sdk::ALL {
        let made = match sdk.missing() {
            Some(why) => format!("not made: {why}"),
            None => sdk.make(workspace)?.display().to_string(),
        };
        say(format!("{}: {made}", sdk.name()));
    }
    Ok(())
}

/// Installs what the lock file names, and compiles; nothing if that has been done.
fn typescript(workspace: &Workspace) -> Result<PathBuf, Error> {
    let from = workspace.root.join("tests/workers/typescript");
    let folder = workspace.target.join("workers/typescript");
    let worker = folder.join("worker.js");
    let mut wanted = Vec::new();
    for name in TYPESCRIPT_FILES {
        let path = from.join(name);
        wanted.extend(fs::read(&path).map_err(Error::file("read", path))?);
    }
    // Written last, so that a half-made worker is made anew.
    let stamp = folder.join("made-of");
    if fs::read(&stamp).is_ok_and(|present| present == wanted) && worker.is_file() {
        return Ok(worker);
    }

    say(format!("making {} from {}", folder.display(), from.display()));
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::file("remove", folder)(error));
        }
        _ => {}
    }
    fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
    for name in TYPESCRIPT_FILES {
        let to = folder.join(name);
        fs::copy(from.join(name), &to).map_err(Error::file("write", to))?;
    }
    // No package's own scripts: what is needed of the SDK comes compiled.
    run(Command::new("npm")
        .args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ])
        .current_dir(&folder))?;
    run(Command::new("node")
        .arg("node_modules/typescript/bin/tsc")
        .current_dir(&folder))?;
    fs::write(&stamp, wanted).map_err(Error::file("write", &stamp))?;
    Ok(worker)
}

/// Builds; Go itself knows what has changed.
fn go(workspace: &Workspace) -> Result<PathBuf, Error> {
    let worker = workspace
        .target
        .join("workers/go")
        .join(format!("worker{}", std::env::consts::EXE_SUFFIX));
    run(Command::new("go")
        .args(["build", "-trimpath", "-buildvcs=false", "-o"])
        .arg(&worker)
        .arg(".")
        // Distributions switch it off.
        .env("GOTOOLCHAIN", "auto")
        .current_dir(workspace.root.join("tests/workers/go")))?;
    Ok(worker)
}

/// Major and minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

impl Version {
    /// The first in what a program says of itself: `v20.20.2`, `go version go1.26.0 linux/amd64`.
    fn first_in(text: &str) -> Option<Self> {
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        text.split_whitespace().find_map(|word| {
            let (major, rest) = word
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .split_once('.')?;
            Some(Self(major.parse().ok()?, digits(rest).parse().ok()?))
        })
    }
}

/// Why a program is not there in this version or a later one, if so.
fn lacks(program: &str, arguments: &[&str], least: Version) -> Option<String> {
    let Version(major, minor) = least;
    let wanted = format!("`{program}` {major}.{minor} or later");
    let Some(said) = answer(program, arguments) else {
        return Some(format!("there is no {wanted}"));
    };
    match Version::first_in(&said) {
        Some(version) if version >= least => None,
        _ => Some(format!("there is no {wanted}, but {}", said.trim())),
    }
}

/// What a program prints, if it is there.
fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        for (said, version) in [
            ("v20.20.2\n", Some(Version(20, 20))),
            ("go version go1.26.8 linux/amd64", Some(Version(1, 26))),
            ("go version go1.21rc2 linux/amd64", Some(Version(1, 21))),
            ("v8.0.0", Some(Version(8, 0))),
            ("unknown", None),
        ] {
            assert_eq!(Version::first_in(said), version, "{said}");
        }
        assert!(Version(20, 3) > Version(18, 20) && Version(1, 19) < GO);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let why = lacks("longhaul-no-such-program", &["--version"], NODE).unwrap();
        assert_eq!(why, "there is no `longhaul-no-such-program` 20.3 or later");
    }
}
