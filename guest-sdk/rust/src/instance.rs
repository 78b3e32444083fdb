//! One execution: a workflow's state, and what its messages do.

use std::rc::Rc;

use crate::context::{
    BaseWorkflowContext, FamilySignal, MessageInfo, OwnSignal, Passed, SignalBox, UpdateInfo,
    WorkflowContext, WorkflowContextView,
};
use crate::data_converters::Payload;
use crate::definitions::{
    Arguments, HandlerDescriptor, HandlerError, HandlerUnfinishedPolicy, SignalCall, UpdateCall,
    WorkflowDescriptor, WorkflowImplementation,
};
use crate::error::{BoxError, OutgoingWorkflowError, failure_of};
use crate::failure::Failure;
use crate::host::{LogLevel, MessageMeta, WaitingTask};
use crate::runtime::{HandlerKind, Runtime, TaskName};
use crate::workflow_result::WorkflowTermination;

/// The type of the failure with which an unknown update or query is refused, as by Temporal's Python SDK.
const UNKNOWN_HANDLER_TYPE: &str = "RuntimeError";

/// The type of the failure that says that an argument does not decode.
const ARGUMENT_TYPE: &str = "InvalidArgument";

/// Queries that the host answers.
const BUILT_IN_QUERIES: [&str; 2] = ["__stack_trace", "__temporal_workflow_metadata"];

type Start = fn(&Rc<Runtime>, Vec<Payload>) -> Result<Box<dyn Execution>, Failure>;

/// A workflow type of this component.
pub struct WorkflowEntry {
    pub(crate) descriptor: fn() -> WorkflowDescriptor,
    pub(crate) dynamic: bool,
    pub(crate) signals: &'static [&'static str],
    start: Start,
}

impl WorkflowEntry {
    /// The entry of a workflow type.
    pub fn of<W: WorkflowImplementation>() -> Self {
        Self {
            descriptor: W::descriptor,
            dynamic: W::DYNAMIC,
            signals: W::SIGNALS,
            start: |runtime, input| Ok(Box::new(TypedExecution::<W>::start(runtime, input)?)),
        }
    }
}

/// Construct the state of an execution.
pub(crate) fn start(
    entries: &[WorkflowEntry],
    runtime: &Rc<Runtime>,
    input: Vec<Payload>,
) -> Result<Box<dyn Execution>, Failure> {
    let wanted = &runtime.info.workflow_type;
    match entries.iter().find(|entry| (entry.descriptor)().name == *wanted) {
        Some(entry) => (entry.start)(runtime, input),
        None => {
            let known: Vec<&str> = entries.iter().map(|entry| (entry.descriptor)().name).collect();
            let message = format!(
                "Workflow type '{wanted}' is not defined by this component. It defines: [{}]",
                known.join(" ")
            );
            Err(Failure::application("NotFoundError", message))
        }
    }
}

/// An execution, without its type.
pub(crate) trait Execution {
    fn signal(&self, meta: MessageMeta, name: String, input: Vec<Payload>);
    fn validate_update(
        &self,
        id: String,
        meta: MessageMeta,
        name: &str,
        input: Vec<Payload>,
    ) -> Result<(), Failure>;
    fn update(&self, id: String, meta: MessageMeta, name: String, input: Vec<Payload>);
    fn query(&self, name: &str, input: Vec<Payload>) -> Result<Payload, Failure>;
    fn advance(&self);
    /// Has the main routine been polled?
    fn has_begun(&self) -> bool;
    fn runtime(&self) -> &Rc<Runtime>;

    fn waiting(&self) -> Vec<WaitingTask> {
        self.runtime().waiting()
    }
}

struct TypedExecution<W> {
    context: WorkflowContext<W>,
    signals: Rc<SignalBox>,
    /// The main routine, until the first `advance`.
    run: std::cell::Cell<Option<futures_util::future::LocalBoxFuture<'static, ()>>>,
    warned: std::cell::Cell<bool>,
}

