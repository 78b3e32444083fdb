use proptest::prelude::*;
use prost_wkt_types::{Duration, Timestamp};
use serde_json::json;

use super::*;
use crate::{
    Attributes, Builder, builder, failure, payload,
    proto::{
        common::v1::{Memo, RetryPolicy},
        enums::v1::{EventType, TaskQueueKind},
        history::v1::{
            TimerStartedEventAttributes, history_event::Attributes::TimerStartedEventAttributes as Timer,
        },
        workflowservice::v1::{DescribeWorkflowExecutionResponse, StartWorkflowExecutionRequest},
    },
};

fn sample() -> History {
    let mut history = Builder::new();
    history.add_started_with("Order", "orders", builder::values([json!({"b": 1, "a": [true]})]));
    history.add_workflow_task();
    history.add_activity_scheduled(1, "charge", builder::values([json!(5)]));
    history.add_timer_started(2, std::time::Duration::from_millis(1_500));
    history.add_activity_failed(1, failure::application("no money", "Declined", true));
    history.add_workflow_task();
    history.add_update_accepted("u1", "add", builder::values([json!(1)]));
    history.add_update_completed("u1", Ok(builder::values([json!(null)])));
    history.add_patch("p", false);
    history.add_execution_completed(None);
    history.into_history()
}

#[test]
fn an_event_is_written_as_temporal_writes_it() {
    let event = HistoryEvent {
        event_id: 5,
        event_time: Some(Timestamp {
            seconds: 1_700_000_000,
            nanos: 120_000_000,
        }),
        event_type: EventType::TimerStarted.into(),
        task_id: 1_048_587,
        attributes: Some(Timer(TimerStartedEventAttributes {
            timer_id: "1".to_owned(),
            start_to_fire_timeout: Some(Duration {
                seconds: 1,
                nanos: 500_000_000,
            }),
            workflow_task_completed_event_id: 4,
        })),
        ..Default::default()
    };
    assert_eq!(
        to_string(&event).unwrap(),
        concat!(
            r#"{"eventId":"5","eventTime":"2023-11-14T22:13:20.120Z","eventType":"EVENT_TYPE_TIMER_STARTED","#,
            r#""taskId":"1048587","timerStartedEventAttributes":{"timerId":"1","startToFireTimeout":"1.500s","#,
            r#""workflowTaskCompletedEventId":"4"}}"#,
        )
    );
}

#[test]
fn a_history_survives() {
    let history = sample();
    let text = history_to_string(&history.events).unwrap();
    assert!(
        text.starts_with("{\n  \"events\": [\n    {\n      \"eventId\": \"1\",\n"),
        "{text}"
    );
    assert_eq!(parse_history(&text).unwrap(), history);
    assert_eq!(
        from_value::<History>(message(&history).unwrap()).unwrap(),
        history
    );
}

#[test]
fn equal_messages_give_equal_text() {
    let memo = |keys: &[&str]| Memo {
        fields: keys
            .iter()
            .map(|k| ((*k).to_owned(), payload::null_payload()))
            .collect(),
    };
    let text = to_string(&memo(&["a", "b", "c", "d", "e"])).unwrap();
    assert_eq!(to_string(&memo(&["e", "d", "c", "b", "a"])).unwrap(), text);
}

#[test]
fn floats_are_written_as_go_writes_them() {
    let policy = RetryPolicy {
        backoff_coefficient: 2.0,
        ..Default::default()
    };
    assert_eq!(to_string(&policy).unwrap(), r#"{"backoffCoefficient":2}"#);
    let policy = RetryPolicy {
        backoff_coefficient: 1.25,
        ..Default::default()
    };
    assert_eq!(to_string(&policy).unwrap(), r#"{"backoffCoefficient":1.25}"#);
    assert_eq!(
        from_str::<RetryPolicy>(r#"{"backoffCoefficient":2}"#)
            .unwrap()
            .backoff_coefficient,
        2.0
    );
}

#[test]
fn short_names_of_older_tools_are_read() {
    let text = r#"{"events": [{
        "eventId": 1,
        "eventTime": "2020-07-30T00:30:03.082421843Z",
        "eventType": "WorkflowExecutionStarted",
        "workflowExecutionStartedEventAttributes": {
            "workflowType": {"name": "Old"},
            "taskQueue": {"name": "q", "kind": "Normal"},
            "workflow_run_timeout": "300s",
            "fromTheFuture": {"x": 1}
        }
    }]}"#;
    let history = parse_history(text).unwrap();
    assert_eq!(
        history.events[0].event_type(),
        EventType::WorkflowExecutionStarted
    );
    let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &history.events[0].attributes
    else {
        panic!("no attributes");
    };
    assert_eq!(started.task_queue.as_ref().unwrap().kind(), TaskQueueKind::Normal);
    assert_eq!(
        started.workflow_run_timeout,
        Some(Duration {
            seconds: 300,
            nanos: 0
        })
    );
}

