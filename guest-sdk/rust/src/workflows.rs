//! Waiting for several things at once, and locks between the tasks of a workflow.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::stream::{Collect, FuturesOrdered};

pub use crate::definitions::WorkflowImplementation;
pub use crate::sync::{
    Mutex, MutexGuard, MutexLock, Queue, QueuePop, QueuePush, Semaphore, SemaphoreAcquire, SemaphorePermit,
};

/// Wait for the first of several futures; the branches are polled in the order in which they are written.
///
/// ```no_run
/// # use std::time::Duration;
/// # use longhaul_sdk::{WorkflowContext, workflows::select};
/// # async fn wait(ctx: &mut WorkflowContext<()>) {
/// select! {
///     _ = ctx.timer(Duration::from_secs(60)) => { /* fired */ }
///     _reason = ctx.cancelled() => { /* cancelled */ }
/// }
/// # }
/// ```
#[doc(inline)]
pub use crate::__longhaul_select as select;

/// Wait for all of several futures, of different types; those that can go on together do so in the order in which they are
/// written.
///
/// ```no_run
/// # use longhaul_sdk::workflows::join;
/// # async fn wait() {
/// let (a, b) = join!(async { 1 }, async { "b" });
/// # }
/// ```
#[doc(inline)]
pub use crate::__longhaul_join as join;

/// Wait for all futures of a collection; the results have the order of the collection.
///
/// Each future is polled when something that it waits for has ended, and not before; those that end together go on in the
/// order in which their waits began.
pub fn join_all<I>(futures: I) -> JoinAll<I::Item>
where
    I: IntoIterator,
    I::Item: Future,
{
    // Not futures_util's own join_all: a small one polls all of its futures in the order of the collection.
    let futures: FuturesOrdered<I::Item> = futures.into_iter().collect();
    JoinAll(futures.collect())
}

/// What [`join_all`] returns.
#[must_use = "a future does nothing unless it is awaited"]
pub struct JoinAll<F: Future>(Collect<FuturesOrdered<F>, Vec<F::Output>>);

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<F: Future> Unpin for JoinAll<F> {}

impl<F: Future> fmt::Debug for JoinAll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinAll").finish_non_exhaustive()
    }
}
