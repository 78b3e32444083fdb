//! The workflow task's machine.
//!
//! A task runs inline, so its three events are written together; yet it is a machine of its own, because a parked run has a
//! scheduled task that nobody runs, and because histories (also Temporal's own) hold failed and timed-out tasks.

/// Where the current workflow task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is none.
    Idle,
    /// Scheduled, not started.
    Scheduled {
        /// Its event.
        scheduled_event_id: i64,
    },
    /// Running.
    Started {
        /// Its event.
        scheduled_event_id: i64,
        /// The event that started it.
        started_event_id: i64,
    },
}

/// What happens to a workflow task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// WorkflowTaskScheduled.
    Schedule {
        /// The event's own id.
        event_id: i64,
    },
    /// WorkflowTaskStarted.
    Start {
        /// The event's own id.
        event_id: i64,
        /// The event that it names.
        scheduled_event_id: i64,
    },
    /// WorkflowTaskCompleted or WorkflowTaskFailed.
    End {
        /// The event that it names as the one that scheduled it.
        scheduled_event_id: i64,
        /// The event that it names as the one that started it.
        started_event_id: i64,
    },
    /// WorkflowTaskTimedOut: the task need not have started.
    TimeOut {
        /// The event that it names as the one that scheduled it.
        scheduled_event_id: i64,
    },
}

impl State {
    /// The table of transitions; none: illegal.
    pub fn next(self, input: Input) -> Option<State> {
        match (self, input) {
            (Self::Idle, Input::Schedule { event_id }) => Some(Self::Scheduled {
                scheduled_event_id: event_id,
            }),
            (
                Self::Scheduled { scheduled_event_id },
                Input::Start {
                    event_id,
                    scheduled_event_id: named,
                },
            ) if named == scheduled_event_id => Some(Self::Started {
                scheduled_event_id,
                started_event_id: event_id,
            }),
            (
                Self::Started {
                    scheduled_event_id,
                    started_event_id,
                },
                Input::End {
                    scheduled_event_id: scheduled,
                    started_event_id: started,
                },
            ) if scheduled == scheduled_event_id && started == started_event_id => Some(Self::Idle),
            (
                Self::Started {
                    scheduled_event_id, ..
                }
                | Self::Scheduled { scheduled_event_id },
                Input::TimeOut {
                    scheduled_event_id: named,
                },
            ) if named == scheduled_event_id => Some(Self::Idle),
            _ => None,
        }
    }
}
