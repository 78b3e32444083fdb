//! Reading the workflow code's side of a history: which commands it issued in which task.

use prost_wkt_types::Timestamp;
use temporalio_protos::{
    coresdk::workflow_commands::workflow_command::Variant as Command,
    temporal::api::{
        enums::v1::EventType,
        history::v1::{History, HistoryEvent, history_event::Attributes},
    },
};

use crate::command::Reader;

/// A history whose commands cannot be read back.
///
/// These are faults that Core does not look for, or that leave the judge without an answer to give.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScriptError {
    /// A command event stands where no workflow task has just completed.
    #[error(
        "event {event} ({kind}) is a command's event, but does not stand directly behind a WorkflowTaskCompleted and its commands"
    )]
    Misplaced {
        /// The id of the event.
        event: i64,
        /// The name of its type.
        kind: &'static str,
    },
    /// A command event names another task as its origin than the one that it stands behind.
    #[error(
        "event {event} ({kind}) says that it came from the task completed at event {says}, but it stands behind event {stands}"
    )]
    WrongTask {
        /// The id of the event.
        event: i64,
        /// The name of its type.
        kind: &'static str,
        /// Its `workflow_task_completed_event_id`.
        says: i64,
        /// The id of the WorkflowTaskCompleted that it stands behind.
        stands: i64,
    },
    /// A `WorkflowTaskCompleted` does not directly follow the `WorkflowTaskStarted` that it names.
    #[error(
        "event {event} (WorkflowTaskCompleted) names event {says} as its WorkflowTaskStarted, but that does not stand directly before it"
    )]
    NotStarted {
        /// The id of the event.
        event: i64,
        /// Its `started_event_id`.
        says: i64,
    },
    /// Something stands behind the event that closes the run; Core does not look there.
    #[error("event {event} ({kind}) stands behind the event that closes the run")]
    AfterClose {
        /// The id of the event.
        event: i64,
        /// The name of its type.
        kind: &'static str,
    },
    /// A command event has no attributes, or lacks one that the command needs.
    #[error("event {event} ({kind}) cannot be read as a command: {problem}")]
    Unreadable {
        /// The id of the event.
        event: i64,
        /// The name of its type.
        kind: &'static str,
        /// What is missing or wrong.
        problem: String,
    },
    /// A kind of command that this judge has no answer for.
    #[error("event {event} ({kind}) is of a kind that the judge does not play back")]
    Unsupported {
        /// The id of the event.
        event: i64,
        /// The name of its type.
        kind: &'static str,
    },
}

/// What the workflow code did, task by task, as a history tells it.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// One entry for each completed workflow task, in order.
    tasks: Vec<Task>,
}

/// The commands of one completed workflow task.
#[derive(Debug, Clone, Default)]
struct Task {
    /// When it started.
    started: Option<Timestamp>,
    /// Commands in order, cut behind each local activity: Core answers its marker with an activation of its own, and
    /// what follows the marker was issued in that one.
    rounds: Vec<Vec<Command>>,
}

impl Script {
    /// Reads the commands back from `history`.
    ///
    /// # Errors
    /// [`ScriptError`] names the event whose command cannot be read.
    pub fn read(history: &History) -> Result<Self, ScriptError> {
        let mut reader = Reader::default();
        let mut tasks: Vec<Task> = Vec::new();
        // The completed task whose command events stand here; `None` from the first event that is not a command's.
        let mut open: Option<i64> = None;
        let mut before: Option<&HistoryEvent> = None;
        for event in &history.events {
            if before.is_some_and(HistoryEvent::is_final_wf_execution_event) {
                return Err(ScriptError::AfterClose {
                    event: event.event_id,
                    kind: kind(event),
                });
            }
            if event.event_type() == EventType::WorkflowTaskCompleted {
                check_started(event, before)?;
                open = Some(event.event_id);
                tasks.push(Task {
                    started: before.and_then(|event| event.event_time),
                    rounds: vec![Vec::new()],
                });
            } else if event.is_command_event() {
                let (Some(completed), false) = (open, tasks.is_empty()) else {
                    return Err(ScriptError::Misplaced {
                        event: event.event_id,
                        kind: kind(event),
                    });
                };
                let Some(command) = reader.read(event, completed)? else {
                    before = Some(event);
                    continue;
                };
                let called = match command {
                    Command::ScheduleLocalActivity(_) => reader.called(),
                    _ => None,
                };
                add(&mut tasks, command, called);
            } else {
                open = None;
            }
            before = Some(event);
        }
        Ok(Self { tasks })
    }

