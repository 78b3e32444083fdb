//! Children, other executions, and what a run says of itself.

use serde_json::json;

use super::{Builder, IDENTITY};
use crate::{
    Attributes,
    payload::json_payload,
    proto::{
        common::v1::{Header, Memo, Payload, Payloads, SearchAttributes, WorkflowExecution, WorkflowType},
        deployment::v1::WorkerDeploymentVersion,
        enums::v1::{
            CancelExternalWorkflowExecutionFailedCause, RetryState,
            SignalExternalWorkflowExecutionFailedCause, StartChildWorkflowExecutionFailedCause,
            WorkflowTaskFailedCause,
        },
        failure::v1::Failure,
        history::v1::{
            ChildWorkflowExecutionCanceledEventAttributes, ChildWorkflowExecutionCompletedEventAttributes,
            ChildWorkflowExecutionFailedEventAttributes, ChildWorkflowExecutionStartedEventAttributes,
            ChildWorkflowExecutionTerminatedEventAttributes, ChildWorkflowExecutionTimedOutEventAttributes,
            ExternalWorkflowExecutionCancelRequestedEventAttributes,
            ExternalWorkflowExecutionSignaledEventAttributes, MarkerRecordedEventAttributes,
            RequestCancelExternalWorkflowExecutionFailedEventAttributes,
            RequestCancelExternalWorkflowExecutionInitiatedEventAttributes,
            SignalExternalWorkflowExecutionFailedEventAttributes,
            SignalExternalWorkflowExecutionInitiatedEventAttributes,
            StartChildWorkflowExecutionFailedEventAttributes,
            StartChildWorkflowExecutionInitiatedEventAttributes,
            UpsertWorkflowSearchAttributesEventAttributes, WorkflowExecutionOptionsUpdatedEventAttributes,
            WorkflowPropertiesModifiedEventAttributes, WorkflowTaskFailedEventAttributes,
        },
        workflow::v1::{
            VersioningOverride,
            versioning_override::{Override, PinnedOverride, PinnedOverrideBehavior},
        },
    },
};

/// The events of a child, and what they repeat.
#[derive(Debug, Clone, Default)]
pub(super) struct Child {
    initiated: i64,
    started: i64,
    workflow_type: String,
    workflow_id: String,
}

impl Child {
    fn execution(&self) -> Option<WorkflowExecution> {
        Some(WorkflowExecution {
            workflow_id: self.workflow_id.clone(),
            run_id: format!("{}-run", self.workflow_id),
        })
    }

    fn kind(&self) -> Option<WorkflowType> {
        Some(WorkflowType {
            name: self.workflow_type.clone(),
        })
    }
}

/// Whichever run of a workflow id is the newest.
fn newest_run(workflow_id: &str) -> Option<WorkflowExecution> {
    Some(WorkflowExecution {
        workflow_id: workflow_id.to_owned(),
        run_id: String::new(),
    })
}

impl Builder {
    /// StartChildWorkflowExecutionInitiated.
    pub fn add_child_initiated(
        &mut self,
        seq: u32,
        workflow_type: &str,
        workflow_id: &str,
        input: impl Into<Option<Payloads>>,
    ) -> i64 {
        let mut child = Child {
            workflow_type: workflow_type.to_owned(),
            workflow_id: workflow_id.to_owned(),
            ..Default::default()
        };
        child.initiated = self.push(StartChildWorkflowExecutionInitiatedEventAttributes {
            workflow_id: workflow_id.to_owned(),
            workflow_type: child.kind(),
            task_queue: Some(self.queue()),
            input: input.into(),
            workflow_task_completed_event_id: self.task_completed,
            header: Some(Header::default()),
            ..Default::default()
        });
        let initiated = child.initiated;
        self.children.insert(seq, child);
        initiated
    }

    /// ChildWorkflowExecutionStarted.
    pub fn add_child_started(&mut self, seq: u32) -> i64 {
        let child = self.child(seq);
        let started = self.push(ChildWorkflowExecutionStartedEventAttributes {
            initiated_event_id: child.initiated,
            workflow_execution: child.execution(),
            workflow_type: child.kind(),
            header: Some(Header::default()),
            ..Default::default()
        });
        self.children.entry(seq).or_default().started = started;
        started
    }

    /// ChildWorkflowExecutionCompleted.
    pub fn add_child_completed(&mut self, seq: u32, result: impl Into<Option<Payloads>>) -> i64 {
        let child = self.child(seq);
        self.push(ChildWorkflowExecutionCompletedEventAttributes {
            result: result.into(),
            workflow_execution: child.execution(),
            workflow_type: child.kind(),
            initiated_event_id: child.initiated,
            started_event_id: child.started,
            ..Default::default()
        })
    }

