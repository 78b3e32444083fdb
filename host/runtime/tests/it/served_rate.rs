//! The rate of a task queue holds for what this server runs itself as well (A2).

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use longhaul_history::failure;
use longhaul_runtime::{
    Options,
    activities::{self, Context},
};
use longhaul_store::faults::Loss;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    attempt_faults::{free, full},
    common,
    queue_rate::{configure, now, poll_at, update},
    worker::*,
    world::*,
};

const MS: Duration = Duration::from_millis(1);

/// A world with the lab and two activities of the server's own: `Turn` notes its argument, and `Hold` does so and waits until it is let go.
struct Served {
    world: World,
    begun: Arc<Mutex<Vec<Value>>>,
    go: Arc<Semaphore>,
}

impl Served {
    async fn new(options: Options, shards: usize) -> Self {
        let mut world = World::sharded(options, shards);
        world.upload("lab", "lab").await;
        let served = Self {
            world,
            begun: Arc::default(),
            go: Arc::new(Semaphore::new(0)),
        };
        served.register();
        served
    }

    /// Whatever the program serves it says anew when it starts.
    fn register(&self) {
        let noted = self.begun.clone();
        let turn = activities::json(move |_: Context, name: Value| {
            noted.lock().unwrap().push(name);
            async { Ok(()) }
        });
        self.world.rt().register_activity(QUEUE, "Turn", turn).unwrap();
        let (noted, go) = (self.begun.clone(), self.go.clone());
        let hold = activities::json(move |_: Context, name: Value| {
            noted.lock().unwrap().push(name);
            let go = go.clone();
            async move {
                go.acquire().await.unwrap().forget();
                Ok(())
            }
        });
        self.world.rt().register_activity("other", "Hold", hold).unwrap();
    }

    /// What has begun by now. The last `together` of them did so at once, which is in any order.
    fn begun_with(&self, together: usize) -> Vec<String> {
        let mut begun = self.begun();
        let one_by_one = begun.len().saturating_sub(together);
        begun[one_by_one..].sort();
        begun
    }

    /// What has begun by now, one after the other.
    fn begun(&self) -> Vec<String> {
        let begun = self.begun.lock().unwrap();
        begun
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    }

    /// Runs that each wait for one of the server's, one of them falling due after the other.
    async fn turns(&mut self, names: &[&str]) {
        for name in names {
            self.world.lab(name, &[turn(name)]).await;
            self.world.pass(MS);
        }
        self.world.sim.settle().await;
    }

    async fn rate(&mut self, a_second: impl Into<Option<f32>>) {
        configure(&mut self.world, update(a_second, "")).await.unwrap();
        self.world.sim.settle().await;
    }

    async fn advance(&mut self, by: Duration) {
        self.world.advance(by).await;
    }

    /// Why the activity of a run waits.
    async fn why(&mut self, id: &str) -> String {
        let told = self.world.pending(id).await.unwrap().last_failure.unwrap();
        failure::why_it_waits(&told).0.unwrap().to_owned()
    }

    async fn backlog(&mut self) -> i64 {
        let described = self.world.describe_queue().await;
        described.stats.unwrap().approximate_backlog_count
    }
}

fn turn(name: &str) -> Value {
    activity(json!({"type": "Turn", "args": [name]}))
}

/// In another queue.
fn hold(name: &str) -> Value {
    activity(json!({"type": "Hold", "queue": "other", "args": [name], "start_to_close_ms": 3_600_000}))
}

