//! Activities, cancellation with clean-up, polling, search attributes and a memo, and a change to the code.

use std::time::Duration;

use longhaul_sdk::search_attributes::SearchAttributeKey;
use longhaul_sdk::{
    ActivityCancellationType, ActivityExecutionError, ActivityOptions, MemoValue, RetryPolicy,
    WorkflowCancellationToken, WorkflowContext, WorkflowResult, workflow, workflow_methods,
};

use crate::activities::Greeter;

fn briefly() -> ActivityOptions {
    ActivityOptions::start_to_close_timeout(Duration::from_secs(10))
}

/// One activity.
#[workflow]
#[derive(Default)]
pub struct Welcome;

#[workflow_methods]
impl Welcome {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<String> {
        let greeting = ctx.execute_activity(Greeter::greet, name, briefly()).await?;
        Ok(greeting)
    }
}

/// Works until it is cancelled, then tidies up and ends with a result.
#[workflow]
#[derive(Default)]
pub struct Interruptible;

#[workflow_methods]
impl Interruptible {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, _input: ()) -> WorkflowResult<String> {
        let options = ActivityOptions::with_start_to_close_timeout(Duration::from_secs(300))
            .heartbeat_timeout(Duration::from_secs(30))
            .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
            .retry_policy(RetryPolicy::builder().maximum_attempts(1).build())
            .build();
        match ctx.execute_activity(Greeter::work, (), options).await {
            Ok(done) => Ok(done),
            Err(ActivityExecutionError::Cancelled(_)) => {
                let reason = ctx.cancellation_token().reason().unwrap_or_default();
                // A token of its own: the workflow's cancellation does not reach the clean-up.
                let detached = ActivityOptions::with_start_to_close_timeout(Duration::from_secs(10))
                    .cancellation_token(WorkflowCancellationToken::new())
                    .build();
                let tidied = ctx
                    .execute_activity(Greeter::tidy, "the desk".to_owned(), detached)
                    .await?;
                Ok(format!("cancelled ({reason}), {tidied}"))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Looks again and again, with a timer in between.
#[workflow]
#[derive(Default)]
pub struct Poller;

#[workflow_methods]
impl Poller {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, looks: u32) -> WorkflowResult<String> {
        for look in 1..=looks {
            if ctx.execute_activity(Greeter::look, look, briefly()).await? {
                return Ok(format!("there at look {look}"));
            }
            if look < looks {
                ctx.timer(Duration::from_millis(5)).await;
            }
        }
        Ok(format!("not there after {looks} looks"))
    }
}

pub const CITY: SearchAttributeKey<String> = SearchAttributeKey::keyword("ShapesCity");
pub const PARCELS: SearchAttributeKey<i64> = SearchAttributeKey::int("ShapesParcels");

/// Sets search attributes and a memo field; its own reads see them at once.
#[workflow]
#[derive(Default)]
pub struct Labelled;

#[workflow_methods]
impl Labelled {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, _input: ()) -> WorkflowResult<String> {
        let before = ctx.search_attributes().get(&CITY).unwrap_or_default();
        ctx.upsert_search_attributes([CITY.value_set("Wien".into()), PARCELS.value_set(2)]);
        ctx.upsert_memo([("note", Some(MemoValue::new("fragile".to_owned())))])?;
        let city = ctx.search_attributes().get(&CITY).unwrap_or_default();
        let note: Option<String> = ctx.memo().get("note")?;
        ctx.upsert_search_attributes([PARCELS.value_unset()]);
        let parcels = ctx.search_attributes().get(&PARCELS);
        Ok(format!(
            "{before:?} {city} {} {parcels:?}",
            note.unwrap_or_default()
        ))
    }
}

/// Code that was changed while runs of the older code may still be open.
#[workflow]
#[derive(Default)]
pub struct Versioned;

#[workflow_methods]
impl Versioned {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let first = ctx.patched("greet-first");
        ctx.timer(Duration::from_millis(5)).await;
        let again = ctx.patched("greet-first");
        ctx.deprecate_patch("older-change");
        Ok(format!("{first} {again}"))
    }
}
