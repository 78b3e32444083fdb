//! What ActivityTaskScheduled says where the workflow has left something out.

use std::sync::Arc;

use longhaul_engine::{ActivityOptions, Execution, Violation, execution::Limits};
use longhaul_history::{
    Attributes, Builder,
    proto::{
        common::v1::RetryPolicy, enums::v1::TimeoutType, history::v1::ActivityTaskScheduledEventAttributes,
    },
    time::{self, NS_PER_SECOND},
};

use crate::{
    guest::{Script, Scripted, activity_with},
    world::{World, at, identity},
};

const SECOND: u64 = NS_PER_SECOND;

fn seconds(seconds: u64) -> Option<time::Duration> {
    Some(time::duration_from_ns(seconds * SECOND))
}

/// ActivityTaskScheduled in a run, as this makes the activity.
fn scheduled(
    mut world: World<Scripted>,
    change: impl FnOnce(&mut ActivityOptions),
) -> ActivityTaskScheduledEventAttributes {
    world.task([activity_with(1, "charge", change)]);
    world.check();
    match &world.history[4].attributes {
        Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => scheduled.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_retry_policy_is_written_with_its_defaults() {
    // A2
    let default = RetryPolicy {
        initial_interval: seconds(1),
        backoff_coefficient: 2.0,
        maximum_interval: seconds(100),
        maximum_attempts: 0,
        non_retryable_error_types: Vec::new(),
    };
    assert_eq!(
        scheduled(World::new(), |_| {}).retry_policy,
        Some(default.clone())
    );
    let some = scheduled(World::new(), |options| {
        options.retry_policy = Some(RetryPolicy {
            initial_interval: seconds(3),
            maximum_attempts: 4,
            non_retryable_error_types: vec!["Fatal".into()],
            ..Default::default()
        });
    });
    let completed = RetryPolicy {
        initial_interval: seconds(3),
        maximum_interval: seconds(300),
        maximum_attempts: 4,
        non_retryable_error_types: vec!["Fatal".into()],
        ..default
    };
    assert_eq!(some.retry_policy, Some(completed));
}

#[test]
fn limits_are_written_as_they_hold() {
    // A2
    let alone = scheduled(World::new(), |options| {
        options.start_to_close_ns = None;
        options.schedule_to_close_ns = Some(4 * SECOND);
        options.heartbeat_ns = Some(9 * SECOND);
    });
    assert_eq!(
        [
            alone.schedule_to_close_timeout,
            alone.schedule_to_start_timeout,
            alone.start_to_close_timeout,
            alone.heartbeat_timeout
        ],
        [seconds(4); 4]
    );
    let in_a_run_with_a_limit = scheduled(World::with_run_timeout(7), |_| {});
    assert_eq!(
        [
            in_a_run_with_a_limit.schedule_to_close_timeout,
            in_a_run_with_a_limit.schedule_to_start_timeout,
            in_a_run_with_a_limit.start_to_close_timeout,
            in_a_run_with_a_limit.heartbeat_timeout
        ],
        [seconds(7), seconds(7), seconds(7), seconds(0)]
    );
}

#[test]
fn of_limits_that_pass_together_the_one_of_the_present_attempt_is_named() {
    // A2
    let mut world = World::new();
    world.task([activity_with(1, "charge", |options| {
        options.start_to_close_ns = None;
        options.schedule_to_close_ns = Some(4 * SECOND);
    })]);
    let timeout = |world: &World<Scripted>| {
        let deadline = world.execution.activities()[&5].deadline().unwrap();
        assert_eq!(deadline.at_ns, at(4));
        deadline.timeout
    };
    assert_eq!(timeout(&world), TimeoutType::ScheduleToStart);
    world.start_attempt(5);
    assert_eq!(timeout(&world), TimeoutType::StartToClose);
}

#[test]
fn a_retry_policy_that_cannot_be_kept_fails_the_task() {
    // A2, B1
    let asked_within = |limits: Limits, policy: RetryPolicy| {
        let mut world = World::new();
        world.limits = limits;
        world
            .try_script(Script::last([activity_with(1, "charge", |options| {
                options.retry_policy = Some(policy);
            })]))
            .map(|_| ())
    };
    let asked = |policy| asked_within(Limits::default(), policy);
    let coefficient = RetryPolicy {
        backoff_coefficient: 0.5,
        ..Default::default()
    };
    assert_eq!(
        asked(coefficient.clone()).unwrap_err(),
        Violation::BadActivity {
            activity_type: "charge".into(),
            seq: 1,
            why: "its retry policy is not valid: the backoff coefficient is below 1".into()
        }
    );
    let maximum = RetryPolicy {
        maximum_interval: Some(time::duration_from_ns(SECOND / 2)),
        ..Default::default()
    };
    let Err(Violation::BadActivity { why, .. }) = asked(maximum) else {
        panic!("the first interval is a second unless it is set");
    };
    assert!(why.contains("maximum interval"), "{why}");
    // In a replay it was accepted once, by a version that did not look.
    assert_eq!(asked_within(Limits::none(), coefficient.clone()), Ok(()));
    // With one attempt there is nothing to wait for.
    let once = RetryPolicy {
        maximum_attempts: 1,
        ..coefficient
    };
    assert_eq!(asked(once), Ok(()));
}

#[test]
fn a_history_without_a_policy_is_folded_with_the_defaults() {
    // A2: written before the policy was completed.
    let mut history = Builder::new();
    history.add_started("Test", "default");
    history.add_workflow_task();
    let scheduled_event_id = history.add_activity_scheduled(1, "charge", None);
    history.amend(|event| {
        if let Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) = &mut event.attributes {
            scheduled.retry_policy = None;
            scheduled.schedule_to_start_timeout = None;
        }
    });
    let events: Vec<_> = history.into_events().into_iter().map(Arc::new).collect();
    let execution = Execution::from_history(identity(), &events).unwrap();
    let activity = &execution.activities()[&scheduled_event_id];
    assert_eq!(activity.policy().interval_after(2), 2 * SECOND);
    assert_eq!(activity.policy().maximum_interval_ns, 100 * SECOND);
    assert_eq!(activity.deadline(), None);
}
