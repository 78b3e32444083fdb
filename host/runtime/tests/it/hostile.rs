//! Guests that do what they must not do: contained, explained, and nobody else notices.

use longhaul_history::proto::enums::v1::{
    QueryRejectCondition, UpdateWorkflowExecutionLifecycleStage as Stage,
};
use longhaul_runtime::{Error, Options};
use longhaul_store::faults::Loss;
use serde_json::json;

use crate::{common, world::*};

/// What 20 million instructions allow; the wall clock is no limit here, so that slow machines decide nothing.
fn options() -> Options {
    let mut options = common::options();
    options.sandbox.fuel_per_activation = 20_000_000;
    options.sandbox.fuel_per_read = 20_000_000;
    options.sandbox.activation_timeout = std::time::Duration::from_secs(120);
    options.long_poll = std::time::Duration::from_millis(50);
    options
}

async fn world() -> World {
    let mut world = World::with(options());
    world
        .upload_with("hostile", "hostile", "[limits]\nmemory_bytes = 4194304")
        .await;
    world.upload("counter", "counter").await;
    world.start("neighbour", "Counter", &[]).await.unwrap();
    world
}

async fn waiting() -> World {
    let mut world = world().await;
    world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
    world
}

/// The other execution of the shard takes messages.
async fn neighbour_goes_on(world: &mut World) {
    let before = world
        .query("neighbour", "total", &[])
        .await
        .unwrap()
        .as_i64()
        .unwrap();
    let sum = world
        .update("neighbour", "add_and_get", &[json!(1)], "")
        .await
        .unwrap();
    assert_eq!(sum, Ok(json!(before + 1)));
}

#[tokio::test]
async fn code_that_never_waits_or_ends_badly_is_parked_with_the_reason() {
    // E11, W6
    let mut world = world().await;
    for (what, reason) in [
        ("spin", "fuel"),
        ("allocate", "memory"),
        ("recurse", "recurses"),
        ("panic", "told to panic"),
        ("abort", "unreachable"),
        ("exit", "exit"),
        ("sleep", "timer"),
        ("connect", "no network"),
    ] {
        world.start(what, "Hostile", &[json!(what)]).await.unwrap();
        let parked = world
            .parked(what)
            .await
            .unwrap_or_else(|| panic!("{what} is parked:\n{}", world.history(what)));
        assert!(parked.contains(reason), "{what} says {reason:?}: {parked}");
        assert!(world.history(what).contains("WorkflowTaskFailed"), "{what}");
        neighbour_goes_on(&mut world).await;
        world.export(&format!("hostile-{what}"), what);
    }
}

#[tokio::test]
async fn a_panic_tells_its_text_and_its_place() {
    // E11
    let mut world = waiting().await;
    world.signal("h", "act", &[json!("panic")]).await.unwrap();
    let parked = world.parked("h").await.expect("it is parked");
    assert!(parked.contains("told to panic"), "{parked}");
    assert!(parked.contains("hostile/src/lib.rs:"), "file and line: {parked}");
    world.export("hostile-panic-in-signal", "h");
}

#[tokio::test]
async fn a_parked_run_is_tried_again_with_backoff_and_one_event() {
    // E11
    let mut world = waiting().await;
    world.signal("h", "act", &[json!("panic")]).await.unwrap();
    let history = world.history("h");
    let mut wait = SECOND;
    for attempt in 1..5 {
        let task = world
            .describe("h")
            .await
            .pending_workflow_task
            .expect("it is parked");
        assert_eq!(task.attempt, attempt);
        world.advance(wait - std::time::Duration::from_nanos(1)).await;
        assert_eq!(
            world.describe("h").await.pending_workflow_task.unwrap().attempt,
            attempt,
            "not before {wait:?}"
        );
        world.advance(std::time::Duration::from_nanos(1)).await;
        wait *= 2;
    }
    assert_eq!(
        world.history("h"),
        history,
        "one WorkflowTaskFailed for the streak"
    );
    assert_eq!(history.matches("WorkflowTaskFailed").count(), 1);
    neighbour_goes_on(&mut world).await;
}

