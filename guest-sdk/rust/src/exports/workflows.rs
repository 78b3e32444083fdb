//! The exports of the world `workflow`.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::workflow::exports::longhaul::workflow::definition::{
    Description, Guest, MessageMeta, Outcome, UpdateHandler, WaitingTask, WorkflowDefinition,
};
use crate::bindings::workflow::longhaul::workflow::types::{
    ExecutionInfo, FailureCause, Handler, Header, Payload, Sdk,
};
use crate::definitions::HandlerDescriptor;
use crate::failure::Failure;
use crate::host::Imports;
use crate::instance::{self, Execution, WorkflowEntry};
use crate::runtime::Runtime;

/// The workflow types of a component. `export!` implements it.
pub trait WorkflowModule {
    /// The types.
    fn workflows() -> Vec<WorkflowEntry>;
}

/// The exports of the world `workflow`, for the types of a module.
pub struct ExportedWorkflows<M>(PhantomData<M>);

thread_local! {
    /// One instance of a component is one execution.
    static EXECUTION: RefCell<Option<Box<dyn Execution>>> = const { RefCell::new(None) };
}

/// Call the execution. Before `start`, which the host does not do, there is nothing to call.
fn with<R>(call: impl FnOnce(&dyn Execution) -> R) -> Option<R> {
    EXECUTION.with_borrow(|execution| {
        let execution = execution.as_deref()?;
        execution.runtime().enter();
        Some(call(execution))
    })
}

/// Is a message being handled although the main routine has not begun? It may find state that only that routine sets.
pub(super) fn handles_before_run() -> bool {
    EXECUTION.with(|execution| {
        // Borrowed mutably while the execution is put there, which is no message.
        let execution = execution.try_borrow();
        execution.is_ok_and(|execution| {
            execution
                .as_deref()
                .is_some_and(|execution| !execution.has_begun())
        })
    })
}

fn not_started() -> Vec<FailureCause> {
    Failure::application("IllegalState", "the execution has not been started").into_wit()
}

fn handler(name: &str, description: &str) -> Handler {
    Handler {
        name: name.to_owned(),
        description: description.to_owned(),
        input_schema: None,
        output_schema: None,
    }
}

fn handlers(descriptors: &[HandlerDescriptor]) -> Vec<Handler> {
    descriptors
        .iter()
        .map(|descriptor| handler(descriptor.name, descriptor.description))
        .collect()
}

/// The SDK that this is.
pub(super) fn sdk() -> Sdk {
    Sdk {
        name: "longhaul-rust".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn definition(entry: &WorkflowEntry) -> WorkflowDefinition {
    let descriptor = (entry.descriptor)();
    let mut signals = handlers(descriptor.signals);
    signals.extend(entry.signals.iter().map(|name| handler(name, "")));
    WorkflowDefinition {
        name: descriptor.name.to_owned(),
        description: descriptor.description.to_owned(),
        dynamic_handlers: entry.dynamic,
        signals,
        queries: handlers(descriptor.queries),
        updates: descriptor
            .updates
            .iter()
            .map(|update| UpdateHandler {
                handler: handler(update.handler.name, update.handler.description),
                has_validator: update.has_validator,
            })
            .collect(),
        input_schema: None,
        output_schema: None,
    }
}

impl<M: WorkflowModule> Guest for ExportedWorkflows<M> {
    fn describe() -> Description {
        Description {
            sdk: sdk(),
            workflows: M::workflows().iter().map(definition).collect(),
        }
    }

    fn prepare() {
        super::report_panics();
        super::open_standard_streams();
    }

    fn start(info: ExecutionInfo, input: Vec<Payload>) -> Result<(), Vec<FailureCause>> {
        super::report_panics();
        let runtime = Runtime::new(Box::new(Imports), info);
        runtime.enter();
        let execution = instance::start(&M::workflows(), &runtime, input).map_err(Failure::into_wit)?;
        EXECUTION.set(Some(execution));
        Ok(())
    }

    fn signal(meta: MessageMeta, name: String, input: Vec<Payload>) {
        with(|execution| execution.signal(meta, name, input));
    }

    fn validate_update(
        id: String,
        meta: MessageMeta,
        name: String,
        input: Vec<Payload>,
    ) -> Result<(), Vec<FailureCause>> {
        with(|execution| {
            execution
                .validate_update(id, meta, &name, input)
                .map_err(Failure::into_wit)
        })
        .unwrap_or_else(|| Err(not_started()))
    }

    fn update(id: String, meta: MessageMeta, name: String, input: Vec<Payload>) {
        with(|execution| execution.update(id, meta, name, input));
    }

    fn query(name: String, input: Vec<Payload>, _: Header) -> Result<Payload, Vec<FailureCause>> {
        with(|execution| execution.query(&name, input).map_err(Failure::into_wit))
            .unwrap_or_else(|| Err(not_started()))
    }

    fn resolve(seq: u32, outcome: Outcome) {
        with(|execution| execution.runtime().resolve(seq, outcome));
    }

    fn cancel(reason: String) {
        with(|execution| execution.runtime().request_cancel(reason));
    }

    fn advance() {
        with(|execution| execution.advance());
    }

    fn waiting() -> Vec<WaitingTask> {
        with(|execution| execution.waiting()).unwrap_or_default()
    }
}
