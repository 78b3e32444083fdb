//! When a failed activity or run is tried again (A2, E2).

use longhaul_history::{
    proto::{
        common::v1::RetryPolicy,
        enums::v1::RetryState,
        failure::v1::{Failure, failure::FailureInfo},
    },
    time,
};

/// Defaults of Temporal's server: 1 s, doubled, at most 100 times the first, without end.
pub const DEFAULT_INITIAL_INTERVAL_NS: u64 = 1_000_000_000;
/// See [`DEFAULT_INITIAL_INTERVAL_NS`].
pub const DEFAULT_BACKOFF_COEFFICIENT: f64 = 2.0;
/// See [`DEFAULT_INITIAL_INTERVAL_NS`].
pub const DEFAULT_MAXIMUM_INTERVAL_FACTOR: u64 = 100;

/// What a policy calls the timeout of an attempt: this and the timeout's name, as Temporal's server.
const TIMEOUT_TYPE_PREFIX: &str = "TemporalTimeout:";

/// A policy with its defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Wait before the second attempt, in nanoseconds.
    pub initial_interval_ns: u64,
    /// Each wait is the last one times this.
    pub backoff_coefficient: f64,
    /// No wait is longer, in nanoseconds.
    pub maximum_interval_ns: u64,
    /// Zero: no limit.
    pub maximum_attempts: u32,
    /// Failures of these types end the attempts; `TemporalTimeout:StartToClose` and `TemporalTimeout:Heartbeat` stand for timeouts.
    pub non_retryable_error_types: Vec<String>,
}

impl Policy {
    /// Fill in the defaults.
    pub fn new(policy: Option<&RetryPolicy>) -> Self {
        let policy = policy.cloned().unwrap_or_default();
        let or = |value: u64, default: u64| if value == 0 { default } else { value };
        let initial_interval_ns = or(
            policy
                .initial_interval
                .as_ref()
                .and_then(time::ns_from_duration)
                .unwrap_or(0),
            DEFAULT_INITIAL_INTERVAL_NS,
        );
        Self {
            initial_interval_ns,
            backoff_coefficient: if policy.backoff_coefficient == 0.0 {
                DEFAULT_BACKOFF_COEFFICIENT
            } else {
                policy.backoff_coefficient
            },
            maximum_interval_ns: or(
                policy
                    .maximum_interval
                    .as_ref()
                    .and_then(time::ns_from_duration)
                    .unwrap_or(0),
                initial_interval_ns.saturating_mul(DEFAULT_MAXIMUM_INTERVAL_FACTOR),
            ),
            maximum_attempts: u32::try_from(policy.maximum_attempts).unwrap_or(0),
            non_retryable_error_types: policy.non_retryable_error_types,
        }
    }

    /// As the wire has it.
    pub fn to_wire(self) -> RetryPolicy {
        RetryPolicy {
            initial_interval: Some(time::duration_from_ns(self.initial_interval_ns)),
            backoff_coefficient: self.backoff_coefficient,
            maximum_interval: Some(time::duration_from_ns(self.maximum_interval_ns)),
            maximum_attempts: i32::try_from(self.maximum_attempts).unwrap_or(i32::MAX),
            non_retryable_error_types: self.non_retryable_error_types,
        }
    }

