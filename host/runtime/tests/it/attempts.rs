//! Attempts that run: their heartbeats, and how they hear that they should stop.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use longhaul_history::{
    payload,
    proto::{enums::v1::PendingActivityState as State, workflow::v1::PendingActivityInfo},
};
use longhaul_store::faults::Loss;
use serde_json::{Value, json};

use crate::{captured::Captured, common, world::*};

async fn world() -> World {
    World::of("attempts").await
}

/// A run that waits for one activity.
async fn trial(world: &mut World, plan: Value) {
    world.start("t", "Trial", &[plan]).await.unwrap();
}

/// The activity that the run waits for, if it does.
async fn pending(world: &mut World) -> Option<PendingActivityInfo> {
    let mut pending = world.describe("t").await.pending_activities;
    assert!(pending.len() <= 1, "{pending:?}");
    pending.pop()
}

fn details(activity: &PendingActivityInfo) -> Option<Value> {
    let details = activity.heartbeat_details.as_ref()?;
    Some(payload::to_json(&details.payloads[0]).unwrap())
}

/// Rounds until the last heartbeat that the server knows says this.
async fn until_beat(world: &mut World, said: &str) -> PendingActivityInfo {
    for _ in 0..10_000 {
        let activity = pending(world).await.expect("it runs");
        if details(&activity) == Some(json!(said)) {
            return activity;
        }
        world.sim.settle().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("the heartbeat {said:?} never comes");
}

async fn outcome(world: &mut World) -> Value {
    world.query("t", "outcome", &[]).await.unwrap()
}

#[tokio::test]
async fn an_activity_that_is_tried_to_cancel_is_told_and_its_end_comes_too_late() {
    // A3, A4
    for (activity, end) in [
        ("Beat", "ActivityTaskCanceled"),
        ("Stubborn", "ActivityTaskCompleted"),
    ] {
        let mut world = world().await;
        trial(
            &mut world,
            json!({"activity": activity, "cancellation": "try", "linger": true}),
        )
        .await;
        until_beat(&mut world, "attempt 1").await;
        world.signal("t", "cancel", &[]).await.unwrap();
        assert_eq!(
            outcome(&mut world).await,
            json!("cancelled with nothing"),
            "at once"
        );
        world.until_history("t", end).await;
        assert_eq!(
            outcome(&mut world).await,
            json!("cancelled with nothing"),
            "the end of {activity} is recorded, and nobody asks for it"
        );
        world.signal("t", "finish", &[]).await.unwrap();
        assert_eq!(world.result("t").await, json!("cancelled with nothing"));
        let history = world.history("t");
        let (asked, ended) = (history.find("ActivityTaskCancelRequested"), history.find(end));
        assert!(asked.is_some() && asked < ended, "{history}");
        world.export(&format!("attempt-try-{activity}"), "t");
    }
}

#[tokio::test]
async fn an_activity_whose_cancellation_is_waited_for_decides_how_it_ends() {
    // A3, A4
    for (activity, end) in [
        ("Beat", "cancelled with Cancelled"),
        ("Stubborn", "finished though Cancelled"),
    ] {
        let mut world = world().await;
        trial(&mut world, json!({"activity": activity, "cancellation": "wait"})).await;
        until_beat(&mut world, "attempt 1").await;
        // The attempt is told, but nothing that it does comes back before the server yields to it.
        let signal = common::signal(world.rt(), "t", "cancel", &[], "");
        world.drive_alone(signal).await.unwrap();
        assert!(world.history("t").contains("ActivityTaskCancelRequested"));
        assert!(
            !world.history("t").contains("WorkflowExecutionCompleted"),
            "it waits"
        );
        assert_eq!(world.result("t").await, json!(end));
        world.export(&format!("attempt-wait-{activity}"), "t");
    }
}

#[tokio::test]
async fn an_activity_that_is_abandoned_hears_nothing() {
    // A4
    let mut world = world().await;
    trial(
        &mut world,
        json!({"activity": "Stubborn", "cancellation": "abandon", "linger": true}),
    )
    .await;
    until_beat(&mut world, "attempt 1").await;
    world.signal("t", "cancel", &[]).await.unwrap();
    assert_eq!(outcome(&mut world).await, json!("cancelled with nothing"));
    world.sim.settle().await;
    let history = world.history("t");
    assert!(!history.contains("ActivityTaskCancelRequested"), "{history}");
    assert_eq!(
        pending(&mut world).await.expect("it runs on").state(),
        State::Started
    );
    world.signal("t", "finish", &[]).await.unwrap();
    assert_eq!(world.result("t").await, json!("cancelled with nothing"));
    world.export("attempt-abandoned", "t");
}

#[tokio::test]
async fn the_cancellation_of_the_workflow_reaches_its_activity() {
    // E4, A3
    for (cancellation, result) in [
        ("wait", "cancelled with Cancelled"),
        ("try", "cancelled with nothing"),
    ] {
        let mut world = world().await;
        trial(
            &mut world,
            json!({"activity": "Beat", "cancellation": cancellation}),
        )
        .await;
        until_beat(&mut world, "attempt 1").await;
        world.cancel("t").await.unwrap();
        assert_eq!(world.result("t").await, json!(result), "{cancellation}");
        let history = world.history("t");
        for event in ["WorkflowExecutionCancelRequested", "ActivityTaskCancelRequested"] {
            assert!(history.contains(event), "{event}: {history}");
        }
        world.export(&format!("attempt-workflow-cancel-{cancellation}"), "t");
    }
}

#[tokio::test]
async fn an_attempt_that_does_nothing_but_wait_for_its_cancellation_is_woken_by_it() {
    // A3, A4, E4
    for module in ["attempts", "attempts-go"] {
        for workflow in [false, true] {
            let mut world = World::new();
            world.upload(module, "attempts").await;
            trial(&mut world, json!({"activity": "Patient", "cancellation": "wait"})).await;
            world.sim.settle().await;
            assert_eq!(pending(&mut world).await.unwrap().state(), State::Started);
            if workflow {
                world.cancel("t").await.unwrap();
            } else {
                world.signal("t", "cancel", &[]).await.unwrap();
            }
            assert_eq!(
                world.result("t").await,
                json!("cancelled with Cancelled"),
                "{module}"
            );
        }
    }
}

/// A world whose activities may use the network, an attempt that has connected to the test, and its connection.
async fn held() -> (World, BufReader<TcpStream>) {
    let mut options = common::options();
    options.allow_grants = true;
    let mut world = World::with(options);
    world
        .upload_with(
            "attempts",
            "attempts",
            "[grants.sockets]\nconnect = [\"127.0.0.1:*\"]",
        )
        .await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    trial(
        &mut world,
        json!({"activity": "Hold", "argument": address, "cancellation": "wait"}),
    )
    .await;
    // It connects before its first heartbeat.
    until_beat(&mut world, "attempt 1").await;
    let (peer, _) = listener.accept().unwrap();
    let mut peer = BufReader::new(peer);
    let mut line = String::new();
    peer.read_line(&mut line).unwrap();
    assert_eq!(line, "attempt 1\n");
    peer.get_mut().set_nonblocking(true).unwrap();
    (world, peer)
}

/// Rounds until the attempt's end of the connection is closed; what it has sent before.
async fn rest(world: &mut World, peer: &mut BufReader<TcpStream>) -> String {
    let mut sent = Vec::new();
    world
        .until("the end of the connection", |_| {
            let mut buffer = [0; 64];
            loop {
                match peer.read(&mut buffer) {
                    Ok(0) => return true,
                    Ok(count) => sent.extend_from_slice(&buffer[..count]),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return true,
                    Err(error) => panic!("{error}"),
                }
            }
        })
        .await;
    String::from_utf8(sent).unwrap()
}

#[tokio::test]
async fn an_attempt_that_is_cancelled_can_clean_up() {
    // A3, A4
    let (mut world, mut peer) = held().await;
    world.cancel("t").await.unwrap();
    assert_eq!(rest(&mut world, &mut peer).await, "Cancelled\n");
    assert_eq!(world.result("t").await, json!("cancelled with Cancelled"));
}

/// How an activity that reads a variable of its environment ends, in a run of its own.
async fn read_variable(world: &mut World, id: &str) -> Value {
    let plan = json!({"activity": "Reach", "argument": "env GRANTED"});
    world.start(id, "Trial", &[plan]).await.unwrap();
    world.result(id).await
}

#[tokio::test]
async fn a_server_that_gives_no_grants_any_more_gives_none_to_what_has_them() {
    // C1
    let mut options = common::options();
    options.allow_grants = true;
    let mut world = World::with(options);
    let config = "[grants]\nenv = { GRANTED = \"yes\" }";
    world.upload_with("attempts", "attempts", config).await;
    assert_eq!(read_variable(&mut world, "before").await, json!("yes"));
    world.reopen(Loss::All, SECOND, common::options());
    let captured = Captured::begin();
    let end = read_variable(&mut world, "after").await;
    assert!(end.as_str().unwrap().starts_with("failed: "), "{end}");
    let told = captured.of_guests();
    let why = "module attempts@1 ask for [grants], and this server gives none: it was started without --allow-grants";
    assert!(told.iter().any(|(_, text)| text.contains(why)), "{told:?}");
}

#[tokio::test]
async fn what_a_component_gives_back_has_a_limit() {
    // B2
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("large"), "x".repeat(3 << 20)).unwrap();
    let mut options = common::options();
    options.allow_grants = true;
    let mut world = World::with(options);
    let host = folder.path().to_str().unwrap();
    let config = format!("[grants]\nfolders = [{{ host = {host:?}, guest = \"/data\" }}]");
    world.upload_with("attempts", "attempts", &config).await;
    trial(
        &mut world,
        json!({"activity": "Reach", "argument": "read /data/large"}),
    )
    .await;
    let end = world.result("t").await;
    assert_eq!(end, json!("failed: COMPLETE_RESULT_EXCEEDS_LIMIT"));
    assert!(world.history("t").len() < 10_000, "nothing of it is kept");
}

