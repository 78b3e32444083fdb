//! Activities in Rust, in the program that embeds the runtime.

use std::time::Duration;

use longhaul_runtime::{
    Clock, Error as Refusal, Runtime,
    activities::{self, Context, Error},
};
use longhaul_store::faults::Loss;
use serde_json::{Value, json};

use crate::world::*;

#[path = "../../examples/embed.rs"]
#[allow(dead_code, reason = "`main` is the example's")]
mod embed;

/// The queue of the guest `attempts`, whose workflow `Trial` runs one activity of any name.
const QUEUE: &str = "attempts";

async fn world() -> World {
    World::of(QUEUE).await
}

/// How an activity ends, in the workflow's words.
async fn trial(world: &mut World, plan: Value) -> Value {
    world.start("t", "Trial", &[plan]).await.unwrap();
    world.result("t").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_plays() {
    // A1
    let end = embed::play(crate::common::component("bank")).await.unwrap();
    assert_eq!(end, "balance \"900.50\", ledger [\"900.50\"]");
}

#[tokio::test]
async fn code_of_this_process_serves_an_activity() {
    // A1
    let mut world = world().await;
    let greet = activities::json(async |context: Context, name: String| {
        let info = context.info();
        Ok(format!("{name}, {} of {}", info.activity_type, info.workflow_id))
    });
    world.rt().register_activity(QUEUE, "Greet", greet).unwrap();
    let end = trial(&mut world, json!({"activity": "Greet", "argument": "hello"})).await;
    assert_eq!(end, json!("hello, Greet of t"));
    world.export("native-result", "t");
}

#[tokio::test]
async fn an_attempt_that_fails_or_panics_is_followed_by_one_that_knows_its_heartbeat() {
    // A2, A3
    let mut world = world().await;
    let stubborn = activities::json(async |context: Context, _: String| {
        let earlier: Option<u32> = context.heartbeat_details_json()?;
        match context.info().attempt {
            1 => {
                context.heartbeat_json(&1)?;
                Err(std::io::Error::other("the first time always fails").into())
            }
            2 => {
                context.heartbeat_json(&(earlier.unwrap_or_default() + 1))?;
                panic!("the second time panics")
            }
            attempt => Ok(format!("attempt {attempt} after {earlier:?}")),
        }
    });
    world
        .rt()
        .register_activity(QUEUE, "Stubborn!", stubborn)
        .unwrap();
    world
        .start("t", "Trial", &[json!({"activity": "Stubborn!"})])
        .await
        .unwrap();
    world.sim.settle().await;
    let mut told = Vec::new();
    for _ in 0..10 {
        let pending = world.describe("t").await.pending_activities.pop();
        if let Some(failure) = pending.and_then(|activity| activity.last_failure) {
            told.push(failure.message);
        }
        world.advance(Duration::from_secs(1)).await;
    }
    assert_eq!(world.result("t").await, json!("attempt 3 after Some(2)"));
    let told = told.join(" ");
    assert!(
        told.contains("\"Stubborn!\" has panicked: the second time panics"),
        "{told}"
    );
    world.export("native-retries", "t");
}

#[tokio::test]
async fn a_failure_says_whether_it_is_retried() {
    // A2
    let mut world = world().await;
    let empty = activities::json(async |_: Context, _: String| {
        Err::<String, _>(Error::failed("nothing to charge", "EmptyCharge").non_retryable())
    });
    world.rt().register_activity(QUEUE, "Charge", empty).unwrap();
    let end = trial(&mut world, json!({"activity": "Charge"})).await;
    assert_eq!(end, json!("failed: nothing to charge"));
    let number = activities::json(async |_: Context, n: u32| Ok(n.to_string()));
    world.rt().register_activity(QUEUE, "Number", number).unwrap();
    world
        .start(
            "n",
            "Trial",
            &[json!({"activity": "Number", "argument": "no number"})],
        )
        .await
        .unwrap();
    let end = world.result("n").await;
    assert!(
        end.as_str()
            .unwrap()
            .starts_with("failed: the arguments do not fit"),
        "{end}"
    );
}

#[tokio::test]
async fn a_cancellation_reaches_code_of_this_process() {
    // A3, A4
    let mut world = world().await;
    let wait = activities::json(async |context: Context, _: String| {
        context.heartbeat_json(&"waiting")?;
        let reason = context.cancelled().await;
        assert_eq!(context.cancellation(), Some(reason));
        Err::<String, _>(Error::cancelled_with(&format!("{reason:?}")))
    });
    world.rt().register_activity(QUEUE, "Wait", wait).unwrap();
    world
        .start(
            "t",
            "Trial",
            &[json!({"activity": "Wait", "cancellation": "wait"})],
        )
        .await
        .unwrap();
    world.sim.settle().await;
    world.signal("t", "cancel", &[]).await.unwrap();
    assert_eq!(
        world.result("t").await,
        json!("cancelled with CancellationReason::Cancelled")
    );
    world.export("native-cancelled", "t");
}

#[tokio::test]
async fn what_an_attempt_gives_back_has_a_limit_whoever_runs_it() {
    // A3, B2
    for (kind, reason) in [
        ("result", "COMPLETE_RESULT_EXCEEDS_LIMIT"),
        ("failure", "FAILURE_EXCEEDS_LIMIT"),
        ("heartbeat", "HEARTBEAT_EXCEEDS_LIMIT"),
        ("heartbeat and result", "HEARTBEAT_EXCEEDS_LIMIT"),
    ] {
        let mut world = world().await;
        let large = activities::json(async |context: Context, kind: String| {
            let large = "x".repeat(3 << 20);
            match kind.as_str() {
                "result" => Ok(large),
                "failure" => Err(Error::failed(large, "Large")),
                kind => {
                    context.heartbeat_json(&"small")?;
                    context.heartbeat_json(&large)?;
                    if kind == "heartbeat" {
                        std::future::pending::<()>().await;
                    }
                    Ok("the end".to_owned())
                }
            }
        });
        world.rt().register_activity(QUEUE, "Large", large).unwrap();
        let end = trial(&mut world, json!({"activity": "Large", "argument": kind})).await;
        let (end, wanted) = (end.as_str().unwrap(), format!("failed: {reason}"));
        assert!(end.starts_with(&wanted), "{kind}: {end:.100}");
        // Of a failure its first words.
        assert!(end.len() < 2_100, "{kind}");
        let history = world.history("t");
        assert!(
            history.contains("ActivityTaskFailed") && !history.contains("attempt="),
            "it is not tried again: {history}"
        );
        assert!(history.len() < 10_000, "nothing of it is kept");
    }
}

#[tokio::test]
async fn code_that_blocks_its_thread_holds_up_no_request() {
    // A1
    let mut options = crate::common::options();
    options.activity_threads = std::num::NonZeroUsize::MIN;
    let disk = longhaul_store::faults::FaultyDisk::new();
    let store = longhaul_store::Store::open_with_backend(options.store.clone(), disk).unwrap();
    let rt = Runtime::open_on(options, store, Clock::system()).unwrap();
    rt.upload_module(crate::common::upload("attempts", QUEUE))
        .await
        .unwrap();
    let (begins, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let ends = std::sync::Mutex::new(ends);
    let blocks = std::sync::Arc::new(move || {
        begins.send(()).unwrap();
        // This test's thread, which is the only one that serves requests, ends it; or nobody does.
        ends.lock().unwrap().recv_timeout(Duration::from_secs(20)).is_ok()
    });
    let activity = activities::json(move |_: Context, _: String| {
        let blocks = blocks.clone();
        async move { Ok(if blocks() { "let go" } else { "given up" }) }
    });
    rt.register_activity(QUEUE, "Blocks", activity).unwrap();
    let plan = json!({"activity": "Blocks"});
    crate::common::start(rt.clone(), "t", "Trial", QUEUE, &[plan])
        .await
        .unwrap();
    begun.recv().await.unwrap();
    let outcome = crate::common::query(rt.clone(), "t", "outcome").await.unwrap();
    assert_eq!(outcome, Value::Null, "it runs, and the server answers");
    end.send(()).unwrap();
    let result = crate::common::result(rt.clone(), "t").await.unwrap();
    assert_eq!(result, json!("let go"));
    tokio::task::spawn_blocking(move || rt.stop()).await.unwrap();
}

#[tokio::test]
async fn what_waits_starts_when_its_code_is_registered_also_after_a_crash() {
    // A1, A7
    let mut world = world().await;
    let greet = || activities::json(async |_: Context, name: String| Ok(format!("hello {name}")));
    world
        .start("t", "Trial", &[json!({"activity": "Late", "argument": "you"})])
        .await
        .unwrap();
    world.sim.settle().await;
    assert!(!world.history("t").contains("WorkflowExecutionCompleted"));
    world.crash(Loss::All, Duration::from_secs(1));
    world.sim.settle().await;
    assert!(
        !world.history("t").contains("WorkflowExecutionCompleted"),
        "nobody serves it after the restart"
    );
    world.rt().register_activity(QUEUE, "Late", greet()).unwrap();
    assert_eq!(world.result("t").await, json!("hello you"));
}

#[tokio::test]
async fn an_activity_type_of_a_queue_has_one_owner() {
    // B1
    let mut world = world().await;
    let code = || activities::json(async |_: Context, _: String| Ok(String::new()));
    let refused = |refusal: Result<(), Refusal>, words: &[&str]| {
        let text = refusal.unwrap_err().to_string();
        for word in words {
            assert!(text.contains(word), "{word:?} is missing: {text}");
        }
    };
    refused(
        world.rt().register_activity(QUEUE, "Beat", code()),
        &["\"Beat\"", "\"attempts\"", "module \"attempts\""],
    );
    world.rt().register_activity(QUEUE, "Own", code()).unwrap();
    refused(
        world.rt().register_activity(QUEUE, "Own", code()),
        &["the program that embeds this server"],
    );
    refused(world.rt().register_activity("", "Own", code()), &["task queue"]);
    refused(
        world.rt().register_activity_in("nowhere", QUEUE, "Own", code()),
        &["nowhere"],
    );
    // Another queue is another matter, and a module cannot take what the program has.
    world.rt().register_activity("other", "Beat", code()).unwrap();
    let upload = crate::common::upload("attempts", "other");
    let rt = world.rt();
    let refusal = world.drive(rt.upload_module(upload)).await.map(|_| ());
    refused(refusal, &["\"Beat\"", "the program that embeds this server"]);
}
