//! Giving an open history an end, so that Core looks at all of it.
//!
//! Core's replay worker ends a replay at the first event behind the last completed task that is not a command's: what
//! is wrong from there on is evicted as an ordinary end, and commands without an event are never missed. So a history
//! that no command has closed gets a signal, a task and a completion of the workflow in the judge's name: then every
//! event of the history stands before a task, and every command before another.

use temporalio_protos::temporal::api::{
    enums::v1::EventType,
    history::v1::{
        History, HistoryEvent, WorkflowExecutionCompletedEventAttributes,
        WorkflowExecutionSignaledEventAttributes, WorkflowTaskCompletedEventAttributes,
        WorkflowTaskFailedEventAttributes, WorkflowTaskScheduledEventAttributes,
        WorkflowTaskStartedEventAttributes, history_event::Attributes,
    },
    sdk::v1::WorkflowTaskCompletedMetadata,
};

/// The name of the signal that gives the added task something to do.
const SIGNAL: &str = "longhaul-judge";

/// Core's checks of ids and types, search attributes of patches, and closing commands that move to the end. They count
/// from the first completed task on; an added one is the first where the history has none.
const CORE_FLAGS: [u32; 3] = [1, 2, 3];

/// A history with an end.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) history: History,
    /// The WorkflowTaskStarted of the task that the judge has added, which the judge answers by completing the
    /// workflow; `None` where a command of the history's own closed it.
    pub(crate) started: Option<i64>,
}

/// Gives `history` an end if no command has closed it.
///
/// A termination or timeout of the run, which Core passes over unseen, is left out.
pub(crate) fn closed(history: &History) -> Closed {
    let mut history = history.clone();
    let last = history.events.last().map(HistoryEvent::event_type);
    if matches!(
        last,
        Some(EventType::WorkflowExecutionTerminated | EventType::WorkflowExecutionTimedOut)
    ) {
        history.events.pop();
    } else if history
        .events
        .last()
        .is_some_and(HistoryEvent::is_final_wf_execution_event)
    {
        return Closed {
            history,
            started: None,
        };
    }

    let first_task = !history
        .events
        .iter()
        .any(|event| event.event_type() == EventType::WorkflowTaskCompleted);
    let mut end = End {
        events: &mut history.events,
    };
    let (mut scheduled, open) = end.open_task();
    if let Some(started_event_id) = open {
        let scheduled_event_id = scheduled.take().unwrap_or_default();
        end.push(Attributes::WorkflowTaskFailedEventAttributes(
            WorkflowTaskFailedEventAttributes {
                scheduled_event_id,
                started_event_id,
                ..Default::default()
            },
        ));
    }
    end.push(Attributes::WorkflowExecutionSignaledEventAttributes(
        WorkflowExecutionSignaledEventAttributes {
            signal_name: SIGNAL.to_owned(),
            ..Default::default()
        },
    ));
    let scheduled_event_id = scheduled.unwrap_or_else(|| {
        end.push(Attributes::WorkflowTaskScheduledEventAttributes(
            WorkflowTaskScheduledEventAttributes::default(),
        ))
    });
    let started_event_id = end.push(Attributes::WorkflowTaskStartedEventAttributes(
        WorkflowTaskStartedEventAttributes {
            scheduled_event_id,
            ..Default::default()
        },
    ));
    let core_used_flags = if first_task {
        CORE_FLAGS.to_vec()
    } else {
        Vec::new()
    };
    let completed = end.push(Attributes::WorkflowTaskCompletedEventAttributes(
        WorkflowTaskCompletedEventAttributes {
            scheduled_event_id,
            started_event_id,
            sdk_metadata: Some(WorkflowTaskCompletedMetadata {
                core_used_flags,
                ..Default::default()
            }),
            ..Default::default()
        },
    ));
    end.push(Attributes::WorkflowExecutionCompletedEventAttributes(
        WorkflowExecutionCompletedEventAttributes {
            workflow_task_completed_event_id: completed,
            ..Default::default()
        },
    ));
    Closed {
        history,
        started: Some(started_event_id),
    }
}

/// The end of a history that is being written.
struct End<'a> {
    events: &'a mut Vec<HistoryEvent>,
}

impl End<'_> {
    /// The ids of the Scheduled and the Started of a task that has neither been completed nor failed.
    fn open_task(&self) -> (Option<i64>, Option<i64>) {
        let (mut scheduled, mut started) = (None, None);
        for event in self.events.iter() {
            match event.event_type() {
                EventType::WorkflowTaskScheduled => scheduled = Some(event.event_id),
                EventType::WorkflowTaskStarted => started = Some(event.event_id),
                EventType::WorkflowTaskCompleted
                | EventType::WorkflowTaskFailed
                | EventType::WorkflowTaskTimedOut => {
                    (scheduled, started) = (None, None);
                }
                _ => {}
            }
        }
        (scheduled, started)
    }

    /// Appends an event at the time of the one before it, and returns its id.
    fn push(&mut self, attributes: Attributes) -> i64 {
        let event_id = self.events.last().map_or(1, |event| event.event_id + 1);
        let event_time = self
            .events
            .last()
            .and_then(|event| event.event_time)
            .unwrap_or_default();
        self.events.push(HistoryEvent {
            event_id,
            event_time: Some(event_time),
            event_type: attributes.event_type() as i32,
            attributes: Some(attributes),
            ..Default::default()
        });
        event_id
    }
}
