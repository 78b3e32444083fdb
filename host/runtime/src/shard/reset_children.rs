//! What became of the children of a run that is reset (E9, E5).
//!
//! A child that is pending at the point may have gone on since, and what it has told its parent may have gone to a run that the reset
//! replaces. So the reset looks at the children themselves: the new run begins with the start of each that was started and the end of
//! each that has ended, and only what was never started is sent again. A child that still runs tells the new run of its end.

use std::sync::Arc;

use longhaul_engine::{
    Execution, Turn,
    execution::reset::{self, PendingChild},
    outgoing::ChildClosed,
    proto::{
        common::v1::WorkflowExecution,
        history::v1::{HistoryEvent, history_event::Attributes},
    },
};
use longhaul_history::codec;
use longhaul_store::{Current, ExecutionRecord, Filter, Group, Limit, NamespaceId, RunId, Snapshot};
use prost::Message as _;

use super::Place;
use crate::{Error, core::Core, executions::Extra};

/// Executions that are read at once of those that had a child's workflow id.
const PAGE: usize = 100;

/// The children that are pending at the point.
pub(super) struct Children(Vec<Child>);

struct Child {
    pending: PendingChild,
    found: Found,
}

/// How a child stands.
enum Found {
    /// No execution is this child, and the run that has its id is this one: it was not started, as far as the store knows.
    None(Option<Current>),
    /// It runs; its first run, and the run that has its id.
    Running(RunId, Option<Current>),
    /// It has ended, and will not begin again by itself.
    Ended(Box<ChildClosed>),
}

/// Where the children of the kept part may have been started.
struct Parents<'a> {
    place: &'a Place,
    base: String,
    /// The runs that the base was reset from, with the event from which on it is no longer that one.
    bases: Vec<(String, i64)>,
}

impl Parents<'_> {
    fn have(&self, child: &PendingChild, record: &ExecutionRecord) -> Result<bool, Error> {
        let Some(parent) = Extra::of(record)?.parent else {
            return Ok(false);
        };
        let id = child.initiated_event_id;
        let known = |(base, until): &(String, i64)| *base == parent.run_id && id < *until;
        Ok(parent.initiated_event_id == id
            && *parent.workflow_id == *self.place.workflow_id
            && (parent.run_id == self.base || self.bases.iter().any(known)))
    }
}

impl Children {
    /// `later` is what came behind the kept part in the same run.
    pub(super) fn read(
        snapshot: &Snapshot,
        place: &Place,
        base: RunId,
        bases: Vec<(String, i64)>,
        kept: &[Arc<HistoryEvent>],
        later: &[Arc<HistoryEvent>],
    ) -> Result<Self, Error> {
        let base = base.to_string();
        let parents = Parents { place, base, bases };
        let children = reset::pending_children(kept).into_iter().map(|pending| {
            let found = match newest_of(snapshot, &parents, &pending)? {
                Some(record) if record.status.is_open() => {
                    let current = snapshot.current(place.namespace, &pending.workflow_id)?;
                    Found::Running(record.first_run_id, current)
                }
                Some(record) => Found::Ended(Box::new(end_of(snapshot, &pending, &record)?)),
                None => match told(&pending, later) {
                    Some(closed) => Found::Ended(Box::new(closed)),
                    None if pending.first_run_id.is_some() => return Err(lost(&pending)),
                    None => Found::None(snapshot.current(place.namespace, &pending.workflow_id)?),
                },
            };
            Ok(Child { pending, found })
        });
        children.collect::<Result<_, _>>().map(Self)
    }

