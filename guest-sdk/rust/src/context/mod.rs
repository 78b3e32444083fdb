//! What workflow code may do and know.

mod activity;
mod base;
mod child;
mod condition;
mod external;
mod family;
mod random;
mod side_effect;
mod signals;
mod timer;
mod view;

pub use activity::{ActivityFuture, LocalActivityFuture};
pub(crate) use base::time;
pub use base::{BaseWorkflowContext, MessageInfo, MessageSender, UpdateInfo};
pub use child::{ChildWorkflowFuture, ChildWorkflowStartFuture, StartedChildWorkflow};
use condition::{WaitCondition, WaitConditionTimeout};
pub use external::{CancelExternalFuture, ExternalWorkflowHandle, SignalFuture};
pub use family::{FamilySignal, FamilySignalError, FamilySignalFuture};
pub(crate) use family::{OwnSignal, Passed};
pub use random::{WorkflowRandomStream, WorkflowRandomValue};
pub(crate) use signals::SignalBox;
pub use signals::{SignalDelivery, WaitSignal, WaitSignalError};
pub use timer::TimerFuture;
pub use view::{NamespacedWorkflowInfo, WorkflowContextView, WorkflowExecution};

use std::cell::RefCell;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::FusedFuture;

use crate::cancellation::WorkflowCancellationError;
use crate::data_converters::encode_all;
use crate::definition::WorkflowDefinition;
use crate::definitions::WorkflowImplementation;
use crate::host;
use crate::options::{ContinueAsNewOptions, WaitConditionOptions, nanos};
use crate::workflow_result::{ContinueAsNewRequest, WorkflowTermination};

/// A future that can be cancelled.
pub trait CancellableFuture: FusedFuture {
    /// Cancel what the future stands for.
    fn cancel(&self);
}

/// A future that can be cancelled with a reason.
pub trait CancellableFutureWithReason: CancellableFuture {
    /// Cancel what the future stands for, and say why.
    fn cancel_with_reason(&self, reason: String);
}

/// The context of plain signal and update handlers: everything but the state, which they have as `&mut self`.
///
/// What it may do stands with [`BaseWorkflowContext`].
pub struct SyncWorkflowContext<W> {
    base: BaseWorkflowContext,
    workflow: PhantomData<fn() -> W>,
}

impl<W> Clone for SyncWorkflowContext<W> {
    fn clone(&self) -> Self {
        Self {
            base: self.base.clone(),
            workflow: PhantomData,
        }
    }
}

impl<W> Deref for SyncWorkflowContext<W> {
    type Target = BaseWorkflowContext;

    fn deref(&self) -> &BaseWorkflowContext {
        &self.base
    }
}

impl<W> SyncWorkflowContext<W> {
    /// Go on as a new run with an empty history. Always an error, to be passed on with `?`.
    ///
    /// # Errors
    /// Always: the termination that goes on as the new run, or one that says which value could not be written.
    pub fn continue_as_new(
        &self,
        input: <W as WorkflowDefinition>::Input,
        options: ContinueAsNewOptions,
    ) -> Result<Infallible, WorkflowTermination>
    where
        W: WorkflowImplementation,
    {
        let request = host::ContinueAsNewOptions {
            workflow_type: options.workflow_type,
            task_queue: options.task_queue,
            input: encode_all(&input)?,
            header: Vec::new(),
            run_timeout: options.run_timeout.map(nanos),
            task_timeout: options.task_timeout.map(nanos),
            memo: options.memo.map(crate::memo::MemoValues::into_wit).transpose()?,
            search_attributes: options
                .search_attributes
                .map(crate::search_attributes::SearchAttributes::into_wit),
            retry_policy: options.retry_policy.map(Into::into),
        };
        Err(WorkflowTermination::ContinueAsNew(Box::new(
            ContinueAsNewRequest(request),
        )))
    }
}

