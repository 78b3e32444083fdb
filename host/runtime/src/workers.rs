//! Threads for what blocks: compiling, reading, replaying.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

/// Something to do away from the shards.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads and a queue.
///
/// The queue has no limit of its own: each run has at most one job of a kind in it, each upload and each start that waits for machine
/// code one, and uploads and requests that wait for runs or code to be read are bounded, each where it comes from.
pub(crate) struct Workers {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    running: usize,
    stopping: bool,
    /// Without threads: what is asked for waits.
    held: bool,
}

impl Workers {
    /// Start the threads. The stack is that of a shard: a replay calls guests.
    pub(crate) fn start(count: NonZeroUsize, stack_bytes: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut threads = Vec::new();
        for number in 0..count.get() {
            let shared = shared.clone();
            let builder = std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .stack_size(stack_bytes);
            threads.push(builder.spawn(move || shared.work())?);
        }
        Ok(Self {
            shared,
            threads: Mutex::new(threads),
        })
    }

    /// No threads: whoever asks does the work. For simulation.
    pub(crate) fn inline() -> Self {
        Self {
            shared: Arc::new(Shared::default()),
            threads: Mutex::new(Vec::new()),
        }
    }

    /// Do something, soon.
    pub(crate) fn run(&self, job: Job) {
        let inline = self.threads().is_empty();
        let mut state = self.shared.lock();
        if inline && !state.held {
            drop(state);
            return job();
        }
        state.jobs.push_back(job);
        drop(state);
        self.shared.arrived.notify_one();
    }

    /// Without threads: let what is asked for wait, or do it after all, in its order.
    pub(crate) fn hold(&self, held: bool) {
        let mut state = self.shared.lock();
        state.held = held;
        while !held && let Some(job) = state.jobs.pop_front() {
            drop(state);
            job();
            state = self.shared.lock();
        }
    }

    /// Whether nothing is queued and nothing runs.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.shared.lock();
        state.jobs.is_empty() && state.running == 0
    }

    /// Finish what is queued, and stop.
    pub(crate) fn stop(&self) {
        self.shared.lock().stopping = true;
        self.shared.arrived.notify_all();
        for thread in std::mem::take(&mut *self.threads()) {
            if thread.join().is_err() {
                tracing::error!("a worker thread has panicked");
            }
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn work(&self) {
        loop {
            let state = self.lock();
            let mut state = self
                .arrived
                .wait_while(state, |state| state.jobs.is_empty() && !state.stopping)
                .unwrap_or_else(PoisonError::into_inner);
            let Some(job) = state.jobs.pop_front() else { return };
            state.running += 1;
            drop(state);
            // A defect in one job must not end the thread; what the job would have told is told by whoever made it.
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
                tracing::error!("a worker's job has panicked: a defect of the server");
            }
            self.lock().running -= 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
