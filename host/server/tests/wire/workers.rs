//! Workers of activities on the wire: polls, and what is said of attempts.

use std::time::Duration;

use temporalio_protos::temporal::api::{
    enums::v1::TaskQueueType,
    taskqueue::v1::TaskQueue,
    workflowservice::v1::{
        DescribeTaskQueueRequest, PollActivityTaskQueueRequest, RecordActivityTaskHeartbeatRequest,
        RespondActivityTaskCompletedByIdRequest, RespondActivityTaskCompletedRequest,
        RespondActivityTaskFailedRequest, ShutdownWorkerRequest,
    },
};
use tokio::time::timeout;
use tonic::{Code, Request, Status};

use crate::common::{PATIENCE, Running, options};

const QUEUE: &str = "billing";

fn queue() -> Option<TaskQueue> {
    Some(TaskQueue {
        name: QUEUE.into(),
        ..Default::default()
    })
}

fn poll() -> PollActivityTaskQueueRequest {
    PollActivityTaskQueueRequest {
        namespace: "default".into(),
        task_queue: queue(),
        identity: "worker".into(),
        worker_instance_key: "key".into(),
        ..Default::default()
    }
}

async fn pollers(server: &Running) -> Vec<String> {
    let mut request = DescribeTaskQueueRequest {
        namespace: "default".into(),
        task_queue: queue(),
        ..Default::default()
    };
    request.set_task_queue_type(TaskQueueType::Activity);
    let answer = server
        .workflows()
        .await
        .describe_task_queue(request)
        .await
        .unwrap();
    let pollers = answer.into_inner().pollers;
    pollers.into_iter().map(|poller| poller.identity).collect()
}

#[tokio::test]
async fn a_poll_that_finds_nothing_is_answered_before_its_client_gives_up() {
    let server = Running::start(options()).await;
    let mut request = Request::new(poll());
    request.set_timeout(Duration::from_millis(1_100));
    let answer = server
        .workflows()
        .await
        .poll_activity_task_queue(request)
        .await
        .unwrap();
    assert!(answer.into_inner().task_token.is_empty());
    assert_eq!(pollers(&server).await, ["worker"]);
    server.end().await;
}

#[tokio::test]
async fn a_poll_ends_when_its_worker_or_the_server_stops() {
    let server = Running::start(options()).await;
    let mut client = server.workflows().await;
    let waits = tokio::spawn(async move { client.poll_activity_task_queue(poll()).await });
    while pollers(&server).await.is_empty() {
        tokio::task::yield_now().await;
    }
    let request = ShutdownWorkerRequest {
        namespace: "default".into(),
        task_queue: QUEUE.into(),
        worker_instance_key: "key".into(),
        ..Default::default()
    };
    server.workflows().await.shutdown_worker(request).await.unwrap();
    let answer = timeout(PATIENCE, waits).await.unwrap().unwrap().unwrap();
    assert!(answer.into_inner().task_token.is_empty());

    let mut client = server.workflows().await;
    let other = PollActivityTaskQueueRequest {
        identity: "other".into(),
        ..poll()
    };
    let waits = tokio::spawn(async move { client.poll_activity_task_queue(other).await });
    while pollers(&server).await.len() < 2 {
        tokio::task::yield_now().await;
    }
    server.end().await;
    let status = timeout(PATIENCE, waits).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

// A6, B1
#[tokio::test]
async fn what_is_wrong_with_an_answer_is_said_in_temporals_words() {
    let server = Running::start(options()).await;
    let mut client = server.workflows().await;
    let namespace = || "default".to_owned();
    let mut answers: Vec<(Status, Code, &str)> = Vec::new();
    let request = RespondActivityTaskCompletedRequest {
        namespace: namespace(),
        ..Default::default()
    };
    let status = client.respond_activity_task_completed(request).await.unwrap_err();
    answers.push((status, Code::InvalidArgument, "Task token not set on request."));
    let request = RespondActivityTaskFailedRequest {
        namespace: namespace(),
        task_token: b"no token".to_vec(),
        ..Default::default()
    };
    let status = client.respond_activity_task_failed(request).await.unwrap_err();
    answers.push((status, Code::InvalidArgument, "Error deserializing task token."));
    let request = RecordActivityTaskHeartbeatRequest {
        task_token: b"no token".to_vec(),
        ..Default::default()
    };
    let status = client.record_activity_task_heartbeat(request).await.unwrap_err();
    answers.push((status, Code::InvalidArgument, "Namespace not set on request."));
    let mut request = RespondActivityTaskCompletedByIdRequest {
        namespace: namespace(),
        activity_id: "1".into(),
        ..Default::default()
    };
    let status = client
        .respond_activity_task_completed_by_id(request.clone())
        .await
        .unwrap_err();
    answers.push((status, Code::InvalidArgument, "WorkflowId is not set on request."));
    request.workflow_id = "nobody".into();
    let status = client
        .respond_activity_task_completed_by_id(request)
        .await
        .unwrap_err();
    answers.push((status, Code::NotFound, "workflow not found for ID: nobody"));
    let request = PollActivityTaskQueueRequest {
        task_queue: None,
        ..poll()
    };
    let status = client.poll_activity_task_queue(request).await.unwrap_err();
    answers.push((status, Code::InvalidArgument, "TaskQueue is not set on request."));
    for (status, code, text) in answers {
        assert_eq!((status.code(), status.message()), (code, text));
    }
    server.end().await;
}
