//! The client's verbs against a server that plays a script: what is asked, what is printed, and the exit code.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fake;

use std::process::{Command, Stdio};

use longhaul_history::{
    Attributes, HistoryEvent,
    proto::{
        common::v1::{Payload, Payloads, WorkflowExecution},
        enums::v1::{
            EventType, QueryRejectCondition, UpdateWorkflowExecutionLifecycleStage as Stage,
            WorkflowExecutionStatus,
        },
        failure::v1::Failure,
        history::v1::{
            History, WorkflowExecutionCompletedEventAttributes, WorkflowExecutionFailedEventAttributes,
        },
        query::v1::QueryRejected,
        taskqueue::v1::TaskQueue,
        update::v1::{Outcome, UpdateRef, outcome},
        workflow::v1::{WorkflowExecutionConfig, WorkflowExecutionInfo},
        workflowservice::v1 as wire,
    },
};
use serde_json::{Value, json};
use tonic::Status;

use crate::fake::Fake;

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

/// Run the binary against the script, which it must play to its end.
fn run(fake: &Fake, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_longhaul"))
        .args(arguments)
        .args(["--address", &fake.serve().to_string()])
        .env_remove("TEMPORAL_NAMESPACE")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let ran = Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(fake.is_done(), "{}{}", ran.stdout, ran.stderr);
    ran
}

fn payloads(text: &str) -> Payloads {
    let metadata = [("encoding".to_owned(), b"json/plain".to_vec())].into();
    Payloads {
        payloads: vec![Payload {
            metadata,
            data: text.as_bytes().to_vec(),
            ..Default::default()
        }],
    }
}

fn execution(run_id: &str) -> WorkflowExecution {
    WorkflowExecution {
        workflow_id: "order-1".to_owned(),
        run_id: run_id.to_owned(),
    }
}

fn completed(result: &str) -> HistoryEvent {
    HistoryEvent {
        event_id: 4,
        event_type: EventType::WorkflowExecutionCompleted.into(),
        attributes: Some(Attributes::WorkflowExecutionCompletedEventAttributes(
            WorkflowExecutionCompletedEventAttributes {
                result: Some(payloads(result)),
                ..Default::default()
            },
        )),
        ..Default::default()
    }
}

fn failed() -> HistoryEvent {
    let failure = longhaul_history::failure::caused_by(
        Failure {
            message: "no order".to_owned(),
            ..Default::default()
        },
        Failure {
            message: "no tea".to_owned(),
            ..Default::default()
        },
    );
    HistoryEvent {
        event_id: 4,
        event_type: EventType::WorkflowExecutionFailed.into(),
        attributes: Some(Attributes::WorkflowExecutionFailedEventAttributes(
            WorkflowExecutionFailedEventAttributes {
                failure: Some(failure),
                ..Default::default()
            },
        )),
        ..Default::default()
    }
}

fn history(events: Vec<HistoryEvent>, token: &str) -> wire::GetWorkflowExecutionHistoryResponse {
    wire::GetWorkflowExecutionHistoryResponse {
        history: Some(History { events }),
        next_page_token: token.as_bytes().to_vec(),
        ..Default::default()
    }
}

fn started() -> wire::StartWorkflowExecutionResponse {
    wire::StartWorkflowExecutionResponse {
        run_id: "r1".to_owned(),
        started: true,
        ..Default::default()
    }
}