    /// ChildWorkflowExecutionFailed.
    pub fn add_child_failed(&mut self, seq: u32, failure: Failure) -> i64 {
        let child = self.child(seq);
        self.push(ChildWorkflowExecutionFailedEventAttributes {
            failure: Some(failure),
            workflow_execution: child.execution(),
            workflow_type: child.kind(),
            initiated_event_id: child.initiated,
            started_event_id: child.started,
            retry_state: RetryState::RetryPolicyNotSet.into(),
            ..Default::default()
        })
    }

    /// StartChildWorkflowExecutionFailed.
    pub fn add_child_start_failed(&mut self, seq: u32, cause: StartChildWorkflowExecutionFailedCause) -> i64 {
        let child = self.child(seq);
        self.push(StartChildWorkflowExecutionFailedEventAttributes {
            workflow_id: child.workflow_id.clone(),
            workflow_type: child.kind(),
            cause: cause.into(),
            initiated_event_id: child.initiated,
            workflow_task_completed_event_id: self.task_completed,
            ..Default::default()
        })
    }

    /// ChildWorkflowExecutionCanceled.
    pub fn add_child_canceled(&mut self, seq: u32, details: impl Into<Option<Payloads>>) -> i64 {
        let child = self.child(seq);
        self.push(ChildWorkflowExecutionCanceledEventAttributes {
            details: details.into(),
            workflow_execution: child.execution(),
            workflow_type: child.kind(),
            initiated_event_id: child.initiated,
            started_event_id: child.started,
            ..Default::default()
        })
    }

    /// ChildWorkflowExecutionTimedOut, without a retry policy.
    pub fn add_child_timed_out(&mut self, seq: u32) -> i64 {
        let child = self.child(seq);
        self.push(ChildWorkflowExecutionTimedOutEventAttributes {
            workflow_execution: child.execution(),
            workflow_type: child.kind(),
            initiated_event_id: child.initiated,
            started_event_id: child.started,
            retry_state: RetryState::RetryPolicyNotSet.into(),
            ..Default::default()
        })
    }

    /// ChildWorkflowExecutionTerminated.
    pub fn add_child_terminated(&mut self, seq: u32) -> i64 {
        let child = self.child(seq);
        self.push(ChildWorkflowExecutionTerminatedEventAttributes {
            workflow_execution: child.execution(),
            workflow_type: child.kind(),
            initiated_event_id: child.initiated,
            started_event_id: child.started,
            ..Default::default()
        })
    }

    /// RequestCancelExternalWorkflowExecutionInitiated, for a child. Its outcome is added under the `seq` that is given for it.
    pub fn add_child_cancel_initiated(&mut self, cancel_seq: u32, seq: u32, reason: &str) -> i64 {
        let child = self.child(seq);
        self.cancel_initiated(cancel_seq, &child.workflow_id, true, reason)
    }

    /// SignalExternalWorkflowExecutionInitiated.
    pub fn add_external_signal_initiated(
        &mut self,
        seq: u32,
        workflow_id: &str,
        name: &str,
        input: impl Into<Option<Payloads>>,
    ) -> i64 {
        let initiated = SignalExternalWorkflowExecutionInitiatedEventAttributes {
            workflow_task_completed_event_id: self.task_completed,
            workflow_execution: newest_run(workflow_id),
            signal_name: name.to_owned(),
            input: input.into(),
            header: Some(Header::default()),
            ..Default::default()
        };
        self.push_external(seq, initiated)
    }

    /// ExternalWorkflowExecutionSignaled.
    pub fn add_external_signaled(&mut self, seq: u32) -> i64 {
        let initiated_event_id = self.external(seq);
        self.push(ExternalWorkflowExecutionSignaledEventAttributes {
            initiated_event_id,
            ..Default::default()
        })
    }

    /// SignalExternalWorkflowExecutionFailed.
    pub fn add_external_signal_failed(
        &mut self,
        seq: u32,
        cause: SignalExternalWorkflowExecutionFailedCause,
    ) -> i64 {
        let initiated_event_id = self.external(seq);
        self.push(SignalExternalWorkflowExecutionFailedEventAttributes {
            cause: cause.into(),
            workflow_task_completed_event_id: self.task_completed,
            initiated_event_id,
            ..Default::default()
        })
    }

    /// RequestCancelExternalWorkflowExecutionInitiated.
    pub fn add_external_cancel_initiated(&mut self, seq: u32, workflow_id: &str, reason: &str) -> i64 {
        self.cancel_initiated(seq, workflow_id, false, reason)
    }

    fn cancel_initiated(&mut self, seq: u32, workflow_id: &str, child_only: bool, reason: &str) -> i64 {
        let initiated = RequestCancelExternalWorkflowExecutionInitiatedEventAttributes {
            workflow_task_completed_event_id: self.task_completed,
            workflow_execution: newest_run(workflow_id),
            child_workflow_only: child_only,
            reason: reason.to_owned(),
            ..Default::default()
        };
        self.push_external(seq, initiated)
    }

