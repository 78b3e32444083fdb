//! Locks and queues between the tasks of one workflow. Whoever came first is served first.
//!
//! They are cheap to clone and live in the workflow's state: clone one out of [`WorkflowContext::state`], then await it.
//!
//! ```no_run
//! # use longhaul_sdk::{WorkflowContext, workflows::Mutex};
//! # struct Order { lock: Mutex }
//! # async fn handler(ctx: &mut WorkflowContext<Order>) {
//! let lock = ctx.state(|order| order.lock.clone());
//! let _guard = lock.lock().await;
//! # }
//! ```
//!
//! [`WorkflowContext::state`]: crate::WorkflowContext::state

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::future::FusedFuture;

use crate::runtime::{Awaits, Parked, Place, Runtime};

/// Someone who waits for a permit.
#[derive(Default)]
struct Waiter {
    wait: Cell<Option<u64>>,
    granted: Cell<bool>,
}

#[derive(Default)]
struct Permits {
    free: Cell<usize>,
    waiters: RefCell<VecDeque<Rc<Waiter>>>,
}

impl Permits {
    /// Hand a permit to the first who waits, or keep it.
    fn release(&self) {
        let next = self.waiters.borrow_mut().pop_front();
        match next {
            None => self.free.set(self.free.get() + 1),
            Some(waiter) => {
                waiter.granted.set(true);
                if let (Some(wait), Some(runtime)) = (waiter.wait.get(), Runtime::current()) {
                    runtime.wake(wait);
                }
            }
        }
    }
}

/// Waits for a permit.
struct Acquire {
    permits: Rc<Permits>,
    waiter: Option<Rc<Waiter>>,
    awaits: Awaits,
    place: Place,
    parked: Parked,
    done: bool,
}

impl Acquire {
    fn new(permits: &Rc<Permits>, awaits: Awaits, place: Place) -> Self {
        let permits = permits.clone();
        Self {
            permits,
            waiter: None,
            awaits,
            place,
            parked: Parked::default(),
            done: false,
        }
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<Permit> {
        if self.done {
            return Poll::Pending;
        }
        let granted = match &self.waiter {
            Some(waiter) => waiter.granted.get(),
            None if self.permits.free.get() > 0 => {
                self.permits.free.set(self.permits.free.get() - 1);
                true
            }
            None => false,
        };
        if granted {
            self.done = true;
            self.waiter = None;
            self.parked.leave();
            return Poll::Ready(Permit::new(&self.permits));
        }
        let waiter = self.waiter.get_or_insert_with(|| {
            let waiter = Rc::new(Waiter::default());
            self.permits.waiters.borrow_mut().push_back(waiter.clone());
            waiter
        });
        if let Some(runtime) = Runtime::current()
            && self
                .parked
                .park(&runtime, context, || self.awaits.clone(), None, self.place)
        {
            waiter.wait.set(self.parked.number());
        }
        Poll::Pending
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let Some(waiter) = self.waiter.take() else { return };
        if waiter.granted.get() {
            self.permits.release();
        } else {
            self.permits
                .waiters
                .borrow_mut()
                .retain(|other| !Rc::ptr_eq(other, &waiter));
        }
    }
}

/// Gives a permit back when it is dropped.
struct Permit {
    permits: Option<Rc<Permits>>,
}

impl Permit {
    fn new(permits: &Rc<Permits>) -> Self {
        Self {
            permits: Some(permits.clone()),
        }
    }

    /// Do not give it back.
    fn keep(mut self) {
        self.permits = None;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(permits) = &self.permits {
            permits.release();
        }
    }
}

/// Lets one task at a time pass.
#[derive(Clone)]
pub struct Mutex {
    permits: Rc<Permits>,
}

impl Default for Mutex {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Mutex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex")
            .field("locked", &self.is_locked())
            .finish_non_exhaustive()
    }
}

impl Mutex {
    /// An unlocked mutex.
    pub fn new() -> Self {
        Self {
            permits: Rc::new(Permits {
                free: Cell::new(1),
                waiters: RefCell::default(),
            }),
        }
    }

    /// Is it locked?
    pub fn is_locked(&self) -> bool {
        self.permits.free.get() == 0
    }

    /// Wait until nobody else has it, and lock it. It is unlocked when the guard is dropped.
    #[track_caller]
    pub fn lock(&self) -> MutexLock {
        MutexLock(Acquire::new(&self.permits, Awaits::Lock, Location::caller()))
    }

    /// Lock it if nobody has it.
    pub fn try_lock(&self) -> Option<MutexGuard> {
        take(&self.permits).map(|permit| MutexGuard { _permit: permit })
    }
}

fn take(permits: &Rc<Permits>) -> Option<Permit> {
    let free = permits.free.get().checked_sub(1)?;
    permits.free.set(free);
    Some(Permit::new(permits))
}

/// Waits for a [`Mutex`].
pub struct MutexLock(Acquire);

impl Future for MutexLock {
    type Output = MutexGuard;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<MutexGuard> {
        self.0.poll(context).map(|permit| MutexGuard { _permit: permit })
    }
}

impl FusedFuture for MutexLock {
    fn is_terminated(&self) -> bool {
        self.0.done
    }
}

