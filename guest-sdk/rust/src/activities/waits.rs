//! What the futures of an attempt wait for: answers of the host, all of them in one list, and moments that end the wait.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep};
use wasip2::clocks::monotonic_clock;
use wasip2::io::poll::{Pollable, poll};

/// tokio's timers end with a whole millisecond, up to this much after their moment.
const TIMER_GRAIN: Duration = Duration::from_millis(1);

thread_local! {
    /// Those of the attempt: a component has one thread, and each attempt an instance of its own.
    static WAITS: RefCell<Waits> = const {
        RefCell::new(Waits { last_id: 0, answers: BTreeMap::new(), moments: BTreeMap::new() })
    };
}

struct Waits {
    last_id: u64,
    answers: BTreeMap<u64, Answer>,
    /// When a sleep ends, with the data of the waker that its timer holds.
    moments: BTreeMap<(Instant, u64), *const ()>,
}

/// Something that the host will have.
struct Answer {
    /// Several may wait for the same one.
    pollable: Arc<Pollable>,
    waker: Waker,
}

impl Waits {
    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// Wait until the host has it. Nothing is asked before the attempt has nothing else to do.
pub(crate) fn wait(pollable: impl Into<Arc<Pollable>>) -> impl Future<Output = ()> + Send + 'static {
    Waiting {
        pollable: Some(pollable.into()),
        id: None,
    }
}

struct Waiting {
    /// Until it is in the list.
    pollable: Option<Arc<Pollable>>,
    /// Of its place in the list, which it loses when the host has it.
    id: Option<u64>,
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut waker = cx.waker().clone();
        let this = &mut *self;
        // The waker that another one replaces is dropped when the lists are free: who knows what it holds.
        WAITS.with_borrow_mut(|waits| {
            if let Some(pollable) = this.pollable.take() {
                let id = waits.new_id();
                let waker = waker.clone();
                waits.answers.insert(id, Answer { pollable, waker });
                this.id = Some(id);
                return Poll::Pending;
            }
            match this.id.and_then(|id| waits.answers.get_mut(&id)) {
                Some(answer) => {
                    std::mem::swap(&mut answer.waker, &mut waker);
                    Poll::Pending
                }
                None => Poll::Ready(()),
            }
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let answer = self
            .id
            .and_then(|id| WAITS.with_borrow_mut(|waits| waits.answers.remove(&id)));
        // Here, too, the lists are free.
        drop(answer);
    }
}

/// A sleep of tokio's that does not end late because the attempt waits for an answer: its moment is known here.
pub(super) async fn until(sleep: Sleep) {
    let mut sleep = pin!(sleep);
    let mut moment = Moment(None);
    std::future::poll_fn(|cx| {
        let polled = sleep.as_mut().poll(cx);
        if polled.is_pending() {
            moment.set(sleep.deadline(), cx.waker());
        }
        polled
    })
    .await;
}

/// A moment in the list, while it lives.
struct Moment(Option<(Instant, u64)>);

impl Moment {
    fn set(&mut self, at: Instant, waker: &Waker) {
        WAITS.with_borrow_mut(|waits| {
            let key = *self.0.get_or_insert_with(|| (at, waits.new_id()));
            waits.moments.insert(key, waker.data());
        });
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        if let Some(key) = self.0 {
            WAITS.with_borrow_mut(|waits| waits.moments.remove(&key));
        }
    }
}

/// Whether the attempt waits for an answer of the host.
pub(super) fn has_answers() -> bool {
    WAITS.with_borrow(|waits| !waits.answers.is_empty())
}

/// How many of those in the lists hold a waker with this data.
pub(super) fn holders(data: *const ()) -> usize {
    WAITS.with_borrow(|waits| {
        let answers = waits
            .answers
            .values()
            .filter(|answer| answer.waker.data() == data);
        let moments = waits.moments.values().filter(|holder| **holder == data);
        answers.count() + moments.count()
    })
}

/// The time until the first moment at which a timer ends; zero if it has passed. Those that have passed are no longer in the list: when
/// tokio looks at its timers the next time, it is done with them.
pub(super) fn until_first_moment(now: Instant) -> Option<Duration> {
    WAITS.with_borrow_mut(|waits| {
        let mut has_passed = false;
        while let Some(first) = waits.moments.first_entry() {
            let left = (first.key().0 + TIMER_GRAIN).saturating_duration_since(now);
            if !left.is_zero() {
                return Some(if has_passed { Duration::ZERO } else { left });
            }
            has_passed = true;
            first.remove();
        }
        has_passed.then_some(Duration::ZERO)
    })
}

/// Block until the host has an answer, at most for so long, and wake whoever waits for one that it has. Somebody must wait for one: of an
/// empty list the host would make a trap.
pub(super) fn look(limit: Option<Duration>) {
    let ready: Vec<Answer> = WAITS.with_borrow_mut(|waits| {
        let end = limit.map(|limit| {
            let ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
            monotonic_clock::subscribe_duration(ns)
        });
        // Each once, however many wait for it: in the host's list every entry counts as a handle.
        let mut waiting: BTreeMap<*const Pollable, (&Pollable, Vec<u64>)> = BTreeMap::new();
        for (id, answer) in &waits.answers {
            let (_, ids) = waiting
                .entry(Arc::as_ptr(&answer.pollable))
                .or_insert_with(|| (&*answer.pollable, Vec::new()));
            ids.push(*id);
        }
        let (mut list, ids): (Vec<&Pollable>, Vec<Vec<u64>>) = waiting.into_values().unzip();
        list.extend(&end);
        let ready = poll(&list);
        // The end is the last of the list and has no id.
        let mut ready: Vec<u64> = ready
            .into_iter()
            .filter_map(|index| ids.get(usize::try_from(index).ok()?))
            .flatten()
            .copied()
            .collect();
        ready.sort_unstable();
        ready
            .into_iter()
            .filter_map(|id| waits.answers.remove(&id))
            .collect()
    });
    // Not before the lists are free: whoever is woken may change them.
    for Answer { pollable, waker } in ready {
        drop(pollable);
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(now: Instant) -> Option<u128> {
        until_first_moment(now).map(|left| left.as_millis())
    }

    #[test]
    fn the_first_moment_ends_the_wait_and_is_forgotten_when_it_has_passed() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let noop = Waker::noop();
        let mut moments: Vec<Moment> = (0..3).map(|_| Moment(None)).collect();
        for (moment, ms) in moments.iter_mut().zip([30, 10, 20]) {
            moment.set(at(ms), noop);
            moment.set(at(ms), noop);
        }
        assert_eq!(holders(noop.data()), 3);
        assert_eq!(left(start), Some(11));
        // tokio has not ended it yet.
        assert_eq!(left(at(10)), Some(1));
        assert_eq!(left(at(11)), Some(0));
        assert_eq!(left(at(11)), Some(10));
        // A sleep that is over or dropped is out of the list.
        moments.truncate(1);
        assert_eq!(left(at(11)), Some(20));
        assert_eq!(left(at(40)), Some(0));
        assert_eq!(left(at(40)), None);
        assert_eq!(holders(noop.data()), 0);
    }
}
