//! Time, injected: real, or simulated for tests.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// The clock of a runtime: `max(wall + skipped, floor)` in nanoseconds since 1970.
///
/// `skipped` is what time skipping has jumped over; it is kept in the store, so that a restart does not go back. The floor is the
/// last event's time, so that time never goes back even where the machine's clock does.
#[derive(Debug)]
pub struct Clock {
    wall: Wall,
    skipped_ns: AtomicU64,
    floor_ns: AtomicU64,
}

#[derive(Debug)]
enum Wall {
    System,
    Simulated {
        now_ns: AtomicU64,
        /// By how much it runs on when it is read.
        step_ns: u64,
    },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::new(Wall::System)
    }

    /// A clock that stands still until it is told otherwise.
    pub fn simulated(now_ns: u64) -> Self {
        Self::running(now_ns, 0)
    }

    /// A simulated clock that runs on by so much whenever somebody looks: for tests of what happens while something is decided.
    pub fn running(now_ns: u64, step_ns: u64) -> Self {
        let now_ns = AtomicU64::new(now_ns);
        Self::new(Wall::Simulated { now_ns, step_ns })
    }

    fn new(wall: Wall) -> Self {
        Self {
            wall,
            skipped_ns: AtomicU64::new(0),
            floor_ns: AtomicU64::new(0),
        }
    }

    /// Now.
    pub fn now_ns(&self) -> u64 {
        let wall_ns = match &self.wall {
            // Before 1970 the clock is plainly wrong; the floor holds then.
            Wall::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .ok()
                .and_then(|since| u64::try_from(since.as_nanos()).ok())
                .unwrap_or(0),
            Wall::Simulated { now_ns, step_ns } => now_ns.fetch_add(*step_ns, Ordering::Relaxed),
        };
        let now_ns = wall_ns.saturating_add(self.skipped_ns.load(Ordering::Relaxed));
        // Also between two readings: what has fallen due stays due when the machine's clock is set back.
        self.floor_ns.fetch_max(now_ns, Ordering::Relaxed).max(now_ns)
    }

    /// What the store remembers.
    pub(crate) fn restore(&self, skipped_ns: u64, floor_ns: u64) {
        self.skipped_ns.store(skipped_ns, Ordering::Relaxed);
        self.floor_ns.fetch_max(floor_ns, Ordering::Relaxed);
    }

    /// Jump to a moment ahead. Answers all that was skipped so far, to be stored with the transition that uses it.
    pub(crate) fn skip_to(&self, to_ns: u64) -> u64 {
        let ahead_ns = to_ns.saturating_sub(self.now_ns());
        self.skipped_ns.fetch_add(ahead_ns, Ordering::Relaxed) + ahead_ns
    }

    /// Let a simulated clock run on; the machine's clock cannot be told.
    pub fn advance(&self, by_ns: u64) {
        if let Wall::Simulated { now_ns, .. } = &self.wall {
            now_ns.fetch_add(by_ns, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_back_between_two_readings() {
        let clock = Clock::simulated(1_000);
        assert_eq!(clock.now_ns(), 1_000);
        let Wall::Simulated { now_ns: machine, .. } = &clock.wall else {
            panic!("it is simulated")
        };
        machine.store(400, Ordering::Relaxed);
        assert_eq!(clock.now_ns(), 1_000, "the machine's clock was set back");
        clock.advance(700);
        assert_eq!(clock.now_ns(), 1_100);
    }

    #[test]
    fn a_skip_is_added_and_the_floor_holds() {
        let clock = Clock::simulated(1_000);
        assert_eq!(clock.skip_to(1_500), 500);
        assert_eq!(clock.now_ns(), 1_500);
        assert_eq!(
            clock.skip_to(1_200),
            500,
            "a moment that has passed is not skipped to"
        );
        clock.advance(10);
        assert_eq!(clock.now_ns(), 1_510);
        let restarted = Clock::simulated(900);
        restarted.restore(500, 1_510);
        assert_eq!(
            restarted.now_ns(),
            1_510,
            "time does not go back when the machine's clock does"
        );
    }
}
