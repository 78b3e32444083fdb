//! Parents and children (E5).

use longhaul_history::proto::enums::v1::WorkflowExecutionStatus as Status;
use longhaul_runtime::{Error, Runtime};
use serde_json::{Value, json};

use crate::{
    common,
    crashes::{Crash, Script, Step},
    world::*,
};

async fn world(shards: usize) -> World {
    let mut world = World::sharded(common::options(), shards);
    world.upload("lab", "lab").await;
    world
}

/// Start the Lab with a program.
async fn lab(world: &mut World, id: &str, program: Value) {
    world.start(id, "Lab", &[program]).await.unwrap();
}

async fn status(world: &mut World, id: &str) -> Status {
    let described = world.describe(id).await;
    described.workflow_execution_info.unwrap().status()
}

#[tokio::test]
async fn a_parent_gets_its_childs_start_and_its_result() {
    // E5
    let mut world = world(3).await;
    let child = json!({"op": "child", "id": "k", "program": {"steps": [{"op": "return", "value": 5}]}});
    lab(&mut world, "a", json!({"steps": [child]})).await;
    assert_eq!(world.result("a").await, json!(["child started", "child=5"]));
    let history = world.history("a");
    for line in [
        "StartChildWorkflowExecutionInitiated",
        "ChildWorkflowExecutionStarted",
        "ChildWorkflowExecutionCompleted",
    ] {
        assert_eq!(history.matches(line).count(), 1, "{line}\n{history}");
    }
    let info = world.describe("k").await.workflow_execution_info.unwrap();
    assert_eq!(info.parent_execution.unwrap().workflow_id, "a");
    assert_eq!(info.root_execution.unwrap().workflow_id, "a");
    world.export("child-parent", "a");
    world.export("child-child", "k");
}

#[tokio::test]
async fn a_childs_failure_and_a_taken_id_are_failures_of_the_parents_wait() {
    // E5
    let mut world = world(2).await;
    let sad = json!({"steps": [{"op": "fail", "message": "sad", "type": "Sad"}]});
    lab(
        &mut world,
        "a",
        json!({"steps": [{"op": "child", "id": "k", "program": sad}]}),
    )
    .await;
    assert_eq!(
        world.result("a").await,
        json!(["child started", "child failed: Sad: sad"])
    );
    lab(
        &mut world,
        "taken",
        json!({"steps": [{"op": "wait", "notes": 1}]}),
    )
    .await;
    lab(
        &mut world,
        "b",
        json!({"steps": [{"op": "child", "id": "taken", "program": {"steps": []}}]}),
    )
    .await;
    assert_eq!(world.result("b").await, json!(["child failed: exists"]));
    let history = world.history("b");
    assert!(
        history.contains("StartChildWorkflowExecutionFailed")
            && history.contains("cause=WorkflowAlreadyExists"),
        "{history}"
    );
    // Its own id and those of its ancestors are taken as well: nobody is among his own ancestors.
    let own = json!({"op": "child", "id": "c", "program": {"steps": []}});
    let cycle = json!({"steps": [{"op": "child", "id": "d", "program": {"steps": [own.clone()]}}, own]});
    lab(&mut world, "c", cycle).await;
    assert_eq!(
        world.result("c").await,
        json!([
            "child started",
            "child=[\"child failed: exists\"]",
            "child failed: exists"
        ])
    );
    world.export("child-failed", "a");
    world.export("child-exists", "b");
}

#[tokio::test]
async fn a_parents_end_does_to_its_children_what_their_policy_says() {
    // E5
    let mut world = world(3).await;
    let child = |id: &str, policy: &str| {
        let program =
            json!({"steps": [{"op": "wait", "notes": 1}], "on_cancel": [{"op": "log", "text": "asked"}]});
        json!({"op": "child", "id": id, "policy": policy, "wait": false, "program": program})
    };
    let steps = json!([
        child("terminated", "terminate"),
        child("asked", "request_cancel"),
        child("left", "abandon")
    ]);
    lab(&mut world, "a", json!({"steps": steps})).await;
    world.result("a").await;
    world
        .until_history("terminated", "WorkflowExecutionTerminated")
        .await;
    world.until_history("asked", "WorkflowExecutionCanceled").await;
    world.sim.settle().await;
    assert_eq!(status(&mut world, "left").await, Status::Running);
    let terminated = world.history("terminated");
    assert!(terminated.contains("by parent close policy"), "{terminated}");
    // The same when the parent is terminated from outside.
    let waits = json!([
        child("terminated-2", "terminate"),
        child("left-2", "abandon"),
        {"op": "wait", "notes": 1}
    ]);
    lab(&mut world, "b", json!({"steps": waits})).await;
    world.until_history("left-2", "WorkflowTaskCompleted").await;
    world.terminate("b").await.unwrap();
    world
        .until_history("terminated-2", "WorkflowExecutionTerminated")
        .await;
    assert_eq!(status(&mut world, "left-2").await, Status::Running);
}

