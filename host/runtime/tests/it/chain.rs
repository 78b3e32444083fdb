//! Chains of runs: continue-as-new, retry, cron, delays and the time limits (E2, E3).

use std::time::Duration;

use longhaul_history::{
    Attributes,
    proto::{
        common::v1::{Memo, RetryPolicy},
        enums::v1::WorkflowExecutionStatus as Status,
        workflowservice::v1 as wire,
    },
    time,
};
use longhaul_runtime::Error;
use longhaul_store::faults::Loss;
use serde_json::{Value, json};

use crate::{
    common,
    crashes::{Crash, Script, Step},
    world::*,
};

const MINUTE: Duration = Duration::from_secs(60);

async fn world() -> World {
    World::of("lab").await
}

fn lab(id: &str, program: Value) -> wire::StartWorkflowExecutionRequest {
    start_request(id, "Lab", &[program])
}

fn proto(duration: Duration) -> Option<time::Duration> {
    Some(time::duration_from_ns(
        u64::try_from(duration.as_nanos()).unwrap(),
    ))
}

/// The runs of a workflow id, the first one first, with how they stand.
async fn runs(world: &mut World, id: &str) -> Vec<(String, Status)> {
    let request = wire::ListWorkflowExecutionsRequest {
        namespace: "default".into(),
        query: format!("WorkflowId = '{id}'"),
        ..Default::default()
    };
    let rt = world.rt();
    let listed = world.drive(rt.list_workflows(request)).await.unwrap();
    let mut runs = listed.executions;
    runs.sort_by_key(|info| info.start_time.map(|t| (t.seconds, t.nanos)));
    runs.into_iter()
        .map(|info| (info.execution.as_ref().unwrap().run_id.clone(), info.status()))
        .collect()
}

fn started(
    world: &World,
    id: &str,
    run_id: &str,
) -> longhaul_history::proto::history::v1::WorkflowExecutionStartedEventAttributes {
    let history = world.rt().whole_history("default", id, run_id).unwrap();
    match history.events[0].attributes.clone() {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => started,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_run_that_continues_as_new_keeps_its_id_its_memo_and_its_first_run() {
    // E3
    let mut world = world().await;
    let second = json!({"steps": [{"op": "log", "text": "two"}]});
    let program = json!({"steps": [{"op": "log", "text": "one"}, {"op": "continue", "program": second}]});
    let mut request = lab("a", program);
    let payload = longhaul_history::payload::json_payload(&json!("kept"));
    request.memo = Some(Memo {
        fields: [("note".to_owned(), payload)].into(),
    });
    request.workflow_execution_timeout = proto(HOUR);
    let first = world.start_with(request).await.unwrap().run_id;
    assert_eq!(world.result("a").await, json!(["one", "two"]));
    let info = world.describe("a").await.workflow_execution_info.unwrap();
    assert_eq!(info.first_run_id, first);
    let second = info.execution.unwrap().run_id;
    assert_ne!(first, second);
    let (one, two) = (started(&world, "a", &first), started(&world, "a", &second));
    assert_eq!(two.memo, one.memo, "E3: the memo carries over");
    assert_eq!(
        (two.first_execution_run_id, two.continued_execution_run_id),
        (first.clone(), first.clone())
    );
    assert_eq!(
        two.workflow_execution_expiration_time, one.workflow_execution_expiration_time,
        "E2: the limit is that of the whole chain"
    );
    let mut statuses: Vec<Status> = runs(&mut world, "a")
        .await
        .into_iter()
        .map(|(_, status)| status)
        .collect();
    statuses.sort();
    assert_eq!(statuses, [Status::Completed, Status::ContinuedAsNew]);
    world.export("continue-as-new-second", "a");
}

#[tokio::test]
async fn a_run_that_fails_is_tried_again_as_its_policy_says() {
    // E2
    let mut world = world().await;
    let mut request = lab(
        "a",
        json!({"steps": [{"op": "fail", "message": "m", "type": "T"}]}),
    );
    request.retry_policy = Some(RetryPolicy {
        initial_interval: proto(MINUTE),
        backoff_coefficient: 2.0,
        maximum_attempts: 3,
        ..Default::default()
    });
    world.start_with(request).await.unwrap();
    world.advance(MINUTE - SECOND).await;
    assert!(
        !world.history("a").contains("WorkflowTaskScheduled"),
        "the second attempt waits for its time"
    );
    // The wait is in the store.
    world.crash(Loss::All, SECOND);
    world.advance(SECOND).await;
    assert_eq!(super::chain::runs(&mut world, "a").await.len(), 3);
    world.advance(2 * MINUTE).await;
    world.until_history("a", "WorkflowExecutionFailed").await;
    let runs = runs(&mut world, "a").await;
    let mut attempts: Vec<i32> = runs
        .iter()
        .map(|(run_id, _)| started(&world, "a", run_id).attempt)
        .collect();
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 2, 3]);
    let current = world.describe("a").await.workflow_execution_info.unwrap();
    let last = started(&world, "a", &current.execution.unwrap().run_id);
    assert_eq!(last.attempt, 3);
    assert_eq!(last.continued_failure.unwrap().message, "m");
    let fatal = json!({"steps": [{"op": "fail", "message": "m", "type": "T", "non_retryable": true}]});
    let mut request = lab("b", fatal);
    request.retry_policy = Some(RetryPolicy {
        initial_interval: proto(SECOND),
        ..Default::default()
    });
    world.start_with(request).await.unwrap();
    world.advance(HOUR).await;
    assert_eq!(
        super::chain::runs(&mut world, "b").await.len(),
        1,
        "not after what is not retryable"
    );
}