#[tokio::test]
async fn a_crash_while_a_parked_run_is_tried_again_does_not_park_it_for_ever() {
    // E11
    for commits in 1..4 {
        let mut world = waiting().await;
        world.signal("h", "act", &[json!("panic")]).await.unwrap();
        world.pass(SECOND);
        let before = world.commits();
        for _ in 0..20 {
            world.sim.round();
            if world.commits() >= before + commits {
                break;
            }
        }
        world.crash(Loss::All, std::time::Duration::ZERO);
        world.advance(HOUR).await;
        let attempt = world.describe("h").await.pending_workflow_task.unwrap().attempt;
        assert!(
            attempt > 2,
            "it is tried again after a crash at commit {commits} of a try: {attempt}"
        );
    }
}

#[tokio::test]
async fn a_parked_run_whose_update_is_refused_on_the_next_try_is_parked_no_longer() {
    // E11, U1: nothing is written for a refused update, but the row must not say parked.
    let mut small = options();
    small.sandbox.fuel_per_activation = 3_000_000;
    let mut world = World::with(small);
    world.upload("hostile", "hostile").await;
    world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
    let (stage, _) = world
        .update_to(Stage::Completed, "h", "act", &[json!("monotonic")], "u")
        .await
        .unwrap();
    assert_eq!(stage, Stage::Admitted);
    assert!(world.parked("h").await.is_some());
    world.reopen(Loss::All, SECOND, common::options());
    let (stage, _) = world.poll(Stage::Completed, "h", "u").await.unwrap();
    assert_eq!(stage, Stage::Completed);
    world.crash(Loss::All, SECOND);
    assert_eq!(world.parked("h").await, None);
    world.signal("h", "finish", &[]).await.unwrap();
    assert_eq!(world.result("h").await, json!("writes 0"));
}

#[tokio::test]
async fn a_parked_run_still_takes_messages_and_can_be_ended() {
    // E11, S1, U3, Q2
    let mut world = waiting().await;
    world.signal("h", "act", &[json!("panic")]).await.unwrap();
    world.signal("h", "finish", &[]).await.unwrap();
    assert!(world.history("h").contains("Signaled name=finish"), "S1: durable");
    let (stage, none) = world
        .update_to(Stage::Completed, "h", "act", &[json!("nothing")], "u")
        .await
        .unwrap();
    assert_eq!(
        (stage, none),
        (Stage::Admitted, None),
        "E11: the update stays admitted"
    );
    assert_eq!(
        world.query("h", "writes", &[]).await.unwrap(),
        json!(0),
        "Q2: the state after the last task"
    );
    world.cancel("h").await.unwrap();
    assert!(world.history("h").contains("CancelRequested"));

    world.crash(Loss::Some { seed: 5 }, std::time::Duration::ZERO);
    assert!(
        world.parked("h").await.unwrap().contains("told to panic"),
        "also after a restart"
    );
    let (stage, none) = world.poll(Stage::Accepted, "h", "u").await.unwrap();
    assert_eq!((stage, none), (Stage::Admitted, None), "U3: admitted is durable");
    let attempt = world.describe("h").await.pending_workflow_task.unwrap().attempt;
    world.advance(HOUR).await;
    let later = world.describe("h").await.pending_workflow_task.unwrap().attempt;
    assert!(
        later > attempt,
        "it is tried again after a restart: {attempt}, {later}"
    );
    assert_eq!(
        world.history("h").matches("WorkflowTaskFailed").count(),
        1,
        "{}",
        world.history("h")
    );

    world.terminate("h").await.unwrap();
    let gone = world.poll(Stage::Completed, "h", "u").await;
    assert!(gone.is_err(), "U7: it was never accepted: {gone:?}");
    assert_eq!(world.parked("h").await, None, "what has closed is not parked");
    world.export("hostile-parked", "h");
}

#[tokio::test]
async fn a_run_that_never_completed_a_task_has_no_state_to_query() {
    // Q2
    let mut world = world().await;
    world.start("h", "Hostile", &[json!("panic")]).await.unwrap();
    let answer = world.query("h", "writes", &[]).await;
    assert!(matches!(answer, Err(Error::FailedPrecondition(_))), "{answer:?}");
    neighbour_goes_on(&mut world).await;
}

