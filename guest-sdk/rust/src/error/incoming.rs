//! Failures that were received, by their kinds.

use std::fmt;
use std::sync::LazyLock;

use super::ApplicationFailure;
use crate::bindings::workflow::longhaul::workflow::types as wit;
use crate::context::WorkflowExecution;
use crate::data_converters::{DecodablePayloads, Payload, PayloadConversionError, TemporalDeserializable};
use crate::failure::{Failure, FailureInfo};

/// Why there was, or was not, a further attempt.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RetryState {
    /// Not told.
    Unspecified,
    /// There is a further attempt.
    InProgress,
    /// The failure said that it must not be retried.
    NonRetryableFailure,
    /// No time was left.
    Timeout,
    /// There were as many attempts as the policy allows.
    MaximumAttemptsReached,
    /// There is no policy.
    RetryPolicyNotSet,
    /// The server failed.
    InternalServerError,
    /// Cancellation was requested.
    CancelRequested,
}

impl From<wit::RetryState> for RetryState {
    fn from(state: wit::RetryState) -> Self {
        match state {
            wit::RetryState::Unspecified => Self::Unspecified,
            wit::RetryState::InProgress => Self::InProgress,
            wit::RetryState::NonRetryableFailure => Self::NonRetryableFailure,
            wit::RetryState::Timeout => Self::Timeout,
            wit::RetryState::MaximumAttemptsReached => Self::MaximumAttemptsReached,
            wit::RetryState::RetryPolicyNotSet => Self::RetryPolicyNotSet,
            wit::RetryState::InternalServerError => Self::InternalServerError,
            wit::RetryState::CancelRequested => Self::CancelRequested,
        }
    }
}

/// Which limit has passed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TimeoutType {
    /// From the start of an attempt to its end.
    StartToClose,
    /// From being scheduled to the start of an attempt.
    ScheduleToStart,
    /// From being scheduled to the end of the last attempt.
    ScheduleToClose,
    /// Between two heartbeats.
    Heartbeat,
}

impl From<wit::TimeoutType> for TimeoutType {
    fn from(timeout: wit::TimeoutType) -> Self {
        match timeout {
            wit::TimeoutType::StartToClose => Self::StartToClose,
            wit::TimeoutType::ScheduleToStart => Self::ScheduleToStart,
            wit::TimeoutType::ScheduleToClose => Self::ScheduleToClose,
            wit::TimeoutType::Heartbeat => Self::Heartbeat,
        }
    }
}

/// A failure that was received.
#[derive(Debug)]
#[non_exhaustive]
pub enum IncomingError {
    /// User code declared it.
    Application(ApplicationFailure),
    /// A limit has passed.
    Timeout(TimeoutError),
    /// Something was cancelled.
    Cancelled(CancelledError),
    /// An execution was terminated.
    Terminated(TerminatedError),
    /// The server failed.
    Server(ServerError),
    /// The execution was reset.
    ResetWorkflow(ResetWorkflowError),
    /// An activity failed.
    Activity(ActivityFailureError),
    /// A child failed.
    ChildWorkflowExecution(ChildWorkflowFailureError),
}

macro_rules! each {
    ($self:expr, $error:ident => $result:expr) => {
        match $self {
            IncomingError::Application($error) => $result,
            IncomingError::Timeout($error) => $result,
            IncomingError::Cancelled($error) => $result,
            IncomingError::Terminated($error) => $result,
            IncomingError::Server($error) => $result,
            IncomingError::ResetWorkflow($error) => $result,
            IncomingError::Activity($error) => $result,
            IncomingError::ChildWorkflowExecution($error) => $result,
        }
    };
}

impl IncomingError {
    pub(crate) fn new(failure: Failure) -> Self {
        let cause = failure.cause.clone().map(|cause| Box::new(Self::new(*cause)));
        let failure = Box::new(failure);
        match failure.info.as_ref().clone() {
            FailureInfo::None => Self::Application(ApplicationFailure::from_failure(
                *failure,
                wit::ApplicationFailure {
                    type_: String::new(),
                    non_retryable: false,
                    details: Vec::new(),
                    next_retry_delay: None,
                    benign: false,
                },
                cause,
            )),
            FailureInfo::Application(info) => {
                Self::Application(ApplicationFailure::from_failure(*failure, info, cause))
            }
            FailureInfo::Timeout(info) => Self::Timeout(TimeoutError {
                failure,
                cause,
                timeout_type: info.type_.into(),
                last_heartbeat_details: DecodablePayloads::new(info.last_heartbeat_details),
            }),
            FailureInfo::Cancelled(details) => Self::Cancelled(CancelledError {
                failure,
                cause,
                details: DecodablePayloads::new(details),
            }),
            FailureInfo::Terminated => Self::Terminated(TerminatedError { failure, cause }),
            FailureInfo::Server(_) => Self::Server(ServerError { failure, cause }),
            FailureInfo::Reset(_) => Self::ResetWorkflow(ResetWorkflowError { failure, cause }),
            FailureInfo::Activity(info) => Self::Activity(ActivityFailureError {
                failure,
                cause,
                info: Box::new(info),
            }),
            FailureInfo::ChildWorkflow(info) => Self::ChildWorkflowExecution(ChildWorkflowFailureError {
                failure,
                cause,
                execution: WorkflowExecution::new(info.workflow_id.clone(), info.run_id.clone()),
                info: Box::new(info),
            }),
        }
    }

