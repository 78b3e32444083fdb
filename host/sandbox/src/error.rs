//! What can go wrong outside of guest code.

use std::io;
use std::path::PathBuf;

use crate::trap::Trap;

/// The sandbox could not be set up, or an instance could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Wasmtime refused the settings.
    #[error("the WebAssembly engine refused its settings: {0}")]
    Engine(String),
    /// The address space for workflow memories could not be reserved.
    #[error(
        "cannot reserve {slots} slots of {slot_bytes} bytes for workflow memories: {source}; lower `arena_slots` or \
         `memory_max_bytes`, or raise the limit on address space (ulimit -v)"
    )]
    Arena {
        /// How many slots were asked for.
        slots: u32,
        /// The size of each.
        slot_bytes: usize,
        /// What the operating system said.
        source: io::Error,
    },
    /// All slots are taken: drop an instance (it comes back by replay), then try again.
    #[error("all {slots} slots for workflow memories are taken; drop a live instance or raise `arena_slots`")]
    ArenaFull {
        /// How many there are.
        slots: u32,
    },
    /// More activity attempts at once than the operating system can hold.
    #[error(
        "{wanted} activity attempts at once are more than {max}; lower `activity_instances` (the server's --activity-slots)"
    )]
    ActivityInstances {
        /// How many were asked for.
        wanted: u32,
        /// The most that there can be.
        max: u32,
    },
    /// The module defines nothing for this role.
    #[error("the module defines no {0}")]
    WrongRole(&'static str),
    /// The operating system did not start a thread.
    #[error("cannot start the watchdog thread: {0}")]
    Thread(io::Error),
    /// The component could not be instantiated: its start code trapped, or it needs more than its limits.
    #[error("the component cannot be instantiated: {0}")]
    Instantiate(Trap),
}

/// A component was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The bytes are something else.
    #[error("this is not a WebAssembly component: {0}")]
    NotAComponent(String),
    /// Over the limit.
    #[error("the component has {size} bytes, and the limit is {max}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// It is malformed, or uses a WebAssembly proposal that is off.
    #[error("the component is not valid: {0}")]
    Invalid(String),
    /// It imports what is not offered.
    #[error("the component imports what is not offered:{}", list(.0))]
    Imports(Vec<Problem>),
    /// It does not export what the contract asks for.
    #[error("the component does not export what it has to:{}", list(.0))]
    Exports(Vec<Problem>),
    /// An import or an export has another type than the contract says.
    #[error(
        "the component does not fit the contract `longhaul:workflow@0.1`: {0}; rebuild it with an SDK for this version"
    )]
    Contract(String),
    /// It could not say what it defines.
    #[error("the component's `describe` failed: {0}")]
    Describe(Trap),
    /// No instance could be made to ask it.
    #[error(transparent)]
    Sandbox(#[from] Error),
}

/// One thing that is wrong with a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The import or export, as in WIT: `wasi:http/outgoing-handler@0.2.3`.
    pub name: String,
    /// What to do about it.
    pub hint: String,
}

fn list(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|p| format!("\n  {}: {}", p.name, p.hint))
        .collect()
}

/// A live instance could not be forked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForkError {
    /// The component's code or the instance's present state does not allow it: make another instance by replay and turn
    /// it into a reader with [`Instance::into_reader`](crate::Instance::into_reader).
    #[error("this instance cannot be forked: {0}")]
    NotEligible(String),
    /// The instance has trapped; it has no state to read.
    #[error("the instance has trapped and is of no use any more")]
    Trapped,
    /// The fork could not be made.
    #[error(transparent)]
    Sandbox(#[from] Error),
    /// The operating system refused the private view of the memory.
    #[error("cannot map a private view of the instance's memory: {0}")]
    Map(io::Error),
}

/// A file of the code cache could not be used or written. Never fatal: the component is compiled instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} is damaged: {what}")]
    Damaged { path: PathBuf, what: String },
}
