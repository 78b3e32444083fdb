//! Activities: one instance for each attempt, on a fibre of its own, with as much of the machine as it was granted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::Resource;
use wasmtime::{ResourceLimiter, Store, WasmCoreDump};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{DynPollable, OutputStream, Pollable, StreamResult, subscribe};
use wasmtime_wasi::{ResourceTable, ResourceTableError, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::descriptors::{Descriptors, Held, Right};
use crate::folders::{self, Opened};
use crate::grants::{Folder, Grants, SECRET_PREFIX};
use crate::http::Http;
use crate::log::{LogLevel, LogSink, LogSource, Logs, NoLog};
use crate::module::{Activities, Inner, Module, set_fuel};
use crate::network::{Network, Shared};
use crate::state::Limiter;
use crate::trap::{Refusal, Trap, TrapKind};
use crate::turns;
use crate::wit::activity_context;
pub use crate::wit::activity_context::{ActivityInfo, CancellationReason};
use crate::wit::activity_definition::Description;
pub use crate::wit::activity_definition::ExecuteError;
use crate::wit::types::{self, Payloads};

/// What the host does for one attempt of an activity. Called on the thread that runs the guest: it must not block.
#[async_trait]
pub trait ActivityHost: Send + Sync {
    /// The attempt is alive and has come this far.
    fn heartbeat(&self, details: Payloads);

    /// Should the attempt stop?
    fn cancellation(&self) -> Option<CancellationReason>;

    /// Wait until the attempt should stop: ends once [`Self::cancellation`] says so, and at once if it does already. The future may be
    /// dropped at any time, and there may be several.
    async fn cancelled(&self);
}

/// One attempt of an activity.
pub struct ActivityCall {
    /// What the attempt may know of itself. Its type says which activity runs.
    pub info: ActivityInfo,
    /// The arguments.
    pub input: Payloads,
    /// Takes heartbeats and tells of cancellation.
    pub host: Arc<dyn ActivityHost>,
    /// Receives log lines and output.
    pub logs: Arc<dyn LogSink>,
    /// What the attempt may use of the machine.
    pub grants: Grants,
}

/// The data of an activity's store.
pub(crate) struct ActivityState {
    call: Option<(ActivityInfo, Arc<dyn ActivityHost>)>,
    logs: Arc<Mutex<Logs>>,
    network: Arc<Network>,
    /// It looked for folders, and there is none.
    pub(crate) lacks_folders: bool,
    folders: Folders,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    http_hooks: Http,
    table: ResourceTable,
    descriptors: Descriptors,
    held: Held,
    limiter: Limiter,
}

/// The folders of an attempt.
#[derive(Default)]
struct Folders {
    opened: Vec<Opened>,
    /// One descriptor for each of them.
    _rights: Option<Right>,
}

/// What one attempt may use.
struct Means {
    logs: Arc<Mutex<Logs>>,
    network: Arc<Network>,
    folders: Folders,
    wasi: WasiCtx,
}

impl Module {
    /// Run one attempt of an activity, in a new instance. The future yields often, so that it can share a thread; dropping it
    /// ends the attempt.
    pub async fn execute(&self, call: ActivityCall) -> Result<Result<Payloads, ExecuteError>, Trap> {
        let options = self.inner.sandbox.options();
        let activities = self.inner.activities()?;
        // Before the store, so that it is dropped after it: an instance that is gone has left its place.
        let _place = self.inner.sandbox.0.places.attempt(activities.needs).await;
        let limit = self.limits.activity_timeout.unwrap_or(options.activity_timeout);
        let fuel = self.limits.activity_fuel.unwrap_or(options.activity_fuel);
        let memory_max = self
            .limits
            .activity_memory_max_bytes
            .unwrap_or(options.activity_memory_max_bytes);
        let logs = Arc::new(Mutex::new(Logs::new(call.logs, options.log)));
        let means = self.inner.grant(&call.grants, logs).await?;
        let activity_type = call.info.activity_type.clone();
        let input: &Payloads = &call.input;
        let mut store = self.inner.activity_store(means, memory_max, fuel);
        store.data_mut().call = Some((call.info, call.host));
        let attempt = async {
            let guest = activities.pre.instantiate_async(&mut store).await?;
            guest
                .longhaul_workflow_activity_definition()
                .call_execute(&mut store, &activity_type, input)
                .await
        };
        let outcome = self.inner.taken(limit, attempt).await;
        if let Ok(Ok(Ok(Err(ExecuteError::Failed(_))))) = &outcome {
            store.data().tell_of_folders();
        }
        ended(
            &store,
            outcome,
            &format!("the attempt took longer than {} s", limit.as_secs()),
        )
    }
}

impl Inner {
    fn activities(&self) -> Result<&Activities, Trap> {
        self.activity
            .as_ref()
            .ok_or_else(|| Trap::new(TrapKind::Other, "the module defines no activities"))
    }

    fn activity_store(&self, means: Means, memory_max: usize, fuel: u64) -> Store<ActivityState> {
        let sandbox = &self.sandbox.0;
        let limiter = Limiter::new(memory_max, sandbox.options.table_elements_max);
        let mut table = ResourceTable::new();
        table.set_max_capacity(sandbox.options.activity_handles_max);
        let state = ActivityState {
            call: None,
            logs: means.logs,
            http_hooks: Http::new(means.network.clone(), sandbox.tls.clone()),
            network: means.network,
            lacks_folders: false,
            folders: means.folders,
            wasi: means.wasi,
            http: WasiHttpCtx::new(),
            table,
            descriptors: sandbox.descriptors.clone(),
            held: Held::default(),
            limiter,
        };
        let mut store = Store::new(&sandbox.activities.engine, state);
        store.limiter(|s| &mut s.limiter as &mut dyn ResourceLimiter);
        store.set_hostcall_fuel(sandbox.options.hostcall_max_bytes);
        store.set_max_component_handles(sandbox.options.activity_handles_max);
        set_fuel(&mut store, fuel);
        let interval = Some(sandbox.options.activity_yield_fuel.max(1));
        let set = store.fuel_async_yield_interval(interval);
        debug_assert!(
            set.is_ok(),
            "the engine consumes fuel, and the interval is not zero"
        );
        // The next tick of the clock, whenever that is.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store
    }

    /// How it ends, unless it takes longer than `limit` or the host's own code panics.
    async fn taken<F: Future>(&self, limit: Duration, work: F) -> Outcome<F::Output> {
        let turns = turns::taken(&self.sandbox.0.turns, work);
        tokio::time::timeout(limit, turns).await
    }
}

/// The output of a future, or the text of a panic, or neither in time.
type Outcome<T> = Result<Result<T, String>, tokio::time::error::Elapsed>;

/// Ask which activities a component defines. On a thread of its own: the caller's may belong to a tokio runtime already,
/// which could not wait here.
pub(crate) fn describe(module: &Inner) -> Result<Description, Trap> {
    let failed = |what: String| Trap::new(TrapKind::Other, format!("cannot run `describe`: {what}"));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("longhaul-describe".into());
        let asked = thread.spawn_scoped(scope, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build();
            runtime
                .map_err(|e| failed(e.to_string()))?
                .block_on(describe_async(module))
        });
        let asked = asked.map_err(|e| failed(e.to_string()))?;
        asked
            .join()
            .unwrap_or_else(|_| Err(failed("its thread panicked".into())))
    })
}

