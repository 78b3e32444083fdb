//! How a workflow ends.

use crate::cancellation::WorkflowCancellationError;
use crate::context::{FamilySignalError, WaitSignalError};
use crate::data_converters::{Payload, PayloadConversionError, TemporalSerializable, encode_all};
use crate::error::{
    ActivityExecutionError, ApplicationFailure, BoxError, CancelExternalWorkflowError,
    ChildWorkflowExecutionError, ChildWorkflowStartError, OutgoingWorkflowError, WorkflowSignalError,
    failure_of,
};
use crate::host::ContinueAsNewOptions;

/// What a workflow's run method returns.
pub type WorkflowResult<T> = Result<T, WorkflowTermination>;

/// How a timer ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimerResult {
    /// It was cancelled.
    Cancelled,
    /// It fired.
    Fired,
}

/// How a workflow ends without a result.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowTermination {
    /// It was cancelled.
    #[error("Workflow cancelled")]
    Cancelled {
        /// Details for whoever asked.
        details: Option<CancellationDetails>,
    },
    /// It goes on as a new run; [`continue_as_new`](crate::SyncWorkflowContext::continue_as_new) makes this.
    #[error("Continue as new")]
    ContinueAsNew(Box<ContinueAsNewRequest>),
    /// It failed.
    #[error("Workflow failed: {0}")]
    Failed(#[source] OutgoingWorkflowError),
}

/// Details of a cancelled workflow, written.
#[derive(Debug)]
pub struct CancellationDetails(pub(crate) Result<Vec<Payload>, PayloadConversionError>);

/// The run that a workflow goes on as.
#[derive(Debug)]
pub struct ContinueAsNewRequest(pub(crate) ContinueAsNewOptions);

impl WorkflowTermination {
    /// Cancelled, without details.
    pub fn cancelled() -> Self {
        Self::Cancelled { details: None }
    }

    /// Cancelled, with details.
    pub fn cancelled_with_details<T: TemporalSerializable + Send + Sync + 'static>(details: T) -> Self {
        Self::Cancelled {
            details: Some(CancellationDetails(encode_all(&details))),
        }
    }

    /// Failed with an application failure.
    pub fn failed_application(error: ApplicationFailure) -> Self {
        Self::Failed(error.into())
    }

    /// Does it say that something was cancelled?
    pub(crate) fn is_cancellation(&self) -> bool {
        match self {
            Self::Cancelled { .. } => true,
            Self::Failed(error) => error.as_cancelled().is_some(),
            Self::ContinueAsNew(_) => false,
        }
    }

    /// What a signal handler's error means for the workflow: the errors of this SDK mean what they mean in the run
    /// method, any other is an application failure.
    pub(crate) fn from_handler(error: BoxError) -> Self {
        macro_rules! known {
            ($error:ident, $($known:ty),+) => {
                $(let $error = match $error.downcast::<$known>() {
                    Ok(known) => return (*known).into(),
                    Err(other) => other,
                };)+
            };
        }
        known!(
            error,
            Self,
            ApplicationFailure,
            WorkflowCancellationError,
            PayloadConversionError,
            ActivityExecutionError,
            ChildWorkflowExecutionError,
            ChildWorkflowStartError,
            WorkflowSignalError,
            CancelExternalWorkflowError,
            WaitSignalError,
            FamilySignalError
        );
        let text = failure_of(&error).to_string();
        Self::failed_application(ApplicationFailure::new(text))
    }
}

impl From<WorkflowCancellationError> for WorkflowTermination {
    fn from(_: WorkflowCancellationError) -> Self {
        Self::cancelled()
    }
}

macro_rules! failed {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for WorkflowTermination {
            fn from(error: $error) -> Self {
                Self::Failed(error.into())
            }
        })+
    };
}

failed!(
    ApplicationFailure,
    PayloadConversionError,
    ActivityExecutionError,
    ChildWorkflowExecutionError,
    ChildWorkflowStartError,
    WorkflowSignalError,
    CancelExternalWorkflowError,
);