fn described() -> wire::DescribeWorkflowExecutionResponse {
    wire::DescribeWorkflowExecutionResponse {
        execution_config: Some(WorkflowExecutionConfig {
            task_queue: Some(TaskQueue {
                name: "orders".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        }),
        workflow_execution_info: Some(WorkflowExecutionInfo {
            execution: Some(execution("r1")),
            r#type: Some("Order".to_owned().into()),
            status: WorkflowExecutionStatus::Running.into(),
            history_length: 3,
            history_size_bytes: 2048,
            ..Default::default()
        }),
        ..Default::default()
    }
}

const START: &[&str] = &[
    "workflow",
    "start",
    "--type",
    "Order",
    "-w",
    "order-1",
    "-i",
    "{\"n\":1}",
];

#[test]
fn start_prints_the_ids() {
    let fake = Fake::default().answer("StartWorkflowExecution", started());
    let ran = run(&fake, &[START, &["-t", "q", "-o", "json"]].concat());
    assert_eq!(
        ran.json(),
        json!({"workflowId": "order-1", "runId": "r1", "type": "Order", "namespace": "default", "taskQueue": "q"})
    );
    let request: wire::StartWorkflowExecutionRequest = fake.asked(0);
    assert_eq!(request.input, Some(payloads("{\"n\":1}")));
    assert!(
        request.identity.starts_with("longhaul-cli:"),
        "{}",
        request.identity
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn start_asks_for_the_queue_that_the_server_chose() {
    let fake = Fake::default()
        .answer("StartWorkflowExecution", started())
        .answer("DescribeWorkflowExecution", described());
    let ran = run(&fake, START);
    assert_eq!(
        ran.stdout,
        "  WorkflowId  order-1\n  RunId       r1\n  Type        Order\n  Namespace   default\n  TaskQueue   orders\n"
    );
}

#[test]
fn a_second_start_is_refused_with_what_to_do() {
    let refusal = Status::already_exists("Workflow execution is already running.");
    let ran = run(&Fake::default().refuse("StartWorkflowExecution", refusal), START);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(
        ran.stderr
            .starts_with("Error: Workflow execution is already running.\nHint: "),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("--id-conflict-policy"), "{}", ran.stderr);
}

#[test]
fn execute_waits_for_the_result() {
    let fake = || {
        Fake::default()
            .answer("StartWorkflowExecution", started())
            .answer("GetWorkflowExecutionHistory", history(vec![], "more"))
            .answer(
                "GetWorkflowExecutionHistory",
                history(vec![completed("{\"b\":1,\"a\":2}")], ""),
            )
    };
    let arguments = [
        "workflow", "execute", "--type", "Order", "-w", "order-1", "-t", "q",
    ];
    let ran = run(&fake(), &[&arguments[..], &["-o", "json"]].concat());
    let json = ran.json();
    assert_eq!(json["status"], "COMPLETED");
    assert_eq!(json["result"], json!({"a": 2, "b": 1}));
    assert_eq!(
        json["closeEvent"]["eventType"],
        "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED"
    );
    assert_eq!(
        (json["workflowId"].as_str(), json["runId"].as_str()),
        (Some("order-1"), Some("r1"))
    );
    assert_eq!(json.as_object().unwrap().len(), 5);

    let ran = run(&fake(), &arguments);
    assert!(
        ran.stdout
            .ends_with("Results:\n  Status  COMPLETED\n  Result  {\"b\":1,\"a\":2}\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(ran.code, Some(0));
    let ran = run(&fake(), &[&arguments[..], &["-o", "none"]].concat());
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(0), "", "")
    );
}

#[test]
fn a_failed_workflow_is_1_with_its_chain_of_causes() {
    let fake = Fake::default()
        .answer("DescribeWorkflowExecution", described())
        .answer("GetWorkflowExecutionHistory", history(vec![failed()], ""));
    let ran = run(&fake, &["workflow", "result", "-w", "order-1"]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.stdout,
        "  Status   FAILED\n  Failure  no order\n           caused by: no tea\n"
    );
    assert_eq!(
        ran.stderr,
        "Error: workflow FAILED: no order\ncaused by: no tea\n"
    );
    let asked: wire::GetWorkflowExecutionHistoryRequest = fake.asked(1);
    assert_eq!(
        asked.execution,
        Some(execution("r1")),
        "the run is fixed before the wait"
    );
}

#[test]
fn signal_cancel_and_terminate_print_nothing_for_programs() {
    let signal = [
        "workflow", "signal", "-w", "order-1", "-r", "r1", "--name", "pay", "-i", "5",
    ];
    let fake = Fake::default().answer(
        "SignalWorkflowExecution",
        wire::SignalWorkflowExecutionResponse::default(),
    );
    let ran = run(&fake, &[&signal[..], &["-o", "json"]].concat());
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(0), "", "")
    );
    let asked: wire::SignalWorkflowExecutionRequest = fake.asked(0);
    assert_eq!(
        (asked.signal_name.as_str(), asked.input),
        ("pay", Some(payloads("5")))
    );
    assert_eq!(asked.workflow_execution, Some(execution("r1")));
    assert_eq!(asked.request_id.len(), 36);

    let fake = Fake::default().answer(
        "RequestCancelWorkflowExecution",
        wire::RequestCancelWorkflowExecutionResponse::default(),
    );
    let ran = run(&fake, &["workflow", "cancel", "-w", "order-1", "--reason", "why"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(0), "", "Cancellation requested\n")
    );
    assert_eq!(
        fake.asked::<wire::RequestCancelWorkflowExecutionRequest>(0)
            .reason,
        "why"
    );

    let fake = Fake::default().answer(
        "TerminateWorkflowExecution",
        wire::TerminateWorkflowExecutionResponse::default(),
    );
    let ran = run(
        &fake,
        &["workflow", "terminate", "-w", "order-1", "--reason", "why"],
    );
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(0), "", "Workflow terminated\n")
    );
    assert_eq!(
        fake.asked::<wire::TerminateWorkflowExecutionRequest>(0).reason,
        "why"
    );
}

