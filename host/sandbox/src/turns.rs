//! Polling an attempt: the clock runs meanwhile, and a panic of the host ends this attempt only.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::watchdog::Watchdog;

/// What a future returns, or the text with which it panicked.
pub(crate) async fn taken<F: Future>(clock: &Watchdog, future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        // While the attempt waits for something nothing has to be interrupted.
        let _running = clock.enter();
        // A future that has panicked is not polled again, and the store that it may have left half done is only looked at for its logs.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(text_of(&*panic))),
        }
    })
    .await
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it did not say why".to_owned())
}
