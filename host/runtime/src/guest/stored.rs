//! Replay from the store: a history is read, decoded, folded and replayed part by part, and never held as a whole.
//!
//! A long one is read by a thread of its own, ahead of the replay. What the replay is done with goes back to the reader, which
//! decodes the next events in its place: both threads together touch a few parts' worth of memory, however long the history is.

use std::{
    sync::{Arc, mpsc::sync_channel},
    thread,
};

use longhaul_engine::{
    Execution, Identity, IllegalTransition,
    proto::history::v1::{HistoryEvent, history_event::Attributes},
    replay::Window,
};
use longhaul_history::codec::{self, Batch};
use longhaul_store::{Events, NamespaceId, RunId, Snapshot};

use super::{
    Guest, Report, TaskError,
    replay::{Code, Origin, Player, Stop, differs},
};
use crate::Error;

/// A part ends with the batch that reaches one of these. A part is handed over between two threads twice, which is cheap for this
/// many events, and [`PARTS_AHEAD`] of them are in memory.
const PART_EVENTS: usize = 512;
/// Encoded.
const PART_BYTES: u64 = 256 << 10;
/// Parts that wait between the reader and the replay.
const PARTS_AHEAD: usize = 4;
/// The reader calls no guest, and what it decodes nests at most 100 deep.
const READER_STACK_BYTES: usize = 1 << 20;

/// Consecutive events of one run.
type Part = Vec<Arc<HistoryEvent>>;

/// A run's history in the store.
pub(crate) struct Stored<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) namespace: NamespaceId,
    pub(crate) run_id: RunId,
    pub(crate) identity: &'a Identity,
}

/// A run as its history made it.
pub(crate) struct Replayed {
    pub(crate) execution: Execution,
    /// The code, or why it could not be brought to where it was.
    pub(crate) guest: Result<(Guest, Report), TaskError>,
}

impl Stored<'_> {
    /// Fold the history and replay the code.
    ///
    /// # Errors
    ///
    /// The history cannot be read or folded. What the code does wrong is in the answer.
    pub(crate) fn replay(&self, code: Code<'_>) -> Result<Replayed, Error> {
        let mut reader = Reader::open(self)?;
        let mut part = Part::new();
        reader.fill(&mut part)?;
        // The fold has seen to it that the history begins with this event.
        let first = part.first().cloned();
        let origin = first.as_ref().and_then(|first| match &first.attributes {
            Some(Attributes::WorkflowExecutionStartedEventAttributes(start)) => Some(Origin {
                identity: self.identity,
                start,
                start_time_ns: reader.execution.as_ref()?.start_time_ns(),
            }),
            _ => None,
        });
        let origin = origin.ok_or_else(|| damaged(self.run_id, "it has no first event"))?;

        let mut replay = Replay::new(Player::new(code, origin, None));
        replay.take(&mut part);
        if !reader.ended {
            read_ahead(&mut reader, &mut replay, part)?;
        }
        let guest = match replay.end() {
            Ok(played) => Ok(played),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Differs { task, nondeterminism }) => Err(differs(nondeterminism, |call| {
                self.play_again(Player::new(code, origin, Some((task, call))))
            })),
        };
        let execution = reader.execution;
        Ok(Replayed {
            execution: execution.ok_or_else(|| damaged(self.run_id, "it has no first event"))?,
            guest,
        })
    }

    /// Replay until the player stops; without haste.
    fn play_again(&self, player: Result<Player<'_>, TaskError>) -> Option<Stop> {
        let mut reader = Reader::open(self).ok()?;
        let mut replay = Replay::new(player);
        let mut part = Part::new();
        while !reader.ended && !replay.has_stopped() {
            reader.fill(&mut part).ok()?;
            replay.take(&mut part);
        }
        replay.end().err()
    }
}

