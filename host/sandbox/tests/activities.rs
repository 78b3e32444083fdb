//! Attempts of activities: results, limits, what they may use, and that they share their thread.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use longhaul_sandbox::wit::types::Payloads;
use longhaul_sandbox::{
    ActivityCall, ActivityHost, CancellationReason, ExecuteError, Folder, Grants, Limits, Module, NoLog,
    Options, Sandbox, Trap, TrapKind,
};

mod support;
use support::{BASE, Lines, activity_info, component, guest, json, options};

/// An activity component that does what the first letter of the activity's type says.
const ACTOR: &str = r#"
    (import "longhaul:workflow/activity-context@0.1.0" "heartbeat" (func $heartbeat (param i32 i32)))
    (import "longhaul:workflow/activity-context@0.1.0" "cancellation" (func $cancellation (param i32)))
    (import "longhaul:workflow/activity-context@0.1.0" "subscribe-cancellation" (func $subscribe_cancellation (result i32)))
    (import "longhaul:workflow/activity-context@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
    (import "longhaul:workflow/activity-context@0.1.0" "info" (func $info (param i32)))
    (import "longhaul:workflow/commands@0.1.0" "cancel-timer" (func $cancel_timer (param i32)))
    (import "wasi:clocks/monotonic-clock@0.2.3" "subscribe-duration" (func $subscribe (param i64) (result i32)))
    (import "wasi:io/poll@0.2.3" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:io/poll@0.2.3" "[resource-drop]pollable" (func $drop_pollable (param i32)))
    (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
    (import "wasi:cli/stderr@0.2.3" "get-stderr" (func $stderr (result i32)))
    (import "wasi:cli/environment@0.2.3" "get-environment" (func $environment (param i32)))
    (import "wasi:filesystem/preopens@0.2.3" "get-directories" (func $directories (param i32)))

    (func (export "longhaul:workflow/activity-definition@0.1.0#describe") (result i32)
        (i32.store (i32.const 64) (i32.const 256)) (i32.store (i32.const 68) (i32.const 5))
        (i32.store (i32.const 72) (i32.const 261)) (i32.store (i32.const 76) (i32.const 3))
        (i64.store (i32.const 80) (i64.const 0))
        (i32.const 64))
    (func (export "longhaul:workflow/activity-definition@0.1.0#execute")
        (param $type i32) (param i32) (param $input i32) (param $count i32) (result i32)
        (local $c i32)
        (local.set $c (i32.load8_u (local.get $type)))
        ;; the answer is the input, unless said otherwise
        (i32.store (i32.const 64) (i32.const 0))
        (i32.store (i32.const 68) (local.get $input))
        (i32.store (i32.const 72) (local.get $count))
        ;; c: cancelled, if the host says so
        (if (i32.eq (local.get $c) (i32.const 99)) (then
            (call $cancellation (i32.const 128))
            (if (i32.eqz (i32.load8_u (i32.const 128))) (then unreachable))
            (i32.store (i32.const 64) (i32.const 1)) (i32.store (i32.const 68) (i32.const 1))
            (i64.store (i32.const 72) (i64.const 0))))
        ;; p: pollables for the cancellation, without end;  b: wait for one, beside a second one that is dropped before
        (if (i32.eq (local.get $c) (i32.const 112)) (then (loop $more (drop (call $subscribe_cancellation)) (br $more))))
        (if (i32.eq (local.get $c) (i32.const 98)) (then
            (call $drop_pollable (call $subscribe_cancellation))
            (call $block (call $subscribe_cancellation))
            (call $block (call $subscribe_cancellation))))
        ;; h: two heartbeats
        (if (i32.eq (local.get $c) (i32.const 104)) (then
            (call $heartbeat (i32.const 0) (i32.const 0)) (call $heartbeat (local.get $input) (local.get $count))))
        ;; l: log, and write to standard error
        (if (i32.eq (local.get $c) (i32.const 108)) (then
            (call $log (i32.const 2) (i32.const 270) (i32.const 5) (i32.const 0) (i32.const 0))
            (call $write (call $stderr) (i32.const 256) (i32.const 5) (i32.const 128))))
        ;; z: sleep for a millisecond
        (if (i32.eq (local.get $c) (i32.const 122)) (then (call $block (call $subscribe (i64.const 1000000)))))
        ;; e: as many payloads as there are variables;  d: as folders
        (if (i32.eq (local.get $c) (i32.const 101)) (then
            (call $environment (i32.const 128)) (call $empty (i32.load (i32.const 132)))))
        (if (i32.eq (local.get $c) (i32.const 100)) (then
            (call $directories (i32.const 128)) (call $empty (i32.load (i32.const 132)))))
        (if (i32.eq (local.get $c) (i32.const 115)) (then (call $spin)))
        (if (i32.eq (local.get $c) (i32.const 114)) (then (drop (call $recurse (i32.const 0)))))
        (if (i32.eq (local.get $c) (i32.const 109)) (then (call $devour)))
        (if (i32.eq (local.get $c) (i32.const 119)) (then (call $cancel_timer (i32.const 1))))
        ;; f: trap unless memory is as in a new instance, then change it everywhere
        (if (i32.eq (local.get $c) (i32.const 102)) (then
            (if (i32.load (i32.const 60000)) (then unreachable))
            (if (i32.ne (i32.load8_u (i32.const 256)) (i32.const 112)) (then unreachable))
            (if (i32.ne (memory.size) (i32.const 2)) (then unreachable))
            (i32.store (i32.const 60000) (i32.const 1))
            (i32.store8 (i32.const 256) (i32.const 1))
            (drop (memory.grow (i32.const 1)))
            (memory.fill (i32.const 131072) (i32.const 255) (i32.const 65536))))
        (i32.const 64))
    ;; the answer is this many payloads without metadata and data
    (func $empty (param $count i32)
        (i32.store (i32.const 68) (call $alloc (i32.const 0) (i32.const 0) (i32.const 4) (i32.mul (local.get $count) (i32.const 16))))
        (memory.fill (i32.load (i32.const 68)) (i32.const 0) (i32.mul (local.get $count) (i32.const 16)))
        (i32.store (i32.const 72) (local.get $count)))
"#;

const ACTOR_WORLD: &str =
    "include longhaul:workflow/activities@0.1.0; import longhaul:workflow/commands@0.1.0;
    import wasi:clocks/monotonic-clock@0.2.3; import wasi:io/poll@0.2.3; import wasi:io/streams@0.2.3;
    import wasi:cli/stderr@0.2.3; import wasi:cli/environment@0.2.3; import wasi:filesystem/preopens@0.2.3;";

fn actor(options: Options) -> Module {
    let bytes = component(ACTOR_WORLD, &format!("(module {ACTOR} {BASE})"));
    Sandbox::new(options).unwrap().compile(&bytes).unwrap()
}

#[derive(Default)]
struct Host {
    beats: Mutex<Vec<Payloads>>,
    cancelled: Option<CancellationReason>,
}

#[async_trait]
impl ActivityHost for Host {
    fn heartbeat(&self, details: Payloads) {
        self.beats.lock().unwrap().push(details);
    }

    fn cancellation(&self) -> Option<CancellationReason> {
        self.cancelled
    }

    async fn cancelled(&self) {
        if self.cancelled.is_none() {
            std::future::pending().await
        }
    }
}

fn call(activity_type: &str) -> ActivityCall {
    ActivityCall {
        info: activity_info(activity_type),
        input: vec![json("7")],
        host: Arc::new(Host::default()),
        logs: Arc::new(NoLog),
        grants: Grants::default(),
    }
}

async fn trap(module: &Module, activity_type: &str) -> Trap {
    module.execute(call(activity_type)).await.unwrap_err()
}

#[tokio::test]
async fn an_attempt_returns_its_result() {
    let module = actor(options());
    assert_eq!(module.sdk().name, "probe");
    assert_eq!(
        module.execute(call("answer")).await.unwrap().unwrap(),
        vec![json("7")]
    );
}

// A3
#[tokio::test]
async fn heartbeats_and_cancellation_pass_between_host_and_guest() {
    let module = actor(options());
    let host = Arc::new(Host {
        cancelled: Some(CancellationReason::Cancelled),
        ..Host::default()
    });
    module
        .execute(ActivityCall {
            host: host.clone(),
            ..call("heartbeat")
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(*host.beats.lock().unwrap(), [vec![], vec![json("7")]]);
    let outcome = module
        .execute(ActivityCall {
            host,
            ..call("cancel")
        })
        .await
        .unwrap();
    assert_eq!(outcome, Err(ExecuteError::Cancelled(vec![])));
}

// A3
#[tokio::test]
async fn a_pollable_of_the_cancellation_is_ready_when_there_is_a_reason_and_stays_so() {
    let module = actor(options());
    let host = Arc::new(Host {
        cancelled: Some(CancellationReason::Shutdown),
        ..Host::default()
    });
    let blocks = |host: Arc<Host>| {
        module.execute(ActivityCall {
            host,
            ..call("block")
        })
    };
    blocks(host).await.unwrap().unwrap();
    // Without a reason it blocks for as long as an attempt may take.
    let limits = Limits {
        activity_timeout: Some(Duration::from_millis(50)),
        ..Limits::default()
    };
    let trap = trap(&module.with_limits(limits), "block").await;
    assert_eq!(trap.kind, TrapKind::Timeout, "{trap}");
}

// A3
#[tokio::test]
async fn pollables_of_the_cancellation_count_as_handles() {
    let trap = trap(&actor(options()), "pollables").await;
    assert!(
        trap.message.contains("the attempt holds 256 handles"),
        "{}",
        trap.message
    );
}

#[tokio::test]
async fn logs_and_output_reach_the_sink() {
    let lines = Arc::new(Lines::default());
    actor(options())
        .execute(ActivityCall {
            logs: lines.clone(),
            ..call("log")
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(lines.texts(), ["hello", "probe"]);
}

#[tokio::test]
async fn an_activity_may_sleep() {
    actor(options()).execute(call("zzz")).await.unwrap().unwrap();
}

#[tokio::test]
async fn nothing_of_the_machine_is_there_unless_it_is_granted() {
    let module = actor(options());
    let count = async |kind: &str, grants: Grants| {
        module
            .execute(ActivityCall { grants, ..call(kind) })
            .await
            .map(|r| r.unwrap().len())
    };
    assert_eq!(count("env", Grants::default()).await, Ok(0));
    assert_eq!(count("dirs", Grants::default()).await, Ok(0));
    let env = vec![("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())];
    assert_eq!(
        count(
            "env",
            Grants {
                env,
                ..Grants::default()
            }
        )
        .await,
        Ok(2)
    );
    let folder = tempfile::tempdir().unwrap();
    let folders = vec![Folder {
        host: folder.path().to_owned(),
        guest: "/data".into(),
        write: false,
    }];
    assert_eq!(
        count(
            "dirs",
            Grants {
                folders,
                ..Grants::default()
            }
        )
        .await,
        Ok(1)
    );
    let folders = vec![Folder {
        host: folder.path().join("missing"),
        guest: "/data".into(),
        write: false,
    }];
    let error = count(
        "dirs",
        Grants {
            folders,
            ..Grants::default()
        },
    )
    .await
    .unwrap_err();
    assert!(error.message.contains("missing"), "{error}");
}

#[tokio::test]
async fn the_stack_of_a_goroutine_that_overflows_is_told_and_not_what_came_of_it() {
    let module = Sandbox::new(options())
        .unwrap()
        .compile(&guest("attempts-go"))
        .unwrap();
    let exhaust = async |what: &str| {
        let call = ActivityCall {
            input: vec![json(&format!("{what:?}"))],
            ..call("Exhaust")
        };
        module.execute(call).await.unwrap_err()
    };
    let overflow = exhaust("stack").await;
    assert_eq!(overflow.kind, TrapKind::StackOverflow);
    let told = "the stack of a goroutine has overflowed";
    assert!(overflow.message.starts_with(told), "{overflow}");
    assert!(
        overflow.message.contains("out of bounds memory access"),
        "{overflow}"
    );
    let memory = exhaust("memory").await;
    assert!(!memory.message.contains("overflowed"), "{memory}");
}

#[tokio::test]
async fn what_ends_an_attempt_is_contained_and_named() {
    let module = actor(Options {
        activity_memory_max_bytes: 1 << 20,
        activity_fuel: 10_000_000,
        ..options()
    });
    assert_eq!(trap(&module, "spin").await.kind, TrapKind::OutOfFuel);
    assert_eq!(trap(&module, "recurse").await.kind, TrapKind::StackOverflow);
    assert_eq!(trap(&module, "more").await.kind, TrapKind::Memory);
    let workflow = trap(&module, "workflow").await;
    assert_eq!(
        workflow.kind,
        TrapKind::Refused {
            what: "longhaul:workflow/commands@0.1.0#cancel-timer".into()
        }
    );
    assert!(workflow.message.contains("only workflows"), "{workflow}");
    let small = module.with_limits(Limits {
        activity_memory_max_bytes: Some(3 * 65_536),
        ..Limits::default()
    });
    assert!(trap(&small, "more").await.message.contains("196608"));
    assert!(module.execute(call("answer")).await.is_ok());
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_ended() {
    let module = actor(Options {
        activity_timeout: Duration::from_millis(20),
        ..options()
    });
    assert_eq!(trap(&module, "spin").await.kind, TrapKind::Timeout);
}

#[tokio::test(flavor = "current_thread")]
async fn a_spinning_attempt_lets_others_run_on_its_thread() {
    let module = actor(Options {
        activity_yield_fuel: 100_000,
        ..options()
    });
    let spinning = tokio::spawn({
        let module = module.clone();
        async move { module.execute(call("spin")).await }
    });
    let done = AtomicU32::new(0);
    for _ in 0..5 {
        module.execute(call("answer")).await.unwrap().unwrap();
        done.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(done.into_inner(), 5);
    assert!(!spinning.is_finished());
    // Dropping the future ends the attempt.
    spinning.abort();
    assert!(spinning.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn an_attempt_finds_nothing_of_those_before_it() {
    let module = actor(options());
    for _ in 0..200 {
        module.execute(call("fresh")).await.unwrap().unwrap();
    }
}

/// Let every other task of this thread come as far as it gets.
async fn let_others_run() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn attempts_that_find_no_place_wait_until_others_end() {
    const PLACES: u32 = 16;
    let module = actor(Options {
        activity_instances: PLACES,
        activity_yield_fuel: 10_000,
        ..options()
    });
    let spawn = |kind: &'static str| {
        let module = module.clone();
        tokio::spawn(async move { module.execute(call(kind)).await })
    };
    let spinning: Vec<_> = (0..PLACES).map(|_| spawn("spin")).collect();
    let_others_run().await;
    let waiting: Vec<_> = (0..4 * PLACES).map(|_| spawn("answer")).collect();
    let_others_run().await;
    assert!(waiting.iter().all(|attempt| !attempt.is_finished()));
    for attempt in spinning {
        attempt.abort();
        assert!(attempt.await.unwrap_err().is_cancelled());
    }
    for attempt in waiting {
        assert_eq!(attempt.await.unwrap().unwrap().unwrap(), vec![json("7")]);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_module_is_described_while_no_attempt_can_start() {
    let sandbox = Sandbox::new(Options {
        activity_instances: 1,
        activity_yield_fuel: 10_000,
        ..options()
    })
    .unwrap();
    let bytes = component(ACTOR_WORLD, &format!("(module {ACTOR} {BASE})"));
    let module = sandbox.compile(&bytes).unwrap();
    // More than there are places, however many the sandbox has rounded up to.
    let spinning: Vec<_> = (0..64)
        .map(|_| {
            let module = module.clone();
            tokio::spawn(async move { module.execute(call("spin")).await })
        })
        .collect();
    let_others_run().await;
    assert!(sandbox.compile(&bytes).is_ok());
    assert!(spinning.iter().all(|attempt| !attempt.is_finished()));
}

#[test]
fn more_attempts_than_can_be_are_refused() {
    let refused = Sandbox::new(Options {
        activity_instances: 100_000,
        ..options()
    });
    let error = refused.err().unwrap().to_string();
    assert!(
        error.contains("100000") && error.contains("--activity-slots"),
        "{error}"
    );
}

#[tokio::test]
async fn a_workflow_module_executes_nothing() {
    let module = support::module(&support::probe());
    let error = module.execute(call("answer")).await.unwrap_err();
    assert!(error.message.contains("no activities"), "{error}");
}

#[test]
fn an_activity_module_makes_no_workflow_instance() {
    assert!(actor(options()).instantiate(support::setup()).is_err());
}
