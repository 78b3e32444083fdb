use std::time::Duration;

use proptest::prelude::*;
use prost::Message;
use serde_json::json;

use super::*;
use crate::{
    Attributes, Builder,
    builder::values,
    failure as failures, payload,
    proto::{
        common::v1::{Header, RetryPolicy},
        enums::v1::{TimeoutType, WorkflowTaskFailedCause},
        history::v1::{NexusOperationScheduledEventAttributes, WorkflowExecutionPausedEventAttributes},
        sdk::v1::UserMetadata,
    },
};

#[test]
fn a_whole_life_reads_line_by_line() {
    let mut history = Builder::new();
    history.add_started_with(
        "Order",
        "orders",
        values([json!({"b": 1, "a": "x"}), json!(null)]),
    );
    history.add_workflow_task();
    history.add_activity_scheduled(1, "charge", values([json!(5)]));
    history.add_timer_started(2, Duration::from_millis(90_500));
    history.add_signal("note", values([json!("two words")]));
    history.add_activity_failed(1, failures::application("no money", "Declined", true));
    history.add_workflow_task();
    history.add_update_accepted("u1", "add", values([json!(1)]));
    history.add_timer_canceled(2);
    history.add_update_completed("u1", Ok(values([json!(2)])));
    history.add_activity_scheduled(3, "send", None);
    history.add_activity_timed_out(3, TimeoutType::ScheduleToStart);
    history.add_cancel_requested("enough");
    history.add_workflow_task_scheduled();
    history.add_workflow_task_started();
    history.add_workflow_task_failed(
        WorkflowTaskFailedCause::NonDeterministicError,
        failures::application("differs", "", false),
    );
    history.add_execution_terminated("stuck");
    assert_history(
        history.events(),
        r#"
          1 WorkflowExecutionStarted type=Order id=workflow queue=orders input=({"a":"x","b":1},null)
          2 WorkflowTaskScheduled
          3 WorkflowTaskStarted scheduled=2
          4 WorkflowTaskCompleted scheduled=2 started=3
          5 ActivityTaskScheduled id=1 type=charge queue=orders input=(5) start-to-close=10s
          6 TimerStarted id=2 after=1m30.5s
          7 WorkflowExecutionSignaled name=note input=("two words")
          8 ActivityTaskStarted scheduled=5
          9 ActivityTaskFailed scheduled=5 started=8 failure="Declined: no money" retry-state=NonRetryableFailure
         10 WorkflowTaskScheduled
         11 WorkflowTaskStarted scheduled=10
         12 WorkflowTaskCompleted scheduled=10 started=11
         13 WorkflowExecutionUpdateAccepted id=u1 name=add input=(1) task=10
         14 TimerCanceled id=2 started=6
         15 WorkflowExecutionUpdateCompleted id=u1 accepted=13 result=2
         16 ActivityTaskScheduled id=3 type=send queue=orders start-to-close=10s
         17 ActivityTaskTimedOut scheduled=16 failure="Timeout(ScheduleToStart): activity ScheduleToStart timeout" retry-state=Timeout
         18 WorkflowExecutionCancelRequested cause=enough
         19 WorkflowTaskScheduled
         20 WorkflowTaskStarted scheduled=19
         21 WorkflowTaskFailed scheduled=19 started=20 cause=NonDeterministicError failure="differs"
         22 WorkflowExecutionTerminated reason=stuck
        "#,
    );
}

#[test]
fn options_show_times_and_what_varies_and_hide_tasks() {
    let mut history = Builder::new();
    history.add_started("Order", "orders");
    history.add_workflow_task();
    history.advance(Duration::from_secs(3_600));
    history.add_execution_completed(values([json!(1)]));
    let options = Options {
        times: Times::Relative,
        workflow_tasks: false,
        ..Options::default()
    };
    assert_eq!(
        history_with(history.events(), options),
        "  1        +0s WorkflowExecutionStarted type=Order id=workflow queue=orders\n  \
           5  +1h0.004s WorkflowExecutionCompleted result=1\n"
    );
    let full = history_with(history.events(), Options::full());
    assert!(
        full.starts_with("  1 2026-01-01T00:00:00.000Z WorkflowExecutionStarted "),
        "{full}"
    );
    assert!(
        full.contains(" run=0191a5d0-0000-7000-8000-000000000001 "),
        "{full}"
    );
}

#[test]
fn a_page_at_a_time_reads_as_the_whole() {
    let mut history = Builder::new();
    history.add_started("Order", "orders");
    history.advance(Duration::from_secs(5));
    history.add_workflow_task();
    let options = Options {
        times: Times::Relative,
        ..Options::default()
    };
    let mut writer = Writer::new(options);
    let lines: String = history
        .events()
        .chunks(2)
        .flatten()
        .filter_map(|event| writer.line(event))
        .map(|line| line + "\n")
        .collect();
    assert_eq!(lines, history_with(history.events(), options));
}

