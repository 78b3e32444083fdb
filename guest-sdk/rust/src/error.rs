//! The errors that workflow code meets and makes.

mod incoming;
mod operations;

pub use incoming::{
    ActivityFailureError, CancelledError, ChildWorkflowFailureError, IncomingError, ResetWorkflowError,
    RetryState, ServerError, TerminatedError, TimeoutError, TimeoutType,
};
pub use operations::{
    ActivityExecutionError, CancelExternalWorkflowError, ChildWorkflowExecutionError,
    ChildWorkflowStartError, StartChildWorkflowExecutionFailedCause, WorkflowCancelFailureError,
    WorkflowSignalError, WorkflowSignalFailureError,
};

use std::time::Duration;

use crate::bindings::workflow::longhaul::workflow::types as wit;
use crate::context::FamilySignalError;
use crate::data_converters::{
    DecodablePayloads, Payload, PayloadConversionError, RawValue, TemporalDeserializable,
    TemporalSerializable, encode_all,
};
use crate::failure::{Failure, FailureInfo};
use crate::options::nanos;
use crate::workflow_result::WorkflowTermination;

/// A boxed error of any kind, as handlers return it.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) use BoxedError as BoxError;

/// Payloads that come with a failure: values to be written, or payloads that were received.
#[derive(Debug)]
pub struct FailurePayloads(Details);

#[derive(Debug)]
enum Details {
    Received(DecodablePayloads),
    ToWrite(Result<Vec<Payload>, PayloadConversionError>),
}

impl FailurePayloads {
    pub(crate) fn received(payloads: Vec<Payload>) -> Self {
        Self(Details::Received(DecodablePayloads::new(payloads)))
    }

    /// The payloads. A value that could not be written is left out: a failure must still be reported.
    pub(crate) fn to_wit(&self) -> Vec<Payload> {
        match &self.0 {
            Details::Received(payloads) => payloads.raw().to_vec(),
            Details::ToWrite(payloads) => payloads.as_ref().map_or_else(|_| Vec::new(), Clone::clone),
        }
    }

    /// Read them.
    ///
    /// # Errors
    /// If they do not hold such a value.
    pub fn deserialize<T: TemporalDeserializable + 'static>(&self) -> Result<T, PayloadConversionError> {
        DecodablePayloads::new(self.to_wit()).deserialize()
    }

    /// The payloads that were received; none if these are values to be written.
    pub fn raw(&self) -> Option<&[Payload]> {
        match &self.0 {
            Details::Received(payloads) => Some(payloads.raw()),
            Details::ToWrite(_) => None,
        }
    }

    /// The payloads that were received, unread.
    pub fn into_raw(self) -> Option<RawValue> {
        match self.0 {
            Details::Received(payloads) => Some(payloads.into_raw()),
            Details::ToWrite(_) => None,
        }
    }
}

impl<T: TemporalSerializable + Send + Sync + 'static> From<T> for FailurePayloads {
    fn from(value: T) -> Self {
        Self(Details::ToWrite(encode_all(&value)))
    }
}

/// How much an application failure should alarm.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ApplicationErrorCategory {
    /// Nothing is said.
    #[default]
    Unspecified,
    /// It is expected.
    Benign,
}

/// A failure that user code declares: the only kind that fails a workflow.
#[derive(Debug, bon::Builder)]
#[builder(start_fn = builder, state_mod(vis = "pub"))]
pub struct ApplicationFailure {
    #[builder(start_fn, into)]
    source: BoxError,
    type_name: Option<String>,
    #[builder(default)]
    non_retryable: bool,
    next_retry_delay: Option<Duration>,
    #[builder(default = ApplicationErrorCategory::Unspecified)]
    category: ApplicationErrorCategory,
    #[builder(into)]
    details: Option<FailurePayloads>,
    #[builder(skip)]
    failure: Option<Box<Failure>>,
    cause: Option<Box<IncomingError>>,
}

