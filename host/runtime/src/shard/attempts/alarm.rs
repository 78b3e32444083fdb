//! When a pending activity next needs a look.

use crate::shard::{Alarm, Kind, Shard, run::Run};

impl Shard {
    /// Set the alarm of an activity to when it next needs a look. What was due at `seen_ns` is looked at without an alarm: the turn at
    /// that time does, or has done so. It must not be the time at which this happens, for what falls due between the two rings then.
    pub(in crate::shard) fn arm_activity(&mut self, run: &mut Run, scheduled_event_id: i64, seen_ns: u64) {
        self.disarm_activity(run, scheduled_event_id);
        let Some(activity) = run.execution.activities().get(&scheduled_event_id) else {
            return;
        };
        let due_ns = match activity.attempt.started_ns {
            // What could start already waits for a worker or a slot, not for a time; only its limits are timed.
            None if activity.attempt.due_ns <= seen_ns => activity.deadline().map(|deadline| deadline.at_ns),
            _ => activity.wake_ns(),
        };
        if let Some(due_ns) = due_ns {
            let alarm = Alarm {
                run_id: run.run_id,
                kind: Kind::Activity,
                id: scheduled_event_id,
            };
            run.activity_alarms.insert(scheduled_event_id, due_ns);
            self.alarms.set(due_ns, alarm, run.place());
        }
    }

    pub(in crate::shard) fn disarm_activity(&mut self, run: &mut Run, scheduled_event_id: i64) {
        if let Some(due_ns) = run.activity_alarms.remove(&scheduled_event_id) {
            self.alarms.clear(
                due_ns,
                Alarm {
                    run_id: run.run_id,
                    kind: Kind::Activity,
                    id: scheduled_event_id,
                },
            );
        }
    }
}
