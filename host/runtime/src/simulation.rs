//! The same runtime without threads, under a clock that stands still: for tests that crash it, bend its time and look at every
//! commit.

use std::{future::Future, num::NonZeroUsize, pin::pin, sync::Mutex, task::Poll};

use longhaul_sandbox::{Module, Sandbox};
use longhaul_store::Store;
use rand_core::SeedableRng;

use crate::{
    Clock, OpenError, Options, Runtime,
    attempt_threads::AttemptThreads,
    core::Randomness,
    handle::{build, sandbox_of},
    shard::Shard,
    workers::Workers,
};

/// Rounds in a row that did nothing after which a simulated request counts as stuck; beyond [`QUIET_ROUNDS`] each takes a millisecond.
const QUIET_ROUNDS_MAX: usize = 60_000;
/// Rounds that do nothing before the thread is lent to whoever compiles or runs an activity.
const QUIET_ROUNDS: usize = 100;

/// A runtime that does something only when it is told to.
///
/// Within a tokio runtime of one thread the same inputs give the same commits: reading and replaying run inline, run ids come from a
/// seed, and the clock moves only by [`Simulation::advance`] and time skipping.
pub struct Simulation {
    runtime: Runtime,
    shards: Vec<Shard>,
}

/// A sandbox and what was compiled in it, for many simulations one after the other: each then opens without setting up a sandbox and
/// without loading machine code.
#[derive(Clone)]
pub struct Warm {
    sandbox: Sandbox,
    modules: Vec<Module>,
}

impl Warm {
    /// With these modules, which the sandbox has compiled. It stands in for the one that the options of a simulation would set up.
    pub fn new(sandbox: Sandbox, modules: Vec<Module>) -> Self {
        Self { sandbox, modules }
    }
}

/// A request that got no answer, though nothing was left to do.
#[derive(Debug, thiserror::Error)]
#[error("the request got no answer in {QUIET_ROUNDS_MAX} rounds in which nothing happened")]
pub struct Stuck;

impl Simulation {
    /// Open on a store, with one shard.
    ///
    /// # Errors
    ///
    /// As [`Runtime::open`].
    pub fn open(options: Options, store: Store, clock: Clock, seed: u64) -> Result<Self, OpenError> {
        Self::open_sharded(options, store, clock, seed, NonZeroUsize::MIN)
    }

    /// Open on a store, with so many shards, which take their turns one after the other. With time skipping there is one.
    ///
    /// # Errors
    ///
    /// As [`Runtime::open`].
    pub fn open_sharded(
        mut options: Options,
        store: Store,
        clock: Clock,
        seed: u64,
        shards: NonZeroUsize,
    ) -> Result<Self, OpenError> {
        options.shards = shards;
        let sandbox = sandbox_of(&options)?;
        let warm = Warm::new(sandbox, Vec::new());
        Self::open_warm(options, store, clock, seed, shards, &warm)
    }

    /// As [`Simulation::open_sharded`], with a sandbox that is there already, and with the machine code of those modules in the store
    /// that it has.
    ///
    /// # Errors
    ///
    /// As [`Runtime::open`].
    pub fn open_warm(
        mut options: Options,
        store: Store,
        clock: Clock,
        seed: u64,
        shards: NonZeroUsize,
        warm: &Warm,
    ) -> Result<Self, OpenError> {
        options.shards = if options.time_skipping {
            NonZeroUsize::MIN
        } else {
            shards
        };
        let writer = store.inline_writer().ok_or(OpenError::InUse)?;
        let randomness = Randomness::Seeded(Box::new(Mutex::new(rand_chacha::ChaCha12Rng::seed_from_u64(
            seed,
        ))));
        let sandbox = warm.sandbox.clone();
        let (core, shards) = build(
            options,
            store,
            clock,
            writer,
            Workers::inline(),
            AttemptThreads::of_caller()?,
            randomness,
            sandbox,
            // Nobody looks for space by himself: see `look_for_space`.
            tokio::sync::mpsc::channel(1).0,
        )?;
        for module in &warm.modules {
            core.registry.set_compiled(module);
        }
        Ok(Self {
            runtime: Runtime::new(core, Vec::new()),
            shards,
        })
    }