/// Unlocks a [`Mutex`] when it is dropped.
#[must_use = "the mutex is unlocked when the guard is dropped"]
pub struct MutexGuard {
    _permit: Permit,
}

/// Lets a number of tasks at a time pass.
#[derive(Clone)]
pub struct Semaphore {
    permits: Rc<Permits>,
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("free", &self.available_permits())
            .finish_non_exhaustive()
    }
}

impl Semaphore {
    /// A semaphore with so many permits.
    pub fn new(permits: usize) -> Self {
        Self {
            permits: Rc::new(Permits {
                free: Cell::new(permits),
                waiters: RefCell::default(),
            }),
        }
    }

    /// Permits that nobody has.
    pub fn available_permits(&self) -> usize {
        self.permits.free.get()
    }

    /// Wait for a permit. It is given back when the guard is dropped.
    #[track_caller]
    pub fn acquire(&self) -> SemaphoreAcquire {
        SemaphoreAcquire(Acquire::new(&self.permits, Awaits::Semaphore, Location::caller()))
    }

    /// Take a permit if one is free.
    pub fn try_acquire(&self) -> Option<SemaphorePermit> {
        take(&self.permits).map(|permit| SemaphorePermit { _permit: permit })
    }
}

/// Waits for a [`Semaphore`].
pub struct SemaphoreAcquire(Acquire);

impl Future for SemaphoreAcquire {
    type Output = SemaphorePermit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<SemaphorePermit> {
        self.0
            .poll(context)
            .map(|permit| SemaphorePermit { _permit: permit })
    }
}

impl FusedFuture for SemaphoreAcquire {
    fn is_terminated(&self) -> bool {
        self.0.done
    }
}

/// Gives a permit of a [`Semaphore`] back when it is dropped.
#[must_use = "the permit is given back when the guard is dropped"]
pub struct SemaphorePermit {
    _permit: Permit,
}

/// A first-in, first-out queue with room for a number of values.
pub struct Queue<T> {
    values: Rc<RefCell<VecDeque<T>>>,
    /// A permit for each free place.
    room: Rc<Permits>,
    /// A permit for each value.
    filled: Rc<Permits>,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self {
            values: self.values.clone(),
            room: self.room.clone(),
            filled: self.filled.clone(),
        }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<T> Queue<T> {
    /// A queue with room for so many values.
    pub fn new(capacity: usize) -> Self {
        Self {
            values: Rc::default(),
            room: Rc::new(Permits {
                free: Cell::new(capacity),
                waiters: RefCell::default(),
            }),
            filled: Rc::default(),
        }
    }

    /// Values in the queue.
    pub fn len(&self) -> usize {
        self.values.borrow().len()
    }

    /// Is the queue empty?
    pub fn is_empty(&self) -> bool {
        self.values.borrow().is_empty()
    }

    /// Add a value if there is room.
    ///
    /// # Errors
    /// The value, if there is none.
    pub fn try_push(&self, value: T) -> Result<(), T> {
        match take(&self.room) {
            Some(room) => {
                self.add(room, value);
                Ok(())
            }
            None => Err(value),
        }
    }

    /// Wait for room and add a value.
    #[track_caller]
    pub fn push(&self, value: T) -> QueuePush<T> {
        let acquire = Acquire::new(&self.room, Awaits::Queue, Location::caller());
        QueuePush {
            queue: self.clone(),
            acquire,
            value: Some(value),
        }
    }

    /// Take the oldest value, if there is one.
    pub fn try_pop(&self) -> Option<T> {
        let filled = take(&self.filled)?;
        self.remove(filled)
    }

    /// Wait for a value and take it.
    #[track_caller]
    pub fn pop(&self) -> QueuePop<T> {
        let acquire = Acquire::new(&self.filled, Awaits::Queue, Location::caller());
        QueuePop {
            queue: self.clone(),
            acquire,
        }
    }

    fn add(&self, room: Permit, value: T) {
        // The place is taken until the value is removed.
        room.keep();
        self.values.borrow_mut().push_back(value);
        self.filled.release();
    }

    fn remove(&self, filled: Permit) -> Option<T> {
        filled.keep();
        let value = self.values.borrow_mut().pop_front();
        self.room.release();
        value
    }
}

/// Waits for room in a [`Queue`].
pub struct QueuePush<T> {
    queue: Queue<T>,
    acquire: Acquire,
    value: Option<T>,
}

impl<T> Unpin for QueuePush<T> {}

impl<T> Future for QueuePush<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.acquire.poll(context).map(|room| {
            if let Some(value) = self.value.take() {
                self.queue.add(room, value);
            }
        })
    }
}

impl<T> FusedFuture for QueuePush<T> {
    fn is_terminated(&self) -> bool {
        self.acquire.done
    }
}

/// Waits for a value of a [`Queue`].
pub struct QueuePop<T> {
    queue: Queue<T>,
    acquire: Acquire,
}

impl<T> Future for QueuePop<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match self.acquire.poll(context) {
            Poll::Pending => Poll::Pending,
            // There is a permit for each value, so there is a value for each permit.
            Poll::Ready(filled) => self.queue.remove(filled).map_or(Poll::Pending, Poll::Ready),
        }
    }
}

impl<T> FusedFuture for QueuePop<T> {
    fn is_terminated(&self) -> bool {
        self.acquire.done
    }
}
