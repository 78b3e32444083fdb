//! A chain of runs goes on: continue-as-new, retry, cron (E2, E3).

use longhaul_history::{
    proto::{
        common::v1 as common,
        enums::v1::{ContinueAsNewInitiator, RetryState, TimeoutType},
        failure::v1::{Failure, TimeoutFailureInfo, failure::FailureInfo},
        history::v1::{
            WorkflowExecutionCompletedEventAttributes, WorkflowExecutionContinuedAsNewEventAttributes,
            WorkflowExecutionFailedEventAttributes, WorkflowExecutionSignaledEventAttributes,
            WorkflowExecutionTimedOutEventAttributes, history_event::Attributes,
        },
        taskqueue::v1::TaskQueue,
        update::v1 as wire,
    },
    time,
};

use super::{Execution, Start, upserts::CHANGE_VERSION};
use crate::{
    ContinueOptions, Turn, cron,
    retry::{Decision, Policy},
    update,
};

/// The run that follows on one that has closed. The shell begins it in the same transition, then gives it what it carries.
#[derive(Debug, Clone, PartialEq)]
pub struct Successor {
    /// Its run id, which the closing event names.
    pub run_id: String,
    /// What it starts with.
    pub start: Start,
    /// Signals that were acknowledged and that no task of the closed run has shown to its code, in order (S9).
    pub signals: Vec<WorkflowExecutionSignaledEventAttributes>,
    /// Updates that were admitted and not accepted, in order (U7).
    pub updates: Vec<wire::Request>,
}

/// How a run goes on that has ended by itself.
struct Next {
    initiator: ContinueAsNewInitiator,
    backoff_ns: u64,
    attempt: u32,
}

impl Execution {
    pub(super) fn complete_run(&mut self, turn: &mut Turn, completed: i64, result: common::Payloads) {
        let next = self.next_by_cron(turn);
        if let Some(next) = &next {
            let mut start = self.start_again(next);
            start.last_completion_result = Some(result.clone());
            self.go_on(turn, start);
        }
        let attributes = WorkflowExecutionCompletedEventAttributes {
            result: Some(result),
            workflow_task_completed_event_id: completed,
            new_execution_run_id: new_run_id(turn),
        };
        self.closing(
            turn,
            Attributes::WorkflowExecutionCompletedEventAttributes(attributes),
        );
    }

    pub(super) fn fail_run(&mut self, turn: &mut Turn, completed: i64, failure: Failure) {
        let retry_state = self.go_on_after(turn, &failure);
        let mut attributes = WorkflowExecutionFailedEventAttributes {
            failure: Some(failure),
            workflow_task_completed_event_id: completed,
            new_execution_run_id: new_run_id(turn),
            ..Default::default()
        };
        attributes.set_retry_state(retry_state);
        self.closing(
            turn,
            Attributes::WorkflowExecutionFailedEventAttributes(attributes),
        );
    }

    /// A time limit has passed: the run's own, after which its retry policy or its schedule may go on, or that of its chain, after
    /// which nothing does (E2). Nothing happens if the run has closed or the limits lie ahead.
    pub fn run_timed_out(&mut self, turn: &mut Turn) -> bool {
        let passed = |limit_ns: Option<u64>| limit_ns.is_some_and(|limit_ns| limit_ns <= turn.now_ns);
        if !self.is_open() || !passed(self.run_expires_ns()) {
            return false;
        }
        let retry_state = if passed(self.chain_expires_ns()) {
            RetryState::Timeout
        } else {
            self.go_on_after(turn, &timeout())
        };
        let mut attributes = WorkflowExecutionTimedOutEventAttributes {
            new_execution_run_id: new_run_id(turn),
            ..Default::default()
        };
        attributes.set_retry_state(retry_state);
        self.closing(
            turn,
            Attributes::WorkflowExecutionTimedOutEventAttributes(attributes),
        );
        true
    }

    pub(super) fn continue_run(&mut self, turn: &mut Turn, completed: i64, options: ContinueOptions) {
        let limit_ns = |limit: Option<&time::Duration>| limit.and_then(time::ns_from_duration).unwrap_or(0);
        let next = Next {
            initiator: ContinueAsNewInitiator::Workflow,
            backoff_ns: 0,
            attempt: 1,
        };
        let start = Start {
            workflow_type: options
                .workflow_type
                .unwrap_or_else(|| self.workflow_type().to_owned()),
            task_queue: options.task_queue.unwrap_or_else(|| self.task_queue().to_owned()),
            input: (!options.input.payloads.is_empty()).then_some(options.input),
            header: options.header,
            run_timeout_ns: options
                .run_timeout_ns
                .unwrap_or_else(|| limit_ns(self.start.workflow_run_timeout.as_ref())),
            task_timeout_ns: options
                .task_timeout_ns
                .unwrap_or_else(|| limit_ns(self.start.workflow_task_timeout.as_ref())),
            memo: options
                .memo
                .or_else(|| (!self.memo.fields.is_empty()).then(|| self.memo.clone())),
            search_attributes: options
                .search_attributes
                .or_else(|| self.carried_search_attributes()),
            retry_policy: options.retry_policy.or_else(|| self.start.retry_policy.clone()),
            ..self.start_again(&next)
        };
        let start = start.within_limits();
        let duration = |ns: u64| Some(time::duration_from_ns(ns));
        let mut attributes = WorkflowExecutionContinuedAsNewEventAttributes {
            new_execution_run_id: turn.next_run_id.clone(),
            workflow_type: Some(common::WorkflowType {
                name: start.workflow_type.clone(),
            }),
            task_queue: Some(TaskQueue {
                name: start.task_queue.clone(),
                kind: 1,
                ..Default::default()
            }),
            input: start.input.clone(),
            workflow_run_timeout: duration(start.run_timeout_ns),
            workflow_task_timeout: duration(start.task_timeout_ns),
            workflow_task_completed_event_id: completed,
            backoff_start_interval: duration(0),
            last_completion_result: start.last_completion_result.clone(),
            header: start.header.clone(),
            memo: start.memo.clone(),
            search_attributes: start.search_attributes.clone(),
            ..Default::default()
        };
        attributes.set_initiator(ContinueAsNewInitiator::Workflow);
        self.go_on(turn, start);
        self.closing(
            turn,
            Attributes::WorkflowExecutionContinuedAsNewEventAttributes(attributes),
        );
    }

