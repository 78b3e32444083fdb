//! What the code knows of other executions: children, signals and cancellation requests, and of its own memo, search attributes and
//! patches.

use std::{collections::BTreeMap, sync::Arc};

use longhaul_history::proto::{
    enums::v1::{CancelExternalWorkflowExecutionFailedCause, RetryState},
    history::v1::{HistoryEvent, history_event::Attributes},
};

use super::{
    Intent, Intents, Job, Jobs, Kind, Outcome, Session, State,
    checks::{
        check_cancel, check_child, check_memo, check_patch, check_reason, check_signal, check_upserted,
    },
    outcomes::{cancel_failed, child_cancelled, child_failure, done, signal_failed, terminated, timed_out},
};
use crate::{
    ChildCancellationType, ChildOptions, Command, InFlight, SignalOptions, Target, Violation,
    execution::{Limits, upserts::CHANGE_VERSION},
};

/// What a task has come to so far, as a command finds it.
pub(super) struct Concluded<'a> {
    /// The command's call.
    pub(super) index: Option<u32>,
    pub(super) intents: &'a mut Intents,
    /// Where the operations are that this task has started.
    pub(super) fresh: &'a mut BTreeMap<u32, usize>,
    pub(super) limits: &'a Limits,
}

impl Concluded<'_> {
    fn push(&mut self, intent: Intent) {
        self.intents.push(Some((self.index, intent)));
    }

    /// As [`push`](Self::push), for an operation that the same task may still take back.
    fn push_operation(&mut self, seq: u32, intent: Intent) {
        self.fresh.insert(seq, self.intents.len());
        self.push(intent);
    }

    /// Take an operation back that this task has started. `false`: it is older.
    fn take_back(&mut self, seq: u32) -> bool {
        let place = self.fresh.remove(&seq);
        if let Some(place) = place {
            self.intents[place] = None;
        }
        place.is_some()
    }
}

impl Session {
    pub(super) fn observe_across(&mut self, event: &HistoryEvent, jobs: &mut Jobs) {
        use Attributes as A;
        match &event.attributes {
            Some(A::ChildWorkflowExecutionStartedEventAttributes(a)) => {
                let run_id = a.workflow_execution.as_ref().map_or("", |e| e.run_id.as_str());
                self.child_started(a.initiated_event_id, event.event_id, run_id, jobs);
            }
            Some(A::StartChildWorkflowExecutionFailedEventAttributes(a)) => {
                let outcome = Outcome::ChildStartFailed {
                    workflow_id: a.workflow_id.clone(),
                    workflow_type: a
                        .workflow_type
                        .as_ref()
                        .map(|t| t.name.clone())
                        .unwrap_or_default(),
                    cause: a.cause(),
                };
                self.end_as(a.initiated_event_id, |_| outcome, jobs);
            }
            Some(A::ChildWorkflowExecutionCompletedEventAttributes(a)) => {
                let outcome = Outcome::Completed(a.result.clone().unwrap_or_default());
                self.end_as(a.initiated_event_id, |_| outcome, jobs);
            }
            Some(A::ChildWorkflowExecutionFailedEventAttributes(a)) => {
                let outcome = |child: &Kind| {
                    let text = "Child Workflow execution failed";
                    Outcome::Failed(child_failure(child, text, a.failure.clone(), a.retry_state()))
                };
                self.end_as(a.initiated_event_id, outcome, jobs);
            }
            Some(A::ChildWorkflowExecutionTimedOutEventAttributes(a)) => {
                let outcome = |child: &Kind| {
                    let text = "Child Workflow execution timed out";
                    Outcome::TimedOut(child_failure(child, text, Some(timed_out()), a.retry_state()))
                };
                self.end_as(a.initiated_event_id, outcome, jobs);
            }
            Some(A::ChildWorkflowExecutionTerminatedEventAttributes(a)) => {
                let outcome = |child: &Kind| {
                    let text = "Child Workflow execution terminated";
                    let state = RetryState::NonRetryableFailure;
                    Outcome::Failed(child_failure(child, text, Some(terminated()), state))
                };
                self.end_as(a.initiated_event_id, outcome, jobs);
            }
            Some(A::ChildWorkflowExecutionCanceledEventAttributes(a)) => {
                let outcome = |child: &Kind| child_cancelled(child, a.details.clone());
                self.end_as(a.initiated_event_id, outcome, jobs);
            }
            Some(A::ExternalWorkflowExecutionSignaledEventAttributes(a)) => {
                self.end_as(a.initiated_event_id, |_| done(), jobs);
            }
            Some(A::SignalExternalWorkflowExecutionFailedEventAttributes(a)) => {
                let outcome = signal_failed(a.cause());
                self.end_as(a.initiated_event_id, |_| outcome, jobs);
            }
            Some(A::ExternalWorkflowExecutionCancelRequestedEventAttributes(a)) => {
                self.end_cancel(a.initiated_event_id, None, jobs);
            }
            Some(A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(a)) => {
                self.end_cancel(a.initiated_event_id, Some(a.cause()), jobs);
            }
            _ => {}
        }
    }

