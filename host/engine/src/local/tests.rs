use longhaul_history::{
    failure, payload,
    proto::{common::v1::RetryPolicy, enums::v1::TimeoutType, failure::v1::failure::FailureInfo},
    time,
};

use super::*;
use crate::{CancellationType, Outcome};

const S: u64 = 1_000_000_000;
const START: u64 = 1_700_000_000 * S;

fn options() -> LocalActivityOptions {
    LocalActivityOptions {
        activity_type: "charge".into(),
        activity_id: None,
        input: Payloads::default(),
        header: None,
        schedule_to_close_ns: None,
        schedule_to_start_ns: None,
        start_to_close_ns: Some(5 * S),
        retry_policy: None,
        cancellation_type: CancellationType::WaitCompleted,
        local_retry_threshold_ns: None,
        attempt: 1,
        original_schedule_ns: None,
        summary: None,
    }
}

fn begun(options: LocalActivityOptions) -> LocalActivity {
    let mut activity = LocalActivity::new(4, Arc::new(options), START, 10 * S);
    assert!(activity.is_ready(START));
    activity.start(START);
    activity
}

fn failed() -> AttemptEnd {
    AttemptEnd::Failed(Box::new(failure::application("no money", "Poor", false)))
}

fn end(next: Next) -> LocalMarker {
    match next {
        Next::End(marker) => *marker,
        other => panic!("it has not ended: {other:?}"),
    }
}

fn kind(failure: &Failure) -> TimeoutType {
    match &failure.failure_info {
        Some(FailureInfo::TimeoutFailureInfo(info)) => info.timeout_type(),
        other => panic!("no timeout: {other:?}"),
    }
}

// A5
#[test]
fn a_result_is_its_end() {
    let mut activity = begun(options());
    let result = payload::from_values([&serde_json::json!(7)]);
    let marker = end(activity.ended(1, AttemptEnd::Completed(result.clone()), START + S));
    assert_eq!(
        (marker.seq, marker.attempt, marker.complete_time_ns),
        (4, 1, Some(START + S))
    );
    assert_eq!(marker.outcome(), Outcome::Completed(result));
}

// A2, A5
#[test]
fn it_is_tried_again_in_place_and_beyond_the_threshold_by_its_code() {
    let mut activity = begun(options());
    // The waits are 1, 2, 4, 8 and 16 s; the threshold is the task's limit of 10 s.
    let mut now_ns = START;
    for (attempt, wait_s) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
        assert_eq!(activity.ended(attempt, failed(), now_ns), Next::Again);
        now_ns += wait_s * S;
        assert!(!activity.is_ready(now_ns - 1));
        assert_eq!(activity.wake_ns(now_ns - 1), Some(now_ns));
        assert!(activity.is_ready(now_ns));
        assert_eq!(activity.attempt(), attempt + 1);
        activity.start(now_ns);
        assert_eq!(activity.ended(attempt, failed(), now_ns), Next::Stale);
    }
    let marker = end(activity.ended(5, failed(), now_ns));
    assert_eq!(
        marker.outcome(),
        Outcome::Backoff {
            attempt: 6,
            delay_ns: 16 * S,
            original_schedule_ns: START,
        }
    );
    // The code waits, and schedules it again with what it was told.
    let again = LocalActivityOptions {
        attempt: 6,
        original_schedule_ns: Some(START),
        ..options()
    };
    let again = LocalActivity::new(5, Arc::new(again), now_ns + 16 * S, 10 * S);
    assert_eq!((again.attempt(), again.original_schedule_ns()), (6, START));
}

