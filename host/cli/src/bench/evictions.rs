//! How many executions the engine of this process has evicted, as its own metrics tell.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// The counter of the engine that is kept; all others are not.
const NAME: &str = "longhaul_evictions_total";

/// Counts evictions.
#[derive(Debug, Clone, Default)]
pub(super) struct Evictions(Arc<AtomicU64>);

impl Evictions {
    /// Count from here on. Where the process has a recorder of metrics already there is nothing to count with: none.
    pub(super) fn install() -> Option<Self> {
        let evictions = Self::default();
        metrics::set_global_recorder(evictions.clone()).ok()?;
        Some(evictions)
    }

    /// So far.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Recorder for Evictions {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() == NAME {
            Counter::from_arc(self.0.clone())
        } else {
            Counter::noop()
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_evictions_are_counted() {
        let evictions = Evictions::default();
        metrics::with_local_recorder(&evictions, || {
            metrics::counter!("longhaul_evictions_total").increment(3);
            metrics::counter!("longhaul_replays_total").increment(5);
        });
        assert_eq!(evictions.count(), 3);
    }
}
