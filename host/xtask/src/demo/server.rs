//! The demo's server process.

use std::{
    fs,
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{
    error::Error,
    process::{say, shell_word, text},
};

/// How many lines of the server's log are shown when the demo fails.
const LOG_LINES: usize = 40;

/// A running `longhaul server start`. Killed when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    longhaul: PathBuf,
    folder: PathBuf,
    child: Child,
    addresses: Addresses,
}

/// Where a server listens.
#[derive(Debug)]
struct Addresses {
    grpc: String,
    http: String,
}

impl Server {
    /// Starts a server on free ports, with its database in `folder`.
    pub(super) fn start(longhaul: &Path, folder: &Path) -> Result<Self, Error> {
        let (child, addresses) = spawn(longhaul, folder, "0", "0")?;
        Ok(Self {
            longhaul: longhaul.to_owned(),
            folder: folder.to_owned(),
            child,
            addresses,
        })
    }

    /// `HOST:PORT` of gRPC.
    pub(super) fn address(&self) -> &str {
        &self.addresses.grpc
    }

    /// Kills the process as a crash would, and starts it again on the same database and ports.
    pub(super) fn kill_and_restart(&mut self) -> Result<(), Error> {
        say(format!("$ kill -9 {}", self.child.id()));
        self.kill();
        let port = |address: &str| address.rsplit(':').next().unwrap_or_default().to_owned();
        let (grpc, http) = (port(&self.addresses.grpc), port(&self.addresses.http));
        (self.child, self.addresses) = spawn(&self.longhaul, &self.folder, &grpc, &http)?;
        Ok(())
    }

    /// Shows the end of the server's log.
    pub(super) fn print_log(&self) {
        say(format!(
            "\nThe server's log ends with:\n{}",
            log_end(&self.folder)
        ));
    }

    /// SIGKILL. A process that has ended already is as dead as it should be, so errors do not count.
    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts the process and waits for the line in which it says where it listens.
fn spawn(longhaul: &Path, folder: &Path, port: &str, http_port: &str) -> Result<(Child, Addresses), Error> {
    let mut command = Command::new(longhaul);
    command.args([
        "server",
        "start",
        "--db",
        "demo.redb",
        "--port",
        port,
        "--http-port",
        http_port,
    ]);
    command.args(["--time-skipping", "-o", "json"]);
    say(format!(
        "$ longhaul {} &",
        command
            .get_args()
            .map(|word| shell_word(&word.to_string_lossy()))
            .collect::<Vec<_>>()
            .join(" ")
    ));

    let log = log_path(folder);
    let log = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(Error::file("write", log))?;
    let mut child = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|source| Error::Start {
            command: text(&command),
            source,
        })?;
    match child.stdout.take().and_then(read_addresses) {
        Some(addresses) => Ok((child, addresses)),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            Err(Error::NoServer(log_end(folder)))
        }
    }
}

/// Reads the JSON document that a server prints when it serves; nothing if it ends before. What it prints later goes nowhere.
fn read_addresses(stdout: std::process::ChildStdout) -> Option<Addresses> {
    let mut document = String::new();
    let mut stdout = BufReader::new(stdout);
    while stdout.read_line(&mut document).ok()? > 0 {
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(&document) {
            say(document.trim_end());
            let field = |name: &str| value[name].as_str().map(str::to_owned);
            return Some(Addresses {
                grpc: field("address")?,
                http: field("httpAddress")?,
            });
        }
    }
    None
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("server.log")
}

fn log_end(folder: &Path) -> String {
    let log = fs::read(log_path(folder)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
