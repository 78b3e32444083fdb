//! What one execution sends to another on its way: the row that keeps it, the envelope that carries it, and the way back.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, Ordering},
};

use longhaul_engine::outgoing::{Answer, ChildStart, Message, Outgoing};
use longhaul_store::{Row, RowKey, RunId, SeenKey};
use prost::Message as _;

use super::{ShardMailbox, alarms::Place, message::Notice};
use crate::Error;

/// What is sent, with its sender and its number.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) sender: Place,
    pub(crate) sender_run: RunId,
    /// The initiated event's id, or a later number where there is none. Grows within the run.
    pub(crate) order: i64,
    pub(crate) letter: Outgoing,
    /// It was found in the store: an earlier life of the sender's shard may have sent it.
    pub(crate) again: bool,
    /// Its row was deleted before it was sent: it is not to be sent any more.
    gone: AtomicBool,
}

impl Envelope {
    pub(crate) fn new(sender: Place, sender_run: RunId, order: i64, letter: Outgoing) -> Self {
        Self {
            sender,
            sender_run,
            order,
            letter,
            again: false,
            gone: AtomicBool::new(false),
        }
    }

    /// A row of the outbox that was found there.
    pub(crate) fn from_row(key: RowKey, row: &Row) -> Result<Self, Error> {
        let letter = Outgoing::decode(row.body.as_slice()).map_err(|error| {
            Error::Internal(format!(
                "row {} of the outbox of run {} is damaged: {error}",
                key.order, key.run_id
            ))
        })?;
        let sender = Place {
            namespace: key.namespace,
            workflow_id: row.workflow_id.as_str().into(),
        };
        Ok(Self {
            again: true,
            ..Self::new(
                sender,
                key.run_id,
                i64::try_from(key.order).unwrap_or(i64::MAX),
                letter,
            )
        })
    }

    /// The same letter, to be sent once more.
    pub(crate) fn again(&self) -> Self {
        Self {
            again: true,
            ..Self::new(
                self.sender.clone(),
                self.sender_run,
                self.order,
                self.letter.clone(),
            )
        }
    }

    pub(crate) fn key(&self) -> RowKey {
        RowKey {
            namespace: self.sender.namespace,
            run_id: self.sender_run,
            order: super::commit::unsigned(self.order),
        }
    }

    pub(crate) fn row(&self) -> Row {
        Row {
            workflow_id: self.sender.workflow_id.to_string(),
            body: self.letter.encode_to_vec(),
        }
    }

    /// Where it goes.
    pub(crate) fn receiver(&self) -> Place {
        Place {
            namespace: self.sender.namespace,
            workflow_id: self.letter.workflow_id.as_str().into(),
        }
    }

    /// What the receiver remembers it by.
    pub(crate) fn seen_key(&self) -> SeenKey {
        SeenKey {
            namespace: self.sender.namespace,
            workflow_id: self.letter.workflow_id.clone(),
            sender_run_id: self.sender_run,
            order: super::commit::unsigned(self.order),
        }
    }

    pub(crate) fn take_back(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

/// A letter at its receiver, and the way back.
pub(crate) struct Delivery {
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) reply: ReturnSlip,
}

impl Delivery {
    pub(crate) fn is_signal(&self) -> bool {
        matches!(self.envelope.letter.message, Some(Message::Signal(_)))
    }

    /// The child that it starts.
    pub(crate) fn child(&self) -> Option<&ChildStart> {
        match &self.envelope.letter.message {
            Some(Message::StartChild(child)) => Some(child),
            _ => None,
        }
    }
}

/// The way back of an answer. If it is dropped without one (the receiver's shard has started over, say), the sender sends again: no
/// letter is ever lost on the way.
pub(crate) struct ReturnSlip {
    envelope: Arc<Envelope>,
    /// Not owned: the slip may lie in this very mailbox.
    sender: Option<Weak<ShardMailbox>>,
}

impl ReturnSlip {
    pub(crate) fn new(envelope: &Arc<Envelope>, sender: &Arc<ShardMailbox>) -> Self {
        Self {
            envelope: envelope.clone(),
            sender: Some(Arc::downgrade(sender)),
        }
    }

    pub(crate) fn answer(mut self, answer: Answer) {
        self.send(Some(answer));
    }

    /// It cannot be taken now: the sender tries again after a while.
    pub(crate) fn again(self, why: &Error) {
        tracing::warn!(
            sender = &*self.envelope.sender.workflow_id,
            receiver = self.envelope.letter.workflow_id,
            "a message between executions is sent again: {why}"
        );
    }

    fn send(&mut self, answer: Option<Answer>) {
        if let Some(sender) = self.sender.take().and_then(|sender| sender.upgrade()) {
            let envelope = self.envelope.clone();
            sender.notice(Notice::Answered { envelope, answer });
        }
    }
}

impl Drop for ReturnSlip {
    fn drop(&mut self) {
        self.send(None);
    }
}
