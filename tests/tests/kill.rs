//! A server that is killed at random moments under load, again and again.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that fails may panic; the seed is for its reader"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use longhaul_tests::{
    Client, Server, artifacts,
    client::{success, until_answered},
    export,
    load::{Moments, Sent, compare},
};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

/// Kills, unless the environment says otherwise.
const CYCLES: u32 = 30;
/// Executions that take messages at once.
const COUNTERS: usize = 4;
/// Cycles that share their executions; later ones use new executions, so that no run's limits are reached.
const ROUND: u32 = 30;
/// A kill comes after this many further acknowledgements at most.
const ACKNOWLEDGEMENTS: u64 = 60;
/// A wait that is longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(120);

// S1, S2, S5, S9, U4, W2, A1: every acknowledged signal and update is there exactly once and in order of acknowledgement, a repeated
// request id changes nothing, started timers fire, and activities finish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled() {
    let seed = artifacts::seed();
    eprintln!("LONGHAUL_TEST_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut server = Server::start();
    server.upload("counter", "counter");
    server.upload("bench", "bench");

    let cycles = artifacts::cycles(CYCLES);
    for (round, first) in (0..cycles).step_by(ROUND as usize).enumerate() {
        let load = Load::start(&server, round).await;
        for cycle in first..cycles.min(first + ROUND) {
            load.start_others(cycle);
            load.wait_for_more(1 + random.next_u64() % ACKNOWLEDGEMENTS).await;
            // Not always right after an acknowledgement.
            tokio::time::sleep(Duration::from_micros(random.next_u64() % 3_000)).await;
            tokio::task::block_in_place(|| {
                server.kill();
                server.restart();
            });
        }
        load.finish().await;
    }
    export::histories_async(&mut Client::new(server.address()), "kill").await;
}

/// Senders that never give a message up, and what they have sent.
struct Load {
    client: Client,
    counters: Vec<String>,
    senders: Vec<(usize, JoinHandle<Vec<Sent>>)>,
    others: std::sync::Mutex<Vec<JoinHandle<()>>>,
    stop: Arc<AtomicBool>,
    acknowledged: watch::Receiver<u64>,
}

impl Load {
    /// Starts the counters, and for each two senders of signals and one of updates.
    async fn start(server: &Server, round: usize) -> Self {
        let client = Client::new(server.address());
        let stop = Arc::new(AtomicBool::new(false));
        let moments = Arc::new(Moments::default());
        let values = Arc::new(AtomicI64::new(1));
        let (acknowledge, acknowledged) = watch::channel(0);
        let acknowledge = Arc::new(acknowledge);
        let counters: Vec<String> = (0..COUNTERS)
            .map(|number| format!("counter-{round}-{number}"))
            .collect();
        let mut senders = Vec::new();
        for (number, id) in counters.iter().enumerate() {
            client
                .clone()
                .start("Counter", id, &[], &format!("start-{id}"))
                .await
                .unwrap();
            for message in [Message::Signal, Message::Signal, Message::Update] {
                let sender = Sender {
                    client: client.clone(),
                    id: id.clone(),
                    message,
                    stop: Arc::clone(&stop),
                    moments: Arc::clone(&moments),
                    values: Arc::clone(&values),
                    acknowledge: Arc::clone(&acknowledge),
                };
                senders.push((number, tokio::spawn(sender.run())));
            }
        }
        Self {
            client,
            counters,
            senders,
            others: Default::default(),
            stop,
            acknowledged,
        }
    }

    /// Starts a workflow that sleeps past the kill and one that runs activities, and waits for both in the background.
    fn start_others(&self, cycle: u32) {
        let (ms, steps) = (50 + 37 * (cycle % 20), 3 + cycle % 5);
        for (workflow_type, argument, result) in
            [("Sleep", ms, ms), ("Steps", steps, steps * (steps - 1) / 2)]
        {
            let client = self.client.clone();
            let id = format!("{workflow_type}-{cycle}");
            let other = tokio::spawn(async move {
                until_answered(|| {
                    let (mut client, id) = (client.clone(), id.clone());
                    async move { client.start(workflow_type, &id, &[json!(argument)], &id).await }
                })
                .await
                .unwrap();
                let end = until_answered(|| {
                    let (mut client, id) = (client.clone(), id.clone());
                    async move { client.result(&id).await }
                })
                .await
                .unwrap();
                assert_eq!(end.expect("it completes"), json!(result), "{id}");
            });
            self.others.lock().unwrap().push(other);
        }
    }

    /// Waits for further acknowledgements.
    async fn wait_for_more(&self, count: u64) {
        let mut acknowledged = self.acknowledged.clone();
        let goal = *acknowledged.borrow() + count;
        timeout(PATIENCE, acknowledged.wait_for(|now| *now >= goal))
            .await
            .expect("the load stands still")
            .unwrap();
    }

    /// Stops the senders, and checks what has arrived.
    async fn finish(self) {
        self.stop.store(true, Ordering::SeqCst);
        let mut sent = vec![Vec::new(); COUNTERS];
        for (number, sender) in self.senders {
            sent[number].extend(timeout(PATIENCE, sender).await.expect("a sender hangs").unwrap());
        }
        for other in self.others.into_inner().unwrap() {
            timeout(PATIENCE, other).await.expect("a workflow hangs").unwrap();
        }
        let mut client = self.client;
        for (id, sent) in self.counters.iter().zip(sent) {
            assert!(!sent.is_empty(), "nothing was sent to {id}");
            let all = client.query(id, "all").await.unwrap();
            let arrived: Vec<i64> = all
                .as_array()
                .unwrap()
                .iter()
                .map(|value| value.as_i64().unwrap())
                .collect();
            compare(&arrived, &sent).unwrap_or_else(|difference| panic!("{id}: {difference:?}"));

            client
                .signal(id, "finish", &[], &format!("finish-{id}"))
                .await
                .unwrap();
            let total: i64 = sent.iter().map(|sent| sent.value).sum();
            assert_eq!(client.result(id).await.unwrap().unwrap(), json!(total), "{id}");
        }
    }
}

/// What a sender sends.
#[derive(Debug, Clone, Copy)]
enum Message {
    Signal,
    Update,
}

/// Sends messages one after another, each with a value of its own, and each again until it is acknowledged.
struct Sender {
    client: Client,
    id: String,
    message: Message,
    stop: Arc<AtomicBool>,
    moments: Arc<Moments>,
    values: Arc<AtomicI64>,
    acknowledge: Arc<watch::Sender<u64>>,
}

impl Sender {
    async fn run(self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while !self.stop.load(Ordering::SeqCst) {
            let value = self.values.fetch_add(1, Ordering::SeqCst);
            let sent_at = self.moments.now();
            self.send(value).await;
            sent.push(Sent {
                value,
                sent_at,
                acknowledged_at: self.moments.now(),
            });
            self.acknowledge.send_modify(|count| *count += 1);
        }
        sent
    }

    async fn send(&self, value: i64) {
        let request = || {
            let (mut client, id, message) = (self.client.clone(), self.id.clone(), self.message);
            async move {
                let (input, request_id) = ([json!(value)], format!("request-{value}"));
                match message {
                    Message::Signal => client.signal(&id, "add", &input, &request_id).await,
                    Message::Update => {
                        let outcome = client.update(&id, "add_and_get", &input, &request_id).await?;
                        assert!(success(outcome).is_i64(), "the total is a number");
                        Ok(())
                    }
                }
            }
        };
        until_answered(request).await.unwrap();
    }
}
