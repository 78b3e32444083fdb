//! An execution as its events made it.

mod activities;
mod administer;
mod answers;
mod chain;
mod children;
mod closing;
mod external;
mod first_task;
mod fold;
mod fold_across;
mod messages;
mod options;
pub mod reset;
mod scheduling;
mod start;
mod tasks;
pub(crate) mod upserts;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use longhaul_history::proto::{
    common::v1::{Memo, SearchAttributes},
    enums::v1::WorkflowExecutionStatus,
    history::v1::{HistoryEvent, WorkflowExecutionStartedEventAttributes, history_event::Attributes},
    sdk::v1::UserMetadata,
};
use prost::Message;

use crate::{
    IllegalTransition, Turn,
    activity::Activity,
    child::{Child, External},
    outgoing::Outgoing,
    timer::Timer,
    turn,
    update::{self, Update},
    workflow_task,
};

pub use activities::AttemptEnd;
pub use administer::{Act, BadOptions, Changes, NotDone, Selection};
pub use answers::{NotTaken, Told, Which};
pub use chain::Successor;
pub use messages::Admission;
pub use start::{Parent, Start};
pub use tasks::{CoreFlags, Task, TaskFailure, Worker};

/// Names one run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The namespace's name.
    pub namespace: Arc<str>,
    /// The workflow id.
    pub workflow_id: Arc<str>,
    /// The run id.
    pub run_id: Arc<str>,
}

/// Temporal's status of an execution.
pub type Status = WorkflowExecutionStatus;

/// Limits of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Sizes and counts that history bounds.
    pub history: longhaul_history::Limits,
    /// Activities in flight at once. Default 10,000 (Temporal's server: 2,000).
    pub activities_in_flight: usize,
    /// Timers in flight at once. Default 10,000.
    pub timers_in_flight: usize,
    /// Children that have not ended. Default 2,000, as Temporal's server.
    pub children_in_flight: usize,
    /// Signals to other executions that have no outcome. Default 2,000, as Temporal's server.
    pub signals_in_flight: usize,
    /// Cancellation requests for other executions, children among them, that have no outcome. Default 2,000, as Temporal's server.
    pub cancels_in_flight: usize,
    /// What is asked for was accepted once: what only later versions of the engine refuse passes. Default false.
    pub accepted_before: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            history: longhaul_history::Limits::default(),
            activities_in_flight: 10_000,
            timers_in_flight: 10_000,
            children_in_flight: 2_000,
            signals_in_flight: 2_000,
            cancels_in_flight: 2_000,
            accepted_before: false,
        }
    }
}

impl Limits {
    /// Limits that nothing passes. A replay is held to these: what history has was accepted, and a limit that is lowered later must
    /// not keep a run from going on.
    pub const fn none() -> Self {
        Self {
            history: longhaul_history::Limits::none(),
            activities_in_flight: usize::MAX,
            timers_in_flight: usize::MAX,
            children_in_flight: usize::MAX,
            signals_in_flight: usize::MAX,
            cancels_in_flight: usize::MAX,
            accepted_before: true,
        }
    }
}

/// The state of one run: a fold of its events, and the attempts of its pending activities.
#[derive(Debug)]
pub struct Execution {
    identity: Identity,
    start: Box<WorkflowExecutionStartedEventAttributes>,
    user_metadata: Option<Box<UserMetadata>>,
    start_time_ns: u64,
    status: Status,
    close_time_ns: Option<u64>,
    next_event_id: i64,
    history_bytes: u64,
    last_event_time_ns: u64,
    task: workflow_task::State,
    /// Failed tasks since the last one that completed.
    failed_tasks: u32,
    completed_tasks: u64,
    /// Events that no completed task has shown to the guest.
    unseen: Vec<Arc<HistoryEvent>>,
    /// Bytes of the signals among them.
    unseen_signals_bytes: usize,
    timers: BTreeMap<i64, Timer>,
    activities: BTreeMap<i64, Activity>,
    children: BTreeMap<i64, Child>,
    external_signals: BTreeMap<i64, External>,
    external_cancels: BTreeMap<i64, External>,
    /// Messages that go out with the run's close.
    farewells: BTreeMap<i64, Outgoing>,
    updates: HashMap<String, Update>,
    admitted: Vec<String>,
    updates_accepted: usize,
    signal_request_ids: HashSet<String>,
    cancel_requested: bool,
    first_task: first_task::FirstTask,
    memo: Memo,
    search_attributes: SearchAttributes,
    /// The runs that this one was reset from, oldest first, and this run's event from which on it is no longer that one.
    reset_bases: Vec<(String, i64)>,
    /// When it was reset last: its limits of time count from there.
    reset_time_ns: Option<u64>,
}

