//! What operators set for a task queue (`UpdateTaskQueueConfig`).

use std::sync::PoisonError;

use longhaul_engine::proto::{
    enums::v1::TaskQueueType,
    taskqueue::v1::{ConfigMetadata, RateLimitConfig, TaskQueueConfig},
    workflowservice::v1 as wire,
};
use longhaul_history::time;
use longhaul_store::Transition;
use wire::update_task_queue_config_request::RateLimitUpdate;

use super::check;
use crate::{
    Error, Runtime,
    core::Core,
    task_queues::{Full, QueueKey, config},
};

impl Runtime {
    /// Set or unset how many attempts of activities a task queue hands out in a second, to all its workers together, and to the modules
    /// and the code of the embedding program that serve it within the server. It is stronger than what workers ask for with their polls,
    /// which counts again once it is unset; it stays over restarts. Local activities are in no task queue.
    ///
    /// # Errors
    ///
    /// The queue is none of activities, a rate is none, a text is too long, or fairness keys are meant, which this server does not
    /// have. RESOURCE_EXHAUSTED where [`queue_configs`](crate::Options::queue_configs) other queues have a rate limit.
    pub async fn update_task_queue_config(
        &self,
        request: wire::UpdateTaskQueueConfigRequest,
    ) -> Result<wire::UpdateTaskQueueConfigResponse, Error> {
        let core = &self.inner.core;
        let key = self.queue_key(&request.namespace, &request.task_queue)?;
        check_type(request.task_queue_type())?;
        if request.update_fairness_key_rate_limit_default.is_some()
            || !request.set_fairness_weight_overrides.is_empty()
            || !request.unset_fairness_weight_overrides.is_empty()
        {
            return Err(Error::Unimplemented(
                "fairness keys are not offered by this version, so they can have no rate limits and no weights: limit the whole task \
                 queue (UpdateQueueRateLimit), or use a task queue for each key"
                    .into(),
            ));
        }
        let limits = &core.options.limits.history;
        check::name(limits, "Identity", &request.identity)?;
        let Some(update) = request.update_queue_rate_limit else {
            let config = core.task_queues.config(&key);
            return Ok(wire::UpdateTaskQueueConfigResponse { config });
        };
        check::name(limits, "UpdateQueueRateLimit.Reason", &update.reason)?;
        check_rate(&update)?;
        let (core, identity) = (core.clone(), request.identity);
        let done = tokio::task::spawn_blocking(move || set_rate_limit(&core, &key, update, identity));
        let config = done.await.unwrap_or_else(|error| {
            Err(Error::Internal(format!(
                "configuring a task queue has panicked: {error}"
            )))
        })?;
        Ok(wire::UpdateTaskQueueConfigResponse { config: Some(config) })
    }
}

fn check_type(kind: TaskQueueType) -> Result<(), Error> {
    match kind {
        TaskQueueType::Activity => Ok(()),
        TaskQueueType::Workflow | TaskQueueType::Unspecified => Err(Error::InvalidArgument(
            "Setting rate limit on workflow task queues is not allowed: set TaskQueueType to ACTIVITY".into(),
        )),
        TaskQueueType::Nexus => Err(Error::Unimplemented(
            "Nexus task queues are not offered by this version: set TaskQueueType to ACTIVITY".into(),
        )),
    }
}

fn check_rate(update: &RateLimitUpdate) -> Result<(), Error> {
    let rate = update.rate_limit.map(|limit| limit.requests_per_second);
    match rate {
        Some(rate) if !rate.is_finite() || rate < 0.0 => Err(Error::InvalidArgument(format!(
            "RequestsPerSecond of UpdateQueueRateLimit is {rate}: give a number from 0 on, or leave RateLimit out to unset the limit"
        ))),
        _ => Ok(()),
    }
}

/// Durable first, then in force. Blocks.
fn set_rate_limit(
    core: &Core,
    key: &QueueKey,
    update: RateLimitUpdate,
    identity: String,
) -> Result<TaskQueueConfig, Error> {
    // Between reading what is set and having written what follows nobody else does.
    let _alone = core.queue_configs.lock().unwrap_or_else(PoisonError::into_inner);
    let forgotten = core.task_queues.gives_way_to(key).map_err(|Full(most)| {
        Error::ResourceExhausted(format!(
            "{most} task queues have a rate limit of their own already: unset one that is not needed, or raise queue_configs in the \
             server's settings"
        ))
    })?;
    let now_ns = core.clock.now_ns();
    let mut config = core.task_queues.config(key).unwrap_or_default();
    config.queue_rate_limit = Some(RateLimitConfig {
        rate_limit: update.rate_limit,
        metadata: Some(ConfigMetadata {
            reason: update.reason,
            update_identity: identity,
            update_time: Some(time::timestamp_from_ns(now_ns)),
        }),
    });
    let mut changes = vec![config::put(key, &config)];
    changes.extend(forgotten.as_ref().map(config::delete));
    core.write_now(Transition::new(changes))?;
    let matches = core
        .task_queues
        .configure(key, config.clone(), forgotten.as_ref(), now_ns);
    core.bring(key, matches);
    Ok(config)
}
