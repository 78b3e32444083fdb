//! A server and its workers that are killed at random moments while activities of every kind run.
//!
//! `cargo xtask test` makes the Python environment and runs this; plain `cargo test` leaves it out.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that fails may panic; the seed and the figures are for its reader"
)]

mod execution;
mod local;
mod outcome;

use std::{fs, path::Path, time::Duration};

use longhaul_tests::{Client, Server, Worker, artifacts, export, python};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use tokio::time::{Instant, timeout};

use execution::{Execution, Kind};
use outcome::Attempts;

/// Kills, unless the environment says otherwise. Each takes a second or two, most of it for Python to start.
const CYCLES: u32 = 10;
/// A kill comes after this many further attempts in Python at most.
const ATTEMPTS: u64 = 8;
/// A wait that is longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at something that cannot be awaited.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

// A1, A2, A3, A4, A5, A6, A7, S1, S9: whoever is killed, each activity has one outcome in the end, of the attempt that it says; of each
// local activity there is one marker, and what was acknowledged while it kept a task open is there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
async fn every_activity_ends_once_whoever_is_killed() {
    let seed = artifacts::seed();
    eprintln!("LONGHAUL_TEST_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut server = Server::start();
    for (guest, queue) in [
        ("lab", "lab"),
        ("lab-activities", "lab"),
        ("attempts", "attempts"),
    ] {
        server.upload(guest, queue);
    }
    let client = Client::new(server.address());
    let folder = server.folder().to_owned();
    let mut workers = ["left", "right"].map(|name| worker(&server, name));
    let mut running = Vec::new();
    for cycle in 0..artifacts::cycles(CYCLES) {
        for kind in Kind::ALL {
            let execution = Execution::new(kind, cycle, random.next_u64());
            running.push(tokio::spawn(execution.play(client.clone(), folder.clone())));
        }
        more_attempts(&folder, 1 + random.next_u64() % ATTEMPTS).await;
        // Not always right after an attempt has begun.
        tokio::time::sleep(Duration::from_micros(random.next_u64() % 30_000)).await;
        let (kill_server, kill_worker) = [(true, None), (false, Some(0)), (false, Some(1)), (true, Some(0))]
            [(random.next_u64() % 4) as usize];
        tokio::task::block_in_place(|| {
            if kill_server {
                server.kill();
            }
            if let Some(number) = kill_worker {
                // The old one is killed when the new one takes its place; for a moment they are both there.
                workers[number] = worker(&server, ["left", "right"][number]);
            }
            if kill_server {
                server.restart();
            }
        });
    }

    let mut ended = Vec::new();
    for execution in running {
        ended.push(
            timeout(PATIENCE, execution)
                .await
                .expect("a workflow hangs")
                .unwrap(),
        );
    }
    let mut client = client;
    let attempts = Attempts::noted_in(&folder);
    let mut figures = outcome::Figures::default();
    for execution in &ended {
        let events = client.history(&execution.id, "").await.unwrap();
        figures.add(execution, &events, &attempts);
    }
    figures.assert_plausible(ended.len());
    eprintln!("{figures:?}");
    export::histories_async(&mut client, "kill_activities").await;
}

fn worker(server: &Server, name: &str) -> Worker {
    let mut command = python::script("python/kill_worker.py", server);
    command.arg(server.folder()).arg(name);
    Worker::start(command, server, name)
}

/// Waits until so many more attempts have begun in Python.
async fn more_attempts(folder: &Path, count: u64) {
    let lines = || fs::read_to_string(folder.join("attempts")).map_or(0, |text| text.lines().count() as u64);
    let (goal, began) = (lines() + count, Instant::now());
    while lines() < goal {
        assert!(began.elapsed() < PATIENCE, "the load stands still");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
