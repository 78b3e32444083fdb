//! Workers of activities on the wire: polls, and what is said of attempts.

use std::time::Duration;

use temporalio_protos::temporal::api::{
    enums::v1::{RateLimitSource, TaskQueueType},
    taskqueue::v1::{RateLimit, TaskQueue},
    workflowservice::v1::{
        DescribeTaskQueueRequest, DescribeTaskQueueResponse, PollActivityTaskQueueRequest,
        RecordActivityTaskHeartbeatRequest, RespondActivityTaskCompletedByIdRequest,
        RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest, ShutdownWorkerRequest,
        UpdateTaskQueueConfigRequest, update_task_queue_config_request::RateLimitUpdate,
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

async fn described(server: &Running) -> DescribeTaskQueueResponse {
    let mut request = DescribeTaskQueueRequest {
        namespace: "default".into(),
        task_queue: queue(),
        report_config: true,
        ..Default::default()
    };
    request.set_task_queue_type(TaskQueueType::Activity);
    let answer = server
        .workflows()
        .await
        .describe_task_queue(request)
        .await
        .unwrap();
    answer.into_inner()
}

async fn pollers(server: &Running) -> Vec<String> {
    let pollers = described(server).await.pollers;
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

// A2, B1
#[tokio::test]
async fn an_operator_limits_a_task_queue_and_is_told_why_not() {
    let server = Running::start(options()).await;
    let mut client = server.workflows().await;
    let set = |a_second: f32| {
        let mut request = UpdateTaskQueueConfigRequest {
            namespace: "default".into(),
            identity: "operator".into(),
            task_queue: QUEUE.into(),
            update_queue_rate_limit: Some(RateLimitUpdate {
                rate_limit: Some(RateLimit {
                    requests_per_second: a_second,
                }),
                reason: "the bank is slow".into(),
            }),
            ..Default::default()
        };
        request.set_task_queue_type(TaskQueueType::Activity);
        request
    };
    let answer = client.update_task_queue_config(set(2.5)).await.unwrap();
    let described = described(&server).await;
    assert_eq!(answer.into_inner().config, described.config);
    let limit = described.config.unwrap().queue_rate_limit.unwrap();
    assert_eq!(limit.rate_limit.unwrap().requests_per_second, 2.5);
    assert_eq!(limit.metadata.unwrap().reason, "the bank is slow");
    let effective = described.effective_rate_limit.unwrap();
    assert_eq!(
        (effective.requests_per_second, effective.rate_limit_source()),
        (2.5, RateLimitSource::Api)
    );
    let (mut nameless, mut fair, mut of_workflows) = (set(1.0), set(1.0), set(1.0));
    nameless.namespace.clear();
    fair.update_fairness_key_rate_limit_default = fair.update_queue_rate_limit.clone();
    of_workflows.set_task_queue_type(TaskQueueType::Workflow);
    for (request, code, text) in [
        (nameless, Code::InvalidArgument, "Namespace not set on request."),
        (set(-1.0), Code::InvalidArgument, "RequestsPerSecond"),
        (set(f32::NAN), Code::InvalidArgument, "RequestsPerSecond"),
        (
            of_workflows,
            Code::InvalidArgument,
            "Setting rate limit on workflow task queues is not allowed",
        ),
        (fair, Code::Unimplemented, "fairness keys"),
    ] {
        let status = client.update_task_queue_config(request).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        assert!(status.message().contains(text), "{status:?}");
    }
    server.end().await;
}
