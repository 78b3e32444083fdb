//! A live workflow execution: one instance, its memory, and the calls that drive it.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::Store;

use crate::command::Issued;
use crate::eligibility::Eligibility;
use crate::error::{Error, ForkError};
use crate::log::LogSink;
use crate::module::{self, Module, set_fuel};
use crate::raw::tenant::{Spare, Tenant, View};
use crate::reader::Reader;
use crate::sandbox;
use crate::side_effect::SideEffects;
use crate::state::{Activation, Fields, Phase, State, Task};
use crate::trap::Trap;
use crate::wit::Workflow;
use crate::wit::definition::{Guest, MessageMeta, Outcome};
use crate::wit::types::{ExecutionInfo, Failure, Payload, Payloads};

/// What a new instance needs to know.
#[derive(Clone)]
pub struct Setup {
    /// Seeds the run's random streams: the same for every instance of one run.
    pub seed: [u8; 32],
    /// Receives what the guest logs while it does not replay.
    pub logs: Arc<dyn LogSink>,
}

/// A live instance of a workflow component. After any [`Trap`] it is of no use: drop it, and make another by replay.
///
/// # One activation
///
/// [`begin_task`](Self::begin_task), then the calls in the contract's order, [`advance`](Self::advance) last, then
/// [`take_commands`](Self::take_commands). Fuel and time are counted over the whole activation.
pub struct Instance {
    tenant: Tenant<State>,
    workflow: Workflow,
    module: Module,
    /// Watchdog ticks that this activation may still take.
    ticks: u64,
    trapped: bool,
}

impl Instance {
    pub(crate) fn new(module: Module, setup: Setup) -> Result<Self, Error> {
        let options = module.inner.sandbox.0.options.clone();
        let state = State::new(options, module.limiter(), setup.seed, setup.logs);
        let (tenant, workflow, ticks) = prepare(&module.inner, state, module.fuel_per_activation(), 0)?;
        Ok(Self {
            tenant,
            workflow,
            module,
            ticks,
            trapped: false,
        })
    }

    /// The module that this is an instance of.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// A workflow task begins: its facts, full fuel, full time, no commands yet.
    pub fn begin_task(&mut self, task: Task) {
        self.ticks = self.module.inner.sandbox.0.watchdog.budget();
        let store = self.tenant.store_mut();
        set_fuel(store, self.module.fuel_per_activation());
        let state = store.data_mut();
        state.logs.begin(task.replaying);
        state.task = task;
        state.side_effects = SideEffects::default();
        state.activation = Activation {
            trap_at: state.activation.trap_at,
            ..Activation::default()
        };
    }

    /// The task goes on at a later time: a further round, after local activities, with full fuel and time. Commands that
    /// were not taken are kept.
    pub fn continue_task(&mut self, now_ns: u64) {
        self.ticks = self.module.inner.sandbox.0.watchdog.budget();
        let store = self.tenant.store_mut();
        set_fuel(store, self.module.fuel_per_activation());
        store.data_mut().task.now_ns = now_ns;
    }

    /// Begin the random streams anew from another seed: a run that was reset draws other numbers from the reset on. What the
    /// guest has drawn before, such as the keys of its hash maps, stays.
    pub fn reseed(&mut self, seed: [u8; 32]) {
        self.tenant.store_mut().data_mut().random.reseed(seed);
    }

    /// Construct the workflow's state. An error fails the workflow task.
    pub fn start(&mut self, info: &ExecutionInfo, input: &Payloads) -> Result<Result<(), Failure>, Trap> {
        self.tenant.store_mut().data_mut().info = Some(Arc::new(info.clone()));
        self.call(Phase::Start, |guest, store| guest.call_start(store, info, input))
    }

    /// Deliver a signal.
    pub fn signal(&mut self, meta: &MessageMeta, name: &str, input: &Payloads) -> Result<(), Trap> {
        self.call(Phase::Deliver, |guest, store| {
            guest.call_signal(store, meta, name, input)
        })
    }

    /// Deliver an accepted update.
    pub fn update(&mut self, id: &str, meta: &MessageMeta, name: &str, input: &Payloads) -> Result<(), Trap> {
        self.call(Phase::Deliver, |guest, store| {
            guest.call_update(store, id, meta, name, input)
        })
    }

    /// An operation has ended, or a child has started.
    pub fn resolve(&mut self, seq: u32, outcome: &Outcome) -> Result<(), Trap> {
        self.call(Phase::Mark, |guest, store| {
            guest.call_resolve(store, seq, outcome)
        })
    }

