//! Replay: the same commands and the same memory, or an error that says where they differ.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use longhaul_history::{
    Attributes,
    proto::{common::v1::Payloads, history::v1::History},
};
use longhaul_runtime::{ReplayError, Report, replay};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use serde_json::{Value, json};

use crate::{common, world::*};

fn check(module: &str, history: &History) -> Result<Report, ReplayError> {
    replay(
        common::options().sandbox,
        &common::component(module),
        history.clone(),
    )
}

/// Why a replay fails: the message and the guest's frames.
fn difference(module: &str, history: &History) -> String {
    match check(module, history) {
        Err(ReplayError::Failed { message, backtrace }) => format!("{message}\n{backtrace}"),
        other => panic!("the replay finds the difference: {other:?}"),
    }
}

/// The history of a run, and the world that it ran in.
async fn ran(module: &str, kind: &str, input: &[Value]) -> History {
    let mut world = World::of(module).await;
    world.start("r", kind, input).await.unwrap();
    world.advance(HOUR).await;
    world.until_history("r", "WorkflowExecutionCompleted").await;
    world.export(&format!("replay-{kind}"), "r");
    world.rt().whole_history("default", "r", "").unwrap()
}

async fn counted() -> History {
    let mut world = World::of("counter").await;
    world.start("c", "Counter", &[]).await.unwrap();
    for value in 1..20 {
        world.signal("c", "add", &[json!(value)]).await.unwrap();
        world
            .update("c", "add_and_get", &[json!(value)], &format!("u{value}"))
            .await
            .unwrap()
            .unwrap();
    }
    world.signal("c", "finish", &[]).await.unwrap();
    world.result("c").await;
    world.export("replay-Counter", "c");
    world.rt().whole_history("default", "c", "").unwrap()
}

#[tokio::test]
async fn two_replays_give_the_same_commands_and_the_same_memory() {
    // W3, U6
    for (module, history) in [
        ("counter", counted().await),
        ("bench", ran("bench", "Steps", &[json!(5)]).await),
        ("bench", ran("bench", "Fan", &[json!(5)]).await),
        ("bench", ran("bench", "Sleep", &[json!(5)]).await),
    ] {
        let first = check(module, &history).unwrap();
        assert!(first.commands > 0 && first.tasks > 0);
        assert_eq!(first.events, history.events.len());
        assert_eq!(check(module, &history).unwrap(), first, "{module}");
        assert_eq!(
            in_a_fresh_process(module, &history),
            first.memory_hash,
            "{module}"
        );
    }
}

/// Activities that make more events than are read at once, so that a thread reads ahead of the replay.
const LONG: u64 = 200;

#[tokio::test]
async fn a_stored_run_is_replayed_as_its_exported_history_is() {
    // W3
    let mut world = World::of("bench").await;
    for (id, kind, input) in [("long", "Steps", LONG), ("wide", "Fan", 5), ("short", "Steps", 0)] {
        world.start(id, kind, &[json!(input)]).await.unwrap();
        world.advance(HOUR).await;
        world.until_history(id, "WorkflowExecutionCompleted").await;
        let exported = world.rt().whole_history("default", id, "").unwrap();
        let stored = world.rt().replay("default", id, "").unwrap();
        assert_eq!(stored, check("bench", &exported).unwrap(), "{id}");
        assert_eq!(stored.events, exported.events.len(), "{id}");
    }
    let unknown = world.rt().replay("default", "none", "");
    assert!(matches!(unknown, Err(ReplayError::Read(_))), "{unknown:?}");
}

const CHILD: &str = "LONGHAUL_TEST_REPLAY";

/// The memory's hash after a replay in a process of its own.
fn in_a_fresh_process(module: &str, history: &History) -> [u8; 32] {
    use prost::Message;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(module);
    std::fs::write(&path, history.encode_to_vec()).unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "replay::child", "--nocapture"])
        .env(CHILD, &path)
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let line = output
        .lines()
        .find_map(|line| line.split_once("memory="))
        .expect(&output);
    let bytes: Vec<u8> = serde_json::from_str(line.1).unwrap();
    bytes.try_into().unwrap()
}

/// Does nothing but in a process that [`in_a_fresh_process`] has started.
#[test]
fn child() {
    use prost::Message;
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let path = std::path::PathBuf::from(path);
    let history = History::decode(std::fs::read(&path).unwrap().as_slice()).unwrap();
    let report = check(path.file_name().unwrap().to_str().unwrap(), &history).unwrap();
    println!(
        "memory={}",
        serde_json::to_string(&report.memory_hash.to_vec()).unwrap()
    );
}

