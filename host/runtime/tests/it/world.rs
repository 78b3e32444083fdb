//! A simulated runtime with its disk and its clock, so that a test reads as what a client does.

use std::{
    collections::HashMap,
    future::Future,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};

use longhaul_history::{
    payload,
    proto::{
        common::v1::WorkflowType,
        enums::v1::{QueryRejectCondition, UpdateWorkflowExecutionLifecycleStage as Stage},
        query::v1::WorkflowQuery,
        taskqueue::v1::TaskQueue,
        update::v1 as update,
        workflowservice::v1 as wire,
    },
};
use longhaul_runtime::{Clock, Error, Options, Runtime, Simulation, Warm, modules::Upload};
use longhaul_store::{
    Store,
    faults::{FaultyDisk, Loss},
};
use serde_json::Value;

use crate::common::{self, EPOCH_NS};

/// A request that is not answered within this time never will be.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A core module that a component may have at its end: one mutable global, which a fork would not carry, and nobody who uses it.
pub(crate) const UNUSED_MODULE: [u8; 18] = [
    1, 16, // A section of the component, and its length.
    0, b'a', b's', b'm', 1, 0, 0, 0, // A module...
    6, 6, 1, 0x7f, 1, 0x41, 0, 0x0b, // ... with a global: mutable, i32, 0.
];

