//! A worker outside of the server: what it sends, and the runs that it works for.

use std::time::Duration;

use longhaul_history::{
    failure, payload,
    proto::{
        common::v1::Payloads, taskqueue::v1::TaskQueue, workflow::v1::PendingActivityInfo,
        workflowservice::v1 as wire,
    },
};
use longhaul_runtime::{Error, Runtime};
use serde_json::{Value, json};

use crate::{common::values, world::*};

/// The queue of the lab's activities.
pub(crate) const QUEUE: &str = "lab";
/// Real time after which a poll that finds nothing is over.
const SHORT: Duration = Duration::from_millis(30);

pub(crate) type Task = wire::PollActivityTaskQueueResponse;

/// A world with the lab, whose activities nobody in the server serves.
pub(crate) async fn lab() -> World {
    World::of("lab").await
}

/// A step of the lab: an activity with options.
pub(crate) fn activity(options: Value) -> Value {
    let mut step = json!({"op": "activity", "type": "echo", "args": [1], "retry_ms": 1000});
    step.as_object_mut()
        .unwrap()
        .extend(options.as_object().unwrap().clone());
    step
}

impl World {
    /// A run of the lab.
    pub(crate) async fn lab(&mut self, id: &str, steps: &[Value]) {
        self.start(id, "Lab", &[json!({ "steps": steps })]).await.unwrap();
    }

    /// What a poll gets, if it gets something soon.
    pub(crate) async fn poll_task(&mut self, identity: &str) -> Option<Task> {
        let poll = poll(self.rt(), QUEUE, identity, SHORT);
        let task = self.drive(poll).await.unwrap();
        (!task.task_token.is_empty()).then_some(task)
    }

    /// The next task, which must come.
    pub(crate) async fn task(&mut self, identity: &str) -> Task {
        let poll = poll(self.rt(), QUEUE, identity, Duration::from_secs(20));
        let task = self.drive(poll).await.unwrap();
        assert!(!task.task_token.is_empty(), "there is no task");
        task
    }

    pub(crate) async fn complete(&mut self, task: &Task, result: Value) -> Result<(), Error> {
        let request = complete(self.rt(), &task.task_token, result);
        self.drive(request).await
    }

    pub(crate) async fn fail(&mut self, task: &Task, message: &str, kind: &str) -> Result<(), Error> {
        let request = wire::RespondActivityTaskFailedRequest {
            namespace: "default".into(),
            task_token: task.task_token.clone(),
            identity: "failing".into(),
            failure: Some(failure::application(message, kind, false)),
            ..Default::default()
        };
        let rt = self.rt();
        self.drive(rt.respond_activity_task_failed(request))
            .await
            .map(|_| ())
    }

    pub(crate) async fn cancelled(&mut self, task: &Task, details: Value) -> Result<(), Error> {
        let request = wire::RespondActivityTaskCanceledRequest {
            namespace: "default".into(),
            task_token: task.task_token.clone(),
            identity: "cancelled".into(),
            details: values(&[details]),
            ..Default::default()
        };
        let rt = self.rt();
        self.drive(rt.respond_activity_task_canceled(request))
            .await
            .map(|_| ())
    }

    /// Whether it should stop.
    pub(crate) async fn beat(&mut self, task: &Task, details: Value) -> Result<bool, Error> {
        let request = wire::RecordActivityTaskHeartbeatRequest {
            namespace: "default".into(),
            task_token: task.task_token.clone(),
            identity: "beating".into(),
            details: values(&[details]),
            ..Default::default()
        };
        let rt = self.rt();
        let answer = self.drive(rt.record_activity_task_heartbeat(request)).await?;
        Ok(answer.cancel_requested)
    }

    /// The activity that a run waits for, if it does.
    pub(crate) async fn pending(&mut self, id: &str) -> Option<PendingActivityInfo> {
        let mut pending = self.describe(id).await.pending_activities;
        assert!(pending.len() <= 1, "{pending:?}");
        pending.pop()
    }

    pub(crate) async fn describe_queue(&mut self) -> wire::DescribeTaskQueueResponse {
        let mut request = wire::DescribeTaskQueueRequest {
            namespace: "default".into(),
            task_queue: queue(QUEUE),
            report_stats: true,
            report_config: true,
            ..Default::default()
        };
        request.set_task_queue_type(longhaul_history::proto::enums::v1::TaskQueueType::Activity);
        let rt = self.rt();
        self.drive(rt.describe_task_queue(request)).await.unwrap()
    }
}

pub(crate) fn queue(name: &str) -> Option<TaskQueue> {
    Some(TaskQueue {
        name: name.into(),
        ..Default::default()
    })
}

pub(crate) async fn poll(
    rt: Runtime,
    task_queue: &str,
    identity: &str,
    within: Duration,
) -> Result<Task, Error> {
    let request = wire::PollActivityTaskQueueRequest {
        namespace: "default".into(),
        task_queue: queue(task_queue),
        identity: identity.into(),
        worker_instance_key: format!("key of {identity}"),
        ..Default::default()
    };
    rt.poll_activity_task_queue(request, Some(within)).await
}

pub(crate) async fn complete(rt: Runtime, token: &[u8], result: Value) -> Result<(), Error> {
    let request = wire::RespondActivityTaskCompletedRequest {
        namespace: "default".into(),
        task_token: token.to_vec(),
        identity: "done".into(),
        result: values(&[result]),
        ..Default::default()
    };
    rt.respond_activity_task_completed(request).await.map(|_| ())
}

pub(crate) async fn complete_by_id(
    rt: Runtime,
    workflow_id: &str,
    activity_id: &str,
    result: Value,
) -> Result<(), Error> {
    let request = wire::RespondActivityTaskCompletedByIdRequest {
        namespace: "default".into(),
        workflow_id: workflow_id.into(),
        activity_id: activity_id.into(),
        identity: "by id".into(),
        result: values(&[result]),
        ..Default::default()
    };
    rt.respond_activity_task_completed_by_id(request)
        .await
        .map(|_| ())
}

/// The one value of payloads.
pub(crate) fn value(payloads: Option<&Payloads>) -> Option<Value> {
    Some(payload::to_json(&payloads?.payloads[0]).unwrap())
}