/// Counts the replays of the test's own thread, on which a simulation does everything.
#[derive(Default)]
pub(crate) struct Replays(Arc<AtomicU64>);

impl Replays {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Recorder for Replays {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match key.name() {
            "longhaul_replays_total" => Counter::from_arc(self.0.clone()),
            _ => Counter::noop(),
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test]
async fn runs_that_lose_their_memory_between_messages_go_on_as_if_they_had_not() {
    // W3, U6
    let (mut histories, mut replays) = (Vec::new(), Vec::new());
    for instances in [1, 50_000] {
        let recorder = Replays::default();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let mut options = common::options();
        options.instances = instances;
        let mut world = World::with(options);
        world.upload("counter", "counter").await;
        world.upload("order", "orders").await;
        world.upload("order-activities", "orders").await;
        for id in ["a", "b", "c"] {
            world.start(id, "Counter", &[]).await.unwrap();
        }
        world
            .start("o", "OrderWorkflow", &[json!("order"), json!("cust")])
            .await
            .unwrap();
        for number in 0..4 {
            for id in ["a", "b", "c"] {
                world.signal(id, "add", &[json!(number)]).await.unwrap();
                world
                    .update(id, "add_and_get", &[json!(10)], &format!("u{number}"))
                    .await
                    .unwrap()
                    .unwrap();
            }
            let item = json!({"sku": "a", "name": "b", "quantity": 1, "price": "1.00"});
            let added = world
                .update("o", "add_item", &[item], &format!("u{number}"))
                .await
                .unwrap();
            assert_eq!(
                added,
                Ok(json!({"items": number + 1, "total": format!("{}.00", number + 1)}))
            );
        }
        let mut text = String::new();
        for id in ["a", "b", "c"] {
            let all = world.query(id, "all", &[]).await.unwrap();
            assert_eq!(all, json!([0, 10, 1, 10, 2, 10, 3, 10]));
            world.signal(id, "finish", &[]).await.unwrap();
            assert_eq!(world.result(id).await, json!(46));
            text.push_str(&world.history(id));
        }
        text.push_str(&world.history("o"));
        world.terminate("o").await.unwrap();
        world.export(&format!("instances-{instances}"), "o");
        histories.push(text);
        replays.push(recorder.count());
    }
    assert!(
        replays[0] >= 10,
        "runs were evicted between messages, and replayed: {replays:?}"
    );
    assert!(
        replays[0] > replays[1],
        "with room for all there are fewer: {replays:?}"
    );
    assert!(
        histories[0] == histories[1],
        "{}\n-----\n{}",
        histories[0],
        histories[1]
    );
}

#[tokio::test]
async fn a_component_without_the_type_is_refused_with_what_it_has() {
    let history = counted().await;
    let Err(ReplayError::UnknownType { wanted, known }) = check("bench", &history) else {
        panic!("the component does not have the type")
    };
    assert_eq!(wanted, "Counter");
    assert!(known.contains("Signals"), "{known}");
    let empty = check("counter", &History::default());
    assert!(matches!(empty, Err(ReplayError::NoStart)), "{empty:?}");
}

/// The first event of a kind, changed.
fn changed(history: &History, mut change: impl FnMut(&mut Attributes) -> bool) -> (i64, History) {
    let mut history = history.clone();
    for event in &mut history.events {
        if change(event.attributes.as_mut().unwrap()) {
            return (event.event_id, history);
        }
    }
    panic!("the history has such an event");
}

/// The message names the event, both sides, and the place in the guest's source.
fn says(message: &str, event_id: i64, history: &str, code: &str, file: &str) {
    assert!(message.contains(&format!("at event {event_id} ")), "{message}");
    assert!(
        message.contains(history),
        "what history has, {history:?}: {message}"
    );
    assert!(message.contains(code), "what the code did, {code:?}: {message}");
    let line = message.lines().next().unwrap();
    let place = line.split(file).nth(1).and_then(|rest| rest.strip_prefix(':'));
    let number = place.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    let number = number.and_then(|digits| digits.parse::<u32>().ok());
    assert!(
        number.is_some_and(|number| number > 0),
        "a file and a line of the guest: {message}"
    );
}

#[tokio::test]
async fn another_activity_than_in_history_is_an_error_that_names_both_and_the_line() {
    // W4
    let history = ran("bench", "Steps", &[json!(2)]).await;
    let (event_id, other_type) = changed(&history, |attributes| match attributes {
        Attributes::ActivityTaskScheduledEventAttributes(scheduled) => {
            scheduled.activity_type.as_mut().unwrap().name = "Shout".into();
            true
        }
        _ => false,
    });
    says(
        &difference("bench", &other_type),
        event_id,
        "Shout",
        "Echo",
        "bench/src/lib.rs",
    );
    let (event_id, other_input) = changed(&history, |attributes| match attributes {
        Attributes::ActivityTaskScheduledEventAttributes(scheduled) => {
            scheduled.input = common::values(&[json!(77)]);
            true
        }
        _ => false,
    });
    says(
        &difference("bench", &other_input),
        event_id,
        "77",
        "Echo",
        "bench/src/lib.rs",
    );
    let (event_id, other_id) = changed(&history, |attributes| match attributes {
        Attributes::ActivityTaskScheduledEventAttributes(scheduled) => {
            scheduled.activity_id = "99".into();
            true
        }
        _ => false,
    });
    says(
        &difference("bench", &other_id),
        event_id,
        "99",
        "Echo",
        "bench/src/lib.rs",
    );
}

#[tokio::test]
async fn another_timer_than_in_history_is_an_error_and_another_duration_is_not() {
    // W4
    let history = ran("bench", "Sleep", &[json!(1_000)]).await;
    let (event_id, other_id) = changed(&history, |attributes| match attributes {
        Attributes::TimerStartedEventAttributes(started) => {
            started.timer_id = "99".into();
            true
        }
        _ => false,
    });
    let mut other_id = other_id;
    for event in &mut other_id.events {
        if let Some(Attributes::TimerFiredEventAttributes(fired)) = &mut event.attributes {
            fired.timer_id = "99".into();
        }
    }
    says(
        &difference("bench", &other_id),
        event_id,
        "99",
        "timer",
        "bench/src/lib.rs",
    );
    let (_, longer) = changed(&history, |attributes| match attributes {
        Attributes::TimerStartedEventAttributes(started) => {
            started.start_to_fire_timeout = Some(longhaul_history::time::duration_from_ns(5_000_000_000));
            true
        }
        _ => false,
    });
    check("bench", &longer).expect("durations may change under a running execution");
}

#[tokio::test]
async fn code_that_does_too_much_or_too_little_is_nondeterminism() {
    // W4
    let history = ran("bench", "Steps", &[json!(2)]).await;
    for (steps, what) in [(1, "ActivityTaskScheduled"), (3, "Echo")] {
        let (_, other) = changed(&history, |attributes| match attributes {
            Attributes::WorkflowExecutionStartedEventAttributes(started) => {
                started.input = common::values(&[json!(steps)]);
                true
            }
            _ => false,
        });
        let message = difference("bench", &other);
        assert!(
            message.contains("TMPRL1100") && message.contains(what),
            "{message}"
        );
    }
}

#[tokio::test]
async fn the_order_of_keys_and_the_form_of_numbers_do_not_matter() {
    // W4: JSON is compared by value.
    let mut world = World::new();
    world.upload("order", "orders").await;
    world.upload("order-activities", "orders").await;
    world
        .start("o", "OrderWorkflow", &[json!("order"), json!("cust")])
        .await
        .unwrap();
    let item = json!({"sku": "a", "name": "b", "quantity": 1, "price": "1.00"});
    world
        .update("o", "add_item", &[item], "u")
        .await
        .unwrap()
        .unwrap();
    let history = world.rt().whole_history("default", "o", "").unwrap();
    let with_input = |text: &str| {
        let (_, history) = changed(&history, |attributes| match attributes {
            Attributes::ActivityTaskScheduledEventAttributes(scheduled) => {
                let Payloads { payloads } = scheduled.input.as_mut().unwrap();
                payloads[0].data = text.as_bytes().to_vec();
                true
            }
            _ => false,
        });
        check("order", &history)
    };
    with_input(r#"{"price": "1.00", "quantity": 1.0, "name": "b", "sku": "a"}"#).unwrap();
    let other = with_input(r#"{"price": "1.00", "quantity": 2, "name": "b", "sku": "a"}"#);
    assert!(matches!(other, Err(ReplayError::Failed { .. })), "{other:?}");
}
