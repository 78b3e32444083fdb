//! What must hold when everything has happened.

use std::collections::{HashMap, HashSet};

use longhaul_history::{Attributes, HistoryEvent};
use longhaul_runtime::Error;
use longhaul_store::{Pending, Store, faults::Loss};
use serde_json::{Value, json};

use super::{
    plan::{Action, Ending, Op},
    play::Play,
};
use crate::common;

pub(crate) async fn all(play: &mut Play<'_>) {
    play.told.check_sums(play.plan);
    logs(play).await;
    ends(play);
    sums(play).await;
    for (id, _) in play.executions() {
        runs(play, id);
    }
    nothing_pending(play);
    // The questions have brought closed runs back; without one of them they leave again.
    play.world.sim.settle().await;
    let (runs, counted) = play.world.sim.runs_in_memory();
    assert_eq!(runs, counted, "runs in memory, and those that are counted");
}

/// Every log is what the plan says, and what was seen of it before is its beginning.
async fn logs(play: &mut Play<'_>) {
    let executions: Vec<(String, bool)> = play
        .executions()
        .map(|(id, must)| (id.to_owned(), must))
        .collect();
    for (id, must) in executions {
        let rt = play.world.rt();
        let log = match play.world.drive(common::query(rt, &id, "log")).await {
            Ok(log) => log,
            // It was ended before its first task.
            Err(Error::FailedPrecondition(_)) if !must => json!([]),
            Err(error) => panic!("the log of {id}: {error}"),
        };
        let log: Vec<String> = serde_json::from_value(log).unwrap();
        let mut expected = play.plan.expected[&id].clone();
        let clients = play.plan.clients.iter().flatten().chain(&play.plan.starts);
        for op in clients.filter(|op| op.to == id && play.plan.roots[op.root].continues) {
            for line in &op.lines {
                expected.allow(line, play.told.sends[&op.id]);
            }
        }
        let complaints = expected.complaints(&log, !must);
        assert!(
            complaints.is_empty(),
            "the log of {id}:\n{}\n{log:?}\n{}",
            complaints.join("\n"),
            play.histories()
        );
        let seen = play.told.log(&id);
        assert!(
            log.starts_with(seen),
            "the log of {id} is {log:?}, and a query has shown {seen:?}"
        );
        if let Some(result) = play.told.ends.get(&id).and_then(|end| end.get("completed"))
            && id.starts_with('r')
        {
            assert_eq!(*result, json!(log), "the result of {id} is its log");
        }
    }
}

/// Every root has ended as the plan says.
fn ends(play: &Play<'_>) {
    for root in &play.plan.roots {
        let end = play.told.ends.get(&root.id);
        let text = end.map(|end| match end {
            Value::String(text) => text.clone(),
            Value::Object(fields) => fields.keys().cloned().collect(),
            other => other.to_string(),
        });
        let expected = match root.ending {
            Ending::Complete => Some("completed"),
            Ending::Fail => Some("failed"),
            Ending::Cancel => Some("cancelled"),
            Ending::Terminate | Ending::Cut => Some("terminated"),
            Ending::Stay => None,
        };
        assert_eq!(text.as_deref(), expected, "{root:?}: {end:?}");
    }
}

/// Every update that was answered has added its number, once.
async fn sums(play: &mut Play<'_>) {
    let adds = |op: &&Op| matches!(op.action, Action::Add(_) | Action::UpdateWithStart(_));
    for root in play.plan.roots.iter().filter(|root| !root.continues) {
        let ops = play.plan.clients.iter().flatten().chain(&play.plan.starts);
        if !ops.filter(adds).any(|op| op.to == root.id) {
            continue;
        }
        let rt = play.world.rt();
        let sum = play
            .world
            .drive(common::query(rt, &root.id, "sum"))
            .await
            .unwrap();
        assert_eq!(sum, json!(root.sum), "the sum of {}", root.id);
    }
}

/// Every run's history is one that may be, and its code replays it.
fn runs(play: &Play<'_>, id: &str) {
    let rt = play.world.rt();
    let mut next = Some(String::new());
    while let Some(run_id) = next {
        let history = rt.whole_history("default", id, &run_id).unwrap();
        if let Err(complaint) = one_of_each(&history.events) {
            let text = longhaul_history::text::history(&history.events);
            panic!("{id}: {complaint}\n{text}");
        }
        let tasks = history.events.iter().any(|event| {
            matches!(
                event.attributes,
                Some(Attributes::WorkflowTaskCompletedEventAttributes(_))
            )
        });
        if tasks && let Err(error) = rt.replay("default", id, &run_id) {
            let text = longhaul_history::text::history(&history.events);
            panic!("live and replay differ: {id}: {error}\n{text}");
        }
        next = match history
            .events
            .into_iter()
            .next()
            .and_then(|event| event.attributes)
        {
            Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
                Some(started.continued_execution_run_id).filter(|run_id| !run_id.is_empty())
            }
            other => panic!("{id} begins with {other:?}"),
        };
    }
}