    /// Whether none of them was started or has ended since they were read. What reaches their parent from now on is behind that.
    pub(super) fn are_as_read(&self, core: &Core, namespace: NamespaceId) -> Result<bool, Error> {
        let snapshot = core.snapshot()?;
        for child in &self.0 {
            let (Found::None(read) | Found::Running(_, read)) = &child.found else {
                continue;
            };
            if snapshot.current(namespace, &child.pending.workflow_id)? != *read {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What the new run is told of them, encoded, in bytes.
    pub(super) fn encoded_len(&self) -> usize {
        let ends = self.0.iter().map(|child| match &child.found {
            Found::Ended(closed) => closed.encoded_len(),
            Found::None(_) | Found::Running(..) => 0,
        });
        ends.sum()
    }

    /// Tell the new run.
    pub(super) fn tell(&self, execution: &mut Execution, turn: &mut Turn) {
        for child in &self.0 {
            match &child.found {
                Found::None(_) => {}
                Found::Running(first_run_id, _) => {
                    let id = child.pending.initiated_event_id;
                    execution.child_started(turn, id, &first_run_id.to_string());
                }
                Found::Ended(closed) => {
                    execution.child_closed(turn, closed);
                }
            }
        }
    }
}

/// The newest run of the child.
fn newest_of(
    snapshot: &Snapshot,
    parents: &Parents<'_>,
    child: &PendingChild,
) -> Result<Option<ExecutionRecord>, Error> {
    let filter = Filter {
        group: Group::WorkflowId(child.workflow_id.clone()),
        ..Filter::all(parents.place.namespace)
    };
    let limit = Limit {
        executions: PAGE,
        examined: PAGE,
    };
    let (mut newest, mut after) = (None::<ExecutionRecord>, None);
    loop {
        // What is open comes first, then what has closed, the last one first. Runs that closed at the same time are told apart by
        // their ids, which grow.
        let page = snapshot.list(&filter, after, limit, |_| true)?;
        for record in page.executions {
            if let Some(newest) = &newest
                && (newest.close_time_ns != record.close_time_ns || newest.run_id > record.run_id)
            {
                if newest.close_time_ns > record.close_time_ns || newest.status.is_open() {
                    return Ok(Some(newest.clone()));
                }
                continue;
            }
            if parents.have(child, &record)? {
                newest = Some(record);
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(newest);
        }
    }
}

/// What the child would report of its end.
fn end_of(snapshot: &Snapshot, child: &PendingChild, record: &ExecutionRecord) -> Result<ChildClosed, Error> {
    let damaged =
        |why: &str| Error::Internal(format!("the history of run {} is damaged: {why}", record.run_id));
    let last = snapshot.last_events(record.namespace, record.run_id)?;
    let last = last.ok_or_else(|| damaged("it is empty"))?;
    let events = codec::decode_batch(&last.bytes).map_err(|error| damaged(&error.to_string()))?;
    Ok(ChildClosed {
        initiated_event_id: child.initiated_event_id,
        child: Some(WorkflowExecution {
            workflow_id: record.workflow_id.clone(),
            run_id: record.run_id.to_string(),
        }),
        first_run_id: record.first_run_id.to_string(),
        close: events.into_iter().next_back(),
    })
}

/// The end of a child whose own history has been deleted, as its parent was told of it.
fn told(child: &PendingChild, later: &[Arc<HistoryEvent>]) -> Option<ChildClosed> {
    let id = child.initiated_event_id;
    let started = later.iter().find_map(|event| match &event.attributes {
        Some(Attributes::ChildWorkflowExecutionStartedEventAttributes(a)) if a.initiated_event_id == id => {
            a.workflow_execution.as_ref().map(|first| first.run_id.clone())
        }
        _ => None,
    });
    let mut ends = later.iter().filter_map(|event| reset::ended_child(event));
    let closed = ends.find(|closed| closed.initiated_event_id == id)?;
    Some(ChildClosed {
        first_run_id: child.first_run_id.clone().or(started).unwrap_or_default(),
        ..closed
    })
}

fn lost(child: &PendingChild) -> Error {
    Error::FailedPrecondition(format!(
        "the child {:?}, which event {} has initiated and which was running at that point, has been deleted, and nothing tells how it \
         ended: reset to a workflow task before that event, or to one behind the child's end",
        child.workflow_id, child.initiated_event_id
    ))
}
