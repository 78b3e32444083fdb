//! The stack trace: where each task waits, for what, and until when.

use longhaul_history::{
    payload,
    proto::{query::v1::WorkflowQuery, workflowservice::v1 as wire},
    time,
};
use longhaul_store::faults::Loss;
use serde_json::json;

use crate::{common, world::*};

/// A moment so long after another, as people read it.
fn after(from_ns: u64, seconds: u64) -> String {
    time::format_timestamp(&time::timestamp_from_ns(from_ns + seconds * time::NS_PER_SECOND))
}

/// What the tasks of a run wait for, without the places in its code.
async fn waits(world: &mut World, id: &str) -> Vec<String> {
    let trace = world.query(id, "__stack_trace", &[]).await.unwrap();
    let lines = trace.as_str().unwrap().lines();
    lines
        .map(|line| {
            let (waits, place) = line.rsplit_once(" at ").unwrap_or_else(|| panic!("{line}"));
            assert!(place.contains(".rs:"), "{line}");
            waits.to_owned()
        })
        .collect()
}

// Q5, A1: due times and attempts are those of the run's state, also after a crash.
#[tokio::test]
async fn what_is_waited_for_says_how_far_it_is() {
    let mut world = World::of("lab").await;
    world.upload("lab-activities", "lab").await;
    let start_ns = world.sim.now_ns();
    let child = json!({"op": "child", "id": "kid", "program": {"steps": [{"op": "wait", "notes": 1}]}});
    let program = json!({"steps": [{"op": "parallel", "branches": [
        [{"op": "sleep", "ms": 7 * 24 * 60 * 60 * 1_000}],
        [{"op": "activity", "type": "flaky", "args": [9], "retry_ms": 60_000}],
        [{"op": "activity", "type": "echo", "args": [1], "queue": "nowhere"}],
        [child],
    ]}]});
    world.start("w", "Lab", &[program]).await.unwrap();
    world.sim.settle().await;
    let expected = |attempt: u32, due: String| {
        [
            format!(
                "run: waits for timer 7d, due {}",
                after(start_ns, 7 * 24 * 60 * 60)
            ),
            format!("run: waits for activity flaky, attempt {attempt} (due {due})"),
            "run: waits for activity echo, attempt 1 (not started)".to_owned(),
            "run: waits for child Lab, id kid (started)".to_owned(),
        ]
    };
    let until_attempt = |number: i32| {
        move |described: &wire::DescribeWorkflowExecutionResponse| {
            let mut activities = described.pending_activities.iter();
            activities.any(|activity| activity.attempt == number)
        }
    };
    until(&mut world, until_attempt(2)).await;
    assert_eq!(waits(&mut world, "w").await, expected(2, after(start_ns, 60)));
    world.advance(60 * SECOND).await;
    until(&mut world, until_attempt(3)).await;
    let third = expected(3, after(start_ns, 180));
    assert_eq!(waits(&mut world, "w").await, third);
    world.crash(Loss::All, SECOND);
    assert_eq!(waits(&mut world, "w").await, third);
    world.terminate("w").await.unwrap();
    assert_eq!(
        waits(&mut world, "w").await[0],
        "run: waits for timer 7d",
        "what has closed waits for nothing"
    );
}

/// Rounds until the description of `w` is as it should be.
async fn until(world: &mut World, holds: impl Fn(&wire::DescribeWorkflowExecutionResponse) -> bool) {
    for _ in 0..10_000 {
        if holds(&world.describe("w").await) {
            return;
        }
        world.sim.settle().await;
        tokio::task::yield_now().await;
    }
    panic!("it never comes");
}

// Q5, A4: an attempt that runs, and one that was asked to stop.
#[tokio::test]
async fn an_attempt_that_was_asked_to_stop_says_so() {
    let mut world = World::of("attempts").await;
    let plan = json!({"activity": "Stubborn", "cancellation": "wait"});
    world.start("w", "Trial", &[plan]).await.unwrap();
    until(&mut world, |described| {
        described
            .pending_activities
            .iter()
            .any(|activity| activity.heartbeat_details.is_some())
    })
    .await;
    let activity = "run: waits for activity Stubborn, attempt 1";
    assert!(waits(&mut world, "w").await.contains(&activity.to_owned()));
    // The attempt is told, but nothing that it does comes back before the server yields to it.
    let rt = world.rt();
    let signal = common::signal(rt.clone(), "w", "cancel", &[], "");
    world.drive_alone(signal).await.unwrap();
    let asked = wire::QueryWorkflowRequest {
        namespace: "default".into(),
        execution: common::execution("w"),
        query: Some(WorkflowQuery {
            query_type: "__stack_trace".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let answer = world.drive_alone(rt.query_workflow(asked)).await.unwrap();
    let answer = payload::to_json(&answer.query_result.unwrap().payloads[0]).unwrap();
    let expected = format!("{activity} (cancellation requested) at ");
    assert!(answer.as_str().unwrap().contains(&expected), "{answer}");
}

// Q5, E11: a parked run shows what its code was last told, and that it is over.
#[tokio::test]
async fn what_has_ended_while_the_run_is_parked_says_so() {
    let mut world = World::of("lab").await;
    let program = json!({"steps": [
        {"op": "sleep", "ms": 1_000},
        {"op": "child", "id": "x".repeat(1_001), "program": {"steps": []}},
    ]});
    world.start("w", "Lab", &[program]).await.unwrap();
    let due = after(world.sim.now_ns(), 1);
    assert_eq!(
        waits(&mut world, "w").await,
        [format!("run: waits for timer 1s, due {due}")]
    );
    world.advance(SECOND).await;
    let why = world.parked("w").await.expect("no child has such an id");
    assert!(why.contains("workflow id"), "{why}");
    assert_eq!(
        waits(&mut world, "w").await,
        ["run: waits for timer 1s (has ended)"]
    );
}
