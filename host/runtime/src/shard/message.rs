//! What a shard is asked and told.

use std::sync::Arc;

use longhaul_engine::{execution::AttemptEnd, outgoing::Answer, proto::workflowservice::v1 as wire};
use longhaul_history::proto::common::v1::Payloads;
use longhaul_store::{NamespaceId, RunId};
use tokio::sync::{oneshot, watch};

use super::{
    alarms::{Alarm, Kind, Place},
    answers::{Operation, Said},
    attempts::AttemptKey,
    beginning::{Beginning, With},
    buffered::Buffered,
    delete::{SweepAgain, Swept},
    letter::{Delivery, Envelope},
    moving::Move,
    reset::Reset,
    run::Run,
    validate::Verdicts,
};
use crate::{
    Description, Error, gates,
    guest::TaskError,
    registry::Service,
    task_queues::{Poll, QueueKey, Token, Waiting},
    updates::Stage,
};

/// Where an answer goes. The asker may have gone; then nobody reads it.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// Which execution a message is for.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) namespace: NamespaceId,
    pub(crate) workflow_id: Arc<str>,
    /// None: the newest run.
    pub(crate) run_id: Option<RunId>,
}

/// A request from outside.
pub(crate) enum Request {
    Start(Beginning),
    Reset(Reset),
    Message { target: Target, message: Message },
}

/// A message to an execution.
pub(crate) enum Message {
    Signal {
        request: Box<wire::SignalWorkflowExecutionRequest>,
        reply: Reply<()>,
    },
    Cancel {
        request: Box<wire::RequestCancelWorkflowExecutionRequest>,
        reply: Reply<()>,
    },
    Terminate {
        request: Box<wire::TerminateWorkflowExecutionRequest>,
        reply: Reply<()>,
    },
    Update {
        request: Box<longhaul_history::proto::update::v1::Request>,
        /// See [`Message::chain`].
        chain: String,
        reply: Reply<UpdateTicket>,
    },
    FindUpdate {
        update_id: String,
        reply: Reply<UpdateTicket>,
    },
    Query {
        request: Box<wire::QueryWorkflowRequest>,
        reply: Reply<wire::QueryWorkflowResponse>,
    },
    Describe {
        reply: Reply<Description>,
    },
    /// A worker outside has something to say of an attempt.
    Attempt(Box<Said>),
    /// Somebody pauses activities, or the like.
    Operate(Box<Operation>),
    Move(Box<Move>),
    /// Terminate it if it is open, and delete all that there is of it.
    Delete {
        reply: Option<Reply<()>>,
        /// Its retention is over: what to drop when it is gone.
        expired: Option<Arc<SweepAgain>>,
    },
}

/// By which a caller follows an update.
#[derive(Debug)]
pub(crate) struct UpdateTicket {
    pub(crate) run_id: RunId,
    pub(crate) stage: watch::Receiver<Stage>,
    /// For an update-with-start: whether it has started the run.
    pub(crate) started: bool,
}

impl Message {
    /// The first run of the chain that it is for, if it names one: whoever holds a handle to an execution does not mean another that
    /// has got the same id since.
    pub(crate) fn chain(&self) -> Option<&str> {
        let chain = match self {
            Self::Cancel { request, .. } => &request.first_execution_run_id,
            Self::Terminate { request, .. } => &request.first_execution_run_id,
            Self::Update { chain, .. } => chain,
            _ => return None,
        };
        Some(chain.as_str()).filter(|chain| !chain.is_empty())
    }

    /// Refuse it.
    pub(crate) fn refuse(self, error: Error) {
        // A receiver that has gone needs no answer.
        match self {
            Self::Signal { reply, .. } | Self::Cancel { reply, .. } | Self::Terminate { reply, .. } => {
                let _ = reply.send(Err(error));
            }
            Self::Update { reply, .. } | Self::FindUpdate { reply, .. } => {
                let _ = reply.send(Err(error));
            }
            Self::Query { reply, .. } => {
                let _ = reply.send(Err(error));
            }
            Self::Describe { reply } => {
                let _ = reply.send(Err(error));
            }
            Self::Operate(operation) => {
                let _ = operation.reply.send(Err(error));
            }
            Self::Attempt(said) => {
                let _ = said.reply.send(Err(error));
            }
            Self::Move(moving) => {
                let _ = moving.reply.send(Err(error));
            }
            Self::Delete { reply, .. } => {
                let _ = reply.map(|reply| reply.send(Err(error)));
            }
        }
    }
}

