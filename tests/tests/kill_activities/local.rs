//! What a history says of its local activities, and whether that is sound.

use std::collections::BTreeSet;

use longhaul_history::{
    HistoryEvent, payload,
    proto::{
        enums::v1::TimeoutType,
        failure::v1::{Failure, failure::FailureInfo},
        history::v1::history_event::Attributes,
    },
};
use serde_json::Value;

use crate::outcome::{python_json, value};

/// Ends of local activities in each execution that has some.
pub(crate) const EACH: usize = 7;

/// A marker: the end of one call of a local activity.
#[derive(Debug)]
pub(crate) struct End {
    seq: u64,
    activity_type: String,
    /// The attempt that it says it is of.
    pub(crate) attempt: u64,
    outcome: Outcome,
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Completed(Value),
    /// The code waits, and calls it again.
    BacksOff,
    TimedOut(TimeoutType),
    Failed(Box<Failure>),
}

/// The ends of a history's local activities, in order.
pub(crate) fn of(events: &[HistoryEvent]) -> Vec<End> {
    let marker = |event: &HistoryEvent| match event.attributes.as_ref().unwrap() {
        Attributes::MarkerRecordedEventAttributes(marker) => Some(marker.clone()),
        _ => None,
    };
    let end = |event| {
        let marker = marker(event)?;
        assert_eq!(marker.marker_name, "core_local_activity", "{marker:?}");
        let data = payload::to_json(&marker.details["data"].payloads[0]).unwrap();
        let outcome = match marker.failure {
            _ if !data["backoff"].is_null() => Outcome::BacksOff,
            None => Outcome::Completed(value(marker.details.get("result"))),
            Some(failure) => match &failure.failure_info {
                Some(FailureInfo::TimeoutFailureInfo(info)) => Outcome::TimedOut(info.timeout_type()),
                _ => Outcome::Failed(Box::new(failure)),
            },
        };
        Some(End {
            seq: data["seq"].as_u64().unwrap(),
            activity_type: data["activity_type"].as_str().unwrap().to_owned(),
            attempt: data["attempt"].as_u64().unwrap(),
            outcome,
        })
    };
    events.iter().filter_map(end).collect()
}

/// Checks the ends of an execution's local activities. What the workflow has seen of them.
pub(crate) fn check(id: &str, ends: &[End]) -> Vec<String> {
    let numbers: BTreeSet<u64> = ends.iter().map(|end| end.seq).collect();
    assert_eq!(numbers.len(), ends.len(), "{id}: one has ended twice: {ends:?}");
    let (mut log, mut seen) = (Vec::new(), Vec::new());
    for end in ends {
        let about = format!("{id} {end:?}");
        let kind = end.activity_type.as_str();
        let line = match (kind, &end.outcome) {
            ("echo" | "slow", Outcome::Completed(result)) => {
                assert_eq!(end.attempt, 1, "{about}");
                format!("{kind}={}", python_json(result))
            }
            // Its attempts are counted in place, and by its code over a long wait.
            ("flaky", Outcome::Completed(result)) => {
                assert_eq!(result.as_u64(), Some(end.attempt), "{about}");
                format!("{kind}={}", end.attempt)
            }
            ("flaky", Outcome::BacksOff) => {
                assert_eq!(end.attempt, 1, "{about}");
                log.push("flaky backs off".to_owned());
                continue;
            }
            ("slow", Outcome::TimedOut(TimeoutType::StartToClose)) => {
                assert_eq!(end.attempt, 2, "{about}");
                "slow failed: timeout START_TO_CLOSE".to_owned()
            }
            _ => panic!("{about}"),
        };
        log.push(line.clone());
        seen.push(line);
    }
    log.sort();
    let wanted: [&str; EACH] = [
        "echo=\"last\"",
        "echo=\"x\"",
        "flaky backs off",
        "flaky=2",
        "flaky=3",
        "slow failed: timeout START_TO_CLOSE",
        "slow=1200",
    ];
    assert_eq!(log, wanted, "{id}");
    seen
}

/// How many workflow tasks have completed.
pub(crate) fn tasks(events: &[HistoryEvent]) -> usize {
    count(events, |attributes| {
        matches!(attributes, Attributes::WorkflowTaskCompletedEventAttributes(_))
    })
}

/// How many signals there are.
pub(crate) fn signals(events: &[HistoryEvent]) -> usize {
    count(events, |attributes| {
        matches!(
            attributes,
            Attributes::WorkflowExecutionSignaledEventAttributes(_)
        )
    })
}

fn count(events: &[HistoryEvent], is: impl Fn(&Attributes) -> bool) -> usize {
    events
        .iter()
        .filter(|event| is(event.attributes.as_ref().unwrap()))
        .count()
}
