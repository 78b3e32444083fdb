//! How children and messages to other executions end, in the words of Temporal's Core SDK.

use longhaul_history::proto::{
    common::v1 as common,
    enums::v1::{
        CancelExternalWorkflowExecutionFailedCause, RetryState, SignalExternalWorkflowExecutionFailedCause,
        TimeoutType,
    },
    failure::v1::{
        CanceledFailureInfo, ChildWorkflowExecutionFailureInfo, Failure, TerminatedFailureInfo,
        TimeoutFailureInfo, failure::FailureInfo,
    },
    history::v1::{StartChildWorkflowExecutionInitiatedEventAttributes, history_event::Attributes},
};

use super::{Kind, Outcome};

pub(super) fn done() -> Outcome {
    Outcome::Completed(common::Payloads::default())
}

/// A child's failure as Temporal's SDKs show it: which child, and in its cause why.
pub(super) fn child_failure(
    child: &Kind,
    text: &str,
    cause: Option<Failure>,
    state: RetryState,
) -> Box<Failure> {
    let (initiated, started) = match child {
        Kind::Child {
            initiated, started, ..
        } => (initiated.as_deref(), started.as_ref()),
        _ => (None, None),
    };
    let attributes: Option<&StartChildWorkflowExecutionInitiatedEventAttributes> =
        match initiated.and_then(|event| event.attributes.as_ref()) {
            Some(Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(a)) => Some(a),
            _ => None,
        };
    let mut info = ChildWorkflowExecutionFailureInfo {
        namespace: attributes.map(|a| a.namespace.clone()).unwrap_or_default(),
        workflow_execution: Some(common::WorkflowExecution {
            workflow_id: attributes.map(|a| a.workflow_id.clone()).unwrap_or_default(),
            run_id: started.map(|(_, run_id)| run_id.clone()).unwrap_or_default(),
        }),
        workflow_type: attributes.and_then(|a| a.workflow_type.clone()),
        initiated_event_id: initiated.map_or(0, |event| event.event_id),
        started_event_id: started.map_or(0, |(event_id, _)| *event_id),
        ..Default::default()
    };
    info.set_retry_state(state);
    Box::new(Failure {
        message: text.into(),
        cause: cause.map(Box::new),
        failure_info: Some(FailureInfo::ChildWorkflowExecutionFailureInfo(info)),
        ..Default::default()
    })
}

pub(super) fn child_cancelled(child: &Kind, details: Option<common::Payloads>) -> Outcome {
    let cause = Failure {
        failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo {
            details,
            ..Default::default()
        })),
        ..Default::default()
    };
    let text = "Child Workflow execution cancelled";
    Outcome::Cancelled(child_failure(
        child,
        text,
        Some(cause),
        RetryState::NonRetryableFailure,
    ))
}

pub(super) fn timed_out() -> Failure {
    let mut info = TimeoutFailureInfo::default();
    info.set_timeout_type(TimeoutType::StartToClose);
    Failure {
        message: "Timed out".into(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(info)),
        ..Default::default()
    }
}

pub(super) fn terminated() -> Failure {
    Failure {
        message: "Terminated".into(),
        failure_info: Some(FailureInfo::TerminatedFailureInfo(
            TerminatedFailureInfo::default(),
        )),
        ..Default::default()
    }
}

/// In the words of Temporal's Core SDK, which has no kind of failure of its own for it either.
pub(super) fn signal_failed(cause: SignalExternalWorkflowExecutionFailedCause) -> Outcome {
    use SignalExternalWorkflowExecutionFailedCause as Cause;
    let (error_type, reason) = match cause {
        Cause::ExternalWorkflowExecutionNotFound => ("ExternalWorkflowExecutionNotFound", "it was not found"),
        Cause::NamespaceNotFound => ("NamespaceNotFound", "it was not found"),
        Cause::SignalCountLimitExceeded => (
            "SignalCountLimitExceeded",
            "The per-workflow signal limit was exceeded",
        ),
        Cause::Unspecified => ("Unspecified", "unknown"),
    };
    let text = format!("Unable to signal external workflow because {reason}");
    Outcome::Failed(Box::new(longhaul_history::failure::application(
        text, error_type, false,
    )))
}

pub(super) fn cancel_failed(cause: CancelExternalWorkflowExecutionFailedCause) -> Outcome {
    use CancelExternalWorkflowExecutionFailedCause as Cause;
    let (error_type, reason) = match cause {
        Cause::ExternalWorkflowExecutionNotFound => ("ExternalWorkflowExecutionNotFound", "not found"),
        Cause::NamespaceNotFound => ("NamespaceNotFound", "not found"),
        Cause::Unspecified => ("Unspecified", "unknown"),
    };
    let text = format!("Unable to cancel external workflow because {reason}");
    Outcome::Failed(Box::new(longhaul_history::failure::application(
        text, error_type, false,
    )))
}
