//! A run begins: by itself, or as the next of a chain that continues as new, is tried again, or follows its cron schedule.

use std::sync::Arc;

use longhaul_engine::{
    Execution, Identity, Turn,
    execution::{Start, Successor},
};
use longhaul_store::{Change, RunId};

use super::{
    Alarm, Kind, Newest, Place, Shard,
    run::{FirstTask, Run},
    turn::refuse,
};
use crate::{Error, registry::Version};

impl Shard {
    /// A run with its first event.
    pub(super) fn new_run(
        &self,
        place: &Place,
        run_id: RunId,
        version: Arc<Version>,
        start_request_id: String,
        start: Start,
    ) -> (Box<Run>, Turn) {
        let mut turn = self.turn_at(self.now_ns());
        let identity = Identity {
            namespace: self.core.namespace_name(place.namespace).into(),
            workflow_id: place.workflow_id.clone(),
            run_id: run_id.to_string().into(),
        };
        let execution = Execution::begin(identity, start, &mut turn);
        let run = Run::new(place, run_id, version, start_request_id, execution);
        (Box::new(run), turn)
    }

    /// Set the alarms that a run has from its beginning: its time limit, and its first workflow task where that has to wait.
    pub(super) fn arm_run(&mut self, run: &mut Run, changes: &mut Vec<Change>) {
        if let Some(due_ns) = run.execution.run_expires_ns() {
            self.set_stored_alarm(run, due_ns, Alarm::of(run.run_id, Kind::RunTimeout), changes);
        }
        if let Some(due_ns) = run.execution.first_task_due_ns() {
            self.arm_first_task(run, due_ns, changes);
        }
    }

    /// The run needs a workflow task that is no part of the transition that begins it: an alarm in the store sees to it that the task
    /// comes, also after a crash.
    fn arm_first_task(&mut self, run: &mut Run, due_ns: u64, changes: &mut Vec<Change>) {
        run.first_task = Some(FirstTask {
            due_ns,
            behind: run.execution.completed_tasks(),
        });
        self.set_stored_alarm(run, due_ns, Alarm::of(run.run_id, Kind::FirstTask), changes);
    }

    /// As [`arm_first_task`](Self::arm_first_task), for the task that a reset begins with.
    pub(super) fn arm_task_after_reset(&mut self, run: &mut Run, changes: &mut Vec<Change>) {
        if run.first_task.is_none() {
            let due_ns = run.execution.start_time_ns();
            self.arm_first_task(run, due_ns, changes);
        }
    }

    /// The task has ended, however it did, or never will: its alarm goes.
    pub(super) fn disarm_first_task(&mut self, run: &mut Run, changes: &mut Vec<Change>) {
        let Some(first) = run.first_task else { return };
        if run.execution.completed_tasks() > first.behind || run.parked.is_some() || !run.execution.is_open()
        {
            run.first_task = None;
            let alarm = Alarm::of(run.run_id, Kind::FirstTask);
            self.clear_stored_alarm(run, first.due_ns, alarm, changes);
        }
    }

    /// A run has closed and its chain goes on: the next run begins in the same transition, behind the changes of the one that closed
    /// (E3). Its first task is a turn of its own, so that a chain that never waits is no endless turn; an alarm in the store sees to
    /// it that the task comes, also after a crash. Until the turn is over the run that has closed holds the next one.
    pub(super) fn succeed(
        &mut self,
        old: &mut Run,
        successor: Successor,
        changes: &mut Vec<Change>,
    ) -> Result<Turn, Error> {
        let place = old.place();
        let run_id = successor
            .run_id
            .parse()
            .map_err(|_| Error::Internal(format!("{:?} is no run id of this server", successor.run_id)))?;
        let version = self.version_after(old, &successor.start.workflow_type);
        // A request that has started the chain finds its newest run.
        let request_id = old.start_request_id.clone();
        let (next, mut turn) = self.new_run(&place, run_id, version, request_id, successor.start);
        let next = old.successor.insert(next);
        // S9, U7: what was acknowledged to its sender is refused by no limit now. All of it fits into this transition: signals that are
        // not seen have a limit, and so have updates in flight and what a reset applies again.
        for signal in successor.signals {
            next.execution.signal_again(&mut turn, signal).map_err(refuse)?;
        }
        for update in successor.updates {
            let id = update.meta.as_ref().map(|meta| meta.update_id.clone());
            next.execution.admit_again(&mut turn, update);
            // Whoever follows it follows it there.
            if let Some((id, stage)) = id.and_then(|id| old.stages.remove_entry(&id)) {
                next.stages.insert(id, stage);
            }
        }
        self.arm_run(next, changes);
        if next.first_task.is_none() {
            self.arm_first_task(next, turn.now_ns, changes);
        }
        if let Err(error) = next.make_live(&self.core.logs_of(&next.workflow_id, run_id)) {
            next.broken = Some(error);
        }
        changes.extend(self.changes_of(next, &turn)?);
        self.newest.insert(place, Newest::of(next));
        Ok(turn)
    }

    /// The newest version that has the type; where none has it, the one that the chain runs on already.
    fn version_after(&self, old: &Run, workflow_type: &str) -> Arc<Version> {
        self.core
            .registry
            .for_workflow_type(old.namespace, workflow_type)
            .unwrap_or_else(|| old.version.clone())
    }
}
