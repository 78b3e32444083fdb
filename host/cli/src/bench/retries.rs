//! Many activities that have failed and are tried again in an hour: what they take while they wait, and how soon they are there again
//! after the process was killed.
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
    load::{self, Plan},
    population::{self, Idle, Other, settle},
    process,
    report::{self, Bound, Figure, Report, Unit},
    target::{Own, Place, file_bytes},
};
use crate::{
    Output,
    proto::{
        common::v1::WorkflowExecution, workflow::v1::PendingActivityInfo,
        workflowservice::v1::DescribeWorkflowExecutionRequest,
    },
};

/// Activities, unless told otherwise.
const COUNT: u64 = 100_000;
/// Activities of one execution; it may have 10,000 at once.
const OF_EACH: u64 = 1_000;
/// Executions that are started at once.
const CALLERS: usize = 8;
/// How long the idle server is watched.
const IDLE_WATCH: Duration = Duration::from_secs(10);
/// The same where there are fewer, which tells little in any case.
const SHORT_WATCH: Duration = Duration::from_secs(1);
/// Processor time of an idle server, in percent of a core.
const IDLE_PERCENT: f64 = 0.2;
/// Reopening with 100,000 of them, in seconds.
const REOPEN_SECONDS: f64 = 1.0;

/// What the process with the activities says of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Population {
    /// Activities that wait for their second attempt.
    waiting: u64,
    /// Until all had failed once, in seconds.
    seconds: f64,
    /// Resident memory before the first one.
    bytes_before: u64,
    /// Resident memory with all of them.
    bytes: u64,
    /// What of it is linear memory of their executions.
    guest_bytes: u64,
    idle: Idle,
}

/// The executions that have so many activities in all, and the activities of each.
fn shares(count: u64) -> impl Iterator<Item = (u64, u64)> {
    let executions = count.div_ceil(OF_EACH);
    (0..executions).map(move |number| (number, (count - number * OF_EACH).min(OF_EACH)))
}

fn id(number: u64) -> String {
    format!("retries-{number}")
}

/// Fill a database, print what that took, and wait for the end of standard input.
pub(super) async fn populate(
    session: &Session,
    database: &Path,
    output: &mut Output,
) -> Result<(), crate::Error> {
    let own = Own::open(Place::given(database), session).await?.serve().await?;
    let before = process::memory()?;
    let count = session.count(COUNT);
    let plan = Plan {
        count: shares(count).count() as u64,
        callers: session.callers(CALLERS),
    };
    let caller = own.caller(session);
    let progress = report::progress(output, "pending-retries", plan.count);
    let begun = Instant::now();
    let started = load::run(plan, &progress, move |turn| {
        let caller = caller.clone();
        async move {
            let activities = (count - turn.number * OF_EACH).min(OF_EACH);
            let activities = i64::try_from(activities).unwrap_or(i64::MAX);
            caller.start(&id(turn.number), "Retries", Some(activities)).await
        }
    })
    .await?;
    drop(progress);
    if let Some(first) = started.first_error {
        let failed = started.errors;
        return Err(Error::Failed { failed, first }.into());
    }
    settle(&own).await;
    let seconds = begun.elapsed().as_secs_f64();
    let mut waiting = 0;
    for (number, _) in shares(count) {
        waiting += waiting_of(&own, session, number).await?;
    }
    let memory = process::memory()?;
    let watch = if count < COUNT { SHORT_WATCH } else { IDLE_WATCH };
    let idle = Idle::watch(watch).await?;
    output.json(&Population {
        waiting,
        seconds,
        bytes_before: before.resident,
        bytes: memory.resident,
        guest_bytes: memory.shared,
        idle,
    })?;
    population::wait_for_the_end().await;
    own.close().await
}

/// How many activities of an execution wait for their second attempt.
async fn waiting_of(own: &Own, session: &Session, number: u64) -> Result<u64, crate::Error> {
    let request = DescribeWorkflowExecutionRequest {
        namespace: session.namespace.clone(),
        execution: Some(WorkflowExecution {
            workflow_id: id(number),
            run_id: String::new(),
        }),
    };
    let described = own.runtime().describe_workflow(request).await?;
    let waits = |activity: &&PendingActivityInfo| {
        activity.attempt == 2 && activity.next_attempt_schedule_time.is_some()
    };
    Ok(described.pending_activities.iter().filter(waits).count() as u64)
}

