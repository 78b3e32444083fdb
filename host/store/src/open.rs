//! Opening: a file that is not ours, or that is damaged, is refused and left as it was.

use std::{
    any::Any,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use redb::{
    Database, DatabaseError, ReadableDatabase, StorageBackend, StorageError, TableError,
    backends::FileBackend,
};
use uuid::Uuid;

use crate::{
    NamespaceId, NamespaceRecord, OpenError, Options, codec,
    disk::{Disk, Reusable},
    meta,
    migrate::migrate,
    tables::{self, META, NAMESPACES},
};

/// The newest format of the file; see [`crate::migrate`] for the older ones.
pub(crate) const FORMAT: u32 = 2;

/// How every redb file starts (redb's design document, "Super-header").
const REDB_MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1A, 0x0A, 0xA9, 0x0D, 0x0A];

/// Where the database lives.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    File(PathBuf),
    Backend(Arc<dyn StorageBackend>),
}

/// An open database and the disk below it.
pub(crate) struct Opened {
    pub(crate) database: Database,
    pub(crate) disk: Disk,
}

/// Whether an opening may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    ReadWrite,
    /// Nothing reaches the disk, not even what an opening repairs.
    View,
}

/// Opens what is at `source`, or makes a new database there.
pub(crate) fn open(
    options: &Options,
    source: &Source,
    access: Access,
    syncs: &Arc<AtomicU64>,
) -> Result<Opened, OpenError> {
    // Some damage makes the database library panic. Until `release` nothing has reached the file, so it is as it was.
    catch_unwind(AssertUnwindSafe(|| open_source(options, source, access, syncs))).unwrap_or_else(|panic| {
        Err(OpenError::Corrupt {
            path: options.path.clone(),
            detail: format!("the database library panicked: {}", panic_text(panic.as_ref())),
        })
    })
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

fn open_source(
    options: &Options,
    source: &Source,
    access: Access,
    syncs: &Arc<AtomicU64>,
) -> Result<Opened, OpenError> {
    match source {
        Source::Backend(backend) => {
            let len = backend.len().map_err(|e| io_error(&options.path, e))?;
            let backend = Box::new(Reusable(Arc::clone(backend)));
            if len == 0 {
                create(options, backend, syncs)
            } else {
                open_existing(options, backend, access, options.verify, syncs)
            }
        }
        Source::File(path) => open_file(options, path, access, syncs),
    }
}

fn open_file(
    options: &Options,
    path: &Path,
    access: Access,
    syncs: &Arc<AtomicU64>,
) -> Result<Opened, OpenError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(OpenError::NotAFile {
                path: path.to_owned(),
                found: "a directory",
            });
        }
        Ok(metadata) if !metadata.is_file() => {
            return Err(OpenError::NotAFile {
                path: path.to_owned(),
                found: "a device or a pipe",
            });
        }
        Ok(metadata) if metadata.len() == 0 => return create_file(options, path, syncs),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return create_file(options, path, syncs),
        Err(error) => return Err(io_error(path, error)),
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|e| io_error(path, e))?;
    check_magic(path, &mut file)?;
    let marker = marker_of(path);
    let marked = marker.exists();
    let backend = FileBackend::new(file).map_err(|e| database_error(path, e))?;
    let opened = open_existing(
        options,
        Box::new(backend),
        access,
        options.verify || marked,
        syncs,
    )?;
    if marked && access == Access::ReadWrite {
        fs::remove_file(&marker).map_err(|e| io_error(&marker, e))?;
    }
    Ok(opened)
}

/// Refuses what is no redb file before redb sees it.
fn check_magic(path: &Path, file: &mut File) -> Result<(), OpenError> {
    let mut head = Vec::with_capacity(REDB_MAGIC.len());
    let read = file
        .take(REDB_MAGIC.len() as u64)
        .read_to_end(&mut head)
        .and_then(|_| file.rewind());
    read.map_err(|e| io_error(path, e))?;
    if head == REDB_MAGIC {
        return Ok(());
    }
    if REDB_MAGIC.starts_with(&head) {
        let detail = format!("it is cut off after {} bytes", head.len());
        return Err(OpenError::Corrupt {
            path: path.to_owned(),
            detail,
        });
    }
    Err(OpenError::Foreign {
        path: path.to_owned(),
        found: "it does not start as one does".to_owned(),
    })
}

