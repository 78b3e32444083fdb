//! The activities of the lab: one that answers, and several that fail in a way of their own.

use std::time::Duration;

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::{ApplicationFailure, activities};
use serde_json::Value;

struct LabActivities;

fn failure(kind: &str, message: impl Into<String>) -> ActivityError {
    let failure = ApplicationFailure::builder(message.into())
        .type_name(kind.to_owned())
        .build();
    ActivityError::application(failure)
}

#[activities]
impl LabActivities {
    /// Gives its argument back
    #[activity(name = "echo")]
    fn echo(_: ActivityContext, value: Value) -> Value {
        value
    }

    /// Fails so many times, then gives the number of the attempt
    #[activity(name = "flaky")]
    fn flaky(ctx: ActivityContext, failures: u32) -> Result<u32, ActivityError> {
        let attempt = ctx.info().attempt;
        if attempt <= failures {
            return Err(failure("Flaky", format!("attempt {attempt}")));
        }
        Ok(attempt)
    }

    /// Fails in a way that no retry helps
    #[activity(name = "fatal")]
    fn fatal(_: ActivityContext, message: String) -> Result<(), ActivityError> {
        let failure = ApplicationFailure::builder(message)
            .type_name("Fatal".to_owned())
            .non_retryable(true)
            .build();
        Err(ActivityError::application(failure))
    }

    /// Takes so many milliseconds
    #[activity(name = "slow")]
    async fn slow(_: ActivityContext, wait_ms: u64) -> u64 {
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        wait_ms
    }

    /// Beats so many times, and fails half way in the first attempt; a later attempt goes on where the heartbeats ended
    #[activity(name = "beat")]
    async fn beat(ctx: ActivityContext, beats: u32, wait_ms: u64) -> Result<(u32, u32), ActivityError> {
        let done: u32 = ctx.heartbeat_details().deserialize()?.unwrap_or_default();
        for beat in done + 1..=beats {
            ctx.record_heartbeat(beat).await?;
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            if beat == beats / 2 && ctx.info().attempt == 1 {
                return Err(failure("Half", "half way"));
            }
        }
        Ok((done, beats))
    }
}

longhaul_sdk::export_activities!(LabActivities);
