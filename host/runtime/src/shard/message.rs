//! What a shard is asked and told.

use std::sync::Arc;

use longhaul_engine::{execution::AttemptEnd, proto::workflowservice::v1 as wire};
use longhaul_history::proto::common::v1::Payloads;
use longhaul_store::{NamespaceId, RunId};
use tokio::sync::{oneshot, watch};

use super::{
    alarms::{Alarm, Place},
    run::Run,
    validate::Verdicts,
};
use crate::{Error, guest::TaskError, updates::Stage};

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
    Start {
        namespace: NamespaceId,
        request: Box<wire::StartWorkflowExecutionRequest>,
        reply: Reply<wire::StartWorkflowExecutionResponse>,
    },
    Message {
        target: Target,
        message: Message,
    },
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
        reply: Reply<wire::DescribeWorkflowExecutionResponse>,
    },
}

/// By which a caller follows an update.
#[derive(Debug)]
pub(crate) struct UpdateTicket {
    pub(crate) run_id: RunId,
    pub(crate) stage: watch::Receiver<Stage>,
}

impl Message {
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
        }
    }
}

/// What waits for one run.
pub(crate) enum Input {
    Message(Message),
    Alarm(Alarm),
    AttemptEnded {
        scheduled_event_id: i64,
        number: u32,
        end: AttemptEnd,
    },
    Heartbeat {
        scheduled_event_id: i64,
        number: u32,
        details: Payloads,
    },
    /// A slot or a handler may have come free for an activity that waits.
    TryAttempt {
        scheduled_event_id: i64,
    },
    /// A start that terminates this run first.
    Replace {
        namespace: NamespaceId,
        request: Box<wire::StartWorkflowExecutionRequest>,
        reply: Reply<wire::StartWorkflowExecutionResponse>,
    },
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
    /// An attempt of an activity has ended.
    AttemptEnded {
        run_id: RunId,
        place: Place,
        scheduled_event_id: i64,
        number: u32,
        end: AttemptEnd,
    },
    /// An attempt of an activity is alive.
    Heartbeat {
        run_id: RunId,
        place: Place,
        scheduled_event_id: i64,
        number: u32,
        details: Payloads,
    },
    /// A module was stored or removed.
    ModulesChanged,
    /// Answered when everything that the shard decided before has been handed to the writer.
    Barrier(std::sync::mpsc::Sender<()>),
    /// A request for which something had to be read or compiled first.
    Again(Request),
}

/// A run that was read, and whether its code could be replayed.
pub(crate) struct Loaded {
    pub(crate) run: Box<Run>,
    pub(crate) replay_error: Option<TaskError>,
}
