//! Attempts that wait for HTTP: they do not run meanwhile, and what else is in them goes on.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, LazyLock};
use std::time::Duration;

use longhaul_sandbox::wit::types::Payloads;
use longhaul_sandbox::{
    ActivityCall, ActivityHost, CancellationReason, Destination, ExecuteError, Grants, Limits, Module, NoLog,
    Options, Reach, Sandbox,
};

mod support;
use support::{activity_info, guest, json, options};

/// Long enough that whatever is done again and again meanwhile shows.
const SLOW: Duration = Duration::from_secs(1);

/// A web server that answers each request when `before` has returned.
fn web(before: impl Fn() + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let before = Arc::new(before);
    let answer = move |mut peer: TcpStream, before: &dyn Fn()| {
        let _ = peer.read(&mut [0; 4096]);
        before();
        let _ = peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntext");
    };
    std::thread::spawn(move || {
        for peer in listener.incoming() {
            let before = before.clone();
            std::thread::spawn(move || answer(peer.unwrap(), &*before));
        }
    });
    address
}

/// One that never answers.
fn silent(before: impl Fn() + Send + Sync + 'static) -> SocketAddr {
    web(move || {
        before();
        loop {
            std::thread::park();
        }
    })
}

/// Whose attempts should stop when this is set.
#[derive(Default)]
struct Host(Arc<AtomicBool>);

impl ActivityHost for Host {
    fn heartbeat(&self, _: Payloads) {}

    fn cancellation(&self) -> Option<CancellationReason> {
        self.0
            .load(Ordering::Relaxed)
            .then_some(CancellationReason::Cancelled)
    }
}

/// The guest that reaches for things, compiled once.
fn reaching() -> Module {
    static REACHING: LazyLock<Module> = LazyLock::new(|| {
        let sandbox = Sandbox::new(Options {
            // What does not come to an end fails.
            activity_timeout: Duration::from_secs(60),
            ..options()
        });
        sandbox.unwrap().compile(&guest("attempts")).unwrap()
    });
    REACHING.clone()
}

/// How an attempt ends, in words. All of this machine is granted.
async fn ends_by(module: &Module, host: Host, kind: &str, what: &str) -> String {
    let http = Reach {
        destinations: vec![Destination::http("127.0.0.1:*").unwrap()],
        private: false,
    };
    let call = ActivityCall {
        info: activity_info(kind),
        input: vec![json(&format!("{what:?}"))],
        host: Arc::new(host),
        logs: Arc::new(NoLog),
        grants: Grants {
            http,
            ..Grants::default()
        },
    };
    let text = |payloads: &Payloads| String::from_utf8(payloads[0].data.clone()).unwrap();
    match module.execute(call).await {
        Ok(Ok(payloads)) => text(&payloads),
        Ok(Err(ExecuteError::Cancelled(details))) => format!("cancelled: {}", text(&details)),
        other => format!("{other:?}"),
    }
}

async fn ends(module: &Module, what: &str) -> String {
    ends_by(module, Host::default(), "ReachOn", what).await
}

async fn ends_within(module: &Module, fuel: u64, what: &str) -> String {
    let limits = Limits {
        activity_fuel: Some(fuel),
        ..Limits::default()
    };
    ends(&module.with_limits(limits), what).await
}

/// Fuel with which an attempt ends so; with a sixteenth less it does not.
async fn fuel_of(module: &Module, what: &str, end: &str) -> u64 {
    let (mut too_little, mut enough) = (0_u64, 1_u64 << 28);
    while enough - too_little > enough / 16 {
        let middle = too_little.midpoint(enough);
        let ended = ends_within(module, middle, what).await;
        if ended == end {
            enough = middle;
        } else {
            assert!(ended.contains("OutOfFuel"), "{what}: {ended}");
            too_little = middle;
        }
    }
    enough
}

/// Whoever waits for long ends with the fuel of one who does not, and half of it for what differs from time to time. Looking at something
/// ten times a second would take more.
async fn waits_for_nothing(quick: &str, slow: &str, end: &str) {
    let module = reaching();
    let fuel = fuel_of(&module, quick, end).await;
    let ended = ends_within(&module, fuel + fuel / 2, slow).await;
    assert_eq!(ended, end, "{slow}, with the fuel of {quick}");
}