/// Read what is left on another thread while this one replays; where no thread is to be had, on this one. `part` is one to fill.
fn read_ahead(reader: &mut Reader, replay: &mut Replay<'_>, mut part: Part) -> Result<(), Error> {
    let (parts, arriving) = sync_channel(PARTS_AHEAD);
    // Room for all parts that there are: the waiting ones, and one with each thread.
    let (spent, returned) = sync_channel::<Part>(PARTS_AHEAD + 2);
    let ahead = thread::scope(|scope| {
        let reader = &mut *reader;
        let reading = thread::Builder::new()
            .name("history".into())
            .stack_size(READER_STACK_BYTES)
            .spawn_scoped(scope, move || {
                while !reader.ended {
                    let mut part = returned.try_recv().unwrap_or_default();
                    reader.fill(&mut part)?;
                    // Nobody takes it once the code has stopped; the history is folded to its end all the same.
                    let _ = parts.send(part);
                }
                Ok(())
            });
        let reading = reading.ok()?;
        for mut part in arriving {
            replay.take(&mut part);
            if replay.has_stopped() {
                break;
            }
            // The reader may have ended.
            let _ = spent.try_send(part);
        }
        match reading.join() {
            Ok(read) => Some(read),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    if let Some(read) = ahead {
        return read;
    }
    while !reader.ended {
        reader.fill(&mut part)?;
        replay.take(&mut part);
    }
    Ok(())
}

/// The reading half: batches become events, and events the execution's state.
struct Reader {
    run_id: RunId,
    identity: Identity,
    batches: Events,
    execution: Option<Execution>,
    ended: bool,
}

impl Reader {
    fn open(history: &Stored<'_>) -> Result<Self, Error> {
        Ok(Self {
            run_id: history.run_id,
            identity: history.identity.clone(),
            batches: history.snapshot.events(history.namespace, history.run_id, 1)?,
            execution: None,
            ended: false,
        })
    }

    /// Put the next events into `part`, in the place of those that are in it and that nobody else holds.
    fn fill(&mut self, part: &mut Part) -> Result<(), Error> {
        let run_id = self.run_id;
        let unreadable = |error: codec::Error| damaged(run_id, error);
        let (mut count, mut bytes) = (0, 0);
        while count < PART_EVENTS && bytes < PART_BYTES {
            let Some(stored) = self.batches.next() else {
                self.ended = true;
                break;
            };
            let stored = stored?;
            let mut batch = Batch::new(&stored.bytes).map_err(unreadable)?;
            while batch.remaining() > 0 {
                let size = batch.next_into(place(part, count)).map_err(unreadable)? as u64;
                self.fold(&part[count], size)
                    .map_err(|error| damaged(run_id, error))?;
                count += 1;
                bytes += size;
            }
            batch.end().map_err(unreadable)?;
        }
        part.truncate(count);
        Ok(())
    }

    fn fold(&mut self, event: &Arc<HistoryEvent>, bytes: u64) -> Result<(), IllegalTransition> {
        match &mut self.execution {
            Some(execution) => execution.apply_measured(event, bytes),
            None => {
                self.execution = Some(Execution::from_first(self.identity.clone(), event, bytes)?);
                Ok(())
            }
        }
    }
}

/// Where the event with this index is to be decoded.
fn place(part: &mut Part, index: usize) -> &mut HistoryEvent {
    match part.get_mut(index) {
        None => part.push(Arc::default()),
        Some(event) => {
            if Arc::get_mut(event).is_none() {
                *event = Arc::default();
            }
        }
    }
    // Nobody else has it, so nothing is copied.
    Arc::make_mut(&mut part[index])
}

fn damaged(run_id: RunId, why: impl std::fmt::Display) -> Error {
    Error::Internal(format!("the history of run {run_id} is damaged: {why}"))
}

/// The replaying half.
struct Replay<'a> {
    player: Result<Player<'a>, Stop>,
    window: Window,
    events: usize,
}

impl<'a> Replay<'a> {
    fn new(player: Result<Player<'a>, TaskError>) -> Self {
        Self {
            player: player.map_err(Stop::Failed),
            window: Window::new(),
            events: 0,
        }
    }

    /// The code does something else than history says, or fails.
    fn has_stopped(&self) -> bool {
        self.player.is_err()
    }

    /// Replay the tasks that these events complete. What is left in `part` is of no further use here.
    fn take(&mut self, part: &mut Part) {
        if self.has_stopped() {
            return;
        }
        self.events += part.len();
        self.window.exchange(part);
        self.play();
    }

    fn end(mut self) -> Result<(Guest, Report), Stop> {
        self.window.end();
        self.play();
        self.player.map(|player| player.end(self.events))
    }

    fn play(&mut self) {
        while let Ok(player) = &mut self.player
            && let Some(slice) = self.window.next_task()
        {
            if let Err(stop) = player.play(&slice) {
                self.player = Err(stop);
            }
        }
    }
}
