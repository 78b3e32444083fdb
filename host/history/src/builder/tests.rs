use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    failure,
    proto::enums::v1::{
        CancelExternalWorkflowExecutionFailedCause, EventType, SignalExternalWorkflowExecutionFailedCause,
        StartChildWorkflowExecutionFailedCause,
    },
    text,
};

#[test]
fn ids_are_consecutive_and_times_move_on() {
    let mut history = Builder::new();
    assert_eq!(history.last_event_id(), 0);
    history.add_started("T", "q");
    assert_eq!(history.add_workflow_task(), 4);
    history.advance(Duration::from_secs(5)).add_signal("s", None);
    for (index, event) in history.events().iter().enumerate() {
        assert_eq!(event.event_id, index as i64 + 1);
    }
    let times: Vec<u64> = history
        .events()
        .iter()
        .map(|event| time::ns_from_timestamp(event.event_time.as_ref().unwrap()).unwrap())
        .collect();
    assert!(times.is_sorted());
    assert_eq!(times[0], START_NS);
    assert_eq!(times[4] - times[3], 5_001 * time::NS_PER_MILLISECOND);
}

/// What Temporal's Core insists on when it replays a history.
#[test]
fn what_core_insists_on_is_there() {
    let mut history = Builder::new();
    history.add_started("T", "q");
    let task = history.add_workflow_task();
    history.add_update_accepted("u", "add", values([json!(1)]));
    history.add_activity_scheduled(7, "a", None);
    history.add_activity_completed(7, None);
    history.add_workflow_task();
    let events = history.into_events();

    let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &events[0].attributes else {
        panic!()
    };
    assert_eq!(started.task_queue.as_ref().unwrap().name, "q");
    assert!(!started.original_execution_run_id.is_empty());

    let flags: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.attributes {
            Some(Attributes::WorkflowTaskCompletedEventAttributes(a)) => Some(a.sdk_metadata.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(flags[0].as_ref().unwrap().core_used_flags, [1, 2, 3]);
    assert_eq!(flags[1], None, "later tasks only name what is new");

    let Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted)) = &events[4].attributes
    else {
        panic!()
    };
    assert_eq!(task, 4);
    assert_eq!(
        accepted.accepted_request_sequencing_event_id, 2,
        "the task's Scheduled event"
    );
    assert_eq!(accepted.protocol_instance_id, "u");
    assert!(!accepted.accepted_request_message_id.is_empty());
    let request = accepted.accepted_request.as_ref().unwrap();
    assert!(request.meta.is_some() && request.input.is_some());

    let types: Vec<_> = events[5..8].iter().map(|event| event.event_type()).collect();
    assert_eq!(
        types,
        [
            EventType::ActivityTaskScheduled,
            EventType::ActivityTaskStarted,
            EventType::ActivityTaskCompleted
        ],
        "a started event precedes the end"
    );
}

#[test]
fn operations_name_their_events() {
    let mut history = Builder::new();
    history.add_child_initiated(1, "Child", "c", values([json!(1)]));
    history.add_child_started(1);
    history.add_child_completed(1, values([json!("done")]));
    history.add_child_failed(1, failure::application("m", "T", false));
    history.add_external_signal_initiated(2, "other", "go", None);
    history.add_external_signaled(2);
    history.add_activity_scheduled(3, "a", None);
    history.add_activity_cancel_requested(3);
    history.add_activity_canceled(3, None);
    history.add_patch("p1", true);
    history.add_timer_fired(99);
    history.add_continued_as_new("next", "T", None);
    text::assert_history(
        history.events(),
        r#"1 StartChildWorkflowExecutionInitiated type=Child id=c queue=default input=(1)
           2 ChildWorkflowExecutionStarted initiated=1 id=c
           3 ChildWorkflowExecutionCompleted initiated=1 started=2 result="done"
           4 ChildWorkflowExecutionFailed initiated=1 started=2 failure="T: m" retry-state=RetryPolicyNotSet
           5 SignalExternalWorkflowExecutionInitiated to=other name=go
           6 ExternalWorkflowExecutionSignaled initiated=5
           7 ActivityTaskScheduled id=3 type=a queue=default start-to-close=10s
           8 ActivityTaskCancelRequested scheduled=7
           9 ActivityTaskCanceled scheduled=7
          10 MarkerRecorded name=core_patch details={patch-data:{"deprecated":true,"id":"p1"}}
          11 UpsertWorkflowSearchAttributes search={TemporalChangeVersion:["p1"]}
          12 TimerFired id=99
          13 WorkflowExecutionContinuedAsNew type=T queue=default"#,
    );
}

