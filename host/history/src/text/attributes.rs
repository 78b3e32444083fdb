//! Which attributes of each event a line shows.

use serde_json::Value;

use super::{
    short_name,
    value::{Line, cut, write_sorted},
};
use crate::{
    Attributes, HistoryEvent, json, payload,
    proto::{
        common::v1::{ActivityType, WorkflowType},
        enums::v1::{ContinueAsNewInitiator, ParentClosePolicy, RetryState, TimeoutType},
        history::v1 as history,
        taskqueue::v1::TaskQueue,
        update::v1::{Outcome, Request, outcome},
        workflow::v1::versioning_override::Override,
    },
    time,
};

/// Write the attributes that matter, then what every event may carry.
pub(super) fn write(line: &mut Line, event: &HistoryEvent) {
    if let Some(attributes) = &event.attributes
        && !execution(line, attributes)
        && !task(line, attributes)
        && !activity(line, attributes)
        && !message(line, attributes)
        && !child(line, attributes)
        && !external(line, attributes)
        && !own(line, attributes)
    {
        other(line, event);
    }
    if let Some(summary) = event
        .user_metadata
        .as_ref()
        .and_then(|metadata| metadata.summary.as_ref())
    {
        match payload::to_json(summary) {
            Some(Value::String(text)) => line.word("summary", &text),
            _ => line.pair("summary", "<not a text>"),
        }
    }
}

/// The execution's own life. False if the event is of another kind, as in the functions below.
fn execution(line: &mut Line, attributes: &Attributes) -> bool {
    match attributes {
        Attributes::WorkflowExecutionStartedEventAttributes(a) => started(line, a),
        Attributes::WorkflowExecutionCompletedEventAttributes(a) => {
            line.result("result", &a.result);
            line.volatile("next-run", &a.new_execution_run_id);
        }
        Attributes::WorkflowExecutionFailedEventAttributes(a) => {
            line.failure("failure", &a.failure);
            retry_state(line, a.retry_state());
            line.volatile("next-run", &a.new_execution_run_id);
        }
        Attributes::WorkflowExecutionTimedOutEventAttributes(a) => {
            retry_state(line, a.retry_state());
            line.volatile("next-run", &a.new_execution_run_id);
        }
        Attributes::WorkflowExecutionCancelRequestedEventAttributes(a) => {
            line.word("cause", &a.cause);
            line.execution("from", &a.external_workflow_execution);
            line.volatile("identity", &a.identity);
        }
        Attributes::WorkflowExecutionCanceledEventAttributes(a) => line.result("details", &a.details),
        Attributes::WorkflowExecutionTerminatedEventAttributes(a) => {
            line.word("reason", &a.reason);
            line.result("details", &a.details);
            line.volatile("identity", &a.identity);
        }
        Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(a) => {
            if let Some(Override::Pinned(pinned)) =
                a.versioning_override.as_ref().and_then(|o| o.r#override.as_ref())
                && let Some(version) = &pinned.version
            {
                line.word(
                    "version",
                    &format!("{}:{}", version.deployment_name, version.build_id),
                );
            }
            line.volatile("identity", &a.identity);
        }
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(a) => {
            workflow_type(line, &a.workflow_type);
            queue(line, &a.task_queue);
            line.arguments("input", &a.input);
            initiator(line, a.initiator());
            line.duration("backoff", &a.backoff_start_interval);
            line.header(&a.header);
            line.volatile("next-run", &a.new_execution_run_id);
        }
        _ => return false,
    }
    true
}

fn started(line: &mut Line, a: &history::WorkflowExecutionStartedEventAttributes) {
    /// Temporal's default task timeout, not worth showing.
    const TASK_TIMEOUT_NS: u64 = 10 * time::NS_PER_SECOND;

    workflow_type(line, &a.workflow_type);
    line.word("id", &a.workflow_id);
    queue(line, &a.task_queue);
    line.arguments("input", &a.input);
    line.duration("execution-timeout", &a.workflow_execution_timeout);
    line.duration("run-timeout", &a.workflow_run_timeout);
    if a.workflow_task_timeout.as_ref().and_then(time::ns_from_duration) != Some(TASK_TIMEOUT_NS) {
        line.duration("task-timeout", &a.workflow_task_timeout);
    }
    line.retry_policy(&a.retry_policy);
    attempt(line, a.attempt);
    line.word("cron", &a.cron_schedule);
    line.duration("backoff", &a.first_workflow_task_backoff);
    initiator(line, a.initiator());
    line.execution("parent", &a.parent_workflow_execution);
    if let Some(memo) = &a.memo {
        line.fields("memo", &memo.fields);
    }
    if let Some(attributes) = &a.search_attributes {
        line.fields("search", &attributes.indexed_fields);
    }
    line.result("last-result", &a.last_completion_result);
    line.failure("last-failure", &a.continued_failure);
    line.header(&a.header);
    line.volatile("first-run", &a.first_execution_run_id);
    line.volatile("run", &a.original_execution_run_id);
    line.volatile("continued-from", &a.continued_execution_run_id);
    line.volatile("identity", &a.identity);
}

/// Workflow tasks.
fn task(line: &mut Line, attributes: &Attributes) -> bool {
    match attributes {
        Attributes::WorkflowTaskScheduledEventAttributes(a) => attempt(line, a.attempt),
        Attributes::WorkflowTaskStartedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            if a.suggest_continue_as_new {
                let reasons: Vec<String> = a
                    .suggest_continue_as_new_reasons()
                    .map(|reason| short_name(reason.as_str_name(), "SUGGEST_CONTINUE_AS_NEW_REASON_"))
                    .collect();
                line.pair("suggests-continue-as-new", &format!("({})", reasons.join(",")));
            }
            line.volatile("bytes", &a.history_size_bytes.to_string());
            line.volatile("identity", &a.identity);
        }
        Attributes::WorkflowTaskCompletedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            if let Some(version) = &a.deployment_version {
                line.volatile(
                    "version",
                    &format!("{}:{}", version.deployment_name, version.build_id),
                );
            }
            line.volatile("identity", &a.identity);
        }
        Attributes::WorkflowTaskTimedOutEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            timeout_type(line, a.timeout_type());
        }
        Attributes::WorkflowTaskFailedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            line.word(
                "cause",
                &short_name(a.cause().as_str_name(), "WORKFLOW_TASK_FAILED_CAUSE_"),
            );
            line.failure("failure", &a.failure);
            line.volatile("base-run", &a.base_run_id);
            line.volatile("new-run", &a.new_run_id);
            line.volatile("identity", &a.identity);
        }
        _ => return false,
    }
    true
}

