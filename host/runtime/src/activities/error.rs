//! How an attempt ends without a result.

use std::{fmt, time::Duration};

use longhaul_engine::execution::AttemptEnd;
use longhaul_history::failure;
use longhaul_history::proto::{
    common::v1::Payloads,
    failure::v1::{Failure, failure::FailureInfo},
};
use serde::Serialize;

/// How an attempt ends without a result. Every error of Rust becomes a failure that is retried.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// It failed. The retry policy decides whether there is another attempt.
    Failed(Box<Failure>),
    /// It stopped because it was cancelled; the payloads are details for the workflow.
    Cancelled(Payloads),
    /// Somebody else will complete it, by its task token or its id.
    WillCompleteAsync,
}

impl Error {
    /// Failed, with a text and a type that retry policies know it by.
    pub fn failed(message: impl Into<String>, failure_type: &str) -> Self {
        Self::Failed(Box::new(failure::application(
            message.into(),
            failure_type,
            false,
        )))
    }

    /// The same failure, but no other attempt follows.
    #[must_use]
    pub fn non_retryable(mut self) -> Self {
        if let Self::Failed(failure) = &mut self
            && let Some(FailureInfo::ApplicationFailureInfo(info)) = &mut failure.failure_info
        {
            info.non_retryable = true;
        }
        self
    }

    /// The same failure, but the next attempt follows after this time, whatever the retry policy says.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        if let Self::Failed(failure) = &mut self
            && let Some(FailureInfo::ApplicationFailureInfo(info)) = &mut failure.failure_info
        {
            info.next_retry_delay = delay.try_into().ok();
        }
        self
    }

    /// Cancelled, without details.
    pub fn cancelled() -> Self {
        Self::Cancelled(Payloads::default())
    }

    /// Cancelled, with a value as details. A value that cannot be written is left out.
    pub fn cancelled_with(details: &impl Serialize) -> Self {
        let payloads = super::encode(details).into_iter().collect();
        Self::Cancelled(Payloads { payloads })
    }

    pub(super) fn into_end(self) -> AttemptEnd {
        match self {
            Self::Failed(failure) => AttemptEnd::Failed(failure),
            Self::Cancelled(details) => AttemptEnd::Cancelled(details),
            Self::WillCompleteAsync => AttemptEnd::HandedOver,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => f.write_str(&failure.message),
            Self::Cancelled(_) => f.write_str("cancelled"),
            Self::WillCompleteAsync => f.write_str("completed by somebody else"),
        }
    }
}

/// The chain of causes becomes the failure's.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        fn of(error: &dyn std::error::Error) -> Failure {
            let mut failure = failure::application(error.to_string(), "Error", false);
            failure.cause = error.source().map(|source| Box::new(of(source)));
            failure
        }
        Self::Failed(Box::new(of(&error)))
    }
}