/// E5, E6, E9, E11
#[test]
fn what_concerns_others_can_be_built() {
    let mut history = Builder::new();
    history.add_child_initiated(1, "Child", "c", None);
    history.add_child_start_failed(1, StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists);
    history.add_child_started(1);
    history.add_child_cancel_initiated(2, 1, "enough");
    history.add_external_cancel_requested(2);
    history.add_child_canceled(1, values([json!("bye")]));
    history.add_child_timed_out(1);
    history.add_child_terminated(1);
    history.add_external_cancel_initiated(3, "other", "enough");
    history.add_external_cancel_failed(
        3,
        CancelExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound,
    );
    history.add_external_signal_initiated(4, "other", "go", None);
    history.add_external_signal_failed(
        4,
        SignalExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound,
    );
    history.add_memo_modified([("m".to_owned(), payload::json_payload(&json!(1)))]);
    history.add_search_attributes_upserted([("A".to_owned(), payload::json_payload(&json!("x")))]);
    history.add_options_updated("orders", 2);
    history.add_workflow_task_reset("base", "new");
    text::assert_history(
        history.events(),
        r#"1 StartChildWorkflowExecutionInitiated type=Child id=c queue=default
           2 StartChildWorkflowExecutionFailed initiated=1 id=c cause=WorkflowAlreadyExists
           3 ChildWorkflowExecutionStarted initiated=1 id=c
           4 RequestCancelExternalWorkflowExecutionInitiated to=c child=true reason=enough
           5 ExternalWorkflowExecutionCancelRequested initiated=4
           6 ChildWorkflowExecutionCanceled initiated=1 started=3 details="bye"
           7 ChildWorkflowExecutionTimedOut initiated=1 started=3 retry-state=RetryPolicyNotSet
           8 ChildWorkflowExecutionTerminated initiated=1 started=3
           9 RequestCancelExternalWorkflowExecutionInitiated to=other reason=enough
          10 RequestCancelExternalWorkflowExecutionFailed initiated=9 cause=ExternalWorkflowExecutionNotFound
          11 SignalExternalWorkflowExecutionInitiated to=other name=go
          12 SignalExternalWorkflowExecutionFailed initiated=11 cause=ExternalWorkflowExecutionNotFound
          13 WorkflowPropertiesModified memo={m:1}
          14 UpsertWorkflowSearchAttributes search={A:"x"}
          15 WorkflowExecutionOptionsUpdated version=orders:2
          16 WorkflowTaskFailed cause=ResetWorkflow"#,
    );
    // The JSON form says the same.
    let text = crate::json::history_to_string(history.events()).unwrap();
    assert_eq!(
        crate::json::parse_history(&text).unwrap().events,
        history.events()
    );
}

#[test]
fn every_end_can_be_built() {
    let mut history = Builder::new();
    history.add_execution_completed(values([json!(1)]));
    history.add_execution_failed(failure::application("m", "T", false));
    history.add_execution_canceled(None);
    history.add_execution_terminated("r");
    history.add_execution_timed_out();
    history.add_workflow_task_timed_out();
    history.add_update_completed("u", Err(failure::application("no", "", false)));
    text::assert_history(
        history.events(),
        r#"1 WorkflowExecutionCompleted result=1
           2 WorkflowExecutionFailed failure="T: m" retry-state=RetryPolicyNotSet
           3 WorkflowExecutionCanceled
           4 WorkflowExecutionTerminated reason=r
           5 WorkflowExecutionTimedOut retry-state=RetryPolicyNotSet
           6 WorkflowTaskTimedOut timeout=StartToClose
           7 WorkflowExecutionUpdateCompleted id=u failure="no""#,
    );
}

proptest! {
    #[test]
    fn any_sequence_is_well_formed(steps in prop::collection::vec((0u8..8, 0u32..4), 0..40)) {
        let mut history = Builder::new();
        history.add_started("T", "q");
        for (step, seq) in steps {
            match step {
                0 => history.add_workflow_task(),
                1 => history.add_timer_started(seq, Duration::from_secs(1)),
                2 => history.add_timer_fired(seq),
                3 => history.add_activity_scheduled(seq, "a", None),
                4 => history.add_activity_completed(seq, values([json!(seq)])),
                5 => history.add_signal("s", None),
                6 => history.add_update_accepted(&seq.to_string(), "u", None),
                _ => history.add_update_completed(&seq.to_string(), Ok(None)),
            };
        }
        let events = history.into_events();
        for (index, event) in events.iter().enumerate() {
            prop_assert_eq!(event.event_id, index as i64 + 1);
            prop_assert_eq!(event.event_type, event.attributes.as_ref().unwrap().event_type() as i32);
        }
        prop_assert_eq!(&crate::codec::decode_batch(&crate::codec::encode_batch(&events)).unwrap(), &events);
        prop_assert_eq!(&crate::json::parse_history(&crate::json::history_to_string(&events).unwrap()).unwrap().events, &events);
    }
}