    /// The patches of this run say nothing of the next one, which takes every new side.
    fn carried_search_attributes(&self) -> Option<common::SearchAttributes> {
        let mut carried = self.search_attributes.clone();
        carried.indexed_fields.remove(CHANGE_VERSION);
        (!carried.indexed_fields.is_empty()).then_some(carried)
    }

    /// Go on after a failure, by the retry policy or else by the schedule. Answers what history says of the former.
    fn go_on_after(&mut self, turn: &mut Turn, failure: &Failure) -> RetryState {
        let attempt = u32::try_from(self.start.attempt).unwrap_or(1).max(1);
        let decision = match &self.start.retry_policy {
            None => Decision::Stop(RetryState::RetryPolicyNotSet),
            Some(policy) => {
                Policy::new(Some(policy)).decide(attempt, failure, turn.now_ns, self.chain_expires_ns())
            }
        };
        let (next, state) = match decision {
            Decision::Retry { due_ns } => {
                let next = Next {
                    initiator: ContinueAsNewInitiator::Retry,
                    backoff_ns: due_ns.saturating_sub(turn.now_ns),
                    attempt: attempt.saturating_add(1),
                };
                (Some(next), RetryState::InProgress)
            }
            Decision::Stop(state) => (self.next_by_cron(turn), state),
        };
        if let Some(next) = next {
            let mut start = self.start_again(&next);
            start.last_failure = Some(failure.clone());
            self.go_on(turn, start);
        }
        state
    }

    fn next_by_cron(&self, turn: &Turn) -> Option<Next> {
        if self.start.cron_schedule.is_empty() {
            return None;
        }
        let schedule = cron::Schedule::parse(&self.start.cron_schedule).ok()?;
        // The schedule counts from when the run was due, not from when it came to run.
        let due_ns = self.start_time_ns.saturating_add(self.first_task_backoff_ns());
        Some(Next {
            initiator: ContinueAsNewInitiator::CronSchedule,
            backoff_ns: schedule.backoff_ns(due_ns, turn.now_ns)?,
            attempt: 1,
        })
    }

    /// What this run was started with, for a run that goes on.
    fn start_again(&self, next: &Next) -> Start {
        let start = &self.start;
        let limit_ns = |limit: Option<&time::Duration>| limit.and_then(time::ns_from_duration).unwrap_or(0);
        Start {
            workflow_type: self.workflow_type().to_owned(),
            task_queue: self.task_queue().to_owned(),
            input: start.input.clone(),
            header: start.header.clone(),
            execution_timeout_ns: limit_ns(start.workflow_execution_timeout.as_ref()),
            run_timeout_ns: limit_ns(start.workflow_run_timeout.as_ref()),
            task_timeout_ns: limit_ns(start.workflow_task_timeout.as_ref()),
            identity: start.identity.clone(),
            memo: start.memo.clone(),
            search_attributes: start.search_attributes.clone(),
            priority: start.priority.clone(),
            retry_policy: start.retry_policy.clone(),
            cron_schedule: start.cron_schedule.clone(),
            first_task_backoff_ns: next.backoff_ns,
            attempt: next.attempt,
            parent: self.parent(),
            root: start.root_workflow_execution.clone(),
            first_run_id: Some(start.first_execution_run_id.clone()),
            continued_run_id: Some(self.identity.run_id.to_string()),
            initiator: next.initiator,
            expires_ns: self.chain_expires_ns(),
            last_failure: None,
            last_completion_result: start.last_completion_result.clone(),
            user_metadata: None,
        }
    }

    fn go_on(&self, turn: &mut Turn, start: Start) {
        let signals = self.unseen_signals().cloned();
        let updates = self
            .admitted
            .iter()
            .filter_map(|id| match &self.updates.get(id)?.state {
                update::State::Admitted { request, .. } => Some(wire::Request::clone(request)),
                _ => None,
            });
        turn.successor = Some(Box::new(Successor {
            run_id: turn.next_run_id.clone(),
            start,
            signals: signals.collect(),
            updates: updates.collect(),
        }));
    }
}

fn new_run_id(turn: &Turn) -> String {
    turn.successor
        .as_ref()
        .map(|successor| successor.run_id.clone())
        .unwrap_or_default()
}

/// What a run fails with whose time is up, as far as its retry policy sees it.
fn timeout() -> Failure {
    let mut info = TimeoutFailureInfo::default();
    info.set_timeout_type(TimeoutType::StartToClose);
    Failure {
        message: "workflow timeout".into(),
        source: "Server".into(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(info)),
        ..Default::default()
    }
}