#[tokio::test]
async fn a_cron_schedule_runs_at_its_times_until_it_is_ended() {
    // E2
    let mut world = world().await;
    let mut request = lab("c", json!({"steps": [{"op": "return", "value": 1}]}));
    request.cron_schedule = "0 * * * *".into();
    world.start_with(request).await.unwrap();
    assert!(
        !world.history("c").contains("WorkflowTaskScheduled"),
        "it waits for the full hour"
    );
    for _ in 0..3 {
        world.advance(HOUR).await;
    }
    let runs = runs(&mut world, "c").await;
    assert_eq!(runs.len(), 4, "three have run, the next one waits: {runs:?}");
    assert_eq!(runs[3].1, Status::Running);
    let waiting = started(&world, "c", &runs[3].0);
    assert!(waiting.last_completion_result.is_some());
    world.terminate("c").await.unwrap();
    world.advance(HOUR).await;
    assert_eq!(super::chain::runs(&mut world, "c").await.len(), 4);
    let mut bad = lab("d", json!({}));
    bad.cron_schedule = "every now and then".into();
    let refused = world.start_with(bad).await;
    assert!(matches!(&refused, Err(Error::InvalidArgument(_))), "{refused:?}");
}

#[tokio::test]
async fn the_execution_timeout_ends_the_whole_chain() {
    // E2
    let mut world = world().await;
    let mut program = json!({"steps": [{"op": "wait", "notes": 1}]});
    for _ in 0..3 {
        program = json!({"steps": [{"op": "sleep", "ms": 60_000}, {"op": "continue", "program": program}]});
    }
    let mut request = lab("a", program);
    request.workflow_execution_timeout = proto(5 * MINUTE);
    world.start_with(request).await.unwrap();
    for _ in 0..4 {
        world.advance(MINUTE).await;
    }
    assert_eq!(runs(&mut world, "a").await.len(), 4);
    world.advance(MINUTE).await;
    world.until_history("a", "WorkflowExecutionTimedOut").await;
}

