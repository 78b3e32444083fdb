//! Signals to the family: to oneself, to the parent and to the children, and on request to theirs in turn.
//!
//! Each that goes to another execution is an external signal of its own, with a header that names the call and says in which
//! directions its receiver passes it on. A receiver passes each call on once and never back to where it came from, so that
//! each member of the family gets it once.
//!
//! In history a signal to the family has Temporal's events and no others:
//!
//! - The sender has a `SignalExternalWorkflowExecutionInitiated` for each receiver: for the parent by its workflow id alone, for a
//!   child with `child_workflow_only`. Each ends in `ExternalWorkflowExecutionSignaled` or
//!   `SignalExternalWorkflowExecutionFailed`.
//! - The receiver has a `WorkflowExecutionSignaled` that names the sender. If it passes the signal on it is itself the sender of
//!   further ones, in the workflow task that shows it the signal.
//! - What a run sends to itself is in no event: it follows from the code, and a replay makes it again.
//!
//! The signal's header has the field `longhaul-family`, a JSON payload: `id` names the call, `workflowId` and `runId` who made it,
//! `toParent` and `toChildren` whether the receiver passes it on. For code that does not know this field, such as that of another
//! SDK, it is an ordinary signal, which it does not pass on.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::future::FusedFuture;
use serde::{Deserialize, Serialize};

use super::CancellableFuture;
use super::external::{SignalFuture, Target};
use super::random::uuid4_of;
use super::signals::SignalBox;
use super::view::WorkflowExecution;
use crate::cancellation::WorkflowCancellationToken;
use crate::data_converters::{PayloadConversionError, decode, encode};
use crate::error::{ApplicationFailure, OutgoingWorkflowError, WorkflowSignalError};
use crate::failure::Failure;
use crate::host::{ExternalExecution, LogLevel, MessageMeta, OutgoingSignal, Payload, Sender, WorkflowRun};
use crate::options::FamilySignalOptions;
use crate::runtime::{Place, Runtime};
use crate::workflow_result::WorkflowTermination;

/// The header that a signal to the family carries.
const HEADER: &str = "longhaul-family";

/// The random stream of the calls' ids.
const RANDOM_STREAM: &str = "longhaul-family";

/// What the header says.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Carried {
    /// Names the call.
    id: String,
    /// Who made the call.
    workflow_id: String,
    run_id: String,
    /// Is it passed on to the receiver's parent?
    to_parent: bool,
    /// Is it passed on to the receiver's children?
    to_children: bool,
}

impl Carried {
    fn signal(&self) -> FamilySignal {
        FamilySignal {
            id: self.id.clone(),
            origin: WorkflowExecution::new(self.workflow_id.clone(), self.run_id.clone()),
        }
    }
}

/// What a receiver knows of a signal to the family.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FamilySignal {
    /// The same for all who get it.
    pub id: String,
    /// Who called `signal_family`. The sender is whoever passed it on.
    pub origin: WorkflowExecution,
}

/// A signal that the run has sent to itself.
pub(crate) struct OwnSignal {
    pub(crate) meta: MessageMeta,
    pub(crate) family: FamilySignal,
    pub(crate) name: String,
    pub(crate) input: Vec<Payload>,
}

/// What a run has to do with signals to the family.
pub(super) struct Family {
    propagates_to_parent: bool,
    /// Calls that this run has made or received. Each is a signal in history, which bounds them.
    known: RefCell<BTreeSet<String>>,
    /// What was sent to oneself and not delivered yet; `advance` delivers all of it.
    own: RefCell<VecDeque<OwnSignal>>,
}

impl Family {
    pub(super) fn new(propagates_to_parent: bool) -> Self {
        Self {
            propagates_to_parent,
            known: RefCell::default(),
            own: RefCell::default(),
        }
    }

    /// Those in a direction, but not whoever it came from.
    fn targets(
        &self,
        runtime: &Runtime,
        to_parent: bool,
        to_children: bool,
        from: Option<&str>,
    ) -> Vec<Target> {
        let mut targets = Vec::new();
        if let Some(parent) = &runtime.info.parent
            && to_parent
            && self.propagates_to_parent
            && from != Some(parent.workflow_id.as_str())
        {
            // Whichever run is open: the parent may have continued as new.
            targets.push(Target::External(ExternalExecution {
                workflow_id: parent.workflow_id.clone(),
                run_id: None,
            }));
        }
        if to_children {
            let children = runtime.running_children().into_iter();
            let children = children.filter(|(_, workflow_id)| from != Some(workflow_id));
            targets.extend(children.map(|(seq, _)| Target::Child(seq)));
        }
        targets
    }
}