impl<W: WorkflowImplementation> TypedExecution<W> {
    fn start(runtime: &Rc<Runtime>, input: Vec<Payload>) -> Result<Self, Failure> {
        let input = Arguments::new(input);
        let refuse = |error: crate::definitions::ArgumentError| {
            let message = format!("Workflow '{}' cannot start: {error}", W::descriptor().name);
            Failure::application(ARGUMENT_TYPE, message)
        };
        let state = W::init(&WorkflowContextView::new(runtime, None), &input).map_err(refuse)?;
        let signals = Rc::new(SignalBox::new(W::PROPAGATE_SIGNALS_TO_PARENT));
        let context = WorkflowContext::new(BaseWorkflowContext::new(runtime.clone(), signals.clone()), state);
        let run = W::run(context.clone(), &input).map_err(refuse)?;
        let finish = runtime.clone();
        let run: futures_util::future::LocalBoxFuture<'static, ()> = Box::pin(async move {
            match run.await {
                Ok(output) => {
                    finish.host.complete(&[output]);
                    finish.close();
                }
                Err(termination) => terminate(&finish, termination),
            }
        });
        Ok(Self {
            context,
            signals,
            run: Some(run).into(),
            warned: false.into(),
        })
    }

    fn policy(name: &str, handlers: &[HandlerDescriptor]) -> HandlerUnfinishedPolicy {
        let handler = handlers.iter().find(|handler| handler.name == name);
        handler
            .map(|handler| handler.unfinished_policy)
            .unwrap_or_default()
    }

    fn unknown_update(name: &str) -> Failure {
        let mut known: Vec<&str> = W::descriptor()
            .updates
            .iter()
            .map(|update| update.handler.name)
            .collect();
        known.sort_unstable();
        let message = format!(
            "Update handler for '{name}' expected but not found, and there is no dynamic handler. known updates: [{}]",
            known.join(" ")
        );
        Failure::application(UNKNOWN_HANDLER_TYPE, message)
    }

    /// Begin a signal's handler, or keep the signal where there is none.
    fn deliver(&self, meta: MessageMeta, family: Option<FamilySignal>, name: String, input: Vec<Payload>) {
        let runtime = self.runtime();
        let kept = meta.clone();
        let context = self
            .context
            .for_message(MessageInfo::signal(meta, family.clone()));
        let arguments = Arguments::new(input);
        let guard = runtime.begin_handler(
            HandlerKind::Signal,
            &name,
            Self::policy(&name, W::descriptor().signals),
        );
        match W::signal(&context, &name, &arguments) {
            None => {
                drop(guard);
                runtime.wake_in_order(self.signals.keep(kept, family, name, arguments.into_payloads()));
            }
            Some(Err(error)) => {
                let message = format!("Signal '{name}' of event {} was dropped: {error}", kept.event_id);
                runtime.host.log(LogLevel::Warn, &message, &[]);
            }
            Some(Ok(SignalCall::Done(result))) => end_signal(runtime, result),
            Some(Ok(SignalCall::Running(future))) => {
                let end = runtime.clone();
                let task = Box::pin(async move {
                    let result = future.await;
                    drop(guard);
                    end_signal(&end, result);
                });
                runtime.run_handler(TaskName::Signal(name), task);
            }
        }
    }

    /// Deliver what the run has sent to itself. True if there was something.
    fn deliver_own(&self) -> bool {
        let Some(OwnSignal {
            meta,
            family,
            name,
            input,
        }) = self.signals.next_own()
        else {
            return false;
        };
        self.deliver(meta, Some(family), name, input);
        true
    }

    /// What unfinished handlers and unhandled signals mean for the user. Logged once, when the run closes.
    fn warn_at_close(&self) {
        let runtime = self.runtime();
        if !runtime.is_closed() || self.warned.replace(true) {
            return;
        }
        let warn = |message: String| runtime.host.log(LogLevel::Warn, &message, &[]);
        let end =
            "Wait for all_handlers_finished before the workflow ends, or set unfinished_policy to Abandon.";
        let signals = runtime.unfinished_handlers(HandlerKind::Signal);
        if !signals.is_empty() {
            warn(format!(
                "Workflow finished while signal handlers are still running: [{}]. {end}",
                signals.join(" ")
            ));
        }
        let updates = runtime.unfinished_handlers(HandlerKind::Update);
        if !updates.is_empty() {
            warn(format!(
                "Workflow finished while update handlers are still running: [{}]. Their callers get an error. {end}",
                updates.join(" ")
            ));
        }
        let unseen = self.signals.unseen();
        if !unseen.is_empty() {
            warn(format!(
                "Workflow finished with signals that nobody took: [{}]",
                unseen.join(" ")
            ));
        }
    }
}

impl<W: WorkflowImplementation> Execution for TypedExecution<W> {
    fn runtime(&self) -> &Rc<Runtime> {
        self.context.runtime()
    }

    fn signal(&self, meta: MessageMeta, name: String, input: Vec<Payload>) {
        match self.signals.pass_on(self.runtime(), &meta, &name, &input) {
            Passed::Again => {}
            Passed::First(family) => self.deliver(meta, Some(family), name, input),
            Passed::NotFamily => self.deliver(meta, None, name, input),
        }
    }

    fn validate_update(
        &self,
        id: String,
        meta: MessageMeta,
        name: &str,
        input: Vec<Payload>,
    ) -> Result<(), Failure> {
        let update = UpdateInfo {
            id,
            name: name.to_owned(),
        };
        let message = MessageInfo::update(meta, update);
        let view = WorkflowContextView::new(self.runtime(), Some(Rc::new(message)));
        let arguments = Arguments::new(input);
        match self
            .context
            .state(|state| state.validate_update(&view, name, &arguments))
        {
            None => Err(Self::unknown_update(name)),
            Some(result) => result.map_err(|error| refusal("Update", name, error)),
        }
    }

