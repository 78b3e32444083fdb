//! What the shards and the handle share.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicBool},
};

use longhaul_engine::Status;
use longhaul_sandbox::{LogSink, Module, NoLog, Sandbox};
use longhaul_store::{
    Change, NamespaceId, NamespaceRecord, RunId, Snapshot, Store, Submitter, Transition, Writer,
};

use crate::{
    Clock, Error, Options,
    attempt_threads::AttemptThreads,
    attributes,
    gates::Gates,
    logs::RunLog,
    registry::{Registry, Version},
    shard::{Notice, Place, ShardMailbox},
    task_queues::{Matches, QueueKey, TaskQueues, Waiting},
    watch::Watchers,
    workers::Workers,
};

/// Shared by everything in a runtime.
pub(crate) struct Core {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) writer: Writer,
    pub(crate) sandbox: Sandbox,
    pub(crate) registry: Registry,
    pub(crate) gates: Gates,
    pub(crate) attributes: attributes::Registry,
    pub(crate) task_queues: TaskQueues,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) workers: Workers,
    pub(crate) tokio: tokio::runtime::Handle,
    pub(crate) attempts: AttemptThreads,
    pub(crate) namespaces: HashMap<String, NamespaceRecord>,
    pub(crate) mailboxes: OnceLock<Vec<Arc<ShardMailbox>>>,
    /// Where what belongs to no shard is written: modules.
    pub(crate) admin: Mutex<Admin>,
    /// Held while a module's versions are changed.
    pub(crate) uploads: Mutex<()>,
    /// Held while what operators set for a task queue is changed.
    pub(crate) queue_configs: Mutex<()>,
    pub(crate) randomness: Randomness,
    /// Wakes who looks for space on the disk.
    pub(crate) failed_writes: tokio::sync::mpsc::Sender<()>,
    /// Whether somebody is to look for executions whose retention is over.
    pub(crate) sweep_expected: AtomicBool,
}

/// Where run ids come from.
pub(crate) enum Randomness {
    /// The operating system.
    System,
    /// A seed: for simulation.
    Seeded(Box<Mutex<rand_chacha::ChaCha12Rng>>),
}

/// The submitter of what belongs to no shard.
pub(crate) struct Admin {
    pub(crate) submitter: Submitter,
    pub(crate) notices: std::sync::mpsc::Receiver<longhaul_store::Notice>,
}