/// What became of a signal that may be one to the family.
pub(crate) enum Passed {
    /// It is an ordinary signal.
    NotFamily,
    /// It was passed on.
    First(FamilySignal),
    /// This run has had it before.
    Again,
}

impl SignalBox {
    /// Pass a signal to the family on, as its header says.
    pub(crate) fn pass_on(
        &self,
        runtime: &Rc<Runtime>,
        meta: &MessageMeta,
        name: &str,
        input: &[Payload],
    ) -> Passed {
        let Some((_, header)) = meta.header.iter().find(|(key, _)| key == HEADER) else {
            return Passed::NotFamily;
        };
        let carried: Carried = match decode(header.clone()) {
            Ok(carried) => carried,
            Err(error) => {
                let message = format!(
                    "Signal '{name}' of event {} is passed on to nobody: its header {HEADER} does not decode: {error}",
                    meta.event_id
                );
                runtime.host.log(LogLevel::Warn, &message, &[]);
                return Passed::NotFamily;
            }
        };
        if !self.family.known.borrow_mut().insert(carried.id.clone()) {
            return Passed::Again;
        }
        let from = match &meta.sender {
            Sender::Workflow(execution) => Some(execution.workflow_id.as_str()),
            Sender::Client(_) => None,
        };
        let targets = self
            .family
            .targets(runtime, carried.to_parent, carried.to_children, from);
        let signal = OutgoingSignal {
            name: name.to_owned(),
            input: input.to_vec(),
            header: vec![(HEADER.to_owned(), header.clone())],
        };
        for target in targets {
            // Nobody waits for the outcome. A workflow that is cancelled still passes on what it gets.
            let token = Some(WorkflowCancellationToken::new());
            drop(SignalFuture::send_as_it_is(
                runtime,
                &target,
                &signal,
                token,
                std::panic::Location::caller(),
            ));
        }
        Passed::First(carried.signal())
    }

    /// Take the oldest signal that the run has sent to itself.
    pub(crate) fn next_own(&self) -> Option<OwnSignal> {
        self.family.own.borrow_mut().pop_front()
    }
}

/// A signal to the family on its way.
#[must_use = "the delivery of a signal is awaited, or nobody learns of its failure"]
pub struct FamilySignalFuture {
    name: String,
    state: State,
}

enum State {
    /// The sender has it.
    Reached,
    /// Nobody has it yet.
    Sending {
        signals: Vec<SignalFuture>,
        errors: Vec<WorkflowSignalError>,
    },
    Unsent(PayloadConversionError),
    Over,
}

impl FamilySignalFuture {
    pub(super) fn send(
        runtime: &Rc<Runtime>,
        signals: &SignalBox,
        name: String,
        input: Result<Vec<Payload>, PayloadConversionError>,
        options: FamilySignalOptions,
        place: Place,
    ) -> Self {
        let state = match Self::start(runtime, signals, &name, input, options, place) {
            Ok(state) => state,
            Err(error) => State::Unsent(error),
        };
        Self { name, state }
    }

    fn start(
        runtime: &Rc<Runtime>,
        signals: &SignalBox,
        name: &str,
        input: Result<Vec<Payload>, PayloadConversionError>,
        options: FamilySignalOptions,
        place: Place,
    ) -> Result<State, PayloadConversionError> {
        let input = input?;
        let family = &signals.family;
        let carried = Carried {
            id: uuid4_of(runtime, RANDOM_STREAM),
            workflow_id: runtime.info.workflow_id.clone(),
            run_id: runtime.info.run_id.clone(),
            to_parent: options.propagate && options.to_parent,
            to_children: options.propagate && options.to_children,
        };
        let header = vec![(HEADER.to_owned(), encode(&carried)?)];
        family.known.borrow_mut().insert(carried.id.clone());
        let signal = OutgoingSignal {
            name: name.to_owned(),
            input,
            header,
        };
        let targets = family.targets(runtime, options.to_parent, options.to_children, None);
        let sending = targets.iter().map(|target| {
            SignalFuture::send_as_it_is(
                runtime,
                target,
                &signal,
                options.cancellation_token.clone(),
                place,
            )
        });
        let sending: Vec<_> = sending.collect();
        if !options.to_self {
            let errors = Vec::new();
            return Ok(State::Sending {
                signals: sending,
                errors,
            });
        }
        let meta = MessageMeta {
            // There is no event: it is newer than what is in history, and older than what comes next.
            event_id: i64::try_from(runtime.host.task_info().history_length).unwrap_or(i64::MAX),
            time: runtime.host.now(),
            sender: Sender::Workflow(WorkflowRun {
                workflow_id: runtime.info.workflow_id.clone(),
                run_id: runtime.info.run_id.clone(),
            }),
            header: signal.header,
        };
        family.own.borrow_mut().push_back(OwnSignal {
            meta,
            family: carried.signal(),
            name: signal.name,
            input: signal.input,
        });
        Ok(State::Reached)
    }
}

