//! The engine in this process: the one place that knows how the runtime is opened, stopped and asked to replay.

use std::path::Path;

use longhaul_runtime::{OpenError, Options, Report, Runtime};

use crate::{Error, proto::history::v1::History};

/// Where an engine keeps what it knows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Database<'a> {
    /// In this file, which is made if it does not exist.
    File(&'a Path),
    /// In this folder, which is removed afterwards.
    Temporary(&'a Path),
}

/// Open an engine, within tokio; `configure` changes its options.
pub(crate) async fn open(
    database: Database<'_>,
    configure: impl FnOnce(&mut Options),
) -> Result<Runtime, Error> {
    let mut options = match database {
        Database::File(path) => Options::new(path),
        Database::Temporary(folder) => Options::new(folder.join("longhaul.redb")),
    };
    configure(&mut options);
    // The disk may take its time; signals and timeouts are served meanwhile.
    let opened: Result<Runtime, OpenError> = blocking(move || Runtime::open(options)).await?;
    Ok(opened?)
}

/// Settle what is under way and close the database.
pub(crate) async fn close(runtime: Runtime) -> Result<(), Error> {
    blocking(move || runtime.stop()).await
}

/// Replay a history against a component.
pub(crate) fn replay(component: &[u8], history: History) -> Result<Report, Error> {
    longhaul_runtime::replay(longhaul_sandbox::Options::default(), component, history)
        .map_err(|error| Error::Replay(Box::new(error)))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Defect(error.to_string()))
}
