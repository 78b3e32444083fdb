//! The rows of the meta table.

use crate::{Clock, ReadError};

/// The format of the file.
pub(crate) const FORMAT_KEY: &str = "format";
/// The database's id and the time it was made.
pub(crate) const DATABASE_KEY: &str = "database";
/// What every commit may change.
pub(crate) const STATE_KEY: &str = "state";

const VERSION: u8 = 1;

/// What every commit may change: a version byte, then three integers, little-endian.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The sequence of the next row of the journal.
    pub(crate) next_sequence: u64,
    pub(crate) clock: Clock,
}

impl State {
    const LEN: usize = 1 + 3 * 8;

    pub(crate) fn encode(self) -> [u8; Self::LEN] {
        let mut out = [VERSION; Self::LEN];
        let fields = [
            self.next_sequence,
            self.clock.skipped_ns,
            self.clock.last_event_time_ns,
        ];
        for (slot, field) in out[1..].chunks_exact_mut(8).zip(fields) {
            slot.copy_from_slice(&field.to_le_bytes());
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ReadError> {
        let fields = fields::<3>(STATE_KEY, bytes)?;
        let [next_sequence, skipped_ns, last_event_time_ns] = fields.map(u64::from_le_bytes);
        Ok(Self {
            next_sequence,
            clock: Clock {
                skipped_ns,
                last_event_time_ns,
            },
        })
    }
}

/// The database's id (16 bytes) and the time it was made.
pub(crate) fn encode_database(id: u128, created_at_ns: u64) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&created_at_ns.to_le_bytes());
    out
}

pub(crate) fn decode_database(bytes: &[u8]) -> Result<(u128, u64), ReadError> {
    let [low, high, created] = fields::<3>(DATABASE_KEY, bytes)?.map(u64::from_le_bytes);
    Ok((u128::from(high) << 64 | u128::from(low), created))
}

fn fields<const N: usize>(key: &str, bytes: &[u8]) -> Result<[[u8; 8]; N], ReadError> {
    let fields = match bytes {
        [VERSION, fields @ ..] => fields.as_chunks::<8>(),
        _ => (&[][..], &[][..]),
    };
    match fields {
        (fields, []) if fields.len() == N => fields.try_into().ok(),
        _ => None,
    }
    .ok_or_else(|| {
        ReadError::corrupt(
            "longhaul_meta",
            key.to_owned(),
            "it has another version or length",
        )
    })
}
