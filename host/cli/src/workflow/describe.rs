//! `workflow describe`: the state of an execution.

use longhaul_runtime::PARKED_REASON;
use longhaul_server::module_proto::{
    DescribeExecutionRequest, DescribeExecutionResponse, PendingTimer, PendingUpdate,
};
use tonic::Code;

use crate::{
    Error, Output,
    args::{Format, Global, Target},
    client::Client,
    failure, json, output, payload,
    proto::{
        common::v1::{Payload, WorkflowExecution},
        workflow::v1::{
            PendingActivityInfo, PendingChildExecutionInfo, PendingWorkflowTaskInfo, WorkflowExecutionInfo,
            pending_activity_info::pause_info::PausedBy,
        },
        workflowservice::v1::{DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse},
    },
    workflow::status_name,
};

pub(crate) async fn execute(target: &Target, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let request = DescribeWorkflowExecutionRequest {
        namespace: client.namespace.clone(),
        execution: Some(target.execution()),
    };
    let answer = client.describe_workflow_execution(request).await?;
    match output.format() {
        Format::None => Ok(()),
        Format::Json => output.json(&json::message(&answer)?),
        Format::Text => {
            print(&answer, output)?;
            let pending = pending(target, &answer, &mut client).await?;
            section("Pending timers:", &pending.timers, timer, output)?;
            section("Pending updates:", &pending.updates, update, output)
        }
    }
}

/// The timers and updates of the run that was described: Temporal's answer has no field for them. Servers that do not offer the request
/// have none to tell.
async fn pending(
    target: &Target,
    described: &DescribeWorkflowExecutionResponse,
    client: &mut Client,
) -> Result<DescribeExecutionResponse, Error> {
    let info = described.workflow_execution_info.as_ref();
    let execution = info.and_then(|info| info.execution.clone()).unwrap_or_default();
    let request = DescribeExecutionRequest {
        namespace: client.namespace.clone(),
        workflow_id: target.workflow_id.clone(),
        run_id: execution.run_id,
    };
    match client.describe_execution(request).await {
        Err(Error::Request { status, .. }) if status.code() == Code::Unimplemented => Ok(Default::default()),
        answer => answer,
    }
}

fn print(answer: &DescribeWorkflowExecutionResponse, output: &mut Output) -> Result<(), Error> {
    let info = answer.workflow_execution_info.as_ref().ok_or(Error::Answer {
        operation: "describe_workflow_execution",
        what: "lacks the execution",
    })?;
    output.heading("Execution:")?;
    output.card(2, &execution(info))?;
    about(answer, output)?;
    let limits = limits(answer);
    if limits.iter().any(|(_, value)| !value.is_empty()) {
        output.line("")?;
        output.heading("Limits:")?;
        output.card(2, &limits)?;
    }
    let is_parked = |key: &str| key == PARKED_REASON;
    let memo = info.memo.clone().unwrap_or_default().fields;
    fields("Memo:", memo.iter().filter(|(key, _)| !is_parked(key)), output)?;
    let attributes = info.search_attributes.clone().unwrap_or_default().indexed_fields;
    fields("Search attributes:", attributes.iter(), output)?;
    if let Some(task) = &answer.pending_workflow_task {
        output.line("")?;
        output.heading("Pending workflow task:")?;
        let reason = memo
            .iter()
            .find(|(key, _)| is_parked(key))
            .map(|(_, value)| text(value));
        output.card(2, &pending_task(task, reason.unwrap_or_default()))?;
    }
    section(
        "Pending activities:",
        &answer.pending_activities,
        activity,
        output,
    )?;
    section(
        "Pending child workflows:",
        &answer.pending_children,
        child,
        output,
    )
}

