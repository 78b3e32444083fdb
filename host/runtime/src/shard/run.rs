//! One run in a shard's memory.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use longhaul_engine::{Execution, execution::Worker, local::LocalMarker};
use longhaul_store::{ModuleRef, NamespaceId, Parked, RunId};
use tokio::sync::watch;

use super::{
    alarms::Place,
    asked::Asked,
    letter::Envelope,
    local_attempts::Local,
    message::{Input, Message},
    open_task::OpenTask,
    polling::Polling,
    validate::Validation,
};
use crate::{
    guest::{Guest, TaskError},
    registry::Version,
    updates::Stage,
};

/// A run: its state, its code if it is live, and what waits for it.
pub(crate) struct Run {
    pub(crate) namespace: NamespaceId,
    pub(crate) workflow_id: Arc<str>,
    pub(crate) run_id: RunId,
    pub(crate) version: Arc<Version>,
    pub(crate) start_request_id: String,
    pub(crate) execution: Execution,
    pub(crate) code: Code,
    /// Set while its workflow task fails.
    pub(crate) parked: Option<Parked>,
    /// A parked run's wait is over: its task may be tried again.
    pub(crate) retrying: bool,
    /// Why its code could not be replayed.
    pub(crate) broken: Option<TaskError>,
    /// Its code is being replayed on another thread.
    pub(crate) reviving: bool,
    /// The replay begins when what this turn writes is durable.
    pub(crate) wants_replay: bool,
    /// Where the validators of its admitted updates are, if they do not run on forks. While they are under way its inbox waits.
    pub(crate) validation: Validation,
    /// They are asked when what this turn writes is durable.
    pub(crate) wants_verdicts: bool,
    /// What waits for the code to be back.
    pub(crate) questions: Vec<Message>,
    /// Queries that wait for replays of their own.
    pub(crate) asked: Asked,
    /// How often it is asked.
    pub(crate) polling: Polling,
    pub(crate) inbox: VecDeque<Input>,
    /// The last transition that holds something of this run; 0: none since it was read.
    pub(crate) ticket: u64,
    /// Callers that follow updates.
    pub(crate) stages: HashMap<String, watch::Sender<Stage>>,
    /// Admitted updates that have a row in the store, by id, and the row's order.
    pub(crate) update_rows: HashMap<String, u64>,
    pub(crate) next_update_order: u64,
    /// The alarm of the first workflow task, where that has one.
    pub(crate) first_task: Option<FirstTask>,
    /// The store has a row which says that a workflow task is due.
    pub(crate) task_noted: bool,
    /// It is to leave with its next transition, for good.
    pub(crate) deleted: bool,
    /// The run that its chain goes on with, which begins in the transition that closes this one; until the turn is over.
    pub(crate) successor: Option<Box<Run>>,
    /// Letters whose rows are in the transition that is being made; sent when that is durable.
    pub(crate) letters: Vec<Arc<Envelope>>,
    /// What its search attributes are indexed by and shown as, since they last changed.
    pub(crate) indexed: Option<(Vec<String>, Vec<u8>)>,
    /// The alarm that is set for each activity.
    pub(crate) activity_alarms: HashMap<i64, u64>,
    /// A workflow task that waits for local activities.
    pub(crate) open_task: Option<Box<OpenTask>>,
    /// Local activities that have not ended. They may outlive a task.
    pub(crate) locals: BTreeMap<u32, Local>,
    /// Local activities that have ended, and of whose end the code was not told.
    pub(crate) ended_locals: VecDeque<Box<LocalMarker>>,
    /// What has come for local activities while no task was open.
    pub(crate) early: VecDeque<Input>,
    /// Its next task is for another turn.
    pub(crate) yields: bool,
    /// The last task has ended while some had not, so that another is due.
    pub(crate) has_open_locals: bool,
    /// A task could not end the run because of what was acknowledged meanwhile: during the next nothing is.
    pub(crate) patient: bool,
    /// The number of the next input that is kept while a task is open.
    pub(crate) next_buffered_order: u64,
    /// Queries that the task which has just ended answers.
    pub(crate) answerable: Vec<Message>,
    /// What the instance takes, in bytes, when it was last measured.
    pub(crate) instance_bytes: usize,
    pub(crate) tasks_since_measured: u32,
    /// Its place in the order of last use.
    pub(crate) used: u64,
}

/// Whether the run's code is in memory.
pub(crate) enum Code {
    Live(Box<Guest>),
    /// It was dropped, or has failed; a replay brings it back.
    Absent,
}

/// See [`Run::first_task`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct FirstTask {
    pub(crate) due_ns: u64,
    /// Tasks that had completed before: more than none after a reset.
    pub(crate) behind: u64,
}

