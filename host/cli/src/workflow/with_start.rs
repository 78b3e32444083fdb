//! `workflow signal-with-start`, `execute-update-with-start` and `start-update-with-start`: start a workflow unless it runs, and send it
//! something, in one step.

use clap::builder::NonEmptyStringValueParser;
use prost::Message as _;
use temporalio_protos::google::rpc;
use tonic::{Code, Status};

use crate::{
    Error, Output,
    args::{Format, Global},
    client::Client,
    input,
    proto::{
        common::v1::{Payloads, WorkflowExecution},
        enums::v1::{UpdateWorkflowExecutionLifecycleStage as Stage, WorkflowIdConflictPolicy},
        errordetails::v1::MultiOperationExecutionFailure,
        update::v1::{Input, Meta, Request, UpdateRef, WaitPolicy},
        workflowservice::v1::{
            ExecuteMultiOperationRequest, SignalWithStartWorkflowExecutionRequest,
            StartWorkflowExecutionRequest, UpdateWorkflowExecutionRequest,
            execute_multi_operation_request::{Operation, operation},
            execute_multi_operation_response::response,
        },
    },
    workflow::{
        start::{self, Start},
        update::{self, WaitFor},
    },
};

/// Start a workflow unless it runs, and signal it, in one step
///
/// If no workflow with the id runs, it is started and the signal is the first thing that it sees. If one runs, it gets the signal and
/// nothing is started.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul workflow signal-with-start --type Cart -w cart-1 --signal-name add_item --signal-input '{\"sku\":\"tea\"}'")]
pub(crate) struct SignalWithStart {
    #[command(flatten)]
    start: Start,
    /// Name of the signal
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    signal_name: String,
    /// An argument of the signal as JSON; repeatable
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    signal_input: Vec<String>,
}

/// Start a workflow unless it runs, update it in the same step, and print the update's outcome
///
/// Nothing is started if the update cannot be delivered. An update id that has completed already gives its outcome again and starts nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul workflow execute-update-with-start --type Cart -w cart-1 --id-conflict-policy UseExisting \\
      --update-name add_item --update-input '{\"sku\":\"tea\"}'")]
pub(crate) struct ExecuteUpdateWithStart {
    #[command(flatten)]
    with: UpdateWithStart,
}

/// Start a workflow unless it runs, update it in the same step, and return once the update is accepted
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul workflow start-update-with-start --type Cart -w cart-1 --update-name checkout --update-id checkout-1
  longhaul workflow update result -w cart-1 --update-id checkout-1")]
pub(crate) struct StartUpdateWithStart {
    #[command(flatten)]
    with: UpdateWithStart,
    /// Which stage to wait for
    #[arg(long, value_enum, default_value_t = WaitFor::Accepted, value_name = "STAGE")]
    update_wait_for_stage: WaitFor,
}

#[derive(Debug, clap::Args)]
struct UpdateWithStart {
    #[command(flatten)]
    start: Start,
    /// Name of the update
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    update_name: String,
    /// An argument of the update as JSON; repeatable
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    update_input: Vec<String>,
    /// Id of the update, unique in its run [default: a new UUID]
    #[arg(long, value_name = "ID")]
    update_id: Option<String>,
}

pub(crate) async fn signal(
    args: &SignalWithStart,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let start = start::request(&args.start, global)?;
    let signal_input = payloads("--signal-input", &args.signal_input)?;
    let mut client = Client::connect(global).await?;
    let request = SignalWithStartWorkflowExecutionRequest {
        namespace: start.namespace,
        workflow_id: start.workflow_id.clone(),
        workflow_type: start.workflow_type,
        task_queue: start.task_queue,
        input: start.input,
        workflow_execution_timeout: start.workflow_execution_timeout,
        workflow_run_timeout: start.workflow_run_timeout,
        workflow_task_timeout: start.workflow_task_timeout,
        identity: client.identity.clone(),
        request_id: start.request_id,
        workflow_id_reuse_policy: start.workflow_id_reuse_policy,
        workflow_id_conflict_policy: start.workflow_id_conflict_policy,
        signal_name: args.signal_name.clone(),
        signal_input,
        cron_schedule: start.cron_schedule,
        memo: start.memo,
        search_attributes: start.search_attributes,
        workflow_start_delay: start.workflow_start_delay,
        user_metadata: start.user_metadata,
        ..Default::default()
    };
    let answer = client.signal_with_start_workflow_execution(request).await?;
    if !answer.started {
        output.note("An execution with this id is open already; it was signalled.");
    }
    let execution = WorkflowExecution {
        workflow_id: start.workflow_id,
        run_id: answer.run_id,
    };
    start::print(&execution, &args.start, &mut client, output).await
}

