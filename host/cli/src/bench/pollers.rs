//! Many long polls of workers at once: what they take while nothing comes, and how long an activity takes that one of them gets.
//!
//! A [process of its own](super::population) is the server, so that its memory is not that of its clients. It prints [`Serves`], and
//! when all polls have come [`Population`].

use std::{path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Error, Session,
    case::Case,
    cases::{prefix, signed},
    latencies::Latencies,
    load::Measured,
    population::{self, Idle, Other},
    process,
    report::{Bound, Figure, Load, Report, Unit},
    target::{Own, Place, connect},
    worker::Worker,
};
use crate::Output;

/// Polls, unless told otherwise: as many as a server takes.
const COUNT: u64 = 10_000;
/// Activities that are run among them, one at a time.
const ACTIVITIES: u64 = 500;
/// How long the server with the polls is watched. A poll takes 60 s at most, and they must all come and be watched in less.
const IDLE_WATCH: Duration = Duration::from_secs(10);
/// The same where there are fewer, which tells little in any case.
const SHORT_WATCH: Duration = Duration::from_secs(1);
/// How often the server looks whether all polls have come, before it is watched.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// When they have come, what their coming has begun is over after so long.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// All polls come in less.
const PATIENCE: Duration = Duration::from_secs(40);
/// Processor time of a server while nothing comes, in percent of a core.
const IDLE_PERCENT: f64 = 0.2;

/// Where the other process serves.
#[derive(Debug, Serialize, Deserialize)]
struct Serves {
    address: String,
}

/// What the other process says of itself when all polls have come.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Population {
    polls: u64,
    /// Resident memory before the first one.
    bytes_before: u64,
    /// Resident memory with all of them.
    bytes: u64,
    idle: Idle,
}

/// The other process: serve, wait for the polls, and print what they take.
pub(super) async fn serve(
    session: &Session,
    database: &Path,
    output: &mut Output,
) -> Result<(), crate::Error> {
    let count = session.count(COUNT);
    let polls = usize::try_from(count).unwrap_or(usize::MAX);
    let own = Own::open_with(Place::given(database), session, |options| {
        options.polls = options.polls.max(polls);
        options.polls_of_queue = options.polls;
    })
    .await?
    .serve()
    .await?;
    let Some(address) = own.address() else {
        return Err(crate::Error::Defect("the server has no address".to_owned()));
    };
    let before = process::memory()?;
    output.json(&Serves {
        address: address.to_string(),
    })?;
    let all_have_come = async {
        while own.runtime().polls_that_wait() < polls {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    if tokio::time::timeout(PATIENCE, all_have_come).await.is_err() {
        let come = own.runtime().polls_that_wait();
        return Err(Error::Population(format!("only {come} of {count} polls have come")).into());
    }
    tokio::time::sleep(SETTLED_AFTER).await;
    let memory = process::memory()?;
    let watch = if count < COUNT { SHORT_WATCH } else { IDLE_WATCH };
    let idle = Idle::watch(watch).await?;
    output.json(&Population {
        polls: own.runtime().polls_that_wait() as u64,
        bytes_before: before.resident,
        bytes: memory.resident,
        idle,
    })?;
    population::wait_for_the_end().await;
    own.close().await
}

/// Poll another process.
pub(super) async fn measure(session: &Session, report: &mut Report<'_>) -> Result<(), crate::Error> {
    let place = Place::of(session)?;
    let count = session.count(COUNT);
    let mut other = Other::start(session, Case::Pollers, count, 1, &place.file)?;
    let serves: Serves = other.says().await?;
    let address = serves
        .address
        .parse()
        .map_err(|error: crate::args::InvalidAddress| Error::Population(error.to_string()))?;
    let callers = connect(&address, &session.namespace).await?;
    let mut worker = Worker::start(&callers, usize::try_from(count).unwrap_or(usize::MAX));
    let measured = async {
        let population: Population = other.says().await?;
        for figure in figures(&population) {
            report.figure(figure)?;
        }
        // Activities one at a time: each is given to one of the polls.
        let (caller, id) = (&callers[0], prefix("pollers"));
        let begun = std::time::Instant::now();
        caller.execute(&id, "Remote", Some(signed(ACTIVITIES))).await?;
        let measured = Measured {
            elapsed: begun.elapsed(),
            latencies: Latencies::new(caller.activity_times(&id).await?),
            errors: 0,
            first_error: None,
        };
        report.load(Load::new("pollers", "activities", 1, &measured), &measured)
    };
    let measured = tokio::select! {
        measured = measured => measured,
        failed = worker.failed() => Err(failed),
    };
    worker.stop().await;
    other.kill();
    measured
}

fn figures(population: &Population) -> [Figure; 4] {
    let figure = |what: String, value, unit, aim| Figure {
        case: "pollers",
        what,
        value,
        unit,
        aim,
    };
    let (count, grown) = (
        population.polls,
        population.bytes.saturating_sub(population.bytes_before),
    );
    [
        figure(
            format!("resident memory of a server with {count} polls that wait"),
            population.bytes as f64,
            Unit::Bytes,
            None,
        ),
        figure(
            "resident memory for each of them".to_owned(),
            grown as f64 / count as f64,
            Unit::Bytes,
            None,
        ),
        figure(
            "processor time while they wait, of one core".to_owned(),
            population.idle.percent,
            Unit::Percent,
            Some(Bound::Below(IDLE_PERCENT)),
        ),
        figure(
            "times that a thread of the server goes on".to_owned(),
            population.idle.wakeups_per_second,
            Unit::PerSecond,
            None,
        ),
    ]
}
