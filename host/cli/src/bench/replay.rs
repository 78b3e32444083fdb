//! A long history: how fast it is read from the database, and replayed with every check.

use std::time::{Duration, Instant};

use super::{
    Error, Session,
    latencies::{Latencies, nanoseconds},
    report::{Bound, Figure, Report, Unit, per_second},
    target::{Own, Place},
};
use crate::proto::history::v1::History;

/// Activities of the execution, unless told otherwise: six events each.
const STEPS: u64 = 10_000;
/// Each part is done so often; the median counts.
const ROUNDS: usize = 5;
/// Events a second, all of them counted, of a component that was built with the Rust SDK.
const EVENTS_PER_SECOND: f64 = 1_000_000.0;
/// The same with the Go SDK: its code runs in coroutines that unwind their stack at each wait, and collects garbage.
const EVENTS_PER_SECOND_IN_GO: f64 = 300_000.0;

/// How long each part took.
struct Parts {
    /// Reading and decoding the long history.
    read: Duration,
    /// Replaying it, with the sandbox and the module made ready for it.
    replayed: Duration,
    /// The same for a history of a few events: nearly all of it is making ready.
    made_ready: Duration,
    /// Replaying the long history from the database, as when a run comes back into memory: reading, decoding and replaying at once,
    /// with a new instance and a hash of its memory at the end.
    loaded: Duration,
    /// The same for the history of a few events.
    loaded_few: Duration,
    /// Events of the long history.
    events: u64,
    /// Events a second that are aimed at.
    aim: f64,
}

pub(super) async fn measure(session: &Session, report: &mut Report<'_>) -> Result<(), crate::Error> {
    let steps = session.count(STEPS);
    let place = Place::of(session)?;
    // The sandbox of this measurement finds the machine code of the engine's.
    let sandbox = longhaul_sandbox::Options {
        cache_dir: Some(place.file.with_extension("cache")),
        arena_slots: 16,
        ..Default::default()
    };
    let own = Own::open(place, session).await?;
    let caller = own.caller(session);
    let prefix = format!("replay-{}", uuid::Uuid::new_v4().simple());
    let (long, short) = (format!("{prefix}-long"), format!("{prefix}-short"));
    let spinner = report.progress("replay: writing the history", 1);
    let argument = i64::try_from(steps).unwrap_or(i64::MAX);
    caller.execute(&long, "Steps", Some(argument)).await?;
    caller.execute(&short, "Empty", None).await?;
    drop(spinner);

    let (runtime, namespace, component) = (
        own.runtime().clone(),
        session.namespace.clone(),
        session.component.clone(),
    );
    let parts = tokio::task::spawn_blocking(move || {
        let read = |id: &str| runtime.whole_history(&namespace, id, "");
        let (history, few) = (read(&long)?, read(&short)?);
        let replay = |history: &History| {
            longhaul_runtime::replay(sandbox.clone(), &component, history.clone())
                .map_err(|error| crate::Error::Replay(Box::new(error)))
        };
        let load = |id: &str| {
            runtime
                .replay(&namespace, id, "")
                .map_err(|error| crate::Error::Replay(Box::new(error)))
        };
        let (replayed, loaded) = (replay(&history)?, load(&long)?);
        let sdk = module_sdk(&sandbox, &component)?;
        for (what, found, expected) in [
            (
                "the number of replayed events",
                replayed.events,
                history.events.len(),
            ),
            (
                "the number of events replayed from the database",
                loaded.events,
                replayed.events,
            ),
            (
                "the number of commands replayed from the database",
                loaded.commands,
                replayed.commands,
            ),
        ] {
            if found != expected {
                return Err(Error::Answer {
                    what,
                    found: found.to_string(),
                    expected: expected.to_string(),
                }
                .into());
            }
        }
        Ok::<_, crate::Error>(Parts {
            events: history.events.len() as u64,
            aim: if sdk == "longhaul-go" {
                EVENTS_PER_SECOND_IN_GO
            } else {
                EVENTS_PER_SECOND
            },
            read: median(|| read(&long).map(drop).map_err(crate::Error::from))?,
            replayed: median(|| replay(&history).map(drop))?,
            made_ready: median(|| replay(&few).map(drop))?,
            loaded: median(|| load(&long).map(drop))?,
            loaded_few: median(|| load(&short).map(drop))?,
        })
    })
    .await
    .map_err(|error| crate::Error::Defect(error.to_string()))?;
    own.close().await?;
    let figures = figures(&parts?);
    if figures.iter().all(|figure| figure.aim.is_none()) {
        report.note("replay: the history is too short for a rate; raise --count");
    }
    for figure in figures {
        report.figure(figure)?;
    }
    Ok(())
}

