//! A disk in memory that fails on demand, for tests and simulations.
//!
//! It keeps what was synced and what was only written apart, so that a crash loses what a real one may lose.

use std::{
    collections::HashSet,
    fmt, io,
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use redb::StorageBackend;

use crate::sync::lock;

/// What a crash does to what was written and not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All of it is lost.
    All,
    /// Each sector (512 bytes) of it is lost or kept, by a seed; changes of the length likewise.
    Some {
        /// The seed.
        seed: u64,
    },
}

/// A disk in memory. Cheap to clone: clones are handles to one disk, so a test keeps one and gives the store the other.
#[derive(Clone, Default)]
pub struct FaultyDisk(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Syncs that were held may go on.
    let_go: Condvar,
}

#[derive(Default)]
struct State {
    /// What a reader sees.
    live: Vec<u8>,
    /// What a crash leaves at least.
    synced: Vec<u8>,
    /// What came since the last sync, in order.
    unsynced: Vec<Op>,
    /// Pages that hold something, for a full disk.
    allocated: HashSet<u64>,
    syncs: u64,
    free_pages: Option<u64>,
    fail_sync_at: Option<u64>,
    power_off_at: Option<u64>,
    hold_from: Option<u64>,
    holds: bool,
    off: bool,
}

enum Op {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
}

/// What a crash tears a write into.
const SECTOR: usize = 512;
/// What a full disk has no more of.
const PAGE: u64 = 4096;

impl FaultyDisk {
    /// An empty disk without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is on the disk after a crash now, as a new disk without faults. This one goes on.
    pub fn crash(&self, loss: Loss) -> Self {
        let state = lock(&self.0.state);
        let mut bytes = state.synced.clone();
        if let Loss::Some { seed } = loss {
            let mut coin = Coin(seed);
            for op in &state.unsynced {
                op.apply_some(&mut bytes, &mut coin);
            }
        }
        Self::holding(bytes)
    }

    /// A disk that holds these bytes, all synced.
    pub fn holding(bytes: Vec<u8>) -> Self {
        let allocated = (0..(bytes.len() as u64).div_ceil(PAGE)).collect();
        let state = State {
            live: bytes.clone(),
            synced: bytes,
            allocated,
            ..State::default()
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            let_go: Condvar::new(),
        }))
    }

    /// What a reader sees, all of it.
    pub fn contents(&self) -> Vec<u8> {
        lock(&self.0.state).live.clone()
    }

    /// How many syncs there were, failed ones included.
    pub fn syncs(&self) -> u64 {
        lock(&self.0.state).syncs
    }

    /// From now on there is space for so many pages (4,096 bytes) that hold nothing yet; `None` for as many as one likes.
    pub fn set_free_pages(&self, pages: Option<u64>) {
        lock(&self.0.state).free_pages = pages;
    }

    /// Fails the sync with this number (they count from 1): nothing of what is unsynced then becomes durable.
    pub fn fail_sync(&self, number: u64) {
        lock(&self.0.state).fail_sync_at = Some(number);
    }

    /// Holds the sync with this number (they count from 1) and all that follow, as a slow disk does, until another number or none is
    /// set. Whoever syncs waits, so it is for a store whose writer has a thread.
    pub fn hold_syncs_from(&self, number: Option<u64>) {
        lock(&self.0.state).hold_from = number;
        self.0.let_go.notify_all();
    }

    /// Whether a sync is held now.
    pub fn holds_a_sync(&self) -> bool {
        lock(&self.0.state).holds
    }

    /// Cuts the power at the sync with this number (they count from 1), before it does anything: it fails, and so does everything after
    /// it. [`crash`](Self::crash) then tells what is left.
    pub fn cut_power_at_sync(&self, number: u64) {
        lock(&self.0.state).power_off_at = Some(number);
    }
}

impl fmt::Debug for FaultyDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.0.state);
        f.debug_struct("FaultyDisk")
            .field("len", &state.live.len())
            .field("unsynced", &state.unsynced.len())
            .field("syncs", &state.syncs)
            .finish_non_exhaustive()
    }
}

impl State {
    fn powered(&self) -> io::Result<()> {
        if self.off {
            Err(io::Error::other("the power is off"))
        } else {
            Ok(())
        }
    }

    /// Takes the pages of a range, unless there is no space for those that are new.
    fn allocate(&mut self, offset: u64, len: usize) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        let pages = offset / PAGE..=(offset + len as u64 - 1) / PAGE;
        if let Some(free) = &mut self.free_pages {
            let wanted = pages
                .clone()
                .filter(|page| !self.allocated.contains(page))
                .count() as u64;
            *free = free.checked_sub(wanted).ok_or_else(|| {
                io::Error::new(io::ErrorKind::StorageFull, "no space left on the test's disk")
            })?;
        }
        self.allocated.extend(pages);
        Ok(())
    }

    fn put(&mut self, op: Op) {
        op.apply(&mut self.live);
        self.unsynced.push(op);
    }
}

impl Op {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => write_at(bytes, *offset, data),
            Self::SetLen(len) => bytes.resize(*len, 0),
        }
    }

    fn apply_some(&self, bytes: &mut Vec<u8>, coin: &mut Coin) {
        match self {
            Self::Write { offset, data } => {
                // Torn where the disk's sectors end, not where the write's begin.
                let (mut at, mut rest) = (*offset, data.as_slice());
                while !rest.is_empty() {
                    let (sector, tail) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                    if coin.flip() {
                        write_at(bytes, at, sector);
                    }
                    at += sector.len();
                    rest = tail;
                }
            }
            Self::SetLen(_) => {
                if coin.flip() {
                    self.apply(bytes);
                }
            }
        }
    }
}

fn write_at(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}

/// A repeatable coin: SplitMix64 (Steele, Lea and Flood, 2014).
struct Coin(u64);

impl Coin {
    fn flip(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) & 1 == 1
    }
}

impl StorageBackend for FaultyDisk {
    fn len(&self) -> io::Result<u64> {
        let state = lock(&self.0.state);
        state.powered()?;
        Ok(state.live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = lock(&self.0.state);
        state.powered()?;
        let range = usize::try_from(offset)
            .ok()
            .and_then(|start| Some(start..start.checked_add(out.len())?));
        let bytes = range
            .and_then(|range| state.live.get(range))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = lock(&self.0.state);
        state.powered()?;
        let new = usize::try_from(len).map_err(|_| io::ErrorKind::StorageFull)?;
        if new < state.live.len() {
            state.allocated.retain(|page| page * PAGE < len);
        }
        // Growth takes no pages yet, as on a real file system.
        state.put(Op::SetLen(new));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let held = |state: &mut State| {
            state.holds = state.hold_from.is_some_and(|from| state.syncs + 1 >= from);
            state.holds
        };
        let state = lock(&self.0.state);
        let waited = self.0.let_go.wait_while(state, held);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.powered()?;
        state.syncs += 1;
        if state.power_off_at == Some(state.syncs) {
            state.off = true;
            return state.powered();
        }
        let ops = std::mem::take(&mut state.unsynced);
        if state.fail_sync_at == Some(state.syncs) {
            // As Linux does: the pages count as clean from here on, and the disk does not have them.
            return Err(io::Error::other("the test's disk failed to sync"));
        }
        for op in ops {
            op.apply(&mut state.synced);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = lock(&self.0.state);
        state.powered()?;
        state.allocate(offset, data.len())?;
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::StorageFull)?;
        state.put(Op::Write {
            offset,
            data: data.to_vec(),
        });
        Ok(())
    }
}
