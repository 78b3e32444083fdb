//! Activities in workers of Temporal's SDKs, and files through which tests and workers speak.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{Server, Worker, worker::Language};

/// The task queue of the activity `hold`.
pub const QUEUE: &str = "outside";

/// Longer than anything here takes; what is slower hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An activity as a step of the lab, with limits under which a worker that dies is noticed soon.
pub fn step(activity_type: &str, argument: impl Into<Value>, more: Value) -> Value {
    let mut step = json!({
        "op": "activity", "type": activity_type, "args": [argument.into()], "queue": QUEUE,
        "start_to_close_ms": 60_000, "retry_ms": 20,
    });
    step.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    step
}

/// A server with the lab, and a folder through which tests and workers speak.
#[derive(Debug)]
pub struct Place {
    /// The server.
    pub server: Server,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// Starts a server.
    pub fn new() -> Self {
        let server = Server::start();
        server.upload("lab", "lab");
        Self { server }
    }

    /// A file of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.server.folder().join(name)
    }

    /// Makes an empty file.
    pub fn touch(&self, name: &str) {
        std::fs::write(self.file(name), "").unwrap();
    }

    /// Waits until a worker has written a file. What is in it.
    #[track_caller]
    pub fn wait(&self, name: &str) -> String {
        let began = Instant::now();
        loop {
            if let Ok(text) = std::fs::read_to_string(self.file(name)) {
                return text;
            }
            assert!(began.elapsed() < PATIENCE, "{name} never comes");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until history has something.
    #[track_caller]
    pub fn wait_for_event(&self, id: &str, text: &str) {
        let began = Instant::now();
        loop {
            let history = self.server.history(id);
            if history.contains(text) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{text} never comes: {history}");
        }
    }

    /// Waits until the server has a heartbeat of an execution's only activity: what a worker has sent may still be on its way when the
    /// worker is killed.
    #[track_caller]
    pub fn wait_for_heartbeat(&self, id: &str) {
        let began = Instant::now();
        loop {
            let words = ["workflow", "describe", "-w", id, "-o", "json"];
            let activity = self.server.longhaul(&words).json()["pendingActivities"][0].take();
            if !activity["heartbeatDetails"].is_null() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "no heartbeat comes: {activity}");
        }
    }

    /// Starts an execution of the lab.
    pub fn start(&self, id: &str, steps: &[Value]) {
        let program = json!({ "steps": steps }).to_string();
        self.server.start_workflow("Lab", id, &[&program]).ok();
    }

    /// Waits for the end of an execution: its log.
    #[track_caller]
    pub fn result(&self, id: &str) -> Value {
        self.server.result(id).json()["result"].take()
    }

    /// Starts a worker, and waits until it is there.
    pub fn worker(&self, language: Language, name: &str) -> Worker {
        let mut command = language.worker();
        command
            .arg(self.server.address())
            .arg(self.server.folder())
            .arg(name);
        let worker = Worker::start(command, &self.server, name);
        self.wait(&format!("worker-{name}"));
        worker
    }
}
