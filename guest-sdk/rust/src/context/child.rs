//! Child workflows.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::future::FusedFuture;

use super::external::{SignalFuture, Target};
use super::random::uuid4;
use super::{CancellableFuture, CancellableFutureWithReason};
use crate::data_converters::{PayloadConversionError, TemporalDeserializable, decode_all, encode_all};
use crate::definition::{SignalDefinition, WorkflowDefinition};
use crate::error::{
    ChildWorkflowExecutionError, ChildWorkflowStartError, StartChildWorkflowExecutionFailedCause,
};
use crate::failure::Failure;
use crate::host::{ChildStartFailedCause, Outcome};
use crate::options::{ChildWorkflowOptions, SignalWorkflowOptions};
use crate::runtime::{Awaited, Awaits, Kind, Place, Runtime};

/// A child workflow that is being started.
#[must_use = "the start of a child is awaited, or nobody learns whether it runs"]
pub struct ChildWorkflowStartFuture<W> {
    state: State,
    workflow: PhantomData<fn() -> W>,
}

enum State {
    Starting {
        awaited: Awaited,
        workflow_id: String,
        workflow_type: String,
    },
    Unsent(Option<PayloadConversionError>),
}

impl<W: WorkflowDefinition> ChildWorkflowStartFuture<W> {
    pub(crate) fn start(
        runtime: &Rc<Runtime>,
        name: &str,
        input: &W::Input,
        options: ChildWorkflowOptions,
        place: Place,
    ) -> Self {
        let state = match encode_all(input) {
            Err(error) => State::Unsent(Some(error)),
            Ok(input) => {
                let workflow_id = match &options.workflow_id {
                    Some(id) if !id.is_empty() => id.clone(),
                    _ => uuid4(runtime),
                };
                let kind = Kind::Child {
                    cancellation: options.cancel_type,
                    workflow_id: workflow_id.as_str().into(),
                    workflow_type: name.into(),
                };
                let token = options
                    .cancellation_token
                    .clone()
                    .unwrap_or_else(|| runtime.root.clone());
                let command = options.into_command(name.to_owned(), workflow_id.clone(), input);
                let operation =
                    runtime.start(kind, Some(token), |seq| runtime.host.start_child(seq, &command));
                State::Starting {
                    awaited: Awaited::start(runtime, operation, Awaits::ChildStart(name.into()), place),
                    workflow_id,
                    workflow_type: name.to_owned(),
                }
            }
        };
        Self {
            state,
            workflow: PhantomData,
        }
    }
}

impl<W: WorkflowDefinition> Future for ChildWorkflowStartFuture<W> {
    type Output = Result<StartedChildWorkflow<W>, ChildWorkflowStartError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Unsent(error) => match error.take() {
                Some(error) => Poll::Ready(Err(error.into())),
                None => Poll::Pending,
            },
            State::Starting {
                awaited,
                workflow_id,
                workflow_type,
            } => awaited.poll(context).map(|outcome| match outcome {
                Outcome::ChildStarted(run_id) => {
                    let awaits = Awaits::Child(workflow_type.as_str().into());
                    let end = Awaited::end(
                        awaited.runtime(),
                        awaited.operation().clone(),
                        awaits,
                        awaited.place(),
                    );
                    Ok(StartedChildWorkflow {
                        run_id,
                        workflow_id: workflow_id.clone(),
                        end,
                        workflow: PhantomData,
                    })
                }
                Outcome::ChildStartFailed(failed) => Err(ChildWorkflowStartError::StartFailed {
                    workflow_id: failed.workflow_id,
                    workflow_type: failed.workflow_type,
                    cause: match failed.cause {
                        ChildStartFailedCause::WorkflowAlreadyExists => {
                            StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists
                        }
                        ChildStartFailedCause::NamespaceNotFound => {
                            StartChildWorkflowExecutionFailedCause::NamespaceNotFound
                        }
                    },
                }),
                Outcome::Cancelled(failure) | Outcome::Failed(failure) | Outcome::TimedOut(failure) => {
                    Err(ChildWorkflowStartError::cancelled(Failure::from_wit(failure)))
                }
                Outcome::Completed(_) | Outcome::Backoff(_) => Err(strange_outcome().into()),
            }),
        }
    }
}

