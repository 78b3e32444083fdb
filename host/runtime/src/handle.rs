//! A running runtime: opened, asked, stopped.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak, atomic::AtomicBool},
    thread::JoinHandle,
    time::Duration,
};

use longhaul_sandbox::Sandbox;
use longhaul_store::{Health, Store, Writer};

use crate::{
    Clock, Options,
    attempt_threads::AttemptThreads,
    attributes,
    core::{Admin, Core, Randomness},
    mailbox::Mailbox,
    recovery,
    registry::{Registry, Version},
    shard::{Shard, ShardMailbox, letters_of},
    task_queues::{self, TaskQueues},
    watch::Watchers,
    workers::Workers,
};

/// Stack of a thread that calls guests: the sandbox's own limit and this much for the host's frames above it.
const HOST_STACK_BYTES: usize = 2 << 20;
/// How often a full disk is tried again.
const RECOVER_EVERY: Duration = Duration::from_secs(1);

/// A running runtime. Cheap to clone; every face (gRPC, HTTP, the embedded engine) talks to this.
///
/// Requests and answers are Temporal's own messages, so that there is one vocabulary from the wire to history. A method returns
/// when what it did is durable, and what it read is durable. A future that is dropped before it is ready does not take its request
/// back.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) core: Arc<Core>,
    shards: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("store", &self.inner.core.store)
            .finish_non_exhaustive()
    }
}

