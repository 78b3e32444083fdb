//! Altered copies of a history, which a judge that means anything refuses.

use temporalio_protos::temporal::api::{
    enums::v1::EventType,
    history::v1::{
        History, HistoryEvent, TimerStartedEventAttributes, WorkflowPropertiesModifiedEventAttributes,
        history_event::Attributes,
    },
};

/// One event of a history altered, in a way that Core refuses whenever it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alteration {
    /// The first command's event becomes that of another kind of command.
    Kind,
    /// The first activity's type.
    ActivityType,
    /// The first activity's id.
    ActivityId,
    /// The id of the first timer that fired.
    FiredTimerId,
}

impl Alteration {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Kind,
        Self::ActivityType,
        Self::ActivityId,
        Self::FiredTimerId,
    ];

    /// The altered copy of `history` and the id of the altered event, or `None` where nothing is there to alter.
    #[must_use]
    pub fn apply(self, history: &History) -> Option<(History, i64)> {
        let mut altered = history.clone();
        let id = altered
            .events
            .iter_mut()
            .find_map(|event| self.alter(event).then_some(event.event_id))?;
        Some((altered, id))
    }

    /// Alters `event` if it is of the kind that this alteration is for.
    fn alter(self, event: &mut HistoryEvent) -> bool {
        if self == Self::Kind {
            return event.is_command_event() && replace(event);
        }
        match (self, event.attributes.as_mut()) {
            (Self::ActivityType, Some(Attributes::ActivityTaskScheduledEventAttributes(a))) => {
                a.activity_type.get_or_insert_default().name.push_str("-altered");
                true
            }
            (Self::ActivityId, Some(Attributes::ActivityTaskScheduledEventAttributes(a))) => {
                a.activity_id.push_str("-altered");
                true
            }
            (Self::FiredTimerId, Some(Attributes::TimerFiredEventAttributes(a))) => {
                a.timer_id.push('0');
                true
            }
            _ => false,
        }
    }
}

/// Makes a command's event one of another kind.
fn replace(event: &mut HistoryEvent) -> bool {
    let (kind, attributes) = if event.event_type() == EventType::TimerStarted {
        let memo = WorkflowPropertiesModifiedEventAttributes::default();
        (
            EventType::WorkflowPropertiesModified,
            Attributes::WorkflowPropertiesModifiedEventAttributes(memo),
        )
    } else {
        let timer = TimerStartedEventAttributes {
            timer_id: "1".to_owned(),
            ..Default::default()
        };
        (
            EventType::TimerStarted,
            Attributes::TimerStartedEventAttributes(timer),
        )
    };
    event.event_type = kind as i32;
    event.attributes = Some(attributes);
    true
}
