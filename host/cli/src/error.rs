//! What a command can fail with, what the user can do about it, and the exit code.

use std::{io, path::PathBuf, time::Duration};

use tonic::Code;

use crate::{args::Address, bench, input};

/// A failed command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The arguments do not make sense together.
    #[error("{0}")]
    Usage(String),

    /// An input is no JSON.
    #[error(transparent)]
    Input(#[from] input::Error),

    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// No server answers.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// The server's address.
        address: Address,
        /// The innermost cause.
        reason: String,
    },

    /// The connection broke during a request.
    #[error("the connection to {address} broke: {reason}")]
    Disconnected {
        /// The server's address.
        address: Address,
        /// The innermost cause.
        reason: String,
    },

    /// The server refused a request.
    #[error("{}", status_text(status))]
    Request {
        /// The method, for example `start_workflow_execution`.
        operation: &'static str,
        /// The server's answer.
        status: Box<tonic::Status>,
    },

    /// The server's answer lacks what its interface promises.
    #[error("the server's answer to {operation} {what}")]
    Answer {
        /// The method.
        operation: &'static str,
        /// What is wrong.
        what: &'static str,
    },

    /// `--command-timeout` has passed.
    #[error("gave up after {}", humantime::format_duration(*.0))]
    CommandTimeout(Duration),

    /// The workflow closed otherwise than by completing.
    #[error("workflow {status}{}", message.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    WorkflowFailed {
        /// `FAILED`, `CANCELED`, `TERMINATED` or `TIMED_OUT`.
        status: &'static str,
        /// The failure and its causes, a line each, or what took its place, if there is something to say.
        message: Option<String>,
    },

    /// The workflow's code trapped, panicked or asked for what is not offered.
    #[error("workflow task failed: {0}")]
    TaskFailed(String),

    /// An update was refused, or its handler failed.
    #[error("update {name} failed: {message}")]
    UpdateFailed {
        /// The update's name or, where only that is known, its id.
        name: String,
        /// The outermost failure.
        message: String,
    },

    /// A query was rejected for the execution's status.
    #[error("query was rejected, workflow has status {0}")]
    QueryRejected(&'static str),

    /// A message has no JSON form.
    #[error("cannot write {what} as JSON: {reason}")]
    Json {
        /// The message.
        what: &'static str,
        /// Why not.
        reason: String,
    },

    /// Standard output or standard error takes no more.
    #[error("cannot write the output: {0}")]
    Output(io::Error),

    /// The operating system gives no event loop or no signals.
    #[error("cannot start: {0}")]
    Runtime(io::Error),

    /// No folder for a temporary database.
    #[error("cannot make a temporary folder: {0}")]
    TemporaryFolder(io::Error),

    /// A file holds no history.
    #[error("{} is no history: {reason}", path.display())]
    History {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// The configuration file cannot be used.
    #[error(transparent)]
    Config(#[from] crate::config::Error),

    /// The server cannot serve.
    #[error(transparent)]
    Server(#[from] longhaul_server::Error),

    /// The engine of this process cannot be opened.
    #[error(transparent)]
    Open(#[from] longhaul_runtime::OpenError),

    /// A replay differs from its history, or cannot begin.
    #[error("{}", replay_text(.0))]
    Replay(Box<longhaul_runtime::ReplayError>),

    /// Something could not be measured.
    #[error(transparent)]
    Bench(#[from] bench::Error),

    /// A part of this program panicked.
    #[error("internal error: {0}")]
    Defect(String),

    /// The engine of this process refused something.
    #[error("{0}")]
    Engine(#[from] longhaul_runtime::Error),
}

impl Error {
    /// 2 for wrong usage, as clap does; 1 for all else. A reader that closes the pipe early is no failure.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Input(_) | Self::Config(_) => 2,
            Self::Output(source) if source.kind() == io::ErrorKind::BrokenPipe => 0,
            _ => 1,
        }
    }

    /// What the user can do about it, if there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Connect { .. } => Some(
                "start a server with `longhaul server start`, or name another with --address or TEMPORAL_ADDRESS".to_owned(),
            ),
            Self::Disconnected { .. } => Some("see the server's log, then try again".to_owned()),
            Self::CommandTimeout(_) => Some("--command-timeout sets the limit".to_owned()),
            Self::Input(error) => error.hint(),
            Self::TemporaryFolder(_) => Some("TMPDIR names another place".to_owned()),
            Self::History { .. } => {
                Some("`longhaul workflow show -o json` writes one".to_owned())
            }
            Self::Request { operation, status } => request_hint(operation, status),
            _ => None,
        }
    }
}

fn request_hint(operation: &str, status: &tonic::Status) -> Option<String> {
    let on_module = matches!(operation, "upload" | "list" | "describe" | "remove");
    let hint = match status.code() {
        Code::NotFound if status.message().contains("already completed") => {
            "`longhaul workflow result` shows how it ended"
        }
        Code::NotFound if status.message().contains("amespace") => {
            "--namespace or TEMPORAL_NAMESPACE names another"
        }
        Code::NotFound
            if on_module
                || ["module ", "there is no module "]
                    .iter()
                    .any(|start| status.message().starts_with(start)) =>
        {
            "`longhaul module list` shows what there is"
        }
        Code::NotFound if status.message().starts_with("workflow not found") => {
            "`longhaul workflow list` shows what there is"
        }
        Code::InvalidArgument if status.message().starts_with("no uploaded module defines") => {
            "`longhaul module list` shows what there is"
        }
        Code::AlreadyExists => {
            "choose another --workflow-id, or see --id-conflict-policy (it is open) and --id-reuse-policy (it is closed)"
        }
        Code::Unimplemented if on_module => {
            "modules need a Longhaul server; is something else listening at --address?"
        }
        Code::Unimplemented => "this server does not offer the request",
        Code::Unavailable => "the server cannot take requests now; its log says why",
        Code::ResourceExhausted => {
            "a limit of the server is reached; try again later or raise it in the server's settings"
        }
        Code::DeadlineExceeded | Code::Cancelled => "the server took too long; see its log",
        Code::Internal | Code::DataLoss => "this is a defect of the server; its log has the details",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// The difference, and the guest's own frames below it.
fn replay_text(error: &longhaul_runtime::ReplayError) -> String {
    match error {
        longhaul_runtime::ReplayError::Failed { message, backtrace } if !backtrace.is_empty() => {
            format!("{message}\n{}", backtrace.trim_end())
        }
        error => error.to_string(),
    }
}

fn status_text(status: &tonic::Status) -> &str {
    if status.message().is_empty() {
        status.code().description()
    } else {
        status.message()
    }
}
