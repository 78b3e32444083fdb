//! What operators have set for task queues: durable, and stronger than what workers say.

use std::{collections::HashMap, sync::Arc};

use longhaul_engine::proto::{enums::v1::TaskQueueType, taskqueue::v1::TaskQueueConfig};
use longhaul_history::time;
use longhaul_store::{Change, TaskQueueKey};
use prost::Message as _;

use super::{Matches, QueueKey, TaskQueues};
use crate::Error;

/// Those of all queues, by queue. Unlike the lines they stay when nobody uses a queue.
#[derive(Debug, Default)]
pub(super) struct Configs(HashMap<QueueKey, TaskQueueConfig>);

/// So many queues are configured, and none of them can be forgotten; this many may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full(pub(crate) usize);

impl Configs {
    /// How many attempts a queue is to hand out in a second; none: that was not set.
    pub(super) fn a_second(&self, key: &QueueKey) -> Option<f64> {
        let limit = self.0.get(key)?.queue_rate_limit.as_ref()?;
        limit.rate_limit.map(|limit| limit.requests_per_second.into())
    }

    /// The queue whose configuration sets nothing any more for the longest time.
    fn oldest_unset(&self) -> Option<&QueueKey> {
        let unset = self.0.iter().filter_map(|(key, config)| {
            let limit = config.queue_rate_limit.as_ref();
            if limit.is_some_and(|limit| limit.rate_limit.is_some()) {
                return None;
            }
            let since = limit.and_then(|limit| limit.metadata.as_ref()?.update_time.as_ref());
            Some((since.and_then(time::ns_from_timestamp), key))
        });
        unset.min().map(|(_, key)| key)
    }
}

impl TaskQueues {
    /// What the store has.
    pub(crate) fn restore(&self, stored: Vec<(TaskQueueKey, Vec<u8>)>) -> Result<(), Error> {
        let mut inner = self.lock();
        for (key, body) in stored {
            // Only queues of activities are configured.
            if key.kind != TaskQueueType::Activity as u8 {
                continue;
            }
            let config = TaskQueueConfig::decode(body.as_slice()).map_err(|error| {
                Error::Internal(format!(
                    "the configuration of task queue {:?} is damaged: {error}",
                    key.name
                ))
            })?;
            let key = QueueKey {
                namespace: key.namespace,
                name: Arc::from(key.name),
            };
            inner.configs.0.insert(key, config);
        }
        Ok(())
    }

    /// What operators have set for a queue, also if that was unset since; none: nothing, ever.
    pub(crate) fn config(&self, key: &QueueKey) -> Option<TaskQueueConfig> {
        self.lock().configs.0.get(key).cloned()
    }

    /// Whether another queue has to be forgotten for this one to be configured: which.
    pub(crate) fn gives_way_to(&self, key: &QueueKey) -> Result<Option<QueueKey>, Full> {
        let inner = self.lock();
        let (configs, most) = (&inner.configs, self.limits.configs);
        if configs.0.contains_key(key) || configs.0.len() < most {
            return Ok(None);
        }
        configs.oldest_unset().cloned().map(Some).ok_or(Full(most))
    }

    /// An operator has set something for a queue, and that is durable; of another one nothing is known any more. Polls and attempts that
    /// were held back may meet now.
    pub(crate) fn configure(
        &self,
        key: &QueueKey,
        config: TaskQueueConfig,
        forgotten: Option<&QueueKey>,
        now_ns: u64,
    ) -> Matches {
        let mut inner = self.lock();
        if let Some(forgotten) = forgotten {
            inner.configs.0.remove(forgotten);
        }
        inner.configs.0.insert(key.clone(), config);
        let a_second = inner.configs.a_second(key);
        let Some(queue) = inner.queues.get_mut(key) else {
            return Matches::default();
        };
        queue.limit_by_api(a_second, now_ns);
        inner.meet(&self.inner, key, now_ns)
    }
}

/// What makes a queue's configuration durable.
pub(crate) fn put(key: &QueueKey, config: &TaskQueueConfig) -> Change {
    Change::PutTaskQueue(stored(key), config.encode_to_vec())
}

/// What forgets it.
pub(crate) fn delete(key: &QueueKey) -> Change {
    Change::DeleteTaskQueue(stored(key))
}

fn stored(key: &QueueKey) -> TaskQueueKey {
    TaskQueueKey {
        namespace: key.namespace,
        kind: TaskQueueType::Activity as u8,
        name: key.name.to_string(),
    }
}
