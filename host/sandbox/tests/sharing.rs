//! Attempts of activities share threads, file descriptors and folders with others: none of them can take all.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use longhaul_sandbox::wit::types::Payloads;
use longhaul_sandbox::{
    ActivityCall, ActivityHost, CancellationReason, ExecuteError, Folder, Grants, Limits, Module, NoLog,
    Options, Sandbox, TrapKind,
};

mod support;
use support::{BASE, Lines, activity_info, component, guest, json, options};

/// An activity component that calls the host without end. The first letter of the activity's type says what it calls.
const CALLER: &str = r#"
    (import "longhaul:workflow/activity-context@0.1.0" "heartbeat" (func $heartbeat (param i32 i32)))
    (import "longhaul:workflow/activity-context@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
    (import "wasi:random/random@0.2.3" "get-random-bytes" (func $random (param i64 i32)))

    (func (export "longhaul:workflow/activity-definition@0.1.0#describe") (result i32)
        (i32.store (i32.const 64) (i32.const 256)) (i32.store (i32.const 68) (i32.const 5))
        (i32.store (i32.const 72) (i32.const 261)) (i32.store (i32.const 76) (i32.const 3))
        (i64.store (i32.const 80) (i64.const 0))
        (i32.const 64))
    (func (export "longhaul:workflow/activity-definition@0.1.0#execute")
        (param $type i32) (param i32) (param $input i32) (param $count i32) (result i32)
        (local $c i32)
        (local.set $c (i32.load8_u (local.get $type)))
        (i32.store (i32.const 64) (i32.const 0))
        (i32.store (i32.const 68) (local.get $input))
        (i32.store (i32.const 72) (local.get $count))
        ;; r: as many random bytes as one call gives, again and again into the same place
        (if (i32.eq (local.get $c) (i32.const 114)) (then (loop $again
            (i32.store (i32.const 8) (i32.const 65536))
            (call $random (i64.const 1048576) (i32.const 128))
            (br $again))))
        ;; l: lines of a mebibyte
        (if (i32.eq (local.get $c) (i32.const 108)) (then
            (drop (memory.grow (i32.const 16)))
            (memory.fill (i32.const 65536) (i32.const 120) (i32.const 1048576))
            (loop $again
                (call $log (i32.const 2) (i32.const 65536) (i32.const 1048576) (i32.const 0) (i32.const 0))
                (br $again))))
        ;; m: one byte too many
        (if (i32.eq (local.get $c) (i32.const 109)) (then (call $random (i64.const 1048577) (i32.const 128))))
        ;; h: a heartbeat
        (if (i32.eq (local.get $c) (i32.const 104)) (then (call $heartbeat (i32.const 0) (i32.const 0))))
        (i32.const 64))
"#;

fn caller(options: Options) -> Module {
    let world = "include longhaul:workflow/activities@0.1.0; import wasi:random/random@0.2.3;";
    let bytes = component(world, &format!("(module {CALLER} {BASE})"));
    Sandbox::new(options).unwrap().compile(&bytes).unwrap()
}

/// Whose heartbeats panic.
struct Host;

#[async_trait]
impl ActivityHost for Host {
    fn heartbeat(&self, _: Payloads) {
        panic!("no heart");
    }

    fn cancellation(&self) -> Option<CancellationReason> {
        None
    }

    async fn cancelled(&self) {
        std::future::pending().await
    }
}

fn call(activity_type: &str, input: &str, grants: Grants) -> ActivityCall {
    ActivityCall {
        info: activity_info(activity_type),
        input: vec![json(input)],
        host: Arc::new(Host),
        logs: Arc::new(NoLog),
        grants,
    }
}

fn plain(activity_type: &str) -> ActivityCall {
    call(activity_type, "7", Grants::default())
}

/// What does not come to an end here fails, instead of holding the test up.
#[track_caller]
fn ends<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let one_thread = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let _ = done.send(one_thread.block_on(work));
    });
    ended
        .recv_timeout(Duration::from_secs(60))
        .expect("it holds its thread")
}

// C4
#[test]
fn calls_of_the_host_without_end_let_others_run_on_their_thread() {
    for kind in ["random", "log"] {
        ends(async move {
            let module = caller(options());
            let calling = tokio::spawn({
                let module = module.clone();
                async move { module.execute(plain(kind)).await }
            });
            for _ in 0..5 {
                // Now it has the thread, until it lets it go.
                tokio::task::yield_now().await;
                module.execute(plain("answer")).await.unwrap().unwrap();
            }
            assert!(!calling.is_finished(), "{kind}");
            // Dropping the future ends the attempt.
            calling.abort();
            assert!(calling.await.unwrap_err().is_cancelled());
        });
    }
}

