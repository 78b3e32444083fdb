//! The part of a context that does not depend on the workflow's state.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::FusedFuture;

use super::activity::{ActivityFuture, LocalActivityFuture};
use super::child::ChildWorkflowStartFuture;
use super::external::ExternalWorkflowHandle;
use super::family::{FamilySignal, FamilySignalFuture};
use super::random::{WorkflowRandomStream, WorkflowRandomValue, uuid4};
use super::side_effect::side_effect;
use super::signals::{SignalBox, WaitSignal};
use super::timer::TimerFuture;
use super::view::WorkflowContextView;
use crate::cancellation::WorkflowCancellationToken;
use crate::data_converters::{
    Payload, PayloadConversionError, PayloadConverter, TemporalDeserializable, TemporalSerializable,
    encode_all,
};
use crate::definition::{ActivityDefinition, WorkflowDefinition};
use crate::failure::Failure;
use crate::host::{Header, MessageMeta, Sender};
use crate::memo::{Memo, MemoValue};
use crate::options::{
    ActivityOptions, ChildWorkflowOptions, FamilySignalOptions, LocalActivityOptions, SideEffectOptions,
    TimerOptions,
};
use crate::runtime::Runtime;
use crate::search_attributes::{SearchAttributeUpdate, SearchAttributes};

/// The update that a handler is working on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UpdateInfo {
    /// The id that the client gave it.
    pub id: String,
    /// The update's name.
    pub name: String,
}

/// Who sent a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MessageSender {
    /// A client, by its identity.
    Client(String),
    /// Another workflow.
    Workflow {
        /// Its workflow id.
        workflow_id: String,
        /// Its run id.
        run_id: String,
    },
}

impl From<Sender> for MessageSender {
    fn from(sender: Sender) -> Self {
        match sender {
            Sender::Client(identity) => Self::Client(identity),
            Sender::Workflow(execution) => Self::Workflow {
                workflow_id: execution.workflow_id,
                run_id: execution.run_id,
            },
        }
    }
}

/// The signal or update that a handler is working on.
#[derive(Debug)]
pub struct MessageInfo {
    /// The event that holds it; 0 while it is validated. A signal to oneself has none: it is the newest event there was.
    pub event_id: i64,
    /// When the server took it.
    pub time: SystemTime,
    /// Who sent it.
    pub sender: MessageSender,
    /// The update, if it is one.
    pub update: Option<UpdateInfo>,
    /// The signal to the family that it belongs to, if it belongs to one.
    pub family: Option<FamilySignal>,
    header: Header,
    headers: OnceCell<HashMap<String, Payload>>,
}

impl MessageInfo {
    /// A signal.
    pub(crate) fn signal(meta: MessageMeta, family: Option<FamilySignal>) -> Self {
        Self::new(meta, None, family)
    }

    /// An update.
    pub(crate) fn update(meta: MessageMeta, update: UpdateInfo) -> Self {
        Self::new(meta, Some(update), None)
    }

    fn new(meta: MessageMeta, update: Option<UpdateInfo>, family: Option<FamilySignal>) -> Self {
        Self {
            event_id: meta.event_id,
            time: time(meta.time),
            sender: meta.sender.into(),
            update,
            family,
            header: meta.header,
            headers: OnceCell::new(),
        }
    }

    /// Values that came with the message beside its arguments.
    pub fn headers(&self) -> &HashMap<String, Payload> {
        self.headers.get_or_init(|| self.header.iter().cloned().collect())
    }
}

pub(crate) fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// What every context may do and know. Commands are started at the call, not at the first poll; dropping a future cancels
/// nothing.
#[derive(Clone)]
pub struct BaseWorkflowContext {
    runtime: Rc<Runtime>,
    signals: Rc<SignalBox>,
    message: Option<Rc<MessageInfo>>,
}

impl fmt::Debug for BaseWorkflowContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BaseWorkflowContext")
            .field("workflow_id", &self.workflow_id())
            .finish_non_exhaustive()
    }
}

