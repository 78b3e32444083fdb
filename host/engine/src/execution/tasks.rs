//! Workflow tasks: planned, then written together with their result.

use longhaul_history::{
    proto::{
        deployment::v1::WorkerDeploymentVersion,
        enums::v1::{SuggestContinueAsNewReason, WorkflowTaskFailedCause},
        failure::v1::Failure,
        history::v1::{
            ActivityTaskCancelRequestedEventAttributes, TimerCanceledEventAttributes,
            TimerStartedEventAttributes, WorkflowExecutionCanceledEventAttributes,
            WorkflowExecutionUpdateAcceptedEventAttributes, WorkflowExecutionUpdateCompletedEventAttributes,
            WorkflowTaskCompletedEventAttributes, WorkflowTaskFailedEventAttributes,
            WorkflowTaskScheduledEventAttributes, WorkflowTaskStartedEventAttributes,
            history_event::Attributes,
        },
        sdk::v1::{UserMetadata, WorkflowTaskCompletedMetadata},
        taskqueue::v1::TaskQueue,
        update::v1 as wire,
    },
    time,
};

use super::{Execution, Limits};
use crate::{Effect, Intent, Target, Turn, command::summary_payload, update};

/// A workflow task that is about to run. Its events are written when it has ended, so that nothing has to be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The event that will schedule it.
    pub scheduled_event_id: i64,
    /// The event that will start it.
    pub started_event_id: i64,
    /// The workflow's time during the task, in nanoseconds since 1970.
    pub now_ns: u64,
    /// Size of the history before the task, in bytes.
    pub history_bytes: u64,
    /// Why the run should continue as new; empty: it need not.
    pub suggest: Vec<SuggestContinueAsNewReason>,
}

/// Who runs a task, as history records it.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Of this server.
    pub identity: String,
    /// The module whose code runs it. History calls it the deployment, and its version the build.
    pub module: String,
    /// Its version.
    pub version: u32,
    /// Name of the SDK.
    pub sdk_name: String,
    /// Version of the SDK.
    pub sdk_version: String,
}

/// Temporal's Core SDK checks activity types and ids, orders patches, and so on, only in histories whose first completed task says
/// that it was written with these of its internal flags. Ours keep what they stand for.
pub struct CoreFlags;

impl CoreFlags {
    /// The flags.
    pub const USED: [u32; 3] = [1, 2, 3];
}

/// Why a task failed.
#[derive(Debug, Clone)]
pub struct TaskFailure {
    /// Temporal's cause.
    pub cause: WorkflowTaskFailedCause,
    /// What went wrong.
    pub failure: Failure,
}

impl Execution {
    /// Plan the next task.
    pub fn plan_task(&self, turn: &Turn, limits: &Limits) -> Task {
        let events = u64::try_from(self.next_event_id - 1).unwrap_or(0);
        let suggest = limits
            .history
            .suggestions(events, self.history_bytes, self.updates_accepted);
        Task {
            scheduled_event_id: self.next_event_id,
            started_event_id: self.next_event_id + 1,
            now_ns: turn.now_ns,
            history_bytes: self.history_bytes,
            suggest,
        }
    }