#[tokio::test]
async fn an_attempt_of_a_terminated_run_is_ended() {
    // E4
    let (mut world, mut peer) = held().await;
    world.terminate("t").await.unwrap();
    rest(&mut world, &mut peer).await;
    assert_eq!(pending(&mut world).await, None);
    let history = world.history("t");
    assert!(
        !history.contains("ActivityTaskStarted"),
        "nothing of it is recorded: {history}"
    );
    world.export("attempt-terminated", "t");
}

#[tokio::test]
async fn an_attempt_that_falls_silent_is_given_up_and_the_next_one_knows_how_far_it_came() {
    // A2, A3
    let mut world = world().await;
    trial(
        &mut world,
        json!({"activity": "Silent", "argument": "half-way", "heartbeat_ms": 5_000}),
    )
    .await;
    let first = until_beat(&mut world, "half-way").await;
    assert_eq!((first.attempt, first.state()), (1, State::Started));
    world.advance(5 * SECOND - Duration::from_nanos(1)).await;
    assert_eq!(
        pending(&mut world).await.unwrap().attempt,
        1,
        "not before its time"
    );
    world.advance(Duration::from_nanos(1)).await;
    let second = pending(&mut world).await.unwrap();
    assert_eq!((second.attempt, second.state()), (2, State::Scheduled));
    let failure = second.last_failure.as_ref().unwrap();
    assert!(
        format!("{failure:?}").contains("Heartbeat"),
        "which limit: {failure:?}"
    );
    assert_eq!(details(&second), Some(json!("half-way")));
    world.advance(SECOND).await;
    assert_eq!(world.result("t").await, json!("half-way"));
    let history = world.history("t");
    assert!(history.contains("attempt=2"), "{history}");
    world.export("attempt-silent", "t");
}

