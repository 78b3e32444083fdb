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
}

impl Due {
    fn at(at_ns: u64, alarm: Alarm, place: Place) -> Self {
        Self {
            at_ns: Some(at_ns),
            alarm,
            place,
            outside: false,
        }
    }
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
            None => Some(attempt.due_ns),
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