// A2, A1
#[tokio::test]
async fn as_many_start_in_a_second_as_an_operator_says_in_the_order_in_which_they_fell_due() {
    let mut served = Served::new(common::options(), 3).await;
    served.rate(2.0).await;
    served.turns(&["c", "a"]).await;
    assert_eq!(served.begun_with(2), ["a", "c"], "two at once");
    served.begun.lock().unwrap().clear();
    served.turns(&["b", "f", "e", "d"]).await;
    let why = served.why("b").await;
    assert_eq!(
        why,
        "task queue lab has handed out as many attempts as its rate limit allows: 2 a second (UpdateTaskQueueConfig)"
    );
    assert_eq!(served.backlog().await, 4);
    // Six milliseconds have passed since the first.
    served.advance(493 * MS).await;
    assert_eq!(served.begun(), [""; 0]);
    served.advance(MS).await;
    assert_eq!(served.begun(), ["b"]);
    served.advance(499 * MS).await;
    assert_eq!(served.begun(), ["b"]);
    served.advance(MS).await;
    assert_eq!(served.begun(), ["b", "f"]);
    // Turns of a run that waits change nothing.
    for _ in 0..3 {
        served.world.signal("d", "note", &[json!("hello")]).await.unwrap();
        served.world.sim.settle().await;
    }
    assert_eq!(served.begun(), ["b", "f"]);
    // Another rate counts at once.
    served.rate(100.0).await;
    assert_eq!(served.begun_with(2), ["b", "f", "d", "e"]);
    assert_eq!(served.backlog().await, 0);
    for name in ["a", "b", "c", "d", "e", "f"] {
        served.world.result(name).await;
    }
}

// A2
#[tokio::test]
async fn at_a_rate_of_nothing_nothing_starts_and_a_crash_loses_nothing() {
    let mut served = Served::new(common::options(), 3).await;
    served.rate(0.0).await;
    served.turns(&["a", "b", "c"]).await;
    served.advance(HOUR).await;
    assert_eq!(served.begun(), [""; 0]);
    served.world.crash(Loss::All, SECOND);
    served.register();
    served.world.sim.settle().await;
    served.advance(HOUR).await;
    assert_eq!(served.begun(), [""; 0]);
    assert_eq!(served.backlog().await, 3);
    served.rate(None).await;
    assert_eq!(served.begun_with(3), ["a", "b", "c"]);
    for name in ["a", "b", "c"] {
        served.world.result(name).await;
    }
}

// A2, A7
#[tokio::test]
async fn after_a_crash_what_waits_goes_on_at_the_rate_without_its_runs_being_read() {
    let mut world = World::sharded(common::options(), 2);
    world.upload("lab", "lab").await;
    world.upload("lab-activities", "lab").await;
    configure(&mut world, update(0.125, "")).await.unwrap();
    for name in ["a", "b", "c", "d"] {
        world.lab(name, &[activity(json!({"args": [name]}))]).await;
        world.pass(MS);
    }
    assert_eq!(world.result("a").await, json!(["echo=\"a\""]));
    world.crash(Loss::All, SECOND);
    world.sim.settle().await;
    // One may start; the others wait unread.
    let (read, _) = world.sim.runs_in_memory();
    assert!(read <= 1, "{read} runs were read");
    assert_eq!(world.result("b").await, json!(["echo=\"b\""]));
    for name in ["c", "d"] {
        assert!(!world.history(name).contains("ActivityTaskStarted"));
        world.advance(8 * SECOND).await;
        let result = world.result(name).await;
        assert_eq!(result, json!([format!("echo={name:?}")]));
    }
}

// A2
#[tokio::test]
async fn workers_elsewhere_and_the_server_take_turns() {
    let mut served = Served::new(common::options(), 2).await;
    served.rate(1.0).await;
    let mut polls: Vec<_> = (0..2)
        .map(|_| Box::pin(poll_at(served.world.rt(), None)))
        .collect();
    served.turns(&["a"]).await;
    served.world.lab("b", &[activity(json!({"args": ["b"]}))]).await;
    served.world.pass(MS);
    served.turns(&["c"]).await;
    served.world.lab("d", &[activity(json!({"args": ["d"]}))]).await;
    assert_eq!(served.begun(), ["a"]);
    for name in ["b", "d"] {
        let mut poll = polls.remove(0);
        assert!(now(&mut served.world, &mut poll.as_mut()).await.is_none());
        served.advance(SECOND).await;
        let task = now(&mut served.world, &mut poll.as_mut())
            .await
            .expect(name)
            .unwrap();
        assert_eq!(value(task.input.as_ref()), Some(json!(name)));
        assert_eq!(served.begun().len(), 1 + usize::from(name == "d"));
        served.advance(SECOND).await;
    }
    assert_eq!(served.begun(), ["a", "c"]);
}

