//! Timers: plain, in a race, cancelled, and one whose time a signal moves.

use std::time::{Duration, UNIX_EPOCH};

use longhaul_sdk::{
    ActivityOptions, ApplicationFailure, CancellableFuture, SyncWorkflowContext, TimerResult,
    WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods, workflows,
};

use crate::activities::Greeter;

/// A timer, a race between a timer and an activity, and a timer that is cancelled.
#[workflow]
#[derive(Default)]
pub struct Races;

#[workflow_methods]
impl Races {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<String>> {
        let first = ctx.timer(Duration::from_millis(10)).await;

        let winner = workflows::select! {
            _ = ctx.timer(Duration::from_secs(3_600)) => "timer".to_owned(),
            greeting = ctx.execute_activity(
                Greeter::greet,
                "racer".to_owned(),
                ActivityOptions::start_to_close_timeout(Duration::from_secs(10)),
            ) => greeting?,
        };

        let unused = ctx.timer(Duration::from_secs(600));
        unused.cancel();
        let cancelled = unused.await == TimerResult::Cancelled;

        let (a, b) = workflows::join!(ctx.timer(Duration::from_millis(5)), async { 7 });
        Ok(vec![
            format!("{first:?}"),
            winner,
            cancelled.to_string(),
            format!("{a:?} {b}"),
        ])
    }
}

/// Rings at a time that can be moved while it waits.
#[workflow]
pub struct Alarm {
    at_ms: u64,
    version: u64,
}

#[workflow_methods]
impl Alarm {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, at_ms: u64) -> Self {
        Self { at_ms, version: 0 }
    }

    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        loop {
            let (version, at_ms) = ctx.state(|s| (s.version, s.at_ms));
            let now = ctx
                .workflow_time()
                .and_then(|now| now.duration_since(UNIX_EPOCH).ok())
                .ok_or_else(|| ApplicationFailure::new("there is no workflow time"))?;
            let Some(rest) = Duration::from_millis(at_ms).checked_sub(now) else {
                return Ok(format!("rang after {version} changes"));
            };
            workflows::select! {
                _ = ctx.timer(rest) => return Ok(format!("rang after {version} changes")),
                _ = ctx.wait_condition(|s: &Self| s.version != version) => {}
            }
        }
    }

    /// Ring at another time (milliseconds since 1970)
    #[signal]
    pub fn set(&mut self, _ctx: &mut SyncWorkflowContext<Self>, at_ms: u64) {
        self.at_ms = at_ms;
        self.version += 1;
    }

    /// When it rings
    #[query]
    pub fn at(&self, _ctx: &WorkflowContextView) -> u64 {
        self.at_ms
    }
}
