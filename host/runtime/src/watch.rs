//! Long polls: who waits for news of which run.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

/// Wakes long polls after commits. A run that nobody watches costs one look into a map.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    runs: Mutex<HashMap<String, Watched>>,
    /// Clients that wait for a workflow's result: while there is one, time may be skipped.
    results: AtomicUsize,
}

#[derive(Debug)]
struct Watched {
    notify: Arc<Notify>,
    watchers: usize,
}

impl Watchers {
    /// Watch a run. Take it before the state is read, so that nothing that happens in between is missed.
    pub(crate) fn watch(self: &Arc<Self>, run_id: &str, for_result: bool) -> Watch {
        if for_result {
            self.results.fetch_add(1, Ordering::SeqCst);
        }
        let mut runs = self.lock();
        let watched = runs.entry(run_id.to_owned()).or_insert_with(|| Watched {
            notify: Arc::new(Notify::new()),
            watchers: 0,
        });
        watched.watchers += 1;
        Watch {
            notify: watched.notify.clone(),
            watchers: self.clone(),
            run_id: run_id.to_owned(),
            for_result,
        }
    }

    /// There is news of a run.
    pub(crate) fn wake(&self, run_id: &str) {
        if let Some(watched) = self.lock().get(run_id) {
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

/// One watcher of one run.
#[derive(Debug)]
pub(crate) struct Watch {
    notify: Arc<Notify>,
    watchers: Arc<Watchers>,
    run_id: String,
    for_result: bool,
}

impl Watch {
    /// The next news. The future counts from when it is made and enabled, not from when it is first polled.
    pub(crate) fn news(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.for_result {
            self.watchers.results.fetch_sub(1, Ordering::SeqCst);
        }
        let mut runs = self.watchers.lock();
        if let Some(watched) = runs.get_mut(&self.run_id) {
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
        let watch = watchers.watch("run", true);
        assert_eq!(watchers.waiting_for_results(), 1);
        {
            let mut news = std::pin::pin!(watch.news());
            news.as_mut().enable();
            watchers.wake("run");
            news.await;
        }
        drop(watch);
        assert_eq!(watchers.waiting_for_results(), 0);
        assert!(watchers.lock().is_empty());
    }
}