/// The context of the run method and of async handlers.
///
/// It can be cloned and moved into futures. What it may do stands with [`BaseWorkflowContext`] and here.
pub struct WorkflowContext<W> {
    sync: SyncWorkflowContext<W>,
    state: Rc<RefCell<W>>,
}

impl<W> Clone for WorkflowContext<W> {
    fn clone(&self) -> Self {
        Self {
            sync: self.sync.clone(),
            state: self.state.clone(),
        }
    }
}

impl<W> Deref for WorkflowContext<W> {
    type Target = SyncWorkflowContext<W>;

    fn deref(&self) -> &SyncWorkflowContext<W> {
        &self.sync
    }
}

impl<W> WorkflowContext<W> {
    pub(crate) fn new(base: BaseWorkflowContext, state: W) -> Self {
        Self {
            sync: SyncWorkflowContext {
                base,
                workflow: PhantomData,
            },
            state: Rc::new(RefCell::new(state)),
        }
    }

    /// The same state for the handler of a message.
    pub(crate) fn for_message(&self, message: MessageInfo) -> Self {
        let base = self.sync.base.for_message(message);
        Self {
            sync: SyncWorkflowContext {
                base,
                workflow: PhantomData,
            },
            state: self.state.clone(),
        }
    }

    /// The context without the state.
    pub fn sync_context(&self) -> SyncWorkflowContext<W> {
        self.sync.clone()
    }

    /// Read the state.
    pub fn state<R>(&self, read: impl FnOnce(&W) -> R) -> R {
        read(&self.state.borrow())
    }

    /// Change the state.
    pub fn state_mut<R>(&self, change: impl FnOnce(&mut W) -> R) -> R {
        let result = change(&mut self.state.borrow_mut());
        self.runtime().changed();
        result
    }

    /// Wait until the condition holds for the state. It is looked at now and again after every change.
    ///
    /// Resolves to an error when the workflow is cancelled first.
    #[track_caller]
    pub fn wait_condition<'a>(
        &'a self,
        condition: impl FnMut(&W) -> bool + 'a,
    ) -> impl FusedFuture<Output = Result<(), WorkflowCancellationError>> + 'a {
        WaitCondition::new(
            self,
            Box::new(condition),
            WaitConditionOptions::default(),
            Location::caller(),
        )
    }

    /// Wait until the condition holds for the state, with options.
    #[track_caller]
    pub fn wait_condition_with_options<'a>(
        &'a self,
        condition: impl FnMut(&W) -> bool + 'a,
        options: WaitConditionOptions,
    ) -> impl FusedFuture<Output = Result<(), WorkflowCancellationError>> + 'a {
        WaitCondition::new(self, Box::new(condition), options, Location::caller())
    }

    /// Wait until the condition holds for the state, but not longer than the timeout: true if it holds.
    ///
    /// Where it does not hold at once, this is one timer, which is cancelled as soon as the condition holds. If both
    /// happen in the same workflow task, the condition counts. Resolves to an error when the workflow is cancelled first.
    #[track_caller]
    pub fn wait_condition_timeout<'a>(
        &'a self,
        condition: impl FnMut(&W) -> bool + 'a,
        timeout: Duration,
    ) -> impl FusedFuture<Output = Result<bool, WorkflowCancellationError>> + 'a {
        let options = WaitConditionOptions::default();
        WaitConditionTimeout::new(self, Box::new(condition), timeout, options, Location::caller())
    }

    /// Wait until the condition holds for the state, but not longer than the timeout, with options: what ends the wait
    /// also cancels the timer.
    #[track_caller]
    pub fn wait_condition_timeout_with_options<'a>(
        &'a self,
        condition: impl FnMut(&W) -> bool + 'a,
        timeout: Duration,
        options: WaitConditionOptions,
    ) -> impl FusedFuture<Output = Result<bool, WorkflowCancellationError>> + 'a {
        WaitConditionTimeout::new(self, Box::new(condition), timeout, options, Location::caller())
    }
}
