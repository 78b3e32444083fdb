//! A history, cut into the workflow tasks that wrote it.

use std::sync::Arc;

use longhaul_history::{
    proto::{
        common::v1::Payload,
        enums::v1::SuggestContinueAsNewReason,
        history::v1::{HistoryEvent, WorkflowTaskStartedEventAttributes, history_event::Attributes},
    },
    time,
};

use crate::{local::LocalMarker, patch::Patch, session::AcceptedUpdate};

/// One completed workflow task: what the guest was shown, and what it did.
#[derive(Debug, Clone)]
pub struct TaskSlice<'a> {
    /// Its WorkflowTaskStarted event.
    pub started: &'a Arc<HistoryEvent>,
    /// Its WorkflowTaskCompleted event.
    pub completed: &'a Arc<HistoryEvent>,
    /// Events that it was the first to see.
    pub seen: &'a [Arc<HistoryEvent>],
    /// The events that its commands became, in order.
    pub outcome: &'a [Arc<HistoryEvent>],
}

impl TaskSlice<'_> {
    /// The workflow's time during the task, in nanoseconds since 1970.
    pub fn now_ns(&self) -> u64 {
        self.started
            .event_time
            .as_ref()
            .and_then(time::ns_from_timestamp)
            .unwrap_or(0)
    }

    /// Size of the history before the task, in bytes.
    pub fn history_bytes(&self) -> u64 {
        self.started_attributes()
            .map_or(0, |a| u64::try_from(a.history_size_bytes).unwrap_or(0))
    }

    /// Why the run should have continued as new.
    pub fn suggest(&self) -> Vec<SuggestContinueAsNewReason> {
        self.started_attributes()
            .map_or_else(Vec::new, |a| a.suggest_continue_as_new_reasons().collect())
    }

    /// The updates that it accepted, in order of admission.
    pub fn updates(&self) -> impl Iterator<Item = AcceptedUpdate> {
        self.outcome.iter().filter_map(|event| match &event.attributes {
            Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(a)) => Some(AcceptedUpdate {
                id: a.protocol_instance_id.clone(),
                request: a.accepted_request.clone().unwrap_or_default(),
                sequencing_event_id: a.accepted_request_sequencing_event_id,
            }),
            _ => None,
        })
    }

    /// The patches whose markers it has written: `patched` is true for them from this task on.
    pub fn patches(&self) -> impl Iterator<Item = String> {
        self.outcome.iter().filter_map(|event| Some(Patch::of(event)?.id))
    }

    /// The side effects whose values it has recorded, by their number: in a replay their functions do not run.
    pub fn side_effects(&self) -> impl Iterator<Item = (u32, Payload)> {
        self.outcome
            .iter()
            .filter_map(|event| LocalMarker::of(event)?.into_side_effect())
    }

    /// How the local activities ended of whose end it has told the code, in that order.
    pub fn local_ends(&self) -> impl Iterator<Item = LocalMarker> {
        self.outcome
            .iter()
            .filter_map(|event| LocalMarker::of(event))
            .filter(|marker| !marker.side_effect && marker.complete_time_ns.is_some())
    }

    fn started_attributes(&self) -> Option<&WorkflowTaskStartedEventAttributes> {
        match &self.started.attributes {
            Some(Attributes::WorkflowTaskStartedEventAttributes(a)) => Some(a),
            _ => None,
        }
    }
}

/// Cut a history into its completed tasks. Tasks that failed or ran out of time are passed over: the next one that completed saw what
/// they would have seen. What stands after the last completed task's commands is in no slice (see [`unseen_from`]).
pub fn tasks(events: &[Arc<HistoryEvent>]) -> impl Iterator<Item = TaskSlice<'_>> {
    let mut cutter = Cutter::default();
    std::iter::from_fn(move || cutter.next(events, true))
}

/// Where the events begin that no completed task has seen: an index into `events`.
pub fn unseen_from(events: &[Arc<HistoryEvent>]) -> usize {
    let mut cutter = Cutter::default();
    while cutter.next(events, true).is_some() {}
    cutter.seen_from
}

/// A history that comes in parts, cut as [`tasks`] cuts one that is there as a whole. It holds no more of it than the next task needs.
#[derive(Debug, Default)]
pub struct Window {
    events: Vec<Arc<HistoryEvent>>,
    cutter: Cutter,
    ended: bool,
}

impl Window {
    /// One that has seen no event.
    pub fn new() -> Self {
        Self::default()
    }