impl Execution {
    /// Fold a history.
    ///
    /// # Errors
    ///
    /// An event that cannot follow the ones before it, or a history that does not begin with WorkflowExecutionStarted.
    pub fn from_history(identity: Identity, events: &[Arc<HistoryEvent>]) -> Result<Self, IllegalTransition> {
        let (first, rest) = events.split_first().ok_or_else(|| IllegalTransition {
            event_id: 1,
            event: "none".into(),
            why: "the history is empty".into(),
        })?;
        let mut execution = Self::from_first(identity, first, Self::measure(first))?;
        for event in rest {
            execution.apply(event)?;
        }
        Ok(execution)
    }

    /// Which run it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What it was started with.
    pub fn start(&self) -> &WorkflowExecutionStartedEventAttributes {
        &self.start
    }

    /// The workflow type.
    pub fn workflow_type(&self) -> &str {
        self.start.workflow_type.as_ref().map_or("", |t| t.name.as_str())
    }

    /// The task queue.
    pub fn task_queue(&self) -> &str {
        self.start.task_queue.as_ref().map_or("", |q| q.name.as_str())
    }

    /// When it started, in nanoseconds since 1970.
    pub fn start_time_ns(&self) -> u64 {
        self.start_time_ns
    }

    /// When it closed.
    pub fn close_time_ns(&self) -> Option<u64> {
        self.close_time_ns
    }

    /// Its status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether it still runs.
    pub fn is_open(&self) -> bool {
        self.status == Status::Running
    }

    /// The id of the next event; one more than the events it has.
    pub fn next_event_id(&self) -> i64 {
        self.next_event_id
    }

    /// Size of its events in bytes.
    pub fn history_bytes(&self) -> u64 {
        self.history_bytes
    }

    /// The time of its last event; time never goes back within a run.
    pub fn last_event_time_ns(&self) -> u64 {
        self.last_event_time_ns
    }

    /// Workflow tasks that have completed.
    pub fn completed_tasks(&self) -> u64 {
        self.completed_tasks
    }

    /// Workflow tasks that have failed since the last completed one, as far as history tells: a streak has one event.
    pub fn failed_tasks(&self) -> u32 {
        self.failed_tasks
    }

    /// Where the current workflow task is.
    pub fn task(&self) -> workflow_task::State {
        self.task
    }

    /// Pending activities by their ActivityTaskScheduled event.
    pub fn activities(&self) -> &BTreeMap<i64, Activity> {
        &self.activities
    }

    /// Pending timers by their TimerStarted event.
    pub fn timers(&self) -> &BTreeMap<i64, Timer> {
        &self.timers
    }

    /// Children that have not ended, by their StartChildWorkflowExecutionInitiated event.
    pub fn children(&self) -> &BTreeMap<i64, Child> {
        &self.children
    }

    /// Signals to other executions that have no outcome, by their SignalExternalWorkflowExecutionInitiated event.
    pub fn external_signals(&self) -> &BTreeMap<i64, External> {
        &self.external_signals
    }

    /// Cancellation requests for other executions, children among them, that have no outcome, by their
    /// RequestCancelExternalWorkflowExecutionInitiated event.
    pub fn external_cancels(&self) -> &BTreeMap<i64, External> {
        &self.external_cancels
    }

