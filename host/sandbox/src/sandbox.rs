//! The sandbox: engines, arena and watchdog, shared by all modules.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime::{Config, Engine, WasmBacktraceDetails};

use crate::activity::ActivityState;
use crate::cache::Cache;
use crate::descriptors::Descriptors;
use crate::error::{CompileError, Error};
use crate::folders::{self, FolderError};
use crate::grants::Grants;
use crate::link;
use crate::module::Module;
use crate::options::Options;
use crate::places::{self, Places};
use crate::raw::arena::Arena;
use crate::spares::Spares;
use crate::state::State;
use crate::tls::Tls;
use crate::trap::BACKTRACE_FRAMES_MAX;
use crate::watchdog::Watchdog;

/// Compiles components and runs them. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Sandbox(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) options: Arc<Options>,
    pub(crate) workflows: Role<State>,
    pub(crate) activities: Role<ActivityState>,
    pub(crate) places: Places,
    pub(crate) descriptors: Descriptors,
    pub(crate) tls: Arc<Tls>,
    pub(crate) arena: Arena,
    pub(crate) spares: Spares,
    pub(crate) watchdog: Watchdog,
    /// Makes attempts of activities share their threads.
    pub(crate) turns: Watchdog,
}

/// What the instances of one role share.
pub(crate) struct Role<T: 'static> {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<T>,
    pub(crate) cache: Option<Cache>,
}

impl Sandbox {
    /// Set up engines, reserve address space for workflow memories, and start the threads that tell guests the time.
    pub fn new(options: Options) -> Result<Self, Error> {
        let slot_bytes = options.slot_bytes();
        let slots = options.arena_slots;
        let arena = Arena::new(slots, slot_bytes).map_err(|source| Error::Arena {
            slots,
            slot_bytes,
            source,
        })?;

        let mut config = common_config(&options);
        config.epoch_interruption(true);
        arena.serve(&mut config);
        let workflows = Role::new(&config, &options, link::workflow_base)?;

        let mut config = common_config(&options);
        // The stack of a fibre holds host frames beside those of WebAssembly.
        config.async_stack_size(options.wasm_stack_max_bytes + (1 << 20));
        let places = Places::new(&options)?;
        // Fuel does not count what the host does for a guest: a loop of expensive calls is interrupted by the clock.
        config.epoch_interruption(true);
        // How the memory of an attempt that has trapped can be looked at. No memory is copied for it, but Wasmtime walks the stack a
        // second time at a trap.
        config.coredump_on_trap(true);
        config
            .allocation_strategy(places::pool(&options))
            // No memory grows beyond this, so no more address space is set aside for one; the compiled code checks its bounds.
            .memory_reservation(places::memory_bytes(&options));
        let activities = Role::new(&config, &options, link::activity_base)?;

        let watchdog =
            Watchdog::ending(workflows.engine.clone(), options.activation_timeout).map_err(Error::Thread)?;
        let turns = Watchdog::yielding(activities.engine.clone(), options.activity_yield_interval)
            .map_err(Error::Thread)?;
        let spares = Spares::new(options.spare_forks);
        let descriptors = Descriptors::new(options.activity_descriptors_max);
        Ok(Self(Arc::new(Inner {
            options: Arc::new(options),
            workflows,
            activities,
            places,
            descriptors,
            tls: Arc::default(),
            arena,
            spares,
            watchdog,
            turns,
        })))
    }

    /// Compile a component, or load its machine code from the cache, check it against the contract, and ask what it
    /// defines. Takes up to seconds for a large component: do not call it where others wait.
    pub fn compile(&self, component: &[u8]) -> Result<Module, CompileError> {
        Module::compile(self, component)
    }

    /// Look whether folders of these grants can never be given: those whose path is a symbolic link, those of the operating system, and
    /// those with files of this server. Folders that are missing may be made later. Reads the file system: do not call it where others
    /// wait.
    ///
    /// # Errors
    ///
    /// The first such folder.
    pub fn check_folders(&self, grants: &Grants) -> Result<(), FolderError> {
        folders::check(&grants.folders, &self.0.own_paths())
    }

    /// The settings.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Workflow memories that are live now: instances, readers, and forks that are kept ready.
    pub fn live_memories(&self) -> u32 {
        self.0.arena.taken()
    }
}

impl Inner {
    /// What no activity may reach: machine code that is run unseen, and what the options name.
    pub(crate) fn own_paths(&self) -> Vec<PathBuf> {
        let cache = self.options.cache_dir.iter();
        cache.chain(&self.options.own_paths).cloned().collect()
    }
}

impl<T> Role<T> {
    fn new(
        config: &Config,
        options: &Options,
        base: fn(&Engine) -> wasmtime::Result<Linker<T>>,
    ) -> Result<Self, Error> {
        let refused = |e: wasmtime::Error| Error::Engine(format!("{e:#}"));
        let engine = Engine::new(config).map_err(refused)?;
        let linker = base(&engine).map_err(refused)?;
        let cache = options.cache_dir.as_deref().map(|dir| Cache::new(dir, &engine));
        Ok(Self {
            engine,
            linker,
            cache,
        })
    }
}

/// What both engines have in common: only what is deterministic, and fuel. (Threads, exceptions and garbage collection are not
/// even compiled in: their features of the `wasmtime` crate are off.)
fn common_config(options: &Options) -> Config {
    let mut config = Config::new();
    config
        .shared_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_gc(false)
        .gc_support(false)
        .concurrency_support(false)
        .cranelift_nan_canonicalization(true)
        .consume_fuel(true)
        .max_wasm_stack(options.wasm_stack_max_bytes)
        .generate_address_map(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES_MAX))
        .wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}
