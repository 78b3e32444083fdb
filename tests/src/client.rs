//! A small gRPC client, where a process for each request would be too slow.

use std::time::Duration;

use longhaul_history::{HistoryEvent, proto, time};
use proto::{
    common::v1::{Payload, Payloads, WorkflowExecution},
    enums::v1::{HistoryEventFilterType, UpdateWorkflowExecutionLifecycleStage as Stage},
    history::v1::history_event::Attributes,
    query::v1::WorkflowQuery,
    update::v1::{Input, Meta, Outcome, Request, WaitPolicy, outcome},
    workflowservice::v1::{
        GetWorkflowExecutionHistoryRequest, ListWorkflowExecutionsRequest, QueryWorkflowRequest,
        RespondActivityTaskCompletedByIdRequest, RespondActivityTaskCompletedRequest,
        SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest, UpdateWorkflowExecutionRequest,
        workflow_service_client::WorkflowServiceClient,
    },
};
use serde_json::{Value, json};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};

/// The namespace of everything that the tests do.
const NAMESPACE: &str = "default";
/// Longer than the server's long poll; a request that takes longer hangs.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a refused connection is left alone.
const RETRY_PAUSE: Duration = Duration::from_millis(5);
/// The largest answer, in bytes: a page of history may be larger than a request.
const ANSWER_BYTES: usize = 64 << 20;

/// A connection that comes back by itself when the server does. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client(WorkflowServiceClient<Channel>);

