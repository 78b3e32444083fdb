//! How many attempts a queue hands out in a second.

/// A bucket of tokens as on Temporal's server: so many come a second, it holds those of one second, at least one, and it is full at
/// first.
#[derive(Debug)]
pub(super) struct Limiter {
    a_second: f64,
    /// Between two tokens; none: none come.
    interval_ns: Option<u64>,
    /// As many as it holds.
    burst: u64,
    /// When it is full, or was.
    full_ns: u64,
}

impl Limiter {
    /// `a_second` is a number, and not negative.
    pub(super) fn new(a_second: f64) -> Self {
        let mut limiter = Self {
            a_second,
            interval_ns: None,
            burst: 1,
            full_ns: 0,
        };
        limiter.fit();
        limiter
    }

    /// Another rate from now on. What was taken stays taken.
    pub(super) fn set(&mut self, a_second: f64, now_ns: u64) {
        if a_second == self.a_second {
            return;
        }
        let taken = match self.interval_ns {
            Some(interval_ns) => self.full_ns.saturating_sub(now_ns).div_ceil(interval_ns),
            None => 0,
        };
        self.a_second = a_second;
        self.fit();
        let missing_ns = taken
            .min(self.burst)
            .saturating_mul(self.interval_ns.unwrap_or(0));
        self.full_ns = now_ns.saturating_add(missing_ns);
    }

    fn fit(&mut self) {
        const SECOND_NS: f64 = 1e9;
        // Both are cut to what fits: a rate that is next to nothing, and one that no machine reaches.
        self.interval_ns = (self.a_second > 0.0).then(|| ((SECOND_NS / self.a_second) as u64).max(1));
        self.burst = (self.a_second.ceil() as u64).max(1);
    }

    /// Take a token, if there is one.
    pub(super) fn take(&mut self, now_ns: u64) -> bool {
        let (Some(interval_ns), Some(next_ns)) = (self.interval_ns, self.next_ns()) else {
            return false;
        };
        if next_ns > now_ns {
            return false;
        }
        self.full_ns = self.full_ns.max(now_ns).saturating_add(interval_ns);
        true
    }

    /// A token that was taken is there again.
    pub(super) fn give_back(&mut self) {
        self.full_ns = self.full_ns.saturating_sub(self.interval_ns.unwrap_or(0));
    }

    /// When all tokens are there, or were.
    pub(super) fn full_ns(&self) -> u64 {
        self.full_ns
    }

    /// When there is a token next, or has been; none: never.
    pub(super) fn next_ns(&self) -> Option<u64> {
        let interval_ns = self.interval_ns?;
        let all_but_one_ns = (self.burst - 1).saturating_mul(interval_ns);
        Some(self.full_ns.saturating_sub(all_but_one_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    /// Some moment.
    const NOW: u64 = 1_000 * SECOND;

    /// How many are taken in so many nanoseconds by somebody who comes whenever there is one.
    fn taken(limiter: &mut Limiter, from_ns: u64, for_ns: u64) -> u64 {
        let (mut now_ns, mut taken) = (from_ns, 0);
        while now_ns < from_ns + for_ns {
            while limiter.take(now_ns) {
                taken += 1;
            }
            match limiter.next_ns() {
                Some(next_ns) => now_ns = next_ns,
                None => break,
            }
        }
        taken
    }

    #[test]
    fn those_of_a_second_at_once_and_then_one_after_the_other() {
        let mut limiter = Limiter::new(2.5);
        let at = [0, 0, 0, 1, 399, 400, 401, 800].map(|ms| limiter.take(NOW + ms * 1_000_000));
        assert_eq!(at, [true, true, true, false, false, true, false, true]);
        assert_eq!(limiter.next_ns(), Some(NOW + 1_200_000_000));
        // After a rest it is full, and no more.
        assert_eq!(taken(&mut limiter, NOW + 100 * SECOND, 1), 3);
        let mut slow = Limiter::new(0.1);
        assert_eq!(taken(&mut slow, NOW, 20 * SECOND), 2);
        for rate in [1.0, 3.0, 7.5, 1_000.0] {
            let burst = f64::ceil(rate) as u64;
            let expected = burst + (100.0 * rate) as u64;
            let taken = taken(&mut Limiter::new(rate), NOW, 100 * SECOND);
            assert!(taken.abs_diff(expected) <= 1, "{rate}: {taken}, not {expected}");
        }
    }

    #[test]
    fn with_a_rate_of_nothing_there_is_never_one() {
        let mut limiter = Limiter::new(0.0);
        assert_eq!((limiter.take(NOW), limiter.next_ns()), (false, None));
        limiter.set(1.0, NOW);
        assert_eq!(taken(&mut limiter, NOW, SECOND), 1);
        for odd in [f64::MIN_POSITIVE, 1e-12, 1e12, f64::MAX] {
            let mut limiter = Limiter::new(odd);
            assert!(limiter.take(NOW), "{odd}");
            limiter.set(1.0, NOW);
            limiter.take(NOW);
        }
    }

    #[test]
    fn another_rate_gives_back_nothing_that_was_taken() {
        let mut limiter = Limiter::new(4.0);
        assert_eq!(taken(&mut limiter, NOW, 1), 4);
        limiter.set(2.0, NOW);
        assert_eq!(limiter.next_ns(), Some(NOW + SECOND / 2));
        limiter.set(8.0, NOW);
        // Two were missing; the six others may be taken.
        assert_eq!(taken(&mut limiter, NOW, 1), 6);
    }
}
