//! One history for each thing that an execution can do to others, and to its own chain of runs.

use temporalio_protos::temporal::api::{
    common::v1::SearchAttributes,
    enums::v1::{
        CancelExternalWorkflowExecutionFailedCause, RetryState, SignalExternalWorkflowExecutionFailedCause,
        StartChildWorkflowExecutionFailedCause, WorkflowTaskFailedCause,
    },
    history::v1::{history_event::Attributes, *},
};

use crate::tape::{Record, Tape, execution, failure, payload, payloads};

/// Names, how many commands the code issued, and the histories, all of which Core accepts.
pub(crate) const RECORDED: [(&str, usize, Record); 16] = [
    ("child completes", 2, |t| {
        t.task();
        let child = t.child_initiated("child");
        let started = t.child_started(child, "child");
        t.child_completed(child, started);
        t.task();
        t.completed();
    }),
    ("child's start and end are told in tasks of their own", 3, |t| {
        t.task();
        let child = t.child_initiated("child");
        let started = t.child_started(child, "child");
        t.task();
        t.timer_started(1);
        t.child_failed(child, started);
        t.task();
        t.completed();
    }),
    ("child times out", 2, |t| {
        t.task();
        let child = t.child_initiated("child");
        let started = t.child_started(child, "child");
        t.child_timed_out(child, started);
        t.task();
        t.failed();
    }),
    ("child is terminated", 2, |t| {
        t.task();
        let child = t.child_initiated("child");
        let started = t.child_started(child, "child");
        t.child_terminated(child, started);
        t.task();
        t.failed();
    }),
    ("child cannot start, because its id is in use", 2, |t| {
        t.task();
        let child = t.child_initiated("child");
        t.child_start_failed(child);
        t.task();
        t.completed();
    }),
    ("two children, one cannot start", 3, |t| {
        t.task();
        let first = t.child_initiated("first");
        let second = t.child_initiated("second");
        let started = t.child_started(second, "second");
        t.child_start_failed(first);
        t.task();
        t.child_completed(second, started);
        t.task();
        t.completed();
    }),
    ("child is cancelled before it has started", 3, |t| {
        t.task();
        let child = t.child_initiated("child");
        t.signaled("stop");
        t.task();
        let cancel = t.child_cancel_initiated("child");
        let started = t.child_started(child, "child");
        t.external_cancel_requested(cancel, "child");
        t.task();
        t.child_canceled(child, started, "child");
        t.task();
        t.completed();
    }),
    (
        "child is not found when it is to be cancelled, and completes",
        3,
        |t| {
            t.task();
            let child = t.child_initiated("child");
            let started = t.child_started(child, "child");
            t.task();
            let cancel = t.child_cancel_initiated("child");
            t.external_cancel_failed(cancel, "child");
            t.child_completed(child, started);
            t.task();
            t.completed();
        },
    ),
    ("child is signalled in the task that starts it", 3, |t| {
        t.task();
        let child = t.child_initiated("child");
        let signal = t.signal_child_initiated("child");
        let started = t.child_started(child, "child");
        t.external_signaled(signal, "child");
        t.task();
        t.child_completed(child, started);
        t.task();
        t.completed();
    }),
    ("nobody is there to be signalled or cancelled", 3, |t| {
        t.task();
        let signal = t.signal_external_initiated("nobody");
        let cancel = t.external_cancel_initiated("nobody");
        t.external_signal_failed(signal, "nobody");
        t.external_cancel_failed(cancel, "nobody");
        t.task();
        t.completed();
    }),
    ("another workflow is cancelled", 2, |t| {
        t.task();
        let cancel = t.external_cancel_initiated("other");
        t.external_cancel_requested(cancel, "other");
        t.task();
        t.completed();
    }),
    ("closes with messages on their way", 3, |t| {
        t.task();
        t.signal_external_initiated("other");
        t.child_initiated("child");
        t.completed();
    }),
    ("search attributes change", 3, |t| {
        t.task();
        t.timer_started(1);
        t.attributes_upserted();
        t.signaled("go");
        t.task();
        t.completed();
    }),
    ("reset to its second task", 3, |t| {
        t.task();
        t.timer_started(1);
        t.signaled("add");
        t.task_scheduled();
        t.task_started();
        t.task_reset();
        t.signaled("applied again");
        t.task();
        t.timer_started(2);
        t.signaled("finish");
        t.task();
        t.completed();
    }),
    ("reset to its first task, twice", 1, |t| {
        t.task_scheduled();
        t.task_started();
        t.task_reset();
        t.task_scheduled();
        t.task_started();
        t.task_reset();
        t.task();
        t.completed();
    }),
    ("fails and is tried again as another run", 1, |t| {
        t.task();
        t.failed_to_be_tried_again();
    }),
];

