//! What `describe` tells of a run.

use longhaul_engine::{
    activity::{Activity, Pause},
    proto::{
        common::v1 as common,
        enums::v1::{PendingActivityState, PendingWorkflowTaskState},
        workflow::v1 as info,
        workflowservice::v1 as wire,
    },
};
use longhaul_history::{failure, payload, time};

use super::{Shard, run::Run};
use crate::{Description, Error, PendingTimer, PendingUpdate, executions};

impl Shard {
    /// Describe a run as it is now.
    pub(super) fn describe(&self, run: &Run, now_ns: u64) -> Result<Description, Error> {
        let execution = &run.execution;
        let mut timers: Vec<PendingTimer> = execution
            .timers()
            .iter()
            .map(|(started_event_id, timer)| PendingTimer {
                timer_id: timer.timer_id.clone(),
                started_event_id: *started_event_id,
                due_ns: timer.due_ns,
            })
            .collect();
        timers.sort_by_key(|timer| (timer.due_ns, timer.started_event_id));
        let mut updates: Vec<PendingUpdate> = execution
            .unfinished_updates()
            .map(|(update_id, accepted)| PendingUpdate {
                update_id: update_id.to_owned(),
                accepted,
            })
            .collect();
        updates.sort_by(|a, b| a.update_id.cmp(&b.update_id));
        Ok(Description {
            described: self.described(run, now_ns)?,
            timers,
            updates,
        })
    }

    fn described(&self, run: &Run, now_ns: u64) -> Result<wire::DescribeWorkflowExecutionResponse, Error> {
        let execution = &run.execution;
        let start = execution.start();
        let record = super::commit::record_of(run, &self.core)?;
        let pending_activities = execution
            .activities()
            .values()
            .map(|activity| self.pending_activity(run, activity, now_ns))
            .collect();
        let pending_workflow_task = run.parked.as_ref().map(|parked| info::PendingWorkflowTaskInfo {
            state: PendingWorkflowTaskState::Scheduled as i32,
            scheduled_time: Some(time::timestamp_from_ns(parked.next_attempt_ns)),
            original_scheduled_time: Some(time::timestamp_from_ns(parked.since_ns)),
            attempt: i32::try_from(parked.attempt).unwrap_or(i32::MAX),
            ..Default::default()
        });
        let open = run.open_task.as_ref().map(|open| {
            let began = time::timestamp_from_ns(open.task.now_ns);
            info::PendingWorkflowTaskInfo {
                state: PendingWorkflowTaskState::Started as i32,
                scheduled_time: Some(began),
                original_scheduled_time: Some(began),
                started_time: Some(began),
                attempt: 1,
            }
        });
        let pending_workflow_task = open.or(pending_workflow_task);
        let mut described = executions::info(&record)?;
        if let Some(parked) = &run.parked {
            // Temporal's description has no place for the reason; its own server puts problems into this attribute as well.
            let reason = payload::json_payload(&serde_json::Value::String(parked.reason.clone()));
            described
                .memo
                .get_or_insert_default()
                .fields
                .insert(executions::PARKED_REASON.to_owned(), reason);
        }
        let pending_children = execution.children().values().map(|child| {
            let run_id = child.started.as_ref().map(|(_, run_id)| run_id.clone());
            info::PendingChildExecutionInfo {
                workflow_id: child.workflow_id().to_owned(),
                // None yet: its start is on its way.
                run_id: run_id.unwrap_or_default(),
                workflow_type_name: child.workflow_type().to_owned(),
                initiated_id: child.initiated_event_id(),
                parent_close_policy: child.parent_close_policy() as i32,
            }
        });
        Ok(wire::DescribeWorkflowExecutionResponse {
            pending_children: pending_children.collect(),
            execution_config: Some(executions::config(start, execution.user_metadata())),
            workflow_execution_info: Some(described),
            pending_activities,
            pending_workflow_task,
            workflow_extended_info: Some(info::WorkflowExecutionExtendedInfo {
                run_expiration_time: execution.run_expires_ns().map(time::timestamp_from_ns),
                execution_expiration_time: start.workflow_execution_expiration_time,
                cancel_requested: execution.cancel_requested(),
                original_start_time: Some(time::timestamp_from_ns(execution.start_time_ns())),
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    fn pending_activity(&self, run: &Run, activity: &Activity, now_ns: u64) -> info::PendingActivityInfo {
        let attempt = &activity.attempt;
        let state = match (
            attempt.started_ns,
            activity.cancel_requested_event_id,
            &attempt.pause,
        ) {
            (Some(_), Some(_), _) => PendingActivityState::CancelRequested,
            (Some(_), None, Some(_)) => PendingActivityState::PauseRequested,
            (Some(_), None, None) => PendingActivityState::Started,
            (None, _, Some(_)) => PendingActivityState::Paused,
            (None, _, None) => PendingActivityState::Scheduled,
        };
        let next_ns = Some(attempt.due_ns).filter(|due_ns| attempt.started_ns.is_none() && *due_ns > now_ns);
        let interval_ns = match (next_ns, attempt.last_ended_ns) {
            (Some(due_ns), Some(ended_ns)) => due_ns.saturating_sub(ended_ns),
            _ => activity.policy().interval_after(attempt.number),
        };
        let why = activity
            .is_ready(now_ns)
            .then(|| self.why_it_waits(run, activity))
            .flatten();
        let last_failure = match why {
            Some(why) => Some(failure::waits(why, attempt.last_failure.as_deref().cloned())),
            None => attempt.last_failure.as_deref().cloned(),
        };
        let policy = activity.policy();
        info::PendingActivityInfo {
            activity_id: activity.attributes.activity_id.clone(),
            activity_type: Some(common::ActivityType {
                name: activity.activity_type().to_owned(),
            }),
            state: state as i32,
            heartbeat_details: attempt.heartbeat_details.clone(),
            last_heartbeat_time: attempt.heartbeat_ns.map(time::timestamp_from_ns),
            last_started_time: attempt.started_ns.map(time::timestamp_from_ns),
            attempt: i32::try_from(attempt.number).unwrap_or(i32::MAX),
            maximum_attempts: i32::try_from(policy.maximum_attempts).unwrap_or(i32::MAX),
            scheduled_time: Some(time::timestamp_from_ns(attempt.due_ns)),
            expiration_time: activity.expires_ns().map(time::timestamp_from_ns),
            last_failure,
            last_worker_identity: if attempt.heartbeat_identity.is_empty() {
                attempt.identity.clone()
            } else {
                attempt.heartbeat_identity.clone()
            },
            current_retry_interval: Some(time::duration_from_ns(interval_ns)),
            last_attempt_complete_time: attempt.last_ended_ns.map(time::timestamp_from_ns),
            next_attempt_schedule_time: next_ns.map(time::timestamp_from_ns),
            paused: attempt.pause.is_some(),
            pause_info: attempt.pause.as_ref().map(pause_info),
            priority: activity.attributes.priority.clone(),
            activity_options: Some(activity.options()),
            ..Default::default()
        }
    }
}

fn pause_info(pause: &Pause) -> info::pending_activity_info::PauseInfo {
    use info::pending_activity_info::pause_info::{Manual, PausedBy};
    info::pending_activity_info::PauseInfo {
        pause_time: Some(time::timestamp_from_ns(pause.since_ns)),
        paused_by: Some(PausedBy::Manual(Manual {
            identity: pause.identity.clone(),
            reason: pause.reason.clone(),
        })),
    }
}