/// What waits for one run.
pub(crate) enum Input {
    Message {
        message: Message,
        /// It names this very run: what comes too late for it does not go on to the next one.
        to_run: bool,
    },
    /// Another execution has sent something.
    Letter(Delivery),
    /// What became of something that this run has sent.
    Answered {
        envelope: Arc<Envelope>,
        answer: Answer,
    },
    Alarm(Alarm),
    AttemptEnded {
        key: AttemptKey,
        end: AttemptEnd,
    },
    Heartbeat {
        key: AttemptKey,
        details: Payloads,
    },
    /// A slot or a handler may have come free for an activity that waits.
    TryAttempt {
        scheduled_event_id: i64,
    },
    /// A worker polls, and an activity that waits is next.
    Poll {
        scheduled_event_id: i64,
        poll: Poll,
    },
    /// An attempt has not reached the worker that it was started for.
    TakeBack {
        scheduled_event_id: i64,
        nonce: u64,
    },
    /// An attempt of a local activity has ended.
    LocalEnded {
        seq: u32,
        attempt: u32,
        end: AttemptEnd,
    },
    /// There may be a place for a local activity's attempt.
    TryLocal {
        seq: u32,
    },
    /// What was acknowledged while a workflow task was open: its row, and what it is.
    Buffered {
        order: u64,
        buffered: Box<Buffered>,
    },
    /// A start that terminates this run first.
    Replace(Beginning),
    /// The message of a start for which this run is there already.
    Attach(Beginning),
    /// An update-with-start whose update this closed run may know.
    Recall(Beginning),
    /// A reset that ends this run.
    Reset(Box<Reset>),
}

impl Input {
    /// Whether it is a signal, of a client or of another execution.
    pub(crate) fn is_signal(&self) -> bool {
        match self {
            Self::Message { message, .. } => matches!(message, Message::Signal { .. }),
            Self::Letter(delivery) => delivery.is_signal(),
            Self::Attach(beginning) => matches!(beginning.with, With::Signal { .. }),
            _ => false,
        }
    }

    /// Why it is not for this run: it names another chain of runs (see [`Message::chain`]).
    pub(crate) fn foreign_chain(&self, run: &Run) -> Option<Error> {
        let Self::Message { message, .. } = self else {
            return None;
        };
        let chain = message
            .chain()
            .filter(|chain| *chain != run.execution.first_run_id())?;
        Some(Error::RunNotFound {
            workflow_id: run.workflow_id.to_string(),
            run_id: chain.to_owned(),
        })
    }

    /// Whether it is about a local activity, which only an open workflow task can be told of.
    pub(crate) fn is_of_local(&self) -> bool {
        self.local().is_some()
    }

    /// The number of the local activity that it is about.
    pub(crate) fn local(&self) -> Option<u32> {
        match self {
            Self::LocalEnded { seq, .. } | Self::TryLocal { seq } => Some(*seq),
            Self::Alarm(alarm) if alarm.kind == Kind::Local => u32::try_from(alarm.id).ok(),
            _ => None,
        }
    }

    /// Whether a client has sent it. Of the rest nothing is in flight twice, and a letter is in its sender's memory anyway.
    pub(crate) fn is_request(&self) -> bool {
        match self {
            Self::Message { message, .. } => !matches!(message, Message::Delete { reply: None, .. }),
            Self::Replace(beginning) | Self::Attach(beginning) | Self::Recall(beginning) => {
                !matches!(beginning.with, With::Parent { .. })
            }
            Self::Reset(_) => true,
            Self::Letter(_)
            | Self::Answered { .. }
            | Self::Alarm(_)
            | Self::AttemptEnded { .. }
            | Self::Heartbeat { .. }
            | Self::TryAttempt { .. }
            // Polls are bounded where they wait.
            | Self::Poll { .. }
            | Self::TakeBack { .. }
            | Self::LocalEnded { .. }
            | Self::TryLocal { .. }
            | Self::Buffered { .. } => false,
        }
    }

