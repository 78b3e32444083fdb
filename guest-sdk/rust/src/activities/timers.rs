//! Sleeps of an attempt.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

/// Wait for so long, to the millisecond.
///
/// As `tokio::time::sleep`, and with it underneath; but the end of this one is known to whatever else waits at the same time.
///
/// # Panics
/// Outside of a runtime of tokio's. An activity runs in one.
#[must_use = "only what is awaited sleeps"]
pub fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
    super::waits::until(tokio::time::sleep(duration))
}

/// There was no output in time: [`timeout`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("it took longer than {0:?}")]
pub struct Elapsed(Duration);

/// Wait for a future, but not longer than this; to the millisecond.
///
/// As `tokio::time::timeout`, with a [`sleep`].
///
/// # Errors
/// The time is over. The future is dropped, which gives up what it waits for.
///
/// # Panics
/// As [`sleep`].
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    match select(pin!(future), pin!(sleep(limit))).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(((), _)) => Err(Elapsed(limit)),
    }
}
