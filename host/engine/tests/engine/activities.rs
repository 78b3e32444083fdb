//! Attempts of activities: they end, fail, time out, and are tried again.

use longhaul_engine::{
    ActivityOptions, Effect,
    execution::{Act, AttemptEnd, Selection},
};
use longhaul_history::{
    proto::common::v1::{Payloads, RetryPolicy},
    time::NS_PER_SECOND,
};
use serde_json::json;

use crate::{
    guest::{Scripted, activity_with, failure, json},
    world::{World, at},
};

/// A run with the activity `charge`, scheduled by event 5, as this makes it.
fn scheduled(change: impl FnOnce(&mut ActivityOptions)) -> World<Scripted> {
    let mut world = World::new();
    world.task([activity_with(1, "charge", change)]);
    assert_eq!(
        world.effects,
        [Effect::ActivityChanged {
            scheduled_event_id: 5
        }]
    );
    world
}

/// All of the history, given what ActivityTaskScheduled shows and what follows it.
#[track_caller]
fn assert_after(world: &World<Scripted>, limits: &str, rest: &str) {
    world.assert(&format!(
        "1 WorkflowExecutionStarted type=Test id=workflow queue=default
         2 WorkflowTaskScheduled
         3 WorkflowTaskStarted scheduled=2
         4 WorkflowTaskCompleted scheduled=2 started=3
         5 ActivityTaskScheduled id=1 type=charge queue=default {limits}
         {rest}"
    ));
}

fn fails(world: &mut World<Scripted>, number: u32, error_type: &str) -> bool {
    world.end_attempt(5, number, AttemptEnd::Failed(failure("no", error_type)))
}

const GONE: Effect = Effect::ActivityGone {
    scheduled_event_id: 5,
};

#[test]
fn a_result_is_recorded_once() {
    // A1
    let mut world = scheduled(|_| {});
    assert!(!world.complete_attempt(5, 1, json!(1)), "it has not started");
    assert!(world.start_attempt(5));
    assert_eq!(
        world.effects,
        [Effect::ActivityChanged {
            scheduled_event_id: 5
        }]
    );
    assert!(!world.start_attempt(5), "it starts once");
    assert_eq!(world.history.len(), 5, "an attempt is no event");
    assert!(!world.complete_attempt(5, 2, json!(1)), "no such attempt");
    assert!(world.complete_attempt(5, 1, json!("paid")));
    assert_eq!(world.effects, [GONE]);
    assert!(!world.complete_attempt(5, 1, json!("again")));
    assert!(!fails(&mut world, 1, "Late"));
    assert_eq!(world.effects, []);
    assert_eq!(world.task([]), ["resolve 1 completed (\"paid\")"]);
    assert_after(
        &world,
        "start-to-close=10s",
        "6 ActivityTaskStarted scheduled=5
         7 ActivityTaskCompleted scheduled=5 started=6 result=\"paid\"
         8 WorkflowTaskScheduled
         9 WorkflowTaskStarted scheduled=8
        10 WorkflowTaskCompleted scheduled=8 started=9",
    );
}

#[test]
fn the_end_of_an_attempt_before_a_reset_is_not_that_of_another_with_its_number() {
    // A1, A2
    let mut world = scheduled(|_| {});
    assert!(world.hand_out(5, 70));
    let reset = Act::Reset {
        reset_heartbeat: false,
        keep_paused: false,
        restore_options: false,
        delay_ns: 0,
    };
    world
        .step(|execution, turn, _| execution.administer(turn, &Selection::All, &reset))
        .unwrap();
    world.advance(10);
    assert!(world.check_deadline(5));
    world.advance(1);
    assert!(world.hand_out(5, 71));
    assert_eq!(world.execution.activities()[&5].attempt.number, 1, "as before");
    let completed = |result: &str| AttemptEnd::Completed(json(&json!(result)));
    assert!(!world.end_attempt_as(5, 70, completed("old")));
    assert!(world.end_attempt_as(5, 71, completed("new")));
    assert_eq!(world.task([]), ["resolve 1 completed (\"new\")"]);
}

