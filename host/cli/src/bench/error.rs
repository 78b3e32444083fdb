//! Why something could not be measured.

use std::{io, path::PathBuf};

/// A measurement that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The component is not there.
    #[error(
        "cannot read the component {}: {source}; `cargo xtask guests` builds it, --component names another",
        path.display()
    )]
    Component {
        /// Where it was looked for.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },

    /// Operations failed; the rates that were printed leave them out, the times do not.
    #[error("{failed} operations failed; the first one: {first}")]
    Failed {
        /// How many, over all cases.
        failed: u64,
        /// The case, and what the first one said.
        first: String,
    },

    /// The other process of a case ended, or said something else than figures.
    #[error("the process that is measured gave no figures: {0}")]
    Population(String),

    /// The operating system does not tell what this process takes.
    #[error("cannot read {}: {reason}", path.display())]
    Process {
        /// The file that should tell.
        path: PathBuf,
        /// Why it does not.
        reason: String,
    },

    /// The sandbox refused or stopped the component.
    #[error("the component failed in the sandbox: {0}")]
    Sandbox(String),

    /// An answer is not what the component computes.
    #[error("{what} is {found}, but should be {expected}; is this the component `bench`?")]
    Answer {
        /// What was asked for.
        what: &'static str,
        /// What came.
        found: String,
        /// What should have come.
        expected: String,
    },

    /// SIGINT.
    #[error("interrupted")]
    Interrupted,
}
