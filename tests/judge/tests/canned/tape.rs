//! A builder of histories, an event a line.

use std::collections::HashMap;

use prost_wkt_types::{Duration, Timestamp};
use temporalio_protos::{
    coresdk::{
        common::{build_has_change_marker_details, build_local_activity_marker_details},
        external_data::LocalActivityMarkerData,
    },
    temporal::api::{
        common::v1::{ActivityType, Payload, Payloads, SearchAttributes, WorkflowExecution, WorkflowType},
        enums::v1::{RetryState, TimeoutType, WorkflowTaskFailedCause},
        failure::v1::{Failure, TimeoutFailureInfo, failure::FailureInfo},
        history::v1::{history_event::Attributes, *},
        sdk::v1::WorkflowTaskCompletedMetadata,
        taskqueue::v1::TaskQueue,
        update::v1::{Input, Meta, Outcome, Request, outcome},
    },
};

/// The flags that a worker of Core 0.10 writes into its first completed task.
const CORE_FLAGS: [u32; 3] = [1, 2, 3];

/// What writes a history, from its first task on.
pub(crate) type Record = fn(&mut Tape);

/// A history in the making. Methods return the id of the event that they write.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    events: Vec<HistoryEvent>,
    pub(crate) scheduled: i64,
    pub(crate) started: i64,
    pub(crate) completed: i64,
}

impl Tape {
    /// A run that has just been started; its first task is not scheduled yet.
    pub(crate) fn new() -> Self {
        let mut tape = Self::default();
        tape.push(Attributes::WorkflowExecutionStartedEventAttributes(
            WorkflowExecutionStartedEventAttributes {
                workflow_type: Some(WorkflowType {
                    name: "Canned".to_owned(),
                }),
                task_queue: Some(queue()),
                original_execution_run_id: "0193d3a2-0000-7000-8000-000000000001".to_owned(),
                first_execution_run_id: "0193d3a2-0000-7000-8000-000000000001".to_owned(),
                workflow_id: "canned".to_owned(),
                attempt: 1,
                ..Default::default()
            },
        ));
        tape
    }

    pub(crate) fn history(self) -> History {
        History { events: self.events }
    }

    pub(crate) fn push(&mut self, attributes: Attributes) -> i64 {
        let event_id = self.events.len() as i64 + 1;
        self.events.push(HistoryEvent {
            event_id,
            event_time: Some(Timestamp {
                seconds: 1_700_000_000 + event_id,
                nanos: 0,
            }),
            event_type: attributes.event_type() as i32,
            attributes: Some(attributes),
            ..Default::default()
        });
        event_id
    }

    /// Scheduled, started, completed: the commands of the task follow.
    pub(crate) fn task(&mut self) {
        self.task_scheduled();
        self.task_started();
        self.task_completed();
    }

    pub(crate) fn task_scheduled(&mut self) {
        let attributes = WorkflowTaskScheduledEventAttributes {
            task_queue: Some(queue()),
            ..Default::default()
        };
        self.scheduled = self.push(Attributes::WorkflowTaskScheduledEventAttributes(attributes));
    }

    pub(crate) fn task_started(&mut self) {
        let scheduled_event_id = self.scheduled;
        let attributes = WorkflowTaskStartedEventAttributes {
            scheduled_event_id,
            ..Default::default()
        };
        self.started = self.push(Attributes::WorkflowTaskStartedEventAttributes(attributes));
    }

    pub(crate) fn task_completed(&mut self) {
        let core_used_flags = if self.completed == 0 {
            CORE_FLAGS.to_vec()
        } else {
            Vec::new()
        };
        let attributes = WorkflowTaskCompletedEventAttributes {
            scheduled_event_id: self.scheduled,
            started_event_id: self.started,
            sdk_metadata: Some(WorkflowTaskCompletedMetadata {
                core_used_flags,
                ..Default::default()
            }),
            ..Default::default()
        };
        self.completed = self.push(Attributes::WorkflowTaskCompletedEventAttributes(attributes));
    }

    pub(crate) fn task_failed(&mut self) {
        self.push(Attributes::WorkflowTaskFailedEventAttributes(
            WorkflowTaskFailedEventAttributes {
                scheduled_event_id: self.scheduled,
                started_event_id: self.started,
                cause: WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure as i32,
                failure: Some(failure("the guest trapped")),
                ..Default::default()
            },
        ));
    }

    pub(crate) fn timer_started(&mut self, seq: u32) -> i64 {
        self.push(Attributes::TimerStartedEventAttributes(
            TimerStartedEventAttributes {
                timer_id: seq.to_string(),
                start_to_fire_timeout: Some(Duration {
                    seconds: 60,
                    nanos: 0,
                }),
                workflow_task_completed_event_id: self.completed,
            },
        ))
    }

