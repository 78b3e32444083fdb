//! Every limit of the sandbox, with its default.

use std::path::PathBuf;
use std::time::Duration;

use crate::resolver::Resolver;

/// Bytes in one page of WebAssembly memory.
pub(crate) const WASM_PAGE_BYTES: usize = 64 * 1024;

/// Settings of a [`Sandbox`](crate::Sandbox).
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Fuel (about one unit an instruction) for all calls of one activation together. Default 10⁹: some 0.15 s.
    pub fuel_per_activation: u64,
    /// Wall-clock time that the guest may run within one activation. A backstop for what fuel does not count; fuel is
    /// what ends a loop, because it ends it at the same instruction everywhere. Default 2 s.
    pub activation_timeout: Duration,
    /// Fuel for one read-only call (a query, a validator, a stack trace). Default 10⁹.
    pub fuel_per_read: u64,
    /// Fuel for `describe` at upload. Default 10⁹.
    pub fuel_per_describe: u64,
    /// Linear memory of one workflow instance in bytes, and the size of the slot that is reserved for it in the arena.
    /// Rounded up to a multiple of 64 KiB. Default 64 MiB.
    pub memory_max_bytes: usize,
    /// Elements of all tables of one instance together. Default 100,000.
    pub table_elements_max: usize,
    /// Bytes that one call into or out of a guest may copy to the host. Default 32 MiB.
    pub hostcall_max_bytes: usize,
    /// Handles to host resources (WASI streams and such) that one instance may hold. Default 1,024.
    pub handles_max: usize,
    /// Native stack for WebAssembly frames in bytes. A thread that calls workflows needs this much and about 512 KiB
    /// more. Default 512 KiB.
    pub wasm_stack_max_bytes: usize,
    /// Workflow memories that can be live at once, forks included: address space of this many slots is reserved, which
    /// costs no memory. Default 65,536 (4 TiB of address space at 64 MiB a slot).
    pub arena_slots: u32,
    /// Prepared instances, of all modules together, that are kept ready to be forks. A query that finds one takes a fifth of
    /// the time or less, in Rust and in Go. Each keeps at most 2 MiB of memory, which is
    /// counted in no limit of memory. Default 16; 0: none.
    pub spare_forks: usize,
    /// Instances begin with the memory of one that was prepared, where the component allows it, rather than being prepared each by
    /// itself: those that TinyGo makes do, those in Rust do not. They share what they do not write to. Compiling takes twice as long.
    /// Default true; false: never, to compare.
    pub snapshots: bool,
    /// Commands of one activation. Default 100,000.
    pub commands_max: usize,
    /// Bytes of all commands of one activation. Default 64 MiB.
    pub command_bytes_max: usize,
    /// Named random streams of one instance. Default 1,024.
    pub random_streams_max: usize,
    /// Where machine code is kept between runs; none: nowhere.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of one component. Default 64 MiB.
    pub component_max_bytes: usize,
    /// Activity attempts that run at once; further ones wait until one has ended. Address space is reserved for the memory of each,
    /// which costs no memory. At least 16, at most 8,192. Default 1,024.
    pub activity_instances: u32,
    /// Linear memory of one activity instance in bytes. Default 256 MiB.
    pub activity_memory_max_bytes: usize,
    /// Fuel of one activity attempt. Default: no limit but [`u64::MAX`]; its timeouts bound it.
    pub activity_fuel: u64,
    /// An activity lets other tasks of its thread run after this much fuel. Default 10⁷, some 2 ms.
    pub activity_yield_fuel: u64,
    /// An activity also lets other tasks of its thread run after this time, or at the latest after twice as long: what the host does for
    /// it takes time and no fuel. A single call of the host is not interrupted; [`Self::hostcall_max_bytes`] and
    /// [`Self::activity_random_max_bytes`] bound what one does. At least 1 ms. Default 10 ms.
    pub activity_yield_interval: Duration,
    /// Random bytes that one call of an activity may ask for; it may call as often as it wants. Default 1 MiB.
    pub activity_random_max_bytes: u64,
    /// Wall-clock time of one activity attempt. Default 24 h; the activity's own timeouts are shorter.
    pub activity_timeout: Duration,
    /// Handles to host resources (files, connections, requests, responses, timers) that one activity attempt may hold. An attempt that
    /// wants more traps. Default 256.
    pub activity_handles_max: usize,
    /// Files and connections that all activity attempts together may hold: each is a file descriptor of this process. An attempt that
    /// wants more is refused, and goes on; one with granted folders begins when there is one for each of them. Default 0: half of what the process may have when the sandbox is made (`ulimit -n`).
    pub activity_descriptors_max: usize,
    /// Files and folders of this server that no folder may be granted in or around. What is in [`Self::cache_dir`] is one of them anyway.
    /// Default: none.
    pub own_paths: Vec<PathBuf>,
    /// How names are looked up for activities. Default: as the system does.
    pub resolver: Resolver,
    /// Limits of what guests may log.
    pub log: LogOptions,
}

