//! The threads on which attempts of activities run.

use std::{
    future::Future,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use tokio::{
    runtime::{Handle, Runtime, TryCurrentError},
    task::AbortHandle,
};

/// They serve nothing else: an attempt that computes for long, or blocks its thread, holds up other attempts at worst, and no request,
/// no heartbeat of a worker and no health check.
pub(crate) struct AttemptThreads {
    handle: Handle,
    /// None: they are the caller's.
    own: Mutex<Option<Runtime>>,
}

impl AttemptThreads {
    pub(crate) fn start(count: NonZeroUsize) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(count.get())
            .thread_name("attempts")
            .enable_all()
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            own: Mutex::new(Some(runtime)),
        })
    }

    /// None of its own: attempts run on the caller's. For simulation.
    pub(crate) fn of_caller() -> Result<Self, TryCurrentError> {
        Ok(Self {
            handle: Handle::try_current()?,
            own: Mutex::new(None),
        })
    }

    /// Run an attempt.
    pub(crate) fn spawn(&self, attempt: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.handle.spawn(attempt).abort_handle()
    }

    /// No attempt goes on. Does not wait for code that blocks its thread.
    pub(crate) fn stop(&self) {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = own {
            runtime.shutdown_background();
        }
    }
}

impl Drop for AttemptThreads {
    fn drop(&mut self) {
        // A runtime that is dropped within another one would block it.
        self.stop();
    }
}
