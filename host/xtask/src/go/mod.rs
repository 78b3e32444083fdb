//! Guests in Go: each folder of `examples-guest/go` that has a program becomes `target/guests/NAME-go.wasm`.

pub(crate) mod component;
mod toolchain;

use std::{
    collections::hash_map::DefaultHasher,
    env,
    ffi::OsString,
    fs,
    hash::{Hash, Hasher},
    io,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use crate::{
    error::Error,
    guests::{Guest, copy_if_changed},
    process::{capture, run},
    workspace::Workspace,
};
use toolchain::Tinygo;

/// Bytes of a goroutine's stack. The deepest that the examples go is encoding/json, which needs half of it.
const STACK: &str = "32kb";

/// What a component in Go ends in.
const SUFFIX: &str = "-go.wasm";

/// Builds all guests in Go. What an earlier build has left and this one has not made is removed: nobody shall test it by mistake.
pub(crate) fn build(workspace: &Workspace) -> Result<Vec<Guest>, Error> {
    let built = build_all(workspace);
    let made = built.iter().flatten().map(|guest| guest.path.as_path());
    remove_others(&workspace.guests(), &made.collect::<Vec<_>>())?;
    built
}

/// Removes the guests in Go that are not among these.
fn remove_others(folder: &Path, guests: &[&Path]) -> Result<(), Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(Error::file("read", folder))?,
    };
    for entry in entries {
        let path = entry.map_err(Error::file("read", folder))?.path();
        let is_go = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().ends_with(SUFFIX));
        if is_go && !guests.contains(&path.as_path()) {
            fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        }
    }
    Ok(())
}

/// TinyGo with a user's arguments.
///
/// Where it was built from registries, the target `wasip2` is its own, which has another C library; where there is no `wasm-tools`,
/// this program stands in for it.
pub(crate) fn tinygo(arguments: &[OsString]) -> Result<(), Error> {
    let tinygo = toolchain::find()?;
    let mut command = tinygo.command();
    command.args(arguments.iter().map(|argument| match argument.to_str() {
        Some("-target=wasip2") => format!("-target={}", tinygo.target()).into(),
        _ => argument.clone(),
    }));
    if capture(std::process::Command::new("wasm-tools").arg("--version")).is_err() {
        let this = env::current_exe().map_err(Error::file("find", "the program that runs"))?;
        command.env("WASMTOOLS", this);
    }
    run(&mut command)
}

fn build_all(workspace: &Workspace) -> Result<Vec<Guest>, Error> {
    let tinygo = toolchain::find()?;
    let examples = examples(&workspace.go_examples())?;
    fs::create_dir_all(workspace.guests()).map_err(Error::file("create", workspace.guests()))?;
    let build = workspace.guest_build().join("go");
    fs::create_dir_all(&build).map_err(Error::file("create", &build))?;
    // What all of them are made of.
    let shared = [workspace.go_sdk(), workspace.go_examples().join("internal")];
    let sdk = digest(&shared, &format!("{} {STACK}", tinygo.name))?;

    // TinyGo compiles with one thread.
    let left = Mutex::new(examples.into_iter());
    let built = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = left.lock().map(|mut left| left.next());
            let Ok(Some(example)) = next else { return };
            let result = example.build(workspace, &tinygo, &build, sdk);
            if let Ok(mut built) = built.lock() {
                built.push(result);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let built = built
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut guests = built.into_iter().collect::<Result<Vec<Guest>, Error>>()?;
    guests.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(guests)
}

/// A program.
struct Example {
    folder: PathBuf,
    name: String,
    /// Of `guest-sdk/go/wit/worlds.wit`.
    world: &'static str,
}

impl Example {
    /// Compiles it, unless nothing that it is made of has changed.
    fn build(&self, workspace: &Workspace, tinygo: &Tinygo, build: &Path, sdk: u64) -> Result<Guest, Error> {
        let made = build.join(format!("{}.wasm", self.name));
        let stamp = build.join(format!("{}.stamp", self.name));
        let wanted = digest(
            std::slice::from_ref(&self.folder),
            &format!("{sdk} {}", self.world),
        )?
        .to_string();
        if !made.is_file() || fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
            let this = env::current_exe().map_err(Error::file("find", "the program that runs"))?;
            run(tinygo
                .command()
                .args([
                    "build",
                    "-target",
                    tinygo.target(),
                    "-stack-size",
                    STACK,
                    "-wit-world",
                    self.world,
                ])
                .arg("-wit-package")
                .arg(workspace.go_sdk().join("wit"))
                .arg("-o")
                .arg(&made)
                .arg(".")
                .env("WASMTOOLS", this)
                .current_dir(&self.folder))?;
            fs::write(&stamp, wanted).map_err(Error::file("write", stamp))?;
        }
        let path = workspace.guest(&format!("{}-go", self.name));
        let changed = copy_if_changed(&made, &path)?;
        Ok(Guest { path, changed })
    }
}

