//! Slots that show what another slot holds.
//!
//! As a rule that is copied, into pages that the slot has from last time: to take a fault for a page costs as much as to copy dozens. Of a
//! memory with much of its own a private view is mapped instead, so that only what is touched costs anything; nor is such a memory walked
//! over to tell how much it has: not beyond what would be copied, and only once.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::pages::{Pages, Runs, bytes, outside};
use super::slot::{DRESSED_MAPPINGS, Slot, map, map_shared, punch};

/// Bytes of a slot's own range that are copied, at most; of more a view is mapped. To copy this much takes 20 microseconds, to map it and
/// touch ten pages of it twice as long. What was written to an image is always copied, since it is nowhere but in the other slot's pages.
pub(super) const COPIED_BYTES_MAX: usize = 512 << 10;
/// Bytes of pages that a slot keeps when its view is over, at most: of its image, and as many of its own range. An instance of a guest in
/// Go that has lived for a while has written to 0.8 MiB of its image; copied into new pages, that takes ten times as long.
pub(super) const KEPT_BYTES_MAX: usize = 1 << 20;
/// Mappings of a slot whose own range shows another's, beside that of the image.
const VIEW_MAPPINGS: usize = 2;

/// How a slot shows another one.
pub(super) enum Showing {
    /// It has a copy.
    Copy,
    /// It maps the other one's own range, of which these pages existed; none: too many to be told.
    InPlace(Option<Runs>),
}

impl Slot {
    /// Show what another slot of the arena holds now. The other may be shorter: what follows are zeros. `kept` is what
    /// [`keep`](Self::keep) has told, if nothing has touched the slot since.
    ///
    /// # Safety
    ///
    /// Nothing accesses this slot meanwhile, and nothing changes the other one as long as it is shown.
    pub(super) unsafe fn show(&self, other: &Self, kept: Option<Pages>) -> io::Result<Showing> {
        let their_image = other.written()?;
        let their_own = if other.much.load(Ordering::Relaxed) {
            None
        } else {
            other.own_up_to(COPIED_BYTES_MAX)?
        };
        other.much.store(their_own.is_none(), Ordering::Relaxed);
        let same_image = match (&self.image, &other.image) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        if !same_image || self.image_replaced.load(Ordering::Relaxed) {
            // SAFETY: the caller's promise.
            unsafe { self.map_all(other, &their_image) }?;
            return Ok(Showing::InPlace(their_own));
        }
        let mine = match kept {
            Some(kept) => kept,
            // Its own pages go unseen if another's are mapped in their place.
            None if their_own.is_none() => Pages {
                written: self.written()?,
                own: Runs::new(),
            },
            None => self.pages()?,
        };
        // SAFETY: the caller's promise; the images are one, so what neither has written to is the same.
        unsafe {
            self.copy(
                other,
                outside(&mine.written, &their_image).chain(their_image.iter().cloned()),
            )
        };
        let Some(their_own) = their_own else {
            // SAFETY: the caller's promise.
            unsafe { self.map_own(other) }?;
            return Ok(Showing::InPlace(None));
        };
        // SAFETY: the caller's promise.
        unsafe {
            if self.own_replaced.load(Ordering::Relaxed) {
                // What pages it has in spite of it are among `mine`.
                map_shared(&self.arena, self.index, self.own())?;
                self.own_replaced.store(false, Ordering::Relaxed);
            }
            for run in outside(&mine.own, &their_own) {
                self.fill(run);
            }
            self.copy(other, their_own.iter().cloned());
        }
        Ok(Showing::Copy)
    }

    /// Map a private view of the other slot's own range in place of this one's.
    ///
    /// # Safety
    ///
    /// As for [`show`](Self::show); this slot is dressed as the other one is.
    unsafe fn map_own(&self, other: &Self) -> io::Result<()> {
        self.split(match self.image {
            Some(_) => DRESSED_MAPPINGS + VIEW_MAPPINGS - 1,
            None => VIEW_MAPPINGS,
        });
        // Before the attempt: a mapping that fails may leave a hole, and the slot has to be mended either way.
        self.own_replaced.store(true, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.map_behind(other) }
    }