/// Why a runtime cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database.
    #[error(transparent)]
    Store(#[from] longhaul_store::OpenError),
    /// What is in the database.
    #[error(transparent)]
    Content(#[from] crate::Error),
    /// The sandbox.
    #[error(transparent)]
    Sandbox(#[from] longhaul_sandbox::Error),
    /// A thread.
    #[error("a thread could not be started: {0}; lower the number of shards or raise the process's limits")]
    Thread(#[from] std::io::Error),
    /// The writer was taken before.
    #[error("the store is in use by another runtime in this process")]
    InUse,
    /// Not within tokio.
    #[error("a runtime is opened within tokio: {0}")]
    NoTokio(#[from] tokio::runtime::TryCurrentError),
}

/// A namespace.
#[derive(Debug, Clone)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// A UUID, stable for the life of the database.
    pub id: String,
    /// How long closed executions are kept.
    pub retention: Duration,
    /// The database's id, a UUID: `GetClusterInfo`'s cluster id.
    pub cluster_id: String,
}

impl Runtime {
    /// Open the database and go on where the last server ended. Must be called within a tokio runtime; blocks for the disk.
    ///
    /// # Errors
    ///
    /// The database is not ours, damaged, newer, or in use; the sandbox cannot be set up.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let store = Store::open(options.store.clone())?;
        Self::open_on(options, store, Clock::system())
    }

    /// As [`Runtime::open`], with a store and a clock of the caller's.
    ///
    /// # Errors
    ///
    /// As [`Runtime::open`].
    pub fn open_on(mut options: Options, store: Store, clock: Clock) -> Result<Self, OpenError> {
        if options.time_skipping {
            // One clock jumps for all: with one shard nobody is surprised in the middle of something.
            options.shards = NonZeroUsize::MIN;
        }
        let stack_bytes = options.sandbox.wasm_stack_max_bytes + HOST_STACK_BYTES;
        let writer = store.writer().ok_or(OpenError::InUse)?;
        let workers = Workers::start(options.workers, stack_bytes)?;
        let sandbox = sandbox_of(&options)?;
        let attempts = AttemptThreads::start(options.activity_threads)?;
        let (failed_writes, write_has_failed) = tokio::sync::mpsc::channel(1);
        let (core, shards) = build(
            options,
            store,
            clock,
            writer,
            workers,
            attempts,
            Randomness::System,
            sandbox,
            failed_writes,
        )?;
        let mut threads = Vec::new();
        for (index, shard) in shards.into_iter().enumerate() {
            let builder = std::thread::Builder::new()
                .name(format!("shard-{index}"))
                .stack_size(stack_bytes);
            threads.push(builder.spawn(move || shard.run())?);
        }
        core.tokio
            .spawn(watch_space(Arc::downgrade(&core), write_has_failed));
        Ok(Self::new(core, threads))
    }

    pub(crate) fn new(core: Arc<Core>, threads: Vec<JoinHandle<()>>) -> Self {
        Self {
            inner: Arc::new(Inner {
                core,
                shards: Mutex::new(threads),
            }),
        }
    }

    /// Stop in order: no further requests, everything that was taken becomes durable, then the threads end. Blocks until it is done;
    /// attempts of activities that run are lost and tried again by the next server.
    pub fn stop(&self) {
        let core = &self.inner.core;
        core.task_queues.stop();
        for mailbox in core.mailboxes.get().into_iter().flatten() {
            mailbox.close();
        }
        let shards = std::mem::take(&mut *self.inner.shards.lock().unwrap_or_else(PoisonError::into_inner));
        for shard in shards {
            if shard.join().is_err() {
                tracing::error!("a shard has panicked");
            }
        }
        core.attempts.stop();
        core.workers.stop();
        core.writer.stop();
    }

    /// `None` while the store takes writes; otherwise why not. For health checks.
    pub fn write_failure(&self) -> Option<String> {
        self.inner.core.store.health().error().map(ToString::to_string)
    }

    /// A namespace by name, for `DescribeNamespace`.
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn namespace(&self, name: &str) -> Result<Namespace, crate::Error> {
        let core = &self.inner.core;
        let record = core
            .namespaces
            .get(name)
            .ok_or_else(|| crate::Error::NamespaceNotFound(name.to_owned()))?;
        Ok(Namespace {
            name: record.name.clone(),
            id: uuid::Uuid::from_u128(record.uuid).to_string(),
            retention: core.options.retention,
            cluster_id: uuid::Uuid::from_u128(core.store.identity().id).to_string(),
        })
    }

    /// Polls of task queues that wait: for tests and benchmarks.
    pub fn polls_that_wait(&self) -> usize {
        self.inner.core.task_queues.polls_that_wait()
    }

    /// What the store has done since it was opened: for tests and benchmarks that count commits.
    pub fn store_stats(&self) -> longhaul_store::Stats {
        self.inner.core.store.stats()
    }
}

/// The sandbox that these options ask for.
pub(crate) fn sandbox_of(options: &Options) -> Result<Sandbox, OpenError> {
    // Each shard rounds its share of the slots up.
    let attempts = options.activity_slots.saturating_add(options.shards.get());
    let mut sandbox = options.sandbox.clone();
    // No folder that an activity is granted has the database in it, with everybody's modules and histories.
    sandbox.own_paths.push(options.store.path.clone());
    Ok(Sandbox::new(longhaul_sandbox::Options {
        activity_instances: u32::try_from(attempts).unwrap_or(u32::MAX),
        ..sandbox
    })?)
}

/// Everything but the shards' threads.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a part of its own, named where it is given"
)]
pub(crate) fn build(
    options: Options,
    store: Store,
    clock: Clock,
    writer: Writer,
    workers: Workers,
    attempts: AttemptThreads,
    randomness: Randomness,
    sandbox: Sandbox,
    failed_writes: tokio::sync::mpsc::Sender<()>,
) -> Result<(Arc<Core>, Vec<Shard>), OpenError> {
    let tokio = tokio::runtime::Handle::try_current()?;
    let (sent, notices) = std::sync::mpsc::channel();
    let submitter = writer.register(move |notice| {
        // The receiver lives as long as the core, and after it nobody cares.
        let _ = sent.send(notice);
    });
    let snapshot = store.read().map_err(crate::Error::from)?;
    let times = snapshot.clock().map_err(crate::Error::from)?;
    clock.restore(times.skipped_ns, times.last_event_time_ns);
    let namespaces: HashMap<_, _> = snapshot
        .namespaces()
        .map_err(crate::Error::from)?
        .into_iter()
        .map(|record| (record.name.clone(), record))
        .collect();
    let registry = Registry::default();
    for record in snapshot.modules().map_err(crate::Error::from)? {
        registry.insert(record.namespace, Arc::new(Version::from_record(record)?));
    }
    let attributes = attributes::Registry::default();
    attributes.restore(snapshot.search_attributes().map_err(crate::Error::from)?)?;
    let task_queues = TaskQueues::new(task_queues::Limits {
        polls: options.polls,
        polls_of_queue: options.polls_of_queue,
        configs: options.queue_configs,
    });
    task_queues.restore(snapshot.task_queues().map_err(crate::Error::from)?)?;
    drop(snapshot);
    let mailboxes: Vec<Arc<ShardMailbox>> = (0..options.shards.get())
        .map(|_| Arc::new(Mailbox::new(options.mailbox_capacity)))
        .collect();
    let core = Arc::new(Core {
        options,
        clock,
        store,
        writer,
        sandbox,
        registry,
        gates: crate::gates::Gates::default(),
        attributes,
        task_queues,
        watchers: Arc::new(Watchers::default()),
        workers,
        tokio,
        attempts,
        namespaces,
        mailboxes: OnceLock::new(),
        admin: Mutex::new(Admin { submitter, notices }),
        uploads: Mutex::new(()),
        queue_configs: Mutex::new(()),
        randomness,
        failed_writes,
        sweep_expected: AtomicBool::new(false),
    });
    let mut shards: Vec<Shard> = mailboxes
        .iter()
        .enumerate()
        .map(|(index, mailbox)| Shard::new(core.clone(), index, mailbox.clone()))
        .collect();
    // Before anything is restored: whoever waits for the rate of a task queue is told when it goes on.
    core.mailboxes.get_or_init(|| mailboxes);
    recovery::each_alarm(&core, |due| {
        let shard = core.shard_of(&due.place);
        shards[shard].restore(due);
    })?;
    letters_of(&core, |envelope| {
        let shard = core.shard_of(&envelope.sender);
        shards[shard].restore_letter(envelope);
    })?;
    for shard in &mut shards {
        shard.resume();
    }
    Ok((core, shards))
}

/// From a failed write on, while the disk is full, look now and then whether there is space again. Ends with the runtime.
async fn watch_space(core: Weak<Core>, mut write_has_failed: tokio::sync::mpsc::Receiver<()>) {
    while write_has_failed.recv().await.is_some() {
        while core.upgrade().is_some_and(|core| is_full(&core)) {
            tokio::time::sleep(RECOVER_EVERY).await;
            let Some(core) = core.upgrade() else { return };
            let tried = tokio::task::spawn_blocking(move || core.writer.recover()).await;
            if let Ok(Ok(())) = tried {
                tracing::info!("there is space on the disk again; writing goes on");
            }
        }
    }
}

fn is_full(core: &Core) -> bool {
    matches!(core.store.health(), Health::NoSpace(_))
}
