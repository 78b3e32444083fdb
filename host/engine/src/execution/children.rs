//! Children of this run: started, ended, and what their parent has to tell (E5).

use longhaul_history::{
    proto::{
        common::v1 as common,
        history::v1::{
            ChildWorkflowExecutionCanceledEventAttributes, ChildWorkflowExecutionCompletedEventAttributes,
            ChildWorkflowExecutionFailedEventAttributes, ChildWorkflowExecutionStartedEventAttributes,
            ChildWorkflowExecutionTerminatedEventAttributes, ChildWorkflowExecutionTimedOutEventAttributes,
            StartChildWorkflowExecutionFailedEventAttributes,
            StartChildWorkflowExecutionInitiatedEventAttributes, history_event::Attributes,
        },
        taskqueue::v1::TaskQueue,
    },
    time,
};

use super::Execution;
use crate::{
    ChildOptions, Effect, Turn,
    outgoing::{ChildClosed, ChildStart, Failed},
    timeouts,
};

impl Execution {
    pub(super) fn start_child(&mut self, turn: &mut Turn, completed: i64, options: ChildOptions) -> i64 {
        let duration = |ns: u64| Some(time::duration_from_ns(ns));
        let chain_ns = options.execution_timeout_ns.unwrap_or(0);
        let run_ns = timeouts::of_run(options.run_timeout_ns.unwrap_or(0), chain_ns);
        let task_ns = timeouts::of_task(options.task_timeout_ns.unwrap_or(0), run_ns);
        let mut attributes = StartChildWorkflowExecutionInitiatedEventAttributes {
            namespace: self.identity.namespace.to_string(),
            workflow_id: options.workflow_id,
            workflow_type: Some(common::WorkflowType {
                name: options.workflow_type,
            }),
            task_queue: Some(TaskQueue {
                name: options.task_queue.unwrap_or_else(|| self.task_queue().to_owned()),
                kind: 1,
                ..Default::default()
            }),
            input: (!options.input.payloads.is_empty()).then_some(options.input),
            workflow_execution_timeout: duration(chain_ns),
            workflow_run_timeout: duration(run_ns),
            workflow_task_timeout: duration(task_ns),
            workflow_task_completed_event_id: completed,
            retry_policy: options.retry_policy,
            cron_schedule: options.cron_schedule.unwrap_or_default(),
            header: options.header,
            memo: options.memo,
            search_attributes: options.search_attributes,
            // A child is as urgent as what waits for it.
            priority: self.start.priority.clone(),
            ..Default::default()
        };
        attributes.set_parent_close_policy(options.parent_close_policy);
        attributes.set_workflow_id_reuse_policy(options.id_reuse_policy);
        let attributes = Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(attributes);
        let order = self.emit_with_summary(turn, attributes, options.summary);
        turn.effects.push(Effect::OutboxPut { order });
        order
    }

    /// What starts a child that has no outcome of its start yet.
    pub(super) fn child_start(&self, initiated_event_id: i64) -> Option<ChildStart> {
        let child = self
            .children
            .get(&initiated_event_id)
            .filter(|child| child.started.is_none())?;
        Some(ChildStart {
            initiated_event_id,
            attributes: child.attributes().cloned(),
            root: self.start.root_workflow_execution.clone(),
            user_metadata: child.user_metadata().cloned(),
            bases: self.bases_with(initiated_event_id),
        })
    }

    /// A child runs, or has run. `false`: it is known, or no such child is pending; nothing changes.
    pub fn child_started(&mut self, turn: &mut Turn, initiated_event_id: i64, run_id: &str) -> bool {
        let Some(child) = self
            .children
            .get(&initiated_event_id)
            .filter(|child| child.started.is_none())
        else {
            return false;
        };
        let attributes = ChildWorkflowExecutionStartedEventAttributes {
            namespace: self.identity.namespace.to_string(),
            initiated_event_id,
            workflow_execution: Some(common::WorkflowExecution {
                workflow_id: child.workflow_id().to_owned(),
                run_id: run_id.to_owned(),
            }),
            workflow_type: child.attributes().and_then(|a| a.workflow_type.clone()),
            header: child.attributes().and_then(|a| a.header.clone()),
            ..Default::default()
        };
        self.emit(
            turn,
            Attributes::ChildWorkflowExecutionStartedEventAttributes(attributes),
        );
        turn.outbox_gone(initiated_event_id);
        true
    }

    pub(super) fn child_start_failed(
        &mut self,
        turn: &mut Turn,
        initiated_event_id: i64,
        failed: Failed,
    ) -> bool {
        let Some(child) = self
            .children
            .get(&initiated_event_id)
            .filter(|child| child.started.is_none())
        else {
            return false;
        };
        let mut attributes = StartChildWorkflowExecutionFailedEventAttributes {
            namespace: self.identity.namespace.to_string(),
            workflow_id: child.workflow_id().to_owned(),
            workflow_type: child.attributes().and_then(|a| a.workflow_type.clone()),
            initiated_event_id,
            workflow_task_completed_event_id: child
                .attributes()
                .map_or(0, |a| a.workflow_task_completed_event_id),
            ..Default::default()
        };
        attributes.set_cause(failed.start_cause());
        self.emit(
            turn,
            Attributes::StartChildWorkflowExecutionFailedEventAttributes(attributes),
        );
        turn.outbox_gone(initiated_event_id);
        true
    }

    /// A child has closed for good. It may have closed before the answer to its start is here: then it has started all the same.
    /// `false`: no such child is pending; nothing changes.
    pub fn child_closed(&mut self, turn: &mut Turn, closed: &ChildClosed) -> bool {
        let initiated_event_id = closed.initiated_event_id;
        self.child_started(turn, initiated_event_id, &closed.first_run_id);
        let Some(child) = self.children.get(&initiated_event_id) else {
            return false;
        };
        // The five events that end a child differ in how it ended alone.
        macro_rules! ended {
            ($event:ident { $($field:ident: $value:expr),* }) => {
                Attributes::$event($event {
                    $($field: $value,)*
                    namespace: self.identity.namespace.to_string(),
                    workflow_execution: closed.child.clone(),
                    workflow_type: child.attributes().and_then(|a| a.workflow_type.clone()),
                    initiated_event_id,
                    started_event_id: child.started.as_ref().map_or(0, |(event_id, _)| *event_id),
                    ..Default::default()
                })
            };
        }
        use Attributes as A;
        let attributes = match closed.close.as_ref().and_then(|event| event.attributes.clone()) {
            Some(A::WorkflowExecutionCompletedEventAttributes(a)) => {
                ended!(ChildWorkflowExecutionCompletedEventAttributes { result: a.result })
            }
            Some(A::WorkflowExecutionFailedEventAttributes(a)) => {
                ended!(ChildWorkflowExecutionFailedEventAttributes {
                    failure: a.failure,
                    retry_state: a.retry_state
                })
            }
            Some(A::WorkflowExecutionCanceledEventAttributes(a)) => {
                ended!(ChildWorkflowExecutionCanceledEventAttributes { details: a.details })
            }
            Some(A::WorkflowExecutionTimedOutEventAttributes(a)) => {
                ended!(ChildWorkflowExecutionTimedOutEventAttributes {
                    retry_state: a.retry_state
                })
            }
            Some(A::WorkflowExecutionTerminatedEventAttributes(_)) => {
                ended!(ChildWorkflowExecutionTerminatedEventAttributes {})
            }
            // A run that goes on has not ended, and nothing else closes one.
            _ => return false,
        };
        self.emit(turn, attributes);
        true
    }
}
