//! The clock of an engine. In the engine of workflows it ends calls that take too long, in that of activities it lets other tasks of the
//! thread run. It ticks only while a guest runs.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::Engine;

/// One timeout is this many ticks: a call ends at most one tick late.
const TICKS_PER_TIMEOUT: u32 = 16;
const TICK_MIN: Duration = Duration::from_millis(1);

/// Owns the thread; dropping it ends the thread.
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    engine: Engine,
    tick: Duration,
    /// Follows the engine's epoch, which cannot be read.
    epoch: AtomicU64,
    /// Calls that run now.
    running: AtomicU32,
    /// The thread sleeps until somebody wakes it.
    parked: AtomicBool,
    stop: Mutex<bool>,
    wake: Condvar,
}

/// While it lives, the clock ticks.
pub(crate) struct Running<'a>(&'a Watchdog);

impl Watchdog {
    /// For calls that end after this time.
    pub(crate) fn ending(engine: Engine, timeout: Duration) -> std::io::Result<Self> {
        Self::start("longhaul-watchdog", engine, timeout / TICKS_PER_TIMEOUT)
    }

    /// For calls that let others run after this time, or after twice as long.
    pub(crate) fn yielding(engine: Engine, interval: Duration) -> std::io::Result<Self> {
        Self::start("longhaul-yield", engine, interval)
    }

    fn start(name: &str, engine: Engine, tick: Duration) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            engine,
            tick: tick.max(TICK_MIN),
            epoch: AtomicU64::new(0),
            running: AtomicU32::new(0),
            parked: AtomicBool::new(false),
            stop: Mutex::new(false),
            wake: Condvar::new(),
        });
        let thread = std::thread::Builder::new().name(name.into()).spawn({
            let shared = shared.clone();
            move || shared.run()
        })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Ticks that a new activation may take: its timeout, and the part of a tick that had passed when it began.
    pub(crate) fn budget(&self) -> u64 {
        u64::from(TICKS_PER_TIMEOUT) + 1
    }

    /// Ticks so far.
    pub(crate) fn epoch(&self) -> u64 {
        self.shared.epoch.load(Ordering::Relaxed)
    }

    /// A guest runs from now until the result is dropped.
    pub(crate) fn enter(&self) -> Running<'_> {
        // The order of these two, and its mirror in `run`, make sure that no wake-up is lost.
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            let _stop = self.shared.stop.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.wake.notify_one();
        }
        Running(self)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.shared.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.shared.stop.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // It has nothing that could panic; and if it did, there is nothing left to do.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        while !*stop {
            self.parked.store(true, Ordering::SeqCst);
            if self.running.load(Ordering::SeqCst) == 0 {
                stop = self.wake.wait(stop).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            self.parked.store(false, Ordering::SeqCst);
            stop = self
                .wake
                .wait_timeout(stop, self.tick)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            self.epoch.fetch_add(1, Ordering::Relaxed);
            self.engine.increment_epoch();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_while_something_runs_and_only_then() {
        let dog = Watchdog::ending(Engine::default(), Duration::from_millis(16)).unwrap();
        let running = dog.enter();
        while dog.epoch() < 3 {
            std::thread::yield_now();
        }
        drop(running);
        while !dog.shared.parked.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let parked_at = dog.epoch();
        // Parked: the thread waits for a wake-up and cannot tick before it.
        assert_eq!(dog.epoch(), parked_at);
        let _running = dog.enter();
        while dog.epoch() == parked_at {
            std::thread::yield_now();
        }
    }
}
