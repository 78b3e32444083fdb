//! Replay for its own sake: a component against an exported history, outside of any server, and a stored run against itself.

use std::sync::Arc;

use longhaul_engine::{
    Identity,
    proto::history::v1::{History, history_event::Attributes},
};
use longhaul_sandbox::Sandbox;

use crate::{
    Report, Runtime,
    guest::{self, Code, Stored, TaskError},
    logs::RunLog,
};

/// Why a replay did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The sandbox could not be set up.
    #[error(transparent)]
    Sandbox(Box<longhaul_sandbox::Error>),
    /// The file is no component that fits the contract.
    #[error("the component is refused: {0}")]
    Component(Box<longhaul_sandbox::CompileError>),
    /// The history is empty, or does not begin with WorkflowExecutionStarted.
    #[error("the history does not begin with WorkflowExecutionStarted")]
    NoStart,
    /// The component does not define the history's workflow type.
    #[error("the component does not define the workflow type {wanted:?} of the history; it defines: {known}")]
    UnknownType {
        /// What the history needs.
        wanted: String,
        /// What the component has.
        known: String,
    },
    /// The run could not be read.
    #[error(transparent)]
    Read(Box<crate::Error>),
    /// Code and history differ, or the code fails.
    #[error("{message}")]
    Failed {
        /// What went wrong, with the event's id where there is one.
        message: String,
        /// The guest's frames, one a line; empty where there are none.
        backtrace: String,
    },
}

impl From<TaskError> for ReplayError {
    fn from(error: TaskError) -> Self {
        Self::Failed {
            message: error.to_string(),
            backtrace: error.backtrace(),
        }
    }
}

impl Runtime {
    /// Replay a run from the database as it is replayed when it comes back into memory, and drop it again; an empty `run_id` is the
    /// newest run. The run itself, in memory or not, is not touched. Blocks.
    ///
    /// # Errors
    ///
    /// The run cannot be read, or its code does something else than history says.
    pub fn replay(&self, namespace: &str, workflow_id: &str, run_id: &str) -> Result<Report, ReplayError> {
        let read = |error| ReplayError::Read(Box::new(error));
        let key = self.find_run(namespace, workflow_id, run_id).map_err(read)?;
        let core = &self.inner.core;
        let record = self.record(&key).map_err(read)?;
        let version = core.pinned(&record).map_err(read)?;
        let module = core.module_now(&version).map_err(read)?;
        let identity = Identity {
            namespace: namespace.into(),
            workflow_id: workflow_id.into(),
            run_id: key.run_id.to_string().into(),
        };
        let history = Stored {
            snapshot: &core.snapshot().map_err(read)?,
            namespace: key.namespace,
            run_id: key.run_id,
            identity: &identity,
        };
        let code = Code {
            module: &module,
            logs: &core.no_logs(),
        };
        let (guest, mut report) = history.replay(code).map_err(read)?.guest?;
        report.memory_hash = guest.instance.memory_hash();
        Ok(report)
    }
}

/// Replay a history against a component. What its code logs goes to the log again, as part `guest`.
///
/// # Errors
///
/// The component is refused, or its code does something else than history says.
pub fn replay(
    sandbox: longhaul_sandbox::Options,
    component: &[u8],
    history: History,
) -> Result<Report, ReplayError> {
    let sandbox = Sandbox::new(sandbox).map_err(|error| ReplayError::Sandbox(Box::new(error)))?;
    let module = sandbox
        .compile(component)
        .map_err(|error| ReplayError::Component(Box::new(error)))?;
    let start = history.events.first().and_then(|event| match &event.attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(start)) => Some(start),
        _ => None,
    });
    let start = start.ok_or(ReplayError::NoStart)?;
    let wanted = start
        .workflow_type
        .as_ref()
        .map(|t| t.name.clone())
        .unwrap_or_default();
    if !module.workflows().iter().any(|defined| defined.name == wanted) {
        let known = crate::names::known(
            &wanted,
            module.workflows().iter().map(|defined| defined.name.as_str()),
        );
        return Err(ReplayError::UnknownType { wanted, known });
    }
    let identity = Identity {
        // The namespace is not in history; code can see it and must not decide anything by it.
        namespace: "default".into(),
        workflow_id: start.workflow_id.as_str().into(),
        run_id: start.original_execution_run_id.as_str().into(),
    };
    let log = RunLog::of_replay(&start.workflow_id, start.original_execution_run_id.clone());
    let logs: Arc<dyn longhaul_sandbox::LogSink> = Arc::new(log);
    let events: Vec<_> = history.events.into_iter().map(Arc::new).collect();
    Ok(guest::check(&module, identity, &events, &logs)?)
}
