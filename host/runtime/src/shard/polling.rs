//! Queries in a loop: noticed, so that the log can say what to do instead.

/// From this many queries of one run within [`WINDOW_NS`] on, somebody is likely to wait for something. A dashboard that is drawn
/// every second stays far below.
const QUERIES: u32 = 200;
/// Nanoseconds: 10 s.
const WINDOW_NS: u64 = 10_000_000_000;

/// Counts the queries of one run.
#[derive(Debug, Default)]
pub(crate) struct Polling {
    since_ns: u64,
    queries: u32,
    told: bool,
}

impl Polling {
    /// A query is answered. True once, when there are so many that a hint is due.
    pub(crate) fn asked(&mut self, now_ns: u64) -> bool {
        if now_ns.saturating_sub(self.since_ns) >= WINDOW_NS {
            self.since_ns = now_ns;
            self.queries = 0;
        }
        self.queries = self.queries.saturating_add(1);
        let due = self.queries >= QUERIES && !self.told;
        self.told |= due;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tight_loop_is_told_once() {
        let mut polling = Polling::default();
        let hints = (0..u64::from(3 * QUERIES)).filter(|n| polling.asked(WINDOW_NS + n));
        assert_eq!(hints.collect::<Vec<_>>(), [u64::from(QUERIES) - 1]);
    }

    #[test]
    fn a_dashboard_is_not_a_loop() {
        let mut polling = Polling::default();
        let second = WINDOW_NS / 10;
        assert!((0..10_000).all(|n| !polling.asked(n * second)));
    }
}
