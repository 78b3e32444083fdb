//! Waiting for the host without keeping other futures of the attempt from running.
//!
//! A component has one thread, and when it blocks it blocks for all: so a request blocks only when every other future has got as far as it
//! can, and until the host has something for any request. WASI's events are not those of tokio, whose timers nothing wakes meanwhile.
//! Where there may be one, the wait is interrupted now and then; where nothing but requests is waited for, which is how most attempts are
//! written, the attempt sleeps until the host wakes it.

use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use wasip2::clocks::monotonic_clock;
use wasip2::io::poll::{Pollable, poll};

/// Other futures that wait for something (tokio's timers) are looked at this often while a request waits. The host ends the wait at once
/// when a request can go on; this is only how late a timer may be meanwhile.
const TICK: Duration = Duration::from_millis(10);

thread_local! {
    /// What futures of this attempt wait for. The first of them blocks for all.
    static WAITING: RefCell<Vec<Rc<Pollable>>> = const { RefCell::new(Vec::new()) };
    /// The attempt that runs.
    static ROOT: RefCell<Option<Arc<Root>>> = const { RefCell::new(None) };
    /// A request of the attempt itself is to be polled again.
    static AGAIN: Cell<bool> = const { Cell::new(false) };
}

/// Stands between an attempt and the runtime's waker, to see whether anything but requests is waited for: whoever can wake the attempt
/// later holds a clone.
struct Root {
    waker: Waker,
    /// Somebody has woken it since the last look.
    woken: AtomicBool,
}

impl Wake for Root {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        self.waker.wake_by_ref();
    }
}

impl Root {
    /// Holders of it while the attempt is polled and nobody else has it: `ROOT`, [`attempt`], and the waker that it polls with.
    const HOLDERS: usize = 3;

    /// Whether a future may be waiting that is no request.
    fn has_others(self: &Arc<Self>) -> bool {
        self.woken.swap(false, Ordering::Relaxed) || Arc::strong_count(self) > Self::HOLDERS
    }
}

/// The whole of an attempt: requests in it know whether they are alone.
pub(crate) async fn attempt<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut root: Option<Arc<Root>> = None;
    std::future::poll_fn(|cx| {
        let is_same = root.as_ref().is_some_and(|root| root.waker.will_wake(cx.waker()));
        let root = match &root {
            Some(root) if is_same => root,
            _ => root.insert(Arc::new(Root {
                waker: cx.waker().clone(),
                woken: AtomicBool::new(false),
            })),
        };
        ROOT.set(Some(root.clone()));
        let waker = Waker::from(root.clone());
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        ROOT.set(None);
        if AGAIN.take() {
            root.waker.wake_by_ref();
        }
        polled
    })
    .await
}

/// Wait until it is ready.
pub(super) async fn wait(pollable: Pollable) {
    Waiting {
        pollable: Rc::new(pollable),
        registered: false,
    }
    .await;
}

struct Waiting {
    pollable: Rc<Pollable>,
    registered: bool,
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.pollable.ready() {
            return Poll::Ready(());
        }
        if self.registered {
            if self.is_first() {
                block();
            }
            if self.pollable.ready() {
                return Poll::Ready(());
            }
        } else {
            // Before anything blocks, every other future gets as far as it can.
            self.registered = true;
            WAITING.with_borrow_mut(|waiting| waiting.push(self.pollable.clone()));
        }
        // The runtime has nothing else that could wake it.
        poll_again(cx.waker());
        Poll::Pending
    }
}

impl Waiting {
    fn is_first(&self) -> bool {
        WAITING.with_borrow(|waiting| {
            waiting
                .first()
                .is_some_and(|first| Rc::ptr_eq(first, &self.pollable))
        })
    }
}

/// As `wake_by_ref`; but that a request asks for it does not count as another future's doing.
fn poll_again(waker: &Waker) {
    let attempts = ROOT.with_borrow(|root| root.clone().map(Waker::from));
    let is_attempts = attempts.is_some_and(|attempts| attempts.will_wake(waker));
    if is_attempts {
        AGAIN.set(true);
    } else {
        waker.wake_by_ref();
    }
}

/// Whether a future may be waiting that is no request. Tasks have wakers of their own; where one blocks, the attempt is another one.
fn has_others() -> bool {
    ROOT.with_borrow(|root| root.as_ref().is_none_or(Root::has_others))
        || Handle::try_current().is_ok_and(|runtime| runtime.metrics().num_alive_tasks() > 0)
}

/// Until one of them is ready, or it is time to look at timers.
fn block() {
    let tick = has_others().then(|| monotonic_clock::subscribe_duration(TICK.as_nanos() as u64));
    let waiting = WAITING.with_borrow(Vec::clone);
    let all: Vec<&Pollable> = waiting.iter().map(Rc::as_ref).chain(&tick).collect();
    poll(&all);
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.registered {
            WAITING.with_borrow_mut(|waiting| waiting.retain(|other| !Rc::ptr_eq(other, &self.pollable)));
        }
    }
}