/// Ids without a gap, one end at most and nothing behind it, and one outcome at most of whatever was begun.
fn one_of_each(events: &[HistoryEvent]) -> Result<(), String> {
    let mut outcomes = HashSet::new();
    let mut accepted = HashMap::new();
    for (index, event) in events.iter().enumerate() {
        if event.event_id != index as i64 + 1 {
            return Err(format!("event {} stands at place {}", event.event_id, index + 1));
        }
        let Some(attributes) = &event.attributes else {
            return Err(format!("event {} has no attributes", event.event_id));
        };
        use Attributes::*;
        let closes = matches!(
            attributes,
            WorkflowExecutionCompletedEventAttributes(_)
                | WorkflowExecutionFailedEventAttributes(_)
                | WorkflowExecutionCanceledEventAttributes(_)
                | WorkflowExecutionTerminatedEventAttributes(_)
                | WorkflowExecutionContinuedAsNewEventAttributes(_)
                | WorkflowExecutionTimedOutEventAttributes(_)
        );
        if closes && index + 1 != events.len() {
            return Err(format!(
                "event {} closes the run and is not the last",
                event.event_id
            ));
        }
        // What has an outcome, and of which kind.
        let outcome = match attributes {
            WorkflowTaskFailedEventAttributes(a) => return Err(format!("a workflow task has failed: {a:?}")),
            WorkflowTaskTimedOutEventAttributes(_) => return Err("a workflow task has timed out".into()),
            WorkflowTaskCompletedEventAttributes(a) => Some(("task", a.scheduled_event_id)),
            TimerFiredEventAttributes(a) => Some(("timer", a.started_event_id)),
            TimerCanceledEventAttributes(a) => Some(("timer", a.started_event_id)),
            ActivityTaskCompletedEventAttributes(a) => Some(("activity", a.scheduled_event_id)),
            ActivityTaskFailedEventAttributes(a) => Some(("activity", a.scheduled_event_id)),
            ActivityTaskTimedOutEventAttributes(a) => Some(("activity", a.scheduled_event_id)),
            ActivityTaskCanceledEventAttributes(a) => Some(("activity", a.scheduled_event_id)),
            StartChildWorkflowExecutionFailedEventAttributes(a) => Some(("start", a.initiated_event_id)),
            ChildWorkflowExecutionStartedEventAttributes(a) => Some(("start", a.initiated_event_id)),
            ChildWorkflowExecutionCompletedEventAttributes(a) => Some(("child", a.initiated_event_id)),
            ChildWorkflowExecutionFailedEventAttributes(a) => Some(("child", a.initiated_event_id)),
            ChildWorkflowExecutionCanceledEventAttributes(a) => Some(("child", a.initiated_event_id)),
            ChildWorkflowExecutionTerminatedEventAttributes(a) => Some(("child", a.initiated_event_id)),
            ExternalWorkflowExecutionSignaledEventAttributes(a) => Some(("signal", a.initiated_event_id)),
            SignalExternalWorkflowExecutionFailedEventAttributes(a) => Some(("signal", a.initiated_event_id)),
            ExternalWorkflowExecutionCancelRequestedEventAttributes(a) => {
                Some(("cancel", a.initiated_event_id))
            }
            RequestCancelExternalWorkflowExecutionFailedEventAttributes(a) => {
                Some(("cancel", a.initiated_event_id))
            }
            WorkflowExecutionUpdateAcceptedEventAttributes(a) => {
                if accepted.insert(a.protocol_instance_id.clone(), false).is_some() {
                    return Err(format!("update {} was accepted twice", a.protocol_instance_id));
                }
                None
            }
            WorkflowExecutionUpdateCompletedEventAttributes(a) => {
                let id = a
                    .meta
                    .as_ref()
                    .map(|meta| meta.update_id.clone())
                    .unwrap_or_default();
                if accepted.insert(id.clone(), true) != Some(false) {
                    return Err(format!("update {id} has ended twice, or was not accepted"));
                }
                None
            }
            _ => None,
        };
        if let Some(outcome) = outcome
            && !outcomes.insert(outcome)
        {
            return Err(format!(
                "the {} of event {} has two outcomes",
                outcome.0, outcome.1
            ));
        }
    }
    Ok(())
}

/// Nothing waits any more that has happened or never will: no activity, no update, no message to another execution.
fn nothing_pending(play: &Play<'_>) {
    let disk = play.world.disk.crash(Loss::All);
    let store = Store::open_with_backend(common::options().store, disk).unwrap();
    let snapshot = store.read().unwrap();
    for pending in Pending::ALL {
        let left: Vec<_> = snapshot.pending(pending).unwrap().map(Result::unwrap).collect();
        assert!(left.is_empty(), "{pending:?}: {left:?}\n{}", play.histories());
    }
}