    /// Wait after attempt number `attempt` (from 1), in nanoseconds.
    pub fn interval_after(&self, attempt: u32) -> u64 {
        // Temporal's server computes initial * coefficient^(attempt - 1) in floating point and cuts it at the maximum; beyond
        // what fits, the maximum holds.
        let factor = self
            .backoff_coefficient
            .powi(i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX));
        let interval = self.initial_interval_ns as f64 * factor;
        if interval.is_finite() && interval < self.maximum_interval_ns as f64 {
            interval as u64
        } else {
            self.maximum_interval_ns
        }
    }

    /// What follows attempt number `attempt`, which ended at `now_ns` with `failure`. `expires_ns` is the schedule-to-close limit.
    pub fn decide(&self, attempt: u32, failure: &Failure, now_ns: u64, expires_ns: Option<u64>) -> Decision {
        if !self.may_retry(failure) {
            return Decision::Stop(RetryState::NonRetryableFailure);
        }
        if self.maximum_attempts != 0 && attempt >= self.maximum_attempts {
            return Decision::Stop(RetryState::MaximumAttemptsReached);
        }
        let delay_ns = next_retry_delay(failure).unwrap_or_else(|| self.interval_after(attempt));
        let due_ns = now_ns.saturating_add(delay_ns);
        match expires_ns {
            Some(expires_ns) if due_ns > expires_ns => Decision::Stop(RetryState::Timeout),
            _ => Decision::Retry { due_ns },
        }
    }

    fn may_retry(&self, failure: &Failure) -> bool {
        match &failure.failure_info {
            Some(FailureInfo::ApplicationFailureInfo(info)) => {
                !info.non_retryable && !self.non_retryable_error_types.contains(&info.r#type)
            }
            Some(FailureInfo::ServerFailureInfo(info)) => !info.non_retryable,
            Some(FailureInfo::TimeoutFailureInfo(info)) => {
                use longhaul_history::proto::enums::v1::TimeoutType;
                let name = match info.timeout_type() {
                    TimeoutType::StartToClose => "StartToClose",
                    TimeoutType::Heartbeat => "Heartbeat",
                    _ => return false,
                };
                let ends = |listed: &String| listed.strip_prefix(TIMEOUT_TYPE_PREFIX) == Some(name);
                !self.non_retryable_error_types.iter().any(ends)
            }
            Some(FailureInfo::TerminatedFailureInfo(_) | FailureInfo::CanceledFailureInfo(_)) => false,
            _ => true,
        }
    }
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Another attempt.
    Retry {
        /// When, in nanoseconds since 1970.
        due_ns: u64,
    },
    /// None, and why.
    Stop(RetryState),
}

/// A retry policy that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// The waits would get shorter.
    #[error("the backoff coefficient is below 1")]
    Coefficient,
    /// An interval that is negative.
    #[error("the {0} is negative")]
    Negative(&'static str),
    /// The longest wait is shorter than the first.
    #[error("the maximum interval is shorter than the initial interval, which is 1 s unless it is set")]
    MaximumInterval,
}

/// Whether a policy makes sense. Zeros stand for defaults; with one attempt there is no wait, so nothing else matters, as on Temporal's
/// server.
///
/// # Errors
///
/// What does not.
pub fn check(policy: &RetryPolicy) -> Result<(), BadPolicy> {
    if policy.maximum_attempts == 1 {
        return Ok(());
    }
    let interval = |interval: Option<&time::Duration>, name| match interval {
        None => Ok(0),
        Some(interval) => time::ns_from_duration(interval).ok_or(BadPolicy::Negative(name)),
    };
    let initial_ns = interval(policy.initial_interval.as_ref(), "initial interval")?;
    let maximum_ns = interval(policy.maximum_interval.as_ref(), "maximum interval")?;
    if policy.maximum_attempts < 0 {
        return Err(BadPolicy::Negative("number of attempts"));
    }
    let coefficient = policy.backoff_coefficient;
    if coefficient != 0.0 && (coefficient < 1.0 || coefficient.is_nan()) {
        return Err(BadPolicy::Coefficient);
    }
    let initial_ns = if initial_ns == 0 {
        DEFAULT_INITIAL_INTERVAL_NS
    } else {
        initial_ns
    };
    if maximum_ns != 0 && maximum_ns < initial_ns {
        return Err(BadPolicy::MaximumInterval);
    }
    Ok(())
}