    /// Tell whoever waits for it that it cannot be done. A letter's sender sends it again.
    pub(crate) fn refuse(self, error: &Error) {
        match self {
            Self::Message { message, .. } => message.refuse(error.clone()),
            Self::Replace(beginning) | Self::Recall(beginning) | Self::Attach(beginning) => {
                beginning.with.refuse(error.clone());
            }
            // A receiver that has gone needs no answer.
            Self::Reset(reset) => drop(reset.reply.send(Err(error.clone()))),
            Self::Letter(delivery) => delivery.reply.again(error),
            Self::Answered { .. }
            | Self::Alarm(_)
            | Self::AttemptEnded { .. }
            | Self::Heartbeat { .. }
            | Self::TryAttempt { .. }
            // Whoever waits for the poll asks again.
            | Self::Poll { .. }
            | Self::TakeBack { .. }
            | Self::LocalEnded { .. }
            | Self::TryLocal { .. }
            // It is in the store.
            | Self::Buffered { .. } => {}
        }
    }
}

/// What the runtime tells a shard.
pub(crate) enum Notice {
    /// Everything up to this ticket is durable.
    Durable { ticket: u64 },
    /// Nothing from this epoch on will be written.
    WriteFailed { epoch: u64, why: String },
    /// A run was read and replayed.
    Loaded {
        run_id: RunId,
        result: Result<Loaded, Error>,
    },
    /// A run in memory was replayed.
    Revived {
        run_id: RunId,
        result: Result<Loaded, Error>,
    },
    /// Validators were asked on replays.
    Validated {
        run_id: RunId,
        number: u64,
        result: Result<Verdicts, TaskError>,
    },
    /// Queries of a run were asked on replays.
    Asked(RunId),
    /// An attempt of an activity has ended.
    AttemptEnded {
        key: AttemptKey,
        place: Place,
        end: AttemptEnd,
    },
    /// An attempt of a local activity has ended.
    LocalEnded {
        run_id: RunId,
        seq: u32,
        attempt: u32,
        /// Which start of it.
        start: u64,
        end: AttemptEnd,
    },
    /// An attempt of an activity is alive.
    Heartbeat {
        key: AttemptKey,
        place: Place,
        details: Payloads,
    },
    /// A module was stored, or the embedding code serves something: who serves these may be another.
    ModulesChanged(Arc<[Service]>),
    /// A task queue may hand out again then.
    QueueAgain { key: QueueKey, at_ns: u64 },
    /// The turn of an attempt that this server runs has come, in its task queue. Without a token: the queue has no limit any more.
    Called { waiting: Waiting, token: Option<Token> },
    /// There may be room for attempts of a module.
    GateOpen(gates::Key),
    /// Answered when everything that the shard decided before has been handed to the writer.
    Barrier(std::sync::mpsc::Sender<()>),
    /// A request for which something had to be read or compiled first.
    Again(Request),
    /// Something for a run for which something had to be read first.
    Deliver {
        run_id: RunId,
        place: Place,
        input: Box<Input>,
    },
    /// What falls out of its retention was read.
    Swept(Swept),
    /// Closed executions may have fallen out of their retention.
    Sweep,
    /// The retention of a closed run is over.
    Expired {
        run_id: RunId,
        place: Place,
        /// Dropped when it is deleted durably.
        done: Arc<SweepAgain>,
    },
    /// A letter for an execution of this shard.
    Letter(Delivery),
    /// The start of a child, which is on its way here or waits here, is not wanted any more.
    TakenBack(Arc<Envelope>),
    /// What became of a letter of this shard; none: it could not be taken, and is sent again.
    Answered {
        envelope: Arc<Envelope>,
        answer: Option<Answer>,
    },
}

impl Notice {
    /// A worker's poll has met an attempt.
    pub(crate) fn poll(run_id: RunId, place: Place, scheduled_event_id: i64, poll: Poll) -> Self {
        let input = Input::Poll {
            scheduled_event_id,
            poll,
        };
        Self::Deliver {
            run_id,
            place,
            input: Box::new(input),
        }
    }
}

/// A run that was read, and whether its code could be replayed.
pub(crate) struct Loaded {
    pub(crate) run: Box<Run>,
    pub(crate) replay_error: Option<TaskError>,
}