#[tokio::test]
async fn a_crash_keeps_the_details_of_the_last_heartbeat() {
    // A1, A3
    let mut world = world().await;
    trial(
        &mut world,
        json!({"activity": "Silent", "argument": "half-way", "heartbeat_ms": 5_000}),
    )
    .await;
    until_beat(&mut world, "half-way").await;
    world.crash(longhaul_store::faults::Loss::All, SECOND);
    let second = pending(&mut world).await.unwrap();
    assert_eq!((second.attempt, details(&second)), (2, Some(json!("half-way"))));
    world.advance(SECOND).await;
    assert_eq!(world.result("t").await, json!("half-way"));
}

#[tokio::test]
async fn many_heartbeats_are_few_commits_and_the_last_one_counts() {
    // A3
    let mut world = world().await;
    let before = world.commits();
    trial(&mut world, json!({"activity": "Chatty", "argument": "1000"})).await;
    let second = until_beat(&mut world, "1000").await;
    assert_eq!((second.attempt, second.state()), (2, State::Scheduled));
    let commits = world.commits() - before;
    assert!(commits < 10, "a thousand heartbeats made {commits} commits");
    world.advance(SECOND).await;
    assert_eq!(world.result("t").await, json!("1000"));
}

#[tokio::test]
async fn a_heartbeat_soon_after_another_arrives_though_no_third_follows() {
    // A3: the attempt goes on, and never beats again.
    let mut world = world().await;
    trial(
        &mut world,
        json!({"activity": "Twice", "argument": "second", "heartbeat_ms": 100}),
    )
    .await;
    let activity = until_beat(&mut world, "second").await;
    assert_eq!((activity.attempt, activity.state()), (1, State::Started));
    world.terminate("t").await.unwrap();
}

