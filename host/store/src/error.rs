//! What can go wrong, by operation.

use std::{io, path::PathBuf};

use crate::{ExecutionKey, NamespaceId, RunId};

/// Why a database cannot be opened. The file is as it was before, byte for byte.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory of the file does not exist.
    #[error("cannot create the database {}: the directory {} does not exist; create it, or name another file with --db", path.display(), directory.display())]
    NoDirectory {
        /// The database file.
        path: PathBuf,
        /// What is missing.
        directory: PathBuf,
    },

    /// The path names something that is not a regular file.
    #[error("cannot open the database {}: it is {found}, not a file; name a file with --db", path.display())]
    NotAFile {
        /// The database file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },

    /// The file holds something else.
    #[error("{} is not a Longhaul database ({found}); it was left as it is: name another file with --db", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        found: String,
    },

    /// The file is cut short or damaged.
    #[error("the database {} is damaged: {detail}; it was left as it is: restore the file from a backup, or name another with --db", path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What does not fit.
        detail: String,
    },

    /// The file was written by a newer Longhaul.
    #[error("the database {} has format {found}, and this version of longhaul reads format {supported}: use the version that wrote it, or a newer one", path.display())]
    NewerFormat {
        /// The database file.
        path: PathBuf,
        /// The file's format.
        found: u32,
        /// The newest that this version knows.
        supported: u32,
    },

    /// Another process has the file open.
    #[error("the database {} is in use by another process: stop that server first, or name another file with --db", path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },

    /// The file may not be read or written.
    #[error("no permission to read and write {}: {source}; change its owner or mode, or name another file with --db", path.display())]
    Permission {
        /// What was refused.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// There is no space for the database.
    #[error("no space left for the database {}: {source}; free some space on that disk", path.display())]
    NoSpace {
        /// The database file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// Any other failure of the system.
    #[error("cannot open the database {}: {source}; check the disk that holds it", path.display())]
    Io {
        /// What was being read or written.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Why a read failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A row does not decode: the file is damaged, or was written by something else.
    #[error(
        "the row {key} of table {table} cannot be read: {detail}; stop the server and put a backup of the file in its place"
    )]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
        /// What does not fit.
        detail: String,
    },

    /// The file was closed or opened anew (after a failed write) while it was being read.
    #[error("the database was reopened during the read; read again")]
    Reopened,

    /// A list's position was not made by this store.
    #[error("the page token is not valid; start the list again without one")]
    BadPosition,

    /// The database library failed.
    #[error("reading the database failed: {0}; check the disk that holds it")]
    Storage(String),
}

impl ReadError {
    pub(crate) fn corrupt(table: &'static str, key: String, detail: &str) -> Self {
        Self::Corrupt {
            table,
            key,
            detail: detail.to_owned(),
        }
    }
}

impl From<redb::StorageError> for ReadError {
    fn from(error: redb::StorageError) -> Self {
        match error {
            // A snapshot outlived its database: the writer reopened the file after a failed write.
            redb::StorageError::DatabaseClosed | redb::StorageError::PreviousIo => Self::Reopened,
            error => Self::Storage(error.to_string()),
        }
    }
}

impl From<redb::TableError> for ReadError {
    fn from(error: redb::TableError) -> Self {
        match error {
            redb::TableError::Storage(error) => error.into(),
            error => Self::Storage(error.to_string()),
        }
    }
}

impl From<redb::TransactionError> for ReadError {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(error) => error.into(),
            error => Self::Storage(error.to_string()),
        }
    }
}

