//! A compiled component: what it defines, and how to make instances of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use wasmparser::{Parser, Payload};
use wasmtime::Store;
use wasmtime::component::{Component, Linker};

use crate::activity::ActivityState;
use crate::contract::{self, Roles};
use crate::eligibility::Eligibility;
use crate::error::{CompileError, Error};
use crate::instance::{Instance, Setup};
use crate::link;
use crate::log::NoLog;
use crate::options::Limits;
use crate::places::Needs;
use crate::raw::image::Image;
use crate::raw::tenant::Tenant;
use crate::resolver::Lookups;
use crate::sandbox::{Role, Sandbox};
use crate::snapshot;
use crate::state::{Limiter, Phase, State};
use crate::trap::{Trap, TrapKind};
use crate::wit::definition::WorkflowDefinition;
use crate::wit::types::{Handler, Sdk};
use crate::wit::{ActivitiesPre, Workflow, WorkflowPre};

/// A compiled component. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    pub(crate) inner: Arc<Inner>,
    pub(crate) limits: Limits,
}

pub(crate) struct Inner {
    pub(crate) sandbox: Sandbox,
    /// No other module has it.
    pub(crate) number: u64,
    digest: [u8; 32],
    size: usize,
    sdk: Sdk,
    workflows: Vec<WorkflowDefinition>,
    activities: Vec<Handler>,
    eligibility: Eligibility,
    pub(crate) workflow: Option<WorkflowPre<State>>,
    /// The memory that instances of `workflow` begin with, where they begin prepared (see [`crate::snapshot`]).
    pub(crate) image: Option<Image>,
    pub(crate) activity: Option<Activities>,
}

static NUMBERS: AtomicU64 = AtomicU64::new(0);

impl Drop for Inner {
    fn drop(&mut self) {
        self.sandbox.0.spares.forget(self.number);
    }
}

/// The activity half of a component.
pub(crate) struct Activities {
    pub(crate) pre: ActivitiesPre<ActivityState>,
    /// What one instance of it takes of the pool.
    pub(crate) needs: Needs,
    /// Names that its attempts look up.
    pub(crate) lookups: Lookups,
}

impl Module {
    pub(crate) fn compile(sandbox: &Sandbox, bytes: &[u8]) -> Result<Self, CompileError> {
        let max = sandbox.options().component_max_bytes;
        if bytes.len() > max {
            return Err(CompileError::TooLarge {
                size: bytes.len(),
                max,
            });
        }
        let roles = Roles::of(export_names(bytes)?.into_iter());
        let digest: [u8; 32] = Sha256::digest(bytes).into();

        let workflow = if roles.workflow || !roles.activity {
            // A component without any role is compiled all the same, so that its imports are judged before its exports.
            let component = load(&sandbox.0.workflows, bytes, &digest)?;
            check(&component, &sandbox.0.workflows)?;
            if !roles.workflow {
                return Err(Roles::missing());
            }
            Some(workflow_pre(sandbox, &component)?)
        } else {
            None
        };
        let activity = if roles.activity {
            let component = load(&sandbox.0.activities, bytes, &digest)?;
            check(&component, &sandbox.0.activities)?;
            let mut linker = sandbox.0.activities.linker.clone();
            let engine = &sandbox.0.activities.engine;
            link::deny_to_activity(&mut linker, &component.component_type(), engine).map_err(mismatch)?;
            let pre = pre(&linker, &component)
                .and_then(ActivitiesPre::new)
                .map_err(mismatch)?;
            let needs = Needs::of(&component);
            Some(Activities {
                pre,
                needs,
                lookups: Lookups::default(),
            })
        } else {
            None
        };

        let mut inner = Inner {
            sandbox: sandbox.clone(),
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            digest,
            size: bytes.len(),
            sdk: Sdk {
                name: String::new(),
                version: String::new(),
            },
            workflows: Vec::new(),
            activities: Vec::new(),
            eligibility: Eligibility::of(bytes),
            workflow,
            image: None,
            activity,
        };
        if roles.activity {
            let described = crate::activity::describe(&inner).map_err(not_described)?;
            inner.sdk = described.sdk;
            inner.activities = described.activities;
        }
        if roles.workflow {
            let described = inner.describe_workflows()?;
            inner.sdk = described.sdk;
            inner.workflows = described.workflows;
            snapshot::begin_prepared(&mut inner, bytes);
        }
        Ok(Self {
            inner: Arc::new(inner),
            limits: Limits::default(),
        })
    }

