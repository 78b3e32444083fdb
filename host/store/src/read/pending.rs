//! Pending work: timers and the tables of rows.

use crate::{
    NamespaceId, Pending, ReadError, Row, RowKey, RunId, Snapshot, TimerKey, codec, tables,
    writer::pending_table,
};

impl Snapshot {
    /// All timers, by namespace and then in the order in which they are due. For opening.
    pub fn timers(
        &self,
    ) -> Result<impl Iterator<Item = Result<(TimerKey, Row), ReadError>> + use<>, ReadError> {
        let timers = self.0.open_table(tables::TIMERS)?;
        Ok(timers.range::<(u32, u64, u128, u8, u64)>(..)?.map(|row| {
            let (key, value) = row?;
            let (namespace, due_ns, run_id, kind, id) = key.value();
            let key = TimerKey {
                namespace: NamespaceId(namespace),
                due_ns,
                run_id: RunId(run_id),
                kind,
                id,
            };
            let row = codec::decode("timers", || format!("{key:?}"), value.value())?;
            Ok((key, row))
        }))
    }

    /// All rows of a kind of pending work, by namespace, run and order. For opening.
    pub fn pending(
        &self,
        pending: Pending,
    ) -> Result<impl Iterator<Item = Result<(RowKey, Row), ReadError>> + use<>, ReadError> {
        self.pending_range(pending, (0, 0, 0), (u32::MAX, u128::MAX, u64::MAX))
    }

    /// A run's rows of a kind of pending work, in their order.
    pub fn pending_of(
        &self,
        pending: Pending,
        namespace: NamespaceId,
        run_id: RunId,
    ) -> Result<impl Iterator<Item = Result<(RowKey, Row), ReadError>> + use<>, ReadError> {
        self.pending_range(
            pending,
            (namespace.0, run_id.0, 0),
            (namespace.0, run_id.0, u64::MAX),
        )
    }

    fn pending_range(
        &self,
        pending: Pending,
        first: (u32, u128, u64),
        last: (u32, u128, u64),
    ) -> Result<impl Iterator<Item = Result<(RowKey, Row), ReadError>> + use<>, ReadError> {
        let table = match pending {
            Pending::Activity => "activities",
            Pending::Update => "updates",
            Pending::Buffered => "buffered",
            Pending::Outbox => "outbox",
        };
        let rows = self.0.open_table(pending_table(pending))?.range(first..=last)?;
        Ok(rows.map(move |row| {
            let (key, value) = row?;
            let (namespace, run_id, order) = key.value();
            let key = RowKey {
                namespace: NamespaceId(namespace),
                run_id: RunId(run_id),
                order,
            };
            let row = codec::decode(table, || format!("{key:?}"), value.value())?;
            Ok((key, row))
        }))
    }
}
