//! Failures: making them, walking their chain of causes, showing them on one line.
//!
//! A failure is Temporal's `Failure` protobuf: a message, what kind it is, and the failure that caused it, if any.

use crate::{
    proto::{
        common::v1::{ActivityType, Payloads},
        enums::v1::{RetryState, TimeoutType},
        failure::v1::{
            ActivityFailureInfo, ApplicationFailureInfo, CanceledFailureInfo,
            ChildWorkflowExecutionFailureInfo, Failure, ServerFailureInfo, TerminatedFailureInfo,
            TimeoutFailureInfo, failure::FailureInfo,
        },
    },
    text::short_name,
};

/// Links of a failure's chain that are kept, the failure itself included.
///
/// Protobuf decoders refuse messages that are nested more than 100 deep. A failure is nested in its event, its page of
/// history and its response, and every activity and child workflow that it passes through wraps it once more.
pub const MAX_LINKS: usize = 64;

/// The `source` of failures that Longhaul itself makes; Temporal's server sends the same.
pub const SERVER_SOURCE: &str = "Server";

/// The `source` of what [`waits`] makes.
const WAITS_SOURCE: &str = "longhaul";

/// Why something that could go on waits, where the wire has room for a failure only; `cause` is the failure that it would have shown.
#[must_use]
pub fn waits(why: impl Into<String>, cause: Option<Failure>) -> Failure {
    let failure = Failure {
        message: why.into(),
        source: WAITS_SOURCE.to_owned(),
        ..Default::default()
    };
    match cause {
        Some(cause) => caused_by(failure, cause),
        None => failure,
    }
}

/// What [`waits`] has made, taken apart: why, and the failure that is one. Of any other failure: nothing, and itself.
#[must_use]
pub fn why_it_waits(failure: &Failure) -> (Option<&str>, Option<&Failure>) {
    if failure.source == WAITS_SOURCE && failure.failure_info.is_none() {
        (Some(&failure.message), failure.cause.as_deref())
    } else {
        (None, Some(failure))
    }
}

/// A failure that user code declares. `error_type` is what retry policies and callers tell errors apart by.
#[must_use]
pub fn application(
    message: impl Into<String>,
    error_type: impl Into<String>,
    non_retryable: bool,
) -> Failure {
    let info = ApplicationFailureInfo {
        r#type: error_type.into(),
        non_retryable,
        ..Default::default()
    };
    of(message, FailureInfo::ApplicationFailureInfo(info))
}

/// Something did not end in time. The message is Temporal's: `activity StartToClose timeout`.
///
/// `cause` is the last attempt's failure, if one had failed before the time ran out.
#[must_use]
pub fn activity_timeout(
    timeout_type: TimeoutType,
    last_heartbeat_details: Option<Payloads>,
    cause: Option<Failure>,
) -> Failure {
    let message = format!(
        "activity {} timeout",
        short_name(timeout_type.as_str_name(), "TIMEOUT_TYPE_")
    );
    let info = TimeoutFailureInfo {
        timeout_type: timeout_type.into(),
        last_heartbeat_details,
    };
    let failure = Failure {
        source: SERVER_SOURCE.to_owned(),
        ..of(message, FailureInfo::TimeoutFailureInfo(info))
    };
    match cause {
        Some(cause) => caused_by(failure, cause),
        None => failure,
    }
}

/// Something was cancelled; the payloads are details that its code gave.
#[must_use]
pub fn cancelled(message: impl Into<String>, details: impl Into<Option<Payloads>>) -> Failure {
    let info = CanceledFailureInfo {
        details: details.into(),
        ..Default::default()
    };
    of(message, FailureInfo::CanceledFailureInfo(info))
}

/// An execution was terminated.
#[must_use]
pub fn terminated(message: impl Into<String>) -> Failure {
    of(
        message,
        FailureInfo::TerminatedFailureInfo(TerminatedFailureInfo::default()),
    )
}

/// The server failed.
#[must_use]
pub fn server(message: impl Into<String>, non_retryable: bool) -> Failure {
    let failure = of(
        message,
        FailureInfo::ServerFailureInfo(ServerFailureInfo { non_retryable }),
    );
    Failure {
        source: SERVER_SOURCE.to_owned(),
        ..failure
    }
}