impl Run {
    /// A run without code.
    pub(crate) fn new(
        place: &Place,
        run_id: RunId,
        version: Arc<Version>,
        start_request_id: String,
        execution: Execution,
    ) -> Self {
        Self {
            namespace: place.namespace,
            workflow_id: place.workflow_id.clone(),
            run_id,
            version,
            start_request_id,
            execution,
            code: Code::Absent,
            parked: None,
            retrying: false,
            broken: None,
            reviving: false,
            wants_replay: false,
            validation: Validation::Idle,
            wants_verdicts: false,
            questions: Vec::new(),
            asked: Asked::default(),
            polling: Polling::default(),
            inbox: VecDeque::new(),
            ticket: 0,
            stages: HashMap::new(),
            update_rows: HashMap::new(),
            next_update_order: 0,
            first_task: None,
            task_noted: false,
            deleted: false,
            successor: None,
            letters: Vec::new(),
            indexed: None,
            activity_alarms: HashMap::new(),
            open_task: None,
            locals: BTreeMap::new(),
            ended_locals: VecDeque::new(),
            early: VecDeque::new(),
            yields: false,
            has_open_locals: false,
            patient: false,
            next_buffered_order: 0,
            answerable: Vec::new(),
            instance_bytes: 0,
            tasks_since_measured: 0,
            used: 0,
        }
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            namespace: self.namespace,
            workflow_id: self.workflow_id.clone(),
        }
    }

    pub(crate) fn module_ref(&self) -> ModuleRef {
        self.version.reference()
    }

    pub(crate) fn worker(&self, identity: &str) -> Worker {
        Worker {
            identity: identity.to_owned(),
            module: self.version.name.clone(),
            version: self.version.number,
            sdk_name: self.version.sdk_name().to_owned(),
            sdk_version: self.version.sdk_version().to_owned(),
        }
    }

    /// The first run of its chain.
    pub(crate) fn first_run_id(&self) -> RunId {
        // Only a history from elsewhere could hold something else.
        self.execution.first_run_id().parse().unwrap_or(self.run_id)
    }

    /// Whether nothing but a row of its own would tell, after a crash, that a workflow task is due: events have come that the code has
    /// not seen. A parked run has its retry, the first task its alarm, and admitted updates have their rows.
    pub(crate) fn has_task_to_note(&self) -> bool {
        (self.execution.needs_task_for_events() || self.needs_task_for_locals())
            && self.parked.is_none()
            && self.first_task.is_none()
    }

    /// Whether a workflow task is due because the last one has ended before its local activities.
    fn needs_task_for_locals(&self) -> bool {
        self.has_open_locals && self.execution.is_open()
    }

    /// Something was acknowledged that is no event yet.
    pub(crate) fn has_kept(&self) -> bool {
        let waits = self
            .inbox
            .iter()
            .any(|input| matches!(input, Input::Buffered { .. }));
        waits
            || self
                .open_task
                .as_ref()
                .is_some_and(|open| open.meanwhile.has_kept())
    }

    /// Whether a workflow task is due that the code has to see.
    pub(crate) fn has_news(&self) -> bool {
        self.execution.needs_task_for_events() || self.needs_task_for_locals()
    }

    /// Whether a workflow task is due.
    pub(crate) fn needs_task(&self) -> bool {
        self.open_task.is_none() && (self.execution.needs_task() || self.needs_task_for_locals())
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self.code, Code::Live(_))
    }

    /// Whether an update waits for a workflow task that begins as soon as the code is back. A signal that came after it waits behind
    /// it, for the task after that one (S9).
    pub(crate) fn holds_signals(&self) -> bool {
        self.reviving
            && !self.execution.admitted_updates().is_empty()
            && self.execution.needs_task()
            && (self.parked.is_none() || self.retrying)
    }

    /// Whether what comes next has to wait for a workflow task that waits itself: for verdicts, or for the code.
    pub(crate) fn holds_inbox(&self) -> bool {
        self.validation.holds_inbox()
            || self.inbox.front().is_some_and(Input::is_signal) && self.holds_signals()
    }

    /// How much waits for it.
    pub(crate) fn waiting(&self) -> usize {
        let of_task = self.open_task.as_ref().map_or(0, |open| open.meanwhile.waiting());
        self.inbox.len() + self.questions.len() + self.asked.waiting() + of_task
    }

    /// Whether nothing is lost if it leaves the memory: all is durable, and nobody waits.
    pub(crate) fn is_quiet(&self, durable: u64) -> bool {
        self.inbox.is_empty()
            && self.questions.is_empty()
            && self.asked.waiting() == 0
            && !self.reviving
            && self.open_task.is_none()
            && !self.validation.is_under_way()
            && self.ticket <= durable
            && self.stages.values().all(watch::Sender::is_closed)
    }
}
