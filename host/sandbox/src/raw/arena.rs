//! Linear memories of workflow instances: slots of one file in memory, mapped once.
//!
//! A kernel mapping for each instance would end at the kernel's limit of 65,530 mappings. So there is one `memfd`, mapped
//! once as a whole, shared; slot `i` is the bytes from `i * slot_bytes`. Pages exist from their first write. When a slot comes
//! back, its pages are given back too; but as long as few slots are kept *warm*, a slot with few pages keeps them, zeroed: the
//! next instance then takes no page faults, which cost more than the zeros.
//!
//! Because a slot is a range of a file, a second slot's *addresses* can be made a private, copy-on-write view of it: that is
//! how a query runs on a fork of a live instance without being able to change it.
//!
//! # Invariants
//!
//! 1. The mapping stands as long as any [`Slot`] does (each holds the arena), and no slot's base ever moves.
//! 2. A slot is owned by exactly one linear memory. It goes back to the free list when both its linear memory and its tenant
//!    are gone, and then holds zeros only, in a shared mapping of its own range. If that cannot be restored, the slot is
//!    retired: it is never handed out again.
//! 3. Wasmtime accesses `base .. base + len` with explicit bounds checks (see [`Arena::serve`]), and `len` never exceeds
//!    `slot_bytes`, so one instance cannot reach another's slot, nor leave anything in its own that is not zeroed afterwards.
//! 4. Bytes are read by the host only through a borrow of the [`Tenant`], which owns the store: nothing runs in it then.
//! 5. A private view borrows the live tenant for as long as it exists, so the bytes beneath it stand still.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::{Config, LinearMemory, MemoryCreator, MemoryType, Store};

use super::tenant::{Housed, Tenant};

/// Unused slots that keep their pages, at most: as many as runs that start and end at once are likely to need.
const WARM_SLOTS_MAX: usize = 256;
/// Bytes of pages that one such slot keeps at most; with more, zeroing them costs more than giving them back. A Rust guest that has
/// done little has 24 KiB.
const WARM_BYTES_MAX: usize = 128 << 10;

/// All slots. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Arena(Arc<Inner>);

pub(super) struct Inner {
    file: OwnedFd,
    base: NonNull<u8>,
    slot_bytes: usize,
    slots: u32,
    free: Mutex<Free>,
}

// SAFETY: `base` is the address of a mapping that lives as long as `Inner`; `Inner` itself never reads or writes through it
// but in functions that own the slot in question. Everything else in it is `Send` and `Sync`.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

/// Slots that can be handed out.
struct Free {
    /// Slots from here on were never used.
    next: u32,
    /// Slots that came back and have no pages.
    returned: Vec<u32>,
    /// Slots that came back and have pages of zeros.
    warm: Vec<u32>,
    /// Slots that could not be restored.
    retired: u32,
}

/// One memory's range of the arena.
pub(super) struct Slot {
    pub(super) arena: Arc<Inner>,
    index: u32,
    /// The memory's present length in bytes; only grows.
    len: AtomicUsize,
    /// The addresses may show something else than the slot's own range of the file.
    pub(super) private: AtomicBool,
}