#[tokio::test]
async fn a_heartbeat_reaches_a_run_that_has_left_the_memory() {
    // A3
    let mut options = common::options();
    options.instances = 1;
    let mut world = World::with(options);
    world.upload("attempts", "attempts").await;
    world.upload("counter", "counter").await;
    // The attempt gets nowhere before its run has gone.
    let plan = json!({"activity": "Silent", "argument": "half-way", "heartbeat_ms": 60_000});
    let rt = world.rt();
    world
        .drive_alone(rt.start_workflow(start_request("t", "Trial", &[plan])))
        .await
        .unwrap();
    for id in ["a", "b"] {
        let rt = world.rt();
        world
            .drive_alone(rt.start_workflow(start_request(id, "Counter", &[])))
            .await
            .unwrap();
    }
    // Nobody asks for the run, so that it is the heartbeat that brings it back.
    let before = world.commits();
    world
        .until("the commit of the heartbeat", |rt| {
            rt.store_stats().commits > before
        })
        .await;
    world.crash(longhaul_store::faults::Loss::All, SECOND);
    let second = pending(&mut world).await.unwrap();
    assert_eq!((second.attempt, details(&second)), (2, Some(json!("half-way"))));
}

#[tokio::test]
async fn a_slot_that_a_terminated_run_leaves_goes_to_the_next() {
    // E4
    let mut options = common::options();
    options.activity_slots = 1;
    let mut world = World::with(options);
    world.upload("attempts", "attempts").await;
    trial(&mut world, json!({"activity": "Beat"})).await;
    until_beat(&mut world, "attempt 1").await;
    for id in ["forgotten", "next"] {
        let plan = json!({"activity": "Reach", "argument": "env NOTHING", "cancellation": "wait"});
        world.start(id, "Trial", &[plan]).await.unwrap();
    }
    world.sim.settle().await;
    for id in ["forgotten", "next"] {
        let waiting = world.describe(id).await.pending_activities;
        assert_eq!(waiting[0].state(), State::Scheduled, "there is no slot for {id}");
    }
    // What is cancelled while it waits for a slot takes none.
    world.signal("forgotten", "cancel", &[]).await.unwrap();
    assert_eq!(world.result("forgotten").await, json!("cancelled with nothing"));
    world.terminate("t").await.unwrap();
    let end = world.result("next").await;
    assert!(end.as_str().unwrap().starts_with("failed: "), "it ran: {end}");
}

#[tokio::test]
async fn an_activity_that_nobody_serves_holds_skipped_time_back_until_it_is_cancelled() {
    // W2, A4
    let mut options = common::options();
    options.time_skipping = true;
    let mut world = World::with(options);
    world.upload("attempts", "attempts").await;
    world.upload("bench", "bench").await;
    trial(&mut world, json!({"activity": "Nowhere", "cancellation": "wait"})).await;
    world.start("s", "Sleep", &[json!(3_600_000)]).await.unwrap();
    let sleeps = common::result(world.rt(), "s");
    let mut sleeps = std::pin::pin!(sleeps);
    let slept = tokio::time::timeout(Duration::from_millis(100), world.sim.drive(&mut sleeps)).await;
    assert!(slept.is_err(), "a worker may come at any time");
    world.signal("t", "cancel", &[]).await.unwrap();
    assert_eq!(world.drive(sleeps).await.unwrap(), json!(3_600_000));
    assert_eq!(world.result("t").await, json!("cancelled with nothing"));
}