/// Activities.
fn activity(line: &mut Line, attributes: &Attributes) -> bool {
    match attributes {
        Attributes::ActivityTaskScheduledEventAttributes(a) => {
            line.word("id", &a.activity_id);
            activity_type(line, &a.activity_type);
            queue(line, &a.task_queue);
            line.arguments("input", &a.input);
            line.duration("schedule-to-close", &a.schedule_to_close_timeout);
            line.duration("schedule-to-start", &a.schedule_to_start_timeout);
            line.duration("start-to-close", &a.start_to_close_timeout);
            line.duration("heartbeat", &a.heartbeat_timeout);
            line.retry_policy(&a.retry_policy);
            line.header(&a.header);
        }
        Attributes::ActivityTaskStartedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            attempt(line, a.attempt);
            line.failure("last-failure", &a.last_failure);
            line.volatile("identity", &a.identity);
        }
        Attributes::ActivityTaskCompletedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            line.result("result", &a.result);
            line.volatile("identity", &a.identity);
        }
        Attributes::ActivityTaskFailedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            line.failure("failure", &a.failure);
            retry_state(line, a.retry_state());
            line.volatile("identity", &a.identity);
        }
        Attributes::ActivityTaskTimedOutEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            line.failure("failure", &a.failure);
            retry_state(line, a.retry_state());
        }
        Attributes::ActivityTaskCancelRequestedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id)
        }
        Attributes::ActivityTaskCanceledEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            line.result("details", &a.details);
            line.volatile("identity", &a.identity);
        }
        _ => return false,
    }
    true
}

/// Signals and updates.
fn message(line: &mut Line, attributes: &Attributes) -> bool {
    match attributes {
        Attributes::WorkflowExecutionSignaledEventAttributes(a) => {
            line.word("name", &a.signal_name);
            line.arguments("input", &a.input);
            line.execution("from", &a.external_workflow_execution);
            line.header(&a.header);
            line.volatile("identity", &a.identity);
        }
        Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(a) => request(line, &a.request),
        Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(a) => {
            if a.accepted_request.is_none() {
                line.word("id", &a.protocol_instance_id);
            }
            request(line, &a.accepted_request);
            line.number("task", a.accepted_request_sequencing_event_id);
        }
        Attributes::WorkflowExecutionUpdateRejectedEventAttributes(a) => {
            request(line, &a.rejected_request);
            line.failure("failure", &a.failure);
        }
        Attributes::WorkflowExecutionUpdateCompletedEventAttributes(a) => {
            line.word("id", a.meta.as_ref().map_or("", |meta| &meta.update_id));
            line.number("accepted", a.accepted_event_id);
            match &a.outcome {
                Some(Outcome {
                    value: Some(outcome::Value::Success(values)),
                }) => {
                    line.result("result", &Some(values.clone()));
                }
                Some(Outcome {
                    value: Some(outcome::Value::Failure(failure)),
                }) => {
                    line.failure("failure", &Some(failure.clone()));
                }
                Some(Outcome { value: None }) | None => {}
            }
        }
        _ => return false,
    }
    true
}