    pub(crate) fn timer_fired(&mut self, started_event_id: i64, seq: u32) -> i64 {
        let timer_id = seq.to_string();
        self.push(Attributes::TimerFiredEventAttributes(TimerFiredEventAttributes {
            timer_id,
            started_event_id,
        }))
    }

    pub(crate) fn timer_canceled(&mut self, started_event_id: i64, seq: u32) -> i64 {
        self.push(Attributes::TimerCanceledEventAttributes(
            TimerCanceledEventAttributes {
                timer_id: seq.to_string(),
                started_event_id,
                workflow_task_completed_event_id: self.completed,
                ..Default::default()
            },
        ))
    }

    pub(crate) fn activity_scheduled(&mut self, id: &str, kind: &str) -> i64 {
        self.push(Attributes::ActivityTaskScheduledEventAttributes(
            ActivityTaskScheduledEventAttributes {
                activity_id: id.to_owned(),
                activity_type: Some(ActivityType {
                    name: kind.to_owned(),
                }),
                task_queue: Some(queue()),
                start_to_close_timeout: Some(Duration { seconds: 5, nanos: 0 }),
                workflow_task_completed_event_id: self.completed,
                ..Default::default()
            },
        ))
    }

    pub(crate) fn activity_started(&mut self, scheduled_event_id: i64, attempt: i32) -> i64 {
        let attributes = ActivityTaskStartedEventAttributes {
            scheduled_event_id,
            attempt,
            ..Default::default()
        };
        self.push(Attributes::ActivityTaskStartedEventAttributes(attributes))
    }

    pub(crate) fn activity_completed(&mut self, scheduled_event_id: i64, started_event_id: i64) -> i64 {
        self.push(Attributes::ActivityTaskCompletedEventAttributes(
            ActivityTaskCompletedEventAttributes {
                result: Some(payloads("\"done\"")),
                scheduled_event_id,
                started_event_id,
                ..Default::default()
            },
        ))
    }

    pub(crate) fn activity_failed(&mut self, scheduled_event_id: i64, started_event_id: i64) -> i64 {
        self.push(Attributes::ActivityTaskFailedEventAttributes(
            ActivityTaskFailedEventAttributes {
                failure: Some(failure("no such card")),
                scheduled_event_id,
                started_event_id,
                retry_state: RetryState::MaximumAttemptsReached as i32,
                ..Default::default()
            },
        ))
    }

    pub(crate) fn activity_timed_out(&mut self, scheduled_event_id: i64, started_event_id: i64) -> i64 {
        let timeout = TimeoutFailureInfo {
            timeout_type: TimeoutType::StartToClose as i32,
            ..Default::default()
        };
        self.push(Attributes::ActivityTaskTimedOutEventAttributes(
            ActivityTaskTimedOutEventAttributes {
                failure: Some(Failure {
                    failure_info: Some(FailureInfo::TimeoutFailureInfo(timeout)),
                    ..failure("activity StartToClose timeout")
                }),
                scheduled_event_id,
                started_event_id,
                retry_state: RetryState::Timeout as i32,
            },
        ))
    }

    pub(crate) fn activity_cancel_requested(&mut self, scheduled_event_id: i64) -> i64 {
        self.push(Attributes::ActivityTaskCancelRequestedEventAttributes(
            ActivityTaskCancelRequestedEventAttributes {
                scheduled_event_id,
                workflow_task_completed_event_id: self.completed,
            },
        ))
    }

    pub(crate) fn activity_canceled(&mut self, scheduled_event_id: i64, started_event_id: i64) -> i64 {
        self.push(Attributes::ActivityTaskCanceledEventAttributes(
            ActivityTaskCanceledEventAttributes {
                scheduled_event_id,
                started_event_id,
                ..Default::default()
            },
        ))
    }

    pub(crate) fn signaled(&mut self, name: &str) -> i64 {
        self.push(Attributes::WorkflowExecutionSignaledEventAttributes(
            WorkflowExecutionSignaledEventAttributes {
                signal_name: name.to_owned(),
                input: Some(payloads("1")),
                ..Default::default()
            },
        ))
    }

    pub(crate) fn cancel_requested(&mut self) -> i64 {
        let attributes = WorkflowExecutionCancelRequestedEventAttributes::default();
        self.push(Attributes::WorkflowExecutionCancelRequestedEventAttributes(
            attributes,
        ))
    }

    pub(crate) fn options_updated(&mut self, worker_may_ignore: bool) {
        let attributes = WorkflowExecutionOptionsUpdatedEventAttributes::default();
        self.push(Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(
            attributes,
        ));
        if let Some(event) = self.events.last_mut() {
            event.worker_may_ignore = worker_may_ignore;
        }
    }

    /// An update whose request came with this very task.
    pub(crate) fn update_accepted(&mut self, id: &str) -> i64 {
        let sequenced_at = self.scheduled;
        self.update_accepted_at(id, sequenced_at)
    }

