//! Files of older formats are brought to the newest when they are opened for writing.
//!
//! Each step is one transaction, which ends with the number of the format that it leads to: a crash leaves the file as it was, and the
//! next opening begins again. A server of before refuses the file from then on.
//!
//! | format | what it brought |
//! |---|---|
//! | 1 | the first |
//! | 2 | messages from other executions are found by the run that took them |

use std::path::Path;

use redb::{Database, ReadableTable, StorageError};

use crate::{
    OpenError, ReadError, Seen, codec, meta,
    open::{FORMAT, storage_error},
    tables::{META, SEEN, SEEN_BY_RUN},
};

/// Brings a file from a format to the newest.
pub(crate) fn migrate(path: &Path, database: &Database, from: u32) -> Result<(), OpenError> {
    tracing::info!(path = %path.display(), from, to = FORMAT, "the database file is brought to a newer format");
    let corrupt = |detail: String| OpenError::Corrupt {
        path: path.to_owned(),
        detail,
    };
    if from < 2 {
        index_seen(database)
            .map_err(|error| match error {
                redb::Error::Io(error) => storage_error(path, StorageError::Io(error)),
                error => corrupt(error.to_string()),
            })?
            .map_err(|error| corrupt(error.to_string()))?;
    }
    Ok(())
}

/// To format 2. The inner error is a row that does not decode: then nothing is written.
fn index_seen(database: &Database) -> Result<Result<(), ReadError>, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    {
        let seen = transaction.open_table(SEEN)?;
        let mut by_run = transaction.open_table(SEEN_BY_RUN)?;
        for row in seen.iter()? {
            let (key, value) = row?;
            let (namespace, workflow_id, sender, order) = key.value();
            let name =
                || format!("namespace {namespace}, workflow {workflow_id:?}, sender {sender:x}, {order}");
            let seen: Seen = match codec::decode("outbox_seen", name, value.value()) {
                Ok(seen) => seen,
                Err(error) => return Ok(Err(error)),
            };
            by_run.insert((namespace, seen.receiver_run_id.0, sender, order), ())?;
        }
        let mut meta = transaction.open_table(META)?;
        meta.insert(meta::FORMAT_KEY, 2_u32.to_le_bytes().as_slice())?;
    }
    transaction.commit()?;
    Ok(Ok(()))
}
