//! The store: an open database, its health and its counters.

use std::{
    fs::File,
    io::Write,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use redb::{ReadableDatabase, StorageBackend, WriteTransaction};

use crate::{
    OpenError, Options, ReadError, Snapshot, WriteError, Writer,
    disk::Fault,
    meta,
    open::{self, Access, Opened, Source},
    sync::{lock, read, write},
    tables::META,
};

/// Whether the store takes writes.
#[derive(Debug, Clone)]
pub enum Health {
    /// It does.
    Ok,
    /// The disk is full: it does not, until [`Writer::recover`] finds space. Reads go on.
    NoSpace(WriteError),
    /// The disk failed: it does not, until the process restarts. Reads go on.
    ReadOnly(WriteError),
}

impl Health {
    /// Why nothing can be written, if so.
    pub fn error(&self) -> Option<&WriteError> {
        match self {
            Self::Ok => None,
            Self::NoSpace(error) | Self::ReadOnly(error) => Some(error),
        }
    }
}

/// What the store has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commits that became durable.
    pub commits: u64,
    /// Syncs of the file, those of opening it included; a commit takes two.
    pub syncs: u64,
    /// Transitions that became durable.
    pub transitions: u64,
    /// Transitions that were not written: refused, or lost to a failed write.
    pub rejected: u64,
    /// The most transitions that one commit had.
    pub largest_commit: u64,
}

/// The identity of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// A UUID, stable for the life of the file.
    pub id: u128,
    /// When it was made, in nanoseconds since 1970.
    pub created_at_ns: u64,
}

/// An open database. Cheap to clone; the file closes with the last handle, the writer's and the submitters' included.
#[derive(Debug, Clone)]
pub struct Store(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    source: Source,
    /// `None` only if the file could not be opened again after a failed write.
    database: RwLock<Option<OpenDatabase>>,
    health: Mutex<Health>,
    identity: Identity,
    pub(crate) counters: Counters,
    writer_taken: AtomicBool,
}

struct OpenDatabase(Opened);

impl std::fmt::Debug for OpenDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpenDatabase")
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) syncs: Arc<AtomicU64>,
    pub(crate) transitions: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) largest_commit: AtomicU64,
}

impl Store {
    /// Opens the database file, or makes a new one where there is none or an empty file.
    ///
    /// After a crash this takes milliseconds at any size: every commit saves what a repair would have to find out. Blocks for the I/O.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let source = Source::File(options.path.clone());
        Self::open_source(options, source)
    }

    /// Opens the database on a storage of the caller's: one in memory, or one that injects faults. `options.path` only names it in
    /// messages. The storage may be closed and used again (after it was full), must not be shared, and gets no marker for a check
    /// after a failed sync: set `options.verify` to have one.
    pub fn open_with_backend(options: Options, backend: impl StorageBackend) -> Result<Self, OpenError> {
        Self::open_source(options, Source::Backend(Arc::new(backend)))
    }

    fn open_source(options: Options, source: Source) -> Result<Self, OpenError> {
        let counters = Counters::default();
        let opened = open::open(&options, &source, Access::ReadWrite, &counters.syncs)?;
        let identity = read_identity(&opened).map_err(|error| OpenError::Corrupt {
            path: options.path.clone(),
            detail: error.to_string(),
        })?;
        Ok(Self(Arc::new(Inner {
            options,
            source,
            database: RwLock::new(Some(OpenDatabase(opened))),
            health: Mutex::new(Health::Ok),
            identity,
            counters,
            writer_taken: AtomicBool::new(false),
        })))
    }

    /// The store's one writer, on a thread of its own that ends when the last handle to it is gone or [`Writer::stop`] is called.
    /// `None` if it was taken before.
    pub fn writer(&self) -> Option<Writer> {
        self.take_writer().then(|| Writer::threaded(Arc::clone(&self.0)))
    }

    /// The store's one writer, without a thread: it commits in [`Writer::pump`], on the caller's thread. For simulations and tests.
    /// `None` if it was taken before.
    pub fn inline_writer(&self) -> Option<Writer> {
        self.take_writer().then(|| Writer::inline(Arc::clone(&self.0)))
    }

    fn take_writer(&self) -> bool {
        !self.0.writer_taken.swap(true, Ordering::AcqRel)
    }

    /// A view of what is durable now. Writes go on beside it and do not show in it; drop it soon, since pages that it can see are not
    /// used again.
    pub fn read(&self) -> Result<Snapshot, ReadError> {
        match &*read(&self.0.database) {
            Some(OpenDatabase(opened)) => Ok(Snapshot::new(opened.database.begin_read()?)),
            None => Err(ReadError::Reopened),
        }
    }

    /// Whether the store takes writes.
    pub fn health(&self) -> Health {
        self.0.health()
    }

    /// What the store has done since it was opened.
    pub fn stats(&self) -> Stats {
        let counters = &self.0.counters;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            commits: get(&counters.commits),
            syncs: get(&counters.syncs),
            transitions: get(&counters.transitions),
            rejected: get(&counters.rejected),
            largest_commit: get(&counters.largest_commit),
        }
    }

    /// The identity of the database.
    pub fn identity(&self) -> Identity {
        self.0.identity
    }
}