#[test]
fn rare_events_show_every_field() {
    let mut history = Builder::new();
    history.push(NexusOperationScheduledEventAttributes {
        endpoint: "pay here".to_owned(),
        operation: "charge".to_owned(),
        input: Some(payload::json_payload(&json!({"b": 1, "a": 2}))),
        workflow_task_completed_event_id: 4,
        request_id: "random".to_owned(),
        ..Default::default()
    });
    history.push(WorkflowExecutionPausedEventAttributes {
        identity: "me".to_owned(),
        reason: "lunch".to_owned(),
        ..Default::default()
    });
    assert_history(
        history.events(),
        r#"1 NexusOperationScheduled endpoint="pay here" input={"a":2,"b":1} operation=charge workflowTaskCompletedEventId=4
           2 WorkflowExecutionPaused reason=lunch"#,
    );
    let full = history_with(
        history.events(),
        Options {
            volatile: true,
            ..Options::default()
        },
    );
    assert!(full.contains("requestId=random"), "{full}");
}

#[test]
fn extras_of_an_event_are_shown() {
    let mut history = Builder::new();
    history.add_activity_scheduled(1, "charge", None);
    history.amend(|event| {
        event.user_metadata = Some(UserMetadata {
            summary: Some(payload::json_payload(&json!("first try"))),
            details: None,
        });
        if let Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) = &mut event.attributes {
            scheduled.header = Some(Header {
                fields: [("trace".to_owned(), payload::plain_payload("t1"))].into(),
            });
            scheduled.retry_policy = Some(RetryPolicy {
                maximum_attempts: 3,
                backoff_coefficient: 1.5,
                non_retryable_error_types: vec!["A".to_owned(), "B".to_owned()],
                ..Default::default()
            });
        }
    });
    assert_eq!(
        event(&history.events()[0]),
        "  1 ActivityTaskScheduled id=1 type=charge queue=default start-to-close=10s \
         retry={times:1.5,attempts:3,not:A|B} header={trace:<2 bytes t1>} summary=\"first try\""
    );
}

#[test]
fn long_values_are_cut_and_odd_ones_stay_on_their_line() {
    let mut history = Builder::new();
    history.add_signal(
        "a\nb",
        payload::list([payload::json_payload(&json!("é".repeat(1_000)))]),
    );
    let line = event(&history.events()[0]);
    assert!(
        line.starts_with(r#"  1 WorkflowExecutionSignaled name="a\nb" input=("é"#),
        "{line}"
    );
    assert!(line.ends_with("...(+702))"), "{line}");
    assert_eq!(payloads(None), "()");
    assert_eq!(
        payloads(payload::list([payload::plain_payload(vec![0, 255])]).as_ref()),
        "(<2 bytes>)"
    );
    assert_eq!(
        payloads(payload::list([payload::encoded("binary/encrypted", "xyz")]).as_ref()),
        "(<binary/encrypted 3 bytes>)"
    );
    assert_eq!(failure(&failures::application("m", "T", false)), "T: m");
}

#[test]
fn every_event_type_has_a_line() {
    // An attribute's field number in HistoryEvent, with an empty message: every type of the protocol, also later ones.
    let mut seen = std::collections::BTreeSet::new();
    for field in 6u32..=65 {
        let mut bytes = Vec::new();
        prost::encoding::encode_key(field, prost::encoding::WireType::LengthDelimited, &mut bytes);
        bytes.push(0);
        let event = HistoryEvent::decode(bytes.as_slice()).unwrap();
        assert!(event.attributes.is_some(), "field {field}");
        let line = super::event(&event);
        assert!(
            seen.insert(line.split_whitespace().nth(1).unwrap().to_owned()),
            "twice: {line}"
        );
        assert!(!line.contains('\n'));
    }
    assert_eq!(seen.len(), 60);
    let unknown = HistoryEvent {
        event_id: 7,
        event_type: 999,
        ..Default::default()
    };
    assert_eq!(super::event(&unknown), "  7 EventType(999)");
}

#[test]
fn a_diff_shows_what_changed() {
    assert_eq!(diff("  1 A\n\n  2 B\n", "1 A\n2 B"), None);
    assert_eq!(
        diff("1 A\n2 B\n3 C", "1 A\n3 C\n4 D").unwrap(),
        "  1 A\n- 2 B\n  3 C\n+ 4 D\n"
    );
    let long = "x\n".repeat(3_000);
    assert_eq!(
        diff(&long, &(long.clone() + "y")).unwrap(),
        "after 3000 equal lines:\n- (end)\n+ y\n"
    );
}

#[test]
#[should_panic(expected = "- 1 WorkflowExecutionSignaled name=b")]
fn an_assertion_that_does_not_hold_shows_the_diff() {
    let mut history = Builder::new();
    history.add_signal("a", None);
    assert_history(history.events(), "1 WorkflowExecutionSignaled name=b");
}

proptest! {
    #[test]
    fn any_event_is_one_line(bytes in prop::collection::vec(any::<u8>(), 0..64), field in 6u32..=65) {
        let mut event = Vec::new();
        prost::encoding::bytes::encode(field, &bytes, &mut event);
        if let Ok(event) = HistoryEvent::decode(event.as_slice()) {
            for options in [Options::default(), Options::full()] {
                let text = history_with(std::slice::from_ref(&event), options);
                prop_assert_eq!(text.matches('\n').count(), 1, "{}", text);
            }
        }
    }

    #[test]
    fn a_diff_of_equal_texts_is_none_and_of_others_is_some(a in "[ab\n]{0,20}", b in "[ab\n]{0,20}") {
        let lines = |text: &str| text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(diff(&a, &b).is_none(), lines(&a) == lines(&b));
    }
}