    fn update(&self, id: String, meta: MessageMeta, name: String, input: Vec<Payload>) {
        let runtime = self.runtime();
        let update = UpdateInfo {
            id: id.clone(),
            name: name.clone(),
        };
        let context = self.context.for_message(MessageInfo::update(meta, update));
        let handler = W::descriptor()
            .updates
            .iter()
            .find(|update| update.handler.name == name);
        let policy = handler
            .map(|update| update.handler.unfinished_policy)
            .unwrap_or_default();
        let guard = runtime.begin_handler(HandlerKind::Update, &name, policy);
        match W::update(&context, &name, &Arguments::new(input)) {
            None => end_update(runtime, &id, Err(Self::unknown_update(&name))),
            Some(Err(error)) => {
                let failure = refusal("Update", &name, HandlerError::Argument(error));
                end_update(runtime, &id, Err(failure));
            }
            Some(Ok(UpdateCall::Done(result))) => {
                end_update(runtime, &id, result.map_err(|error| failure_of(&error)));
            }
            Some(Ok(UpdateCall::Running(future))) => {
                let end = runtime.clone();
                let task = Box::pin(async move {
                    let result = future.await;
                    drop(guard);
                    end_update(&end, &id, result.map_err(|error| failure_of(&error)));
                });
                runtime.run_handler(TaskName::Update(name), task);
            }
        }
    }

    fn query(&self, name: &str, input: Vec<Payload>) -> Result<Payload, Failure> {
        let view = WorkflowContextView::new(self.runtime(), None);
        let arguments = Arguments::new(input);
        match self.context.state(|state| state.query(&view, name, &arguments)) {
            None => {
                let mut known: Vec<&str> = W::descriptor().queries.iter().map(|query| query.name).collect();
                known.extend(BUILT_IN_QUERIES);
                known.sort_unstable();
                let message = format!(
                    "Query handler for '{name}' expected but not found, known queries: [{}]",
                    known.join(" ")
                );
                Err(Failure::application(UNKNOWN_HANDLER_TYPE, message))
            }
            Some(result) => result.map_err(|error| refusal("Query", name, error)),
        }
    }

    fn has_begun(&self) -> bool {
        let run = self.run.take();
        let has_begun = run.is_none();
        self.run.set(run);
        has_begun
    }

    fn advance(&self) {
        if let Some(run) = self.run.take() {
            self.runtime().spawn(TaskName::Run, run);
        }
        self.runtime().advance(|| self.deliver_own());
        self.warn_at_close();
    }
}

fn refusal(kind: &str, name: &str, error: HandlerError) -> Failure {
    match error {
        HandlerError::Argument(error) => {
            Failure::application(ARGUMENT_TYPE, format!("{kind} '{name}': {error}"))
        }
        HandlerError::Failed(error) => failure_of(&error),
    }
}

fn end_update(runtime: &Runtime, id: &str, result: Result<Payload, Failure>) {
    let outcome = result.map(|output| vec![output]).map_err(Failure::into_wit);
    runtime.host.complete_update(id, outcome);
}

fn end_signal(runtime: &Runtime, result: Result<(), BoxError>) {
    let Err(error) = result else { return };
    let termination = WorkflowTermination::from_handler(error);
    // The handler has met the workflow's cancellation: how the workflow answers it, the main routine decides.
    if runtime.root.is_cancelled() && termination.is_cancellation() {
        return;
    }
    terminate(runtime, termination);
}

/// Give the terminal command.
fn terminate(runtime: &Runtime, termination: WorkflowTermination) {
    let fail_task = |error: &OutgoingWorkflowError| runtime.host.fail_task(&error.to_failure().into_wit());
    match termination {
        WorkflowTermination::ContinueAsNew(request) => runtime.host.continue_as_new(&request.0),
        WorkflowTermination::Cancelled { details } => {
            match details.map_or(Ok(Vec::new()), |details| details.0) {
                Ok(details) => runtime.host.cancelled(&details),
                Err(error) => return fail_task(&error.into()),
            }
        }
        WorkflowTermination::Failed(error @ OutgoingWorkflowError::PayloadConversion(_)) => {
            return fail_task(&error);
        }
        WorkflowTermination::Failed(error) => match error.as_cancelled() {
            Some(cancelled) if runtime.root.is_cancelled() => {
                runtime
                    .host
                    .cancelled(cancelled.raw_details().unwrap_or_default());
            }
            _ => runtime.host.fail(&error.to_failure().into_wit()),
        },
    }
    runtime.close();
}
