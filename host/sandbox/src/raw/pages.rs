//! Which pages of a slot exist. The kernel knows.

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use super::slot::Slot;

/// Of the kernel's word about a page: it belongs to a file, so it was not written to in a private view.
const PAGE_OF_FILE: u64 = 1 << 61;
/// It is in swap.
const PAGE_IN_SWAP: u64 = 1 << 62;
/// It is in memory.
const PAGE_PRESENT: u64 = 1 << 63;
const WORD: usize = size_of::<u64>();
/// The kernel is asked about so many pages at a time.
const WORDS: usize = 256;

/// Runs of pages as ranges within a slot, in ascending order and apart from each other.
pub(super) type Runs = Vec<Range<usize>>;

/// The pages that exist for a slot alone.
#[derive(Default)]
pub(super) struct Pages {
    /// Those of its image that were written to.
    pub(super) written: Runs,
    /// Those of its own range.
    pub(super) own: Runs,
}

pub(super) fn bytes(runs: &[Range<usize>]) -> usize {
    runs.iter().map(Range::len).sum()
}

/// What is in these runs, and not in the others.
pub(super) fn outside<'a>(
    runs: &'a [Range<usize>],
    others: &'a [Range<usize>],
) -> impl Iterator<Item = Range<usize>> + 'a {
    runs.iter().flat_map(|run| {
        let first = others.partition_point(|other| other.end <= run.start);
        let over = others[first..].iter().take_while(|other| other.start < run.end);
        // A gap before each of those that lie over the run, and one behind the last of them.
        let begins = std::iter::once(run.start).chain(over.clone().map(|other| other.end));
        let ends = over.map(|other| other.start).chain(std::iter::once(run.end));
        begins
            .zip(ends)
            .filter(|(begin, end)| begin < end)
            .map(|(begin, end)| begin..end)
    })
}

impl Slot {
    /// The pages that exist for this slot alone, in memory or in swap.
    pub(super) fn pages(&self) -> io::Result<Pages> {
        let own = self.own_up_to(usize::MAX)?.unwrap_or_default();
        Ok(Pages {
            written: self.written()?,
            own,
        })
    }

    /// Those of its image that were written to.
    pub(super) fn written(&self) -> io::Result<Runs> {
        let mut runs = Vec::new();
        self.each_written(|run| runs.push(run))?;
        Ok(runs)
    }

    /// Those of its own range, if they have at most so many bytes. The walk, which takes two system calls for each run
    /// and a look at each of its pages, ends with the run that goes beyond that.
    pub(super) fn own_up_to(&self, bytes_max: usize) -> io::Result<Option<Runs>> {
        let mut runs = Vec::new();
        let mut bytes = 0;
        let all = self.each_extent(|extent| {
            bytes += extent.len();
            runs.push(extent);
            bytes <= bytes_max
        })?;
        Ok(all.then_some(runs))
    }

    /// The bytes of all of them. Where that cannot be known: as many as there could be.
    pub(super) fn resident_bytes(&self) -> usize {
        let mut bytes = 0;
        let told = self.each_written(|run| bytes += run.len()).and_then(|()| {
            self.each_extent(|extent| {
                bytes += extent.len();
                true
            })
        });
        match told {
            Ok(_) => bytes,
            Err(_) => self.len(),
        }
    }

    /// Call `with` for each run of the image's pages that were written to.
    fn each_written(&self, mut with: impl FnMut(Range<usize>)) -> io::Result<()> {
        let Some(image) = &self.image else {
            return Ok(());
        };
        // Without it no slot is dressed.
        let pagemap = self.arena.pagemap.as_ref();
        let pagemap = pagemap.ok_or(io::ErrorKind::Unsupported)?;
        let page = self.arena.page_bytes;
        let first = self.base().as_ptr() as usize / page;
        let pages = image.len / page;
        let mut buffer = [0; WORDS * WORD];
        let mut run = 0..0;
        for begin in (0..pages).step_by(WORDS) {
            let words = &mut buffer[..WORDS.min(pages - begin) * WORD];
            pagemap.read_exact_at(words, ((first + begin) * WORD) as u64)?;
            for (number, word) in words.as_chunks::<WORD>().0.iter().enumerate() {
                let word = u64::from_ne_bytes(*word);
                if word & (PAGE_PRESENT | PAGE_IN_SWAP) == 0 || word & PAGE_OF_FILE != 0 {
                    continue;
                }
                let at = (begin + number) * page;
                if run.end != at {
                    if !run.is_empty() {
                        with(run);
                    }
                    run = at..at;
                }
                run.end += page;
            }
        }
        if !run.is_empty() {
            with(run);
        }
        Ok(())
    }

    /// Call `with` for each run of pages that exist in the slot's own range, as a range within the slot, until it says false. True if it
    /// never did.
    ///
    /// It is the file that is asked: page tables (`mincore`, pagemap) do not tell of a page that was moved to swap, and that holds
    /// bytes like any other.
    pub(super) fn each_extent(&self, mut with: impl FnMut(Range<usize>) -> bool) -> io::Result<bool> {
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
        #[cfg(test)]
        self.arena
            .seeks
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // SAFETY: a plain system call on an open file, whose position nothing uses.
        let at = unsafe { libc::lseek(self.arena.file.as_raw_fd(), from, whence) };
        if at < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_of_others_is_what_no_run_of_theirs_covers() {
        let runs = |bits: u32| {
            let mut runs: Vec<Range<usize>> = Vec::new();
            for at in (0..6).filter(|at| bits & (1 << at) != 0) {
                match runs.last_mut() {
                    Some(last) if last.end == at => last.end += 1,
                    _ => runs.push(at..at + 1),
                }
            }
            runs
        };
        for (ours, theirs) in (0..64).flat_map(|ours| (0..64).map(move |theirs| (ours, theirs))) {
            let (one, other) = (runs(ours), runs(theirs));
            let found: Vec<Range<usize>> = outside(&one, &other).collect();
            assert_eq!(found, runs(ours & !theirs), "{one:?} without {other:?}");
        }
    }
}