// Q6
#[test]
fn query_prints_values_or_the_rejection() {
    let query = [
        "workflow",
        "query",
        "-w",
        "order-1",
        "--type",
        "status",
        "--reject-condition",
        "not_open",
    ];
    let answer = || wire::QueryWorkflowResponse {
        query_result: Some(payloads("\"paid\"")),
        ..Default::default()
    };
    let fake = Fake::default().answer("QueryWorkflow", answer());
    let ran = run(&fake, &[&query[..], &["-o", "json"]].concat());
    assert_eq!(ran.json(), json!({"queryResult": ["paid"]}));
    let asked: wire::QueryWorkflowRequest = fake.asked(0);
    assert_eq!(asked.query_reject_condition(), QueryRejectCondition::NotOpen);
    let ran = run(&Fake::default().answer("QueryWorkflow", answer()), &query);
    assert_eq!(ran.stdout, "Query result:\n  \"paid\"\n");

    let rejected = QueryRejected {
        status: WorkflowExecutionStatus::TimedOut.into(),
    };
    let rejected = wire::QueryWorkflowResponse {
        query_rejected: Some(rejected),
        ..Default::default()
    };
    let ran = run(&Fake::default().answer("QueryWorkflow", rejected), &query);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert_eq!(
        ran.stderr,
        "Error: query was rejected, workflow has status TIMED_OUT\n"
    );
}

fn updated(stage: Stage, value: Option<outcome::Value>) -> wire::UpdateWorkflowExecutionResponse {
    wire::UpdateWorkflowExecutionResponse {
        update_ref: Some(UpdateRef {
            workflow_execution: Some(execution("r1")),
            update_id: "u1".to_owned(),
        }),
        outcome: value.map(|value| Outcome { value: Some(value) }),
        stage: stage.into(),
        ..Default::default()
    }
}

fn polled(value: Option<outcome::Value>) -> wire::PollWorkflowExecutionUpdateResponse {
    wire::PollWorkflowExecutionUpdateResponse {
        outcome: value.map(|value| Outcome { value: Some(value) }),
        stage: Stage::Accepted.into(),
        ..Default::default()
    }
}

// U3, U4
#[test]
fn an_update_is_sent_until_it_is_accepted_and_then_waited_for() {
    let fake = Fake::default()
        .answer("UpdateWorkflowExecution", updated(Stage::Admitted, None))
        .answer("UpdateWorkflowExecution", updated(Stage::Accepted, None))
        .answer("PollWorkflowExecutionUpdate", polled(None))
        .answer(
            "PollWorkflowExecutionUpdate",
            polled(Some(outcome::Value::Success(payloads("7")))),
        );
    let ran = run(
        &fake,
        &[
            "workflow", "update", "execute", "-w", "order-1", "--name", "add", "-i", "3", "-o", "json",
        ],
    );
    let (first, second): (
        wire::UpdateWorkflowExecutionRequest,
        wire::UpdateWorkflowExecutionRequest,
    ) = (fake.asked(0), fake.asked(1));
    assert_eq!(first, second, "the same id both times");
    let poll: wire::PollWorkflowExecutionUpdateRequest = fake.asked(2);
    assert_eq!(poll.update_ref.unwrap().workflow_execution, Some(execution("r1")));
    assert_eq!(ran.json(), json!({"name": "add", "updateId": "u1", "result": 7}));
}

