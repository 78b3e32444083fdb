//! The storage below redb: counts what is synced, remembers how the disk failed, and can hold writes back.
//!
//! redb writes to a file as soon as it opens it. A file that turns out not to be ours must stay as it was, so every opening starts
//! with its writes *held back*: they go to a log in memory, and reads see the file with the log applied. When the file has proved to
//! be ours the log is played to it, in order and with its syncs. A store that may not write any more stays held back for good, which
//! makes it a view for reading.

use std::{
    fmt, io,
    ops::Bound,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use redb::{BackendError, StorageBackend};

use crate::sync::lock;

/// How the disk failed first; what comes after follows from it.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// A write or a growth of the file found no space. What was synced before stands.
    NoSpace(String),
    /// Anything else, a failed sync above all: what the system holds of the file may differ from what the disk holds.
    Failed(String),
}

/// The part of a disk that outlives the database on top of it.
#[derive(Debug)]
pub(crate) struct State {
    backend: Box<dyn StorageBackend>,
    held_back: AtomicBool,
    log: Mutex<Log>,
    fault: Mutex<Option<Fault>>,
    syncs: Arc<AtomicU64>,
}

#[derive(Default)]
struct Log {
    /// The file's length with the log applied.
    len: u64,
    ops: Vec<Op>,
}

enum Op {
    Write { offset: u64, data: Vec<u8> },
    SetLen(u64),
    Sync,
}

/// What redb is given; it owns one handle, and the store keeps another.
#[derive(Debug, Clone)]
pub(crate) struct Disk(Arc<State>);

impl Disk {
    /// A disk whose writes are held back. `syncs` counts the syncs that reach the backend.
    pub(crate) fn held_back(backend: Box<dyn StorageBackend>, syncs: Arc<AtomicU64>) -> io::Result<Self> {
        let len = backend.len()?;
        Ok(Self(Arc::new(State {
            backend,
            held_back: AtomicBool::new(true),
            log: Mutex::new(Log { len, ops: Vec::new() }),
            fault: Mutex::new(None),
            syncs,
        })))
    }

    /// Plays the held-back writes to the backend, and holds nothing back from here on.
    pub(crate) fn release(&self) -> io::Result<()> {
        let state = &*self.0;
        let mut log = lock(&state.log);
        for op in log.ops.drain(..) {
            match op {
                Op::Write { offset, data } => state.direct_write(offset, &data)?,
                Op::SetLen(len) => state.direct_set_len(len)?,
                Op::Sync => state.direct_sync()?,
            }
        }
        state.held_back.store(false, Ordering::Release);
        Ok(())
    }

    /// Reads the whole backend and writes it back, then syncs. After a failed sync the system may serve pages from memory that the
    /// disk never got, and take them for clean: this makes what will be read what the disk holds. Held-back writes stay so.
    pub(crate) fn rewrite(&self) -> io::Result<()> {
        const CHUNK: u64 = 1 << 20;
        let state = &*self.0;
        let len = state.backend.len()?;
        let mut buffer = Vec::new();
        let mut offset = 0;
        while offset < len {
            // At most one MiB, so it fits any usize.
            buffer.resize((len - offset).min(CHUNK) as usize, 0);
            state.backend.read(offset, &mut buffer)?;
            state.direct_write(offset, &buffer)?;
            offset += buffer.len() as u64;
        }
        state.direct_sync()
    }

    /// How the disk failed first, if it did.
    pub(crate) fn fault(&self) -> Option<Fault> {
        lock(&self.0.fault).clone()
    }
}

impl State {
    fn is_held_back(&self) -> bool {
        self.held_back.load(Ordering::Acquire)
    }

    fn record(&self, doing: &str, may_be_space: bool, error: io::Error) -> io::Error {
        let mut fault = lock(&self.fault);
        if fault.is_none() {
            let text = format!("{doing}: {error}");
            let full = matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            );
            *fault = Some(if full && may_be_space {
                Fault::NoSpace(text)
            } else {
                Fault::Failed(text)
            });
        }
        error
    }

    fn direct_write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.backend
            .write(offset, data)
            .map_err(|e| self.record("write", true, e))
    }

    fn direct_set_len(&self, len: u64) -> io::Result<()> {
        self.backend
            .set_len(len)
            .map_err(|e| self.record("change of the file's length", true, e))
    }

    fn direct_sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        // Even "no space" is final here: the system may have dropped the pages that it could not place.
        self.backend
            .sync_data()
            .map_err(|e| self.record("sync", false, e))
    }
}

impl Log {
    /// Reads through the log: the backend's bytes, then every operation in its order.
    fn read(&self, backend: &dyn StorageBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset + out.len() as u64;
        if end > self.len {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "read past the end of the file",
            ));
        }
        let below = backend.len()?.clamp(offset, end) - offset;
        // Within `out`, so it fits usize.
        let (from_backend, beyond) = out.split_at_mut(below as usize);
        if !from_backend.is_empty() {
            backend.read(offset, from_backend)?;
        }
        beyond.fill(0);
        for op in &self.ops {
            match op {
                Op::Write { offset: at, data } => {
                    let (from, to) = (offset.max(*at), end.min(at + data.len() as u64));
                    if from < to {
                        out[(from - offset) as usize..(to - offset) as usize]
                            .copy_from_slice(&data[(from - at) as usize..(to - at) as usize]);
                    }
                }
                Op::SetLen(len) if *len < end => out[(len.max(&offset) - offset) as usize..].fill(0),
                Op::SetLen(_) | Op::Sync => {}
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("len", &self.len)
            .field("ops", &self.ops.len())
            .finish()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        if self.0.is_held_back() {
            return Ok(lock(&self.0.log).len);
        }
        self.0
            .backend
            .len()
            .map_err(|e| self.0.record("length of the file", false, e))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.0.is_held_back() {
            return lock(&self.0.log).read(&*self.0.backend, offset, out);
        }
        self.0
            .backend
            .read(offset, out)
            .map_err(|e| self.0.record("read", false, e))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.0.is_held_back() {
            let mut log = lock(&self.0.log);
            log.len = len;
            log.ops.push(Op::SetLen(len));
            return Ok(());
        }
        self.0.direct_set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.0.is_held_back() {
            lock(&self.0.log).ops.push(Op::Sync);
            return Ok(());
        }
        self.0.direct_sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.0.is_held_back() {
            let mut log = lock(&self.0.log);
            log.len = log.len.max(offset + data.len() as u64);
            log.ops.push(Op::Write {
                offset,
                data: data.to_vec(),
            });
            return Ok(());
        }
        self.0.direct_write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.backend.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.backend.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.backend.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.backend.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.backend.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.backend.query_lock_range(start, end)
    }
}

/// A backend that can be closed and opened again: an opening gets its own handle to the same storage.
#[derive(Debug)]
pub(crate) struct Reusable(pub(crate) Arc<dyn StorageBackend>);

impl StorageBackend for Reusable {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}
