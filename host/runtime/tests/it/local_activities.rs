//! Local activities: they keep a workflow task open, and what comes meanwhile has its turn after it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use longhaul_history::proto::workflowservice::v1 as wire;
use longhaul_runtime::activities::{self, Context, Error};
use longhaul_store::faults::Loss;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    common,
    crashes::{Crash, Script, Step},
    worker::{self, QUEUE, activity},
    world::*,
};

/// An activity that runs until the test lets it end, and how often it was begun.
#[derive(Clone)]
struct Gate {
    open: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
}

impl Gate {
    fn new() -> Self {
        Self {
            open: Arc::new(Semaphore::new(0)),
            begun: Arc::default(),
        }
    }

    /// The server runs it from now on. What a server before it has begun does not end any more.
    fn serve(&mut self, world: &World) {
        self.open = Arc::new(Semaphore::new(0));
        let gate = self.clone();
        let code = activities::json(move |_: Context, value: Value| {
            let gate = gate.clone();
            async move {
                gate.begun.fetch_add(1, Ordering::SeqCst);
                gate.open.acquire().await.unwrap().forget();
                Ok(value)
            }
        });
        world.rt().register_activity(QUEUE, "gate", code).unwrap();
    }

    fn let_one_end(&self) {
        self.open.add_permits(1);
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    async fn until_begun(&self, world: &mut World, times: usize) {
        let gate = self.clone();
        world.until("it begins", |_| gate.begun() == times).await;
    }
}

fn local(kind: &str) -> Value {
    local_with(kind, json!({}))
}

fn local_with(kind: &str, options: Value) -> Value {
    let mut step = json!({"op": "local_activity", "type": kind, "args": [7], "retry_ms": 1000});
    let object = step.as_object_mut().unwrap();
    object.extend(options.as_object().unwrap().clone());
    step
}

async fn gated() -> (World, Gate) {
    let (world, mut gate) = (worker::lab().await, Gate::new());
    gate.serve(&world);
    (world, gate)
}

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

/// The kinds of a history's events, in order.
fn kinds(history: &str) -> Vec<&str> {
    let word = |line| str::split_whitespace(line).nth(1);
    history.lines().filter_map(word).collect()
}

const TASK: [&str; 3] = [
    "WorkflowTaskScheduled",
    "WorkflowTaskStarted",
    "WorkflowTaskCompleted",
];

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
async fn what_comes_meanwhile_is_acknowledged_and_follows_the_task() {
    // A5, S1, S2, E4
    let (mut world, gate) = gated().await;
    let steps = [
        local("gate"),
        json!({"op": "wait", "notes": 2}),
        json!({"op": "sleep", "ms": 60_000}),
    ];
    let program = json!({"steps": steps, "on_cancel": [{"op": "log", "text": "cleaned"}]});
    world.start("l", "Lab", &[program]).await.unwrap();
    gate.until_begun(&mut world, 1).await;
    world.signal("l", "note", &[json!("one")]).await.unwrap();
    // Sent again: the same.
    for _ in 0..2 {
        let (rt, two) = (world.rt(), [json!("two")]);
        world
            .drive(common::signal(rt, "l", "note", &two, "the same"))
            .await
            .unwrap();
    }
    world.cancel("l").await.unwrap();
    assert!(!world.history("l").contains("Signaled"));
    gate.let_one_end();
    world.until_history("l", "WorkflowExecutionCanceled").await;
    let history = world.history("l");
    let expected = [
        &["WorkflowExecutionStarted"],
        &TASK[..],
        &[
            "MarkerRecorded",
            "WorkflowExecutionSignaled",
            "WorkflowExecutionSignaled",
        ],
        &["WorkflowExecutionCancelRequested"],
        &TASK[..],
        &["WorkflowExecutionCanceled"],
    ];
    assert_eq!(kinds(&history), expected.concat(), "{history}");
    world.export("local-activity-meanwhile", "l");
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
async fn a_query_waits_for_the_tasks_end_and_sees_what_was_acknowledged_before_it() {
    // A5, Q2
    let (mut world, gate) = gated().await;
    let steps = [
        json!({"op": "wait", "notes": 1}),
        local("gate"),
        json!({"op": "wait", "notes": 3}),
    ];
    world.lab("l", &steps).await;
    world.sim.settle().await;
    world.signal("l", "note", &[json!("one")]).await.unwrap();
    gate.until_begun(&mut world, 1).await;
    let rt = world.rt();
    let mut first = Box::pin(common::query(rt.clone(), "l", "log"));
    world.poll_once(&mut first).await;
    world.signal("l", "note", &[json!("two")]).await.unwrap();
    world.signal("l", "note", &[json!("three")]).await.unwrap();
    let mut second = Box::pin(common::query(rt, "l", "log"));
    world.poll_once(&mut second).await;
    gate.let_one_end();
    assert_eq!(
        world.drive(first).await.unwrap(),
        json!(["note:one", "waited", "gate=7"])
    );
    assert_eq!(
        world.drive(second).await.unwrap(),
        json!(["note:one", "waited", "gate=7", "note:two", "note:three", "waited"])
    );
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
async fn a_run_does_not_end_before_its_code_has_seen_what_was_acknowledged() {
    // A5, S9
    let (mut world, gate) = gated().await;
    world.lab("l", &[local("gate")]).await;
    gate.until_begun(&mut world, 1).await;
    world.signal("l", "note", &[json!("one")]).await.unwrap();
    gate.let_one_end();
    // The task runs again; this time a signal is not acknowledged before it has ended.
    gate.until_begun(&mut world, 2).await;
    let note = [json!("late")];
    let mut late = Box::pin(common::signal(world.rt(), "l", "note", &note, ""));
    world.poll_once(&mut late).await;
    gate.let_one_end();
    let refused = world.drive(late).await.unwrap_err();
    assert_eq!(refused.to_string(), "workflow execution already completed");
    assert_eq!(world.result("l").await, json!(["note:one", "gate=7"]));
    let history = world.history("l");
    let expected = [
        &["WorkflowExecutionStarted", "WorkflowExecutionSignaled"],
        &TASK[..],
        &["MarkerRecorded", "WorkflowExecutionCompleted"],
    ];
    assert_eq!(kinds(&history), expected.concat(), "{history}");
}

#[tokio::test]
async fn a_run_that_is_ended_from_outside_does_not_wait_for_it() {
    // A5, E1, E2, E4
    for how in ["terminate", "timeout", "replace", "reset", "delete"] {
        let (mut world, gate) = gated().await;
        let steps = [
            json!({"op": "sleep", "ms": 1}),
            local_with("gate", json!({"start_to_close_ms": 600_000})),
        ];
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
                let mut request = start_request("l", "Lab", &[json!({"steps": []})]);
                request.request_id = "another".into();
                request.set_workflow_id_conflict_policy(
                    longhaul_history::proto::enums::v1::WorkflowIdConflictPolicy::TerminateExisting,
                );
                world.start_with(request).await.unwrap();
            }
            "reset" => {
                let request = wire::ResetWorkflowExecutionRequest {
                    namespace: "default".into(),
                    workflow_execution: common::execution("l"),
                    workflow_task_finish_event_id: 4,
                    request_id: "reset".into(),
                    ..Default::default()
                };
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
async fn a_workers_answer_is_kept_meanwhile() {
    // A1, A5, B1
    let (mut world, mut gate) = gated().await;
    let both = json!({"op": "parallel", "branches": [[activity(json!({}))], [
        {"op": "sleep", "ms": 1000}, local_with("gate", json!({"start_to_close_ms": 60_000}))]]});
    world.lab("l", &[both]).await;
    let task = world.task("w").await;
    world.advance(SECOND).await;
    gate.until_begun(&mut world, 1).await;
    world.complete(&task, json!(5)).await.unwrap();
    let twice = world.complete(&task, json!(6)).await.unwrap_err();
    assert!(matches!(twice, longhaul_runtime::Error::NotFound(_)), "{twice:?}");
    assert!(!world.history("l").contains("ActivityTaskCompleted"));
    world.crash(Loss::All, SECOND);
    gate.serve(&world);
    gate.until_begun(&mut world, 2).await;
    gate.let_one_end();
    let result = world.result("l").await;
    let mut log: Vec<String> = serde_json::from_value(result).unwrap();
    log.sort();
    assert_eq!(log, ["echo=5", "gate=7", "slept"]);
    world.export("local-activity-answer", "l");
}

#[tokio::test]
async fn an_update_is_accepted_after_the_task_and_one_that_runs_it_ends_with_it() {
    // A5, U2, U5
    let (mut world, gate) = gated().await;
    world
        .lab(
            "l",
            &[json!({"op": "wait", "notes": 1}), json!({"op": "handlers"})],
        )
        .await;
    world.sim.settle().await;
    let rt = world.rt();
    let (steps, five) = ([json!([local("gate")])], [json!(5)]);
    let mut run = Box::pin(common::update(rt.clone(), "l", "run", &steps, "run"));
    world.poll_once(&mut run).await;
    gate.until_begun(&mut world, 1).await;
    let mut add = Box::pin(common::update(rt, "l", "add", &five, "add"));
    world.poll_once(&mut add).await;
    assert!(!world.history("l").contains("UpdateAccepted"));
    gate.let_one_end();
    assert!(world.drive(run).await.unwrap().is_ok());
    assert_eq!(world.drive(add).await.unwrap(), Ok(json!(5)));
    world.signal("l", "note", &[json!("on")]).await.unwrap();
    world.result("l").await;
    assert_eq!(world.query("l", "sum", &[]).await.unwrap(), json!(5));
    world.export("local-activity-updates", "l");
}

#[tokio::test]
async fn tasks_that_wait_for_it_stay_in_memory_and_slots_are_shared() {
    // A5, C5
    let mut options = common::options();
    options.instances = 1;
    options.activity_slots = 2;
    let mut world = World::with(options);
    world.upload("lab", "lab").await;
    let mut gate = Gate::new();
    gate.serve(&world);
    for id in ["a", "b", "c"] {
        world
            .lab(id, &[local_with("gate", json!({"start_to_close_ms": 60_000}))])
            .await;
    }
    world.sim.settle().await;
    assert_eq!(gate.begun(), 2, "there are two slots");
    for _ in 0..3 {
        gate.let_one_end();
    }
    for id in ["a", "b", "c"] {
        assert_eq!(world.result(id).await, json!(["gate=7"]));
    }
    assert_eq!(gate.begun(), 3, "no task was dropped to make room");
}

#[tokio::test]
async fn a_run_that_an_update_ends_ends_although_a_signal_came_meanwhile() {
    // A5, S9, U4
    let (mut world, gate) = gated().await;
    // The update's handler is what the run waits for.
    let steps = [json!({"op": "sleep", "ms": 1}), json!({"op": "handlers"})];
    world.lab("l", &steps).await;
    world.sim.settle().await;
    let (rt, with) = (world.rt(), [json!([local("gate")])]);
    let mut run = Box::pin(common::update(rt, "l", "run", &with, "u"));
    world.poll_once(&mut run).await;
    gate.until_begun(&mut world, 1).await;
    world.advance(Duration::from_millis(1)).await;
    world.signal("l", "note", &[json!("one")]).await.unwrap();
    for begun in 1.. {
        gate.until_begun(&mut world, begun).await;
        gate.let_one_end();
        world.sim.settle().await;
        if world.history("l").contains("WorkflowExecutionCompleted") {
            assert!(begun <= 2, "it runs again once at most");
            break;
        }
    }
    assert!(world.drive(run).await.unwrap().is_ok());
    assert_eq!(world.history("l").matches("WorkflowExecutionSignaled").count(), 1);
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
            let request = wire::ResetWorkflowExecutionRequest {
                namespace: "default".into(),
                workflow_execution: common::execution("l"),
                workflow_task_finish_event_id: 4,
                request_id: "reset".into(),
                ..Default::default()
            };
            world.drive(rt.reset_workflow(request)).await.unwrap();
        } else {
            let mut request = start_request("l", "Lab", &[json!({"steps": []})]);
            request.request_id = "another".into();
            request.set_workflow_id_conflict_policy(
                longhaul_history::proto::enums::v1::WorkflowIdConflictPolicy::TerminateExisting,
            );
            world.start_with(request).await.unwrap();
        }
        // Whether it goes on to the run that has the id now, or is refused: it is answered.
        let _ = world.drive(query).await;
        let _ = world.drive(update).await;
    }
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
