//! Failures as people read them.

use longhaul_history::{failure, text::short_name};

use crate::{
    payload,
    proto::{
        enums::v1::RetryState,
        failure::v1::{Failure, failure::FailureInfo},
    },
};

/// One line for the failure and one for each of its causes, outermost first.
pub(crate) fn chain(failure: &Failure) -> Vec<String> {
    failure::chain(failure).map(line).collect()
}

/// The failure's message and those of its causes, on one line: what an error says.
pub(crate) fn headline(failure: &Failure) -> String {
    chain(failure).join(": ")
}

/// One link: its kind, its message, and what else is known of it.
fn line(link: &Failure) -> String {
    let mut line = match (failure::kind(link), link.message.as_str()) {
        (kind, "") if kind.is_empty() => "failure".to_owned(),
        (kind, "") => kind,
        (kind, message) if kind.is_empty() => message.to_owned(),
        (kind, message) => format!("{kind}: {message}"),
    };
    let notes = notes(link);
    if !notes.is_empty() {
        line = format!("{line} ({})", notes.join(", "));
    }
    line
}

fn notes(link: &Failure) -> Vec<String> {
    let mut notes = Vec::new();
    let (details, retry_state) = match &link.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => {
            if info.non_retryable {
                notes.push("non-retryable".to_owned());
            }
            (info.details.as_ref(), RetryState::Unspecified)
        }
        Some(FailureInfo::CanceledFailureInfo(info)) => (info.details.as_ref(), RetryState::Unspecified),
        Some(FailureInfo::ActivityFailureInfo(info)) => (None, info.retry_state()),
        Some(FailureInfo::ChildWorkflowExecutionFailureInfo(info)) => (None, info.retry_state()),
        _ => (None, RetryState::Unspecified),
    };
    if retry_state != RetryState::Unspecified {
        notes.push(short_name(retry_state.as_str_name(), "RETRY_STATE_"));
    }
    let details = payload::list(details);
    if !details.is_empty() {
        notes.push(format!("details {details}"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::failure::v1::ActivityFailureInfo;

    fn chained() -> Failure {
        let failure = Failure {
            message: "activity error".to_owned(),
            failure_info: Some(FailureInfo::ActivityFailureInfo(ActivityFailureInfo {
                activity_type: Some("reserve".to_owned().into()),
                retry_state: RetryState::NonRetryableFailure.into(),
                ..Default::default()
            })),
            ..Default::default()
        };
        failure::caused_by(failure, failure::application("no tea", "OutOfStock", true))
    }

    #[test]
    fn a_chain_is_told_from_the_outside_in() {
        assert_eq!(
            chain(&chained()),
            [
                "Activity(reserve): activity error (NonRetryableFailure)",
                "OutOfStock: no tea (non-retryable)"
            ]
        );
        assert_eq!(
            headline(&chained()),
            "Activity(reserve): activity error (NonRetryableFailure): OutOfStock: no tea (non-retryable)"
        );
    }

    #[test]
    fn a_failure_without_anything_still_has_a_name() {
        assert_eq!(chain(&Failure::default()), ["failure"]);
    }
}