#[tokio::test]
async fn a_parent_that_continues_as_new_leaves_no_child_behind_that_it_would_not_know() {
    // E5, E3
    let mut world = world(2).await;
    let child = |id: &str, policy: &str| {
        let program = json!({"steps": [{"op": "wait", "notes": 1}]});
        json!({"op": "child", "id": id, "policy": policy, "wait": false, "program": program})
    };
    let next = json!({"steps": [{"op": "wait", "notes": 1}]});
    let steps = json!([
        child("terminated", "terminate"),
        child("left", "abandon"),
        {"op": "continue", "program": next}
    ]);
    lab(&mut world, "a", json!({"steps": steps})).await;
    world
        .until_history("terminated", "WorkflowExecutionTerminated")
        .await;
    assert_eq!(status(&mut world, "left").await, Status::Running);
    // What it left ends later, and nobody misses it.
    world.signal("left", "note", &[json!("x")]).await.unwrap();
    world.result("left").await;
    world.signal("a", "note", &[json!("x")]).await.unwrap();
    world.result("a").await;
}

#[tokio::test]
async fn a_child_that_is_tried_again_reports_the_end_of_its_chain() {
    // E5, E2: one that continues as new has not ended; its parent gets the last run's result.
    let mut world = world(2).await;
    let last = json!({"steps": [{"op": "return", "value": "last"}]});
    let program =
        json!({"steps": [{"op": "continue", "program": {"steps": [{"op": "continue", "program": last}]}}]});
    lab(
        &mut world,
        "a",
        json!({"steps": [{"op": "child", "id": "k", "program": program}]}),
    )
    .await;
    assert_eq!(
        world.result("a").await,
        json!(["child started", "child=\"last\""])
    );
    let history = world.history("a");
    assert_eq!(history.matches("ChildWorkflowExecution").count(), 3, "{history}");
}

#[tokio::test]
async fn a_child_of_an_unknown_type_parks_its_parent_with_the_nearest_names() {
    // E12
    let mut world = world(1).await;
    let steps = json!([{"op": "child", "id": "k", "type": "Labb", "program": {}}]);
    lab(&mut world, "a", json!({"steps": steps})).await;
    let reason = world.parked("a").await.unwrap();
    assert!(
        reason.contains("\"Labb\"") && reason.contains("known types: Lab"),
        "{reason}"
    );
}

#[tokio::test]
async fn pending_children_are_described() {
    let mut world = world(2).await;
    let program = json!({"steps": [{"op": "wait", "notes": 1}]});
    lab(
        &mut world,
        "a",
        json!({"steps": [{"op": "child", "id": "k", "program": program}]}),
    )
    .await;
    world.until_history("a", "ChildWorkflowExecutionStarted").await;
    let described = world.describe("a").await;
    let [child] = described.pending_children.as_slice() else {
        panic!("{described:?}")
    };
    assert_eq!((child.workflow_id.as_str(), child.initiated_id), ("k", 5));
    let run_id = world
        .describe("k")
        .await
        .workflow_execution_info
        .unwrap()
        .execution;
    assert_eq!(child.run_id, run_id.unwrap().run_id);
}

#[tokio::test]
async fn a_chain_of_ancestors_overflows_nothing() {
    // Each starts the next and waits for it. More generations are more levels of JSON than its readers take.
    const GENERATIONS: usize = 30;
    let mut world = world(3).await;
    let mut program = json!({"steps": [{"op": "return", "value": "last"}]});
    for generation in (1..GENERATIONS).rev() {
        let child = json!({"op": "child", "id": format!("g{generation}"), "program": program});
        program = json!({"steps": [child, {"op": "return", "value": generation}]});
    }
    lab(&mut world, "g0", program).await;
    assert_eq!(world.result("g0").await, json!(1));
    // And when the eldest is terminated all go, one after the other.
    let mut program = json!({"steps": [{"op": "wait", "notes": 1}]});
    for generation in (1..GENERATIONS).rev() {
        let child = json!({"op": "child", "id": format!("h{generation}"), "program": program});
        program = json!({"steps": [child]});
    }
    lab(&mut world, "h0", program).await;
    let youngest = format!("h{}", GENERATIONS - 1);
    world.until_history(&youngest, "WorkflowTaskCompleted").await;
    world.terminate("h0").await.unwrap();
    world
        .until_history(&youngest, "WorkflowExecutionTerminated")
        .await;
}

