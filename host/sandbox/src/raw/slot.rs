//! One memory's range of the arena.

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::arena::Inner;
use super::image;

/// Bytes of pages that an unused slot keeps at most; with more, zeroing them costs more than giving them back. A Rust guest that has
/// done little has 24 KiB.
const WARM_BYTES_MAX: usize = 128 << 10;
/// Mappings of a dressed slot: its image, and what follows it.
pub(super) const DRESSED_MAPPINGS: usize = 2;

/// A slot that is in use.
pub(super) struct Slot {
    pub(super) arena: Arc<Inner>,
    pub(super) index: u32,
    /// The memory's present length in bytes; only grows.
    len: AtomicUsize,
    /// What it is dressed with: the addresses up to the image's length are a private view of it, unless that is replaced.
    pub(super) image: Option<Arc<image::Inner>>,
    /// The addresses of its own range show another slot's. Then no page in the file is of use.
    pub(super) own_replaced: AtomicBool,
    /// All addresses show another slot's contents.
    pub(super) image_replaced: AtomicBool,
    /// Its own range was found to have so many pages that it is not copied. Those of a live memory stay, so it need not be walked over
    /// again.
    pub(super) much: AtomicBool,
    /// Mappings that are counted for the slot.
    mappings: AtomicUsize,
}

impl Slot {
    pub(super) fn new(arena: Arc<Inner>, index: u32, len: usize, image: Option<Arc<image::Inner>>) -> Self {
        let mappings = if image.is_some() { DRESSED_MAPPINGS } else { 0 };
        Self {
            arena,
            index,
            len: AtomicUsize::new(len),
            image,
            own_replaced: AtomicBool::new(false),
            image_replaced: AtomicBool::new(false),
            much: AtomicBool::new(false),
            mappings: AtomicUsize::new(mappings),
        }
    }

