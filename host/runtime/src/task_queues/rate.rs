//! How often something happens.

/// What is averaged over, in seconds, as on Temporal's server.
const WINDOW_S: u64 = 30;
const SECOND_NS: u64 = 1_000_000_000;

/// Counts by the second, for the last half minute.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// The second of the last count.
    second: u64,
    counts: [u32; WINDOW_S as usize],
}

impl Rate {
    pub(super) fn count(&mut self, now_ns: u64) {
        self.go_on_to(now_ns / SECOND_NS);
        let count = &mut self.counts[(self.second % WINDOW_S) as usize];
        *count = count.saturating_add(1);
    }

    /// The average of the window.
    pub(super) fn a_second(&mut self, now_ns: u64) -> f32 {
        self.go_on_to(now_ns / SECOND_NS);
        let sum: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        sum as f32 / WINDOW_S as f32
    }

    fn go_on_to(&mut self, second: u64) {
        let passed = second.saturating_sub(self.second);
        for step in 1..=passed.min(WINDOW_S) {
            self.counts[((second - passed.min(WINDOW_S) + step) % WINDOW_S) as usize] = 0;
        }
        self.second = self.second.max(second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut rate = Rate::default();
        let at = |second: u64| second * SECOND_NS;
        for second in [100, 100, 101] {
            rate.count(at(second));
        }
        assert_eq!(rate.a_second(at(129)), 0.1);
        assert_eq!(rate.a_second(at(130)), 1.0 / 30.0);
        assert_eq!(rate.a_second(at(131)), 0.0);
        rate.count(at(1_000));
        assert_eq!(rate.a_second(at(1_000)), 1.0 / 30.0);
    }
}
