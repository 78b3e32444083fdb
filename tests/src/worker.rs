//! Workers of Temporal's SDKs, as processes of their own.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use longhaul_history::proto::history::v1::history_event::Attributes;

use crate::{Client, Server, artifacts, export::block_on, python};

/// The SDK of a worker that serves the activity `hold` of [`outside`](crate::outside), and unless it is Python's, those of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `tests/python/activity_worker.py`.
    Python,
    /// `tests/workers/typescript`.
    TypeScript,
    /// `tests/workers/go`.
    Go,
}

impl Language {
    /// The command of its worker, without arguments: `HOST:PORT FOLDER NAME` follow.
    pub(crate) fn worker(self) -> Command {
        match self {
            Self::Python => python::command("python/activity_worker.py"),
            Self::TypeScript => {
                let mut command = Command::new("node");
                command.arg(artifacts::typescript_worker());
                command
            }
            Self::Go => Command::new(artifacts::go_worker()),
        }
    }
}

/// A worker. Killed (SIGKILL) when it is dropped; where its test fails, what it has written is printed.
#[derive(Debug)]
pub struct Worker {
    process: Child,
    log: PathBuf,
}

impl Worker {
    /// Starts a worker. What it writes goes to `NAME.log` in the server's folder, behind what is there.
    pub fn start(mut command: Command, server: &Server, name: &str) -> Self {
        let log = server.folder().join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        let process = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { process, log }
    }

    /// Starts a script of `tests/python/workers/`.
    pub fn of_scenario(script: &str, server: &Server) -> Self {
        let command = python::script(&format!("python/workers/{script}"), server);
        Self::start(command, server, "worker")
    }

    /// Asserts that this worker, under the identity that Temporal's Python SDK gives itself, has started every activity on the server,
    /// and that there was one.
    #[track_caller]
    pub fn assert_served_all(&self, server: &Server) {
        let identity = format!("{}@", self.process.id());
        let identities: Vec<String> = block_on(async {
            let mut client = Client::new(server.address());
            let mut found = Vec::new();
            for (workflow_id, run_id) in client.executions().await.unwrap() {
                let events = client.history(&workflow_id, &run_id).await.unwrap();
                found.extend(events.into_iter().filter_map(|event| match event.attributes {
                    Some(Attributes::ActivityTaskStartedEventAttributes(started)) => Some(started.identity),
                    _ => None,
                }));
            }
            found
        });
        assert!(!identities.is_empty(), "no activity was started");
        let others: Vec<_> = identities
            .iter()
            .filter(|other| !other.starts_with(&identity))
            .collect();
        assert!(others.is_empty(), "started by others than {identity}: {others:?}");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = fs::read(&self.log).unwrap_or_default();
            eprintln!("--- {}\n{}---", self.log.display(), String::from_utf8_lossy(&log));
        }
    }
}
