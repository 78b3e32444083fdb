//! One client: the few requests that the cases need, on the engine of this process or over gRPC.

use std::collections::HashMap;

use longhaul_history::{payload, time};
use longhaul_runtime::Runtime;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::{
    Error,
    proto::{
        common::v1::{Payloads, SearchAttributes, WorkflowExecution, WorkflowType},
        enums::v1::{HistoryEventFilterType, UpdateWorkflowExecutionLifecycleStage},
        history::v1::history_event::Attributes,
        query::v1::WorkflowQuery,
        taskqueue::v1::TaskQueue,
        update::v1 as update,
        workflowservice::v1::{self as wire, workflow_service_client::WorkflowServiceClient},
    },
};

/// Task queue of the component and of all executions.
pub(super) const QUEUE: &str = "bench";
/// Task queue of the activities that workers serve; the component knows it as well.
const REMOTE_QUEUE: &str = "bench-remote";
/// How histories name this client.
const IDENTITY: &str = "longhaul-bench";

/// A client. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    route: Route,
    namespace: String,
}

#[derive(Debug, Clone)]
enum Route {
    Engine(Runtime),
    Wire(WorkflowServiceClient<Channel>),
}

/// One method for each request: by call, or over the wire.
macro_rules! requests {
    ($($name:ident($request:ty) -> $response:ty = $engine:ident, $wire:ident;)*) => {
        impl Caller {
            $(async fn $name(&self, request: $request) -> Result<$response, Error> {
                match &self.route {
                    Route::Engine(runtime) => Ok(runtime.$engine(request).await?),
                    Route::Wire(client) => match client.clone().$wire(request).await {
                        Ok(response) => Ok(response.into_inner()),
                        Err(status) => Err(Error::Request {
                            operation: stringify!($wire),
                            status: Box::new(status),
                        }),
                    },
                }
            })*
        }
    };
}

requests! {
    send_start(wire::StartWorkflowExecutionRequest) -> wire::StartWorkflowExecutionResponse = start_workflow, start_workflow_execution;
    send_history(wire::GetWorkflowExecutionHistoryRequest) -> wire::GetWorkflowExecutionHistoryResponse = history, get_workflow_execution_history;
    send_signal(wire::SignalWorkflowExecutionRequest) -> wire::SignalWorkflowExecutionResponse = signal_workflow, signal_workflow_execution;
    send_signal_with_start(wire::SignalWithStartWorkflowExecutionRequest) -> wire::SignalWithStartWorkflowExecutionResponse = signal_with_start, signal_with_start_workflow_execution;
    send_list(wire::ListWorkflowExecutionsRequest) -> wire::ListWorkflowExecutionsResponse = list_workflows, list_workflow_executions;
    send_query(wire::QueryWorkflowRequest) -> wire::QueryWorkflowResponse = query_workflow, query_workflow;
    send_update(wire::UpdateWorkflowExecutionRequest) -> wire::UpdateWorkflowExecutionResponse = update_workflow, update_workflow_execution;
    send_poll(wire::PollWorkflowExecutionUpdateRequest) -> wire::PollWorkflowExecutionUpdateResponse = poll_update, poll_workflow_execution_update;
    send_completed(wire::RespondActivityTaskCompletedRequest) -> wire::RespondActivityTaskCompletedResponse = respond_activity_task_completed, respond_activity_task_completed;
    send_terminate(wire::TerminateWorkflowExecutionRequest) -> wire::TerminateWorkflowExecutionResponse = terminate, terminate_workflow_execution;
}

impl Caller {
    /// A client that calls the engine.
    pub(super) fn engine(runtime: Runtime, namespace: &str) -> Self {
        Self {
            route: Route::Engine(runtime),
            namespace: namespace.to_owned(),
        }
    }

    /// A client on a connection.
    pub(super) fn wire(client: WorkflowServiceClient<Channel>, namespace: &str) -> Self {
        Self {
            route: Route::Wire(client),
            namespace: namespace.to_owned(),
        }
    }

