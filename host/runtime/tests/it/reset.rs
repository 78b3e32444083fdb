//! A run begins again from one of its workflow tasks (E9).

use longhaul_history::proto::{
    enums::v1::{ResetReapplyExcludeType, WorkflowExecutionStatus as Status},
    workflowservice::v1 as wire,
};
use longhaul_runtime::Error;
use longhaul_store::faults::Loss;
use serde_json::{Value, json};

use crate::{captured::Captured, common, world::*};

async fn world() -> World {
    let mut world = World::of("lab").await;
    let steps =
        json!([{"op": "wait", "notes": 1}, {"op": "sleep", "ms": 60_000}, {"op": "wait", "notes": 3}]);
    world.start("a", "Lab", &[json!({"steps": steps})]).await.unwrap();
    for text in ["one", "two"] {
        world.signal("a", "note", &[json!(text)]).await.unwrap();
    }
    world
}

fn seconds(seconds: u64) -> longhaul_history::time::Duration {
    longhaul_history::time::duration_from_ns(seconds * longhaul_history::time::NS_PER_SECOND)
}

fn reset(to: i64, request_id: &str) -> wire::ResetWorkflowExecutionRequest {
    wire::ResetWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("a"),
        reason: "again".into(),
        workflow_task_finish_event_id: to,
        request_id: request_id.into(),
        ..Default::default()
    }
}

async fn status_of(world: &mut World, run_id: &str) -> Status {
    let request = wire::DescribeWorkflowExecutionRequest {
        namespace: "default".into(),
        execution: Some(longhaul_history::proto::common::v1::WorkflowExecution {
            workflow_id: "a".into(),
            run_id: run_id.into(),
        }),
    };
    let rt = world.rt();
    let described = world.drive(rt.describe_workflow(request)).await.unwrap();
    described.workflow_execution_info.unwrap().status()
}

#[tokio::test]
async fn a_reset_keeps_what_was_before_and_takes_later_signals_again() {
    // E9
    let mut world = world().await;
    let old = world.describe("a").await.workflow_execution_info.unwrap();
    let old = old.execution.unwrap().run_id;
    let rt = world.rt();
    let before = world.commits();
    let first = world
        .drive(rt.reset_workflow(reset(4, "r1")))
        .await
        .unwrap()
        .run_id;
    assert!(
        world.commits() - before <= 2,
        "one transition, and the first task of the new run"
    );
    assert_ne!(first, old);
    assert_eq!(status_of(&mut world, &old).await, Status::Terminated);
    let again = world
        .drive(rt.reset_workflow(reset(4, "r1")))
        .await
        .unwrap()
        .run_id;
    assert_eq!(again, first, "the same request is the same run");
    // The power goes before or after the new run's first task: it comes.
    world.crash(Loss::All, SECOND);
    world.until_history("a", "TimerStarted").await;
    let history = world.history("a");
    assert!(history.contains("cause=ResetWorkflow"), "{history}");
    assert_eq!(
        history.matches("WorkflowExecutionSignaled").count(),
        2,
        "{history}"
    );
    world.advance(60 * SECOND).await;
    world.signal("a", "note", &[json!("three")]).await.unwrap();
    assert_eq!(
        world.result("a").await,
        json!(["note:one", "note:two", "waited", "slept", "note:three", "waited"])
    );
    world.export("reset", "a");
}

#[tokio::test]
async fn a_crash_right_after_a_reset_loses_neither_it_nor_its_first_task() {
    // E9
    let mut world = world().await;
    let (rt, commits) = (world.rt(), world.commits() + 1);
    let answer = world
        .drive_until_commit(rt.reset_workflow(reset(4, "r1")), commits)
        .await;
    assert!(answer.is_none(), "it is durable, and nobody has been told");
    assert!(
        !world.history("a").contains("TimerStarted"),
        "its task comes later"
    );
    world.crash(Loss::All, SECOND);
    // Nobody asks again: what is in the store is enough.
    world.until_history("a", "TimerStarted").await;
    let first = world.describe("a").await.workflow_execution_info.unwrap();
    let rt = world.rt();
    let again = world.drive(rt.reset_workflow(reset(4, "r1"))).await.unwrap();
    assert_eq!(again.run_id, first.execution.unwrap().run_id);
}

