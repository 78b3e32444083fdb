//! One memory's range of the arena.

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::arena::Inner;
use super::image;

/// Bytes of pages that an unused slot keeps at most; with more, zeroing them costs more than giving them back. A Rust guest that has
/// done little has 24 KiB.
const WARM_BYTES_MAX: usize = 128 << 10;
/// Of the kernel's word about a page: it belongs to a file, so it was not written to in a private view.
const PAGE_OF_FILE: u64 = 1 << 61;
/// It is in swap.
const PAGE_IN_SWAP: u64 = 1 << 62;
/// It is in memory.
const PAGE_PRESENT: u64 = 1 << 63;

/// A slot that is in use.
pub(super) struct Slot {
    pub(super) arena: Arc<Inner>,
    index: u32,
    /// The memory's present length in bytes; only grows.
    len: AtomicUsize,
    /// What it is dressed with: the addresses up to the image's length are a private view of it.
    image: Option<Arc<image::Inner>>,
    /// The addresses show another slot.
    private: AtomicBool,
}

impl Slot {
    pub(super) fn new(arena: Arc<Inner>, index: u32, len: usize, image: Option<Arc<image::Inner>>) -> Self {
        Self {
            arena,
            index,
            len: AtomicUsize::new(len),
            image,
            private: AtomicBool::new(false),
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

    /// Where that begins which is in the slot's own range of the file.
    fn own_begin(&self) -> usize {
        self.image.as_ref().map_or(0, |image| image.len)
    }

    fn own(&self) -> Range<usize> {
        // The length is the image's at least, which the creator has checked.
        self.own_begin()..self.len().max(self.own_begin())
    }

    /// Let the addresses be a private view of what another slot of the arena holds now. The other may be shorter.
    ///
    /// # Safety
    ///
    /// Nothing accesses this slot meanwhile, and nothing changes the other one as long as the view is used.
    pub(super) unsafe fn show(&self, other: &Self) -> io::Result<()> {
        // Before the attempt: a mapping that fails may leave a hole, and the slot has to be mended either way.
        self.private.store(true, Ordering::Relaxed);
        if let Some(image) = &other.image {
            // SAFETY: by the caller's promise; the image fits, as slots of an arena have one length.
            if !unsafe { image.map_at(self.base()) } {
                return Err(io::Error::last_os_error());
            }
        }
        let own = other.own();
        let sharing = libc::MAP_PRIVATE;
        // SAFETY: by the caller's promise.
        unsafe {
            map(
                &self.arena,
                self.index,
                own.clone(),
                other.offset(own.start),
                sharing,
            )
        }?;
        for written in other.written()? {
            // SAFETY: both ranges are mapped, within slots that are not the same one; the rest is the caller's promise.
            unsafe {
                let from = other.base().add(written.start);
                self.base()
                    .add(written.start)
                    .copy_from_nonoverlapping(from, written.len());
            }
        }
        Ok(())
    }

    /// The view of another slot is over: give its pages back.
    ///
    /// # Safety
    ///
    /// Nothing accesses the slot, and what it holds means nothing from here on.
    pub(super) unsafe fn drop_pages(&self) {
        // SAFETY: the range is mapped; the rest is the caller's promise.
        unsafe { libc::madvise(self.base().as_ptr().cast(), self.len(), libc::MADV_DONTNEED) };
    }

    fn offset(&self, at: usize) -> libc::off_t {
        self.arena.offset(self.index) + at as libc::off_t
    }

    /// Bytes of the pages that exist for this slot alone, in memory or in swap.
    pub(super) fn resident_bytes(&self) -> usize {
        let mut bytes = 0;
        let told = self.each_extent(|extent| {
            bytes += extent.len();
            true
        });
        match (told, self.written()) {
            (Ok(_), Ok(written)) => bytes + written.iter().map(Range::len).sum::<usize>(),
            _ => self.len(),
        }
    }

    /// Where the image was written to, in whole pages.
    fn written(&self) -> io::Result<Vec<Range<usize>>> {
        const WORD: usize = size_of::<u64>();
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let Some(image) = &self.image else {
            return Ok(ranges);
        };
        let page = self.arena.page_bytes;
        let mut words = vec![0; image.len / page * WORD];
        let first = self.base().as_ptr() as usize / page * WORD;
        let pagemap = self.arena.pagemap.as_ref();
        // Without it no slot is dressed.
        let pagemap = pagemap.ok_or(io::ErrorKind::Unsupported)?;
        pagemap.read_exact_at(&mut words, first as u64)?;
        for (number, word) in words.as_chunks::<WORD>().0.iter().enumerate() {
            let word = u64::from_ne_bytes(*word);
            if word & (PAGE_PRESENT | PAGE_IN_SWAP) == 0 || word & PAGE_OF_FILE != 0 {
                continue;
            }
            let at = number * page;
            match ranges.last_mut() {
                Some(last) if last.end == at => last.end += page,
                _ => ranges.push(at..at + page),
            }
        }
        Ok(ranges)
    }

    /// Call `with` for each run of pages that exist in the slot's own range, as a range within the slot, until it says false. True if it
    /// never did.
    ///
    /// It is the file that is asked: page tables (`mincore`, pagemap) do not tell of a page that was moved to swap, and that holds
    /// bytes like any other.
    fn each_extent(&self, mut with: impl FnMut(Range<usize>) -> bool) -> io::Result<bool> {
        let own = self.own();
        let (mut at, end) = (self.offset(own.start), self.offset(own.end));
        while at < end {
            let begin = match self.seek(at, libc::SEEK_DATA) {
                Ok(begin) if begin < end => begin,
                // There is none up to the end of the slot, or of the file.
                Ok(_) => break,
                Err(error) if error.raw_os_error() == Some(libc::ENXIO) => break,
                Err(error) => return Err(error),
            };
            at = self.seek(begin, libc::SEEK_HOLE)?.min(end);
            if !with((begin - self.offset(0)) as usize..(at - self.offset(0)) as usize) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Where in the file the next data, or the next hole, begins.
    fn seek(&self, from: libc::off_t, whence: libc::c_int) -> io::Result<libc::off_t> {
        // SAFETY: a plain system call on an open file, whose position nothing uses.
        let at = unsafe { libc::lseek(self.arena.file.as_raw_fd(), from, whence) };
        if at < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(at)
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
            // SAFETY: the extent lies within the slot's length, which is mapped; the rest is the caller's promise.
            unsafe { self.base().add(extent.start).write_bytes(0, extent.len()) };
            true
        });
        zeroed.unwrap_or(false)
    }

    /// Give the pages of the slot's own range back, so that it reads as zeros.
    ///
    /// # Safety
    ///
    /// As for [`zero`](Self::zero).
    unsafe fn clear(&self) {
        let own = self.own();
        // SAFETY: the range is this slot's; the rest is the caller's promise.
        if !unsafe { punch(&self.arena, self.offset(own.start), own.len()) } {
            // SAFETY: the range is mapped; the rest is the caller's promise.
            unsafe { self.base().add(own.start).write_bytes(0, own.len()) };
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let private = self.private.load(Ordering::Relaxed);
        // SAFETY: the last owner goes, so nothing accesses the slot.
        let restored = unsafe {
            if private {
                map_shared(&self.arena, self.index, 0..self.len()).is_ok()
            } else if self.image.is_some() {
                // The private pages go, and the image shows again.
                let begin = self.base().as_ptr().cast();
                libc::madvise(begin, self.own_begin(), libc::MADV_DONTNEED) == 0
            } else {
                true
            }
        };
        if private && self.image.is_some() {
            self.arena.forget_dressed();
        }
        if !restored {
            if !private {
                self.arena.forget_dressed();
            }
            self.arena.retire();
            return;
        }
        let may_be_warm = self.arena.may_be_warm();
        // SAFETY: the last owner goes, and the slot shows its own range, from the beginning or again.
        let warm = may_be_warm && unsafe { self.zero() };
        if !warm {
            // SAFETY: as above.
            unsafe { self.clear() };
        }
        match &self.image {
            Some(image) if !private => self.arena.give_back_dressed(self.index, image.number),
            _ => self.arena.give_back(self.index, warm),
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
unsafe fn map(
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