    /// Cancellation of the execution was requested.
    pub fn cancel(&mut self, reason: &str) -> Result<(), Trap> {
        self.call(Phase::Mark, |guest, store| guest.call_cancel(store, reason))
    }

    /// Run every task of the guest until all of them wait.
    pub fn advance(&mut self) -> Result<(), Trap> {
        self.call(Phase::Deliver, |guest, store| guest.call_advance(store))
    }

    /// The commands of this activation so far, in order; as issued: neither cancelled pairs nor what follows the end are
    /// dropped here. Ends the activation's log.
    pub fn take_commands(&mut self) -> Vec<Issued> {
        let state = self.tenant.store_mut().data_mut();
        state.logs.end();
        std::mem::take(&mut state.activation.issued)
    }

    /// Fuel that this activation has used.
    pub fn fuel_used(&self) -> u64 {
        let left = self.tenant.store().get_fuel().unwrap_or_default();
        self.module.fuel_per_activation().saturating_sub(left)
    }

    /// From now on, make the command call with this index trap, so that the error carries the place in the guest's code.
    /// Calls count from 0 in each activation, [`Issued::index`]; none: never.
    pub fn trap_at_command(&mut self, index: Option<u32>) {
        self.tenant.store_mut().data_mut().activation.trap_at = index;
    }

    /// Patches whose markers are in history; adds to what is known already.
    pub fn set_patches(&mut self, known: impl IntoIterator<Item = String>) {
        self.tenant.store_mut().data_mut().patches.known.extend(known);
    }

    /// What history has for the side effects of the task that [`begin_task`](Self::begin_task) has begun, by `seq`. For the others their
    /// functions run.
    pub fn set_side_effects(&mut self, recorded: impl IntoIterator<Item = (u32, Payload)>) {
        let state = self.tenant.store_mut().data_mut();
        state.side_effects.recorded = recorded.into_iter().collect();
    }

    /// The memo that the execution starts with. The guest's own changes are applied to it from then on.
    pub fn set_memo(&mut self, memo: Fields) {
        self.tenant.store_mut().data_mut().memo = Arc::new(memo);
    }

    /// The search attributes that the execution starts with. The guest's own changes are applied to them from then on.
    pub fn set_search_attributes(&mut self, attributes: Fields) {
        self.tenant.store_mut().data_mut().search_attributes = Arc::new(attributes);
    }

    /// The memo with the guest's changes.
    pub fn memo(&self) -> &Fields {
        &self.tenant.store().data().memo
    }

    /// The search attributes with the guest's changes.
    pub fn search_attributes(&self) -> &Fields {
        &self.tenant.store().data().search_attributes
    }

    /// SHA-256 over the linear memories, each after its length in bytes (64 bits, little endian): equal for a live run and
    /// its replay.
    pub fn memory_hash(&self) -> [u8; 32] {
        let mut sha = Sha256::new();
        self.tenant.read(
            &mut sha,
            |sha, length| sha.update((length as u64).to_le_bytes()),
            |sha, part| sha.update(part),
        );
        sha.finalize().into()
    }

