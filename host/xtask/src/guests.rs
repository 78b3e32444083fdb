//! `guests`: every example becomes a component.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    error::Error,
    go,
    process::{capture, run, say},
    workspace::Workspace,
};

/// The target that turns a Rust `cdylib` into a component without further tools.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Builds all guests and prints where they are.
pub(crate) fn list(workspace: &Workspace) -> Result<(), Error> {
    let mut guests = build(workspace)?;
    // Whoever works on something else need not have TinyGo; tests are stricter.
    let missing = match go::build(workspace) {
        Ok(built) => {
            guests.extend(built);
            None
        }
        Err(error @ Error::NoTinygo { .. }) => Some(error),
        Err(error) => return Err(error),
    };
    for guest in guests {
        let size = fs::metadata(&guest.path)
            .map_err(Error::file("read", &guest.path))?
            .len();
        let note = if guest.changed { "" } else { ", unchanged" };
        say(format!(
            "{} ({} kB{note})",
            guest.path.display(),
            size.div_ceil(1000)
        ));
    }
    if let Some(error) = missing {
        say(format!("THE GUESTS IN GO WERE NOT BUILT: {error}"));
    }
    Ok(())
}

/// A component that was built.
pub(crate) struct Guest {
    /// `target/guests/NAME.wasm`.
    pub(crate) path: PathBuf,
    /// False if the file already had these bytes.
    pub(crate) changed: bool,
}

/// Builds all guests in Rust.
pub(crate) fn build(workspace: &Workspace) -> Result<Vec<Guest>, Error> {
    ensure_target()?;
    let folder = workspace.examples();
    let packages = packages(workspace, &folder)?;
    run(workspace
        .cargo_in(&folder, &workspace.guest_build(), "build")
        .args(["--release", "--target", TARGET]))?;

    fs::create_dir_all(workspace.guests()).map_err(Error::file("create", workspace.guests()))?;
    let built = workspace.guest_build().join(TARGET).join("release");
    packages
        .into_iter()
        .map(|package| {
            let path = workspace.guest(&package.name);
            let changed = copy_if_changed(&built.join(package.file), &path)?;
            Ok(Guest { path, changed })
        })
        .collect()
}

/// Installs the Wasm target where it is missing.
pub(crate) fn ensure_target() -> Result<(), Error> {
    let library = capture(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    if Path::new(library.trim()).is_dir() {
        return Ok(());
    }
    let rustup = Command::new("rustup")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !rustup.is_ok_and(|status| status.success()) {
        return Err(Error::NoWasmTarget { target: TARGET });
    }
    run(Command::new("rustup").args(["target", "add", TARGET]))
}

/// A package that builds a component.
struct Package {
    name: String,
    /// What cargo calls the component.
    file: String,
}

/// The packages of the guests' workspace that build a component, by name.
fn packages(workspace: &Workspace, folder: &Path) -> Result<Vec<Package>, Error> {
    let mut command = workspace.cargo_in(folder, &workspace.guest_build(), "metadata");
    let answer = capture(command.args(["--no-deps", "--format-version", "1"]))?;
    let metadata = serde_json::from_str::<serde_json::Value>(&answer).map_err(|problem| Error::Answer {
        command: "cargo metadata".to_owned(),
        problem: problem.to_string(),
    })?;
    let array = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();

    let mut found = Vec::new();
    for package in array(&metadata["packages"]) {
        let component = array(&package["targets"])
            .into_iter()
            .find(|target| array(&target["crate_types"]).iter().any(|kind| kind == "cdylib"));
        if let (Some(name), Some(target)) = (package["name"].as_str(), component)
            && let Some(library) = target["name"].as_str()
        {
            found.push(Package {
                name: name.to_owned(),
                file: format!("{}.wasm", library.replace('-', "_")),
            });
        }
    }
    if found.is_empty() {
        return Err(Error::NoGuests {
            path: folder.to_owned(),
        });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Copies a file in one step, and leaves the target alone when it has these bytes. Returns whether it was written.
pub(crate) fn copy_if_changed(from: &Path, to: &Path) -> Result<bool, Error> {
    let bytes = fs::read(from).map_err(Error::file("read", from))?;
    if fs::read(to).is_ok_and(|present| present == bytes) {
        return Ok(false);
    }
    // A test or a server may read the old file right now: replace it, never write into it.
    let new = to.with_extension("wasm.new");
    fs::write(&new, bytes).map_err(Error::file("write", &new))?;
    fs::rename(&new, to).map_err(Error::file("write", to))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_only_what_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from.wasm"), folder.path().join("to.wasm"));
        fs::write(&from, b"one").unwrap();
        assert!(copy_if_changed(&from, &to).unwrap());
        assert!(!copy_if_changed(&from, &to).unwrap());
        fs::write(&from, b"two").unwrap();
        assert!(copy_if_changed(&from, &to).unwrap());
        assert_eq!(fs::read(&to).unwrap(), b"two");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            2,
            "nothing else is left"
        );
    }
}
