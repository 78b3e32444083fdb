//! The cases that put load on an engine or a server. Those of more than one execution are in `across`, those
//! of activities in `activity`, that of lists in `list`.

use std::{sync::Arc, time::Duration};

use super::{
    Case, Error as Failure, Mode, Session,
    caller::Caller,
    load::{self, Measured, Plan, Turn},
    report::{Aim, Bound, Figure, Load, Report, Unit},
    target::Target,
};
use crate::Error;

/// Operations before the measured ones, as a part of them and at most: code is compiled, files grow, connections open.
pub(super) const WARM_UP_PART: u64 = 10;
const WARM_UP_MAX: u64 = 1_000;
/// So many signals end the executions that shall stay open. None of the cases comes near.
pub(super) const NEVER: i64 = 1_000_000_000;
/// Updates of one run; its limit is 2,000.
const UPDATES_PER_RUN: u64 = 1_000;
/// Executions of each size of fan-out.
const FAN_OUT_ROUNDS: u64 = 3;
/// How much slower than before a full database may be.
const AFTER_CLOSED_PERCENT: f64 = 90.0;
/// How much longer an activity may take when there are four times as many.
const FAN_OUT_GROWTH: f64 = 1.25;

/// What a case that runs whole executions runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Executions {
    workflow_type: &'static str,
    argument: Option<i64>,
    callers: usize,
    count: u64,
    aim: Option<Aim>,
}

impl Executions {
    /// Few executions, each of which does the same so many times.
    pub(super) fn long(workflow_type: &'static str, times: u64) -> Self {
        Self {
            workflow_type,
            argument: Some(signed(times)),
            callers: 1,
            count: 1,
            aim: None,
        }
    }
}

/// Measure a case on a target of its own.
pub(super) async fn measure(case: Case, session: &Session, report: &mut Report<'_>) -> Result<(), Error> {
    let target = Target::open(session).await?;
    let bench = Bench {
        case: case.name(),
        session,
        target: &target,
        in_process: session.mode == Mode::InProcess,
    };
    let measured = match case {
        Case::Sequential => bench.sequential(report).await,
        Case::FanOut => bench.fan_out(report).await,
        Case::Activity => bench.activity("Steps", report).await,
        Case::RemoteActivity => bench.remote_activity(report).await,
        Case::Signal => bench.signal(report).await,
        Case::SignalMany => bench.signal_many(report).await,
        Case::SignalWithStart => bench.signal_with_start(report).await,
        Case::Children => bench.children(report).await,
        Case::ContinueAsNew => bench.continue_as_new(report).await,
        Case::List => bench.list(report).await,
        Case::Query => bench.query(report).await,
        Case::Update => bench.update(report).await,
        Case::Empty => bench.empty(report).await,
        case => bench.executions(bench.suggested(case), report).await.map(|_| ()),
    };
    let closed = target.close().await;
    measured.and(closed)
}

/// One case, with what it is measured on.
pub(super) struct Bench<'a> {
    pub(super) case: &'static str,
    pub(super) session: &'a Session,
    pub(super) target: &'a Target,
    in_process: bool,
}