async fn describe_async(module: &Inner) -> Result<Description, Trap> {
    let options = &module.sandbox.0.options;
    let activities = module.activities()?;
    let _place = module.sandbox.0.places.describe(activities.needs).await;
    let logs = Arc::new(Mutex::new(Logs::new(Arc::new(NoLog), options.log)));
    let means = module.grant(&Grants::default(), logs).await?;
    let mut store = module.activity_store(
        means,
        options.activity_memory_max_bytes,
        options.fuel_per_describe,
    );
    let asked = async {
        let guest = activities.pre.instantiate_async(&mut store).await?;
        guest
            .longhaul_workflow_activity_definition()
            .call_describe(&mut store)
            .await
    };
    let outcome = module.taken(options.activation_timeout, asked).await;
    ended(&store, outcome, "`describe` took too long")
}

/// Make sense of how a call ended.
fn ended<R>(
    store: &Store<ActivityState>,
    outcome: Outcome<wasmtime::Result<R>>,
    late: &str,
) -> Result<R, Trap> {
    let state = store.data();
    let mut logs = lock(&state.logs);
    logs.end();
    match outcome {
        Ok(Ok(outcome)) => outcome.map_err(|error| {
            let mut trap = Trap::from_error(&error, logs.tails(), state.limiter.refused_at);
            in_an_attempts_words(&mut trap, &error, state.table.max_capacity());
            let dump = error.downcast_ref::<WasmCoreDump>();
            let memories = dump.map_or(&[][..], |dump| dump.memories());
            trap.seen_in(memories.iter().map(|memory| memory.data(store)))
        }),
        Ok(Err(panic)) => {
            let text = format!(
                "a defect of the server ended this attempt, and nothing else: its code panicked: {panic}"
            );
            Err(Trap::new(TrapKind::Other, text))
        }
        Err(_) => Err(Trap::new(TrapKind::Timeout, late)),
    }
}

