//! `workflow start` and `workflow execute`.

use std::time::Duration;

use clap::ValueEnum;
use longhaul_history::payload::json_payload;
use serde::Serialize;

use crate::{
    Error, Output,
    args::{Format, Global, Inputs, duration},
    client::Client,
    input,
    proto::{
        common::v1::{Memo, SearchAttributes, WorkflowExecution},
        enums::v1::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy},
        sdk::v1::UserMetadata,
        taskqueue::v1::TaskQueue,
        workflowservice::v1::{DescribeWorkflowExecutionRequest, StartWorkflowExecutionRequest},
    },
    workflow::{result, show},
};

/// Start a workflow and print its ids
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul workflow start --type Order --workflow-id order-1 --input '{\"item\":\"tea\"}'
  longhaul workflow start --type Greet -i '\"Ada\"' -i 3            Two arguments, and an id is made
  longhaul workflow start --type Order -w order-1 --id-conflict-policy UseExisting")]
pub(crate) struct Start {
    /// Workflow type
    #[arg(long, value_name = "TYPE")]
    r#type: String,
    /// Workflow id [default: a new UUID]
    #[arg(long, short = 'w', value_name = "ID")]
    workflow_id: Option<String>,
    #[command(flatten)]
    inputs: Inputs,
    /// Task queue [default: the queue of the module that defines the type]
    #[arg(
        long,
        short = 't',
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    task_queue: String,
    /// May the id be used again when its last execution has closed? [server's default: AllowDuplicate]
    #[arg(long, value_enum, ignore_case = true, value_name = "POLICY")]
    id_reuse_policy: Option<ReusePolicy>,
    /// What happens if an execution with this id is open? [server's default: Fail]
    #[arg(long, value_enum, ignore_case = true, value_name = "POLICY")]
    id_conflict_policy: Option<ConflictPolicy>,
    /// Limit of the execution with all its runs (retries, cron, continue-as-new), for example 30d
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    execution_timeout: Option<Duration>,
    /// Limit of one run
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    run_timeout: Option<Duration>,
    /// Limit of one workflow task, at most 2m; local activities keep one open for four fifths of it [server's default: 10s]
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    task_timeout: Option<Duration>,
    /// Wait this long before the first workflow task; a signal ends the wait
    #[arg(long, value_parser = duration, value_name = "DURATION", conflicts_with = "cron")]
    start_delay: Option<Duration>,
    /// Run again and again by this schedule, in UTC, for example "15 8 * * 1-5" or "@every 1h"
    #[arg(long, default_value = "", hide_default_value = true, value_name = "SCHEDULE")]
    cron: String,
    /// A value to keep with the execution; repeatable
    #[arg(long, value_name = "KEY=JSON")]
    memo: Vec<String>,
    /// A value to search by; repeatable
    #[arg(long, value_name = "KEY=JSON")]
    search_attribute: Vec<String>,
    /// One line, for people, that says what this execution is about; at most 400 bytes as it is sent
    #[arg(long, value_name = "TEXT")]
    static_summary: Option<String>,
    /// More about it, may have many lines; at most 20,000 bytes as it is sent
    #[arg(long, value_name = "TEXT")]
    static_details: Option<String>,
}

/// Start a workflow, wait for its end and print its result
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The exit code is 0 if the workflow completed and 1 otherwise.

Examples:
  longhaul workflow execute --type Order -w order-1 -i '{\"item\":\"tea\"}'
  longhaul workflow execute --type Order -i '{\"item\":\"tea\"}' -o json | jq .result
  longhaul workflow execute --type Order -i '{\"item\":\"tea\"}' --detailed")]
pub(crate) struct Execute {
    #[command(flatten)]
    start: Start,
    /// Print the history before the result; text only
    #[arg(long)]
    detailed: bool,
}

/// Whether the id of a closed execution may be used again.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReusePolicy {
    /// Yes
    #[value(name = "AllowDuplicate", alias = "allow-duplicate")]
    AllowDuplicate,
    /// Only if it did not complete
    #[value(name = "AllowDuplicateFailedOnly", alias = "allow-duplicate-failed-only")]
    AllowDuplicateFailedOnly,
    /// No
    #[value(name = "RejectDuplicate", alias = "reject-duplicate")]
    RejectDuplicate,
}

/// What happens if the id belongs to an open execution.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ConflictPolicy {
    /// The start is refused
    #[value(name = "Fail", alias = "fail")]
    Fail,
    /// Nothing is started; the open run is the answer
    #[value(name = "UseExisting", alias = "use-existing")]
    UseExisting,
    /// The open run is terminated first
    #[value(name = "TerminateExisting", alias = "terminate-existing")]
    TerminateExisting,
}

impl From<ReusePolicy> for WorkflowIdReusePolicy {
    fn from(policy: ReusePolicy) -> Self {
        match policy {
            ReusePolicy::AllowDuplicate => Self::AllowDuplicate,
            ReusePolicy::AllowDuplicateFailedOnly => Self::AllowDuplicateFailedOnly,
            ReusePolicy::RejectDuplicate => Self::RejectDuplicate,
        }
    }
}

