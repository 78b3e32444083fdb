//! Many idle executions: what they take while they wait, and how soon they are there again after the process was killed.
//!
//! A [process of its own](super::population) holds them and prints [`Population`].

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    Error, Session,
    case::Case,
    evictions::Evictions,
    load::{self, Plan},
    population::{self, Idle, Other, settle},
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
    let idle = Idle::watch(IDLE_WATCH).await?;
    output.json(&Population {
        count: plan.count,
        workflow_id,
        starts_per_second: report::per_second(plan.count, started.elapsed),
        bytes_before: before.resident,
        bytes: memory.resident,
        guest_bytes: memory.shared,
        idle_percent: idle.percent,
        evicted: evictions.count(),
    })?;
    population::wait_for_the_end().await;
    own.close().await
}

/// Populate in another process, kill it, and reopen its database here.
pub(super) async fn measure(session: &Session, report: &mut Report<'_>) -> Result<(), crate::Error> {
    let place = Place::of(session)?;
    let file = place.file.clone();
    let (count, callers) = (session.count(COUNT), session.callers(CALLERS));
    let mut other = Other::start(session, Case::Suspend, count, callers, &file)?;
    let population: Population = other.says().await?;
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