/// Say what to do about limits that are an attempt's own.
fn in_an_attempts_words(trap: &mut Trap, error: &wasmtime::Error, handles: usize) {
    let full = matches!(error.downcast_ref(), Some(ResourceTableError::Full));
    // Wasmtime has no type for its own table's limit.
    if full || trap.message.contains("handle limit exceeded") {
        trap.message = format!(
            "the attempt holds {handles} handles to files, connections and such, which is as many as it may; close what is not needed \
             any more"
        );
    } else if trap.kind == TrapKind::OutOfFuel {
        trap.message = "the fuel of this attempt is spent: the code loops, or does more than the module's `activity_fuel` is for; raise \
                        that if this is intended"
            .to_owned();
    } else if trap.message.starts_with("requested len ") {
        // Nor for random numbers.
        trap.message = format!(
            "too many random bytes were asked for in one call ({}); ask for them in parts",
            trap.message
        );
    }
}

fn lock(logs: &Mutex<Logs>) -> MutexGuard<'_, Logs> {
    // A panic while the lock was held leaves at worst a line that is cut short.
    logs.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// What an attempt of this module may use.
    async fn grant(&self, grants: &Grants, logs: Arc<Mutex<Logs>>) -> Result<Means, Trap> {
        let sandbox = &self.sandbox.0;
        let folders = self.open(&grants.folders).await?;
        let mut wasi = WasiCtx::builder();
        wasi.max_random_size(sandbox.options.activity_random_max_bytes);
        wasi.envs(&grants.env);
        for name in &grants.secrets {
            let variable = format!("{SECRET_PREFIX}{name}");
            let value = std::env::var(&variable).map_err(|_| {
                refused(format!(
                    "the secret {name} that was granted is not there: set the environment variable {variable} of the server"
                ))
            })?;
            wasi.env(name, value);
        }
        wasi.stdout(Output {
            logs: logs.clone(),
            source: LogSource::Stdout,
        });
        wasi.stderr(Output {
            logs: logs.clone(),
            source: LogSource::Stderr,
        });
        let shared = Shared {
            resolver: sandbox.options.resolver.clone(),
            lookups: self.activities()?.lookups.clone(),
            descriptors: sandbox.descriptors.clone(),
        };
        let network = Arc::new(Network::new(grants, shared, logs.clone()));
        // Which sockets, names and addresses these are is the network's to say.
        wasi.allow_tcp(true);
        wasi.allow_udp(true);
        wasi.socket_addr_check({
            let network = network.clone();
            move |address, usage| {
                let may = network.may_use(address, usage);
                Box::pin(std::future::ready(may))
            }
        });
        Ok(Means {
            logs,
            network,
            folders,
            wasi: wasi.build(),
        })
    }

    async fn open(&self, folders: &[Folder]) -> Result<Folders, Trap> {
        if folders.is_empty() {
            return Ok(Folders::default());
        }
        let rights = self.sandbox.0.descriptors.some(folders.len()).await;
        let (folders, own) = (folders.to_owned(), self.sandbox.0.own_paths());
        // A file system may take its time.
        let opened = tokio::task::spawn_blocking(move || folders::open(&folders, &own)).await;
        let opened = opened.map_err(|error| refused(format!("the folders could not be opened: {error}")))?;
        Ok(Folders {
            opened: opened.map_err(|error| refused(error.to_string()))?,
            _rights: rights,
        })
    }
}

