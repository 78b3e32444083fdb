//! `workflow update-options`: move a run to another version of its module.

use prost_wkt_types::FieldMask;

use crate::{
    Error, Output,
    args::{Global, Target},
    client::Client,
    module::Reference,
    proto::{
        deployment::v1::WorkerDeploymentVersion,
        workflow::v1::{
            VersioningOverride, WorkflowExecutionOptions,
            versioning_override::{Override, PinnedOverride, PinnedOverrideBehavior},
        },
        workflowservice::v1::UpdateWorkflowExecutionOptionsRequest,
    },
};

/// Move a workflow to another version of its module
///
/// A run keeps the version that started it, so an upload breaks nothing. To give a run mended code, name the version: its history
/// is replayed there first, and if the code would have done something else than the history says, the move is refused and nothing
/// changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul module upload order.wasm                          Say that this makes version 3
  longhaul workflow update-options -w order-1 --module order@3")]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Module and version to move to
    #[arg(long, value_name = "NAME@VERSION")]
    module: Reference,
}

pub(crate) async fn execute(args: &Args, global: &Global, output: &mut Output) -> Result<(), Error> {
    let (name, version) = args.module.exact().ok_or_else(|| {
        Error::Usage(format!(
            "--module {} names no version: write for example {0}@2",
            args.module.name()
        ))
    })?;
    let mut client = Client::connect(global).await?;
    let request = UpdateWorkflowExecutionOptionsRequest {
        namespace: client.namespace.clone(),
        workflow_execution: Some(args.target.execution()),
        workflow_execution_options: Some(WorkflowExecutionOptions {
            versioning_override: Some(VersioningOverride {
                r#override: Some(Override::Pinned(PinnedOverride {
                    behavior: PinnedOverrideBehavior::Pinned.into(),
                    version: Some(WorkerDeploymentVersion {
                        deployment_name: name.to_owned(),
                        build_id: version.to_string(),
                    }),
                })),
                ..Default::default()
            }),
            ..Default::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["versioning_override".to_owned()],
        }),
        ..Default::default()
    };
    client.update_workflow_execution_options(request).await?;
    output.note(&format!("The workflow runs {name}@{version} now"));
    Ok(())
}