// C4
#[test]
fn calls_of_the_host_without_end_are_over_when_the_time_is() {
    for kind in ["random", "log"] {
        let trap = ends(async move {
            let module = caller(options()).with_limits(Limits {
                activity_timeout: Some(Duration::from_millis(100)),
                ..Limits::default()
            });
            module.execute(plain(kind)).await.unwrap_err()
        });
        assert_eq!(trap.kind, TrapKind::Timeout, "{kind}: {trap}");
    }
}

// C4
#[tokio::test]
async fn one_call_gives_so_many_random_bytes_and_no_more() {
    let trap = caller(options()).execute(plain("more")).await.unwrap_err();
    assert!(
        trap.message.contains("1048577")
            && trap.message.contains("1048576")
            && trap.message.contains("in parts"),
        "{trap}"
    );
}

// C4
#[tokio::test]
async fn a_panic_of_the_host_ends_the_attempt_and_nothing_else() {
    let module = caller(options());
    for _ in 0..3 {
        let trap = module.execute(plain("heartbeat")).await.unwrap_err();
        assert!(
            trap.message.contains("a defect of the server") && trap.message.contains("no heart"),
            "{trap}"
        );
    }
    assert_eq!(
        module.execute(plain("answer")).await.unwrap(),
        Ok(vec![json("7")])
    );
}

/// The guest that reaches for things, and a folder with a file for it.
struct Reaching {
    module: Module,
    http: Vec<longhaul_sandbox::Destination>,
    folder: tempfile::TempDir,
    lines: Arc<Lines>,
}

impl Reaching {
    fn new(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "text").unwrap();
        Self {
            module: Sandbox::new(options)
                .unwrap()
                .compile(&guest("attempts"))
                .unwrap(),
            http: vec![],
            folder,
            lines: Arc::default(),
        }
    }

    /// How an attempt ends, in words.
    async fn ends(&self, kind: &str, what: &str) -> String {
        let folders = vec![Folder {
            host: self.folder.path().canonicalize().unwrap(),
            guest: "/data".into(),
            write: false,
        }];
        let sockets = longhaul_sandbox::Reach {
            destinations: vec![longhaul_sandbox::Destination::socket("127.0.0.1:*").unwrap()],
            private: false,
        };
        let http = longhaul_sandbox::Reach {
            destinations: self.http.clone(),
            private: false,
        };
        let grants = Grants {
            folders,
            http,
            sockets,
            ..Grants::default()
        };
        let call = ActivityCall {
            logs: self.lines.clone(),
            ..call(kind, &format!("{what:?}"), grants)
        };
        match self.module.execute(call).await {
            Ok(Ok(payloads)) => String::from_utf8(payloads[0].data.clone()).unwrap(),
            Ok(Err(ExecuteError::Failed(failure))) => format!("failed: {failure:?}"),
            other => format!("{other:?}"),
        }
    }
}

// C4
#[tokio::test]
async fn beyond_the_share_of_attempts_a_file_is_refused_and_the_attempt_goes_on() {
    let reaching = Reaching::new(Options {
        activity_descriptors_max: 8,
        ..options()
    });
    // It opens until it is refused; that is an error of its own, and no trap.
    let end = reaching.ends("Exhaust", "handles /data/file").await;
    assert!(end.starts_with("failed: ") && end.contains("uota"), "{end}");
    let lines = reaching.lines.texts().join("\n");
    assert!(
        lines.contains("hold 8 open files") && lines.contains("ulimit -n"),
        "{lines}"
    );
    // With the attempt its files are closed; an attempt that closes its files itself may open as many as it wants.
    for _ in 0..3 {
        assert_eq!(reaching.ends("Reach", "race /data/file 50").await, "\"text\"");
    }
}

// C4
#[tokio::test]
async fn a_socket_that_is_closed_is_given_back() {
    let reaching = Reaching::new(Options {
        // One is the folder's.
        activity_descriptors_max: 2,
        ..options()
    });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for verb in ["connect", "send"] {
        let what = format!("again 20 {verb} {address}");
        let end = reaching.ends("Reach", &what).await;
        assert!(!end.contains("failed"), "{verb}: {end}");
    }
    let none = Reaching::new(Options {
        activity_descriptors_max: 1,
        ..options()
    });
    for verb in ["connect", "send"] {
        let end = none.ends("Reach", &format!("{verb} {address}")).await;
        assert!(end.starts_with("failed: "), "{verb}: {end}");
    }
    assert!(none.lines.texts().join("\n").contains("hold 1 open files"));
}
