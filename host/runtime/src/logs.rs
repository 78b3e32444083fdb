//! Where the code of runs logs to.

use std::sync::Arc;

use longhaul_sandbox::{LogLevel, LogLine, LogSink};

/// Writes a guest's log lines to the process's log, as part `guest`.
pub(crate) struct RunLog {
    workflow_id: Arc<str>,
    run_id: String,
    replayed: bool,
}

impl RunLog {
    /// For a run that goes on: what it logs in replay was written before.
    pub(crate) fn new(workflow_id: &str, run_id: String) -> Self {
        Self {
            workflow_id: workflow_id.into(),
            run_id,
            replayed: false,
        }
    }

    /// For a replay that is made to be looked at.
    pub(crate) fn of_replay(workflow_id: &str, run_id: String) -> Self {
        Self {
            replayed: true,
            ..Self::new(workflow_id, run_id)
        }
    }
}

impl LogSink for RunLog {
    fn log(&self, line: LogLine) {
        let fields = line
            .fields
            .iter()
            .map(|(key, value)| format!(" {key}={value}"))
            .collect::<String>();
        let (workflow_id, run_id, message) = (&*self.workflow_id, &*self.run_id, &line.message);
        match line.level {
            LogLevel::Trace => tracing::trace!(target: "guest", workflow_id, run_id, "{message}{fields}"),
            LogLevel::Debug => tracing::debug!(target: "guest", workflow_id, run_id, "{message}{fields}"),
            LogLevel::Info => tracing::info!(target: "guest", workflow_id, run_id, "{message}{fields}"),
            LogLevel::Warn => tracing::warn!(target: "guest", workflow_id, run_id, "{message}{fields}"),
            LogLevel::Error => tracing::error!(target: "guest", workflow_id, run_id, "{message}{fields}"),
        }
    }

    fn wants_replayed(&self) -> bool {
        self.replayed
    }
}