/// What a workflow sees when an activity failed; `cause` tells why.
#[must_use]
pub fn activity(activity: Activity, cause: Failure) -> Failure {
    let info = ActivityFailureInfo {
        scheduled_event_id: activity.scheduled_event_id,
        started_event_id: activity.started_event_id,
        identity: activity.identity,
        activity_type: Some(ActivityType {
            name: activity.activity_type,
        }),
        activity_id: activity.activity_id,
        retry_state: activity.retry_state.into(),
    };
    caused_by(
        of("activity error", FailureInfo::ActivityFailureInfo(info)),
        cause,
    )
}

/// What a workflow sees when a child failed; `cause` tells why.
#[must_use]
pub fn child_workflow(child: ChildWorkflowExecutionFailureInfo, cause: Failure) -> Failure {
    caused_by(
        of(
            "child workflow execution error",
            FailureInfo::ChildWorkflowExecutionFailureInfo(child),
        ),
        cause,
    )
}

/// Which activity failed; see [`activity`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Activity {
    /// Its ActivityTaskScheduled event.
    pub scheduled_event_id: i64,
    /// Its ActivityTaskStarted event.
    pub started_event_id: i64,
    /// Who ran the last attempt.
    pub identity: String,
    /// The activity's type.
    pub activity_type: String,
    /// The activity's id in its execution.
    pub activity_id: String,
    /// Why there was no further attempt.
    pub retry_state: RetryState,
}

/// `failure`, caused by `cause`. At most [`MAX_LINKS`] links are kept.
#[must_use]
pub fn caused_by(failure: Failure, cause: Failure) -> Failure {
    let failure = Failure {
        cause: Some(Box::new(cause)),
        ..failure
    };
    cap(failure, MAX_LINKS)
}

/// The failure and its causes, outermost first.
pub fn chain(failure: &Failure) -> impl Iterator<Item = &Failure> {
    std::iter::successors(Some(failure), |failure| failure.cause.as_deref())
}

/// The links of a failure, outermost first, each without its cause.
#[must_use]
pub fn into_links(failure: Failure) -> Vec<Failure> {
    let mut links = Vec::new();
    let mut next = Some(Box::new(failure));
    while let Some(mut failure) = next {
        next = failure.cause.take();
        links.push(*failure);
    }
    links
}

/// The failure whose links these are, outermost first; `None` if there are none.
///
/// A cause that a link has already is replaced. At most [`MAX_LINKS`] links are kept; what is left out is counted in the
/// last one's message.
#[must_use]
pub fn from_links(links: impl IntoIterator<Item = Failure>) -> Option<Failure> {
    let mut links = links.into_iter();
    let mut kept: Vec<Failure> = links.by_ref().take(MAX_LINKS).collect();
    let omitted = links.count();
    if let Some(last) = kept.last_mut().filter(|_| omitted > 0) {
        note_omitted(last, omitted);
    }
    kept.into_iter()
        .rev()
        .fold(None, |cause: Option<Box<Failure>>, link| {
            Some(Box::new(Failure { cause, ..link }))
        })
        .map(|failure| *failure)
}

/// The failure with at most `max_links` links (at least 1); what is left out is counted in the last one's message.
///
/// Failures that come from outside (guests, clients, workers) go through this before they become part of an event, so that
/// every event can be read back.
#[must_use]
pub fn cap(mut failure: Failure, max_links: usize) -> Failure {
    let mut last = &mut failure;
    for _ in 1..max_links.max(1) {
        match last.cause {
            Some(ref mut cause) => last = cause,
            None => return failure,
        }
    }
    if let Some(rest) = last.cause.take() {
        note_omitted(last, into_links(*rest).len());
    }
    failure
}

fn note_omitted(failure: &mut Failure, count: usize) {
    failure.message = format!("{} ({count} further causes left out)", failure.message);
}

/// The failure and its causes on one line: `Activity(charge): activity error <- Declined: no money`.
///
/// Line breaks in messages are shown as `\n`.
#[must_use]
pub fn one_line(failure: &Failure) -> String {
    chain(failure).map(link).collect::<Vec<_>>().join(" <- ")
}

/// One link of [`one_line`], without its causes.
fn link(failure: &Failure) -> String {
    let message = failure.message.replace('\n', "\\n").replace('\r', "\\r");
    match (kind(failure), message.is_empty()) {
        (kind, _) if kind.is_empty() => message,
        (kind, true) => kind,
        (kind, false) => format!("{kind}: {message}"),
    }
}