fn open_existing(
    options: &Options,
    backend: Box<dyn StorageBackend>,
    access: Access,
    verify: bool,
    syncs: &Arc<AtomicU64>,
) -> Result<Opened, OpenError> {
    let path = &options.path;
    let disk = Disk::held_back(backend, Arc::clone(syncs)).map_err(|e| io_error(path, e))?;
    // Until `release`, what redb does to the file stays in memory.
    let mut database = build(options, &disk)?;
    let format = check_format(path, &database)?;
    if access == Access::View {
        // What the formats differ in is for writers only.
        return Ok(Opened { database, disk });
    }
    if verify {
        tracing::info!(path = %path.display(), "checking the whole database file");
        disk.rewrite().map_err(|e| io_error(path, e))?;
        if !database.check_integrity().map_err(|e| database_error(path, e))? {
            tracing::warn!(path = %path.display(), "the database file was not clean, and was repaired");
        }
    }
    disk.release().map_err(|e| io_error(path, e))?;
    if format < FORMAT {
        migrate(path, &database, format)?;
    }
    Ok(Opened { database, disk })
}

fn build(options: &Options, disk: &Disk) -> Result<Database, OpenError> {
    let repaired = Arc::new(AtomicBool::new(false));
    let mut builder = Database::builder();
    builder.set_cache_size(options.cache_size_bytes);
    builder.set_repair_callback(move |session| {
        // Every commit saves what a crash's repair needs, so only a file that was damaged comes here.
        if !repaired.swap(true, std::sync::atomic::Ordering::Relaxed) {
            tracing::warn!(
                progress = session.progress(),
                "the database file needs a full repair, which reads all of it"
            );
        }
    });
    builder
        .create_with_backend(disk.clone())
        .map_err(|e| database_error(&options.path, e))
}

/// Whether a redb file is ours, and of a format that this version reads: which.
fn check_format(path: &Path, database: &Database) -> Result<u32, OpenError> {
    let foreign = || OpenError::Foreign {
        path: path.to_owned(),
        found: "it is a redb database of another program".to_owned(),
    };
    let corrupt = |detail: String| OpenError::Corrupt {
        path: path.to_owned(),
        detail,
    };
    let transaction = database.begin_read().map_err(|e| corrupt(e.to_string()))?;
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::Storage(error)) => return Err(storage_error(path, error)),
        Err(_) => return Err(foreign()),
    };
    let format = meta
        .get(meta::FORMAT_KEY)
        .map_err(|e| storage_error(path, e))?
        .ok_or_else(foreign)?;
    let format = format
        .value()
        .try_into()
        .map(u32::from_le_bytes)
        .map_err(|_| foreign())?;
    match format {
        1..=FORMAT => Ok(format),
        newer if newer > FORMAT => Err(OpenError::NewerFormat {
            path: path.to_owned(),
            found: newer,
            supported: FORMAT,
        }),
        unknown => Err(corrupt(format!(
            "its format number is {unknown}, and formats count from 1"
        ))),
    }
}

