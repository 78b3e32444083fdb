//! Every setting of a runtime, with its default.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use longhaul_engine::execution;

use crate::attributes;

/// Settings of a [`Runtime`](crate::Runtime).
#[derive(Debug, Clone)]
pub struct Options {
    /// The database.
    pub store: longhaul_store::Options,
    /// The sandbox. Machine code is kept beside the database unless `cache_dir` says otherwise.
    pub sandbox: longhaul_sandbox::Options,
    /// Loops that share the executions among them. Default: one for each core; one with time skipping.
    pub shards: NonZeroUsize,
    /// Requests that may wait in one shard's mailbox; more are refused with RESOURCE_EXHAUSTED. Of those that the shard has taken out
    /// as many may wait for executions to be read, as many for code to be compiled, and as many for one execution in memory whose code
    /// is away. Default 10,000.
    pub mailbox_capacity: usize,
    /// Let the clock jump to the next timer while nothing can run and a client waits for a result. For demos and tests.
    pub time_skipping: bool,
    /// Memory of live instances in bytes; above it the least recently used are dropped and come back by replay. Default 2 GiB.
    pub instance_bytes: usize,
    /// Live instances, in number. Default 50,000, within the sandbox's arena.
    pub instances: usize,
    /// Threads that compile, replay and read for the shards. Default 2.
    pub workers: NonZeroUsize,
    /// Activity attempts that run at once; also sets the sandbox's `activity_instances`, which has a highest value. Default 1,000.
    pub activity_slots: usize,
    /// Threads on which those attempts run, and nothing else. Default: one for each core.
    pub activity_threads: NonZeroUsize,
    /// Longest wait of a long poll; then the stage or page reached so far is the answer. Default 20 s, as Temporal's server.
    pub long_poll: Duration,
    /// Longest wait of a worker's poll of a task queue; then the answer is empty, and the worker polls again. Default 60 s, as
    /// Temporal's server.
    pub task_poll: Duration,
    /// Polls of task queues that wait at once; more are refused with RESOURCE_EXHAUSTED. Default 10,000.
    pub polls: usize,
    /// The same in one task queue. Default 2,000.
    pub polls_of_queue: usize,
    /// Task queues for which operators have set something, in all namespaces. One for which it was unset again gives way to another;
    /// where there is none, another is refused with RESOURCE_EXHAUSTED. Each takes some kB of memory at most. Default 10,000.
    pub queue_configs: usize,
    /// Events in one page of history. Default 1,000, as Temporal's server at most.
    pub history_page: usize,
    /// Executions in one page of a list. Default 1,000, as Temporal's server at most.
    pub list_page: usize,
    /// Reads, of ten pages each, that one page of a list may take while it finds nothing; then an empty page with a token is the answer,
    /// so that a filter that takes almost nothing holds no client for long. Default 10.
    pub list_reads: usize,
    /// Reads, of ten pages each, that one count may take. Default 1,000.
    pub count_reads: usize,
    /// How long closed executions are kept before they are deleted, in all namespaces. Default 3 days, as Temporal's server gives a new
    /// namespace. With `time_skipping` nothing is deleted.
    pub retention: Duration,
    /// First wait before a failed workflow task is tried again; doubled each time. Default 1 s.
    pub task_retry_initial: Duration,
    /// Longest such wait. Default 10 min.
    pub task_retry_maximum: Duration,
    /// Limit of one workflow task, where a start asks for no other. At most 120 s and what the run has are stated in history, as by
    /// Temporal's server. Local activities keep a task open for four fifths of it (of 1 s at least) before another follows; and an attempt
    /// of one that waits longer than this for the next is tried again by a timer. Default 10 s, as Temporal's.
    pub task_timeout: Duration,
    /// Whether modules may ask for `[grants]`: folders, network, environment. Whoever can upload then gets them. Default false.
    pub allow_grants: bool,
    /// Limits of one execution.
    pub limits: execution::Limits,
    /// Limits of search attributes.
    pub search_attributes: attributes::Limits,
    /// How this server calls itself in histories. Default: `longhaul@PID`.
    pub identity: String,
}

impl Options {
    /// The defaults, with the database in `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let two = NonZeroUsize::MIN.saturating_add(1);
        let sandbox = longhaul_sandbox::Options {
            cache_dir: Some(path.with_extension("cache")),
            ..Default::default()
        };
        Self {
            store: longhaul_store::Options::new(path),
            sandbox,
            shards: std::thread::available_parallelism().unwrap_or(two),
            mailbox_capacity: 10_000,
            time_skipping: false,
            instance_bytes: 2 << 30,
            instances: 50_000,
            workers: two,
            activity_slots: 1_000,
            activity_threads: std::thread::available_parallelism().unwrap_or(two),
            long_poll: Duration::from_secs(20),
            task_poll: Duration::from_secs(60),
            polls: 10_000,
            polls_of_queue: 2_000,
            queue_configs: 10_000,
            history_page: 1_000,
            list_page: 1_000,
            list_reads: 10,
            count_reads: 1_000,
            retention: Duration::from_secs(3 * 24 * 60 * 60),
            task_retry_initial: Duration::from_secs(1),
            task_retry_maximum: Duration::from_secs(10 * 60),
            task_timeout: Duration::from_secs(10),
            allow_grants: false,
            limits: execution::Limits::default(),
            search_attributes: attributes::Limits::default(),
            identity: format!("longhaul@{}", std::process::id()),
        }
    }

    /// Wait before attempt `failed + 1` of a workflow task.
    pub(crate) fn task_retry_after(&self, failed: u32) -> Duration {
        let factor = 1_u32
            .checked_shl(failed.saturating_sub(1).min(20))
            .unwrap_or(u32::MAX);
        self.task_retry_initial
            .saturating_mul(factor)
            .min(self.task_retry_maximum)
    }
}
