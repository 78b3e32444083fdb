//! Attempts that are handed to workers outside of the server: matched, delivered, taken back (A1, A7).
//!
//! An attempt that nobody in the server serves waits in its task queue. A worker's poll and the attempt meet there; the attempt's
//! start is written in a turn of its run, and the worker gets it when that is durable. What does not reach the worker goes back to
//! its place in the line.

use std::sync::Arc;

use longhaul_engine::{
    Turn,
    activity::{Activity, Starter},
    proto::{common::v1 as common, workflowservice::v1 as wire},
};
use longhaul_history::time;
use longhaul_store::RunId;

use super::{
    Place, Shard, ShardMailbox,
    commit::Held,
    message::{Input, Notice},
    run::Run,
    turn::Tellings,
};
use crate::{
    task_queues::{Poll, QueueKey, Waiting},
    token::Token,
};

/// An attempt that was started for a poll: on its way to its worker as soon as the start is durable.
pub(crate) struct HandedOut {
    poll: Poll,
    delivery: Delivery,
}

/// An attempt on its way to a worker. Unless it is [accepted](Self::accept), it goes back.
pub(crate) struct Delivery {
    task: Option<Box<wire::PollActivityTaskQueueResponse>>,
    run_id: RunId,
    place: Place,
    scheduled_event_id: i64,
    nonce: u64,
    mailbox: Arc<ShardMailbox>,
}

impl Delivery {
    /// It reaches its worker now.
    pub(crate) fn accept(mut self) -> wire::PollActivityTaskQueueResponse {
        // It is there until it is taken here, where the delivery ends.
        self.task.take().map(|task| *task).unwrap_or_default()
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("run_id", &self.run_id)
            .field("scheduled_event_id", &self.scheduled_event_id)
            .finish_non_exhaustive()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if self.task.take().is_some() {
            self.mailbox.notice(Notice::Deliver {
                run_id: self.run_id,
                place: self.place.clone(),
                input: Box::new(Input::TakeBack {
                    scheduled_event_id: self.scheduled_event_id,
                    nonce: self.nonce,
                }),
            });
        }
    }
}

impl HandedOut {
    /// Its start is durable.
    pub(super) fn deliver(self) {
        metrics::counter!("longhaul_activity_attempts_total").increment(1);
        self.poll.answer(self.delivery);
    }

    /// Its start is not written: the worker asks again, and nothing is taken back.
    pub(super) fn forget(mut self) {
        self.delivery.task = None;
    }
}

impl Shard {
    /// Nobody in the server serves an activity that is ready: it goes to a worker that polls, or waits in line for one.
    pub(super) fn offer(&mut self, run: &mut Run, turn: &mut Turn, tellings: &mut Tellings, id: i64) {
        let Some(activity) = run.execution.activities().get(&id) else {
            return;
        };
        let key = QueueKey {
            namespace: run.namespace,
            name: activity.task_queue().into(),
        };
        let waiting = Waiting {
            place: run.place(),
            run_id: run.run_id,
            scheduled_event_id: id,
        };
        let due_ns = activity.attempt.due_ns;
        let offered = self.core.task_queues.offer(&key, due_ns, waiting, turn.now_ns);
        self.core.bring(&key, offered.others);
        if let Some(poll) = offered.poll {
            self.hand_out(run, turn, tellings, id, poll);
        }
    }

    /// A worker's poll has met an activity of this run.
    pub(super) fn take_poll(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        tellings: &mut Tellings,
        id: i64,
        poll: Poll,
    ) {
        let Some(activity) = run.execution.activities().get(&id) else {
            // Whoever waits for the poll asks again.
            return self.attempts.withdraw(&self.core, run.run_id, id);
        };
        let served = self
            .core
            .registry
            .server_of(run.namespace, activity.task_queue(), activity.activity_type())
            .is_some();
        if served || !poll.is_alive() || self.stopping || !activity.is_ready(turn.now_ns) {
            return self.attempts.try_later(run.run_id, id);
        }
        self.hand_out(run, turn, tellings, id, poll);
    }

    fn hand_out(&mut self, run: &mut Run, turn: &mut Turn, tellings: &mut Tellings, id: i64, poll: Poll) {
        let starter = Starter {
            identity: &poll.identity,
            outside: true,
            nonce: self.core.new_nonce(),
        };
        if !run.execution.start_attempt(turn, id, starter) {
            return;
        }
        self.note_outside(run, id);
        self.attempts.served(&self.core, run.run_id, id);
        let Some(activity) = run.execution.activities().get(&id) else {
            return;
        };
        let delivery = Delivery {
            task: Some(Box::new(task_of(run, activity))),
            run_id: run.run_id,
            place: run.place(),
            scheduled_event_id: id,
            nonce: activity.attempt.nonce,
            mailbox: self.mailbox.clone(),
        };
        let handed_out = HandedOut { poll, delivery };
        tellings.0.push(Held::HandOut(Box::new(handed_out)));
    }
}

/// The token of an activity's current attempt.
pub(super) fn token_of(run: &Run, activity: &Activity) -> Vec<u8> {
    let attempt = &activity.attempt;
    Token::new(
        &run.place(),
        run.run_id,
        activity.scheduled_event_id,
        attempt.number,
        attempt.nonce,
    )
    .to_bytes()
}

/// What a worker is given.
fn task_of(run: &Run, activity: &Activity) -> wire::PollActivityTaskQueueResponse {
    let (attributes, attempt) = (&activity.attributes, &activity.attempt);
    let identity = run.execution.identity();
    wire::PollActivityTaskQueueResponse {
        task_token: token_of(run, activity),
        workflow_namespace: identity.namespace.to_string(),
        workflow_type: Some(common::WorkflowType {
            name: run.execution.workflow_type().to_owned(),
        }),
        workflow_execution: Some(common::WorkflowExecution {
            workflow_id: identity.workflow_id.to_string(),
            run_id: identity.run_id.to_string(),
        }),
        activity_type: attributes.activity_type.clone(),
        activity_id: attributes.activity_id.clone(),
        header: attributes.header.clone(),
        input: attributes.input.clone(),
        heartbeat_details: attempt.heartbeat_details.clone(),
        scheduled_time: Some(time::timestamp_from_ns(activity.scheduled_time_ns)),
        current_attempt_scheduled_time: Some(time::timestamp_from_ns(attempt.due_ns)),
        started_time: attempt.started_ns.map(time::timestamp_from_ns),
        attempt: i32::try_from(attempt.number).unwrap_or(i32::MAX),
        schedule_to_close_timeout: activity.schedule_to_close().copied(),
        start_to_close_timeout: activity.start_to_close().copied(),
        heartbeat_timeout: activity.heartbeat().copied(),
        retry_policy: Some(activity.retry_policy()),
        priority: attributes.priority.clone(),
        ..Default::default()
    }
}
