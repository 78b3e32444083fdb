//! The workflows and the activities that load tests drive: one component that defines both.

use std::time::Duration;

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::workflows::join_all;
use longhaul_sdk::{
    ActivityOptions, ApplicationFailure, ChildWorkflowOptions, ContinueAsNewOptions, LocalActivityOptions,
    RetryPolicy, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, activities,
    workflow, workflow_methods,
};

const LIMIT: Duration = Duration::from_secs(60);
/// The task queue of activities that workers outside of the server serve.
const REMOTE_QUEUE: &str = "bench-remote";
/// Wait before the second attempt of what fails.
const RETRY: Duration = Duration::from_secs(3_600);
/// Children at once; the server takes 2,000 of one execution.
const CHILDREN_AT_ONCE: i64 = 1_000;

struct Activities;

#[activities]
impl Activities {
    /// Return the argument.
    #[activity(name = "Echo")]
    async fn echo(_: ActivityContext, i: i64) -> Result<i64, ActivityError> {
        Ok(i)
    }

    /// Fail.
    #[activity(name = "Fail")]
    async fn fail(_: ActivityContext, _: i64) -> Result<i64, ActivityError> {
        Err(ApplicationFailure::new("in an hour").into())
    }
}

/// Nothing but a start and an end.
#[workflow]
#[derive(Default)]
struct Empty;

#[workflow_methods]
impl Empty {
    #[run]
    async fn run(_: &mut WorkflowContext<Self>) -> WorkflowResult<i64> {
        Ok(1)
    }
}

/// `n` activities, one after the other.
#[workflow]
#[derive(Default)]
struct Steps;

#[workflow_methods]
impl Steps {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, n: i64) -> WorkflowResult<i64> {
        let mut sum = 0;
        for i in 0..n {
            sum += ctx
                .execute_activity(
                    Activities::echo,
                    i,
                    ActivityOptions::start_to_close_timeout(LIMIT),
                )
                .await?;
        }
        Ok(sum)
    }
}

/// `n` activities of a worker outside of the server, one after the other.
#[workflow]
#[derive(Default)]
struct Remote;

#[workflow_methods]
impl Remote {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, n: i64) -> WorkflowResult<i64> {
        let mut sum = 0;
        for i in 0..n {
            let options = ActivityOptions::with_start_to_close_timeout(LIMIT)
                .task_queue(REMOTE_QUEUE.to_owned())
                .build();
            sum += ctx.execute_activity(Activities::echo, i, options).await?;
        }
        Ok(sum)
    }
}

/// `n` activities at once that fail, and are tried again in an hour.
#[workflow]
#[derive(Default)]
struct Retries;

#[workflow_methods]
impl Retries {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, n: i64) -> WorkflowResult<i64> {
        let options = || {
            ActivityOptions::with_start_to_close_timeout(LIMIT)
                .retry_policy(RetryPolicy::builder().initial_interval(RETRY).build())
                .build()
        };
        let failing: Vec<_> = (0..n)
            .map(|i| ctx.execute_activity(Activities::fail, i, options()))
            .collect();
        let mut sum = 0;
        for end in join_all(failing).await {
            sum += end?;
        }
        Ok(sum)
    }
}

/// `n` local activities, one after the other.
#[workflow]
#[derive(Default)]
struct Local;

#[workflow_methods]
impl Local {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, n: i64) -> WorkflowResult<i64> {
        let mut sum = 0;
        for i in 0..n {
            let options = LocalActivityOptions::builder()
                .start_to_close_timeout(LIMIT)
                .build();
            sum += ctx.execute_local_activity(Activities::echo, i, options).await?;
        }
        Ok(sum)
    }
}

/// `n` activities at once.
#[workflow]
#[derive(Default)]
struct Fan;

#[workflow_methods]
impl Fan {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, n: i64) -> WorkflowResult<i64> {
        let options = || ActivityOptions::start_to_close_timeout(LIMIT);
        let echoes: Vec<_> = (0..n)
            .map(|i| ctx.execute_activity(Activities::echo, i, options()))
            .collect();
        let mut sum = 0;
        for echo in join_all(echoes).await {
            sum += echo?;
        }
        Ok(sum)
    }
}

/// One timer of `ms` milliseconds.
#[workflow]
#[derive(Default)]
struct Sleep;

#[workflow_methods]
impl Sleep {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, ms: u64) -> WorkflowResult<u64> {
        ctx.timer(Duration::from_millis(ms)).await;
        Ok(ms)
    }
}

/// Ends after `n` signals.
#[workflow]
#[derive(Default)]
struct Signals {
    got: i64,
}

#[workflow_methods]
impl Signals {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, n: i64) -> WorkflowResult<i64> {
        ctx.wait_condition(|signals| signals.got >= n).await?;
        Ok(ctx.state(|signals| signals.got))
    }

    /// Count one.
    #[signal]
    fn s(&mut self, _: &mut SyncWorkflowContext<Self>, _value: i64) {
        self.got += 1;
    }

    /// How many were counted.
    #[query]
    fn got(&self, _: &WorkflowContextView) -> i64 {
        self.got
    }

    /// Count `k` and return how many were counted.
    #[update]
    fn add(&mut self, _: &mut SyncWorkflowContext<Self>, k: i64) -> i64 {
        self.got += k;
        self.got
    }
}

/// `n` children `Empty`, all at once up to a thousand, then the next thousand.
#[workflow]
#[derive(Default)]
struct Parent;

#[workflow_methods]
impl Parent {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, n: i64) -> WorkflowResult<i64> {
        let (mut sum, mut left) = (0, n);
        while left > 0 {
            let some = left.min(CHILDREN_AT_ONCE);
            let starts: Vec<_> = (0..some)
                .map(|_| ctx.start_child_workflow(Empty::run, (), ChildWorkflowOptions::default()))
                .collect();
            let mut ends = Vec::new();
            for child in join_all(starts).await {
                ends.push(child?.result());
            }
            for end in join_all(ends).await {
                sum += end?;
            }
            left -= some;
        }
        Ok(sum)
    }
}

/// A chain of `n` runs, of which each but the last continues as new.
#[workflow]
#[derive(Default)]
struct Chain;

#[workflow_methods]
impl Chain {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, n: i64) -> WorkflowResult<i64> {
        if n > 1 {
            ctx.continue_as_new(n - 1, ContinueAsNewOptions::default())?;
        }
        Ok(n)
    }
}

/// A child `Chain(n)`. It ends when the last run of the chain does: whoever waits for it need not follow each run.
#[workflow]
#[derive(Default)]
struct ChainEnd;

#[workflow_methods]
impl ChainEnd {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, n: i64) -> WorkflowResult<i64> {
        let chain = ctx
            .start_child_workflow(Chain::run, n, ChildWorkflowOptions::default())
            .await?;
        Ok(chain.result().await?)
    }
}

longhaul_sdk::export!(
    Empty, Steps, Remote, Retries, Local, Fan, Sleep, Signals, Parent, Chain, ChainEnd
);
longhaul_sdk::export_activities!(Activities);