#[test]
fn oddities_of_real_histories_are_read() {
    let text = r#"{"events": [{
        "eventId": "7",
        "eventTime": "2020-07-30T00:30:03.0431Z",
        "eventType": "WorkflowTaskScheduled",
        "workflowTaskScheduledEventAttributes": {"attempt": "1", "startToCloseTimeout": "10s", "taskQueue": null}
    }, {
        "eventId": "8",
        "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED",
        "workflowExecutionUpdateAdmittedEventAttributes": {"request": {}, "origin": "A_NAME_THAT_IS_NO_MORE"}
    }, {
        "eventId": "9",
        "eventType": "WorkflowExecutionStarted",
        "workflowExecutionStartedEventAttributes": {"workflowExecutionExpirationTime": "0001-01-01T00:00:00Z", "input": {}}
    }, {
        "eventId": "10",
        "eventType": "EVENT_TYPE_OF_THE_FUTURE",
        "workerMayIgnore": true
    }]}"#;
    let history = parse_history(text).unwrap();
    let Some(Attributes::WorkflowTaskScheduledEventAttributes(scheduled)) = &history.events[0].attributes
    else {
        panic!("no attributes");
    };
    assert_eq!(scheduled.attempt, 1);
    assert_eq!(
        history.events[1].event_type(),
        EventType::WorkflowExecutionUpdateAdmitted
    );
    assert_eq!(history.events[3].event_type(), EventType::Unspecified);
    assert_eq!(
        parse_history(&history_to_string(&history.events).unwrap()).unwrap(),
        history
    );
}

#[test]
fn every_event_type_has_its_short_name() {
    for number in 1..=60 {
        let event_type = EventType::try_from(number).unwrap();
        let short = crate::text::short_name(event_type.as_str_name(), "EVENT_TYPE_");
        let event: HistoryEvent = from_value(json!({"eventType": short})).unwrap();
        assert_eq!(event.event_type(), event_type);
    }
}

