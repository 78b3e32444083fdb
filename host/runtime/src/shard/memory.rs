//! How much memory live runs take, and which of them leaves first.

use std::collections::BTreeMap;

use longhaul_store::RunId;

use super::{
    Place, Shard,
    commit::Held,
    message::Input,
    run::{Code, Run},
};
use crate::{Error, options::Options};

/// What is kept of a run beside its instance, in bytes: measured no more closely than a limit needs.
const RUN_BYTES: usize = 4 << 10;
/// An instance is measured again after so many turns: it grows slowly, and measuring asks the kernel.
const TURNS_BETWEEN_MEASURES: u32 = 64;

/// A shard's share of the memory for live runs, and the order in which they were used.
pub(crate) struct Memory {
    bytes_max: usize,
    runs_max: usize,
    bytes: usize,
    by_use: BTreeMap<u64, RunId>,
    clock: u64,
}

impl Memory {
    pub(crate) fn new(options: &Options) -> Self {
        let shards = options.shards.get();
        Self {
            bytes_max: options.instance_bytes / shards,
            runs_max: (options.instances / shards).max(1),
            bytes: 0,
            by_use: BTreeMap::new(),
            clock: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes = 0;
        self.by_use.clear();
    }

    /// The run is no longer in memory.
    pub(super) fn forget(&mut self, run: &Run) {
        if self.by_use.remove(&run.used).is_some() {
            self.bytes -= run.instance_bytes;
        }
    }

    fn is_over(&self) -> bool {
        self.bytes > self.bytes_max || self.by_use.len() > self.runs_max
    }
}

impl Shard {
    /// The run was used just now.
    pub(super) fn touch(&mut self, run: &mut Run) {
        self.memory.forget(run);
        if run.instance_bytes <= RUN_BYTES
            || run.tasks_since_measured >= TURNS_BETWEEN_MEASURES
            || !run.is_live()
        {
            run.tasks_since_measured = 0;
            run.instance_bytes = match &run.code {
                Code::Live(guest) => RUN_BYTES + guest.instance.resident_bytes(),
                Code::Absent => RUN_BYTES,
            };
        }
        run.tasks_since_measured += 1;
        self.memory.clock += 1;
        run.used = self.memory.clock;
        self.memory.bytes += run.instance_bytes;
        self.memory.by_use.insert(run.used, run.run_id);
    }

    /// Runs in memory, and those that are counted.
    pub(crate) fn runs_in_memory(&self) -> (usize, usize) {
        (self.runs.len(), self.memory.by_use.len())
    }

    /// Take a run out of the memory. What it is comes back from the store.
    pub(super) fn forget(&mut self, run_id: RunId) {
        let Some(run) = self.runs.remove(&run_id) else {
            return;
        };
        self.memory.forget(&run);
        let place = run.place();
        if self
            .newest
            .get(&place)
            .is_some_and(|newest| newest.run_id == run_id)
        {
            self.newest.remove(&place);
        }
        // Its alarms stay: they are how it comes back.
    }

    /// A run is being deleted by a transition: for everybody it is gone from now on, though the store does not know it yet.
    pub(super) fn leaves(&mut self, place: &Place, run_id: RunId, ticket: u64) {
        if self
            .newest
            .get(place)
            .is_some_and(|newest| newest.run_id == run_id)
        {
            self.newest.remove(place);
        }
        self.leaving.insert(run_id);
        self.hold(ticket, Held::Left(run_id));
    }

    /// A run was deleted: nothing of it stays, and what still waits for it finds nothing.
    pub(super) fn leave(&mut self, run: Run) {
        self.memory.forget(&run);
        self.leaves(&run.place(), run.run_id, run.ticket);
        let gone = Error::WorkflowNotFound(run.workflow_id.to_string());
        for input in run.inbox {
            match input {
                Input::Answered { envelope, .. } => self.drop_letter(envelope),
                input => input.refuse(&gone),
            }
        }
        for question in run.questions.into_iter().chain(run.asked.into_messages()) {
            question.refuse(gone.clone());
        }
    }

    /// Let runs go, the least recently used first, until the rest fits. A run that still waits for the disk, or that somebody waits
    /// for, stays.
    pub(super) fn evict(&mut self) {
        if !self.memory.is_over() {
            return;
        }
        let durable = self.commits.durable();
        let mut victims = Vec::new();
        let (mut bytes, mut count) = (self.memory.bytes, self.memory.by_use.len());
        for run_id in self.memory.by_use.values() {
            if bytes <= self.memory.bytes_max && count <= self.memory.runs_max {
                break;
            }
            if let Some(run) = self.runs.get(run_id).filter(|run| run.is_quiet(durable)) {
                bytes -= run.instance_bytes;
                count -= 1;
                victims.push(*run_id);
            }
        }
        metrics::counter!("longhaul_evictions_total").increment(victims.len() as u64);
        for run_id in victims {
            self.forget(run_id);
        }
    }
}
