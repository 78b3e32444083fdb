//! The power goes while local activities run.

use std::time::Duration;

use longhaul_store::faults::Loss;

use super::*;
use crate::{
    crashes::{Crash, Script, Step},
    worker::activity,
};

/// A run with local activities one after the other, beside each other, tried again, given up and in a handler.
fn busy(rt: longhaul_runtime::Runtime, number: usize) -> Option<Step> {
    let note = |text: &'static str| {
        Some(Step::request({
            let rt = rt.clone();
            async move {
                common::signal(rt, "l", "note", &[json!(text)], text)
                    .await
                    .map(|()| Value::Null)
            }
        }))
    };
    match number {
        0 => Some(Step::request(async move {
            let flaky = local_with("flaky", json!({"args": [2], "retry_ms": 20}));
            let long = local_with("flaky", json!({"args": [1], "retry_ms": 11_000}));
            let steps = [
                local_with("echo", json!({"args": ["first"]})),
                json!({"op": "parallel", "branches": [[flaky], [{"op": "wait", "notes": 1}, long]]}),
                json!({"op": "race", "branches": [[local("echo")], [{"op": "sleep", "ms": 500_000}]]}),
                activity(json!({})),
                json!({"op": "wait", "notes": 2}),
            ];
            common::start(rt, "l", "Lab", "lab", &[json!({ "steps": steps })]).await?;
            Ok(Value::Null)
        })),
        1 => note("one"),
        2 => Some(Step::Pass(Duration::from_secs(12))),
        3 => Some(Step::request(async move {
            let step = json!([local_with("echo", json!({"args": ["update"]}))]);
            let updated = common::update(rt, "l", "run", &[step], "u").await?;
            // What it answers is how long the log was, which hangs on time.
            Ok(json!(updated.is_ok()))
        })),
        4 => note("two"),
        5 => Some(Step::request(async move {
            // Branches that run beside each other may end in any order.
            let result = common::result(rt.clone(), "l").await?;
            let mut log: Vec<String> = serde_json::from_value(result).unwrap();
            log.sort();
            let replayed = rt.replay("default", "l", "");
            assert!(replayed.is_ok(), "{replayed:?}");
            Ok(json!(log))
        })),
        _ => None,
    }
}

#[tokio::test]
async fn a_crash_after_any_commit_and_at_any_sync_loses_nothing_of_it() {
    // A5, S1, U4
    for crash in [Crash::AfterCommit, Crash::AtSync] {
        let script = Script {
            modules: &[("lab", "lab"), ("lab-activities", "lab")],
            steps: &busy,
            executions: &[],
            ..Script::default()
        };
        let (seen, crashes) = script.crash_everywhere(crash).await;
        let result: Vec<String> = serde_json::from_value(seen.answers[5].clone()).unwrap();
        assert!(
            result.contains(&"flaky=3".to_owned()) && result.contains(&"flaky=2".to_owned()),
            "{result:?}"
        );
        assert!(crashes > 6, "{crashes} crashes");
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash_and_the_task_runs_again() {
    // A5, S1
    let (mut world, mut gate) = gated().await;
    world
        .lab("l", &[local("gate"), json!({"op": "wait", "notes": 2})])
        .await;
    gate.until_begun(&mut world, 1).await;
    world.signal("l", "note", &[json!("one")]).await.unwrap();
    world.signal("l", "note", &[json!("two")]).await.unwrap();
    for loss in [Loss::All, Loss::Some { seed: 7 }] {
        let begun = gate.begun();
        world.crash(loss, SECOND);
        gate.serve(&world);
        gate.until_begun(&mut world, begun + 1).await;
    }
    gate.let_one_end();
    // What was acknowledged before the crash comes before the task that runs again.
    let log = json!(["note:one", "note:two", "gate=7", "waited"]);
    assert_eq!(world.result("l").await, log);
    assert_eq!(world.history("l").matches("WorkflowExecutionSignaled").count(), 2);
    world.export("local-activity-crash", "l");
}

#[tokio::test]
async fn one_that_no_task_has_ended_runs_again_after_a_crash() {
    // A5
    let (mut world, mut gate) = gated().await;
    world
        .lab("l", &[local_with("gate", json!({"start_to_close_ms": 60_000}))])
        .await;
    gate.until_begun(&mut world, 1).await;
    world.advance(Duration::from_secs(8)).await;
    world.until_history("l", "WorkflowTaskCompleted").await;
    world.crash(Loss::All, SECOND);
    gate.serve(&world);
    gate.until_begun(&mut world, 2).await;
    gate.let_one_end();
    assert_eq!(world.result("l").await, json!(["gate=7"]));
}
