//! What memories begin with, kept once for all of them.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::arena::{self, Arena, memory_file};

/// The beginning of a memory. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Image(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) arena: Arc<arena::Inner>,
    file: File,
    /// In whole pages, and at most a slot's length.
    pub(super) len: usize,
    /// No other image has it.
    pub(super) number: u64,
}

impl Image {
    /// An image of this memory, which is at most as long as a slot.
    pub(crate) fn new(arena: &Arena, memory: &[u8]) -> io::Result<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let used = memory.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
        let page = arena.0.page_bytes;
        let len = used.next_multiple_of(page);
        if len > arena.0.slot_bytes {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the memory is longer than a slot",
            ));
        }
        let file: OwnedFd = memory_file(c"longhaul-image", libc::MFD_ALLOW_SEALING)?;
        let mut file = File::from(file);
        file.write_all(&memory[..used])?;
        file.set_len(len as u64)?;
        let seals = libc::F_SEAL_WRITE | libc::F_SEAL_GROW | libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL;
        // SAFETY: a plain system call on an open file.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(Arc::new(Inner {
            arena: arena.0.clone(),
            file,
            len,
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
        })))
    }
}

impl Inner {
    /// Let the addresses from `base` on be a private view of the image. True if they are.
    ///
    /// # Safety
    ///
    /// They are a slot's, and nothing accesses it meanwhile.
    pub(super) unsafe fn map_at(&self, base: NonNull<u8>) -> bool {
        if self.len == 0 {
            return true;
        }
        // SAFETY: MAP_FIXED replaces only addresses of that slot, which is as long as the image at least.
        let at = unsafe {
            libc::mmap(
                base.as_ptr().cast(),
                self.len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_FIXED | libc::MAP_NORESERVE | libc::MAP_PRIVATE,
                self.file.as_raw_fd(),
                0,
            )
        };
        at != libc::MAP_FAILED
    }

    /// Copy the image into a slot that holds zeros.
    ///
    /// # Safety
    ///
    /// The addresses from `base` on are that slot's, and nothing else accesses it meanwhile.
    pub(super) unsafe fn copy_to(&self, base: NonNull<u8>) -> io::Result<()> {
        // SAFETY: the slot is as long as the image at least, mapped, and initialised with zeros; the rest is the caller's promise.
        let to = unsafe { std::slice::from_raw_parts_mut(base.as_ptr(), self.len) };
        self.file.read_exact_at(to, 0)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.arena.forget_image(self.number);
    }
}