    fn child_started(&mut self, initiated_event_id: i64, event_id: i64, run_id: &str, jobs: &mut Jobs) {
        let Some(seq) = self.by_event.get(&initiated_event_id).copied() else {
            return;
        };
        let Some(operation) = self.operations.get_mut(&seq) else {
            return;
        };
        if let Kind::Child { started, .. } = &mut operation.kind {
            *started = Some((event_id, run_id.to_owned()));
        }
        if matches!(operation.state, State::Open | State::CancelRequested) {
            jobs.after_updates.push(Job::Resolve {
                seq,
                outcome: Outcome::ChildStarted {
                    run_id: run_id.to_owned(),
                },
            });
        }
    }

    /// A cancellation request has an outcome.
    fn end_cancel(
        &mut self,
        initiated_event_id: i64,
        failed: Option<CancelExternalWorkflowExecutionFailedCause>,
        jobs: &mut Jobs,
    ) {
        if !self.child_got_cancel(initiated_event_id, failed.is_none(), jobs) {
            let outcome = failed.map_or_else(done, cancel_failed);
            self.end_as(initiated_event_id, |_| outcome, jobs);
        }
    }

    /// A cancellation request for a child has an outcome. `false`: it is for none.
    fn child_got_cancel(&mut self, event_id: i64, got: bool, jobs: &mut Jobs) -> bool {
        let Some(seq) = self.child_cancels.remove(&event_id) else {
            return false;
        };
        self.open_cancels -= 1;
        if let Some(operation) = self.operations.get_mut(&seq)
            && let Kind::Child {
                cancellation_type: ChildCancellationType::WaitRequested,
                ..
            } = operation.kind
            && operation.state == State::CancelRequested
            && got
        {
            let outcome = child_cancelled(&operation.kind, None);
            // It has its outcome: its end is not told.
            operation.state = State::Detached;
            jobs.after_updates.push(Job::Resolve { seq, outcome });
        }
        true
    }