    pub(super) fn base(&self) -> NonNull<u8> {
        self.arena.base(self.index)
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Never shorter: what was used must be zeroed when the slot comes back.
    pub(super) fn grow_to(&self, len: usize) {
        self.len.fetch_max(len, Ordering::Relaxed);
    }

    /// Where that begins which is in the slot's own range of the file. Where the image is replaced that is all of it: the part beneath
    /// the image may be mapped then, and have pages.
    pub(super) fn own_begin(&self) -> usize {
        match &self.image {
            Some(image) if !self.image_replaced.load(Ordering::Relaxed) => image.len,
            _ => 0,
        }
    }

    /// The addresses that are in the slot's own range of the file, unless they are replaced.
    pub(super) fn own(&self) -> Range<usize> {
        // The length is the image's at least, which the creator has checked.
        self.own_begin()..self.len().max(self.own_begin())
    }

    /// Where an address of the slot's own range is in the file.
    pub(super) fn offset(&self, at: usize) -> libc::off_t {
        self.arena.offset(self.index) + at as libc::off_t
    }

    /// From here on the slot takes so many mappings.
    pub(super) fn split(&self, mappings: usize) {
        let before = self.mappings.fetch_max(mappings, Ordering::Relaxed);
        self.arena.reserve(mappings.saturating_sub(before));
    }

    /// # Safety
    ///
    /// The range is within the slot's length, and nothing else accesses it.
    pub(super) unsafe fn fill(&self, range: Range<usize>) {
        // SAFETY: the range is mapped; the rest is the caller's promise.
        unsafe { self.base().add(range.start).write_bytes(0, range.len()) };
    }

    /// Drop the private pages of a range, so that it shows what it is a view of. False if they are there still.
    ///
    /// # Safety
    ///
    /// As for [`fill`](Self::fill).
    pub(super) unsafe fn discard(&self, range: Range<usize>) -> bool {
        // SAFETY: the range is mapped; the rest is the caller's promise.
        unsafe {
            let begin = self.base().add(range.start).as_ptr();
            libc::madvise(begin.cast(), range.len(), libc::MADV_DONTNEED) == 0
        }
    }

    /// Fill the pages that exist in the slot's own range with zeros. False if there are too many of them, or if they cannot be told: then
    /// nothing is known of what the slot holds.
    ///
    /// # Safety
    ///
    /// The addresses of its own range show it, and nothing else accesses the slot.
    unsafe fn zero(&self) -> bool {
        let mut bytes = 0;
        let zeroed = self.each_extent(|extent| {
            bytes += extent.len();
            if bytes > WARM_BYTES_MAX {
                return false;
            }
            // SAFETY: the extent lies within the slot's length; the rest is the caller's promise.
            unsafe { self.fill(extent) };
            true
        });
        zeroed.unwrap_or(false)
    }

    /// Give the pages of the slot's own range back, so that it reads as zeros. True if it does.
    ///
    /// # Safety
    ///
    /// As for [`zero`](Self::zero).
    unsafe fn clear(&self) -> bool {
        let own = self.own();
        // SAFETY: the range is this slot's; the rest is the caller's promise.
        if unsafe { punch(&self.arena, self.offset(own.start), own.len()) } {
            return true;
        }
        let zeroed = self.each_extent(|extent| {
            // SAFETY: as in `zero`.
            unsafe { self.fill(extent) };
            true
        });
        zeroed.is_ok()
    }

    /// Let the addresses show the slot's own range again, behind the untouched image if it can stay dressed. What the own range holds is
    /// not changed. None: they do not show it.
    ///
    /// # Safety
    ///
    /// Nothing accesses the slot.
    unsafe fn restore(&self) -> Option<Option<&image::Inner>> {
        // SAFETY: the ranges are this slot's; the rest is the caller's promise.
        unsafe {
            if self.image_replaced.load(Ordering::Relaxed) {
                map_shared(&self.arena, self.index, 0..self.own().end).ok()?;
                return Some(None);
            }
            if self.own_replaced.load(Ordering::Relaxed) {
                map_shared(&self.arena, self.index, self.own()).ok()?;
            }
            let Some(image) = &self.image else {
                return Some(None);
            };
            // The private pages go, and the image shows again. Pages that are locked in memory do not go; what is mapped anew has none.
            (self.discard(0..image.len) || image.map_at(self.base())).then_some(Some(image))
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mappings = self.mappings.load(Ordering::Relaxed);
        // SAFETY: the last owner goes, so nothing accesses the slot.
        let Some(image) = (unsafe { self.restore() }) else {
            self.arena.retire(self.index);
            return;
        };
        // What it showed of another one is gone, whatever becomes of the slot.
        let left = if image.is_some() { DRESSED_MAPPINGS } else { 0 };
        self.arena.release(mappings - left);
        // SAFETY: as above, and the slot shows its own range, from the beginning or again.
        let warm = self.arena.may_be_warm() && unsafe { self.zero() };
        // SAFETY: as above.
        if !warm && !unsafe { self.clear() } {
            self.arena.retire(self.index);
            return;
        }
        match image {
            Some(image) => self.arena.give_back_dressed(self.index, image.number),
            None => self.arena.give_back(self.index, warm),
        }
    }
}

/// Let a range of a slot's addresses show its own range of the file.
///
/// # Safety
///
/// As for [`map`].
pub(super) unsafe fn map_shared(arena: &Inner, index: u32, range: Range<usize>) -> io::Result<()> {
    let offset = arena.offset(index) + range.start as libc::off_t;
    // SAFETY: the caller's promise.
    unsafe { map(arena, index, range, offset, libc::MAP_SHARED) }
}

/// Map the file from `offset` on over a range of a slot's addresses.
///
/// # Safety
///
/// The range is within a slot's length, and nothing accesses the slot meanwhile.
pub(super) unsafe fn map(
    arena: &Inner,
    index: u32,
    range: Range<usize>,
    offset: libc::off_t,
    sharing: libc::c_int,
) -> io::Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    // SAFETY: MAP_FIXED replaces only addresses of this slot, by the caller's promise.
    let at = unsafe {
        libc::mmap(
            arena.base(index).as_ptr().add(range.start).cast(),
            range.len(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_FIXED | libc::MAP_NORESERVE | sharing,
            arena.file.as_raw_fd(),
            offset,
        )
    };
    if at == libc::MAP_FAILED {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Give pages of the file back. True if they are gone.
///
/// # Safety
///
/// The range is a slot's, and nothing accesses it meanwhile.
pub(super) unsafe fn punch(arena: &Inner, offset: libc::off_t, len: usize) -> bool {
    if len == 0 {
        return true;
    }
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: a plain system call on an open file; the range is as the caller says, and `len` fits as the file's length does.
    unsafe { libc::fallocate(arena.file.as_raw_fd(), mode, offset, len as libc::off_t) == 0 }
}
