//! An execution begins.

use std::sync::Arc;

use longhaul_history::{
    proto::{
        common::v1 as common,
        history::v1::{WorkflowExecutionStartedEventAttributes, history_event::Attributes},
        taskqueue::v1::TaskQueue,
    },
    time,
};

use super::{Execution, Identity};
use crate::{Turn, turn};

/// What an execution is started with.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// The workflow type.
    pub workflow_type: String,
    /// Its task queue.
    pub task_queue: String,
    /// Its arguments.
    pub input: Option<common::Payloads>,
    /// Its header.
    pub header: Option<common::Header>,
    /// Limit of the chain of runs, in nanoseconds; zero: none.
    pub execution_timeout_ns: u64,
    /// Limit of this run, in nanoseconds; zero: none.
    pub run_timeout_ns: u64,
    /// Limit of one workflow task, in nanoseconds.
    pub task_timeout_ns: u64,
    /// Who starts it.
    pub identity: String,
    /// Its memo.
    pub memo: Option<common::Memo>,
    /// Its search attributes.
    pub search_attributes: Option<common::SearchAttributes>,
    /// Its priority.
    pub priority: Option<common::Priority>,
}

impl Execution {
    /// Begin a run: writes WorkflowExecutionStarted.
    pub fn begin(identity: Identity, start: Start, turn: &mut Turn) -> Self {
        let duration = |ns: u64| Some(time::duration_from_ns(ns));
        let run_timeout_ns = match (start.run_timeout_ns, start.execution_timeout_ns) {
            (0, execution_ns) => execution_ns,
            (run_ns, 0) => run_ns,
            (run_ns, execution_ns) => run_ns.min(execution_ns),
        };
        let attributes = WorkflowExecutionStartedEventAttributes {
            workflow_type: Some(common::WorkflowType {
                name: start.workflow_type,
            }),
            task_queue: Some(TaskQueue {
                name: start.task_queue,
                kind: 1,
                ..Default::default()
            }),
            input: start.input,
            workflow_execution_timeout: duration(start.execution_timeout_ns),
            workflow_run_timeout: duration(run_timeout_ns),
            workflow_task_timeout: duration(start.task_timeout_ns),
            original_execution_run_id: identity.run_id.to_string(),
            first_execution_run_id: identity.run_id.to_string(),
            identity: start.identity,
            attempt: 1,
            workflow_execution_expiration_time: (start.execution_timeout_ns > 0)
                .then(|| time::timestamp_from_ns(turn.now_ns.saturating_add(start.execution_timeout_ns))),
            first_workflow_task_backoff: duration(0),
            memo: start.memo,
            search_attributes: start.search_attributes,
            header: start.header,
            workflow_id: identity.workflow_id.to_string(),
            priority: start.priority,
            ..Default::default()
        };
        let event = Arc::new(turn::event(
            1,
            turn.now_ns,
            Attributes::WorkflowExecutionStartedEventAttributes(attributes),
        ));
        let execution = match Self::from_first(identity, &event, Self::measure(&event)) {
            Ok(execution) => execution,
            // The event above is WorkflowExecutionStarted with id 1, which is all that `from_first` asks for.
            Err(illegal) => unreachable!("{illegal}"),
        };
        turn.events.push(event);
        execution
    }

    /// When the run's own time limit passes, in nanoseconds since 1970 (E2).
    pub fn run_expires_ns(&self) -> Option<u64> {
        let limit_ns = self
            .start
            .workflow_run_timeout
            .as_ref()
            .and_then(time::ns_from_duration)
            .unwrap_or(0);
        (limit_ns > 0).then(|| self.start_time_ns.saturating_add(limit_ns))
    }
}
