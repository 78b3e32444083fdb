//! Activities and local activities.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::FusedFuture;

use super::CancellableFuture;
use super::timer::TimerFuture;
use crate::cancellation::WorkflowCancellationToken;
use crate::data_converters::{
    PayloadConversionError, TemporalDeserializable, TemporalSerializable, decode_all, encode_all,
};
use crate::error::ActivityExecutionError;
use crate::failure::Failure;
use crate::host::{self, Outcome};
use crate::options::{ActivityCancellationType, ActivityOptions, LocalActivityOptions, TimerOptions};
use crate::runtime::{Awaited, Awaits, Kind, Place, Runtime};
use crate::workflow_result::TimerResult;

fn result<T: TemporalDeserializable + 'static>(outcome: Outcome) -> Result<T, ActivityExecutionError> {
    match outcome {
        Outcome::Completed(payloads) => Ok(decode_all(payloads)?),
        Outcome::Failed(failure) | Outcome::TimedOut(failure) => {
            Err(ActivityExecutionError::failed(Failure::from_wit(failure)))
        }
        Outcome::Cancelled(failure) => Err(ActivityExecutionError::cancelled(Failure::from_wit(failure))),
        Outcome::ChildStarted(_) | Outcome::ChildStartFailed(_) | Outcome::Backoff(_) => {
            let error = "the host resolved an activity with an outcome that activities do not have";
            Err(PayloadConversionError::EncodingError(error.into()).into())
        }
    }
}

/// An activity that runs.
#[must_use = "an activity is awaited, or its result is lost"]
pub struct ActivityFuture<T> {
    state: State,
    output: PhantomData<fn() -> T>,
}

enum State {
    Running(Awaited),
    Unsent(Option<PayloadConversionError>),
}

impl<T: TemporalDeserializable + 'static> ActivityFuture<T> {
    pub(crate) fn start<I: TemporalSerializable + 'static>(
        runtime: &Rc<Runtime>,
        name: &str,
        input: &I,
        options: ActivityOptions,
        place: Place,
    ) -> Self {
        let state = match encode_all(input) {
            Err(error) => State::Unsent(Some(error)),
            Ok(input) => {
                let kind = Kind::Activity(options.cancellation_type);
                let (command, token) = options.into_command(name.to_owned(), input);
                let token = token.unwrap_or_else(|| runtime.root.clone());
                let operation = runtime.start(kind, Some(token), |seq| {
                    runtime.host.schedule_activity(seq, &command)
                });
                State::Running(Awaited::end(
                    runtime,
                    operation,
                    Awaits::Activity(name.into()),
                    place,
                ))
            }
        };
        Self {
            state,
            output: PhantomData,
        }
    }
}

impl<T: TemporalDeserializable + 'static> Future for ActivityFuture<T> {
    type Output = Result<T, ActivityExecutionError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Running(awaited) => awaited.poll(context).map(result),
            State::Unsent(error) => match error.take() {
                Some(error) => Poll::Ready(Err(error.into())),
                None => Poll::Pending,
            },
        }
    }
}

impl<T: TemporalDeserializable + 'static> FusedFuture for ActivityFuture<T> {
    fn is_terminated(&self) -> bool {
        match &self.state {
            State::Running(awaited) => awaited.is_taken(),
            State::Unsent(error) => error.is_none(),
        }
    }
}

impl<T: TemporalDeserializable + 'static> CancellableFuture for ActivityFuture<T> {
    fn cancel(&self) {
        if let State::Running(awaited) = &self.state {
            awaited.cancel(None);
        }
    }
}

/// A local activity that runs. A long wait between two attempts is a timer of the workflow.
#[must_use = "a local activity is awaited, or its result is lost"]
pub struct LocalActivityFuture<T> {
    runtime: Rc<Runtime>,
    state: LocalState,
    cancellation: ActivityCancellationType,
    token: WorkflowCancellationToken,
    command: host::LocalActivityOptions,
    place: Place,
    output: PhantomData<fn() -> T>,
}

enum LocalState {
    Running(Awaited),
    BackingOff(TimerFuture),
    Unsent(Option<PayloadConversionError>),
    Over,
}

impl<T: TemporalDeserializable + 'static> LocalActivityFuture<T> {
    pub(crate) fn start<I: TemporalSerializable + 'static>(
        runtime: &Rc<Runtime>,
        name: &str,
        input: &I,
        options: LocalActivityOptions,
        place: Place,
    ) -> Self {
        let (input, error) = match encode_all(input) {
            Ok(input) => (input, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let cancellation = options.cancel_type;
        let (command, token) = options.into_command(name.to_owned(), input);
        let mut this = Self {
            runtime: runtime.clone(),
            state: LocalState::Over,
            cancellation,
            token: token.unwrap_or_else(|| runtime.root.clone()),
            command,
            place,
            output: PhantomData,
        };
        this.state = match error {
            Some(error) => LocalState::Unsent(Some(error)),
            None => LocalState::Running(this.schedule()),
        };
        this
    }

    fn schedule(&self) -> Awaited {
        let kind = Kind::LocalActivity(self.cancellation);
        let operation = self.runtime.start(kind, Some(self.token.clone()), |seq| {
            self.runtime.host.schedule_local_activity(seq, &self.command);
        });
        let awaits = Awaits::LocalActivity(self.command.activity_type.as_str().into());
        Awaited::end(&self.runtime, operation, awaits, self.place)
    }
}

impl<T: TemporalDeserializable + 'static> Future for LocalActivityFuture<T> {
    type Output = Result<T, ActivityExecutionError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                LocalState::Running(awaited) => match awaited.poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Outcome::Backoff(backoff)) => {
                        this.command.attempt = backoff.attempt;
                        this.command.original_schedule_time = Some(backoff.original_schedule_time);
                        let timer = TimerOptions::builder(Duration::from_nanos(backoff.delay))
                            .cancellation_token(this.token.clone())
                            .build();
                        this.state =
                            LocalState::BackingOff(TimerFuture::start(&this.runtime, timer, this.place));
                    }
                    Poll::Ready(outcome) => {
                        this.state = LocalState::Over;
                        return Poll::Ready(result(outcome));
                    }
                },
                LocalState::BackingOff(timer) => match Pin::new(timer).poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(TimerResult::Fired) => this.state = LocalState::Running(this.schedule()),
                    Poll::Ready(TimerResult::Cancelled) => {
                        this.state = LocalState::Over;
                        let failure = Failure::cancelled("Activity cancelled");
                        return Poll::Ready(Err(ActivityExecutionError::cancelled(failure)));
                    }
                },
                LocalState::Unsent(error) => {
                    return match error.take() {
                        Some(error) => Poll::Ready(Err(error.into())),
                        None => Poll::Pending,
                    };
                }
                LocalState::Over => return Poll::Pending,
            }
        }
    }
}

impl<T: TemporalDeserializable + 'static> FusedFuture for LocalActivityFuture<T> {
    fn is_terminated(&self) -> bool {
        matches!(self.state, LocalState::Over | LocalState::Unsent(None))
    }
}

impl<T: TemporalDeserializable + 'static> CancellableFuture for LocalActivityFuture<T> {
    fn cancel(&self) {
        match &self.state {
            LocalState::Running(awaited) => awaited.cancel(None),
            LocalState::BackingOff(timer) => timer.cancel(),
            LocalState::Unsent(_) | LocalState::Over => {}
        }
    }
}
