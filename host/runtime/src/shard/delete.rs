//! Executions leave: because a client says so, or because their retention after the close is over (E9).
//!
//! What falls out of its retention is found in the list of closed executions, which is ordered by their close, so nothing is kept of
//! each one for that. One shard looks, when the oldest is due; the shard of each execution deletes it.
//!
//! A long history is deleted in steps, so that no transition is huge: the row goes first, and with it the execution is gone for
//! everybody; an alarm in the store remembers what is left of its events.

use std::{collections::HashMap, sync::Arc};

use longhaul_engine::Turn;
use longhaul_store::{Change, ExecutionKey, NamespaceId, RunId};

use super::{
    Alarm, Kind, Place, Shard,
    commit::{Held, unsigned},
    message::{Input, Message, Notice, Reply},
    run::{Code, Run},
    turn::{Tellings, refuse},
};
use crate::{Error, core::Core};

/// Events that are deleted in one transition.
const STEP_EVENTS: u64 = 5_000;
/// Executions that one look finds.
const SWEEP_MAX: usize = 256;
/// Wait before another look if the store could not be read.
const SWEEP_AGAIN_NS: u64 = 60_000_000_000;

/// What a look at the closed executions has found.
pub(crate) struct Swept {
    expired: Vec<(NamespaceId, String, RunId)>,
    /// When the next one is due, if there is one.
    next_ns: Option<u64>,
}

/// Deleted runs of which events are left: where the next step ends.
pub(crate) type Purges = HashMap<RunId, Purge>;

/// See [`Purges`].
pub(crate) struct Purge {
    place: Place,
    /// Events below this one are gone.
    below: u64,
    /// The id after the last event.
    end: u64,
    due_ns: u64,
}

impl Shard {
    /// Delete a run that is in memory, or was read for this.
    pub(super) fn take_delete(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        tellings: &mut Tellings,
        reply: Option<Reply<()>>,
        expired: Option<Arc<SweepAgain>>,
    ) {
        // Durable before the next look, which would find it again.
        tellings.0.extend(expired.map(Held::Swept));
        if run.execution.is_open() {
            let reason = "Delete workflow execution".to_owned();
            let ended = run
                .execution
                .terminate(turn, reason, None, "history-service".into());
            if let Err(refused) = ended {
                if let Some(reply) = reply {
                    tellings.answer(reply, Err(refuse(refused)));
                }
                return;
            }
        }
        run.code = Code::Absent;
        run.deleted = true;
        if let Some(reply) = reply {
            tellings.answer(reply, Ok(()));
        }
    }

    /// What deletes a run for everybody, behind the changes of its last turn.
    pub(super) fn deletion(&mut self, place: &Place, run_id: RunId, end: u64, changes: &mut Vec<Change>) {
        let key = ExecutionKey {
            namespace: place.namespace,
            workflow_id: place.workflow_id.to_string(),
            run_id,
        };
        if end <= STEP_EVENTS {
            changes.push(Change::DeleteExecution(key));
            return;
        }
        changes.push(Change::DeleteExecutionRows(key));
        let due_ns = self.now_ns();
        let alarm = Alarm {
            run_id,
            kind: Kind::Purge,
            id: i64::try_from(end).unwrap_or(i64::MAX),
        };
        changes.extend(self.stored_alarm(place, due_ns, alarm));
        self.alarms.set(due_ns, alarm, place.clone());
    }

    /// A closed run that is not in memory is over: nothing has to be read to delete it.
    fn delete_unread(&mut self, place: &Place, run_id: RunId) -> Result<(), Error> {
        let record = self
            .core
            .snapshot()?
            .execution(place.namespace, &place.workflow_id, run_id)?;
        let known = record.filter(|record| !record.status.is_open() && !self.leaving.contains(&run_id));
        let Some(record) = known else {
            return Ok(());
        };
        let mut changes = Vec::new();
        self.deletion(place, run_id, record.next_event_id, &mut changes);
        let ticket = self
            .commits
            .submit(changes)
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        self.leaves(place, run_id, ticket);
        Ok(())
    }

    /// Events are left of a deleted run.
    pub(super) fn purge(&mut self, alarm: Alarm, place: Place, due_ns: u64) {
        let purge = Purge {
            place,
            below: 0,
            end: unsigned(alarm.id),
            due_ns,
        };
        self.purges.insert(alarm.run_id, purge);
        self.purge_on(alarm.run_id);
    }

    /// Delete the next stretch; with the last one the alarm goes.
    pub(super) fn purge_on(&mut self, run_id: RunId) {
        let Some(purge) = self.purges.get_mut(&run_id) else {
            return;
        };
        purge.below = purge.below.saturating_add(STEP_EVENTS).min(purge.end);
        let namespace = purge.place.namespace;
        let mut changes = vec![Change::DeleteEvents {
            namespace,
            run_id,
            below: purge.below,
        }];
        let last = purge.below == purge.end;
        if last {
            let alarm = Alarm {
                run_id,
                kind: Kind::Purge,
                id: i64::try_from(purge.end).unwrap_or(i64::MAX),
            };
            let (place, due_ns) = (purge.place.clone(), purge.due_ns);
            changes.extend(self.stored_alarm_gone(&place, due_ns, alarm));
            self.purges.remove(&run_id);
        }
        match self.commits.submit(changes) {
            Ok(_) if last => {}
            Ok(ticket) => self.hold(ticket, Held::Purge(run_id)),
            // The alarm in the store brings it back with the next start of the server.
            Err(error) => {
                self.purges.remove(&run_id);
                tracing::warn!(%run_id, %error, "what is left of a deleted run stays for now");
            }
        }
    }