fn strange_outcome() -> PayloadConversionError {
    PayloadConversionError::EncodingError(
        "the host resolved a child with an outcome that children do not have".into(),
    )
}

impl<W: WorkflowDefinition> FusedFuture for ChildWorkflowStartFuture<W> {
    fn is_terminated(&self) -> bool {
        match &self.state {
            State::Starting { awaited, .. } => awaited.is_taken(),
            State::Unsent(error) => error.is_none(),
        }
    }
}

impl<W: WorkflowDefinition> CancellableFuture for ChildWorkflowStartFuture<W> {
    fn cancel(&self) {
        if let State::Starting { awaited, .. } = &self.state {
            awaited.cancel(None);
        }
    }
}

impl<W: WorkflowDefinition> CancellableFutureWithReason for ChildWorkflowStartFuture<W> {
    fn cancel_with_reason(&self, reason: String) {
        if let State::Starting { awaited, .. } = &self.state {
            awaited.cancel(Some(&reason));
        }
    }
}

/// A child workflow that has started.
pub struct StartedChildWorkflow<W> {
    /// The child's run id.
    pub run_id: String,
    workflow_id: String,
    end: Awaited,
    workflow: PhantomData<fn() -> W>,
}

impl<W> fmt::Debug for StartedChildWorkflow<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartedChildWorkflow")
            .field("workflow_id", &self.workflow_id)
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}

impl<W: WorkflowDefinition> StartedChildWorkflow<W> {
    /// The child's workflow id.
    pub fn workflow_id(&self) -> &str {
        &self.workflow_id
    }

    /// The child's result.
    pub fn result(self) -> ChildWorkflowFuture<W::Output> {
        ChildWorkflowFuture {
            end: self.end,
            output: PhantomData,
        }
    }

    /// Cancel the child.
    pub fn cancel(&self, reason: String) {
        self.end.cancel(Some(&reason));
    }

    /// Send the child a signal.
    #[track_caller]
    pub fn signal<S: SignalDefinition<Workflow = W> + 'static>(
        &self,
        signal: S,
        input: S::Input,
        options: SignalWorkflowOptions,
    ) -> SignalFuture {
        let target = Target::Child(self.end.operation().seq);
        let place = std::panic::Location::caller();
        SignalFuture::send(
            self.end.runtime(),
            &target,
            signal.name(),
            encode_all(&input),
            options,
            place,
        )
    }
}

/// The result of a child workflow.
#[must_use = "a child's result is awaited, or lost"]
pub struct ChildWorkflowFuture<T> {
    end: Awaited,
    output: PhantomData<fn() -> T>,
}

impl<T: TemporalDeserializable + 'static> Future for ChildWorkflowFuture<T> {
    type Output = Result<T, ChildWorkflowExecutionError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.end.poll(context).map(|outcome| match outcome {
            Outcome::Completed(payloads) => Ok(decode_all(payloads)?),
            Outcome::Failed(failure) | Outcome::Cancelled(failure) | Outcome::TimedOut(failure) => {
                Err(ChildWorkflowExecutionError::failed(Failure::from_wit(failure)))
            }
            Outcome::ChildStarted(_) | Outcome::ChildStartFailed(_) | Outcome::Backoff(_) => {
                Err(strange_outcome().into())
            }
        })
    }
}

impl<T: TemporalDeserializable + 'static> FusedFuture for ChildWorkflowFuture<T> {
    fn is_terminated(&self) -> bool {
        self.end.is_taken()
    }
}

impl<T: TemporalDeserializable + 'static> CancellableFuture for ChildWorkflowFuture<T> {
    fn cancel(&self) {
        self.end.cancel(None);
    }
}

impl<T: TemporalDeserializable + 'static> CancellableFutureWithReason for ChildWorkflowFuture<T> {
    fn cancel_with_reason(&self, reason: String) {
        self.end.cancel(Some(&reason));
    }
}
