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

use crate::{
    Intent, Nondeterminism, Target,
    local::LocalMarker,
    patch::{Patch, is_version_list},
    replay::TaskSlice,
};

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
    let mut outcome = Outcome::new(slice);
    for (call, intent) in intents {
        let event = match intent {
            Intent::Patched { id, .. } => match outcome.next_patch(id) {
                Next::Event(event) => Some(event),
                Next::None => None,
                Next::Skip => continue,
            },
            _ => outcome.next(),
        };
        let Some(event) = event else {
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
        match intent {
            Intent::StartTimer { seq, .. }
            | Intent::ScheduleActivity { seq, .. }
            | Intent::StartChild { seq, .. }
            | Intent::CancelChild { seq, .. }
            | Intent::SignalExternal { seq, .. }
            | Intent::CancelExternal { seq, .. } => bindings.push((*seq, event)),
            _ => {}
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

/// The events of a task's commands, as code has to account for them. As with Temporal's Core SDK, the marker of a patch that was
/// written as deprecated need not be accounted for, and the list of patches behind a marker belongs to it.
struct Outcome<'a> {
    events: &'a [Arc<HistoryEvent>],
    at: usize,
}

enum Next<'a> {
    Event(&'a Arc<HistoryEvent>),
    None,
    /// The intent needs no event.
    Skip,
}

impl<'a> Outcome<'a> {
    fn new(slice: &TaskSlice<'a>) -> Self {
        Self {
            events: slice.outcome,
            at: 0,
        }
    }

    /// The next event that a command other than `patched` has to account for.
    fn next(&mut self) -> Option<&'a Arc<HistoryEvent>> {
        while self.patch().is_some_and(|patch| patch.deprecated) {
            self.take_patch();
        }
        let event = self.events.get(self.at)?;
        self.at += 1;
        Some(event)
    }

    /// The marker of a patch.
    fn next_patch(&mut self, id: &str) -> Next<'a> {
        while let Some(patch) = self.patch() {
            if patch.id == id || !patch.deprecated {
                return Next::Event(self.take_patch());
            }
            self.take_patch();
        }
        // Where the code asks at another place than history says, only a deprecated marker can be told from a changed order.
        let floats = |event: &Arc<HistoryEvent>| {
            Patch::of(event).is_some_and(|patch| patch.deprecated && patch.id == id)
        };
        if self.events.iter().any(floats) {
            return Next::Skip;
        }
        match self.events.get(self.at) {
            Some(event) => Next::Event(event),
            None => Next::None,
        }
    }

    fn patch(&self) -> Option<Patch> {
        self.events.get(self.at).and_then(|event| Patch::of(event))
    }

    fn take_patch(&mut self) -> &'a Arc<HistoryEvent> {
        let marker = &self.events[self.at];
        self.at += 1;
        if self
            .events
            .get(self.at)
            .is_some_and(|event| is_version_list(event))
        {
            self.at += 1;
        }
        marker
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
                return Some(other_input(event, a.input.as_ref()));
            }
            id && same_type
        }
        (
            Intent::CancelActivity {
                scheduled_event_id, ..
            },
            A::ActivityTaskCancelRequestedEventAttributes(a),
        ) => *scheduled_event_id == a.scheduled_event_id,
        (Intent::StartChild { options, .. }, A::StartChildWorkflowExecutionInitiatedEventAttributes(a)) => {
            let same_child = a.workflow_id == options.workflow_id
                && a.workflow_type
                    .as_ref()
                    .is_some_and(|t| t.name == options.workflow_type);
            if same_child && !same_input(&options.input, a.input.as_ref()) {
                return Some(other_input(event, a.input.as_ref()));
            }
            same_child
        }
        (
            Intent::CancelChild { workflow_id, .. },
            A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a),
        ) => {
            a.child_workflow_only
                && a.workflow_execution
                    .as_ref()
                    .is_some_and(|child| child.workflow_id == *workflow_id)
        }
        (
            Intent::SignalExternal {
                target,
                child_only,
                signal,
                ..
            },
            A::SignalExternalWorkflowExecutionInitiatedEventAttributes(a),
        ) => {
            let same_signal = a.child_workflow_only == *child_only
                && same_target(target, a.workflow_execution.as_ref())
                && a.signal_name == signal.name;
            if same_signal && !same_input(&signal.input, a.input.as_ref()) {
                return Some(other_input(event, a.input.as_ref()));
            }
            same_signal
        }
        (
            Intent::CancelExternal { target, .. },
            A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a),
        ) => !a.child_workflow_only && same_target(target, a.workflow_execution.as_ref()),
        (Intent::Patched { id, .. }, A::MarkerRecordedEventAttributes(_)) => {
            Patch::of(event).is_some_and(|patch| patch.id == *id)
        }
        (Intent::RecordLocalActivity(ours), A::MarkerRecordedEventAttributes(_)) => LocalMarker::of(event)
            .is_some_and(|marker| {
                marker.seq == ours.seq
                    && marker.side_effect == ours.side_effect
                    && marker.activity_id == ours.activity_id
                    && marker.activity_type == ours.activity_type
            }),
        (Intent::UpsertSearchAttributes(_), A::UpsertWorkflowSearchAttributesEventAttributes(_)) => {
            !is_version_list(event)
        }
        (Intent::ContinueAsNew(options), A::WorkflowExecutionContinuedAsNewEventAttributes(a)) => {
            let same_type = options
                .workflow_type
                .as_ref()
                .is_none_or(|name| a.workflow_type.as_ref().is_some_and(|t| t.name == *name));
            if same_type && !same_input(&options.input, a.input.as_ref()) {
                return Some(other_input(event, a.input.as_ref()));
            }
            same_type
        }
        (Intent::AcceptUpdate { id }, A::WorkflowExecutionUpdateAcceptedEventAttributes(a)) => {
            *id == a.protocol_instance_id
        }
        (Intent::CompleteUpdate { id, .. }, A::WorkflowExecutionUpdateCompletedEventAttributes(a)) => {
            a.meta.as_ref().is_some_and(|meta| *id == meta.update_id)
        }
        (Intent::Complete(_), A::WorkflowExecutionCompletedEventAttributes(_))
        | (Intent::Fail(_), A::WorkflowExecutionFailedEventAttributes(_))
        | (Intent::Cancelled(_), A::WorkflowExecutionCanceledEventAttributes(_))
        | (Intent::UpsertMemo(_), A::WorkflowPropertiesModifiedEventAttributes(_)) => true,
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

