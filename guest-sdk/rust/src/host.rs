//! What the SDK asks of the host, as a trait: in a component it is the imports of the contract, in tests a fake.

use crate::bindings::workflow::exports::longhaul::workflow::definition as guest;
use crate::bindings::workflow::longhaul::workflow::{commands, context, types};

pub(crate) use commands::{
    ActivityOptions, ChildOptions, ContinueAsNewOptions, ExternalExecution, LocalActivityOptions,
};
pub(crate) use context::WorkflowTask;
pub(crate) use guest::{ChildStartFailedCause, MessageMeta, Outcome, Sender, WaitingTask};
pub(crate) use types::{Execution as WorkflowRun, ExecutionInfo, FailureCause, Header, LogLevel, Payload};

/// Named payloads, some of them removed.
pub(crate) type Changes = [(String, Option<Payload>)];

/// A signal to another execution.
#[derive(Clone)]
pub(crate) struct OutgoingSignal {
    pub(crate) name: String,
    pub(crate) input: Vec<Payload>,
    pub(crate) header: Header,
}

/// The imports `commands` and `context`.
pub(crate) trait Host {
    fn schedule_activity(&self, seq: u32, options: &ActivityOptions);
    fn cancel_activity(&self, seq: u32);
    fn schedule_local_activity(&self, seq: u32, options: &LocalActivityOptions);
    fn cancel_local_activity(&self, seq: u32);
    fn start_timer(&self, seq: u32, nanos: u64, summary: Option<&str>);
    fn cancel_timer(&self, seq: u32);
    fn start_child(&self, seq: u32, options: &ChildOptions);
    fn cancel_child(&self, seq: u32, reason: &str);
    fn signal_child(&self, seq: u32, child: u32, signal: &OutgoingSignal);
    fn signal_external(&self, seq: u32, target: &ExternalExecution, signal: &OutgoingSignal);
    fn cancel_signal_external(&self, seq: u32);
    fn cancel_external(&self, seq: u32, target: &ExternalExecution, reason: &str);
    fn patched(&self, id: &str, deprecated: bool) -> bool;
    fn side_effect(&self, seq: u32) -> Option<Payload>;
    fn record_side_effect(&self, seq: u32, value: &Payload, summary: Option<&str>);
    fn upsert_memo(&self, fields: &Changes);
    fn upsert_search_attributes(&self, attributes: &Changes);
    fn set_current_details(&self, details: &str);
    fn complete_update(&self, id: &str, outcome: Result<Vec<Payload>, Vec<FailureCause>>);
    fn complete(&self, output: &[Payload]);
    fn fail(&self, failure: &[FailureCause]);
    fn continue_as_new(&self, options: &ContinueAsNewOptions);
    fn cancelled(&self, details: &[Payload]);
    fn fail_task(&self, failure: &[FailureCause]);

    fn now(&self) -> u64;
    fn task_info(&self) -> WorkflowTask;
    fn memo(&self) -> Vec<(String, Payload)>;
    fn search_attributes(&self) -> Vec<(String, Payload)>;
    fn random(&self, stream: &str, length: u32) -> Vec<u8>;
    fn is_replaying(&self) -> bool;
    fn log(&self, level: LogLevel, message: &str, fields: &[(String, String)]);
}

/// The host of a component. Elsewhere the imports panic.
pub(crate) struct Imports;

impl Host for Imports {
    fn schedule_activity(&self, seq: u32, options: &ActivityOptions) {
        commands::schedule_activity(seq, options);
    }
    fn cancel_activity(&self, seq: u32) {
        commands::cancel_activity(seq);
    }
    fn schedule_local_activity(&self, seq: u32, options: &LocalActivityOptions) {
        commands::schedule_local_activity(seq, options);
    }
    fn cancel_local_activity(&self, seq: u32) {
        commands::cancel_local_activity(seq);
    }
    fn start_timer(&self, seq: u32, nanos: u64, summary: Option<&str>) {
        commands::start_timer(seq, nanos, summary);
    }
    fn cancel_timer(&self, seq: u32) {
        commands::cancel_timer(seq);
    }
    fn start_child(&self, seq: u32, options: &ChildOptions) {
        commands::start_child(seq, options);
    }
    fn cancel_child(&self, seq: u32, reason: &str) {
        commands::cancel_child(seq, reason);
    }
    fn signal_child(&self, seq: u32, child: u32, signal: &OutgoingSignal) {
        commands::signal_child(seq, child, &signal.name, &signal.input, &signal.header);
    }
    fn signal_external(&self, seq: u32, target: &ExternalExecution, signal: &OutgoingSignal) {
        commands::signal_external(seq, target, &signal.name, &signal.input, &signal.header);
    }
    fn cancel_signal_external(&self, seq: u32) {
        commands::cancel_signal_external(seq);
    }
    fn cancel_external(&self, seq: u32, target: &ExternalExecution, reason: &str) {
        commands::cancel_external(seq, target, reason);
    }
    fn patched(&self, id: &str, deprecated: bool) -> bool {
        commands::patched(id, deprecated)
    }
    fn side_effect(&self, seq: u32) -> Option<Payload> {
        commands::side_effect(seq)
    }
    fn record_side_effect(&self, seq: u32, value: &Payload, summary: Option<&str>) {
        commands::record_side_effect(seq, value, summary);
    }
    fn upsert_memo(&self, fields: &Changes) {
        commands::upsert_memo(fields);
    }
    fn upsert_search_attributes(&self, attributes: &Changes) {
        commands::upsert_search_attributes(attributes);
    }
    fn set_current_details(&self, details: &str) {
        commands::set_current_details(details);
    }
    fn complete_update(&self, id: &str, outcome: Result<Vec<Payload>, Vec<FailureCause>>) {
        commands::complete_update(id, outcome.as_deref().map_err(Vec::as_slice));
    }
    fn complete(&self, output: &[Payload]) {
        commands::complete(output);
    }
    fn fail(&self, failure: &[FailureCause]) {
        commands::fail(failure);
    }
    fn continue_as_new(&self, options: &ContinueAsNewOptions) {
        commands::continue_as_new(options);
    }
    fn cancelled(&self, details: &[Payload]) {
        commands::cancelled(details);
    }
    fn fail_task(&self, failure: &[FailureCause]) {
        commands::fail_task(failure);
    }
    fn now(&self) -> u64 {
        context::now()
    }
    fn task_info(&self) -> WorkflowTask {
        context::task_info()
    }
    fn memo(&self) -> Vec<(String, Payload)> {
        context::memo()
    }
    fn search_attributes(&self) -> Vec<(String, Payload)> {
        context::search_attributes()
    }
    fn random(&self, stream: &str, length: u32) -> Vec<u8> {
        context::random(stream, length)
    }
    fn is_replaying(&self) -> bool {
        context::is_replaying()
    }
    fn log(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        context::log(level, message, fields);
    }
}
