//! Why an activity that could start does not, in words.

use longhaul_engine::activity::Activity;

use crate::{
    activities::Server,
    shard::{Shard, gated::Which, run::Run},
    task_queues::{QueueKey, RateLimit, SetBy},
};

impl Shard {
    /// Why an activity that could start waits, in words. None: it is about to start, or the workers of its queue are busy.
    pub(in crate::shard) fn why_it_waits(&self, run: &Run, activity: &Activity) -> Option<String> {
        let (queue, activity_type) = (activity.task_queue(), activity.activity_type());
        let server = self.core.registry.server_of(run.namespace, queue, activity_type);
        match server {
            Some(server) => self.why_it_has_no_place(run, activity, &server),
            None => self.why_no_worker_takes_it(run, queue, activity_type),
        }
    }

    /// This server serves it.
    fn why_it_has_no_place(&self, run: &Run, activity: &Activity, server: &Server) -> Option<String> {
        let (run_id, id) = (run.run_id, activity.scheduled_event_id);
        if let Server::Module(version) = server
            && let Some(limit) = version.config.activity_concurrency
            && self.attempts.gated.waits(run_id, Which::Scheduled(id))
        {
            let module = &version.name;
            return Some(format!(
                "module {module} has no place for another attempt: its activity_concurrency is {limit}, and all are taken"
            ));
        }
        if self.attempts.limited.waits(run_id, id) {
            let queue = activity.task_queue();
            let key = QueueKey {
                namespace: run.namespace,
                name: queue.into(),
            };
            return Some(handed_out(queue, self.core.task_queues.rate_limit(&key)?));
        }
        let slots = self.core.options.activity_slots;
        self.attempts.wanting.contains(run_id, id).then(|| {
            format!("the server has no place for another attempt: its activity_slots are {slots}, and all are taken")
        })
    }

    fn why_no_worker_takes_it(&self, run: &Run, queue: &str, activity_type: &str) -> Option<String> {
        let key = QueueKey {
            namespace: run.namespace,
            name: queue.into(),
        };
        let now_ns = self.core.clock.now_ns();
        if self.core.task_queues.is_polled(&key, now_ns) {
            let limit = self.core.task_queues.holds_back(&key, now_ns)?;
            return Some(handed_out(queue, limit));
        }
        let places = self.core.registry.elsewhere(run.namespace, activity_type);
        let elsewhere = match places.first() {
            Some((module, queue)) => format!("; module {module} serves this type on {queue}"),
            None => "; no uploaded module serves this type".into(),
        };
        Some(format!("no worker polls {queue}{elsewhere}"))
    }
}

fn handed_out(queue: &str, limit: RateLimit) -> String {
    // Operators say it in fewer digits, which are those to show.
    let a_second = limit.a_second as f32;
    let (who, where_from) = match limit.by {
        SetBy::Api => ("its rate limit allows", "UpdateTaskQueueConfig"),
        SetBy::Worker => ("its workers allow", "max_task_queue_activities_per_second"),
    };
    format!("task queue {queue} has handed out as many attempts as {who}: {a_second} a second ({where_from})")
}
