//! A run begins again from one of its workflow tasks (E9).
//!
//! The new run has the old one's events up to a workflow task's start, then a WorkflowTaskFailed that says so. From there on its
//! random numbers are others, and signals and updates that came later are applied again.

use std::{collections::BTreeMap, sync::Arc};

use longhaul_history::proto::{
    common::v1 as common,
    enums::v1::WorkflowTaskFailedCause,
    failure::v1::{Failure, ResetWorkflowFailureInfo, failure::FailureInfo},
    history::v1::{
        HistoryEvent, WorkflowExecutionCanceledEventAttributes, WorkflowExecutionCompletedEventAttributes,
        WorkflowExecutionFailedEventAttributes, WorkflowExecutionSignaledEventAttributes,
        WorkflowExecutionTerminatedEventAttributes, WorkflowExecutionTimedOutEventAttributes,
        WorkflowTaskFailedEventAttributes, WorkflowTaskStartedEventAttributes, history_event::Attributes,
    },
    update::v1 as wire,
};

use prost::Message as _;

use super::{Execution, Identity};
use crate::{
    Effect, Refused, Turn,
    error::BadReset,
    outgoing::{ChildClosed, SERVER},
    workflow_task::State,
};

/// Why a run is reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// The run that it was until now.
    pub base_run_id: String,
    /// What the client gives as its reason.
    pub reason: String,
}

/// What is not applied again after a reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exclude {
    /// Signals.
    pub signals: bool,
    /// Updates.
    pub updates: bool,
}

/// Something to be applied again.
#[derive(Debug, Clone, PartialEq)]
pub enum Reapply {
    /// A signal.
    Signal(Box<WorkflowExecutionSignaledEventAttributes>),
    /// An update that was accepted, or admitted.
    Update(Box<wire::Request>),
}

/// How many events a run keeps that is reset to a workflow task. The task is named by the event of its end, as in Temporal's API,
/// or by that of its start.
///
/// # Errors
///
/// There is no such event, or it is of another kind.
pub fn point(events: &[Arc<HistoryEvent>], workflow_task_event_id: i64) -> Result<usize, BadReset> {
    use Attributes as A;
    let at = usize::try_from(workflow_task_event_id)
        .ok()
        .and_then(|id| id.checked_sub(1));
    let Some((at, event)) = at.and_then(|at| Some((at, events.get(at)?))) else {
        return Err(BadReset::NoSuchEvent {
            event_id: workflow_task_event_id,
            last: events.last().map_or(0, |event| event.event_id),
        });
    };
    match &event.attributes {
        // The scheduled task starts, fails and is tried again by the new run.
        Some(
            A::WorkflowTaskStartedEventAttributes(_)
            | A::WorkflowTaskCompletedEventAttributes(_)
            | A::WorkflowTaskFailedEventAttributes(_)
            | A::WorkflowTaskTimedOutEventAttributes(_),
        ) => Ok(at),
        _ => Err(BadReset::NoTask {
            event_id: workflow_task_event_id,
            event: longhaul_history::text::event_type(event),
        }),
    }
}

/// The run that goes on where this event has closed one.
pub fn next_run(event: &HistoryEvent) -> Option<&str> {
    use Attributes as A;
    let run_id = match event.attributes.as_ref()? {
        A::WorkflowExecutionCompletedEventAttributes(a) => &a.new_execution_run_id,
        A::WorkflowExecutionFailedEventAttributes(a) => &a.new_execution_run_id,
        A::WorkflowExecutionTimedOutEventAttributes(a) => &a.new_execution_run_id,
        A::WorkflowExecutionContinuedAsNewEventAttributes(a) => &a.new_execution_run_id,
        _ => return None,
    };
    Some(run_id.as_str()).filter(|run_id| !run_id.is_empty())
}

/// How many signals these events hold.
pub fn signals(events: &[Arc<HistoryEvent>]) -> usize {
    events.iter().filter(|event| is_signal(event)).count()
}

