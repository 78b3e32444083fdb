//! From the mailbox to the run.

use std::sync::Arc;

use longhaul_engine::Status;
use longhaul_store::RunId;

use super::{
    Alarm, Kind, Newest, Place, Shard,
    message::{Input, Notice, Request, Target},
};
use crate::{Error, executions::Extra};

/// Wait before a run that could not be read is tried again for what fell due.
const LOAD_AGAIN_NS: u64 = 10_000_000_000;

impl Shard {
    pub(super) fn on_request(&mut self, request: Request) {
        match request {
            Request::Start(beginning) => self.start(beginning),
            Request::Reset(reset) => self.reset(reset),
            Request::Message { target, message } => match self.resolve(&target) {
                Ok(run_id) => {
                    let place = Place {
                        namespace: target.namespace,
                        workflow_id: target.workflow_id.clone(),
                    };
                    let to_run = target.run_id.is_some();
                    self.deliver(run_id, &place, Input::Message { message, to_run });
                }
                Err(error) => message.refuse(error),
            },
        }
    }

    pub(super) fn on_notice(&mut self, notice: Notice) {
        match notice {
            Notice::Durable { ticket } => self.on_durable(ticket),
            Notice::WriteFailed { epoch, why } => self.on_write_failed(epoch, &why),
            Notice::Loaded { run_id, result } => self.on_loaded(run_id, result),
            Notice::Revived { run_id, result } => self.on_revived(run_id, result),
            Notice::Validated {
                run_id,
                number,
                result,
            } => self.on_validated(run_id, number, result),
            Notice::Asked(run_id) => self.on_asked(run_id),
            Notice::AttemptEnded { key, place, end } => {
                self.on_attempt_ended(key);
                self.deliver(key.run_id, &place, Input::AttemptEnded { key, end });
            }
            Notice::LocalEnded {
                run_id,
                seq,
                attempt,
                start,
                end,
            } => self.on_local_ended(run_id, seq, attempt, start, end),
            Notice::Heartbeat { key, place, details } => {
                self.deliver(key.run_id, &place, Input::Heartbeat { key, details });
            }
            Notice::ModulesChanged(services) => {
                self.try_unserved(&services);
                self.try_limited();
                self.pass_all_gates();
                self.try_typeless();
            }
            Notice::QueueAgain { key, at_ns } => self.throttled.set(key, at_ns),
            Notice::Called { waiting, token } => self.on_called(waiting, token),
            Notice::GateOpen(key) => self.pass_gate(&key),
            Notice::Deliver { run_id, place, input } => self.deliver(run_id, &place, *input),
            Notice::Swept(swept) => self.on_swept(swept),
            Notice::Sweep => self.sweep(),
            Notice::Expired { run_id, place, done } => self.expire(run_id, &place, done),
            Notice::Letter(delivery) => self.on_letter(delivery),
            Notice::TakenBack(envelope) => self.on_taken_back(&envelope),
            Notice::Answered { envelope, answer } => self.on_answered(envelope, answer),
            // A start is handed to the writer in the step that takes it. Whoever asks may have gone.
            Notice::Barrier(passed) => drop(passed.send(())),
            Notice::Again(request) => self.on_request(request),
        }
    }

    /// The run that a message is for: the one it names, or the newest.
    fn resolve(&mut self, target: &Target) -> Result<RunId, Error> {
        if let Some(run_id) = target.run_id
            && (self.runs.contains_key(&run_id) || self.loading.contains_key(&run_id))
        {
            return self.check_owner(run_id, target);
        }
        let not_found = || Error::WorkflowNotFound(target.workflow_id.to_string());
        if let Some(run_id) = target.run_id {
            let record = self
                .core
                .snapshot()?
                .execution(target.namespace, &target.workflow_id, run_id)?;
            let record = record.filter(|_| !self.leaving.contains(&run_id));
            return record.map(|_| run_id).ok_or_else(|| no_run(target, run_id));
        }
        let place = Place {
            namespace: target.namespace,
            workflow_id: target.workflow_id.clone(),
        };
        Ok(self.newest(&place)?.ok_or_else(not_found)?.run_id)
    }

    fn check_owner(&self, run_id: RunId, target: &Target) -> Result<RunId, Error> {
        match self.runs.get(&run_id) {
            None if self.loading.get(&run_id).is_some_and(|(place, _)| {
                place.workflow_id != target.workflow_id || place.namespace != target.namespace
            }) =>
            {
                Err(no_run(target, run_id))
            }
            Some(run) if run.workflow_id != target.workflow_id || run.namespace != target.namespace => {
                Err(no_run(target, run_id))
            }
            _ => Ok(run_id),
        }
    }

    /// The newest run of a workflow id: as this shard has made it, else as the store has it.
    pub(super) fn newest(&self, place: &Place) -> Result<Option<Newest>, Error> {
        if let Some(newest) = self.newest.get(place) {
            return Ok(Some(newest.clone()));
        }
        let record = self
            .core
            .snapshot()?
            .current_execution(place.namespace, &place.workflow_id)?;
        record
            .filter(|record| !self.leaving.contains(&record.run_id))
            .map(|record| {
                Ok(Newest {
                    run_id: record.run_id,
                    status: Status::try_from(record.status as i32).unwrap_or(Status::Unspecified),
                    first_run_id: record.first_run_id,
                    parent: Extra::of(&record)?.parent,
                    start_request_id: record.start_request_id,
                })
            })
            .transpose()
    }