#[test]
fn no_result_is_no_list() {
    let mut world = scheduled(|_| {});
    world.start_attempt(5);
    world.end_attempt(5, 1, AttemptEnd::Completed(Payloads::default()));
    let Some(longhaul_history::Attributes::ActivityTaskCompletedEventAttributes(completed)) =
        &world.history[6].attributes
    else {
        panic!("{:?}", world.history[6]);
    };
    assert_eq!(completed.result, None);
    assert_eq!(world.task([]), ["resolve 1 completed ()"]);
}

#[test]
fn retries_leave_one_started_event_with_the_last_failure() {
    // A2
    let mut world = scheduled(|options| {
        options.retry_policy = Some(RetryPolicy {
            maximum_attempts: 3,
            ..Default::default()
        });
    });
    world.start_attempt(5);
    assert!(fails(&mut world, 1, "First"));
    let attempt = &world.execution.activities()[&5].attempt;
    assert_eq!((attempt.number, attempt.due_ns), (2, at(1)));
    assert!(!world.start_attempt(5), "it is not due");
    world.restart();
    world.advance(1);
    assert!(world.start_attempt(5));
    assert!(!fails(&mut world, 1, "Late"), "the first attempt is over");
    assert!(fails(&mut world, 2, "Second"));
    assert_eq!(world.execution.activities()[&5].attempt.due_ns, at(3));
    world.advance(2);
    assert!(world.start_attempt(5));
    assert_eq!(world.history.len(), 5);
    assert!(fails(&mut world, 3, "Third"));
    let told = world.task([]);
    assert!(
        told[0].starts_with("resolve 1 failed ") && told[0].contains("Third: no"),
        "{told:?}"
    );
    world.check();
    assert_eq!(world.history.len(), 10);
    let lines: Vec<String> = world.history[5..7]
        .iter()
        .map(|event| longhaul_history::text::event(event))
        .collect();
    assert_eq!(
        lines,
        [
            "  6 ActivityTaskStarted scheduled=5 attempt=3 last-failure=\"Second: no\"",
            "  7 ActivityTaskFailed scheduled=5 started=6 failure=\"Third: no\" retry-state=MaximumAttemptsReached"
        ]
    );
}

#[test]
fn a_failure_of_a_listed_type_is_not_retried() {
    // A2
    let mut world = scheduled(|options| {
        options.retry_policy = Some(RetryPolicy {
            non_retryable_error_types: vec!["Fatal".into()],
            ..Default::default()
        });
    });
    world.start_attempt(5);
    assert!(fails(&mut world, 1, "Fatal"));
    assert_eq!(world.effects, [GONE]);
    assert_eq!(
        longhaul_history::text::event(&world.history[6]),
        "  7 ActivityTaskFailed scheduled=5 started=6 failure=\"Fatal: no\" retry-state=NonRetryableFailure"
    );
    world.check();
}

#[test]
fn start_to_close_and_heartbeat_are_retried() {
    // A2, A3
    let mut world = scheduled(|options| options.heartbeat_ns = Some(3 * NS_PER_SECOND));
    world.start_attempt(5);
    world.advance(2);
    assert!(world.heartbeat(5, 1, json!("half")));
    assert!(!world.heartbeat(5, 2, json!("no such attempt")));
    world.advance(2);
    assert!(!world.check_deadline(5), "the heartbeat has moved it");
    world.advance(1);
    assert!(world.check_deadline(5));
    let attempt = &world.execution.activities()[&5].attempt;
    assert_eq!((attempt.number, attempt.due_ns), (2, at(6)));
    assert_eq!(
        attempt.heartbeat_details,
        Some(json(&json!("half"))),
        "for the next attempt"
    );
    assert_eq!(
        attempt.last_failure.as_ref().unwrap().message,
        "activity Heartbeat timeout"
    );
    world.advance(1);
    assert!(world.start_attempt(5));
    for _ in 0..4 {
        world.advance(2);
        assert!(world.heartbeat(5, 2, json!("more")));
        assert!(!world.check_deadline(5));
    }
    world.advance(2);
    assert!(world.check_deadline(5));
    let attempt = &world.execution.activities()[&5].attempt;
    assert_eq!(attempt.number, 3);
    assert_eq!(
        attempt.last_failure.as_ref().unwrap().message,
        "activity StartToClose timeout"
    );
    world.check();
}