/// Servers that answer at once and after a while.
fn quick_and_slow() -> (SocketAddr, SocketAddr) {
    (web(|| ()), web(|| std::thread::sleep(SLOW)))
}

#[tokio::test]
async fn an_attempt_that_waits_for_an_answer_does_not_run() {
    let (quick, slow) = quick_and_slow();
    let get = |address| format!("get http://{address}/");
    waits_for_nothing(&get(quick), &get(slow), "\"200 text\"").await;
}

#[tokio::test]
async fn an_attempt_that_waits_for_two_answers_does_not_run() {
    let (quick, slow) = quick_and_slow();
    let both = |address| format!("both http://{address}/a http://{address}/b");
    waits_for_nothing(&both(quick), &both(slow), "\"200 text, 200 text\"").await;
}

#[tokio::test]
async fn an_attempt_that_waits_for_an_answer_or_a_sleep_does_not_run() {
    let (quick, slow) = quick_and_slow();
    let limit = |address| format!("limit 600000 http://{address}/");
    waits_for_nothing(&limit(quick), &limit(slow), "\"200 text\"").await;

    // Also when the sleep is over long before the answer comes.
    let forgotten = |address| format!("forgotten 20 http://{address}/");
    waits_for_nothing(&forgotten(quick), &forgotten(slow), "\"200 text\"").await;

    let never = silent(|| ());
    let limit = |limit: Duration| format!("limit {} http://{never}/", limit.as_millis());
    waits_for_nothing(&limit(SLOW / 50), &limit(SLOW), "\"given up\"").await;
}

/// Looking a hundred times a second would take forty times the fuel.
#[tokio::test]
async fn an_attempt_looks_at_timers_of_tokios_more_and_more_rarely() {
    let (quick, slow) = (web(|| ()), web(|| std::thread::sleep(4 * SLOW)));
    let patience = |address| format!("patience 600000 http://{address}/");
    let module = reaching();
    let fuel = fuel_of(&module, &patience(quick), "\"200 text\"").await;
    let ended = ends_within(&module, 10 * fuel, &patience(slow)).await;
    assert_eq!(ended, "\"200 text\"");
}

#[tokio::test]
async fn a_request_that_waits_is_given_up_when_its_time_is_over() {
    let never = silent(|| ());
    let module = reaching();
    for verb in ["limit", "patience"] {
        let end = ends(&module, &format!("{verb} 50 http://{never}/")).await;
        assert_eq!(end, "\"given up\"", "{verb}");
    }
}

// A3
#[tokio::test]
async fn an_attempt_that_waits_for_an_answer_sees_that_it_is_cancelled() {
    let cancelled = Arc::new(AtomicBool::new(false));
    let never = silent({
        let cancelled = cancelled.clone();
        move || cancelled.store(true, Ordering::Relaxed)
    });
    let end = ends_by(&reaching(), Host(cancelled), "Ask", &format!("http://{never}/")).await;
    assert_eq!(end, "cancelled: \"Some(Cancelled)\"");
}

#[tokio::test]
async fn requests_of_one_attempt_wait_together() {
    // None is answered before all have been sent.
    let module = reaching();
    for (what, count, end) in [
        ("both URL URL", 2, "\"200 text, 200 text\""),
        ("tasks URL URL", 2, "\"200 text, 200 text\""),
        ("all 40 URL", 40, "\"40\""),
    ] {
        let barrier = Barrier::new(count);
        let address = web(move || {
            barrier.wait();
        });
        let what = what.replace("URL", &format!("http://{address}/"));
        assert_eq!(ends(&module, &what).await, end, "{what}");
    }
}

#[tokio::test]
async fn an_answer_comes_through_to_an_attempt_that_always_has_something_else_to_do() {
    let address = web(|| ());
    let end = ends(
        &reaching(),
        &format!("restless http://{address}/ http://{address}/"),
    )
    .await;
    assert_eq!(end, "\"200 text, 200 text\"");
}
