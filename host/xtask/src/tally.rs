//! Counting what the tests report.

use std::ops::AddAssign;

/// How many tests ran, and how they ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Counts a line of output, if it is the summary that Rust's test harness prints for a test binary:
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s`.
    ///
    /// Also counts the line that `go test -v` prints for a test, not those of its parts, which are indented.
    pub(crate) fn see(&mut self, line: &str) {
        self.passed += u64::from(line.starts_with("--- PASS: "));
        self.failed += u64::from(line.starts_with("--- FAIL: "));
        let Some(summary) = line.trim().strip_prefix("test result: ") else {
            return;
        };
        let counts = summary.split_once(". ").map_or(summary, |(_, counts)| counts);
        for count in counts.split("; ") {
            match count
                .split_once(' ')
                .map(|(number, what)| (number.parse::<u64>(), what))
            {
                Some((Ok(number), "passed")) => self.passed += number,
                Some((Ok(number), "failed")) => self.failed += number,
                _ => {}
            }
        }
    }

    /// Tests that ran.
    pub(crate) fn ran(self) -> u64 {
        self.passed + self.failed
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_tests_of_go() {
        let mut tally = Tally::default();
        for line in [
            "=== RUN   TestOrder",
            "--- PASS: TestOrder (0.00s)",
            "--- FAIL: TestWakes (0.01s)",
            "    --- FAIL: TestWakes/late (0.00s)",
            "ok  \tlonghaul/workflow\t0.01s",
        ] {
            tally.see(line);
        }
        assert_eq!(tally, Tally { passed: 1, failed: 1 });
    }

    #[test]
    fn sums_the_summaries_of_test_binaries() {
        let mut tally = Tally::default();
        for line in [
            "running 4 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
            "a test that prints test result: ok. 9 passed; 9 failed;",
        ] {
            tally.see(line);
        }
        assert_eq!(tally, Tally { passed: 4, failed: 2 });
        assert_eq!(tally.ran(), 6);
    }
}