/// A server, and what is around it.
pub(crate) struct World {
    pub(crate) sim: Simulation,
    pub(crate) disk: FaultyDisk,
    options: Options,
    shards: NonZeroUsize,
    /// How often the server was started: each life draws run ids of its own.
    lives: u64,
    /// What the machine's clock shows; the runtime's own adds what it has skipped.
    wall_ns: u64,
    uploads: HashMap<String, Upload>,
    /// A sandbox that is there already.
    warm: Option<Warm>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(common::options())
    }

    pub(crate) fn with(options: Options) -> Self {
        Self::sharded(options, 1)
    }

    /// A world whose server has several shards.
    pub(crate) fn sharded(options: Options, shards: usize) -> Self {
        Self::on(FaultyDisk::new(), options, shards, None)
    }

    /// A world on a disk that may hold something, and with a sandbox that is there already.
    pub(crate) fn on(disk: FaultyDisk, options: Options, shards: usize, warm: Option<Warm>) -> Self {
        let shards = NonZeroUsize::new(shards).unwrap();
        let sim = open(&options, disk.clone(), EPOCH_NS, 1, shards, warm.as_ref());
        Self {
            sim,
            disk,
            options,
            shards,
            lives: 1,
            wall_ns: EPOCH_NS,
            uploads: HashMap::new(),
            warm,
        }
    }

    /// A world with a module of this name, on a queue of the same name.
    pub(crate) async fn of(module: &str) -> Self {
        let mut world = Self::new();
        world.upload(module, module).await;
        world
    }

    pub(crate) fn rt(&self) -> Runtime {
        self.sim.runtime()
    }

    /// Rounds until a request is answered.
    pub(crate) async fn drive<F: Future>(&mut self, request: F) -> F::Output {
        tokio::time::timeout(PATIENCE, self.sim.drive(request))
            .await
            .expect("the request is answered in time")
            .unwrap()
    }

    /// Send a request that cannot be answered yet, and let all happen that it brings.
    pub(crate) async fn poll_once<F: Future + Unpin>(&mut self, request: &mut F) {
        let polled =
            std::future::poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *request).poll(context)))
                .await;
        assert!(polled.is_pending(), "the request is answered at once");
        self.sim.settle().await;
    }

    /// Rounds until a request is answered, but no attempt of an activity gets anywhere.
    pub(crate) async fn drive_alone<F: Future>(&mut self, request: F) -> F::Output {
        let mut request = std::pin::pin!(request);
        for _ in 0..100 {
            let polled = std::future::poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
            if let Poll::Ready(answer) = polled {
                return answer;
            }
            self.sim.round();
        }
        panic!("the request needs more than the shard and the store")
    }

    /// Rounds until a request is answered, or the store has made so many commits or makes no more: then the answer is none. While nothing happens, time
    /// passes, so that what waits for its next attempt gets it.
    pub(crate) async fn drive_until_commit<F: Future>(
        &mut self,
        request: F,
        commits: u64,
    ) -> Option<F::Output> {
        let mut request = std::pin::pin!(request);
        let (started, mut busy_at) = (Instant::now(), Instant::now());
        loop {
            let polled = std::future::poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
            if let Poll::Ready(answer) = polled {
                return Some(answer);
            }
            if self.sim.round() > 0 {
                busy_at = Instant::now();
            }
            if self.commits() >= commits || self.rt().write_failure().is_some() {
                return None;
            }
            tokio::task::yield_now().await;
            if busy_at.elapsed() > Duration::from_millis(50) {
                self.pass(SECOND);
                busy_at = Instant::now();
            }
            assert!(started.elapsed() < PATIENCE, "the request gets no answer");
        }
    }

    /// Rounds until something holds.
    pub(crate) async fn until(&mut self, what: &str, mut holds: impl FnMut(&Runtime) -> bool) {
        let (rt, deadline) = (self.rt(), Instant::now() + PATIENCE);
        let request = std::future::poll_fn(|_| match holds(&rt) {
            true => Poll::Ready(true),
            false if Instant::now() > deadline => Poll::Ready(false),
            false => Poll::Pending,
        });
        let held = self.sim.drive(request).await.unwrap();
        assert!(held, "{what}: it never came");
    }

    /// Rounds until an execution's durable history holds a text.
    pub(crate) async fn until_history(&mut self, workflow_id: &str, text: &str) {
        self.until(&format!("{text:?} in the history of {workflow_id}"), |rt| {
            let history = rt.whole_history("default", workflow_id, "");
            history.is_ok_and(|history| longhaul_history::text::history(&history.events).contains(text))
        })
        .await;
    }

    /// Let time pass, and let what it brings happen.
    pub(crate) async fn advance(&mut self, by: Duration) {
        self.pass(by);
        self.sim.settle().await;
    }

    /// Let time pass; nothing happens yet.
    pub(crate) fn pass(&mut self, by: Duration) {
        let by_ns = u64::try_from(by.as_nanos()).unwrap();
        self.wall_ns += by_ns;
        self.sim.advance(by_ns);
    }

    /// The machine's clock will be set back at the next restart.
    pub(crate) fn set_wall_back(&mut self, by: Duration) {
        self.wall_ns -= u64::try_from(by.as_nanos()).unwrap();
    }

    /// The power goes, and comes back after a while.
    pub(crate) fn crash(&mut self, loss: Loss, down: Duration) {
        let options = self.options.clone();
        self.reopen(loss, down, options);
    }

    /// As [`World::crash`], with other settings from then on.
    pub(crate) fn reopen(&mut self, loss: Loss, down: Duration, options: Options) {
        self.options = options;
        self.wall_ns += u64::try_from(down.as_nanos()).unwrap();
        self.disk = self.disk.crash(loss);
        self.lives += 1;
        let (disk, wall_ns) = (self.disk.clone(), self.wall_ns);
        let warm = self.warm.as_ref();
        self.sim = open(&self.options, disk, wall_ns, self.lives, self.shards, warm);
    }

    pub(crate) async fn upload(&mut self, module: &str, queue: &str) {
        self.upload_with(module, queue, "").await;
    }

    pub(crate) async fn upload_with(&mut self, module: &str, queue: &str, config: &str) {
        let upload = self
            .uploads
            .entry(module.to_owned())
            .or_insert_with(|| compiled(module))
            .clone();
        let upload = Upload {
            queue: queue.into(),
            config: config.into(),
            ..upload
        };
        let rt = self.rt();
        self.drive(rt.upload_module(upload)).await.unwrap();
    }

    /// As [`World::upload`], as a version of the module of this name.
    pub(crate) async fn upload_as(&mut self, name: &str, component: &str, queue: &str) {
        let upload = Upload {
            name: name.into(),
            ..common::upload(component, queue)
        };
        let rt = self.rt();
        self.drive(rt.upload_module(upload)).await.unwrap();
    }

    /// As [`World::upload`], for a component whose live state no fork can carry.
    pub(crate) async fn upload_unforkable(&mut self, module: &str, queue: &str) {
        let mut upload = common::upload(module, queue);
        upload.bytes.extend(UNUSED_MODULE);
        let rt = self.rt();
        let uploaded = self.drive(rt.upload_module(upload)).await.unwrap();
        assert!(!uploaded.module.fork_refusal.is_empty());
    }

    pub(crate) async fn start(&mut self, id: &str, kind: &str, input: &[Value]) -> Result<String, Error> {
        let request = start_request(id, kind, input);
        Ok(self.start_with(request).await?.run_id)
    }

    pub(crate) async fn start_with(
        &mut self,
        request: wire::StartWorkflowExecutionRequest,
    ) -> Result<wire::StartWorkflowExecutionResponse, Error> {
        let rt = self.rt();
        self.drive(rt.start_workflow(request)).await
    }

    pub(crate) async fn signal(&mut self, id: &str, name: &str, input: &[Value]) -> Result<(), Error> {
        let request = common::signal(self.rt(), id, name, input, "");
        self.drive(request).await
    }

    /// The query's answer.
    pub(crate) async fn query(&mut self, id: &str, name: &str, input: &[Value]) -> Result<Value, Error> {
        let answer = self
            .query_unless(id, name, input, QueryRejectCondition::None)
            .await?;
        Ok(payload::to_json(&answer.query_result.unwrap().payloads[0]).unwrap())
    }

    pub(crate) async fn query_unless(
        &mut self,
        id: &str,
        name: &str,
        input: &[Value],
        reject: QueryRejectCondition,
    ) -> Result<wire::QueryWorkflowResponse, Error> {
        let request = wire::QueryWorkflowRequest {
            namespace: "default".into(),
            execution: common::execution(id),
            query: Some(WorkflowQuery {
                query_type: name.into(),
                query_args: common::values(input),
                ..Default::default()
            }),
            query_reject_condition: reject as i32,
        };
        let rt = self.rt();
        self.drive(rt.query_workflow(request)).await
    }

    /// The update's result, or its failure's message.
    pub(crate) async fn update(
        &mut self,
        id: &str,
        name: &str,
        input: &[Value],
        update_id: &str,
    ) -> Result<Result<Value, String>, Error> {
        let request = common::update(self.rt(), id, name, input, update_id);
        self.drive(request).await
    }

    /// The stage that an update has reached when the request is answered, and its outcome.
    pub(crate) async fn update_to(
        &mut self,
        stage: Stage,
        id: &str,
        name: &str,
        input: &[Value],
        update_id: &str,
    ) -> Result<(Stage, Option<update::Outcome>), Error> {
        let rt = self.rt();
        let answer = self
            .drive(rt.update_workflow(update_request(stage, id, name, input, update_id)))
            .await?;
        Ok((answer.stage(), answer.outcome))
    }

    /// As [`World::update_to`], for an update that was sent before.
    pub(crate) async fn poll(
        &mut self,
        stage: Stage,
        id: &str,
        update_id: &str,
    ) -> Result<(Stage, Option<update::Outcome>), Error> {
        let request = wire::PollWorkflowExecutionUpdateRequest {
            namespace: "default".into(),
            update_ref: Some(update::UpdateRef {
                workflow_execution: common::execution(id),
                update_id: update_id.into(),
            }),
            wait_policy: Some(update::WaitPolicy {
                lifecycle_stage: stage as i32,
            }),
            ..Default::default()
        };
        let rt = self.rt();
        let answer = self.drive(rt.poll_update(request)).await?;
        Ok((answer.stage(), answer.outcome))
    }

    pub(crate) async fn cancel(&mut self, id: &str) -> Result<(), Error> {
        let request = wire::RequestCancelWorkflowExecutionRequest {
            namespace: "default".into(),
            workflow_execution: common::execution(id),
            reason: "no longer wanted".into(),
            ..Default::default()
        };
        let rt = self.rt();
        self.drive(rt.request_cancel(request)).await.map(|_| ())
    }

    pub(crate) async fn terminate(&mut self, id: &str) -> Result<(), Error> {
        let request = wire::TerminateWorkflowExecutionRequest {
            namespace: "default".into(),
            workflow_execution: common::execution(id),
            reason: "enough".into(),
            ..Default::default()
        };
        let rt = self.rt();
        self.drive(rt.terminate(request)).await.map(|_| ())
    }

    pub(crate) async fn describe(&mut self, id: &str) -> wire::DescribeWorkflowExecutionResponse {
        let request = wire::DescribeWorkflowExecutionRequest {
            namespace: "default".into(),
            execution: common::execution(id),
        };
        let rt = self.rt();
        self.drive(rt.describe_workflow(request)).await.unwrap()
    }

    /// Why a run is parked, if it is.
    pub(crate) async fn parked(&mut self, id: &str) -> Option<String> {
        let described = self.describe(id).await;
        let memo = described
            .workflow_execution_info
            .unwrap()
            .memo
            .unwrap_or_default();
        let reason = memo.fields.get(longhaul_runtime::PARKED_REASON)?;
        assert!(
            described.pending_workflow_task.is_some(),
            "E11: a parked run has a pending task"
        );
        Some(payload::to_json(reason).unwrap().as_str().unwrap().to_owned())
    }

    /// The workflow's result; waits for the closing event.
    pub(crate) async fn result(&mut self, id: &str) -> Value {
        let request = common::result(self.rt(), id);
        self.drive(request).await.unwrap()
    }

    /// The durable history as text.
    pub(crate) fn history(&self, id: &str) -> String {
        common::history(&self.rt(), id)
    }

    pub(crate) fn commits(&self) -> u64 {
        self.rt().store_stats().commits
    }

    /// Leave a run's history for the judge.
    pub(crate) fn export(&self, name: &str, id: &str) {
        common::export(&self.rt(), name, id);
    }
}

