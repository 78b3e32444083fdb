//! The sender's half of what goes between executions.
//!
//! A row of the outbox is written in the sender's transition. When that is durable the letter goes to the receiver's shard, and its
//! answer comes back when what the receiver made of it is durable. Only then the sender writes its event and deletes the row, again in
//! one transition. So a crash anywhere leaves the row, and what is sent twice is known to the receiver (see `deliver`).
//!
//! Letters of one run to one workflow id go one after the other. How many there are is bounded by the engine's limits of pending
//! children, signals and cancels.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use longhaul_engine::outgoing::{Answer, Message};
use longhaul_store::{Change, Pending, RunId};

use super::{
    Alarm, Kind, Place, Shard,
    beginning::Beginning,
    letter::{Delivery, Envelope, ReturnSlip},
    message::{Input, Notice},
    run::Run,
};
use crate::{Error, core::Core};

/// Wait before a letter that could not be taken is sent again.
const SEND_AGAIN_NS: u64 = 1_000_000_000;

/// What a shard's executions have sent and no answer has ended yet.
#[derive(Default)]
pub(crate) struct Outbox {
    lines: HashMap<LineKey, Line>,
    /// Every letter that has a row, or is about to get it.
    known: HashMap<(RunId, i64), Arc<Envelope>>,
    /// Children that wait for a module with their type, by their parent's run and the letter's number.
    pub(super) typeless: BTreeMap<(RunId, i64), Beginning>,
}

/// The sender's run and the receiver's workflow id.
type LineKey = (RunId, Arc<str>);

/// Letters of one sender to one receiver, in the order of sending.
#[derive(Default)]
struct Line {
    /// The one that was sent and has no answer.
    away: Option<Arc<Envelope>>,
    waiting: VecDeque<Arc<Envelope>>,
    /// The first one waits for its time to be sent again.
    resting: bool,
}

fn line_of(envelope: &Envelope) -> LineKey {
    (envelope.sender_run, envelope.letter.workflow_id.as_str().into())
}

impl Outbox {
    /// Nothing is on its way and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.known.is_empty() && self.typeless.is_empty()
    }

    /// The row is part of a transition that is about to be written.
    pub(super) fn note(&mut self, envelope: &Arc<Envelope>) {
        self.known
            .insert((envelope.sender_run, envelope.order), envelope.clone());
    }

    /// The row is deleted in a transition that is about to be written: if the letter was not sent yet, it never is.
    fn take_back(&mut self, run_id: RunId, order: i64) -> Option<(Arc<Envelope>, &Line)> {
        let envelope = self.known.remove(&(run_id, order))?;
        envelope.take_back();
        let line = self.lines.get(&line_of(&envelope))?;
        Some((envelope, line))
    }

    /// Forget what may not be durable; what is away still gets its answer.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.lines.retain(|_, line| {
            line.waiting.clear();
            line.resting = false;
            line.away.is_some()
        });
        for line in self.lines.values() {
            // One whose row was to go is sent again if the row is still there.
            if let Some(away) = line.away.as_ref().filter(|away| !away.is_gone()) {
                self.known.insert((away.sender_run, away.order), away.clone());
            }
        }
    }

    /// Forget the letters of a run whose last turn was lost. What is away still gets its answer; the rows that are in the store are
    /// restored when the run is back.
    pub(super) fn forget_run(&mut self, run_id: RunId) {
        self.known.retain(|(sender_run, _), _| *sender_run != run_id);
        let known = &mut self.known;
        self.lines.retain(|(sender_run, _), line| {
            if *sender_run != run_id {
                return true;
            }
            line.waiting.clear();
            line.resting = false;
            // One whose row was to go is sent again if the row is there.
            if let Some(away) = line.away.as_ref().filter(|away| !away.is_gone()) {
                known.insert((run_id, away.order), away.clone());
            }
            line.away.is_some()
        });
    }

    /// A row that the store holds.
    pub(super) fn restore(&mut self, envelope: Envelope) {
        let key = (envelope.sender_run, envelope.order);
        if self.known.contains_key(&key) {
            return;
        }
        let envelope = Arc::new(envelope);
        self.known.insert(key, envelope.clone());
        self.lines
            .entry(line_of(&envelope))
            .or_default()
            .waiting
            .push_back(envelope);
    }
}

