//! `workflow signal`.

use crate::{
    Error, Output,
    args::{Global, Inputs, Target},
    client::Client,
    input,
    proto::workflowservice::v1::SignalWorkflowExecutionRequest,
};

/// Send a signal
///
/// The signal is stored when the command returns; the workflow handles signals in the order in which they came.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul workflow signal -w order-1 --name pay --input '{\"amount\":5}'
  longhaul workflow signal -w order-1 --name ship")]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Name of the signal
    #[arg(long, alias = "type", value_name = "NAME")]
    name: String,
    #[command(flatten)]
    inputs: Inputs,
}

pub(crate) async fn execute(args: &Args, global: &Global, output: &mut Output) -> Result<(), Error> {
    let input = input::payloads(&args.inputs)?;
    let mut client = Client::connect(global).await?;
    let request = SignalWorkflowExecutionRequest {
        namespace: client.namespace.clone(),
        workflow_execution: Some(args.target.execution()),
        signal_name: args.name.clone(),
        input,
        identity: client.identity.clone(),
        request_id: uuid::Uuid::new_v4().to_string(),
        ..Default::default()
    };
    client.signal_workflow_execution(request).await?;
    output.note("Signal sent");
    Ok(())
}