// A2, A5
#[test]
fn the_last_failure_is_its_end() {
    let policy = RetryPolicy {
        maximum_attempts: 2,
        initial_interval: Some(time::duration_from_ns(S)),
        non_retryable_error_types: vec!["Fatal".into()],
        ..Default::default()
    };
    let options = LocalActivityOptions {
        retry_policy: Some(policy),
        ..options()
    };
    let mut activity = begun(options.clone());
    assert_eq!(activity.ended(1, failed(), START), Next::Again);
    activity.start(START + S);
    let marker = end(activity.ended(2, failed(), START + S));
    assert_eq!(marker.attempt, 2);
    assert!(matches!(marker.outcome(), Outcome::Failed(told) if told.message == "no money"));

    let fatal = failure::application("never", "Fatal", false);
    let marker = end(begun(options).ended(1, AttemptEnd::Failed(Box::new(fatal)), START));
    assert!(matches!(marker.outcome(), Outcome::Failed(told) if told.message == "never"));
}

// A2, A5
#[test]
fn limits_pass() {
    // One attempt: tried again.
    let mut activity = begun(options());
    assert_eq!(activity.wake_ns(START), Some(START + 5 * S));
    assert_eq!(activity.check_deadline(START + 5 * S - 1), Next::Stale);
    assert_eq!(activity.check_deadline(START + 5 * S), Next::Again);
    assert_eq!(activity.attempt(), 2);
    // What it was before comes too late.
    let late = AttemptEnd::Completed(Payloads::default());
    assert_eq!(activity.ended(1, late, START + 5 * S), Next::Stale);

    // All attempts, while it waits for the second one: the cause is what the first has failed with.
    let total = LocalActivityOptions {
        schedule_to_close_ns: Some(3 * S),
        ..options()
    };
    let mut activity = begun(total);
    assert_eq!(activity.ended(1, failed(), START + S), Next::Again);
    activity.start(START + 2 * S);
    let marker = end(activity.check_deadline(START + 3 * S));
    let failure = marker.result.unwrap_err();
    assert_eq!(kind(&failure), TimeoutType::ScheduleToClose);
    assert_eq!(failure.cause.unwrap().message, "no money");

    // No attempt would start before the limit of all of them.
    let total = LocalActivityOptions {
        schedule_to_close_ns: Some(3 * S),
        ..options()
    };
    let mut activity = begun(total);
    let marker = end(activity.ended(1, failed(), START + 2 * S + 1));
    assert_eq!(kind(&marker.result.unwrap_err()), TimeoutType::ScheduleToClose);

    // The wait for a slot: never tried again.
    let waits = LocalActivityOptions {
        schedule_to_start_ns: Some(S),
        ..options()
    };
    let mut activity = LocalActivity::new(4, Arc::new(waits), START, 10 * S);
    let marker = end(activity.check_deadline(START + S));
    let Outcome::TimedOut(told) = marker.outcome() else {
        panic!("it timed out");
    };
    assert_eq!(kind(&told.cause.unwrap()), TimeoutType::ScheduleToStart);
}

// A4, A5
#[test]
fn one_that_does_not_run_is_cancelled_at_once_and_one_that_runs_when_it_says_so() {
    let mut activity = begun(options());
    assert_eq!(activity.request_cancel(START), Next::Again);
    let marker = end(activity.ended(1, AttemptEnd::Cancelled(Payloads::default()), START + S));
    assert!(matches!(marker.outcome(), Outcome::Cancelled(_)));

    let mut activity = begun(options());
    assert_eq!(activity.ended(1, failed(), START), Next::Again);
    assert!(matches!(
        end(activity.request_cancel(START)).outcome(),
        Outcome::Cancelled(_)
    ));

    // One that was asked to stop and fails is not tried again.
    let mut activity = begun(options());
    activity.request_cancel(START);
    assert!(matches!(
        end(activity.ended(1, failed(), START)).outcome(),
        Outcome::Failed(_)
    ));

    // Nobody has asked for it: that is no cancellation.
    let marker = end(begun(options()).ended(1, AttemptEnd::Cancelled(Payloads::default()), START));
    assert!(marker.result.is_err());
}

// A5, A6
#[test]
fn it_cannot_be_completed_from_elsewhere() {
    let marker = end(begun(options()).ended(1, AttemptEnd::HandedOver, START));
    assert!(matches!(marker.outcome(), Outcome::Failed(told) if told.message.contains("ordinary activity")));
}
