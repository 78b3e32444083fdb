//! Histories made by hand, for tests and examples.
//!
//! ```
//! # use std::time::Duration;
//! # use longhaul_history::{Builder, text};
//! let mut history = Builder::new();
//! history.add_started("Approval", "default");
//! history.add_workflow_task();
//! history.add_timer_started(1, Duration::from_secs(7 * 86_400));
//! history.add_timer_fired(1);
//! history.add_workflow_task();
//! history.add_execution_completed(None);
//! text::assert_history(
//!     history.events(),
//!     "1 WorkflowExecutionStarted type=Approval id=workflow queue=default
//!      2 WorkflowTaskScheduled
//!      3 WorkflowTaskStarted scheduled=2
//!      4 WorkflowTaskCompleted scheduled=2 started=3
//!      5 TimerStarted id=1 after=7d
//!      6 TimerFired id=1 started=5
//!      7 WorkflowTaskScheduled
//!      8 WorkflowTaskStarted scheduled=7
//!      9 WorkflowTaskCompleted scheduled=7 started=8
//!     10 WorkflowExecutionCompleted",
//! );
//! ```

mod across;
mod operations;

use std::collections::HashMap;

use crate::{
    Attributes, History, HistoryEvent, payload,
    proto::{
        common::v1::{Header, Payloads, WorkflowExecution, WorkflowType},
        enums::v1::{
            ContinueAsNewInitiator, RetryState, TaskQueueKind, TimeoutType, WorkflowTaskFailedCause,
        },
        failure::v1::Failure,
        history::v1::{
            WorkflowExecutionCancelRequestedEventAttributes, WorkflowExecutionCanceledEventAttributes,
            WorkflowExecutionCompletedEventAttributes, WorkflowExecutionContinuedAsNewEventAttributes,
            WorkflowExecutionFailedEventAttributes, WorkflowExecutionSignaledEventAttributes,
            WorkflowExecutionStartedEventAttributes, WorkflowExecutionTerminatedEventAttributes,
            WorkflowExecutionTimedOutEventAttributes, WorkflowTaskCompletedEventAttributes,
            WorkflowTaskFailedEventAttributes, WorkflowTaskScheduledEventAttributes,
            WorkflowTaskStartedEventAttributes, WorkflowTaskTimedOutEventAttributes,
        },
        sdk::v1::WorkflowTaskCompletedMetadata,
        taskqueue::v1::TaskQueue,
    },
    time,
};

/// The workflow id of a built history.
pub const WORKFLOW_ID: &str = "workflow";

/// The run id of a built history, which seeds its random streams.
pub const RUN_ID: &str = "0191a5d0-0000-7000-8000-000000000001";

/// Time of a built history's first event: 2026-01-01T00:00:00Z.
pub const START_NS: u64 = 1_767_225_600 * time::NS_PER_SECOND;

/// Flags by which Temporal's Core SDK knows the behaviour that a history was written with. A history's first
/// WorkflowTaskCompleted has to carry them.
pub const CORE_FLAGS: [u32; 3] = [1, 2, 3];

const IDENTITY: &str = "builder";

