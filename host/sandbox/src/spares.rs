//! Prepared instances that wait to be forks, so that a query does not pay for an instantiation.
//!
//! A fork that has answered without a trap is as good as new once its memory shows another instance's: the components for
//! which there are forks keep no state outside of memory while no call runs (see [`crate::eligibility`]).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::raw::tenant::Spare;
use crate::state::State;
use crate::wit::Workflow;

/// An instance that waits.
pub(crate) struct Idle {
    /// The number of the module that it is an instance of.
    pub(crate) module: u64,
    pub(crate) spare: Spare<State>,
    pub(crate) workflow: Workflow,
}

/// Those that wait now, oldest first.
pub(crate) struct Spares {
    max: usize,
    idle: Mutex<VecDeque<Idle>>,
}

impl Spares {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            idle: Mutex::new(VecDeque::new()),
        }
    }

    /// An instance of this module whose memory has this length.
    pub(crate) fn take(&self, module: u64, memory_bytes: usize) -> Option<Idle> {
        let mut idle = self.lock();
        let at = idle
            .iter()
            .rposition(|i| i.module == module && i.spare.memory_bytes() == memory_bytes)?;
        idle.remove(at)
    }

    /// Keep an instance; the oldest makes room for it.
    pub(crate) fn put(&self, spare: Idle) {
        let mut idle = self.lock();
        idle.push_back(spare);
        let dropped = if idle.len() > self.max {
            idle.pop_front()
        } else {
            None
        };
        // Dropping an instance takes a while: not under the lock.
        drop(idle);
        drop(dropped);
    }

    /// A module is gone: so are its instances, which hold its code and what their memories began with.
    pub(crate) fn forget(&self, module: u64) {
        let mut idle = self.lock();
        let (gone, kept): (VecDeque<Idle>, _) = idle.drain(..).partition(|idle| idle.module == module);
        *idle = kept;
        drop(idle);
        drop(gone);
    }

    /// Give all memory back.
    pub(crate) fn clear(&self) {
        let idle = std::mem::take(&mut *self.lock());
        drop(idle);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        // A panic while the lock was held cannot leave the queue half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