// A2, A7
#[tokio::test]
async fn what_waits_for_its_turn_takes_no_place_of_other_queues() {
    let options = Options {
        activity_slots: 1,
        ..common::options()
    };
    let mut served = Served::new(options, 1).await;
    served.rate(0.0).await;
    served.turns(&["a", "b"]).await;
    served.world.lab("h", &[hold("held")]).await;
    served.world.sim.settle().await;
    assert_eq!(served.begun(), ["held"]);
    served.go.add_permits(1);
    served.world.result("h").await;
}

// A2, A7
#[tokio::test]
async fn what_has_no_place_when_its_turn_comes_uses_up_nothing_of_the_rate() {
    let options = Options {
        activity_slots: 1,
        ..common::options()
    };
    let mut served = Served::new(options, 1).await;
    served.rate(0.125).await;
    served.turns(&["a", "b"]).await;
    assert_eq!(served.begun(), ["a"]);
    served.world.lab("h", &[hold("held")]).await;
    served.world.sim.settle().await;
    // It is the turn of `b`, for which there is no slot: a worker elsewhere gets its attempt all the same.
    served.advance(8 * SECOND).await;
    assert_eq!(served.begun(), ["a", "held"]);
    assert_eq!(
        served.why("b").await,
        "the server has no place for another attempt: its activity_slots are 1, and all are taken"
    );
    served.world.lab("o", &[activity(json!({}))]).await;
    let mut poll = pin!(poll_at(served.world.rt(), None));
    let task = now(&mut served.world, &mut poll)
        .await
        .expect("its turn")
        .unwrap();
    served.world.complete(&task, json!(1)).await.unwrap();
    // There is a slot, and it is not its turn.
    served.go.add_permits(1);
    served.world.result("h").await;
    served.world.sim.settle().await;
    assert_eq!(served.begun(), ["a", "held"]);
    served.advance(8 * SECOND).await;
    assert_eq!(served.begun(), ["a", "held", "b"]);
}

// A2, A4
#[tokio::test]
async fn what_is_not_wanted_any_more_leaves_the_line() {
    let mut served = Served::new(common::options(), 2).await;
    served.rate(1.0).await;
    served.turns(&["a", "b", "c"]).await;
    served.world.terminate("b").await.unwrap();
    served.world.sim.settle().await;
    assert_eq!(served.backlog().await, 1);
    served.advance(SECOND).await;
    assert_eq!(served.begun(), ["a", "c"]);
}

// A2, C5
#[tokio::test]
async fn a_modules_attempts_need_a_place_and_a_turn() {
    let mut world = World::sharded(common::options(), 2);
    world.upload("lab", "lab").await;
    let config = "[limits]\nactivity_concurrency = 1";
    world.upload_with("lab-activities", "lab", config).await;
    configure(&mut world, update(2.0, "")).await.unwrap();
    let names: Vec<String> = (0..8).map(|number| format!("w{number}")).collect();
    for name in &names {
        world.lab(name, &[activity(json!({"args": [name]}))]).await;
    }
    let begun_ns = world.sim.now_ns();
    let started = |world: &World| {
        let histories = names.iter().map(|name| world.history(name));
        histories
            .filter(|history| history.contains("ActivityTaskCompleted"))
            .count()
    };
    let mut most = Vec::new();
    while started(&world) < names.len() {
        world.advance(100 * MS).await;
        let passed_ms = usize::try_from((world.sim.now_ns() - begun_ns) / 1_000_000).unwrap();
        assert!(passed_ms < 60_000, "{most:?}");
        // Two at once, and one each half second.
        assert!(started(&world) <= 2 + passed_ms / 500, "{most:?}");
        most.push(started(&world));
        tokio::time::sleep(MS).await;
    }
}

// A2, A7
#[tokio::test]
async fn what_could_not_be_written_is_in_no_line_and_what_waits_stands_there_again() {
    let mut served = Served::new(common::options(), 1).await;
    served.rate(1.0).await;
    served.turns(&["a", "b", "c"]).await;
    assert_eq!(served.begun(), ["a"]);
    full(&served.world);
    let program = json!({"steps": [turn(&"x".repeat(1 << 20))]});
    served.world.refuses(program).await;
    free(&mut served.world).await;
    assert_eq!(served.backlog().await, 2);
    for count in 2..=3 {
        served.advance(SECOND).await;
        assert_eq!(served.begun().len(), count);
    }
    assert_eq!(served.begun(), ["a", "b", "c"]);
}