    /// Length of the linear memories in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.tenant.memory_bytes()
    }

    /// About how much of the machine's memory the instance takes: the pages of its memories that exist, and a fixed share
    /// for what Wasmtime and this crate keep beside them.
    pub fn resident_bytes(&self) -> usize {
        /// Measured for a guest with Rust's standard library: 32 KiB on the heap (most of it a table of its functions), 4 KiB of
        /// page tables.
        const OVERHEAD_BYTES: usize = 36 << 10;
        self.tenant.resident_bytes() + OVERHEAD_BYTES
    }

    /// True if the instance has trapped.
    pub fn has_trapped(&self) -> bool {
        self.trapped
    }

    /// A copy of the instance as it is now, for read-only calls; whatever they do, this instance stays as it is.
    pub fn fork(&self) -> Result<Reader<'_>, ForkError> {
        if self.trapped {
            return Err(ForkError::Trapped);
        }
        if let Eligibility::NotEligible(reason) = self.module.fork_eligible() {
            return Err(ForkError::NotEligible(reason.clone()));
        }
        let live = self.tenant.store().data();
        if !live.handles.as_prepared() {
            let reason = "it holds handles to host resources that a new instance does not".to_owned();
            return Err(ForkError::NotEligible(reason));
        }
        let (spare, workflow) = self.spare(live)?;
        if !spare.store().data().handles.same(&live.handles) {
            let reason = "two new instances of it do not open the same handles".to_owned();
            return Err(ForkError::NotEligible(reason));
        }
        let mut view = spare.show(&self.tenant).map_err(ForkError::Map)?;
        let memory_bytes = view.memory_bytes();
        view.store_mut().data_mut().adopt(live, memory_bytes);
        Ok(Reader::fork(
            view,
            workflow,
            self.module.clone(),
            self.tenant.memory_bytes(),
        ))
    }

    /// An instance that can become a fork of this one: one that waits, or a new one.
    fn spare(&self, live: &State) -> Result<(Spare<State>, Workflow), ForkError> {
        let memory_bytes = self.tenant.memory_bytes();
        let spares = &self.module.inner.sandbox.0.spares;
        if let Some(idle) = spares.take(self.module.inner.number, memory_bytes) {
            return Ok((idle.spare, idle.workflow));
        }
        let state = State::new(
            live.options.clone(),
            self.module.limiter(),
            [0; 32],
            live.logs.sink(),
        );
        match prepare(
            &self.module.inner,
            state,
            live.options.fuel_per_read,
            memory_bytes,
        ) {
            Ok((tenant, workflow, _)) => Ok((Spare::new(tenant), workflow)),
            Err(Error::Instantiate(trap)) => Err(ForkError::NotEligible(format!(
                "a new instance of it fails: {trap}"
            ))),
            Err(other) => Err(ForkError::Sandbox(other)),
        }
    }

    /// Give the instance up for read-only calls: for components that cannot be forked, after a replay.
    pub fn into_reader(self) -> Result<Reader<'static>, ForkError> {
        if self.trapped {
            return Err(ForkError::Trapped);
        }
        Ok(Reader::own(View::own(self.tenant), self.workflow, self.module))
    }

    fn call<R>(
        &mut self,
        phase: Phase,
        call: impl FnOnce(&Guest, &mut Store<State>) -> wasmtime::Result<R>,
    ) -> Result<R, Trap> {
        if self.trapped {
            return Err(Trap::dead());
        }
        let sandbox = &self.module.inner.sandbox.0;
        let guest = self.workflow.longhaul_workflow_definition();
        let outcome = run(
            sandbox,
            self.tenant.store_mut(),
            &mut self.ticks,
            phase,
            |store| {
                let returned = call(guest, store)?;
                store.data().side_effects.check_returned()?;
                Ok(returned)
            },
        );
        self.trapped = outcome.is_err();
        outcome.map_err(|trap| trap.seen_in(self.tenant.memories()))
    }
}

/// A new instance that is prepared, and the ticks that it has left.
///
/// Everything up to here is the same for all runs: random numbers come from a fixed stream, and no time has passed. So the memory
/// that one instance has now is every instance's, and where it can be taken ([`crate::snapshot`]) the others are spared the way there.
pub(crate) fn prepare(
    module: &module::Inner,
    mut state: State,
    fuel: u64,
    minimum_bytes: usize,
) -> Result<(Tenant<State>, Workflow, u64), Error> {
    state.logs.muted = true;
    state.random.fix_wasi();
    let sandbox = &module.sandbox.0;
    let (mut tenant, workflow) = module.house(state, fuel, minimum_bytes)?;
    let mut ticks = sandbox.watchdog.budget();
    if module.image.is_none() {
        let guest = workflow.longhaul_workflow_definition();
        let store = tenant.store_mut();
        run(sandbox, store, &mut ticks, Phase::Prepare, |store| {
            guest.call_prepare(store)
        })
        .map_err(Error::Instantiate)?;
    }
    let state = tenant.store_mut().data_mut();
    state.random.free_wasi();
    state.handles.prepared();
    state.logs.discard();
    state.logs.muted = false;
    Ok((tenant, workflow, ticks))
}

/// One call into a guest, within what is left of its time.
pub(crate) fn run<R>(
    sandbox: &sandbox::Inner,
    store: &mut Store<State>,
    ticks: &mut u64,
    phase: Phase,
    call: impl FnOnce(&mut Store<State>) -> wasmtime::Result<R>,
) -> Result<R, Trap> {
    let state = store.data_mut();
    state.phase = phase;
    state.limiter.refused_at = None;
    store.set_epoch_deadline(*ticks);
    let begin = sandbox.watchdog.epoch();
    let running = sandbox.watchdog.enter();
    let outcome = call(store);
    drop(running);
    // At least one: a deadline of zero ticks would end the next call at once.
    *ticks = ticks
        .saturating_sub(sandbox.watchdog.epoch().saturating_sub(begin))
        .max(1);
    outcome.map_err(|error| {
        let state = store.data_mut();
        state.logs.end();
        Trap::from_error(&error, state.logs.tails(), state.limiter.refused_at)
    })
}