impl Client {
    /// Connects with the first request.
    pub fn new(address: &str) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.tcp_nodelay(true).timeout(TIMEOUT).connect_lazy();
        Self(WorkflowServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES))
    }

    /// Starts an execution; the same request id starts once.
    pub async fn start(
        &mut self,
        workflow_type: &str,
        id: &str,
        input: &[Value],
        request_id: &str,
    ) -> Result<(), Status> {
        self.start_limited(workflow_type, id, input, request_id, None)
            .await
    }

    /// As [`Client::start`], with a limit of each workflow task; none: the server's.
    pub async fn start_limited(
        &mut self,
        workflow_type: &str,
        id: &str,
        input: &[Value],
        request_id: &str,
        task_timeout: Option<Duration>,
    ) -> Result<(), Status> {
        let ns = |limit: Duration| u64::try_from(limit.as_nanos()).unwrap();
        let request = StartWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            workflow_id: id.to_owned(),
            workflow_type: Some(workflow_type.to_owned().into()),
            input: Some(payloads(input)),
            request_id: request_id.to_owned(),
            workflow_task_timeout: task_timeout.map(|limit| time::duration_from_ns(ns(limit))),
            ..Default::default()
        };
        self.0.start_workflow_execution(request).await.map(drop)
    }

    /// Signals an execution; the same request id signals once.
    pub async fn signal(
        &mut self,
        id: &str,
        name: &str,
        input: &[Value],
        request_id: &str,
    ) -> Result<(), Status> {
        self.signal_with(id, name, payloads(input), request_id).await
    }

    /// Signals an execution with one argument, a JSON text that goes over as it is.
    pub async fn signal_text(
        &mut self,
        id: &str,
        name: &str,
        input: String,
        request_id: &str,
    ) -> Result<(), Status> {
        self.signal_with(
            id,
            name,
            Payloads {
                payloads: vec![payload(input)],
            },
            request_id,
        )
        .await
    }

    async fn signal_with(
        &mut self,
        id: &str,
        name: &str,
        input: Payloads,
        request_id: &str,
    ) -> Result<(), Status> {
        let request = SignalWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            workflow_execution: Some(execution(id)),
            signal_name: name.to_owned(),
            input: Some(input),
            request_id: request_id.to_owned(),
            ..Default::default()
        };
        self.0.signal_workflow_execution(request).await.map(drop)
    }

    /// Updates an execution and waits for the outcome; the same update id updates once.
    pub async fn update(
        &mut self,
        id: &str,
        name: &str,
        input: &[Value],
        update_id: &str,
    ) -> Result<Outcome, Status> {
        let request = UpdateWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            workflow_execution: Some(execution(id)),
            wait_policy: Some(WaitPolicy {
                lifecycle_stage: Stage::Completed.into(),
            }),
            request: Some(Request {
                meta: Some(Meta {
                    update_id: update_id.to_owned(),
                    identity: "tests".to_owned(),
                }),
                input: Some(Input {
                    name: name.to_owned(),
                    args: Some(payloads(input)),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        loop {
            // The server answers with the stage reached when its long poll is over.
            let answer = self
                .0
                .update_workflow_execution(request.clone())
                .await?
                .into_inner();
            if let Some(outcome) = answer.outcome {
                return Ok(outcome);
            }
        }
    }

    /// Asks a query.
    pub async fn query(&mut self, id: &str, name: &str) -> Result<Value, Status> {
        let request = QueryWorkflowRequest {
            namespace: NAMESPACE.to_owned(),
            execution: Some(execution(id)),
            query: Some(WorkflowQuery {
                query_type: name.to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let answer = self.0.query_workflow(request).await?.into_inner();
        Ok(value(answer.query_result.as_ref()))
    }

    /// Waits for the end of an execution; its result, else the close event's attributes.
    pub async fn result(&mut self, id: &str) -> Result<Result<Value, Attributes>, Status> {
        let mut request = GetWorkflowExecutionHistoryRequest {
            namespace: NAMESPACE.to_owned(),
            execution: Some(execution(id)),
            wait_new_event: true,
            history_event_filter_type: HistoryEventFilterType::CloseEvent.into(),
            ..Default::default()
        };
        loop {
            let answer = self
                .0
                .get_workflow_execution_history(request.clone())
                .await?
                .into_inner();
            let event = answer.history.and_then(|mut history| history.events.pop());
            match event.and_then(|event| event.attributes) {
                Some(Attributes::WorkflowExecutionCompletedEventAttributes(completed)) => {
                    return Ok(Ok(value(completed.result.as_ref())));
                }
                Some(other) => return Ok(Err(other)),
                None => request.next_page_token = answer.next_page_token,
            }
        }
    }

    /// All events of a run; with an empty run id, of the last one.
    pub async fn history(&mut self, id: &str, run_id: &str) -> Result<Vec<HistoryEvent>, Status> {
        let mut request = GetWorkflowExecutionHistoryRequest {
            namespace: NAMESPACE.to_owned(),
            execution: Some(WorkflowExecution {
                workflow_id: id.to_owned(),
                run_id: run_id.to_owned(),
            }),
            ..Default::default()
        };
        let mut events = Vec::new();
        loop {
            let answer = self
                .0
                .get_workflow_execution_history(request.clone())
                .await?
                .into_inner();
            events.extend(answer.history.unwrap_or_default().events);
            if answer.next_page_token.is_empty() {
                return Ok(events);
            }
            request.next_page_token = answer.next_page_token;
        }
    }

    /// Workflow id and run id of every execution.
    pub async fn executions(&mut self) -> Result<Vec<(String, String)>, Status> {
        let mut request = ListWorkflowExecutionsRequest {
            namespace: NAMESPACE.to_owned(),
            ..Default::default()
        };
        let mut found = Vec::new();
        loop {
            let answer = self
                .0
                .list_workflow_executions(request.clone())
                .await?
                .into_inner();
            let executions = answer.executions.into_iter().filter_map(|info| info.execution);
            found.extend(executions.map(|execution| (execution.workflow_id, execution.run_id)));
            if answer.next_page_token.is_empty() {
                return Ok(found);
            }
            request.next_page_token = answer.next_page_token;
        }
    }
}

impl Client {
    /// Completes an activity by the token of its attempt.
    pub async fn complete_activity(&mut self, task_token: Vec<u8>, result: &Value) -> Result<(), Status> {
        let request = RespondActivityTaskCompletedRequest {
            namespace: NAMESPACE.to_owned(),
            task_token,
            result: Some(payloads(std::slice::from_ref(result))),
            ..Default::default()
        };
        self.0.respond_activity_task_completed(request).await.map(drop)
    }

    /// Completes an activity of an execution's last run by its id, whichever attempt there is.
    pub async fn complete_activity_by_id(
        &mut self,
        id: &str,
        activity_id: &str,
        result: &Value,
    ) -> Result<(), Status> {
        let request = RespondActivityTaskCompletedByIdRequest {
            namespace: NAMESPACE.to_owned(),
            workflow_id: id.to_owned(),
            activity_id: activity_id.to_owned(),
            result: Some(payloads(std::slice::from_ref(result))),
            ..Default::default()
        };
        self.0
            .respond_activity_task_completed_by_id(request)
            .await
            .map(drop)
    }
}

/// Repeats a request until a server answers it; how it answers is the caller's matter.
pub async fn until_answered<T, F>(request: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    loop {
        match request().await {
            Err(status) if is_broken_connection(&status) => tokio::time::sleep(RETRY_PAUSE).await,
            answer => return answer,
        }
    }
}

/// True if the server is down or has just gone: nobody knows whether the request was taken.
fn is_broken_connection(status: &Status) -> bool {
    status.code() == Code::Unavailable || std::error::Error::source(status).is_some()
}

/// The value of an update that succeeded.
#[track_caller]
pub fn success(outcome: Outcome) -> Value {
    match outcome.value {
        Some(outcome::Value::Success(payloads)) => value(Some(&payloads)),
        other => panic!("the update did not succeed: {other:?}"),
    }
}

fn execution(id: &str) -> WorkflowExecution {
    WorkflowExecution {
        workflow_id: id.to_owned(),
        run_id: String::new(),
    }
}

fn payloads(values: &[Value]) -> Payloads {
    Payloads {
        payloads: values.iter().map(|value| payload(value.to_string())).collect(),
    }
}

fn payload(json: String) -> Payload {
    let metadata = [("encoding".to_owned(), b"json/plain".to_vec())].into();
    Payload {
        metadata,
        data: json.into_bytes(),
        ..Default::default()
    }
}

/// The first value; null if there is none.
fn value(payloads: Option<&Payloads>) -> Value {
    let payload = payloads.and_then(|payloads| payloads.payloads.first());
    payload.map_or(json!(null), |payload| {
        serde_json::from_slice(&payload.data).unwrap_or(json!(null))
    })
}