fn other_input(event: &HistoryEvent, input: Option<&common::Payloads>) -> String {
    format!("{} with another input: {}", describe_event(event), text_of(input))
}

fn same_target(ours: &Target, theirs: Option<&common::WorkflowExecution>) -> bool {
    theirs.is_some_and(|theirs| {
        ours.workflow_id == theirs.workflow_id && ours.run_id.as_deref().unwrap_or("") == theirs.run_id
    })
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
        Intent::StartChild { options, .. } => format!(
            "StartChildWorkflowExecutionInitiated type={} id={} input={}",
            options.workflow_type,
            options.workflow_id,
            text_of(Some(&options.input))
        ),
        Intent::CancelChild { workflow_id, .. } => {
            format!("RequestCancelExternalWorkflowExecutionInitiated to={workflow_id} child=true")
        }
        Intent::SignalExternal {
            target,
            child_only,
            signal,
            ..
        } => format!(
            "SignalExternalWorkflowExecutionInitiated to={}{} name={} input={}",
            describe_target(target),
            if *child_only { " child=true" } else { "" },
            signal.name,
            text_of(Some(&signal.input))
        ),
        Intent::CancelExternal { target, .. } => format!(
            "RequestCancelExternalWorkflowExecutionInitiated to={}",
            describe_target(target)
        ),
        Intent::Patched { id, .. } => format!("MarkerRecorded of patch {id}"),
        Intent::RecordLocalActivity(marker) if marker.side_effect => {
            format!("MarkerRecorded of side effect {}", marker.seq)
        }
        Intent::RecordLocalActivity(marker) => format!(
            "MarkerRecorded of local activity {} (id={} seq={})",
            marker.activity_type, marker.activity_id, marker.seq
        ),
        Intent::UpsertMemo(_) => "WorkflowPropertiesModified".into(),
        Intent::UpsertSearchAttributes(_) => "UpsertWorkflowSearchAttributes".into(),
        Intent::ContinueAsNew(options) => format!(
            "WorkflowExecutionContinuedAsNew{} input={}",
            options
                .workflow_type
                .as_ref()
                .map(|name| format!(" type={name}"))
                .unwrap_or_default(),
            text_of(Some(&options.input))
        ),
        Intent::AcceptUpdate { id } => format!("WorkflowExecutionUpdateAccepted id={id}"),
        Intent::CompleteUpdate { id, .. } => format!("WorkflowExecutionUpdateCompleted id={id}"),
        Intent::Complete(_) => "WorkflowExecutionCompleted".into(),
        Intent::Fail(_) => "WorkflowExecutionFailed".into(),
        Intent::Cancelled(_) => "WorkflowExecutionCanceled".into(),
    }
}

fn describe_target(target: &Target) -> String {
    match &target.run_id {
        Some(run_id) => format!("{}/{run_id}", target.workflow_id),
        None => target.workflow_id.clone(),
    }
}

fn describe_event(event: &HistoryEvent) -> String {
    // The line without its number, which the message has already.
    longhaul_history::text::event(event)
        .trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit())
        .to_owned()
}
