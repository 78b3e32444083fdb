//! Long polls: who waits for news of which run.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

/// Wakes long polls after commits. A run that nobody watches costs one look into a map.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    runs: Mutex<HashMap<String, Watched>>,
    /// Clients that wait for a workflow's result, and have looked since the last news of it: while there is one, time may be skipped.
    results: AtomicUsize,
}

#[derive(Debug)]
struct Watched {
    notify: Arc<Notify>,
    watchers: usize,
    /// How often there were news.
    news: u64,
    /// Of the watchers, those that count as waiting for a result.
    waiting: usize,
}

impl Watchers {
    /// Watch a run. Take it before the state is read, so that nothing that happens in between is missed.
    pub(crate) fn watch(self: &Arc<Self>, run_id: &str, for_result: bool) -> Watch {
        let mut runs = self.lock();
        let watched = runs.entry(run_id.to_owned()).or_insert_with(|| Watched {
            notify: Arc::new(Notify::new()),
            watchers: 0,
            news: 0,
            waiting: 0,
        });
        watched.watchers += 1;
        Watch {
            notify: watched.notify.clone(),
            watchers: self.clone(),
            run_id: run_id.to_owned(),
            for_result,
            seen: AtomicU64::new(watched.news),
            counted: AtomicU64::new(NOT_COUNTED),
        }
    }

    /// There is news of a run. Nobody waits for its result until he has looked again: it may be what he waits for.
    pub(crate) fn wake(&self, run_id: &str) {
        if let Some(watched) = self.lock().get_mut(run_id) {
            watched.news += 1;
            self.results
                .fetch_sub(std::mem::take(&mut watched.waiting), Ordering::SeqCst);
            watched.notify.notify_waiters();
        }
    }

    /// Clients that wait for a result.
    pub(crate) fn waiting_for_results(&self) -> usize {
        self.results.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Watched>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Watch::counted`].
const NOT_COUNTED: u64 = u64::MAX;

/// One watcher of one run.
#[derive(Debug)]
pub(crate) struct Watch {
    notify: Arc<Notify>,
    watchers: Arc<Watchers>,
    run_id: String,
    for_result: bool,
    /// The news that there were when it began to look.
    seen: AtomicU64,
    /// The news behind which it counts as waiting.
    counted: AtomicU64,
}

impl Watch {
    /// The next news. The future counts from when it is made and enabled, not from when it is first polled.
    pub(crate) fn news(&self) -> tokio::sync::futures::Notified<'_> {
        if let Some(watched) = self.watchers.lock().get(&self.run_id) {
            self.seen.store(watched.news, Ordering::SeqCst);
        }
        self.notify.notified()
    }

    /// It has looked, and what it wants is not there: if it wants a result, it waits for one from now on.
    pub(crate) fn waits(&self) {
        let mut runs = self.watchers.lock();
        let seen = self.seen.load(Ordering::SeqCst);
        if let Some(watched) = runs.get_mut(&self.run_id)
            && self.for_result
            && watched.news == seen
            && self.counted.swap(seen, Ordering::SeqCst) != seen
        {
            watched.waiting += 1;
            self.watchers.results.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut runs = self.watchers.lock();
        if let Some(watched) = runs.get_mut(&self.run_id) {
            if self.counted.load(Ordering::SeqCst) == watched.news {
                watched.waiting -= 1;
                self.watchers.results.fetch_sub(1, Ordering::SeqCst);
            }
            watched.watchers -= 1;
            if watched.watchers == 0 {
                runs.remove(&self.run_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn news_that_come_between_reading_and_waiting_are_not_missed() {
        let watchers = Arc::new(Watchers::default());
        let watch = watchers.watch("run", false);
        {
            let mut news = std::pin::pin!(watch.news());
            news.as_mut().enable();
            watchers.wake("run");
            news.await;
        }
        drop(watch);
        assert!(watchers.lock().is_empty());
    }

    #[test]
    fn whoever_has_not_looked_since_the_last_news_does_not_wait_for_a_result() {
        let watchers = Arc::new(Watchers::default());
        let (first, second) = (watchers.watch("run", true), watchers.watch("run", true));
        assert_eq!(
            watchers.waiting_for_results(),
            0,
            "the result may be there already"
        );
        drop(first.news());
        first.waits();
        first.waits();
        assert_eq!(watchers.waiting_for_results(), 1);
        watchers.wake("run");
        assert_eq!(watchers.waiting_for_results(), 0, "it is to look first");
        second.waits();
        assert_eq!(watchers.waiting_for_results(), 0, "it has looked before the news");
        for watch in [&first, &second] {
            drop(watch.news());
            watch.waits();
        }
        assert_eq!(watchers.waiting_for_results(), 2);
        drop(first);
        assert_eq!(watchers.waiting_for_results(), 1);
        watchers.wake("run");
        drop(second);
        assert_eq!(watchers.waiting_for_results(), 0);
        assert!(watchers.lock().is_empty());
        watchers.watch("other", false).waits();
        assert_eq!(
            watchers.waiting_for_results(),
            0,
            "it waits for news, not for the result"
        );
    }
}
