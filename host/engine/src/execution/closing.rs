//! A run closes: what was pending goes, and whoever has to know is told (E5).

use longhaul_history::proto::{
    common::v1 as common, enums::v1::ParentClosePolicy, history::v1::history_event::Attributes,
};

use super::Execution;
use crate::{
    Effect, Turn,
    outgoing::{BY_PARENT_CLOSE_POLICY, Cancel, ChildClosed, Message, Outgoing, Terminate},
};

impl Execution {
    /// Write the event that closes the run, and say what goes with it.
    pub(super) fn closing(&mut self, turn: &mut Turn, attributes: Attributes) {
        self.close_keeping(turn, attributes, None);
    }

    /// As [`closing`](Self::closing). `kept`: a reset goes on in place of this run, with all children up to this event.
    pub(super) fn close_keeping(&mut self, turn: &mut Turn, attributes: Attributes, kept: Option<i64>) {
        for (started_event_id, timer) in std::mem::take(&mut self.timers) {
            turn.effects.push(Effect::TimerGone {
                started_event_id,
                due_ns: timer.due_ns,
            });
        }
        for (scheduled_event_id, activity) in std::mem::take(&mut self.activities) {
            if activity.attempt.started_ns.is_some() {
                turn.effects
                    .push(Effect::ActivityCancelRequested { scheduled_event_id });
            }
            turn.effects.push(Effect::ActivityGone { scheduled_event_id });
        }
        if self.waits_for_first_task() {
            self.free_first_task(turn);
        }
        if let Some(kept) = kept {
            // The new run sends again what has no answer.
            for order in self.pending_orders().into_iter().filter(|order| *order <= kept) {
                turn.outbox_gone(order);
            }
        }
        let mut farewells = self.apply_parent_close_policies(turn, kept.unwrap_or(0));
        // Messages of this transition are still to be stored, and nothing of a closed run is pending.
        for effect in &turn.effects {
            if let Effect::OutboxPut { order } = effect
                && let Some(outgoing) = self.outgoing(*order)
            {
                self.farewells.insert(*order, outgoing);
            }
        }
        // What is sent beyond the last event has its numbers from there on, so that orders only grow.
        let first = self.emit(turn, attributes);
        let goes_on = turn.successor.is_some() || kept.is_some();
        farewells.extend(self.report(turn).filter(|_| !goes_on));
        for (order, farewell) in (first..).zip(farewells) {
            self.farewells.insert(order, farewell);
            turn.effects.push(Effect::OutboxPut { order });
        }
        turn.effects.push(Effect::Closed);
    }

    /// The messages to the children that are left. What has been sent to one before is delivered before, so that also a child whose
    /// start is on its way gets it; one that was never started is not found.
    fn apply_parent_close_policies(&self, turn: &mut Turn, kept: i64) -> Vec<Outgoing> {
        let mut farewells = Vec::new();
        for (initiated_event_id, child) in self.children.iter().filter(|(id, _)| **id > kept) {
            let message = match child.parent_close_policy() {
                // A start that is on its way stays.
                ParentClosePolicy::Abandon => continue,
                ParentClosePolicy::RequestCancel => Message::Cancel(Cancel {
                    reason: BY_PARENT_CLOSE_POLICY.into(),
                    initiated_event_id: 0,
                    child_only: true,
                }),
                ParentClosePolicy::Terminate | ParentClosePolicy::Unspecified => {
                    Message::Terminate(Terminate {})
                }
            };
            if child.started.is_none() {
                turn.outbox_gone(*initiated_event_id);
            }
            farewells.push(self.message(child.workflow_id().to_owned(), String::new(), message));
        }
        farewells
    }

    /// What the parent is told of the end.
    fn report(&self, turn: &Turn) -> Option<Outgoing> {
        let parent = self.parent()?;
        let closed = ChildClosed {
            initiated_event_id: parent.initiated_event_id,
            child: Some(common::WorkflowExecution {
                workflow_id: self.identity.workflow_id.to_string(),
                run_id: self.identity.run_id.to_string(),
            }),
            first_run_id: self.first_run_id().to_owned(),
            close: turn.events.last().map(|event| event.as_ref().clone()),
        };
        Some(self.message(
            parent.workflow_id,
            parent.run_id,
            Message::ChildClosed(Box::new(closed)),
        ))
    }
}