fn execution(info: &WorkflowExecutionInfo) -> Vec<(&'static str, String)> {
    let this = info.execution.clone().unwrap_or_default();
    let first_run = Some(&info.first_run_id).filter(|first| **first != this.run_id);
    let root = info
        .root_execution
        .as_ref()
        .filter(|root| root.workflow_id != this.workflow_id);
    // Later than the start where a delay or a schedule comes before the first task.
    let first_task = info.execution_time.filter(|time| Some(*time) != info.start_time);
    let workflow_type = info.r#type.as_ref().map(|t| t.name.clone());
    let duration = info.close_time.and(info.execution_duration);
    let size = output::bytes(u64::try_from(info.history_size_bytes).unwrap_or_default());
    vec![
        ("WorkflowId", this.workflow_id),
        ("RunId", this.run_id.clone()),
        ("FirstRunId", first_run.cloned().unwrap_or_default()),
        ("Type", workflow_type.unwrap_or_default()),
        ("Module", module(info)),
        ("Status", output::status(status_name(info.status()))),
        ("TaskQueue", info.task_queue.clone()),
        ("StartTime", output::time(info.start_time)),
        ("ExecutionTime", output::time(first_task)),
        ("CloseTime", output::time(info.close_time)),
        ("Duration", output::span(duration)),
        ("Parent", relative(info.parent_execution.as_ref())),
        ("Root", relative(root)),
        ("History", format!("{}, {size}", events(info.history_length))),
    ]
}

fn events(count: i64) -> String {
    match count {
        1 => "1 event".to_owned(),
        count => format!("{count} events"),
    }
}

/// What its starter wrote of it, for people.
fn about(answer: &DescribeWorkflowExecutionResponse, output: &mut Output) -> Result<(), Error> {
    let config = answer.execution_config.as_ref();
    let metadata = config
        .and_then(|config| config.user_metadata.clone())
        .unwrap_or_default();
    let shown = |part: Option<Payload>| part.as_ref().map(text).unwrap_or_default();
    let rows = [
        ("Summary", shown(metadata.summary)),
        ("Details", shown(metadata.details)),
    ];
    if rows.iter().all(|(_, value)| value.is_empty()) {
        return Ok(());
    }
    output.line("")?;
    output.heading("About:")?;
    output.card(2, &rows)
}

/// Another execution of the family; empty if there is none.
fn relative(execution: Option<&WorkflowExecution>) -> String {
    match execution {
        Some(execution) if !execution.workflow_id.is_empty() => {
            format!("{} (run {})", execution.workflow_id, execution.run_id)
        }
        _ => String::new(),
    }
}

/// The module and version that the run is pinned to: a deployment's name and build id on the wire.
fn module(info: &WorkflowExecutionInfo) -> String {
    let versioning = info.versioning_info.as_ref();
    let version = versioning.and_then(|versioning| versioning.deployment_version.as_ref());
    version
        .map(|v| format!("{}@{}", v.deployment_name, v.build_id))
        .unwrap_or_default()
}

fn limits(answer: &DescribeWorkflowExecutionResponse) -> Vec<(&'static str, String)> {
    let config = answer.execution_config.clone().unwrap_or_default();
    let extended = answer.workflow_extended_info.clone().unwrap_or_default();
    let cancel_requested = if extended.cancel_requested {
        "yes".to_owned()
    } else {
        String::new()
    };
    vec![
        (
            "ExecutionTimeout",
            output::span(config.workflow_execution_timeout),
        ),
        ("RunTimeout", output::span(config.workflow_run_timeout)),
        ("TaskTimeout", output::span(config.default_workflow_task_timeout)),
        (
            "ExecutionExpires",
            output::time(extended.execution_expiration_time),
        ),
        ("RunExpires", output::time(extended.run_expiration_time)),
        ("CancelRequested", cancel_requested),
        (
            "Paused",
            extended.pause_info.map(|pause| pause.reason).unwrap_or_default(),
        ),
    ]
}

/// The task that waits or runs; if attempts at it have failed, why the run is parked and when it is tried again.
fn pending_task(task: &PendingWorkflowTaskInfo, reason: String) -> Vec<(&'static str, String)> {
    let next = task.scheduled_time.filter(|_| !reason.is_empty());
    vec![
        (
            "State",
            short(task.state().as_str_name(), "PENDING_WORKFLOW_TASK_STATE_"),
        ),
        ("Attempt", task.attempt.to_string()),
        (
            "Since",
            output::time(task.original_scheduled_time.or(task.scheduled_time)),
        ),
        ("Started", output::time(task.started_time)),
        ("Parked", reason),
        ("NextAttempt", output::time(next)),
    ]
}

/// A payload's text: a JSON string without its quotes, so that its lines are lines.
fn text(payload: &Payload) -> String {
    serde_json::from_slice(&payload.data).unwrap_or_else(|_| payload::value(payload).get().to_owned())
}

fn fields<'a>(
    heading: &str,
    fields: impl Iterator<Item = (&'a String, &'a Payload)>,
    output: &mut Output,
) -> Result<(), Error> {
    let mut rows: Vec<_> = fields
        .map(|(key, value)| (key.as_str(), payload::value(value).get().to_owned()))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort();
    output.line("")?;
    output.heading(heading)?;
    output.card(2, &rows)
}