impl ApplicationFailure {
    /// A failure that may be retried.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self {
            source: source.into(),
            type_name: None,
            non_retryable: false,
            next_retry_delay: None,
            category: ApplicationErrorCategory::Unspecified,
            details: None,
            failure: None,
            cause: None,
        }
    }

    /// A failure that must not be retried.
    pub fn non_retryable(source: impl Into<BoxError>) -> Self {
        Self {
            non_retryable: true,
            ..Self::new(source)
        }
    }

    /// The error inside.
    pub fn source_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.source
    }

    /// The type by which callers and retry policies tell failures apart.
    pub fn type_name(&self) -> Option<&str> {
        self.type_name.as_deref()
    }

    /// Must it not be retried?
    pub fn is_non_retryable(&self) -> bool {
        self.non_retryable
    }

    /// What overrides the retry policy's next interval.
    pub fn next_retry_delay(&self) -> Option<Duration> {
        self.next_retry_delay
    }

    /// How much it should alarm.
    pub fn category(&self) -> ApplicationErrorCategory {
        self.category
    }

    /// The values that come with it.
    ///
    /// # Errors
    /// If they are not of this type.
    pub fn details<T: TemporalDeserializable + 'static>(&self) -> Result<Option<T>, PayloadConversionError> {
        self.details
            .as_ref()
            .map(FailurePayloads::deserialize)
            .transpose()
    }

    /// The payloads that come with it, if it was received.
    pub fn raw_details(&self) -> Option<&[Payload]> {
        self.details.as_ref().and_then(FailurePayloads::raw)
    }

    /// The failure as it was received, if it was.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_deref()
    }

    /// The failure as it was received, if it was.
    pub fn into_failure(self) -> Option<Failure> {
        self.failure.map(|failure| *failure)
    }

    /// What caused it.
    pub fn cause(&self) -> Option<&IncomingError> {
        self.cause.as_deref()
    }

    /// The timeout that caused it, if one did.
    pub fn as_timeout(&self) -> Option<&TimeoutError> {
        self.cause().and_then(IncomingError::as_timeout)
    }

    /// The cancellation that caused it, if one did.
    pub fn as_cancelled(&self) -> Option<&CancelledError> {
        self.cause().and_then(IncomingError::as_cancelled)
    }

    /// Read a failure whose kind is `application`.
    fn from_failure(
        failure: Failure,
        info: wit::ApplicationFailure,
        cause: Option<Box<IncomingError>>,
    ) -> Self {
        Self {
            source: failure.message.clone().into(),
            type_name: (!info.type_.is_empty()).then_some(info.type_),
            non_retryable: info.non_retryable,
            next_retry_delay: info.next_retry_delay.map(Duration::from_nanos),
            category: if info.benign {
                ApplicationErrorCategory::Benign
            } else {
                ApplicationErrorCategory::Unspecified
            },
            details: (!info.details.is_empty()).then(|| FailurePayloads::received(info.details)),
            failure: Some(Box::new(failure)),
            cause,
        }
    }

    /// As it goes to the host.
    pub(crate) fn to_failure(&self) -> Failure {
        if let Some(failure) = &self.failure {
            return failure.as_ref().clone();
        }
        let info = FailureInfo::Application(wit::ApplicationFailure {
            type_: self.type_name.clone().unwrap_or_default(),
            non_retryable: self.non_retryable,
            details: self
                .details
                .as_ref()
                .map(FailurePayloads::to_wit)
                .unwrap_or_default(),
            next_retry_delay: self.next_retry_delay.map(nanos),
            benign: self.category == ApplicationErrorCategory::Benign,
        });
        let mut failure = Failure::new(self.source.to_string(), info);
        failure.cause = match &self.cause {
            Some(cause) => Some(Box::new(cause.to_failure())),
            None => self.source.source().map(|source| Box::new(from_std(source))),
        };
        failure
    }
}

impl std::fmt::Display for ApplicationFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.source.fmt(f)
    }
}

impl std::error::Error for ApplicationFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Some(cause) => Some(cause.as_ref()),
            None => Some(self.source.as_ref()),
        }
    }
}

impl From<anyhow::Error> for ApplicationFailure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(error)
    }
}

impl From<PayloadConversionError> for ApplicationFailure {
    fn from(error: PayloadConversionError) -> Self {
        Self::new(error)
    }
}