    /// Write a task that has ended well, and what it asks for. Answers the events of the operations that it started, by `seq`.
    ///
    /// The intents come from [`Session::conclude`](crate::Session::conclude), which has checked them.
    pub fn complete_task(
        &mut self,
        turn: &mut Turn,
        task: &Task,
        worker: &Worker,
        intents: Vec<Intent>,
    ) -> Vec<(u32, i64)> {
        self.write_opening(turn, task, worker);
        let first = self.completed_tasks == 0;
        let completed = self.emit(
            turn,
            Attributes::WorkflowTaskCompletedEventAttributes(WorkflowTaskCompletedEventAttributes {
                scheduled_event_id: task.scheduled_event_id,
                started_event_id: task.started_event_id,
                identity: worker.identity.clone(),
                worker_deployment_name: worker.module.clone(),
                deployment_version: Some(WorkerDeploymentVersion {
                    deployment_name: worker.module.clone(),
                    build_id: worker.version.to_string(),
                }),
                sdk_metadata: Some(WorkflowTaskCompletedMetadata {
                    core_used_flags: if first {
                        CoreFlags::USED.to_vec()
                    } else {
                        Vec::new()
                    },
                    sdk_name: if first {
                        worker.sdk_name.clone()
                    } else {
                        String::new()
                    },
                    sdk_version: if first {
                        worker.sdk_version.clone()
                    } else {
                        String::new()
                    },
                    ..Default::default()
                }),
                ..Default::default()
            }),
        );
        let mut bindings = Vec::new();
        let mut cancelled_activities = Vec::new();
        let mut externals = Vec::new();
        for intent in intents {
            match intent {
                Intent::StartTimer {
                    seq,
                    duration_ns,
                    summary,
                } => {
                    let event_id = self.start_timer(turn, completed, seq, duration_ns, summary);
                    bindings.push((seq, event_id));
                }
                Intent::CancelTimer { started_event_id, .. } => {
                    self.cancel_timer(turn, completed, started_event_id)
                }
                Intent::ScheduleActivity { seq, options } => {
                    let event_id = self.schedule_activity(turn, completed, seq, *options);
                    bindings.push((seq, event_id));
                }
                Intent::CancelActivity {
                    scheduled_event_id, ..
                } => {
                    let attributes = ActivityTaskCancelRequestedEventAttributes {
                        scheduled_event_id,
                        workflow_task_completed_event_id: completed,
                    };
                    self.emit(
                        turn,
                        Attributes::ActivityTaskCancelRequestedEventAttributes(attributes),
                    );
                    turn.effects.push(Effect::ActivityChanged { scheduled_event_id });
                    cancelled_activities.push(scheduled_event_id);
                }
                Intent::AcceptUpdate { id } => self.accept_update(turn, task, id),
                Intent::CompleteUpdate { id, outcome } => self.complete_update(turn, id, outcome),
                Intent::RecordLocalActivity(mut marker) => {
                    let summary = marker.summary.take();
                    let attributes = Attributes::MarkerRecordedEventAttributes(marker.attributes(completed));
                    self.emit_with_summary(turn, attributes, summary);
                }
                Intent::StartChild { seq, options } => {
                    let event_id = self.start_child(turn, completed, *options);
                    bindings.push((seq, event_id));
                }
                Intent::CancelChild {
                    seq,
                    workflow_id,
                    reason,
                    ..
                } => {
                    // Whichever run of the child is the newest.
                    let target = Target {
                        workflow_id,
                        run_id: None,
                    };
                    let event_id = self.cancel_external(turn, completed, target, true, reason);
                    bindings.push((seq, event_id));
                    externals.push(event_id);
                }
                Intent::SignalExternal {
                    seq,
                    target,
                    child_only,
                    signal,
                } => {
                    let event_id = self.signal_external(turn, completed, target, child_only, *signal);
                    bindings.push((seq, event_id));
                    externals.push(event_id);
                }
                Intent::CancelExternal { seq, target, reason } => {
                    let event_id = self.cancel_external(turn, completed, target, false, reason);
                    bindings.push((seq, event_id));
                    externals.push(event_id);
                }
                Intent::Patched {
                    id,
                    deprecated,
                    patches,
                } => self.record_patch(turn, completed, &id, deprecated, &patches),
                Intent::UpsertMemo(fields) => self.upsert_memo(turn, completed, fields),
                Intent::UpsertSearchAttributes(attributes) => {
                    self.upsert_search_attributes(turn, completed, attributes);
                }
                Intent::Complete(result) => self.complete_run(turn, completed, result),
                Intent::Fail(failure) => self.fail_run(turn, completed, *failure),
                Intent::ContinueAsNew(options) => self.continue_run(turn, completed, *options),
                Intent::Cancelled(details) => {
                    let attributes = WorkflowExecutionCanceledEventAttributes {
                        workflow_task_completed_event_id: completed,
                        details: Some(details),
                    };
                    self.closing(
                        turn,
                        Attributes::WorkflowExecutionCanceledEventAttributes(attributes),
                    );
                }
            }
        }
        // An end that the cancellation itself brings is no command of the task: it stands after them.
        for scheduled_event_id in cancelled_activities {
            self.cancel_waiting(turn, scheduled_event_id);
        }
        for order in externals {
            self.refuse_to_itself(turn, order);
        }
        bindings
    }

    /// Record that a task has failed: one WorkflowTaskFailed event a streak, as on Temporal's server. `false`: the streak has its
    /// event already, and nothing is written.
    pub fn fail_task(&mut self, turn: &mut Turn, task: &Task, worker: &Worker, failed: TaskFailure) -> bool {
        if self.failed_tasks > 0 || !self.is_open() {
            return false;
        }
        self.write_opening(turn, task, worker);
        let mut attributes = WorkflowTaskFailedEventAttributes {
            scheduled_event_id: task.scheduled_event_id,
            started_event_id: task.started_event_id,
            failure: Some(failed.failure),
            identity: worker.identity.clone(),
            ..Default::default()
        };
        attributes.set_cause(failed.cause);
        self.emit(turn, Attributes::WorkflowTaskFailedEventAttributes(attributes));
        true
    }

    /// The task may have been open for some time: its code ran with the time of its beginning.
    fn write_opening(&mut self, turn: &mut Turn, task: &Task, worker: &Worker) {
        let now_ns = std::mem::replace(&mut turn.now_ns, task.now_ns);
        self.write_opening_now(turn, task, worker);
        turn.now_ns = now_ns;
    }

