//! TinyGo: the one that is there, its own release, or one that is built from what package registries have.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    error::Error,
    process::{capture, run, say},
};

/// The release that the Go SDK is made for. The SDK resumes goroutines through the scheduler of TinyGo's runtime, so another minor
/// version needs a look at that first.
const VERSION: &str = "0.41.1";
/// What of the version has to be the same.
const MINOR: &str = "0.41.";
/// Instead of TinyGo's own place for releases.
const URL: &str = "LONGHAUL_TINYGO_URL";

/// Debian's packages that the build from registries needs.
const PACKAGES: [&str; 8] = [
    "binaryen",
    "clang-19",
    "g++",
    "libclang-19-dev",
    "libclang-rt-19-dev-wasm32",
    "lld-19",
    "llvm-19-dev",
    "wasi-libc",
];
/// Files of these packages without which the build fails.
const LIBC: &str = "/usr/lib/wasm32-wasi/libc.a";
const BUILTINS: &str = "/usr/lib/llvm-19/lib/clang/19/lib/wasi/libclang_rt.builtins-wasm32.a";
const LLVM: &str = "/usr/lib/llvm-19/bin";

/// A TinyGo that works.
#[derive(Debug, Clone)]
pub(crate) struct Tinygo {
    program: PathBuf,
    /// `TINYGOROOT`, where the program does not know it.
    root: Option<PathBuf>,
    /// What `-target` gets.
    target: String,
    /// Tells one toolchain from another.
    pub(crate) name: String,
}

impl Tinygo {
    /// A call of it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(root) = &self.root {
            let before = env::var_os("PATH").unwrap_or_default();
            let path = [PathBuf::from(LLVM)].into_iter().chain(env::split_paths(&before));
            command.env("TINYGOROOT", root);
            if let Ok(path) = env::join_paths(path) {
                command.env("PATH", path);
            }
        }
        command
    }

    /// The target for components.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    fn installed(program: PathBuf) -> Self {
        Self {
            name: format!("{} {VERSION}", program.display()),
            program,
            root: None,
            target: "wasip2".to_owned(),
        }
    }

    fn built(folder: &Path) -> Self {
        Self {
            program: folder.join("tinygo"),
            root: Some(folder.join("root")),
            target: folder.join("root/targets/longhaul.json").display().to_string(),
            name: format!("built {VERSION}"),
        }
    }
}

/// Finds TinyGo, or gets it. Each way that does not work says why.
pub(crate) fn find() -> Result<Tinygo, Error> {
    let mut problems = Vec::new();
    match version(Path::new("tinygo")) {
        Ok(version) if fits(&version) => return Ok(Tinygo::installed("tinygo".into())),
        Ok(version) => problems.push(format!("the installed tinygo is {version}; {MINOR}x is needed")),
        Err(_) => problems.push("no tinygo is installed".to_owned()),
    }
    let Some(cache) = cache() else {
        problems.push("HOME is not set, so there is no folder to keep one in".to_owned());
        return Err(Error::NoTinygo { problems });
    };
    let (release, built) = (cache.join("release"), cache.join("built"));
    let program = release.join("tinygo/bin/tinygo");
    if program.is_file() {
        return Ok(Tinygo::installed(program));
    }
    if built.join("tinygo").is_file() {
        return Ok(Tinygo::built(&built));
    }
    match download(&release) {
        Ok(()) => return Ok(Tinygo::installed(program)),
        Err(problem) => problems.push(format!("its release could not be downloaded: {problem}")),
    }
    match build(&built) {
        Ok(()) => Ok(Tinygo::built(&built)),
        Err(problem) => {
            problems.push(format!("it could not be built: {problem}"));
            Err(Error::NoTinygo { problems })
        }
    }
}

/// `$XDG_CACHE_HOME/longhaul/tinygo-VERSION`: outside the repository, so that every clone uses it.
fn cache() -> Option<PathBuf> {
    let set = |name| {
        env::var_os(name)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    };
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("longhaul").join(format!("tinygo-{VERSION}")))
}

/// `tinygo version 0.41.1 linux/amd64 (using ...)`.
fn version(program: &Path) -> Result<String, Error> {
    let mut command = Command::new(program);
    command.arg("version").stdin(Stdio::null());
    let answer = capture(&mut command)?;
    Ok(answer.split_whitespace().nth(2).unwrap_or_default().to_owned())
}

fn fits(version: &str) -> bool {
    version.starts_with(MINOR)
}

/// TinyGo's own package.
fn download(to: &Path) -> Result<(), Error> {
    let machine = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let system = match env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let base = env::var(URL)
        .unwrap_or_else(|_| format!("https://github.com/tinygo-org/tinygo/releases/download/v{VERSION}"));
    let part = part_of(to)?;
    let archive = part.join("tinygo.tar.gz");
    say(format!("getting TinyGo {VERSION}"));
    run(Command::new("curl")
        .args([
            "--proto",
            "=https,http",
            "--silent",
            "--show-error",
            "--fail",
            "--location",
        ])
        .args(["--connect-timeout", "10", "--max-time", "600", "--output"])
        .arg(&archive)
        .arg(format!("{base}/tinygo{VERSION}.{system}-{machine}.tar.gz")))?;
    run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&part))?;
    fs::remove_file(&archive).map_err(Error::file("remove", archive))?;
    version(&part.join("tinygo/bin/tinygo"))?;
    finish(&part, to)
}

