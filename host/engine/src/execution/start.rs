//! An execution begins.

use std::sync::Arc;

use longhaul_history::{
    proto::{
        common::v1 as common,
        enums::v1::ContinueAsNewInitiator,
        failure::v1::Failure,
        history::v1::{WorkflowExecutionStartedEventAttributes, history_event::Attributes},
        sdk::v1::UserMetadata,
        taskqueue::v1::TaskQueue,
    },
    time,
};

use super::{Execution, Identity};
use crate::{Turn, cron, error::BadStart, retry, timeouts, turn};

/// What an execution is started with.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// Limit of this run, in nanoseconds; zero: none. A run has no more time than its chain, whatever this says.
    pub run_timeout_ns: u64,
    /// Limit of one workflow task, in nanoseconds. It has no more time than its run, nor than
    /// [`TASK_TIMEOUT_MAX_NS`](crate::TASK_TIMEOUT_MAX_NS).
    pub task_timeout_ns: u64,
    /// Who starts it.
    pub identity: String,
    /// Its memo.
    pub memo: Option<common::Memo>,
    /// Its search attributes.
    pub search_attributes: Option<common::SearchAttributes>,
    /// Its priority.
    pub priority: Option<common::Priority>,
    /// None: a run that fails is not tried again.
    pub retry_policy: Option<common::RetryPolicy>,
    /// Empty: it runs once.
    pub cron_schedule: String,
    /// How long the first workflow task waits, in nanoseconds: a start delay, or what the end of the run before has found. A first
    /// run with a cron schedule gets its own from the schedule.
    pub first_task_backoff_ns: u64,
    /// Which attempt of the retry policy it is; zero stands for one.
    pub attempt: u32,
    /// The run that starts it as its child.
    pub parent: Option<Parent>,
    /// The topmost ancestor; none if that is the execution itself.
    pub root: Option<common::WorkflowExecution>,
    /// The first run of the chain; none: this one.
    pub first_run_id: Option<String>,
    /// The run that goes on as this one.
    pub continued_run_id: Option<String>,
    /// How it goes on.
    pub initiator: ContinueAsNewInitiator,
    /// When the chain runs out of time, in nanoseconds since 1970; none: by `execution_timeout_ns` from now on.
    pub expires_ns: Option<u64>,
    /// How the run before failed (retry, cron).
    pub last_failure: Option<Failure>,
    /// What the last run that completed has answered (cron).
    pub last_completion_result: Option<common::Payloads>,
    /// A summary and details for people to read. The next run of a chain has none, as on Temporal's server.
    pub user_metadata: Option<UserMetadata>,
}

/// The run that has started a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Its namespace.
    pub namespace: String,
    /// Its workflow id.
    pub workflow_id: String,
    /// Its run id.
    pub run_id: String,
    /// Its StartChildWorkflowExecutionInitiated event.
    pub initiated_event_id: i64,
}

impl Start {
    /// Whether an execution can be started with it. The engine checks the commands of guests itself; this is for what clients ask.
    ///
    /// # Errors
    ///
    /// What is wrong with its cron schedule or its retry policy.
    pub fn check(&self) -> Result<(), BadStart> {
        if !self.cron_schedule.is_empty() {
            if self.first_task_backoff_ns > 0 {
                return Err(BadStart::DelayAndCron);
            }
            cron::Schedule::parse(&self.cron_schedule)?;
        }
        if let Some(policy) = &self.retry_policy {
            retry::check(policy)?;
        }
        Ok(())
    }

    /// With the limits that hold, which are those that history states.
    pub(super) fn within_limits(mut self) -> Self {
        self.run_timeout_ns = timeouts::of_run(self.run_timeout_ns, self.execution_timeout_ns);
        self.task_timeout_ns = timeouts::of_task(self.task_timeout_ns, self.run_timeout_ns);
        self
    }
}