fn open(
    options: &Options,
    disk: FaultyDisk,
    now_ns: u64,
    seed: u64,
    shards: NonZeroUsize,
    warm: Option<&Warm>,
) -> Simulation {
    let store = Store::open_with_backend(options.store.clone(), disk).unwrap();
    let (options, clock) = (options.clone(), Clock::simulated(now_ns));
    match warm {
        Some(warm) => Simulation::open_warm(options, store, clock, seed, shards, warm),
        None => Simulation::open_sharded(options, store, clock, seed, shards),
    }
    .unwrap()
}

/// A component, compiled into the tests' cache: once in a process, however many tests ask at once.
fn compiled(module: &str) -> Upload {
    static COMPILED: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let upload = common::upload(module, "");
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if !compiled.iter().any(|name| name == module) {
        let sandbox = longhaul_sandbox::Sandbox::new(common::options().sandbox).unwrap();
        sandbox.compile(&upload.bytes).unwrap();
        compiled.push(module.to_owned());
    }
    upload
}

pub(crate) fn start_request(id: &str, kind: &str, input: &[Value]) -> wire::StartWorkflowExecutionRequest {
    wire::StartWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_id: id.into(),
        workflow_type: Some(WorkflowType { name: kind.into() }),
        task_queue: Some(TaskQueue::default()),
        input: common::values(input),
        request_id: format!("start {id}"),
        ..Default::default()
    }
}

pub(crate) fn update_request(
    stage: Stage,
    id: &str,
    name: &str,
    input: &[Value],
    update_id: &str,
) -> wire::UpdateWorkflowExecutionRequest {
    wire::UpdateWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: common::execution(id),
        wait_policy: Some(update::WaitPolicy {
            lifecycle_stage: stage as i32,
        }),
        request: Some(update::Request {
            meta: Some(update::Meta {
                update_id: update_id.into(),
                identity: "test".into(),
            }),
            input: Some(update::Input {
                name: name.into(),
                args: common::values(input),
                header: None,
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// An outcome's value, or its failure's message.
pub(crate) fn outcome(outcome: Option<update::Outcome>) -> Result<Value, String> {
    match outcome.unwrap().value.unwrap() {
        update::outcome::Value::Success(payloads) => Ok(payload::to_json(&payloads.payloads[0]).unwrap()),
        update::outcome::Value::Failure(failure) => Err(failure.message),
    }
}
