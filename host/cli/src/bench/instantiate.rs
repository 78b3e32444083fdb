//! The sandbox alone: new instances, their first activation, queries on forks of them, calls and further activations, and what all
//! that takes. With `--component`, the figures of one language's guest stand beside another's.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use longhaul_sandbox::{
    Instance, Module, NoLog, Options, Sandbox, Setup, Task,
    wit::{
        definition::Outcome,
        types::{ExecutionInfo, Payload},
    },
};

use super::{
    Error, Session,
    latencies::{Latencies, nanoseconds},
    load::Measured,
    report::{Bound, Figure, Load, Report, Unit},
};

/// Instances, unless told otherwise; all of them stay live, as they do in a server.
const COUNT: u64 = 2_000;
/// Room in the arena for forks, and for the instance that is called.
const FORK_SLOTS: u64 = 64;
/// Calls that are timed together: one takes less than it takes to look at a clock often enough.
const BATCH: u32 = 1_000;
/// Batches of which the median counts.
const BATCHES: u32 = 41;
/// An operation that no instance has: its end is dropped, so that the call is all that is measured.
const NOBODY: u32 = u32::MAX;

/// Times in nanoseconds, and the time of all of them.
#[derive(Default)]
struct Times {
    each_ns: Vec<u64>,
    total: Duration,
}

impl Times {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = work();
        let took = begun.elapsed();
        self.each_ns.push(nanoseconds(took));
        self.total += took;
        result
    }

    fn median(&self) -> Duration {
        Latencies::new(self.each_ns.clone()).percentile(50)
    }

    fn measured(self) -> Measured {
        Measured {
            elapsed: self.total,
            latencies: Latencies::new(self.each_ns),
            errors: 0,
            first_error: None,
        }
    }
}

/// What is timed, and what it takes.
#[derive(Default)]
struct Parts {
    instantiate: Times,
    start: Times,
    query: Times,
    /// Of an instance that has started and waits, in bytes, as the server counts it.
    resident: Vec<usize>,
    component_bytes: usize,
    /// Seconds.
    call: f64,
    /// Seconds.
    activation: f64,
}

pub(super) async fn measure(session: &Session, report: &mut Report<'_>) -> Result<(), crate::Error> {
    let count = session.count(COUNT);
    let component = session.component.clone();
    let progress = report.progress("instantiate", count);
    // Guests run on a thread that may be blocked.
    let mut parts = tokio::task::spawn_blocking(move || {
        let options = Options {
            arena_slots: u32::try_from(count.saturating_add(FORK_SLOTS)).unwrap_or(u32::MAX),
            ..Options::default()
        };
        let module = Sandbox::new(options)
            .map_err(failed)?
            .compile(&component)
            .map_err(failed)?;
        // Once to warm up, once to measure.
        run(&module, (count / 10).max(1), &indicatif::ProgressBar::hidden())?;
        let mut parts = run(&module, count, &progress)?;
        parts.component_bytes = component.len();
        parts.call = calls(&module)?;
        parts.activation = activations(&module)?;
        Ok::<_, Error>(parts)
    })
    .await
    .map_err(|error| crate::Error::Defect(error.to_string()))??;
    let figures = parts.figures();
    let lines = [
        ("instantiate", "instances", parts.instantiate),
        ("start", "starts", parts.start),
        ("fork, query", "queries", parts.query),
    ];
    for (case, unit, times) in lines {
        let measured = times.measured();
        report.load(Load::new(case, unit, 1, &measured), &measured)?;
    }
    for figure in figures {
        report.figure(figure)?;
    }
    Ok(())
}

impl Parts {
    /// What is not a rate.
    fn figures(&mut self) -> [Figure; 5] {
        let begun = self.instantiate.median() + self.start.median();
        self.resident.sort_unstable();
        let resident = self
            .resident
            .get(self.resident.len() / 2)
            .copied()
            .unwrap_or_default();
        let figure = |what: &str, value, unit, aim| Figure {
            case: "instantiate",
            what: what.to_owned(),
            value,
            unit,
            aim,
        };
        [
            figure(
                "instantiate and start, medians",
                begun.as_secs_f64(),
                Unit::Seconds,
                Some(Bound::Below(150e-6)),
            ),
            figure(
                "a call that changes nothing, median",
                self.call,
                Unit::Seconds,
                Some(Bound::Below(0.5e-6)),
            ),
            figure(
                "an activation: one activity ends, the next is scheduled, median",
                self.activation,
                Unit::Seconds,
                Some(Bound::Below(5e-6)),
            ),
            figure(
                "memory of an execution that waits, median",
                resident as f64,
                Unit::Bytes,
                Some(Bound::Below(f64::from(150 << 10))),
            ),
            figure(
                "size of the component",
                self.component_bytes as f64,
                Unit::Bytes,
                None,
            ),
        ]
    }
}