/// The programs below a folder, by name.
fn examples(folder: &Path) -> Result<Vec<Example>, Error> {
    let mut examples = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let path = entry.map_err(Error::file("read", folder))?.path();
        let Some(name) = path
            .file_name()
            .and_then(|name| name.to_str())
            .filter(|_| path.is_dir())
        else {
            continue;
        };
        let (mut workflows, mut activities) = (false, false);
        for file in files(&path)? {
            let text = fs::read_to_string(&file).map_err(Error::file("read", &file))?;
            workflows |= text.contains("\"longhaul/workflow\"");
            activities |= text.contains("\"longhaul/activity\"");
        }
        let world = match (workflows, activities) {
            (true, true) => "go-module",
            (true, false) => "go-workflow",
            (false, true) => "go-activities",
            (false, false) => continue,
        };
        examples.push(Example {
            name: name.to_owned(),
            folder: path,
            world,
        });
    }
    if examples.is_empty() {
        return Err(Error::NoGoGuests {
            path: folder.to_owned(),
        });
    }
    examples.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(examples)
}

/// The sources below a folder, in an order that is always the same.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let path = entry.map_err(Error::file("read", folder))?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path
            .extension()
            .is_some_and(|e| e == "go" || e == "wit" || e == "mod")
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A number that changes with the sources below these folders. It is compared with what the same program has computed before, never
/// with anything from elsewhere.
fn digest(folders: &[PathBuf], with: &str) -> Result<u64, Error> {
    let mut hasher = DefaultHasher::new();
    with.hash(&mut hasher);
    for folder in folders {
        for file in files(folder)? {
            file.strip_prefix(folder).unwrap_or(&file).hash(&mut hasher);
            fs::read(&file)
                .map_err(Error::file("read", &file))?
                .hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}

/// Every file that is not generated is formatted, and `go vet` finds nothing.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Error> {
    for folder in [workspace.go_sdk(), workspace.go_examples()] {
        let unformatted = capture(
            std::process::Command::new("gofmt")
                .args(["-l", "."])
                .current_dir(&folder),
        )?;
        let unformatted: Vec<&str> = unformatted
            .lines()
            .filter(|file| !file.starts_with("internal/wit/"))
            .collect();
        if !unformatted.is_empty() {
            return Err(Error::Unformatted {
                folder,
                files: unformatted.join(" "),
            });
        }
        run(std::process::Command::new("go")
            .args(["vet", "./..."])
            .current_dir(&folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_uses_tells_its_world() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            (
                "both",
                "import (\n\t\"longhaul/activity\"\n\t\"longhaul/workflow\"\n)",
            ),
            ("flow", "import \"longhaul/workflow\""),
            ("work", "import \"longhaul/activity\""),
            ("notes", "package notes"),
        ] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("main.go"), text).unwrap();
        }
        let found = examples(folder.path()).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|example| (example.name.as_str(), example.world))
            .collect();
        assert_eq!(
            found,
            [
                ("both", "go-module"),
                ("flow", "go-workflow"),
                ("work", "go-activities")
            ]
        );
    }

    #[test]
    fn what_was_not_built_is_not_left_for_tests() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["order.wasm", "order-go.wasm", "lab-go.wasm"] {
            fs::write(path(name), "").unwrap();
        }
        remove_others(folder.path(), &[&path("order-go.wasm")]).unwrap();
        assert!(path("order.wasm").exists() && path("order-go.wasm").exists());
        assert!(!path("lab-go.wasm").exists());
        remove_others(folder.path(), &[]).unwrap();
        assert!(path("order.wasm").exists() && !path("order-go.wasm").exists());
        // Nothing was ever built.
        remove_others(&path("nowhere"), &[]).unwrap();
    }

    #[test]
    fn a_digest_changes_with_the_sources_only() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_owned()];
        fs::write(folder.path().join("main.go"), "package main").unwrap();
        let first = digest(&folders, "").unwrap();
        fs::write(folder.path().join("README.md"), "text").unwrap();
        assert_eq!(digest(&folders, "").unwrap(), first);
        assert_ne!(digest(&folders, "another toolchain").unwrap(), first);
        fs::write(folder.path().join("main.go"), "package other").unwrap();
        assert_ne!(digest(&folders, "").unwrap(), first);
    }
}
