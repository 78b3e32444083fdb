//! How operations of a workflow fail.

use std::fmt;

use super::incoming::{
    ActivityFailureError, CancelledError, ChildWorkflowFailureError, IncomingError, TimeoutError,
};
use crate::data_converters::PayloadConversionError;
use crate::failure::{Failure, FailureInfo};

/// Why a child could not be started.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum StartChildWorkflowExecutionFailedCause {
    /// An execution with this id runs, or its id may not be used again.
    WorkflowAlreadyExists,
    /// There is no such namespace.
    NamespaceNotFound,
}

/// An activity has ended without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActivityExecutionError {
    /// It failed, or a limit has passed.
    #[error("Activity failed: {}", .0.failure().message)]
    Failed(#[source] ActivityFailureError),
    /// It was cancelled.
    #[error("Activity cancelled: {}", .0.failure().message)]
    Cancelled(#[source] CancelledError),
    /// Its input could not be written, or its result could not be read.
    #[error("Payload conversion failed: {0}")]
    Serialization(#[from] PayloadConversionError),
}

impl ActivityExecutionError {
    pub(crate) fn failed(failure: Failure) -> Self {
        match IncomingError::new(failure.clone()) {
            IncomingError::Activity(error) => Self::Failed(error),
            _ => Self::Failed(ActivityFailureError::bare(failure)),
        }
    }

    pub(crate) fn cancelled(failure: Failure) -> Self {
        match find_cancelled(failure) {
            Ok(error) => Self::Cancelled(error),
            Err(failure) => Self::failed(failure),
        }
    }

    /// The failure as it was received.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(error) => Some(error.failure()),
            Self::Cancelled(error) => Some(error.failure()),
            Self::Serialization(_) => None,
        }
    }

    /// What caused it.
    pub fn cause(&self) -> Option<&IncomingError> {
        match self {
            Self::Failed(error) => error.cause(),
            Self::Cancelled(error) => error.cause(),
            Self::Serialization(_) => None,
        }
    }

    /// What the activity itself failed with.
    pub fn reason(&self) -> Option<&IncomingError> {
        match self {
            Self::Failed(error) => error.cause(),
            Self::Cancelled(_) | Self::Serialization(_) => None,
        }
    }

    /// The timeout that caused it, if one did.
    pub fn as_timeout(&self) -> Option<&TimeoutError> {
        match self {
            Self::Failed(error) => error.as_timeout(),
            Self::Cancelled(_) | Self::Serialization(_) => None,
        }
    }

    /// The cancellation that caused it, if one did.
    pub fn as_cancelled(&self) -> Option<&CancelledError> {
        match self {
            Self::Failed(error) => error.as_cancelled(),
            Self::Cancelled(error) => Some(error),
            Self::Serialization(_) => None,
        }
    }

    pub(crate) fn to_failure(&self) -> Failure {
        outgoing(self.failure(), self)
    }
}

/// A child could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChildWorkflowStartError {
    /// It was cancelled before it had started.
    #[error("Child workflow start cancelled: {}", .0.failure().message)]
    Cancelled(#[source] Box<CancelledError>),
    /// The start was refused.
    #[error(
        "Child workflow start failed: workflow_id={workflow_id}, workflow_type={workflow_type}, cause={cause:?}"
    )]
    StartFailed {
        /// The id that was asked for.
        workflow_id: String,
        /// The type that was asked for.
        workflow_type: String,
        /// Why.
        cause: StartChildWorkflowExecutionFailedCause,
    },
    /// Its input could not be written.
    #[error("Payload conversion failed: {0}")]
    Serialization(#[from] PayloadConversionError),
}

impl ChildWorkflowStartError {
    /// The cancellation. A failure of any other kind is one that the contract excludes; its text is kept.
    pub(crate) fn cancelled(failure: Failure) -> Self {
        match find_cancelled(failure) {
            Ok(error) => Self::Cancelled(Box::new(error)),
            Err(failure) => {
                Self::Serialization(PayloadConversionError::EncodingError(failure.to_string().into()))
            }
        }
    }

    /// The failure as it was received.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Cancelled(error) => Some(error.failure()),
            Self::StartFailed { .. } | Self::Serialization(_) => None,
        }
    }

    /// What caused it.
    pub fn cause(&self) -> Option<&IncomingError> {
        match self {
            Self::Cancelled(error) => error.cause(),
            Self::StartFailed { .. } | Self::Serialization(_) => None,
        }
    }

    /// The cancellation that caused it, if one did.
    pub fn as_cancelled(&self) -> Option<&CancelledError> {
        match self {
            Self::Cancelled(error) => Some(error),
            Self::StartFailed { .. } | Self::Serialization(_) => None,
        }
    }

    pub(crate) fn to_failure(&self) -> Failure {
        outgoing(self.failure(), self)
    }
}