#[tokio::test]
async fn a_delayed_start_waits_and_a_signal_ends_the_wait() {
    let mut world = world().await;
    let delayed = |id: &str| {
        let mut request = lab(id, json!({"steps": [{"op": "log", "text": "ran"}]}));
        request.workflow_start_delay = proto(HOUR);
        request
    };
    world.start_with(delayed("a")).await.unwrap();
    world.start_with(delayed("b")).await.unwrap();
    world.crash(Loss::All, SECOND);
    world.signal("b", "note", &[json!("now")]).await.unwrap();
    assert_eq!(world.result("b").await, json!(["note:now", "ran"]));
    assert!(!world.history("a").contains("WorkflowTaskScheduled"));
    let info = world.describe("a").await.workflow_execution_info.unwrap();
    let (start, due) = (info.start_time.unwrap(), info.execution_time.unwrap());
    assert_eq!(due.seconds - start.seconds, 3_600);
    world.advance(HOUR).await;
    assert_eq!(world.result("a").await, json!(["ran"]));
}

/// A run that continues as new over and over while another execution tells it something.
fn chained(rt: longhaul_runtime::Runtime, number: usize) -> Option<Step> {
    const NOTES: usize = 4;
    match number {
        0 => Some(Step::request(async move {
            // Every run takes what there is for it, logs it, and goes on as soon as there was one note.
            let mut program = json!({"steps": [{"op": "wait", "notes": 1}]});
            for _ in 1..NOTES {
                program =
                    json!({"steps": [{"op": "wait", "notes": 1}, {"op": "continue", "program": program}]});
            }
            common::start(rt, "a", "Lab", "lab", &[program]).await?;
            Ok(Value::Null)
        })),
        1 => Some(Step::request(async move {
            let note = |number: usize| json!({"op": "signal", "id": "a", "name": "note", "args": [number.to_string()]});
            let steps: Vec<Value> = (1..=NOTES).map(note).collect();
            common::start(rt, "b", "Lab", "lab", &[json!({"steps": steps})]).await?;
            Ok(Value::Null)
        })),
        2 => Some(Step::request(async move { common::result(rt, "b").await })),
        3 => Some(Step::request(async move { common::result(rt, "a").await })),
        _ => None,
    }
}

#[tokio::test]
async fn a_crash_after_any_commit_of_a_chain_loses_no_signal() {
    // S9, E3
    let script = Script {
        modules: &[("lab", "lab")],
        shards: 2,
        steps: &chained,
        executions: &["a", "b"],
        ..Script::default()
    };
    let (seen, crashes) = script.crash_everywhere(Crash::AfterCommit).await;
    assert_eq!(
        seen.answers[3],
        json!([
            "note:1", "waited", "note:2", "waited", "note:3", "waited", "note:4", "waited"
        ])
    );
    assert!(crashes > 6, "{crashes} crashes");
}

#[tokio::test]
async fn what_comes_while_a_run_continues_as_new_goes_to_the_next() {
    // S9, U7
    let mut world = world().await;
    let next = json!({"steps": [{"op": "wait", "notes": 2}]});
    let program =
        json!({"steps": [{"op": "wait", "notes": 1}, {"op": "continue", "carry": false, "program": next}]});
    world.start_with(lab("a", program)).await.unwrap();
    let rt = world.rt();
    // All in one drain: the first ends the run, the others find the next one.
    let notes: Vec<[Value; 1]> = (0..3).map(|number| [json!(number.to_string())]).collect();
    let all = async {
        tokio::join!(
            common::signal(rt.clone(), "a", "note", &notes[0], "0"),
            common::update(rt.clone(), "a", "add", &[], "u"),
            common::signal(rt.clone(), "a", "note", &notes[1], "1"),
            common::signal(rt.clone(), "a", "note", &notes[2], "2"),
        )
    };
    let (zero, update, one, two) = world.drive(all).await;
    for signal in [zero, one, two] {
        signal.unwrap();
    }
    // Without its argument the handler fails; whichever run has taken it has answered.
    assert!(update.unwrap().is_err());
    let result = world.result("a").await;
    assert_eq!(result, json!(["note:1", "note:2", "waited"]));
}