/// What a workflow fails with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutgoingWorkflowError {
    /// A failure that user code declared.
    #[error(transparent)]
    Application(#[from] Box<ApplicationFailure>),
    /// A value could not be written or read. It fails the workflow task, not the workflow.
    #[error(transparent)]
    PayloadConversion(#[from] PayloadConversionError),
    /// An activity's failure that was passed on.
    #[error(transparent)]
    ActivityExecution(#[from] Box<ActivityExecutionError>),
    /// A child's failure that was passed on.
    #[error(transparent)]
    ChildWorkflowExecution(#[from] Box<ChildWorkflowExecutionError>),
    /// A child that could not be started.
    #[error(transparent)]
    ChildWorkflowStart(#[from] Box<ChildWorkflowStartError>),
    /// A signal that could not be delivered.
    #[error(transparent)]
    WorkflowSignal(#[from] Box<WorkflowSignalError>),
    /// A cancel request that could not be delivered.
    #[error(transparent)]
    CancelExternalWorkflow(#[from] Box<CancelExternalWorkflowError>),
}

impl OutgoingWorkflowError {
    /// The cancellation that caused it, if one did.
    pub fn as_cancelled(&self) -> Option<&CancelledError> {
        match self {
            Self::Application(error) => error.as_cancelled(),
            Self::PayloadConversion(_) => None,
            Self::ActivityExecution(error) => error.as_cancelled(),
            Self::ChildWorkflowExecution(error) => error.as_cancelled(),
            Self::ChildWorkflowStart(error) => error.as_cancelled(),
            Self::WorkflowSignal(error) => error.as_cancelled(),
            Self::CancelExternalWorkflow(error) => error.as_cancelled(),
        }
    }

    /// As it goes to the host.
    pub(crate) fn to_failure(&self) -> Failure {
        match self {
            Self::Application(error) => error.to_failure(),
            Self::PayloadConversion(error) => {
                Failure::application("PayloadConversionError", error.to_string())
            }
            Self::ActivityExecution(error) => error.to_failure(),
            Self::ChildWorkflowExecution(error) => error.to_failure(),
            Self::ChildWorkflowStart(error) => error.to_failure(),
            Self::WorkflowSignal(error) => error.to_failure(),
            Self::CancelExternalWorkflow(error) => error.to_failure(),
        }
    }
}

impl From<ApplicationFailure> for OutgoingWorkflowError {
    fn from(error: ApplicationFailure) -> Self {
        Self::Application(Box::new(error))
    }
}

impl From<anyhow::Error> for OutgoingWorkflowError {
    fn from(error: anyhow::Error) -> Self {
        Self::Application(Box::new(error.into()))
    }
}

macro_rules! outgoing {
    ($($error:ident => $variant:ident),+ $(,)?) => {
        $(impl From<$error> for OutgoingWorkflowError {
            fn from(error: $error) -> Self {
                match error {
                    $error::Serialization(error) => Self::PayloadConversion(error),
                    error => Self::$variant(Box::new(error)),
                }
            }
        })+
    };
}

outgoing! {
    ActivityExecutionError => ActivityExecution,
    ChildWorkflowExecutionError => ChildWorkflowExecution,
    ChildWorkflowStartError => ChildWorkflowStart,
    WorkflowSignalError => WorkflowSignal,
    CancelExternalWorkflowError => CancelExternalWorkflow,
}

/// An error of any type as it goes to the host. The errors of this SDK keep what they are; of others the text remains.
pub(crate) fn failure_of(error: &BoxError) -> Failure {
    if let Some(error) = error.downcast_ref::<ApplicationFailure>() {
        return error.to_failure();
    }
    if let Some(error) = error.downcast_ref::<OutgoingWorkflowError>() {
        return error.to_failure();
    }
    if let Some(WorkflowTermination::Failed(error)) = error.downcast_ref::<WorkflowTermination>() {
        return error.to_failure();
    }
    if let Some(error) = error.downcast_ref::<ActivityExecutionError>() {
        return error.to_failure();
    }
    if let Some(error) = error.downcast_ref::<ChildWorkflowExecutionError>() {
        return error.to_failure();
    }
    if let Some(error) = error.downcast_ref::<ChildWorkflowStartError>() {
        return error.to_failure();
    }
    if let Some(error) = error.downcast_ref::<WorkflowSignalError>() {
        return error.to_failure();
    }
    if let Some(error) = error.downcast_ref::<CancelExternalWorkflowError>() {
        return error.to_failure();
    }
    if let Some(error) = error.downcast_ref::<FamilySignalError>() {
        return error.to_failure();
    }
    from_std(error.as_ref())
}

/// The text of an error and of what caused it; an application failure among them is kept whole.
pub(crate) fn from_std(error: &(dyn std::error::Error + 'static)) -> Failure {
    if let Some(declared) = error.downcast_ref::<ApplicationFailure>() {
        return declared.to_failure();
    }
    let mut failure = Failure::application("", error.to_string());
    failure.cause = error.source().map(|source| Box::new(from_std(source)));
    failure
}