#[tokio::test]
async fn a_run_that_was_out_of_fuel_goes_on_when_there_is_more() {
    // E11, U5
    let mut small = options();
    small.sandbox.fuel_per_activation = 3_000_000;
    let mut world = World::with(small);
    world.upload("hostile", "hostile").await;
    world.start("h", "Hostile", &[json!("wait")]).await.unwrap();
    world.signal("h", "act", &[json!("monotonic")]).await.unwrap();
    world.signal("h", "finish", &[]).await.unwrap();
    let parked = world.parked("h").await.expect("it is parked");
    assert!(
        parked.contains("fuel_per_activation"),
        "it says what to do: {parked}"
    );
    let (stage, _) = world
        .update_to(Stage::Completed, "h", "act", &[json!("nothing")], "u")
        .await
        .unwrap();
    assert_eq!(stage, Stage::Admitted);
    world.reopen(Loss::All, SECOND, common::options());
    let (stage, value) = world.poll(Stage::Completed, "h", "u").await.unwrap();
    assert_eq!((stage, outcome(value)), (Stage::Completed, Ok(json!("nothing"))));
    assert_eq!(world.result("h").await, json!("writes 0"));
    assert_eq!(world.parked("h").await, None);
    world.export("hostile-mended", "h");
}

#[tokio::test]
async fn a_run_that_failed_by_its_own_fault_goes_on_when_the_fault_has_passed() {
    // E11, W6: the code panics until the execution is five seconds old, so it is the third retry that passes, after seven.
    let mut world = world().await;
    world.start("h", "Hostile", &[json!("impatient")]).await.unwrap();
    for (wait, attempt) in [(1, 2), (2, 3)] {
        let parked = world.parked("h").await.expect("it is parked");
        assert!(parked.contains("told to be patient"), "{parked}");
        world.advance(wait * SECOND).await;
        let task = world.describe("h").await.pending_workflow_task.unwrap();
        assert_eq!(task.attempt, attempt);
    }
    neighbour_goes_on(&mut world).await;
    world.advance(4 * SECOND).await;
    assert_eq!(world.result("h").await, json!("patient"));
    assert_eq!(world.parked("h").await, None);
    let history = world.history("h");
    assert_eq!(history.matches("WorkflowTaskFailed").count(), 1, "{history}");
    let replayed = longhaul_runtime::replay(
        options().sandbox,
        &common::component("hostile"),
        world.rt().whole_history("default", "h", "").unwrap(),
    );
    replayed.expect("the tasks that failed are not replayed");
    world.export("hostile-impatient", "h");
}

#[tokio::test]
async fn a_run_whose_code_differs_from_its_history_goes_on_when_it_differs_no_longer() {
    // W4, W6, E11: what the code does depends on the memory that it gets, which is no part of history.
    let mut little = options();
    little.sandbox.memory_max_bytes = 8 << 20;
    let mut world = World::with(little.clone());
    world.upload("hostile", "hostile").await;
    world.start("h", "Hostile", &[json!("adapt")]).await.unwrap();
    assert!(
        world
            .history("h")
            .contains("5 ActivityTaskScheduled id=1 type=Compress")
    );

    let much = options();
    world.reopen(Loss::All, SECOND, much);
    world.signal("h", "act", &[json!("nothing")]).await.unwrap();
    let parked = world.parked("h").await.expect("it is parked");
    assert!(parked.contains("TMPRL1100"), "{parked}");
    assert!(parked.contains("at event 5 "), "which event: {parked}");
    assert!(parked.contains("Compress"), "what history has: {parked}");
    assert!(parked.contains("timer"), "what the code did: {parked}");
    let line = std::fs::read_to_string(guest_source())
        .unwrap()
        .lines()
        .position(|line| line.contains("ctx.timer(Duration::from_secs(3_600))"))
        .unwrap();
    let place = format!("hostile/src/lib.rs:{}\n", line + 1);
    assert!(
        parked.contains(&place),
        "the line in the guest, {place}: {parked}"
    );
    let failed = world.history("h");
    assert_eq!(failed.matches("WorkflowTaskFailed").count(), 1, "{failed}");
    assert!(failed.contains("NonDeterministicError"), "{failed}");
    world.signal("h", "finish", &[]).await.unwrap();
    world.advance(HOUR).await;
    assert!(world.parked("h").await.is_some(), "it differs as before");

    world.reopen(Loss::All, HOUR, little);
    assert_eq!(world.result("h").await, json!("with little memory"));
    assert_eq!(world.parked("h").await, None);
    let history = world.history("h");
    for kept in ["Signaled name=act", "Signaled name=finish"] {
        assert!(history.contains(kept), "what came meanwhile was kept: {history}");
    }
    assert_eq!(history.matches("WorkflowTaskFailed").count(), 1, "{history}");
    world.export("hostile-adapt", "h");
}

fn guest_source() -> std::path::PathBuf {
    std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples-guest/hostile/src/lib.rs")
}

