//! What the code does against what history says it did (W4).
//!
//! Compared are kind, id, type or name, and input; not durations, timeouts, retry policies, queues or results, so that those can be
//! changed under running executions.

use std::sync::Arc;

use longhaul_history::{
    payload,
    proto::{
        common::v1 as common,
        history::v1::{HistoryEvent, history_event::Attributes},
    },
};

use crate::{Intent, Nondeterminism, replay::TaskSlice};

/// Compare a task's intents with the events that history holds. Answers which event each started operation is.
///
/// # Errors
///
/// The first difference.
pub fn task<'a>(
    intents: &[(Option<u32>, Intent)],
    slice: &TaskSlice<'a>,
) -> Result<Vec<(u32, &'a Arc<HistoryEvent>)>, Nondeterminism> {
    let mut bindings = Vec::new();
    let mut outcome = slice.outcome.iter();
    for (call, intent) in intents {
        let Some(event) = outcome.next() else {
            return Err(Nondeterminism {
                event_id: slice.completed.event_id,
                expected: "no further command of this workflow task".into(),
                found: describe(intent),
                call: *call,
            });
        };
        if let Some(expected) = difference(intent, event) {
            return Err(Nondeterminism {
                event_id: event.event_id,
                expected,
                found: describe(intent),
                call: *call,
            });
        }
        if let Intent::StartTimer { seq, .. } | Intent::ScheduleActivity { seq, .. } = intent {
            bindings.push((*seq, event));
        }
    }
    match outcome.next() {
        None => Ok(bindings),
        Some(event) => Err(Nondeterminism {
            event_id: event.event_id,
            expected: describe_event(event),
            found: "no further command in this workflow task".into(),
            call: None,
        }),
    }
}

/// What history has instead, if the two differ.
fn difference(intent: &Intent, event: &HistoryEvent) -> Option<String> {
    use Attributes as A;
    let Some(attributes) = &event.attributes else {
        return Some(describe_event(event));
    };
    let same = match (intent, attributes) {
        (Intent::StartTimer { seq, .. }, A::TimerStartedEventAttributes(a)) => is_decimal(&a.timer_id, *seq),
        (Intent::CancelTimer { started_event_id, .. }, A::TimerCanceledEventAttributes(a)) => {
            *started_event_id == a.started_event_id
        }
        (Intent::ScheduleActivity { seq, options }, A::ActivityTaskScheduledEventAttributes(a)) => {
            let id = match &options.activity_id {
                Some(id) => *id == a.activity_id,
                None => is_decimal(&a.activity_id, *seq),
            };
            let same_type = a
                .activity_type
                .as_ref()
                .is_some_and(|t| t.name == options.activity_type);
            if id && same_type && !same_input(&options.input, a.input.as_ref()) {
                return Some(format!(
                    "{} with another input: {}",
                    describe_event(event),
                    text_of(a.input.as_ref())
                ));
            }
            id && same_type
        }
        (
            Intent::CancelActivity {
                scheduled_event_id, ..
            },
            A::ActivityTaskCancelRequestedEventAttributes(a),
        ) => *scheduled_event_id == a.scheduled_event_id,
        (Intent::AcceptUpdate { id }, A::WorkflowExecutionUpdateAcceptedEventAttributes(a)) => {
            *id == a.protocol_instance_id
        }
        (Intent::CompleteUpdate { id, .. }, A::WorkflowExecutionUpdateCompletedEventAttributes(a)) => {
            a.meta.as_ref().is_some_and(|meta| *id == meta.update_id)
        }
        (Intent::Complete(_), A::WorkflowExecutionCompletedEventAttributes(_))
        | (Intent::Fail(_), A::WorkflowExecutionFailedEventAttributes(_))
        | (Intent::Cancelled(_), A::WorkflowExecutionCanceledEventAttributes(_)) => true,
        _ => false,
    };
    (!same).then(|| describe_event(event))
}

fn is_decimal(id: &str, seq: u32) -> bool {
    id.parse() == Ok(seq)
}

fn same_input(ours: &common::Payloads, theirs: Option<&common::Payloads>) -> bool {
    let theirs = theirs.map_or(&[][..], |payloads| &payloads.payloads);
    payload::all_equal(&ours.payloads, theirs)
}

fn text_of(payloads: Option<&common::Payloads>) -> String {
    longhaul_history::text::payloads(payloads)
}

/// An intent in the words of the text form.
fn describe(intent: &Intent) -> String {
    match intent {
        Intent::StartTimer { seq, .. } => format!("TimerStarted id={seq}"),
        Intent::CancelTimer { seq, .. } => format!("TimerCanceled id={seq}"),
        Intent::ScheduleActivity { seq, options } => {
            let seq = seq.to_string();
            let id = options.activity_id.as_deref().unwrap_or(&seq);
            format!(
                "ActivityTaskScheduled id={id} type={} input={}",
                options.activity_type,
                text_of(Some(&options.input))
            )
        }
        Intent::CancelActivity {
            scheduled_event_id, ..
        } => {
            format!("ActivityTaskCancelRequested scheduled={scheduled_event_id}")
        }
        Intent::AcceptUpdate { id } => format!("WorkflowExecutionUpdateAccepted id={id}"),
        Intent::CompleteUpdate { id, .. } => format!("WorkflowExecutionUpdateCompleted id={id}"),
        Intent::Complete(_) => "WorkflowExecutionCompleted".into(),
        Intent::Fail(_) => "WorkflowExecutionFailed".into(),
        Intent::Cancelled(_) => "WorkflowExecutionCanceled".into(),
    }
}

fn describe_event(event: &HistoryEvent) -> String {
    // The line without its number, which the message has already.
    longhaul_history::text::event(event)
        .trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit())
        .to_owned()
}
