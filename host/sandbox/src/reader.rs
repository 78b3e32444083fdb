//! Read-only calls: queries, validators and stack traces, on a fork or on an instance that was given up for them.

use crate::instance::run;
use crate::module::{Module, set_fuel};
use crate::raw::tenant::View;
use crate::spares::Idle;
use crate::state::{Phase, State};
use crate::trap::Trap;
use crate::wit::Workflow;
use crate::wit::definition::{Guest, MessageMeta, WaitingTask};
use crate::wit::types::{Failure, Header, Payload, Payloads};

/// An instance that can be asked but not driven. Commands and `context.random` are refused; what a call writes to memory is
/// seen by later calls of this reader, and by nobody else. After a [`Trap`] it is of no use.
pub struct Reader<'a> {
    /// Some until it is dropped.
    asked: Option<Asked<'a>>,
    module: Module,
    /// Length of the memory that a fork shows; none for an instance that was given up.
    shown_bytes: Option<usize>,
    trapped: bool,
}

struct Asked<'a> {
    view: View<'a, State>,
    workflow: Workflow,
}

impl<'a> Reader<'a> {
    /// `shown_bytes` is the length of the original's memory.
    pub(crate) fn fork(
        view: View<'a, State>,
        workflow: Workflow,
        module: Module,
        shown_bytes: usize,
    ) -> Self {
        Self::new(view, workflow, module, Some(shown_bytes))
    }

    pub(crate) fn own(view: View<'a, State>, workflow: Workflow, module: Module) -> Self {
        Self::new(view, workflow, module, None)
    }

    fn new(
        mut view: View<'a, State>,
        workflow: Workflow,
        module: Module,
        shown_bytes: Option<usize>,
    ) -> Self {
        let state = view.store_mut().data_mut();
        state.random.fix_wasi();
        // The reader itself replays nothing: what a query logs is new.
        state.task.replaying = false;
        Self {
            asked: Some(Asked { view, workflow }),
            module,
            shown_bytes,
            trapped: false,
        }
    }

    /// Answer a query.
    pub fn query(
        &mut self,
        name: &str,
        input: &Payloads,
        header: &Header,
    ) -> Result<Result<Payload, Failure>, Trap> {
        self.call("query", |guest, store| {
            guest.call_query(store, name, input, header)
        })
    }

    /// May this update be accepted?
    pub fn validate_update(
        &mut self,
        id: &str,
        meta: &MessageMeta,
        name: &str,
        input: &Payloads,
    ) -> Result<Result<(), Failure>, Trap> {
        self.call("validate-update", |guest, store| {
            guest.call_validate_update(store, id, meta, name, input)
        })
    }

    /// Where every task of the guest waits.
    pub fn waiting(&mut self) -> Result<Vec<WaitingTask>, Trap> {
        self.call("waiting", |guest, store| guest.call_waiting(store))
    }

    /// Fuel that the last call has used.
    pub fn fuel_used(&self) -> u64 {
        let full = self.module.inner.sandbox.options().fuel_per_read;
        let left = self
            .asked
            .as_ref()
            .and_then(|asked| asked.view.store().get_fuel().ok());
        full.saturating_sub(left.unwrap_or(full))
    }

    fn call<R>(
        &mut self,
        name: &'static str,
        call: impl FnOnce(&Guest, &mut wasmtime::Store<State>) -> wasmtime::Result<R>,
    ) -> Result<R, Trap> {
        let asked = self
            .asked
            .as_mut()
            .filter(|_| !self.trapped)
            .ok_or_else(Trap::dead)?;
        let sandbox = &self.module.inner.sandbox.0;
        let store = asked.view.store_mut();
        set_fuel(store, sandbox.options.fuel_per_read);
        store.data_mut().logs.begin(false);
        let mut ticks = sandbox.watchdog.budget();
        let guest = asked.workflow.longhaul_workflow_definition();
        let outcome = run(sandbox, store, &mut ticks, Phase::Read(name), |store| {
            call(guest, store)
        });
        store.data_mut().logs.end();
        self.trapped = outcome.is_err();
        outcome.map_err(|trap| trap.seen_in(asked.view.memories()))
    }
}

impl Drop for Reader<'_> {
    /// A fork whose calls have all returned, and that is as long and holds the same handles as before, can be used again.
    fn drop(&mut self) {
        let Some(Asked { view, workflow }) = self.asked.take() else {
            return;
        };
        let as_before = self.shown_bytes == Some(view.memory_bytes())
            && !self.trapped
            && view.store().data().handles.as_prepared();
        if as_before {
            let idle = Idle {
                module: self.module.inner.number,
                spare: view.into_spare(),
                workflow,
            };
            self.module.inner.sandbox.0.spares.put(idle);
        }
    }
}
