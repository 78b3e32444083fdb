//! `activity complete`, `fail`, `heartbeat` and `cancel`.

use crate::{
    Error, Output,
    args::{Format, Global, Target},
    client::Client,
    input,
    proto::{
        common::v1::Payloads,
        failure::v1::{ApplicationFailureInfo, Failure, failure::FailureInfo},
        workflowservice::v1 as wire,
    },
};

/// Where a failure comes from, as the `temporal` CLI says it.
const SOURCE: &str = "CLI";

/// Names one activity of one execution.
#[derive(Debug, clap::Args)]
struct Activity {
    #[command(flatten)]
    target: Target,
    /// Id of the activity
    #[arg(long, short = 'a', value_name = "ID")]
    activity_id: String,
    /// Who says so [default: this user]
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
}

/// A request about an activity: each names it by the same fields.
macro_rules! about {
    ($client:ident, $activity:expr, $request:ident { $field:ident $(: $value:expr)? }) => {{
        let activity: Activity = $activity;
        wire::$request {
            namespace: $client.namespace.clone(),
            identity: activity.identity.unwrap_or_else(|| $client.identity.clone()),
            workflow_id: activity.target.workflow_id,
            run_id: activity.target.run_id,
            activity_id: activity.activity_id,
            $field $(: $value)?,
            ..Default::default()
        }
    }};
}

/// Complete an activity with a result
///
/// The activity need not run: one that waits for a worker, or for its next attempt, is completed as well.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul activity complete -w order-1 --activity-id 1 --result '{\"approved\":true}'")]
pub(crate) struct Complete {
    #[command(flatten)]
    activity: Activity,
    /// Its result as JSON [default: none]
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    result: Option<String>,
}

/// Fail an activity for good
///
/// No retry follows. Only an activity of which an attempt runs can fail.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul activity fail -w order-1 --activity-id 1 --reason 'no answer' --detail '{\"asked\":3}'")]
pub(crate) struct Fail {
    #[command(flatten)]
    activity: Activity,
    /// Message of the failure
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
    /// A detail of the failure as JSON
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    detail: Option<String>,
}

/// Say that an activity is alive
///
/// Its heartbeat timeout counts from now on, and the details are there for its next attempt. Says whether its workflow has asked to
/// cancel it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul activity heartbeat -w order-1 --activity-id 1 --details '{\"page\":40}'
  longhaul activity heartbeat -w order-1 --activity-id 1 -o json | jq .cancelRequested")]
pub(crate) struct Heartbeat {
    #[command(flatten)]
    activity: Activity,
    /// How far it has come, as JSON [default: nothing]
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    details: Option<String>,
}

/// Say that an activity has stopped because it was cancelled
///
/// Its workflow must have asked for that.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul activity cancel -w order-1 --activity-id 1 --details '\"half done\"'")]
pub(crate) struct Cancel {
    #[command(flatten)]
    activity: Activity,
    /// What it leaves behind, as JSON [default: nothing]
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    details: Option<String>,
}

/// What the answer to a heartbeat says.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    cancel_requested: bool,
    activity_paused: bool,
    activity_reset: bool,
}

pub(crate) async fn complete(args: Complete, global: &Global, output: &mut Output) -> Result<(), Error> {
    let result = value("--result", args.result.as_deref())?;
    let mut client = Client::connect(global).await?;
    let request = about!(
        client,
        args.activity,
        RespondActivityTaskCompletedByIdRequest { result }
    );
    client.respond_activity_task_completed_by_id(request).await?;
    output.note("Activity completed");
    Ok(())
}

pub(crate) async fn fail(args: Fail, global: &Global, output: &mut Output) -> Result<(), Error> {
    let details = value("--detail", args.detail.as_deref())?;
    let mut client = Client::connect(global).await?;
    let failure = Failure {
        message: args.reason,
        source: SOURCE.into(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
            non_retryable: true,
            details,
            ..Default::default()
        })),
        ..Default::default()
    };
    let request = about!(
        client,
        args.activity,
        RespondActivityTaskFailedByIdRequest {
            failure: Some(failure)
        }
    );
    client.respond_activity_task_failed_by_id(request).await?;
    output.note("Activity failed");
    Ok(())
}

pub(crate) async fn heartbeat(args: Heartbeat, global: &Global, output: &mut Output) -> Result<(), Error> {
    let details = value("--details", args.details.as_deref())?;
    let mut client = Client::connect(global).await?;
    let request = about!(
        client,
        args.activity,
        RecordActivityTaskHeartbeatByIdRequest { details }
    );
    let told = client.record_activity_task_heartbeat_by_id(request).await?;
    let told = Told {
        cancel_requested: told.cancel_requested,
        activity_paused: told.activity_paused,
        activity_reset: told.activity_reset,
    };
    match output.format() {
        Format::Json => output.json(&told),
        _ => {
            let asked = [
                (told.cancel_requested, "its workflow has asked to cancel it"),
                (told.activity_paused, "it is paused"),
                (told.activity_reset, "it was reset"),
            ];
            for (_, text) in asked.iter().filter(|(holds, _)| *holds) {
                output.line(text)?;
            }
            output.note("Heartbeat recorded");
            Ok(())
        }
    }
}

pub(crate) async fn cancel(args: Cancel, global: &Global, output: &mut Output) -> Result<(), Error> {
    let details = value("--details", args.details.as_deref())?;
    let mut client = Client::connect(global).await?;
    let request = about!(
        client,
        args.activity,
        RespondActivityTaskCanceledByIdRequest { details }
    );
    client.respond_activity_task_canceled_by_id(request).await?;
    output.note("Activity cancelled");
    Ok(())
}

/// One value, where a flag gives one.
fn value(flag: &str, text: Option<&str>) -> Result<Option<Payloads>, Error> {
    let payload = text.map(|text| input::payload(flag, text)).transpose()?;
    Ok(payload.map(|payload| Payloads {
        payloads: vec![payload],
    }))
}
