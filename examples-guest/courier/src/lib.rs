//! A parcel on its way through offices that are written in different languages: this one in Rust, `go/courier` in Go.
//!
//! An office has the parcel stamped by an activity of either language, and hands it on to the next office, which is its child. The
//! last one tells the others that it has arrived, by a signal to the family, or refuses it, which fails its workflow.

use std::time::Duration;

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::error::IncomingError;
use longhaul_sdk::{
    ActivityOptions, ApplicationFailure, ChildWorkflowOptions, FamilySignalOptions, LocalActivityOptions,
    SyncWorkflowContext, UntypedActivity, UntypedWorkflow, WorkflowContext, WorkflowResult, activities,
    data_converters::RawValue, workflow, workflow_methods,
};
use serde::{Deserialize, Serialize};

/// What is left of a parcel's way.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Route {
    parcel: String,
    /// The activity that stamps it here: `rust_stamp` or `go_stamp`.
    stamp: String,
    /// The offices that follow: `RustOffice` or `GoOffice`, and their stamps.
    rest: Vec<Stop>,
    /// Is it stamped by a local activity?
    local: bool,
    /// Does the last office refuse it?
    refused: bool,
    /// Does the last office keep it until that is cancelled?
    kept: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Stop {
    office: String,
    stamp: String,
}

/// What became of a parcel.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Report {
    /// Every stamp, the first office's first.
    stamps: Vec<String>,
    /// What this office has heard from the last one.
    heard: Vec<String>,
    /// The parcel's number and why it was refused, as the failure's details and message have it.
    refusal: Option<Refusal>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Refusal {
    parcel: String,
    reason: String,
}

struct Stamps;

#[activities]
impl Stamps {
    /// Stamp a parcel
    #[activity(name = "rust_stamp")]
    async fn rust_stamp(_: ActivityContext, parcel: String, office: String) -> Result<String, ActivityError> {
        Ok(format!("{parcel} by {office} in Rust"))
    }
}

/// An office.
#[workflow]
#[derive(Default)]
struct RustOffice {
    heard: Vec<String>,
}

#[workflow_methods]
impl RustOffice {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, route: Route) -> WorkflowResult<Report> {
        let ctx: &WorkflowContext<Self> = ctx;
        let hear = async || {
            ctx.wait_condition(|office| !office.heard.is_empty()).await?;
            Ok(ctx.state(|office| office.heard.clone()))
        };
        pass_on(ctx, route, hear).await
    }

    /// The parcel has arrived.
    #[signal]
    fn arrived(&mut self, _: &mut SyncWorkflowContext<Self>, parcel: String) {
        self.heard.push(parcel);
    }
}

/// An office that tells its parent nothing, and has no handler for what it hears.
#[workflow(signals("arrived"), propagate_signals_to_parent = false)]
#[derive(Default)]
struct QuietRustOffice;

#[workflow_methods]
impl QuietRustOffice {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, route: Route) -> WorkflowResult<Report> {
        let ctx: &WorkflowContext<Self> = ctx;
        let hear = async || {
            let arrived = ctx.wait_signal::<String>("arrived").await?;
            // It stays where it is until a newer one comes.
            let again = ctx.wait_signal::<String>("arrived").peek().transpose()?;
            Ok([Some(arrived), again]
                .into_iter()
                .flatten()
                .map(|signal| signal.value)
                .collect())
        };
        pass_on(ctx, route, hear).await
    }
}

/// Stamps a parcel and hands it on. What becomes of it.
async fn pass_on<W>(
    ctx: &WorkflowContext<W>,
    route: Route,
    hear: impl AsyncFnOnce() -> WorkflowResult<Vec<String>>,
) -> WorkflowResult<Report> {
    let mut input = RawValue::try_from_value(&route.parcel)?;
    input
        .payloads
        .extend(RawValue::try_from_value(&ctx.workflow_type().to_owned())?.payloads);
    let stamp = UntypedActivity::new(&route.stamp);
    let limit = Duration::from_secs(10);
    let stamp = if route.local {
        let options = LocalActivityOptions::builder()
            .start_to_close_timeout(limit)
            .build();
        ctx.execute_local_activity(stamp, input, options).await?
    } else {
        let options = ActivityOptions::start_to_close_timeout(limit);
        ctx.execute_activity(stamp, input, options).await?
    };
    let mut report = Report {
        stamps: vec![stamp.try_to_value()?],
        ..Report::default()
    };
    let Some((next, rest)) = route.rest.split_first() else {
        if route.refused {
            let failure = ApplicationFailure::builder(format!("{} is not wanted", route.parcel))
                .type_name("Refused".to_owned())
                .non_retryable(true)
                .details(route.parcel)
                .build();
            return Err(failure.into());
        }
        if route.kept {
            ctx.wait_condition(|_| false).await?;
        }
        let options = FamilySignalOptions::builder().propagate(true).build();
        ctx.signal_family("arrived", route.parcel, options).await?;
        report.heard = hear().await?;
        return Ok(report);
    };

    let onward = Route {
        stamp: next.stamp.clone(),
        rest: rest.to_vec(),
        ..route
    };
    let id = format!("{}/{}", ctx.workflow_id(), next.office);
    let child = ctx.start_child_workflow(
        UntypedWorkflow::new(&next.office),
        RawValue::try_from_value(&onward)?,
        ChildWorkflowOptions::workflow_id(id),
    );
    match child.await?.result().await {
        Ok(value) => {
            let behind: Report = value.try_to_value()?;
            report.stamps.extend(behind.stamps);
            report.refusal = behind.refusal;
        }
        Err(error) => match error.reason() {
            Some(IncomingError::Application(failure)) if failure.type_name() == Some("Refused") => {
                report.refusal = Some(Refusal {
                    parcel: failure.details()?.unwrap_or_default(),
                    reason: failure.source_error().to_string(),
                });
            }
            _ => return Err(error.into()),
        },
    }
    // Behind a quiet office nobody hears of it.
    if report.refusal.is_none() && !next.office.starts_with("Quiet") {
        report.heard = hear().await?;
    }
    Ok(report)
}

longhaul_sdk::export!(RustOffice, QuietRustOffice);
longhaul_sdk::export_activities!(Stamps);
