//! Why a chore stopped.

use std::{io, path::PathBuf, process::ExitStatus};

/// Why a chore stopped. Each text says what to do, unless what was printed above it already has.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A program could not be started.
    #[error("cannot run `{command}`: {source}")]
    Start { command: String, source: io::Error },

    /// A program ended with a failure; its own messages stand above.
    #[error("`{command}` failed ({status})")]
    Failed { command: String, status: ExitStatus },

    /// A program answered something else than its documentation says.
    #[error("`{command}` answered something unexpected: {problem}")]
    Answer { command: String, problem: String },

    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },

    /// The chore was not started by cargo.
    #[error("run this through cargo: `cargo xtask ...` anywhere in the repository")]
    NotThroughCargo,

    /// Guests cannot be compiled.
    #[error(
        "Rust's standard library for {target} is not installed, and there is no rustup that could install it; install Rust \
         from https://rustup.rs, or add the {target} target in the way of your Rust distribution"
    )]
    NoWasmTarget { target: &'static str },

    /// The guests' workspace defines nothing.
    #[error("no package under {} builds a component (crate-type = [\"cdylib\"])", path.display())]
    NoGuests { path: PathBuf },

    /// No folder of the Go examples has a program.
    #[error("no folder under {} has a program that uses longhaul/workflow or longhaul/activity", path.display())]
    NoGoGuests { path: PathBuf },

    /// Guests in Go cannot be compiled.
    #[error(
        "there is no TinyGo for the guests in Go ({}); install TinyGo 0.41 (https://tinygo.org/getting-started/install) and Go \
         1.24 or later, or on Debian run this as root, with Go installed, so that TinyGo can be built",
        problems.join("; ")
    )]
    NoTinygo { problems: Vec<String> },

    /// Go files are not formatted.
    #[error("not formatted: {files}; run `gofmt -w .` in {}", folder.display())]
    Unformatted { folder: PathBuf, files: String },

    /// The contract does not parse.
    #[error("cannot read the contract in {}: {problem}", path.display())]
    Wit { path: PathBuf, problem: String },

    /// The contract has something that the generator of Go's glue does not know.
    #[error(
        "interface `{interface}` has {what}, for which there is no Go glue; teach it to host/xtask/src/glue"
    )]
    Glue { interface: String, what: String },

    /// A module cannot become a component.
    #[error("cannot make a component of {}: {problem}", path.display())]
    Component { path: PathBuf, problem: String },

    /// The Python client's tests cannot run.
    #[error(
        "the tests of the Python client need `python3` (3.10 or later) with its venv module, and {problem}; on Debian: apt \
         install python3-venv"
    )]
    NoPython { problem: String },

    /// The server ended before it served.
    #[error("the server did not come up; it said: {0}")]
    NoServer(String),

    /// The demo met an answer that it did not expect.
    #[error("the demo expected {expected}; the answer stands above")]
    Demo { expected: String },

    /// A signal asked the chore to stop.
    #[error("interrupted")]
    Interrupted,

    /// The handler of Ctrl-C could not be installed.
    #[error("cannot handle Ctrl-C: {0}")]
    Signals(#[from] ctrlc::Error),

    /// Tests failed, or a part of them did not run.
    #[error("{0}")]
    Tests(String),
}

impl Error {
    /// Adapts an I/O error: `.map_err(Error::file("read", path))`.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// Adapts an error about WIT files: `.map_err(Error::wit(path))`.
    pub(crate) fn wit<E: std::fmt::Display>(path: impl Into<PathBuf>) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |problem| Self::Wit {
            path,
            problem: format!("{problem:#}"),
        }
    }
}
