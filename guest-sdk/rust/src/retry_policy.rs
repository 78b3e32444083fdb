//! When and how often something that failed is tried again.

use std::time::Duration;

use crate::bindings::workflow::longhaul::workflow::types;
use crate::options::nanos;

const DEFAULT_INITIAL_INTERVAL: Duration = Duration::from_secs(1);
const DEFAULT_BACKOFF_COEFFICIENT: f64 = 2.0;

/// When and how often a failed activity or workflow is tried again.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    initial_interval: Duration,
    backoff_coefficient: f64,
    maximum_interval: Option<Duration>,
    maximum_attempts: u32,
    non_retryable_error_types: Vec<String>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::builder().build()
    }
}

#[bon::bon]
impl RetryPolicy {
    /// A policy. What is not set: 1 s, twice as long each time, at most 100 times as long, without end.
    #[builder(state_mod(vis = "pub"))]
    pub fn new(
        #[builder(default = DEFAULT_INITIAL_INTERVAL)] initial_interval: Duration,
        #[builder(default = DEFAULT_BACKOFF_COEFFICIENT)] backoff_coefficient: f64,
        maximum_interval: Option<Duration>,
        #[builder(default)] maximum_attempts: u32,
        #[builder(
            with = |values: impl IntoIterator<Item = impl Into<String>>| values.into_iter().map(Into::into).collect(),
            default
        )]
        non_retryable_error_types: Vec<String>,
    ) -> Self {
        Self {
            initial_interval,
            backoff_coefficient,
            maximum_interval,
            maximum_attempts,
            non_retryable_error_types,
        }
    }

    /// The wait before the second attempt.
    pub fn initial_interval(&self) -> Duration {
        self.initial_interval
    }

    /// Set the wait before the second attempt.
    pub fn set_initial_interval(&mut self, initial_interval: Duration) -> &mut Self {
        self.initial_interval = initial_interval;
        self
    }

    /// How much longer each further wait is.
    pub fn backoff_coefficient(&self) -> f64 {
        self.backoff_coefficient
    }

    /// Set how much longer each further wait is.
    pub fn set_backoff_coefficient(&mut self, backoff_coefficient: f64) -> &mut Self {
        self.backoff_coefficient = backoff_coefficient;
        self
    }

    /// No wait is longer.
    pub fn maximum_interval(&self) -> Option<Duration> {
        self.maximum_interval
    }

    /// Set the longest wait.
    pub fn set_maximum_interval(&mut self, maximum_interval: Option<Duration>) -> &mut Self {
        self.maximum_interval = maximum_interval;
        self
    }

    /// Attempts in all; zero: no limit.
    pub fn maximum_attempts(&self) -> u32 {
        self.maximum_attempts
    }

    /// Set the attempts in all; zero: no limit.
    pub fn set_maximum_attempts(&mut self, maximum_attempts: u32) -> &mut Self {
        self.maximum_attempts = maximum_attempts;
        self
    }

    /// Application failures of these types end the attempts.
    pub fn non_retryable_error_types(&self) -> &[String] {
        &self.non_retryable_error_types
    }

    /// Set the types of application failures that end the attempts.
    pub fn set_non_retryable_error_types(
        &mut self,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) -> &mut Self {
        self.non_retryable_error_types = values.into_iter().map(Into::into).collect();
        self
    }
}

impl From<RetryPolicy> for types::RetryPolicy {
    fn from(policy: RetryPolicy) -> Self {
        Self {
            initial_interval: nanos(policy.initial_interval),
            backoff_coefficient: policy.backoff_coefficient,
            maximum_interval: policy.maximum_interval.map(nanos).unwrap_or_default(),
            maximum_attempts: policy.maximum_attempts,
            non_retryable_error_types: policy.non_retryable_error_types,
        }
    }
}

impl From<types::RetryPolicy> for RetryPolicy {
    fn from(policy: types::RetryPolicy) -> Self {
        let or = |nanos: u64, default| {
            if nanos == 0 {
                default
            } else {
                Duration::from_nanos(nanos)
            }
        };
        Self {
            initial_interval: or(policy.initial_interval, DEFAULT_INITIAL_INTERVAL),
            backoff_coefficient: if policy.backoff_coefficient == 0.0 {
                DEFAULT_BACKOFF_COEFFICIENT
            } else {
                policy.backoff_coefficient
            },
            maximum_interval: (policy.maximum_interval > 0)
                .then(|| Duration::from_nanos(policy.maximum_interval)),
            maximum_attempts: policy.maximum_attempts,
            non_retryable_error_types: policy.non_retryable_error_types,
        }
    }
}
