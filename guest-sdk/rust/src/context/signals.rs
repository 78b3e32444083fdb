//! Signals that have no handler: the newest of each name is kept for `wait_signal`.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use futures_util::future::FusedFuture;

use super::base::time;
use crate::cancellation::WorkflowCancellationError;
use crate::data_converters::{Payload, PayloadConversionError, TemporalDeserializable, decode_all};
use crate::host::{Header, MessageMeta};
use crate::runtime::{Awaits, Parked, Place, Runtime};

/// A signal that was delivered.
#[derive(Clone, Debug)]
pub struct SignalDelivery<T> {
    /// The signal's value.
    pub value: T,
    /// The event that holds it; larger for newer signals.
    pub event_id: i64,
    /// When the server took it.
    pub time: SystemTime,
}

struct Kept {
    event_id: i64,
    time: u64,
    input: Vec<Payload>,
    seen: bool,
}

/// The newest signal of each name.
#[derive(Default)]
pub(crate) struct SignalBox {
    newest: RefCell<BTreeMap<String, Kept>>,
    waiting: RefCell<BTreeMap<String, Vec<u64>>>,
    start_headers: OnceCell<HashMap<String, Payload>>,
}

impl SignalBox {
    /// Keep a signal. The waits that it ends.
    pub(crate) fn keep(&self, meta: &MessageMeta, name: String, input: Vec<Payload>) -> Vec<u64> {
        let woken = self.waiting.borrow().get(&name).cloned().unwrap_or_default();
        let kept = Kept {
            event_id: meta.event_id,
            time: meta.time,
            input,
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
        after: i64,
    ) -> Option<Result<SignalDelivery<T>, PayloadConversionError>> {
        let mut newest = self.newest.borrow_mut();
        let kept = newest.get_mut(name).filter(|kept| kept.event_id > after)?;
        kept.seen = true;
        let (event_id, moment) = (kept.event_id, time(kept.time));
        Some(decode_all(kept.input.clone()).map(|value| SignalDelivery {
            value,
            event_id,
            time: moment,
        }))
    }
}

/// Waits for a signal that has no handler.
pub struct WaitSignal<T> {
    runtime: Rc<Runtime>,
    signals: Rc<SignalBox>,
    name: String,
    after: i64,
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
            after: i64::MIN,
            place,
            parked: Parked::default(),
            done: false,
            value: PhantomData,
        }
    }

    /// Wait for one that is newer than this event.
    #[must_use]
    pub fn newer_than(mut self, event_id: i64) -> Self {
        self.after = event_id;
        self
    }

    /// The newest value, without waiting.
    pub fn peek(&self) -> Option<Result<SignalDelivery<T>, WaitSignalError>> {
        self.signals.newest(&self.name, self.after).map(|delivery| {
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
