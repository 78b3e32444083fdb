//! Activities: how long one takes, from the event that schedules it to the one that records its end, and how many there can be.

use super::{
    cases::{Bench, Executions, WARM_UP_PART, prefix, signed},
    latencies::Latencies,
    load::{self, Measured, Plan},
    report::{Load, Report},
    worker::Worker,
};
use crate::Error;

/// Activities one at a time, unless told otherwise.
const ALONE: u64 = 2_000;
/// So many times as many for all clients together.
const MANY: u64 = 10;
/// Clients that wait for an execution each.
const CALLERS: usize = 64;

impl Bench<'_> {
    /// Activities of a worker, which this process is unless somebody else works.
    pub(super) async fn remote_activity(&self, report: &mut Report<'_>) -> Result<(), Error> {
        let Some(pollers) = self.session.pollers else {
            return self.activity("Remote", report).await;
        };
        let mut worker = Worker::start(&self.target.callers(), pollers);
        let measured = tokio::select! {
            measured = self.activity("Remote", report) => measured,
            failed = worker.failed() => Err(failed),
        };
        worker.stop().await;
        measured
    }

    /// One activity at a time, then as many as there are clients.
    pub(super) async fn activity(
        &self,
        workflow_type: &'static str,
        report: &mut Report<'_>,
    ) -> Result<(), Error> {
        let count = self.session.count(ALONE);
        self.round_trips(self.case.to_owned(), workflow_type, 1, count, report)
            .await?;
        let callers = self.session.callers(CALLERS);
        let name = format!("{} many", self.case);
        self.round_trips(name, workflow_type, callers, count.saturating_mul(MANY), report)
            .await
    }

    /// So many activities, in an execution for each caller that runs its share one after the other.
    async fn round_trips(
        &self,
        name: String,
        workflow_type: &'static str,
        callers: usize,
        count: u64,
        report: &mut Report<'_>,
    ) -> Result<(), Error> {
        let plan = Plan {
            count: callers as u64,
            callers,
        };
        let each = count.div_ceil(plan.count);
        let warm_up = Executions::long(workflow_type, (each / WARM_UP_PART).max(1));
        self.whole(plan, warm_up, report).await?;
        let (prefix, writes) = (prefix(self.case), self.target.writes());
        let id = move |number: u64| format!("{prefix}-{number}");
        let progress = report.progress(self.case, plan.count);
        let of_turn = id.clone();
        let operation = self.each_caller(move |caller, turn| {
            let id = of_turn(turn.number);
            Box::pin(async move { caller.execute(&id, workflow_type, Some(signed(each))).await })
        });
        let measured = load::run(plan, &progress, operation).await?;
        drop(progress);
        let written = self.written_since(writes);
        let mut times_ns = Vec::new();
        for number in 0..plan.count {
            let caller = self.target.caller(0);
            times_ns.extend(caller.activity_times(&id(number)).await?);
        }
        let measured = Measured {
            latencies: Latencies::new(times_ns),
            ..measured
        };
        let load = Load::new(name, "activities", callers, &measured).writes(written);
        report.load(load, &measured)
    }
}
