//! Times of many operations, and the percentiles of them.

use std::time::Duration;

/// Times of operations, exact and in order of length: a million of them take 8 MB.
#[derive(Debug, Clone, Default)]
pub(super) struct Latencies {
    /// Nanoseconds, ascending.
    sorted_ns: Vec<u64>,
}

impl Latencies {
    /// Of times in any order, in nanoseconds.
    pub(super) fn new(mut times_ns: Vec<u64>) -> Self {
        times_ns.sort_unstable();
        Self { sorted_ns: times_ns }
    }

    /// The smallest time that at least `percent` of 100 operations did not exceed (nearest rank); zero if there were none.
    pub(super) fn percentile(&self, percent: u32) -> Duration {
        let count = self.sorted_ns.len();
        let rank = count.saturating_mul(percent.min(100) as usize).div_ceil(100);
        let at = rank.max(1) - 1;
        Duration::from_nanos(self.sorted_ns.get(at).copied().unwrap_or_default())
    }

    /// The longest time; zero if there was none.
    pub(super) fn max(&self) -> Duration {
        self.percentile(100)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.sorted_ns.len() as u64
    }
}

/// A span in whole nanoseconds; one of more than 584 years is cut off there.
pub(super) fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ns(latencies: &Latencies, percent: u32) -> u128 {
        latencies.percentile(percent).as_nanos()
    }

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let hundred = Latencies::new((1..=100).rev().collect());
        for percent in [1, 50, 99, 100] {
            assert_eq!(ns(&hundred, percent), u128::from(percent));
        }
        let ten = Latencies::new((1..=10).collect());
        assert_eq!(ns(&ten, 50), 5);
        assert_eq!(ns(&ten, 51), 6);
        assert_eq!(ns(&ten, 99), 10);
        assert_eq!(ns(&ten, 0), 1);
        assert_eq!(ten.max().as_nanos(), 10);
        assert_eq!(ten.count(), 10);
    }

    #[test]
    fn one_time_is_every_percentile_and_none_is_zero() {
        let one = Latencies::new(vec![7]);
        assert_eq!((ns(&one, 0), ns(&one, 50), ns(&one, 100)), (7, 7, 7));
        let none = Latencies::default();
        assert_eq!((ns(&none, 50), none.max(), none.count()), (0, Duration::ZERO, 0));
    }

    #[test]
    fn what_is_over_a_hundred_is_a_hundred() {
        assert_eq!(ns(&Latencies::new(vec![1, 2, 3]), 1_000), 3);
    }
}
