//! The cases in which several executions take part: signals to many, signals that start, children, and chains of runs.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{
    cases::{Answer, Bench, Executions, NEVER, WARM_UP_PART, flawless, prefix, signed},
    load::{self, Plan, Turn},
    report::{Figure, Load, Report, Unit},
};
use crate::Error;

/// Executions that the signals of `signal-many` are spread over; no more of them than signals.
const RECEIVERS: u64 = 1_000;
/// Requests of `signal-with-start` to one execution: the first starts it, the second finds it running and ends it.
const REQUESTS_TO_ONE: u64 = 2;
/// Parents that each caller starts, one after the other.
const PARENTS: u64 = 3;

impl Bench<'_> {
    pub(super) async fn signal_many(&self, report: &mut Report<'_>) -> Result<(), Error> {
        let plan = self.plan(64, 20_000);
        let receivers = Plan {
            count: plan.count.min(RECEIVERS),
            ..plan
        };
        let prefix = prefix(self.case);
        let id = move |number: u64| format!("{prefix}-{}", number % receivers.count);

        let (of_turn, progress) = (id.clone(), report.progress("opening", receivers.count));
        let open = self.each_caller(move |caller, turn| {
            let id = of_turn(turn.number);
            Box::pin(async move {
                caller.start(&id, "Signals", Some(NEVER)).await?;
                // Its answer comes after the first workflow task, which is no part of what is measured.
                caller.query(&id).await.map(|_| ())
            })
        });
        flawless(load::run(receivers, &progress, open).await?)?;
        drop(progress);

        let (load, measured) = self
            .run(plan, "signals", report, async || {
                let id = id.clone();
                Ok(self.each_caller(move |caller, turn| {
                    let id = id(turn.number);
                    Box::pin(async move { caller.signal(&id).await })
                }))
            })
            .await?;
        report.load(load, &measured)?;

        let progress = report.progress("closing", receivers.count);
        let close = self.each_caller(move |caller, turn| {
            let id = id(turn.number);
            Box::pin(async move {
                if caller.query(&id).await? == 0 {
                    return Err(Error::Answer {
                        operation: "query_workflow",
                        what: "counts no signal, but each execution was sent one",
                    });
                }
                caller.terminate(&id).await
            })
        });
        flawless(load::run(receivers, &progress, close).await?)
    }

    pub(super) async fn signal_with_start(&self, report: &mut Report<'_>) -> Result<(), Error> {
        let plan = self.plan(64, 20_000);
        let started = Arc::new(AtomicU64::new(0));
        let (load, measured) = self
            .run(plan, "requests", report, async || {
                // The warm-up is over, its starts do not count.
                started.store(0, Ordering::Relaxed);
                Ok(self.signals_that_start(started.clone()))
            })
            .await?;
        report.load(load, &measured)?;
        report.figure(Figure {
            case: self.case,
            what: "of them started an execution".to_owned(),
            value: 100.0 * started.load(Ordering::Relaxed) as f64 / plan.count as f64,
            unit: Unit::Percent,
            aim: None,
        })
    }

    /// An operation that signals an execution or starts it. Which of the two requests to one execution comes first does not matter.
    fn signals_that_start(&self, started: Arc<AtomicU64>) -> impl Fn(Turn) -> Answer + Clone + Send + use<> {
        let prefix = prefix(self.case);
        self.each_caller(move |caller, turn| {
            let id = format!("{prefix}-{}", turn.number / REQUESTS_TO_ONE);
            let (request_id, started) = (format!("{prefix}-request-{}", turn.number), started.clone());
            Box::pin(async move {
                let new = caller
                    .signal_with_start(&id, &request_id, signed(REQUESTS_TO_ONE))
                    .await?;
                started.fetch_add(u64::from(new), Ordering::Relaxed);
                Ok(())
            })
        })
    }

    pub(super) async fn children(&self, report: &mut Report<'_>) -> Result<(), Error> {
        let children = self.session.count(1_000);
        let callers = self.session.callers(1);
        let plan = Plan {
            count: PARENTS * callers as u64,
            callers,
        };
        let parent = |children| Executions::long("Parent", children);
        self.whole(plan, parent((children / WARM_UP_PART).max(1)), report)
            .await?;
        let writes = self.target.writes();
        let measured = self.whole(plan, parent(children), report).await?;
        let load = Load::of_parts(self.case, "children", callers, &measured, children * plan.count)
            .writes(self.written_since(writes));
        let median = measured.latencies.percentile(50).as_secs_f64();
        report.load(load, &measured)?;
        report.figure(Figure {
            case: self.case,
            what: format!("median time of a parent and its {children} children"),
            value: median,
            unit: Unit::Seconds,
            aim: None,
        })
    }

    pub(super) async fn continue_as_new(&self, report: &mut Report<'_>) -> Result<(), Error> {
        let runs = self.session.count(5_000);
        let callers = self.session.callers(1);
        let plan = Plan {
            count: callers as u64,
            callers,
        };
        // A parent waits for the chain, so that the client asks once and not for each run.
        let chain = |runs| Executions::long("ChainEnd", runs);
        self.whole(plan, chain((runs / WARM_UP_PART).max(1)), report)
            .await?;
        let writes = self.target.writes();
        let measured = self.whole(plan, chain(runs), report).await?;
        let load = Load::of_parts(self.case, "runs", callers, &measured, runs * plan.count)
            .writes(self.written_since(writes));
        report.load(load, &measured)
    }
}
