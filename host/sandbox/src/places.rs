//! Places for activity instances: memories, tables and stacks that are made once and used again.
//!
//! An attempt lives for some microseconds to a few hours, in an instance of its own. To map its memory and its stack anew each time
//! would cost more than most attempts take, so Wasmtime's pooling allocator keeps them: what an attempt has changed is reset, and
//! the next one starts from the component's image again. The pool is finite, and what it does not have it refuses; therefore whoever
//! instantiates holds as many places as the component needs, and waits until they are free.

use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::component::Component;
use wasmtime::{Enabled, PoolingAllocationConfig, ResourcesRequired};

use crate::error::Error;
use crate::options::Options;
use crate::state::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLES_MAX};

/// Tables of one place; it has one memory and one stack. A component that a compiler made needs one place, one that was composed of
/// several may need more.
const TABLES: u32 = 4;
/// The places of the largest component that [`crate::state::Limiter`] lets be instantiated.
const LARGEST: u32 = {
    let (memories, tables) = (MEMORIES_MAX as u32, TABLES_MAX as u32 / TABLES);
    if memories > tables { memories } else { tables }
};
/// Most attempts that may be asked for. Each takes up to six of the kernel's 65,530 mappings.
pub(crate) const ATTEMPTS_MAX: u32 = 8_192;

/// Bytes of a table that stay with its place: a table of 2,048 functions.
const TABLE_KEPT_BYTES: usize = 16 << 10;
/// Unused places that stay set up for the component that used them last; with more, the longest unused one is taken for any.
const WARM: u32 = 128;

/// Who may use the pool.
pub(crate) struct Places {
    attempts: Semaphore,
    /// A module is described while it is uploaded: that does not wait for attempts, which may take a day.
    describing: Semaphore,
}

/// Places that are held. They must outlive the store of the instance that uses them.
pub(crate) struct Held<'a>(
    #[expect(dead_code, reason = "held until it is dropped")] Option<SemaphorePermit<'a>>,
);

impl Places {
    /// For as many attempts at once as the options say.
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let wanted = options.activity_instances;
        if wanted > ATTEMPTS_MAX {
            return Err(Error::ActivityInstances {
                wanted,
                max: ATTEMPTS_MAX,
            });
        }
        Ok(Self {
            attempts: Semaphore::new(attempts(options) as usize),
            describing: Semaphore::new(LARGEST as usize),
        })
    }

    /// Wait for the places of one attempt; first come, first served.
    pub(crate) async fn attempt(&self, needs: Needs) -> Held<'_> {
        Held::of(&self.attempts, needs).await
    }

    /// Wait for the places of one `describe`.
    pub(crate) async fn describe(&self, needs: Needs) -> Held<'_> {
        Held::of(&self.describing, needs).await
    }
}

impl<'a> Held<'a> {
    async fn of(semaphore: &'a Semaphore, needs: Needs) -> Self {
        // Fails only for a closed semaphore, and none is ever closed.
        Self(semaphore.acquire_many(needs.0).await.ok())
    }
}

/// How many places one instance of a component takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs(u32);

impl Needs {
    pub(crate) fn of(component: &Component) -> Self {
        // None is said of components that import others; the contract's check refuses these.
        component
            .resources_required()
            .map_or(Self(LARGEST), |r| Self::for_resources(&r))
    }

    fn for_resources(required: &ResourcesRequired) -> Self {
        let tables = required.num_tables.div_ceil(TABLES);
        // Beyond the largest no instance is made, however many places it would hold.
        Self(required.num_memories.max(tables).clamp(1, LARGEST))
    }
}

fn attempts(options: &Options) -> u32 {
    options.activity_instances.max(LARGEST)
}

/// The size of one place's memory: the limit in whole pages, and at least one.
pub(crate) fn memory_bytes(options: &Options) -> u64 {
    (options.activity_memory_max_bytes.max(1) as u64).next_multiple_of(65_536)
}

/// The pool: as many of everything as the places stand for.
pub(crate) fn pool(options: &Options) -> PoolingAllocationConfig {
    let places = attempts(options) + LARGEST;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(places)
        .total_tables(places * TABLES)
        .total_stacks(places)
        .table_elements(options.table_elements_max)
        .max_memory_size(memory_bytes(options) as usize)
        // Instances themselves are on the heap. What a component may be made of is the limiter's to say, and the size of its code
        // bounds the size of its instances.
        .total_core_instances(u32::MAX)
        .total_component_instances(u32::MAX)
        .max_core_instance_size(1 << 30)
        .max_component_instance_size(1 << 30)
        .max_core_instances_per_component(CORE_INSTANCES_MAX as u32)
        .max_memories_per_component(MEMORIES_MAX as u32)
        .max_memories_per_module(MEMORIES_MAX as u32)
        .max_tables_per_component(TABLES_MAX as u32)
        .max_tables_per_module(TABLES_MAX as u32)
        // The scan looks for changed pages that are in memory. One that was moved to swap is missed, and the next attempt would see
        // what the last one has left there.
        .pagemap_scan(Enabled::No)
        // Without it only the beginning of a memory could be kept, and that is the end of a stack that nobody reaches.
        .linear_memory_keep_resident(0)
        .table_keep_resident(TABLE_KEPT_BYTES)
        .max_unused_warm_slots(WARM);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(num_memories: u32, num_tables: u32) -> u32 {
        let resources = ResourcesRequired {
            num_memories,
            max_initial_memory_size: None,
            num_tables,
            max_initial_table_size: None,
        };
        Needs::for_resources(&resources).0
    }

    #[test]
    fn a_component_holds_places_for_all_its_memories_and_tables() {
        assert_eq!(needs(0, 0), 1, "it has a stack");
        assert_eq!(needs(1, 2), 1);
        assert_eq!(needs(3, 2), 3);
        assert_eq!(needs(1, TABLES + 1), 2);
        assert_eq!(needs(MEMORIES_MAX as u32, TABLES_MAX as u32), LARGEST);
        assert_eq!(needs(u32::MAX, u32::MAX), LARGEST);
    }

    #[test]
    fn more_attempts_than_the_kernel_has_mappings_for_are_refused() {
        let options = |activity_instances| Options {
            activity_instances,
            ..Options::default()
        };
        assert!(Places::new(&options(ATTEMPTS_MAX)).is_ok());
        let error = Places::new(&options(ATTEMPTS_MAX + 1)).err().unwrap().to_string();
        assert!(error.contains("8193") && error.contains("8192"), "{error}");
    }
}