/// Children.
fn child(line: &mut Line, attributes: &Attributes) -> bool {
    match attributes {
        Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(a) => {
            workflow_type(line, &a.workflow_type);
            line.word("id", &a.workflow_id);
            queue(line, &a.task_queue);
            line.arguments("input", &a.input);
            line.duration("execution-timeout", &a.workflow_execution_timeout);
            line.duration("run-timeout", &a.workflow_run_timeout);
            if !matches!(
                a.parent_close_policy(),
                ParentClosePolicy::Unspecified | ParentClosePolicy::Terminate
            ) {
                line.word(
                    "on-close",
                    &short_name(a.parent_close_policy().as_str_name(), "PARENT_CLOSE_POLICY_"),
                );
            }
            line.retry_policy(&a.retry_policy);
            line.word("cron", &a.cron_schedule);
            line.header(&a.header);
        }
        Attributes::StartChildWorkflowExecutionFailedEventAttributes(a) => {
            line.number("initiated", a.initiated_event_id);
            line.word("id", &a.workflow_id);
            line.word(
                "cause",
                &short_name(
                    a.cause().as_str_name(),
                    "START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_",
                ),
            );
        }
        Attributes::ChildWorkflowExecutionStartedEventAttributes(a) => {
            line.number("initiated", a.initiated_event_id);
            line.execution("id", &a.workflow_execution);
        }
        Attributes::ChildWorkflowExecutionCompletedEventAttributes(a) => {
            child_end(line, a.initiated_event_id, a.started_event_id);
            line.result("result", &a.result);
        }
        Attributes::ChildWorkflowExecutionFailedEventAttributes(a) => {
            child_end(line, a.initiated_event_id, a.started_event_id);
            line.failure("failure", &a.failure);
            retry_state(line, a.retry_state());
        }
        Attributes::ChildWorkflowExecutionCanceledEventAttributes(a) => {
            child_end(line, a.initiated_event_id, a.started_event_id);
            line.result("details", &a.details);
        }
        Attributes::ChildWorkflowExecutionTimedOutEventAttributes(a) => {
            child_end(line, a.initiated_event_id, a.started_event_id);
            retry_state(line, a.retry_state());
        }
        Attributes::ChildWorkflowExecutionTerminatedEventAttributes(a) => {
            child_end(line, a.initiated_event_id, a.started_event_id);
        }
        _ => return false,
    }
    true
}

/// Signals to and cancellations of other executions.
fn external(line: &mut Line, attributes: &Attributes) -> bool {
    match attributes {
        Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            line.execution("to", &a.workflow_execution);
            child_only(line, a.child_workflow_only);
            line.word("name", &a.signal_name);
            line.arguments("input", &a.input);
            line.header(&a.header);
        }
        Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(a) => {
            line.number("initiated", a.initiated_event_id);
            line.word(
                "cause",
                &short_name(
                    a.cause().as_str_name(),
                    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_",
                ),
            );
        }
        Attributes::ExternalWorkflowExecutionSignaledEventAttributes(a) => {
            line.number("initiated", a.initiated_event_id);
        }
        Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            line.execution("to", &a.workflow_execution);
            child_only(line, a.child_workflow_only);
            line.word("reason", &a.reason);
        }
        Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(a) => {
            line.number("initiated", a.initiated_event_id);
            line.word(
                "cause",
                &short_name(
                    a.cause().as_str_name(),
                    "CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_",
                ),
            );
        }
        Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(a) => {
            line.number("initiated", a.initiated_event_id);
        }
        _ => return false,
    }
    true
}