/// Appends events with consecutive ids and with times that move on by a millisecond an event.
///
/// Every `add_` method returns the id of the event that it has appended (of the last, where it appends several). Operations
/// are named by their `seq`, as in commands; the builder remembers which events belong to it. A `seq` that was never
/// started refers to event 0, so that broken histories can be built, too.
#[derive(Debug, Clone)]
pub struct Builder {
    events: Vec<HistoryEvent>,
    now_ns: u64,
    step_ns: u64,
    task_queue: String,
    task_scheduled: i64,
    task_started: i64,
    task_completed: i64,
    timers: HashMap<u32, i64>,
    activities: HashMap<u32, operations::Activity>,
    updates: HashMap<String, i64>,
    children: HashMap<u32, across::Child>,
    externals: HashMap<u32, i64>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// An empty history at [`START_NS`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            events: Vec::new(),
            now_ns: START_NS,
            step_ns: time::NS_PER_MILLISECOND,
            task_queue: "default".to_owned(),
            task_scheduled: 0,
            task_started: 0,
            task_completed: 0,
            timers: HashMap::new(),
            activities: HashMap::new(),
            updates: HashMap::new(),
            children: HashMap::new(),
            externals: HashMap::new(),
        }
    }

    /// The events so far.
    #[must_use]
    pub fn events(&self) -> &[HistoryEvent] {
        &self.events
    }

    /// The events.
    #[must_use]
    pub fn into_events(self) -> Vec<HistoryEvent> {
        self.events
    }

    /// The events as a `History`, for Temporal's tools.
    #[must_use]
    pub fn into_history(self) -> History {
        History { events: self.events }
    }

    /// The id of the last event; 0 if there is none.
    #[must_use]
    pub fn last_event_id(&self) -> i64 {
        self.events.last().map_or(0, |event| event.event_id)
    }

    /// The time of the next event, in nanoseconds since 1970.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Let time pass before the next event.
    pub fn advance(&mut self, by: std::time::Duration) -> &mut Self {
        let by_ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.now_ns = self.now_ns.saturating_add(by_ns);
        self
    }

    /// Append an event of any type. It gets the next id and time, and its type from the attributes.
    pub fn push(&mut self, attributes: impl Into<Attributes>) -> i64 {
        let attributes = attributes.into();
        let event_id = self.last_event_id() + 1;
        self.events.push(HistoryEvent {
            event_id,
            event_time: Some(time::timestamp_from_ns(self.now_ns)),
            event_type: attributes.event_type().into(),
            attributes: Some(attributes),
            ..Default::default()
        });
        self.now_ns = self.now_ns.saturating_add(self.step_ns);
        event_id
    }

    /// Change the last event, for what its `add_` method has no parameter. Nothing happens if there is none.
    pub fn amend(&mut self, change: impl FnOnce(&mut HistoryEvent)) -> &mut Self {
        if let Some(event) = self.events.last_mut() {
            change(event);
        }
        self
    }

    /// WorkflowExecutionStarted without input.
    pub fn add_started(&mut self, workflow_type: &str, task_queue: &str) -> i64 {
        self.add_started_with(workflow_type, task_queue, None)
    }

    /// WorkflowExecutionStarted. Also the queue of everything that follows.
    pub fn add_started_with(
        &mut self,
        workflow_type: &str,
        task_queue: &str,
        input: impl Into<Option<Payloads>>,
    ) -> i64 {
        self.task_queue = task_queue.to_owned();
        self.push(WorkflowExecutionStartedEventAttributes {
            workflow_type: Some(WorkflowType {
                name: workflow_type.to_owned(),
            }),
            workflow_id: WORKFLOW_ID.to_owned(),
            task_queue: Some(self.queue()),
            input: input.into(),
            workflow_execution_timeout: Some(time::duration_from_ns(0)),
            workflow_run_timeout: Some(time::duration_from_ns(0)),
            workflow_task_timeout: Some(time::duration_from_ns(10 * time::NS_PER_SECOND)),
            original_execution_run_id: RUN_ID.to_owned(),
            first_execution_run_id: RUN_ID.to_owned(),
            identity: IDENTITY.to_owned(),
            attempt: 1,
            first_workflow_task_backoff: Some(time::duration_from_ns(0)),
            header: Some(Header::default()),
            ..Default::default()
        })
    }

    /// A whole workflow task: scheduled, started and completed. Returns the id of its WorkflowTaskCompleted.
    pub fn add_workflow_task(&mut self) -> i64 {
        self.add_workflow_task_scheduled();
        self.add_workflow_task_started();
        self.add_workflow_task_completed()
    }

    /// WorkflowTaskScheduled.
    pub fn add_workflow_task_scheduled(&mut self) -> i64 {
        self.task_scheduled = self.push(WorkflowTaskScheduledEventAttributes {
            task_queue: Some(self.queue()),
            start_to_close_timeout: Some(time::duration_from_ns(10 * time::NS_PER_SECOND)),
            attempt: 1,
        });
        self.task_scheduled
    }

    /// WorkflowTaskStarted. The history's size is the real one up to here.
    pub fn add_workflow_task_started(&mut self) -> i64 {
        let bytes: usize = self.events.iter().map(prost::Message::encoded_len).sum();
        self.task_started = self.push(WorkflowTaskStartedEventAttributes {
            scheduled_event_id: self.task_scheduled,
            identity: IDENTITY.to_owned(),
            request_id: format!("task-{}", self.task_scheduled),
            history_size_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            ..Default::default()
        });
        self.task_started
    }

    /// WorkflowTaskCompleted. The first one carries [`CORE_FLAGS`].
    pub fn add_workflow_task_completed(&mut self) -> i64 {
        let is_first = self.task_completed == 0;
        self.task_completed = self.push(WorkflowTaskCompletedEventAttributes {
            scheduled_event_id: self.task_scheduled,
            started_event_id: self.task_started,
            identity: IDENTITY.to_owned(),
            sdk_metadata: is_first.then(|| WorkflowTaskCompletedMetadata {
                core_used_flags: CORE_FLAGS.to_vec(),
                ..Default::default()
            }),
            ..Default::default()
        });
        self.task_completed
    }

    /// WorkflowTaskFailed.
    pub fn add_workflow_task_failed(
        &mut self,
        cause: WorkflowTaskFailedCause,
        failure: impl Into<Option<Failure>>,
    ) -> i64 {
        self.push(WorkflowTaskFailedEventAttributes {
            scheduled_event_id: self.task_scheduled,
            started_event_id: self.task_started,
            cause: cause.into(),
            failure: failure.into(),
            identity: IDENTITY.to_owned(),
            ..Default::default()
        })
    }

    /// WorkflowTaskTimedOut, start to close.
    pub fn add_workflow_task_timed_out(&mut self) -> i64 {
        self.push(WorkflowTaskTimedOutEventAttributes {
            scheduled_event_id: self.task_scheduled,
            started_event_id: self.task_started,
            timeout_type: TimeoutType::StartToClose.into(),
        })
    }

    /// WorkflowExecutionSignaled, sent by a client.
    pub fn add_signal(&mut self, name: &str, input: impl Into<Option<Payloads>>) -> i64 {
        self.push(WorkflowExecutionSignaledEventAttributes {
            signal_name: name.to_owned(),
            input: input.into(),
            identity: IDENTITY.to_owned(),
            header: Some(Header::default()),
            ..Default::default()
        })
    }

    /// WorkflowExecutionSignaled, sent by another workflow.
    pub fn add_signal_from(
        &mut self,
        sender: WorkflowExecution,
        name: &str,
        input: impl Into<Option<Payloads>>,
    ) -> i64 {
        self.push(WorkflowExecutionSignaledEventAttributes {
            signal_name: name.to_owned(),
            input: input.into(),
            identity: "history-service".to_owned(),
            header: Some(Header::default()),
            external_workflow_execution: Some(sender),
            ..Default::default()
        })
    }

    /// WorkflowExecutionCancelRequested.
    pub fn add_cancel_requested(&mut self, cause: &str) -> i64 {
        self.push(WorkflowExecutionCancelRequestedEventAttributes {
            cause: cause.to_owned(),
            identity: IDENTITY.to_owned(),
            ..Default::default()
        })
    }

    /// WorkflowExecutionCompleted.
    pub fn add_execution_completed(&mut self, result: impl Into<Option<Payloads>>) -> i64 {
        self.push(WorkflowExecutionCompletedEventAttributes {
            result: result.into(),
            workflow_task_completed_event_id: self.task_completed,
            ..Default::default()
        })
    }

    /// WorkflowExecutionFailed, without a retry policy.
    pub fn add_execution_failed(&mut self, failure: Failure) -> i64 {
        self.push(WorkflowExecutionFailedEventAttributes {
            failure: Some(failure),
            retry_state: RetryState::RetryPolicyNotSet.into(),
            workflow_task_completed_event_id: self.task_completed,
            ..Default::default()
        })
    }

    /// WorkflowExecutionCanceled.
    pub fn add_execution_canceled(&mut self, details: impl Into<Option<Payloads>>) -> i64 {
        self.push(WorkflowExecutionCanceledEventAttributes {
            workflow_task_completed_event_id: self.task_completed,
            details: details.into(),
        })
    }

    /// WorkflowExecutionTerminated.
    pub fn add_execution_terminated(&mut self, reason: &str) -> i64 {
        self.push(WorkflowExecutionTerminatedEventAttributes {
            reason: reason.to_owned(),
            identity: IDENTITY.to_owned(),
            ..Default::default()
        })
    }

    /// WorkflowExecutionTimedOut, without a retry policy.
    pub fn add_execution_timed_out(&mut self) -> i64 {
        self.push(WorkflowExecutionTimedOutEventAttributes {
            retry_state: RetryState::RetryPolicyNotSet.into(),
            ..Default::default()
        })
    }

    /// WorkflowExecutionContinuedAsNew, asked for by the workflow.
    pub fn add_continued_as_new(
        &mut self,
        new_run_id: &str,
        workflow_type: &str,
        input: impl Into<Option<Payloads>>,
    ) -> i64 {
        self.push(WorkflowExecutionContinuedAsNewEventAttributes {
            new_execution_run_id: new_run_id.to_owned(),
            workflow_type: Some(WorkflowType {
                name: workflow_type.to_owned(),
            }),
            task_queue: Some(self.queue()),
            input: input.into(),
            workflow_run_timeout: Some(time::duration_from_ns(0)),
            workflow_task_timeout: Some(time::duration_from_ns(10 * time::NS_PER_SECOND)),
            workflow_task_completed_event_id: self.task_completed,
            initiator: ContinueAsNewInitiator::Workflow.into(),
            ..Default::default()
        })
    }

    fn queue(&self) -> TaskQueue {
        TaskQueue {
            name: self.task_queue.clone(),
            kind: TaskQueueKind::Normal.into(),
            normal_name: String::new(),
        }
    }
}

/// JSON values as the input of `add_` methods: `values([json!(1), json!("two")])`.
#[must_use]
pub fn values(values: impl IntoIterator<Item = serde_json::Value>) -> Option<Payloads> {
    payload::list(values.into_iter().map(|value| payload::json_payload(&value)))
}

#[cfg(test)]
mod tests;
