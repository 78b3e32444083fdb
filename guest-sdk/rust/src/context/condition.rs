//! Waits for conditions on the state.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::FusedFuture;

use super::timer::TimerFuture;
use super::{CancellableFuture, WorkflowContext};
use crate::cancellation::{WorkflowCancellationError, WorkflowCancellationToken};
use crate::options::{TimerOptions, WaitConditionOptions};
use crate::runtime::{Awaits, Parked, Place};

type Condition<'a, W> = Box<dyn FnMut(&W) -> bool + 'a>;

/// Waits until a condition holds.
pub(crate) struct WaitCondition<'a, W> {
    context: &'a WorkflowContext<W>,
    condition: Condition<'a, W>,
    token: WorkflowCancellationToken,
    place: Place,
    parked: Parked,
    done: bool,
}

impl<'a, W> WaitCondition<'a, W> {
    pub(super) fn new(
        context: &'a WorkflowContext<W>,
        condition: Condition<'a, W>,
        options: WaitConditionOptions,
        place: Place,
    ) -> Self {
        let token = options
            .cancellation_token
            .unwrap_or_else(|| context.cancellation_token());
        Self {
            context,
            condition,
            token,
            place,
            parked: Parked::default(),
            done: false,
        }
    }

    fn holds(&mut self) -> bool {
        self.context.state(&mut self.condition)
    }

    fn finish<T>(&mut self, result: T) -> Poll<T> {
        self.done = true;
        self.parked.leave();
        Poll::Ready(result)
    }

    /// The condition is looked at when the wait begins, when it is its turn among the conditions, and when something
    /// else ends the wait: what `ended` says.
    fn poll_until(
        &mut self,
        context: &Context<'_>,
        ended: bool,
    ) -> Poll<Result<bool, WorkflowCancellationError>> {
        if self.done {
            return Poll::Pending;
        }
        let cancelled = self.token.is_cancelled();
        let begins = self.parked.number().is_none();
        let looks = begins || cancelled || ended || self.parked.is_probed(self.context.runtime());
        if looks && self.holds() {
            return self.finish(Ok(true));
        }
        if cancelled {
            let reason = self.token.reason();
            return self.finish(Err(WorkflowCancellationError::new(reason)));
        }
        if ended {
            return self.finish(Ok(false));
        }
        if self.parked.park(
            self.context.runtime(),
            context,
            || Awaits::Condition,
            None,
            self.place,
        ) {
            self.parked.watch(&self.token);
            self.parked.make_condition();
        }
        Poll::Pending
    }
}

impl<W> Future for WaitCondition<'_, W> {
    type Output = Result<(), WorkflowCancellationError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_until(context, false).map(|result| result.map(|_| ()))
    }
}

impl<W> FusedFuture for WaitCondition<'_, W> {
    fn is_terminated(&self) -> bool {
        self.done
    }
}

/// Waits until a condition holds or a timer fires.
pub(crate) struct WaitConditionTimeout<'a, W> {
    wait: WaitCondition<'a, W>,
    timeout: Duration,
    timer: Option<TimerFuture>,
}

impl<'a, W> WaitConditionTimeout<'a, W> {
    pub(super) fn new(
        context: &'a WorkflowContext<W>,
        condition: Condition<'a, W>,
        timeout: Duration,
        options: WaitConditionOptions,
        place: Place,
    ) -> Self {
        let wait = WaitCondition::new(context, condition, options, place);
        Self {
            wait,
            timeout,
            timer: None,
        }
    }
}

impl<W> Future for WaitConditionTimeout<'_, W> {
    type Output = Result<bool, WorkflowCancellationError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let fired = match &mut this.timer {
            Some(timer) => Pin::new(timer).poll(context).is_ready(),
            None => false,
        };
        let poll = this.wait.poll_until(context, fired);
        if poll.is_ready() {
            if let Some(timer) = this.timer.take() {
                timer.cancel();
            }
        } else if this.timer.is_none() && !this.wait.done {
            let options = TimerOptions::builder(this.timeout)
                .cancellation_token(this.wait.token.clone())
                .build();
            let mut timer = TimerFuture::start(this.wait.context.runtime(), options, this.wait.place);
            let fired = Pin::new(&mut timer).poll(context);
            debug_assert!(
                fired.is_pending(),
                "a timer cannot fire in the call that starts it"
            );
            this.timer = Some(timer);
        }
        poll
    }
}

impl<W> FusedFuture for WaitConditionTimeout<'_, W> {
    fn is_terminated(&self) -> bool {
        self.wait.done
    }
}
