//! A host that records commands as text, and an execution that is driven by hand.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::bindings::workflow::longhaul::workflow::types::NamespacedExecution;
use crate::data_converters::{encode, payload};
use crate::definitions::WorkflowImplementation;
use crate::failure::Failure;
use crate::host::{
    ActivityOptions, Changes, ChildOptions, ContinueAsNewOptions, ExecutionInfo, ExternalExecution,
    FailureCause, Header, Host, LocalActivityOptions, LogLevel, MessageMeta, Outcome, OutgoingSignal,
    Payload, Sender, WaitingTask, WorkflowRun, WorkflowTask,
};
use crate::instance::{self, Execution, WorkflowEntry};
use crate::runtime::Runtime;

#[derive(Default)]
struct Record {
    commands: RefCell<Vec<String>>,
    logs: RefCell<Vec<String>>,
    history_length: Cell<u64>,
    random: Cell<u8>,
    /// What history has.
    side_effects: RefCell<BTreeMap<u32, Payload>>,
}

impl Record {
    fn add(&self, command: impl Into<String>) {
        self.commands.borrow_mut().push(command.into());
    }
}

struct FakeHost(Rc<Record>);

fn text(payloads: &[Payload]) -> String {
    let values = payloads.iter().map(|payload| match payload.metadata.first() {
        Some((_, encoding)) if encoding == b"binary/null" => "-".to_owned(),
        _ => String::from_utf8_lossy(&payload.data).into_owned(),
    });
    format!("[{}]", values.collect::<Vec<_>>().join(", "))
}

/// Name, input and, if there is one, header.
fn sent(signal: &OutgoingSignal) -> String {
    let header: Vec<_> = signal
        .header
        .iter()
        .map(|(key, value)| format!(" {key}={}", String::from_utf8_lossy(&value.data)))
        .collect();
    format!("{} {}{}", signal.name, text(&signal.input), header.concat())
}

fn chain(failure: &[FailureCause]) -> String {
    Failure::from_wit(failure.to_vec()).to_string()
}