/// Of the first `known` signals in a run's events, how many the run has handed on to the next one of its chain: there they are the
/// first signals (S9). `events` may leave out the first ones of the run that hold no signals.
pub fn handed_on<'a>(
    events: impl DoubleEndedIterator<Item = &'a Arc<HistoryEvent>> + Clone,
    known: usize,
) -> usize {
    let seen = last_seen(events.clone());
    let known = events.filter(|event| is_signal(event)).take(known);
    known
        .filter(|event| seen.is_none_or(|seen| event.event_id > seen))
        .count()
}

fn is_signal(event: &HistoryEvent) -> bool {
    matches!(
        event.attributes,
        Some(Attributes::WorkflowExecutionSignaledEventAttributes(_))
    )
}

/// The last event that the code of a run has seen.
fn last_seen<'a>(events: impl DoubleEndedIterator<Item = &'a Arc<HistoryEvent>>) -> Option<i64> {
    events.rev().find_map(|event| match &event.attributes {
        Some(Attributes::WorkflowTaskCompletedEventAttributes(a)) => Some(a.started_event_id),
        _ => None,
    })
}

/// What came with these events and is applied again: signals, and updates that were accepted or admitted, in their order.
///
/// `known`: so many signals, the first ones, stand in the part that is kept, and were only handed on to this run.
/// `goes_on`: the events end a run, and those of the run that goes on with its chain are read as well. What the closed run has handed
/// on to it stands in both, and is taken from there.
pub fn reapply(events: &[Arc<HistoryEvent>], known: usize, exclude: Exclude, goes_on: bool) -> Vec<Reapply> {
    use Attributes as A;
    let seen = last_seen(events.iter());
    let mut known = known;
    let handed_on = |event: &HistoryEvent| goes_on && seen.is_none_or(|seen| event.event_id > seen);
    let update = |request: &Option<wire::Request>| {
        let request = request.clone().filter(|_| !exclude.updates)?;
        Some(Reapply::Update(Box::new(request)))
    };
    events
        .iter()
        .filter_map(|event| match &event.attributes {
            Some(A::WorkflowExecutionSignaledEventAttributes(_)) if known > 0 => {
                known -= 1;
                None
            }
            Some(A::WorkflowExecutionSignaledEventAttributes(signal))
                if !exclude.signals && !handed_on(event) =>
            {
                Some(Reapply::Signal(Box::new(signal.clone())))
            }
            Some(A::WorkflowExecutionUpdateAcceptedEventAttributes(a)) => update(&a.accepted_request),
            Some(A::WorkflowExecutionUpdateAdmittedEventAttributes(a)) => update(&a.request),
            _ => None,
        })
        .collect()
}

/// A child that has no end yet in the part of a history that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingChild {
    /// The event that initiated it.
    pub initiated_event_id: i64,
    /// Its workflow id.
    pub workflow_id: String,
    /// Its first run, if the kept part knows of its start.
    pub first_run_id: Option<String>,
}

/// The children that are pending at the end of these events, in order.
pub fn pending_children(kept: &[Arc<HistoryEvent>]) -> Vec<PendingChild> {
    use Attributes as A;
    let mut pending: BTreeMap<i64, PendingChild> = BTreeMap::new();
    for event in kept {
        match &event.attributes {
            Some(A::StartChildWorkflowExecutionInitiatedEventAttributes(a)) => {
                let child = PendingChild {
                    initiated_event_id: event.event_id,
                    workflow_id: a.workflow_id.clone(),
                    first_run_id: None,
                };
                pending.insert(event.event_id, child);
            }
            Some(A::ChildWorkflowExecutionStartedEventAttributes(a)) => {
                if let Some(child) = pending.get_mut(&a.initiated_event_id) {
                    child.first_run_id = a.workflow_execution.as_ref().map(|e| e.run_id.clone());
                }
            }
            Some(A::StartChildWorkflowExecutionFailedEventAttributes(a)) => {
                pending.remove(&a.initiated_event_id);
            }
            _ => {
                if let Some(ended) = ended_child(event) {
                    pending.remove(&ended.initiated_event_id);
                }
            }
        }
    }
    pending.into_values().collect()
}