/// Timers, markers and what a workflow sets on itself.
fn own(line: &mut Line, attributes: &Attributes) -> bool {
    match attributes {
        Attributes::TimerStartedEventAttributes(a) => {
            line.word("id", &a.timer_id);
            match &a.start_to_fire_timeout {
                Some(duration) => line.pair("after", &time::format_duration(duration)),
                None => line.pair("after", "0s"),
            }
        }
        Attributes::TimerFiredEventAttributes(a) => {
            line.word("id", &a.timer_id);
            line.number("started", a.started_event_id);
        }
        Attributes::TimerCanceledEventAttributes(a) => {
            line.word("id", &a.timer_id);
            line.number("started", a.started_event_id);
        }
        Attributes::MarkerRecordedEventAttributes(a) => {
            line.word("name", &a.marker_name);
            line.lists("details", &a.details);
            line.failure("failure", &a.failure);
            line.header(&a.header);
        }
        Attributes::UpsertWorkflowSearchAttributesEventAttributes(a) => {
            if let Some(attributes) = &a.search_attributes {
                line.fields("search", &attributes.indexed_fields);
            }
        }
        Attributes::WorkflowPropertiesModifiedEventAttributes(a) => {
            if let Some(memo) = &a.upserted_memo {
                line.fields("memo", &memo.fields);
            }
        }
        _ => return false,
    }
    true
}

/// Whatever has no line of its own above: every field that is set, by its JSON name.
fn other(line: &mut Line, event: &HistoryEvent) {
    /// Fields that differ from run to run.
    const VOLATILE: [&str; 6] = [
        "identity",
        "requestId",
        "attachedRequestId",
        "operationToken",
        "operationId",
        "wallClockTime",
    ];

    let options = json::Options {
        payload_shorthand: true,
        ..json::Options::default()
    };
    let event = match json::message_with(event, options) {
        Ok(event) => event,
        Err(error) => return line.word("unreadable", &error.to_string()),
    };
    let attributes = event
        .as_object()
        .into_iter()
        .flatten()
        .find(|(key, _)| key.ends_with("EventAttributes"));
    let Some(attributes) = attributes.and_then(|(_, value)| value.as_object()) else {
        return;
    };
    let mut fields: Vec<_> = attributes.iter().collect();
    fields.sort_by_key(|(key, _)| *key);
    for (key, value) in fields {
        if VOLATILE.contains(&key.as_str()) && !line.options().volatile {
            continue;
        }
        match value {
            Value::String(text) => line.word(key, text),
            value => {
                let mut text = String::new();
                write_sorted(value, &mut text);
                line.pair(key, &cut(&text, line.options().value_chars));
            }
        }
    }
}

fn child_end(line: &mut Line, initiated_event_id: i64, started_event_id: i64) {
    line.number("initiated", initiated_event_id);
    line.number("started", started_event_id);
}

fn request(line: &mut Line, request: &Option<Request>) {
    let Some(request) = request else { return };
    line.word("id", request.meta.as_ref().map_or("", |meta| &meta.update_id));
    if let Some(input) = &request.input {
        line.word("name", &input.name);
        line.arguments("input", &input.args);
        line.header(&input.header);
    }
    line.volatile(
        "identity",
        request.meta.as_ref().map_or("", |meta| &meta.identity),
    );
}

fn workflow_type(line: &mut Line, value: &Option<WorkflowType>) {
    line.word("type", value.as_ref().map_or("", |kind| &kind.name));
}

fn activity_type(line: &mut Line, value: &Option<ActivityType>) {
    line.word("type", value.as_ref().map_or("", |kind| &kind.name));
}

fn queue(line: &mut Line, value: &Option<TaskQueue>) {
    line.word("queue", value.as_ref().map_or("", |queue| &queue.name));
}

fn attempt(line: &mut Line, attempt: i32) {
    if attempt > 1 {
        line.number("attempt", attempt.into());
    }
}

fn retry_state(line: &mut Line, state: RetryState) {
    if state != RetryState::Unspecified {
        line.word("retry-state", &short_name(state.as_str_name(), "RETRY_STATE_"));
    }
}

fn timeout_type(line: &mut Line, kind: TimeoutType) {
    if kind != TimeoutType::Unspecified {
        line.word("timeout", &short_name(kind.as_str_name(), "TIMEOUT_TYPE_"));
    }
}

fn initiator(line: &mut Line, initiator: ContinueAsNewInitiator) {
    if !matches!(
        initiator,
        ContinueAsNewInitiator::Unspecified | ContinueAsNewInitiator::Workflow
    ) {
        line.word(
            "initiator",
            &short_name(initiator.as_str_name(), "CONTINUE_AS_NEW_INITIATOR_"),
        );
    }
}

/// The message is for a child of the run only.
fn child_only(line: &mut Line, child_only: bool) {
    if child_only {
        line.pair("child", "true");
    }
}
