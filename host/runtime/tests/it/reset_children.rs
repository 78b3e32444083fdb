//! A run that is reset, and the children that it had at the point: each runs once, and the new run learns of its end (E9, E5).

use std::task::Poll;

use longhaul_history::proto::{common::v1::WorkflowExecution, workflowservice::v1 as wire};
use longhaul_runtime::{Error, Runtime};
use serde_json::{Value, json};

use crate::{
    common,
    crashes::{Comparison, Crash, Script, Step},
    world::*,
};

/// A child that waits for a note, and its parent, which then waits for so many notes.
fn parent(notes: usize) -> Value {
    let child = json!({"op": "child", "id": "k", "program": {"steps": [{"op": "wait", "notes": 1}]}});
    json!({"steps": [child, {"op": "wait", "notes": notes}]})
}

async fn world() -> World {
    let mut world = World::sharded(common::options(), 2);
    world.upload("lab", "lab").await;
    world
}

/// The end of the first workflow task whose start comes behind the first line with this text.
fn task_behind(history: &str, text: &str) -> Option<i64> {
    let behind = &history[history.find(text)?..];
    let started = &behind[behind.find("WorkflowTaskStarted")?..];
    let line = started
        .lines()
        .find(|line| line.contains("WorkflowTaskCompleted"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn reset(run_id: &str, to: i64, request_id: &str) -> wire::ResetWorkflowExecutionRequest {
    wire::ResetWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: Some(WorkflowExecution {
            workflow_id: "a".into(),
            run_id: run_id.into(),
        }),
        reason: "again".into(),
        workflow_task_finish_event_id: to,
        request_id: request_id.into(),
        ..Default::default()
    }
}

async fn begin_again(world: &mut World, run_id: &str, to: i64) -> Result<String, Error> {
    let rt = world.rt();
    let answer = world
        .drive(rt.reset_workflow(reset(run_id, to, &format!("to {to}"))))
        .await?;
    world.sim.settle().await;
    Ok(answer.run_id)
}

async fn run_of(world: &mut World, id: &str) -> String {
    let info = world.describe(id).await.workflow_execution_info.unwrap();
    info.execution.unwrap().run_id
}

fn once(history: &str, line: &str) {
    assert_eq!(history.matches(line).count(), 1, "{line}\n{history}");
}

#[tokio::test]
async fn a_child_that_has_ended_behind_the_point_has_ended_for_the_new_run() {
    // E9, E5
    let mut world = world().await;
    world.start("a", "Lab", &[parent(1)]).await.unwrap();
    world.until_history("a", "ChildWorkflowExecutionStarted").await;
    world.sim.settle().await;
    let child = run_of(&mut world, "k").await;
    world.signal("k", "note", &[json!("end")]).await.unwrap();
    world.until_history("a", "ChildWorkflowExecutionCompleted").await;
    world.sim.settle().await;
    let task = task_behind(&world.history("a"), "ChildWorkflowExecutionStarted").unwrap();
    begin_again(&mut world, "", task).await.unwrap();
    let history = world.history("a");
    assert!(history.contains("cause=ResetWorkflow"), "{history}");
    once(&history, "ChildWorkflowExecutionStarted");
    once(&history, "ChildWorkflowExecutionCompleted");
    world.signal("a", "note", &[json!("go")]).await.unwrap();
    assert_eq!(
        world.result("a").await,
        json!([
            "child started",
            "child=[\"note:end\", \"waited\"]",
            "note:go",
            "waited"
        ])
    );
    assert_eq!(run_of(&mut world, "k").await, child);
    world.export("reset-child", "a");
}

#[tokio::test]
async fn a_child_whose_start_lies_behind_the_point_is_not_started_again() {
    // E9, E5
    for ends in [true, false] {
        let mut world = world().await;
        let (rt, early) = (world.rt(), [json!("early")]);
        // The signal is there before the child: a task stands between what initiates it and its start.
        let both = async {
            tokio::join!(
                rt.start_workflow(start_request("a", "Lab", &[parent(2)])),
                common::signal(rt.clone(), "a", "note", &early, ""),
            )
        };
        let (started, signalled) = world.drive(both).await;
        let _ = (started.unwrap(), signalled.unwrap());
        world.until_history("a", "ChildWorkflowExecutionStarted").await;
        let child = run_of(&mut world, "k").await;
        if ends {
            world.signal("k", "note", &[json!("end")]).await.unwrap();
            world.until_history("a", "ChildWorkflowExecutionCompleted").await;
        }
        world.sim.settle().await;
        let history = world.history("a");
        let task = task_behind(&history, "WorkflowExecutionSignaled").unwrap();
        let (before, _) = history
            .split_once(&format!("{task} WorkflowTaskCompleted"))
            .unwrap();
        assert!(
            before.contains("StartChildWorkflowExecutionInitiated"),
            "{history}"
        );
        assert!(!before.contains("ChildWorkflowExecutionStarted"), "{history}");
        begin_again(&mut world, "", task).await.unwrap();
        if !ends {
            world.signal("k", "note", &[json!("end")]).await.unwrap();
        }
        world.signal("a", "note", &[json!("go")]).await.unwrap();
        let result = world.result("a").await;
        let result = result.as_array().unwrap();
        assert!(
            result.contains(&json!("child=[\"note:end\", \"waited\"]")),
            "{result:?}"
        );
        let history = world.history("a");
        once(&history, "ChildWorkflowExecutionStarted");
        once(&history, "ChildWorkflowExecutionCompleted");
        assert_eq!(run_of(&mut world, "k").await, child, "there is no second one");
    }
}

#[tokio::test]
async fn a_child_that_has_ended_after_its_parent_has_ended_for_the_new_run() {
    // E9, E5
    let mut world = world().await;
    let child = json!({"op": "child", "id": "k", "policy": "abandon", "wait": false,
        "program": {"steps": [{"op": "wait", "notes": 1}]}});
    let steps = json!({"steps": [child, {"op": "wait", "notes": 1}]});
    let first = world.start("a", "Lab", &[steps]).await.unwrap();
    world.until_history("a", "ChildWorkflowExecutionStarted").await;
    world.signal("a", "note", &[json!("go")]).await.unwrap();
    world.result("a").await;
    // Nobody is there to hear of it.
    world.signal("k", "note", &[json!("end")]).await.unwrap();
    world.result("k").await;
    world.sim.settle().await;
    let task = task_behind(&world.history("a"), "ChildWorkflowExecutionStarted").unwrap();
    begin_again(&mut world, &first, task).await.unwrap();
    once(&world.history("a"), "ChildWorkflowExecutionCompleted");
}

#[tokio::test]
async fn a_child_that_was_deleted_ends_as_its_parent_was_told() {
    // E9, E5
    let mut world = world().await;
    world.start("a", "Lab", &[parent(1)]).await.unwrap();
    world.until_history("a", "ChildWorkflowExecutionStarted").await;
    world.sim.settle().await;
    world.signal("k", "note", &[json!("end")]).await.unwrap();
    world.until_history("a", "ChildWorkflowExecutionCompleted").await;
    world.sim.settle().await;
    let request = wire::DeleteWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("k"),
    };
    let rt = world.rt();
    world.drive(rt.delete_workflow(request)).await.unwrap();
    world.sim.settle().await;
    let task = task_behind(&world.history("a"), "ChildWorkflowExecutionStarted").unwrap();
    let first = run_of(&mut world, "a").await;
    begin_again(&mut world, "", task).await.unwrap();
    once(&world.history("a"), "ChildWorkflowExecutionCompleted");
    world.signal("a", "note", &[json!("go")]).await.unwrap();
    assert_eq!(
        world.result("a").await[1],
        json!("child=[\"note:end\", \"waited\"]")
    );
    assert_ne!(run_of(&mut world, "a").await, first);
}

/// Ask in every round until there is an answer.
async fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    std::future::poll_fn(|_| ask().map_or(Poll::Pending, Poll::Ready)).await
}