/// Makes a database in a file beside `path` and moves it there when it is whole, so that a crash never leaves half of one.
fn create_file(options: &Options, path: &Path, syncs: &Arc<AtomicU64>) -> Result<Opened, OpenError> {
    // A symbolic link stays one: what it points to is replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !directory.is_dir() {
        return Err(OpenError::NoDirectory {
            path: path.to_owned(),
            directory: directory.to_owned(),
        });
    }
    let beside = with_suffix(path, ".new");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&beside);
    let file = file.map_err(|e| io_error(&beside, e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(OpenError::InUse {
                path: path.to_owned(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(io_error(&beside, error)),
    }
    // With the lock held nobody else makes a database here; but somebody may just have done so.
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0) {
        let _ = fs::remove_file(&beside);
        return Err(OpenError::InUse {
            path: path.to_owned(),
        });
    }
    let made = file.set_len(0).map_err(|e| io_error(&beside, e)).and_then(|()| {
        let backend = FileBackend::new(file).map_err(|e| database_error(path, e))?;
        let opened = create(options, Box::new(backend), syncs)?;
        fs::rename(&beside, path).map_err(|e| io_error(path, e))?;
        sync_directory(directory).map_err(|e| io_error(directory, e))?;
        Ok(opened)
    });
    if made.is_err() {
        // The half-made file is of no use, and may be what fills the disk.
        let _ = fs::remove_file(&beside);
    }
    made
}

/// Makes a database in an empty backend.
fn create(
    options: &Options,
    backend: Box<dyn StorageBackend>,
    syncs: &Arc<AtomicU64>,
) -> Result<Opened, OpenError> {
    let path = &options.path;
    let disk = Disk::held_back(backend, Arc::clone(syncs)).map_err(|e| io_error(path, e))?;
    disk.release().map_err(|e| io_error(path, e))?;
    let database = build(options, &disk)?;
    initialise(options, &database).map_err(|error| match error {
        redb::Error::Io(error) => io_error(path, error),
        error => OpenError::Corrupt {
            path: path.to_owned(),
            detail: error.to_string(),
        },
    })?;
    Ok(Opened { database, disk })
}

/// Writes what every database has: its format and id, the namespace `default`, and every table, so that readers find them.
fn initialise(options: &Options, database: &Database) -> Result<(), redb::Error> {
    let id = options.database_id.unwrap_or_else(|| Uuid::new_v4().as_u128());
    let created_at_ns = options.created_at_ns.unwrap_or_else(|| {
        // A clock before 1970 is a clock that is not set.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
    });
    let default = NamespaceRecord {
        name: "default".to_owned(),
        id: NamespaceId::DEFAULT,
        uuid: Uuid::new_v5(&Uuid::from_u128(id), b"default").as_u128(),
        retention_s: options.default_retention_s,
        created_at_ns,
    };
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(meta::FORMAT_KEY, FORMAT.to_le_bytes().as_slice())?;
        meta.insert(
            meta::DATABASE_KEY,
            meta::encode_database(id, created_at_ns).as_slice(),
        )?;
        meta.insert(meta::STATE_KEY, meta::State::default().encode().as_slice())?;
        let mut namespaces = transaction.open_table(NAMESPACES)?;
        namespaces.insert(default.name.as_str(), codec::encode(&default).as_slice())?;
        transaction.open_table(tables::SEARCH_ATTRIBUTES)?;
        transaction.open_table(tables::TASK_QUEUES)?;
        transaction.open_table(tables::MODULES)?;
        transaction.open_table(tables::COMPONENTS)?;
        transaction.open_table(tables::WORKFLOW_TYPES)?;
        transaction.open_table(tables::ACTIVITY_TYPES)?;
        transaction.open_table(tables::EXECUTIONS)?;
        transaction.open_table(tables::CURRENT)?;
        transaction.open_table(tables::VISIBILITY)?;
        transaction.open_table(tables::COUNTERS)?;
        transaction.open_table(tables::JOURNAL)?;
        transaction.open_table(tables::JOURNAL_INDEX)?;
        transaction.open_table(tables::TIMERS)?;
        transaction.open_table(tables::ACTIVITIES)?;
        transaction.open_table(tables::UPDATES)?;
        transaction.open_table(tables::BUFFERED)?;
        transaction.open_table(tables::OUTBOX)?;
        transaction.open_table(tables::REQUESTS)?;
        transaction.open_table(tables::SEEN)?;
        transaction.open_table(tables::SEEN_BY_RUN)?;
    }
    transaction.commit()?;
    Ok(())
}

/// The file whose presence makes the next opening check the whole database.
pub(crate) fn marker_of(path: &Path) -> PathBuf {
    with_suffix(path, ".check")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Makes a rename durable, where directories can be synced.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(directory)?.sync_all()
    } else {
        Ok(())
    }
}

fn io_error(path: &Path, source: io::Error) -> OpenError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            OpenError::Permission { path, source }
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::NoSpace { path, source },
        io::ErrorKind::UnexpectedEof => OpenError::Corrupt {
            path,
            detail: "it is cut short".to_owned(),
        },
        io::ErrorKind::InvalidData => OpenError::Corrupt {
            path,
            detail: source.to_string(),
        },
        _ => OpenError::Io { path, source },
    }
}

pub(crate) fn storage_error(path: &Path, error: StorageError) -> OpenError {
    match error {
        StorageError::Io(error) => io_error(path, error),
        error => OpenError::Corrupt {
            path: path.to_owned(),
            detail: error.to_string(),
        },
    }
}

fn database_error(path: &Path, error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse {
            path: path.to_owned(),
        },
        DatabaseError::Storage(error) => storage_error(path, error),
        error => OpenError::Corrupt {
            path: path.to_owned(),
            detail: error.to_string(),
        },
    }
}