    pub(crate) fn update_accepted_at(&mut self, id: &str, sequenced_at: i64) -> i64 {
        let attributes = WorkflowExecutionUpdateAcceptedEventAttributes {
            protocol_instance_id: id.to_owned(),
            accepted_request_message_id: format!("{id}/request"),
            accepted_request_sequencing_event_id: sequenced_at,
            accepted_request: Some(Request {
                meta: Some(meta(id)),
                input: Some(Input {
                    name: "set".to_owned(),
                    args: Some(payloads("1")),
                    ..Default::default()
                }),
                ..Default::default()
            }),
        };
        self.push(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(
            attributes,
        ))
    }

    pub(crate) fn update_completed(&mut self, id: &str, accepted_event_id: i64) -> i64 {
        self.update_ended(id, accepted_event_id, outcome::Value::Success(payloads("2")))
    }

    pub(crate) fn update_failed(&mut self, id: &str, accepted_event_id: i64) -> i64 {
        self.update_ended(
            id,
            accepted_event_id,
            outcome::Value::Failure(failure("too late")),
        )
    }

    fn update_ended(&mut self, id: &str, accepted_event_id: i64, value: outcome::Value) -> i64 {
        let attributes = WorkflowExecutionUpdateCompletedEventAttributes {
            meta: Some(meta(id)),
            accepted_event_id,
            outcome: Some(Outcome { value: Some(value) }),
        };
        self.push(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(
            attributes,
        ))
    }

    /// A patch's marker and the search attribute that belongs to it.
    pub(crate) fn patched(&mut self, id: &str, deprecated: bool, all: &[&str]) {
        self.patch_marker(id, deprecated);
        self.upserted(all);
    }

    pub(crate) fn patch_marker(&mut self, id: &str, deprecated: bool) -> i64 {
        self.push(Attributes::MarkerRecordedEventAttributes(
            MarkerRecordedEventAttributes {
                marker_name: "core_patch".to_owned(),
                details: build_has_change_marker_details(id, deprecated).expect("two fields encode"),
                workflow_task_completed_event_id: self.completed,
                ..Default::default()
            },
        ))
    }

    /// The search attribute that lists `patches`.
    pub(crate) fn upserted(&mut self, patches: &[&str]) -> i64 {
        let list = format!(
            "[{}]",
            patches
                .iter()
                .map(|id| format!("{id:?}"))
                .collect::<Vec<_>>()
                .join(",")
        );
        let indexed_fields = HashMap::from([("TemporalChangeVersion".to_owned(), payload(&list))]);
        self.push(Attributes::UpsertWorkflowSearchAttributesEventAttributes(
            UpsertWorkflowSearchAttributesEventAttributes {
                workflow_task_completed_event_id: self.completed,
                search_attributes: Some(SearchAttributes { indexed_fields }),
            },
        ))
    }

    pub(crate) fn local_activity(&mut self, seq: u32, kind: &str) {
        let data = LocalActivityMarkerData {
            seq,
            attempt: 1,
            activity_id: seq.to_string(),
            activity_type: kind.to_owned(),
            complete_time: Some(Timestamp {
                seconds: 1_700_000_100,
                nanos: 0,
            }),
            original_schedule_time: Some(Timestamp {
                seconds: 1_700_000_099,
                nanos: 0,
            }),
            ..Default::default()
        };
        self.push(Attributes::MarkerRecordedEventAttributes(
            MarkerRecordedEventAttributes {
                marker_name: "core_local_activity".to_owned(),
                details: build_local_activity_marker_details(data, Some(payload("\"ok\""))),
                workflow_task_completed_event_id: self.completed,
                ..Default::default()
            },
        ));
    }

    pub(crate) fn child_initiated(&mut self, workflow_id: &str) -> i64 {
        self.push(Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(
            StartChildWorkflowExecutionInitiatedEventAttributes {
                workflow_id: workflow_id.to_owned(),
                workflow_type: Some(WorkflowType {
                    name: "Child".to_owned(),
                }),
                task_queue: Some(queue()),
                workflow_task_completed_event_id: self.completed,
                ..Default::default()
            },
        ))
    }

    pub(crate) fn child_started(&mut self, initiated_event_id: i64, workflow_id: &str) -> i64 {
        self.push(Attributes::ChildWorkflowExecutionStartedEventAttributes(
            ChildWorkflowExecutionStartedEventAttributes {
                initiated_event_id,
                workflow_execution: Some(execution(workflow_id)),
                ..Default::default()
            },
        ))
    }

    pub(crate) fn child_cancel_initiated(&mut self, workflow_id: &str) -> i64 {
        self.push(
            Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(
                RequestCancelExternalWorkflowExecutionInitiatedEventAttributes {
                    workflow_execution: Some(execution(workflow_id)),
                    child_workflow_only: true,
                    workflow_task_completed_event_id: self.completed,
                    ..Default::default()
                },
            ),
        )
    }

