//! Attempts that wait for HTTP or for their cancellation: they do not run meanwhile, and what else is in them goes on.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use longhaul_sandbox::wit::types::Payloads;
use longhaul_sandbox::{
    ActivityCall, ActivityHost, CancellationReason, Destination, ExecuteError, Grants, Limits, Module, NoLog,
    Options, Reach, Sandbox,
};

use tokio::sync::watch;

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

/// Whose attempts should stop when there is a reason.
#[derive(Default)]
struct Host {
    reason: watch::Sender<Option<CancellationReason>>,
    /// The reason that there is so long after somebody has begun to wait for one.
    later: Option<(Duration, CancellationReason)>,
    /// How often it was asked.
    asked: AtomicU32,
}

impl Host {
    fn cancel(&self, reason: CancellationReason) {
        self.reason.send_replace(Some(reason));
    }
}

#[async_trait]
impl ActivityHost for Host {
    fn heartbeat(&self, _: Payloads) {}

    fn cancellation(&self) -> Option<CancellationReason> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        *self.reason.borrow()
    }

    async fn cancelled(&self) {
        if let Some((time, reason)) = self.later {
            tokio::time::sleep(time).await;
            self.cancel(reason);
        }
        let mut reasons = self.reason.subscribe();
        reasons.wait_for(Option::is_some).await.unwrap();
    }
}

/// A guest for tests of attempts.
fn attempts(name: &str) -> Module {
    let sandbox = Sandbox::new(Options {
        // What does not come to an end fails.
        activity_timeout: Duration::from_secs(60),
        ..options()
    });
    sandbox.unwrap().compile(&guest(name)).unwrap()
}

/// The guest that reaches for things, compiled once.
fn reaching() -> Module {
    static REACHING: LazyLock<Module> = LazyLock::new(|| attempts("attempts"));
    REACHING.clone()
}

/// The same in Go.
fn reaching_in_go() -> Module {
    static REACHING: LazyLock<Module> = LazyLock::new(|| attempts("attempts-go"));
    REACHING.clone()
}

/// How an attempt ends, in words. All of this machine is granted.
async fn ends_by(module: &Module, host: Arc<Host>, kind: &str, what: &str) -> String {
    let http = Reach {
        destinations: vec![Destination::http("127.0.0.1:*").unwrap()],
        private: false,
    };
    let call = ActivityCall {
        info: activity_info(kind),
        input: vec![json(&format!("{what:?}"))],
        host,
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
    ends_by(module, Arc::default(), "ReachOn", what).await
}

/// One attempt after the other of one activity, each with a host of its own.
struct Trial<'a, H: Fn() -> Arc<Host>> {
    module: &'a Module,
    host: H,
    kind: &'a str,
    what: &'a str,
}

impl<H: Fn() -> Arc<Host>> Trial<'_, H> {
    async fn ends_within(&self, fuel: u64) -> String {
        let limits = Limits {
            activity_fuel: Some(fuel),
            ..Limits::default()
        };
        let module = self.module.with_limits(limits);
        ends_by(&module, (self.host)(), self.kind, self.what).await
    }

    /// Fuel with which an attempt ends so; with a sixteenth less it does not.
    async fn fuel(&self, end: &str) -> u64 {
        let (mut too_little, mut enough) = (0_u64, 1_u64 << 28);
        while enough - too_little > enough / 16 {
            let middle = too_little.midpoint(enough);
            let ended = self.ends_within(middle).await;
            if ended == end {
                enough = middle;
            } else {
                assert!(
                    ended.contains("OutOfFuel"),
                    "{} {}: {ended}",
                    self.kind,
                    self.what
                );
                too_little = middle;
            }
        }
        enough
    }
}

/// Attempts that nobody cancels.
fn reaches<'a>(module: &'a Module, what: &'a str) -> Trial<'a, impl Fn() -> Arc<Host>> {
    Trial {
        module,
        host: Arc::default,
        kind: "ReachOn",
        what,
    }
}

/// Whoever waits for long ends with the fuel of one who does not, and half of it for what differs from time to time. Looking at something
/// ten times a second would take more.
async fn waits_for_nothing(quick: &str, slow: &str, end: &str) {
    let module = reaching();
    let fuel = reaches(&module, quick).fuel(end).await;
    let ended = reaches(&module, slow).ends_within(fuel + fuel / 2).await;
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
    let fuel = reaches(&module, &patience(quick)).fuel("\"200 text\"").await;
    let ended = reaches(&module, &patience(slow)).ends_within(10 * fuel).await;
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
    let host = Arc::new(Host::default());
    let never = silent({
        let host = host.clone();
        move || host.cancel(CancellationReason::Cancelled)
    });
    let end = ends_by(&reaching(), host, "Ask", &format!("http://{never}/")).await;
    assert_eq!(end, "cancelled: \"Some(Cancelled)\"");
}

/// One that should stop so long after it has begun to wait for that.
fn host_that_cancels(time: Duration, reason: CancellationReason) -> Arc<Host> {
    Arc::new(Host {
        later: Some((time, reason)),
        ..Host::default()
    })
}

// A3
#[tokio::test]
async fn an_attempt_that_waits_for_its_cancellation_does_not_run_until_it_comes() {
    for module in [reaching(), reaching_in_go()] {
        let patient = |time| Trial {
            module: &module,
            host: move || host_that_cancels(time, CancellationReason::Cancelled),
            kind: "Patient",
            what: "",
        };
        let end = "cancelled: \"Cancelled\"";
        let fuel = patient(SLOW / 50).fuel(end).await;
        assert_eq!(patient(SLOW).ends_within(fuel + fuel / 8).await, end);

        // Before it waits, and when it is woken.
        let host = host_that_cancels(SLOW, CancellationReason::Cancelled);
        ends_by(&module, host.clone(), "Patient", "").await;
        let asked = host.asked.load(Ordering::Relaxed);
        assert!(asked <= 2, "it has asked {asked} times");
    }
}

// A3
#[tokio::test]
async fn whatever_the_reason_is_who_waits_for_it_is_woken() {
    for module in [reaching(), reaching_in_go()] {
        for reason in [
            CancellationReason::Cancelled,
            CancellationReason::NotFound,
            CancellationReason::TimedOut,
            CancellationReason::Shutdown,
        ] {
            let host = host_that_cancels(SLOW / 50, reason);
            let end = ends_by(&module, host, "Patient", "").await;
            assert_eq!(end, format!("cancelled: \"{}\"", in_words(reason)));
            // The reason is there before anybody waits.
            let host = Arc::new(Host::default());
            host.cancel(reason);
            let end = ends_by(&module, host, "Patient", "").await;
            assert_eq!(end, format!("cancelled: \"{}\"", in_words(reason)));
        }
    }
}

fn in_words(reason: CancellationReason) -> &'static str {
    match reason {
        CancellationReason::Cancelled => "Cancelled",
        CancellationReason::NotFound => "NotFound",
        CancellationReason::TimedOut => "TimedOut",
        CancellationReason::Shutdown => "Shutdown",
    }
}

// A3
#[tokio::test]
async fn any_number_waits_for_the_cancellation_with_one_handle() {
    // More than an attempt may have handles.
    let count = options().activity_handles_max + 1;
    let host = host_that_cancels(SLOW / 10, CancellationReason::Cancelled);
    let end = ends_by(&reaching(), host, "Crowd", &count.to_string()).await;
    assert_eq!(end, format!("cancelled: \"{count}\""));
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
