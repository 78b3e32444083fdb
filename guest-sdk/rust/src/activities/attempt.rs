//! The executor of an attempt: tokio's, made to wait for the host.
//!
//! A component has one thread, and what blocks it blocks all futures. tokio itself would sleep until the next of its timers, and an
//! answer of the host would not wake it. But before that, when no future has anything to do, it calls [`Root::park`]: there the attempt
//! blocks until the host has one of the answers that are waited for, or a sleep ends. So it runs when something has happened, and else not.
//!
//! tokio does not say when a timer of its own ends, except by ending it. Where there may be one that is not a [`crate::activities::sleep`],
//! the wait is interrupted now and then, so that tokio can look.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::runtime::{Builder, Handle};
use tokio::time::{Instant, Sleep, sleep};

use super::waits;

/// The shortest time between two looks at timers of tokio's while the attempt does nothing else. Also the longest without a look at what
/// the host has, while the attempt does something without end.
const TICK: Duration = Duration::from_millis(10);
/// A timer of tokio's may be late by this part of the time for which the attempt has done nothing: so the looks at it become rarer, and a
/// minute costs a hundred of them, an hour not twice as many.
const LATENESS: u32 = 16;

/// The attempt as a whole.
struct Root {
    /// It has something to do.
    woken: AtomicBool,
    /// Makes tokio look at its timers and poll the attempt.
    runtime: AtomicWaker,
    /// The host was asked what it has since the last time that this was unset.
    has_looked: AtomicBool,
    /// Since when it has had nothing to do.
    idle_since: Mutex<Option<Instant>>,
}

impl Wake for Root {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        self.runtime.wake();
    }
}

/// The future of an attempt, for the runtime that this builder builds: while one waits for the host, the others run.
pub(crate) fn attempt<F: Future>(
    runtime: &mut Builder,
    future: F,
) -> impl Future<Output = F::Output> + use<F> {
    let root = Arc::new(Root {
        woken: AtomicBool::new(true),
        runtime: AtomicWaker::new(),
        has_looked: AtomicBool::new(false),
        idle_since: Mutex::new(None),
    });
    let parked = root.clone();
    runtime.on_thread_park(move || parked.park());
    root.run(future)
}

impl Root {
    /// Who holds it when no future does: tokio's callback, [`Root::run`], and the waker that the latter polls with.
    const HOLDERS: usize = 3;

    async fn run<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        let mut future = pin!(future);
        let waker = Waker::from(self.clone());
        let mut overdue: Option<Pin<Box<Sleep>>> = None;
        std::future::poll_fn(|runtime| {
            self.runtime.register(runtime.waker());
            // Where some future or task always has something to do the runtime never parks.
            if let Some(timer) = &mut overdue
                && timer.as_mut().poll(runtime).is_ready()
            {
                overdue = None;
                if !self.has_looked.swap(false, Ordering::Relaxed) && waits::has_answers() {
                    waits::look(Some(Duration::ZERO));
                }
            }
            if self.woken.swap(false, Ordering::Relaxed) {
                *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
                if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Poll::Ready(output);
                }
            }
            if overdue.is_none() && waits::has_answers() {
                let timer = overdue.insert(Box::pin(sleep(TICK)));
                if timer.as_mut().poll(runtime).is_ready() {
                    runtime.waker().wake_by_ref();
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Nothing has anything to do: wait for the host, if a future does.
    fn park(self: &Arc<Self>) {
        // Some versions of tokio call this also when only tasks have nothing to do.
        if self.woken.load(Ordering::Relaxed) || !waits::has_answers() {
            return;
        }
        let now = Instant::now();
        let moment = waits::until_first_moment(now);
        // One that has passed is for tokio to end.
        if moment != Some(Duration::ZERO) {
            let limits = [moment, self.until_tick(now)];
            waits::look(limits.into_iter().flatten().min());
            self.has_looked.store(true, Ordering::Relaxed);
        }
        // Without it tokio would now sleep until the next of its timers.
        self.runtime.wake();
    }

    /// For how long timers of tokio's can be left alone; none if there are none.
    fn until_tick(self: &Arc<Self>, now: Instant) -> Option<Duration> {
        // Whether tasks have done anything meanwhile is not known.
        if Handle::try_current().is_ok_and(|runtime| runtime.metrics().num_alive_tasks() > 0) {
            return Some(TICK);
        }
        let mut idle_since = self.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = now.saturating_duration_since(*idle_since.get_or_insert(now));
        // Whatever is to wake the attempt later holds it. Wakers are told apart by their data: their tables need not be the same ones in
        // two crates, and `will_wake` compares these too.
        let known = Self::HOLDERS + waits::holders(Arc::as_ptr(self).cast());
        (Arc::strong_count(self) > known).then(|| TICK.max(idle / LATENESS))
    }
}