/// TinyGo as a Go module, with LLVM and the C library of Debian.
fn build(to: &Path) -> Result<(), Error> {
    packages()?;
    say(format!("building TinyGo {VERSION}; it takes some minutes, once"));
    let part = part_of(to)?;
    let source = part.join("source");
    fs::create_dir_all(&source).map_err(Error::file("create", &source))?;
    for (name, text) in [
        ("go.mod", include_str!("../../tinygo/go.mod")),
        ("go.sum", include_str!("../../tinygo/go.sum")),
    ] {
        fs::write(source.join(name), text).map_err(Error::file("write", source.join(name)))?;
    }
    let module = "github.com/tinygo-org/tinygo";
    run(Command::new("go")
        .args(["build", "-tags", "llvm19", "-o", "../tinygo", module])
        .current_dir(&source))?;
    let folder = capture(
        Command::new("go")
            .args(["list", "-m", "-f", "{{.Dir}}", module])
            .current_dir(&source),
    )?;
    let folder = PathBuf::from(folder.trim());

    // TinyGo's root is its sources; the module's own folder cannot be written to, and lacks one folder that git does not keep.
    let root = part.join("root");
    for name in ["src", "targets", "lib"] {
        copy(&folder.join(name), &root.join(name))?;
    }
    let net = root.join("src/net");
    fs::create_dir_all(&net).map_err(Error::file("create", net))?;
    let target = include_str!("../../tinygo/target.json");
    let target = target.replace("{libc}", LIBC).replace("{builtins}", BUILTINS);
    let path = root.join("targets/longhaul.json");
    fs::write(&path, target).map_err(Error::file("write", path))?;
    finish(&part, to)
}

/// Installs what is missing of Debian's packages.
fn packages() -> Result<(), Error> {
    let there = |path: &str| Path::new(path).exists();
    let starts = |program: &str| {
        let mut command = Command::new(program);
        let status = command.arg("--version").stdout(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let llvm = there(&format!("{LLVM}/llvm-config")) && there(&format!("{LLVM}/wasm-ld"));
    if there(LIBC) && there(BUILTINS) && llvm && starts("wasm-opt") && starts("g++") {
        return Ok(());
    }
    say(format!("installing {}", PACKAGES.join(" ")));
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(PACKAGES)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

/// An empty folder beside the one that will be: what is there under its own name is complete.
fn part_of(folder: &Path) -> Result<PathBuf, Error> {
    let part = folder.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part).map_err(Error::file("remove", &part))?;
    }
    fs::create_dir_all(&part).map_err(Error::file("create", &part))?;
    Ok(part)
}

fn finish(part: &Path, folder: &Path) -> Result<(), Error> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::file("remove", folder))?;
    }
    fs::rename(part, folder).map_err(Error::file("write", folder))
}

/// Copies a folder; the copies can be written to.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(Error::file("create", to))?;
    for entry in fs::read_dir(from).map_err(Error::file("read", from))? {
        let entry = entry.map_err(Error::file("read", from))?;
        let target = to.join(entry.file_name());
        if entry
            .file_type()
            .map_err(Error::file("read", entry.path()))?
            .is_dir()
        {
            copy(&entry.path(), &target)?;
        } else {
            // Not fs::copy, which would copy that the file is read-only.
            let bytes = fs::read(entry.path()).map_err(Error::file("read", entry.path()))?;
            fs::write(&target, bytes).map_err(Error::file("write", target))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_minor_version_that_the_sdk_is_made_for_fits() {
        assert!(fits("0.41.1") && fits("0.41.0"));
        assert!(!fits("0.40.1") && !fits("0.42.0") && !fits("0.4.1") && !fits(""));
    }

    #[test]
    fn what_is_incomplete_does_not_have_the_name() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("built");
        let part = part_of(&folder).unwrap();
        fs::write(part.join("old"), "").unwrap();
        // A build that was interrupted leaves nothing for the next one.
        let part = part_of(&folder).unwrap();
        assert!(!folder.exists() && !part.join("old").exists());
        fs::write(part.join("tinygo"), "").unwrap();
        finish(&part, &folder).unwrap();
        assert!(folder.join("tinygo").exists() && !part.exists());
    }

    #[test]
    fn a_copy_can_be_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("below")).unwrap();
        let file = from.join("below/file");
        fs::write(&file, "text").unwrap();
        let mut permissions = fs::metadata(&file).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&file, permissions).unwrap();
        copy(&from, &to).unwrap();
        fs::write(to.join("below/file"), "other").unwrap();
    }
}
