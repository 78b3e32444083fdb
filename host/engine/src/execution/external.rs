//! Signals and cancellation requests to other executions, and what other executions send (E6).

use longhaul_history::proto::{
    common::v1 as common,
    history::v1::{
        ExternalWorkflowExecutionCancelRequestedEventAttributes,
        ExternalWorkflowExecutionSignaledEventAttributes,
        RequestCancelExternalWorkflowExecutionFailedEventAttributes,
        RequestCancelExternalWorkflowExecutionInitiatedEventAttributes,
        SignalExternalWorkflowExecutionFailedEventAttributes,
        SignalExternalWorkflowExecutionInitiatedEventAttributes, WorkflowExecutionSignaledEventAttributes,
        history_event::Attributes,
    },
};

use super::{Execution, Limits};
use crate::{
    Effect, Refused, SignalOptions, Target, Turn,
    outgoing::{Answer, Cancel, Failed, Message, Outgoing, SERVER, Signal},
};

impl Execution {
    pub(super) fn signal_external(
        &mut self,
        turn: &mut Turn,
        completed: i64,
        target: Target,
        child_only: bool,
        signal: SignalOptions,
    ) -> i64 {
        let attributes = SignalExternalWorkflowExecutionInitiatedEventAttributes {
            workflow_task_completed_event_id: completed,
            namespace: self.identity.namespace.to_string(),
            workflow_execution: Some(execution_of(target)),
            signal_name: signal.name,
            input: (!signal.input.payloads.is_empty()).then_some(signal.input),
            child_workflow_only: child_only,
            header: signal.header,
            ..Default::default()
        };
        let attributes = Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(attributes);
        self.initiate(turn, attributes)
    }

    pub(super) fn cancel_external(
        &mut self,
        turn: &mut Turn,
        completed: i64,
        target: Target,
        child_only: bool,
        reason: String,
    ) -> i64 {
        let attributes = RequestCancelExternalWorkflowExecutionInitiatedEventAttributes {
            workflow_task_completed_event_id: completed,
            namespace: self.identity.namespace.to_string(),
            workflow_execution: Some(execution_of(target)),
            child_workflow_only: child_only,
            reason,
            ..Default::default()
        };
        let attributes =
            Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(attributes);
        self.initiate(turn, attributes)
    }

    fn initiate(&mut self, turn: &mut Turn, attributes: Attributes) -> i64 {
        let order = self.emit(turn, attributes);
        if !self.is_to_itself(order) {
            turn.effects.push(Effect::OutboxPut { order });
        }
        order
    }

    /// What an execution sends to itself fails, as on Temporal's server: what it waits for could never come about.
    pub(super) fn refuse_to_itself(&mut self, turn: &mut Turn, order: i64) {
        if self.is_to_itself(order) {
            self.external_outcome(turn, order, &Answer::refused(Failed::NotFound));
        }
    }

    fn is_to_itself(&self, order: i64) -> bool {
        let signal = self
            .external_signals
            .get(&order)
            .and_then(|external| external.signal());
        let cancel = self
            .external_cancels
            .get(&order)
            .and_then(|external| external.cancel());
        signal
            .map(|a| &a.workflow_execution)
            .or(cancel.map(|a| &a.workflow_execution))
            .and_then(Option::as_ref)
            .is_some_and(|target| *target.workflow_id == *self.identity.workflow_id)
    }

    /// The message that has this order and no answer yet, as long as the run is open; and those of a run that has just closed.
    pub fn outgoing(&self, order: i64) -> Option<Outgoing> {
        if let Some(farewell) = self.farewells.get(&order) {
            return Some(farewell.clone());
        }
        if let Some(start) = self.child_start(order) {
            let workflow_id = self.children.get(&order)?.workflow_id().to_owned();
            return Some(self.message(workflow_id, String::new(), Message::StartChild(Box::new(start))));
        }
        if let Some(signal) = self
            .external_signals
            .get(&order)
            .and_then(|external| external.signal())
        {
            let target = signal.workflow_execution.clone().unwrap_or_default();
            let message = Message::Signal(Signal {
                name: signal.signal_name.clone(),
                input: signal.input.clone(),
                header: signal.header.clone(),
                child_only: signal.child_workflow_only,
                request_id: format!("{}/{order}", self.identity.run_id),
            });
            return Some(self.message(target.workflow_id, target.run_id, message));
        }
        let cancel = self.external_cancels.get(&order)?.cancel()?;
        let target = cancel.workflow_execution.clone().unwrap_or_default();
        let message = Message::Cancel(Cancel {
            reason: cancel.reason.clone(),
            initiated_event_id: order,
            child_only: cancel.child_workflow_only,
        });
        Some(self.message(target.workflow_id, target.run_id, message))
    }

    /// The orders of the messages that have no answer yet, as far as history tells, in order.
    pub fn pending_orders(&self) -> Vec<i64> {
        let starts = self
            .children
            .iter()
            .filter(|(_, child)| child.started.is_none())
            .map(|(order, _)| *order);
        let mut orders: Vec<i64> = starts
            .chain(self.external_signals.keys().copied())
            .chain(self.external_cancels.keys().copied())
            .filter(|order| !self.is_to_itself(*order))
            .collect();
        orders.sort_unstable();
        orders
    }

    pub(super) fn message(&self, workflow_id: String, run_id: String, message: Message) -> Outgoing {
        Outgoing {
            workflow_id,
            run_id,
            sender: Some(common::WorkflowExecution {
                workflow_id: self.identity.workflow_id.to_string(),
                run_id: self.identity.run_id.to_string(),
            }),
            sender_bases: self.reset_bases.iter().map(|(base, _)| base.clone()).collect(),
            message: Some(message),
        }
    }

