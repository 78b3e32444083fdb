//! Signals that have no handler: the newest of each name is kept for `wait_signal`.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use futures_util::future::FusedFuture;

use super::base::{MessageSender, time};
use super::family::{Family, FamilySignal};
use crate::cancellation::WorkflowCancellationError;
use crate::data_converters::{Payload, PayloadConversionError, TemporalDeserializable, decode_all};
use crate::host::{Header, MessageMeta};
use crate::runtime::{Awaits, Parked, Place, Runtime};

/// A signal that was delivered.
#[derive(Clone, Debug)]
pub struct SignalDelivery<T> {
    /// The signal's value.
    pub value: T,
    /// The event that holds it; larger for newer signals. A signal to oneself has none: it is the newest event there was.
    pub event_id: i64,
    /// When the server took it.
    pub time: SystemTime,
    /// Who sent it.
    pub sender: MessageSender,
    /// The signal to the family that it belongs to, if it belongs to one.
    pub family: Option<FamilySignal>,
    /// Counts the signals that were kept, so that several of one event id differ.
    number: u64,
}

struct Kept {
    meta: MessageMeta,
    family: Option<FamilySignal>,
    input: Vec<Payload>,
    number: u64,
    seen: bool,
}

/// The newest signal of each name, and those to the family.
pub(crate) struct SignalBox {
    newest: RefCell<BTreeMap<String, Kept>>,
    number: Cell<u64>,
    waiting: RefCell<BTreeMap<String, Vec<u64>>>,
    start_headers: OnceCell<HashMap<String, Payload>>,
    pub(super) family: Family,
}

impl SignalBox {
    pub(crate) fn new(propagates_to_parent: bool) -> Self {
        Self {
            newest: RefCell::default(),
            number: Cell::new(0),
            waiting: RefCell::default(),
            start_headers: OnceCell::new(),
            family: Family::new(propagates_to_parent),
        }
    }

    /// Keep a signal. The waits that it ends.
    pub(crate) fn keep(
        &self,
        meta: MessageMeta,
        family: Option<FamilySignal>,
        name: String,
        input: Vec<Payload>,
    ) -> Vec<u64> {
        let woken = self.waiting.borrow().get(&name).cloned().unwrap_or_default();
        self.number.set(self.number.get() + 1);
        let kept = Kept {
            meta,
            family,
            input,
            number: self.number.get(),
            seen: false,
        };
        self.newest.borrow_mut().insert(name, kept);
        woken
    }

    /// Names of signals that nobody has looked at.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let newest = self.newest.borrow();
        newest
            .iter()
            .filter(|(_, kept)| !kept.seen)
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(super) fn start_headers(&self, header: &Header) -> &HashMap<String, Payload> {
        self.start_headers
            .get_or_init(|| header.iter().cloned().collect())
    }

    fn newest<T: TemporalDeserializable + 'static>(
        &self,
        name: &str,
        after: &After,
    ) -> Option<Result<SignalDelivery<T>, PayloadConversionError>> {
        let mut newest = self.newest.borrow_mut();
        let kept = newest.get_mut(name).filter(|kept| after.admits(kept))?;
        kept.seen = true;
        Some(decode_all(kept.input.clone()).map(|value| SignalDelivery {
            value,
            event_id: kept.meta.event_id,
            time: time(kept.meta.time),
            sender: kept.meta.sender.clone().into(),
            family: kept.family.clone(),
            number: kept.number,
        }))
    }
}

/// Which signals are new enough.
enum After {
    Any,
    Event(i64),
    Number(u64),
}

impl After {
    fn admits(&self, kept: &Kept) -> bool {
        match self {
            Self::Any => true,
            Self::Event(event_id) => kept.meta.event_id > *event_id,
            Self::Number(number) => kept.number > *number,
        }
    }
}

/// Waits for a signal that has no handler.
pub struct WaitSignal<T> {
    runtime: Rc<Runtime>,
    signals: Rc<SignalBox>,
    name: String,
    after: After,
    place: Place,
    parked: Parked,
    done: bool,
    value: PhantomData<fn() -> T>,
}

/// Why a wait for a signal ended without one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitSignalError {
    /// The workflow was cancelled.
    #[error(transparent)]
    Cancelled(#[from] WorkflowCancellationError),
    /// The signal does not hold such a value.
    #[error("signal {name} does not decode: {source}")]
    Decode {
        /// The signal's name.
        name: String,
        /// Why.
        source: PayloadConversionError,
    },
}

impl From<WaitSignalError> for crate::WorkflowTermination {
    fn from(error: WaitSignalError) -> Self {
        match error {
            WaitSignalError::Cancelled(error) => error.into(),
            WaitSignalError::Decode { source, .. } => source.into(),
        }
    }
}

impl<T: TemporalDeserializable + 'static> WaitSignal<T> {
    pub(super) fn new(runtime: &Rc<Runtime>, signals: &Rc<SignalBox>, name: String, place: Place) -> Self {
        Self {
            runtime: runtime.clone(),
            signals: signals.clone(),
            name,
            after: After::Any,
            place,
            parked: Parked::default(),
            done: false,
            value: PhantomData,
        }
    }

    /// Wait for one that is newer than this event.
    #[must_use]
    pub fn newer_than(mut self, event_id: i64) -> Self {
        self.after = After::Event(event_id);
        self
    }

    /// Wait for one that came after this one. It also tells two signals apart that the workflow has sent to itself in one
    /// workflow task, and that therefore have the same event id.
    #[must_use]
    pub fn after<D>(mut self, delivery: &SignalDelivery<D>) -> Self {
        self.after = After::Number(delivery.number);
        self
    }

    /// The newest value, without waiting.
    pub fn peek(&self) -> Option<Result<SignalDelivery<T>, WaitSignalError>> {
        self.signals.newest(&self.name, &self.after).map(|delivery| {
            delivery.map_err(|source| WaitSignalError::Decode {
                name: self.name.clone(),
                source,
            })
        })
    }

    fn leave(&mut self) {
        if let Some(number) = self.parked.number() {
            let mut waiting = self.signals.waiting.borrow_mut();
            if let Some(waits) = waiting.get_mut(&self.name) {
                waits.retain(|wait| *wait != number);
            }
        }
        self.parked.leave();
    }
}

impl<T: TemporalDeserializable + 'static> Future for WaitSignal<T> {
    type Output = Result<SignalDelivery<T>, WaitSignalError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.done {
            return Poll::Pending;
        }
        let token = this.runtime.root.clone();
        let result = match this.peek() {
            Some(result) => result,
            None if token.is_cancelled() => Err(WorkflowCancellationError::new(token.reason()).into()),
            None => {
                let awaits = || Awaits::Signal(this.name.as_str().into());
                if this.parked.park(&this.runtime, context, awaits, None, this.place) {
                    this.parked.watch(&token);
                    let mut waiting = this.signals.waiting.borrow_mut();
                    waiting
                        .entry(this.name.clone())
                        .or_default()
                        .extend(this.parked.number());
                }
                return Poll::Pending;
            }
        };
        this.done = true;
        this.leave();
        Poll::Ready(result)
    }
}

impl<T: TemporalDeserializable + 'static> FusedFuture for WaitSignal<T> {
    fn is_terminated(&self) -> bool {
        self.done
    }
}
