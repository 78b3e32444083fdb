//! What one step of an execution yields.

use std::sync::Arc;

use longhaul_history::{
    proto::{
        enums::v1::EventType,
        history::v1::{HistoryEvent, history_event::Attributes},
    },
    time,
};

/// Events and effects of one transition, in the order in which they came about.
#[derive(Debug)]
pub struct Turn {
    /// The time of every event in it, in nanoseconds since 1970.
    pub now_ns: u64,
    /// New events.
    pub events: Vec<Arc<HistoryEvent>>,
    /// What the shell has to do about them.
    pub effects: Vec<Effect>,
}

impl Turn {
    /// An empty one.
    pub fn new(now_ns: u64) -> Self {
        Self {
            now_ns,
            events: Vec::new(),
            effects: Vec::new(),
        }
    }
}

/// Something that the shell has to store, to arm or to tell. All of it belongs to the transition: what is stored is stored with
/// the events, what is told is told after they are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A timer was started.
    TimerSet {
        /// Its TimerStarted event.
        started_event_id: i64,
        /// When it fires, in nanoseconds since 1970.
        due_ns: u64,
    },
    /// A timer has fired or was cancelled, or its run has closed.
    TimerGone {
        /// Its TimerStarted event.
        started_event_id: i64,
        /// When it was to fire.
        due_ns: u64,
    },
    /// An activity is new or has changed: its row, its next wake-up and perhaps its attempt.
    ActivityChanged {
        /// Its ActivityTaskScheduled event.
        scheduled_event_id: i64,
    },
    /// An activity has ended, or its run has closed.
    ActivityGone {
        /// Its ActivityTaskScheduled event.
        scheduled_event_id: i64,
    },
    /// A running attempt should be told to stop.
    ActivityCancelRequested {
        /// Its ActivityTaskScheduled event.
        scheduled_event_id: i64,
    },
    /// An update was admitted.
    UpdateAdmitted {
        /// Its id.
        id: String,
    },
    /// An update was accepted.
    UpdateAccepted {
        /// Its id.
        id: String,
    },
    /// An update has completed.
    UpdateCompleted {
        /// Its id.
        id: String,
    },
    /// The execution has closed.
    Closed,
}

pub(crate) fn event(event_id: i64, now_ns: u64, attributes: Attributes) -> HistoryEvent {
    HistoryEvent {
        event_id,
        event_time: Some(time::timestamp_from_ns(now_ns)),
        event_type: event_type(&attributes) as i32,
        // Temporal's server numbers its internal tasks here; tools only want it to grow.
        task_id: event_id,
        attributes: Some(attributes),
        ..Default::default()
    }
}

/// The type of the events that this crate writes; others are unspecified.
fn event_type(attributes: &Attributes) -> EventType {
    use Attributes as A;
    match attributes {
        A::WorkflowExecutionStartedEventAttributes(_) => EventType::WorkflowExecutionStarted,
        A::WorkflowExecutionCompletedEventAttributes(_) => EventType::WorkflowExecutionCompleted,
        A::WorkflowExecutionFailedEventAttributes(_) => EventType::WorkflowExecutionFailed,
        A::WorkflowExecutionTimedOutEventAttributes(_) => EventType::WorkflowExecutionTimedOut,
        A::WorkflowExecutionCanceledEventAttributes(_) => EventType::WorkflowExecutionCanceled,
        A::WorkflowExecutionTerminatedEventAttributes(_) => EventType::WorkflowExecutionTerminated,
        A::WorkflowExecutionSignaledEventAttributes(_) => EventType::WorkflowExecutionSignaled,
        A::WorkflowExecutionCancelRequestedEventAttributes(_) => EventType::WorkflowExecutionCancelRequested,
        A::WorkflowExecutionUpdateAcceptedEventAttributes(_) => EventType::WorkflowExecutionUpdateAccepted,
        A::WorkflowExecutionUpdateCompletedEventAttributes(_) => EventType::WorkflowExecutionUpdateCompleted,
        A::WorkflowTaskScheduledEventAttributes(_) => EventType::WorkflowTaskScheduled,
        A::WorkflowTaskStartedEventAttributes(_) => EventType::WorkflowTaskStarted,
        A::WorkflowTaskCompletedEventAttributes(_) => EventType::WorkflowTaskCompleted,
        A::WorkflowTaskFailedEventAttributes(_) => EventType::WorkflowTaskFailed,
        A::TimerStartedEventAttributes(_) => EventType::TimerStarted,
        A::TimerFiredEventAttributes(_) => EventType::TimerFired,
        A::TimerCanceledEventAttributes(_) => EventType::TimerCanceled,
        A::ActivityTaskScheduledEventAttributes(_) => EventType::ActivityTaskScheduled,
        A::ActivityTaskStartedEventAttributes(_) => EventType::ActivityTaskStarted,
        A::ActivityTaskCompletedEventAttributes(_) => EventType::ActivityTaskCompleted,
        A::ActivityTaskFailedEventAttributes(_) => EventType::ActivityTaskFailed,
        A::ActivityTaskTimedOutEventAttributes(_) => EventType::ActivityTaskTimedOut,
        A::ActivityTaskCancelRequestedEventAttributes(_) => EventType::ActivityTaskCancelRequested,
        A::ActivityTaskCanceledEventAttributes(_) => EventType::ActivityTaskCanceled,
        _ => EventType::Unspecified,
    }
}
