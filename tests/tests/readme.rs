//! The walk of README.md, as a newcomer takes it: the code must compile, and the commands must do what the text says.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use longhaul_tests::{Answer, Server, artifacts};

/// Commands that the text says are refused, by how they end.
const REFUSED: [&str; 2] = ["--name reduce --input 800", "--name amnt"];

#[test]
fn the_walk_of_the_readme_works() {
    let root = artifacts::package().parent().unwrap().to_owned();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let walk = section(&readme, "## A walk of ten minutes");
    let mut server = Server::start();
    let project = server.folder().join("approval");
    write_project(&project, &root, &block(walk, "toml"), &block(walk, "rust"));

    let mut outputs = Vec::new();
    for command in commands(walk) {
        match command {
            "cargo build --release --target wasm32-wasip2" => build(&project),
            command if command.starts_with("kill -9 ") => {
                server.kill();
                server.restart();
            }
            command if command.starts_with("longhaul server start ") => {}
            command if command.starts_with("longhaul ") => {
                let answer = shell(&server, &project, command);
                if REFUSED.iter().any(|end| command.ends_with(end)) {
                    answer.refused(&[]);
                } else {
                    outputs.push((command, answer.ok()));
                }
            }
            _ => {}
        }
    }
    let answers = |part: &str| {
        let of_part = outputs.iter().filter(|(command, _)| command.contains(part));
        of_part.map(|(_, output)| output.as_str()).collect::<Vec<_>>()
    };
    let amounts = answers("--name amount");
    assert_eq!(amounts.len(), 2);
    assert!(
        amounts[0].contains("900") && amounts[1].contains("700"),
        "{amounts:?}"
    );
    assert!(answers("--name reduce")[0].contains("900"));
    assert!(answers("workflow result")[0].contains("700 approved"));
    assert_eq!(answers("replay ").len(), 1);
}

/// From a heading to the next of its level.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let start = text.find(heading).unwrap_or_else(|| panic!("no {heading:?}")) + heading.len();
    let rest = &text[start..];
    &rest[..rest.find("\n## ").unwrap_or(rest.len())]
}

/// The fenced block of a language.
fn block(text: &str, language: &str) -> String {
    let fence = format!("```{language}\n");
    let start = text
        .find(&fence)
        .unwrap_or_else(|| panic!("no block of {language}"))
        + fence.len();
    let length = text[start..].find("```").unwrap();
    text[start..start + length].to_owned()
}

/// The indented lines.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter_map(move |line| {
        fenced ^= line.starts_with("```");
        line.strip_prefix("    ").filter(|_| !fenced)
    })
}

/// What `cargo new` and `cargo add` make, with the versions and the profile of the examples: nothing is downloaded or built
/// twice.
fn write_project(project: &Path, root: &Path, manifest: &str, code: &str) {
    fs::create_dir_all(project.join("src")).unwrap();
    let sdk = root.join("guest-sdk/rust");
    let head = "[package]\nname = \"approval\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    let dependencies = format!("[dependencies]\nlonghaul-sdk = {{ path = {sdk:?} }}\n");
    let examples = fs::read_to_string(root.join("examples-guest/Cargo.toml")).unwrap();
    let profile = &examples[examples.find("[profile.release]").unwrap()..];
    let manifest = format!("{head}\n{manifest}\n{dependencies}\n[workspace]\n\n{profile}");
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::write(project.join("src/lib.rs"), code).unwrap();
    fs::copy(root.join("examples-guest/Cargo.lock"), project.join("Cargo.lock")).unwrap();
}

/// `cargo build`, with its output in a folder that other guests share, then copied to where the text says it is.
fn build(project: &Path) {
    let target = artifacts::guest("order")
        .ancestors()
        .nth(2)
        .unwrap()
        .join("guest-build");
    let cargo = env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--target", "wasm32-wasip2"]);
    Answer::of(command.current_dir(project).env("CARGO_TARGET_DIR", &target)).ok();
    let path = Path::new("wasm32-wasip2/release/approval.wasm");
    let copy = project.join("target").join(path);
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    fs::copy(target.join(path), copy).unwrap();
    // An example has the same name. Its sources are older than this, so that cargo would take this for what was built of them.
    for made in [path, Path::new("wasm32-wasip2/release/deps/approval.wasm")] {
        fs::remove_file(target.join(made)).unwrap();
    }
}

fn shell(server: &Server, project: &Path, command: &str) -> Answer {
    let longhaul = artifacts::longhaul();
    let path = format!(
        "{}:{}",
        longhaul.parent().unwrap().display(),
        env::var("PATH").unwrap_or_default()
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(project);
    Answer::of(
        shell
            .env("PATH", path)
            .env("TEMPORAL_ADDRESS", server.address())
            .env_remove("TEMPORAL_NAMESPACE"),
    )
}