    /// The same module under limits of its own.
    pub fn with_limits(&self, limits: Limits) -> Self {
        Self {
            inner: self.inner.clone(),
            limits: limits.within(self.inner.sandbox.options()),
        }
    }

    /// SHA-256 of the component's bytes.
    pub fn digest(&self) -> [u8; 32] {
        self.inner.digest
    }

    /// Length of the component in bytes.
    pub fn size(&self) -> usize {
        self.inner.size
    }

    /// The SDK that it was built with.
    pub fn sdk(&self) -> &Sdk {
        &self.inner.sdk
    }

    /// The workflow types that it defines.
    pub fn workflows(&self) -> &[WorkflowDefinition] {
        &self.inner.workflows
    }

    /// The activity types that it defines.
    pub fn activities(&self) -> &[Handler] {
        &self.inner.activities
    }

    /// Whether live instances can be forked; otherwise queries need a replay of their own.
    pub fn fork_eligible(&self) -> &Eligibility {
        &self.inner.eligibility
    }

    /// Whether new instances begin as one that was prepared, with its memory, and not by running their start again.
    pub fn begins_prepared(&self) -> bool {
        self.inner.image.is_some()
    }

    /// Make a new instance for one workflow execution, and prepare it.
    ///
    /// Fails with [`Error::ArenaFull`] when too many instances are live: drop one and try again.
    pub fn instantiate(&self, setup: Setup) -> Result<Instance, Error> {
        Instance::new(self.clone(), setup)
    }

    pub(crate) fn limiter(&self) -> Limiter {
        let options = self.inner.sandbox.options();
        Limiter::new(
            self.limits.memory_max_bytes.unwrap_or(options.memory_max_bytes),
            self.limits
                .table_elements_max
                .unwrap_or(options.table_elements_max),
        )
    }

    pub(crate) fn fuel_per_activation(&self) -> u64 {
        self.limits
            .fuel_per_activation
            .unwrap_or(self.inner.sandbox.options().fuel_per_activation)
    }
}

impl Inner {
    pub(crate) fn eligibility(&self) -> &Eligibility {
        &self.eligibility
    }

    /// Put an instance into a new store; its first memory is at least `minimum_bytes` long.
    pub(crate) fn house(
        &self,
        state: State,
        fuel: u64,
        minimum_bytes: usize,
    ) -> Result<(Tenant<State>, Workflow), Error> {
        let pre = self.workflow.as_ref().ok_or(Error::WrongRole("workflows"))?;
        let sandbox = &self.sandbox.0;
        let mut store = Store::new(&sandbox.workflows.engine, state);
        store.limiter(|s| &mut s.limiter);
        store.set_hostcall_fuel(sandbox.options.hostcall_max_bytes);
        store.set_max_component_handles(sandbox.options.handles_max);
        set_fuel(&mut store, fuel);
        store.set_epoch_deadline(sandbox.watchdog.budget());
        if sandbox.arena.is_full() {
            sandbox.spares.clear();
        }
        let running = sandbox.watchdog.enter();
        let housed = sandbox
            .arena
            .house(store, minimum_bytes, self.image.as_ref(), |store| {
                pre.instantiate(store)
            });
        drop(running);
        match housed.outcome {
            Ok(workflow) => Ok((housed.tenant, workflow)),
            Err(_) if housed.full => Err(Error::ArenaFull {
                slots: sandbox.arena.slots(),
            }),
            Err(error) => {
                let state = housed.tenant.store().data();
                Err(Error::Instantiate(Trap::from_error(
                    &error,
                    state.logs.tails(),
                    state.limiter.refused_at,
                )))
            }
        }
    }

