//! The command behind each command event: the inverse of what a server does with a worker's commands.

use std::collections::HashMap;

use prost_wkt_types::{Duration, Timestamp};
use temporalio_protos::{
    VERSION_SEARCH_ATTR_KEY,
    constants::{LOCAL_ACTIVITY_MARKER_NAME, PATCH_MARKER_NAME},
    coresdk::{
        child_workflow::ChildWorkflowCancellationType,
        common::{
            NamespacedWorkflowExecution, decode_change_marker_details, extract_local_activity_marker_data,
        },
        workflow_commands::{
            ActivityCancellationType, CancelChildWorkflowExecution, CancelTimer, CancelWorkflowExecution,
            CompleteWorkflowExecution, ContinueAsNewWorkflowExecution, FailWorkflowExecution,
            ModifyWorkflowProperties, RequestCancelActivity, RequestCancelExternalWorkflowExecution,
            ScheduleActivity, ScheduleLocalActivity, SetPatchMarker, SignalExternalWorkflowExecution,
            StartChildWorkflowExecution, StartTimer, UpdateResponse, UpsertWorkflowSearchAttributes,
            signal_external_workflow_execution::Target, update_response::Response,
            workflow_command::Variant as Command,
        },
    },
    temporal::api::{
        common::v1::{Header, Payload, Payloads, WorkflowExecution},
        history::v1::{
            ActivityTaskScheduledEventAttributes, HistoryEvent, MarkerRecordedEventAttributes,
            StartChildWorkflowExecutionInitiatedEventAttributes,
            WorkflowExecutionContinuedAsNewEventAttributes, WorkflowExecutionUpdateCompletedEventAttributes,
            history_event::Attributes,
        },
        update::v1::outcome,
    },
};

use crate::script::{ScriptError, kind};

/// Reads command events in order, and remembers what later commands refer to.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Sequence numbers given out for everything but timers and local activities, whose numbers history tells.
    last_seq: u32,
    /// Sequence number of each timer, by the id of its TimerStarted.
    timers: HashMap<i64, u32>,
    /// Sequence number of each activity, by the id of its ActivityTaskScheduled.
    activities: HashMap<i64, u32>,
    /// Sequence number of the newest child of each workflow id.
    children: HashMap<String, u32>,
    /// Protocol instance of each update, by the id of its WorkflowExecutionUpdateAccepted.
    updates: HashMap<i64, String>,
    /// Type and time of local activities that the code was to call again after a wait.
    backed_off: Vec<(String, Option<Timestamp>)>,
    /// When the local activity was called that the last event is the marker of. None if the code had waited before it called.
    called: Option<Timestamp>,
    /// The last event was a patch marker, whose search attribute Core writes of its own accord.
    after_patch: bool,
}

impl Reader {
    /// When the local activity was called whose marker was read last, as the marker says.
    pub(crate) fn called(&self) -> Option<Timestamp> {
        self.called
    }