    /// Start an execution of a workflow of the component.
    pub(super) async fn start(
        &self,
        workflow_id: &str,
        workflow_type: &str,
        argument: Option<i64>,
    ) -> Result<(), Error> {
        self.start_with(workflow_id, workflow_type, argument, None).await
    }

    /// Start an execution, with a search attribute of the type Keyword if there is one: its name and value.
    async fn start_with(
        &self,
        workflow_id: &str,
        workflow_type: &str,
        argument: Option<i64>,
        attribute: Option<(&str, &str)>,
    ) -> Result<(), Error> {
        let request = wire::StartWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_id: workflow_id.to_owned(),
            workflow_type: type_named(workflow_type),
            task_queue: queue(QUEUE),
            input: argument.and_then(input),
            identity: IDENTITY.to_owned(),
            // The id is new: it also tells a repeated request from another one.
            request_id: workflow_id.to_owned(),
            search_attributes: attribute.map(|(name, value)| keyword(name, value)),
            ..Default::default()
        };
        self.send_start(request).await.map(|_| ())
    }

    /// Start an execution and wait for its end, as Temporal's clients do: by a long poll for the closing event.
    ///
    /// # Errors
    ///
    /// A request is refused, or the execution ends otherwise than by completing.
    pub(super) async fn execute(
        &self,
        workflow_id: &str,
        workflow_type: &str,
        argument: Option<i64>,
    ) -> Result<(), Error> {
        self.execute_with(workflow_id, workflow_type, argument, None)
            .await
    }

    /// As [`Caller::execute`], with a search attribute of the type Keyword if there is one: its name and value.
    ///
    /// # Errors
    ///
    /// As [`Caller::execute`].
    pub(super) async fn execute_with(
        &self,
        workflow_id: &str,
        workflow_type: &str,
        argument: Option<i64>,
        attribute: Option<(&str, &str)>,
    ) -> Result<(), Error> {
        self.start_with(workflow_id, workflow_type, argument, attribute)
            .await?;
        let mut request = wire::GetWorkflowExecutionHistoryRequest {
            namespace: self.namespace.clone(),
            execution: execution(workflow_id),
            wait_new_event: true,
            ..Default::default()
        };
        request.set_history_event_filter_type(HistoryEventFilterType::CloseEvent);
        loop {
            let page = self.send_history(request.clone()).await?;
            let closing = page.history.and_then(|history| history.events.into_iter().next());
            match closing.and_then(|event| event.attributes) {
                Some(Attributes::WorkflowExecutionCompletedEventAttributes(_)) => return Ok(()),
                Some(other) => return Err(ended_badly(other)),
                // The long poll is over, the execution is not.
                None if !page.next_page_token.is_empty() => request.next_page_token = page.next_page_token,
                None => {
                    return Err(Error::Answer {
                        operation: "get_workflow_execution_history",
                        what: "lacks the closing event",
                    });
                }
            }
        }
    }

    /// How long the activities of an execution took, each from the event that schedules it to the one that completes it, in
    /// nanoseconds.
    pub(super) async fn activity_times(&self, workflow_id: &str) -> Result<Vec<u64>, Error> {
        let mut request = wire::GetWorkflowExecutionHistoryRequest {
            namespace: self.namespace.clone(),
            execution: execution(workflow_id),
            ..Default::default()
        };
        let (mut scheduled, mut times_ns) = (HashMap::new(), Vec::new());
        loop {
            let page = self.send_history(request.clone()).await?;
            for event in page.history.into_iter().flat_map(|history| history.events) {
                let event_ns = event
                    .event_time
                    .as_ref()
                    .and_then(time::ns_from_timestamp)
                    .unwrap_or(0);
                match event.attributes {
                    Some(Attributes::ActivityTaskScheduledEventAttributes(_)) => {
                        scheduled.insert(event.event_id, event_ns);
                    }
                    Some(Attributes::ActivityTaskCompletedEventAttributes(completed)) => {
                        let begun_ns = scheduled.remove(&completed.scheduled_event_id);
                        times_ns.extend(begun_ns.map(|begun_ns| event_ns.saturating_sub(begun_ns)));
                    }
                    _ => {}
                }
            }
            if page.next_page_token.is_empty() {
                return Ok(times_ns);
            }
            request.next_page_token = page.next_page_token;
        }
    }

    /// As a worker: wait for an attempt. None: the long poll is over.
    pub(super) async fn poll_activity(&self) -> Result<Option<wire::PollActivityTaskQueueResponse>, Error> {
        let request = wire::PollActivityTaskQueueRequest {
            namespace: self.namespace.clone(),
            task_queue: queue(REMOTE_QUEUE),
            identity: IDENTITY.to_owned(),
            ..Default::default()
        };
        let task = match &self.route {
            Route::Engine(runtime) => runtime.poll_activity_task_queue(request, None).await?,
            Route::Wire(client) => match client.clone().poll_activity_task_queue(request).await {
                Ok(response) => response.into_inner(),
                Err(status) => {
                    return Err(Error::Request {
                        operation: "poll_activity_task_queue",
                        status: Box::new(status),
                    });
                }
            },
        };
        Ok((!task.task_token.is_empty()).then_some(task))
    }

    /// As a worker: an attempt has this result.
    pub(super) async fn complete_activity(
        &self,
        task_token: Vec<u8>,
        result: Option<Payloads>,
    ) -> Result<(), Error> {
        let request = wire::RespondActivityTaskCompletedRequest {
            namespace: self.namespace.clone(),
            task_token,
            result,
            identity: IDENTITY.to_owned(),
            ..Default::default()
        };
        self.send_completed(request).await.map(|_| ())
    }

    /// Signal a `Signals`.
    pub(super) async fn signal(&self, workflow_id: &str) -> Result<(), Error> {
        let request = wire::SignalWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_execution: execution(workflow_id),
            signal_name: "s".to_owned(),
            input: input(1),
            identity: IDENTITY.to_owned(),
            ..Default::default()
        };
        self.send_signal(request).await.map(|_| ())
    }

    /// Signal a `Signals`; if none has this id, start one that ends after so many signals. Says whether it was started.
    pub(super) async fn signal_with_start(
        &self,
        workflow_id: &str,
        request_id: &str,
        signals: i64,
    ) -> Result<bool, Error> {
        let request = wire::SignalWithStartWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_id: workflow_id.to_owned(),
            workflow_type: type_named("Signals"),
            task_queue: queue(QUEUE),
            input: input(signals),
            identity: IDENTITY.to_owned(),
            request_id: request_id.to_owned(),
            signal_name: "s".to_owned(),
            signal_input: input(1),
            ..Default::default()
        };
        Ok(self.send_signal_with_start(request).await?.started)
    }

    /// Ask for the page of a list behind a token, which is empty for the first one.
    pub(super) async fn list(
        &self,
        query: &str,
        page_size: i32,
        next_page_token: Vec<u8>,
    ) -> Result<wire::ListWorkflowExecutionsResponse, Error> {
        let request = wire::ListWorkflowExecutionsRequest {
            namespace: self.namespace.clone(),
            page_size,
            query: query.to_owned(),
            next_page_token,
        };
        self.send_list(request).await
    }

    /// Ask a `Signals` how many signals it has counted.
    pub(super) async fn query(&self, workflow_id: &str) -> Result<i64, Error> {
        let request = wire::QueryWorkflowRequest {
            namespace: self.namespace.clone(),
            execution: execution(workflow_id),
            query: Some(WorkflowQuery {
                query_type: "got".to_owned(),
                ..WorkflowQuery::default()
            }),
            ..Default::default()
        };
        let answer = self.send_query(request).await?;
        payload::slice(&answer.query_result)
            .first()
            .and_then(payload::to_json)
            .as_ref()
            .and_then(Value::as_i64)
            .ok_or(Error::Answer {
                operation: "query_workflow",
                what: "is no number",
            })
    }

    /// Update a `Signals`, and wait for the outcome.
    pub(super) async fn update(&self, workflow_id: &str, update_id: &str) -> Result<(), Error> {
        const OPERATION: &str = "update_workflow_execution";
        let mut policy = update::WaitPolicy::default();
        policy.set_lifecycle_stage(UpdateWorkflowExecutionLifecycleStage::Completed);
        let request = wire::UpdateWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_execution: execution(workflow_id),
            wait_policy: Some(policy),
            request: Some(update::Request {
                meta: Some(update::Meta {
                    update_id: update_id.to_owned(),
                    identity: IDENTITY.to_owned(),
                }),
                input: Some(update::Input {
                    name: "add".to_owned(),
                    args: input(1),
                    header: None,
                }),
                ..update::Request::default()
            }),
            ..Default::default()
        };
        let answer = self.send_update(request).await?;
        let mut outcome = answer.outcome;
        while outcome.is_none() {
            // The server's long poll is over before the update.
            let request = wire::PollWorkflowExecutionUpdateRequest {
                namespace: self.namespace.clone(),
                update_ref: answer.update_ref.clone(),
                identity: IDENTITY.to_owned(),
                wait_policy: Some(policy),
            };
            outcome = self.send_poll(request).await?.outcome;
        }
        match outcome.and_then(|outcome| outcome.value) {
            Some(update::outcome::Value::Success(_)) => Ok(()),
            Some(update::outcome::Value::Failure(failure)) => Err(Error::UpdateFailed {
                name: "add".to_owned(),
                message: failure.message,
            }),
            None => Err(Error::Answer {
                operation: OPERATION,
                what: "has an empty outcome",
            }),
        }
    }

    /// Close an execution that would wait for ever.
    pub(super) async fn terminate(&self, workflow_id: &str) -> Result<(), Error> {
        let request = wire::TerminateWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_execution: execution(workflow_id),
            reason: "the measurement is over".to_owned(),
            identity: IDENTITY.to_owned(),
            ..Default::default()
        };
        self.send_terminate(request).await.map(|_| ())
    }
}

