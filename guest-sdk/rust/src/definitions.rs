//! What the macros generate: a workflow type with its handlers, as the dispatcher needs it.

use std::fmt;

use futures_util::future::LocalBoxFuture;

use crate::context::{WorkflowContext, WorkflowContextView};
use crate::data_converters::{
    Payload, PayloadConversionError, TemporalDeserializable, TemporalSerializable, decode, decode_all,
    encode, null,
};
use crate::definition::WorkflowDefinition;
use crate::error::BoxError;
use crate::workflow_result::WorkflowTermination;

/// What happens when a workflow closes while a handler has not ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HandlerUnfinishedPolicy {
    /// A warning is logged.
    #[default]
    WarnAndAbandon,
    /// Nothing is said.
    Abandon,
}

/// The workflow type that a struct stands for. `#[workflow]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    label = "`#[workflow]` is missing on the struct `{Self}`"
)]
pub trait WorkflowType {
    /// The workflow type.
    const NAME: &'static str;
    /// The doc text of the struct.
    const DESCRIPTION: &'static str;
    /// True if every signal, query and update name is to be let through.
    const DYNAMIC: bool;
    /// Signals that are awaited with `wait_signal` and have no handler.
    const SIGNALS: &'static [&'static str];
    /// Are signals to the family passed on to the parent?
    const PROPAGATE_SIGNALS_TO_PARENT: bool;
}

/// A signal or query as `describe` shows it.
#[derive(Clone, Copy, Debug)]
pub struct HandlerDescriptor {
    /// The name that clients use.
    pub name: &'static str,
    /// The doc text.
    pub description: &'static str,
    /// What happens when the workflow closes first.
    pub unfinished_policy: HandlerUnfinishedPolicy,
}

/// An update as `describe` shows it.
#[derive(Clone, Copy, Debug)]
pub struct UpdateDescriptor {
    /// The update itself.
    pub handler: HandlerDescriptor,
    /// Does it have a validator?
    pub has_validator: bool,
}

/// A workflow type as `describe` shows it.
#[derive(Clone, Copy, Debug)]
pub struct WorkflowDescriptor {
    /// The workflow type.
    pub name: &'static str,
    /// The doc text.
    pub description: &'static str,
    /// Signals.
    pub signals: &'static [HandlerDescriptor],
    /// Queries.
    pub queries: &'static [HandlerDescriptor],
    /// Updates.
    pub updates: &'static [UpdateDescriptor],
}

/// How a state without an `#[init]` method begins. The macro `#[workflow_methods]` calls it.
#[diagnostic::on_unimplemented(
    message = "the state of `{Self}` has no beginning",
    label = "neither an `#[init]` method nor `Default`",
    note = "signals, updates and queries may be handled before `run`: give the workflow an `#[init]` method, or derive `Default` \
            on the struct"
)]
pub trait InitialState {
    /// The state before the first message.
    fn initial() -> Self;
}

impl<T: Default> InitialState for T {
    fn initial() -> Self {
        T::default()
    }
}

/// A workflow type with its handlers. `#[workflow_methods]` implements it.
pub trait WorkflowImplementation: WorkflowType + WorkflowDefinition + Sized + 'static {
    /// What `describe` shows.
    fn descriptor() -> WorkflowDescriptor;

    /// Construct the state.
    ///
    /// # Errors
    /// If an argument does not decode.
    fn init(view: &WorkflowContextView, arguments: &Arguments) -> Result<Self, ArgumentError>;

    /// The main routine, not yet polled.
    ///
    /// # Errors
    /// If an argument does not decode.
    fn run(context: WorkflowContext<Self>, arguments: &Arguments) -> Result<RunFuture, ArgumentError>;

    /// Begin a signal's handler. None if there is none of that name.
    fn signal(
        context: &WorkflowContext<Self>,
        name: &str,
        arguments: &Arguments,
    ) -> Option<Result<SignalCall, ArgumentError>>;

    /// Answer a query. None if there is none of that name.
    fn query(
        &self,
        view: &WorkflowContextView,
        name: &str,
        arguments: &Arguments,
    ) -> Option<Result<Payload, HandlerError>>;

    /// Validate an update. None if there is none of that name.
    fn validate_update(
        &self,
        view: &WorkflowContextView,
        name: &str,
        arguments: &Arguments,
    ) -> Option<Result<(), HandlerError>>;

    /// Begin an update's handler. None if there is none of that name.
    fn update(
        context: &WorkflowContext<Self>,
        name: &str,
        arguments: &Arguments,
    ) -> Option<Result<UpdateCall, ArgumentError>>;
}

/// A main routine.
pub type RunFuture = LocalBoxFuture<'static, Result<Payload, WorkflowTermination>>;

/// A signal handler that has been called.
pub enum SignalCall {
    /// It was a plain function and has ended.
    Done(Result<(), BoxError>),
    /// It is async and has not been polled.
    Running(LocalBoxFuture<'static, Result<(), BoxError>>),
}

/// An update handler that has been called.
pub enum UpdateCall {
    /// It was a plain function and has ended.
    Done(Result<Payload, BoxError>),
    /// It is async and has not been polled.
    Running(LocalBoxFuture<'static, Result<Payload, BoxError>>),
}

/// Why a query or validator gave no answer.
#[derive(Debug)]
pub enum HandlerError {
    /// An argument does not decode.
    Argument(ArgumentError),
    /// It said so.
    Failed(BoxError),
}

impl From<ArgumentError> for HandlerError {
    fn from(error: ArgumentError) -> Self {
        Self::Argument(error)
    }
}

/// An argument does not decode.
#[derive(Debug)]
pub struct ArgumentError {
    /// Counted from 1.
    index: usize,
    missing: bool,
    source: PayloadConversionError,
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.missing {
            return write!(f, "argument {} is missing", self.index);
        }
        write!(f, "argument {} does not decode: ", self.index)?;
        match &self.source {
            PayloadConversionError::WrongEncoding => {
                f.write_str("its encoding is not one that this type is read from")
            }
            PayloadConversionError::EncodingError(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ArgumentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The payloads of a call.
pub struct Arguments(Vec<Payload>);

impl Arguments {
    /// The payloads of a call.
    pub fn new(payloads: Vec<Payload>) -> Self {
        Self(payloads)
    }

    pub(crate) fn into_payloads(self) -> Vec<Payload> {
        self.0
    }

    /// The only argument: a type that stands for several takes them all.
    ///
    /// # Errors
    /// If it does not decode.
    pub fn only<T: TemporalDeserializable + 'static>(&self) -> Result<T, ArgumentError> {
        decode_all(self.0.clone()).map_err(|source| self.error(0, source))
    }

    /// One of several arguments, counted from 0. What is missing is read from null; what nobody asks for is ignored.
    ///
    /// # Errors
    /// If it does not decode.
    pub fn get<T: TemporalDeserializable + 'static>(&self, index: usize) -> Result<T, ArgumentError> {
        decode(self.0.get(index).cloned().unwrap_or_else(null)).map_err(|source| self.error(index, source))
    }

    fn error(&self, index: usize, source: PayloadConversionError) -> ArgumentError {
        ArgumentError {
            index: index + 1,
            missing: index >= self.0.len(),
            source,
        }
    }
}

/// A handler's result as a payload.
///
/// # Errors
/// If it cannot be written.
pub fn encode_output<T: TemporalSerializable + 'static>(
    value: &T,
) -> Result<Payload, PayloadConversionError> {
    encode(value)
}