    /// The command that `event` records, or `None` where Core issues it without being asked.
    pub(crate) fn read(
        &mut self,
        event: &HistoryEvent,
        completed: i64,
    ) -> Result<Option<Command>, ScriptError> {
        let after_patch = std::mem::take(&mut self.after_patch);
        let Some(attributes) = &event.attributes else {
            return Err(unreadable(event, "it has no attributes"));
        };
        check_task(event, attributes, completed)?;
        let command = match attributes {
            Attributes::TimerStartedEventAttributes(a) => {
                let seq = timer_seq(event, &a.timer_id)?;
                self.timers.insert(event.event_id, seq);
                Command::StartTimer(StartTimer {
                    seq,
                    start_to_fire_timeout: a.start_to_fire_timeout,
                })
            }
            Attributes::TimerCanceledEventAttributes(a) => {
                let seq = timer_seq(event, &a.timer_id)?;
                if self.timers.get(&a.started_event_id) != Some(&seq) {
                    let problem = format!("event {} did not start timer {seq}", a.started_event_id);
                    return Err(unreadable(event, problem));
                }
                Command::CancelTimer(CancelTimer { seq })
            }
            Attributes::ActivityTaskScheduledEventAttributes(a) => {
                let seq = self.next_seq();
                self.activities.insert(event.event_id, seq);
                Command::ScheduleActivity(schedule_activity(seq, a))
            }
            Attributes::ActivityTaskCancelRequestedEventAttributes(a) => {
                let Some(&seq) = self.activities.get(&a.scheduled_event_id) else {
                    let problem = format!("event {} scheduled no activity", a.scheduled_event_id);
                    return Err(unreadable(event, problem));
                };
                Command::RequestCancelActivity(RequestCancelActivity { seq })
            }
            Attributes::MarkerRecordedEventAttributes(a) => self.marker(event, a)?,
            Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(a) => {
                self.updates
                    .insert(event.event_id, a.protocol_instance_id.clone());
                Command::UpdateResponse(UpdateResponse {
                    protocol_instance_id: a.protocol_instance_id.clone(),
                    response: Some(Response::Accepted(())),
                })
            }
            Attributes::WorkflowExecutionUpdateCompletedEventAttributes(a) => {
                self.update_completed(event, a)?
            }
            Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(a) => {
                let seq = self.next_seq();
                self.children.insert(a.workflow_id.clone(), seq);
                Command::StartChildWorkflowExecution(start_child(seq, a))
            }
            Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a) => {
                let target = a.workflow_execution.clone().unwrap_or_default();
                if a.child_workflow_only {
                    let child_workflow_seq = self.child(event, &target.workflow_id)?;
                    Command::CancelChildWorkflowExecution(CancelChildWorkflowExecution {
                        child_workflow_seq,
                        reason: a.reason.clone(),
                    })
                } else {
                    Command::RequestCancelExternalWorkflowExecution(RequestCancelExternalWorkflowExecution {
                        seq: self.next_seq(),
                        workflow_execution: Some(namespaced(&a.namespace, target)),
                        reason: a.reason.clone(),
                    })
                }
            }
            Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(a) => {
                let target = a.workflow_execution.clone().unwrap_or_default();
                let target = if a.child_workflow_only {
                    Target::ChildWorkflowId(target.workflow_id)
                } else {
                    Target::WorkflowExecution(namespaced(&a.namespace, target))
                };
                Command::SignalExternalWorkflowExecution(SignalExternalWorkflowExecution {
                    seq: self.next_seq(),
                    target: Some(target),
                    signal_name: a.signal_name.clone(),
                    args: payloads(&a.input),
                    headers: headers(&a.header),
                })
            }
            Attributes::UpsertWorkflowSearchAttributesEventAttributes(a) => {
                let versions = a.search_attributes.as_ref();
                if after_patch
                    && versions.is_some_and(|s| s.indexed_fields.contains_key(VERSION_SEARCH_ATTR_KEY))
                {
                    return Ok(None);
                }
                Command::UpsertWorkflowSearchAttributes(UpsertWorkflowSearchAttributes {
                    search_attributes: a.search_attributes.clone(),
                })
            }
            Attributes::WorkflowPropertiesModifiedEventAttributes(a) => {
                Command::ModifyWorkflowProperties(ModifyWorkflowProperties {
                    upserted_memo: a.upserted_memo.clone(),
                })
            }
            Attributes::WorkflowExecutionCompletedEventAttributes(a) => {
                Command::CompleteWorkflowExecution(CompleteWorkflowExecution {
                    result: first(&a.result),
                })
            }
            Attributes::WorkflowExecutionFailedEventAttributes(a) => {
                Command::FailWorkflowExecution(FailWorkflowExecution {
                    failure: a.failure.clone(),
                })
            }
            Attributes::WorkflowExecutionCanceledEventAttributes(a) => {
                Command::CancelWorkflowExecution(CancelWorkflowExecution {
                    details: a.details.clone(),
                })
            }
            Attributes::WorkflowExecutionContinuedAsNewEventAttributes(a) => {
                Command::ContinueAsNewWorkflowExecution(continue_as_new(a))
            }
            _ => {
                return Err(ScriptError::Unsupported {
                    event: event.event_id,
                    kind: kind(event),
                });
            }
        };
        Ok(Some(command))
    }

    fn next_seq(&mut self) -> u32 {
        self.last_seq += 1;
        self.last_seq
    }

    fn child(&self, event: &HistoryEvent, workflow_id: &str) -> Result<u32, ScriptError> {
        let problem = || {
            unreadable(
                event,
                format!("no child of id {workflow_id:?} was started before"),
            )
        };
        self.children.get(workflow_id).copied().ok_or_else(problem)
    }

    fn update_completed(
        &self,
        event: &HistoryEvent,
        a: &WorkflowExecutionUpdateCompletedEventAttributes,
    ) -> Result<Command, ScriptError> {
        let Some(instance) = self.updates.get(&a.accepted_event_id) else {
            return Err(unreadable(
                event,
                format!("event {} accepted no update", a.accepted_event_id),
            ));
        };
        let response = match a.outcome.as_ref().and_then(|o| o.value.as_ref()) {
            Some(outcome::Value::Success(p)) => {
                Response::Completed(p.payloads.first().cloned().unwrap_or_default())
            }
            Some(outcome::Value::Failure(f)) => Response::Rejected(f.clone()),
            None => return Err(unreadable(event, "it has no outcome")),
        };
        Ok(Command::UpdateResponse(UpdateResponse {
            protocol_instance_id: instance.clone(),
            response: Some(response),
        }))
    }

    fn marker(
        &mut self,
        event: &HistoryEvent,
        a: &MarkerRecordedEventAttributes,
    ) -> Result<Command, ScriptError> {
        match a.marker_name.as_str() {
            PATCH_MARKER_NAME => {
                let Some((patch_id, deprecated)) = decode_change_marker_details(&a.details) else {
                    return Err(unreadable(event, "its patch-data does not parse"));
                };
                self.after_patch = true;
                Ok(Command::SetPatchMarker(SetPatchMarker { patch_id, deprecated }))
            }
            LOCAL_ACTIVITY_MARKER_NAME => {
                let Some(data) = extract_local_activity_marker_data(&a.details) else {
                    return Err(unreadable(event, "its data does not parse"));
                };
                let call = (data.activity_type.clone(), data.original_schedule_time);
                // After a wait the code calls it again, and the time is still that of the first call.
                let again = self.backed_off.contains(&call);
                self.called = data.original_schedule_time.filter(|_| !again);
                if data.backoff.is_some() {
                    self.backed_off.push(call);
                }
                Ok(Command::ScheduleLocalActivity(ScheduleLocalActivity {
                    seq: data.seq,
                    activity_id: data.activity_id,
                    activity_type: data.activity_type,
                    attempt: data.attempt,
                    original_schedule_time: data.original_schedule_time,
                    // Core insists on one of the two, and markers do not keep them.
                    schedule_to_close_timeout: Some(ONE_HOUR),
                    ..Default::default()
                }))
            }
            other => Err(unreadable(
                event,
                format!("Core knows no marker of name {other:?}"),
            )),
        }
    }
}

