//! What the host keeps for one workflow instance beside its memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use wasmtime::ResourceLimiter;

use crate::command::Issued;
use crate::log::{LogSink, Logs};
use crate::options::Options;
use crate::random::Random;
use crate::side_effect::SideEffects;
use crate::wasi::Handles;
use crate::wit::context::ContinueAsNewReason;
use crate::wit::types::{ExecutionInfo, Payload};

/// Named values, in the order of their names: the same order in every replay.
pub type Fields = BTreeMap<String, Payload>;

/// What one workflow task tells the guest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Task {
    /// The task's time: nanoseconds since 1970-01-01T00:00:00Z.
    pub now_ns: u64,
    /// Events in history up to this task.
    pub history_length: u64,
    /// Their size in bytes.
    pub history_size_bytes: u64,
    /// True if the run should continue as new soon.
    pub continue_as_new_suggested: bool,
    /// Why.
    pub continue_as_new_reasons: Vec<ContinueAsNewReason>,
    /// True while history is replayed: log lines are dropped and unknown patches are off.
    pub replaying: bool,
}

/// What one component may be made of. Compilers make one memory, one or two tables and four core instances; a component that
/// was composed of several has a few more.
pub(crate) const MEMORIES_MAX: usize = 8;
pub(crate) const TABLES_MAX: usize = 64;
pub(crate) const CORE_INSTANCES_MAX: usize = 128;

/// Which of the guest's exports runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `prepare`, and start code of the component.
    Prepare,
    /// `start`.
    Start,
    /// `signal`, `update` and `advance`: the only ones that may issue commands.
    Deliver,
    /// `resolve` and `cancel`.
    Mark,
    /// A read-only call, by its name.
    Read(&'static str),
}

/// The data of a workflow's store.
pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) task: Task,
    pub(crate) info: Option<Arc<ExecutionInfo>>,
    pub(crate) memo: Arc<Fields>,
    pub(crate) search_attributes: Arc<Fields>,
    pub(crate) activation: Activation,
    pub(crate) patches: Patches,
    pub(crate) side_effects: SideEffects,
    pub(crate) random: Random,
    pub(crate) logs: Logs,
    pub(crate) handles: Handles,
    pub(crate) limiter: Limiter,
    pub(crate) options: Arc<Options>,
}

/// What one activation has issued.
#[derive(Default)]
pub(crate) struct Activation {
    pub(crate) issued: Vec<Issued>,
    /// Calls of command imports so far.
    pub(crate) calls: u32,
    /// Bytes of what was issued.
    pub(crate) bytes: usize,
    /// The guest has failed its task: what it does afterwards is ignored.
    pub(crate) task_failed: bool,
    /// The call at which to stop.
    pub(crate) trap_at: Option<u32>,
}

/// Answers to `patched`.
#[derive(Default)]
pub(crate) struct Patches {
    /// Markers in history.
    pub(crate) known: HashSet<String>,
    /// Answers that were given; they never change within a run.
    pub(crate) answered: HashMap<String, bool>,
}

/// Bounds memory and tables, and remembers what it refused.
pub(crate) struct Limiter {
    pub(crate) memory_max_bytes: usize,
    pub(crate) table_elements_max: usize,
    /// Length of all memories and elements of all tables so far.
    memory_bytes: usize,
    table_elements: usize,
    /// The limit that was hit in the present call.
    pub(crate) refused_at: Option<usize>,
}

impl State {
    pub(crate) fn new(
        options: Arc<Options>,
        limiter: Limiter,
        seed: [u8; 32],
        logs: Arc<dyn LogSink>,
    ) -> Self {
        let logs = Logs::new(logs, options.log);
        Self {
            phase: Phase::Prepare,
            task: Task::default(),
            info: None,
            memo: Arc::default(),
            search_attributes: Arc::default(),
            activation: Activation::default(),
            patches: Patches::default(),
            side_effects: SideEffects::default(),
            random: Random::new(seed),
            logs,
            handles: Handles::default(),
            limiter,
            options,
        }
    }
}

impl State {
    /// Know what a live instance knows, but for what is its own: handles, and what its calls have counted. Tables are as long as
    /// the live one's, and memory has this length: a fork that grew while it was prepared is longer.
    pub(crate) fn adopt(&mut self, live: &State, memory_bytes: usize) {
        self.task = live.task.clone();
        self.info = live.info.clone();
        self.memo = live.memo.clone();
        self.search_attributes = live.search_attributes.clone();
        self.logs = Logs::new(live.logs.sink(), live.options.log);
        self.limiter = Limiter {
            refused_at: None,
            memory_bytes,
            ..live.limiter
        };
    }
}

impl Limiter {
    pub(crate) fn new(memory_max_bytes: usize, table_elements_max: usize) -> Self {
        Self {
            memory_max_bytes,
            table_elements_max,
            memory_bytes: 0,
            table_elements: 0,
            refused_at: None,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        let fits = total <= self.memory_max_bytes;
        if fits {
            self.memory_bytes = total;
        } else {
            self.refused_at = Some(self.memory_max_bytes);
        }
        Ok(fits)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self
            .table_elements
            .saturating_add(desired.saturating_sub(current));
        let fits = total <= self.table_elements_max;
        if fits {
            self.table_elements = total;
        }
        Ok(fits)
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX
    }
}
