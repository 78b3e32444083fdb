//! A process of its own that holds what is measured, so that its memory is that, and that it can be killed.
//!
//! It is this program again, with `--populate`. It prints what it has to say as JSON, one value after the other, and waits. To end it,
//! its standard input is closed or SIGKILL is sent.

use std::{
    ffi::OsString,
    io::Read as _,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Error, Session, case::Case, process, target::Own};

/// When nothing was written for so long, all that was begun is done.
const SETTLED_AFTER: Duration = Duration::from_millis(500);

/// What a process takes while nothing happens in it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Idle {
    /// Processor time over wall-clock time, of one core.
    pub(super) percent: f64,
    /// How often one of its threads went on, in a second.
    pub(super) wakeups_per_second: f64,
}

impl Idle {
    /// Watch this process for a while.
    pub(super) async fn watch(time: Duration) -> Result<Self, Error> {
        let (begun, busy_before, wakeups_before) =
            (Instant::now(), process::processor_time()?, process::wakeups()?);
        tokio::time::sleep(time).await;
        let (busy, wakeups) = (process::processor_time()?, process::wakeups()?);
        let seconds = begun.elapsed().as_secs_f64();
        Ok(Self {
            percent: 100.0 * busy.saturating_sub(busy_before).as_secs_f64() / seconds,
            wakeups_per_second: wakeups.saturating_sub(wakeups_before) as f64 / seconds,
        })
    }
}

/// Wait until nothing is written any more.
pub(super) async fn settle(own: &Own) {
    let mut seen = own.writes().transitions;
    loop {
        tokio::time::sleep(SETTLED_AFTER).await;
        let now = own.writes().transitions;
        if now == seen {
            return;
        }
        seen = now;
    }
}

/// In the other process: everything is said.
pub(super) async fn wait_for_the_end() {
    let waited = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    // However it ends: the first process is gone.
    let _ = waited.await;
}

/// The other process. Killed when this is dropped.
pub(super) struct Other {
    child: Child,
    said: Option<Said>,
}

type Said = serde_json::StreamDeserializer<'static, serde_json::de::IoRead<ChildStdout>, serde_json::Value>;

impl Other {
    /// Let another process do its part of a case, with this database.
    pub(super) fn start(
        session: &Session,
        case: Case,
        count: u64,
        callers: usize,
        database: &Path,
    ) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::Population(format!("it cannot be started: {error}"));
        let memory = session.instance_memory;
        let arguments: Vec<OsString> = ["bench", case.name(), "--output", "json", "--namespace"]
            .into_iter()
            .map(OsString::from)
            .chain([session.namespace.clone().into()])
            .chain(["--component".into(), session.component_path.clone().into()])
            .chain(["--populate".into(), database.into()])
            .chain(["--count".into(), count.to_string().into()])
            .chain(["--concurrency".into(), callers.to_string().into()])
            .chain(memory.map(|bytes| format!("--instance-memory={bytes}").into()))
            .collect();
        let mut child = Command::new(std::env::current_exe().map_err(failed)?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let said = child
            .stdout
            .take()
            .map(|answers| serde_json::Deserializer::from_reader(answers).into_iter());
        Ok(Self { child, said })
    }

    /// What it says next, read while it lives on.
    pub(super) async fn says<T: DeserializeOwned>(&mut self) -> Result<T, crate::Error> {
        let Some(mut said) = self.said.take() else {
            return Err(Error::Population("it has no standard output".to_owned()).into());
        };
        let (said, value) = tokio::task::spawn_blocking(move || {
            let value = said.next();
            (said, value)
        })
        .await
        .map_err(|error| crate::Error::Defect(error.to_string()))?;
        self.said = Some(said);
        let value = match value {
            Some(value) => value.and_then(serde_json::from_value),
            None => return Err(Error::Population("it ended without a word".to_owned()).into()),
        };
        Ok(value.map_err(|error| Error::Population(error.to_string()))?)
    }

    /// SIGKILL, and wait until the process is gone: only then is its lock on the database.
    pub(super) fn kill(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.kill();
    }
}