/// A timeout for local activities, which are not run in replay.
const ONE_HOUR: Duration = Duration {
    seconds: 3_600,
    nanos: 0,
};

/// Checks what Core does not: that a command's event names the task that issued it. The two update events name none.
fn check_task(event: &HistoryEvent, attributes: &Attributes, stands: i64) -> Result<(), ScriptError> {
    let says = match attributes {
        Attributes::TimerStartedEventAttributes(a) => a.workflow_task_completed_event_id,
        Attributes::TimerCanceledEventAttributes(a) => a.workflow_task_completed_event_id,
        Attributes::ActivityTaskScheduledEventAttributes(a) => a.workflow_task_completed_event_id,
        Attributes::ActivityTaskCancelRequestedEventAttributes(a) => a.workflow_task_completed_event_id,
        Attributes::MarkerRecordedEventAttributes(a) => a.workflow_task_completed_event_id,
        Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(a) => {
            a.workflow_task_completed_event_id
        }
        Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            a.workflow_task_completed_event_id
        }
        Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            a.workflow_task_completed_event_id
        }
        Attributes::UpsertWorkflowSearchAttributesEventAttributes(a) => a.workflow_task_completed_event_id,
        Attributes::WorkflowPropertiesModifiedEventAttributes(a) => a.workflow_task_completed_event_id,
        Attributes::WorkflowExecutionCompletedEventAttributes(a) => a.workflow_task_completed_event_id,
        Attributes::WorkflowExecutionFailedEventAttributes(a) => a.workflow_task_completed_event_id,
        Attributes::WorkflowExecutionCanceledEventAttributes(a) => a.workflow_task_completed_event_id,
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(a) => a.workflow_task_completed_event_id,
        _ => return Ok(()),
    };
    if says == stands {
        return Ok(());
    }
    Err(ScriptError::WrongTask {
        event: event.event_id,
        kind: kind(event),
        says,
        stands,
    })
}

