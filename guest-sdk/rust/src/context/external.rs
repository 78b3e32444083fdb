//! Signals and cancel requests to other executions.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::future::FusedFuture;

use super::CancellableFuture;
use crate::cancellation::WorkflowCancellationToken;
use crate::data_converters::{PayloadConversionError, encode_all};
use crate::definition::SignalDefinition;
use crate::error::{CancelExternalWorkflowError, WorkflowSignalError};
use crate::failure::Failure;
use crate::host::{ExternalExecution, Outcome, OutgoingSignal, Payload};
use crate::options::SignalWorkflowOptions;
use crate::runtime::{Awaited, Awaits, Kind, Place, Runtime};

/// Whom a signal is for.
pub(super) enum Target {
    /// The child that this operation has started.
    Child(u32),
    /// Any execution.
    External(ExternalExecution),
}

/// A handle to another execution in the namespace.
pub struct ExternalWorkflowHandle {
    runtime: Rc<Runtime>,
    target: ExternalExecution,
}

impl fmt::Debug for ExternalWorkflowHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalWorkflowHandle")
            .field("workflow_id", &self.target.workflow_id)
            .field("run_id", &self.target.run_id)
            .finish_non_exhaustive()
    }
}

impl ExternalWorkflowHandle {
    pub(super) fn new(runtime: &Rc<Runtime>, workflow_id: String, run_id: Option<String>) -> Self {
        Self {
            runtime: runtime.clone(),
            target: ExternalExecution { workflow_id, run_id },
        }
    }

    /// The workflow's id.
    pub fn workflow_id(&self) -> &str {
        &self.target.workflow_id
    }

    /// The run's id, or none for whichever run is open.
    pub fn run_id(&self) -> Option<&str> {
        self.target.run_id.as_deref()
    }

    /// Send a signal. Resolves when it was delivered, or could not be.
    #[track_caller]
    pub fn signal<S: SignalDefinition + 'static>(
        &self,
        signal: S,
        input: S::Input,
        options: SignalWorkflowOptions,
    ) -> SignalFuture {
        let target = Target::External(self.target.clone());
        SignalFuture::send(
            &self.runtime,
            &target,
            signal.name(),
            encode_all(&input),
            options,
            Location::caller(),
        )
    }

    /// Request the execution's cancellation. Resolves when the request was delivered, or could not be.
    #[track_caller]
    pub fn cancel(&self, reason: Option<String>) -> CancelExternalFuture {
        let operation = self.runtime.start(Kind::CancelExternal, None, |seq| {
            self.runtime
                .host
                .cancel_external(seq, &self.target, reason.as_deref().unwrap_or_default());
        });
        let awaits = Awaits::CancelExternal(self.target.workflow_id.as_str().into());
        CancelExternalFuture(Awaited::end(&self.runtime, operation, awaits, Location::caller()))
    }
}

/// A signal on its way.
#[must_use = "the delivery of a signal is awaited, or nobody learns of its failure"]
pub struct SignalFuture(State);

enum State {
    Sending(Awaited),
    Unsent(Option<PayloadConversionError>),
}

impl SignalFuture {
    pub(super) fn send(
        runtime: &Rc<Runtime>,
        target: &Target,
        name: &str,
        input: Result<Vec<Payload>, PayloadConversionError>,
        options: SignalWorkflowOptions,
        place: Place,
    ) -> Self {
        let input = match input {
            Ok(input) => input,
            Err(error) => return Self(State::Unsent(Some(error))),
        };
        let mut header: Vec<_> = options.headers.into_iter().collect();
        header.sort_by(|(a, _), (b, _)| a.cmp(b));
        let name = name.to_owned();
        let signal = OutgoingSignal { name, input, header };
        Self::send_as_it_is(runtime, target, &signal, options.cancellation_token, place)
    }

    pub(super) fn send_as_it_is(
        runtime: &Rc<Runtime>,
        target: &Target,
        signal: &OutgoingSignal,
        token: Option<WorkflowCancellationToken>,
        place: Place,
    ) -> Self {
        let token = token.unwrap_or_else(|| runtime.root.clone());
        let operation = runtime.start(Kind::Signal, Some(token), |seq| match target {
            Target::Child(child) => runtime.host.signal_child(seq, *child, signal),
            Target::External(target) => runtime.host.signal_external(seq, target, signal),
        });
        let awaits = Awaits::SendSignal(signal.name.as_str().into());
        Self(State::Sending(Awaited::end(runtime, operation, awaits, place)))
    }
}

impl Future for SignalFuture {
    type Output = Result<(), WorkflowSignalError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Sending(awaited) => awaited.poll(context).map(|outcome| match failure(outcome) {
                None => Ok(()),
                Some(failure) => Err(WorkflowSignalError::failed(failure)),
            }),
            State::Unsent(error) => match error.take() {
                Some(error) => Poll::Ready(Err(error.into())),
                None => Poll::Pending,
            },
        }
    }
}

impl FusedFuture for SignalFuture {
    fn is_terminated(&self) -> bool {
        match &self.0 {
            State::Sending(awaited) => awaited.is_taken(),
            State::Unsent(error) => error.is_none(),
        }
    }
}

impl CancellableFuture for SignalFuture {
    fn cancel(&self) {
        if let State::Sending(awaited) = &self.0 {
            awaited.cancel(None);
        }
    }
}

/// A cancel request on its way.
#[must_use = "the delivery of a cancel request is awaited, or nobody learns of its failure"]
pub struct CancelExternalFuture(Awaited);

impl Future for CancelExternalFuture {
    type Output = Result<(), CancelExternalWorkflowError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(context).map(|outcome| match failure(outcome) {
            None => Ok(()),
            Some(failure) => Err(CancelExternalWorkflowError::failed(failure)),
        })
    }
}

impl FusedFuture for CancelExternalFuture {
    fn is_terminated(&self) -> bool {
        self.0.is_taken()
    }
}

fn failure(outcome: Outcome) -> Option<Failure> {
    match outcome {
        Outcome::Failed(failure) | Outcome::Cancelled(failure) | Outcome::TimedOut(failure) => {
            Some(Failure::from_wit(failure))
        }
        _ => None,
    }
}
