//! How long a workflow task may take, as history states it (E2).

use longhaul_engine::{Command, ContinueOptions, TASK_TIMEOUT_MAX_NS, execution::Start};
use longhaul_history::{
    proto::history::v1::{WorkflowExecutionStartedEventAttributes, history_event::Attributes},
    time,
};

use crate::{
    guest::{Scripted, child_with},
    town::Town,
    world::{World, start},
};

fn seconds(seconds: u64) -> u64 {
    seconds * time::NS_PER_SECOND
}

fn limits(task: u64, run: u64, chain: u64) -> Start {
    Start {
        task_timeout_ns: seconds(task),
        run_timeout_ns: seconds(run),
        execution_timeout_ns: seconds(chain),
        ..start()
    }
}

/// Of a task and of a run, in seconds.
fn stated(started: &WorkflowExecutionStartedEventAttributes) -> (i64, i64) {
    let whole = |limit: &Option<time::Duration>| limit.as_ref().map_or(0, |limit| limit.seconds);
    (
        whole(&started.workflow_task_timeout),
        whole(&started.workflow_run_timeout),
    )
}

/// What is asked for (task, run, chain), and what holds for a task.
const CASES: [((u64, u64, u64), i64); 8] = [
    ((10, 0, 0), 10),
    ((120, 0, 0), 120),
    ((121, 0, 0), 120),
    ((3_600, 0, 0), 120),
    ((3_600, 60, 0), 60),
    ((3_600, 60, 30), 30),
    ((3_600, 0, 30), 30),
    ((10, 60, 0), 10),
];

#[test]
fn a_task_takes_no_longer_than_two_minutes_nor_than_its_run() {
    // E2
    assert_eq!(TASK_TIMEOUT_MAX_NS, seconds(120));
    for ((task, run, chain), holds) in CASES {
        let mut world = World::with(Scripted::default(), limits(task, run, chain));
        assert_eq!(
            stated(world.execution.start()).0,
            holds,
            "{task} in a run of {run} in a chain of {chain}"
        );
        world.task([]);
        let scheduled = world.history.iter().find_map(|event| match &event.attributes {
            Some(Attributes::WorkflowTaskScheduledEventAttributes(a)) => a.start_to_close_timeout,
            _ => None,
        });
        assert_eq!(scheduled.unwrap().seconds, holds);
        world.check();
    }
}

#[test]
fn the_run_that_continues_has_the_limits_that_its_predecessor_states() {
    // E2, E3
    for ((task, run, chain), holds) in CASES {
        let begun = Start {
            execution_timeout_ns: seconds(chain),
            ..start()
        };
        let mut world = World::with(Scripted::default(), begun);
        world.task([Command::ContinueAsNew(Box::new(ContinueOptions {
            run_timeout_ns: Some(seconds(run)),
            task_timeout_ns: Some(seconds(task)),
            ..Default::default()
        }))]);
        let Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(continued)) =
            &world.history.last().unwrap().attributes
        else {
            panic!("it continues as new")
        };
        assert_eq!(continued.workflow_task_timeout.unwrap().seconds, holds);
        let next = world.successor.take().unwrap();
        let next = World::with(Scripted::default(), next.start);
        assert_eq!(stated(next.execution.start()).0, holds);
        assert_eq!(
            stated(next.execution.start()).1,
            continued.workflow_run_timeout.unwrap().seconds
        );
        world.check();
    }
}

#[test]
fn a_child_has_the_limits_that_its_parent_states() {
    // E2, E5
    for ((task, run, chain), holds) in CASES {
        let mut town = Town::new();
        town.start("parent");
        let child = child_with(1, "kid", |options| {
            options.task_timeout_ns = Some(seconds(task));
            options.run_timeout_ns = Some(seconds(run));
            options.execution_timeout_ns = Some(seconds(chain));
        });
        town.task("parent", [child]);
        town.settle();
        let initiated = town
            .world("parent")
            .history
            .iter()
            .find_map(|event| match &event.attributes {
                Some(Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(a)) => {
                    Some((a.workflow_task_timeout?.seconds, a.workflow_run_timeout?.seconds))
                }
                _ => None,
            });
        let begun = stated(town.world("kid").execution.start());
        assert_eq!(begun.0, holds);
        assert_eq!(initiated, Some(begun));
        town.check();
    }
}
