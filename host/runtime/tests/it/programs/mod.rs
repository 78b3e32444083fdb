//! Random programs under random crashes.
//!
//! From a seed come programs of the Lab (timers, activities, waits, races, children, signals, continue-as-new), clients that talk to them, and
//! moments at which power is lost. Each seed knows what must come out: nothing that was acknowledged is lost, nothing happens twice, what
//! was once seen stays, and every history replays.
//!
//! `LONGHAUL_TEST_CYCLES` is how many seeds are played, `LONGHAUL_TEST_SEED` the first of them. A failure names its seed and how to
//! play it again.

mod check;
mod client;
mod expected;
mod plan;
mod play;
mod program;
pub(crate) mod random;

use std::{
    any::Any,
    num::NonZeroUsize,
    panic::AssertUnwindSafe,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use plan::Plan;
use play::Bench;
use random::Random;

/// Seeds of a plain test run: a minute and a half on two cores in the test profile.
const SEEDS: u64 = 2_000;
/// How often a long run says how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

#[test]
fn random_programs_survive_random_crashes() {
    // S1, S2, S3, S4, S5, S8, S9, Q1, Q2, U1, U2, U4, U7, U9, W2, W3, W7, E3, E4, E5, E6, A1
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("LONGHAUL_TEST_SEED").unwrap_or(1);
    let count = number("LONGHAUL_TEST_CYCLES").unwrap_or(SEEDS);
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
    let next = AtomicU64::new(first);
    let failed: Mutex<Option<(u64, String)>> = Mutex::new(None);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads.min(count) {
            let (next, failed) = (&next, &failed);
            let work = move || {
                let tokio = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                let bench = tokio.block_on(Bench::new());
                let mut said = Instant::now();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let played = std::panic::catch_unwind(AssertUnwindSafe(|| {
                        tokio.block_on(play::play(&bench, seed));
                    }));
                    if let Err(panic) = played {
                        // No seed begins any more.
                        next.store(first + count, Ordering::Relaxed);
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        if failed.as_ref().is_none_or(|(other, _)| seed < *other) {
                            *failed = Some((seed, text(panic.as_ref())));
                        }
                        return;
                    }
                    if thread == 0 && said.elapsed() > PROGRESS {
                        said = Instant::now();
                        let done = seed - first;
                        eprintln!(
                            "{done} of {count} seeds in {:.0} s",
                            started.elapsed().as_secs_f64()
                        );
                    }
                }
            };
            // The stack of a shard: the simulation runs guests on it.
            let builder = std::thread::Builder::new().stack_size(8 << 20);
            builder.spawn_scoped(scope, work).unwrap();
        }
    });
    if let Some((seed, what)) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let programs = Plan::of(&mut Random::new(seed)).programs;
        let programs: Vec<String> = programs.iter().map(ToString::to_string).collect();
        panic!(
            "seed {seed}: {what}\nprograms:\n{}\n\nplay it again with: cargo xtask soak --from {seed} --seeds 1",
            programs.join("\n")
        );
    }
    eprintln!(
        "{count} seeds from {first} on in {:.1} s",
        started.elapsed().as_secs_f64()
    );
}

/// What a panic says.
fn text(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) => (*text).to_owned(),
        (None, None) => "a panic without a text".to_owned(),
    }
}