/// The letters of one shard that the store holds, in the order of sending. Reads only the outbox's table.
pub(crate) fn letters_of(core: &Core, mut take: impl FnMut(Envelope)) -> Result<(), Error> {
    for row in core.snapshot()?.pending(Pending::Outbox)? {
        let (key, row) = row?;
        take(Envelope::from_row(key, &row)?);
    }
    Ok(())
}

impl Shard {
    /// A letter's row is durable: send it. Or its end is, before it could be sent.
    pub(super) fn send(&mut self, envelope: Arc<Envelope>) {
        let key = line_of(&envelope);
        if !envelope.is_gone() {
            let line = self.outbox.lines.entry(key.clone()).or_default();
            line.waiting.push_back(envelope);
        } else if let Some(line) = self.outbox.lines.get_mut(&key)
            && line.waiting.front().is_some_and(|front| front.is_gone())
        {
            // It was taken back while its line rested for its sake: what comes next does not.
            line.resting = false;
        }
        self.send_next(&key);
    }

    /// Send what was found in the store.
    pub(crate) fn send_restored(&mut self) {
        let keys: Vec<LineKey> = self.outbox.lines.keys().cloned().collect();
        let writable = self.core.store.health().error().is_none();
        for key in keys {
            if writable {
                self.send_next(&key);
                continue;
            }
            // Its answer could not be written: it waits for its alarm, which rings when the store takes writes again.
            let line = self.outbox.lines.get_mut(&key);
            let first = line
                .filter(|line| line.away.is_none() && !line.resting)
                .and_then(|line| line.waiting.pop_front());
            if let Some(envelope) = first {
                self.send_later(envelope);
            }
        }
    }

    /// A run is back whose last turn was lost: what it has sent is what the store says.
    pub(super) fn bring_letters_back(&mut self, run: &Run) {
        self.outbox.forget_run(run.run_id);
        for input in &run.inbox {
            // It has its answer, which waits.
            if let Input::Answered { envelope, .. } = input {
                self.outbox.note(envelope);
            }
        }
        if let Err(error) = self.restore_letters(run) {
            tracing::error!(
                run_id = %run.run_id, %error,
                "pending messages to other executions could not be read again; they wait for a restart"
            );
        }
        let keys: Vec<LineKey> = self.outbox.lines.keys().cloned().collect();
        for key in keys.iter().filter(|(sender_run, _)| *sender_run == run.run_id) {
            self.send_next(key);
        }
    }

    fn restore_letters(&mut self, run: &Run) -> Result<(), Error> {
        let snapshot = self.core.snapshot()?;
        for row in snapshot.pending_of(Pending::Outbox, run.namespace, run.run_id)? {
            let (key, row) = row?;
            self.outbox.restore(Envelope::from_row(key, &row)?);
        }
        Ok(())
    }

    /// Send the next letter of a line, unless one is away or the line rests.
    fn send_next(&mut self, key: &LineKey) {
        let Some(line) = self.outbox.lines.get_mut(key) else {
            return;
        };
        if line.away.is_some() || line.resting {
            return;
        }
        while let Some(envelope) = line.waiting.pop_front() {
            if envelope.is_gone() {
                continue;
            }
            line.away = Some(envelope.clone());
            let delivery = Delivery {
                reply: ReturnSlip::new(&envelope, &self.mailbox),
                envelope: envelope.clone(),
            };
            let receiver = self.core.shard_of(&envelope.receiver());
            // The mailboxes are there from before the first message on.
            if let Some(mailboxes) = self.core.mailboxes.get() {
                mailboxes[receiver].notice(Notice::Letter(delivery));
            }
            return;
        }
        self.outbox.lines.remove(key);
    }

    /// What became of a letter.
    pub(super) fn on_answered(&mut self, envelope: Arc<Envelope>, answer: Option<Answer>) {
        let key = line_of(&envelope);
        let Some(line) = self.outbox.lines.get_mut(&key) else {
            return;
        };
        if line.away.as_ref().is_none_or(|away| away.order != envelope.order) {
            return;
        }
        line.away = None;
        match answer {
            // Its row is gone already: nobody asks.
            _ if envelope.is_gone() => {}
            None => return self.send_later(envelope),
            Some(answer) => self.end_letter(envelope, answer),
        }
        self.send_next(&key);
    }