impl Tape {
    fn child_completed(&mut self, initiated_event_id: i64, started_event_id: i64) {
        self.push(Attributes::ChildWorkflowExecutionCompletedEventAttributes(
            ChildWorkflowExecutionCompletedEventAttributes {
                result: Some(payloads("1")),
                initiated_event_id,
                started_event_id,
                workflow_execution: Some(execution("child")),
                ..Default::default()
            },
        ));
    }

    fn child_failed(&mut self, initiated_event_id: i64, started_event_id: i64) {
        self.push(Attributes::ChildWorkflowExecutionFailedEventAttributes(
            ChildWorkflowExecutionFailedEventAttributes {
                failure: Some(failure("sad")),
                initiated_event_id,
                started_event_id,
                workflow_execution: Some(execution("child")),
                retry_state: RetryState::RetryPolicyNotSet as i32,
                ..Default::default()
            },
        ));
    }

    fn child_timed_out(&mut self, initiated_event_id: i64, started_event_id: i64) {
        self.push(Attributes::ChildWorkflowExecutionTimedOutEventAttributes(
            ChildWorkflowExecutionTimedOutEventAttributes {
                initiated_event_id,
                started_event_id,
                workflow_execution: Some(execution("child")),
                retry_state: RetryState::RetryPolicyNotSet as i32,
                ..Default::default()
            },
        ));
    }

    fn child_terminated(&mut self, initiated_event_id: i64, started_event_id: i64) {
        self.push(Attributes::ChildWorkflowExecutionTerminatedEventAttributes(
            ChildWorkflowExecutionTerminatedEventAttributes {
                initiated_event_id,
                started_event_id,
                workflow_execution: Some(execution("child")),
                ..Default::default()
            },
        ));
    }

    fn child_start_failed(&mut self, initiated_event_id: i64) {
        self.push(Attributes::StartChildWorkflowExecutionFailedEventAttributes(
            StartChildWorkflowExecutionFailedEventAttributes {
                workflow_id: "child".to_owned(),
                cause: StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists as i32,
                initiated_event_id,
                ..Default::default()
            },
        ));
    }

    fn signal_child_initiated(&mut self, workflow_id: &str) -> i64 {
        self.push(
            Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(
                SignalExternalWorkflowExecutionInitiatedEventAttributes {
                    workflow_execution: Some(execution(workflow_id)),
                    signal_name: "hello".to_owned(),
                    child_workflow_only: true,
                    workflow_task_completed_event_id: self.completed,
                    ..Default::default()
                },
            ),
        )
    }

    fn external_signal_failed(&mut self, initiated_event_id: i64, workflow_id: &str) {
        let cause = SignalExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound;
        self.push(Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(
            SignalExternalWorkflowExecutionFailedEventAttributes {
                cause: cause as i32,
                initiated_event_id,
                workflow_execution: Some(execution(workflow_id)),
                ..Default::default()
            },
        ));
    }

    fn external_cancel_initiated(&mut self, workflow_id: &str) -> i64 {
        self.push(
            Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(
                RequestCancelExternalWorkflowExecutionInitiatedEventAttributes {
                    workflow_execution: Some(execution(workflow_id)),
                    workflow_task_completed_event_id: self.completed,
                    ..Default::default()
                },
            ),
        )
    }

    fn external_cancel_failed(&mut self, initiated_event_id: i64, workflow_id: &str) {
        let cause = CancelExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound;
        self.push(
            Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(
                RequestCancelExternalWorkflowExecutionFailedEventAttributes {
                    cause: cause as i32,
                    initiated_event_id,
                    workflow_execution: Some(execution(workflow_id)),
                    ..Default::default()
                },
            ),
        );
    }

    fn attributes_upserted(&mut self) {
        self.push(Attributes::UpsertWorkflowSearchAttributesEventAttributes(
            UpsertWorkflowSearchAttributesEventAttributes {
                workflow_task_completed_event_id: self.completed,
                search_attributes: Some(SearchAttributes {
                    indexed_fields: [("Stage".to_owned(), payload("\"paid\""))].into(),
                }),
            },
        ));
    }

    fn task_reset(&mut self) {
        self.push(Attributes::WorkflowTaskFailedEventAttributes(
            WorkflowTaskFailedEventAttributes {
                scheduled_event_id: self.scheduled,
                started_event_id: self.started,
                cause: WorkflowTaskFailedCause::ResetWorkflow as i32,
                base_run_id: "0193d3a2-0000-7000-8000-000000000001".to_owned(),
                new_run_id: "0193d3a2-0000-7000-8000-000000000002".to_owned(),
                ..Default::default()
            },
        ));
    }

    fn failed_to_be_tried_again(&mut self) {
        self.push(Attributes::WorkflowExecutionFailedEventAttributes(
            WorkflowExecutionFailedEventAttributes {
                failure: Some(failure("no")),
                retry_state: RetryState::InProgress as i32,
                workflow_task_completed_event_id: self.completed,
                new_execution_run_id: "0193d3a2-0000-7000-8000-000000000002".to_owned(),
            },
        ));
    }
}
