//! A run comes back from the store: its events are folded, and its code is replayed.

use std::{collections::VecDeque, panic::AssertUnwindSafe, sync::Arc};

use longhaul_engine::{
    Identity,
    activity::{Activity, Attempt},
    proto::history::v1::HistoryEvent,
};
use longhaul_history::codec;
use longhaul_sandbox::LogSink;
use longhaul_store::{Change, ExecutionRecord, NamespaceId, Pending, RunId, Snapshot};
use prost::Message as _;

use super::{
    Newest, Place, Shard,
    attempts::AttemptKey,
    buffered::Buffered,
    commit::record_of,
    message::{Input, Loaded, Notice},
    run::{Code, FirstTask, Run},
};
use crate::{
    Error,
    core::Core,
    guest::{self, Replayed, Stored},
    registry::Version,
};

/// Read a run and replay it. Runs on a worker thread; blocks.
fn load(core: &Core, place: &Place, run_id: RunId) -> Result<Loaded, Error> {
    load_with(
        core,
        place,
        run_id,
        None,
        &core.logs_of(&place.workflow_id, run_id),
    )
}

/// As [`load`], for an instance whose log nobody reads.
pub(crate) fn load_silently(core: &Core, place: &Place, run_id: RunId) -> Result<Loaded, Error> {
    load_with(core, place, run_id, None, &core.no_logs())
}

/// As [`load`], with another version than the one that the run is pinned to.
pub(super) fn load_as(
    core: &Core,
    place: &Place,
    run_id: RunId,
    version: Arc<Version>,
) -> Result<Loaded, Error> {
    let logs = core.logs_of(&place.workflow_id, run_id);
    load_with(core, place, run_id, Some(version), &logs)
}

fn load_with(
    core: &Core,
    place: &Place,
    run_id: RunId,
    version: Option<Arc<Version>>,
    logs: &Arc<dyn LogSink>,
) -> Result<Loaded, Error> {
    let snapshot = core.snapshot()?;
    let record = snapshot
        .execution(place.namespace, &place.workflow_id, run_id)?
        .ok_or_else(|| Error::WorkflowNotFound(place.workflow_id.to_string()))?;
    let version = match version {
        Some(version) => version,
        None => core.pinned(&record)?,
    };
    let module = core.module_now(&version)?;
    let identity = Identity {
        namespace: core.namespace_name(place.namespace).into(),
        workflow_id: place.workflow_id.clone(),
        run_id: run_id.to_string().into(),
    };
    let history = Stored {
        snapshot: &snapshot,
        namespace: place.namespace,
        run_id,
        identity: &identity,
    };
    let Replayed { mut execution, guest } = history.replay(guest::Code {
        module: &module,
        logs,
    })?;
    metrics::counter!("longhaul_replays_total").increment(1);
    for row in snapshot.pending_of(Pending::Activity, place.namespace, run_id)? {
        let (key, row) = row?;
        let attempt = Attempt::decode(row.body.as_slice()).map_err(|error| {
            Error::Internal(format!("an activity's row of run {run_id} is damaged: {error}"))
        })?;
        execution.restore_attempt(i64::try_from(key.order).unwrap_or(0), attempt);
    }
    let mut update_rows = Vec::new();
    if execution.is_open() {
        for row in snapshot.pending_of(Pending::Update, place.namespace, run_id)? {
            let (key, row) = row?;
            let request = longhaul_engine::proto::update::v1::Request::decode(row.body.as_slice()).map_err(
                |error| Error::Internal(format!("an update's row of run {run_id} is damaged: {error}")),
            )?;
            let id = request
                .meta
                .as_ref()
                .map(|meta| meta.update_id.clone())
                .unwrap_or_default();
            execution.restore_update(request);
            update_rows.push((id, key.order));
        }
    }
    let mut run = Run::new(place, run_id, version, record.start_request_id.clone(), execution);
    for row in snapshot.pending_of(Pending::Buffered, place.namespace, run_id)? {
        let (key, row) = row?;
        // The task that was open when it came is no more, so it has its turn before the next one.
        run.inbox.push_back(Input::Buffered {
            order: key.order,
            buffered: Box::new(Buffered::read(&row)?),
        });
        run.next_buffered_order = key.order + 1;
    }
    run.parked = record.parked;
    run.next_update_order = update_rows.iter().map(|(_, order)| order + 1).max().unwrap_or(0);
    run.update_rows = update_rows.into_iter().collect();
    let behind = run.execution.completed_tasks();
    if run.execution.is_open() && run.parked.is_none() && (behind == 0 || run.execution.failed_tasks() > 0) {
        let began_ns = run.execution.start_time_ns();
        let due_ns = run.execution.first_task_due_ns().unwrap_or(began_ns);
        run.first_task = Some(FirstTask { due_ns, behind });
    }
    let replay_error = match guest {
        Ok((guest, _)) => {
            run.has_open_locals = guest.session.has_open_locals();
            run.code = Code::Live(Box::new(guest));
            None
        }
        Err(error) => Some(error),
    };
    run.task_noted = run.has_task_to_note();
    Ok(Loaded {
        run: Box::new(run),
        replay_error,
    })
}

/// As [`load`], with a panic as an error, so that whoever waits for the run is always told.
pub(crate) fn load_caught(core: &Core, place: &Place, run_id: RunId) -> Result<Loaded, Error> {
    std::panic::catch_unwind(AssertUnwindSafe(|| load(core, place, run_id)))
        .unwrap_or_else(|_| Err(Error::Internal(format!("reading run {run_id} has panicked"))))
}

