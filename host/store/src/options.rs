//! Settings.

use std::path::PathBuf;

/// How the store is opened and how much it may use.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database file. Its directory must exist; a missing or empty file becomes a new database.
    pub path: PathBuf,
    /// Memory for cached pages of the file, in bytes. Default 256 MiB.
    pub cache_size_bytes: usize,
    /// At most so many transitions go into one commit. Default 1,024: past some hundreds a commit gains nothing more.
    pub batch_max_transitions: usize,
    /// A commit takes no further transition once those it has are so large, in bytes. Default 16 MiB.
    pub batch_max_bytes: usize,
    /// A larger transition is refused, in bytes. Default 256 MiB; it bounds what one upload may hold.
    pub transition_max_bytes: usize,
    /// So many transitions may wait for the writer; past them `submit` blocks. Default 8,192.
    pub queue_capacity: usize,
    /// Check every page of the file before it is opened, which reads the whole file. Default false; a store that had to stop for a
    /// failed fsync asks for it by itself at the next opening.
    pub verify: bool,
    /// How long a new database's namespace `default` keeps closed executions, in seconds. Default 3 days, which is
    /// what Temporal's command line gives a new namespace.
    pub default_retention_s: u64,
    /// The id of a new database, a UUID; `None` draws one. Set it where runs must be repeatable.
    pub database_id: Option<u128>,
    /// When a new database was made, in nanoseconds since 1970; `None` asks the wall clock.
    pub created_at_ns: Option<u64>,
}

impl Options {
    /// The defaults, for a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            cache_size_bytes: 256 << 20,
            batch_max_transitions: 1024,
            batch_max_bytes: 16 << 20,
            transition_max_bytes: 256 << 20,
            queue_capacity: 8192,
            verify: false,
            default_retention_s: 3 * 86_400,
            database_id: None,
            created_at_ns: None,
        }
    }
}
