//! `workflow result`: wait for the end of an execution.

use serde::Serialize;
use serde_json::Value;

use crate::{
    Error, Output,
    args::{Format, Global, Target},
    client::Client,
    failure, json, output, payload,
    proto::{
        common::v1::WorkflowExecution,
        enums::v1::{HistoryEventFilterType, WorkflowExecutionStatus},
        history::v1::{HistoryEvent, history_event::Attributes},
        workflowservice::v1::{
            DescribeWorkflowExecutionRequest, GetWorkflowExecutionHistoryRequest,
            GetWorkflowExecutionHistoryResponse,
        },
    },
    workflow::status_name,
};

const HISTORY: &str = "get_workflow_execution_history";

/// How an execution ended.
#[derive(Debug)]
pub(crate) struct Closed {
    status: WorkflowExecutionStatus,
    event: HistoryEvent,
}

/// Its JSON form; there is no result unless it completed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ClosedJson<'a> {
    workflow_id: &'a str,
    run_id: &'a str,
    status: &'static str,
    close_event: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<payload::Json>,
}

pub(crate) async fn execute(target: &Target, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let mut execution = target.execution();
    if execution.run_id.is_empty() {
        execution.run_id = latest_run(&execution, &mut client).await?;
    }
    let namespace = client.namespace.clone();
    wait(&execution, &namespace, &mut client)
        .await?
        .print(&execution, output)
}

/// Which run does the workflow id mean now?
async fn latest_run(execution: &WorkflowExecution, client: &mut Client) -> Result<String, Error> {
    let request = DescribeWorkflowExecutionRequest {
        namespace: client.namespace.clone(),
        execution: Some(execution.clone()),
    };
    let answer = client.describe_workflow_execution(request).await?;
    answer
        .workflow_execution_info
        .and_then(|info| info.execution)
        .map(|execution| execution.run_id)
        .ok_or(Error::Answer {
            operation: "describe_workflow_execution",
            what: "lacks the execution",
        })
}

/// Where histories are read from: a server, or the engine of this process.
pub(crate) trait Histories {
    /// One page; with `wait_new_event` it waits for something new, within the long poll's limit.
    async fn page(
        &mut self,
        request: GetWorkflowExecutionHistoryRequest,
    ) -> Result<GetWorkflowExecutionHistoryResponse, Error>;
}

impl Histories for Client {
    async fn page(
        &mut self,
        request: GetWorkflowExecutionHistoryRequest,
    ) -> Result<GetWorkflowExecutionHistoryResponse, Error> {
        self.get_workflow_execution_history(request).await
    }
}

/// Wait for the close event of the execution's last run, from run to run.
pub(crate) async fn wait(
    execution: &WorkflowExecution,
    namespace: &str,
    histories: &mut impl Histories,
) -> Result<Closed, Error> {
    let mut execution = execution.clone();
    loop {
        let event = close_event(&execution, namespace, histories).await?;
        match next_run(&event) {
            Some(run_id) => execution.run_id = run_id.to_owned(),
            None => return Closed::of(event),
        }
    }
}

/// The close event of one run; one long poll after the other until there is one.
async fn close_event(
    execution: &WorkflowExecution,
    namespace: &str,
    histories: &mut impl Histories,
) -> Result<HistoryEvent, Error> {
    let mut next_page_token = Vec::new();
    loop {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: namespace.to_owned(),
            execution: Some(execution.clone()),
            next_page_token,
            wait_new_event: true,
            history_event_filter_type: HistoryEventFilterType::CloseEvent.into(),
            ..Default::default()
        };
        let answer = histories.page(request).await?;
        if let Some(event) = answer.history.and_then(|mut history| history.events.pop()) {
            return Ok(event);
        }
        if answer.next_page_token.is_empty() {
            return Err(Error::Answer {
                operation: HISTORY,
                what: "lacks the close event",
            });
        }
        next_page_token = answer.next_page_token;
    }
}

/// The run that goes on where this one ended.
fn next_run(event: &HistoryEvent) -> Option<&str> {
    let next = match event.attributes.as_ref()? {
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(a) => &a.new_execution_run_id,
        Attributes::WorkflowExecutionCompletedEventAttributes(a) => &a.new_execution_run_id,
        Attributes::WorkflowExecutionFailedEventAttributes(a) => &a.new_execution_run_id,
        Attributes::WorkflowExecutionTimedOutEventAttributes(a) => &a.new_execution_run_id,
        _ => return None,
    };
    (!next.is_empty()).then_some(next)
}

