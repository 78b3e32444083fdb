//! Inputs that are acknowledged while a workflow task is open: rows, until they become events right after the task.
//!
//! An event that came between a task's beginning and its end would count as one that its code has seen.

use longhaul_engine::{
    Turn,
    execution::{AttemptEnd, Limits, Told, Which},
    proto::{
        common::v1::Payloads, failure::v1::Failure, history::v1::WorkflowExecutionSignaledEventAttributes,
    },
};
use longhaul_store::{Change, Pending, Row, RowKey};
use prost::Message as _;

use super::{
    Shard,
    answers::{Said, Saying},
    message::{Input, Reply},
    run::Run,
};
use crate::Error;

/// What somebody was told is kept.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Buffered {
    #[prost(oneof = "What", tags = "1, 2, 3")]
    what: Option<What>,
}

/// See [`Buffered`].
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum What {
    /// A signal.
    #[prost(message, tag = "1")]
    Signal(WorkflowExecutionSignaledEventAttributes),
    /// A cancellation request.
    #[prost(message, tag = "2")]
    Cancel(Cancel),
    /// How an attempt of an activity ended, says a worker.
    #[prost(message, tag = "3")]
    Answer(Answer),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Cancel {
    #[prost(string, tag = "1")]
    pub(super) reason: String,
    #[prost(string, tag = "2")]
    pub(super) identity: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Answer {
    /// Of a task token; none of the three if the activity's id is said.
    #[prost(int64, tag = "1")]
    scheduled_event_id: i64,
    #[prost(uint32, tag = "2")]
    number: u32,
    #[prost(fixed64, tag = "3")]
    nonce: u64,
    #[prost(string, tag = "4")]
    activity_id: String,
    #[prost(oneof = "End", tags = "5, 6, 7")]
    end: Option<End>,
    /// Of a last heartbeat.
    #[prost(message, optional, tag = "8")]
    details: Option<Payloads>,
    #[prost(string, tag = "9")]
    identity: String,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum End {
    #[prost(message, tag = "5")]
    Completed(Payloads),
    #[prost(message, tag = "6")]
    Failed(Box<Failure>),
    #[prost(message, tag = "7")]
    Cancelled(Payloads),
}

impl Answer {
    /// What a worker has said, and who is to be told that it is kept. Gives back what is not kept: that an attempt is alive, or an end
    /// of which no worker speaks.
    pub(super) fn of(said: Said) -> Result<(Self, Reply<Told>), Box<Said>> {
        let Said {
            which,
            saying,
            identity,
            reply,
        } = said;
        let (end, details) = match saying {
            Saying::Ended(AttemptEnd::Completed(result), details) => (End::Completed(result), details),
            Saying::Ended(AttemptEnd::Failed(failure), details) => (End::Failed(failure), details),
            Saying::Ended(AttemptEnd::Cancelled(left), details) => (End::Cancelled(left), details),
            saying @ (Saying::Ended(AttemptEnd::HandedOver | AttemptEnd::Lost, _) | Saying::Beats(_)) => {
                return Err(Box::new(Said {
                    which,
                    saying,
                    identity,
                    reply,
                }));
            }
        };
        let mut answer = Self {
            end: Some(end),
            details,
            identity,
            ..Default::default()
        };
        match which {
            Which::Token {
                scheduled_event_id,
                number,
                nonce,
            } => {
                answer.scheduled_event_id = scheduled_event_id;
                answer.number = number;
                answer.nonce = nonce;
            }
            Which::ActivityId(id) => answer.activity_id = id,
        }
        Ok((answer, reply))
    }

    fn which(&self) -> Which {
        if self.activity_id.is_empty() {
            return Which::Token {
                scheduled_event_id: self.scheduled_event_id,
                number: self.number,
                nonce: self.nonce,
            };
        }
        Which::ActivityId(self.activity_id.clone())
    }
}

impl Buffered {
    pub(super) fn new(what: What) -> Self {
        Self { what: Some(what) }
    }

    /// A row of a run.
    pub(super) fn read(row: &Row) -> Result<Self, Error> {
        Self::decode(row.body.as_slice()).map_err(|error| {
            Error::Internal(format!(
                "a buffered input's row of workflow {:?} is damaged: {error}",
                row.workflow_id
            ))
        })
    }

    pub(super) fn is_cancel(&self) -> bool {
        matches!(self.what, Some(What::Cancel(_)))
    }

    /// Whether the code has to see it before it ends the run: its sender was told that it is taken (S9).
    pub(super) fn is_owed(&self) -> bool {
        matches!(self.what, Some(What::Signal(_) | What::Cancel(_)))
    }
}

/// The row of the run's buffered input with this number.
fn key(run: &Run, order: u64) -> RowKey {
    RowKey {
        namespace: run.namespace,
        run_id: run.run_id,
        order,
    }
}

impl Shard {
    /// Keep an input until the task has ended.
    pub(super) fn buffer(&self, run: &mut Run, extra: &mut Vec<Change>, what: What) -> Input {
        let order = run.next_buffered_order;
        run.next_buffered_order += 1;
        let buffered = Buffered::new(what);
        let row = Row {
            workflow_id: run.workflow_id.to_string(),
            body: buffered.encode_to_vec(),
        };
        extra.push(Change::PutPending(Pending::Buffered, key(run, order), row));
        Input::Buffered {
            order,
            buffered: Box::new(buffered),
        }
    }

    /// No task is open any more: it becomes an event. What the run would not take now, it would not have taken when it came, had it been
    /// told then all that it has been told before: two answers for one attempt, say.
    pub(super) fn take_buffered(
        &self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        order: u64,
        buffered: Buffered,
    ) {
        extra.push(Change::DeletePending(Pending::Buffered, key(run, order)));
        let execution = &mut run.execution;
        let taken = match buffered.what {
            Some(What::Signal(signal)) => {
                // It was within the limits when it was acknowledged; a second one with its request id is not another.
                let new = execution.would_take_signal(&signal, 0, &Limits::none());
                new == Ok(true) && execution.signal_again(turn, signal).is_ok()
            }
            Some(What::Cancel(cancel)) => execution
                .request_cancel(turn, cancel.reason, cancel.identity)
                .is_ok(),
            Some(What::Answer(mut answer)) => {
                let end = match answer.end.take() {
                    Some(End::Completed(result)) => AttemptEnd::Completed(result),
                    Some(End::Failed(failure)) => AttemptEnd::Failed(failure),
                    Some(End::Cancelled(details)) => AttemptEnd::Cancelled(details),
                    None => return,
                };
                let (details, identity) = (answer.details.take(), std::mem::take(&mut answer.identity));
                execution
                    .answer_attempt(turn, &answer.which(), end, details, identity)
                    .is_ok()
            }
            None => false,
        };
        if !taken {
            tracing::debug!(
                workflow_id = &*run.workflow_id, run_id = %run.run_id, order,
                "an input that was kept while a workflow task was open changes nothing"
            );
        }
    }
}
