//! The load generator: many callers, each of which waits for its answer before it asks again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::ProgressBar;
use tokio::task::JoinSet;

use super::latencies::{Latencies, nanoseconds};
use crate::Error;

/// How often the progress bar is moved. Callers never touch it: drawing would be part of what is measured.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// How much load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Operations, over all callers.
    pub(super) count: u64,
    /// Callers at once; no more of them than operations are started.
    pub(super) callers: usize,
}

/// Which operation a caller does next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// The caller, from 0.
    pub(super) caller: usize,
    /// How many operations this caller has done before.
    pub(super) done: u64,
    /// The operation, from 0, over all callers.
    pub(super) number: u64,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Measured {
    /// From the first operation's begin to the last one's end.
    pub(super) elapsed: Duration,
    /// Of every operation, the failed ones included.
    pub(super) latencies: Latencies,
    /// Operations that failed.
    pub(super) errors: u64,
    /// What the first of them said.
    pub(super) first_error: Option<String>,
}

/// What one caller has seen.
#[derive(Default)]
struct Part {
    times_ns: Vec<u64>,
    errors: u64,
    first_error: Option<String>,
}

/// Do `plan.count` operations. The callers take them one by one from a common heap, so that a slow one does not lengthen the end.
///
/// # Errors
///
/// A caller panicked. Operations that fail are counted, not returned.
pub(super) async fn run<F, Operation>(
    plan: Plan,
    progress: &ProgressBar,
    operation: F,
) -> Result<Measured, Error>
where
    F: Fn(Turn) -> Operation + Clone + Send + 'static,
    Operation: Future<Output = Result<(), Error>> + Send,
{
    let heap = Arc::new(AtomicU64::new(0));
    let callers = plan
        .callers
        .min(usize::try_from(plan.count).unwrap_or(plan.callers));
    let mut running = JoinSet::new();
    let begun = Instant::now();
    for caller in 0..callers {
        let (heap, operation) = (heap.clone(), operation.clone());
        running.spawn(async move {
            let mut part = Part::default();
            for done in 0.. {
                let number = heap.fetch_add(1, Ordering::Relaxed);
                if number >= plan.count {
                    break;
                }
                let asked = Instant::now();
                let answer = operation(Turn { caller, done, number }).await;
                part.times_ns.push(nanoseconds(asked.elapsed()));
                if let Err(error) = answer {
                    part.errors += 1;
                    part.first_error.get_or_insert_with(|| error.to_string());
                }
            }
            part
        });
    }

    let mut all = Part::default();
    let mut every = tokio::time::interval(PROGRESS_INTERVAL);
    loop {
        tokio::select! {
            ended = running.join_next() => {
                let Some(part) = ended else { break };
                let part = part.map_err(|error| Error::Defect(error.to_string()))?;
                all.times_ns.extend(part.times_ns);
                all.errors += part.errors;
                all.first_error = all.first_error.or(part.first_error);
            }
            _ = every.tick() => progress.set_position(heap.load(Ordering::Relaxed).min(plan.count)),
        }
    }
    Ok(Measured {
        elapsed: begun.elapsed(),
        latencies: Latencies::new(all.times_ns),
        errors: all.errors,
        first_error: all.first_error,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    async fn numbers(plan: Plan) -> Vec<u64> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let measured = run(plan, &ProgressBar::hidden(), move |turn| {
            log.lock().unwrap().push(turn.number);
            std::future::ready(Ok(()))
        })
        .await
        .unwrap();
        assert_eq!((measured.latencies.count(), measured.errors), (plan.count, 0));
        let mut numbers = seen.lock().unwrap().clone();
        numbers.sort_unstable();
        numbers
    }

    #[tokio::test]
    async fn every_operation_is_done_once() {
        for (count, callers) in [(1, 1), (3, 256), (100, 7)] {
            assert_eq!(
                numbers(Plan { count, callers }).await,
                (0..count).collect::<Vec<_>>()
            );
        }
    }

    #[tokio::test]
    async fn no_more_callers_than_planned_wait_at_once() {
        let at_once = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let (count, callers) = (60, 4);
        let watch = at_once.clone();
        run(Plan { count, callers }, &ProgressBar::hidden(), move |_| {
            let watch = watch.clone();
            async move {
                let now = watch.0.fetch_add(1, Ordering::SeqCst) + 1;
                watch.1.fetch_max(now, Ordering::SeqCst);
                tokio::task::yield_now().await;
                watch.0.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        })
        .await
        .unwrap();
        assert_eq!(at_once.1.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn failures_are_counted_and_the_first_is_kept() {
        let (count, callers) = (10, 1);
        let measured = run(Plan { count, callers }, &ProgressBar::hidden(), |turn| {
            std::future::ready(match turn.number {
                3 | 7 => Err(Error::Defect(format!("number {}", turn.number))),
                _ => Ok(()),
            })
        })
        .await
        .unwrap();
        assert_eq!(measured.errors, 2);
        assert_eq!(measured.first_error.as_deref(), Some("internal error: number 3"));
        assert_eq!(measured.latencies.count(), 10);
    }
}