#[tokio::test]
async fn what_another_execution_sends_while_a_run_continues_as_new_goes_to_the_next() {
    // S9, E6
    for (forks, rounds) in (0..8).flat_map(|rounds| [(true, rounds), (false, rounds)]) {
        // Where no fork can be made, what comes after an update waits until its validator was asked.
        let mut world = World::new();
        if forks {
            world.upload("lab", "lab").await;
        } else {
            world.upload_unforkable("lab", "lab").await;
        }
        let next = json!({"steps": [{"op": "wait", "notes": 100}]});
        let program = json!({"steps": [{"op": "wait", "notes": 1}, {"op": "continue", "program": next}]});
        world.start_with(lab("a", program)).await.unwrap();
        let (rt, other) = (world.rt(), world.rt());
        // The note of b arrives sooner or later than the update whose task ends the run.
        let sender = tokio::spawn(async move {
            let note = json!({"op": "signal", "id": "a", "name": "note", "args": ["b"]});
            common::start(rt, "b", "Lab", "lab", &[json!({"steps": [note]})]).await
        });
        for _ in 0..rounds {
            tokio::task::yield_now().await;
            world.sim.round();
        }
        let (note, one) = ([json!("client")], [json!(1)]);
        let together = async {
            tokio::join!(
                common::signal(other.clone(), "a", "note", &note, ""),
                common::update(other.clone(), "a", "add", &one, "u"),
                sender,
            )
        };
        let (signalled, updated, started) = world.drive(together).await;
        signalled.unwrap();
        updated.unwrap().unwrap();
        started.unwrap().unwrap();
        let when = format!("forks: {forks}, {rounds} rounds");
        assert_eq!(world.result("b").await, json!(["signalled"]), "{when}");
        let log = world.query("a", "log", &[]).await.unwrap();
        for note in ["note:client", "note:b"] {
            let times = log.as_array().unwrap().iter().filter(|line| **line == note);
            assert_eq!(times.count(), 1, "{note}, {when}: {log}");
        }
    }
}

#[tokio::test]
async fn a_signal_to_a_run_that_has_just_ended_is_not_for_the_next() {
    // S6, S9
    let mut world = world().await;
    let next = json!({"steps": [{"op": "wait", "notes": 100}]});
    let program = json!({"steps": [{"op": "wait", "notes": 1}, {"op": "continue", "program": next}]});
    let first = world.start_with(lab("a", program)).await.unwrap().run_id;
    let (rt, note, one) = (world.rt(), [json!("first")], [json!(1)]);
    let mut named = wire::SignalWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution("a"),
        signal_name: "note".into(),
        input: common::values(&[json!("late")]),
        ..Default::default()
    };
    named.workflow_execution.as_mut().unwrap().run_id = first;
    let together = async {
        tokio::join!(
            common::signal(rt.clone(), "a", "note", &note, ""),
            common::update(rt.clone(), "a", "add", &one, "u"),
            rt.signal_workflow(named),
        )
    };
    let (signalled, updated, late) = world.drive(together).await;
    signalled.unwrap();
    updated.unwrap().unwrap();
    assert!(matches!(late, Err(Error::AlreadyCompleted)), "{late:?}");
    let log = world.query("a", "log", &[]).await.unwrap();
    assert!(!log.to_string().contains("late"), "{log}");
}

#[tokio::test]
async fn the_request_that_has_started_a_chain_finds_the_run_that_it_has_started() {
    // E1, E3
    let mut world = world().await;
    let next = json!({"steps": [{"op": "wait", "notes": 1}]});
    let program = json!({"steps": [{"op": "continue", "program": next}]});
    let first = world.start_with(lab("a", program.clone())).await.unwrap();
    world.sim.settle().await;
    assert_eq!(runs(&mut world, "a").await.len(), 2);
    for _ in ["in memory", "from the store"] {
        let again = world.start_with(lab("a", program.clone())).await.unwrap();
        assert_eq!((&again.run_id, again.started), (&first.run_id, true));
        world.crash(Loss::All, SECOND);
    }
}
