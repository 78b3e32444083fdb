//! `workflow reset`.

use clap::ValueEnum;
use serde::Serialize;

use crate::{
    Error, Output,
    args::{Format, Global, Target},
    client::Client,
    proto::{
        common::v1::WorkflowExecution,
        enums::v1::{EventType, ResetReapplyExcludeType},
        history::v1::{HistoryEvent, history_event::Attributes},
        workflowservice::v1::ResetWorkflowExecutionRequest,
    },
    workflow::show::Pages,
};

/// Start a workflow anew from a point in its history
///
/// A new run takes over the history up to a workflow task, and goes on from there with the same version of the module. Signals and
/// updates that came later are delivered to it again. The run that it replaces is terminated if it is still open.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("point").required(true).args(["event_id", "type"]))]
#[command(after_help = "\
Examples:
  longhaul workflow reset -w order-1 --type LastWorkflowTask --reason 'mended code'
  longhaul workflow show -w order-1                          Find a WorkflowTaskCompleted
  longhaul workflow reset -w order-1 --event-id 10 --reapply-exclude Signal --reason 'wrong payment'")]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Event of a workflow task that the new run does again: WorkflowTaskCompleted, WorkflowTaskFailed or WorkflowTaskTimedOut
    #[arg(long, short = 'e', value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    event_id: Option<i64>,
    /// Which workflow task the new run does again
    #[arg(long, value_enum, ignore_case = true, value_name = "TYPE")]
    r#type: Option<Point>,
    /// Why; kept in the history
    #[arg(long)]
    reason: String,
    /// What of later messages is not delivered again; repeatable
    #[arg(long, value_enum, ignore_case = true, value_name = "KIND")]
    reapply_exclude: Vec<Exclude>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Point {
    /// The first: all is done again
    #[value(name = "FirstWorkflowTask", alias = "first-workflow-task")]
    FirstWorkflowTask,
    /// The last that has completed
    #[value(name = "LastWorkflowTask", alias = "last-workflow-task")]
    LastWorkflowTask,
    /// The last that has completed in the run before, which continued as new: it is continued anew
    #[value(name = "LastContinuedAsNew", alias = "last-continued-as-new")]
    LastContinuedAsNew,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Exclude {
    /// Signals
    #[value(name = "Signal", alias = "signal")]
    Signal,
    /// Updates
    #[value(name = "Update", alias = "update")]
    Update,
    /// Both
    #[value(name = "All", alias = "all")]
    All,
}

/// The JSON form.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResetTo {
    workflow_id: String,
    run_id: String,
}

pub(crate) async fn execute(args: &Args, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let (execution, finish_event_id) = match (args.event_id, args.r#type) {
        (Some(event_id), _) => (args.target.execution(), event_id),
        (None, Some(point)) => find(args.target.execution(), point, &mut client).await?,
        (None, None) => return Err(Error::Usage("--event-id or --type is needed".to_owned())),
    };
    let excluded = |kind: Exclude| {
        args.reapply_exclude
            .iter()
            .any(|exclude| *exclude == kind || *exclude == Exclude::All)
    };
    let mut exclude = Vec::new();
    if excluded(Exclude::Signal) {
        exclude.push(ResetReapplyExcludeType::Signal.into());
    }
    if excluded(Exclude::Update) {
        exclude.push(ResetReapplyExcludeType::Update.into());
    }
    let request = ResetWorkflowExecutionRequest {
        namespace: client.namespace.clone(),
        workflow_execution: Some(execution.clone()),
        reason: args.reason.clone(),
        workflow_task_finish_event_id: finish_event_id,
        request_id: uuid::Uuid::new_v4().to_string(),
        reset_reapply_exclude_types: exclude,
        identity: client.identity.clone(),
        ..Default::default()
    };
    let run_id = client.reset_workflow_execution(request).await?.run_id;
    let reset = ResetTo {
        workflow_id: execution.workflow_id,
        run_id,
    };
    match output.format() {
        Format::None => Ok(()),
        Format::Json => output.json(&reset),
        Format::Text => output.card(0, &[("WorkflowId", reset.workflow_id), ("RunId", reset.run_id)]),
    }
}

/// The run and the event that a point stands for.
async fn find(
    execution: WorkflowExecution,
    point: Point,
    client: &mut Client,
) -> Result<(WorkflowExecution, i64), Error> {
    let (first, last, previous) = completed_tasks(&execution, client).await?;
    let nothing = |what: &str| Error::Usage(format!("the run has no {what}; choose a point with --event-id"));
    let task = || nothing("workflow task that has completed");
    match point {
        Point::FirstWorkflowTask => Ok((execution, first.ok_or_else(task)?)),
        Point::LastWorkflowTask => Ok((execution, last.ok_or_else(task)?)),
        Point::LastContinuedAsNew => {
            let run_id = previous.ok_or_else(|| nothing("run before it that continued as new"))?;
            let before = WorkflowExecution { run_id, ..execution };
            let (_, last, _) = completed_tasks(&before, client).await?;
            Ok((before, last.ok_or_else(task)?))
        }
    }
}

/// A run's first and last completed workflow tasks, and the run that it continues.
async fn completed_tasks(
    execution: &WorkflowExecution,
    client: &mut Client,
) -> Result<(Option<i64>, Option<i64>, Option<String>), Error> {
    let mut pages = Pages::new(execution.clone(), false);
    let (mut first, mut last, mut previous) = (None, None, None);
    while let Some(events) = pages.next(client).await? {
        for HistoryEvent {
            event_id,
            event_type,
            attributes,
            ..
        } in events
        {
            if event_type == i32::from(EventType::WorkflowTaskCompleted) {
                first = first.or(Some(event_id));
                last = Some(event_id);
            }
            if let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = attributes {
                previous = Some(started.continued_execution_run_id).filter(|run_id| !run_id.is_empty());
            }
        }
    }
    Ok((first, last, previous))
}