/// The runs that a run with these events was reset from, each with the event from which on it is no longer that one.
pub fn bases(events: &[Arc<HistoryEvent>]) -> Vec<(String, i64)> {
    let bases = events.iter().filter_map(|event| match &event.attributes {
        Some(Attributes::WorkflowTaskFailedEventAttributes(a)) if reseeds(event).is_some() => {
            Some((a.base_run_id.clone(), event.event_id))
        }
        _ => None,
    });
    bases.collect()
}

/// The end of a child, as a parent's history tells it: what the child itself would report.
pub fn ended_child(event: &HistoryEvent) -> Option<ChildClosed> {
    use Attributes as A;
    let closed = |initiated_event_id, child: &Option<common::WorkflowExecution>, close| {
        Some(ChildClosed {
            initiated_event_id,
            child: child.clone(),
            // The start is told apart.
            first_run_id: child
                .as_ref()
                .map(|child| child.run_id.clone())
                .unwrap_or_default(),
            close: Some(HistoryEvent {
                attributes: Some(close),
                ..Default::default()
            }),
        })
    };
    match event.attributes.as_ref()? {
        A::ChildWorkflowExecutionCompletedEventAttributes(a) => {
            let close = WorkflowExecutionCompletedEventAttributes {
                result: a.result.clone(),
                ..Default::default()
            };
            let close = A::WorkflowExecutionCompletedEventAttributes(close);
            closed(a.initiated_event_id, &a.workflow_execution, close)
        }
        A::ChildWorkflowExecutionFailedEventAttributes(a) => {
            let close = WorkflowExecutionFailedEventAttributes {
                failure: a.failure.clone(),
                retry_state: a.retry_state,
                ..Default::default()
            };
            let close = A::WorkflowExecutionFailedEventAttributes(close);
            closed(a.initiated_event_id, &a.workflow_execution, close)
        }
        A::ChildWorkflowExecutionCanceledEventAttributes(a) => {
            let close = WorkflowExecutionCanceledEventAttributes {
                details: a.details.clone(),
                ..Default::default()
            };
            let close = A::WorkflowExecutionCanceledEventAttributes(close);
            closed(a.initiated_event_id, &a.workflow_execution, close)
        }
        A::ChildWorkflowExecutionTimedOutEventAttributes(a) => {
            let close = WorkflowExecutionTimedOutEventAttributes {
                retry_state: a.retry_state,
                ..Default::default()
            };
            let close = A::WorkflowExecutionTimedOutEventAttributes(close);
            closed(a.initiated_event_id, &a.workflow_execution, close)
        }
        A::ChildWorkflowExecutionTerminatedEventAttributes(a) => {
            let close = A::WorkflowExecutionTerminatedEventAttributes(Default::default());
            closed(a.initiated_event_id, &a.workflow_execution, close)
        }
        _ => None,
    }
}

impl Reapply {
    /// Its size as it was sent, in bytes.
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Signal(signal) => signal.encoded_len(),
            Self::Update(update) => update.encoded_len(),
        }
    }
}

