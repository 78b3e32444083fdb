//! Cancellation tokens.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use futures_util::future::FusedFuture;

use crate::runtime::{Awaits, Parked, Place, Runtime};

#[derive(Default)]
struct State {
    cancelled: Cell<bool>,
    reason: RefCell<Option<String>>,
    operations: RefCell<BTreeMap<u32, Weak<Runtime>>>,
    waits: RefCell<BTreeMap<u64, Weak<Runtime>>>,
    children: RefCell<Vec<Weak<State>>>,
}

/// Cancels what was started with it.
///
/// A token from [`new`](Self::new) stands for itself; what is started with it goes on when the workflow is cancelled. A
/// [`child_token`](Self::child_token) is cancelled together with its parent.
#[derive(Clone, Default)]
pub struct WorkflowCancellationToken {
    state: Rc<State>,
}

impl std::fmt::Debug for WorkflowCancellationToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkflowCancellationToken")
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

impl WorkflowCancellationToken {
    /// A token that nothing else cancels.
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that is cancelled when this one is.
    pub fn child_token(&self) -> Self {
        let child = Self::new();
        if self.is_cancelled() {
            child.state.cancelled.set(true);
            child
                .state
                .reason
                .borrow_mut()
                .clone_from(&self.state.reason.borrow());
        } else {
            let mut children = self.state.children.borrow_mut();
            children.retain(|child| child.strong_count() > 0);
            children.push(Rc::downgrade(&child.state));
        }
        child
    }

    /// Cancel without a reason.
    pub fn cancel(&self) {
        self.cancel_and_wake(None);
    }

    /// Cancel with a reason.
    pub fn cancel_with_reason(&self, reason: impl Into<String>) {
        self.cancel_and_wake(Some(reason.into()));
    }

    /// Has it been cancelled?
    pub fn is_cancelled(&self) -> bool {
        self.state.cancelled.get()
    }

    /// The first reason that was given, if one was.
    pub fn reason(&self) -> Option<String> {
        self.state.reason.borrow().clone()
    }

    /// Wait until it is cancelled.
    #[track_caller]
    pub fn cancelled(&self) -> impl FusedFuture<Output = ()> + Unpin + use<> {
        Cancelled {
            token: self.clone(),
            parked: Parked::default(),
            place: Location::caller(),
            done: false,
        }
    }

    fn cancel_and_wake(&self, reason: Option<String>) {
        let woken = self.cancel_collecting(reason);
        if let Some(runtime) = Runtime::current() {
            runtime.wake_in_order(woken);
        }
    }

    /// Cancel; the operations that end by it do so in the order in which they were started. The waits that end.
    pub(crate) fn cancel_collecting(&self, reason: Option<String>) -> Vec<u64> {
        let mut operations = BTreeMap::new();
        let mut waits = Vec::new();
        collect(&self.state, reason.as_ref(), &mut operations, &mut waits);
        for (seq, runtime) in operations {
            if let Some(runtime) = runtime.upgrade() {
                waits.extend(runtime.cancel_operation(seq, reason.as_deref()));
            }
        }
        waits
    }

    pub(crate) fn add_operation(&self, seq: u32, runtime: Weak<Runtime>) {
        self.state.operations.borrow_mut().insert(seq, runtime);
    }

    pub(crate) fn remove_operation(&self, seq: u32) {
        self.state.operations.borrow_mut().remove(&seq);
    }

    pub(crate) fn add_wait(&self, number: u64, runtime: Weak<Runtime>) {
        self.state.waits.borrow_mut().insert(number, runtime);
    }

    pub(crate) fn remove_wait(&self, number: u64) {
        self.state.waits.borrow_mut().remove(&number);
    }
}

fn collect(
    state: &State,
    reason: Option<&String>,
    operations: &mut BTreeMap<u32, Weak<Runtime>>,
    waits: &mut Vec<u64>,
) {
    if state.cancelled.replace(true) {
        return;
    }
    *state.reason.borrow_mut() = reason.cloned();
    operations.append(&mut state.operations.borrow_mut());
    waits.extend(state.waits.borrow().keys());
    for child in state.children.take() {
        if let Some(child) = child.upgrade() {
            collect(&child, reason, operations, waits);
        }
    }
}

/// Resolves when a token is cancelled.
struct Cancelled {
    token: WorkflowCancellationToken,
    parked: Parked,
    place: Place,
    done: bool,
}

impl Future for Cancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.done {
            return Poll::Pending;
        }
        if this.token.is_cancelled() {
            this.done = true;
            this.parked.leave();
            return Poll::Ready(());
        }
        if let Some(runtime) = Runtime::current()
            && this
                .parked
                .park(&runtime, context, || Awaits::Cancellation, None, this.place)
        {
            this.parked.watch(&this.token);
        }
        Poll::Pending
    }
}

impl FusedFuture for Cancelled {
    fn is_terminated(&self) -> bool {
        self.done
    }
}

/// A wait has ended because its token was cancelled.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("Workflow wait cancelled")]
pub struct WorkflowCancellationError {
    reason: Option<String>,
}

impl WorkflowCancellationError {
    pub(crate) fn new(reason: Option<String>) -> Self {
        Self { reason }
    }

    /// The reason, if one was given.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancellation_goes_down_and_the_first_reason_stays() {
        let parent = WorkflowCancellationToken::new();
        let child = parent.child_token();
        let other = parent.child_token();
        child.cancel_with_reason("child");
        assert!(!parent.is_cancelled());
        parent.cancel_with_reason("parent");
        assert_eq!(child.reason().as_deref(), Some("child"));
        assert_eq!(other.reason().as_deref(), Some("parent"));
        assert!(parent.child_token().is_cancelled());
    }
}