/// The name of the SDK that a component was built with.
fn module_sdk(options: &longhaul_sandbox::Options, component: &[u8]) -> Result<String, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::Sandbox(error.to_string());
    let sandbox = longhaul_sandbox::Sandbox::new(options.clone()).map_err(|error| failed(&error))?;
    let module = sandbox.compile(component).map_err(|error| failed(&error))?;
    Ok(module.sdk().name.clone())
}

/// The figures that can be told: a replay that takes hardly longer than making ready for it says nothing.
fn figures(parts: &Parts) -> Vec<Figure> {
    let figure = |what: String, value, unit, aim| Figure {
        case: "replay",
        what,
        value,
        unit,
        aim,
    };
    let rate = |time| per_second(parts.events, time);
    let mut figures = vec![
        figure(
            format!("{} events, read from the database and decoded", parts.events),
            rate(parts.read),
            Unit::PerSecond,
            None,
        ),
        figure(
            "making sandbox and module ready".to_owned(),
            parts.made_ready.as_secs_f64(),
            Unit::Seconds,
            None,
        ),
        figure(
            "making ready, and replayed from memory".to_owned(),
            parts.replayed.as_secs_f64(),
            Unit::Seconds,
            None,
        ),
    ];
    if parts.replayed > parts.made_ready * 2 {
        let replayed = parts.replayed - parts.made_ready;
        figures.push(figure(
            "replayed from memory, without making ready".to_owned(),
            rate(replayed),
            Unit::PerSecond,
            None,
        ));
    }
    if parts.loaded > parts.loaded_few * 2 {
        figures.push(figure(
            "read, decoded and replayed, as one, without making ready".to_owned(),
            rate(parts.loaded - parts.loaded_few),
            Unit::PerSecond,
            Some(Bound::AtLeast(parts.aim)),
        ));
    }
    figures
}

/// The median time of something that is done several times.
fn median(mut work: impl FnMut() -> Result<(), crate::Error>) -> Result<Duration, crate::Error> {
    let mut times_ns = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        work()?;
        times_ns.push(nanoseconds(begun.elapsed()));
    }
    Ok(Latencies::new(times_ns).percentile(50))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn making_ready_is_taken_off_and_reading_is_not() {
        let parts = Parts {
            read: Duration::from_millis(50),
            replayed: Duration::from_millis(70),
            made_ready: Duration::from_millis(20),
            loaded: Duration::from_millis(101),
            loaded_few: Duration::from_millis(1),
            events: 100_000,
            aim: EVENTS_PER_SECOND,
        };
        let rates: Vec<_> = figures(&parts)
            .iter()
            .filter(|figure| figure.unit == Unit::PerSecond)
            .map(|figure| figure.value.round())
            .collect();
        assert_eq!(rates, [2_000_000.0, 2_000_000.0, 1_000_000.0]);
    }

    #[test]
    fn a_history_that_is_too_short_gets_no_rate_of_replay() {
        let parts = Parts {
            read: Duration::from_millis(1),
            replayed: Duration::from_millis(20),
            made_ready: Duration::from_millis(21),
            loaded: Duration::from_millis(3),
            loaded_few: Duration::from_millis(2),
            events: 100,
            aim: EVENTS_PER_SECOND,
        };
        assert!(figures(&parts).iter().all(|figure| figure.aim.is_none()));
    }

    #[test]
    fn a_failed_round_ends_the_rounds() {
        let mut rounds = 0;
        let failed = median(|| {
            rounds += 1;
            Err(crate::Error::Defect("no".into()))
        });
        assert!(failed.is_err());
        assert_eq!(rounds, 1);
    }
}