pub(crate) async fn execute(
    args: &ExecuteUpdateWithStart,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    run(&args.with, WaitFor::Completed, true, global, output).await
}

pub(crate) async fn start(
    args: &StartUpdateWithStart,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    run(&args.with, args.update_wait_for_stage, false, global, output).await
}

async fn run(
    args: &UpdateWithStart,
    stage: WaitFor,
    shows_result: bool,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let mut start = start::request(&args.start, global)?;
    if start.workflow_id_conflict_policy == 0 {
        // The request has to say which; to attach to what runs is why this command is used.
        start.workflow_id_conflict_policy = WorkflowIdConflictPolicy::UseExisting.into();
    }
    let update_args = payloads("--update-input", &args.update_input)?;
    let mut client = Client::connect(global).await?;
    start.identity.clone_from(&client.identity);
    let update = UpdateWorkflowExecutionRequest {
        namespace: start.namespace.clone(),
        workflow_execution: Some(WorkflowExecution {
            workflow_id: start.workflow_id.clone(),
            run_id: String::new(),
        }),
        wait_policy: Some(WaitPolicy {
            lifecycle_stage: Stage::from(stage).into(),
        }),
        request: Some(Request {
            meta: Some(Meta {
                update_id: args
                    .update_id
                    .clone()
                    .unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
                identity: client.identity.clone(),
            }),
            input: Some(Input {
                name: args.update_name.clone(),
                args: update_args,
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let (reference, outcome) = send(start, update, &mut client, output).await?;
    let mut outcome = outcome;
    if outcome.is_none() && stage == WaitFor::Completed {
        outcome = Some(update::wait(&reference, &mut client).await?);
    }
    update::sent(&args.update_name, reference, outcome, shows_result, output)
}

/// Send both until the update is at least accepted: the server answers after its long poll, whatever the stage. The ids keep them one.
async fn send(
    start: StartWorkflowExecutionRequest,
    update: UpdateWorkflowExecutionRequest,
    client: &mut Client,
    output: &mut Output,
) -> Result<(UpdateRef, Option<update::Value>), Error> {
    let bad = |what| Error::Answer {
        operation: "execute_multi_operation",
        what,
    };
    let request = ExecuteMultiOperationRequest {
        namespace: start.namespace.clone(),
        operations: [
            operation::Operation::StartWorkflow(start),
            operation::Operation::UpdateWorkflow(update),
        ]
        .map(|operation| Operation {
            operation: Some(operation),
        })
        .into(),
        ..Default::default()
    };
    let mut first = true;
    loop {
        let answer = client
            .execute_multi_operation(request.clone())
            .await
            .map_err(cause)?;
        let mut responses = answer.responses.into_iter().map(|response| response.response);
        let (
            Some(Some(response::Response::StartWorkflow(started))),
            Some(Some(response::Response::UpdateWorkflow(updated))),
        ) = (responses.next(), responses.next())
        else {
            return Err(bad("does not hold what both operations led to"));
        };
        if first && !started.started && output.format() == Format::Text {
            output.note("An execution with this id exists already; nothing was started.");
        }
        first = false;
        let reached = updated.stage();
        let outcome = update::value(updated.outcome);
        if outcome.is_some() || reached >= Stage::Accepted {
            let reference = updated.update_ref.ok_or(bad("lacks the update's reference"))?;
            return Ok((reference, outcome));
        }
    }
}

/// The refusal of the operation for which the other was given up: the status of the whole says only that they were not executed.
fn cause(error: Error) -> Error {
    let Error::Request { operation, status } = error else {
        return error;
    };
    let status = refused_operation(&status).map_or(status, Box::new);
    Error::Request { operation, status }
}

fn refused_operation(whole: &Status) -> Option<Status> {
    let details = rpc::Status::decode(whole.details()).ok()?.details;
    let failure = details.iter().find(|detail| {
        detail
            .type_url
            .ends_with("temporal.api.errordetails.v1.MultiOperationExecutionFailure")
    })?;
    let failure = MultiOperationExecutionFailure::decode(failure.value.as_slice()).ok()?;
    failure
        .statuses
        .into_iter()
        .map(|status| Status::new(Code::from_i32(status.code), status.message))
        .find(|status| !matches!(status.code(), Code::Ok | Code::Aborted))
}

/// Arguments that a repeated flag gave.
fn payloads(flag: &str, texts: &[String]) -> Result<Option<Payloads>, Error> {
    let payloads = texts
        .iter()
        .map(|text| input::payload(flag, text))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((!payloads.is_empty()).then_some(Payloads { payloads }))
}