impl Bench<'_> {
    fn suggested(&self, case: Case) -> Executions {
        let empty = Executions {
            workflow_type: "Empty",
            argument: None,
            callers: 256,
            count: 30_000,
            aim: Some(Aim::PerSecond(if self.in_process { 12_000.0 } else { 5_000.0 })),
        };
        let steps = |n, count, aim| Executions {
            workflow_type: "Steps",
            argument: Some(n),
            count,
            aim,
            ..empty
        };
        match case {
            Case::One => steps(1, 10_000, None),
            Case::Ten => steps(10, 3_000, Some(Aim::PerSecond(1_000.0))),
            // One caller: how late a timer is, not how many there can be.
            Case::Sleep => Executions {
                workflow_type: "Sleep",
                argument: Some(1),
                callers: 1,
                count: 500,
                aim: Some(Aim::P50(Duration::from_millis(5))),
            },
            _ => empty,
        }
    }

    async fn empty(&self, report: &mut Report<'_>) -> Result<(), Error> {
        let empty = self.suggested(Case::Empty);
        let before = self.executions(empty, report).await?;
        let Some(closed) = self.session.after_closed else {
            return Ok(());
        };
        let filling = Plan {
            count: closed,
            callers: self.session.callers(empty.callers),
        };
        let progress = report.progress("filling", closed);
        let filled = load::run(filling, &progress, self.execute(empty)).await?;
        drop(progress);
        let line = Load::new("filling", "executions", filling.callers, &filled);
        report.load(line, &filled)?;
        let after = self.executions(empty, report).await?;
        report.figure(Figure {
            case: self.case,
            what: format!("rate after {closed} closed executions, of the rate before"),
            value: 100.0 * after / before,
            unit: Unit::Percent,
            aim: Some(Bound::AtLeast(AFTER_CLOSED_PERCENT)),
        })
    }

    /// Whole executions; returns how many there were a second.
    async fn executions(&self, executions: Executions, report: &mut Report<'_>) -> Result<f64, Error> {
        let plan = self.plan(executions.callers, executions.count);
        let (load, measured) = self
            .run(plan, "executions", report, async || Ok(self.execute(executions)))
            .await?;
        let load = load.aim(executions.aim, &measured);
        let rate = load.rate();
        report.load(load, &measured)?;
        Ok(rate)
    }

    /// An operation that starts an execution and waits for its end.
    fn execute(&self, executions: Executions) -> impl Fn(Turn) -> Answer + Clone + Send + use<> {
        let prefix = prefix(self.case);
        self.each_caller(move |caller, turn| {
            let id = format!("{prefix}-{}", turn.number);
            Box::pin(async move {
                caller
                    .execute(&id, executions.workflow_type, executions.argument)
                    .await
            })
        })
    }

    async fn sequential(&self, report: &mut Report<'_>) -> Result<(), Error> {
        let steps = self.session.count(3_000);
        let callers = self.session.callers(1);
        self.long_executions(callers, (steps / WARM_UP_PART).max(1), report)
            .await?;
        let writes = self.target.writes();
        let measured = self.long_executions(callers, steps, report).await?;
        let load = Load::of_parts(self.case, "steps", callers, &measured, steps * callers as u64)
            .writes(self.written_since(writes))
            .aim(Some(Aim::PerSecond(1_500.0)), &measured);
        report.load(load, &measured)
    }

    /// Run whole executions as planned, with neither a warm-up nor a line in the report.
    pub(super) async fn whole(
        &self,
        plan: Plan,
        executions: Executions,
        report: &Report<'_>,
    ) -> Result<Measured, Error> {
        let progress = report.progress(self.case, plan.count);
        load::run(plan, &progress, self.execute(executions)).await
    }

    /// An execution of so many steps for each caller.
    async fn long_executions(
        &self,
        callers: usize,
        steps: u64,
        report: &Report<'_>,
    ) -> Result<Measured, Error> {
        let plan = Plan {
            count: callers as u64,
            callers,
        };
        self.whole(plan, Executions::long("Steps", steps), report).await
    }

    async fn fan_out(&self, report: &mut Report<'_>) -> Result<(), Error> {
        let most = self.session.count(4_000);
        let plan = Plan {
            count: FAN_OUT_ROUNDS,
            callers: self.session.callers(1),
        };
        let mut each_ns = Vec::new();
        for (round, size) in [most / 4, most / 4, most / 2, most].into_iter().enumerate() {
            let size = size.max(1);
            let writes = self.target.writes();
            let measured = self.whole(plan, Executions::long("Fan", size), report).await?;
            if round == 0 {
                // The first one warms up.
                continue;
            }
            each_ns.push(measured.latencies.percentile(50).as_secs_f64() / size as f64);
            let aim = (size == 4_000).then_some(Aim::P50(Duration::from_secs(1)));
            let load = Load::new(
                format!("{} {size}", self.case),
                "executions",
                plan.callers,
                &measured,
            )
            .writes(self.written_since(writes))
            .aim(aim, &measured);
            report.load(load, &measured)?;
        }
        if let [small, .., large] = each_ns[..] {
            report.figure(Figure {
                case: self.case,
                what: "time of an activity at the largest size, of that at the smallest".to_owned(),
                value: large / small,
                unit: Unit::Times,
                aim: Some(Bound::Below(FAN_OUT_GROWTH)),
            })?;
        }
        Ok(())
    }

    async fn signal(&self, report: &mut Report<'_>) -> Result<(), Error> {
        let id = self.open_execution().await?;
        let plan = self.plan(64, 20_000);
        let (load, measured) = self
            .run(plan, "signals", report, async || {
                let id = id.clone();
                Ok(self.each_caller(move |caller, _| {
                    let id = id.clone();
                    Box::pin(async move { caller.signal(&id).await })
                }))
            })
            .await?;
        report.load(load, &measured)?;
        self.target.caller(0).terminate(&id).await
    }

    async fn query(&self, report: &mut Report<'_>) -> Result<(), Error> {
        let id = self.open_execution().await?;
        let plan = self.plan(1, 10_000);
        let (load, measured) = self
            .run(plan, "queries", report, async || {
                let id = id.clone();
                Ok(self.each_caller(move |caller, _| {
                    let id = id.clone();
                    Box::pin(async move { caller.query(&id).await.map(|_| ()) })
                }))
            })
            .await?;
        let aim = self.in_process.then_some(Aim::P50(Duration::from_micros(120)));
        report.load(load.aim(aim, &measured), &measured)?;
        self.target.caller(0).terminate(&id).await
    }

    async fn update(&self, report: &mut Report<'_>) -> Result<(), Error> {
        let plan = self.plan(16, 5_000);
        let (load, measured) = self
            .run(plan, "updates", report, async || {
                // A run takes ten updates at once and two thousand in all: each caller has runs of its own, one after the other.
                let prefix = prefix(self.case);
                let id = move |caller: usize, run: u64| format!("{prefix}-{caller}-{run}");
                for number in 0..plan.callers {
                    let caller = self.target.caller(number);
                    caller.start(&id(number, 0), "Signals", Some(NEVER)).await?;
                }
                Ok(self.each_caller(move |caller, turn| {
                    let id = id(turn.caller, turn.done / UPDATES_PER_RUN);
                    Box::pin(async move {
                        if turn.done > 0 && turn.done % UPDATES_PER_RUN == 0 {
                            caller.start(&id, "Signals", Some(NEVER)).await?;
                        }
                        caller.update(&id, &turn.number.to_string()).await
                    })
                }))
            })
            .await?;
        report.load(load, &measured)
    }

    /// An execution that is live and waits for ever.
    async fn open_execution(&self) -> Result<String, Error> {
        let id = prefix(self.case);
        let caller = self.target.caller(0);
        caller.start(&id, "Signals", Some(NEVER)).await?;
        caller.query(&id).await?;
        Ok(id)
    }

    /// Warm up, then measure. Each time the operation is made anew, so that it has ids of its own; what it needs is made then.
    pub(super) async fn run<F>(
        &self,
        plan: Plan,
        unit: &'static str,
        report: &Report<'_>,
        operation: impl AsyncFn() -> Result<F, Error>,
    ) -> Result<(Load, Measured), Error>
    where
        F: Fn(Turn) -> Answer + Clone + Send + 'static,
    {
        let warm_up = Plan {
            count: (plan.count / WARM_UP_PART).clamp(1, WARM_UP_MAX),
            ..plan
        };
        let progress = report.progress("warming up", warm_up.count);
        load::run(warm_up, &progress, operation().await?).await?;
        drop(progress);
        let operation = operation().await?;
        let progress = report.progress(self.case, plan.count);
        let writes = self.target.writes();
        let measured = load::run(plan, &progress, operation).await?;
        let load = Load::new(self.case, unit, plan.callers, &measured).writes(self.written_since(writes));
        Ok((load, measured))
    }

    pub(super) fn plan(&self, callers: usize, count: u64) -> Plan {
        Plan {
            count: self.session.count(count),
            callers: self.session.callers(callers),
        }
    }

    pub(super) fn written_since(
        &self,
        before: Option<super::target::Writes>,
    ) -> Option<super::target::Writes> {
        Some(self.target.writes()? - before?)
    }

    /// Give each turn the connection of its caller.
    pub(super) fn each_caller<F>(&self, operation: F) -> impl Fn(Turn) -> Answer + Clone + Send + use<F>
    where
        F: Fn(Caller, Turn) -> Answer + Clone + Send,
    {
        let callers: Arc<[Caller]> = self.target.callers().into();
        move |turn| operation(callers[turn.caller % callers.len()].clone(), turn)
    }
}

/// One operation under way.
pub(super) type Answer = std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Begins ids that no other measurement has, in this database or another.
pub(super) fn prefix(case: &str) -> String {
    format!("{case}-{}", uuid::Uuid::new_v4().simple())
}

/// As the component takes numbers.
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// What comes before or after a measurement must not fail.
///
/// # Errors
///
/// An operation has failed.
pub(super) fn flawless(measured: Measured) -> Result<(), Error> {
    match measured.first_error {
        None => Ok(()),
        Some(first) => Err(Failure::Failed {
            failed: measured.errors,
            first,
        }
        .into()),
    }
}