impl Host for FakeHost {
    fn schedule_activity(&self, seq: u32, options: &ActivityOptions) {
        self.0.add(format!(
            "activity {seq} {} {}",
            options.activity_type,
            text(&options.input)
        ));
    }
    fn cancel_activity(&self, seq: u32) {
        self.0.add(format!("cancel-activity {seq}"));
    }
    fn schedule_local_activity(&self, seq: u32, options: &LocalActivityOptions) {
        self.0.add(format!(
            "local-activity {seq} {} attempt {}",
            options.activity_type, options.attempt
        ));
    }
    fn cancel_local_activity(&self, seq: u32) {
        self.0.add(format!("cancel-local-activity {seq}"));
    }
    fn start_timer(&self, seq: u32, nanos: u64, _: Option<&str>) {
        self.0.add(format!("timer {seq} {}s", nanos / 1_000_000_000));
    }
    fn cancel_timer(&self, seq: u32) {
        self.0.add(format!("cancel-timer {seq}"));
    }
    fn start_child(&self, seq: u32, options: &ChildOptions) {
        let (name, id) = (&options.workflow_type, &options.workflow_id);
        self.0
            .add(format!("child {seq} {name} {id} {}", text(&options.input)));
    }
    fn cancel_child(&self, seq: u32, reason: &str) {
        self.0.add(format!("cancel-child {seq} {reason}"));
    }
    fn signal_child(&self, seq: u32, child: u32, signal: &OutgoingSignal) {
        self.0.add(format!("signal-child {seq} {child} {}", sent(signal)));
    }
    fn signal_external(&self, seq: u32, target: &ExternalExecution, signal: &OutgoingSignal) {
        self.0.add(format!(
            "signal-external {seq} {} {}",
            target.workflow_id,
            sent(signal)
        ));
    }
    fn cancel_signal_external(&self, seq: u32) {
        self.0.add(format!("cancel-signal-external {seq}"));
    }
    fn cancel_external(&self, seq: u32, target: &ExternalExecution, reason: &str) {
        self.0
            .add(format!("cancel-external {seq} {} {reason}", target.workflow_id));
    }
    fn patched(&self, id: &str, deprecated: bool) -> bool {
        self.0.add(format!("patched {id} {deprecated}"));
        true
    }
    fn side_effect(&self, seq: u32) -> Option<Payload> {
        let recorded = self.0.side_effects.borrow_mut().remove(&seq);
        self.0.add(match &recorded {
            Some(value) => format!("side-effect {seq} {}", text(std::slice::from_ref(value))),
            None => format!("side-effect {seq}"),
        });
        recorded
    }
    fn record_side_effect(&self, seq: u32, value: &Payload, summary: Option<&str>) {
        let (value, summary) = (text(std::slice::from_ref(value)), summary.unwrap_or("-"));
        self.0.add(format!("record {seq} {value} {summary}"));
    }
    fn upsert_memo(&self, fields: &Changes) {
        self.0.add(format!("memo {}", fields.len()));
    }
    fn upsert_search_attributes(&self, attributes: &Changes) {
        self.0.add(format!("search-attributes {}", attributes.len()));
    }
    fn set_current_details(&self, details: &str) {
        self.0.add(format!("details {details}"));
    }
    fn complete_update(&self, id: &str, outcome: Result<Vec<Payload>, Vec<FailureCause>>) {
        self.0.add(match outcome {
            Ok(output) => format!("update {id} {}", text(&output)),
            Err(failure) => format!("update {id} failed: {}", chain(&failure)),
        });
    }
    fn complete(&self, output: &[Payload]) {
        self.0.add(format!("complete {}", text(output)));
    }
    fn fail(&self, failure: &[FailureCause]) {
        self.0.add(format!("fail {}", chain(failure)));
    }
    fn continue_as_new(&self, options: &ContinueAsNewOptions) {
        self.0.add(format!("continue-as-new {}", text(&options.input)));
    }
    fn cancelled(&self, details: &[Payload]) {
        self.0.add(format!("cancelled {}", text(details)));
    }
    fn fail_task(&self, failure: &[FailureCause]) {
        self.0.add(format!("fail-task {}", chain(failure)));
    }
    fn now(&self) -> u64 {
        0
    }
    fn task_info(&self) -> WorkflowTask {
        WorkflowTask {
            history_length: self.0.history_length.get(),
            history_size_bytes: 0,
            continue_as_new_suggested: false,
            continue_as_new_reasons: Vec::new(),
        }
    }
    fn memo(&self) -> Vec<(String, Payload)> {
        Vec::new()
    }
    fn search_attributes(&self) -> Vec<(String, Payload)> {
        Vec::new()
    }
    fn random(&self, _: &str, length: u32) -> Vec<u8> {
        let bytes = (0..length).map(|_| {
            self.0.random.set(self.0.random.get().wrapping_add(1));
            self.0.random.get()
        });
        bytes.collect()
    }
    fn is_replaying(&self) -> bool {
        false
    }
    fn log(&self, level: LogLevel, message: &str, _: &[(String, String)]) {
        self.0.logs.borrow_mut().push(format!("{level:?} {message}"));
    }
}

/// An execution of a workflow type.
pub(super) struct Driver {
    record: Rc<Record>,
    execution: Box<dyn Execution>,
    event_id: Cell<i64>,
}

pub(super) fn json(value: &str) -> Payload {
    payload("json/plain", value.as_bytes().to_vec())
}

fn info(workflow_type: &str) -> ExecutionInfo {
    ExecutionInfo {
        namespace: "default".to_owned(),
        workflow_id: "id".to_owned(),
        run_id: "run".to_owned(),
        first_run_id: "run".to_owned(),
        workflow_type: workflow_type.to_owned(),
        task_queue: "queue".to_owned(),
        attempt: 1,
        start_time: 0,
        execution_timeout: None,
        run_timeout: None,
        task_timeout: 10_000_000_000,
        retry_policy: None,
        cron_schedule: None,
        continued_from_run_id: None,
        parent: None,
        root: None,
        last_completion_result: Vec::new(),
        last_failure: None,
        header: Vec::new(),
    }
}

impl Driver {
    pub(super) fn try_start<W: WorkflowImplementation>(input: &[&str]) -> Result<Self, Failure> {
        Self::try_start_as::<W>(W::descriptor().name, input)
    }

    /// An execution whose parent has this workflow id.
    pub(super) fn start_child_of<W: WorkflowImplementation>(parent: &str, input: &[&str]) -> Self {
        let mut info = info(W::descriptor().name);
        info.parent = Some(NamespacedExecution {
            namespace: info.namespace.clone(),
            workflow_id: parent.to_owned(),
            run_id: format!("{parent}-run"),
        });
        Self::start_with::<W>(info, input).unwrap_or_else(|failure| panic!("{failure}"))
    }

