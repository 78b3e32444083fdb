//! A run is reset: another begins with its first events, in the same transition in which what runs now is terminated (E9).

use std::sync::Arc;

use longhaul_engine::{
    Execution, Identity, Turn,
    execution::reset::{self, Exclude, Reapply, Reset as Cause},
    proto::{
        enums::v1::{ResetReapplyExcludeType, ResetReapplyType},
        history::v1::{HistoryEvent, WorkflowExecutionSignaledEventAttributes},
        workflow::v1::post_reset_operation::Variant,
        workflowservice::v1 as wire,
    },
};
use longhaul_history::codec;
use longhaul_store::{Append, Change, NamespaceId, RunId};

use super::{
    Newest, Place, Shard,
    commit::{Held, unsigned},
    load::read_events,
    message::{Input, Notice, Reply, Request},
    reset_children::Children,
    run::Run,
    turn::{Tellings, refuse},
};
use crate::{Error, core::Core, registry::Version};

/// A history whose kept part is longer than this, in bytes, is not reset: it is copied in one transition.
const KEPT_BYTES_MAX: u64 = 128 << 20;
/// Messages of the runs after the reset one's that are read to be applied again, but for those of the last run that is read.
const REAPPLIED_MAX: usize = 10_000;
/// Encoded size of all messages that are applied again, in bytes: they are written in one transition with what is kept, and both stay
/// below the 256 MiB that the store takes.
const REAPPLIED_BYTES_MAX: usize = 64 << 20;
/// Events in one append of what is kept.
const APPEND_EVENTS: usize = 1_000;
/// A run that goes on faster than it can be read is not reset for ever: after so many readings the request is refused.
const READS_MAX: u32 = 20;

/// A reset on its way.
pub(crate) struct Reset {
    pub(crate) namespace: NamespaceId,
    pub(crate) request: Box<wire::ResetWorkflowExecutionRequest>,
    pub(crate) reply: Reply<RunId>,
    /// What was read for it.
    pub(crate) read: Option<Box<Read>>,
    /// How often it was read.
    pub(crate) reads: u32,
}

/// What a reset needs of the store.
pub(crate) struct Read {
    base: RunId,
    version: Arc<Version>,
    kept: Vec<Arc<HistoryEvent>>,
    again: Vec<Reapply>,
    /// What became of the children that are pending at the point.
    children: Children,
    /// The run that has the id, and how far its history was read.
    newest: RunId,
    next_event_id: u64,
}

impl Reset {
    fn place(&self) -> Place {
        let execution = self.request.workflow_execution.as_ref();
        Place {
            namespace: self.namespace,
            workflow_id: execution.map_or("", |e| e.workflow_id.as_str()).into(),
        }
    }

    fn refuse(self, error: Error) {
        // A receiver that has gone needs no answer.
        let _ = self.reply.send(Err(error));
    }
}

impl Shard {
    pub(super) fn reset(&mut self, mut reset: Reset) {
        let place = reset.place();
        let newest = match self.newest(&place) {
            Ok(Some(newest)) => newest,
            Ok(None) => return reset.refuse(Error::WorkflowNotFound(place.workflow_id.to_string())),
            Err(error) => return reset.refuse(error),
        };
        let ticket = self.runs.get(&newest.run_id).map_or(0, |run| run.ticket);
        let request_id = &reset.request.request_id;
        if !request_id.is_empty() && *request_id == newest.start_request_id {
            // Sent again: it is done.
            let mut tellings = Tellings::default();
            tellings.answer(reset.reply, Ok(newest.run_id));
            for held in tellings.0 {
                self.hold(ticket, held);
            }
            return;
        }
        let next_event_id = match self.runs.get(&newest.run_id) {
            // What it has acknowledged becomes events first, so that it can be read.
            Some(run) if newest.is_open() && run.has_kept() => {
                return self.deliver(newest.run_id, &place, Input::Reset(Box::new(reset)));
            }
            Some(run) => Some(unsigned(run.execution.next_event_id())),
            // It is not in memory: read it, and come back.
            None if newest.is_open() => {
                return self.deliver(newest.run_id, &place, Input::Reset(Box::new(reset)));
            }
            None => None,
        };
        match reset.read.take() {
            Some(read)
                if read.newest == newest.run_id
                    && read
                        .children
                        .are_as_read(&self.core, reset.namespace)
                        .unwrap_or(false)
                    && next_event_id.is_none_or(|next_event_id| next_event_id == read.next_event_id) =>
            {
                self.begin_again(&place, &newest, reset, *read);
            }
            _ if reset.reads >= READS_MAX => {
                let busy = "the execution has gone on during every one of its readings; try again when it is less busy";
                reset.refuse(Error::Unavailable(busy.into()));
            }
            _ => {
                reset.reads += 1;
                self.hold(ticket, Held::Read(newest.run_id, Box::new(reset)));
            }
        }
    }