    /// The handle for requests; drive them with [`Simulation::drive`].
    pub fn runtime(&self) -> Runtime {
        self.runtime.clone()
    }

    /// Let the next turn of an execution panic, once, when it has done everything but hand its transition over: for tests of what a
    /// defect of the server leaves behind.
    pub fn panic_in_turn_of(&mut self, workflow_id: &str) {
        // Only the one that has the execution ever comes to it.
        for shard in &mut self.shards {
            shard.panic_in_turn_of = Some(workflow_id.to_owned());
        }
    }

    /// Let the next read of an execution that has left the memory fail, once.
    pub fn fail_read_of(&mut self, workflow_id: &str) {
        for shard in &mut self.shards {
            shard.unreadable = Some(workflow_id.to_owned());
        }
    }

    /// Let what the shards leave to other threads (reading, replaying, compiling, asking validators) wait, as on a machine that has
    /// fallen behind, or go on.
    pub fn hold_workers(&self, held: bool) {
        self.runtime.inner.core.workers.hold(held);
    }

    /// Runs in memory, and runs that the shards count towards their memory: equal whenever nothing is under way.
    pub fn runs_in_memory(&self) -> (usize, usize) {
        let counts = self.shards.iter().map(Shard::runs_in_memory);
        counts.fold((0, 0), |sum, shard| (sum.0 + shard.0, sum.1 + shard.1))
    }

    /// While the disk is full, look whether there is space again, as a running server does now and then. Answers whether the store takes
    /// writes.
    pub fn look_for_space(&self) -> bool {
        self.runtime.inner.core.writer.recover().is_ok()
    }

    /// Let the clock run on.
    pub fn advance(&self, by_ns: u64) {
        self.runtime.inner.core.clock.advance(by_ns);
    }

    /// Now, in nanoseconds since 1970.
    pub fn now_ns(&self) -> u64 {
        self.runtime.inner.core.clock.now_ns()
    }

    /// One round of each shard, then one of the writer. Answers the commits that were made.
    pub fn round(&mut self) -> usize {
        for shard in &mut self.shards {
            shard.step(Some(std::time::Duration::ZERO));
        }
        self.runtime.inner.core.writer.pump()
    }

    /// Rounds until a request is answered.
    ///
    /// # Errors
    ///
    /// It gets no answer.
    pub async fn drive<F: Future>(&mut self, request: F) -> Result<F::Output, Stuck> {
        self.drive_while(request, |_| true).await?.ok_or(Stuck)
    }

    /// Rounds until a request is answered, or `go_on`, asked after each round, says no: then the answer is none.
    ///
    /// # Errors
    ///
    /// Neither happens.
    pub async fn drive_while<F: Future>(
        &mut self,
        request: F,
        mut go_on: impl FnMut(&Runtime) -> bool,
    ) -> Result<Option<F::Output>, Stuck> {
        let mut request = pin!(request);
        let mut quiet = 0;
        while quiet < QUIET_ROUNDS_MAX {
            let polled = std::future::poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
            if let Poll::Ready(answer) = polled {
                return Ok(Some(answer));
            }
            quiet = if self.round() == 0 { quiet + 1 } else { 0 };
            if !go_on(&self.runtime) {
                return Ok(None);
            }
            tokio::task::yield_now().await;
            if quiet > QUIET_ROUNDS {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        Err(Stuck)
    }

    /// Rounds until some of them in a row have done nothing: whatever could happen without time passing has happened.
    pub async fn settle(&mut self) {
        let mut quiet = 0;
        while quiet < 50 {
            quiet = if self.round() == 0 { quiet + 1 } else { 0 };
            tokio::task::yield_now().await;
        }
    }
}
