//! The walks of README.md and of the Go SDK's, as a newcomer takes them: the code must compile, and the commands must do what the text
//! says.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
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

#[test]
fn the_walk_of_the_go_readme_works() {
    let readme = go_readme();
    let walk = section(&readme, "## From an empty folder to a running workflow");
    let server = Server::start();
    let answers = walk_in_go(
        &server,
        walk,
        &[("main.go", block(walk, "go"))],
        &go_commands(walk),
    );
    let answer = |part: &str| {
        let found = answers.iter().find(|(command, _)| command.contains(part));
        found.unwrap_or_else(|| panic!("no command {part:?}")).1.as_str()
    };
    assert!(answer("workflow query").contains("500"), "{answers:?}");
    assert!(answer("workflow result").contains("approved"), "{answers:?}");
}

#[test]
fn the_walk_to_an_activity_of_the_go_readme_works() {
    let readme = go_readme();
    let part = section(&readme, "## Activities");
    // The text's port may be somebody else's on this machine.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let here = |text: String| {
        assert!(text.contains("127.0.0.1:7007"), "{text}");
        text.replace("7007", &port)
    };
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut question = String::new();
        BufReader::new(&socket).read_line(&mut question).unwrap();
        assert_eq!(question, "who is there?\n");
        socket.write_all(b"a server\n").unwrap();
    });

    // "With a project made as above".
    let walk = section(&readme, "## From an empty folder to a running workflow");
    let mut commands: Vec<String> = go_commands(walk)
        .into_iter()
        .take_while(|command| !command.starts_with("tinygo "))
        .map(|command| command.replace("approval", "ask"))
        .collect();
    commands.extend(go_commands(part));
    let server = Server::start_with(&["--allow-grants"]);
    let files = [
        ("main.go", here(block(part, "go"))),
        ("ask.toml", here(block(part, "toml"))),
    ];
    let answers = walk_in_go(&server, part, &files, &commands);
    let (command, output) = answers.last().unwrap();
    assert!(
        command.contains("workflow execute") && output.contains("a server"),
        "{answers:?}"
    );
}

fn root() -> PathBuf {
    artifacts::package().parent().unwrap().to_owned()
}

fn go_readme() -> String {
    fs::read_to_string(root().join("guest-sdk/go/README.md")).unwrap()
}

/// The commands of a part of the Go SDK's README, each on one line.
fn go_commands(text: &str) -> Vec<String> {
    let lines: Vec<&str> = commands(text).collect();
    lines
        .join("\n")
        .replace("\\\n", " ")
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Takes a walk in an empty folder: what each command printed. The files are written as soon as their folder is there.
///
/// `tinygo` is the one that the chores use: where that was built from registries, it brings its own `wasip2` target, and where no
/// `wasm-tools` is installed, it brings what stands in for it. The server is the test's.
fn walk_in_go(
    server: &Server,
    text: &str,
    files: &[(&str, String)],
    commands: &[String],
) -> Vec<(String, String)> {
    assert!(
        commands
            .iter()
            .any(|command| command.starts_with("tinygo build ")),
        "{text}"
    );
    let longhaul = artifacts::longhaul();
    let path = env::var("PATH").unwrap_or_default();
    let programs = server.folder().join("programs");
    fs::create_dir(&programs).unwrap();
    let tinygo = programs.join("tinygo");
    let chores = longhaul.with_file_name("xtask");
    assert!(
        chores.is_file(),
        "{} is not there: run `cargo build` first",
        chores.display()
    );
    fs::write(
        &tinygo,
        format!(
            "#!/bin/sh\nPATH='{path}' exec '{}' tinygo \"$@\"\n",
            chores.display()
        ),
    )
    .unwrap();
    fs::set_permissions(&tinygo, fs::Permissions::from_mode(0o755)).unwrap();

    let mut folder = server.folder().join("walk");
    fs::create_dir(&folder).unwrap();
    let mut answers = Vec::new();
    for command in commands {
        if command.starts_with("longhaul server start") {
            continue;
        }
        let mut shell = Command::new("sh");
        // A command may leave for another folder: the next one begins there.
        shell.args([
            "-ec",
            &format!("{command}\npwd > '{}'", server.folder().join("pwd").display()),
        ]);
        shell
            .current_dir(&folder)
            .env(
                "PATH",
                format!(
                    "{}:{}:{path}",
                    programs.display(),
                    longhaul.parent().unwrap().display()
                ),
            )
            .env("LONGHAUL", root())
            .env("TEMPORAL_ADDRESS", server.address())
            .env_remove("TEMPORAL_NAMESPACE");
        let output = Answer::of(&mut shell).ok();
        answers.push((command.clone(), output));
        let at = fs::read_to_string(server.folder().join("pwd")).unwrap();
        if Path::new(at.trim_end()) != folder {
            folder = at.trim_end().into();
            for (name, text) in files {
                fs::write(folder.join(name), text).unwrap();
            }
        }
    }
    answers
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
