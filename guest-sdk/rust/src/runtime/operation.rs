//! Operations: timers, activities, children, signals and cancel requests that this run has started.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{Awaits, Parked, Place, Runtime};
use crate::bindings::workflow::longhaul::workflow::types::{ChildWorkflowFailure, FailureInfo, RetryState};
use crate::cancellation::WorkflowCancellationToken;
use crate::failure::Failure;
use crate::host::Outcome;
use crate::options::{ActivityCancellationType, ChildWorkflowCancellationType};

/// What an operation is, as far as its cancellation goes.
pub(crate) enum Kind {
    Timer,
    Activity(ActivityCancellationType),
    LocalActivity(ActivityCancellationType),
    Child {
        cancellation: ChildWorkflowCancellationType,
        workflow_id: Rc<str>,
        workflow_type: Rc<str>,
    },
    Signal,
    CancelExternal,
}

/// One of the two things that a child awaits; other operations have an end only.
#[derive(Default)]
struct Stage {
    over: Cell<bool>,
    outcome: RefCell<Option<Outcome>>,
    wait: Cell<Option<u64>>,
}

impl Stage {
    fn resolve(&self, outcome: Outcome) -> Option<u64> {
        if self.over.replace(true) {
            return None;
        }
        *self.outcome.borrow_mut() = Some(outcome);
        self.wait.get()
    }
}

/// An operation that this run has started.
pub(crate) struct Operation {
    pub(crate) seq: u32,
    kind: Kind,
    token: Option<WorkflowCancellationToken>,
    /// The workflow task in which it was started: until that task ends, nothing has been sent.
    workflow_task: u64,
    cancelled: Cell<bool>,
    started: Stage,
    ended: Stage,
}

impl Operation {
    /// Take an outcome. The wait that it ends, if there is one.
    pub(super) fn resolve(&self, outcome: Outcome) -> Option<u64> {
        match outcome {
            Outcome::ChildStarted(_) => self.started.resolve(outcome),
            Outcome::ChildStartFailed(_) => {
                self.ended.over.set(true);
                self.started.resolve(outcome)
            }
            Outcome::Cancelled(_) | Outcome::Failed(_)
                if matches!(self.kind, Kind::Child { .. }) && !self.started.over.get() =>
            {
                self.ended.over.set(true);
                self.started.resolve(outcome)
            }
            outcome => self.ended.resolve(outcome),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.over.get()
    }

    /// The workflow id, if this is a child that has started and not ended.
    pub(super) fn running_child(&self) -> Option<Rc<str>> {
        match &self.kind {
            Kind::Child { workflow_id, .. } if self.started.over.get() && !self.has_ended() => {
                Some(workflow_id.clone())
            }
            _ => None,
        }
    }
}

impl Runtime {
    /// Start an operation: `send` gives it to the host. Cancelled at once if its token is.
    pub(crate) fn start(
        self: &Rc<Self>,
        kind: Kind,
        token: Option<WorkflowCancellationToken>,
        send: impl FnOnce(u32),
    ) -> Rc<Operation> {
        let seq = self.next_seq();
        let operation = Rc::new(Operation {
            seq,
            kind,
            token: token.clone(),
            workflow_task: self.workflow_task(),
            cancelled: Cell::new(false),
            started: Stage::default(),
            ended: Stage::default(),
        });
        self.operations.borrow_mut().insert(seq, operation.clone());
        send(seq);
        if let Some(token) = token {
            if token.is_cancelled() {
                self.cancel_operation(seq, token.reason().as_deref());
            } else {
                token.add_operation(seq, Rc::downgrade(self));
            }
        }
        operation
    }

