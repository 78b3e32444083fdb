//! Many idle executions: what they take while they wait, and how soon they are there again after the process was killed.
//!
//! A process of its own holds them, so that its memory is theirs and that it can be killed. It is this program again, with
//! `--populate`; it prints [`Population`] and waits. To end it, its standard input is closed or SIGKILL is sent.

use std::{
    io::Read as _,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    Error, Session,
    evictions::Evictions,
    load::{self, Plan},
    process,
    report::{self, Bound, Figure, Report, Unit},
    target::{Own, Place, file_bytes},
};
use crate::Output;

/// Idle executions, unless told otherwise: as many as the engine keeps live.
const COUNT: u64 = 50_000;
/// Callers that start them.
const CALLERS: usize = 256;
/// Memory for each live one: 50,000 in 2 GB.
const LIVE_BYTES: f64 = 40_000.0;
/// Reopening with 100,000 of them, in seconds.
const REOPEN_SECONDS: f64 = 1.0;
/// Processor time of an idle server, in percent of a core.
const IDLE_PERCENT: f64 = 0.2;
/// How long the idle server is watched.
const IDLE_WATCH: Duration = Duration::from_secs(3);
/// When nothing was written for so long, all first workflow tasks are done.
const SETTLED_AFTER: Duration = Duration::from_millis(500);

/// What the process with the idle executions says of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Population {
    /// Executions.
    count: u64,
    /// One of them.
    workflow_id: String,
    /// Started a second.
    starts_per_second: f64,
    /// Resident memory before the first one.
    bytes_before: u64,
    /// Resident memory with all of them.
    bytes: u64,
    /// What of it is linear memory of guests.
    guest_bytes: u64,
    /// Processor time over wall-clock time, while nothing happens.
    idle_percent: f64,
    /// How many of them the engine let go, to keep within its memory.
    evicted: u64,
}

/// Fill a database, print what that took, and wait for the end of standard input.
pub(super) async fn populate(
    session: &Session,
    database: &Path,
    output: &mut Output,
) -> Result<(), crate::Error> {
    let evictions = Evictions::install()
        .ok_or_else(|| crate::Error::Defect("the process has a recorder of metrics already".to_owned()))?;
    let place = Place::given(database);
    let own = Own::open(place, session).await?.serve().await?;
    let before = process::memory()?;
    let plan = Plan {
        count: session.count(COUNT),
        callers: session.callers(CALLERS),
    };
    let caller = own.caller(session);
    let prefix = format!("suspended-{}", uuid::Uuid::new_v4().simple());
    let workflow_id = format!("{prefix}-0");
    let progress = report::progress(output, "suspend", plan.count);
    let started = load::run(plan, &progress, move |turn| {
        let (caller, id) = (caller.clone(), format!("{prefix}-{}", turn.number));
        async move { caller.start(&id, "Signals", Some(1)).await }
    })
    .await?;
    drop(progress);
    if let Some(first) = started.first_error {
        let failed = started.errors;
        return Err(Error::Failed { failed, first }.into());
    }
    settle(&own).await;
    let memory = process::memory()?;
    let (watched, busy_before) = (Instant::now(), process::processor_time()?);
    tokio::time::sleep(IDLE_WATCH).await;
    let busy = process::processor_time()?.saturating_sub(busy_before);
    output.json(&Population {
        count: plan.count,
        workflow_id,
        starts_per_second: report::per_second(plan.count, started.elapsed),
        bytes_before: before.resident,
        bytes: memory.resident,
        guest_bytes: memory.shared,
        idle_percent: 100.0 * busy.as_secs_f64() / watched.elapsed().as_secs_f64(),
        evicted: evictions.count(),
    })?;
    let waited = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    // However it ends: the other process is gone.
    let _ = waited.await;
    own.close().await
}