impl From<ConflictPolicy> for WorkflowIdConflictPolicy {
    fn from(policy: ConflictPolicy) -> Self {
        match policy {
            ConflictPolicy::Fail => Self::Fail,
            ConflictPolicy::UseExisting => Self::UseExisting,
            ConflictPolicy::TerminateExisting => Self::TerminateExisting,
        }
    }
}

/// What was started; its JSON form.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    workflow_id: String,
    run_id: String,
    r#type: String,
    namespace: String,
    task_queue: String,
}

pub(crate) async fn start(args: &Start, global: &Global, output: &mut Output) -> Result<(), Error> {
    let request = request(args, global)?;
    let mut client = Client::connect(global).await?;
    let started = send(request, &mut client, output).await?;
    match output.format() {
        Format::None => Ok(()),
        Format::Json => output.json(&started),
        Format::Text => card(&started, output),
    }
}

pub(crate) async fn execute(args: &Execute, global: &Global, output: &mut Output) -> Result<(), Error> {
    let request = request(&args.start, global)?;
    let mut client = Client::connect(global).await?;
    let started = send(request, &mut client, output).await?;
    if output.format() == Format::Text {
        output.heading("Running execution:")?;
        card(&started, output)?;
        output.line("")?;
    }
    let execution = WorkflowExecution {
        workflow_id: started.workflow_id,
        run_id: started.run_id,
    };
    if args.detailed && output.format() == Format::Text {
        output.heading("Progress:")?;
        show::follow(&execution, &mut client, output).await?;
        output.line("")?;
    }
    if output.format() == Format::Text {
        output.heading("Results:")?;
    }
    result::wait(&execution, &started.namespace, &mut client)
        .await?
        .print(&execution, output)
}

async fn send(
    request: StartWorkflowExecutionRequest,
    client: &mut Client,
    output: &mut Output,
) -> Result<Started, Error> {
    let mut started = Started {
        workflow_id: request.workflow_id.clone(),
        run_id: String::new(),
        r#type: request
            .workflow_type
            .as_ref()
            .map(|t| t.name.clone())
            .unwrap_or_default(),
        namespace: request.namespace.clone(),
        task_queue: request
            .task_queue
            .as_ref()
            .map(|queue| queue.name.clone())
            .unwrap_or_default(),
    };
    let request = StartWorkflowExecutionRequest {
        identity: client.identity.clone(),
        ..request
    };
    let answer = client.start_workflow_execution(request).await?;
    started.run_id = answer.run_id;
    if !answer.started {
        output.note("An execution with this id is open already; nothing was started.");
    }
    if started.task_queue.is_empty() {
        // The server chose the queue. The execution runs whether or not it can be asked which one.
        started.task_queue = chosen_queue(&started, client).await.unwrap_or_default();
    }
    Ok(started)
}

async fn chosen_queue(started: &Started, client: &mut Client) -> Option<String> {
    let request = DescribeWorkflowExecutionRequest {
        namespace: started.namespace.clone(),
        execution: Some(WorkflowExecution {
            workflow_id: started.workflow_id.clone(),
            run_id: started.run_id.clone(),
        }),
    };
    let answer = client.describe_workflow_execution(request).await.ok()?;
    Some(answer.execution_config?.task_queue?.name)
}

