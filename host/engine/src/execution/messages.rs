//! What clients send, and what time brings: inputs become events.

use longhaul_history::{
    limits::Updates,
    proto::{
        common::v1 as common,
        history::v1::{
            TimerFiredEventAttributes, WorkflowExecutionCancelRequestedEventAttributes,
            WorkflowExecutionSignaledEventAttributes, WorkflowExecutionTerminatedEventAttributes,
            history_event::Attributes,
        },
        update::v1 as wire,
    },
};
use prost::Message;

use super::{Execution, Limits};
use crate::{
    Effect, Refused, Turn,
    outgoing::{Cancel, SERVER},
    update::{self, Update},
};

/// What became of an update that asks to be admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is new and waits for the next workflow task.
    Admitted,
    /// An update with its id is known; the caller shares its outcome (U4).
    Known,
}

impl Execution {
    /// Take a signal. `false`: its request id is known, so nothing changes (S5).
    ///
    /// # Errors
    ///
    /// The execution has closed (S6), its history is full, or its code has too much to see already.
    pub fn signal(
        &mut self,
        turn: &mut Turn,
        signal: WorkflowExecutionSignaledEventAttributes,
        limits: &Limits,
    ) -> Result<bool, Refused> {
        self.require_open()?;
        if !signal.request_id.is_empty() && self.signal_request_ids.contains(&signal.request_id) {
            return Ok(false);
        }
        self.require_room(limits)?;
        limits
            .history
            .check_signal(self.unseen_signals_bytes, signal.encoded_len())?;
        self.take_signal(turn, signal);
        Ok(true)
    }

    /// Whether a signal would be taken after `waiting_bytes` of others that wait to be taken. `false`: its request id is known (S5).
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    pub fn would_take_signal(
        &self,
        signal: &WorkflowExecutionSignaledEventAttributes,
        waiting_bytes: usize,
        limits: &Limits,
    ) -> Result<bool, Refused> {
        self.require_open()?;
        if !signal.request_id.is_empty() && self.signal_request_ids.contains(&signal.request_id) {
            return Ok(false);
        }
        self.require_room(limits)?;
        let unseen = self.unseen_signals_bytes.saturating_add(waiting_bytes);
        limits.history.check_signal(unseen, signal.encoded_len())?;
        Ok(true)
    }

    /// Take a signal that the run before this one had taken and its code has not seen (S9): it was acknowledged and within the limits
    /// there, so nothing refuses it here.
    ///
    /// # Errors
    ///
    /// The execution has closed.
    pub fn signal_again(
        &mut self,
        turn: &mut Turn,
        signal: WorkflowExecutionSignaledEventAttributes,
    ) -> Result<(), Refused> {
        self.require_open()?;
        self.take_signal(turn, signal);
        Ok(())
    }

    fn take_signal(&mut self, turn: &mut Turn, signal: WorkflowExecutionSignaledEventAttributes) {
        let waited = self.waits_for_first_task();
        self.emit(turn, Attributes::WorkflowExecutionSignaledEventAttributes(signal));
        if waited && !self.waits_for_first_task() {
            turn.effects.push(Effect::FirstTaskReleased);
        }
    }

    /// Signals that no completed task has shown to the code, in order.
    pub(super) fn unseen_signals(&self) -> impl Iterator<Item = &WorkflowExecutionSignaledEventAttributes> {
        self.unseen.iter().filter_map(|event| match &event.attributes {
            Some(Attributes::WorkflowExecutionSignaledEventAttributes(signal)) => Some(signal),
            _ => None,
        })
    }

    /// Take a cancellation request. Idempotent: a second one changes nothing (E4).
    ///
    /// # Errors
    ///
    /// The execution has closed.
    pub fn request_cancel(
        &mut self,
        turn: &mut Turn,
        cause: String,
        identity: String,
    ) -> Result<bool, Refused> {
        self.require_open()?;
        if self.cancel_requested {
            return Ok(false);
        }
        let attributes = WorkflowExecutionCancelRequestedEventAttributes {
            cause,
            identity,
            ..Default::default()
        };
        self.emit(
            turn,
            Attributes::WorkflowExecutionCancelRequestedEventAttributes(attributes),
        );
        Ok(true)
    }

    /// Take a cancellation request of another execution. As idempotent as one of a client.
    pub(super) fn request_cancel_from(
        &mut self,
        turn: &mut Turn,
        cancel: &Cancel,
        sender: Option<common::WorkflowExecution>,
    ) {
        if self.cancel_requested {
            return;
        }
        let attributes = WorkflowExecutionCancelRequestedEventAttributes {
            cause: cancel.reason.clone(),
            external_initiated_event_id: cancel.initiated_event_id,
            external_workflow_execution: sender,
            identity: SERVER.into(),
        };
        self.emit(
            turn,
            Attributes::WorkflowExecutionCancelRequestedEventAttributes(attributes),
        );
    }