/// Whether an input is the end of an activity's current attempt.
fn ends(input: &Input, activity: &Activity) -> bool {
    matches!(
        input,
        Input::AttemptEnded { key, .. }
            if key.scheduled_event_id == activity.scheduled_event_id && activity.attempt.runs_as(key.nonce)
    )
}

/// The whole history of a run.
pub(crate) fn read_events(
    snapshot: &Snapshot,
    namespace: NamespaceId,
    run_id: RunId,
) -> Result<Vec<Arc<HistoryEvent>>, Error> {
    let mut events = Vec::new();
    for batch in snapshot.events(namespace, run_id, 1)? {
        let decoded = codec::decode_batch(&batch?.bytes)
            .map_err(|error| Error::Internal(format!("the history of run {run_id} is damaged: {error}")))?;
        events.extend(decoded.into_iter().map(Arc::new));
    }
    Ok(events)
}

impl Shard {
    /// Take a loaded run in.
    pub(super) fn adopt(&mut self, loaded: Loaded, waiting: VecDeque<Input>) {
        let Loaded {
            mut run,
            replay_error,
        } = loaded;
        let run_id = run.run_id;
        // Every attempt that the store calls started, and that does not run here, was lost with the server that ran it.
        let lost: Vec<AttemptKey> = run
            .execution
            .activities()
            .values()
            .filter(|activity| activity.attempt.started_ns.is_some())
            .filter(|activity| !self.is_running(&run, activity))
            // What a worker outside has is lost when its limits say so.
            .filter(|activity| !activity.attempt.handed_out)
            // One that has just ended here is not lost: its end waits with what made the run be read.
            .filter(|activity| !waiting.iter().any(|input| ends(input, activity)))
            .map(|activity| AttemptKey {
                run_id,
                scheduled_event_id: activity.scheduled_event_id,
                nonce: activity.attempt.nonce,
            })
            .collect();
        for key in lost {
            let end = longhaul_engine::execution::AttemptEnd::Lost;
            run.inbox.push_back(Input::AttemptEnded { key, end });
        }
        let now_ns = self.now_ns();
        let pending: Vec<i64> = run.execution.activities().keys().copied().collect();
        for scheduled_event_id in pending {
            self.arm_activity(&mut run, scheduled_event_id, now_ns);
            self.note_outside(&run, scheduled_event_id);
            // What is due has no alarm. If it waits in a line already it keeps its place there.
            self.attempts.try_later(run_id, scheduled_event_id);
        }
        run.inbox.extend(waiting);
        run.broken = replay_error;
        self.bring_back(&mut run);
        self.touch(&mut run);
        let place = run.place();
        if run.execution.is_open() {
            self.newest.insert(place, Newest::of(&run));
        }
        self.runs.insert(run_id, run);
        self.mark_due(run_id);
    }

    /// A run in memory needs its code: replay it on another thread, from what is durable. What comes meanwhile is still taken.
    pub(super) fn revive(&mut self, run: &mut Run) {
        if !run.reviving {
            run.reviving = true;
            run.wants_replay = true;
        }
    }

    /// All that the run has done is durable: replay it.
    pub(super) fn begin_revival(&self, run: &Run) {
        let (core, mailbox, place, run_id) =
            (self.core.clone(), self.mailbox.clone(), run.place(), run.run_id);
        self.core.workers.run(Box::new(move || {
            let result = load_caught(&core, &place, run_id);
            mailbox.notice(Notice::Revived { run_id, result });
        }));
    }

    /// The code is back, or cannot be brought back.
    pub(super) fn on_revived(&mut self, run_id: RunId, result: Result<Loaded, Error>) {
        let Some(run) = self.runs.get_mut(&run_id).filter(|run| run.reviving) else {
            return;
        };
        if let Ok(Loaded { run: revived, .. }) = &result
            && (revived.execution.completed_tasks() != run.execution.completed_tasks()
                || revived.module_ref() != run.module_ref())
        {
            // Read too early: the code would not know what it has done since, or is not the one that the run has moved to.
            tracing::debug!(%run_id, "a replay is out of date and is made again");
            let run = &self.runs[&run_id];
            return self.begin_revival(run);
        }
        run.reviving = false;
        match result {
            Ok(Loaded {
                run: revived,
                replay_error,
            }) => {
                run.code = revived.code;
                run.has_open_locals = match &replay_error {
                    None => revived.has_open_locals,
                    Some(_) => run.has_open_locals,
                };
                run.broken = replay_error;
            }
            Err(error) => run.broken = Some(guest::TaskError::Unavailable(error.to_string())),
        }
        self.mark_due(run_id);
    }

    /// Write a run's row without an event.
    pub(super) fn put_record(&self, run: &Run, changes: &mut Vec<Change>) {
        match record_of(run, &self.core) {
            Ok(record) => changes.push(Change::PutExecution(Box::new(record))),
            Err(error) => tracing::error!(%error, "the row of a run could not be made"),
        }
    }
}

/// Which version a stored run is pinned to.
impl Core {
    pub(crate) fn pinned(&self, record: &ExecutionRecord) -> Result<Arc<Version>, Error> {
        self.registry
            .version(record.namespace, &record.module.name, record.module.version)
            .ok_or_else(|| {
                Error::FailedPrecondition(format!(
                    "run {} is pinned to module {}@{}, which is not in this database",
                    record.run_id, record.module.name, record.module.version
                ))
            })
    }
}
