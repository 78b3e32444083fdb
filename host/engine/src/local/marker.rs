//! The marker that records how a local activity ended (A5), as Temporal's Core SDK writes and reads it.

use std::collections::HashMap;

use longhaul_history::{
    payload,
    proto::{
        common::v1 as common,
        enums::v1::RetryState,
        failure::v1::{ActivityFailureInfo, Failure, failure::FailureInfo},
        history::v1::{HistoryEvent, MarkerRecordedEventAttributes, history_event::Attributes},
    },
    time,
};
use serde_json::{Value, json};

use crate::Outcome;

/// The marker's name.
const NAME: &str = "core_local_activity";
/// Where the marker says which activity it is of.
const DATA: &str = "data";
/// Where it has the result.
const RESULT: &str = "result";

/// The type of activity as which a side effect is recorded.
const SIDE_EFFECT: &str = "SideEffect";

/// How a local activity ended, or the value of a side effect: to Temporal's tools that is one, of a type of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalMarker {
    /// Its number.
    pub seq: u32,
    /// Its id.
    pub activity_id: String,
    /// Its type.
    pub activity_type: String,
    /// The number of its last attempt.
    pub attempt: u32,
    /// The workflow's time from then on, in nanoseconds since 1970. None: the code has cancelled it, and does not wait for its end.
    pub complete_time_ns: Option<u64>,
    /// When the first of all attempts was scheduled, in nanoseconds since 1970. None: nobody has to know.
    pub original_schedule_ns: Option<u64>,
    /// The wait that the code has to make before the next attempt, in nanoseconds.
    pub backoff_ns: Option<u64>,
    /// In which activation of its task the code was told, counted from 0. Where there are side effects, Temporal's Core SDK would have
    /// made one for each.
    pub round: u64,
    /// It is of a side effect.
    pub side_effect: bool,
    /// The result, or what went wrong.
    pub result: Result<common::Payloads, Box<Failure>>,
    /// For tools to show.
    pub summary: Option<String>,
}

impl LocalMarker {
    /// The marker of a side effect that got its value at `time_ns`, in nanoseconds since 1970.
    pub fn of_side_effect(
        seq: u32,
        value: common::Payload,
        summary: Option<String>,
        time_ns: u64,
        round: u64,
    ) -> Self {
        Self {
            seq,
            activity_id: seq.to_string(),
            activity_type: SIDE_EFFECT.into(),
            attempt: 1,
            complete_time_ns: Some(time_ns),
            original_schedule_ns: Some(time_ns),
            backoff_ns: None,
            round,
            side_effect: true,
            result: Ok(common::Payloads {
                payloads: vec![value],
            }),
            summary,
        }
    }

    /// A side effect's number and its value. None: it is of a local activity.
    pub(crate) fn into_side_effect(self) -> Option<(u32, common::Payload)> {
        let value = self.result.ok()?.payloads.into_iter().next()?;
        self.side_effect.then_some((self.seq, value))
    }

    /// None: the event is no such marker, or one that cannot be read.
    pub fn of(event: &HistoryEvent) -> Option<Self> {
        let Some(Attributes::MarkerRecordedEventAttributes(marker)) = &event.attributes else {
            return None;
        };
        if marker.marker_name != NAME {
            return None;
        }
        let data = payload::to_json(marker.details.get(DATA)?.payloads.first()?)?;
        let number = |name: &str| data.get(name).and_then(Value::as_u64);
        let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
        let result = match &marker.failure {
            Some(failure) => Err(Box::new(failure.clone())),
            None => Ok(marker.details.get(RESULT).cloned().unwrap_or_default()),
        };
        Some(Self {
            seq: u32::try_from(number("seq")?).ok()?,
            activity_id: text("activity_id")?,
            activity_type: text("activity_type")?,
            attempt: u32::try_from(number("attempt")?).ok()?,
            complete_time_ns: ns_of(data.get("complete_time")),
            original_schedule_ns: ns_of(data.get("original_schedule_time")),
            backoff_ns: ns_of(data.get("backoff")),
            round: number("activation_index").unwrap_or(0),
            side_effect: data.get("side_effect") == Some(&Value::Bool(true)),
            result,
            summary: None,
        })
    }

    /// What the event says.
    pub(crate) fn attributes(self, completed: i64) -> MarkerRecordedEventAttributes {
        let seconds = |ns: u64| {
            let time = time::timestamp_from_ns(ns);
            json!({"seconds": time.seconds, "nanos": time.nanos})
        };
        let mut data = json!({
            "seq": self.seq,
            "attempt": self.attempt,
            "activity_id": self.activity_id,
            "activity_type": self.activity_type,
            "complete_time": self.complete_time_ns.map(seconds),
            "backoff": self.backoff_ns.map(seconds),
            "original_schedule_time": self.original_schedule_ns.map(seconds),
            "activation_index": self.round,
        });
        if self.side_effect {
            data["side_effect"] = true.into();
        }
        let data = payload::json_payload(&data);
        let mut details = HashMap::from([(DATA.to_owned(), common::Payloads { payloads: vec![data] })]);
        let failure = match self.result {
            Ok(mut result) => {
                if result.payloads.is_empty() {
                    // Core tells success from failure by it.
                    result.payloads.push(payload::null_payload());
                }
                details.insert(RESULT.to_owned(), result);
                None
            }
            Err(failure) => Some(*failure),
        };
        MarkerRecordedEventAttributes {
            marker_name: NAME.into(),
            details,
            failure,
            workflow_task_completed_event_id: completed,
            ..Default::default()
        }
    }

