//! Messages that are wrong in one place: each is refused with Temporal's code and a text that names the place, and the database
//! holds no more than before. [`programs`]: what workflows themselves may not ask for.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod details;
mod lists;
mod operations;
mod programs;
mod signals;
mod starts;
mod updates;

use std::{future::Future, time::Duration};

use longhaul_history::proto;
use longhaul_tests::Server;
use prost::{Message, Name};
use proto::{
    common::v1::{Memo, Payload, Payloads, RetryPolicy, SearchAttributes, WorkflowExecution},
    enums::v1::{
        UpdateWorkflowExecutionLifecycleStage as Stage, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
    },
    query::v1::WorkflowQuery,
    taskqueue::v1::TaskQueue,
    update::v1::{Input, Meta, Request, UpdateRef, WaitPolicy},
    workflowservice::v1::{
        CountWorkflowExecutionsRequest, DeleteWorkflowExecutionRequest, DescribeWorkflowExecutionRequest,
        GetWorkflowExecutionHistoryRequest, ListWorkflowExecutionsRequest,
        PollWorkflowExecutionUpdateRequest, QueryWorkflowRequest, RequestCancelWorkflowExecutionRequest,
        ResetWorkflowExecutionRequest, SignalWithStartWorkflowExecutionRequest,
        SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest, TerminateWorkflowExecutionRequest,
        UpdateWorkflowExecutionRequest, workflow_service_client::WorkflowServiceClient,
    },
};
use serde_json::{Value, json};
use tonic::{
    Code, Response, Status,
    transport::{Channel, Endpoint},
};

/// Longer than any of these takes; one that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// The execution that all messages are for.
const ID: &str = "there";
/// A run that nobody has.
const NO_RUN: &str = "0b7a1c52-6f0e-4b7e-9a41-3a9f0f7b9c11";
/// One character more than an id or a name may have (E1).
const TOO_LONG: usize = 1_001;

type Client = WorkflowServiceClient<Channel>;

fn client(server: &Server) -> Client {
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address())).unwrap();
    WorkflowServiceClient::new(endpoint.timeout(PATIENCE).connect_lazy())
}

fn wait<T>(calls: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(calls)
}

fn namespace() -> String {
    "default".to_owned()
}

fn long() -> String {
    "x".repeat(TOO_LONG)
}

fn run(workflow_id: &str, run_id: &str) -> Option<WorkflowExecution> {
    Some(WorkflowExecution {
        workflow_id: workflow_id.to_owned(),
        run_id: run_id.to_owned(),
    })
}

fn payload(bytes: usize) -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: serde_json::to_vec(&"x".repeat(bytes)).unwrap(),
        ..Default::default()
    }
}

fn large() -> Option<Payloads> {
    Some(Payloads {
        payloads: vec![payload(2 << 20)],
    })
}

fn seconds(seconds: i64) -> Option<longhaul_history::time::Duration> {
    Some(longhaul_history::time::Duration { seconds, nanos: 0 })
}

/// A `google.rpc.Status`: how details travel.
#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

/// A `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

impl Envelope {
    /// Where there are details, their envelope repeats code and text.
    #[track_caller]
    fn of(status: &Status) -> Self {
        let envelope = Self::decode(status.details()).unwrap();
        if !status.details().is_empty() {
            assert_eq!(envelope.code, i32::from(status.code()));
            assert_eq!(envelope.message, status.message());
        }
        envelope
    }
}

/// The kind of a detail without what all of Temporal's have in common: `errordetails.v1.NotFoundFailure`.
fn kind_of(type_url: &str) -> &str {
    type_url
        .strip_prefix("type.googleapis.com/temporal.api.")
        .unwrap_or(type_url)
}

/// The detail that Temporal's server sends with a code, unless it has a more special one.
fn usual(code: Code) -> Option<&'static str> {
    match code {
        Code::NotFound => Some("NotFoundFailure"),
        Code::AlreadyExists => Some("WorkflowExecutionAlreadyStartedFailure"),
        Code::PermissionDenied => Some("PermissionDeniedFailure"),
        Code::ResourceExhausted => Some("ResourceExhaustedFailure"),
        _ => None,
    }
}

/// What was asked, what it was answered, and what the refusal must hold.
struct Refusals(Vec<String>);

impl Refusals {
    /// A refusal with the detail that its code has.
    async fn of<T>(
        &mut self,
        what: &str,
        answer: impl Future<Output = Result<Response<T>, Status>>,
        code: Code,
        words: &[&str],
    ) {
        self.with(what, answer, code, usual(code), words).await;
    }

    /// A refusal with another detail.
    async fn with<T>(
        &mut self,
        what: &str,
        answer: impl Future<Output = Result<Response<T>, Status>>,
        code: Code,
        detail: Option<&str>,
        words: &[&str],
    ) {
        match answer.await {
            Ok(_) => self.0.push(format!("{what}: was taken")),
            Err(status) => {
                let details = Envelope::of(&status).details;
                let kinds: Vec<_> = details.iter().map(|detail| kind_of(&detail.type_url)).collect();
                let expected: Vec<_> = detail
                    .map(|kind| format!("errordetails.v1.{kind}"))
                    .into_iter()
                    .collect();
                if kinds != expected {
                    self.0
                        .push(format!("{what}: the details {kinds:?}, not {expected:?}"));
                }
                let missing: Vec<_> = words
                    .iter()
                    .filter(|word| !status.message().contains(**word))
                    .collect();
                if status.code() != code || !missing.is_empty() {
                    self.0.push(format!(
                        "{what}: {:?} {:?}, not {code:?} with {missing:?}",
                        status.code(),
                        status.message()
                    ));
                }
            }
        }
    }

    /// All at once, so that one run shows all that is wrong.
    #[track_caller]
    fn none_is_missing(self) {
        assert!(self.0.is_empty(), "\n{}", self.0.join("\n"));
    }
}

/// A server with an execution of the lab that waits, and what is to be seen of it.
fn server() -> Server {
    let server = Server::start();
    server.upload("lab", "lab");
    let program = json!({"steps": [{"op": "wait", "notes": 1}]});
    server.start_workflow("Lab", ID, &[&program.to_string()]).ok();
    server
}

/// Everything that a client can see.
fn seen(server: &Server) -> (String, Value) {
    let count = server.longhaul(&["workflow", "count", "-o", "json"]).json();
    (server.history(ID), count)
}
