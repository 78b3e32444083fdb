//! Timers.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::future::FusedFuture;

use super::CancellableFuture;
use crate::host::Outcome;
use crate::options::{TimerOptions, nanos};
use crate::runtime::{Awaited, Awaits, Kind, Place, Runtime};
use crate::workflow_result::TimerResult;

/// A timer that runs.
#[must_use = "a timer is awaited, or it only writes history"]
pub struct TimerFuture(Awaited);

impl TimerFuture {
    pub(crate) fn start(runtime: &Rc<Runtime>, options: TimerOptions, place: Place) -> Self {
        let token = options.cancellation_token.unwrap_or_else(|| runtime.root.clone());
        let operation = runtime.start(Kind::Timer, Some(token), |seq| {
            runtime
                .host
                .start_timer(seq, nanos(options.duration), options.summary.as_deref());
        });
        Self(Awaited::end(
            runtime,
            operation,
            Awaits::Timer(options.duration),
            place,
        ))
    }
}

impl Future for TimerFuture {
    type Output = TimerResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<TimerResult> {
        self.0.poll(context).map(|outcome| match outcome {
            Outcome::Completed(_) => TimerResult::Fired,
            _ => TimerResult::Cancelled,
        })
    }
}

impl FusedFuture for TimerFuture {
    fn is_terminated(&self) -> bool {
        self.0.is_taken()
    }
}

impl CancellableFuture for TimerFuture {
    fn cancel(&self) {
        self.0.cancel(None);
    }
}