    /// How many completed workflow tasks there are.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// How many commands the code issued in all.
    #[must_use]
    pub fn commands(&self) -> usize {
        self.tasks.iter().map(Task::commands).sum()
    }

    /// How many commands the code issued in the task of this index (from 0); 0 where there is no such task.
    #[must_use]
    pub fn commands_of(&self, task: usize) -> usize {
        self.tasks.get(task).map_or(0, Task::commands)
    }

    /// The same code without one of its commands: its event then has no command to stand for.
    ///
    /// `command` counts within the task of index `task`. `None` where there is no such command.
    #[must_use]
    pub fn without(&self, task: usize, command: usize) -> Option<Self> {
        let mut altered = self.clone();
        let (round, place) = altered.tasks.get(task)?.locate(command)?;
        altered.tasks[task].rounds[round].remove(place);
        Some(altered)
    }

    /// The same code with one of its commands issued twice in a row: the second has no event.
    ///
    /// `command` counts within the task of index `task`. `None` where there is no such command.
    #[must_use]
    pub fn doubled(&self, task: usize, command: usize) -> Option<Self> {
        let mut altered = self.clone();
        let (round, place) = altered.tasks.get(task)?.locate(command)?;
        let copy = altered.tasks[task].rounds[round][place].clone();
        altered.tasks[task].rounds[round].insert(place, copy);
        Some(altered)
    }

    /// The same code with a command and its successor in the same task in exchanged order.
    ///
    /// `command` counts within the task of index `task`. `None` where either is missing.
    #[must_use]
    pub fn swapped(&self, task: usize, command: usize) -> Option<Self> {
        let mut altered = self.clone();
        let (round, place) = altered.tasks.get(task)?.locate(command)?;
        if place + 1 >= altered.tasks[task].rounds[round].len() {
            return None;
        }
        altered.tasks[task].rounds[round].swap(place, place + 1);
        Some(altered)
    }

    /// The rounds of commands of one task, in order.
    pub(crate) fn rounds(&self, task: usize) -> &[Vec<Command>] {
        self.tasks.get(task).map_or(&[], |task| task.rounds.as_slice())
    }
}

impl Task {
    fn commands(&self) -> usize {
        self.rounds.iter().map(Vec::len).sum()
    }

    /// What follows is of another round.
    fn cut(&mut self) {
        if self.rounds.last().is_none_or(|round| !round.is_empty()) {
            self.rounds.push(Vec::new());
        }
    }

    fn push(&mut self, command: Command) {
        match self.rounds.last_mut() {
            Some(round) => round.push(command),
            None => self.rounds.push(vec![command]),
        }
    }

    /// The round and the place in it of the command of this index.
    fn locate(&self, mut command: usize) -> Option<(usize, usize)> {
        for (index, round) in self.rounds.iter().enumerate() {
            if command < round.len() {
                return Some((index, command));
            }
            command -= round.len();
        }
        None
    }
}

/// Adds a command to the task in which the code issued it. That is the last one, but for a local activity that was still running when
/// its task had to end: its marker stands in a later one, and tells when it was `called`.
fn add(tasks: &mut [Task], command: Command, called: Option<Timestamp>) {
    let key = |time: Timestamp| (time.seconds, time.nanos);
    let last = tasks.len() - 1;
    let issued = called.map_or(last, |called| {
        let begun = |task: &Task| task.started.is_none_or(|started| key(started) <= key(called));
        tasks.iter().rposition(begun).unwrap_or(last)
    });
    let ends_round = matches!(command, Command::ScheduleLocalActivity(_));
    tasks[issued].push(command);
    if ends_round {
        tasks[last].cut();
    }
}

/// Checks what Core does not: that a completed task names the started event before it.
fn check_started(completed: &HistoryEvent, before: Option<&HistoryEvent>) -> Result<(), ScriptError> {
    let says = match &completed.attributes {
        Some(Attributes::WorkflowTaskCompletedEventAttributes(a)) => a.started_event_id,
        _ => 0,
    };
    match before {
        Some(started)
            if started.event_type() == EventType::WorkflowTaskStarted && started.event_id == says =>
        {
            Ok(())
        }
        _ => Err(ScriptError::NotStarted {
            event: completed.event_id,
            says,
        }),
    }
}

/// The name of an event's type, as in Temporal's protobufs without the common prefix.
pub(crate) fn kind(event: &HistoryEvent) -> &'static str {
    event.event_type().as_str_name().trim_start_matches("EVENT_TYPE_")
}
