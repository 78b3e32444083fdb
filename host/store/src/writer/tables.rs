//! The tables of one write transaction, opened when they are first used, and what is gathered over a whole batch.

use std::collections::{BTreeMap, HashMap};

use redb::{ReadableTable, Table, WriteTransaction};

use crate::{
    Pending, ReadError, Status,
    meta::{self, State},
    tables::{self as t, Facet},
    writer::apply::Refusal,
};

/// A table that is opened when it is first used.
type Lazy<'t, K, V> = Option<Table<'t, K, V>>;

/// An open table of pending work.
type PendingRows<'t> = Table<'t, (u32, u128, u64), &'static [u8]>;

/// What a transition is applied to.
pub(crate) struct Tables<'t> {
    transaction: &'t WriteTransaction,
    state_before: State,
    /// Written once a batch, not once a change.
    pub(crate) state: State,
    /// Where histories end, for the runs that the batch has met so far: nearly every transition asks twice.
    pub(crate) history_ends: HashMap<(u32, u128), u64>,
    /// What the counts change by; written once a batch.
    counts: BTreeMap<(u32, u8, String, u8), i64>,
    executions: Lazy<'t, (u32, &'static str, u128), &'static [u8]>,
    current: Lazy<'t, (u32, &'static str), (u128, u8)>,
    visibility: Lazy<'t, (u32, u8, &'static str, u8, u64, u128), &'static str>,
    journal: Lazy<'t, u64, &'static [u8]>,
    journal_index: Lazy<'t, (u32, u128, u64), (u64, u32, u32)>,
    timers: Lazy<'t, (u32, u64, u128, u8, u64), &'static [u8]>,
    pending: [Option<PendingRows<'t>>; 4],
    requests: Lazy<'t, (u32, u128, &'static str), &'static [u8]>,
    seen: Lazy<'t, (u32, &'static str, u128, u64), &'static [u8]>,
    seen_by_run: Lazy<'t, (u32, u128, u128, u64), ()>,
    modules: Lazy<'t, (u32, &'static str, u32), &'static [u8]>,
    components: Lazy<'t, [u8; 32], &'static [u8]>,
    workflow_types: Lazy<'t, (u32, &'static str), &'static str>,
    activity_types: Lazy<'t, (u32, &'static str, &'static str), &'static str>,
    namespaces: Lazy<'t, &'static str, &'static [u8]>,
    search_attributes: Lazy<'t, (u32, &'static str), u8>,
    task_queues: Lazy<'t, (u32, u8, &'static str), &'static [u8]>,
}

/// One accessor for each table.
macro_rules! accessors {
    ($($name:ident: $key:ty => $value:ty, $definition:expr;)*) => {
        impl<'t> Tables<'t> {
            $(pub(crate) fn $name(&mut self) -> Result<&mut Table<'t, $key, $value>, Refusal> {
                Ok(match &mut self.$name {
                    Some(table) => table,
                    slot => slot.insert(self.transaction.open_table($definition)?),
                })
            })*
        }
    };
}

accessors! {
    executions: (u32, &'static str, u128) => &'static [u8], t::EXECUTIONS;
    current: (u32, &'static str) => (u128, u8), t::CURRENT;
    visibility: (u32, u8, &'static str, u8, u64, u128) => &'static str, t::VISIBILITY;
    journal: u64 => &'static [u8], t::JOURNAL;
    journal_index: (u32, u128, u64) => (u64, u32, u32), t::JOURNAL_INDEX;
    timers: (u32, u64, u128, u8, u64) => &'static [u8], t::TIMERS;
    requests: (u32, u128, &'static str) => &'static [u8], t::REQUESTS;
    seen: (u32, &'static str, u128, u64) => &'static [u8], t::SEEN;
    seen_by_run: (u32, u128, u128, u64) => (), t::SEEN_BY_RUN;
    modules: (u32, &'static str, u32) => &'static [u8], t::MODULES;
    components: [u8; 32] => &'static [u8], t::COMPONENTS;
    workflow_types: (u32, &'static str) => &'static str, t::WORKFLOW_TYPES;
    activity_types: (u32, &'static str, &'static str) => &'static str, t::ACTIVITY_TYPES;
    namespaces: &'static str => &'static [u8], t::NAMESPACES;
    search_attributes: (u32, &'static str) => u8, t::SEARCH_ATTRIBUTES;
    task_queues: (u32, u8, &'static str) => &'static [u8], t::TASK_QUEUES;
}

/// The table of a kind of pending work.
pub(crate) fn pending_table(pending: Pending) -> t::PendingTable {
    match pending {
        Pending::Activity => t::ACTIVITIES,
        Pending::Update => t::UPDATES,
        Pending::Buffered => t::BUFFERED,
        Pending::Outbox => t::OUTBOX,
    }
}

impl<'t> Tables<'t> {
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self, Refusal> {
        let state = read_state(transaction)?;
        Ok(Self {
            transaction,
            state_before: state,
            state,
            history_ends: HashMap::new(),
            counts: BTreeMap::new(),
            executions: None,
            current: None,
            visibility: None,
            journal: None,
            journal_index: None,
            timers: None,
            pending: [const { None }; 4],
            requests: None,
            seen: None,
            seen_by_run: None,
            modules: None,
            components: None,
            workflow_types: None,
            activity_types: None,
            namespaces: None,
            search_attributes: None,
            task_queues: None,
        })
    }

    pub(crate) fn pending(&mut self, pending: Pending) -> Result<&mut PendingRows<'t>, Refusal> {
        Ok(match &mut self.pending[pending as usize] {
            Some(table) => table,
            slot => slot.insert(self.transaction.open_table(pending_table(pending))?),
        })
    }

    /// Counts an execution in or out.
    pub(crate) fn count(&mut self, namespace: u32, facet: Facet, name: &str, status: Status, by: i64) {
        *self
            .counts
            .entry((namespace, facet as u8, name.to_owned(), status as u8))
            .or_default() += by;
    }

    /// Writes what was gathered, and closes the tables.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        if self.state != self.state_before {
            let mut meta = self.transaction.open_table(t::META)?;
            meta.insert(meta::STATE_KEY, self.state.encode().as_slice())?;
        }
        if self.counts.values().all(|by| *by == 0) {
            return Ok(());
        }
        let mut counters = self.transaction.open_table(t::COUNTERS)?;
        for ((namespace, facet, name, status), by) in &self.counts {
            let key = (*namespace, *facet, name.as_str(), *status);
            let before = counters.get(key)?.map_or(0, |count| count.value());
            let after = before.checked_add_signed(*by).ok_or_else(|| {
                let detail = format!("it is {before}, and {} fewer are counted", by.unsigned_abs());
                ReadError::corrupt("counters", format!("{key:?}"), &detail)
            })?;
            match after {
                // Names come and go; a row that counts nothing would stay for ever.
                0 => drop(counters.remove(key)?),
                after if after != before => drop(counters.insert(key, after)?),
                _ => {}
            }
        }
        Ok(())
    }
}

fn read_state(transaction: &WriteTransaction) -> Result<State, Refusal> {
    let meta = transaction.open_table(t::META)?;
    let row = meta.get(meta::STATE_KEY)?;
    Ok(State::decode(row.as_ref().map_or(&[], |row| row.value()))?)
}

/// Writes something that changes nothing, to prove that a commit gets through.
pub(crate) fn touch(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    let mut meta = transaction.open_table(t::META)?;
    let state = meta.get(meta::STATE_KEY)?.map(|row| row.value().to_vec());
    if let Some(state) = state {
        meta.insert(meta::STATE_KEY, state.as_slice())?;
    }
    Ok(())
}
