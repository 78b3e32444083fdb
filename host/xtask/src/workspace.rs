//! Where things are.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use crate::error::Error;

/// The folders of this repository.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The clone.
    pub(crate) root: PathBuf,
    /// Everything that is built: `CARGO_TARGET_DIR`, else `target` in the clone.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the clone that cargo was called in.
    ///
    /// `CARGO_MANIFEST_DIR` is read when the chore runs, not when it is compiled: several clones may share a target folder.
    pub(crate) fn locate() -> Result<Self, Error> {
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .ok_or(Error::NotThroughCargo)?;
        let root = package
            .ancestors()
            .nth(2)
            .ok_or(Error::NotThroughCargo)?
            .to_owned();
        let target = match env::var_os("CARGO_TARGET_DIR").filter(|path| !path.is_empty()) {
            // As cargo does, a relative path is resolved against the current folder.
            Some(path) => std::path::absolute(&path).map_err(Error::file("resolve", path))?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// Where `guests` puts components.
    pub(crate) fn guests(&self) -> PathBuf {
        self.target.join("guests")
    }

    /// A component that `guests` has built.
    pub(crate) fn guest(&self, name: &str) -> PathBuf {
        self.guests().join(format!("{name}.wasm"))
    }

    /// The workspace of the example guests.
    pub(crate) fn examples(&self) -> PathBuf {
        self.root.join("examples-guest")
    }

    /// The workspace of the Rust SDK for guests.
    pub(crate) fn sdk(&self) -> PathBuf {
        self.root.join("guest-sdk/rust")
    }

    /// The contract between host and guest.
    pub(crate) fn wit(&self) -> PathBuf {
        self.root.join("wit")
    }

    /// The module of the Go SDK for guests.
    pub(crate) fn go_sdk(&self) -> PathBuf {
        self.root.join("guest-sdk/go")
    }

    /// The module of the example guests in Go.
    pub(crate) fn go_examples(&self) -> PathBuf {
        self.root.join("examples-guest/go")
    }

    /// The workspace of the judge.
    pub(crate) fn judge(&self) -> PathBuf {
        self.root.join("tests/judge")
    }

    /// Build folder of the example guests and their SDK, apart from the host's so that cargo's locks do not collide.
    pub(crate) fn guest_build(&self) -> PathBuf {
        self.target.join("guest-build")
    }

    /// Build folder of the judge. Its dependencies are compiled with other settings than the host's, so a shared folder would
    /// save nothing.
    pub(crate) fn judge_build(&self) -> PathBuf {
        self.target.join("judge")
    }

    /// The `longhaul` binary of a profile's folder, `debug` or `release`.
    pub(crate) fn binary(&self, profile_folder: &str) -> PathBuf {
        self.target
            .join(profile_folder)
            .join(format!("longhaul{}", env::consts::EXE_SUFFIX))
    }

    /// The cargo that runs this chore, in the host's workspace.
    pub(crate) fn cargo(&self, verb: &str) -> Command {
        self.cargo_in(&self.root, &self.target, verb)
    }

    /// The cargo that runs this chore, in another workspace of this repository.
    pub(crate) fn cargo_in(&self, folder: &Path, target: &Path, verb: &str) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
        command
            .arg(verb)
            .current_dir(folder)
            .env("CARGO_TARGET_DIR", target);
        command
    }
}