fn timer_seq(event: &HistoryEvent, timer_id: &str) -> Result<u32, ScriptError> {
    timer_id.parse().map_err(|_| {
        unreadable(
            event,
            format!("timer id {timer_id:?} is not a decimal sequence number"),
        )
    })
}

fn unreadable(event: &HistoryEvent, problem: impl Into<String>) -> ScriptError {
    ScriptError::Unreadable {
        event: event.event_id,
        kind: kind(event),
        problem: problem.into(),
    }
}

fn schedule_activity(seq: u32, a: &ActivityTaskScheduledEventAttributes) -> ScheduleActivity {
    // The cancellation type is not in history. Under wait-completed Core accepts every end that it accepts under the
    // other types, and hands out an activation for it; under try-cancel it would swallow one that the code awaited.
    ScheduleActivity {
        seq,
        activity_id: a.activity_id.clone(),
        activity_type: a
            .activity_type
            .as_ref()
            .map(|t| t.name.clone())
            .unwrap_or_default(),
        task_queue: a.task_queue.as_ref().map(|q| q.name.clone()).unwrap_or_default(),
        headers: headers(&a.header),
        arguments: payloads(&a.input),
        schedule_to_close_timeout: a.schedule_to_close_timeout,
        schedule_to_start_timeout: a.schedule_to_start_timeout,
        start_to_close_timeout: a.start_to_close_timeout,
        heartbeat_timeout: a.heartbeat_timeout,
        retry_policy: a.retry_policy.clone(),
        priority: a.priority.clone(),
        cancellation_type: ActivityCancellationType::WaitCancellationCompleted as i32,
        ..Default::default()
    }
}

fn start_child(
    seq: u32,
    a: &StartChildWorkflowExecutionInitiatedEventAttributes,
) -> StartChildWorkflowExecution {
    StartChildWorkflowExecution {
        seq,
        namespace: a.namespace.clone(),
        workflow_id: a.workflow_id.clone(),
        workflow_type: a
            .workflow_type
            .as_ref()
            .map(|t| t.name.clone())
            .unwrap_or_default(),
        task_queue: a.task_queue.as_ref().map(|q| q.name.clone()).unwrap_or_default(),
        input: payloads(&a.input),
        workflow_execution_timeout: a.workflow_execution_timeout,
        workflow_run_timeout: a.workflow_run_timeout,
        workflow_task_timeout: a.workflow_task_timeout,
        workflow_id_reuse_policy: a.workflow_id_reuse_policy,
        retry_policy: a.retry_policy.clone(),
        cron_schedule: a.cron_schedule.clone(),
        headers: headers(&a.header),
        memo: a.memo.clone().map(|m| m.fields).unwrap_or_default(),
        search_attributes: a.search_attributes.clone(),
        // As with activities.
        cancellation_type: ChildWorkflowCancellationType::WaitCancellationCompleted as i32,
        ..Default::default()
    }
}

fn continue_as_new(a: &WorkflowExecutionContinuedAsNewEventAttributes) -> ContinueAsNewWorkflowExecution {
    ContinueAsNewWorkflowExecution {
        workflow_type: a
            .workflow_type
            .as_ref()
            .map(|t| t.name.clone())
            .unwrap_or_default(),
        task_queue: a.task_queue.as_ref().map(|q| q.name.clone()).unwrap_or_default(),
        arguments: payloads(&a.input),
        workflow_run_timeout: a.workflow_run_timeout,
        workflow_task_timeout: a.workflow_task_timeout,
        memo: a.memo.clone().map(|m| m.fields).unwrap_or_default(),
        headers: headers(&a.header),
        search_attributes: a.search_attributes.clone(),
        ..Default::default()
    }
}

fn namespaced(namespace: &str, target: WorkflowExecution) -> NamespacedWorkflowExecution {
    NamespacedWorkflowExecution {
        namespace: namespace.to_owned(),
        workflow_id: target.workflow_id,
        run_id: target.run_id,
    }
}

fn payloads(input: &Option<Payloads>) -> Vec<Payload> {
    input.as_ref().map(|p| p.payloads.clone()).unwrap_or_default()
}

fn first(payloads: &Option<Payloads>) -> Option<Payload> {
    payloads.as_ref().and_then(|p| p.payloads.first().cloned())
}

fn headers(header: &Option<Header>) -> HashMap<String, Payload> {
    header.as_ref().map(|h| h.fields.clone()).unwrap_or_default()
}
