//! `workflow cancel` and `workflow terminate`.

use crate::{
    Error, Output,
    args::{Global, Target},
    client::Client,
    proto::workflowservice::v1::{RequestCancelWorkflowExecutionRequest, TerminateWorkflowExecutionRequest},
};

/// Ask a workflow to cancel itself
///
/// The workflow learns of it and decides: it may clean up and end as CANCELED, or go on. `longhaul workflow result` waits for it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul workflow cancel -w order-1 --reason 'customer called'")]
pub(crate) struct Cancel {
    #[command(flatten)]
    target: Target,
    /// Why; kept in the history
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

/// End a workflow at once, without running its code
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul workflow terminate -w order-1 --reason 'wrong price'")]
pub(crate) struct Terminate {
    #[command(flatten)]
    target: Target,
    /// Why; kept in the history
    #[arg(
        long,
        default_value = "Requested from the command line",
        hide_default_value = true
    )]
    reason: String,
}

pub(crate) async fn cancel(args: &Cancel, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let request = RequestCancelWorkflowExecutionRequest {
        namespace: client.namespace.clone(),
        workflow_execution: Some(args.target.execution()),
        identity: client.identity.clone(),
        request_id: uuid::Uuid::new_v4().to_string(),
        reason: args.reason.clone(),
        ..Default::default()
    };
    client.request_cancel_workflow_execution(request).await?;
    output.note("Cancellation requested");
    Ok(())
}

pub(crate) async fn terminate(args: &Terminate, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let request = TerminateWorkflowExecutionRequest {
        namespace: client.namespace.clone(),
        workflow_execution: Some(args.target.execution()),
        reason: args.reason.clone(),
        identity: client.identity.clone(),
        ..Default::default()
    };
    client.terminate_workflow_execution(request).await?;
    output.note("Workflow terminated");
    Ok(())
}