// U1
#[test]
fn a_refused_update_is_1() {
    let refused = || {
        outcome::Value::Failure(Failure {
            message: "too many".to_owned(),
            ..Default::default()
        })
    };
    for verb in ["execute", "start"] {
        let fake = Fake::default().answer(
            "UpdateWorkflowExecution",
            updated(Stage::Completed, Some(refused())),
        );
        let ran = run(
            &fake,
            &["workflow", "update", verb, "-w", "order-1", "--name", "add"],
        );
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{verb}");
        assert_eq!(ran.stderr, "Error: update add failed: too many\n", "{verb}");
    }
    let fake = Fake::default().answer("PollWorkflowExecutionUpdate", polled(Some(refused())));
    let ran = run(
        &fake,
        &[
            "workflow",
            "update",
            "result",
            "-w",
            "order-1",
            "--update-id",
            "u1",
            "-o",
            "json",
        ],
    );
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.json(),
        json!({"updateId": "u1", "failure": {"message": "too many"}})
    );
}

#[test]
fn an_updates_stage_is_described_without_waiting() {
    let fake = Fake::default().answer("PollWorkflowExecutionUpdate", polled(None));
    let ran = run(
        &fake,
        &[
            "workflow",
            "update",
            "describe",
            "-w",
            "order-1",
            "--update-id",
            "u1",
            "-o",
            "json",
        ],
    );
    assert_eq!(ran.json(), json!({"updateId": "u1", "stage": "ACCEPTED"}));
    assert_eq!(
        fake.asked::<wire::PollWorkflowExecutionUpdateRequest>(0)
            .wait_policy,
        None
    );
}

#[test]
fn describe_is_a_card_or_the_messages_json() {
    let ran = run(
        &Fake::default().answer("DescribeWorkflowExecution", described()),
        &["workflow", "describe", "-w", "w"],
    );
    for line in [
        "WorkflowId  order-1",
        "Type        Order",
        "Status      RUNNING",
        "3 events, 2.00 KiB",
    ] {
        assert!(ran.stdout.contains(line), "{line}:\n{}", ran.stdout);
    }
    let fake = Fake::default().answer("DescribeWorkflowExecution", described());
    let ran = run(&fake, &["workflow", "describe", "-w", "w", "-o", "json"]);
    assert_eq!(
        ran.json()["workflowExecutionInfo"]["status"],
        "WORKFLOW_EXECUTION_STATUS_RUNNING"
    );
    assert_eq!(ran.json()["executionConfig"]["taskQueue"]["name"], "orders");
}

#[test]
fn show_goes_through_all_pages_and_its_json_can_be_read_back() {
    let first = HistoryEvent {
        event_id: 3,
        event_type: EventType::WorkflowTaskScheduled.into(),
        ..Default::default()
    };
    let fake = || {
        Fake::default()
            .answer(
                "GetWorkflowExecutionHistory",
                history(vec![first.clone()], "more"),
            )
            .answer("GetWorkflowExecutionHistory", history(vec![completed("7")], ""))
    };
    let ran = run(&fake(), &["workflow", "show", "-w", "order-1", "-o", "json"]);
    let read = longhaul_history::json::parse_history(&ran.stdout).unwrap();
    assert_eq!(read.events, [first.clone(), completed("7")]);

    let fake = fake();
    let ran = run(
        &fake,
        &[
            "workflow", "show", "-w", "order-1", "--follow", "--times", "hidden",
        ],
    );
    assert_eq!(
        ran.stdout,
        longhaul_history::text::history(&[first.clone(), completed("7")])
    );
    let asked: wire::GetWorkflowExecutionHistoryRequest = fake.asked(1);
    assert_eq!(
        (asked.wait_new_event, asked.next_page_token.as_slice()),
        (true, &b"more"[..])
    );
}

