//! Polls of task queues by workers outside of the server.

use std::{sync::Arc, time::Duration};

use longhaul_engine::proto::{
    enums::v1::{RateLimitSource, TaskQueueType},
    taskqueue::v1 as queue,
    workflowservice::v1 as wire,
};
use longhaul_history::time;

use super::check;
use crate::{
    Error, Runtime,
    core::Core,
    shard::Delivery,
    task_queues::{Poller, QueueKey, Refusal, SetBy, Taken},
};

/// A poll counts while this lives.
struct Ticket<'a> {
    core: &'a Core,
    key: &'a QueueKey,
    number: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let now_ns = self.core.clock.now_ns();
        self.core.task_queues.leave(self.key, self.number, now_ns);
    }
}

impl Runtime {
    /// The next attempt of an activity that waits in a task queue; waits for one at most for `within` and for the server's
    /// [`task_poll`](crate::Options::task_poll), and then answers without one.
    ///
    /// When this returns an attempt, its start is durable: the worker has it until it answers or a limit of the activity passes. If
    /// the future is dropped before, the attempt goes back to its place in the queue.
    ///
    /// # Errors
    ///
    /// No task queue is named, the rate that the worker asks for is none, or too many polls wait.
    pub async fn poll_activity_task_queue(
        &self,
        request: wire::PollActivityTaskQueueRequest,
        within: Option<Duration>,
    ) -> Result<wire::PollActivityTaskQueueResponse, Error> {
        let core = &self.inner.core;
        let key = self.queue_key(&request.namespace, name_of(request.task_queue.as_ref()))?;
        check::name(&core.options.limits.history, "Identity", &request.identity)?;
        check::name(
            &core.options.limits.history,
            "WorkerInstanceKey",
            &request.worker_instance_key,
        )?;
        let poller = Poller {
            identity: &request.identity,
            instance_key: &request.worker_instance_key,
            a_second: rate(request.task_queue_metadata.as_ref())?,
        };
        let longest = core.options.task_poll;
        let within = within.map_or(longest, |within| within.min(longest));
        let mut over = std::pin::pin!(tokio::time::sleep(within));
        loop {
            let Taken {
                number,
                mut answer,
                matches,
            } = core
                .task_queues
                .poll(&key, poller, core.clock.now_ns())
                .map_err(|refusal| refused(refusal, &key))?;
            let _ticket = Ticket {
                core,
                key: &key,
                number,
            };
            core.bring(&key, matches);
            let answered = tokio::select! {
                biased;
                answered = &mut answer => Some(answered),
                () = &mut over => None,
            };
            match answered {
                Some(Ok(delivery)) => return Ok(delivery.map(Delivery::accept).unwrap_or_default()),
                // The attempt was not to be had, or its shard starts over: the poll goes on.
                Some(Err(_)) => tokio::task::yield_now().await,
                None => {
                    answer.close();
                    let delivery = answer.try_recv().ok().flatten();
                    return Ok(delivery.map(Delivery::accept).unwrap_or_default());
                }
            }
        }
    }

    /// A worker stops: polls of it that wait are answered, so that no attempt is handed to it any more.
    ///
    /// # Errors
    ///
    /// The namespace does not exist.
    pub async fn shutdown_worker(
        &self,
        request: wire::ShutdownWorkerRequest,
    ) -> Result<wire::ShutdownWorkerResponse, Error> {
        let namespace = self.namespace_id(&request.namespace)?;
        let polls_activities = request.task_queue_types.is_empty()
            || request
                .task_queue_types
                .contains(&(TaskQueueType::Activity as i32));
        // Without a key of its own a worker cannot be told from others; its polls end when it gives them up.
        if polls_activities && !request.task_queue.is_empty() && !request.worker_instance_key.is_empty() {
            let key = QueueKey {
                namespace,
                name: request.task_queue.into(),
            };
            self.inner
                .core
                .task_queues
                .dismiss(&key, &request.worker_instance_key);
        }
        Ok(wire::ShutdownWorkerResponse::default())
    }

