//! File descriptors that attempts hold.
//!
//! Every open file and every connection of an attempt is a descriptor of this process, which has a limited number of them, and the server
//! needs some itself: for its clients, its workers and its database. So all attempts together get a share, and what is beyond it is refused
//! to the guest instead of to whoever connects next.

use std::{
    collections::HashMap,
    fs::File,
    sync::{Arc, Weak},
};

use rustix::process::{Resource, getrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Where the operating system sets no limit, or one that nobody reaches.
const MAX: usize = 1 << 20;

/// The share of all attempts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Descriptors {
    free: Arc<Semaphore>,
    all: usize,
}

/// The right to one descriptor, until it is dropped.
pub(crate) type Right = OwnedSemaphorePermit;

impl Descriptors {
    /// So many; 0: half of what the process may have.
    pub(crate) fn new(max: usize) -> Self {
        let all = if max == 0 { half_of_limit() } else { max };
        let all = all.clamp(1, MAX);
        Self {
            free: Arc::new(Semaphore::new(all)),
            all,
        }
    }

    /// One more, if there is one.
    pub(crate) fn try_one(&self) -> Option<Right> {
        self.free.clone().try_acquire_owned().ok()
    }

    /// Wait for as many as an attempt needs before it can begin. More than there are at all is as many as there are.
    pub(crate) async fn some(&self, count: usize) -> Option<Right> {
        let count = u32::try_from(count.min(self.all))
            .ok()
            .filter(|count| *count > 0)?;
        // Fails only for a closed semaphore, and this one is never closed.
        self.free.clone().acquire_many_owned(count).await.ok()
    }

    /// What to say where there is none.
    pub(crate) fn none_left(&self) -> String {
        format!(
            "the attempts of this server hold {} open files and connections together, which is as many as they may; close what is not \
             needed any more, run fewer attempts at once, or raise the server's limit of open files (ulimit -n)",
            self.all
        )
    }
}

fn half_of_limit() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(MAX, |limit| usize::try_from(limit / 2).unwrap_or(MAX))
}

/// What one attempt holds.
#[derive(Default)]
pub(crate) struct Held {
    /// A file is open until the guest has dropped its handle and all streams that it made of it.
    files: Vec<(Weak<File>, Right)>,
    /// By the number of the guest's handle.
    sockets: HashMap<u32, Right>,
}

impl Held {
    pub(crate) fn file(&mut self, file: &Arc<File>, right: Right) {
        self.files.push((Arc::downgrade(file), right));
    }

    pub(crate) fn socket(&mut self, handle: u32, right: Right) {
        self.sockets.insert(handle, right);
    }

    /// Give back what is closed.
    pub(crate) fn sweep_files(&mut self) {
        self.files.retain(|(file, _)| file.strong_count() > 0);
    }

    pub(crate) fn closed_socket(&mut self, handle: u32) {
        self.sockets.remove(&handle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // C4
    #[tokio::test]
    async fn what_is_closed_can_be_had_again() {
        let all = Descriptors::new(2);
        let mut held = Held::default();
        let file = Arc::new(tempfile::tempfile().unwrap());
        held.file(&file, all.try_one().unwrap());
        held.socket(7, all.try_one().unwrap());
        assert!(all.try_one().is_none() && all.none_left().contains("hold 2 open files"));
        held.sweep_files();
        held.closed_socket(8);
        assert!(all.try_one().is_none(), "both are open");
        held.closed_socket(7);
        let right = all.try_one().unwrap();
        drop(file);
        held.sweep_files();
        assert!(all.try_one().is_some());
        drop(right);
        // More than there are is all of them, so that an attempt with many folders begins at last.
        assert_eq!(all.some(9).await.unwrap().num_permits(), 2);
        assert!(all.some(0).await.is_none());
    }

    #[test]
    fn without_a_number_half_of_the_process_limit_is_for_attempts() {
        let half = getrlimit(Resource::Nofile)
            .current
            .map_or(MAX, |limit| limit as usize / 2);
        assert_eq!(Descriptors::new(0).all, half.clamp(1, MAX));
        assert_eq!(Descriptors::new(usize::MAX).all, MAX);
    }
}
