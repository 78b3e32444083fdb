//! The limits of runs, workflow tasks and activities, and what is filled in where some of them are left out (E2, A2).

/// The longest that a workflow task may take, in nanoseconds: 120 s, as on Temporal's server, where it cannot be changed either.
pub const TASK_TIMEOUT_MAX_NS: u64 = 120_000_000_000;

/// As Temporal's server limits a run: by its own limit and that of its chain. 0: no limit.
pub(crate) fn of_run(run_timeout_ns: u64, execution_timeout_ns: u64) -> u64 {
    capped(
        first_set(run_timeout_ns, execution_timeout_ns),
        execution_timeout_ns,
    )
}

/// As it limits a workflow task: to two minutes, and to what the run has (`run_timeout_ns`, 0: the run has no limit). 0: not set.
pub(crate) fn of_task(task_timeout_ns: u64, run_timeout_ns: u64) -> u64 {
    capped(task_timeout_ns.min(TASK_TIMEOUT_MAX_NS), run_timeout_ns)
}

/// The four limits of an activity, in nanoseconds; 0: not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// All attempts together.
    pub(crate) schedule_to_close_ns: u64,
    /// The wait of an attempt for a worker.
    pub(crate) schedule_to_start_ns: u64,
    /// One attempt.
    pub(crate) start_to_close_ns: u64,
    /// Between two heartbeats.
    pub(crate) heartbeat_ns: u64,
}

impl Timeouts {
    /// Whether something ends an attempt that hangs.
    pub(crate) fn end_attempts(&self) -> bool {
        self.schedule_to_close_ns > 0 || self.start_to_close_ns > 0
    }

    /// As Temporal's server completes them: no part takes longer than the whole, which takes no longer than the run
    /// (`run_timeout_ns`, 0: the run has no limit); a part that is not set may take as long as the whole; and a heartbeat is not
    /// waited for longer than an attempt may take.
    pub(crate) fn completed(self, run_timeout_ns: u64) -> Self {
        let whole_ns = capped(
            first_set(self.schedule_to_close_ns, run_timeout_ns),
            run_timeout_ns,
        );
        let part = |ns| capped(first_set(ns, whole_ns), whole_ns);
        let start_to_close_ns = part(self.start_to_close_ns);
        Self {
            schedule_to_close_ns: whole_ns,
            schedule_to_start_ns: part(self.schedule_to_start_ns),
            start_to_close_ns,
            heartbeat_ns: capped(self.heartbeat_ns, start_to_close_ns),
        }
    }
}

fn first_set(ns: u64, otherwise_ns: u64) -> u64 {
    if ns == 0 { otherwise_ns } else { ns }
}

/// Not more than the limit, if there is one.
fn capped(ns: u64, limit_ns: u64) -> u64 {
    if limit_ns == 0 { ns } else { ns.min(limit_ns) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_with_its_chain_and_a_workflow_task_with_its_run() {
        // E2. The run's limit, the chain's, and what holds.
        for (run, chain, holds) in [(0, 0, 0), (5, 0, 5), (0, 7, 7), (5, 7, 5), (9, 7, 7)] {
            assert_eq!(of_run(run, chain), holds, "{run} in {chain}");
        }
        let most = TASK_TIMEOUT_MAX_NS;
        for (task, run, holds) in [
            (0, 0, 0),
            (0, 5, 0),
            (5, 0, 5),
            (most, 0, most),
            (u64::MAX, 0, most),
            (7, 5, 5),
            (5, 7, 5),
            (u64::MAX, most + 1, most),
        ] {
            assert_eq!(of_task(task, run), holds, "{task} in {run}");
        }
    }

    fn timeouts([close, start, attempt, heartbeat]: [u64; 4]) -> Timeouts {
        Timeouts {
            schedule_to_close_ns: close,
            schedule_to_start_ns: start,
            start_to_close_ns: attempt,
            heartbeat_ns: heartbeat,
        }
    }

    #[test]
    fn what_is_left_out_is_filled_in_and_nothing_outlasts_what_it_is_part_of() {
        // A2. Schedule-to-close, schedule-to-start, start-to-close, heartbeat: as asked, the run's limit, as completed.
        for (asked, run, completed) in [
            ([9, 0, 0, 0], 0, [9, 9, 9, 0]),
            ([0, 0, 9, 0], 0, [0, 0, 9, 0]),
            ([9, 3, 4, 2], 0, [9, 3, 4, 2]),
            ([9, 30, 40, 50], 0, [9, 9, 9, 9]),
            ([0, 30, 4, 50], 0, [0, 30, 4, 4]),
            ([0, 0, 9, 0], 20, [20, 20, 9, 0]),
            ([0, 0, 90, 80], 20, [20, 20, 20, 20]),
            ([0, 90, 9, 0], 20, [20, 20, 9, 0]),
            ([90, 0, 0, 0], 20, [20, 20, 20, 0]),
            ([9, 0, 0, 30], 20, [9, 9, 9, 9]),
        ] {
            assert_eq!(
                timeouts(asked).completed(run),
                timeouts(completed),
                "{asked:?} in a run of {run}"
            );
            assert_eq!(
                timeouts(completed).completed(run),
                timeouts(completed),
                "what is complete stays: {asked:?} in a run of {run}"
            );
        }
    }
}