/// Limits of what a guest may log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogOptions {
    /// Bytes of one line; the rest is cut off. Default 16 KiB.
    pub line_max_bytes: usize,
    /// Fields of one line; further ones are dropped. Default 64.
    pub fields_max: usize,
    /// Lines of one activation, or of one activity attempt; further ones are counted and dropped. Default 1,000.
    pub lines_max: u32,
    /// Bytes of standard error (and as many of standard output) that are kept to explain a trap. Default 8 KiB.
    pub tail_max_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            fuel_per_activation: 1_000_000_000,
            activation_timeout: Duration::from_secs(2),
            fuel_per_read: 1_000_000_000,
            fuel_per_describe: 1_000_000_000,
            memory_max_bytes: 64 << 20,
            table_elements_max: 100_000,
            hostcall_max_bytes: 32 << 20,
            handles_max: 1_024,
            wasm_stack_max_bytes: 512 << 10,
            arena_slots: 65_536,
            spare_forks: 16,
            snapshots: true,
            commands_max: 100_000,
            command_bytes_max: 64 << 20,
            random_streams_max: 1_024,
            cache_dir: None,
            component_max_bytes: 64 << 20,
            activity_instances: 1_024,
            activity_memory_max_bytes: 256 << 20,
            activity_fuel: u64::MAX,
            activity_yield_fuel: 10_000_000,
            activity_yield_interval: Duration::from_millis(10),
            activity_random_max_bytes: 1 << 20,
            activity_timeout: Duration::from_secs(24 * 60 * 60),
            activity_handles_max: 256,
            activity_descriptors_max: 0,
            own_paths: Vec::new(),
            resolver: Resolver::default(),
            log: LogOptions::default(),
        }
    }
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            line_max_bytes: 16 << 10,
            fields_max: 64,
            lines_max: 1_000,
            tail_max_bytes: 8 << 10,
        }
    }
}

impl Options {
    /// The size of one slot of the arena: the memory limit in whole pages, and at least one.
    pub(crate) fn slot_bytes(&self) -> usize {
        self.memory_max_bytes.max(1).next_multiple_of(WASM_PAGE_BYTES)
    }
}

/// Limits that one module sets for itself; what is none is as in [`Options`], and none goes above what stands there: who uploads is
/// not who runs the server.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// As [`Options::fuel_per_activation`].
    pub fuel_per_activation: Option<u64>,
    /// As [`Options::memory_max_bytes`].
    pub memory_max_bytes: Option<usize>,
    /// As [`Options::table_elements_max`].
    pub table_elements_max: Option<usize>,
    /// As [`Options::activity_memory_max_bytes`].
    pub activity_memory_max_bytes: Option<usize>,
    /// As [`Options::activity_fuel`].
    pub activity_fuel: Option<u64>,
    /// As [`Options::activity_timeout`].
    pub activity_timeout: Option<Duration>,
}

/// A module asks for more than the server gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "its limit {name} = {wanted} is above the server's own, {limit}: lower it, or ask whoever runs the server to raise that"
)]
pub struct LimitTooHigh {
    name: &'static str,
    wanted: u64,
    limit: u64,
}

impl Limits {
    /// Whether they keep within the server's.
    ///
    /// # Errors
    ///
    /// One goes above it.
    pub fn check(&self, options: &Options) -> Result<(), LimitTooHigh> {
        let of = |bytes: Option<usize>| bytes.map(|bytes| bytes as u64);
        let limits = [
            (
                "fuel_per_activation",
                self.fuel_per_activation,
                options.fuel_per_activation,
            ),
            (
                "memory_bytes",
                of(self.memory_max_bytes),
                options.memory_max_bytes as u64,
            ),
            (
                "table_elements",
                of(self.table_elements_max),
                options.table_elements_max as u64,
            ),
            (
                "activity_memory_bytes",
                of(self.activity_memory_max_bytes),
                options.activity_memory_max_bytes as u64,
            ),
            ("activity_fuel", self.activity_fuel, options.activity_fuel),
            (
                "activity_timeout_s",
                self.activity_timeout.map(|timeout| timeout.as_secs()),
                options.activity_timeout.as_secs(),
            ),
        ];
        for (name, wanted, limit) in limits {
            if let Some(wanted) = wanted.filter(|wanted| *wanted > limit) {
                return Err(LimitTooHigh { name, wanted, limit });
            }
        }
        Ok(())
    }

    /// The same limits, none above the server's. A module may have been stored when the server gave more.
    pub(crate) fn within(self, options: &Options) -> Self {
        Self {
            fuel_per_activation: self
                .fuel_per_activation
                .map(|fuel| fuel.min(options.fuel_per_activation)),
            memory_max_bytes: self
                .memory_max_bytes
                .map(|bytes| bytes.min(options.memory_max_bytes)),
            table_elements_max: self
                .table_elements_max
                .map(|elements| elements.min(options.table_elements_max)),
            activity_memory_max_bytes: self
                .activity_memory_max_bytes
                .map(|bytes| bytes.min(options.activity_memory_max_bytes)),
            activity_fuel: self.activity_fuel.map(|fuel| fuel.min(options.activity_fuel)),
            activity_timeout: self
                .activity_timeout
                .map(|timeout| timeout.min(options.activity_timeout)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_may_lower_its_limits_and_not_raise_them() {
        let options = Options::default();
        let lower = Limits {
            fuel_per_activation: Some(options.fuel_per_activation),
            memory_max_bytes: Some(1),
            table_elements_max: Some(1),
            activity_memory_max_bytes: Some(1),
            activity_fuel: Some(1),
            activity_timeout: Some(Duration::from_secs(1)),
        };
        assert_eq!(lower.check(&options), Ok(()));
        assert_eq!(lower.within(&options), lower);
        let mut higher = lower;
        higher.activity_memory_max_bytes = Some(options.activity_memory_max_bytes + 1);
        let error = higher.check(&options).unwrap_err().to_string();
        assert!(
            error.contains("activity_memory_bytes = 268435457") && error.contains("268435456"),
            "{error}"
        );
        assert_eq!(
            higher.within(&options).activity_memory_max_bytes,
            Some(options.activity_memory_max_bytes)
        );
        higher = lower;
        higher.fuel_per_activation = Some(u64::MAX);
        assert!(higher.check(&options).is_err());
    }
}
