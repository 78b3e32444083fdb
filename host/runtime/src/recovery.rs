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
pub(crate) fn alarms_of(core: &Core, shard: usize) -> Result<Vec<(u64, Alarm, Place)>, Error> {
    let mut alarms = Vec::new();
    each_alarm(core, |due_ns, alarm, place| {
        if core.shard_of(&place) == shard {
            alarms.push((due_ns, alarm, place));
        }
    })?;
    Ok(alarms)
}

/// As [`alarms_of`], for all shards in one pass.
pub(crate) fn each_alarm(core: &Core, mut take: impl FnMut(u64, Alarm, Place)) -> Result<(), Error> {
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
        take(
            key.due_ns,
            alarm,
            Place {
                namespace: key.namespace,
                workflow_id: row.workflow_id.into(),
            },
        );
    }
    for activity in snapshot.pending(Pending::Activity)? {
        let (key, row) = activity?;
        let attempt = Attempt::decode(row.body.as_slice()).map_err(|error| {
            Error::Internal(format!(
                "the row of an activity of run {} is damaged: {error}",
                key.run_id
            ))
        })?;
        // One that was running is looked at once: its server is gone.
        let due_ns = attempt.started_ns.map_or(attempt.due_ns, |_| 0);
        let alarm = Alarm {
            run_id: key.run_id,
            kind: Kind::Activity,
            id: i64::try_from(key.order).unwrap_or(0),
        };
        take(
            due_ns,
            alarm,
            Place {
                namespace: key.namespace,
                workflow_id: row.workflow_id.into(),
            },
        );
    }
    // A run with admitted updates is looked at as well: its task may be due.
    for update in snapshot.pending(Pending::Update)? {
        let (key, row) = update?;
        let alarm = Alarm {
            run_id: key.run_id,
            kind: Kind::Wake,
            id: 0,
        };
        take(
            0,
            alarm,
            Place {
                namespace: key.namespace,
                workflow_id: row.workflow_id.into(),
            },
        );
    }
    Ok(())
}