    /// The failure as it was received.
    pub fn failure(&self) -> &Failure {
        match self {
            // Whatever was read from a failure keeps it; an application failure made here has none.
            Self::Application(error) => error.failure().unwrap_or(&EMPTY),
            Self::Timeout(error) => error.failure(),
            Self::Cancelled(error) => error.failure(),
            Self::Terminated(error) => error.failure(),
            Self::Server(error) => error.failure(),
            Self::ResetWorkflow(error) => error.failure(),
            Self::Activity(error) => error.failure(),
            Self::ChildWorkflowExecution(error) => error.failure(),
        }
    }

    /// What caused it.
    pub fn cause(&self) -> Option<&IncomingError> {
        each!(self, error => error.cause())
    }

    /// The failure as it was received.
    pub fn into_failure(self) -> Failure {
        self.to_failure()
    }

    /// As it goes to the host: as it was received, or, if it was made here, as it is.
    pub(crate) fn to_failure(&self) -> Failure {
        match self {
            Self::Application(error) => error.to_failure(),
            other => other.failure().clone(),
        }
    }

    /// The timeout, if it is one.
    pub fn as_timeout(&self) -> Option<&TimeoutError> {
        match self {
            Self::Timeout(error) => Some(error),
            _ => None,
        }
    }

    /// The cancellation, if it is one.
    pub fn as_cancelled(&self) -> Option<&CancelledError> {
        match self {
            Self::Cancelled(error) => Some(error),
            _ => None,
        }
    }
}

static EMPTY: LazyLock<Failure> = LazyLock::new(|| Failure::new("", FailureInfo::None));

impl fmt::Display for IncomingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(self, error => error.fmt(f))
    }
}

impl std::error::Error for IncomingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        each!(self, error => Some(error))
    }
}

macro_rules! wrapper {
    ($name:ident) => {
        impl $name {
            /// The failure as it was received.
            pub fn failure(&self) -> &Failure {
                &self.failure
            }

            /// What caused it.
            pub fn cause(&self) -> Option<&IncomingError> {
                self.cause.as_deref()
            }

            /// The failure as it was received.
            pub fn into_failure(self) -> Failure {
                *self.failure
            }

            /// The failure as it was received, and what caused it.
            pub fn into_parts(self) -> (Failure, Option<IncomingError>) {
                (*self.failure, self.cause.map(|cause| *cause))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.failure.fmt(f)
            }
        }

        impl std::error::Error for $name {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                self.cause
                    .as_deref()
                    .map(|cause| cause as &(dyn std::error::Error + 'static))
            }
        }
    };
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug)]
        pub struct $name {
            failure: Box<Failure>,
            cause: Option<Box<IncomingError>>,
        }

        wrapper!($name);
    };
}

/// A limit has passed.
#[derive(Debug)]
pub struct TimeoutError {
    failure: Box<Failure>,
    cause: Option<Box<IncomingError>>,
    timeout_type: TimeoutType,
    last_heartbeat_details: DecodablePayloads,
}

wrapper!(TimeoutError);

impl TimeoutError {
    /// Which limit.
    pub fn timeout_type(&self) -> TimeoutType {
        self.timeout_type
    }

    /// What the last heartbeat said.
    ///
    /// # Errors
    /// If it is not of this type.
    pub fn last_heartbeat_details<T: TemporalDeserializable + 'static>(
        &self,
    ) -> Result<Option<T>, PayloadConversionError> {
        read(&self.last_heartbeat_details)
    }

    /// What the last heartbeat said, unread.
    pub fn raw_last_heartbeat_details(&self) -> Option<&[Payload]> {
        Some(self.last_heartbeat_details.raw()).filter(|payloads| !payloads.is_empty())
    }
}

/// Something was cancelled.
#[derive(Debug)]
pub struct CancelledError {
    failure: Box<Failure>,
    cause: Option<Box<IncomingError>>,
    details: DecodablePayloads,
}

wrapper!(CancelledError);

impl CancelledError {
    /// Details that the cancelled code gave.
    ///
    /// # Errors
    /// If they are not of this type.
    pub fn details<T: TemporalDeserializable + 'static>(&self) -> Result<Option<T>, PayloadConversionError> {
        read(&self.details)
    }

    /// Details that the cancelled code gave, unread.
    pub fn raw_details(&self) -> Option<&[Payload]> {
        Some(self.details.raw()).filter(|payloads| !payloads.is_empty())
    }
}

