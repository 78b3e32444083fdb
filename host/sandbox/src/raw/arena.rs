//! Linear memories of workflow instances: slots of one file in memory, mapped once.
//!
//! A kernel mapping for each instance would end at the kernel's limit of 65,530 mappings. So there is one `memfd`, mapped
//! once as a whole, shared; slot `i` is the bytes from `i * slot_bytes`. Pages exist from their first use: to read
//! one makes it exist as well. When a slot comes
//! back, its pages are given back too; but as long as few slots are kept *warm*, a slot with few pages keeps them, zeroed: the
//! next instance then takes no page faults, which cost more than the zeros.
//!
//! Because a slot is a range of a file, a second slot's *addresses* can be made a private, copy-on-write view of it: that is
//! how a query runs on a fork of a live instance without being able to change it. Where there is little to show it is copied
//! ([`view`](super::view)).
//!
//! Memories that begin with the same contents can share them: the first bytes of such a slot are a private view of an
//! [`Image`](super::image::Image), and take memory only where they were written to. That does cost mappings, so only a limited number
//! of slots are *dressed* so at a time; the others get a copy. Views take mappings as well, and are counted with them.
//!
//! # Invariants
//!
//! 1. The mapping stands as long as any [`Slot`](super::slot::Slot) does (each holds the arena), and no slot's base ever moves.
//! 2. A slot is owned by exactly one linear memory. It goes back to a free list when both its linear memory and its tenant
//!    are gone, and then holds zeros only, in a shared mapping of its own range, or behind the untouched image that it is dressed
//!    with. If that cannot be restored, the slot is retired: it is never handed out again.
//! 3. Wasmtime accesses `base .. base + len` with explicit bounds checks (see [`Arena::serve`]), and `len` never exceeds
//!    `slot_bytes`, so one instance cannot reach another's slot, nor leave anything in its own that is not zeroed afterwards.
//! 4. Bytes are read by the host only through a borrow of the [`Tenant`], which owns the store: nothing runs in it then.
//! 5. Whoever shows a slot in place borrows the live tenant for as long as it does, so the bytes beneath stand still: what goes of them
//!    meanwhile are pages that were read and never written, whose zeros are read again. An image's bytes never change at all: its file is
//!    sealed. A spare that waits may still map the slot that it has shown last, whoever has that now: nothing reads a spare's addresses,
//!    or writes to them, before they show a live slot again or their own range.
//! 6. Of a dressed slot's own range in the file, the part beneath the image has no pages: it is emptied when the image is put on, and
//!    nothing writes there as long as it is.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use wasmtime::{Config, Store};

use super::creator::{Creator, Scope};
use super::image::Image;
use super::slot::{DRESSED_MAPPINGS, map_shared, punch};
use super::tenant::{Housed, Tenant};

/// Unused slots that keep their pages, at most: as many as runs that start and end at once are likely to need.
const WARM_SLOTS_MAX: usize = 256;
/// Unused slots that stay dressed, at most: for the same reason.
const DRESSED_SLOTS_MAX: usize = 256;
/// Slots that are dressed at a time, at most, less what views take. Each takes two mappings, for its image and for what follows it; a
/// process may have 65,530 (Linux, `vm.max_map_count`), and half of them are left for everything else.
const IMAGES_MAX: usize = 16_384;
/// Where the kernel tells how many mappings a process may have.
const MAPPINGS_MAX: &str = "/proc/sys/vm/max_map_count";
/// Where the kernel tells of each page of this process what it is.
const PAGEMAP: &str = "/proc/self/pagemap";

/// All slots. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Arena(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) file: OwnedFd,
    base: NonNull<u8>,
    pub(super) slot_bytes: usize,
    slots: u32,
    pub(super) page_bytes: usize,
    /// Tells which pages of an image a slot has written to. Without it no slot is dressed.
    pub(super) pagemap: Option<File>,
    /// No slot is dressed if it then takes more mappings than these.
    mappings_max: usize,
    free: Mutex<Free>,
    /// A slot that was on its way to a list has come there.
    arrived: Condvar,
    /// How often the file was asked where data begins or ends.
    #[cfg(test)]
    pub(super) seeks: std::sync::atomic::AtomicUsize,
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
    /// Slots that came back and hold zeros; their pages were given back, or zeroed where the kernel did not take them.
    returned: Vec<u32>,
    /// Slots that came back and have pages of zeros: few, or such as could not be given back.
    warm: Vec<u32>,
    /// Slots that came back and are dressed still, with the image's number; the one that has waited longest first.
    dressed: Vec<(u32, u64)>,
    /// Slots that are being undressed, and then come to one of the lists of those that hold zeros.
    moving: u32,
    /// Mappings of all slots: of those that are dressed, in use or not, of views, and of those that could not be restored.
    mappings: usize,
    /// Slots that could not be restored.
    retired: u32,
}

