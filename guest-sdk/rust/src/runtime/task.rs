//! Tasks, their wakers and the handlers among them.

use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use futures_util::future::LocalBoxFuture;

use super::Runtime;
use crate::definitions::HandlerUnfinishedPolicy;

/// What a task is.
pub(crate) enum TaskName {
    Run,
    Signal(String),
    Update(String),
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => f.write_str("run"),
            Self::Signal(name) => write!(f, "signal {name}"),
            Self::Update(name) => write!(f, "update {name}"),
        }
    }
}

/// A future that the executor polls.
pub(super) struct Task {
    pub(super) name: TaskName,
    /// None while it is being polled.
    pub(super) future: Option<LocalBoxFuture<'static, ()>>,
    pub(super) waker: Waker,
    pub(super) started: bool,
    notify: Arc<Notify>,
}

impl Task {
    pub(super) fn new(
        id: u64,
        name: TaskName,
        future: LocalBoxFuture<'static, ()>,
        queue: &Arc<ReadyQueue>,
    ) -> Self {
        let notify = Arc::new(Notify {
            id,
            queued: AtomicBool::new(false),
            queue: queue.clone(),
        });
        Self {
            name,
            future: Some(future),
            waker: notify.clone().into(),
            started: false,
            notify,
        }
    }

    /// Take the future out to poll it. Whatever wakes the task from now on queues it again.
    pub(super) fn take(&mut self) -> Option<(LocalBoxFuture<'static, ()>, Waker)> {
        self.notify.queued.store(false, Ordering::Relaxed);
        self.started = true;
        self.future.take().map(|future| (future, self.waker.clone()))
    }
}

/// Tasks that are ready, in the order in which they were woken.
#[derive(Default)]
pub(super) struct ReadyQueue {
    // A waker has to be Send and Sync by its type; a component has one thread, so the lock is always free.
    ids: Mutex<VecDeque<u64>>,
}

impl ReadyQueue {
    pub(super) fn pop(&self) -> Option<u64> {
        self.ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

struct Notify {
    id: u64,
    queued: AtomicBool,
    queue: Arc<ReadyQueue>,
}

impl Wake for Notify {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.queue
                .ids
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_back(self.id);
        }
    }
}

/// Which messages a handler takes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum HandlerKind {
    Signal,
    Update,
}

/// A handler that has begun and not ended.
pub(super) struct Handler {
    kind: HandlerKind,
    name: String,
    policy: HandlerUnfinishedPolicy,
}

/// Counts a handler as unfinished until it is dropped.
pub(crate) struct HandlerGuard {
    runtime: Rc<Runtime>,
    id: u64,
}

impl Drop for HandlerGuard {
    fn drop(&mut self) {
        self.runtime.handlers.borrow_mut().remove(&self.id);
        self.runtime.changed();
    }
}

impl Runtime {
    /// A handler begins.
    pub(crate) fn begin_handler(
        self: &Rc<Self>,
        kind: HandlerKind,
        name: &str,
        policy: HandlerUnfinishedPolicy,
    ) -> HandlerGuard {
        let id = self.next_id();
        self.handlers.borrow_mut().insert(
            id,
            Handler {
                kind,
                name: name.to_owned(),
                policy,
            },
        );
        HandlerGuard {
            runtime: self.clone(),
            id,
        }
    }

    /// Has every handler that has begun ended?
    pub(crate) fn all_handlers_finished(&self) -> bool {
        self.handlers.borrow().is_empty()
    }

    /// Names of unfinished handlers that their users want to hear of.
    pub(crate) fn unfinished_handlers(&self, kind: HandlerKind) -> Vec<String> {
        let handlers = self.handlers.borrow();
        let unfinished = handlers.values().filter(|handler| {
            handler.kind == kind && handler.policy == HandlerUnfinishedPolicy::WarnAndAbandon
        });
        unfinished.map(|handler| handler.name.clone()).collect()
    }
}