/// Populate in another process, kill it, and reopen its database here.
pub(super) async fn measure(session: &Session, report: &mut Report<'_>) -> Result<(), crate::Error> {
    let place = Place::of(session)?;
    let file = place.file.clone();
    let (count, callers) = (session.count(COUNT), session.callers(CALLERS));
    let mut other = Other::start(session, Case::PendingRetries, count, callers, &file)?;
    let population: Population = other.says().await?;
    other.kill();
    expect("the number of activities that wait", population.waiting, count)?;

    let before = process::memory()?;
    let begun = Instant::now();
    let own = Own::reopen(place, session).await?;
    let opened = begun.elapsed();
    let after = process::memory()?;
    let asked = Instant::now();
    let waiting = waiting_of(&own, session, 0).await?;
    let described = asked.elapsed();
    let bytes_on_disk = file_bytes(&file)?;
    own.close().await?;
    expect(
        "the number of activities that wait after reopening",
        waiting,
        count.min(OF_EACH),
    )?;
    let reopened = Reopened {
        bytes: after.resident.saturating_sub(before.resident),
        bytes_on_disk,
        opened,
        described,
    };
    for figure in figures(&population, &reopened) {
        report.figure(figure)?;
    }
    Ok(())
}

fn expect(what: &'static str, found: u64, expected: u64) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Answer {
        what,
        found: found.to_string(),
        expected: expected.to_string(),
    })
}

/// What the reopened database takes.
struct Reopened {
    bytes: u64,
    bytes_on_disk: u64,
    opened: Duration,
    described: Duration,
}

fn figures(population: &Population, reopened: &Reopened) -> [Figure; 10] {
    let count = population.waiting as f64;
    let figure = |what: &str, value, unit, aim| Figure {
        case: "pending-retries",
        what: what.to_owned(),
        value,
        unit,
        aim,
    };
    let whole = format!(
        "resident memory of a server with {} activities that wait for a retry",
        population.waiting
    );
    let grown = population.bytes.saturating_sub(population.bytes_before) as f64;
    [
        figure(
            "scheduled, run and failed once",
            count / population.seconds,
            Unit::PerSecond,
            None,
        ),
        figure(&whole, population.bytes as f64, Unit::Bytes, None),
        figure(
            "resident memory for each of them",
            grown / count,
            Unit::Bytes,
            None,
        ),
        figure(
            "of which linear memory of their executions",
            population.guest_bytes as f64 / count,
            Unit::Bytes,
            None,
        ),
        figure(
            "processor time of the idle server, of one core",
            population.idle.percent,
            Unit::Percent,
            Some(Bound::Below(IDLE_PERCENT)),
        ),
        figure(
            "times that a thread of it goes on",
            population.idle.wakeups_per_second,
            Unit::PerSecond,
            None,
        ),
        figure(
            "database file for each of them",
            reopened.bytes_on_disk as f64 / count,
            Unit::Bytes,
            None,
        ),
        figure(
            "reopening after kill -9",
            reopened.opened.as_secs_f64(),
            Unit::Seconds,
            Some(Bound::Below(REOPEN_SECONDS)),
        ),
        figure(
            "resident memory for each of them after reopening",
            reopened.bytes as f64 / count,
            Unit::Bytes,
            None,
        ),
        figure(
            "first description of an execution after reopening",
            reopened.described.as_secs_f64(),
            Unit::Seconds,
            None,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_activities_are_shared_out_and_none_is_lost() {
        assert_eq!(shares(1).collect::<Vec<_>>(), [(0, 1)]);
        assert_eq!(
            shares(2_500).collect::<Vec<_>>(),
            [(0, 1_000), (1, 1_000), (2, 500)]
        );
        assert_eq!(
            shares(2_000).map(|(_, activities)| activities).sum::<u64>(),
            2_000
        );
    }
}
