//! The sandbox alone: new instances, their first activation, and queries on forks of them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use longhaul_sandbox::{
    Instance, Module, NoLog, Options, Sandbox, Setup, Task,
    wit::types::{ExecutionInfo, Payload},
};

use super::{
    Error, Session,
    latencies::{Latencies, nanoseconds},
    load::Measured,
    report::{Load, Report},
};

/// Instances, unless told otherwise; all of them stay live, as they do in a server.
const COUNT: u64 = 2_000;
/// Room in the arena for forks.
const FORK_SLOTS: u64 = 64;

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

    fn measured(self) -> Measured {
        Measured {
            elapsed: self.total,
            latencies: Latencies::new(self.each_ns),
            errors: 0,
            first_error: None,
        }
    }
}

/// What is timed.
#[derive(Default)]
struct Parts {
    instantiate: Times,
    start: Times,
    query: Times,
}

pub(super) async fn measure(session: &Session, report: &mut Report<'_>) -> Result<(), crate::Error> {
    let count = session.count(COUNT);
    let component = session.component.clone();
    let progress = report.progress("instantiate", count);
    // Guests run on a thread that may be blocked.
    let parts = tokio::task::spawn_blocking(move || {
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
        run(&module, count, &progress)
    })
    .await
    .map_err(|error| crate::Error::Defect(error.to_string()))??;
    let lines = [
        ("instantiate", "instances", parts.instantiate),
        ("start", "starts", parts.start),
        ("fork, query", "queries", parts.query),
    ];
    for (case, unit, times) in lines {
        let measured = times.measured();
        report.load(Load::new(case, unit, 1, &measured), &measured)?;
    }
    Ok(())
}

fn run(module: &Module, count: u64, progress: &indicatif::ProgressBar) -> Result<Parts, Error> {
    let mut parts = Parts::default();
    let mut live: Vec<Instance> = Vec::new();
    for number in 0..count {
        let setup = Setup {
            seed: [7; 32],
            logs: Arc::new(NoLog),
        };
        let mut instance = parts
            .instantiate
            .time(|| module.instantiate(setup))
            .map_err(failed)?;
        parts.start.time(|| start(&mut instance))?;
        let answer = parts.query.time(|| query(&instance))?;
        if answer != b"0" {
            return Err(Error::Answer {
                what: "the query's answer in the sandbox",
                found: String::from_utf8_lossy(&answer).into_owned(),
                expected: "0".to_owned(),
            });
        }
        live.push(instance);
        progress.set_position(number);
    }
    Ok(parts)
}

/// The first activation of a `Signals` that waits for one signal.
fn start(instance: &mut Instance) -> Result<(), Error> {
    instance.begin_task(Task {
        now_ns: 1,
        history_length: 3,
        ..Task::default()
    });
    let input = vec![Payload {
        metadata: vec![("encoding".into(), b"json/plain".to_vec())],
        data: b"1".to_vec(),
    }];
    if let Err(failure) = instance.start(&info(), &input).map_err(failed)? {
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

fn info() -> ExecutionInfo {
    const RUN_ID: &str = "00000000-0000-4000-8000-000000000001";
    ExecutionInfo {
        namespace: "default".into(),
        workflow_id: "instantiate".into(),
        run_id: RUN_ID.into(),
        first_run_id: RUN_ID.into(),
        workflow_type: "Signals".into(),
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
