//! What comes out of a replay.

use std::time::Duration;

use crate::script::ScriptError;

/// How a history is judged.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long Core may think about one activation before the judge gives up with [`Error::Stalled`].
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(30),
        }
    }
}

/// What Core says of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every event and every command fits.
    Accepted {
        /// How many activations Core sent for the history's own tasks. It sends none for a task that has nothing to
        /// do, and several for one whose answer brings something new.
        activations: usize,
        /// How many commands were answered, and so compared with an event of history.
        commands: usize,
    },
    /// Core stopped the replay.
    Refused {
        /// Core's words; those of nondeterminism begin with `[TMPRL1100]`.
        reason: String,
        /// The event at which it stopped, where Core names one. An id behind the history's last is that of an event
        /// which the judge added to end the replay: then a command found no event.
        event: Option<i64>,
        /// The WorkflowTaskStarted of the last task that Core had handed out; 0 before the first.
        last_started: i64,
    },
}

impl Verdict {
    /// Whether Core found the code and the history to differ, rather than the history to be malformed.
    #[must_use]
    pub fn is_nondeterminism(&self) -> bool {
        matches!(self, Self::Refused { reason, .. } if reason.starts_with("[TMPRL1100]"))
    }
}

/// A history that could not be brought to a verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The commands cannot be read back.
    #[error("the history's commands cannot be read back: {0}")]
    Script(#[from] ScriptError),
    /// Core accepted the history without having seen all commands: its verdict means nothing.
    #[error(
        "Core accepted the history but asked for {asked} of its {total} commands only: the verdict means nothing"
    )]
    Unasked {
        /// The commands that Core asked for.
        asked: usize,
        /// The commands that the code has to issue.
        total: usize,
    },
    /// Core replays tasks as one that were activated one by one when they were live.
    ///
    /// It takes a task without commands for a heartbeat if the next is scheduled directly behind it. Where that next
    /// task had something to do, the replayed code sees another order than the live code: above all where an update
    /// names a wrong event as the one behind which it was admitted.
    #[error(
        "Core replays the tasks started at events {first_started} and {last_started} as one, though the second had work of its own: a worker's code would see it too early"
    )]
    Merged {
        /// The WorkflowTaskStarted of the first task.
        first_started: i64,
        /// The WorkflowTaskStarted of the last task.
        last_started: i64,
    },
    /// Core did not answer in time.
    #[error(
        "Core did nothing for {patience:?} after the task started at event {last_started}; raise Options::patience if the machine is slow"
    )]
    Stalled {
        /// The time that was given.
        patience: Duration,
        /// The WorkflowTaskStarted of the last task that Core had handed out; 0 before the first.
        last_started: i64,
    },
    /// The replay worker itself failed.
    #[error("Core's replay worker failed: {0}")]
    Worker(String),
}

/// Core's own sentence out of an eviction's message, which wraps it in the debug form of a failure.
pub(crate) fn core_words(message: &str) -> String {
    let Some(begin) = message.find("message: \"").map(|at| at + "message: \"".len()) else {
        return message.to_owned();
    };
    let quoted = &message[begin..];
    let mut words = String::new();
    let mut escaped = false;
    for c in quoted.chars() {
        match (escaped, c) {
            (true, 'n') => words.push('\n'),
            (true, c) => words.push(c),
            (false, '"') => break,
            (false, '\\') => {}
            (false, c) => words.push(c),
        }
        escaped = !escaped && c == '\\';
    }
    words
}

/// The event that Core's words name, as `HistoryEvent(id: 7, TimerFired)` or `HistoryEvent { event_id: 7, ...`.
pub(crate) fn named_event(words: &str) -> Option<i64> {
    let rest = ["HistoryEvent(id: ", "HistoryEvent { event_id: "]
        .iter()
        .find_map(|opening| words.split_once(opening).map(|(_, rest)| rest))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_words_are_cut_out_of_the_debug_form() {
        let message = r#"Workflow activation completion failed: Failure { failure: Some(Failure { message: "[TMPRL1100] Nondeterminism error: it said \"x\"", source: "" }) }"#;
        assert_eq!(
            core_words(message),
            r#"[TMPRL1100] Nondeterminism error: it said "x""#
        );
        assert_eq!(core_words("plain"), "plain");
    }

    #[test]
    fn the_named_event_is_found_in_both_of_cores_forms() {
        assert_eq!(
            named_event("no command for event HistoryEvent(id: 17, TimerFired)"),
            Some(17)
        );
        assert_eq!(
            named_event("not found: HistoryEvent { event_id: 5, event_time: None"),
            Some(5)
        );
        assert_eq!(named_event("Activity id of scheduled event"), None);
    }
}