fn next_retry_delay(failure: &Failure) -> Option<u64> {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => info
            .next_retry_delay
            .as_ref()
            .and_then(time::ns_from_duration)
            .filter(|ns| *ns > 0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use longhaul_history::proto::failure::v1::{ApplicationFailureInfo, TimeoutFailureInfo};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn application(kind: &str, non_retryable: bool) -> Failure {
        Failure {
            failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
                r#type: kind.into(),
                non_retryable,
                ..Default::default()
            })),
            ..Default::default()
        }
    }

    #[test]
    fn the_default_policy_doubles_from_a_second_to_a_hundred() {
        // A2
        let policy = Policy::new(None);
        let waits: Vec<u64> = [1, 2, 3, 7, 8, 9, 1000]
            .map(|n| policy.interval_after(n) / SECOND)
            .into();
        assert_eq!(waits, [1, 2, 4, 64, 100, 100, 100]);
    }

    #[test]
    fn a_retry_that_would_start_past_schedule_to_close_is_a_timeout() {
        // A2
        let policy = Policy::new(None);
        let failure = application("X", false);
        assert_eq!(
            policy.decide(1, &failure, 0, Some(SECOND - 1)),
            Decision::Stop(RetryState::Timeout)
        );
        assert_eq!(
            policy.decide(1, &failure, 0, Some(SECOND)),
            Decision::Retry { due_ns: SECOND }
        );
    }

    #[test]
    fn flags_types_and_counts_end_the_attempts() {
        // A2
        let mut policy = Policy::new(None);
        policy.non_retryable_error_types = vec!["Fatal".into()];
        policy.maximum_attempts = 3;
        let stop = |attempt, failure: &Failure| match policy.decide(attempt, failure, 0, None) {
            Decision::Stop(state) => Some(state),
            Decision::Retry { .. } => None,
        };
        assert_eq!(
            stop(1, &application("Fatal", false)),
            Some(RetryState::NonRetryableFailure)
        );
        assert_eq!(
            stop(1, &application("X", true)),
            Some(RetryState::NonRetryableFailure)
        );
        assert_eq!(stop(2, &application("X", false)), None);
        assert_eq!(
            stop(3, &application("X", false)),
            Some(RetryState::MaximumAttemptsReached)
        );
    }

    #[test]
    fn the_failure_may_say_when() {
        // A2
        let mut failure = application("X", false);
        if let Some(FailureInfo::ApplicationFailureInfo(info)) = &mut failure.failure_info {
            info.next_retry_delay = Some(time::duration_from_ns(7 * SECOND));
        }
        assert_eq!(
            Policy::new(None).decide(5, &failure, 0, None),
            Decision::Retry { due_ns: 7 * SECOND }
        );
    }

    #[test]
    fn a_policy_may_say_that_a_timeout_ends_the_attempts() {
        // A2
        use longhaul_history::proto::enums::v1::TimeoutType;
        let policy = |types: &[&str]| Policy {
            non_retryable_error_types: types.iter().map(|name| (*name).to_owned()).collect(),
            ..Policy::new(None)
        };
        let ends = |types: &[&str], timeout: TimeoutType| {
            let mut info = TimeoutFailureInfo::default();
            info.set_timeout_type(timeout);
            let failure = Failure {
                failure_info: Some(FailureInfo::TimeoutFailureInfo(info)),
                ..Default::default()
            };
            policy(types).decide(1, &failure, 0, None) == Decision::Stop(RetryState::NonRetryableFailure)
        };
        let (attempt, beat) = (TimeoutType::StartToClose, TimeoutType::Heartbeat);
        let listed = ["Fatal", "TemporalTimeout:StartToClose"];
        assert!(ends(&listed, attempt) && !ends(&listed, beat));
        assert!(ends(&["TemporalTimeout:Heartbeat"], beat));
        for other in [
            "StartToClose",
            "TemporalTimeout:",
            "TemporalTimeout:START_TO_CLOSE",
        ] {
            assert!(!ends(&[other], attempt), "{other}");
        }
        // A failure of the code's own with that name is one by its type.
        let own = application("TemporalTimeout:Heartbeat", false);
        assert_eq!(
            policy(&["TemporalTimeout:Heartbeat"]).decide(1, &own, 0, None),
            Decision::Stop(RetryState::NonRetryableFailure)
        );
    }

    #[test]
    fn schedule_to_start_is_never_retried() {
        // A2
        let mut info = TimeoutFailureInfo::default();
        info.set_timeout_type(longhaul_history::proto::enums::v1::TimeoutType::ScheduleToStart);
        let failure = Failure {
            failure_info: Some(FailureInfo::TimeoutFailureInfo(info)),
            ..Default::default()
        };
        assert_eq!(
            Policy::new(None).decide(1, &failure, 0, None),
            Decision::Stop(RetryState::NonRetryableFailure)
        );
    }
}