    /// All that there is of the execution is durable: read it on another thread.
    pub(super) fn read_for_reset(&self, newest: RunId, mut reset: Box<Reset>) {
        let (core, mailbox) = (self.core.clone(), self.mailbox.clone());
        self.core
            .workers
            .run(Box::new(move || match read(&core, &reset, newest) {
                Ok(read) => {
                    reset.read = Some(Box::new(read));
                    mailbox.notice(Notice::Again(Request::Reset(*reset)));
                }
                Err(error) => reset.refuse(error),
            }));
    }

    fn begin_again(&mut self, place: &Place, newest: &Newest, reset: Reset, read: Read) {
        let (name, number) = (&read.version.name, read.version.number);
        let still = self.core.registry.version(place.namespace, name, number);
        if still.is_none() {
            // Removed since it was read: nothing may be pinned to what is not there.
            let gone = format!("module {name}@{number}, which the run is pinned to, was removed");
            return reset.refuse(Error::FailedPrecondition(gone));
        }
        let run_id = self.core.new_run_id();
        let made = self.reset_run(place, run_id, &reset, &read);
        let (mut run, turn) = match made {
            Ok(made) => made,
            Err(error) => return reset.refuse(error),
        };
        let mut old = None;
        if newest.is_open() {
            old = self.runs.remove(&newest.run_id);
        }
        let Reset { request, reply, .. } = reset;
        let mut tellings = Tellings::default();
        tellings.answer(reply, Ok(run_id));
        let before = self.before_birth(place);
        let ticket_before = self.commits.ticket();
        let begun = self.guarded(|shard| {
            let ended = old.as_deref_mut();
            shard.write_reset(&mut run, turn, ended, &request, &read, &mut tellings)
        });
        match begun {
            Ok(()) => {
                if let Some(old) = old {
                    self.put_back_to_tell(old);
                }
                self.put_back(run);
                self.mark_due(run_id);
            }
            Err(error) => {
                self.lose_birth(run, tellings, before, &error);
                if let Some(old) = old {
                    self.lose(old, Tellings::default(), ticket_before, &error);
                }
            }
        }
    }