#[tokio::test]
async fn a_closed_run_is_reset_and_what_is_excluded_is_not_taken_again() {
    // E9
    let mut world = world().await;
    world.terminate("a").await.unwrap();
    let mut request = reset(4, "r1");
    request.reset_reapply_exclude_types = vec![ResetReapplyExcludeType::Signal as i32];
    let rt = world.rt();
    world.drive(rt.reset_workflow(request)).await.unwrap();
    world.sim.settle().await;
    let history = world.history("a");
    assert!(!history.contains("WorkflowExecutionSignaled"), "{history}");
    let log = world.query("a", "log", &[]).await.unwrap();
    assert_eq!(log, Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_timer_that_was_pending_at_the_point_fires_again() {
    // E9, W2
    let mut world = world().await;
    world.until_history("a", "TimerStarted").await;
    world.advance(60 * SECOND).await;
    let history = world.history("a");
    assert!(history.contains("TimerFired"), "{history}");
    let rt = world.rt();
    // The task that the timer has brought about.
    let task = history
        .lines()
        .rfind(|line| line.contains("WorkflowTaskCompleted"))
        .and_then(|line| line.trim().split(' ').next()?.parse::<i64>().ok())
        .unwrap();
    world.drive(rt.reset_workflow(reset(task, "r"))).await.unwrap();
    world.sim.settle().await;
    world.signal("a", "note", &[json!("three")]).await.unwrap();
    assert_eq!(
        world.result("a").await,
        json!(["note:one", "waited", "note:two", "slept", "note:three", "waited"])
    );
}

#[tokio::test]
async fn a_reset_to_what_is_no_workflow_task_is_refused() {
    // E9, B1
    let mut world = world().await;
    let rt = world.rt();
    let before = world.history("a");
    for event in [0, 1, 2_000, -1] {
        let refused = world.drive(rt.reset_workflow(reset(event, "r"))).await;
        assert!(
            matches!(&refused, Err(Error::InvalidArgument(_))),
            "{event}: {refused:?}"
        );
    }
    let mut unknown = reset(4, "r");
    unknown.workflow_execution = common::execution("nobody");
    let refused = world.drive(rt.reset_workflow(unknown)).await;
    assert!(matches!(&refused, Err(Error::WorkflowNotFound(_))), "{refused:?}");
    assert_eq!(world.history("a"), before, "nothing was written");
}

#[tokio::test]
async fn more_updates_than_may_be_in_flight_are_applied_again() {
    // E9, U10
    let mut world = World::of("counter").await;
    world.start("a", "Counter", &[]).await.unwrap();
    for value in 1..=12 {
        world
            .update("a", "add_and_get", &[json!(value)], &format!("u{value}"))
            .await
            .unwrap()
            .unwrap();
    }
    let rt = world.rt();
    let history = world.history("a");
    let task = history
        .lines()
        .find(|line| line.contains("WorkflowTaskCompleted"))
        .unwrap();
    let at = task.split_whitespace().next().unwrap().parse().unwrap();
    world.drive(rt.reset_workflow(reset(at, "r1"))).await.unwrap();
    assert_eq!(world.query("a", "total", &[]).await.unwrap(), json!(78));
}

/// The signals in the history of the run that has the id, in order: who has sent each.
fn senders(world: &World, id: &str) -> Vec<String> {
    use longhaul_history::Attributes as A;
    let history = world.rt().whole_history("default", id, "").unwrap();
    let sender = |event: &longhaul_history::HistoryEvent| match &event.attributes {
        Some(A::WorkflowExecutionSignaledEventAttributes(signal)) => {
            let sender = signal.external_workflow_execution.as_ref();
            Some(
                sender
                    .map_or("client", |sender| sender.workflow_id.as_str())
                    .to_owned(),
            )
        }
        _ => None,
    };
    history.events.iter().filter_map(sender).collect()
}

#[tokio::test]
async fn what_a_run_has_handed_on_to_the_next_is_applied_again_once() {
    // E9, S5, S9, E6
    handed_on_and_reset_to(4).await;
}

#[tokio::test]
async fn a_signal_that_is_kept_and_was_handed_on_is_not_applied_again() {
    // E9, S9: nothing but its place tells it from another one, because it has no request id.
    handed_on_and_reset_to(8).await;
}

async fn handed_on_and_reset_to(task: i64) {
    let mut world = World::of("lab").await;
    // Its second task fails again and again, and then the time of the run is over.
    let unknown = json!({"op": "child", "id": "k", "type": "Labb", "program": {}});
    let steps = json!([{"op": "wait", "notes": 1}, unknown]);
    let mut request = start_request("a", "Lab", &[json!({"steps": steps})]);
    request.workflow_run_timeout = Some(seconds(60));
    request.retry_policy = Some(longhaul_history::proto::common::v1::RetryPolicy {
        initial_interval: Some(seconds(1)),
        maximum_attempts: 2,
        ..Default::default()
    });
    let first = world.start_with(request).await.unwrap().run_id;
    world.signal("a", "note", &[json!("one")]).await.unwrap();
    assert!(world.parked("a").await.is_some());
    let note = json!({"op": "signal", "id": "a", "name": "note", "args": ["two"]});
    world
        .start("b", "Lab", &[json!({"steps": [note]})])
        .await
        .unwrap();
    world.result("b").await;
    world.advance(61 * SECOND).await;
    world.advance(SECOND).await;
    let second = world.describe("a").await.workflow_execution_info.unwrap();
    assert_ne!(second.execution.unwrap().run_id, first);
    assert_eq!(senders(&world, "a"), ["client", "b"], "S9: the next run has them");
    let rt = world.rt();
    let kept = rt.whole_history("default", "a", &first).unwrap();
    let kept = &kept.events[..usize::try_from(task).unwrap() - 1];
    let kept = longhaul_history::text::history(kept);
    assert_eq!(
        kept.contains("WorkflowExecutionSignaled"),
        task > 4,
        "the point lies behind the signal or before it:\n{kept}"
    );
    let mut request = reset(task, "r1");
    request.workflow_execution.as_mut().unwrap().run_id = first;
    world.drive(rt.reset_workflow(request)).await.unwrap();
    world.sim.settle().await;
    assert!(world.history("a").contains("cause=ResetWorkflow"));
    assert_eq!(senders(&world, "a"), ["client", "b"]);
}

#[tokio::test]
async fn what_is_applied_again_has_a_limit_in_bytes() {
    // E9, B1
    const SIGNALS: usize = 36;
    let mut world = World::of("lab").await;
    let steps = json!([{"op": "wait", "notes": 2 * SIGNALS}]);
    world.start("a", "Lab", &[json!({"steps": steps})]).await.unwrap();
    let large = longhaul_history::payload::from_values(&[json!("x".repeat(1_900_000))]);
    for _ in 0..SIGNALS {
        let header = longhaul_history::proto::common::v1::Header {
            fields: [("large".to_owned(), large.payloads[0].clone())].into(),
        };
        let request = wire::SignalWorkflowExecutionRequest {
            namespace: "default".into(),
            workflow_execution: common::execution("a"),
            signal_name: "note".into(),
            input: common::values(&[json!("x")]),
            header: Some(header),
            ..Default::default()
        };
        let rt = world.rt();
        world.drive(rt.signal_workflow(request)).await.unwrap();
    }
    let rt = world.rt();
    let refused = world.drive(rt.reset_workflow(reset(4, "r1"))).await;
    let Err(Error::FailedPrecondition(message)) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        message.contains("more than 67108864 bytes") && message.contains("exclude them"),
        "{message}"
    );
    // From the fourth task on it is less.
    let rt = world.rt();
    let fourth = 4 + 3 * 4;
    world.drive(rt.reset_workflow(reset(fourth, "r2"))).await.unwrap();
    assert_eq!(senders(&world, "a").len(), SIGNALS);
    let mut request = reset(4, "r3");
    request.reset_reapply_exclude_types = vec![ResetReapplyExcludeType::Signal as i32];
    let rt = world.rt();
    world.drive(rt.reset_workflow(request)).await.unwrap();
}

#[tokio::test]
async fn what_came_to_the_runs_after_the_point_is_applied_again() {
    // E9
    let mut world = World::of("lab").await;
    let last = json!({"steps": [{"op": "wait", "notes": 100}]});
    let program = json!({"steps": [{"op": "wait", "notes": 1}, {"op": "continue", "program": last}]});
    let first = world.start("a", "Lab", &[program]).await.unwrap();
    for text in ["to the first", "to the second"] {
        world.signal("a", "note", &[json!(text)]).await.unwrap();
        world.sim.settle().await;
    }
    let mut request = reset(4, "r");
    request.workflow_execution.as_mut().unwrap().run_id = first;
    let rt = world.rt();
    world.drive(rt.reset_workflow(request)).await.unwrap();
    world.sim.settle().await;
    assert_eq!(
        world.query("a", "log", &[]).await.unwrap(),
        json!(["note:to the first", "note:to the second", "waited"])
    );
}

#[tokio::test]
async fn a_run_that_was_reset_draws_other_random_numbers() {
    // E9, W3
    let mut world = World::of("hostile").await;
    world.start("a", "Hostile", &[json!("wait")]).await.unwrap();
    let log = Captured::begin();
    world.signal("a", "act", &[json!("log")]).await.unwrap();
    let before = log.of_guests();
    assert_eq!(before.len(), 2, "{before:?}");
    drop(log);
    // No time passes: what the run logs again differs by its random numbers only.
    let log = Captured::begin();
    let rt = world.rt();
    world.drive(rt.reset_workflow(reset(4, "r"))).await.unwrap();
    world.sim.settle().await;
    let after = log.of_guests();
    drop(log);
    assert_eq!(after.len(), 2, "the signal is applied again: {after:?}");
    for ((_, before), (_, after)) in before.iter().zip(&after) {
        assert_ne!(before, after);
    }
}
