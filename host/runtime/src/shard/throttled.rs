//! Task queues that have handed out as many attempts as they may, and when each of them may go on.

use std::collections::{BTreeSet, HashMap};

use super::Shard;
use crate::task_queues::QueueKey;

/// Each queue once.
#[derive(Debug, Default)]
pub(super) struct Throttled {
    by_time: BTreeSet<(u64, QueueKey)>,
    times: HashMap<QueueKey, u64>,
}

impl Throttled {
    /// A queue goes on then, and not when it was said before.
    pub(super) fn set(&mut self, key: QueueKey, at_ns: u64) {
        if let Some(before_ns) = self.times.insert(key.clone(), at_ns) {
            self.by_time.remove(&(before_ns, key.clone()));
        }
        self.by_time.insert((at_ns, key));
    }

    /// When the first one goes on.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.by_time.first().map(|(at_ns, _)| *at_ns)
    }

    fn pop(&mut self, now_ns: u64) -> Option<QueueKey> {
        self.next_ns().filter(|at_ns| *at_ns <= now_ns)?;
        let (_, key) = self.by_time.pop_first()?;
        self.times.remove(&key);
        Some(key)
    }
}

impl Shard {
    /// Let queues go on that may.
    pub(super) fn go_on_with_queues(&mut self, now_ns: u64) {
        while let Some(key) = self.throttled.pop(now_ns) {
            let matches = self.core.task_queues.go_on(&key, now_ns);
            self.core.bring(&key, matches);
        }
    }
}

#[cfg(test)]
mod tests {
    use longhaul_store::NamespaceId;

    use super::*;

    #[test]
    fn a_queue_stands_here_once_for_the_time_that_was_said_last() {
        let key = |name: &str| QueueKey {
            namespace: NamespaceId::DEFAULT,
            name: name.into(),
        };
        let mut throttled = Throttled::default();
        for at_ns in [30, 10, 20] {
            throttled.set(key("a"), at_ns);
            throttled.set(key("b"), at_ns + 5);
        }
        assert_eq!((throttled.by_time.len(), throttled.times.len()), (2, 2));
        assert_eq!((throttled.next_ns(), throttled.pop(19)), (Some(20), None));
        assert_eq!(throttled.pop(20), Some(key("a")));
        assert_eq!((throttled.pop(24), throttled.pop(25)), (None, Some(key("b"))));
        assert!(throttled.by_time.is_empty() && throttled.times.is_empty());
    }
}