    pub(super) fn try_start_as<W: WorkflowImplementation>(
        name: &str,
        input: &[&str],
    ) -> Result<Self, Failure> {
        Self::start_with::<W>(info(name), input)
    }

    fn start_with<W: WorkflowImplementation>(info: ExecutionInfo, input: &[&str]) -> Result<Self, Failure> {
        let record = Rc::new(Record::default());
        let runtime = Runtime::new(Box::new(FakeHost(record.clone())), info);
        runtime.enter();
        let input = input.iter().map(|value| json(value)).collect();
        let execution = instance::start(&[WorkflowEntry::of::<W>()], &runtime, input)?;
        Ok(Self {
            record,
            execution,
            event_id: Cell::new(0),
        })
    }

    pub(super) fn start<W: WorkflowImplementation>(input: &[&str]) -> Self {
        Self::try_start::<W>(input).unwrap_or_else(|failure| panic!("{failure}"))
    }

    fn meta(&self) -> MessageMeta {
        self.event_id.set(self.event_id.get() + 1);
        MessageMeta {
            event_id: self.event_id.get(),
            time: 1_000_000_000,
            sender: Sender::Client("tester".to_owned()),
            header: vec![("tenant".to_owned(), encode(&"acme".to_owned()).unwrap())],
        }
    }

    /// What history has for a side effect.
    pub(super) fn recorded(&self, seq: u32, value: &str) -> &Self {
        self.record.side_effects.borrow_mut().insert(seq, json(value));
        self
    }

    pub(super) fn signal(&self, name: &str, input: &[&str]) -> &Self {
        self.execution.signal(
            self.meta(),
            name.to_owned(),
            input.iter().map(|value| json(value)).collect(),
        );
        self
    }

    /// A signal that another workflow has sent.
    pub(super) fn signal_from(&self, sender: &str, header: Header, name: &str, input: &[&str]) -> &Self {
        let meta = MessageMeta {
            sender: Sender::Workflow(WorkflowRun {
                workflow_id: sender.to_owned(),
                run_id: format!("{sender}-run"),
            }),
            header,
            ..self.meta()
        };
        let input = input.iter().map(|value| json(value)).collect();
        self.execution.signal(meta, name.to_owned(), input);
        self
    }

    pub(super) fn update(&self, id: &str, name: &str, input: &[&str]) -> &Self {
        let input = input.iter().map(|value| json(value)).collect();
        self.execution
            .update(id.to_owned(), self.meta(), name.to_owned(), input);
        self
    }

    pub(super) fn validate(&self, name: &str, input: &[&str]) -> Result<(), Failure> {
        let input = input.iter().map(|value| json(value)).collect();
        self.execution
            .validate_update("u".to_owned(), self.meta(), name, input)
    }

    pub(super) fn query(&self, name: &str, input: &[&str]) -> Result<String, Failure> {
        let input = input.iter().map(|value| json(value)).collect();
        self.execution
            .query(name, input)
            .map(|answer| String::from_utf8_lossy(&answer.data).into_owned())
    }

    pub(super) fn resolve(&self, seq: u32, outcome: Outcome) -> &Self {
        self.execution.runtime().resolve(seq, outcome);
        self
    }

    /// The operation completed with these values.
    pub(super) fn complete(&self, seq: u32, output: &[&str]) -> &Self {
        self.resolve(
            seq,
            Outcome::Completed(output.iter().map(|value| json(value)).collect()),
        )
    }

    pub(super) fn cancel(&self, reason: &str) -> &Self {
        self.execution.runtime().request_cancel(reason.to_owned());
        self
    }

    /// End the workflow task. The commands since the last one.
    pub(super) fn advance(&self) -> Vec<String> {
        self.execution.advance();
        self.record
            .history_length
            .set(self.record.history_length.get() + 3);
        self.commands()
    }

    /// The commands so far, which are taken.
    pub(super) fn commands(&self) -> Vec<String> {
        self.record.commands.take()
    }

    pub(super) fn logs(&self) -> Vec<String> {
        self.record.logs.take()
    }

    pub(super) fn waiting(&self) -> Vec<WaitingTask> {
        self.execution.waiting()
    }
}
