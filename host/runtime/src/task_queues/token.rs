//! Attempts that this server runs itself, of queues that hand out so many in a second.

use super::{Inner, Matches, QueueKey, Shared, TaskQueues, lock, queue::Waiting};

/// The right of an attempt to be handed out. Whoever drops it unspent gives it back; then it is there for whoever comes or is next in
/// line.
pub(crate) struct Token {
    key: QueueKey,
    queues: Shared,
    spent: bool,
}

/// What a queue says to an attempt that the server could start now.
pub(crate) enum Admission {
    /// The queue has no limit.
    Free,
    /// It may start.
    With(Token),
    /// It stands in line from now on, or still does.
    Waits,
}

impl Token {
    pub(super) fn new(key: &QueueKey, queues: &Shared) -> Self {
        Self {
            key: key.clone(),
            queues: queues.clone(),
            spent: false,
        }
    }

    /// The attempt starts.
    pub(crate) fn spend(mut self, now_ns: u64) {
        self.spent = true;
        if let Some(queue) = lock(&self.queues).queues.get_mut(&self.key) {
            queue.handed_out.count(now_ns);
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // Nobody is told: those in line are when the next token comes, and were they told at once, each that has no place would take
        // its turn for nothing.
        if !self.spent
            && let Some(queue) = lock(&self.queues).queues.get_mut(&self.key)
        {
            queue.give_back();
        }
    }
}

impl TaskQueues {
    /// The server could start an attempt: it may, or waits in line until the queue calls it. With it come others who have met; they are
    /// to be [brought](crate::core::Core::bring) together.
    pub(crate) fn admit(
        &self,
        key: &QueueKey,
        due_ns: u64,
        waiting: Waiting,
        now_ns: u64,
    ) -> (Admission, Matches) {
        let mut inner = lock(&self.inner);
        let id = (waiting.run_id, waiting.scheduled_event_id);
        if !inner.is_limited(key) {
            return (Admission::Free, Matches::default());
        }
        if !inner.line_up(key, due_ns, waiting, now_ns) {
            return (Admission::Waits, Matches::default());
        }
        let mut others = inner.meet(&self.inner, key, now_ns);
        let mine = others
            .called
            .iter()
            .position(|(waiting, _)| (waiting.run_id, waiting.scheduled_event_id) == id);
        let admission = match mine.map(|at| others.called.swap_remove(at).1) {
            Some(Some(token)) => Admission::With(token),
            Some(None) => Admission::Free,
            None => Admission::Waits,
        };
        (admission, others)
    }

    /// The same for one of which the store says that it waits: it stands in line in any case, and whoever is first is called when the queue
    /// [goes on](Self::go_on), which it has to when all are there. `false`: the queue has no limit.
    pub(crate) fn restore_served(&self, key: &QueueKey, due_ns: u64, waiting: Waiting, now_ns: u64) -> bool {
        let mut inner = lock(&self.inner);
        let is_limited = inner.is_limited(key);
        if is_limited {
            inner.line_up(key, due_ns, waiting, now_ns);
        }
        is_limited
    }
}

impl Inner {
    fn is_limited(&self, key: &QueueKey) -> bool {
        match self.queues.get(key) {
            Some(queue) => queue.rate_limit().is_some(),
            None => self.configs.a_second(key).is_some(),
        }
    }

    /// `false`: it stands in line already.
    fn line_up(&mut self, key: &QueueKey, due_ns: u64, waiting: Waiting, now_ns: u64) -> bool {
        let id = (waiting.run_id, waiting.scheduled_event_id);
        let is_new = !self.places.contains_key(&id);
        if is_new {
            let rank = self.stand(key, due_ns, id, now_ns);
            self.queue(key).served.insert(rank, waiting);
        }
        is_new
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Token").field(&self.key).finish()
    }
}