#[test]
fn schedule_to_start_is_never_retried() {
    // A2
    let mut world = scheduled(|options| options.schedule_to_start_ns = Some(5 * NS_PER_SECOND));
    world.advance(4);
    assert!(!world.check_deadline(5));
    world.advance(1);
    assert!(world.check_deadline(5));
    assert_eq!(world.effects, [GONE]);
    assert!(!world.start_attempt(5));
    assert_after(
        &world,
        "schedule-to-start=5s start-to-close=10s",
        "6 ActivityTaskTimedOut scheduled=5 failure=\"Timeout(ScheduleToStart): activity ScheduleToStart timeout\" retry-state=Timeout",
    );
    let told = world.task([]);
    assert!(told[0].starts_with("resolve 1 timed out "), "{told:?}");
    world.check();
}

#[test]
fn schedule_to_close_ends_it_with_the_last_failure_as_cause() {
    // A2
    let mut world = scheduled(|options| options.schedule_to_close_ns = Some(4 * NS_PER_SECOND));
    world.start_attempt(5);
    fails(&mut world, 1, "First");
    world.advance(1);
    assert!(world.start_attempt(5));
    world.advance(2);
    // The next attempt would start two seconds later, past the limit: it ends at once.
    assert!(fails(&mut world, 2, "Second"));
    assert_eq!(world.effects, [GONE]);
    let timed_out = match &world.history[6].attributes {
        Some(longhaul_history::Attributes::ActivityTaskTimedOutEventAttributes(a)) => a,
        other => panic!("{other:?}"),
    };
    let failure = timed_out.failure.as_ref().unwrap();
    assert_eq!(failure.message, "activity ScheduleToClose timeout");
    assert_eq!(failure.cause.as_ref().unwrap().message, "no");
    assert_eq!(timed_out.started_event_id, 6);
    world.check();
}

#[test]
fn schedule_to_close_passes_while_an_attempt_runs() {
    // A2
    let mut world = scheduled(|options| options.schedule_to_close_ns = Some(4 * NS_PER_SECOND));
    world.advance(1);
    assert!(world.start_attempt(5));
    world.advance(3);
    assert!(world.check_deadline(5));
    assert_after(
        &world,
        "schedule-to-close=4s schedule-to-start=4s start-to-close=4s",
        "6 ActivityTaskStarted scheduled=5
         7 ActivityTaskTimedOut scheduled=5 started=6 failure=\"Timeout(ScheduleToClose): activity ScheduleToClose timeout\" \
         retry-state=Timeout",
    );
}

#[test]
fn a_lost_attempt_counts_as_one_that_ran_out_of_time() {
    // A7
    let mut world = scheduled(|options| {
        options.retry_policy = Some(RetryPolicy {
            maximum_attempts: 2,
            ..Default::default()
        });
    });
    world.start_attempt(5);
    assert!(world.end_attempt(5, 1, AttemptEnd::Lost));
    assert_eq!(world.execution.activities()[&5].attempt.number, 2);
    world.advance(1);
    world.start_attempt(5);
    assert!(world.end_attempt(5, 2, AttemptEnd::Lost));
    let lines: Vec<String> = world.history[5..]
        .iter()
        .map(|event| longhaul_history::text::event(event))
        .collect();
    let timeout = "\"Timeout(StartToClose): activity StartToClose timeout\"";
    assert_eq!(
        lines,
        [
            format!("  6 ActivityTaskStarted scheduled=5 attempt=2 last-failure={timeout}"),
            format!(
                "  7 ActivityTaskTimedOut scheduled=5 started=6 failure={timeout} retry-state=MaximumAttemptsReached"
            ),
        ]
    );
    world.check();
}
