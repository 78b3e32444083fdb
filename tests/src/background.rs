//! Processes that run while a test does something else.

use std::process::{Child, Command, Stdio};

use crate::Server;

/// A process that nobody listens to. Killed when it is dropped.
#[derive(Debug)]
pub struct Background(Child);

impl Background {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// A client that waits for a result. While it does, a server that skips time does so.
    pub fn waiting_for_result(server: &Server, id: &str) -> Self {
        Self::start(&mut server.command(&["workflow", "result", "-w", id]))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