fn card(started: &Started, output: &mut Output) -> Result<(), Error> {
    output.card(
        2,
        &[
            ("WorkflowId", started.workflow_id.clone()),
            ("RunId", started.run_id.clone()),
            ("Type", started.r#type.clone()),
            ("Namespace", started.namespace.clone()),
            ("TaskQueue", started.task_queue.clone()),
        ],
    )
}

/// Print the ids of an execution that was started by something else than a start.
pub(crate) async fn print(
    execution: &WorkflowExecution,
    args: &Start,
    client: &mut Client,
    output: &mut Output,
) -> Result<(), Error> {
    let mut started = Started {
        workflow_id: execution.workflow_id.clone(),
        run_id: execution.run_id.clone(),
        r#type: args.r#type.clone(),
        namespace: client.namespace.clone(),
        task_queue: args.task_queue.clone(),
    };
    if started.task_queue.is_empty() {
        started.task_queue = chosen_queue(&started, client).await.unwrap_or_default();
    }
    match output.format() {
        Format::None => Ok(()),
        Format::Json => output.json(&started),
        Format::Text => card(&started, output),
    }
}

/// The request that the flags stand for; inputs are checked before anything is sent.
pub(crate) fn request(args: &Start, global: &Global) -> Result<StartWorkflowExecutionRequest, Error> {
    let memo = input::map("--memo", &args.memo)?;
    let attributes = input::map("--search-attribute", &args.search_attribute)?;
    let simple = simple_request(&args.r#type, args.workflow_id.as_deref(), &args.inputs, global)?;
    Ok(StartWorkflowExecutionRequest {
        task_queue: (!args.task_queue.is_empty()).then(|| TaskQueue {
            name: args.task_queue.clone(),
            ..TaskQueue::default()
        }),
        workflow_execution_timeout: wire_duration("--execution-timeout", args.execution_timeout)?,
        workflow_run_timeout: wire_duration("--run-timeout", args.run_timeout)?,
        workflow_task_timeout: wire_duration("--task-timeout", args.task_timeout)?,
        workflow_start_delay: wire_duration("--start-delay", args.start_delay)?,
        cron_schedule: args.cron.clone(),
        workflow_id_reuse_policy: args
            .id_reuse_policy
            .map_or(0, |p| WorkflowIdReusePolicy::from(p).into()),
        workflow_id_conflict_policy: args
            .id_conflict_policy
            .map_or(0, |p| WorkflowIdConflictPolicy::from(p).into()),
        memo: (!memo.is_empty()).then_some(Memo { fields: memo }),
        search_attributes: (!attributes.is_empty()).then_some(SearchAttributes {
            indexed_fields: attributes,
        }),
        user_metadata: user_metadata(args),
        ..simple
    })
}

/// What people read of the execution; texts are JSON strings, as Temporal's clients send them.
fn user_metadata(args: &Start) -> Option<UserMetadata> {
    let text = |text: &Option<String>| text.as_deref().map(|text| json_payload(&text.into()));
    let (summary, details) = (text(&args.static_summary), text(&args.static_details));
    (summary.is_some() || details.is_some()).then_some(UserMetadata { summary, details })
}

/// The request for a start with nothing but a type, an id and arguments.
pub(crate) fn simple_request(
    workflow_type: &str,
    workflow_id: Option<&str>,
    inputs: &Inputs,
    global: &Global,
) -> Result<StartWorkflowExecutionRequest, Error> {
    Ok(StartWorkflowExecutionRequest {
        namespace: global.namespace.clone(),
        workflow_id: workflow_id.map_or_else(new_id, str::to_owned),
        workflow_type: Some(workflow_type.to_owned().into()),
        input: input::payloads(inputs)?,
        request_id: new_id(),
        ..StartWorkflowExecutionRequest::default()
    })
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn wire_duration(flag: &str, duration: Option<Duration>) -> Result<Option<prost_wkt_types::Duration>, Error> {
    duration
        .map(prost_wkt_types::Duration::try_from)
        .transpose()
        .map_err(|_| Error::Usage(format!("{flag} is too long")))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{Cli, args::Command, workflow};

    fn parsed(arguments: &str) -> Result<StartWorkflowExecutionRequest, Error> {
        let cli = Cli::try_parse_from(arguments.split(' ')).unwrap();
        let Command::Workflow(args) = cli.command else {
            panic!("not of a workflow: {arguments}");
        };
        let workflow::Verb::Start(start) = args.verb else {
            panic!("not a start: {arguments}");
        };
        request(&start, &cli.global)
    }

    #[test]
    fn flags_become_the_request() {
        let request = parsed(
            "longhaul workflow start --type Order -w order-1 -t q -i 1 -i [2] --id-reuse-policy rejectduplicate \
             --id-conflict-policy use-existing --execution-timeout 30d --run-timeout 1h30m --task-timeout 500ms \
             --memo a=1 --search-attribute City=\"Rome\" --static-summary tea --static-details # -n other",
        )
        .unwrap();
        let metadata = request.user_metadata.unwrap();
        assert_eq!(metadata.summary.unwrap().data, b"\"tea\"");
        assert_eq!(metadata.details.unwrap().data, b"\"#\"");
        assert_eq!(request.namespace, "other");
        assert_eq!(request.workflow_id, "order-1");
        assert_eq!(request.workflow_type.unwrap().name, "Order");
        assert_eq!(request.task_queue.unwrap().name, "q");
        assert_eq!(request.input.unwrap().payloads.len(), 2);
        assert_eq!(
            request.workflow_id_reuse_policy,
            i32::from(WorkflowIdReusePolicy::RejectDuplicate)
        );
        assert_eq!(
            request.workflow_id_conflict_policy,
            i32::from(WorkflowIdConflictPolicy::UseExisting)
        );
        assert_eq!(request.workflow_execution_timeout.unwrap().seconds, 30 * 86_400);
        assert_eq!(request.workflow_run_timeout.unwrap().seconds, 5_400);
        assert_eq!(request.workflow_task_timeout.unwrap().nanos, 500_000_000);
        assert_eq!(request.memo.unwrap().fields["a"].data, b"1");
        assert_eq!(
            request.search_attributes.unwrap().indexed_fields["City"].data,
            b"\"Rome\""
        );
    }

    #[test]
    fn what_is_not_given_is_left_to_the_server() {
        let request = parsed("longhaul workflow start --type Order").unwrap();
        assert_eq!(request.workflow_id.len(), 36, "an id is made");
        assert_eq!(request.request_id.len(), 36);
        assert!(request.task_queue.is_none() && request.input.is_none() && request.memo.is_none());
        assert!(request.workflow_execution_timeout.is_none() && request.search_attributes.is_none());
        assert!(request.user_metadata.is_none());
        assert_eq!(
            (
                request.workflow_id_reuse_policy,
                request.workflow_id_conflict_policy
            ),
            (0, 0)
        );
    }

    #[test]
    fn bad_json_is_wrong_usage() {
        let error = parsed("longhaul workflow start --type Order -i {").unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