    /// Close the execution without running its code.
    ///
    /// # Errors
    ///
    /// The execution has closed.
    pub fn terminate(
        &mut self,
        turn: &mut Turn,
        reason: String,
        details: Option<common::Payloads>,
        identity: String,
    ) -> Result<(), Refused> {
        self.require_open()?;
        let attributes = WorkflowExecutionTerminatedEventAttributes {
            reason,
            details,
            identity,
        };
        self.closing(
            turn,
            Attributes::WorkflowExecutionTerminatedEventAttributes(attributes),
        );
        Ok(())
    }

    /// A timer falls due. Nothing happens if it is no longer pending or lies ahead.
    pub fn fire_timer(&mut self, turn: &mut Turn, started_event_id: i64) -> bool {
        let Some(timer) = self
            .timers
            .get(&started_event_id)
            .filter(|timer| timer.due_ns <= turn.now_ns)
        else {
            return false;
        };
        let due_ns = timer.due_ns;
        let attributes = TimerFiredEventAttributes {
            timer_id: timer.timer_id.clone(),
            started_event_id,
        };
        self.emit(turn, Attributes::TimerFiredEventAttributes(attributes));
        turn.effects.push(Effect::TimerGone {
            started_event_id,
            due_ns,
        });
        true
    }

    /// Admit an update (U4, U10). `request.meta.update_id` is set by the caller.
    ///
    /// # Errors
    ///
    /// The execution has closed (its known updates still answer, see [`Execution::update_outcome`]), or a limit is reached.
    pub fn admit_update(
        &mut self,
        turn: &mut Turn,
        request: wire::Request,
        limits: &Limits,
    ) -> Result<Admission, Refused> {
        let id = request
            .meta
            .as_ref()
            .map_or("", |meta| meta.update_id.as_str())
            .to_owned();
        if self.updates.contains_key(&id) {
            return Ok(Admission::Known);
        }
        self.require_open()?;
        self.require_room(limits)?;
        let bytes = request.encoded_len();
        let mut updates = Updates {
            in_run: self.updates_accepted + self.admitted.len(),
            ..Default::default()
        };
        for in_flight_bytes in self
            .updates
            .values()
            .filter_map(|update| update.state.in_flight_bytes())
        {
            updates.in_flight += 1;
            updates.in_flight_bytes += in_flight_bytes;
        }
        limits.history.check_update(updates, bytes)?;
        self.restore_update(request);
        turn.effects.push(Effect::UpdateAdmitted { id });
        Ok(Admission::Admitted)
    }

    /// Admit an update that a run before this one had taken: it was within the limits there, and must not be lost here.
    pub fn admit_again(&mut self, turn: &mut Turn, request: wire::Request) -> Admission {
        let id = request
            .meta
            .as_ref()
            .map_or("", |meta| meta.update_id.as_str())
            .to_owned();
        if self.updates.contains_key(&id) {
            return Admission::Known;
        }
        self.restore_update(request);
        turn.effects.push(Effect::UpdateAdmitted { id });
        Admission::Admitted
    }

    /// Put an update back that was admitted and durable before the state was rebuilt.
    pub fn restore_update(&mut self, request: wire::Request) {
        let id = request
            .meta
            .as_ref()
            .map_or("", |meta| meta.update_id.as_str())
            .to_owned();
        let bytes = request.encoded_len();
        self.admitted.push(id.clone());
        let state = update::State::Admitted {
            request: Box::new(request),
            bytes,
        };
        self.updates.insert(id, Update { state });
    }

    /// Forget an update whose validator refused it, or that ended unseen with its run (U1).
    pub fn forget_update(&mut self, id: &str) {
        self.admitted.retain(|admitted| admitted != id);
        if let Some(Update {
            state: update::State::Admitted { .. },
        }) = self.updates.get(id)
        {
            self.updates.remove(id);
        }
    }

    pub(super) fn require_open(&self) -> Result<(), Refused> {
        if self.is_open() {
            Ok(())
        } else {
            Err(Refused::Closed)
        }
    }

    fn require_room(&self, limits: &Limits) -> Result<(), Refused> {
        let (events, bytes) = (limits.history.stop_events, limits.history.stop_bytes);
        if u64::try_from(self.next_event_id).unwrap_or(0) > events || self.history_bytes >= bytes {
            return Err(Refused::HistoryFull { events, bytes });
        }
        Ok(())
    }
}