#[test]
fn errors_say_where_and_what() {
    let error = |text: &str| parse_history(text).unwrap_err().to_string();
    assert!(
        error("{").starts_with("this is not JSON: EOF while parsing an object at line 1"),
        "{}",
        error("{")
    );
    assert_eq!(
        error(r#"{"events":[{"eventId":"1"},{"eventId":"2","eventType":"Nonsense"}]}"#),
        "this is not the JSON of a temporal.api.history.v1.History: at events[1].eventType: EventType has no value \"Nonsense\""
    );
    let wrong = error(r#"{"events":[{"eventId":"one"}]}"#);
    assert!(wrong.contains("at events[0].eventId: "), "{wrong}");
    assert!(error("[]").contains("at the top: "), "{}", error("[]"));
    assert_eq!(
        error(r#"{"events":[{"eventId":"1"},{"eventId":"3"}]}"#),
        "this is not the JSON of a temporal.api.history.v1.History: at events[1].eventId: \
         3 follows 1: an event is missing or out of order"
    );
}

#[test]
fn unknown_fields_are_refused_outside_histories() {
    let error =
        from_str::<StartWorkflowExecutionRequest>(r#"{"workflowId":"w","workflowTipe":{}}"#).unwrap_err();
    assert!(error.to_string().contains("workflowTipe"), "{error}");
    let request: StartWorkflowExecutionRequest =
        from_str(r#"{"workflowId":"w","workflowIdReusePolicy":"WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE"}"#)
            .unwrap();
    assert_eq!(request.workflow_id, "w");
}

#[test]
fn nesting_beyond_what_protobuf_reads_is_an_error() {
    let text = format!(
        "{}{}",
        r#"{"cause":"#.repeat(120),
        "{}".to_owned() + &"}".repeat(120)
    );
    assert!(matches!(
        from_str::<crate::proto::failure::v1::Failure>(&text),
        Err(Error::Shape { .. })
    ));
    let endless = r#"{"cause":"#.repeat(100_000);
    assert!(matches!(
        from_str::<crate::proto::failure::v1::Failure>(&endless),
        Err(Error::Syntax(_))
    ));
}

#[test]
fn a_time_that_json_cannot_say_is_an_error() {
    let event = HistoryEvent {
        event_time: Some(Timestamp {
            seconds: i64::MAX,
            nanos: 0,
        }),
        ..Default::default()
    };
    let error = to_string(&event).unwrap_err();
    assert!(
        matches!(&error, Error::Unwritable { name, .. } if name == "temporal.api.history.v1.HistoryEvent"),
        "{error}"
    );
}

#[test]
fn shorthand_shows_what_payloads_hold() {
    let mut typed = payload::json_payload(&json!("x"));
    typed.metadata.insert("type".to_owned(), b"Keyword".to_vec());
    let memo = Memo {
        fields: [
            ("json".to_owned(), payload::json_payload(&json!({"a": 1}))),
            ("nothing".to_owned(), payload::null_payload()),
            ("raw".to_owned(), payload::plain_payload("hi")),
            ("typed".to_owned(), typed),
        ]
        .into(),
    };
    let short = Options {
        payload_shorthand: true,
        ..Options::default()
    };
    assert_eq!(
        message_with(&memo, short).unwrap(),
        json!({"fields": {
            "json": {"a": 1},
            "nothing": null,
            "raw": {"metadata": {"encoding": "YmluYXJ5L3BsYWlu"}, "data": "aGk="},
            "typed": {"metadata": {"encoding": "anNvbi9wbGFpbg==", "type": "S2V5d29yZA=="}, "data": "Ingi"},
        }})
    );
    let payloads = builder::values([json!(1), json!("two")]).unwrap();
    assert_eq!(message_with(&payloads, short).unwrap(), json!([1, "two"]));
}

#[test]
fn answers_of_the_api_can_be_written() {
    assert_eq!(
        to_string(&DescribeWorkflowExecutionResponse::default()).unwrap(),
        "{}"
    );
}

proptest! {
    #[test]
    fn payloads_of_any_bytes_survive(
        data in prop::collection::vec(any::<u8>(), 0..64),
        metadata in prop::collection::hash_map(".{0,8}", prop::collection::vec(any::<u8>(), 0..8), 0..4),
    ) {
        let value = crate::proto::common::v1::Payload { metadata, data, external_payloads: Vec::new() };
        prop_assert_eq!(from_str::<crate::proto::common::v1::Payload>(&to_string(&value).unwrap()).unwrap(), value);
    }

    #[test]
    fn times_and_durations_survive(seconds in 0i64..253_402_300_799, nanos in 0i32..1_000_000_000, days in 0i64..10_000) {
        let event = HistoryEvent {
            event_time: Some(Timestamp { seconds, nanos }),
            attributes: Some(Timer(TimerStartedEventAttributes {
                start_to_fire_timeout: Some(Duration { seconds: days * 86_400, nanos }),
                ..Default::default()
            })),
            ..Default::default()
        };
        prop_assert_eq!(from_str::<HistoryEvent>(&to_string(&event).unwrap()).unwrap(), event);
    }

    #[test]
    fn no_text_is_a_crash(text in ".{0,64}", shaped in r#"\{"events":\[\{"[a-zA-Z]{1,12}":[\[\]{}"0-9a-z:,]{0,12}\}\]\}"#) {
        let _ = parse_history(&text);
        let _ = parse_history(&shaped);
    }
}
