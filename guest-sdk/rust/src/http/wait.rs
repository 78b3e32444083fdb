//! Waiting for the host without keeping other futures of the attempt from running.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use wasip2::clocks::monotonic_clock;
use wasip2::io::poll::{Pollable, poll};

/// Other futures (tokio's timers) are looked at this often while a request waits. The host ends the wait at once when a request can go
/// on; this is only how late a timer may be meanwhile.
const TICK: Duration = Duration::from_millis(10);

thread_local! {
    /// What futures of this attempt wait for. The first of them blocks for all.
    static WAITING: RefCell<Vec<Rc<Pollable>>> = const { RefCell::new(Vec::new()) };
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
        // The runtime has nothing else that could wake it: WASI's events are not tokio's.
        cx.waker().wake_by_ref();
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

/// Until one of them is ready, or it is time to look at timers.
fn block() {
    let tick = monotonic_clock::subscribe_duration(TICK.as_nanos() as u64);
    let waiting = WAITING.with_borrow(Vec::clone);
    let mut all: Vec<&Pollable> = waiting.iter().map(Rc::as_ref).collect();
    all.push(&tick);
    poll(&all);
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.registered {
            WAITING.with_borrow_mut(|waiting| waiting.retain(|other| !Rc::ptr_eq(other, &self.pollable)));
        }
    }
}