fn read_identity(opened: &Opened) -> Result<Identity, ReadError> {
    let meta = opened.database.begin_read()?.open_table(META)?;
    let row = meta.get(meta::DATABASE_KEY)?;
    let (id, created_at_ns) = meta::decode_database(row.as_ref().map_or(&[], |row| row.value()))?;
    Ok(Identity { id, created_at_ns })
}

impl Inner {
    pub(crate) fn health(&self) -> Health {
        lock(&self.health).clone()
    }

    /// A write transaction with the durability that everything here promises.
    pub(crate) fn begin_write(&self) -> Result<WriteTransaction, redb::Error> {
        let guard = read(&self.database);
        let Some(OpenDatabase(opened)) = &*guard else {
            return Err(redb::Error::DatabaseClosed);
        };
        let mut transaction = opened.database.begin_write()?;
        transaction.set_durability(redb::Durability::Immediate)?;
        transaction.set_quick_repair(true);
        Ok(transaction)
    }

    /// How the disk failed, if it did.
    pub(crate) fn fault(&self) -> Option<Fault> {
        read(&self.database)
            .as_ref()
            .and_then(|OpenDatabase(opened)| opened.disk.fault())
    }

    /// After a failed write, with no write transaction alive: takes no more writes, and opens the file anew for reading, since redb
    /// refuses a file that has failed once. Snapshots of before end with [`ReadError::Reopened`].
    pub(crate) fn fail(&self, fault: Fault) -> WriteError {
        let path = self.options.path.display().to_string();
        let (health, error) = match fault {
            Fault::NoSpace(detail) => {
                let error = WriteError::NoSpace { path, detail };
                (Health::NoSpace(error.clone()), error)
            }
            Fault::Failed(detail) => {
                let error = WriteError::ReadOnly { path, detail };
                (Health::ReadOnly(error.clone()), error)
            }
        };
        tracing::error!(%error, "the store takes no more writes");
        if matches!(health, Health::ReadOnly(_)) {
            self.mark_for_check(&error);
        }
        *lock(&self.health) = health;
        if let Err(error) = self.reopen(Access::View) {
            tracing::error!(%error, "the database cannot be read either");
        }
        error
    }

    /// Opens the file for writing again. The caller then proves that it can be written to.
    pub(crate) fn reopen_for_writing(&self) -> Result<(), OpenError> {
        self.reopen(Access::ReadWrite)
    }

    /// The disk takes writes again.
    pub(crate) fn healed(&self) {
        tracing::info!("the store takes writes again");
        *lock(&self.health) = Health::Ok;
    }

    fn reopen(&self, access: Access) -> Result<(), OpenError> {
        let mut database = write(&self.database);
        // The file is locked until the old handle is gone.
        *database = None;
        // It was checked when the store was opened, if that was asked for.
        let options = Options {
            verify: false,
            ..self.options.clone()
        };
        let opened = open::open(&options, &self.source, access, &self.counters.syncs)?;
        *database = Some(OpenDatabase(opened));
        Ok(())
    }

    /// Leaves a file that makes the next opening check the whole database. On a disk that fails this may fail too; then the log is
    /// all there is.
    fn mark_for_check(&self, why: &WriteError) {
        let Source::File(path) = &self.source else { return };
        let marker = open::marker_of(path);
        let written = File::create(&marker).and_then(|mut file| {
            writeln!(
                file,
                "Longhaul checks {} when it next opens it: {why}",
                path.display()
            )?;
            file.sync_all()?;
            path.parent()
                .map_or(Ok(()), |directory| match directory.as_os_str().is_empty() {
                    true => open::sync_directory(".".as_ref()),
                    false => open::sync_directory(directory),
                })
        });
        if let Err(error) = written {
            tracing::error!(%error, marker = %marker.display(), "cannot leave the mark for a check of the whole file at the next start");
        }
    }
}
