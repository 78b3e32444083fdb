//! What workers outside of the server say of attempts: by task token, or by the activity's id (A1, A3, A6).

use std::sync::Arc;

use longhaul_engine::{
    execution::{AttemptEnd, Told, Which},
    proto::{common::v1::Payloads, failure::v1::Failure, workflowservice::v1 as wire},
};
use longhaul_history::failure;
use longhaul_store::ExecutionKey;

use super::check;
use crate::{
    Error, Runtime,
    activities::size,
    shard::{Message, Said, Saying, Target},
    token::Token,
};

/// Whom something is said of.
struct About {
    target: Target,
    which: Which,
}

/// An activity by its id.
struct ById<'a> {
    namespace: &'a str,
    workflow_id: &'a str,
    run_id: &'a str,
    activity_id: &'a str,
}

/// The requests that name an activity so do it by the same fields.
macro_rules! by_id {
    ($($request:ident),+) => {
        $(impl<'a> From<&'a wire::$request> for ById<'a> {
            fn from(request: &'a wire::$request) -> Self {
                Self {
                    namespace: &request.namespace,
                    workflow_id: &request.workflow_id,
                    run_id: &request.run_id,
                    activity_id: &request.activity_id,
                }
            }
        })+
    };
}

by_id! {
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskFailedByIdRequest,
    RespondActivityTaskCanceledByIdRequest,
    RecordActivityTaskHeartbeatByIdRequest
}

impl Runtime {
    /// An attempt has succeeded. The answer means that this is durable.
    ///
    /// # Errors
    ///
    /// The token is none of ours, or what it names has ended.
    pub async fn respond_activity_task_completed(
        &self,
        request: wire::RespondActivityTaskCompletedRequest,
    ) -> Result<wire::RespondActivityTaskCompletedResponse, Error> {
        let about = self.about_token(&request.namespace, &request.task_token)?;
        let end = self.completed(request.result);
        self.say_end(about, end, None, request.identity).await?;
        Ok(wire::RespondActivityTaskCompletedResponse::default())
    }

    /// As [`Runtime::respond_activity_task_completed`], for the current attempt of an activity, which need not run.
    ///
    /// # Errors
    ///
    /// No such activity is pending.
    pub async fn respond_activity_task_completed_by_id(
        &self,
        request: wire::RespondActivityTaskCompletedByIdRequest,
    ) -> Result<wire::RespondActivityTaskCompletedByIdResponse, Error> {
        let about = self.about_id(ById::from(&request))?;
        let end = self.completed(request.result);
        self.say_end(about, end, None, request.identity).await?;
        Ok(wire::RespondActivityTaskCompletedByIdResponse::default())
    }

    /// An attempt has failed; whether another follows, the activity's retry policy says (A2).
    ///
    /// # Errors
    ///
    /// The token is none of ours, or what it names has ended.
    pub async fn respond_activity_task_failed(
        &self,
        request: wire::RespondActivityTaskFailedRequest,
    ) -> Result<wire::RespondActivityTaskFailedResponse, Error> {
        let about = self.about_token(&request.namespace, &request.task_token)?;
        let (end, details, failures) = self.failed(request.failure, request.last_heartbeat_details);
        self.say_end(about, end, details, request.identity).await?;
        Ok(wire::RespondActivityTaskFailedResponse { failures })
    }

    /// As [`Runtime::respond_activity_task_failed`], for the current attempt of an activity.
    ///
    /// # Errors
    ///
    /// No such activity is pending, or no attempt of it runs.
    pub async fn respond_activity_task_failed_by_id(
        &self,
        request: wire::RespondActivityTaskFailedByIdRequest,
    ) -> Result<wire::RespondActivityTaskFailedByIdResponse, Error> {
        let about = self.about_id(ById::from(&request))?;
        let (end, details, failures) = self.failed(request.failure, request.last_heartbeat_details);
        self.say_end(about, end, details, request.identity).await?;
        Ok(wire::RespondActivityTaskFailedByIdResponse { failures })
    }

    /// An attempt has stopped because it was cancelled.
    ///
    /// # Errors
    ///
    /// The token is none of ours, what it names has ended, or nobody has asked for its cancellation.
    pub async fn respond_activity_task_canceled(
        &self,
        request: wire::RespondActivityTaskCanceledRequest,
    ) -> Result<wire::RespondActivityTaskCanceledResponse, Error> {
        let about = self.about_token(&request.namespace, &request.task_token)?;
        let end = self.cancelled(request.details);
        self.say_end(about, end, None, request.identity).await?;
        Ok(wire::RespondActivityTaskCanceledResponse::default())
    }

    /// As [`Runtime::respond_activity_task_canceled`], for the current attempt of an activity.
    ///
    /// # Errors
    ///
    /// No such activity is pending, no attempt of it runs, or nobody has asked for its cancellation.
    pub async fn respond_activity_task_canceled_by_id(
        &self,
        request: wire::RespondActivityTaskCanceledByIdRequest,
    ) -> Result<wire::RespondActivityTaskCanceledByIdResponse, Error> {
        let about = self.about_id(ById::from(&request))?;
        let end = self.cancelled(request.details);
        self.say_end(about, end, None, request.identity).await?;
        Ok(wire::RespondActivityTaskCanceledByIdResponse::default())
    }

