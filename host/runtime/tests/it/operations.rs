//! Signal-with-start (S8), update-with-start (U9), and moves to another version (E11).

use longhaul_history::proto::{
    enums::v1::{
        WorkflowExecutionStatus as Status, WorkflowIdConflictPolicy as Conflict,
        WorkflowIdReusePolicy as Reuse,
    },
    workflow::v1 as workflow,
    workflowservice::v1 as wire,
};
use longhaul_runtime::Error;
use longhaul_store::faults::Loss;
use serde_json::{Value, json};
use wire::{
    execute_multi_operation_request::{Operation, operation},
    execute_multi_operation_response::response,
};

use crate::{
    common,
    crashes::{Crash, Script, Step},
    world::*,
};

async fn world() -> World {
    World::of("lab").await
}

fn signal_with_start(
    id: &str,
    text: &str,
    request_id: &str,
) -> wire::SignalWithStartWorkflowExecutionRequest {
    let start = start_request(id, "Lab", &[json!({"steps": [{"op": "wait", "notes": 3}]})]);
    wire::SignalWithStartWorkflowExecutionRequest {
        namespace: start.namespace,
        workflow_id: start.workflow_id,
        workflow_type: start.workflow_type,
        task_queue: start.task_queue,
        input: start.input,
        request_id: request_id.into(),
        signal_name: "note".into(),
        signal_input: common::values(&[json!(text)]),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_signal_with_start_starts_or_signals_in_one_step_and_once() {
    // S8, S5, S3
    let mut world = world().await;
    let rt = world.rt();
    let before = world.commits();
    let first = world
        .drive(rt.signal_with_start(signal_with_start("a", "one", "r1")))
        .await
        .unwrap();
    assert!(first.started);
    assert_eq!(world.commits(), before + 1, "S8: one transition");
    let again = world
        .drive(rt.signal_with_start(signal_with_start("a", "one", "r1")))
        .await
        .unwrap();
    assert_eq!(
        (&again.run_id, again.started),
        (&first.run_id, true),
        "the same request is the same run"
    );
    let second = world
        .drive(rt.signal_with_start(signal_with_start("a", "two", "r2")))
        .await
        .unwrap();
    assert_eq!((&second.run_id, second.started), (&first.run_id, false));
    assert_eq!(
        world.history("a").matches("WorkflowExecutionSignaled").count(),
        2,
        "S5"
    );
    world.signal("a", "note", &[json!("end")]).await.unwrap();
    assert_eq!(
        world.result("a").await,
        json!(["note:one", "note:two", "note:end", "waited"])
    );
    // Where it has closed another begins.
    let third = world
        .drive(rt.signal_with_start(signal_with_start("a", "three", "r3")))
        .await
        .unwrap();
    assert!(third.started && third.run_id != first.run_id);
    // The first message is the signal, before the first task.
    let history = world.history("a");
    assert!(
        history.find("WorkflowExecutionSignaled") < history.find("WorkflowTaskScheduled"),
        "{history}"
    );
    world.export("signal-with-start", "a");
}

#[tokio::test]
async fn a_signal_with_start_that_may_not_be_writes_nothing() {
    // S8, E1, S7
    let mut world = world().await;
    world.upload("counter", "counter").await;
    let rt = world.rt();
    let mut failing = signal_with_start("a", "x", "r");
    failing.workflow_id_conflict_policy = Conflict::Fail as i32;
    let refused = world.drive(rt.signal_with_start(failing)).await;
    assert!(matches!(&refused, Err(Error::InvalidArgument(_))), "{refused:?}");
    let mut unknown = signal_with_start("a", "x", "r");
    unknown.workflow_type = start_request("a", "Counter", &[]).workflow_type;
    unknown.signal_name = "ad".into();
    let before = world.commits();
    let refused = world.drive(rt.signal_with_start(unknown)).await;
    let Err(Error::InvalidArgument(why)) = refused else {
        panic!("{refused:?}")
    };
    assert!(why.contains("known signals: add"), "{why}");
    assert_eq!(world.commits(), before, "nothing was written");
    // A closed id that may not be used again.
    world.start("b", "Lab", &[json!({"steps": []})]).await.unwrap();
    world.result("b").await;
    let mut rejected = signal_with_start("b", "x", "r");
    rejected.workflow_id_reuse_policy = Reuse::RejectDuplicate as i32;
    let refused = world.drive(rt.signal_with_start(rejected)).await;
    assert!(
        matches!(&refused, Err(Error::AlreadyStarted { .. })),
        "{refused:?}"
    );
}

/// An update-with-start of the Lab's `add`.
fn add_with_start(
    id: &str,
    number: i64,
    update_id: &str,
    conflict: Conflict,
) -> wire::ExecuteMultiOperationRequest {
    let mut start = start_request(id, "Lab", &[json!({"steps": [{"op": "wait", "notes": 1}]})]);
    start.request_id = format!("start for {update_id}");
    start.workflow_id_conflict_policy = conflict as i32;
    let update = update_request(
        longhaul_history::proto::enums::v1::UpdateWorkflowExecutionLifecycleStage::Completed,
        id,
        "add",
        &[json!(number)],
        update_id,
    );
    let operations = [
        operation::Operation::StartWorkflow(start),
        operation::Operation::UpdateWorkflow(update),
    ];
    wire::ExecuteMultiOperationRequest {
        namespace: "default".into(),
        operations: operations
            .map(|operation| Operation {
                operation: Some(operation),
            })
            .into(),
        ..Default::default()
    }
}

/// Whether it has started the run, and the update's outcome.
fn both(answer: wire::ExecuteMultiOperationResponse) -> (bool, Result<Value, String>) {
    let [start, update] = <[_; 2]>::try_from(answer.responses).unwrap().map(|r| r.response);
    match (start, update) {
        (
            Some(response::Response::StartWorkflow(start)),
            Some(response::Response::UpdateWorkflow(update)),
        ) => (start.started, outcome(update.outcome)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_update_with_start_starts_or_attaches_and_finds_what_a_closed_run_has_done() {
    // U9, U4
    let mut world = world().await;
    let rt = world.rt();
    let run = |world: &mut World, request| {
        let rt = rt.clone();
        let _ = &world;
        async move { rt.execute_multi_operation(request).await }
    };
    let first = run(&mut world, add_with_start("a", 2, "u1", Conflict::UseExisting));
    assert_eq!(both(world.drive(first).await.unwrap()), (true, Ok(json!(2))));
    let second = run(&mut world, add_with_start("a", 3, "u2", Conflict::UseExisting));
    assert_eq!(both(world.drive(second).await.unwrap()), (false, Ok(json!(5))));
    let same = run(&mut world, add_with_start("a", 3, "u2", Conflict::UseExisting));
    assert_eq!(
        both(world.drive(same).await.unwrap()),
        (false, Ok(json!(5))),
        "U4"
    );
    let refused = run(&mut world, add_with_start("a", 1, "u3", Conflict::Fail));
    let Err(Error::MultiOperation { statuses }) = world.drive(refused).await else {
        panic!("the id is taken")
    };
    assert!(
        matches!(statuses.as_slice(), [Some(error), None] if matches!(**error, Error::AlreadyStarted { .. })),
        "{statuses:?}"
    );
    world.signal("a", "note", &[json!("end")]).await.unwrap();
    world.result("a").await;
    // U9: the closed run knows this one; nothing is started.
    let recalled = run(&mut world, add_with_start("a", 3, "u2", Conflict::UseExisting));
    assert_eq!(both(world.drive(recalled).await.unwrap()), (false, Ok(json!(5))));
    let info = world.describe("a").await.workflow_execution_info.unwrap();
    assert_eq!(info.status(), Status::Completed);
    let another = run(&mut world, add_with_start("a", 4, "u4", Conflict::UseExisting));
    assert_eq!(both(world.drive(another).await.unwrap()), (true, Ok(json!(4))));
    world.export("update-with-start", "a");
}

#[tokio::test]
async fn an_update_with_start_whose_update_is_past_a_limit_starts_nothing() {
    // U9, U10
    let mut options = common::options();
    options.limits.history.updates_in_flight_bytes = 1_000;
    let mut world = World::with(options);
    world.upload("lab", "lab").await;
    let mut request = add_with_start("a", 1, "u", Conflict::UseExisting);
    match request.operations[1].operation.as_mut().unwrap() {
        operation::Operation::UpdateWorkflow(update) => {
            let input = update.request.as_mut().unwrap().input.as_mut().unwrap();
            input.args = common::values(&[json!("x".repeat(1_000))]);
        }
        other => panic!("{other:?}"),
    }
    let (rt, before) = (world.rt(), world.commits());
    let refused = world.drive(rt.execute_multi_operation(request)).await;
    let Err(Error::MultiOperation { statuses }) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        statuses
            .iter()
            .flatten()
            .any(|error| matches!(**error, Error::ResourceExhausted(_))),
        "{statuses:?}"
    );
    assert_eq!(world.commits(), before, "nothing was written");
    let nothing = world.rt().whole_history("default", "a", "");
    assert!(matches!(nothing, Err(Error::WorkflowNotFound(_))), "{nothing:?}");
}

#[tokio::test]
async fn an_update_with_start_of_another_form_is_refused() {
    // U9, B1
    let mut world = world().await;
    let rt = world.rt();
    let mut one = add_with_start("a", 1, "u", Conflict::UseExisting);
    one.operations.truncate(1);
    let mut other = add_with_start("a", 1, "u", Conflict::UseExisting);
    other.operations.reverse();
    let unset = add_with_start("a", 1, "u", Conflict::Unspecified);
    for (request, multi) in [(one, false), (other, false), (unset, true)] {
        let refused = world.drive(rt.execute_multi_operation(request)).await;
        match refused {
            Err(Error::InvalidArgument(_)) => assert!(!multi),
            Err(Error::MultiOperation { .. }) => assert!(multi),
            other => panic!("{other:?}"),
        }
    }
    // A rejected update is an outcome of the update; the run has started.
    let rejected = world
        .drive(rt.execute_multi_operation(add_with_start("a", -1, "u", Conflict::UseExisting)))
        .await
        .unwrap();
    assert_eq!(both(rejected), (true, Err("negative".into())));
}

#[tokio::test]
async fn a_signal_with_start_for_a_run_that_closes_just_then_starts_another() {
    // S8
    let mut world = world().await;
    let steps = json!([{"op": "wait", "notes": 1}]);
    let first = world.start("a", "Lab", &[json!({"steps": steps})]).await.unwrap();
    let rt = world.rt();
    // Both in one drain: the update's task ends the run, and the signal stands behind it.
    let (note, end) = ([json!("end")], [json!("x")]);
    let all = async {
        tokio::join!(
            common::signal(rt.clone(), "a", "note", &note, "n"),
            common::update(rt.clone(), "a", "add", &end, "u"),
            rt.signal_with_start(signal_with_start("a", "late", "r")),
        )
    };
    let (signalled, _, started) = world.drive(all).await;
    signalled.unwrap();
    let started = started.unwrap();
    assert!(started.started, "{started:?}");
    assert_ne!(started.run_id, first);
    assert!(
        world.history("a").contains("\"late\""),
        "the signal is in the new run"
    );
}

fn lazily(rt: longhaul_runtime::Runtime, number: usize) -> Option<Step> {
    match number {
        0 | 1 => Some(Step::request(async move {
            let text = number.to_string();
            rt.signal_with_start(signal_with_start("a", &text, &format!("r{number}")))
                .await?;
            Ok(Value::Null)
        })),
        2 => Some(Step::request(async move { common::query(rt, "a", "log").await })),
        3 => Some(Step::request(async move {
            let request = add_with_start("b", 2, "u", Conflict::UseExisting);
            Ok(json!(both(rt.execute_multi_operation(request).await?).1))
        })),
        _ => None,
    }
}

#[tokio::test]
async fn a_crash_after_any_commit_of_these_doubles_nothing() {
    // S8, U9, S5, U4
    let script = Script {
        modules: &[("lab", "lab")],
        shards: 2,
        steps: &lazily,
        executions: &["a", "b"],
        ..Script::default()
    };
    let (seen, crashes) = script.crash_everywhere(Crash::AfterCommit).await;
    assert_eq!(seen.answers[2], json!(["note:0", "note:1"]));
    assert_eq!(seen.answers[3], json!({"Ok": 2}));
    assert!(crashes >= 3, "{crashes} crashes");
}

pub(crate) fn move_to(id: &str, module: &str, version: &str) -> wire::UpdateWorkflowExecutionOptionsRequest {
    use longhaul_history::proto::deployment::v1::WorkerDeploymentVersion;
    let pinned = workflow::versioning_override::PinnedOverride {
        version: Some(WorkerDeploymentVersion {
            deployment_name: module.into(),
            build_id: version.into(),
        }),
        ..Default::default()
    };
    wire::UpdateWorkflowExecutionOptionsRequest {
        namespace: "default".into(),
        workflow_execution: common::execution(id),
        workflow_execution_options: Some(workflow::WorkflowExecutionOptions {
            versioning_override: Some(workflow::VersioningOverride {
                r#override: Some(workflow::versioning_override::Override::Pinned(pinned)),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_run_moves_to_a_version_that_replays_its_history_and_to_no_other() {
    // E11
    let mut world = world().await;
    let rt = world.rt();
    let steps = json!([{"op": "sleep", "ms": 1_000}, {"op": "wait", "notes": 1}]);
    world.start("a", "Lab", &[json!({"steps": steps})]).await.unwrap();
    world.advance(SECOND).await;
    // The same code with other settings is another version.
    world
        .upload_with("lab", "lab", "[limits]\nfuel_per_activation = 900000000\n")
        .await;
    let version = |described: &wire::DescribeWorkflowExecutionResponse| {
        let info = described.workflow_execution_info.clone().unwrap();
        info.versioning_info.unwrap().deployment_version.unwrap().build_id
    };
    assert_eq!(
        version(&world.describe("a").await),
        "1",
        "an upload moves nothing"
    );
    world
        .drive(rt.update_workflow_options(move_to("a", "lab", "2")))
        .await
        .unwrap();
    assert_eq!(version(&world.describe("a").await), "2");
    world.crash(Loss::All, SECOND);
    let rt = world.rt();
    assert_eq!(version(&world.describe("a").await), "2", "durable");
    world.signal("a", "note", &[json!("x")]).await.unwrap();
    assert_eq!(world.result("a").await, json!(["slept", "note:x", "waited"]));
    world.export("moved", "a");
    // What does not replay is refused with the place where they differ; nothing changes.
    world.upload("counter", "counter").await;
    world
        .start("b", "Lab", &[json!({"steps": [{"op": "sleep", "ms": 60_000}]})])
        .await
        .unwrap();
    let refused = world
        .drive(rt.update_workflow_options(move_to("b", "counter", "1")))
        .await;
    assert!(
        matches!(&refused, Err(Error::FailedPrecondition(_))),
        "{refused:?}"
    );
    assert!(!world.history("b").contains("OptionsUpdated"));
    for (module, wanted) in [("lab", "9"), ("nobody", "1"), ("lab", "new")] {
        let refused = world
            .drive(rt.update_workflow_options(move_to("b", module, wanted)))
            .await;
        assert!(
            matches!(&refused, Err(Error::NotFound(_) | Error::InvalidArgument(_))),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_move_loses_nothing_of_what_comes_while_the_history_is_replayed() {
    // E11, S9
    const NOTES: usize = 12;
    let mut world = world().await;
    world
        .start("a", "Lab", &[json!({"steps": [{"op": "wait", "notes": 100}]})])
        .await
        .unwrap();
    world
        .upload_with("lab", "lab", "[limits]\nfuel_per_activation = 900000000\n")
        .await;
    let rt = world.rt();
    let moving = tokio::spawn(async move { rt.update_workflow_options(move_to("a", "lab", "2")).await });
    let mut signals = Vec::new();
    for number in 0..NOTES {
        let rt = world.rt();
        let note = [json!(number.to_string())];
        signals.push(tokio::spawn(async move {
            common::signal(rt, "a", "note", &note, "").await
        }));
        tokio::task::yield_now().await;
        world.sim.round();
    }
    let moved = world.drive(moving).await.unwrap();
    for signal in signals {
        world.drive(signal).await.unwrap().unwrap();
    }
    moved.unwrap();
    let notes: Vec<String> = (0..NOTES).map(|number| format!("note:{number}")).collect();
    assert_eq!(world.query("a", "log", &[]).await.unwrap(), json!(notes));
    assert_eq!(world.history("a").matches("OptionsUpdated").count(), 1);
    world.crash(Loss::All, SECOND);
    assert_eq!(world.query("a", "log", &[]).await.unwrap(), json!(notes));
}

#[tokio::test]
async fn a_parked_run_goes_on_at_once_with_a_mended_version() {
    // E11
    let mut world = World::new();
    world
        .upload_with("hostile", "hostile", "[limits]\nfuel_per_activation = 3000000")
        .await;
    world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
    world.signal("h", "act", &[json!("monotonic")]).await.unwrap();
    world.signal("h", "finish", &[]).await.unwrap();
    assert!(world.parked("h").await.is_some(), "it has too little fuel");
    world
        .upload_with("hostile", "hostile", "[limits]\nfuel_per_activation = 900000000")
        .await;
    world.sim.settle().await;
    assert!(world.parked("h").await.is_some(), "an upload moves nothing");
    let rt = world.rt();
    world
        .drive(rt.update_workflow_options(move_to("h", "hostile", "2")))
        .await
        .unwrap();
    // No time passes: the move itself tries the task.
    assert_eq!(world.result("h").await, json!("writes 0"));
    assert_eq!(world.parked("h").await, None);
    let history = world.history("h");
    assert!(history.contains("WorkflowExecutionOptionsUpdated"), "{history}");
    let refused = world
        .drive(rt.update_workflow_options(move_to("h", "hostile", "1")))
        .await;
    assert!(matches!(&refused, Err(Error::AlreadyCompleted)), "{refused:?}");
}

#[tokio::test]
async fn timers_and_updates_that_are_pending_are_described() {
    let mut world = world().await;
    let steps = json!([{"op": "sleep", "ms": 60_000}]);
    world.start("a", "Lab", &[json!({"steps": steps})]).await.unwrap();
    let waits = json!([{"op": "wait", "notes": 1}]);
    world
        .update_to(
            longhaul_history::proto::enums::v1::UpdateWorkflowExecutionLifecycleStage::Accepted,
            "a",
            "run",
            &[waits],
            "u",
        )
        .await
        .unwrap();
    let request = wire::DescribeWorkflowExecutionRequest {
        namespace: "default".into(),
        execution: common::execution("a"),
    };
    let rt = world.rt();
    let description = world.drive(rt.describe_in_full(request)).await.unwrap();
    let [timer] = description.timers.as_slice() else {
        panic!("{description:?}")
    };
    assert_eq!(timer.due_ns, common::EPOCH_NS + 60_000_000_000);
    let [update] = description.updates.as_slice() else {
        panic!("{description:?}")
    };
    assert_eq!((update.update_id.as_str(), update.accepted), ("u", true));
}