/// Seconds that a call takes in which the guest does nothing.
fn calls(module: &Module) -> Result<f64, Error> {
    let mut instance = new(module)?;
    start(&mut instance, "Signals")?;
    let outcome = Outcome::Completed(vec![]);
    median_of_batches(|| {
        // Full fuel and time for each batch; a call uses next to nothing of it.
        instance.begin_task(task());
        for _ in 0..BATCH {
            instance.resolve(NOBODY, &outcome).map_err(failed)?;
        }
        Ok(())
    })
}

/// Seconds that an activation takes in which an activity ends, the main routine goes on, and schedules the next one.
fn activations(module: &Module) -> Result<f64, Error> {
    let mut instance = new(module)?;
    start(&mut instance, "Steps")?;
    let mut seq = 0;
    median_of_batches(|| {
        for _ in 0..BATCH {
            // The workflow's operations are numbered from 1.
            seq += 1;
            instance.begin_task(task());
            let result = Outcome::Completed(vec![json("7")]);
            instance.resolve(seq, &result).map_err(failed)?;
            instance.advance().map_err(failed)?;
            let commands = instance.take_commands();
            if commands.len() != 1 {
                return Err(Error::Answer {
                    what: "commands of an activation in the sandbox",
                    found: commands.len().to_string(),
                    expected: "1".to_owned(),
                });
            }
        }
        Ok(())
    })
}

/// The median over batches of what one of a batch takes, in seconds.
fn median_of_batches(mut batch: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    batch()?;
    let mut times = Times::default();
    for _ in 0..BATCHES {
        times.time(&mut batch)?;
    }
    let median = Latencies::new(times.each_ns).percentile(50);
    Ok(median.as_secs_f64() / f64::from(BATCH))
}

fn run(module: &Module, count: u64, progress: &indicatif::ProgressBar) -> Result<Parts, Error> {
    let mut parts = Parts::default();
    let mut live: Vec<Instance> = Vec::new();
    for number in 0..count {
        let mut instance = parts.instantiate.time(|| new(module))?;
        parts.start.time(|| start(&mut instance, "Signals"))?;
        let answer = parts.query.time(|| query(&instance))?;
        if answer != b"0" {
            return Err(Error::Answer {
                what: "the query's answer in the sandbox",
                found: String::from_utf8_lossy(&answer).into_owned(),
                expected: "0".to_owned(),
            });
        }
        parts.resident.push(instance.resident_bytes());
        live.push(instance);
        progress.set_position(number);
    }
    Ok(parts)
}

fn new(module: &Module) -> Result<Instance, Error> {
    let setup = Setup {
        seed: [7; 32],
        logs: Arc::new(NoLog),
    };
    module.instantiate(setup).map_err(failed)
}

fn task() -> Task {
    Task {
        now_ns: 1,
        history_length: 3,
        ..Task::default()
    }
}

fn json(text: &str) -> Payload {
    Payload {
        metadata: vec![("encoding".into(), b"json/plain".to_vec())],
        data: text.as_bytes().to_vec(),
    }
}

/// The first activation of a `Signals` that waits for signals, or of a `Steps` that schedules its first activity.
fn start(instance: &mut Instance, workflow_type: &str) -> Result<(), Error> {
    instance.begin_task(task());
    let input = vec![json("1000000")];
    if let Err(failure) = instance.start(&info(workflow_type), &input).map_err(failed)? {
        let message = failure.into_iter().next().map(|cause| cause.message);
        return Err(Error::Sandbox(message.unwrap_or_default()));
    }
    instance.advance().map_err(failed)?;
    instance.take_commands();
    Ok(())
}

/// A query on a fork, which is dropped again.
fn query(instance: &Instance) -> Result<Vec<u8>, Error> {
    let mut reader = instance.fork().map_err(failed)?;
    match reader.query("got", &vec![], &vec![]).map_err(failed)? {
        Ok(answer) => Ok(answer.data),
        Err(failure) => {
            let message = failure.into_iter().next().map(|cause| cause.message);
            Err(Error::Sandbox(message.unwrap_or_default()))
        }
    }
}

fn info(workflow_type: &str) -> ExecutionInfo {
    const RUN_ID: &str = "00000000-0000-4000-8000-000000000001";
    ExecutionInfo {
        namespace: "default".into(),
        workflow_id: "instantiate".into(),
        run_id: RUN_ID.into(),
        first_run_id: RUN_ID.into(),
        workflow_type: workflow_type.into(),
        task_queue: super::caller::QUEUE.into(),
        attempt: 1,
        start_time: 1,
        execution_timeout: None,
        run_timeout: None,
        task_timeout: 10_000_000_000,
        retry_policy: None,
        cron_schedule: None,
        continued_from_run_id: None,
        parent: None,
        root: None,
        last_completion_result: vec![],
        last_failure: None,
        header: vec![],
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Sandbox(error.to_string())
}