    /// An attempt is alive; the answer says whether it should stop (A3).
    ///
    /// # Errors
    ///
    /// The token is none of ours, or what it names has ended.
    pub async fn record_activity_task_heartbeat(
        &self,
        request: wire::RecordActivityTaskHeartbeatRequest,
    ) -> Result<wire::RecordActivityTaskHeartbeatResponse, Error> {
        let about = self.about_token(&request.namespace, &request.task_token)?;
        let told = self.say_beat(about, request.details, request.identity).await?;
        Ok(wire::RecordActivityTaskHeartbeatResponse {
            cancel_requested: told.cancel_requested,
            activity_paused: told.paused,
            activity_reset: told.reset,
        })
    }

    /// As [`Runtime::record_activity_task_heartbeat`], for the current attempt of an activity.
    ///
    /// # Errors
    ///
    /// No such activity is pending, or no attempt of it runs.
    pub async fn record_activity_task_heartbeat_by_id(
        &self,
        request: wire::RecordActivityTaskHeartbeatByIdRequest,
    ) -> Result<wire::RecordActivityTaskHeartbeatByIdResponse, Error> {
        let about = self.about_id(ById::from(&request))?;
        let told = self.say_beat(about, request.details, request.identity).await?;
        Ok(wire::RecordActivityTaskHeartbeatByIdResponse {
            cancel_requested: told.cancel_requested,
            activity_paused: told.paused,
            activity_reset: told.reset,
        })
    }

    fn about_token(&self, namespace: &str, token: &[u8]) -> Result<About, Error> {
        let (place, run_id, which) = Token::read(token, self.namespace_id(namespace)?)?;
        let key = ExecutionKey {
            namespace: place.namespace,
            workflow_id: place.workflow_id.to_string(),
            run_id,
        };
        self.about(key, which)
    }

    fn about_id(&self, id: ById<'_>) -> Result<About, Error> {
        let key = self.find_run(id.namespace, id.workflow_id, id.run_id)?;
        if id.activity_id.is_empty() {
            return Err(Error::InvalidArgument("ActivityId is not set on request.".into()));
        }
        let limits = &self.inner.core.options.limits.history;
        check::name(limits, "ActivityId", id.activity_id)?;
        self.about(key, Which::ActivityId(id.activity_id.to_owned()))
    }

    /// A run that has closed need not be brought back to say so. What is asked for here is durable, or nobody could know of it.
    fn about(&self, key: ExecutionKey, which: Which) -> Result<About, Error> {
        if !self.record(&key)?.status.is_open() {
            return Err(Error::AlreadyCompleted);
        }
        let target = Target {
            namespace: key.namespace,
            workflow_id: Arc::from(key.workflow_id),
            run_id: Some(key.run_id),
        };
        Ok(About { target, which })
    }

    async fn say_end(
        &self,
        about: About,
        end: AttemptEnd,
        details: Option<Payloads>,
        identity: String,
    ) -> Result<Told, Error> {
        self.say(about, Saying::Ended(end, details), identity).await
    }

    async fn say_beat(
        &self,
        about: About,
        details: Option<Payloads>,
        identity: String,
    ) -> Result<Told, Error> {
        let limits = &self.inner.core.options.limits.history;
        if size::heartbeat(limits, details.as_ref()).is_err() {
            self.say_end(about, size::heartbeat_too_large(), None, identity)
                .await?;
            return Ok(Told {
                cancel_requested: true,
                ..Default::default()
            });
        }
        self.say(about, Saying::Beats(details), identity).await
    }

    async fn say(&self, about: About, saying: Saying, identity: String) -> Result<Told, Error> {
        check::name(&self.inner.core.options.limits.history, "Identity", &identity)?;
        let About { target, which } = about;
        self.ask(target, |reply| {
            Message::Attempt(Box::new(Said {
                which,
                saying,
                identity,
                reply,
            }))
        })
        .await
    }

    fn completed(&self, result: Option<Payloads>) -> AttemptEnd {
        let limits = &self.inner.core.options.limits.history;
        size::within(limits, AttemptEnd::Completed(result.unwrap_or_default()))
    }

    fn cancelled(&self, details: Option<Payloads>) -> AttemptEnd {
        let limits = &self.inner.core.options.limits.history;
        size::within(limits, AttemptEnd::Cancelled(details.unwrap_or_default()))
    }

    /// The end, the details of the last heartbeat, and what the worker is told of what was too large.
    fn failed(
        &self,
        failed: Option<Failure>,
        details: Option<Payloads>,
    ) -> (AttemptEnd, Option<Payloads>, Vec<Failure>) {
        let limits = &self.inner.core.options.limits.history;
        let mut told = Vec::new();
        let details = match size::heartbeat(limits, details.as_ref()) {
            Ok(()) => details,
            Err(_) => {
                told.push(failure::server(size::HEARTBEAT_TOO_LARGE, true));
                None
            }
        };
        let failed = failed.unwrap_or_default();
        if size::is_too_large(limits, &failed) {
            told.push(failure::server(size::FAILURE_TOO_LARGE, true));
        }
        let end = size::within(limits, AttemptEnd::Failed(Box::new(failed)));
        (end, details, told)
    }
}
