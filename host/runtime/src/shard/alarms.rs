//! A shard's timers in memory: what to look at, and when. Durable timers are rows in the store; this is their order.

use std::{collections::BTreeMap, sync::Arc};

use longhaul_store::{NamespaceId, RunId};

/// What falls due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// A timer of the workflow; its id is its TimerStarted event.
    Timer,
    /// The run's own time limit.
    RunTimeout,
    /// A parked run tries its workflow task again.
    TaskRetry,
    /// An activity's next attempt, or one of its limits; its id is its ActivityTaskScheduled event.
    Activity,
    /// The first workflow task, where it has to wait or is a transition of its own.
    FirstTask,
    /// The run is deleted, but for its events; the id is that after the last.
    Purge,
    /// A workflow task is due that could not run in the transition which made it due: the code was away.
    Task,
    /// A local activity's next attempt, or one of its limits; its id is its number.
    Local,
    /// A workflow task that local activities keep open has been open for long enough.
    TaskLimit,
    /// Nothing but a look at the run.
    Wake,
    /// A letter of the run is sent again; the id is its number.
    Send,
    /// Closed executions fall out of their retention: of no run in particular.
    Retention,
}

impl Kind {
    /// The number under which the store keeps it; none: the store keeps it elsewhere.
    pub(crate) fn stored(self) -> Option<u8> {
        match self {
            Self::Timer => Some(1),
            Self::RunTimeout => Some(2),
            Self::TaskRetry => Some(3),
            Self::FirstTask => Some(4),
            Self::Purge => Some(5),
            Self::Task => Some(6),
            Self::Activity | Self::Local | Self::TaskLimit | Self::Wake | Self::Send | Self::Retention => {
                None
            }
        }
    }

    pub(crate) fn from_stored(number: u8) -> Option<Self> {
        [
            Self::Timer,
            Self::RunTimeout,
            Self::TaskRetry,
            Self::FirstTask,
            Self::Purge,
            Self::Task,
        ]
        .into_iter()
        .find(|kind| kind.stored() == Some(number))
    }
}

/// Names an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Alarm {
    pub(crate) run_id: RunId,
    pub(crate) kind: Kind,
    pub(crate) id: i64,
}

impl Alarm {
    /// The alarm of a kind of which a run has one at most.
    pub(crate) fn of(run_id: RunId, kind: Kind) -> Self {
        Self { run_id, kind, id: 0 }
    }
}

/// Where the run of an alarm is found if it is not in memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) namespace: NamespaceId,
    pub(crate) workflow_id: Arc<str>,
}

/// Alarms in the order in which they are due.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    by_time: BTreeMap<(u64, Alarm), Place>,
}

impl Alarms {
    pub(crate) fn set(&mut self, due_ns: u64, alarm: Alarm, place: Place) {
        self.by_time.insert((due_ns, alarm), place);
    }

    pub(crate) fn clear(&mut self, due_ns: u64, alarm: Alarm) {
        self.by_time.remove(&(due_ns, alarm));
    }

    /// Drop all of a kind, of which there are few and none in the store.
    pub(crate) fn clear_kind(&mut self, kind: Kind) {
        self.by_time.retain(|(_, alarm), _| alarm.kind != kind);
    }

    /// Clear all of a run. Looks at every alarm: for what never happens unless something is wrong.
    pub(crate) fn forget(&mut self, run_id: RunId) {
        self.by_time.retain(|(_, alarm), _| alarm.run_id != run_id);
    }

    /// When the first one is due.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        self.by_time.first_key_value().map(|((due_ns, _), _)| *due_ns)
    }

    /// When the first one is due that time may be skipped to. A parked run's retry is none: skipping to it would try code that fails
    /// over and over, as fast as the machine can. Nor is what is the server's own: nobody who waits for a result waits for that.
    pub(crate) fn next_skippable_ns(&self) -> Option<u64> {
        self.by_time
            .keys()
            .find(|(_, alarm)| {
                !matches!(
                    alarm.kind,
                    Kind::TaskRetry | Kind::Send | Kind::Retention | Kind::Purge
                )
            })
            .map(|(due_ns, _)| *due_ns)
    }

    /// Take the first one that is due.
    pub(crate) fn pop(&mut self, now_ns: u64) -> Option<(u64, Alarm, Place)> {
        let entry = self
            .by_time
            .first_entry()
            .filter(|entry| entry.key().0 <= now_ns)?;
        let ((due_ns, alarm), place) = entry.remove_entry();
        Some((due_ns, alarm, place))
    }

    pub(crate) fn len(&self) -> usize {
        self.by_time.len()
    }
}