impl Arena {
    /// Reserve address space for this many slots. `slot_bytes` must be a multiple of the page size.
    pub(crate) fn new(slots: u32, slot_bytes: usize) -> io::Result<Self> {
        let overflow = || {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "that is more than there are addresses",
            )
        };
        let total = slot_bytes
            .checked_mul(slots as usize)
            .filter(|t| *t > 0)
            .ok_or_else(overflow)?;
        let length = libc::off_t::try_from(total).map_err(|_| overflow())?;
        // SAFETY: the name is a valid C string; the result is checked.
        let fd = unsafe { libc::memfd_create(c"longhaul-memories".as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` is open and owned by nobody else.
        let file = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: a plain system call on an open file.
        if unsafe { libc::ftruncate(file.as_raw_fd(), length) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours; the result is checked.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                total,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_NORESERVE,
                file.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast::<u8>()).ok_or_else(overflow)?;
        let free = Mutex::new(Free {
            next: 0,
            returned: Vec::new(),
            warm: Vec::new(),
            retired: 0,
        });
        Ok(Self(Arc::new(Inner {
            file,
            base,
            slot_bytes,
            slots,
            free,
        })))
    }

    /// Let an engine have its memories here.
    ///
    /// The whole slot is mapped, so nothing but the compiled code keeps a guest within its memory's length. Therefore it must compare
    /// each address with that length: of a memory that cannot move, Wasmtime compares with the reservation only, and leaves what lies
    /// between to page protection. These memories do not move, but the engine must take it that they may.
    pub(crate) fn serve(&self, config: &mut Config) {
        config
            .with_host_memory(Arc::new(Creator(self.0.clone())))
            .memory_init_cow(false)
            .memory_reservation(self.0.slot_bytes as u64)
            .memory_reservation_for_growth(0)
            .memory_guard_size(0)
            .guard_before_linear_memory(false)
            .memory_may_move(true);
    }

    /// How many slots there are.
    pub(crate) fn slots(&self) -> u32 {
        self.0.slots
    }

    /// How many slots are in use.
    pub(crate) fn taken(&self) -> u32 {
        let free = self.0.lock();
        free.next - free.returned.len() as u32 - free.warm.len() as u32 - free.retired
    }

    /// True if no slot can be handed out.
    pub(crate) fn is_full(&self) -> bool {
        let free = self.0.lock();
        free.returned.is_empty() && free.warm.is_empty() && free.next == self.0.slots
    }

    /// Run `instantiate` on this thread and keep the memories that it creates together with their store. The first of them
    /// is made at least `minimum_bytes` long.
    pub(crate) fn house<T, R>(
        &self,
        mut store: Store<T>,
        minimum_bytes: usize,
        instantiate: impl FnOnce(&mut Store<T>) -> R,
    ) -> Housed<T, R> {
        let scope = Scope::enter(minimum_bytes);
        let outcome = instantiate(&mut store);
        let recording = scope.leave();
        Housed {
            outcome,
            full: recording.full,
            tenant: Tenant {
                store,
                slots: recording.slots,
            },
        }
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, Free> {
        // A panic while the lock was held cannot leave the list half changed: each change is one push or one pop.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where in the file the next data, or the next hole, begins.
    fn seek(&self, from: libc::off_t, whence: libc::c_int) -> io::Result<libc::off_t> {
        // SAFETY: a plain system call on an open file, whose position nothing uses.
        let at = unsafe { libc::lseek(self.file.as_raw_fd(), from, whence) };
        if at < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(at)
        }
    }

    fn take(&self) -> Option<u32> {
        let mut free = self.lock();
        if let Some(index) = free.warm.pop().or_else(|| free.returned.pop()) {
            return Some(index);
        }
        let index = free.next;
        (index < self.slots).then(|| {
            free.next += 1;
            index
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: the whole mapping is ours, and no slot is left that could point into it (each holds the arena).
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.slot_bytes * self.slots as usize) };
    }
}

impl Slot {
    pub(super) fn base(&self) -> NonNull<u8> {
        // SAFETY: `index < slots`, so the address lies within the mapping.
        unsafe { self.arena.base.add(self.index as usize * self.arena.slot_bytes) }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Where the slot's own range begins in the file.
    pub(super) fn offset(&self) -> libc::off_t {
        // Cannot wrap: the whole length fits, which `Arena::new` has checked.
        (self.index as usize * self.arena.slot_bytes) as libc::off_t
    }

    /// Map `len` bytes of the file from `offset` over the slot's addresses.
    ///
    /// # Safety
    ///
    /// `len` is at most `slot_bytes`, and nothing accesses the slot meanwhile.
    pub(super) unsafe fn map(&self, offset: libc::off_t, len: usize, sharing: libc::c_int) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        // SAFETY: MAP_FIXED replaces only addresses of this slot, by the caller's promise.
        let at = unsafe {
            libc::mmap(
                self.base().as_ptr().cast(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_FIXED | libc::MAP_NORESERVE | sharing,
                self.arena.file.as_raw_fd(),
                offset,
            )
        };
        if at == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Bytes of the pages that exist, in memory or in swap.
    pub(super) fn resident_bytes(&self) -> usize {
        let mut bytes = 0;
        match self.each_extent(|extent| {
            bytes += extent.len();
            true
        }) {
            Ok(_) => bytes,
            Err(_) => self.len(),
        }
    }

    /// Call `with` for each run of pages that exist, as a range within the slot, until it says false. True if it never did.
    ///
    /// It is the file that is asked: page tables (`mincore`, pagemap) do not tell of a page that was moved to swap, and that holds
    /// bytes like any other.
    fn each_extent(&self, mut with: impl FnMut(Range<usize>) -> bool) -> io::Result<bool> {
        let end = self.offset() + self.len() as libc::off_t;
        let mut at = self.offset();
        while at < end {
            let begin = match self.arena.seek(at, libc::SEEK_DATA) {
                Ok(begin) if begin < end => begin,
                // There is none up to the end of the slot, or of the file.
                Ok(_) => break,
                Err(error) if error.raw_os_error() == Some(libc::ENXIO) => break,
                Err(error) => return Err(error),
            };
            at = self.arena.seek(begin, libc::SEEK_HOLE)?.min(end);
            if !with((begin - self.offset()) as usize..(at - self.offset()) as usize) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Fill the pages that exist with zeros. False if there are too many of them, or if they cannot be told: then nothing is known
    /// of what the slot holds.
    ///
    /// # Safety
    ///
    /// The slot shows its own range of the file, and nothing else accesses it.
    unsafe fn zero(&self) -> bool {
        let mut bytes = 0;
        let zeroed = self.each_extent(|extent| {
            bytes += extent.len();
            if bytes > WARM_BYTES_MAX {
                return false;
            }
            // SAFETY: the extent lies within the slot's length, which is mapped; the rest is the caller's promise.
            unsafe { self.base().add(extent.start).write_bytes(0, extent.len()) };
            true
        });
        zeroed.unwrap_or(false)
    }

    /// Give the pages back, so that the slot reads as zeros.
    ///
    /// # Safety
    ///
    /// As for [`zero`](Self::zero).
    unsafe fn clear(&self) {
        let (file, len) = (self.arena.file.as_raw_fd(), self.len());
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // SAFETY: a plain system call on an open file; the range is this slot's, and `len` fits as `offset` does.
        if unsafe { libc::fallocate(file, mode, self.offset(), len as libc::off_t) } != 0 {
            // SAFETY: the range is mapped; the rest is the caller's promise.
            unsafe { self.base().write_bytes(0, len) };
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let len = self.len();
        if self.private.load(Ordering::Relaxed) {
            // SAFETY: the last owner goes, so nothing accesses the slot.
            if unsafe { self.map(self.offset(), len, libc::MAP_SHARED) }.is_err() {
                self.arena.lock().retired += 1;
                return;
            }
        }
        // A few more than the limit may be kept, if several come back at once.
        let may_be_warm = self.arena.lock().warm.len() < WARM_SLOTS_MAX;
        // SAFETY: the last owner goes, and the slot shows its own range, from the beginning or again.
        let warm = may_be_warm && unsafe { self.zero() };
        if !warm {
            // SAFETY: as above.
            unsafe { self.clear() };
        }
        let mut free = self.arena.lock();
        let list = if warm { &mut free.warm } else { &mut free.returned };
        list.push(self.index);
    }
}

/// What the creator notes for [`Arena::house`], which runs on the same thread.
struct Recording {
    slots: Vec<Arc<Slot>>,
    minimum_bytes: usize,
    full: bool,
}

thread_local! {
    static RECORDING: RefCell<Option<Recording>> = const { RefCell::new(None) };
}

/// Memories are created within a scope only; it ends even if instantiation panics.
struct Scope;

impl Scope {
    fn enter(minimum_bytes: usize) -> Self {
        RECORDING.set(Some(Recording {
            slots: Vec::new(),
            minimum_bytes,
            full: false,
        }));
        Self
    }

    fn leave(self) -> Recording {
        let none = || Recording {
            slots: Vec::new(),
            minimum_bytes: 0,
            full: false,
        };
        RECORDING.take().unwrap_or_else(none)
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        RECORDING.set(None);
    }
}

struct Creator(Arc<Inner>);

// SAFETY: `new_memory` returns memory that is zeroed (invariant 2), page aligned, of `slot_bytes` in reserve, and never moves.
// Guards are 0 bytes by the engine's configuration, so that there is nothing to leave unmapped; a request for any is refused.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if guard != 0 || reserved.is_some_and(|r| r > self.0.slot_bytes) {
            return Err("the engine's guard or reservation does not fit the arena".into());
        }
        RECORDING.with_borrow_mut(|recording| {
            let recording = recording
                .as_mut()
                .ok_or("a memory was made outside of the arena's `house`")?;
            let minimum = minimum.max(std::mem::take(&mut recording.minimum_bytes));
            if minimum > self.0.slot_bytes {
                return Err(format!(
                    "a memory of {minimum} bytes is over the limit of {}",
                    self.0.slot_bytes
                ));
            }
            let Some(index) = self.0.take() else {
                recording.full = true;
                return Err("all slots for memories are taken".into());
            };
            let arena = self.0.clone();
            let slot = Arc::new(Slot {
                arena,
                index,
                len: AtomicUsize::new(minimum),
                private: AtomicBool::new(false),
            });
            recording.slots.push(slot.clone());
            Ok(Box::new(Memory(slot)) as Box<dyn LinearMemory>)
        })
    }
}

struct Memory(Arc<Slot>);

// SAFETY: the base never moves, all of `slot_bytes` is mapped, and `byte_size` never exceeds it.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.0.len()
    }

    fn byte_capacity(&self) -> usize {
        self.0.arena.slot_bytes
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        if new_size > self.0.arena.slot_bytes {
            return Err(wasmtime::format_err!(
                "a memory of {new_size} bytes is over the limit of its slot"
            ));
        }
        // Never shorter: what was used must be zeroed when the slot comes back.
        self.0.len.fetch_max(new_size, Ordering::Relaxed);
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.0.base().as_ptr()
    }
}