    /// The end of the run that has the id, and the beginning of the one that was reset, as one transition.
    fn write_reset(
        &mut self,
        run: &mut Run,
        turn: Turn,
        mut ended: Option<&mut Run>,
        request: &wire::ResetWorkflowExecutionRequest,
        read: &Read,
        tellings: &mut Tellings,
    ) -> Result<(), Error> {
        let kept = &read.kept;
        let (place, run_id) = (run.place(), run.run_id);
        let mut changes = Vec::new();
        let mut old_turn = None;
        if let Some(old) = ended.as_deref_mut() {
            let closing = old_turn.insert(self.turn_of(old));
            self.give_up_for_good(old, closing, &mut changes);
            let (reason, identity) = (request.reason.clone(), request.identity.clone());
            // The new run goes on with what the run that it is reset from has started. Another run of the id, whose events are not
            // its own, takes nothing along; it only leaves the report to their parent to the new run, if they are the same child.
            let last = match old.run_id == read.base {
                true => kept.last().map_or(0, |event| event.event_id),
                false => 0,
            };
            let ended = match last > 0 || old.execution.parent() == run.execution.parent() {
                true => old.execution.terminate_for_reset(closing, reason, identity, last),
                false => old.execution.terminate(closing, reason, None, identity),
            };
            ended.map_err(refuse)?;
            changes.extend(self.changes_of(old, closing)?);
        }
        changes.extend(
            kept.chunks(APPEND_EVENTS)
                .map(|events| append(&place, run_id, events)),
        );
        self.arm_run(run, &mut changes);
        self.arm_task_after_reset(run, &mut changes);
        changes.extend(self.changes_of(run, &turn)?);
        self.newest.insert(place, Newest::of(run));
        self.panic_if_told(run);
        run.ticket = self
            .commits
            .submit(changes)
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        if let (Some(old), Some(closing)) = (ended, old_turn) {
            old.ticket = run.ticket;
            self.settle(old, &closing, &mut Tellings::default());
        }
        self.settle(run, &turn, tellings);
        Ok(())
    }

    fn reset_run(
        &self,
        place: &Place,
        run_id: RunId,
        reset: &Reset,
        read: &Read,
    ) -> Result<(Box<Run>, Turn), Error> {
        let last_ns = read.kept.last().and_then(|event| event.event_time.as_ref());
        let last_ns = last_ns.and_then(longhaul_history::time::ns_from_timestamp);
        let now_ns = self.now_ns().max(last_ns.unwrap_or(0));
        let mut turn = self.turn_at(now_ns);
        let identity = Identity {
            namespace: self.core.namespace_name(place.namespace).into(),
            workflow_id: place.workflow_id.clone(),
            run_id: run_id.to_string().into(),
        };
        let cause = Cause {
            base_run_id: read.base.to_string(),
            reason: reset.request.reason.clone(),
        };
        let execution = Execution::reset(identity, &read.kept, cause, &mut turn)
            .map_err(|error| Error::InvalidArgument(error.to_string()))?;
        let request_id = reset.request.request_id.clone();
        let mut run = Run::new(place, run_id, read.version.clone(), request_id, execution);
        read.children.tell(&mut run.execution, &mut turn);
        let limits = &self.core.options.limits;
        for again in &read.again {
            match again {
                Reapply::Signal(signal) => {
                    run.execution
                        .signal(&mut turn, (**signal).clone(), limits)
                        .map_err(refuse)?;
                }
                Reapply::Update(update) => {
                    run.execution.admit_again(&mut turn, (**update).clone());
                }
            }
        }
        for operation in &reset.request.post_reset_operations {
            match &operation.variant {
                Some(Variant::SignalWorkflow(signal)) => {
                    let attributes = WorkflowExecutionSignaledEventAttributes {
                        signal_name: signal.signal_name.clone(),
                        input: signal.input.clone(),
                        header: signal.header.clone(),
                        identity: reset.request.identity.clone(),
                        ..Default::default()
                    };
                    run.execution
                        .signal(&mut turn, attributes, limits)
                        .map_err(refuse)?;
                }
                _ => {
                    return Err(Error::Unimplemented(
                        "only signals are offered as operations after a reset; move the new run with update-options".into(),
                    ));
                }
            }
        }
        Ok((Box::new(run), turn))
    }
}

fn append(place: &Place, run_id: RunId, events: &[Arc<HistoryEvent>]) -> Change {
    let last_ns = events
        .last()
        .and_then(|event| event.event_time.as_ref())
        .and_then(longhaul_history::time::ns_from_timestamp);
    Change::AppendEvents(Append {
        namespace: place.namespace,
        run_id,
        first_event_id: events.first().map_or(1, |event| unsigned(event.event_id)),
        count: u32::try_from(events.len()).unwrap_or(u32::MAX),
        last_event_time_ns: last_ns.unwrap_or(0),
        bytes: codec::encode_batch(events),
    })
}

