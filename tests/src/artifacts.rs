//! Where the things are that the tests need.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The `longhaul` binary: `LONGHAUL_BIN`, else the one that cargo has built beside this test.
pub fn longhaul() -> PathBuf {
    let path = from_environment("LONGHAUL_BIN")
        .unwrap_or_else(|| profile_folder().join(format!("longhaul{}", env::consts::EXE_SUFFIX)));
    assert!(
        path.is_file(),
        "{} is not there: run `cargo build -p longhaul` first",
        path.display()
    );
    path
}

/// A component that `cargo xtask guests` has built, in `LONGHAUL_GUESTS` or `target/guests`.
pub fn guest(name: &str) -> PathBuf {
    let folder = from_environment("LONGHAUL_GUESTS").unwrap_or_else(|| target_folder().join("guests"));
    let path = folder.join(format!("{name}.wasm"));
    assert!(
        path.is_file(),
        "{} is not there: run `cargo xtask guests` first",
        path.display()
    );
    path
}

/// The Python that has Temporal's client: `LONGHAUL_PYTHON`, else the one in `target/venv`.
pub fn python() -> PathBuf {
    made_by_test("LONGHAUL_PYTHON", "venv/bin/python")
}

/// The compiled worker of `tests/workers/typescript`, beside what it needs: `LONGHAUL_TYPESCRIPT_WORKER`, else the one in
/// `target/workers`.
pub fn typescript_worker() -> PathBuf {
    made_by_test("LONGHAUL_TYPESCRIPT_WORKER", "workers/typescript/worker.js")
}

/// The worker of `tests/workers/go`: `LONGHAUL_GO_WORKER`, else the one in `target/workers`.
pub fn go_worker() -> PathBuf {
    made_by_test(
        "LONGHAUL_GO_WORKER",
        &format!("workers/go/worker{}", env::consts::EXE_SUFFIX),
    )
}

/// Where histories are left for the judge: `LONGHAUL_HISTORIES`, else `target/histories`.
pub fn histories() -> PathBuf {
    from_environment("LONGHAUL_HISTORIES").unwrap_or_else(|| target_folder().join("histories"))
}

/// This package's folder in the clone.
///
/// Read when the test runs, not when it is compiled: several clones may share a target folder.
pub fn package() -> PathBuf {
    from_environment("CARGO_MANIFEST_DIR").expect("run the tests through cargo")
}

/// The contract between host and guest.
pub fn wit() -> PathBuf {
    package().join("../wit")
}

/// How many cycles the tests run that repeat at random: `LONGHAUL_TEST_CYCLES`, else as many as the test says.
pub fn cycles(default: u32) -> u32 {
    match env::var("LONGHAUL_TEST_CYCLES") {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("LONGHAUL_TEST_CYCLES is {text:?}, which is no number")),
        Err(_) => default,
    }
}

/// What a random test starts from: `LONGHAUL_TEST_SEED`, else something new. Print it, so that a failure can be repeated.
pub fn seed() -> u64 {
    match env::var("LONGHAUL_TEST_SEED") {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("LONGHAUL_TEST_SEED is {text:?}, which is no number")),
        Err(_) => uuid::Uuid::new_v4().as_u64_pair().0,
    }
}

/// What `cargo xtask test` makes in the target folder, unless a variable names another.
fn made_by_test(variable: &str, path: &str) -> PathBuf {
    let path = from_environment(variable).unwrap_or_else(|| target_folder().join(path));
    assert!(
        path.is_file(),
        "{} is not there: `cargo xtask test` makes it",
        path.display()
    );
    path
}

fn from_environment(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// `target/debug`, when this test is `target/debug/deps/NAME-HASH`.
fn profile_folder() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

fn target_folder() -> PathBuf {
    profile_folder().parent().map(Path::to_owned).unwrap()
}
