//! Activities that the store says wait for a worker, or for the rate of their task queue, stand in line without their runs being read.

use crate::{
    recovery::WaitsInLine,
    shard::{Alarm, Place, Shard, message::Input},
    task_queues::{QueueKey, Waiting},
};

impl Shard {
    /// Put an activity in its task queue's line, if it may start now and nobody in the server serves it, or its queue's rate does not let it.
    /// False: its run has to look.
    pub(in crate::shard) fn line_up_unread(
        &mut self,
        alarm: Alarm,
        place: &Place,
        waits: &WaitsInLine,
    ) -> bool {
        let now_ns = self.core.clock.now_ns();
        let WaitsInLine {
            due_ns,
            task_queue,
            activity_type,
        } = waits;
        if *due_ns > now_ns {
            return false;
        }
        let (run_id, scheduled_event_id) = (alarm.run_id, alarm.id);
        let registry = &self.core.registry;
        if registry
            .server_of(place.namespace, task_queue, activity_type)
            .is_some()
        {
            let service = (place.namespace, task_queue.clone(), activity_type.clone());
            return self.restore_limited(
                (run_id, scheduled_event_id),
                place.clone(),
                *due_ns,
                service,
                now_ns,
            );
        }
        let key = QueueKey {
            namespace: place.namespace,
            name: task_queue.as_str().into(),
        };
        let service = (place.namespace, task_queue.clone(), activity_type.clone());
        self.attempts
            .unserved
            .insert(run_id, scheduled_event_id, service, place.clone());
        let waiting = Waiting {
            place: place.clone(),
            run_id,
            scheduled_event_id,
        };
        let offered = self.core.task_queues.offer(&key, *due_ns, waiting, now_ns);
        self.core.bring(&key, offered.others);
        if let Some(poll) = offered.poll {
            let input = Input::Poll {
                scheduled_event_id,
                poll,
            };
            self.deliver(run_id, place, input);
        }
        true
    }
}