/// Read the run that is reset, and what came after the point in it and in the runs that its chain went on with.
fn read(core: &Core, reset: &Reset, newest: RunId) -> Result<Read, Error> {
    let place = reset.place();
    let request = &reset.request;
    let snapshot = core.snapshot()?;
    let execution = request.workflow_execution.as_ref();
    let base = match execution.map_or("", |execution| execution.run_id.as_str()) {
        "" => newest,
        text => text
            .parse()
            .map_err(|_| Error::InvalidArgument("Invalid RunId.".into()))?,
    };
    let record_of = |run_id: RunId| -> Result<_, Error> {
        snapshot
            .execution(place.namespace, &place.workflow_id, run_id)?
            .ok_or_else(|| Error::RunNotFound {
                workflow_id: place.workflow_id.to_string(),
                run_id: run_id.to_string(),
            })
    };
    let record = record_of(base)?;
    let mut kept = read_events(&snapshot, place.namespace, base)?;
    let point = reset::point(&kept, request.workflow_task_finish_event_id)
        .map_err(|error| Error::InvalidArgument(error.to_string()))?;
    let bases = reset::bases(&kept);
    let mut later = kept.split_off(point);
    let bytes: u64 = kept
        .iter()
        .map(|event| prost::Message::encoded_len(event.as_ref()) as u64)
        .sum();
    if bytes > KEPT_BYTES_MAX {
        return Err(Error::FailedPrecondition(format!(
            "the history up to event {point} has {bytes} bytes, and at most {KEPT_BYTES_MAX} can be kept: reset to an earlier \
             workflow task"
        )));
    }
    let children = Children::read(&snapshot, &place, base, bases, &kept, &later)?;
    let (exclude, mut again, mut again_bytes) = (exclude(request), Vec::new(), children.encoded_len());
    if again_bytes > REAPPLIED_BYTES_MAX {
        return Err(too_much(&format!(
            "ends of children of more than {REAPPLIED_BYTES_MAX} bytes"
        )));
    }
    // Signals that stand in what is kept, and were handed on from run to run.
    let mut carried = reset::handed_on(kept.iter().chain(&later), reset::signals(&kept));
    let mut known = 0;
    loop {
        let next = later.last().and_then(|event| reset::next_run(event));
        let next = match next.and_then(|next| next.parse().ok()) {
            Some(next) => read_events(&snapshot, place.namespace, next)?,
            None => Vec::new(),
        };
        for message in reset::reapply(&later, known, exclude, !next.is_empty()) {
            again_bytes += message.encoded_len();
            if again_bytes > REAPPLIED_BYTES_MAX {
                return Err(too_much(&format!(
                    "signals and updates of more than {REAPPLIED_BYTES_MAX} bytes"
                )));
            }
            again.push(message);
        }
        if next.is_empty() {
            break;
        }
        if again.len() > REAPPLIED_MAX {
            return Err(too_much(&format!(
                "more than {REAPPLIED_MAX} signals and updates"
            )));
        }
        known = carried;
        carried = reset::handed_on(next.iter(), known);
        later = next;
    }
    Ok(Read {
        base,
        version: core.pinned(&record)?,
        kept,
        again,
        children,
        newest,
        next_event_id: record_of(newest)?.next_event_id,
    })
}

fn too_much(what: &str) -> Error {
    Error::FailedPrecondition(format!(
        "{what} came after that point: reset to a later one, or to a later run, or exclude them from being applied again"
    ))
}

/// What is not applied again.
fn exclude(request: &wire::ResetWorkflowExecutionRequest) -> Exclude {
    let types: Vec<ResetReapplyExcludeType> = request.reset_reapply_exclude_types().collect();
    // Old clients still send it, and Temporal's server still serves it.
    let kind = request.reset_reapply_type();
    let none = kind == ResetReapplyType::None;
    Exclude {
        signals: none || types.contains(&ResetReapplyExcludeType::Signal),
        updates: none || kind == ResetReapplyType::Signal || types.contains(&ResetReapplyExcludeType::Update),
    }
}