    /// Cancel an operation, once, unless it has ended. The waits that end by it.
    pub(crate) fn cancel_operation(&self, seq: u32, reason: Option<&str>) -> Vec<u64> {
        let Some(operation) = self.operations.borrow().get(&seq).cloned() else {
            return Vec::new();
        };
        if operation.has_ended() || operation.cancelled.get() {
            return Vec::new();
        }
        let sent = operation.workflow_task != self.workflow_task();
        let ends_at_once = match &operation.kind {
            Kind::CancelExternal => return Vec::new(),
            Kind::Timer => {
                self.host.cancel_timer(seq);
                true
            }
            Kind::Activity(cancellation) => {
                self.host.cancel_activity(seq);
                *cancellation != ActivityCancellationType::WaitCancellationCompleted
            }
            Kind::LocalActivity(cancellation) => {
                self.host.cancel_local_activity(seq);
                *cancellation != ActivityCancellationType::WaitCancellationCompleted
            }
            Kind::Child { cancellation, .. } => {
                self.host.cancel_child(seq, reason.unwrap_or_default());
                matches!(
                    cancellation,
                    ChildWorkflowCancellationType::Abandon | ChildWorkflowCancellationType::TryCancel
                )
            }
            Kind::Signal => {
                self.host.cancel_signal_external(seq);
                false
            }
        };
        operation.cancelled.set(true);
        if sent && !ends_at_once {
            return Vec::new();
        }
        let wait = operation.resolve(Outcome::Cancelled(self.cancelled(&operation.kind).into_wit()));
        self.forget(&operation);
        wait.into_iter().collect()
    }

    /// An operation has ended: nothing reaches it any more.
    pub(super) fn forget(&self, operation: &Operation) {
        self.operations.borrow_mut().remove(&operation.seq);
        if let Some(token) = &operation.token {
            token.remove_operation(operation.seq);
        }
    }

    fn cancelled(&self, kind: &Kind) -> Failure {
        match kind {
            Kind::Timer => Failure::cancelled("Timer cancelled"),
            Kind::Activity(_) | Kind::LocalActivity(_) => Failure::cancelled("Activity cancelled"),
            Kind::Signal | Kind::CancelExternal => {
                Failure::cancelled("Signal was cancelled before being sent")
            }
            Kind::Child {
                workflow_id,
                workflow_type,
                ..
            } => {
                let info = FailureInfo::ChildWorkflow(ChildWorkflowFailure {
                    namespace: self.info.namespace.clone(),
                    workflow_id: workflow_id.as_ref().to_owned(),
                    run_id: String::new(),
                    workflow_type: workflow_type.as_ref().to_owned(),
                    initiated_event_id: 0,
                    started_event_id: 0,
                    retry_state: RetryState::NonRetryableFailure,
                });
                Failure::new("Child Workflow execution cancelled", info)
                    .with_cause(Failure::cancelled("Child Workflow execution cancelled"))
            }
        }
    }
}

/// A future's side of an operation.
pub(crate) struct Awaited {
    runtime: Rc<Runtime>,
    operation: Rc<Operation>,
    /// Awaits the start of a child, not the end.
    start: bool,
    awaits: Awaits,
    place: Place,
    parked: Parked,
    taken: bool,
}

impl Awaited {
    /// Await the operation's end.
    pub(crate) fn end(runtime: &Rc<Runtime>, operation: Rc<Operation>, awaits: Awaits, place: Place) -> Self {
        let runtime = runtime.clone();
        Self {
            runtime,
            operation,
            start: false,
            awaits,
            place,
            parked: Parked::default(),
            taken: false,
        }
    }

    /// Await the child's start.
    pub(crate) fn start(
        runtime: &Rc<Runtime>,
        operation: Rc<Operation>,
        awaits: Awaits,
        place: Place,
    ) -> Self {
        Self {
            start: true,
            ..Self::end(runtime, operation, awaits, place)
        }
    }

    pub(crate) fn runtime(&self) -> &Rc<Runtime> {
        &self.runtime
    }

    pub(crate) fn operation(&self) -> &Rc<Operation> {
        &self.operation
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Has the outcome been taken?
    pub(crate) fn is_taken(&self) -> bool {
        self.taken
    }

    pub(crate) fn cancel(&self, reason: Option<&str>) {
        let woken = self.runtime.cancel_operation(self.operation.seq, reason);
        self.runtime.wake_in_order(woken);
    }

    /// The outcome, once.
    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<Outcome> {
        let stage = if self.start {
            &self.operation.started
        } else {
            &self.operation.ended
        };
        if let Some(outcome) = stage.outcome.borrow_mut().take() {
            self.taken = true;
            self.parked.leave();
            return Poll::Ready(outcome);
        }
        if !self.taken {
            let seq = Some(self.operation.seq);
            if self
                .parked
                .park(&self.runtime, context, || self.awaits.clone(), seq, self.place)
            {
                stage.wait.set(self.parked.number());
            }
        }
        Poll::Pending
    }
}