impl Closed {
    fn of(event: HistoryEvent) -> Result<Self, Error> {
        let status = match event.attributes {
            Some(Attributes::WorkflowExecutionCompletedEventAttributes(_)) => {
                WorkflowExecutionStatus::Completed
            }
            Some(Attributes::WorkflowExecutionFailedEventAttributes(_)) => WorkflowExecutionStatus::Failed,
            Some(Attributes::WorkflowExecutionCanceledEventAttributes(_)) => {
                WorkflowExecutionStatus::Canceled
            }
            Some(Attributes::WorkflowExecutionTerminatedEventAttributes(_)) => {
                WorkflowExecutionStatus::Terminated
            }
            Some(Attributes::WorkflowExecutionTimedOutEventAttributes(_)) => {
                WorkflowExecutionStatus::TimedOut
            }
            Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_)) => {
                return Err(Error::Answer {
                    operation: HISTORY,
                    what: "lacks the run that the workflow continued as",
                });
            }
            _ => {
                return Err(Error::Answer {
                    operation: HISTORY,
                    what: "has another event where the close event should be",
                });
            }
        };
        Ok(Self { status, event })
    }

    fn result(&self) -> Option<payload::Json> {
        match &self.event.attributes {
            Some(Attributes::WorkflowExecutionCompletedEventAttributes(a)) => {
                Some(payload::result(a.result.as_ref()))
            }
            _ => None,
        }
    }

    /// Why it did not complete, a line a cause; empty if there is nothing to say.
    fn trouble(&self) -> String {
        match &self.event.attributes {
            Some(Attributes::WorkflowExecutionFailedEventAttributes(a)) => {
                let causes = a.failure.as_ref().map(failure::chain).unwrap_or_default();
                causes.join("\ncaused by: ")
            }
            Some(Attributes::WorkflowExecutionTerminatedEventAttributes(a)) => a.reason.clone(),
            Some(Attributes::WorkflowExecutionCanceledEventAttributes(a)) => {
                payload::list(a.details.as_ref())
            }
            _ => String::new(),
        }
    }

    fn json<'a>(&self, execution: &'a WorkflowExecution) -> Result<ClosedJson<'a>, Error> {
        Ok(ClosedJson {
            workflow_id: &execution.workflow_id,
            run_id: &execution.run_id,
            status: status_name(self.status),
            close_event: json::message(&self.event)?,
            result: self.result(),
        })
    }

    /// Print the end; an error unless the workflow completed.
    pub(crate) fn print(self, execution: &WorkflowExecution, output: &mut Output) -> Result<(), Error> {
        match output.format() {
            Format::None => {}
            Format::Json => output.json(&self.json(execution)?)?,
            Format::Text => {
                output.card(
                    2,
                    &[
                        ("Status", output::status(status_name(self.status))),
                        (
                            "Result",
                            self.result()
                                .map(|result| result.get().to_owned())
                                .unwrap_or_default(),
                        ),
                        ("Failure", self.trouble()),
                    ],
                )?;
            }
        }
        self.verdict()
    }

    /// Print nothing but the result; an error with all causes unless the workflow completed.
    pub(crate) fn print_bare(self, output: &mut Output) -> Result<(), Error> {
        if let Some(result) = self.result() {
            output.line(result.get())?;
        }
        self.verdict()
    }

    fn verdict(&self) -> Result<(), Error> {
        if self.status == WorkflowExecutionStatus::Completed {
            return Ok(());
        }
        Err(Error::WorkflowFailed {
            status: status_name(self.status),
            message: Some(self.trouble()).filter(|trouble| !trouble.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{
        common::v1::Payloads,
        failure::v1::Failure,
        history::v1::{
            WorkflowExecutionCompletedEventAttributes, WorkflowExecutionContinuedAsNewEventAttributes,
            WorkflowExecutionFailedEventAttributes, WorkflowExecutionTerminatedEventAttributes,
            WorkflowExecutionTimedOutEventAttributes,
        },
    };

    fn event(attributes: Attributes) -> HistoryEvent {
        HistoryEvent {
            event_id: 5,
            attributes: Some(attributes),
            ..Default::default()
        }
    }

    fn execution() -> WorkflowExecution {
        WorkflowExecution {
            workflow_id: "order-1".to_owned(),
            run_id: "r".to_owned(),
        }
    }

    #[test]
    fn a_completed_run_has_a_result_and_exactly_these_keys() {
        let result = Payloads {
            payloads: vec![crate::input::payload("", "{\"b\":1,\"a\":2}").unwrap()],
        };
        let closed = Closed::of(event(Attributes::WorkflowExecutionCompletedEventAttributes(
            WorkflowExecutionCompletedEventAttributes {
                result: Some(result),
                ..Default::default()
            },
        )))
        .unwrap();
        let text = serde_json::to_string(&closed.json(&execution()).unwrap()).unwrap();
        let json: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
        let mut keys: Vec<_> = json.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["closeEvent", "result", "runId", "status", "workflowId"]);
        assert_eq!(json["status"], "COMPLETED");
        assert_eq!(json["closeEvent"]["eventId"], "5");
        assert!(text.ends_with(r#""result":{"b":1,"a":2}}"#), "{text}");
        closed
            .print(
                &execution(),
                &mut Output::plain(Format::None, std::io::sink(), std::io::sink()),
            )
            .unwrap();
    }

    #[test]
    fn all_other_ends_are_errors_that_say_how() {
        let failure = Failure {
            message: "no tea".to_owned(),
            cause: Some(Box::new(Failure {
                message: "no water".to_owned(),
                ..Default::default()
            })),
            ..Default::default()
        };
        for (attributes, text) in [
            (
                Attributes::WorkflowExecutionFailedEventAttributes(WorkflowExecutionFailedEventAttributes {
                    failure: Some(failure),
                    ..Default::default()
                }),
                "workflow FAILED: no tea\ncaused by: no water",
            ),
            (
                Attributes::WorkflowExecutionTerminatedEventAttributes(
                    WorkflowExecutionTerminatedEventAttributes {
                        reason: "too late".to_owned(),
                        ..Default::default()
                    },
                ),
                "workflow TERMINATED: too late",
            ),
            (
                Attributes::WorkflowExecutionTimedOutEventAttributes(
                    WorkflowExecutionTimedOutEventAttributes::default(),
                ),
                "workflow TIMED_OUT",
            ),
        ] {
            let closed = Closed::of(event(attributes)).unwrap();
            assert!(closed.json(&execution()).unwrap().result.is_none());
            let mut output = Output::plain(Format::Text, std::io::sink(), std::io::sink());
            let error = closed.print(&execution(), &mut output).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.exit_code()), (text, 1));
        }
    }

    #[test]
    fn the_next_run_is_followed_where_there_is_one() {
        let next = |run: &str| {
            event(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(
                WorkflowExecutionContinuedAsNewEventAttributes {
                    new_execution_run_id: run.to_owned(),
                    ..Default::default()
                },
            ))
        };
        assert_eq!(next_run(&next("r2")), Some("r2"));
        assert_eq!(next_run(&next("")), None);
        assert!(matches!(Closed::of(next("")), Err(Error::Answer { .. })));
        assert!(matches!(
            Closed::of(HistoryEvent::default()),
            Err(Error::Answer { .. })
        ));
    }

    /// Answers in order, and what was asked.
    #[derive(Default)]
    struct Script {
        answers: std::collections::VecDeque<GetWorkflowExecutionHistoryResponse>,
        asked: Vec<(String, Vec<u8>)>,
    }

    impl Histories for Script {
        async fn page(
            &mut self,
            request: GetWorkflowExecutionHistoryRequest,
        ) -> Result<GetWorkflowExecutionHistoryResponse, Error> {
            assert!(request.wait_new_event);
            assert_eq!(
                request.history_event_filter_type(),
                HistoryEventFilterType::CloseEvent
            );
            self.asked
                .push((request.execution.unwrap().run_id, request.next_page_token));
            Ok(self.answers.pop_front().expect("one request too many"))
        }
    }

    fn page(events: Vec<HistoryEvent>, token: &str) -> GetWorkflowExecutionHistoryResponse {
        GetWorkflowExecutionHistoryResponse {
            history: Some(crate::proto::history::v1::History { events }),
            next_page_token: token.as_bytes().to_vec(),
            ..Default::default()
        }
    }

    fn completed(next: &str) -> HistoryEvent {
        event(Attributes::WorkflowExecutionCompletedEventAttributes(
            WorkflowExecutionCompletedEventAttributes {
                new_execution_run_id: next.to_owned(),
                ..Default::default()
            },
        ))
    }

    #[tokio::test]
    async fn waiting_goes_on_from_poll_to_poll_and_from_run_to_run() {
        let mut script = Script {
            answers: [
                page(vec![], "a"),
                page(vec![], "b"),
                page(vec![completed("r2")], ""),
                page(vec![completed("")], ""),
            ]
            .into(),
            ..Script::default()
        };
        let closed = wait(&execution(), "default", &mut script).await.unwrap();
        assert_eq!(closed.status, WorkflowExecutionStatus::Completed);
        let asked: Vec<_> = script
            .asked
            .iter()
            .map(|(run, token)| (run.as_str(), token.as_slice()))
            .collect();
        assert_eq!(asked, [("r", &b""[..]), ("r", b"a"), ("r", b"b"), ("r2", b"")]);
    }

    #[tokio::test]
    async fn a_history_that_ends_without_a_close_event_is_an_error() {
        let mut script = Script {
            answers: [page(vec![], "")].into(),
            ..Script::default()
        };
        let error = wait(&execution(), "default", &mut script).await.unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{error}");
    }
}