    fn describe_workflows(&self) -> Result<crate::wit::definition::Description, CompileError> {
        let options = &self.sandbox.0.options;
        let limiter = Limiter::new(options.slot_bytes(), options.table_elements_max);
        let mut state = State::new(options.clone(), limiter, [0; 32], Arc::new(NoLog));
        state.phase = Phase::Read("describe");
        state.random.fix_wasi();
        let (mut tenant, workflow) =
            self.house(state, options.fuel_per_describe, 0)
                .map_err(|e| match e {
                    Error::Instantiate(trap) => not_described(trap),
                    other => CompileError::Sandbox(other),
                })?;
        let store = tenant.store_mut();
        let running = self.sandbox.0.watchdog.enter();
        let outcome = workflow.longhaul_workflow_definition().call_describe(&mut *store);
        drop(running);
        let state = store.data();
        outcome.map_err(|e| not_described(Trap::from_error(&e, state.logs.tails(), state.limiter.refused_at)))
    }
}

/// Give a store of an engine that consumes fuel its fuel.
pub(crate) fn set_fuel<T>(store: &mut Store<T>, fuel: u64) {
    let set = store.set_fuel(fuel);
    debug_assert!(
        set.is_ok(),
        "both engines consume fuel, and nothing else can fail here"
    );
}

/// The names of a component's own exports, before it is compiled.
fn export_names(bytes: &[u8]) -> Result<Vec<&str>, CompileError> {
    if Parser::is_core_wasm(bytes) {
        return Err(CompileError::NotAComponent(
            "it is a core module; build for wasm32-wasip2, or wrap it with `wasm-tools component new`".into(),
        ));
    }
    if !Parser::is_component(bytes) {
        return Err(CompileError::NotAComponent(
            "it does not begin as WebAssembly does; upload the .wasm file that the build has made".into(),
        ));
    }
    let invalid = |e: wasmparser::BinaryReaderError| CompileError::Invalid(e.to_string());
    let mut names = Vec::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    names.push(export.map_err(invalid)?.name.name);
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

/// A component of workflows with everything that it imports.
pub(crate) fn workflow_pre(
    sandbox: &Sandbox,
    component: &Component,
) -> Result<WorkflowPre<State>, CompileError> {
    let role = &sandbox.0.workflows;
    let mut linker = role.linker.clone();
    link::deny_to_workflow(&mut linker, &component.component_type(), &role.engine).map_err(mismatch)?;
    pre(&linker, component)
        .and_then(WorkflowPre::new)
        .map_err(mismatch)
}

/// The component's machine code, from the cache or compiled.
pub(crate) fn load<T>(role: &Role<T>, bytes: &[u8], digest: &[u8; 32]) -> Result<Component, CompileError> {
    if let Some(cache) = &role.cache {
        match cache.load(&role.engine, digest) {
            Ok(Some(component)) => return Ok(component),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "cached machine code is not used; the component is compiled again")
            }
        }
    }
    let component =
        Component::from_binary(&role.engine, bytes).map_err(|e| CompileError::Invalid(format!("{e:#}")))?;
    if let Some(cache) = &role.cache {
        let code = component
            .serialize()
            .map_err(|e| CompileError::Invalid(format!("{e:#}")))?;
        if let Err(error) = cache.store(digest, &code) {
            tracing::warn!(%error, "machine code cannot be kept; the component is compiled again after a restart");
        }
    }
    Ok(component)
}

fn check<T>(component: &Component, role: &Role<T>) -> Result<(), CompileError> {
    let ty = component.component_type();
    contract::check_imports(&ty, &role.engine)?;
    contract::check_exports(&ty, &role.engine)
}

fn pre<T>(
    linker: &Linker<T>,
    component: &Component,
) -> wasmtime::Result<wasmtime::component::InstancePre<T>> {
    linker.instantiate_pre(component)
}

/// Wasmtime compares the types of exports when it makes the first instance, before any code of the guest runs.
fn not_described(trap: Trap) -> CompileError {
    match trap.kind {
        TrapKind::Other if trap.backtrace.is_empty() => CompileError::Contract(trap.message),
        _ => CompileError::Describe(trap),
    }
}

fn mismatch(error: wasmtime::Error) -> CompileError {
    CompileError::Contract(format!("{error:#}"))
}

impl Trap {
    /// For calls on an instance that has already trapped.
    pub(crate) fn dead() -> Self {
        Self::new(
            TrapKind::Other,
            "the instance has trapped before; make a new one by replay",
        )
    }
}