    /// A message of this run was answered. `false`: no message with that order waits for an answer, because it is the second, or
    /// the run has closed, or the answer came by another way; nothing changes.
    pub fn answered(&mut self, turn: &mut Turn, order: i64, answer: &Answer) -> bool {
        if !self.is_open() {
            return false;
        }
        if self.children.contains_key(&order) {
            return match answer.failure() {
                None => self.child_started(turn, order, &answer.run_id),
                Some(failed) => self.child_start_failed(turn, order, failed),
            };
        }
        if !self.external_outcome(turn, order, answer) {
            return false;
        }
        turn.outbox_gone(order);
        true
    }

    fn external_outcome(&mut self, turn: &mut Turn, order: i64, answer: &Answer) -> bool {
        let attributes = if let Some(initiated) = self.external_signals.get(&order).and_then(|e| e.signal()) {
            signal_outcome(order, initiated, answer)
        } else if let Some(initiated) = self.external_cancels.get(&order).and_then(|e| e.cancel()) {
            cancel_outcome(order, initiated, answer)
        } else {
            return false;
        };
        self.emit(turn, attributes);
        true
    }

    /// Take what another execution sends to this one: a signal, a cancellation request, the parent close policy, the end of a child.
    /// Not the start of a child, which is for no run that there is.
    pub fn receive(&mut self, turn: &mut Turn, outgoing: &Outgoing, limits: &Limits) -> Answer {
        let Some(message) = &outgoing.message else {
            return Answer::refused(Failed::NotFound);
        };
        let is_child = || {
            self.parent()
                .is_some_and(|parent| outgoing.is_from_parent(&parent))
        };
        let for_this = match message {
            Message::Signal(signal) => !signal.child_only || is_child(),
            Message::Cancel(cancel) => !cancel.child_only || is_child(),
            Message::Terminate(_) => is_child(),
            Message::ChildClosed(_) => true,
            Message::StartChild(_) => false,
        };
        if !for_this {
            return Answer::refused(Failed::NotFound);
        }
        if !self.is_open() {
            // As for a client (E4): who asks for a cancellation cannot know, and has what he wants.
            return match message {
                Message::Cancel(_) => Answer::delivered(),
                _ => Answer::refused(Failed::NotFound),
            };
        }
        match message {
            Message::Signal(signal) => {
                let attributes = WorkflowExecutionSignaledEventAttributes {
                    signal_name: signal.name.clone(),
                    input: signal.input.clone(),
                    header: signal.header.clone(),
                    identity: SERVER.into(),
                    external_workflow_execution: outgoing.sender.clone(),
                    request_id: signal.request_id.clone(),
                    ..Default::default()
                };
                match self.signal(turn, attributes, limits) {
                    Ok(_) => Answer::delivered(),
                    Err(Refused::HistoryFull { .. } | Refused::Limit(_)) => {
                        Answer::refused(Failed::SignalLimit)
                    }
                    Err(_) => Answer::refused(Failed::NotFound),
                }
            }
            Message::Cancel(cancel) => {
                self.request_cancel_from(turn, cancel, outgoing.sender.clone());
                Answer::delivered()
            }
            Message::Terminate(_) => {
                let reason = crate::outgoing::BY_PARENT_CLOSE_POLICY.to_owned();
                match self.terminate(turn, reason, None, SERVER.into()) {
                    Ok(()) => Answer::delivered(),
                    Err(_) => Answer::refused(Failed::NotFound),
                }
            }
            Message::ChildClosed(closed) => {
                self.child_closed(turn, closed);
                Answer::delivered()
            }
            Message::StartChild(_) => Answer::refused(Failed::NotFound),
        }
    }
}

fn execution_of(target: Target) -> common::WorkflowExecution {
    common::WorkflowExecution {
        workflow_id: target.workflow_id,
        run_id: target.run_id.unwrap_or_default(),
    }
}

fn signal_outcome(
    initiated_event_id: i64,
    initiated: &SignalExternalWorkflowExecutionInitiatedEventAttributes,
    answer: &Answer,
) -> Attributes {
    let namespace = initiated.namespace.clone();
    let workflow_execution = initiated.workflow_execution.clone();
    match answer.failure() {
        None => Attributes::ExternalWorkflowExecutionSignaledEventAttributes(
            ExternalWorkflowExecutionSignaledEventAttributes {
                initiated_event_id,
                namespace,
                workflow_execution,
                ..Default::default()
            },
        ),
        Some(failed) => {
            let mut attributes = SignalExternalWorkflowExecutionFailedEventAttributes {
                workflow_task_completed_event_id: initiated.workflow_task_completed_event_id,
                namespace,
                workflow_execution,
                initiated_event_id,
                ..Default::default()
            };
            attributes.set_cause(failed.signal_cause());
            Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(attributes)
        }
    }
}

fn cancel_outcome(
    initiated_event_id: i64,
    initiated: &RequestCancelExternalWorkflowExecutionInitiatedEventAttributes,
    answer: &Answer,
) -> Attributes {
    let namespace = initiated.namespace.clone();
    let workflow_execution = initiated.workflow_execution.clone();
    match answer.failure() {
        None => Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(
            ExternalWorkflowExecutionCancelRequestedEventAttributes {
                initiated_event_id,
                namespace,
                workflow_execution,
                ..Default::default()
            },
        ),
        Some(failed) => {
            let mut attributes = RequestCancelExternalWorkflowExecutionFailedEventAttributes {
                workflow_task_completed_event_id: initiated.workflow_task_completed_event_id,
                namespace,
                workflow_execution,
                initiated_event_id,
                ..Default::default()
            };
            attributes.set_cause(failed.cancel_cause());
            Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(attributes)
        }
    }
}
