//! What operators do with pending activities: pause, unpause, reset, other options.

use longhaul_engine::{
    execution::{Act, Changes, Selection},
    proto::{
        activity::v1::ActivityOptions,
        common::v1::WorkflowExecution,
        workflowservice::v1::{
            self as wire, pause_activity_request, reset_activity_request, unpause_activity_request,
            update_activity_options_request,
        },
    },
};
use longhaul_history::time;

use super::check;
use crate::{
    Error, Runtime,
    shard::{Message, Operation},
};

impl Runtime {
    /// Pause activities of an execution: none of their attempts starts until they are unpaused; one that runs hears of it with its next
    /// heartbeat.
    ///
    /// # Errors
    ///
    /// There is no such execution, it has closed, no such activity is pending, or another request has paused it.
    pub async fn pause_activity(
        &self,
        request: wire::PauseActivityRequest,
    ) -> Result<wire::PauseActivityResponse, Error> {
        use pause_activity_request::Activity;
        let selection = match request.activity {
            Some(Activity::Id(id)) => Some(Selection::Id(id)),
            Some(Activity::Type(name)) => Some(Selection::Type(name)),
            None => None,
        };
        let limits = &self.inner.core.options.limits.history;
        check::name(limits, "Identity", &request.identity)?;
        check::name(limits, "Reason", &request.reason)?;
        check::name(limits, "RequestId", &request.request_id)?;
        let act = Act::Pause {
            identity: request.identity,
            reason: request.reason,
            request_id: request.request_id,
        };
        self.operate(&request.namespace, request.execution.as_ref(), selection, act)
            .await?;
        Ok(wire::PauseActivityResponse::default())
    }

    /// Let paused activities go on, at once. Those that are not paused stay as they are.
    ///
    /// # Errors
    ///
    /// There is no such execution, it has closed, or no such activity is pending.
    pub async fn unpause_activity(
        &self,
        request: wire::UnpauseActivityRequest,
    ) -> Result<wire::UnpauseActivityResponse, Error> {
        use unpause_activity_request::Activity;
        let selection = match request.activity {
            Some(Activity::Id(id)) => Some(Selection::Id(id)),
            Some(Activity::Type(name)) => Some(Selection::Type(name)),
            Some(Activity::UnpauseAll(true)) => Some(Selection::All),
            Some(Activity::UnpauseAll(false)) | None => None,
        };
        let act = Act::Unpause {
            reset_attempts: request.reset_attempts,
            reset_heartbeat: request.reset_heartbeat,
            delay_ns: self.jitter(request.jitter.as_ref())?,
        };
        self.operate(&request.namespace, request.execution.as_ref(), selection, act)
            .await?;
        Ok(wire::UnpauseActivityResponse::default())
    }

    /// Let activities begin anew, with their first attempt.
    ///
    /// # Errors
    ///
    /// There is no such execution, it has closed, or no such activity is pending.
    pub async fn reset_activity(
        &self,
        request: wire::ResetActivityRequest,
    ) -> Result<wire::ResetActivityResponse, Error> {
        use reset_activity_request::Activity;
        let selection = match request.activity {
            Some(Activity::Id(id)) => Some(Selection::Id(id)),
            Some(Activity::Type(name)) => Some(Selection::Type(name)),
            Some(Activity::MatchAll(true)) => Some(Selection::All),
            Some(Activity::MatchAll(false)) | None => None,
        };
        let act = Act::Reset {
            reset_heartbeat: request.reset_heartbeat,
            keep_paused: request.keep_paused,
            restore_options: request.restore_original_options,
            delay_ns: self.jitter(request.jitter.as_ref())?,
        };
        self.operate(&request.namespace, request.execution.as_ref(), selection, act)
            .await?;
        Ok(wire::ResetActivityResponse::default())
    }

    /// Give pending activities other options than their workflow has asked for. Limits of an attempt that runs count from its start.
    ///
    /// # Errors
    ///
    /// There is no such execution, it has closed, no such activity is pending, or the options cannot be kept.
    pub async fn update_activity_options(
        &self,
        request: wire::UpdateActivityOptionsRequest,
    ) -> Result<wire::UpdateActivityOptionsResponse, Error> {
        use update_activity_options_request::Activity;
        let selection = match request.activity {
            Some(Activity::Id(id)) => Some(Selection::Id(id)),
            Some(Activity::Type(name)) => Some(Selection::Type(name)),
            Some(Activity::MatchAll(true)) => Some(Selection::All),
            Some(Activity::MatchAll(false)) | None => None,
        };
        let paths = request.update_mask.map(|mask| mask.paths).unwrap_or_default();
        let act = match (request.restore_original, request.activity_options) {
            (true, None) if paths.is_empty() => Act::RestoreOptions,
            (true, _) => {
                return Err(Error::InvalidArgument(
                    "RestoreOriginal cannot be combined with other options.".into(),
                ));
            }
            (false, Some(options)) if !paths.is_empty() => Act::Update(self.changes(&options, &paths)?),
            (false, Some(_)) => {
                return Err(Error::InvalidArgument("UpdateMask is not set on request.".into()));
            }
            (false, None) => {
                return Err(Error::InvalidArgument(
                    "ActivityOptions are not set on request.".into(),
                ));
            }
        };
        let options = self
            .operate(&request.namespace, request.execution.as_ref(), selection, act)
            .await?;
        Ok(wire::UpdateActivityOptionsResponse {
            activity_options: Some(options),
        })
    }

