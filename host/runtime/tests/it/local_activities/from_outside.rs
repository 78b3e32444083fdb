//! What ends a run from outside does not wait for its local activities, and loses nothing that was acknowledged.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_run_that_is_ended_from_outside_does_not_wait_for_it() {
    // A5, E1, E2, E4
    for how in ["terminate", "timeout", "replace", "reset", "delete"] {
        let (mut world, gate) = gated().await;
        let steps = [json!({"op": "sleep", "ms": 1}), long_gate()];
        let mut request = start_request("l", "Lab", &[json!({ "steps": steps })]);
        request.workflow_run_timeout = Some(longhaul_history::time::duration_from_ns(30_000_000_000));
        let first = world.start_with(request).await.unwrap().run_id;
        world.sim.settle().await;
        world.advance(Duration::from_millis(1)).await;
        gate.until_begun(&mut world, 1).await;
        world.signal("l", "note", &[json!("kept")]).await.unwrap();
        let rt = world.rt();
        match how {
            "terminate" => world.terminate("l").await.unwrap(),
            "timeout" => world.advance(Duration::from_secs(30)).await,
            "replace" => {
                world.start_with(replacement("l", &[])).await.unwrap();
            }
            "reset" => {
                let request = reset_to_the_first_task("l");
                world.drive(rt.reset_workflow(request)).await.unwrap();
            }
            _ => {
                let request = wire::DeleteWorkflowExecutionRequest {
                    namespace: "default".into(),
                    workflow_execution: common::execution("l"),
                };
                world.drive(rt.delete_workflow(request)).await.unwrap();
                world.sim.settle().await;
                let gone = rt.whole_history("default", "l", "");
                assert!(gone.is_err(), "{gone:?}");
                continue;
            }
        }
        world.sim.settle().await;
        let events = rt.whole_history("default", "l", &first).unwrap().events;
        let history = longhaul_history::text::history(&events);
        assert!(history.contains("WorkflowExecutionSignaled"), "{how}: {history}");
        let last = kinds(&history).pop().unwrap();
        match how {
            "timeout" => assert_eq!(last, "WorkflowExecutionTimedOut", "{history}"),
            _ => assert_eq!(last, "WorkflowExecutionTerminated", "{how}: {history}"),
        }
        if how == "reset" {
            world.advance(Duration::from_millis(1)).await;
            gate.until_begun(&mut world, 2).await;
            gate.let_one_end();
            gate.let_one_end();
            assert_eq!(world.result("l").await, json!(["note:kept", "slept", "gate=7"]));
            assert!(world.history("l").contains("Signaled"), "{}", world.history("l"));
        }
    }
}

#[tokio::test]
async fn what_names_another_chain_does_not_reach_an_open_task() {
    // A5, B1, E4
    let (mut world, gate) = gated().await;
    world.lab("l", &[local("gate")]).await;
    gate.until_begun(&mut world, 1).await;
    let rt = world.rt();
    let other = "0191a5d0-0000-7000-8000-000000000001".to_owned();
    let cancel = wire::RequestCancelWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("l"),
        first_execution_run_id: other.clone(),
        ..Default::default()
    };
    assert!(world.drive(rt.request_cancel(cancel)).await.is_err());
    let terminate = wire::TerminateWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("l"),
        first_execution_run_id: other,
        ..Default::default()
    };
    assert!(world.drive(rt.terminate(terminate)).await.is_err());
    gate.let_one_end();
    assert_eq!(world.result("l").await, json!(["gate=7"]));
    assert_eq!(gate.begun(), 1);
    assert!(!world.history("l").contains("CancelRequested"));
}

#[tokio::test]
async fn who_waits_for_a_run_that_is_replaced_is_told() {
    // A5, E1, E9, U7
    for reset in [false, true] {
        let (mut world, gate) = gated().await;
        world
            .lab("l", &[json!({"op": "sleep", "ms": 1}), local("gate")])
            .await;
        world.sim.settle().await;
        world.advance(Duration::from_millis(1)).await;
        gate.until_begun(&mut world, 1).await;
        let (rt, five) = (world.rt(), [json!(5)]);
        let mut update = Box::pin(common::update(rt.clone(), "l", "add", &five, "add"));
        world.poll_once(&mut update).await;
        let mut query = Box::pin(common::query(rt.clone(), "l", "sum"));
        world.poll_once(&mut query).await;
        if reset {
            let request = reset_to_the_first_task("l");
            world.drive(rt.reset_workflow(request)).await.unwrap();
        } else {
            world.start_with(replacement("l", &[])).await.unwrap();
        }
        // Whether it goes on to the run that has the id now, or is refused: it is answered.
        let _ = world.drive(query).await;
        let _ = world.drive(update).await;
    }
}

#[tokio::test]
async fn what_was_acknowledged_while_the_code_was_away_is_there_after_the_run_was_reset_or_replaced() {
    // A5, E1, E9, S9
    for reset in [true, false] {
        let (mut world, gate) = gated().await;
        world
            .lab("l", &[json!({"op": "sleep", "ms": 1}), long_gate()])
            .await;
        world.sim.settle().await;
        world.advance(Duration::from_millis(1)).await;
        gate.until_begun(&mut world, 1).await;
        let rt = world.rt();
        let first = world.describe("l").await.workflow_execution_info.unwrap();
        let first = first.execution.unwrap().run_id;
        // The history is read for the reset while nothing of the task is in it, and comes back behind all that follows.
        world.sim.hold_workers(true);
        let mut begin_again = Box::pin(rt.reset_workflow(reset_to_the_first_task("l")));
        if reset {
            world.poll_once(&mut begin_again).await;
        }
        let five = [json!(5)];
        let mut update = Box::pin(common::update(rt.clone(), "l", "add", &five, "add"));
        world.poll_once(&mut update).await;
        let letter = json!({"op": "signal", "id": "l", "name": "note", "args": ["letter"]});
        world.lab("sender", &[letter]).await;
        world.sim.settle().await;
        world.signal("l", "note", &[json!("kept")]).await.unwrap();
        // The code ends the run unseeing: its task is given up, and its code has to come back. The signal of the other execution
        // waits for the task that the update opens, and what was acknowledged stands behind it.
        gate.let_one_end();
        world.sim.settle().await;
        assert!(!world.history("l").contains("MarkerRecorded"));
        assert!(!world.history("l").contains("Signaled"));
        if !reset {
            world.start_with(replacement("l", &[])).await.unwrap();
            world.sim.hold_workers(false);
            let events = rt.whole_history("default", "l", &first).unwrap().events;
            let history = longhaul_history::text::history(&events);
            let last: Vec<&str> = kinds(&history).into_iter().rev().take(2).collect();
            assert_eq!(
                last,
                ["WorkflowExecutionTerminated", "WorkflowExecutionSignaled"],
                "{history}"
            );
            let _ = world.drive(update).await;
            continue;
        }
        world.sim.hold_workers(false);
        world.drive(begin_again).await.unwrap();
        let _ = world.drive(update).await;
        world.until_history("l", "TimerStarted").await;
        world.advance(Duration::from_millis(1)).await;
        // Each time the code ends the run before it has seen all, its activity runs again.
        gate.let_end(10);
        let log = world.result("l").await;
        for note in ["note:kept", "note:letter"] {
            let seen = log
                .as_array()
                .unwrap()
                .iter()
                .filter(|line| **line == *note)
                .count();
            assert_eq!(seen, 1, "{note} in {log}");
        }
    }
}