    /// An execution has closed, and that is durable: if nobody waits for any to fall out of its retention, somebody does now.
    pub(super) fn expect_expiry(&self) {
        if !self
            .core
            .sweep_expected
            .swap(true, std::sync::atomic::Ordering::SeqCst)
            && let Some(mailboxes) = self.core.mailboxes.get()
        {
            mailboxes[0].notice(Notice::Sweep);
        }
    }

    /// Look for closed executions whose retention is over. Only one shard does.
    pub(super) fn sweep(&mut self) {
        // Who skips time skips over days between two looks at what has just closed: nothing is deleted then.
        if self.index != 0 || self.core.options.time_skipping {
            return;
        }
        // What is found could not be deleted, and would be found again at once: the alarm rings when the store takes writes again.
        if self.core.store.health().error().is_some() {
            self.core
                .sweep_expected
                .store(true, std::sync::atomic::Ordering::SeqCst);
            return self.sweep_at(self.now_ns().saturating_add(SWEEP_AGAIN_NS));
        }
        // What closes and becomes durable from here on asks for another look.
        self.core
            .sweep_expected
            .store(false, std::sync::atomic::Ordering::SeqCst);
        let (core, mailbox, now_ns) = (self.core.clone(), self.mailbox.clone(), self.now_ns());
        self.core.workers.run(Box::new(move || {
            let swept = look(&core, now_ns).unwrap_or_else(|error| {
                tracing::warn!(%error, "closed executions could not be read; those whose retention is over stay for now");
                Swept {
                    expired: Vec::new(),
                    next_ns: Some(now_ns.saturating_add(SWEEP_AGAIN_NS)),
                }
            });
            mailbox.notice(Notice::Swept(swept));
        }));
    }

    pub(super) fn on_swept(&mut self, swept: Swept) {
        // There is another look to come: at the next one's time, or when these are gone.
        let expected = swept.next_ns.is_some() || !swept.expired.is_empty();
        if expected {
            self.core
                .sweep_expected
                .store(true, std::sync::atomic::Ordering::SeqCst);
        }
        if let (Some(next_ns), true) = (swept.next_ns, swept.expired.is_empty()) {
            self.sweep_at(next_ns);
        }
        let Some(mailboxes) = self.core.mailboxes.get() else {
            return;
        };
        // The next look comes when all that this one has found was handed to the writer: with the drop of the last of these.
        let done = Arc::new(SweepAgain {
            mailbox: (!swept.expired.is_empty()).then(|| Arc::downgrade(&self.mailbox)),
        });
        for (namespace, workflow_id, run_id) in swept.expired {
            let place = Place {
                namespace,
                workflow_id: workflow_id.into(),
            };
            mailboxes[self.core.shard_of(&place)].notice(Notice::Expired {
                run_id,
                place,
                done: done.clone(),
            });
        }
    }

    /// Look again at this time.
    fn sweep_at(&mut self, due_ns: u64) {
        let place = Place {
            namespace: NamespaceId::DEFAULT,
            workflow_id: "".into(),
        };
        self.alarms.clear_kind(Kind::Retention);
        self.alarms
            .set(due_ns, Alarm::of(RunId(0), Kind::Retention), place);
    }

    /// The retention of a closed run is over.
    pub(super) fn expire(&mut self, run_id: RunId, place: &Place, done: Arc<SweepAgain>) {
        if self.runs.contains_key(&run_id) || self.loading.contains_key(&run_id) {
            // The next look comes when this has been done, which may have to wait until the run is read.
            let input = Input::Message {
                message: Message::Delete {
                    reply: None,
                    expired: Some(done),
                },
                to_run: true,
            };
            return self.deliver(run_id, place, input);
        } else if let Err(error) = self.delete_unread(place, run_id) {
            tracing::warn!(%run_id, %error, "an execution whose retention is over could not be deleted");
        }
        // Durable before the next look, which would find it again.
        let ticket = self.commits.ticket();
        self.hold(ticket, Held::Swept(done));
    }
}

/// Asks for another look when it is dropped.
pub(crate) struct SweepAgain {
    mailbox: Option<std::sync::Weak<super::ShardMailbox>>,
}

impl Drop for SweepAgain {
    fn drop(&mut self) {
        if let Some(mailbox) = self.mailbox.take().and_then(|mailbox| mailbox.upgrade()) {
            mailbox.notice(Notice::Sweep);
        }
    }
}

/// The oldest closed executions whose retention is over, and when the next one's is.
fn look(core: &Core, now_ns: u64) -> Result<Swept, Error> {
    let snapshot = core.snapshot()?;
    let mut swept = Swept {
        expired: Vec::new(),
        next_ns: None,
    };
    for namespace in core.namespaces.values() {
        let retention_ns = core.retention_ns();
        let until_ns = now_ns.saturating_sub(retention_ns);
        let room = SWEEP_MAX.saturating_sub(swept.expired.len());
        let oldest = snapshot.oldest_closed(namespace.id, until_ns, room)?;
        let next_ns = oldest
            .next_close_ns
            .map(|close_ns| close_ns.saturating_add(retention_ns));
        swept.next_ns = match (swept.next_ns, next_ns) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let keys = oldest.executions.into_iter();
        swept
            .expired
            .extend(keys.map(|key| (key.namespace, key.workflow_id, key.run_id)));
    }
    Ok(swept)
}