    /// A cancellation request for a child is not an operation of its own.
    pub(super) fn bind_child_cancel(&mut self, seq: u32, event: &HistoryEvent) -> bool {
        let for_child = matches!(
            &event.attributes,
            Some(Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a)) if a.child_workflow_only
        );
        if for_child {
            self.child_cancels.insert(event.event_id, seq);
        }
        for_child
    }

    /// The commands of [`conclude`](Session::conclude) that reach beyond the run, or say something of it.
    pub(super) fn conclude_across(
        &mut self,
        command: Command,
        concluded: &mut Concluded<'_>,
    ) -> Result<(), Violation> {
        match command {
            Command::StartChild { seq, options } => self.start_child(seq, options, concluded),
            Command::CancelChild { seq, reason } => self.cancel_child(seq, reason, concluded),
            Command::SignalChild { seq, child, signal } => {
                let workflow_id = self.children.get(&child).ok_or(Violation::UnknownSeq {
                    command: "signal-child",
                    seq: child,
                    expected: "child workflow",
                })?;
                let target = Target {
                    workflow_id: workflow_id.to_string(),
                    run_id: None,
                };
                self.signal(seq, target, true, signal, concluded)
            }
            Command::SignalExternal { seq, target, signal } => {
                self.signal(seq, target, false, signal, concluded)
            }
            Command::CancelSignalExternal { seq } => {
                let Some(operation) = self.operation(seq, "cancel-signal-external", "signal")? else {
                    return Ok(());
                };
                if !matches!(operation.kind, Kind::Signal) {
                    return Err(Violation::UnknownSeq {
                        command: "cancel-signal-external",
                        seq,
                        expected: "signal",
                    });
                }
                // One that is on its way cannot be called back.
                if concluded.take_back(seq) {
                    self.operations.remove(&seq);
                    self.open_signals -= 1;
                }
                Ok(())
            }
            Command::CancelExternal { seq, target, reason } => {
                check_cancel(seq, &target, &reason, concluded.limits)?;
                self.open(seq, Kind::Cancel)?;
                self.open_cancels += 1;
                let limit = concluded.limits.cancels_in_flight;
                within(self.open_cancels, limit, InFlight::Cancels)?;
                concluded.push(Intent::CancelExternal { seq, target, reason });
                Ok(())
            }
            Command::Patched { id, deprecated } => {
                check_patch(&id)?;
                // The answer never changes within a run, so one marker is enough.
                if self.patches.insert(id.clone()) {
                    concluded.push(Intent::Patched {
                        id,
                        deprecated,
                        patches: self.patches.iter().cloned().collect(),
                    });
                }
                Ok(())
            }
            Command::UpsertMemo(fields) => {
                check_memo(&fields, concluded.limits)?;
                concluded.push(Intent::UpsertMemo(fields));
                Ok(())
            }
            Command::UpsertSearchAttributes(mut attributes) => {
                check_upserted(&attributes, concluded.limits)?;
                // As with Temporal's Core SDK, the list of patches is not for the code to write; the command stands all the same.
                attributes.retain(|(name, _)| name != CHANGE_VERSION);
                concluded.push(Intent::UpsertSearchAttributes(attributes));
                Ok(())
            }
            // `conclude` has taken all others.
            _ => Ok(()),
        }
    }

    fn start_child(
        &mut self,
        seq: u32,
        options: Box<ChildOptions>,
        concluded: &mut Concluded<'_>,
    ) -> Result<(), Violation> {
        check_child(seq, &options, concluded.limits)?;
        self.open(
            seq,
            Kind::Child {
                cancellation_type: options.cancellation_type,
                initiated: None,
                started: None,
            },
        )?;
        self.children.insert(seq, Arc::from(options.workflow_id.as_str()));
        self.open_children += 1;
        let limit = concluded.limits.children_in_flight;
        within(self.open_children, limit, InFlight::Children)?;
        concluded.push_operation(seq, Intent::StartChild { seq, options });
        Ok(())
    }

    fn cancel_child(
        &mut self,
        seq: u32,
        reason: String,
        concluded: &mut Concluded<'_>,
    ) -> Result<(), Violation> {
        let Some(operation) = self.operation(seq, "cancel-child", "child workflow")? else {
            return Ok(());
        };
        let Kind::Child {
            cancellation_type, ..
        } = operation.kind
        else {
            return Err(Violation::UnknownSeq {
                command: "cancel-child",
                seq,
                expected: "child workflow",
            });
        };
        check_reason(
            || format!("the reason for cancelling child workflow {seq}"),
            &reason,
            concluded.limits,
        )?;
        if concluded.take_back(seq) {
            self.operations.remove(&seq);
            self.open_children -= 1;
            return Ok(());
        }
        if operation.state != State::Open {
            return Ok(());
        }
        operation.state = if cancellation_type.resolves_at_once() {
            State::Detached
        } else {
            State::CancelRequested
        };
        let initiated_event_id = operation.event_id;
        if cancellation_type != ChildCancellationType::Abandon {
            self.open_cancels += 1;
            let limit = concluded.limits.cancels_in_flight;
            within(self.open_cancels, limit, InFlight::Cancels)?;
            let workflow_id = self.children.get(&seq).map(ToString::to_string);
            concluded.push(Intent::CancelChild {
                seq,
                initiated_event_id,
                workflow_id: workflow_id.unwrap_or_default(),
                reason,
            });
        }
        Ok(())
    }

    fn signal(
        &mut self,
        seq: u32,
        target: Target,
        child_only: bool,
        signal: Box<SignalOptions>,
        concluded: &mut Concluded<'_>,
    ) -> Result<(), Violation> {
        check_signal(seq, &target, &signal, concluded.limits)?;
        self.open(seq, Kind::Signal)?;
        self.open_signals += 1;
        within(
            self.open_signals,
            concluded.limits.signals_in_flight,
            InFlight::Signals,
        )?;
        let intent = Intent::SignalExternal {
            seq,
            target,
            child_only,
            signal,
        };
        concluded.push_operation(seq, intent);
        Ok(())
    }
}

fn within(open: usize, limit: usize, what: InFlight) -> Result<(), Violation> {
    if open > limit {
        return Err(Violation::TooMany { what, limit });
    }
    Ok(())
}
