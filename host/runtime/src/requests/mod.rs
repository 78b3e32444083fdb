//! The runtime's requests: check what came, ask the shard or the store, wait where waiting is asked for.

mod activities;
mod administer;
mod attributes;
pub(crate) mod check;
mod history;
mod history_reverse;
mod list;
mod lists_of_old;
mod modules;
mod operate;
mod polls;
mod queue_config;
mod start;
mod updates;
mod workflows;

use std::sync::Arc;

use longhaul_store::{NamespaceId, RunId};
use tokio::sync::oneshot;

use crate::{
    Error, Runtime,
    mailbox::Refusal,
    shard::{Message, Place, Request, Target},
};

impl Runtime {
    pub(crate) fn namespace_id(&self, name: &str) -> Result<NamespaceId, Error> {
        let record = self.inner.core.namespaces.get(name);
        record
            .map(|record| record.id)
            .ok_or_else(|| Error::NamespaceNotFound(name.to_owned()))
    }

    /// Give a shard a request.
    fn send(&self, place: &Place, request: Request) -> Result<(), Error> {
        let core = &self.inner.core;
        let mailboxes = core
            .mailboxes
            .get()
            .ok_or_else(|| Error::Unavailable("the server starts".into()))?;
        mailboxes[core.shard_of(place)]
            .request(request)
            .map_err(|refusal| match refusal {
                Refusal::Full => Error::ResourceExhausted(format!(
                    "{} requests wait already; try again in a moment",
                    core.options.mailbox_capacity
                )),
                Refusal::Closed => Error::Unavailable("the server stops".into()),
            })
    }

    /// Send a message to an execution and wait for its answer.
    async fn ask<T>(
        &self,
        target: Target,
        message: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Message,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let place = Place {
            namespace: target.namespace,
            workflow_id: target.workflow_id.clone(),
        };
        self.send(
            &place,
            Request::Message {
                target,
                message: message(reply),
            },
        )?;
        answered(answer.await)
    }

    fn target(&self, namespace: &str, execution: Option<&Execution>) -> Result<Target, Error> {
        let namespace = self.namespace_id(namespace)?;
        let execution =
            execution.ok_or_else(|| Error::InvalidArgument("Execution is not set on request.".into()))?;
        check::workflow_id(&self.inner.core.options.limits.history, &execution.workflow_id)?;
        let run_id = match execution.run_id.as_str() {
            "" => None,
            text => Some(
                text.parse::<RunId>()
                    .map_err(|_| Error::InvalidArgument("Invalid RunId.".into()))?,
            ),
        };
        Ok(Target {
            namespace,
            workflow_id: Arc::from(execution.workflow_id.as_str()),
            run_id,
        })
    }
}

type Execution = longhaul_engine::proto::common::v1::WorkflowExecution;

/// A shard that stops, or starts over after a failed write, drops what it has not answered.
fn answered<T>(answer: Result<Result<T, Error>, oneshot::error::RecvError>) -> Result<T, Error> {
    answer.unwrap_or_else(|_| {
        Err(Error::Unavailable(
            "the request was dropped because the server stops or restarts a shard".into(),
        ))
    })
}