/// A child has ended without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChildWorkflowExecutionError {
    /// It failed, was cancelled or terminated, or a limit has passed.
    #[error("Child workflow failed: {}", .0.failure().message)]
    Failed(#[source] Box<ChildWorkflowFailureError>),
    /// Its result could not be read.
    #[error("Payload conversion failed: {0}")]
    Serialization(#[from] PayloadConversionError),
}

impl ChildWorkflowExecutionError {
    pub(crate) fn failed(failure: Failure) -> Self {
        match IncomingError::new(failure.clone()) {
            IncomingError::ChildWorkflowExecution(error) => Self::Failed(Box::new(error)),
            _ => Self::Failed(Box::new(ChildWorkflowFailureError::bare(failure))),
        }
    }

    /// The failure as it was received.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(error) => Some(error.failure()),
            Self::Serialization(_) => None,
        }
    }

    /// What caused it.
    pub fn cause(&self) -> Option<&IncomingError> {
        match self {
            Self::Failed(error) => error.cause(),
            Self::Serialization(_) => None,
        }
    }

    /// What the child itself failed with.
    pub fn reason(&self) -> Option<&IncomingError> {
        self.cause()
    }

    /// The timeout that caused it, if one did.
    pub fn as_timeout(&self) -> Option<&TimeoutError> {
        match self {
            Self::Failed(error) => error.as_timeout(),
            Self::Serialization(_) => None,
        }
    }

    /// The cancellation that caused it, if one did.
    pub fn as_cancelled(&self) -> Option<&CancelledError> {
        match self {
            Self::Failed(error) => error.as_cancelled(),
            Self::Serialization(_) => None,
        }
    }

    pub(crate) fn to_failure(&self) -> Failure {
        outgoing(self.failure(), self)
    }
}

macro_rules! delivery {
    ($(#[$doc:meta])* $error:ident, $wrapper:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, thiserror::Error)]
        #[non_exhaustive]
        pub enum $error {
            /// There is no such execution, or it has closed.
            #[error("Workflow not found: {}", .0.failure().message)]
            NotFound(#[source] Box<$wrapper>),
            /// It could not be delivered.
            #[error("{} failed: {}", $what, .0.failure().message)]
            Failed(#[source] Box<$wrapper>),
            /// Its input could not be written.
            #[error("Payload conversion failed: {0}")]
            Serialization(#[from] PayloadConversionError),
        }

        impl $error {
            pub(crate) fn failed(failure: Failure) -> Self {
                let not_found = is_not_found(&failure);
                let error = Box::new($wrapper { error: IncomingError::new(failure.clone()), failure });
                if not_found { Self::NotFound(error) } else { Self::Failed(error) }
            }

            /// The failure as it was received.
            pub fn failure(&self) -> Option<&Failure> {
                match self {
                    Self::NotFound(error) | Self::Failed(error) => Some(error.failure()),
                    Self::Serialization(_) => None,
                }
            }

            /// What caused it.
            pub fn cause(&self) -> Option<&IncomingError> {
                self.reason().and_then(IncomingError::cause)
            }

            /// The failure, by its kind.
            pub fn reason(&self) -> Option<&IncomingError> {
                match self {
                    Self::NotFound(error) | Self::Failed(error) => Some(error.error()),
                    Self::Serialization(_) => None,
                }
            }

            /// The cancellation that caused it, if one did.
            pub fn as_cancelled(&self) -> Option<&CancelledError> {
                self.reason().and_then(IncomingError::as_cancelled)
            }

            pub(crate) fn to_failure(&self) -> Failure {
                outgoing(self.failure(), self)
            }
        }

        #[doc = concat!("Why ", $what, " failed.")]
        #[derive(Debug)]
        pub struct $wrapper {
            failure: Failure,
            error: IncomingError,
        }

        impl $wrapper {
            /// The failure as it was received.
            pub fn failure(&self) -> &Failure {
                &self.failure
            }

            /// What caused it.
            pub fn cause(&self) -> Option<&IncomingError> {
                self.error.cause()
            }

            /// The failure, by its kind.
            pub fn error(&self) -> &IncomingError {
                &self.error
            }
        }

        impl fmt::Display for $wrapper {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.failure.fmt(f)
            }
        }

        impl std::error::Error for $wrapper {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                self.cause().map(|cause| cause as &(dyn std::error::Error + 'static))
            }
        }
    };
}

delivery! {
    /// A signal to another workflow was not delivered.
    WorkflowSignalError, WorkflowSignalFailureError, "the delivery of the signal"
}

delivery! {
    /// A cancel request to another workflow was not delivered.
    CancelExternalWorkflowError, WorkflowCancelFailureError, "the delivery of the cancel request"
}

/// The type of the application failure by which the host says that an execution was not found.
const NOT_FOUND_TYPE: &str = "ExternalWorkflowExecutionNotFound";

fn is_not_found(failure: &Failure) -> bool {
    matches!(&*failure.info, FailureInfo::Application(info) if info.type_ == NOT_FOUND_TYPE)
}

fn find_cancelled(failure: Failure) -> Result<CancelledError, Failure> {
    let mut link = Some(&failure);
    while let Some(failure) = link {
        if matches!(*failure.info, FailureInfo::Cancelled(_))
            && let IncomingError::Cancelled(error) = IncomingError::new(failure.clone())
        {
            return Ok(error);
        }
        link = failure.cause.as_deref();
    }
    Err(failure)
}

/// What was received is passed on as it is; everything else by its text.
fn outgoing(received: Option<&Failure>, error: &(dyn std::error::Error + 'static)) -> Failure {
    received.cloned().unwrap_or_else(|| super::from_std(error))
}