impl fmt::Debug for FamilySignalFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FamilySignalFuture")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Future for FamilySignalFuture {
    type Output = Result<(), FamilySignalError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let result = match std::mem::replace(&mut this.state, State::Over) {
            State::Over => return Poll::Pending,
            State::Reached => Ok(()),
            State::Unsent(error) => Err(error.into()),
            State::Sending {
                mut signals,
                mut errors,
            } => {
                let mut reached = false;
                signals.retain_mut(|signal| match Pin::new(signal).poll(context) {
                    Poll::Pending => true,
                    Poll::Ready(Ok(())) => {
                        reached = true;
                        false
                    }
                    Poll::Ready(Err(error)) => {
                        errors.push(error);
                        false
                    }
                });
                if reached {
                    Ok(())
                } else if signals.is_empty() {
                    let name = this.name.clone();
                    Err(FamilySignalError::Undelivered { name, errors })
                } else {
                    this.state = State::Sending { signals, errors };
                    return Poll::Pending;
                }
            }
        };
        Poll::Ready(result)
    }
}

impl FusedFuture for FamilySignalFuture {
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Over)
    }
}

impl CancellableFuture for FamilySignalFuture {
    fn cancel(&self) {
        if let State::Sending { signals, .. } = &self.state {
            signals.iter().for_each(CancellableFuture::cancel);
        }
    }
}

/// A signal to the family has reached nobody.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FamilySignalError {
    /// There was nobody to send it to, or no delivery succeeded.
    #[error("signal {name} to the family has reached nobody: {}", reasons(.errors))]
    Undelivered {
        /// The signal's name.
        name: String,
        /// Why each delivery failed; empty if there was nobody.
        errors: Vec<WorkflowSignalError>,
    },
    /// Its input could not be written.
    #[error("Payload conversion failed: {0}")]
    Serialization(#[from] PayloadConversionError),
}

fn reasons(errors: &[WorkflowSignalError]) -> String {
    if errors.is_empty() {
        return "there is no parent and no running child in the directions that were asked for".to_owned();
    }
    let reasons: Vec<_> = errors.iter().map(ToString::to_string).collect();
    reasons.join("; ")
}

impl FamilySignalError {
    /// As it goes to the host.
    pub(crate) fn to_failure(&self) -> Failure {
        match self {
            Self::Undelivered { errors, .. } => {
                let mut failure = Failure::application("FamilySignalUndelivered", self.to_string());
                failure.cause = errors.first().map(|error| Box::new(error.to_failure()));
                failure
            }
            Self::Serialization(_) => Failure::application("PayloadConversionError", self.to_string()),
        }
    }
}

impl From<FamilySignalError> for WorkflowTermination {
    fn from(error: FamilySignalError) -> Self {
        match error {
            FamilySignalError::Serialization(error) => error.into(),
            // A cancelled delivery is passed on as what it is, so that a cancelled workflow ends as cancelled.
            FamilySignalError::Undelivered { name, mut errors } => {
                match errors.iter().position(|error| error.as_cancelled().is_some()) {
                    Some(cancelled) => errors.swap_remove(cancelled).into(),
                    None => {
                        let error = FamilySignalError::Undelivered { name, errors };
                        let failure = ApplicationFailure::builder(error)
                            .type_name("FamilySignalUndelivered".to_owned())
                            .build();
                        Self::Failed(OutgoingWorkflowError::from(failure))
                    }
                }
            }
        }
    }
}