#[tokio::test]
async fn a_query_that_fails_is_an_error_for_its_caller_alone() {
    // Q3, Q4
    let mut world = waiting().await;
    let history = world.history("h");
    for (what, reason) in [
        ("spin", "fuel"),
        ("allocate", "memory"),
        ("recurse", "recurses"),
        ("panic", "told to panic"),
        ("command", "read-only"),
        ("random", "read-only"),
        ("sleep", "timer"),
        ("fail", "told to fail"),
    ] {
        let answer = world.query("h", "act", &[json!(what)]).await;
        let Err(Error::QueryFailed { message, .. }) = answer else {
            panic!("{what}: {answer:?}")
        };
        assert!(message.contains(reason), "{what} says {reason:?}: {message}");
        assert_eq!(
            world.query("h", "writes", &[]).await.unwrap(),
            json!(0),
            "after {what}"
        );
    }
    for number in 0..3 {
        let written = world.query("h", "act", &[json!("write")]).await.unwrap();
        assert_eq!(
            written,
            json!("writes 2"),
            "Q3: query {number} sees its own writes and no other's"
        );
    }
    assert_eq!(world.query("h", "writes", &[]).await.unwrap(), json!(0));
    assert_eq!(world.history("h"), history, "Q1: queries are not in history");
    assert_eq!(world.parked("h").await, None);
    world.signal("h", "finish", &[]).await.unwrap();
    assert_eq!(
        world.result("h").await,
        json!("writes 0"),
        "Q3: the workflow's own state is as it was"
    );
    world.export("hostile-queries", "h");
}

#[tokio::test]
async fn a_validator_that_fails_or_writes_changes_nothing() {
    // U1
    let mut world = waiting().await;
    for what in ["spin", "panic", "command", "random", "recurse"] {
        let answer = world
            .update("h", "validated", &[json!(what)], what)
            .await
            .unwrap();
        assert!(answer.is_err(), "{what}: {answer:?}");
    }
    assert!(
        !world.history("h").contains("Update"),
        "U1: a rejection leaves nothing"
    );
    let accepted = world
        .update("h", "validated", &[json!("write")], "write")
        .await
        .unwrap();
    assert_eq!(accepted, Ok(json!("write")));
    assert_eq!(
        world.query("h", "writes", &[]).await.unwrap(),
        json!(0),
        "the validator ran on a copy"
    );
    assert_eq!(world.parked("h").await, None);
    world.export("hostile-validators", "h");
}

#[tokio::test]
async fn an_update_whose_handler_panics_parks_the_run() {
    // S11, E11
    let mut world = waiting().await;
    let (stage, _) = world
        .update_to(Stage::Completed, "h", "act", &[json!("panic")], "u")
        .await
        .unwrap();
    assert_eq!(stage, Stage::Admitted, "its acceptance was not written");
    assert!(world.parked("h").await.unwrap().contains("told to panic"));
    assert!(
        !world.history("h").contains("UpdateAccepted"),
        "{}",
        world.history("h")
    );
    let declared = waiting()
        .await
        .update("h", "act", &[json!("fail")], "f")
        .await
        .unwrap();
    assert_eq!(
        declared,
        Err("told to fail".into()),
        "S11: a declared failure fails only the update"
    );
}

#[tokio::test]
async fn a_failure_in_a_signal_handler_fails_the_workflow() {
    // S11, W6
    let mut world = waiting().await;
    world.signal("h", "act", &[json!("fail")]).await.unwrap();
    world.until_history("h", "WorkflowExecutionFailed").await;
    assert!(world.history("h").contains("told to fail"));
    world.export("hostile-failed", "h");
}

