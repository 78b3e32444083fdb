//! What of a workflow task and its local activities is in history, and when it ends.

use std::time::Duration;

use longhaul_runtime::activities::Error;
use longhaul_store::faults::Loss;

use super::*;

#[tokio::test]
async fn its_end_is_a_marker_of_the_task_that_began_it_and_a_replay_does_not_run_it() {
    // A5, W3
    let (mut world, mut gate) = gated().await;
    world
        .lab("l", &[local("gate"), json!({"op": "wait", "notes": 1})])
        .await;
    gate.until_begun(&mut world, 1).await;
    assert_eq!(
        kinds(&world.history("l")),
        ["WorkflowExecutionStarted"],
        "nothing of a task is written before it has ended"
    );
    let pending = world.describe("l").await.pending_workflow_task.unwrap();
    assert_eq!(
        pending.state(),
        longhaul_history::proto::enums::v1::PendingWorkflowTaskState::Started
    );
    gate.let_one_end();
    world.until_history("l", "MarkerRecorded").await;
    let history = world.history("l");
    let expected = [&["WorkflowExecutionStarted"], &TASK[..], &["MarkerRecorded"]].concat();
    assert_eq!(kinds(&history), expected, "{history}");
    world.crash(Loss::All, SECOND);
    gate.serve(&world);
    world.signal("l", "note", &[json!("on")]).await.unwrap();
    assert_eq!(world.result("l").await, json!(["gate=7", "note:on", "waited"]));
    assert_eq!(gate.begun(), 1);
    world.export("local-activity", "l");
}

#[tokio::test]
async fn a_task_ends_before_its_limit_and_another_opens() {
    // A5, E2
    let (mut world, gate) = gated().await;
    let steps = [local_with("gate", json!({"start_to_close_ms": 60_000}))];
    world.lab("l", &steps).await;
    gate.until_begun(&mut world, 1).await;
    world.advance(Duration::from_millis(7_900)).await;
    assert!(!world.history("l").contains("WorkflowTask"));
    world.advance(Duration::from_millis(100)).await;
    world.until_history("l", "WorkflowTaskCompleted").await;
    world.signal("l", "note", &[json!("one")]).await.unwrap();
    world.advance(Duration::from_secs(8)).await;
    world.until_history("l", "Signaled").await;
    assert_eq!(gate.begun(), 1, "it goes on over the ends of tasks");
    gate.let_one_end();
    assert_eq!(world.result("l").await, json!(["note:one", "gate=7"]));
    let history = world.history("l");
    let expected = [
        &["WorkflowExecutionStarted"],
        &TASK[..],
        &TASK[..],
        &["WorkflowExecutionSignaled"],
        &TASK[..],
        &["MarkerRecorded", "WorkflowExecutionCompleted"],
    ];
    assert_eq!(kinds(&history), expected.concat(), "{history}");
    world.export("local-activity-long", "l");
}

#[tokio::test]
async fn it_is_tried_again_in_place_and_after_a_long_wait_by_a_timer() {
    // A2, A5
    let mut world = worker::lab().await;
    let tried = Arc::new(AtomicUsize::new(0));
    let serve = |world: &World| {
        let tried = tried.clone();
        let flaky = activities::json(move |context: Context, _: Value| {
            tried.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(context.info().is_local);
                match context.info().attempt {
                    6 => Ok(json!("at last")),
                    attempt => Err(Error::failed(format!("attempt {attempt}"), "Flaky")),
                }
            }
        });
        world.rt().register_activity(QUEUE, "flaky", flaky).unwrap();
    };
    serve(&world);
    // Waits of 1, 2, 4 and 8 s in place; the fifth is longer than the task's limit of 10 s.
    world.lab("l", &[local("flaky")]).await;
    for seconds in [1, 2, 4, 8] {
        world.sim.settle().await;
        world.advance(Duration::from_secs(seconds)).await;
    }
    world.until_history("l", "TimerStarted").await;
    assert_eq!(tried.load(Ordering::SeqCst), 5);
    world.crash(Loss::All, SECOND);
    serve(&world);
    world.advance(Duration::from_secs(16)).await;
    assert_eq!(world.result("l").await, json!(["flaky=\"at last\""]));
    assert_eq!(tried.load(Ordering::SeqCst), 6);
    let history = world.history("l");
    assert_eq!(history.matches("MarkerRecorded").count(), 2, "{history}");
    assert!(!history.contains("ActivityTask"), "{history}");
    world.export("local-activity-backoff", "l");
}

