//! Waiting for several things at once, and locks between the tasks of a workflow.

use std::future::Future;

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

/// Wait for all of several futures, of different types.
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
pub fn join_all<I>(futures: I) -> JoinAll<I::Item>
where
    I: IntoIterator,
    I::Item: Future,
{
    futures_util::future::join_all(futures)
}

/// What [`join_all`] returns.
pub type JoinAll<F> = futures_util::future::JoinAll<F>;