#[tokio::test]
async fn the_world_outside_is_not_there() {
    // W3
    let mut world = waiting().await;
    world.advance(HOUR).await;
    let clock = world
        .update("h", "act", &[json!("clock")], "clock")
        .await
        .unwrap()
        .unwrap();
    let clock: u64 = clock.as_str().unwrap().parse().unwrap();
    let hour_ns = u64::try_from(HOUR.as_nanos()).unwrap();
    assert_eq!(
        clock,
        common::EPOCH_NS + hour_ns,
        "the clock is the workflow's time"
    );
    for (what, answer) in [
        ("monotonic", Ok("0")),
        ("environment", Ok("0 variables, 0 arguments")),
        ("print", Ok("printed")),
        ("files", Err(())),
        ("write-file", Err(())),
    ] {
        let found = world
            .update_to(Stage::Completed, "h", "act", &[json!(what)], what)
            .await
            .unwrap();
        assert_eq!(found.0, Stage::Completed, "{what}: {:?}", world.parked("h").await);
        let found = outcome(found.1);
        match answer {
            Ok(answer) => assert_eq!(found, Ok(json!(answer)), "{what}"),
            Err(()) => assert!(found.is_err(), "{what}: {found:?}"),
        }
    }
    let order = world
        .update("h", "act", &[json!("hash-order")], "hash-1")
        .await
        .unwrap()
        .unwrap();
    world.crash(Loss::All, SECOND);
    assert_eq!(
        world
            .update("h", "act", &[json!("hash-order")], "hash-1")
            .await
            .unwrap()
            .unwrap(),
        order
    );
    world.signal("h", "finish", &[]).await.unwrap();
    assert_eq!(
        world.result("h").await,
        json!("writes 0"),
        "a replay sees the same world"
    );
    world.export("hostile-outside", "h");
    let history = world.rt().whole_history("default", "h", "").unwrap();
    let component = common::component("hostile");
    longhaul_runtime::replay(options().sandbox, &component, history).unwrap();
}

#[tokio::test]
async fn a_flood_of_log_lines_is_bounded() {
    let mut world = world().await;
    for what in ["log-flood", "print-flood"] {
        world.start(what, "Hostile", &[json!(what)]).await.unwrap();
        // Either it gets through, its lines counted and dropped, or its fuel ends it; nothing else happens.
        let ended = world.history(what).contains("WorkflowExecutionCompleted");
        let parked = world.parked(what).await;
        assert!(
            ended != parked.is_some_and(|reason| reason.contains("fuel")),
            "{what}:\n{}",
            world.history(what)
        );
        neighbour_goes_on(&mut world).await;
    }
}

#[tokio::test]
async fn two_activities_in_flight_with_one_id_fail_the_task() {
    // A2, W6, E11
    let mut world = world().await;
    world.start("twice", "Hostile", &[json!("twice")]).await.unwrap();
    let parked = world.parked("twice").await.expect("it is parked");
    assert!(parked.contains("the activity id \"same\""), "{parked}");
    let history = world.history("twice");
    assert!(history.contains("WorkflowTaskFailed"), "{history}");
    assert!(history.contains("ScheduleActivityDuplicateId"), "{history}");
    assert!(!history.contains("ActivityTaskScheduled"), "{history}");
}

/// `WorkflowMetadata`, encoded as Temporal's SDKs encode a message.
async fn metadata(world: &mut World) -> serde_json::Value {
    let answer = world
        .query_unless(
            "h",
            "__temporal_workflow_metadata",
            &[],
            QueryRejectCondition::None,
        )
        .await
        .unwrap();
    let payload = &answer.query_result.unwrap().payloads[0];
    assert_eq!(payload.metadata["encoding"], b"json/protobuf");
    assert_eq!(
        payload.metadata["messageType"],
        b"temporal.api.sdk.v1.WorkflowMetadata"
    );
    serde_json::from_slice(&payload.data).unwrap()
}

#[tokio::test]
async fn what_a_workflow_says_of_its_state_is_in_its_metadata() {
    // Q5
    let mut world = waiting().await;
    let silent = metadata(&mut world).await;
    assert_eq!(silent.get("currentDetails"), None, "{silent}");
    world
        .signal("h", "say", &[json!("**waiting** for you")])
        .await
        .unwrap();
    let described = metadata(&mut world).await;
    assert_eq!(described["currentDetails"], json!("**waiting** for you"));
    let definition = &described["definition"];
    assert_eq!(definition["type"], json!("Hostile"));
    assert_eq!(
        definition["signalDefinitions"],
        json!([
            {"name": "act", "description": "Do something in a signal handler."},
            {"name": "finish", "description": "End a workflow that waits."},
            {"name": "say", "description": "Say something of the present state."},
        ])
    );
    let names = |kind: &str| -> Vec<String> {
        let list = definition[kind].as_array().unwrap();
        list.iter()
            .map(|d| d["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names("queryDefinitions"),
        ["__stack_trace", "__temporal_workflow_metadata", "act", "writes"]
    );
    assert_eq!(names("updateDefinitions"), ["act", "suggested", "validated"]);
    world.crash(Loss::All, SECOND);
    let replayed = metadata(&mut world).await;
    assert_eq!(replayed, described, "a replay makes it again");
}
