//! A failure and its causes as a tree, and as the list that crosses the boundary to the host.

use std::fmt;

use crate::bindings::workflow::longhaul::workflow::types as wit;
pub use crate::bindings::workflow::longhaul::workflow::types::FailureInfo;
use crate::data_converters::Payload;

/// What this SDK writes into [`Failure::source`].
pub const SOURCE: &str = "RustSDK";

/// A failure as history keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// For people.
    pub message: String,
    /// Which SDK made it.
    pub source: String,
    /// Where it was raised, or empty.
    pub stack_trace: String,
    /// Message and stack trace, where a converter hides them from the server.
    pub encoded_attributes: Option<Box<Payload>>,
    /// Which kind of failure it is.
    pub info: Box<FailureInfo>,
    /// What caused it.
    pub cause: Option<Box<Failure>>,
}

impl Failure {
    /// A failure of a kind, made here.
    pub fn new(message: impl Into<String>, info: FailureInfo) -> Self {
        Self {
            message: message.into(),
            source: SOURCE.to_owned(),
            stack_trace: String::new(),
            encoded_attributes: None,
            info: Box::new(info),
            cause: None,
        }
    }

    /// The same failure with a cause.
    #[must_use]
    pub fn with_cause(mut self, cause: Failure) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// An application failure of a type.
    pub(crate) fn application(type_name: &str, message: impl Into<String>) -> Self {
        Self::new(
            message,
            FailureInfo::Application(wit::ApplicationFailure {
                type_: type_name.to_owned(),
                non_retryable: false,
                details: Vec::new(),
                next_retry_delay: None,
                benign: false,
            }),
        )
    }

    /// A cancellation without details.
    pub(crate) fn cancelled(message: impl Into<String>) -> Self {
        Self::new(message, FailureInfo::Cancelled(Vec::new()))
    }

    /// Read the list form, outermost first. An empty list, which the contract excludes, is a failure without a message.
    pub(crate) fn from_wit(chain: Vec<wit::FailureCause>) -> Self {
        let mut inner = None;
        for link in chain.into_iter().rev() {
            inner = Some(Box::new(Self {
                message: link.message,
                source: link.source,
                stack_trace: link.stack_trace,
                encoded_attributes: link.encoded_attributes.map(Box::new),
                info: Box::new(link.info),
                cause: inner,
            }));
        }
        inner.map_or_else(|| Self::new("", FailureInfo::None), |failure| *failure)
    }

    /// The list form, outermost first.
    pub(crate) fn into_wit(self) -> Vec<wit::FailureCause> {
        let mut chain = Vec::new();
        let mut next = Some(Box::new(self));
        while let Some(failure) = next {
            chain.push(wit::FailureCause {
                message: failure.message,
                source: failure.source,
                stack_trace: failure.stack_trace,
                encoded_attributes: failure.encoded_attributes.map(|payload| *payload),
                info: *failure.info,
            });
            next = failure.cause;
        }
        chain
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = self.cause.as_deref();
        while let Some(failure) = cause {
            write!(f, ": {}", failure.message)?;
            cause = failure.cause.as_deref();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_form_keeps_every_link() {
        let failure = Failure::application("Outer", "a")
            .with_cause(Failure::application("Middle", "b").with_cause(Failure::cancelled("c")));
        assert_eq!(failure.to_string(), "a: b: c");
        assert_eq!(Failure::from_wit(failure.clone().into_wit()), failure);
        assert_eq!(failure.into_wit().len(), 3);
    }
}