impl Execution {
    /// Begin a run from the first events of another, which [`point`] has counted. The caller stores those events; the turn has what
    /// comes after them. What they left pending is armed anew: timers by their times, activities from now on, messages to other
    /// executions that had no answer.
    ///
    /// # Errors
    ///
    /// The events cannot be folded, or do not end within a workflow task.
    pub fn reset(
        identity: Identity,
        kept: &[Arc<HistoryEvent>],
        reset: Reset,
        turn: &mut Turn,
    ) -> Result<Self, BadReset> {
        let new_run_id = identity.run_id.to_string();
        let mut execution = Self::from_history(identity, kept)?;
        let (scheduled_event_id, started_event_id) = match execution.task {
            State::Started {
                scheduled_event_id,
                started_event_id,
            } => (scheduled_event_id, started_event_id),
            State::Scheduled { scheduled_event_id } => {
                let attributes = WorkflowTaskStartedEventAttributes {
                    scheduled_event_id,
                    identity: SERVER.into(),
                    request_id: format!("{scheduled_event_id}/reset"),
                    history_size_bytes: i64::try_from(execution.history_bytes).unwrap_or(i64::MAX),
                    ..Default::default()
                };
                let attributes = Attributes::WorkflowTaskStartedEventAttributes(attributes);
                (scheduled_event_id, execution.emit(turn, attributes))
            }
            State::Idle => {
                return Err(BadReset::NoTask {
                    event_id: execution.next_event_id,
                    event: "none".into(),
                });
            }
        };
        let mut attributes = WorkflowTaskFailedEventAttributes {
            scheduled_event_id,
            started_event_id,
            failure: Some(Failure {
                message: reset.reason,
                source: "Server".into(),
                failure_info: Some(FailureInfo::ResetWorkflowFailureInfo(
                    ResetWorkflowFailureInfo::default(),
                )),
                ..Default::default()
            }),
            identity: SERVER.into(),
            base_run_id: reset.base_run_id,
            new_run_id,
            ..Default::default()
        };
        attributes.set_cause(WorkflowTaskFailedCause::ResetWorkflow);
        execution.emit(turn, Attributes::WorkflowTaskFailedEventAttributes(attributes));
        for (started_event_id, timer) in &execution.timers {
            turn.effects.push(Effect::TimerSet {
                started_event_id: *started_event_id,
                due_ns: timer.due_ns,
            });
        }
        for scheduled_event_id in execution.activities.keys() {
            turn.effects.push(Effect::ActivityChanged {
                scheduled_event_id: *scheduled_event_id,
            });
        }
        for order in execution.pending_orders() {
            turn.effects.push(Effect::OutboxPut { order });
        }
        Ok(execution)
    }

    /// Close a run that a reset goes on in place of. Its parent is not told, and its children that the new run has from it, initiated
    /// up to event `kept`, are left alone.
    ///
    /// # Errors
    ///
    /// The execution has closed.
    pub fn terminate_for_reset(
        &mut self,
        turn: &mut Turn,
        reason: String,
        identity: String,
        kept: i64,
    ) -> Result<(), Refused> {
        self.require_open()?;
        let attributes = WorkflowExecutionTerminatedEventAttributes {
            reason,
            details: None,
            identity,
        };
        self.close_keeping(
            turn,
            Attributes::WorkflowExecutionTerminatedEventAttributes(attributes),
            Some(kept),
        );
        Ok(())
    }

    /// A reset: what is pending begins again now.
    pub(super) fn begin_again(&mut self, event: &Arc<HistoryEvent>, base_run_id: &str, now_ns: u64) {
        self.failed_tasks = 0;
        self.reset_bases.push((base_run_id.to_owned(), event.event_id));
        self.reset_time_ns = Some(now_ns);
        for activity in self.activities.values_mut() {
            activity.begin_again(now_ns);
        }
        self.unseen.push(event.clone());
    }

    /// Whether this run was reset from that one, directly or over others: what is sent to that one is for this.
    pub fn is_reset_of(&self, run_id: &str) -> bool {
        self.reset_bases.iter().any(|(base, _)| base == run_id)
    }

    /// Whether a child that the run `run_id` has initiated by this event is one of this run. What a run has begun behind the point that
    /// it was reset to is none, also where this run has an event with the same id.
    pub fn has_child_of(&self, run_id: &str, initiated_event_id: i64) -> bool {
        *run_id == *self.identity.run_id
            || self
                .reset_bases
                .iter()
                .any(|(base, until)| base == run_id && initiated_event_id < *until)
    }

    /// The runs that this one was reset from which have this event as well.
    pub(super) fn bases_with(&self, event_id: i64) -> Vec<String> {
        let with = self.reset_bases.iter().filter(|(_, until)| event_id < *until);
        with.map(|(base, _)| base.clone()).collect()
    }
}

/// The new run's id, if the event is a reset: from there on it seeds the random numbers.
pub(crate) fn reseeds(event: &HistoryEvent) -> Option<&str> {
    match &event.attributes {
        Some(Attributes::WorkflowTaskFailedEventAttributes(a))
            if a.cause() == WorkflowTaskFailedCause::ResetWorkflow =>
        {
            Some(&a.new_run_id)
        }
        _ => None,
    }
}