/// Wait until nothing is written any more.
async fn settle(own: &Own) {
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

/// Populate in another process, kill it, and reopen its database here.
pub(super) async fn measure(session: &Session, report: &mut Report<'_>) -> Result<(), crate::Error> {
    let place = Place::of(session)?;
    let file = place.file.clone();
    let (mut other, answers) = Other::start(session, &file)?;
    let population = tokio::task::spawn_blocking(move || first_value(answers))
        .await
        .map_err(|error| crate::Error::Defect(error.to_string()))??;
    other.kill();

    let begun = Instant::now();
    let own = Own::reopen(place, session).await?;
    let opened = begun.elapsed();
    let asked = Instant::now();
    let got = own.caller(session).query(&population.workflow_id).await?;
    let queried = asked.elapsed();
    let bytes_on_disk = file_bytes(&file)?;
    own.close().await?;
    if got != 0 {
        return Err(Error::Answer {
            what: "the query's answer after reopening",
            found: got.to_string(),
            expected: "0".to_owned(),
        }
        .into());
    }
    for figure in figures(&population, bytes_on_disk, opened, queried) {
        report.figure(figure)?;
    }
    Ok(())
}

fn figures(population: &Population, bytes_on_disk: u64, opened: Duration, queried: Duration) -> [Figure; 10] {
    let count = population.count as f64;
    let figure = |what: &str, value, unit, aim| Figure {
        case: "suspend",
        what: what.to_owned(),
        value,
        unit,
        aim,
    };
    let whole = format!(
        "resident memory of a server with {} idle executions",
        population.count
    );
    // The aim is set for many that are all live: a server with few of them is mostly itself, and what was evicted takes nothing.
    let many = population.count >= COUNT && population.evicted == 0;
    let grown = population.bytes.saturating_sub(population.bytes_before) as f64;
    [
        figure("starts", population.starts_per_second, Unit::PerSecond, None),
        figure(
            &whole,
            population.bytes as f64,
            Unit::Bytes,
            many.then_some(Bound::Below(LIVE_BYTES * count)),
        ),
        figure(
            "of them evicted",
            100.0 * population.evicted as f64 / count,
            Unit::Percent,
            None,
        ),
        figure(
            "resident memory for each of them",
            grown / count,
            Unit::Bytes,
            None,
        ),
        figure(
            "of which guests' linear memory",
            population.guest_bytes as f64 / count,
            Unit::Bytes,
            None,
        ),
        figure(
            "processor time of the idle server, of one core",
            population.idle_percent,
            Unit::Percent,
            Some(Bound::Below(IDLE_PERCENT)),
        ),
        figure("database file", bytes_on_disk as f64, Unit::Bytes, None),
        figure(
            "database file for each of them",
            bytes_on_disk as f64 / count,
            Unit::Bytes,
            None,
        ),
        figure(
            "reopening after kill -9",
            opened.as_secs_f64(),
            Unit::Seconds,
            Some(Bound::Below(REOPEN_SECONDS)),
        ),
        figure(
            "first query after reopening",
            queried.as_secs_f64(),
            Unit::Seconds,
            None,
        ),
    ]
}

/// The other process. Killed when this is dropped.
struct Other(Child);

impl Other {
    fn start(session: &Session, database: &Path) -> Result<(Self, ChildStdout), Error> {
        let failed = |error: std::io::Error| Error::Population(format!("it cannot be started: {error}"));
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command
            .args(["bench", "suspend", "--output", "json", "--namespace"])
            .arg(&session.namespace)
            .arg("--component")
            .arg(&session.component_path)
            .arg("--populate")
            .arg(database)
            .args(["--count", &session.count(COUNT).to_string()])
            .args(["--concurrency", &session.callers(CALLERS).to_string()])
            .args(
                session
                    .instance_memory
                    .map(|bytes| format!("--instance-memory={bytes}")),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let answers = child.stdout.take();
        let other = Self(child);
        let answers = answers.ok_or_else(|| Error::Population("it has no standard output".to_owned()))?;
        Ok((other, answers))
    }

    /// SIGKILL, and wait until the process is gone: only then is its lock on the database.
    fn kill(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The first JSON value, read while the process lives on.
fn first_value(answers: ChildStdout) -> Result<Population, Error> {
    let mut values = serde_json::Deserializer::from_reader(answers).into_iter();
    match values.next() {
        Some(Ok(population)) => Ok(population),
        Some(Err(error)) => Err(Error::Population(error.to_string())),
        None => Err(Error::Population("it ended without a word".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn population(count: u64) -> Population {
        Population {
            count,
            workflow_id: "suspended-0".into(),
            starts_per_second: 10_000.0,
            bytes_before: 100 << 20,
            bytes: (100 << 20) + 30_000 * count,
            guest_bytes: 20_000 * count,
            idle_percent: 0.1,
            evicted: 0,
        }
    }

    #[test]
    fn memory_is_judged_where_there_are_many() {
        let figures_of = |count, evicted| {
            figures(
                &Population {
                    evicted,
                    ..population(count)
                },
                1 << 20,
                Duration::from_millis(1),
                Duration::from_millis(1),
            )
        };
        assert_eq!(figures_of(10, 0)[1].aim, None);
        assert_eq!(figures_of(50_000, 0)[1].aim, Some(Bound::Below(2e9)));
        assert_eq!(figures_of(50_000, 1)[1].aim, None, "not all of them are live");
        let evicted = &figures_of(50_000, 12_500)[2];
        assert_eq!((evicted.what.as_str(), evicted.value), ("of them evicted", 25.0));
        let each = &figures_of(50_000, 0)[3];
        assert!((each.value - 30_000.0).abs() < 1.0, "{each:?}");
    }
}
