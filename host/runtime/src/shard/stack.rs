//! The stack trace: where each task waits, and what the host knows of the operation that it waits for.

use longhaul_engine::{Execution, Session, activity::Activity, proto::common::v1::Payload};
use longhaul_history::{payload, time};
use longhaul_sandbox::wit::definition::WaitingTask;

/// Where each task waits, one a line. The code says what it awaits; when that is due and how far it is comes from the run's state.
pub(super) fn stack_trace(
    tasks: &[WaitingTask],
    session: &Session,
    execution: &Execution,
    now_ns: u64,
) -> Payload {
    // A run that has closed waits for nothing any more: its code shows where it stopped.
    let event_of = |seq| session.event_of(seq).filter(|_| execution.is_open());
    let mut text = String::new();
    for task in tasks {
        text.push_str(&format!("{}: waits for {}", task.task, task.awaits));
        if let Some(event_id) = task.seq.and_then(event_of) {
            text.push_str(&known_of(execution, event_id, now_ns));
        }
        if !task.place.is_empty() {
            text.push_str(&format!(" at {}", task.place));
        }
        text.push('\n');
    }
    payload::json_payload(&serde_json::Value::String(text))
}

/// What is known of the operation that this event began.
fn known_of(execution: &Execution, event_id: i64, now_ns: u64) -> String {
    if let Some(timer) = execution.timers().get(&event_id) {
        return format!(", due {}", at(timer.due_ns));
    }
    if let Some(activity) = execution.activities().get(&event_id) {
        return format!(
            ", attempt {}{}",
            activity.attempt.number,
            state_of(activity, now_ns)
        );
    }
    if let Some(child) = execution.children().get(&event_id) {
        let state = if child.started.is_some() {
            "started"
        } else {
            "initiated"
        };
        return format!(", id {} ({state})", child.workflow_id());
    }
    let on_its_way = execution.external_signals().contains_key(&event_id)
        || execution.external_cancels().contains_key(&event_id);
    if on_its_way {
        return String::new();
    }
    // The run was parked before its code could be told.
    " (has ended)".to_owned()
}

/// What keeps an activity; empty while its attempt runs and nobody has asked it to stop.
fn state_of(activity: &Activity, now_ns: u64) -> String {
    let waits = match (activity.attempt.started_ns, activity.attempt.due_ns) {
        (Some(_), _) => None,
        (None, due_ns) if due_ns > now_ns => Some(format!("due {}", at(due_ns))),
        (None, _) => Some("not started".to_owned()),
    };
    let cancelled = activity.cancel_requested_event_id;
    let cancelled = cancelled.map(|_| "cancellation requested".to_owned());
    let parts: Vec<String> = waits.into_iter().chain(cancelled).collect();
    if parts.is_empty() {
        return String::new();
    }
    format!(" ({})", parts.join(", "))
}

fn at(ns: u64) -> String {
    time::format_timestamp(&time::timestamp_from_ns(ns))
}
