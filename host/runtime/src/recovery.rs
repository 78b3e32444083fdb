//! What the store says will fall due, when a runtime opens or starts over.

use longhaul_engine::activity::Attempt;
use longhaul_store::Pending;
use prost::Message as _;

use crate::{
    Error,
    core::Core,
    shard::{Alarm, Kind, Place},
};

/// The alarms of one shard: timers, and activities that wait, run, or were running when the last server ended. Reads only tables of
/// pending work, so that it takes no longer with closed history.
pub(crate) fn alarms_of(core: &Core, shard: usize) -> Result<Vec<Due>, Error> {
    let mut alarms = Vec::new();
    each_alarm(core, |due| {
        if core.shard_of(&due.place) == shard {
            alarms.push(due);
        }
    })?;
    Ok(alarms)
}

/// Something that will fall due.
pub(crate) struct Due {
    /// When, in nanoseconds since 1970. None: only when a worker says something, which it may do at any time.
    pub(crate) at_ns: Option<u64>,
    pub(crate) alarm: Alarm,
    pub(crate) place: Place,
    /// It is an attempt that a worker outside of the server has.
    pub(crate) outside: bool,
    /// It is an activity that waits, and is not paused.
    pub(crate) waits: Option<WaitsInLine>,
    /// When the first limit of an activity that waits passes.
    pub(crate) deadline_ns: Option<u64>,
}

/// What has to be known of an activity for it to stand in line.
pub(crate) struct WaitsInLine {
    /// When its attempt may start, in nanoseconds since 1970.
    pub(crate) due_ns: u64,
    pub(crate) task_queue: String,
    pub(crate) activity_type: String,
}

impl Due {
    fn at(at_ns: u64, alarm: Alarm, place: Place) -> Self {
        Self {
            at_ns: Some(at_ns),
            alarm,
            place,
            outside: false,
            waits: None,
            deadline_ns: None,
        }
    }
}

/// None: it runs, or is paused.
fn waits_in_line(attempt: &Attempt) -> Option<WaitsInLine> {
    let waits = attempt.waits_for.as_ref()?;
    (attempt.started_ns.is_none() && attempt.pause.is_none()).then(|| WaitsInLine {
        due_ns: attempt.due_ns,
        task_queue: waits.task_queue.clone(),
        activity_type: waits.activity_type.clone(),
    })
}

/// As [`alarms_of`], for all shards in one pass.
pub(crate) fn each_alarm(core: &Core, mut take: impl FnMut(Due)) -> Result<(), Error> {
    let snapshot = core.snapshot()?;
    for timer in snapshot.timers()? {
        let (key, row) = timer?;
        let Some(kind) = Kind::from_stored(key.kind) else {
            continue;
        };
        let alarm = Alarm {
            run_id: key.run_id,
            kind,
            id: i64::try_from(key.id).unwrap_or(0),
        };
        let place = Place {
            namespace: key.namespace,
            workflow_id: row.workflow_id.into(),
        };
        take(Due::at(key.due_ns, alarm, place));
    }
    for activity in snapshot.pending(Pending::Activity)? {
        let (key, row) = activity?;
        let attempt = Attempt::decode(row.body.as_slice()).map_err(|error| {
            Error::Internal(format!(
                "the row of an activity of run {} is damaged: {error}",
                key.run_id
            ))
        })?;
        let at_ns = match attempt.started_ns {
            // Its worker may have outlived the server: only a limit says that it has not.
            Some(_) if attempt.handed_out => attempt.deadline_ns,
            // One that was running is looked at once: its server is gone.
            Some(_) => Some(0),
            // A limit may pass before the next attempt is due.
            None => Some(attempt.due_ns.min(attempt.deadline_ns.unwrap_or(u64::MAX))),
        };
        let alarm = Alarm {
            run_id: key.run_id,
            kind: Kind::Activity,
            id: i64::try_from(key.order).unwrap_or(0),
        };
        let place = Place {
            namespace: key.namespace,
            workflow_id: row.workflow_id.into(),
        };
        take(Due {
            at_ns,
            alarm,
            place,
            outside: attempt.started_ns.is_some() && attempt.handed_out,
            waits: waits_in_line(&attempt),
            deadline_ns: attempt.deadline_ns,
        });
    }
    // A run with admitted updates is looked at as well, and one with inputs that were kept while a task was open: its task may be due.
    let (updates, buffered) = (
        snapshot.pending(Pending::Update)?,
        snapshot.pending(Pending::Buffered)?,
    );
    for row in updates.chain(buffered) {
        let (key, row) = row?;
        let alarm = Alarm {
            run_id: key.run_id,
            kind: Kind::Wake,
            id: 0,
        };
        let place = Place {
            namespace: key.namespace,
            workflow_id: row.workflow_id.into(),
        };
        take(Due::at(0, alarm, place));
    }
    Ok(())
}
