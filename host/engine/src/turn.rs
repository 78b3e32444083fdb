//! What one step of an execution yields.

use std::sync::Arc;

use longhaul_history::{
    proto::history::v1::{HistoryEvent, history_event::Attributes},
    time,
};

use crate::execution::Successor;

/// Events and effects of one transition, in the order in which they came about.
#[derive(Debug)]
pub struct Turn {
    /// The time of every event in it, in nanoseconds since 1970.
    pub now_ns: u64,
    /// The id of the run that follows, if this transition closes the run and its chain goes on.
    pub next_run_id: String,
    /// New events.
    pub events: Vec<Arc<HistoryEvent>>,
    /// What the shell has to do about them.
    pub effects: Vec<Effect>,
    /// The run that follows on the one that this transition has closed. It begins in the same transition.
    pub successor: Option<Box<Successor>>,
}

impl Turn {
    /// An empty one. The caller chooses an id for the next run, because only it has random numbers; it is used if the run closes
    /// and its chain goes on (continue-as-new, retry, cron).
    pub fn new(now_ns: u64, next_run_id: impl Into<String>) -> Self {
        Self {
            now_ns,
            next_run_id: next_run_id.into(),
            events: Vec::new(),
            effects: Vec::new(),
            successor: None,
        }
    }

    /// A message is not to be sent any more. One of this very transition was never stored.
    pub(crate) fn outbox_gone(&mut self, order: i64) {
        match self
            .effects
            .iter()
            .position(|effect| *effect == Effect::OutboxPut { order })
        {
            Some(put) => drop(self.effects.remove(put)),
            None => self.effects.push(Effect::OutboxGone { order }),
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
    /// There is a message for another execution: [`Execution::outgoing`](crate::Execution::outgoing) has it. It is stored with the
    /// transition and sent when that is durable.
    OutboxPut {
        /// Its place among the messages of this run, and the key of its answer: the event that initiated it, or for a message of a
        /// closing run a number from the closing event's on.
        order: i64,
    },
    /// A message for another execution was answered, or is not to be sent any more.
    OutboxGone {
        /// Its order.
        order: i64,
    },
    /// The wait for the first workflow task is over.
    FirstTaskReleased,
    /// The execution has closed.
    Closed,
}

pub(crate) fn event(event_id: i64, now_ns: u64, attributes: Attributes) -> HistoryEvent {
    HistoryEvent {
        // Workers of other SDKs know nothing of it, and need not.
        worker_may_ignore: matches!(
            attributes,
            Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(_)
        ),
        event_id,
        event_time: Some(time::timestamp_from_ns(now_ns)),
        event_type: attributes.event_type() as i32,
        // Temporal's server numbers its internal tasks here; tools only want it to grow.
        task_id: event_id,
        attributes: Some(attributes),
        ..Default::default()
    }
}