    async fn operate(
        &self,
        namespace: &str,
        execution: Option<&WorkflowExecution>,
        selection: Option<Selection>,
        act: Act,
    ) -> Result<ActivityOptions, Error> {
        let target = self.target(namespace, execution)?;
        let key = self.find(target.namespace, execution, target.run_id)?;
        // A run that has closed need not be brought back to say so.
        if !self.record(&key)?.status.is_open() {
            return Err(Error::AlreadyCompleted);
        }
        let selection = selection.ok_or_else(|| {
            Error::InvalidArgument("Either an activity id, an activity type or all must be named.".into())
        })?;
        self.ask(target, |reply| {
            Message::Operate(Box::new(Operation {
                selection,
                act,
                reply,
            }))
        })
        .await
    }

    /// A random part of it, in nanoseconds.
    fn jitter(&self, jitter: Option<&time::Duration>) -> Result<u64, Error> {
        match jitter.map(|jitter| time::ns_from_duration(jitter).ok_or(())) {
            None | Some(Ok(0)) => Ok(0),
            Some(Ok(ns)) => Ok(self.inner.core.new_nonce() % ns),
            Some(Err(())) => Err(Error::InvalidArgument("Jitter is negative.".into())),
        }
    }

    /// What the paths of a mask take from the options. Paths are taken in both of protobuf's spellings, as Temporal's server does.
    fn changes(&self, options: &ActivityOptions, paths: &[String]) -> Result<Changes, Error> {
        let ns = |what: &str, limit: Option<&time::Duration>| match limit {
            None => Ok(Some(0)),
            Some(limit) => time::ns_from_duration(limit)
                .map(Some)
                .ok_or_else(|| Error::InvalidArgument(format!("{what} is negative."))),
        };
        let policy = options.retry_policy.clone().unwrap_or_default();
        let mut changes = Changes::default();
        for path in paths {
            let plain: String = path
                .chars()
                .filter(|letter| *letter != '_')
                .collect::<String>()
                .to_lowercase();
            let whole_policy = plain == "retrypolicy";
            match plain.as_str() {
                "taskqueue" | "taskqueue.name" => {
                    let name = options
                        .task_queue
                        .as_ref()
                        .map_or("", |queue| queue.name.as_str());
                    if name.is_empty() {
                        return Err(Error::InvalidArgument("TaskQueue is not set on request.".into()));
                    }
                    check::name(&self.inner.core.options.limits.history, "TaskQueue", name)?;
                    changes.task_queue = Some(name.to_owned());
                }
                "scheduletoclosetimeout" => {
                    changes.schedule_to_close_ns = ns(
                        "ScheduleToCloseTimeout",
                        options.schedule_to_close_timeout.as_ref(),
                    )?;
                }
                "scheduletostarttimeout" => {
                    changes.schedule_to_start_ns = ns(
                        "ScheduleToStartTimeout",
                        options.schedule_to_start_timeout.as_ref(),
                    )?;
                }
                "starttoclosetimeout" => {
                    changes.start_to_close_ns =
                        ns("StartToCloseTimeout", options.start_to_close_timeout.as_ref())?;
                }
                "heartbeattimeout" => {
                    changes.heartbeat_ns = ns("HeartbeatTimeout", options.heartbeat_timeout.as_ref())?;
                }
                _ if whole_policy || plain.starts_with("retrypolicy.") => {
                    let part = plain.strip_prefix("retrypolicy.").unwrap_or_default();
                    let mut known = whole_policy;
                    if whole_policy || part == "initialinterval" {
                        changes.initial_interval_ns =
                            ns("InitialInterval", policy.initial_interval.as_ref())?;
                        known = true;
                    }
                    if whole_policy || part == "maximuminterval" {
                        changes.maximum_interval_ns =
                            ns("MaximumInterval", policy.maximum_interval.as_ref())?;
                        known = true;
                    }
                    if whole_policy || part == "backoffcoefficient" {
                        changes.backoff_coefficient = Some(policy.backoff_coefficient);
                        known = true;
                    }
                    if whole_policy || part == "maximumattempts" {
                        changes.maximum_attempts = Some(policy.maximum_attempts);
                        known = true;
                    }
                    if !known {
                        return Err(unknown(path));
                    }
                }
                _ => return Err(unknown(path)),
            }
        }
        Ok(changes)
    }
}

fn unknown(path: &str) -> Error {
    Error::InvalidArgument(format!(
        "UpdateMask names {path:?}, which is no option that can be changed; there are task_queue, schedule_to_close_timeout, \
         schedule_to_start_timeout, start_to_close_timeout, heartbeat_timeout and retry_policy with its initial_interval, \
         maximum_interval, backoff_coefficient and maximum_attempts"
    ))
}