/// How a slot is handed out.
pub(super) enum Taken {
    /// It holds zeros.
    Plain(u32),
    /// It shows the image, and zeros behind it.
    Dressed(u32),
}

impl Arena {
    /// Reserve address space for this many slots. `slot_bytes` must be a multiple of the page size.
    pub(crate) fn new(slots: u32, slot_bytes: usize) -> io::Result<Self> {
        let allowed = std::fs::read_to_string(MAPPINGS_MAX)
            .ok()
            .and_then(|text| text.trim().parse::<usize>().ok())
            .unwrap_or(0);
        // Half of the mappings, two for each slot.
        Self::with_images(slots, slot_bytes, IMAGES_MAX.min(allowed / 4))
    }

    /// As [`new`](Self::new), with at most this many slots dressed at a time.
    pub(super) fn with_images(slots: u32, slot_bytes: usize, images_max: usize) -> io::Result<Self> {
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
        let file = memory_file(c"longhaul-memories", 0)?;
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
        // SAFETY: a plain system call.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let free = Mutex::new(Free {
            next: 0,
            returned: Vec::new(),
            warm: Vec::new(),
            dressed: Vec::new(),
            moving: 0,
            mappings: 0,
            retired: 0,
        });
        Ok(Self(Arc::new(Inner {
            file,
            base,
            slot_bytes,
            slots,
            page_bytes: usize::try_from(page).map_err(|_| io::Error::last_os_error())?,
            pagemap: File::open(PAGEMAP).ok(),
            mappings_max: images_max * DRESSED_MAPPINGS,
            free,
            arrived: Condvar::new(),
            #[cfg(test)]
            seeks: Default::default(),
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
        let unused = free.returned.len() + free.warm.len() + free.dressed.len();
        free.next - unused as u32 - free.moving - free.retired
    }

    /// True if no slot can be handed out.
    pub(crate) fn is_full(&self) -> bool {
        let free = self.0.lock();
        free.next == self.0.slots
            && free.returned.is_empty()
            && free.warm.is_empty()
            && free.dressed.is_empty()
            && free.moving == 0
    }

    /// Run `instantiate` on this thread and keep the memories that it creates together with their store. The first of them
    /// is made at least `minimum_bytes` long, and begins with the image, if there is one, in place of zeros.
    pub(crate) fn house<T, R>(
        &self,
        mut store: Store<T>,
        minimum_bytes: usize,
        image: Option<&Image>,
        instantiate: impl FnOnce(&mut Store<T>) -> R,
    ) -> Housed<T, R> {
        let scope = Scope::enter(minimum_bytes, image);
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
        // A panic while the lock was held cannot leave the lists half changed: each change is one push or one pop.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a slot begins.
    pub(super) fn base(&self, index: u32) -> NonNull<u8> {
        debug_assert!(index < self.slots);
        // SAFETY: `index < slots`, as of all that are handed out, so the address lies within the mapping.
        unsafe { self.base.add(index as usize * self.slot_bytes) }
    }

    /// Where a slot's own range begins in the file.
    pub(super) fn offset(&self, index: u32) -> libc::off_t {
        // Cannot wrap: the whole length fits, which `Arena::new` has checked.
        (index as usize * self.slot_bytes) as libc::off_t
    }

    /// A slot that holds zeros.
    pub(super) fn take(&self) -> Option<u32> {
        let mut free = self.lock();
        loop {
            if let Some(index) = free.warm.pop().or_else(|| free.returned.pop()) {
                return Some(index);
            }
            if free.next < self.slots {
                free.next += 1;
                return Some(free.next - 1);
            }
            if let Some((index, _)) = free.dressed.pop() {
                drop(free);
                // SAFETY: nobody has the slot.
                if unsafe { self.undress(index) } {
                    self.release(DRESSED_MAPPINGS);
                    return Some(index);
                }
                self.retire(index);
                free = self.lock();
            } else if free.moving > 0 {
                // That takes microseconds.
                free = self.arrived.wait(free).unwrap_or_else(PoisonError::into_inner);
            } else {
                return None;
            }
        }
    }

    /// A slot that shows the image or, where none may, one that holds zeros.
    pub(super) fn take_for(&self, image: &super::image::Inner) -> Option<Taken> {
        let mut free = self.lock();
        if let Some(at) = free.dressed.iter().rposition(|(_, of)| *of == image.number) {
            return Some(Taken::Dressed(free.dressed.remove(at).0));
        }
        if self.pagemap.is_none() {
            drop(free);
            return self.take().map(Taken::Plain);
        }
        let index = if free.mappings + DRESSED_MAPPINGS <= self.mappings_max {
            free.mappings += DRESSED_MAPPINGS;
            drop(free);
            let index = self.take();
            if index.is_none() {
                self.release(DRESSED_MAPPINGS);
            }
            index?
        } else if free.dressed.is_empty() {
            drop(free);
            return self.take().map(Taken::Plain);
        } else {
            // The one that has waited longest changes its dress.
            let (index, _) = free.dressed.remove(0);
            drop(free);
            // SAFETY: nobody has the slot.
            if !unsafe { self.undress(index) } {
                self.retire(index);
                return self.take().map(Taken::Plain);
            }
            index
        };
        // SAFETY: the slot is nobody else's, and it is as long as an image can be (`Image::new`).
        if unsafe { punch(self, self.offset(index), image.len) && image.map_at(self.base(index)) } {
            return Some(Taken::Dressed(index));
        }
        // SAFETY: as above. What failed may have left a hole in the mapping.
        if unsafe { self.undress(index) } {
            self.release(DRESSED_MAPPINGS);
            return Some(Taken::Plain(index));
        }
        self.retire(index);
        self.take().map(Taken::Plain)
    }

    /// Let a slot's addresses show its own range again. True if they do.
    ///
    /// # Safety
    ///
    /// Nothing accesses the slot meanwhile.
    unsafe fn undress(&self, index: u32) -> bool {
        // SAFETY: the range is one slot's, whole; the rest is the caller's promise.
        unsafe { map_shared(self, index, 0..self.slot_bytes) }.is_ok()
    }

    /// True if a slot that comes back may keep its pages. A few more than the limit may be kept, if several come back at once.
    pub(super) fn may_be_warm(&self) -> bool {
        self.lock().warm.len() < WARM_SLOTS_MAX
    }

    /// A slot comes back; it has no image, and is as invariant 2 says.
    pub(super) fn give_back(&self, index: u32, warm: bool) {
        let mut free = self.lock();
        let list = if warm { &mut free.warm } else { &mut free.returned };
        list.push(index);
    }

    /// A slot comes back that shows the untouched image with this number, and zeros behind it.
    pub(super) fn give_back_dressed(&self, index: u32, image: u64) {
        let mut free = self.lock();
        let oldest = (free.dressed.len() >= DRESSED_SLOTS_MAX).then(|| free.dressed.remove(0));
        free.dressed.push((index, image));
        free.moving += u32::from(oldest.is_some());
        drop(free);
        if let Some((index, _)) = oldest {
            self.take_off(index);
        }
    }

    /// Count so many mappings more, however many there are: whoever calls needs them.
    pub(super) fn reserve(&self, mappings: usize) {
        self.lock().mappings += mappings;
    }

    /// Count so many mappings less.
    pub(super) fn release(&self, mappings: usize) {
        self.lock().mappings -= mappings;
    }

    /// A slot could not be restored. The mappings that it has left stay, and stay counted.
    pub(super) fn retire(&self, index: u32) {
        // SAFETY: nobody has the slot, nor will.
        unsafe { punch(self, self.offset(index), self.slot_bytes) };
        self.lock().retired += 1;
    }

    /// No memory begins with the image with this number any more.
    pub(super) fn forget_image(&self, number: u64) {
        let mut free = self.lock();
        let (gone, kept) = free.dressed.iter().partition(|(_, of)| *of == number);
        let gone: Vec<(u32, u64)> = gone;
        free.dressed = kept;
        free.moving += gone.len() as u32;
        drop(free);
        for (index, _) in gone {
            self.take_off(index);
        }
    }

    /// Undress a slot that nobody has, and that is counted as moving.
    fn take_off(&self, index: u32) {
        // SAFETY: it is on no list, and nobody has it. It may have pages of zeros behind the image, which go.
        let (punched, restored) = unsafe {
            let punched = punch(self, self.offset(index), self.slot_bytes);
            (punched, self.undress(index))
        };
        let mut free = self.lock();
        free.moving -= 1;
        if restored {
            free.mappings -= DRESSED_MAPPINGS;
            let list = if punched {
                &mut free.returned
            } else {
                &mut free.warm
            };
            list.push(index);
        } else {
            free.retired += 1;
        }
        drop(free);
        self.arrived.notify_all();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: the whole mapping is ours, and no slot is left that could point into it (each holds the arena).
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.slot_bytes * self.slots as usize) };
    }
}

/// A file that exists in memory only.
pub(super) fn memory_file(name: &std::ffi::CStr, flags: libc::c_uint) -> io::Result<OwnedFd> {
    // SAFETY: the name is a valid C string; the result is checked.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` is open and owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