/// Why transitions did not become durable.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The disk is full. Writing goes on, after [`Writer::recover`](crate::Writer::recover), when there is space again.
    #[error(
        "no space left on the disk that holds {path} ({detail}): free some space, and writing goes on by itself"
    )]
    NoSpace {
        /// The database file.
        path: String,
        /// The system's answer.
        detail: String,
    },

    /// The disk failed. Nothing is written until the process restarts.
    #[error(
        "the database {path} is read-only since a write to it failed ({detail}): check the disk, then restart the server, which checks the whole file before it goes on"
    )]
    ReadOnly {
        /// The database file.
        path: String,
        /// The system's answer.
        detail: String,
    },

    /// The transition contradicts what is stored: a defect of the caller. Others are not affected.
    #[error("a change contradicts what is stored, and was not written: {0}")]
    Violation(#[from] Violation),

    /// What the transition builds on cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),

    /// The writer has stopped.
    #[error("the store is closing; try again when the server is up")]
    Stopped,
}

/// An invariant that a transition would break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Events do not follow on the run's last.
    #[error("{namespace}, run {run_id}: events from {found} were to be appended where {expected} comes next")]
    AppendGap {
        /// The run's namespace.
        namespace: NamespaceId,
        /// The run.
        run_id: RunId,
        /// The id that comes next.
        expected: u64,
        /// The id of the first event to append.
        found: u64,
    },

    /// An append without events.
    #[error("{namespace}, run {run_id}: an append without events")]
    EmptyAppend {
        /// The run's namespace.
        namespace: NamespaceId,
        /// The run.
        run_id: RunId,
    },

    /// The record's `next_event_id` does not fit the history in the store.
    #[error("{key}: the record says that event {record} comes next, its history that {history} does")]
    NextEvent {
        /// The execution.
        key: ExecutionKey,
        /// What the record says.
        record: u64,
        /// What the history says.
        history: u64,
    },

    /// A record that is closed without a close time, or open with one.
    #[error("{0}: status and close time do not fit")]
    CloseTime(ExecutionKey),

    /// A closed execution was to be opened again.
    #[error("{0}: it is closed, and was to be opened again")]
    Reopened(ExecutionKey),

    /// Two runs of one workflow id would be open at a time.
    #[error("{key}: it cannot open while run {open} is open")]
    TwoOpen {
        /// The execution to open.
        key: ExecutionKey,
        /// The run that is open.
        open: RunId,
    },

    /// A term that lists could not hold.
    #[error("{key}: a search term of {bytes} bytes, and at most {most} are possible")]
    TermTooLong {
        /// The execution.
        key: ExecutionKey,
        /// The term's size.
        bytes: usize,
        /// What is possible.
        most: usize,
    },

    /// A version of a module exists already.
    #[error("{namespace}: module {name:?} has a version {version} already")]
    ModuleVersion {
        /// Its namespace.
        namespace: NamespaceId,
        /// The module.
        name: String,
        /// The version.
        version: u32,
    },

    /// A workflow or activity type belongs to another module.
    #[error(
        "{namespace}: the type {type_name:?} belongs to module {owner:?}, so module {name:?} cannot define it"
    )]
    TypeOwned {
        /// Its namespace.
        namespace: NamespaceId,
        /// The type.
        type_name: String,
        /// The module that has it.
        owner: String,
        /// The module that wants it.
        name: String,
    },

    /// A namespace's number is taken by another name, or its name by another number.
    #[error("namespace {name:?} cannot have number {id}: the name or the number is taken")]
    NamespaceTaken {
        /// The name.
        name: String,
        /// The number.
        id: u32,
    },
}

/// Why a transition was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The writer has stopped.
    #[error("the store is closing; try again when the server is up")]
    Stopped,

    /// The queue is full; the transition is handed back. From [`Submitter::try_submit`](crate::Submitter::try_submit), and from
    /// `submit` of an inline writer, which has nobody to wait for.
    #[error("the writer's queue is full; try again when it has committed")]
    Full(Box<crate::Transition>),

    /// The transition is too large.
    #[error("a transition of {found} bytes is over the limit of {limit} bytes; nothing was written")]
    TooLarge {
        /// Its size.
        found: usize,
        /// The limit.
        limit: usize,
    },
}