/// A heading and a card for each item; nothing if there are none.
fn section<T>(
    heading: &str,
    items: &[T],
    rows: impl Fn(&T) -> Vec<(&'static str, String)>,
    output: &mut Output,
) -> Result<(), Error> {
    for (index, item) in items.iter().enumerate() {
        output.line("")?;
        if index == 0 {
            output.heading(heading)?;
        }
        output.card(2, &rows(item))?;
    }
    Ok(())
}

fn activity(activity: &PendingActivityInfo) -> Vec<(&'static str, String)> {
    let attempts = match activity.maximum_attempts {
        0 => activity.attempt.to_string(),
        maximum => format!("{} of {maximum}", activity.attempt),
    };
    let (why, last_failure) = activity
        .last_failure
        .as_ref()
        .map_or((None, None), longhaul_history::failure::why_it_waits);
    vec![
        ("ActivityId", activity.activity_id.clone()),
        (
            "Type",
            activity
                .activity_type
                .as_ref()
                .map(|t| t.name.clone())
                .unwrap_or_default(),
        ),
        (
            "State",
            short(activity.state().as_str_name(), "PENDING_ACTIVITY_STATE_"),
        ),
        ("Attempt", attempts),
        ("Scheduled", output::time(activity.scheduled_time)),
        ("LastStarted", output::time(activity.last_started_time)),
        ("NextAttempt", output::time(activity.next_attempt_schedule_time)),
        ("Expires", output::time(activity.expiration_time)),
        ("LastHeartbeat", output::time(activity.last_heartbeat_time)),
        (
            "HeartbeatDetails",
            payload::list(activity.heartbeat_details.as_ref()),
        ),
        ("Waits", why.unwrap_or_default().to_owned()),
        (
            "LastFailure",
            last_failure
                .map(|f| failure::chain(f).join("\ncaused by: "))
                .unwrap_or_default(),
        ),
        ("LastWorker", activity.last_worker_identity.clone()),
        ("Paused", paused(activity)),
    ]
}

/// Who has paused it, and why, if somebody has.
fn paused(activity: &PendingActivityInfo) -> String {
    let by = activity
        .pause_info
        .as_ref()
        .and_then(|info| info.paused_by.as_ref());
    match by {
        Some(PausedBy::Manual(manual)) if manual.reason.is_empty() => format!("by {}", manual.identity),
        Some(PausedBy::Manual(manual)) => format!("by {}: {}", manual.identity, manual.reason),
        _ => String::new(),
    }
}

fn child(child: &PendingChildExecutionInfo) -> Vec<(&'static str, String)> {
    vec![
        ("WorkflowId", child.workflow_id.clone()),
        ("RunId", child.run_id.clone()),
        ("Type", child.workflow_type_name.clone()),
    ]
}

fn timer(timer: &PendingTimer) -> Vec<(&'static str, String)> {
    vec![
        ("TimerId", timer.timer_id.clone()),
        ("Fires", output::time(timer.due_time)),
        ("StartedEvent", timer.started_event_id.to_string()),
    ]
}

fn update(update: &PendingUpdate) -> Vec<(&'static str, String)> {
    let stage = if update.accepted { "ACCEPTED" } else { "ADMITTED" };
    vec![
        ("UpdateId", update.update_id.clone()),
        ("Stage", stage.to_owned()),
    ]
}

fn short(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use longhaul_history::failure::{application, waits};

    use super::*;

    #[test]
    fn what_an_activity_waits_for_stands_beside_its_last_failure() {
        let rows = |last_failure| {
            let rows = activity(&PendingActivityInfo {
                last_failure,
                ..Default::default()
            });
            let value = |name: &str| rows.iter().find(|(row, _)| *row == name).unwrap().1.clone();
            [value("Waits"), value("LastFailure")]
        };
        let declined = || application("no", "Declined", false);
        assert_eq!(rows(None), ["", ""]);
        assert_eq!(rows(Some(declined())), ["", "Declined: no"]);
        assert_eq!(
            rows(Some(waits("no worker polls q", Some(declined())))),
            ["no worker polls q", "Declined: no"]
        );
        assert_eq!(
            rows(Some(waits("no worker polls q", None))),
            ["no worker polls q", ""]
        );
    }
}