impl Execution {
    /// Begin a run: writes WorkflowExecutionStarted.
    pub fn begin(identity: Identity, start: Start, turn: &mut Turn) -> Self {
        let duration = |ns: u64| Some(time::duration_from_ns(ns));
        let start = start.within_limits();
        let backoff_ns = first_backoff_ns(&start, turn.now_ns);
        // The time before the first task of a chain does not count: else a long delay would end the chain before it begins.
        let expires_ns = start.expires_ns.or_else(|| {
            (start.execution_timeout_ns > 0).then(|| {
                turn.now_ns
                    .saturating_add(backoff_ns)
                    .saturating_add(start.execution_timeout_ns)
            })
        });
        let run_id = identity.run_id.to_string();
        let parent = start.parent.unwrap_or_else(|| Parent {
            namespace: String::new(),
            workflow_id: String::new(),
            run_id: String::new(),
            initiated_event_id: 0,
        });
        let mut attributes = WorkflowExecutionStartedEventAttributes {
            workflow_type: Some(common::WorkflowType {
                name: start.workflow_type,
            }),
            parent_workflow_execution: (!parent.workflow_id.is_empty()).then_some(
                common::WorkflowExecution {
                    workflow_id: parent.workflow_id,
                    run_id: parent.run_id,
                },
            ),
            parent_workflow_namespace: parent.namespace,
            parent_initiated_event_id: parent.initiated_event_id,
            root_workflow_execution: start.root,
            task_queue: Some(TaskQueue {
                name: start.task_queue,
                kind: 1,
                ..Default::default()
            }),
            input: start.input,
            workflow_execution_timeout: duration(start.execution_timeout_ns),
            workflow_run_timeout: duration(start.run_timeout_ns),
            workflow_task_timeout: duration(start.task_timeout_ns),
            continued_execution_run_id: start.continued_run_id.unwrap_or_default(),
            continued_failure: start.last_failure,
            last_completion_result: start.last_completion_result,
            first_execution_run_id: start.first_run_id.unwrap_or_else(|| run_id.clone()),
            original_execution_run_id: run_id,
            identity: start.identity,
            retry_policy: start.retry_policy,
            attempt: i32::try_from(start.attempt.max(1)).unwrap_or(i32::MAX),
            workflow_execution_expiration_time: expires_ns.map(time::timestamp_from_ns),
            cron_schedule: start.cron_schedule,
            first_workflow_task_backoff: duration(backoff_ns),
            memo: start.memo,
            search_attributes: start.search_attributes,
            header: start.header,
            workflow_id: identity.workflow_id.to_string(),
            priority: start.priority,
            ..Default::default()
        };
        attributes.set_initiator(start.initiator);
        let attributes = Attributes::WorkflowExecutionStartedEventAttributes(attributes);
        let mut event = turn::event(1, turn.now_ns, attributes);
        event.user_metadata = start.user_metadata;
        let event = Arc::new(event);
        let execution = match Self::from_first(identity, &event, Self::measure(&event)) {
            Ok(execution) => execution,
            // The event above is WorkflowExecutionStarted with id 1, which is all that `from_first` asks for.
            Err(illegal) => unreachable!("{illegal}"),
        };
        turn.events.push(event);
        execution
    }

    /// The summary and the details that it was started with.
    pub fn user_metadata(&self) -> Option<&UserMetadata> {
        self.user_metadata.as_deref()
    }

    /// The run that has started this one as its child.
    pub fn parent(&self) -> Option<Parent> {
        let parent = self.start.parent_workflow_execution.as_ref()?;
        Some(Parent {
            namespace: self.start.parent_workflow_namespace.clone(),
            workflow_id: parent.workflow_id.clone(),
            run_id: parent.run_id.clone(),
            initiated_event_id: self.start.parent_initiated_event_id,
        })
    }

    /// The first run of the chain that continue-as-new, retry, cron and reset make.
    pub fn first_run_id(&self) -> &str {
        &self.start.first_execution_run_id
    }

    /// When the run is out of time, in nanoseconds since 1970: by its own limit, which counts from the first workflow task's due
    /// time, or by that of its chain (E2). After a reset both count from the reset, as on Temporal's server (E9).
    pub fn run_expires_ns(&self) -> Option<u64> {
        let limit_ns = self.run_timeout_ns();
        let from_ns = self
            .reset_time_ns
            .unwrap_or_else(|| self.start_time_ns.saturating_add(self.first_task_backoff_ns()));
        let run_ns = (limit_ns > 0).then(|| from_ns.saturating_add(limit_ns));
        run_ns.into_iter().chain(self.chain_expires_ns()).min()
    }

    /// When the chain is out of time, in nanoseconds since 1970 (E2).
    pub fn chain_expires_ns(&self) -> Option<u64> {
        let limit = self.start.workflow_execution_timeout.as_ref();
        if let Some(reset_ns) = self.reset_time_ns {
            let limit_ns = limit.and_then(time::ns_from_duration).filter(|ns| *ns > 0)?;
            return Some(reset_ns.saturating_add(limit_ns));
        }
        self.start
            .workflow_execution_expiration_time
            .as_ref()
            .and_then(time::ns_from_timestamp)
            .filter(|ns| *ns > 0)
    }

    /// How long the run may take, in nanoseconds; 0: no limit.
    pub(super) fn run_timeout_ns(&self) -> u64 {
        self.start
            .workflow_run_timeout
            .as_ref()
            .and_then(time::ns_from_duration)
            .unwrap_or(0)
    }

    pub(super) fn first_task_backoff_ns(&self) -> u64 {
        self.start
            .first_workflow_task_backoff
            .as_ref()
            .and_then(time::ns_from_duration)
            .unwrap_or(0)
    }
}

/// A chain's first run waits for the schedule; what a run that goes on waits for is known already.
fn first_backoff_ns(start: &Start, now_ns: u64) -> u64 {
    if start.first_task_backoff_ns > 0 || start.cron_schedule.is_empty() || start.continued_run_id.is_some() {
        return start.first_task_backoff_ns;
    }
    cron::Schedule::parse(&start.cron_schedule)
        .ok()
        .and_then(|schedule| schedule.backoff_ns(now_ns, now_ns))
        .unwrap_or(0)
}