    /// Take the events that follow. In their place stays what no further task needs, for whoever wants to use its memory again.
    pub fn exchange(&mut self, events: &mut Vec<Arc<HistoryEvent>>) {
        std::mem::swap(&mut self.events, events);
        let spent = std::mem::take(&mut self.cutter.seen_from);
        self.cutter.at -= spent;
        self.cutter.gone += spent;
        self.events.splice(..0, events.drain(spent..));
    }

    /// Nothing follows.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The next completed task, if all of its commands are here: the first event that is none of them ends them, or the end.
    pub fn next_task(&mut self) -> Option<TaskSlice<'_>> {
        self.cutter.next(&self.events, self.ended)
    }
}

/// Where the cutting of a history is.
#[derive(Debug, Clone, Copy, Default)]
struct Cutter {
    /// Events of the history before the ones that are there.
    gone: usize,
    /// The first event that no task so far has seen.
    seen_from: usize,
    /// The next event to look at; never before `seen_from`.
    at: usize,
}

impl Cutter {
    /// The next task in `events`; `ended`: no event follows them.
    fn next<'a>(&mut self, events: &'a [Arc<HistoryEvent>], ended: bool) -> Option<TaskSlice<'a>> {
        loop {
            let completed = events.get(self.at)?;
            let Some(Attributes::WorkflowTaskCompletedEventAttributes(attributes)) = &completed.attributes
            else {
                self.at += 1;
                continue;
            };
            // Event ids are consecutive and begin with 1 (the fold checks it), so an id is an index.
            let started_at = attributes
                .started_event_id
                .checked_sub(1)
                .and_then(|at| usize::try_from(at).ok()?.checked_sub(self.gone))
                .filter(|at| *at < self.at);
            let Some(started_at) = started_at else {
                self.at += 1;
                continue;
            };
            let first_command = self.at + 1;
            let commands = events[first_command..]
                .iter()
                .take_while(|event| is_command(event, completed.event_id))
                .count();
            let end = first_command + commands;
            if end == events.len() && !ended {
                return None;
            }
            let slice = TaskSlice {
                started: &events[started_at],
                completed,
                seen: &events[self.seen_from.min(started_at)..started_at],
                outcome: &events[first_command..end],
            };
            self.at = end;
            self.seen_from = end;
            return Some(slice);
        }
    }
}

/// Whether the event is what a command of the task became that `completed_event_id` completed.
fn is_command(event: &HistoryEvent, completed_event_id: i64) -> bool {
    use Attributes as A;
    let of = match &event.attributes {
        Some(A::ActivityTaskScheduledEventAttributes(a)) => a.workflow_task_completed_event_id,
        Some(A::ActivityTaskCancelRequestedEventAttributes(a)) => a.workflow_task_completed_event_id,
        Some(A::TimerStartedEventAttributes(a)) => a.workflow_task_completed_event_id,
        Some(A::TimerCanceledEventAttributes(a)) => a.workflow_task_completed_event_id,
        Some(A::MarkerRecordedEventAttributes(a)) => a.workflow_task_completed_event_id,
        Some(A::StartChildWorkflowExecutionInitiatedEventAttributes(a)) => a.workflow_task_completed_event_id,
        Some(A::SignalExternalWorkflowExecutionInitiatedEventAttributes(a)) => {
            a.workflow_task_completed_event_id
        }
        Some(A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a)) => {
            a.workflow_task_completed_event_id
        }
        Some(A::UpsertWorkflowSearchAttributesEventAttributes(a)) => a.workflow_task_completed_event_id,
        Some(A::WorkflowPropertiesModifiedEventAttributes(a)) => a.workflow_task_completed_event_id,
        Some(A::WorkflowExecutionCompletedEventAttributes(a)) => a.workflow_task_completed_event_id,
        Some(A::WorkflowExecutionFailedEventAttributes(a)) => a.workflow_task_completed_event_id,
        Some(A::WorkflowExecutionCanceledEventAttributes(a)) => a.workflow_task_completed_event_id,
        Some(A::WorkflowExecutionContinuedAsNewEventAttributes(a)) => a.workflow_task_completed_event_id,
        // These do not name their task; nothing else writes them.
        Some(A::WorkflowExecutionUpdateAcceptedEventAttributes(_))
        | Some(A::WorkflowExecutionUpdateCompletedEventAttributes(_)) => completed_event_id,
        _ => return false,
    };
    of == completed_event_id
}