#[tokio::test]
async fn a_family_of_a_thousand_is_started_told_and_ended() {
    // E5
    const CHILDREN: usize = 1_000;
    let mut options = common::options();
    options.instances = 50;
    let mut world = World::sharded(options, 3);
    world.upload("lab", "lab").await;
    let child = |number: usize| {
        let program = json!({"steps": [{"op": "return", "value": number}]});
        json!([{"op": "child", "id": format!("k{number}"), "program": program}])
    };
    let branches: Vec<Value> = (0..CHILDREN).map(child).collect();
    lab(
        &mut world,
        "a",
        json!({"steps": [{"op": "parallel", "branches": branches}, {"op": "return", "value": "all"}]}),
    )
    .await;
    assert_eq!(world.result("a").await, json!("all"));
    let history = world.history("a");
    assert_eq!(
        history.matches("ChildWorkflowExecutionCompleted").count(),
        CHILDREN
    );
}

/// Start the parent, wait for it, and see what became of its children and of those whom they have told.
fn family(rt: Runtime, number: usize) -> Option<Step> {
    let start = |id: &'static str, program: Value| -> Option<Step> {
        let rt = rt.clone();
        Some(Step::request(async move {
            common::start(rt, id, "Lab", "lab", &[program]).await?;
            Ok(Value::Null)
        }))
    };
    let result = |id: &'static str| -> Option<Step> {
        let rt = rt.clone();
        Some(Step::request(async move { common::result(rt, id).await }))
    };
    match number {
        0 => start("hub", json!({"steps": [{"op": "wait", "notes": 3}]})),
        1 => {
            let tell = |text: &str| json!({"op": "signal", "id": "hub", "name": "note", "args": [text]});
            let one = json!({"steps": [tell("one"), {"op": "return", "value": 1}]});
            // Its second run tells the hub, and its result is the child's.
            let second = json!({"steps": [tell("two"), {"op": "return", "value": 2}]});
            let two = json!({"steps": [{"op": "continue", "carry": false, "program": second}]});
            let left = json!({"steps": [{"op": "wait", "notes": 1}]});
            start(
                "parent",
                json!({"steps": [
                    {"op": "child", "id": "one", "program": one},
                    {"op": "child", "id": "two", "program": two},
                    {"op": "child", "id": "left", "wait": false, "program": left},
                    tell("three"),
                    {"op": "signal", "id": "nobody", "name": "note", "args": ["hi"]},
                ]}),
            )
        }
        2 => result("parent"),
        3 => result("hub"),
        4 => {
            let rt = rt.clone();
            Some(Step::request(async move { closed(rt, "left").await }))
        }
        _ => None,
    }
}

/// Wait for an execution's close; answers how it stands then.
async fn closed(rt: Runtime, id: &str) -> Result<Value, Error> {
    use longhaul_history::proto::{
        enums::v1::HistoryEventFilterType, workflowservice::v1::GetWorkflowExecutionHistoryRequest,
    };
    let mut request = GetWorkflowExecutionHistoryRequest {
        namespace: "default".into(),
        execution: common::execution(id),
        wait_new_event: true,
        ..Default::default()
    };
    request.set_history_event_filter_type(HistoryEventFilterType::CloseEvent);
    loop {
        let answer = rt.history(request.clone()).await?;
        if let Some(event) = answer.history.unwrap().events.first() {
            return Ok(json!(event.event_type().as_str_name()));
        }
        request.next_page_token = answer.next_page_token;
    }
}

#[tokio::test]
async fn a_crash_after_any_commit_of_a_family_loses_nothing_and_doubles_nothing() {
    // E5, E6, E3, S9
    for shards in [1, 3] {
        let script = Script {
            modules: &[("lab", "lab")],
            shards,
            steps: &family,
            executions: &["parent", "hub", "one", "two", "left"],
            ..Script::default()
        };
        let (seen, crashes) = script.crash_everywhere(Crash::AfterCommit).await;
        assert_eq!(
            seen.answers[2],
            json!([
                "child started",
                "child=1",
                "child started",
                "child=2",
                "child started",
                "signalled",
                "signal failed: ExternalWorkflowExecutionNotFound: Unable to signal external workflow because it was not found"
            ])
        );
        assert_eq!(
            seen.answers[3],
            json!(["note:one", "note:two", "note:three", "waited"])
        );
        assert_eq!(seen.answers[4], json!("EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED"));
        assert!(crashes > 15, "{shards} shards: {crashes} crashes");
    }
}

#[tokio::test]
async fn a_power_cut_at_any_sync_of_a_family_loses_nothing_and_doubles_nothing() {
    // E5, E6, E3, S9
    let script = Script {
        modules: &[("lab", "lab")],
        shards: 3,
        steps: &family,
        executions: &["parent", "hub", "one", "two", "left"],
        ..Script::default()
    };
    let (seen, cuts) = script.crash_everywhere(Crash::AtSync).await;
    assert_eq!(
        seen.answers[3],
        json!(["note:one", "note:two", "note:three", "waited"])
    );
    assert!(cuts > 15, "{cuts} power cuts");
}