    fn write_opening_now(&mut self, turn: &mut Turn, task: &Task, worker: &Worker) {
        debug_assert_eq!(
            task.scheduled_event_id, self.next_event_id,
            "nothing is written while a task is open"
        );
        let attempt = i32::try_from(self.failed_tasks)
            .unwrap_or(i32::MAX)
            .saturating_add(1);
        self.emit(
            turn,
            Attributes::WorkflowTaskScheduledEventAttributes(WorkflowTaskScheduledEventAttributes {
                task_queue: Some(TaskQueue {
                    name: self.task_queue().to_owned(),
                    kind: 1,
                    ..Default::default()
                }),
                start_to_close_timeout: self.start.workflow_task_timeout,
                attempt,
            }),
        );
        self.emit(
            turn,
            Attributes::WorkflowTaskStartedEventAttributes(WorkflowTaskStartedEventAttributes {
                scheduled_event_id: task.scheduled_event_id,
                identity: worker.identity.clone(),
                request_id: format!("{}/{attempt}", task.scheduled_event_id),
                suggest_continue_as_new: !task.suggest.is_empty(),
                suggest_continue_as_new_reasons: task.suggest.iter().map(|reason| *reason as i32).collect(),
                history_size_bytes: i64::try_from(task.history_bytes).unwrap_or(i64::MAX),
                ..Default::default()
            }),
        );
    }

    fn start_timer(
        &mut self,
        turn: &mut Turn,
        completed: i64,
        seq: u32,
        duration_ns: u64,
        summary: Option<String>,
    ) -> i64 {
        let attributes = Attributes::TimerStartedEventAttributes(TimerStartedEventAttributes {
            timer_id: seq.to_string(),
            start_to_fire_timeout: Some(time::duration_from_ns(duration_ns)),
            workflow_task_completed_event_id: completed,
        });
        let started_event_id = self.emit_with_summary(turn, attributes, summary);
        let due_ns = turn.now_ns.saturating_add(duration_ns);
        turn.effects.push(Effect::TimerSet {
            started_event_id,
            due_ns,
        });
        started_event_id
    }

    fn cancel_timer(&mut self, turn: &mut Turn, completed: i64, started_event_id: i64) {
        let Some(timer) = self.timers.get(&started_event_id).cloned() else {
            return;
        };
        let attributes = TimerCanceledEventAttributes {
            timer_id: timer.timer_id,
            started_event_id,
            workflow_task_completed_event_id: completed,
            identity: String::new(),
        };
        self.emit(turn, Attributes::TimerCanceledEventAttributes(attributes));
        turn.effects.push(Effect::TimerGone {
            started_event_id,
            due_ns: timer.due_ns,
        });
    }

    fn accept_update(&mut self, turn: &mut Turn, task: &Task, id: String) {
        let Some(update::State::Admitted { request, .. }) = self.updates.get(&id).map(|update| &update.state)
        else {
            return;
        };
        let accepted_request = Some(wire::Request::clone(request));
        self.emit(
            turn,
            Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(
                WorkflowExecutionUpdateAcceptedEventAttributes {
                    protocol_instance_id: id.clone(),
                    accepted_request_message_id: format!("{id}/request"),
                    accepted_request_sequencing_event_id: task.scheduled_event_id,
                    accepted_request,
                },
            ),
        );
        turn.effects.push(Effect::UpdateAccepted { id });
    }

    fn complete_update(&mut self, turn: &mut Turn, id: String, outcome: update::Outcome) {
        let Some(update::State::Accepted { event_id, .. }) =
            self.updates.get(&id).map(|update| &update.state)
        else {
            return;
        };
        let accepted_event_id = *event_id;
        use wire::outcome::Value;
        let value = match outcome {
            Ok(payloads) => Value::Success(payloads),
            Err(failure) => Value::Failure(*failure),
        };
        self.emit(
            turn,
            Attributes::WorkflowExecutionUpdateCompletedEventAttributes(
                WorkflowExecutionUpdateCompletedEventAttributes {
                    meta: Some(wire::Meta {
                        update_id: id.clone(),
                        identity: String::new(),
                    }),
                    accepted_event_id,
                    outcome: Some(wire::Outcome { value: Some(value) }),
                },
            ),
        );
        turn.effects.push(Effect::UpdateCompleted { id });
    }

    pub(super) fn emit_with_summary(
        &mut self,
        turn: &mut Turn,
        attributes: Attributes,
        summary: Option<String>,
    ) -> i64 {
        let Some(summary) = summary else {
            return self.emit(turn, attributes);
        };
        let metadata = UserMetadata {
            summary: Some(summary_payload(&summary)),
            details: None,
        };
        self.emit_annotated(turn, attributes, Some(metadata))
    }
}
