//! A run moves to another version of its module (E11).

use longhaul_history::proto::{
    deployment::v1::WorkerDeploymentVersion,
    history::v1::{WorkflowExecutionOptionsUpdatedEventAttributes, history_event::Attributes},
    workflow::v1::{
        VersioningOverride,
        versioning_override::{Override, PinnedOverride, PinnedOverrideBehavior},
    },
};

use super::Execution;
use crate::{Refused, Turn};

impl Execution {
    /// Record that the run goes on with another version. The caller has replayed the history with it and found no difference.
    ///
    /// # Errors
    ///
    /// The execution has closed.
    pub fn update_options(
        &mut self,
        turn: &mut Turn,
        module: &str,
        version: u32,
        identity: String,
    ) -> Result<(), Refused> {
        self.require_open()?;
        let mut pinned = PinnedOverride {
            version: Some(WorkerDeploymentVersion {
                deployment_name: module.to_owned(),
                build_id: version.to_string(),
            }),
            ..Default::default()
        };
        pinned.set_behavior(PinnedOverrideBehavior::Pinned);
        let attributes = WorkflowExecutionOptionsUpdatedEventAttributes {
            versioning_override: Some(VersioningOverride {
                r#override: Some(Override::Pinned(pinned)),
                ..Default::default()
            }),
            identity,
            ..Default::default()
        };
        self.emit(
            turn,
            Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(attributes),
        );
        Ok(())
    }
}
