//! A shard's mailbox: many senders, one shard that takes everything at once.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A queue with two doors. Requests from outside come through a door with a limit: when it is reached, the sender is told, and
/// nothing waits inside the server. What the runtime tells itself (a commit, the end of an attempt, a loaded run) comes through
/// the other, which needs no limit of its own: there is at most one such message for each commit, attempt and load in flight,
/// and those are bounded.
pub(crate) struct Mailbox<R, N> {
    inner: Mutex<Inner<R, N>>,
    arrived: Condvar,
    capacity: usize,
}

struct Inner<R, N> {
    requests: Vec<R>,
    notices: Vec<N>,
    closed: bool,
    shut: bool,
}

/// Why a request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many wait already.
    Full,
    /// The shard has stopped.
    Closed,
}

/// What was waiting.
pub(crate) struct Batch<R, N> {
    pub(crate) requests: Vec<R>,
    pub(crate) notices: Vec<N>,
    pub(crate) closed: bool,
}

impl<R, N> Mailbox<R, N> {
    pub(crate) fn new(capacity: usize) -> Self {
        let inner = Inner {
            requests: Vec::new(),
            notices: Vec::new(),
            closed: false,
            shut: false,
        };
        Self {
            inner: Mutex::new(inner),
            arrived: Condvar::new(),
            capacity,
        }
    }

    /// Leave a request.
    pub(crate) fn request(&self, request: R) -> Result<(), Refusal> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Refusal::Closed);
        }
        if inner.requests.len() >= self.capacity {
            return Err(Refusal::Full);
        }
        inner.requests.push(request);
        let first = inner.requests.len() == 1 && inner.notices.is_empty();
        drop(inner);
        if first {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Leave a notice. Never blocks and never fails: after the shard has stopped it is dropped.
    pub(crate) fn notice(&self, notice: N) {
        let mut inner = self.lock();
        if inner.shut {
            return;
        }
        inner.notices.push(notice);
        let first = inner.notices.len() == 1 && inner.requests.is_empty();
        drop(inner);
        if first {
            self.arrived.notify_one();
        }
    }

    /// No further requests; the shard stops when it has seen it.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// The shard has stopped: what waits is dropped, and with it the promises of answers.
    pub(crate) fn shut(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.shut = true;
        let left = (
            std::mem::take(&mut inner.requests),
            std::mem::take(&mut inner.notices),
        );
        drop(inner);
        drop(left);
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        let inner = self.lock();
        inner.requests.is_empty() && inner.notices.is_empty()
    }

    /// Take everything; waits for something to come, at most for `timeout`. None: however long it takes.
    pub(crate) fn take(&self, timeout: Option<Duration>) -> Batch<R, N> {
        let mut inner = self.lock();
        let idle =
            |inner: &mut Inner<R, N>| inner.requests.is_empty() && inner.notices.is_empty() && !inner.closed;
        inner = match timeout {
            None => self
                .arrived
                .wait_while(inner, idle)
                .unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                self.arrived
                    .wait_timeout_while(inner, timeout, idle)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
        Batch {
            requests: std::mem::take(&mut inner.requests),
            notices: std::mem::take(&mut inner.notices),
            closed: inner.closed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<R, N>> {
        // Nothing here leaves the queue half changed, so a panic elsewhere while the lock was held does no harm.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_bounded_and_notices_are_not() {
        let mailbox: Mailbox<u32, u32> = Mailbox::new(2);
        assert_eq!(mailbox.request(1), Ok(()));
        assert_eq!(mailbox.request(2), Ok(()));
        assert_eq!(mailbox.request(3), Err(Refusal::Full));
        mailbox.notice(9);
        let batch = mailbox.take(Some(Duration::ZERO));
        assert_eq!(
            (batch.requests, batch.notices, batch.closed),
            (vec![1, 2], vec![9], false)
        );
        assert_eq!(mailbox.request(3), Ok(()), "what was taken makes room");
        mailbox.close();
        assert_eq!(mailbox.request(4), Err(Refusal::Closed));
        let batch = mailbox.take(None);
        assert_eq!(
            (batch.requests, batch.closed),
            (vec![3], true),
            "what was taken in before the close is still served"
        );
    }

    #[test]
    fn after_the_shard_has_stopped_nothing_waits_for_ever() {
        let mailbox: Mailbox<std::sync::mpsc::Sender<()>, std::sync::mpsc::Sender<()>> = Mailbox::new(2);
        let (answer, answered) = std::sync::mpsc::channel();
        assert!(mailbox.request(answer.clone()).is_ok());
        mailbox.notice(answer.clone());
        mailbox.shut();
        assert!(mailbox.is_empty());
        mailbox.notice(answer.clone());
        assert!(mailbox.is_empty(), "a notice that comes later is dropped");
        assert_eq!(mailbox.request(answer), Err(Refusal::Closed));
        assert!(
            answered.recv().is_err(),
            "whoever waited for an answer knows that none comes"
        );
    }

    #[test]
    fn a_waiting_shard_is_woken() {
        let mailbox: std::sync::Arc<Mailbox<u32, u32>> = std::sync::Arc::new(Mailbox::new(2));
        let sender = mailbox.clone();
        let thread = std::thread::spawn(move || sender.request(7));
        assert_eq!(mailbox.take(None).requests, vec![7]);
        assert_eq!(thread.join().ok(), Some(Ok(())));
    }
}