    pub(crate) fn external_cancel_requested(&mut self, initiated_event_id: i64, workflow_id: &str) -> i64 {
        self.push(
            Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(
                ExternalWorkflowExecutionCancelRequestedEventAttributes {
                    initiated_event_id,
                    workflow_execution: Some(execution(workflow_id)),
                    ..Default::default()
                },
            ),
        )
    }

    pub(crate) fn child_canceled(&mut self, initiated_event_id: i64, started_event_id: i64, id: &str) -> i64 {
        self.push(Attributes::ChildWorkflowExecutionCanceledEventAttributes(
            ChildWorkflowExecutionCanceledEventAttributes {
                initiated_event_id,
                started_event_id,
                workflow_execution: Some(execution(id)),
                ..Default::default()
            },
        ))
    }

    pub(crate) fn signal_external_initiated(&mut self, workflow_id: &str) -> i64 {
        self.push(
            Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(
                SignalExternalWorkflowExecutionInitiatedEventAttributes {
                    workflow_execution: Some(execution(workflow_id)),
                    signal_name: "hello".to_owned(),
                    workflow_task_completed_event_id: self.completed,
                    ..Default::default()
                },
            ),
        )
    }

    pub(crate) fn external_signaled(&mut self, initiated_event_id: i64, workflow_id: &str) -> i64 {
        self.push(Attributes::ExternalWorkflowExecutionSignaledEventAttributes(
            ExternalWorkflowExecutionSignaledEventAttributes {
                initiated_event_id,
                workflow_execution: Some(execution(workflow_id)),
                ..Default::default()
            },
        ))
    }

    pub(crate) fn memo_modified(&mut self) -> i64 {
        self.push(Attributes::WorkflowPropertiesModifiedEventAttributes(
            WorkflowPropertiesModifiedEventAttributes {
                workflow_task_completed_event_id: self.completed,
                ..Default::default()
            },
        ))
    }

    pub(crate) fn completed(&mut self) -> i64 {
        self.push(Attributes::WorkflowExecutionCompletedEventAttributes(
            WorkflowExecutionCompletedEventAttributes {
                result: Some(payloads("42")),
                workflow_task_completed_event_id: self.completed,
                ..Default::default()
            },
        ))
    }

    pub(crate) fn failed(&mut self) -> i64 {
        self.push(Attributes::WorkflowExecutionFailedEventAttributes(
            WorkflowExecutionFailedEventAttributes {
                failure: Some(failure("declared")),
                workflow_task_completed_event_id: self.completed,
                ..Default::default()
            },
        ))
    }

    pub(crate) fn canceled(&mut self) -> i64 {
        self.push(Attributes::WorkflowExecutionCanceledEventAttributes(
            WorkflowExecutionCanceledEventAttributes {
                workflow_task_completed_event_id: self.completed,
                ..Default::default()
            },
        ))
    }

    pub(crate) fn continued_as_new(&mut self) -> i64 {
        self.push(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(
            WorkflowExecutionContinuedAsNewEventAttributes {
                new_execution_run_id: "0193d3a2-0000-7000-8000-000000000002".to_owned(),
                workflow_type: Some(WorkflowType {
                    name: "Canned".to_owned(),
                }),
                task_queue: Some(queue()),
                workflow_task_completed_event_id: self.completed,
                ..Default::default()
            },
        ))
    }

    pub(crate) fn terminated(&mut self) -> i64 {
        let attributes = WorkflowExecutionTerminatedEventAttributes::default();
        self.push(Attributes::WorkflowExecutionTerminatedEventAttributes(attributes))
    }
}

fn queue() -> TaskQueue {
    TaskQueue {
        name: "default".to_owned(),
        ..Default::default()
    }
}

fn meta(update_id: &str) -> Meta {
    Meta {
        update_id: update_id.to_owned(),
        identity: "test".to_owned(),
    }
}

pub(crate) fn execution(workflow_id: &str) -> WorkflowExecution {
    WorkflowExecution {
        workflow_id: workflow_id.to_owned(),
        run_id: "0193d3a2-0000-7000-8000-00000000000c".to_owned(),
    }
}

pub(crate) fn payload(json: &str) -> Payload {
    Payload {
        metadata: HashMap::from([("encoding".to_owned(), b"json/plain".to_vec())]),
        data: json.as_bytes().to_vec(),
        ..Default::default()
    }
}

pub(crate) fn payloads(json: &str) -> Payloads {
    Payloads {
        payloads: vec![payload(json)],
    }
}

pub(crate) fn failure(message: &str) -> Failure {
    Failure {
        message: message.to_owned(),
        ..Default::default()
    }
}