fn execution(workflow_id: &str) -> Option<WorkflowExecution> {
    Some(WorkflowExecution {
        workflow_id: workflow_id.to_owned(),
        run_id: String::new(),
    })
}

fn type_named(name: &str) -> Option<WorkflowType> {
    Some(WorkflowType {
        name: name.to_owned(),
    })
}

fn queue(name: &str) -> Option<TaskQueue> {
    Some(TaskQueue {
        name: name.to_owned(),
        ..TaskQueue::default()
    })
}

/// One search attribute, with its type as Temporal's clients send it.
fn keyword(name: &str, value: &str) -> SearchAttributes {
    let mut payload = payload::json_payload(&json!(value));
    payload.metadata.insert("type".to_owned(), b"Keyword".to_vec());
    SearchAttributes {
        indexed_fields: [(name.to_owned(), payload)].into(),
    }
}

fn input(argument: i64) -> Option<Payloads> {
    Some(payload::from_values([&json!(argument)]))
}

fn ended_badly(closing: Attributes) -> Error {
    let (status, failure) = match closing {
        Attributes::WorkflowExecutionFailedEventAttributes(failed) => ("FAILED", failed.failure),
        Attributes::WorkflowExecutionTerminatedEventAttributes(_) => ("TERMINATED", None),
        Attributes::WorkflowExecutionCanceledEventAttributes(_) => ("CANCELED", None),
        Attributes::WorkflowExecutionTimedOutEventAttributes(_) => ("TIMED_OUT", None),
        _ => {
            return Error::Answer {
                operation: "get_workflow_execution_history",
                what: "has another event than the closing one",
            };
        }
    };
    Error::WorkflowFailed {
        status,
        message: failure.map(|failure| failure.message),
    }
}