    /// ExternalWorkflowExecutionCancelRequested.
    pub fn add_external_cancel_requested(&mut self, seq: u32) -> i64 {
        let initiated_event_id = self.external(seq);
        self.push(ExternalWorkflowExecutionCancelRequestedEventAttributes {
            initiated_event_id,
            ..Default::default()
        })
    }

    /// RequestCancelExternalWorkflowExecutionFailed.
    pub fn add_external_cancel_failed(
        &mut self,
        seq: u32,
        cause: CancelExternalWorkflowExecutionFailedCause,
    ) -> i64 {
        let initiated_event_id = self.external(seq);
        self.push(RequestCancelExternalWorkflowExecutionFailedEventAttributes {
            cause: cause.into(),
            workflow_task_completed_event_id: self.task_completed,
            initiated_event_id,
            ..Default::default()
        })
    }

    /// WorkflowPropertiesModified: fields of the memo.
    pub fn add_memo_modified(&mut self, fields: impl IntoIterator<Item = (String, Payload)>) -> i64 {
        self.push(WorkflowPropertiesModifiedEventAttributes {
            workflow_task_completed_event_id: self.task_completed,
            upserted_memo: Some(Memo {
                fields: fields.into_iter().collect(),
            }),
        })
    }

    /// UpsertWorkflowSearchAttributes.
    pub fn add_search_attributes_upserted(
        &mut self,
        attributes: impl IntoIterator<Item = (String, Payload)>,
    ) -> i64 {
        self.push(UpsertWorkflowSearchAttributesEventAttributes {
            workflow_task_completed_event_id: self.task_completed,
            search_attributes: Some(SearchAttributes {
                indexed_fields: attributes.into_iter().collect(),
            }),
        })
    }

    /// WorkflowTaskFailed, because this history goes on in place of the run `base_run_id`.
    pub fn add_workflow_task_reset(&mut self, base_run_id: &str, new_run_id: &str) -> i64 {
        self.push(WorkflowTaskFailedEventAttributes {
            scheduled_event_id: self.task_scheduled,
            started_event_id: self.task_started,
            cause: WorkflowTaskFailedCause::ResetWorkflow.into(),
            identity: IDENTITY.to_owned(),
            base_run_id: base_run_id.to_owned(),
            new_run_id: new_run_id.to_owned(),
            ..Default::default()
        })
    }

    /// WorkflowExecutionOptionsUpdated: from here on this version runs. Workers may ignore it.
    pub fn add_options_updated(&mut self, module: &str, version: u32) -> i64 {
        let event_id = self.push(WorkflowExecutionOptionsUpdatedEventAttributes {
            versioning_override: Some(VersioningOverride {
                r#override: Some(Override::Pinned(PinnedOverride {
                    behavior: PinnedOverrideBehavior::Pinned.into(),
                    version: Some(WorkerDeploymentVersion {
                        deployment_name: module.to_owned(),
                        build_id: version.to_string(),
                    }),
                })),
                ..Default::default()
            }),
            identity: IDENTITY.to_owned(),
            ..Default::default()
        });
        self.amend(|event| event.worker_may_ignore = true);
        event_id
    }

    /// A patch: its marker, and the search attribute that lists the run's patches. Returns the id of the latter.
    pub fn add_patch(&mut self, patch_id: &str, deprecated: bool) -> i64 {
        let data = json_payload(&json!({"id": patch_id, "deprecated": deprecated}));
        self.push(MarkerRecordedEventAttributes {
            marker_name: "core_patch".to_owned(),
            details: [("patch-data".to_owned(), Payloads { payloads: vec![data] })].into(),
            workflow_task_completed_event_id: self.task_completed,
            ..Default::default()
        });
        let mut versions = json_payload(&json!([patch_id]));
        versions
            .metadata
            .insert("type".to_owned(), b"KeywordList".to_vec());
        self.push(UpsertWorkflowSearchAttributesEventAttributes {
            workflow_task_completed_event_id: self.task_completed,
            search_attributes: Some(SearchAttributes {
                indexed_fields: [("TemporalChangeVersion".to_owned(), versions)].into(),
            }),
        })
    }

    /// What initiates a message to another execution. Its outcome is added under the same `seq`.
    fn push_external(&mut self, seq: u32, initiated: impl Into<Attributes>) -> i64 {
        let event_id = self.push(initiated);
        self.externals.insert(seq, event_id);
        event_id
    }

    /// The event that initiated a message to another execution.
    fn external(&self, seq: u32) -> i64 {
        self.externals.get(&seq).copied().unwrap_or(0)
    }

    fn child(&self, seq: u32) -> Child {
        self.children.get(&seq).cloned().unwrap_or_default()
    }
}
