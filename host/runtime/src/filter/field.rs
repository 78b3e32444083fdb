//! The fields of an execution that a query can name.

use std::{borrow::Cow, fmt, sync::Arc};

use longhaul_store::ExecutionRecord;

use crate::attributes;

/// A field, by the kind of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    /// Text.
    Text(TextField),
    /// `ExecutionStatus`.
    Status,
    /// Numbers, times and durations.
    Number(NumberField),
    /// A search attribute, with its type.
    Attribute(Arc<str>, attributes::Kind),
}

/// Fields that are text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextField {
    WorkflowId,
    RunId,
    WorkflowType,
    TaskQueue,
}

/// Fields that are compared as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberField {
    /// Nanoseconds since 1970, as the other two times.
    StartTime,
    CloseTime,
    ExecutionTime,
    /// Events.
    HistoryLength,
    /// Nanoseconds from `ExecutionTime` to `CloseTime`.
    ExecutionDuration,
}

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Status,
    Time,
    Integer,
    Duration,
    Attribute(attributes::Kind),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Status => "a status",
            Self::Time => "a time",
            Self::Integer => "an integer",
            Self::Duration => "a duration",
            Self::Attribute(kind) => return write!(f, "a search attribute of type {kind}"),
        })
    }
}

impl Field {
    /// Every field that the server sets, by name.
    pub(crate) const ALL: [(&'static str, Self); 10] = [
        ("WorkflowId", Self::Text(TextField::WorkflowId)),
        ("RunId", Self::Text(TextField::RunId)),
        ("WorkflowType", Self::Text(TextField::WorkflowType)),
        ("TaskQueue", Self::Text(TextField::TaskQueue)),
        ("ExecutionStatus", Self::Status),
        ("StartTime", Self::Number(NumberField::StartTime)),
        ("CloseTime", Self::Number(NumberField::CloseTime)),
        ("ExecutionTime", Self::Number(NumberField::ExecutionTime)),
        ("HistoryLength", Self::Number(NumberField::HistoryLength)),
        ("ExecutionDuration", Self::Number(NumberField::ExecutionDuration)),
    ];

    /// The field of a name that the server sets.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, field)| field)
    }

    /// What its values are.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Status => Kind::Status,
            Self::Number(number) => number.kind(),
            Self::Attribute(_, kind) => Kind::Attribute(*kind),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Attribute(name, _) = self {
            return f.write_str(name);
        }
        let name = Self::ALL
            .into_iter()
            .find(|(_, field)| field == self)
            .map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl TextField {
    /// An execution's value.
    pub(crate) fn of(self, record: &ExecutionRecord) -> Cow<'_, str> {
        match self {
            Self::WorkflowId => Cow::Borrowed(&record.workflow_id),
            Self::RunId => Cow::Owned(record.run_id.to_string()),
            Self::WorkflowType => Cow::Borrowed(&record.workflow_type),
            Self::TaskQueue => Cow::Borrowed(&record.task_queue),
        }
    }
}

impl NumberField {
    fn kind(self) -> Kind {
        match self {
            Self::StartTime | Self::CloseTime | Self::ExecutionTime => Kind::Time,
            Self::HistoryLength => Kind::Integer,
            Self::ExecutionDuration => Kind::Duration,
        }
    }

    /// An execution's value; `None` if it has none yet.
    pub(crate) fn of(self, record: &ExecutionRecord) -> Option<i128> {
        let number = match self {
            Self::StartTime => record.start_time_ns,
            Self::CloseTime => record.close_time_ns?,
            Self::ExecutionTime => record.execution_time_ns,
            Self::HistoryLength => record.next_event_id.saturating_sub(1),
            Self::ExecutionDuration => record.close_time_ns?.saturating_sub(record.execution_time_ns),
        };
        Some(i128::from(number))
    }

    /// Whether it is missing exactly while an execution is open.
    pub(crate) fn is_set_by_close(self) -> bool {
        matches!(self, Self::CloseTime | Self::ExecutionDuration)
    }
}
