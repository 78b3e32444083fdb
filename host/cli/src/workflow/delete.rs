//! `workflow delete`.

use crate::{
    Error, Output,
    args::{Global, Target},
    client::Client,
    proto::workflowservice::v1::DeleteWorkflowExecutionRequest,
};

/// Delete a workflow and its history
///
/// A run that is open is terminated first. What is deleted cannot be brought back; closed workflows are deleted by themselves when
/// the server's retention is over.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul workflow delete -w order-1
  longhaul workflow delete -w order-1 -r 0190b5a2-...        One run of several")]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
}

pub(crate) async fn execute(args: &Args, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let request = DeleteWorkflowExecutionRequest {
        namespace: client.namespace.clone(),
        workflow_execution: Some(args.target.execution()),
    };
    client.delete_workflow_execution(request).await?;
    output.note("Workflow deleted");
    Ok(())
}