    /// Map a private view of all that the other slot shows in place of what this one does.
    ///
    /// # Safety
    ///
    /// As for [`show`](Self::show).
    unsafe fn map_all(&self, other: &Self, written: &[Range<usize>]) -> io::Result<()> {
        self.split(DRESSED_MAPPINGS + VIEW_MAPPINGS - 1);
        self.image_replaced.store(true, Ordering::Relaxed);
        if let Some(image) = &other.image {
            // SAFETY: by the caller's promise; the image fits, as slots of an arena have one length.
            if !unsafe { image.map_at(self.base()) } {
                return Err(io::Error::last_os_error());
            }
        }
        // SAFETY: by the caller's promise.
        unsafe {
            self.map_behind(other)?;
            self.copy(other, written.iter().cloned());
        }
        Ok(())
    }

    /// Map a private view of the other slot's own range, and this one's where the other one ends. The pages of this one's go: they are not
    /// shown, or should be zeros.
    ///
    /// # Safety
    ///
    /// As for [`show`](Self::show).
    unsafe fn map_behind(&self, other: &Self) -> io::Result<()> {
        let (own, theirs) = (self.own(), other.own());
        let rest = theirs.end..own.end;
        let offset = other.offset(theirs.start);
        // SAFETY: the ranges are these slots'; the rest is the caller's promise.
        unsafe {
            map(&self.arena, self.index, theirs, offset, libc::MAP_PRIVATE)?;
            map_shared(&self.arena, self.index, rest.clone())?;
            if !punch(&self.arena, self.offset(own.start), own.len()) {
                self.fill(rest);
            }
        }
        Ok(())
    }

    /// The view is over: give most pages back, and tell which are kept. None: that is not known.
    ///
    /// # Safety
    ///
    /// Nothing accesses the slot, and what it holds means nothing from here on.
    pub(super) unsafe fn keep(&self) -> Option<Pages> {
        let own = self.own();
        // SAFETY: the ranges are mapped; the rest is the caller's promise. Pages that do not go cost memory, and nothing else: where the
        // slot shows another one they are replaced the next time, and the others are looked at.
        unsafe {
            if self.image_replaced.load(Ordering::Relaxed) {
                // Otherwise it would map all anew from here on, whatever it shows.
                return self.dress_again().then(Pages::default);
            }
            if self.own_replaced.load(Ordering::Relaxed) {
                self.discard(own.clone());
            }
            let written = self.written().ok();
            let written = written.filter(|runs| bytes(runs) <= KEPT_BYTES_MAX);
            let kept = self.own_up_to(KEPT_BYTES_MAX).ok().flatten();
            if written.is_none() {
                self.discard(0..own.start);
            }
            if kept.is_none() {
                punch(&self.arena, self.offset(own.start), own.len());
            }
            Some(Pages {
                written: written?,
                own: kept?,
            })
        }
    }

    /// Show the untouched image again, if there is one, and zeros. False: the slot is to be mapped anew before it shows anything.
    ///
    /// # Safety
    ///
    /// Nothing accesses the slot, in which the image is replaced.
    unsafe fn dress_again(&self) -> bool {
        let own = self.own();
        // SAFETY: the ranges are this slot's, which is as long as the image at least; the rest is the caller's promise.
        let shows = unsafe {
            map_shared(&self.arena, self.index, own.clone()).is_ok()
                && punch(&self.arena, self.offset(own.start), own.len())
                && self.image.as_ref().is_none_or(|image| image.map_at(self.base()))
        };
        if shows {
            self.own_replaced.store(false, Ordering::Relaxed);
            self.image_replaced.store(false, Ordering::Relaxed);
        }
        shows
    }

    /// Punch the pages of the slot's own range that are not among these: what was read there where nothing was ever written.
    ///
    /// # Safety
    ///
    /// The slot had these pages, and nothing has changed what it holds since, nor does now. It may be read meanwhile: what goes are zeros,
    /// and as such they are read again.
    pub(super) unsafe fn forget_read(&self, before: &[Range<usize>]) {
        let mut now = Vec::new();
        // What cannot be told stays: it costs memory, and nothing else.
        let _ = self.each_extent(|extent| {
            now.push(extent);
            true
        });
        for run in outside(&now, before) {
            // SAFETY: the caller's promise.
            unsafe { punch(&self.arena, self.offset(run.start), run.len()) };
        }
    }

    /// # Safety
    ///
    /// The runs are within both slots, which are not the same one. Nothing else accesses this one, and nothing changes the other.
    unsafe fn copy(&self, other: &Self, runs: impl Iterator<Item = Range<usize>>) {
        for run in runs {
            // SAFETY: by the caller's promise; both ranges are mapped.
            unsafe {
                let from = other.base().add(run.start);
                self.base()
                    .add(run.start)
                    .copy_from_nonoverlapping(from, run.len());
            }
        }
    }
}