    /// Give a run something to do; reads it first if it is not in memory. What has left the mailbox may still have to wait, for the run
    /// to be read or for its code, and others come meanwhile: there as in the mailbox requests have a limit.
    pub(super) fn deliver(&mut self, run_id: RunId, place: &Place, input: Input) {
        let request = input.is_request();
        let capacity = self.core.options.mailbox_capacity;
        let waiting = match self.runs.get(&run_id) {
            Some(run) => run.waiting(),
            None => self.unread_requests,
        };
        if request && waiting >= capacity {
            return input.refuse(&Error::ResourceExhausted(match self.runs.contains_key(&run_id) {
                true => format!(
                    "{waiting} requests wait for the code of workflow {:?} already; try again in a moment",
                    place.workflow_id
                ),
                false => format!(
                    "{waiting} requests wait for executions to be read already; try again in a moment"
                ),
            }));
        }
        if let Some(run) = self.runs.get_mut(&run_id) {
            run.inbox.push_back(input);
            self.mark_due(run_id);
        } else if let Some((_, waiting)) = self.loading.get_mut(&run_id) {
            self.unread_requests += usize::from(request);
            waiting.push_back(input);
        } else if self.leaving.contains(&run_id) {
            input.refuse(&Error::WorkflowNotFound(place.workflow_id.to_string()));
        } else {
            self.unread_requests += usize::from(request);
            let mut waiting = self.kept.take(run_id);
            waiting.push_back(input);
            self.loading.insert(run_id, (place.clone(), waiting));
            self.begin_load(run_id, place);
        }
    }

    /// Read a run on another thread, and replay it.
    pub(super) fn begin_load(&mut self, run_id: RunId, place: &Place) {
        if let Some(error) = self.fails_to_read(place) {
            let result = Err(error);
            return self.mailbox.notice(Notice::Loaded { run_id, result });
        }
        let (core, mailbox, place) = (self.core.clone(), self.mailbox.clone(), place.clone());
        self.core.workers.run(Box::new(move || {
            let result = super::load::load_caught(&core, &place, run_id);
            mailbox.notice(Notice::Loaded { run_id, result });
        }));
    }

    pub(super) fn on_loaded(&mut self, run_id: RunId, result: Result<super::message::Loaded, Error>) {
        let Some((place, waiting)) = self.loading.remove(&run_id) else {
            return;
        };
        self.unread_requests -= waiting.iter().filter(|input| input.is_request()).count();
        match result {
            Ok(loaded) => self.adopt(loaded, waiting),
            Err(error @ Error::WorkflowNotFound(_)) => {
                // It was never written, or is deleted: there is nothing to wait for.
                tracing::debug!(%run_id, "a run that is not there");
                self.astray.remove(&run_id);
                for input in waiting {
                    match input {
                        Input::Answered { envelope, .. } => self.send_later(envelope),
                        input => input.refuse(&error),
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%run_id, %error, "a run could not be read");
                self.look_again(run_id, &place, LOAD_AGAIN_NS);
                for input in waiting {
                    match input {
                        Input::Message { .. }
                        | Input::Replace(_)
                        | Input::Recall(_)
                        | Input::Attach(_)
                        | Input::Reset(_)
                        | Input::Letter(_) => input.refuse(&error),
                        Input::Answered { envelope, .. } => self.send_later(envelope),
                        // What fell due is tried again: the reason may pass, as a module that is removed and uploaded again.
                        Input::Alarm(alarm) => {
                            let due_ns = self.core.clock.now_ns().saturating_add(LOAD_AGAIN_NS);
                            self.alarms.set(due_ns, alarm, place.clone());
                        }
                        // The row in the store still says that the attempt runs, and nobody says again that it does not.
                        Input::AttemptEnded { .. } | Input::Heartbeat { .. } | Input::TakeBack { .. } => {
                            self.kept.push(run_id, input);
                            let due_ns = self.core.clock.now_ns().saturating_add(LOAD_AGAIN_NS);
                            let alarm = Alarm::of(run_id, Kind::Wake);
                            self.alarms.set(due_ns, alarm, place.clone());
                        }
                        // They come to runs in memory only, or from the store.
                        Input::LocalEnded { .. } | Input::TryLocal { .. } | Input::Buffered { .. } => {}
                        Input::TryAttempt { scheduled_event_id }
                        | Input::Poll {
                            scheduled_event_id, ..
                        } => {
                            let due_ns = self.core.clock.now_ns().saturating_add(LOAD_AGAIN_NS);
                            let alarm = Alarm {
                                run_id,
                                kind: Kind::Activity,
                                id: scheduled_event_id,
                            };
                            self.alarms.set(due_ns, alarm, place.clone());
                        }
                    }
                }
            }
        }
    }

    pub(super) fn now_ns(&self) -> u64 {
        self.core.clock.now_ns()
    }

    pub(super) fn core(&self) -> Arc<crate::core::Core> {
        self.core.clone()
    }
}

fn no_run(target: &Target, run_id: RunId) -> Error {
    Error::RunNotFound {
        workflow_id: target.workflow_id.to_string(),
        run_id: run_id.to_string(),
    }
}
