//! Histories as text: one event a line, with the attributes that matter.
//!
//! ```text
//!   1 WorkflowExecutionStarted type=Approval id=expense-7 queue=default input=({"amount":120})
//!   2 WorkflowTaskScheduled
//!   3 WorkflowTaskStarted scheduled=2
//!   4 WorkflowTaskCompleted scheduled=2 started=3
//!   5 TimerStarted id=1 after=7d
//!   6 WorkflowExecutionSignaled name=decide input=(true)
//! ```
//!
//! With the default [`Options`] equal runs give equal text: what differs from run to run (times, run ids, identities,
//! sizes) is left out, and keys are sorted. Arguments stand in parentheses; a single result stands alone.

mod attributes;
mod compare;
mod value;

use crate::{
    HistoryEvent, failure,
    proto::{common::v1::Payloads, enums::v1::EventType, failure::v1::Failure},
    time,
};

pub use self::compare::{assert_history, diff};
use self::value::Line;

/// Which time a line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Times {
    /// None.
    #[default]
    Hidden,
    /// Date and time in UTC.
    Absolute,
    /// Since the first event that was written: `+1m30s`.
    Relative,
}

/// What lines show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Which time. Default: hidden.
    pub times: Times,
    /// Events of workflow tasks. Default: shown. A failed task is always shown.
    pub workflow_tasks: bool,
    /// What differs from run to run: run ids, request ids, identities, sizes, versions. Default: hidden.
    pub volatile: bool,
    /// Characters of a payload, a failure or a text that are shown; the rest is cut off. Default: 300.
    pub value_chars: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            times: Times::Hidden,
            workflow_tasks: true,
            volatile: false,
            value_chars: 300,
        }
    }
}

impl Options {
    /// Everything, with date and time: for people who look at one run.
    #[must_use]
    pub fn full() -> Self {
        Self {
            times: Times::Absolute,
            volatile: true,
            ..Self::default()
        }
    }
}

/// Writes events one after another; pages of one history may come one by one.
#[derive(Debug, Clone)]
pub struct Writer {
    options: Options,
    first_ns: Option<u64>,
}

impl Writer {
    /// A writer for one history.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            first_ns: None,
        }
    }

    /// The event's line, or `None` if the options hide it.
    pub fn line(&mut self, event: &HistoryEvent) -> Option<String> {
        let event_ns = event.event_time.as_ref().and_then(time::ns_from_timestamp);
        let first_ns = *self.first_ns.get_or_insert(event_ns.unwrap_or(0));
        let kind = kind(event);
        let is_routine_task = matches!(
            kind,
            EventType::WorkflowTaskScheduled
                | EventType::WorkflowTaskStarted
                | EventType::WorkflowTaskCompleted
        );
        if is_routine_task && !self.options.workflow_tasks {
            return None;
        }
        let mut line = Line::new(self.options);
        line.raw(&format!("{:>3} ", event.event_id));
        match (self.options.times, &event.event_time) {
            (Times::Hidden, _) => {}
            (Times::Absolute, Some(timestamp)) => {
                line.raw(&format!("{} ", time::format_timestamp(timestamp)))
            }
            (Times::Relative, Some(_)) => {
                let since_ns = event_ns.unwrap_or(0).saturating_sub(first_ns);
                // Nobody reads finer times, and cut to milliseconds they stand in a column.
                let since_ns = since_ns - since_ns % time::NS_PER_MILLISECOND;
                line.raw(&format!(
                    "{:>10} ",
                    format!("+{}", time::format_duration_ns(since_ns))
                ));
            }
            (_, None) => line.raw("(no time) "),
        }
        line.raw(&name_of(event, kind));
        attributes::write(&mut line, event);
        Some(line.finish())
    }
}

/// One event as one line, with the default options.
#[must_use]
pub fn event(event: &HistoryEvent) -> String {
    // The default options hide no event.
    Writer::new(Options::default()).line(event).unwrap_or_default()
}

/// Events as lines, with the default options.
#[must_use]
pub fn history(events: &[HistoryEvent]) -> String {
    history_with(events, Options::default())
}

/// Events as lines. Every line ends with a line break.
#[must_use]
pub fn history_with(events: &[HistoryEvent], options: Options) -> String {
    let mut writer = Writer::new(options);
    events
        .iter()
        .filter_map(|event| writer.line(event))
        .map(|line| line + "\n")
        .collect()
}

/// Payloads as they stand in a line: `(1,"two")`, cut to the default length.
#[must_use]
pub fn payloads(payloads: Option<&Payloads>) -> String {
    let list = payloads.map_or(&[][..], |list| &list.payloads);
    value::arguments(list, Options::default().value_chars)
}

/// A failure as it stands in a line, cut to the default length.
#[must_use]
pub fn failure(failure: &Failure) -> String {
    value::cut(&failure::one_line(failure), Options::default().value_chars)
}

/// An event's type by its short name: `TimerStarted`.
#[must_use]
pub fn event_type(event: &HistoryEvent) -> String {
    name_of(event, kind(event))
}

/// The short name of an enum's value: `TimerStarted` for `EVENT_TYPE_TIMER_STARTED` and the prefix `EVENT_TYPE_`.
#[must_use]
pub fn short_name(full_name: &str, prefix: &str) -> String {
    let words = full_name.strip_prefix(prefix).unwrap_or(full_name).split('_');
    words
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
        })
        .collect()
}

/// What the attributes say the event is; without attributes, what its type says.
fn kind(event: &HistoryEvent) -> EventType {
    event
        .attributes
        .as_ref()
        .map_or_else(|| event.event_type(), |attributes| attributes.event_type())
}

fn name_of(event: &HistoryEvent, kind: EventType) -> String {
    match kind {
        EventType::Unspecified => format!("EventType({})", event.event_type),
        kind => short_name(kind.as_str_name(), "EVENT_TYPE_"),
    }
}

#[cfg(test)]
mod tests;