    /// An update that this run knows.
    pub fn update(&self, id: &str) -> Option<&Update> {
        self.updates.get(id)
    }

    /// How an update of this run ended; a run that has closed ends what it had accepted (U7).
    pub fn update_outcome(&self, id: &str) -> Option<update::Outcome> {
        match &self.updates.get(id)?.state {
            update::State::Completed { outcome, .. } => Some(outcome.clone()),
            update::State::Accepted { .. } if !self.is_open() => {
                Some(Err(Box::new(longhaul_history::failure::application(
                    update::CLOSED_FIRST,
                    "AcceptedUpdateCompletedWorkflow",
                    true,
                ))))
            }
            update::State::Accepted { .. } | update::State::Admitted { .. } => None,
        }
    }

    /// Updates that have not ended, each with whether it was accepted. In no order.
    pub fn unfinished_updates(&self) -> impl Iterator<Item = (&str, bool)> {
        self.updates.iter().filter_map(|(id, update)| match update.state {
            update::State::Admitted { .. } => Some((id.as_str(), false)),
            update::State::Accepted { .. } if self.is_open() => Some((id.as_str(), true)),
            update::State::Accepted { .. } | update::State::Completed { .. } => None,
        })
    }

    /// Ids of updates that were admitted and not yet accepted or rejected, in order of admission.
    pub fn admitted_updates(&self) -> &[String] {
        &self.admitted
    }

    /// Whether its cancellation was requested.
    pub fn cancel_requested(&self) -> bool {
        self.cancel_requested
    }

    /// Events that no completed task has shown to the guest.
    pub fn unseen(&self) -> &[Arc<HistoryEvent>] {
        &self.unseen
    }

    /// Whether a workflow task is due.
    pub fn needs_task(&self) -> bool {
        self.is_open()
            && !self.waits_for_first_task()
            && (!self.admitted.is_empty() || self.unseen.iter().any(|event| wakes(event)))
    }

    /// Whether a task is due for another reason than admitted updates.
    pub fn needs_task_for_events(&self) -> bool {
        self.is_open() && !self.waits_for_first_task() && self.unseen.iter().any(|event| wakes(event))
    }

    pub(crate) fn emit(&mut self, turn: &mut Turn, attributes: Attributes) -> i64 {
        self.emit_annotated(turn, attributes, None)
    }

    pub(crate) fn emit_annotated(
        &mut self,
        turn: &mut Turn,
        attributes: Attributes,
        user_metadata: Option<UserMetadata>,
    ) -> i64 {
        let event_id = self.next_event_id;
        let mut event = turn::event(event_id, turn.now_ns, attributes);
        event.user_metadata = user_metadata;
        let event = Arc::new(event);
        // Every caller has asked the machine first, so the table allows the event; one that it does not allow must never reach the
        // store, and stopping this execution here is the smallest harm.
        if let Err(illegal) = self.apply(&event) {
            unreachable!("the engine made an event that its own table refuses: {illegal}");
        }
        turn.events.push(event);
        event_id
    }

    pub(crate) fn measure(event: &HistoryEvent) -> u64 {
        event.encoded_len() as u64
    }
}

/// Whether the guest has to see the event soon. Cancel requests for activities, and whatever belongs to a workflow task, do not
/// wake it, but for a reset.
fn wakes(event: &HistoryEvent) -> bool {
    use Attributes as A;
    if reset::reseeds(event).is_some() {
        return true;
    }
    !matches!(
        event.attributes,
        Some(
            A::WorkflowTaskScheduledEventAttributes(_)
                | A::WorkflowTaskStartedEventAttributes(_)
                | A::WorkflowTaskFailedEventAttributes(_)
                | A::WorkflowTaskTimedOutEventAttributes(_)
                | A::WorkflowExecutionOptionsUpdatedEventAttributes(_)
                | A::ActivityTaskStartedEventAttributes(_)
        ) | None
    )
}
