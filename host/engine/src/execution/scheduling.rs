//! An activity is scheduled: what the workflow leaves out is filled in, so that history says what holds.

use longhaul_history::{
    proto::{
        common::v1 as common,
        history::v1::{ActivityTaskScheduledEventAttributes, history_event::Attributes},
        taskqueue::v1::TaskQueue,
    },
    time,
};

use super::Execution;
use crate::{ActivityOptions, Effect, Turn, retry::Policy};

impl Execution {
    /// Write ActivityTaskScheduled. As on Temporal's server, it has the limits and the retry policy with what is left out filled in.
    pub(super) fn schedule_activity(
        &mut self,
        turn: &mut Turn,
        completed: i64,
        seq: u32,
        options: ActivityOptions,
    ) -> i64 {
        let duration = |ns: u64| Some(time::duration_from_ns(ns));
        let timeouts = options.timeouts().completed(self.run_timeout_ns());
        let attributes = ActivityTaskScheduledEventAttributes {
            activity_id: options.activity_id.unwrap_or_else(|| seq.to_string()),
            activity_type: Some(common::ActivityType {
                name: options.activity_type,
            }),
            task_queue: Some(TaskQueue {
                name: options.task_queue.unwrap_or_else(|| self.task_queue().to_owned()),
                kind: 1,
                ..Default::default()
            }),
            header: options.header,
            input: (!options.input.payloads.is_empty()).then_some(options.input),
            schedule_to_close_timeout: duration(timeouts.schedule_to_close_ns),
            schedule_to_start_timeout: duration(timeouts.schedule_to_start_ns),
            start_to_close_timeout: duration(timeouts.start_to_close_ns),
            heartbeat_timeout: duration(timeouts.heartbeat_ns),
            workflow_task_completed_event_id: completed,
            retry_policy: Some(Policy::new(options.retry_policy.as_ref()).to_wire()),
            ..Default::default()
        };
        let attributes = Attributes::ActivityTaskScheduledEventAttributes(attributes);
        let scheduled_event_id = self.emit_with_summary(turn, attributes, options.summary);
        turn.effects.push(Effect::ActivityChanged { scheduled_event_id });
        scheduled_event_id
    }
}