    /// Who polls a task queue, what waits in it, and how many attempts it may hand out. Modules that serve the queue within the server
    /// count as a poller.
    ///
    /// # Errors
    ///
    /// No task queue is named.
    pub async fn describe_task_queue(
        &self,
        request: wire::DescribeTaskQueueRequest,
    ) -> Result<wire::DescribeTaskQueueResponse, Error> {
        let core = &self.inner.core;
        let key = self.queue_key(&request.namespace, name_of(request.task_queue.as_ref()))?;
        let now_ns = core.clock.now_ns();
        let activities = request.task_queue_type() == TaskQueueType::Activity;
        // Workflow tasks run inline and never wait; nobody outside polls for them.
        let described = if activities {
            core.task_queues.describe(&key, now_ns)
        } else {
            Default::default()
        };
        let serves = core.registry.newest(key.namespace).iter().any(|version| {
            version.record.queue == *key.name
                && if activities {
                    !version.activity_types.is_empty()
                } else {
                    !version.workflow_types.is_empty()
                }
        });
        let ours = serves.then(|| (core.options.identity.clone(), now_ns));
        let pollers = ours.into_iter().chain(described.pollers);
        let backlog = i64::try_from(described.backlog).unwrap_or(i64::MAX);
        let age_ns = described
            .oldest_ns
            .map_or(0, |oldest_ns| now_ns.saturating_sub(oldest_ns));
        Ok(wire::DescribeTaskQueueResponse {
            pollers: pollers
                .map(|(identity, last_ns)| queue::PollerInfo {
                    last_access_time: Some(time::timestamp_from_ns(last_ns)),
                    identity,
                    ..Default::default()
                })
                .collect(),
            stats: request.report_stats.then(|| queue::TaskQueueStats {
                approximate_backlog_count: backlog,
                approximate_backlog_age: Some(time::duration_from_ns(age_ns)),
                tasks_add_rate: described.added,
                tasks_dispatch_rate: described.handed_out,
                ..Default::default()
            }),
            config: (activities && request.report_config)
                .then(|| core.task_queues.config(&key))
                .flatten(),
            effective_rate_limit: described.limit.map(|limit| {
                let source = match limit.by {
                    SetBy::Api => RateLimitSource::Api,
                    SetBy::Worker => RateLimitSource::Worker,
                };
                wire::describe_task_queue_response::EffectiveRateLimit {
                    requests_per_second: limit.a_second as f32,
                    rate_limit_source: source as i32,
                }
            }),
            ..Default::default()
        })
    }

    pub(super) fn queue_key(&self, namespace: &str, name: &str) -> Result<QueueKey, Error> {
        let namespace = self.namespace_id(namespace)?;
        if name.is_empty() {
            // In the words of Temporal's server.
            return Err(Error::InvalidArgument("TaskQueue is not set on request.".into()));
        }
        check::name(&self.inner.core.options.limits.history, "TaskQueue", name)?;
        Ok(QueueKey {
            namespace,
            name: Arc::from(name),
        })
    }
}

fn name_of(queue: Option<&queue::TaskQueue>) -> &str {
    queue.map_or("", |queue| queue.name.as_str())
}

/// How many attempts a worker lets the whole queue hand out in a second; none: it does not say.
fn rate(metadata: Option<&queue::TaskQueueMetadata>) -> Result<Option<f64>, Error> {
    let rate = metadata.and_then(|metadata| metadata.max_tasks_per_second);
    match rate {
        Some(rate) if !rate.is_finite() || rate < 0.0 => Err(Error::InvalidArgument(format!(
            "MaxTasksPerSecond is {rate}: give a number from 0 on, or none for no limit"
        ))),
        rate => Ok(rate),
    }
}

fn refused(refusal: Refusal, key: &QueueKey) -> Error {
    match refusal {
        Refusal::TooMany(limit) => Error::ResourceExhausted(format!(
            "{limit} polls wait already, of task queue {:?} or in all; let fewer pollers ask at once",
            key.name
        )),
        Refusal::Stopping => Error::Unavailable("the server stops".into()),
    }
}