    /// Send a letter again after a while, before all that waits behind it.
    pub(super) fn send_later(&mut self, envelope: Arc<Envelope>) {
        let again = Arc::new(envelope.again());
        self.outbox.note(&again);
        let alarm = Alarm {
            run_id: again.sender_run,
            kind: Kind::Send,
            id: again.order,
        };
        let due_ns = self.now_ns().saturating_add(SEND_AGAIN_NS);
        self.alarms.set(due_ns, alarm, again.sender.clone());
        let line = self.outbox.lines.entry(line_of(&again)).or_default();
        line.resting = true;
        line.waiting.push_front(again);
    }

    /// The wait of a letter that is sent again is over.
    pub(super) fn send_again(&mut self, alarm: Alarm) {
        let Some(envelope) = self.outbox.known.get(&(alarm.run_id, alarm.id)) else {
            return;
        };
        let key = line_of(envelope);
        if let Some(line) = self.outbox.lines.get_mut(&key) {
            line.resting = false;
        }
        self.send_next(&key);
    }

    /// A letter has its answer: the run that has sent it writes its event, or, if it has closed or wants none, the row just goes.
    fn end_letter(&mut self, envelope: Arc<Envelope>, answer: Answer) {
        let (run_id, place) = (envelope.sender_run, envelope.sender.clone());
        let in_memory = self.runs.contains_key(&run_id) || self.loading.contains_key(&run_id);
        let open = in_memory
            || !self.leaving.contains(&run_id)
                && match self.is_open(&place, run_id) {
                    Ok(open) => open,
                    Err(error) => {
                        tracing::warn!(%run_id, "the sender of a message could not be read: {error}");
                        return self.send_later(envelope);
                    }
                };
        if open {
            return self.deliver(run_id, &place, Input::Answered { envelope, answer });
        }
        self.drop_letter(envelope);
    }

    /// Nobody waits for what becomes of a letter: its row goes, without an event.
    pub(super) fn drop_letter(&mut self, envelope: Arc<Envelope>) {
        let run_id = envelope.sender_run;
        let gone = Change::DeletePending(Pending::Outbox, envelope.key());
        match self.commits.submit(vec![gone]) {
            Ok(_) => drop(self.outbox.known.remove(&(run_id, envelope.order))),
            // The row is still there.
            Err(error) => {
                tracing::warn!(%run_id, "the end of a message could not be written: {error}");
                self.send_later(envelope);
            }
        }
    }

    /// As [`Outbox::take_back`], and what waits behind the letter does not wait for it any longer.
    pub(super) fn take_back(&mut self, run: &mut Run, order: i64) {
        let Some((envelope, line)) = self.outbox.take_back(run.run_id, order) else {
            return;
        };
        if line.away.as_ref().is_some_and(|away| away.order == order) {
            // A child may wait at its receiver for a module, for which it would wait for ever.
            if matches!(envelope.letter.message, Some(Message::StartChild(_)))
                // The mailboxes are there from before the first message on.
                && let Some(mailboxes) = self.core.mailboxes.get()
            {
                let receiver = self.core.shard_of(&envelope.receiver());
                mailboxes[receiver].notice(Notice::TakenBack(envelope));
            }
        } else if line.resting && line.waiting.front().is_some_and(|front| front.is_gone()) {
            // The line rests for its sake, and the alarm will find nothing to send.
            run.letters.push(envelope);
        }
    }

    /// A child waits for a module with its type.
    pub(super) fn wait_for_type(&mut self, envelope: &Envelope, beginning: Beginning) {
        // What was taken back is dropped, and with it its slip goes back.
        if !envelope.is_gone() {
            let key = (envelope.sender_run, envelope.order);
            self.outbox.typeless.insert(key, beginning);
        }
    }

    /// The start of a child was taken back after it was sent.
    pub(super) fn on_taken_back(&mut self, envelope: &Envelope) {
        self.outbox
            .typeless
            .remove(&(envelope.sender_run, envelope.order));
    }

    /// Whether a run that is not in memory is open.
    pub(super) fn is_open(&self, place: &Place, run_id: RunId) -> Result<bool, Error> {
        let record = self
            .core
            .snapshot()?
            .execution(place.namespace, &place.workflow_id, run_id)?;
        Ok(record.is_some_and(|record| record.status.is_open()))
    }

    /// Children that waited for a module with their type are tried again.
    pub(super) fn try_typeless(&mut self) {
        for beginning in std::mem::take(&mut self.outbox.typeless).into_values() {
            self.start(beginning);
        }
    }
}
