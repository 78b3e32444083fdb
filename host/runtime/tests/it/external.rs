//! Signals and cancellation requests from one execution to another (E6).

use longhaul_history::proto::enums::v1::WorkflowExecutionStatus as Status;
use longhaul_store::faults::Loss;
use serde_json::{Value, json};

use crate::{common, world::*};

async fn world(shards: usize) -> World {
    let mut world = World::sharded(common::options(), shards);
    world.upload("lab", "lab").await;
    world
}

/// Start the Lab with these steps.
async fn lab(world: &mut World, id: &str, steps: Value) {
    world.start(id, "Lab", &[json!({"steps": steps})]).await.unwrap();
}

fn note(id: &str, text: &str) -> Value {
    json!({"op": "signal", "id": id, "name": "note", "args": [text]})
}

#[tokio::test]
async fn a_signal_reaches_another_execution_and_says_who_sent_it() {
    // E6, S10
    let mut world = world(3).await;
    lab(&mut world, "b", json!([{"op": "wait", "notes": 1}])).await;
    lab(&mut world, "a", json!([note("b", "hi")])).await;
    assert_eq!(world.result("a").await, json!(["signalled"]));
    assert_eq!(world.result("b").await, json!(["note:hi", "waited"]));
    let receiver = world.rt().whole_history("default", "b", "").unwrap();
    let signal = receiver.events.iter().find_map(|event| match &event.attributes {
        Some(longhaul_history::Attributes::WorkflowExecutionSignaledEventAttributes(signal)) => Some(signal),
        _ => None,
    });
    let sender = signal.unwrap().external_workflow_execution.clone().unwrap();
    assert_eq!(sender.workflow_id, "a");
    world.export("external-signal-sender", "a");
    world.export("external-signal-receiver", "b");
}

#[tokio::test]
async fn what_is_not_there_or_closed_or_oneself_is_a_failed_outcome() {
    // E6, S6
    let mut world = world(2).await;
    lab(&mut world, "closed", json!([])).await;
    world.result("closed").await;
    let cancel = |id: &str| json!({"op": "cancel", "id": id});
    let steps = json!([
        note("nobody", "hi"),
        note("closed", "hi"),
        note("a", "hi"),
        cancel("nobody"),
        cancel("closed"),
        cancel("a")
    ]);
    lab(&mut world, "a", steps).await;
    let not_signalled = "signal failed: ExternalWorkflowExecutionNotFound: Unable to signal external workflow because it was not found";
    let not_cancelled = "cancel failed: ExternalWorkflowExecutionNotFound: Unable to cancel external workflow because not found";
    assert_eq!(
        world.result("a").await,
        json!([
            not_signalled,
            not_signalled,
            not_signalled,
            not_cancelled,
            // E4: accepted on a closed run, and nothing happens.
            "cancel requested",
            not_cancelled,
        ])
    );
    world.export("external-failed", "a");
}

#[tokio::test]
async fn an_execution_cancels_another() {
    // E6, E4
    let mut world = world(2).await;
    lab(&mut world, "b", json!([{"op": "wait", "notes": 1}])).await;
    lab(&mut world, "a", json!([{"op": "cancel", "id": "b"}])).await;
    assert_eq!(world.result("a").await, json!(["cancel requested"]));
    world.until_history("b", "WorkflowExecutionCanceled").await;
    world.export("external-cancel", "b");
}

#[tokio::test]
async fn hundreds_of_receivers_get_all_that_was_sent_in_order_also_across_a_crash() {
    // E6, S2
    const RECEIVERS: usize = 200;
    const NOTES: usize = 3;
    let mut options = common::options();
    options.sandbox.arena_slots = 512;
    let mut world = World::sharded(options, 3);
    world.upload("lab", "lab").await;
    for number in 0..RECEIVERS {
        lab(
            &mut world,
            &format!("r{number}"),
            json!([{"op": "wait", "notes": NOTES}]),
        )
        .await;
    }
    // Fire and forget: the notes of one branch are sent without waiting for their outcomes.
    let branch = |number: usize| {
        let notes = (0..NOTES).map(|note_number| note(&format!("r{number}"), &format!("{note_number}")));
        Value::Array(notes.collect())
    };
    let branches: Vec<Value> = (0..RECEIVERS).map(branch).collect();
    let steps = json!([{"op": "parallel", "branches": branches}, {"op": "return", "value": "sent"}]);
    lab(&mut world, "a", steps).await;
    for round in 0..20 {
        world.sim.round();
        if round % 5 == 4 {
            world.crash(Loss::Some { seed: round }, SECOND);
        }
    }
    assert_eq!(world.result("a").await, json!("sent"));
    for number in 0..RECEIVERS {
        assert_eq!(
            world.result(&format!("r{number}")).await,
            json!(["note:0", "note:1", "note:2", "waited"])
        );
    }
}

#[tokio::test]
async fn a_receiver_that_continues_as_new_gets_what_was_sent_to_its_id() {
    // S9, E3, E6
    let mut world = world(3).await;
    // Ten runs in a row, each of which ends at once; the last one waits for what was sent meanwhile.
    let mut program = json!({"steps": [{"op": "wait", "notes": 100}]});
    for _ in 0..10 {
        program = json!({"steps": [{"op": "continue", "program": program}]});
    }
    let notes: Vec<Value> = (0..5).map(|number| note("b", &number.to_string())).collect();
    let (rt, other) = (world.rt(), world.rt());
    let first = [json!({"steps": notes})];
    let second = [program];
    let both = async {
        tokio::join!(
            common::start(rt, "b", "Lab", "lab", &second),
            common::start(other, "a", "Lab", "lab", &first),
        )
    };
    let (b, a) = world.drive(both).await;
    b.unwrap();
    a.unwrap();
    assert_eq!(world.result("a").await, json!(vec!["signalled"; 5]));
    // Whichever run has got a note, the log that goes along has it once.
    assert_eq!(
        world.query("b", "log", &[]).await.unwrap(),
        json!(["note:0", "note:1", "note:2", "note:3", "note:4"])
    );
    let described = world.describe("b").await;
    let info = described.workflow_execution_info.unwrap();
    assert_eq!(info.status(), Status::Running);
    assert_ne!(info.first_run_id, info.execution.unwrap().run_id, "E3");
}