impl BaseWorkflowContext {
    pub(crate) fn new(runtime: Rc<Runtime>, signals: Rc<SignalBox>) -> Self {
        Self {
            runtime,
            signals,
            message: None,
        }
    }

    pub(crate) fn for_message(&self, message: MessageInfo) -> Self {
        Self {
            message: Some(Rc::new(message)),
            ..self.clone()
        }
    }

    pub(crate) fn runtime(&self) -> &Rc<Runtime> {
        &self.runtime
    }

    /// The workflow's id.
    pub fn workflow_id(&self) -> &str {
        &self.runtime.info.workflow_id
    }

    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.runtime.info.run_id
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.runtime.info.namespace
    }

    /// The workflow's task queue.
    pub fn task_queue(&self) -> &str {
        &self.runtime.info.task_queue
    }

    /// The workflow's type.
    pub fn workflow_type(&self) -> &str {
        &self.runtime.info.workflow_type
    }

    /// The workflow's time: when the current workflow task started. It does not move during a task.
    pub fn workflow_time(&self) -> Option<SystemTime> {
        Some(time(self.runtime.host.now()))
    }

    /// Events in history up to the current workflow task.
    pub fn history_length(&self) -> u32 {
        u32::try_from(self.runtime.host.task_info().history_length).unwrap_or(u32::MAX)
    }

    /// The size in bytes of the events in history up to the current workflow task.
    pub fn history_size_bytes(&self) -> u64 {
        self.runtime.host.task_info().history_size_bytes
    }

    /// Should the workflow go on as a new run soon?
    pub fn continue_as_new_suggested(&self) -> bool {
        self.runtime.host.task_info().continue_as_new_suggested
    }

    /// The execution's search attributes, with this run's own changes.
    pub fn search_attributes(&self) -> SearchAttributes {
        SearchAttributes::from_wit(self.runtime.host.search_attributes())
    }

    /// The execution's memo, with this run's own changes.
    pub fn memo(&self) -> Memo {
        Memo::new(self.runtime.host.memo())
    }

    /// Is history being replayed? For logs only: never decide anything by it.
    pub fn is_replaying(&self) -> bool {
        self.runtime.host.is_replaying()
    }

    /// Is history being replayed? For logs only: never decide anything by it.
    pub fn is_replaying_history_events(&self) -> bool {
        self.is_replaying()
    }

    /// Facts about the execution.
    pub fn info(&self) -> WorkflowContextView {
        WorkflowContextView::new(&self.runtime, self.message.clone())
    }

    /// The converter of payloads.
    pub fn payload_converter(&self) -> &PayloadConverter {
        &PayloadConverter
    }

    /// Values that came with the signal or update beside its arguments; in the run method, with the start.
    pub fn headers(&self) -> &HashMap<String, Payload> {
        match &self.message {
            Some(message) => message.headers(),
            None => self.signals.start_headers(&self.runtime.info.header),
        }
    }

    /// The signal or update that this handler is working on; none in the run method.
    pub fn current_message_info(&self) -> Option<&MessageInfo> {
        self.message.as_deref()
    }

    /// The update that this handler is working on; none elsewhere.
    pub fn current_update_info(&self) -> Option<UpdateInfo> {
        self.message.as_ref().and_then(|message| message.update.clone())
    }

    /// Have all signal and update handlers ended, this one included?
    pub fn all_handlers_finished(&self) -> bool {
        self.runtime.all_handlers_finished()
    }

    /// The token that is cancelled when the workflow is.
    pub fn cancellation_token(&self) -> WorkflowCancellationToken {
        self.runtime.root.clone()
    }

    /// Wait until the workflow is cancelled; resolves to the reason, if one was given.
    #[track_caller]
    pub fn cancelled(&self) -> impl FusedFuture<Output = Option<String>> + Unpin + use<> {
        let token = self.cancellation_token();
        let cancelled = token.cancelled();
        cancelled.map(move |()| token.reason()).fuse()
    }

    /// A random value, the same in every replay. Not for secrets.
    pub fn random<T: WorkflowRandomValue>(&self) -> T {
        self.random_stream(String::new()).random()
    }

    /// A random UUID (version 4), the same in every replay. Not for secrets.
    pub fn uuid4(&self) -> String {
        uuid4(&self.runtime)
    }

    /// A named stream of random values. Streams do not influence each other.
    pub fn random_stream(&self, name: impl Into<String>) -> WorkflowRandomStream {
        WorkflowRandomStream::new(&self.runtime, name.into())
    }

    /// Start a durable timer.
    #[track_caller]
    pub fn timer<T: Into<TimerOptions>>(&self, options: T) -> TimerFuture {
        TimerFuture::start(&self.runtime, options.into(), Location::caller())
    }

    /// Run an activity.
    #[track_caller]
    pub fn execute_activity<A: ActivityDefinition>(
        &self,
        activity: A,
        input: impl Into<A::Input>,
        options: ActivityOptions,
    ) -> ActivityFuture<A::Output> {
        ActivityFuture::start(
            &self.runtime,
            activity.name(),
            &input.into(),
            options,
            Location::caller(),
        )
    }

    /// Run an activity; another name of [`execute_activity`](Self::execute_activity).
    #[track_caller]
    pub fn start_activity<A: ActivityDefinition>(
        &self,
        activity: A,
        input: impl Into<A::Input>,
        options: ActivityOptions,
    ) -> ActivityFuture<A::Output> {
        self.execute_activity(activity, input, options)
    }

    /// Run an activity inside the workflow task.
    #[track_caller]
    pub fn execute_local_activity<A: ActivityDefinition>(
        &self,
        activity: A,
        input: impl Into<A::Input>,
        options: LocalActivityOptions,
    ) -> LocalActivityFuture<A::Output> {
        LocalActivityFuture::start(
            &self.runtime,
            activity.name(),
            &input.into(),
            options,
            Location::caller(),
        )
    }

    /// Run an activity inside the workflow task; another name of
    /// [`execute_local_activity`](Self::execute_local_activity).
    #[track_caller]
    pub fn start_local_activity<A: ActivityDefinition>(
        &self,
        activity: A,
        input: impl Into<A::Input>,
        options: LocalActivityOptions,
    ) -> LocalActivityFuture<A::Output> {
        self.execute_local_activity(activity, input, options)
    }

    /// Start a child workflow. Resolves when it has started, to a handle for its result.
    #[track_caller]
    pub fn start_child_workflow<W: WorkflowDefinition + 'static>(
        &self,
        workflow: W,
        input: impl Into<W::Input>,
        options: ChildWorkflowOptions,
    ) -> ChildWorkflowStartFuture<W> {
        ChildWorkflowStartFuture::start(
            &self.runtime,
            workflow.name(),
            &input.into(),
            options,
            Location::caller(),
        )
    }

    /// Start a child workflow; another name of [`start_child_workflow`](Self::start_child_workflow).
    #[track_caller]
    pub fn child_workflow<W: WorkflowDefinition + 'static>(
        &self,
        workflow: W,
        input: impl Into<W::Input>,
        options: ChildWorkflowOptions,
    ) -> ChildWorkflowStartFuture<W> {
        self.start_child_workflow(workflow, input, options)
    }

    /// A handle to another execution in the namespace; without a run id, to whichever run is open.
    pub fn external_workflow(
        &self,
        workflow_id: impl Into<String>,
        run_id: Option<String>,
    ) -> ExternalWorkflowHandle {
        ExternalWorkflowHandle::new(&self.runtime, workflow_id.into(), run_id)
    }

    /// Send a signal to the family: to oneself, to the parent and to the children that run; with
    /// [`propagate`](FamilySignalOptions::propagate) also to theirs in turn, each of whom gets it once. Resolves when at
    /// least one has it.
    ///
    /// What goes to others is sent by this call, an external signal each; what goes to oneself leaves no event: it is
    /// handled once no other task can run. The receivers may have different types, so the signal is known by its name;
    /// it reaches the handler of that name, or [`wait_signal`](Self::wait_signal).
    ///
    /// A type that is `#[workflow(propagate_signals_to_parent = false)]` never sends one to its parent.
    #[track_caller]
    pub fn signal_family<T: TemporalSerializable + 'static>(
        &self,
        name: impl Into<String>,
        input: T,
        options: FamilySignalOptions,
    ) -> FamilySignalFuture {
        let input = encode_all(&input);
        FamilySignalFuture::send(
            &self.runtime,
            &self.signals,
            name.into(),
            input,
            options,
            Location::caller(),
        )
    }

    /// Does this run take the new side of a change to its code?
    pub fn patched(&self, patch_id: &str) -> bool {
        self.runtime.host.patched(patch_id, false)
    }

    /// Only the new side of a change is left.
    pub fn deprecate_patch(&self, patch_id: &str) -> bool {
        self.runtime.host.patched(patch_id, true)
    }

    /// Run a function once, and record its value: every replay gets that one, whatever the function would make then.
    ///
    /// The value is what comes of it when it is written and read again. The function must do nothing else that stays, because it does
    /// not run in a replay: it changes no state, and the host refuses commands in it. Random values from this context are its own:
    /// drawing them changes nothing outside.
    ///
    /// # Panics
    /// Which fails the workflow task: if the value cannot be written, or what history has is of another type.
    #[track_caller]
    pub fn side_effect<T>(&self, make: impl FnOnce() -> T) -> T
    where
        T: TemporalSerializable + TemporalDeserializable + 'static,
    {
        side_effect(&self.runtime, &SideEffectOptions::default(), make)
    }

    /// [`side_effect`](Self::side_effect) with options.
    ///
    /// # Panics
    /// As `side_effect`.
    #[track_caller]
    pub fn side_effect_with_options<T>(&self, options: SideEffectOptions, make: impl FnOnce() -> T) -> T
    where
        T: TemporalSerializable + TemporalDeserializable + 'static,
    {
        side_effect(&self.runtime, &options, make)
    }

    /// Set or remove search attributes.
    pub fn upsert_search_attributes(&self, updates: impl IntoIterator<Item = SearchAttributeUpdate>) {
        let updates: Vec<_> = updates.into_iter().map(SearchAttributeUpdate::into_wit).collect();
        self.runtime.host.upsert_search_attributes(&updates);
    }

    /// Set memo fields, or with none remove them.
    ///
    /// # Errors
    /// If a value cannot be written; then nothing is changed.
    pub fn upsert_memo<K: Into<String>>(
        &self,
        updates: impl IntoIterator<Item = (K, Option<MemoValue>)>,
    ) -> Result<(), PayloadConversionError> {
        let mut fields = Vec::new();
        for (key, value) in updates {
            fields.push((key.into(), value.map(MemoValue::into_payload).transpose()?));
        }
        self.runtime.host.upsert_memo(&fields);
        Ok(())
    }

    /// A text (Markdown) about the present state, for tools to show.
    pub fn set_current_details(&self, details: impl Into<String>) {
        self.runtime.host.set_current_details(&details.into());
    }

    /// Fail the workflow task, not the workflow: it is tried again later.
    pub fn force_task_fail(&self, with: impl Into<Box<dyn std::error::Error + Send + Sync>>) {
        let failure: Failure = crate::error::from_std(with.into().as_ref());
        self.runtime.host.fail_task(&failure.into_wit());
    }

    /// Wait for the newest value of a signal that has no handler; resolves at once if there is one.
    ///
    /// The name has to be declared, by `#[workflow(signals("name"))]`, or the type has to be `#[workflow(dynamic)]`.
    #[track_caller]
    pub fn wait_signal<T: TemporalDeserializable + 'static>(&self, name: impl Into<String>) -> WaitSignal<T> {
        WaitSignal::new(&self.runtime, &self.signals, name.into(), Location::caller())
    }
}
