//! Events become state.

use std::sync::Arc;

use longhaul_history::{
    proto::history::v1::{HistoryEvent, WorkflowExecutionStartedEventAttributes, history_event::Attributes},
    time,
};
use prost::Message;

use super::{Execution, Identity, Status, first_task::FirstTask, reset, upserts};
use crate::{
    IllegalTransition,
    activity::{self, Activity},
    child::External,
    timer::{self, Timer},
    update::{self, Update},
    workflow_task,
};

impl Execution {
    /// Fold the first event of a history, whose encoded size is `bytes`.
    ///
    /// # Errors
    ///
    /// It is not WorkflowExecutionStarted, or not event 1.
    pub fn from_first(
        identity: Identity,
        event: &Arc<HistoryEvent>,
        bytes: u64,
    ) -> Result<Self, IllegalTransition> {
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(start)) = &event.attributes else {
            return Err(illegal(event, "a history begins with WorkflowExecutionStarted"));
        };
        if event.event_id != 1 {
            return Err(illegal(event, "the first event has id 1"));
        }
        let now_ns = event
            .event_time
            .as_ref()
            .and_then(time::ns_from_timestamp)
            .unwrap_or(0);
        Ok(Self {
            identity,
            start: Box::new(WorkflowExecutionStartedEventAttributes::clone(start)),
            user_metadata: event.user_metadata.clone().map(Box::new),
            start_time_ns: now_ns,
            status: Status::Running,
            close_time_ns: None,
            next_event_id: 2,
            history_bytes: bytes,
            last_event_time_ns: now_ns,
            task: workflow_task::State::Idle,
            failed_tasks: 0,
            completed_tasks: 0,
            unseen: vec![event.clone()],
            unseen_signals_bytes: 0,
            timers: Default::default(),
            activities: Default::default(),
            updates: Default::default(),
            admitted: Vec::new(),
            updates_accepted: 0,
            signal_request_ids: Default::default(),
            cancel_requested: false,
            children: Default::default(),
            external_signals: Default::default(),
            external_cancels: Default::default(),
            farewells: Default::default(),
            first_task: FirstTask::of(
                start,
                start
                    .first_workflow_task_backoff
                    .as_ref()
                    .and_then(time::ns_from_duration)
                    .unwrap_or(0),
            ),
            memo: start.memo.clone().unwrap_or_default(),
            search_attributes: start.search_attributes.clone().unwrap_or_default(),
            reset_bases: Vec::new(),
            reset_time_ns: None,
        })
    }

    /// Fold one event.
    ///
    /// # Errors
    ///
    /// The event cannot follow the ones before it; the state is then as before.
    pub fn apply(&mut self, event: &Arc<HistoryEvent>) -> Result<(), IllegalTransition> {
        self.apply_measured(event, Self::measure(event))
    }

    /// As [`apply`](Self::apply), for an event that was just read: `bytes` is its encoded size, which need not be measured again.
    ///
    /// # Errors
    ///
    /// As `apply`.
    pub fn apply_measured(&mut self, event: &Arc<HistoryEvent>, bytes: u64) -> Result<(), IllegalTransition> {
        if event.event_id != self.next_event_id {
            return Err(illegal(
                event,
                &format!("the next event has id {}", self.next_event_id),
            ));
        }
        if !self.is_open() {
            return Err(illegal(event, "the execution has closed"));
        }
        self.fold(event)?;
        self.next_event_id += 1;
        self.history_bytes += bytes;
        let time_ns = event
            .event_time
            .as_ref()
            .and_then(time::ns_from_timestamp)
            .unwrap_or(0);
        self.last_event_time_ns = self.last_event_time_ns.max(time_ns);
        Ok(())
    }

    fn fold(&mut self, event: &Arc<HistoryEvent>) -> Result<(), IllegalTransition> {
        use Attributes as A;
        let id = event.event_id;
        let time_ns = event
            .event_time
            .as_ref()
            .and_then(time::ns_from_timestamp)
            .unwrap_or(0);
        let Some(attributes) = &event.attributes else {
            return Err(illegal(event, "it has no attributes"));
        };
        match attributes {
            A::WorkflowTaskScheduledEventAttributes(_) => {
                self.step_task(event, workflow_task::Input::Schedule { event_id: id })?;
                self.first_task = FirstTask::Free;
            }
            A::WorkflowTaskStartedEventAttributes(a) => {
                let input = workflow_task::Input::Start {
                    event_id: id,
                    scheduled_event_id: a.scheduled_event_id,
                };
                self.step_task(event, input)?;
            }
            A::WorkflowTaskCompletedEventAttributes(a) => {
                self.step_task(
                    event,
                    workflow_task::Input::End {
                        scheduled_event_id: a.scheduled_event_id,
                        started_event_id: a.started_event_id,
                    },
                )?;
                self.completed_tasks += 1;
                self.failed_tasks = 0;
                // What came after the task had started was not shown to the guest.
                self.unseen.retain(|unseen| unseen.event_id > a.started_event_id);
                self.unseen_signals_bytes = self.unseen_signals().map(Message::encoded_len).sum();
            }
            A::WorkflowTaskFailedEventAttributes(a) => {
                self.step_task(
                    event,
                    workflow_task::Input::End {
                        scheduled_event_id: a.scheduled_event_id,
                        started_event_id: a.started_event_id,
                    },
                )?;
                if reset::reseeds(event).is_some() {
                    self.begin_again(event, &a.base_run_id, time_ns);
                } else {
                    self.failed_tasks += 1;
                }
            }
            A::WorkflowTaskTimedOutEventAttributes(a) => {
                self.step_task(
                    event,
                    workflow_task::Input::TimeOut {
                        scheduled_event_id: a.scheduled_event_id,
                    },
                )?;
                self.failed_tasks += 1;
            }
            A::WorkflowExecutionSignaledEventAttributes(a) => {
                if !a.request_id.is_empty() {
                    self.signal_request_ids.insert(a.request_id.clone());
                }
                self.first_task = self.first_task.signaled(event, time_ns, self.start_time_ns);
                self.unseen.push(event.clone());
                self.unseen_signals_bytes += a.encoded_len();
            }
            A::WorkflowExecutionCancelRequestedEventAttributes(_) => {
                self.cancel_requested = true;
                self.unseen.push(event.clone());
            }
            A::TimerStartedEventAttributes(a) => {
                let after_ns = a
                    .start_to_fire_timeout
                    .as_ref()
                    .and_then(time::ns_from_duration)
                    .unwrap_or(0);
                let due_ns = time_ns.saturating_add(after_ns);
                self.timers.insert(
                    id,
                    Timer {
                        timer_id: a.timer_id.clone(),
                        due_ns,
                    },
                );
            }
            A::TimerFiredEventAttributes(a) => {
                self.end_timer(event, a.started_event_id, &a.timer_id, timer::Input::Fire)?;
                self.unseen.push(event.clone());
            }
            A::TimerCanceledEventAttributes(a) => {
                self.end_timer(event, a.started_event_id, &a.timer_id, timer::Input::Cancel)?;
            }
            A::ActivityTaskScheduledEventAttributes(_) => {
                if let Some(attributes) = activity::Scheduled::of(event) {
                    self.activities.insert(id, Activity::new(id, time_ns, attributes));
                }
            }
            A::ActivityTaskStartedEventAttributes(a) => {
                let activity = self.activity_mut(event, a.scheduled_event_id, activity::Input::Start)?;
                activity.started_event_id = Some(id);
                self.unseen.push(event.clone());
            }
            A::ActivityTaskCancelRequestedEventAttributes(a) => {
                let activity =
                    self.activity_mut(event, a.scheduled_event_id, activity::Input::RequestCancel)?;
                activity.cancel_requested_event_id = Some(id);
            }
            A::ActivityTaskCompletedEventAttributes(a) => {
                self.end_activity(event, a.scheduled_event_id, activity::Input::End)?;
            }
            A::ActivityTaskFailedEventAttributes(a) => {
                self.end_activity(event, a.scheduled_event_id, activity::Input::End)?;
            }
            A::ActivityTaskTimedOutEventAttributes(a) => {
                self.end_activity(event, a.scheduled_event_id, activity::Input::TimeOut)?;
            }
            A::ActivityTaskCanceledEventAttributes(a) => {
                self.end_activity(event, a.scheduled_event_id, activity::Input::Cancel)?;
            }
            A::WorkflowExecutionUpdateAcceptedEventAttributes(a) => {
                let update_id = &a.protocol_instance_id;
                let bytes = match self.updates.get(update_id).map(|update| &update.state) {
                    None => a.accepted_request.as_ref().map_or(0, prost::Message::encoded_len),
                    Some(update::State::Admitted { bytes, .. }) => *bytes,
                    Some(_) => return Err(illegal(event, "the update is accepted already")),
                };
                self.admitted.retain(|admitted| admitted != update_id);
                self.updates_accepted += 1;
                let state = update::State::Accepted { event_id: id, bytes };
                self.updates.insert(update_id.clone(), Update { state });
            }
            A::WorkflowExecutionUpdateCompletedEventAttributes(a) => {
                let update_id = a.meta.as_ref().map_or("", |meta| meta.update_id.as_str());
                let Some(Update {
                    state: update::State::Accepted { event_id, .. },
                }) = self.updates.get(update_id)
                else {
                    return Err(illegal(event, "no such update is accepted and unfinished"));
                };
                if a.accepted_event_id != *event_id {
                    return Err(illegal(
                        event,
                        &format!("event {event_id} has accepted the update"),
                    ));
                }
                use longhaul_history::proto::update::v1::outcome::Value;
                let outcome = match a.outcome.as_ref().and_then(|outcome| outcome.value.clone()) {
                    Some(Value::Success(payloads)) => Ok(payloads),
                    Some(Value::Failure(failure)) => Err(Box::new(failure)),
                    None => return Err(illegal(event, "it has no outcome")),
                };
                let state = update::State::Completed {
                    accepted_event_id: *event_id,
                    event_id: id,
                    outcome,
                };
                self.updates.insert(update_id.to_owned(), Update { state });
            }
            A::WorkflowExecutionCompletedEventAttributes(_) => self.close(Status::Completed, time_ns),
            A::WorkflowExecutionFailedEventAttributes(_) => self.close(Status::Failed, time_ns),
            A::WorkflowExecutionCanceledEventAttributes(_) => self.close(Status::Canceled, time_ns),
            A::WorkflowExecutionTerminatedEventAttributes(_) => self.close(Status::Terminated, time_ns),
            A::WorkflowExecutionTimedOutEventAttributes(_) => self.close(Status::TimedOut, time_ns),
            A::WorkflowExecutionContinuedAsNewEventAttributes(_) => {
                self.close(Status::ContinuedAsNew, time_ns)
            }
            A::StartChildWorkflowExecutionInitiatedEventAttributes(_)
            | A::StartChildWorkflowExecutionFailedEventAttributes(_)
            | A::ChildWorkflowExecutionStartedEventAttributes(_)
            | A::ChildWorkflowExecutionCompletedEventAttributes(_)
            | A::ChildWorkflowExecutionFailedEventAttributes(_)
            | A::ChildWorkflowExecutionCanceledEventAttributes(_)
            | A::ChildWorkflowExecutionTimedOutEventAttributes(_)
            | A::ChildWorkflowExecutionTerminatedEventAttributes(_) => self.fold_child(event, attributes)?,
            A::SignalExternalWorkflowExecutionInitiatedEventAttributes(_) => {
                self.external_signals.insert(id, External::new(event.clone()));
            }
            A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(_) => {
                self.external_cancels.insert(id, External::new(event.clone()));
            }
            A::ExternalWorkflowExecutionSignaledEventAttributes(a) => {
                self.end_signal(event, a.initiated_event_id)?;
            }
            A::SignalExternalWorkflowExecutionFailedEventAttributes(a) => {
                self.end_signal(event, a.initiated_event_id)?;
            }
            A::ExternalWorkflowExecutionCancelRequestedEventAttributes(a) => {
                self.end_cancel(event, a.initiated_event_id)?;
            }
            A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(a) => {
                self.end_cancel(event, a.initiated_event_id)?;
            }
            A::WorkflowPropertiesModifiedEventAttributes(a) => {
                if let Some(memo) = &a.upserted_memo {
                    upserts::merge(&mut self.memo.fields, &memo.fields);
                }
            }
            A::UpsertWorkflowSearchAttributesEventAttributes(a) => {
                if let Some(attributes) = &a.search_attributes {
                    upserts::merge(
                        &mut self.search_attributes.indexed_fields,
                        &attributes.indexed_fields,
                    );
                }
            }
            // What a run has recorded for itself is no news to it.
            A::MarkerRecordedEventAttributes(_) | A::WorkflowExecutionOptionsUpdatedEventAttributes(_) => {}
            A::WorkflowExecutionStartedEventAttributes(_) => {
                return Err(illegal(event, "the execution has started already"));
            }
            // Kinds of which the state keeps nothing.
            _ => self.unseen.push(event.clone()),
        }
        Ok(())
    }

    fn step_task(
        &mut self,
        event: &HistoryEvent,
        input: workflow_task::Input,
    ) -> Result<(), IllegalTransition> {
        self.task = self
            .task
            .next(input)
            .ok_or_else(|| illegal(event, &format!("the workflow task is {:?}", self.task)))?;
        Ok(())
    }

    fn end_timer(
        &mut self,
        event: &HistoryEvent,
        started_event_id: i64,
        timer_id: &str,
        input: timer::Input,
    ) -> Result<(), IllegalTransition> {
        // A timer that has ended is no longer in the map: what is found is in `Started`.
        let state = self
            .timers
            .get(&started_event_id)
            .filter(|timer| timer.timer_id == timer_id)
            .map(|_| timer::State::Started);
        if state.and_then(|state| state.next(input)).is_none() {
            return Err(illegal(
                event,
                &format!("no timer {timer_id} started by event {started_event_id} is pending"),
            ));
        }
        self.timers.remove(&started_event_id);
        Ok(())
    }

    fn activity_mut(
        &mut self,
        event: &HistoryEvent,
        scheduled_event_id: i64,
        input: activity::Input,
    ) -> Result<&mut Activity, IllegalTransition> {
        let activity = self.activities.get_mut(&scheduled_event_id).ok_or_else(|| {
            illegal(
                event,
                &format!("no activity scheduled by event {scheduled_event_id} is pending"),
            )
        })?;
        match activity.refuses(input) {
            None => Ok(activity),
            Some(why) => Err(illegal(
                event,
                &format!("the activity scheduled by event {scheduled_event_id} {why}"),
            )),
        }
    }

    fn end_activity(
        &mut self,
        event: &Arc<HistoryEvent>,
        scheduled_event_id: i64,
        input: activity::Input,
    ) -> Result<(), IllegalTransition> {
        self.activity_mut(event, scheduled_event_id, input)?;
        self.activities.remove(&scheduled_event_id);
        self.unseen.push(event.clone());
        Ok(())
    }

    fn close(&mut self, status: Status, time_ns: u64) {
        self.status = status;
        self.close_time_ns = Some(time_ns);
        self.task = workflow_task::State::Idle;
        self.unseen.clear();
        self.unseen_signals_bytes = 0;
        self.timers.clear();
        self.activities.clear();
        self.children.clear();
        self.external_signals.clear();
        self.external_cancels.clear();
        self.first_task = FirstTask::Free;
        self.admitted.clear();
        self.updates
            .retain(|_, update| !matches!(update.state, update::State::Admitted { .. }));
    }
}

pub(super) fn illegal(event: &HistoryEvent, why: &str) -> IllegalTransition {
    IllegalTransition {
        event_id: event.event_id,
        event: event
            .event_type()
            .as_str_name()
            .trim_start_matches("EVENT_TYPE_")
            .to_owned(),
        why: why.to_owned(),
    }
}