fn refused(what: String) -> Trap {
    Trap::new(TrapKind::Other, what)
}

impl WasiView for ActivityState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for ActivityState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.http_hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

impl types::Host for ActivityState {}

impl activity_context::Host for ActivityState {
    fn info(&mut self) -> wasmtime::Result<ActivityInfo> {
        let (info, _) = self.attempt("info")?;
        Ok(info.clone())
    }

    fn heartbeat(&mut self, details: Payloads) -> wasmtime::Result<()> {
        let (_, host) = self.attempt("heartbeat")?;
        host.heartbeat(details);
        Ok(())
    }

    fn cancellation(&mut self) -> wasmtime::Result<Option<CancellationReason>> {
        let (_, host) = self.attempt("cancellation")?;
        Ok(host.cancellation())
    }

    fn log(
        &mut self,
        level: LogLevel,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        lock(&self.logs).log(level, message, fields);
        Ok(())
    }

    fn subscribe_cancellation(&mut self) -> wasmtime::Result<Resource<DynPollable>> {
        let (_, host) = self.attempt("subscribe-cancellation")?;
        let cancelled = Cancelled(host.clone());
        // What is pollable is dropped with the handle.
        let cancelled = self.table.push(cancelled)?;
        subscribe(&mut self.table, cancelled)
    }
}

/// Ready once the attempt should stop.
struct Cancelled(Arc<dyn ActivityHost>);

#[async_trait]
impl Pollable for Cancelled {
    async fn ready(&mut self) {
        self.0.cancelled().await;
    }
}

impl ActivityState {
    pub(crate) fn network(&self) -> &Arc<Network> {
        &self.network
    }

    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    pub(crate) fn folders(&self) -> &[Opened] {
        &self.folders.opened
    }

    pub(crate) fn held(&mut self) -> &mut Held {
        &mut self.held
    }

    /// The right to open a file or a socket; where there is none, the log says so.
    pub(crate) fn descriptor(&mut self) -> Option<Right> {
        if let Some(right) = self.descriptors.try_one() {
            return Some(right);
        }
        // Streams of files that are closed already may be closed by now.
        self.held.sweep_files();
        let right = self.descriptors.try_one();
        if right.is_none() {
            self.network.tell(self.descriptors.none_left());
        }
        right
    }

    fn attempt(&self, what: &str) -> wasmtime::Result<&(ActivityInfo, Arc<dyn ActivityHost>)> {
        self.call.as_ref().ok_or_else(|| {
            Refusal::call(
                format!("activity-context.{what}"),
                "`describe` is read-only and is no attempt of an activity",
            )
        })
    }
}

/// Standard output or standard error of an activity: log lines.
#[derive(Clone)]
struct Output {
    logs: Arc<Mutex<Logs>>,
    source: LogSource,
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for it, which is not linked.
        Box::new(tokio::io::sink())
    }
}

#[async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        lock(&self.logs).write(self.source, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}