#[test]
fn lists_go_through_pages_up_to_their_limit() {
    let page = |ids: &[&str], token: &str| wire::ListWorkflowExecutionsResponse {
        executions: ids
            .iter()
            .map(|id| WorkflowExecutionInfo {
                execution: Some(WorkflowExecution {
                    workflow_id: (*id).to_owned(),
                    run_id: "r".to_owned(),
                }),
                r#type: Some("Order".to_owned().into()),
                status: WorkflowExecutionStatus::Completed.into(),
                ..Default::default()
            })
            .collect(),
        next_page_token: token.as_bytes().to_vec(),
    };
    let fake = Fake::default()
        .answer("ListWorkflowExecutions", page(&["a", "b"], "more"))
        .answer("ListWorkflowExecutions", page(&["c"], "yet more"));
    let filter = "WorkflowType = \"Order\"";
    let ran = run(
        &fake,
        &[
            "workflow",
            "list",
            "--query",
            filter,
            "--limit",
            "3",
            "--page-size",
            "2",
            "-o",
            "json",
        ],
    );
    let json = ran.json();
    let ids: Vec<_> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|info| info["execution"]["workflowId"].clone())
        .collect();
    assert_eq!(ids, ["a", "b", "c"]);
    let (first, second): (
        wire::ListWorkflowExecutionsRequest,
        wire::ListWorkflowExecutionsRequest,
    ) = (fake.asked(0), fake.asked(1));
    assert_eq!((first.page_size, first.query.as_str()), (2, filter));
    assert_eq!(
        (second.page_size, second.next_page_token.as_slice()),
        (1, &b"more"[..])
    );

    let ran = run(
        &Fake::default().answer("ListWorkflowExecutions", page(&["a"], "")),
        &["workflow", "list"],
    );
    let lines: Vec<Vec<_>> = ran
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines,
        [
            vec!["Status", "WorkflowId", "Type", "StartTime"],
            vec!["COMPLETED", "a", "Order"]
        ]
    );

    let ran = run(
        &Fake::default().answer("ListWorkflowExecutions", page(&[], "")),
        &["workflow", "list", "-o", "json"],
    );
    assert_eq!(ran.json(), json!([]));
}

#[test]
fn count_is_a_string_for_programs() {
    let answer = wire::CountWorkflowExecutionsResponse {
        count: 12,
        ..Default::default()
    };
    let ran = run(
        &Fake::default().answer("CountWorkflowExecutions", answer.clone()),
        &["workflow", "count", "-o", "json"],
    );
    assert_eq!(ran.json(), json!({"count": "12"}));
    let ran = run(
        &Fake::default().answer("CountWorkflowExecutions", answer),
        &["workflow", "count"],
    );
    assert_eq!(ran.stdout, "Total: 12\n");
}

// B1
#[test]
fn refusals_are_1_with_their_text_and_a_hint() {
    for (status, hint) in [
        (
            Status::not_found("workflow not found for ID: order-1"),
            "longhaul workflow list",
        ),
        (
            Status::not_found("workflow execution already completed"),
            "longhaul workflow result",
        ),
        (
            Status::unavailable("the disk is full"),
            "the server cannot take requests now",
        ),
        (Status::unimplemented("not offered"), "does not offer"),
    ] {
        let text = status.message().to_owned();
        let fake = Fake::default().refuse("SignalWorkflowExecution", status);
        let ran = run(
            &fake,
            &[
                "workflow", "signal", "-w", "order-1", "--name", "pay", "-o", "json",
            ],
        );
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{text}");
        assert!(
            ran.stderr.starts_with(&format!("Error: {text}\nHint: ")) && ran.stderr.contains(hint),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_server_without_modules_is_told_apart() {
    let ran = run(&Fake::default(), &["module", "list"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("modules need a Longhaul server"),
        "{}",
        ran.stderr
    );
}