/// What kind of failure this is, in a word: an application failure's own type, else the kind and what it is about.
///
/// Empty for a failure that has only a message.
#[must_use]
pub fn kind(failure: &Failure) -> String {
    let Some(info) = &failure.failure_info else {
        return String::new();
    };
    match info {
        FailureInfo::ApplicationFailureInfo(info) => info.r#type.clone(),
        FailureInfo::TimeoutFailureInfo(info) => {
            format!(
                "Timeout({})",
                short_name(info.timeout_type().as_str_name(), "TIMEOUT_TYPE_")
            )
        }
        FailureInfo::CanceledFailureInfo(_) => "Canceled".to_owned(),
        FailureInfo::TerminatedFailureInfo(_) => "Terminated".to_owned(),
        FailureInfo::ServerFailureInfo(_) => "Server".to_owned(),
        FailureInfo::ResetWorkflowFailureInfo(_) => "ResetWorkflow".to_owned(),
        FailureInfo::ActivityFailureInfo(info) => {
            format!(
                "Activity({})",
                info.activity_type
                    .as_ref()
                    .map_or(info.activity_id.as_str(), |kind| &kind.name)
            )
        }
        FailureInfo::ChildWorkflowExecutionFailureInfo(info) => {
            format!(
                "ChildWorkflow({})",
                info.workflow_type.as_ref().map_or("", |kind| &kind.name)
            )
        }
        FailureInfo::NexusOperationExecutionFailureInfo(info) => {
            format!("NexusOperation({})", info.operation)
        }
        FailureInfo::NexusHandlerFailureInfo(info) => format!("NexusHandler({})", info.r#type),
    }
}

fn of(message: impl Into<String>, info: FailureInfo) -> Failure {
    Failure {
        message: message.into(),
        failure_info: Some(info),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbered(count: usize) -> Vec<Failure> {
        (0..count)
            .map(|index| application(format!("link {index}"), "Link", false))
            .collect()
    }

    #[test]
    fn a_chain_reads_on_one_line() {
        let cause = application("no\nmoney", "Declined", true);
        let failure = activity(
            Activity {
                activity_type: "charge".to_owned(),
                ..Default::default()
            },
            cause,
        );
        assert_eq!(
            one_line(&failure),
            "Activity(charge): activity error <- Declined: no\\nmoney"
        );
        let timeout = activity_timeout(TimeoutType::StartToClose, None, None);
        assert_eq!(
            one_line(&timeout),
            "Timeout(StartToClose): activity StartToClose timeout"
        );
        assert_eq!(
            one_line(&Failure {
                message: "plain".to_owned(),
                ..Default::default()
            }),
            "plain"
        );
        assert_eq!(one_line(&application("", "Only", false)), "Only");
    }

    #[test]
    fn why_something_waits_is_told_apart_from_its_last_failure() {
        let failed = application("no", "Declined", false);
        assert_eq!(why_it_waits(&failed), (None, Some(&failed)));
        assert_eq!(
            why_it_waits(&waits("nobody polls", Some(failed.clone()))),
            (Some("nobody polls"), Some(&failed))
        );
        assert_eq!(
            why_it_waits(&waits("nobody polls", None)),
            (Some("nobody polls"), None)
        );
    }

    #[test]
    fn a_cap_counts_what_it_leaves_out() {
        let failure = cap(from_links(numbered(5)).unwrap(), 3);
        assert_eq!(
            one_line(&failure),
            "Link: link 0 <- Link: link 1 <- Link: link 2 (2 further causes left out)"
        );
        assert_eq!(
            chain(&cap(failure.clone(), 0)).count(),
            1,
            "the failure itself always stays"
        );
        assert_eq!(cap(failure.clone(), 3), failure);
    }

    #[test]
    fn no_helper_makes_a_chain_that_is_too_long() {
        let mut failure = application("first", "E", false);
        for _ in 0..1_000 {
            failure = activity(Activity::default(), failure);
        }
        assert_eq!(chain(&failure).count(), MAX_LINKS);
        assert_eq!(chain(&from_links(numbered(100_000)).unwrap()).count(), MAX_LINKS);
    }

    proptest! {
        #[test]
        fn links_survive(count in 1usize..=MAX_LINKS) {
            let failure = from_links(numbered(count)).unwrap();
            prop_assert_eq!(chain(&failure).count(), count);
            prop_assert_eq!(into_links(failure), numbered(count));
        }
    }
}