fn history_of(rt: &Runtime, id: &str) -> Option<String> {
    let history = rt.whole_history("default", id, "").ok()?;
    Some(longhaul_history::text::history(&history.events))
}

/// Send a note, unless it is there already: what it led to may have closed its receiver before the answer was lost.
async fn note(rt: Runtime, id: &str, text: &str) -> Result<(), Error> {
    if history_of(&rt, id).is_some_and(|history| history.contains(&format!("\"{text}\""))) {
        return Ok(());
    }
    common::signal(rt, id, "note", &[json!(text)], text).await
}

fn steps(rt: Runtime, number: usize) -> Option<Step> {
    let request = |request| Some(Step::Request(request));
    match number {
        0 => request(Box::pin(async move {
            rt.start_workflow(start_request("a", "Lab", &[parent(2)])).await?;
            Ok(Value::Null)
        })),
        1 => request(Box::pin(async move {
            note(rt, "a", "early").await?;
            Ok(Value::Null)
        })),
        2 => request(Box::pin(async move {
            until(|| history_of(&rt, "k")).await;
            note(rt, "k", "end").await?;
            Ok(Value::Null)
        })),
        3 => request(Box::pin(async move { common::result(rt, "k").await })),
        4 => request(Box::pin(async move {
            // To the very first task whose end is behind the child's beginning; sent again it is known by its id.
            let task =
                until(|| task_behind(&history_of(&rt, "a")?, "StartChildWorkflowExecutionInitiated")).await;
            rt.reset_workflow(reset("", task, "r")).await?;
            Ok(Value::Null)
        })),
        5 => request(Box::pin(async move {
            note(rt, "a", "go").await?;
            Ok(Value::Null)
        })),
        6 => request(Box::pin(async move {
            // The note and the child's end come together: either may be first.
            let mut result = common::result(rt, "a").await?;
            if let Some(log) = result.as_array_mut() {
                log.sort_by_key(Value::to_string);
            }
            Ok(result)
        })),
        _ => None,
    }
}

#[tokio::test]
async fn a_crash_at_any_commit_of_such_a_reset_neither_doubles_a_child_nor_loses_its_end() {
    // E9, E5
    let script = Script {
        modules: &[("lab", "lab")],
        shards: 2,
        steps: &steps,
        executions: &["a", "k"],
        comparison: Comparison::AnyOrder,
        ..Script::default()
    };
    for crash_at in [Crash::AfterCommit, Crash::AtSync] {
        let (seen, crashes) = script.crash_everywhere(crash_at).await;
        assert!(crashes >= 6, "{crashes} crashes");
        let history = &seen.runs[0].history;
        assert!(history.contains("cause=ResetWorkflow"), "{history}");
        once(history, "ChildWorkflowExecutionStarted");
        once(history, "ChildWorkflowExecutionCompleted");
    }
}