#[tokio::test]
async fn its_limits_are_its_own() {
    // A2, A5
    let (mut world, gate) = gated().await;
    let once = json!({"start_to_close_ms": 2_000, "attempts": 1});
    world.lab("l", &[local_with("gate", once)]).await;
    gate.until_begun(&mut world, 1).await;
    world.advance(Duration::from_secs(2)).await;
    let result = world.result("l").await;
    assert!(
        result[0].as_str().unwrap().starts_with("gate failed: "),
        "{result}"
    );
    assert!(
        world.history("l").contains("Activity timed out"),
        "{}",
        world.history("l")
    );
    world.export("local-activity-timeout", "l");
}

#[tokio::test]
async fn a_type_that_nobody_serves_fails_the_task_until_somebody_does() {
    // A5, E11, E12
    let mut world = worker::lab().await;
    world.lab("l", &[local("gate")]).await;
    world.sim.settle().await;
    let reason = world.parked("l").await.unwrap();
    for words in ["\"gate\"", "\"lab\"", "no module in this server serves it"] {
        assert!(reason.contains(words), "{words}: {reason}");
    }
    let mut gate = Gate::new();
    gate.serve(&world);
    gate.let_one_end();
    world.advance(SECOND).await;
    assert_eq!(world.result("l").await, json!(["gate=7"]));
}

#[tokio::test]
async fn code_that_cancels_it_records_that_at_once() {
    // A4, A5
    let (mut world, gate) = gated().await;
    let race = json!({"op": "race", "branches": [[local("gate")], [local("quick")]]});
    let quick = activities::json(async |_: Context, value: Value| Ok(value));
    world.rt().register_activity(QUEUE, "quick", quick).unwrap();
    world.lab("l", &[race]).await;
    assert_eq!(world.result("l").await, json!(["quick=7", "won=1"]));
    let history = world.history("l");
    assert_eq!(history.matches("MarkerRecorded").count(), 2, "{history}");
    assert!(gate.begun() <= 1);
    world.export("local-activity-cancelled", "l");
    world.crash(Loss::All, SECOND);
    assert_eq!(
        world.query("l", "log", &[]).await.unwrap(),
        json!(["quick=7", "won=1"])
    );
}

#[tokio::test]
async fn a_task_timeout_has_bounds() {
    // A5, E2
    let (mut world, gate) = gated().await;
    let mut request = start_request("l", "Lab", &[json!({"steps": [local("gate")]})]);
    request.workflow_task_timeout = Some(longhaul_history::time::duration_from_ns(1));
    world.start_with(request).await.unwrap();
    gate.until_begun(&mut world, 1).await;
    assert!(!world.history("l").contains("WorkflowTask"));
    gate.let_one_end();
    assert_eq!(world.result("l").await, json!(["gate=7"]));
}

#[tokio::test]
async fn very_many_that_end_together_are_told_in_more_tasks_than_one() {
    // A5
    let mut world = worker::lab().await;
    let quick = activities::json(async |_: Context, value: Value| Ok(value));
    world.rt().register_activity(QUEUE, "quick", quick).unwrap();
    // One after the other: each is a round.
    let steps: Vec<Value> = (0..1_100).map(|_| local("quick")).collect();
    world.lab("l", &steps).await;
    let result = world.result("l").await;
    assert_eq!(result.as_array().unwrap().len(), 1_100);
    let history = world.history("l");
    assert_eq!(history.matches("MarkerRecorded").count(), 1_100);
    assert_eq!(history.matches("WorkflowTaskCompleted").count(), 2);
    world.crash(Loss::All, SECOND);
    assert!(world.rt().replay("default", "l", "").is_ok());
}
