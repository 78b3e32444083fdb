//! A start on its way: what is to begin, what comes with it, and who waits for it.

use longhaul_engine::{
    Status,
    outgoing::{Answer, Failed},
    proto::{common::v1::WorkflowType, update::v1 as update, workflowservice::v1 as wire},
};
use longhaul_store::{NamespaceId, RunId};

use super::{
    alarms::Place,
    letter::Delivery,
    message::{Reply, UpdateTicket},
};
use crate::Error;

/// An execution that is to begin.
pub(crate) struct Beginning {
    pub(crate) namespace: NamespaceId,
    pub(crate) request: Box<wire::StartWorkflowExecutionRequest>,
    pub(crate) with: With,
}

/// What comes with a start, in the same transition, and who waits for it.
pub(crate) enum With {
    /// Nothing.
    Nothing(Reply<Started>),
    /// A signal (S8): to what runs already, or as the first message of the new run.
    Signal {
        signal: Box<wire::SignalWorkflowExecutionRequest>,
        reply: Reply<Started>,
    },
    /// An update (U9).
    Update {
        update: Box<update::Request>,
        reply: Reply<UpdateTicket>,
        /// The closed run of this id was asked, and does not know the update.
        asked: Option<RunId>,
    },
    /// Another execution starts it as its child; what it starts with is in the letter, and the request says only what decides whether it
    /// may.
    Parent { delivery: Box<Delivery> },
}

/// What a start, or a signal, led to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    /// The run that was started, or that has the id.
    pub(crate) run_id: RunId,
    /// Whether this request has started it.
    pub(crate) started: bool,
    /// How it stands.
    pub(crate) status: Status,
}

impl Beginning {
    pub(crate) fn place(&self) -> Place {
        Place {
            namespace: self.namespace,
            workflow_id: self.request.workflow_id.as_str().into(),
        }
    }

    pub(crate) fn workflow_type(&self) -> &str {
        self.request
            .workflow_type
            .as_ref()
            .map_or("", |t| t.name.as_str())
    }
}

impl With {
    /// The start is refused; nothing of it was written.
    pub(crate) fn refuse(self, error: Error) {
        // A receiver that has gone needs no answer.
        match self {
            Self::Nothing(reply) | Self::Signal { reply, .. } => {
                let _ = reply.send(Err(error));
            }
            Self::Update { reply, .. } => {
                let _ = reply.send(Err(start_refused(error)));
            }
            Self::Parent { delivery } => match error {
                Error::AlreadyStarted { .. } => delivery.reply.answer(Answer::refused(Failed::AlreadyExists)),
                // The server cannot start it now: it is sent again.
                error => delivery.reply.again(&error),
            },
        }
    }
}

/// The start of an update-with-start was refused, and with it the update.
fn start_refused(error: Error) -> Error {
    Error::MultiOperation {
        statuses: vec![Some(Box::new(error)), None],
    }
}

/// A child's start as a request, so that it takes the same way as every other. Gives the letter back if it is no start.
pub(crate) fn of_child(delivery: Delivery, namespace_name: &str) -> Result<Beginning, Delivery> {
    let Some(child) = delivery.child() else {
        return Err(delivery);
    };
    let attributes = child.attributes.as_ref();
    let workflow_type = attributes.and_then(|a| a.workflow_type.as_ref());
    let workflow_type = workflow_type.map(|t| t.name.clone()).unwrap_or_default();
    let envelope = &delivery.envelope;
    let mut request = wire::StartWorkflowExecutionRequest {
        namespace: namespace_name.to_owned(),
        workflow_id: envelope.letter.workflow_id.clone(),
        workflow_type: Some(WorkflowType { name: workflow_type }),
        // What it is known by: the initiated event of this very parent.
        request_id: format!("{}/{}", envelope.sender_run, envelope.order),
        ..Default::default()
    };
    request.set_workflow_id_reuse_policy(child.id_reuse_policy());
    Ok(Beginning {
        namespace: envelope.sender.namespace,
        request: Box::new(request),
        with: With::Parent {
            delivery: Box::new(delivery),
        },
    })
}
