//! What a request can be refused for. The wire maps each case to its gRPC code and details.

use longhaul_history::proto::failure::v1::Failure;

/// A refused request. Nothing of it was written, unless the case says otherwise.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The namespace does not exist.
    #[error("namespace {0:?} is not found; this server has the namespace \"default\"")]
    NamespaceNotFound(String),

    /// There is no such execution, or no longer.
    #[error("workflow not found for ID: {0}")]
    WorkflowNotFound(String),

    /// The workflow id may have executions, but not this one.
    #[error("workflow not found for ID: {workflow_id}, run ID: {run_id}")]
    RunNotFound {
        /// The workflow id.
        workflow_id: String,
        /// The run that was asked for, or the first run of the chain that was.
        run_id: String,
    },

    /// The execution has closed, so it takes no more messages.
    #[error("workflow execution already completed")]
    AlreadyCompleted,

    /// The id is taken, and the request's policies do not allow it again.
    #[error("{message}")]
    AlreadyStarted {
        /// In the words of Temporal's server.
        message: String,
        /// The request that has started the execution which holds the id.
        start_request_id: String,
        /// Its run.
        run_id: String,
    },

    /// The request is malformed or over a limit, or names something that does not exist.
    #[error("{0}")]
    InvalidArgument(String),

    /// The query's handler failed; for its caller alone.
    #[error("{message}")]
    QueryFailed {
        /// The failure's message.
        message: String,
        /// The failure as the guest declared it.
        failure: Box<Failure>,
    },

    /// One of the operations of a multi-operation request was refused, and with it the others.
    #[error("{}", multi_operation(.statuses))]
    MultiOperation {
        /// In the order of the operations; none: it was aborted because of another.
        statuses: Vec<Option<Box<Error>>>,
    },

    /// No update with this id is known.
    #[error("update {0:?} not found")]
    UpdateNotFound(String),

    /// The state of the execution or module does not allow the request.
    #[error("{0}")]
    FailedPrecondition(String),

    /// The request asks for something that nobody may ask for.
    #[error("{0}")]
    PermissionDenied(String),

    /// A limit on what is in flight is reached; trying again later can help.
    #[error("{0}")]
    ResourceExhausted(String),

    /// The server cannot take the request now: it stops, or cannot write. Trying again can help, and it is not known to have been
    /// written.
    #[error("{0}")]
    Unavailable(String),

    /// A part of Temporal's interface that this server does not offer.
    #[error("{0}")]
    Unimplemented(String),

    /// There is no such module, version or other named thing.
    #[error("{0}")]
    NotFound(String),

    /// A defect of the server.
    #[error("internal error: {0}")]
    Internal(String),
}

/// In the words of Temporal's server.
fn multi_operation(statuses: &[Option<Box<Error>>]) -> String {
    let why = statuses.iter().flatten().next();
    match why {
        Some(error) => format!("Update-with-Start could not be executed: {error}"),
        None => "Update-with-Start could not be executed.".into(),
    }
}

impl From<longhaul_store::ReadError> for Error {
    fn from(error: longhaul_store::ReadError) -> Self {
        match error {
            longhaul_store::ReadError::Reopened => Self::Unavailable(error.to_string()),
            longhaul_store::ReadError::BadPosition => Self::InvalidArgument(error.to_string()),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<longhaul_store::WriteError> for Error {
    fn from(error: longhaul_store::WriteError) -> Self {
        match error {
            longhaul_store::WriteError::Violation(
                violation @ longhaul_store::Violation::TypeOwned { .. },
            ) => Self::FailedPrecondition(violation.to_string()),
            longhaul_store::WriteError::Violation(violation) => Self::Internal(violation.to_string()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<longhaul_history::limits::Error> for Error {
    fn from(error: longhaul_history::limits::Error) -> Self {
        Self::InvalidArgument(error.to_string())
    }
}