    /// What the code is told. It depends on nothing but what the marker's event holds, so that a replay tells the same.
    pub fn outcome(&self) -> Outcome {
        if let Some(delay_ns) = self.backoff_ns {
            return Outcome::Backoff {
                attempt: self.attempt.saturating_add(1),
                delay_ns,
                original_schedule_ns: self.original_schedule_ns.unwrap_or(0),
            };
        }
        let failure = match &self.result {
            Ok(result) if result.payloads.is_empty() => {
                let payloads = vec![payload::null_payload()];
                return Outcome::Completed(common::Payloads { payloads });
            }
            Ok(result) => return Outcome::Completed(result.clone()),
            Err(failure) => failure,
        };
        // As in Temporal's Core SDK, what the activity itself has failed with comes as it is.
        match &failure.failure_info {
            Some(FailureInfo::TimeoutFailureInfo(_)) => {
                Outcome::TimedOut(self.wrapped("Local Activity timed out", failure, RetryState::Timeout))
            }
            Some(FailureInfo::CanceledFailureInfo(_)) => Outcome::Cancelled(self.wrapped(
                "Local Activity cancelled",
                failure,
                RetryState::CancelRequested,
            )),
            _ => Outcome::Failed(failure.clone()),
        }
    }

    fn wrapped(&self, message: &str, cause: &Failure, state: RetryState) -> Box<Failure> {
        let mut info = ActivityFailureInfo {
            activity_type: Some(common::ActivityType {
                name: self.activity_type.clone(),
            }),
            activity_id: self.activity_id.clone(),
            ..Default::default()
        };
        info.set_retry_state(state);
        Box::new(Failure {
            message: message.into(),
            cause: Some(Box::new(cause.clone())),
            failure_info: Some(FailureInfo::ActivityFailureInfo(info)),
            ..Default::default()
        })
    }
}

/// A time or a duration as Core writes it: `{"seconds": 1, "nanos": 0}`.
fn ns_of(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    let seconds = value.get("seconds")?.as_u64()?;
    let nanos = value.get("nanos")?.as_u64()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

#[cfg(test)]
mod tests {
    use longhaul_history::proto::{enums::v1::TimeoutType, failure::v1::TimeoutFailureInfo};

    use super::*;

    fn marker(result: Result<common::Payloads, Box<Failure>>) -> LocalMarker {
        LocalMarker {
            seq: 7,
            activity_id: "7".into(),
            activity_type: "charge".into(),
            attempt: 2,
            complete_time_ns: Some(1_700_000_000_123_456_789),
            original_schedule_ns: Some(1_700_000_000_000_000_001),
            backoff_ns: None,
            round: 3,
            side_effect: false,
            result,
            summary: None,
        }
    }

    fn written(marker: &LocalMarker) -> HistoryEvent {
        let attributes = marker.clone().attributes(5);
        HistoryEvent {
            attributes: Some(Attributes::MarkerRecordedEventAttributes(attributes)),
            ..Default::default()
        }
    }

    fn payloads(text: &str) -> common::Payloads {
        let payloads = vec![payload::json_payload(&json!(text))];
        common::Payloads { payloads }
    }

    // A5
    #[test]
    fn what_is_written_is_read() {
        let failure = longhaul_history::failure::application("no money", "Poor", true);
        for marker in [
            marker(Ok(payloads("done"))),
            marker(Err(Box::new(failure))),
            LocalMarker {
                backoff_ns: Some(90_000_000_001),
                ..marker(Ok(payloads("x")))
            },
            LocalMarker {
                complete_time_ns: None,
                ..marker(Ok(payloads("x")))
            },
            LocalMarker::of_side_effect(7, payload::json_payload(&json!("x")), None, 5, 1),
        ] {
            assert_eq!(LocalMarker::of(&written(&marker)), Some(marker));
        }
    }

    // A5
    #[test]
    fn no_result_is_told_as_it_will_be_read() {
        let nothing = marker(Ok(common::Payloads::default()));
        let read = LocalMarker::of(&written(&nothing)).unwrap();
        assert_eq!(read.outcome(), nothing.outcome());
    }

    // A5
    #[test]
    fn a_timeout_and_a_cancellation_say_of_which_activity() {
        let mut info = TimeoutFailureInfo::default();
        info.set_timeout_type(TimeoutType::StartToClose);
        let failure = Failure {
            message: "Activity timed out".into(),
            failure_info: Some(FailureInfo::TimeoutFailureInfo(info)),
            ..Default::default()
        };
        let Outcome::TimedOut(told) = marker(Err(Box::new(failure.clone()))).outcome() else {
            panic!("it timed out");
        };
        assert_eq!(told.cause, Some(Box::new(failure)));
        assert!(
            matches!(told.failure_info, Some(FailureInfo::ActivityFailureInfo(info)) if info.activity_id == "7")
        );
        let cancelled = longhaul_history::failure::cancelled("Activity cancelled", None);
        assert!(matches!(
            marker(Err(Box::new(cancelled))).outcome(),
            Outcome::Cancelled(_)
        ));
        let failed = longhaul_history::failure::application("no money", "Poor", true);
        let failed = Box::new(failed);
        assert_eq!(marker(Err(failed.clone())).outcome(), Outcome::Failed(failed));
    }

    // A5
    #[test]
    fn another_marker_or_a_damaged_one_is_none() {
        let mut event = written(&marker(Ok(payloads("x"))));
        let Some(Attributes::MarkerRecordedEventAttributes(attributes)) = &mut event.attributes else {
            unreachable!()
        };
        let data = attributes.details.insert(DATA.into(), payloads("no object"));
        assert_eq!(LocalMarker::of(&event), None);
        let Some(Attributes::MarkerRecordedEventAttributes(attributes)) = &mut event.attributes else {
            unreachable!()
        };
        attributes.details.insert(DATA.into(), data.unwrap());
        attributes.marker_name = "core_patch".into();
        assert_eq!(LocalMarker::of(&event), None);
    }
}