wrapper!(TerminatedError, "An execution was terminated.");
wrapper!(ServerError, "The server failed.");
wrapper!(ResetWorkflowError, "The execution was reset.");

/// An activity failed; the cause tells why.
#[derive(Debug)]
pub struct ActivityFailureError {
    failure: Box<Failure>,
    cause: Option<Box<IncomingError>>,
    info: Box<wit::ActivityFailure>,
}

wrapper!(ActivityFailureError);

impl ActivityFailureError {
    /// The activity's id.
    pub fn activity_id(&self) -> &str {
        &self.info.activity_id
    }

    /// The activity's type.
    pub fn activity_type(&self) -> Option<&str> {
        Some(self.info.activity_type.as_str()).filter(|name| !name.is_empty())
    }

    /// The event that scheduled it.
    pub fn scheduled_event_id(&self) -> i64 {
        self.info.scheduled_event_id
    }

    /// The event that started the last attempt.
    pub fn started_event_id(&self) -> i64 {
        self.info.started_event_id
    }

    /// Who ran the last attempt.
    pub fn identity(&self) -> &str {
        &self.info.identity
    }

    /// Why there was no further attempt.
    pub fn retry_state(&self) -> RetryState {
        self.info.retry_state.into()
    }

    /// The timeout that caused it, if one did.
    pub fn as_timeout(&self) -> Option<&TimeoutError> {
        self.cause().and_then(IncomingError::as_timeout)
    }

    /// The cancellation that caused it, if one did.
    pub fn as_cancelled(&self) -> Option<&CancelledError> {
        self.cause().and_then(IncomingError::as_cancelled)
    }

    /// A failure without the link that names the activity.
    pub(super) fn bare(failure: Failure) -> Self {
        let cause = Some(Box::new(IncomingError::new(failure.clone())));
        let info = wit::ActivityFailure {
            scheduled_event_id: 0,
            started_event_id: 0,
            identity: String::new(),
            activity_type: String::new(),
            activity_id: String::new(),
            retry_state: wit::RetryState::Unspecified,
        };
        Self {
            failure: Box::new(failure),
            cause,
            info: Box::new(info),
        }
    }
}

/// A child failed; the cause tells why.
#[derive(Debug)]
pub struct ChildWorkflowFailureError {
    failure: Box<Failure>,
    cause: Option<Box<IncomingError>>,
    info: Box<wit::ChildWorkflowFailure>,
    execution: WorkflowExecution,
}

wrapper!(ChildWorkflowFailureError);

impl ChildWorkflowFailureError {
    /// The child's namespace.
    pub fn namespace(&self) -> &str {
        &self.info.namespace
    }

    /// The child's ids.
    pub fn workflow_execution(&self) -> Option<&WorkflowExecution> {
        Some(&self.execution)
    }

    /// The child's type.
    pub fn workflow_type(&self) -> Option<&str> {
        Some(self.info.workflow_type.as_str()).filter(|name| !name.is_empty())
    }

    /// The event that initiated it.
    pub fn initiated_event_id(&self) -> i64 {
        self.info.initiated_event_id
    }

    /// The event that started it.
    pub fn started_event_id(&self) -> i64 {
        self.info.started_event_id
    }

    /// Why there was no further attempt.
    pub fn retry_state(&self) -> RetryState {
        self.info.retry_state.into()
    }

    /// The timeout that caused it, if one did.
    pub fn as_timeout(&self) -> Option<&TimeoutError> {
        self.cause().and_then(IncomingError::as_timeout)
    }

    /// The cancellation that caused it, if one did.
    pub fn as_cancelled(&self) -> Option<&CancelledError> {
        self.cause().and_then(IncomingError::as_cancelled)
    }

    /// A failure without the link that names the child.
    pub(super) fn bare(failure: Failure) -> Self {
        let cause = Some(Box::new(IncomingError::new(failure.clone())));
        let info = wit::ChildWorkflowFailure {
            namespace: String::new(),
            workflow_id: String::new(),
            run_id: String::new(),
            workflow_type: String::new(),
            initiated_event_id: 0,
            started_event_id: 0,
            retry_state: wit::RetryState::Unspecified,
        };
        Self {
            failure: Box::new(failure),
            cause,
            info: Box::new(info),
            execution: WorkflowExecution::new(String::new(), String::new()),
        }
    }
}

fn read<T: TemporalDeserializable + 'static>(
    payloads: &DecodablePayloads,
) -> Result<Option<T>, PayloadConversionError> {
    if payloads.raw().is_empty() {
        Ok(None)
    } else {
        payloads.deserialize().map(Some)
    }
}