impl Core {
    /// What is durable now.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, Error> {
        Ok(self.store.read()?)
    }

    /// The index of the shard that owns a workflow id.
    pub(crate) fn shard_of(&self, place: &Place) -> usize {
        // The hasher's keys are fixed, and the number of shards may change between two starts: nothing durable depends on it.
        let mut hasher = DefaultHasher::new();
        place.hash(&mut hasher);
        let shards = self.options.shards.get() as u64;
        // Less than the number of shards, which is a usize.
        (hasher.finish() % shards) as usize
    }

    /// Tell the shards of attempts which polls they have met, or that it is their turn, and one shard when the queue may go on.
    pub(crate) fn bring(&self, key: &QueueKey, matches: Matches) {
        // Without mailboxes the server has not begun, and nothing waits.
        let Some(mailboxes) = self.mailboxes.get() else {
            return;
        };
        for (waiting, poll) in matches.pairs {
            let Waiting {
                place,
                run_id,
                scheduled_event_id,
            } = waiting;
            mailboxes[self.shard_of(&place)].notice(Notice::poll(run_id, place, scheduled_event_id, poll));
        }
        for (waiting, token) in matches.called {
            mailboxes[self.shard_of(&waiting.place)].notice(Notice::Called { waiting, token });
        }
        if let Some(at_ns) = matches.again_ns {
            let key = key.clone();
            mailboxes[self.shard_of_queue(&key)].notice(Notice::QueueAgain { key, at_ns });
        }
    }

    /// The index of the shard that looks after what a task queue waits for.
    fn shard_of_queue(&self, key: &QueueKey) -> usize {
        self.shard_of(&Place {
            namespace: key.namespace,
            workflow_id: key.name.clone(),
        })
    }

    /// Tell every shard.
    pub(crate) fn tell_all(&self, notice: impl Fn() -> Notice) {
        for mailbox in self.mailboxes.get().into_iter().flatten() {
            mailbox.notice(notice());
        }
    }

    /// Wait until every shard has handed what it decided so far to the writer, and the writer has made that durable. Blocks.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        let (passed, waiting) = std::sync::mpsc::channel();
        self.tell_all(|| Notice::Barrier(passed.clone()));
        drop(passed);
        // Ends when the last shard has answered, or has dropped the question because it stops.
        while waiting.recv().is_ok() {}
        // The writer serves in order: behind this, all of it is durable. The change itself changes nothing.
        self.write_now(Transition::new(vec![Change::SetSkipped(0)]))
    }

    /// A new run's id.
    pub(crate) fn new_run_id(&self) -> RunId {
        match &self.randomness {
            Randomness::System => RunId::random(),
            Randomness::Seeded(generator) => {
                use rand_core::RngCore;
                let mut bytes = [0; 16];
                generator
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .fill_bytes(&mut bytes);
                uuid::Builder::from_random_bytes(bytes).into_uuid().into()
            }
        }
    }

    /// What nobody can guess, for a task token.
    pub(crate) fn new_nonce(&self) -> u64 {
        // The lower half of a random UUID: two of its bits say what it is, 62 are random.
        self.new_run_id().0 as u64
    }

    /// How long closed executions are kept, in nanoseconds.
    pub(crate) fn retention_ns(&self) -> u64 {
        u64::try_from(self.options.retention.as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn namespace_name(&self, id: NamespaceId) -> &str {
        self.namespaces
            .values()
            .find(|record| record.id == id)
            .map_or("", |record| record.name.as_str())
    }

    /// The store's number for a status.
    pub(crate) fn status_of(&self, status: Status) -> Result<longhaul_store::Status, Error> {
        longhaul_store::Status::ALL
            .into_iter()
            .find(|stored| *stored as i32 == status as i32)
            .ok_or_else(|| Error::Internal(format!("status {status:?} cannot be stored")))
    }

    /// A version's machine code; compiles it if need be. Blocks.
    pub(crate) fn module_now(&self, version: &Version) -> Result<Module, Error> {
        version.compile(&self.sandbox, || {
            self.snapshot()?
                .component(&version.record.digest)?
                .ok_or_else(|| {
                    Error::Internal(format!(
                        "the component of module {}@{} is not in the database",
                        version.name, version.number
                    ))
                })
        })
    }

    /// A version's machine code, without blocking the thread.
    pub(crate) async fn module(self: &Arc<Self>, version: &Arc<Version>) -> Result<Module, Error> {
        if let Some(module) = version.compiled() {
            return Ok(module);
        }
        let (core, version) = (self.clone(), version.clone());
        let compiled = tokio::task::spawn_blocking(move || core.module_now(&version)).await;
        compiled.unwrap_or_else(|error| Err(Error::Internal(format!("compiling has panicked: {error}"))))
    }

    /// Write something that belongs to no shard, and wait until it is durable. Blocks.
    pub(crate) fn write_now(&self, transition: Transition) -> Result<(), Error> {
        let mut admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = admin
            .submitter
            .submit(transition)
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        self.writer.pump();
        loop {
            match admin.notices.recv() {
                Ok(longhaul_store::Notice::Durable { up_to, .. }) if up_to >= ticket => return Ok(()),
                Ok(longhaul_store::Notice::Durable { .. }) => {}
                Ok(longhaul_store::Notice::Failed { epoch, error }) => {
                    if epoch == admin.submitter.epoch() {
                        self.note_failed_write();
                        admin.submitter.resume();
                        return Err(error.into());
                    }
                }
                Err(_) => return Err(Error::Unavailable("the server stops".into())),
            }
        }
    }

    /// A write has failed: perhaps the disk is full.
    pub(crate) fn note_failed_write(&self) {
        // If it is full, whoever looks for space has been told already; if nobody receives, the runtime ends, or is a simulation.
        let _ = self.failed_writes.try_send(());
    }

    /// Where a run's code logs to.
    pub(crate) fn logs_of(&self, workflow_id: &str, run_id: RunId) -> Arc<dyn LogSink> {
        Arc::new(RunLog::new(workflow_id, run_id.to_string()))
    }

    /// Nowhere.
    pub(crate) fn no_logs(&self) -> Arc<dyn LogSink> {
        Arc::new(NoLog)
    }
}
