//! How much an attempt may give back (B2), whoever has run it.
//!
//! What is too large ends the activity in a way that its workflow can see, as on Temporal's server: the code would only give the same
//! again.

use longhaul_engine::execution::AttemptEnd;
use longhaul_history::{
    Limits, failure,
    proto::{common::v1::Payloads, failure::v1::Failure},
};
use prost::Message as _;

use crate::{Error, requests::check};

/// Reasons of Temporal's server for ending an activity that has given too much.
const RESULT_TOO_LARGE: &str = "COMPLETE_RESULT_EXCEEDS_LIMIT";
const DETAILS_TOO_LARGE: &str = "CANCEL_DETAILS_EXCEEDS_LIMIT";
pub(crate) const FAILURE_TOO_LARGE: &str = "FAILURE_EXCEEDS_LIMIT";
pub(crate) const HEARTBEAT_TOO_LARGE: &str = "HEARTBEAT_EXCEEDS_LIMIT";

/// What is kept of a failure that is too large: characters of its message.
const KEPT_CHARS: usize = 2_000;

/// The end of an attempt if it is not too large; else one that says so.
pub(crate) fn within(limits: &Limits, end: AttemptEnd) -> AttemptEnd {
    match end {
        AttemptEnd::Completed(result) if check::payloads(limits, "Result", Some(&result)).is_err() => {
            too_large(RESULT_TOO_LARGE, None)
        }
        AttemptEnd::Cancelled(details) if check::payloads(limits, "Details", Some(&details)).is_err() => {
            too_large(DETAILS_TOO_LARGE, None)
        }
        AttemptEnd::Failed(failure) if is_too_large(limits, &failure) => {
            too_large(FAILURE_TOO_LARGE, Some(shortened(&failure)))
        }
        AttemptEnd::Failed(failure) => {
            AttemptEnd::Failed(Box::new(failure::cap(*failure, failure::MAX_LINKS)))
        }
        end @ (AttemptEnd::Completed(_)
        | AttemptEnd::Cancelled(_)
        | AttemptEnd::HandedOver
        | AttemptEnd::Lost) => end,
    }
}

pub(crate) fn is_too_large(limits: &Limits, failure: &Failure) -> bool {
    failure.encoded_len() > limits.payload_bytes
}

/// Whether the details of a heartbeat can be kept. If not, the attempt ends [so](heartbeat_too_large).
pub(crate) fn heartbeat(limits: &Limits, details: Option<&Payloads>) -> Result<(), Error> {
    check::payloads(limits, "Heartbeat details", details)
}

/// The end of an attempt with such a heartbeat.
pub(crate) fn heartbeat_too_large() -> AttemptEnd {
    too_large(HEARTBEAT_TOO_LARGE, None)
}

fn too_large(reason: &str, cause: Option<Failure>) -> AttemptEnd {
    let mut failure = failure::server(reason, true);
    failure.cause = cause.map(Box::new);
    AttemptEnd::Failed(Box::new(failure))
}

/// What is kept of a failure that is too large: what it says first.
fn shortened(failure: &Failure) -> Failure {
    Failure {
        message: failure.message.chars().take(KEPT_CHARS).collect(),
        source: failure.source.clone(),
        ..Default::default()
    }
}
