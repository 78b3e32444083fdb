//! A workflow task that local activities keep open (A5).
//!
//! The code has run until it waits, and the local activities that it has begun run elsewhere. Each that ends is another round of the
//! same task. When none runs any more, or the task's time is nearly over, what the code has done becomes events; in the second case
//! another task opens at once. Until then nothing of the task is stored: after a crash it runs again from its start.
//!
//! What comes while it is open waits for its end: see [`meanwhile`](super::meanwhile).

use std::{collections::HashSet, ops::RangeInclusive};

use longhaul_engine::{
    Call, Intent, LocalCalls, TASK_TIMEOUT_MAX_NS, Turn,
    execution::Task,
    local::{LocalActivity, Next},
};
use longhaul_history::time;
use longhaul_sandbox::CancellationReason;
use longhaul_store::Change;
use prost::Message as _;

use super::{
    Alarm, Kind, Shard,
    local_attempts::Local,
    meanwhile::Meanwhile,
    message::Input,
    run::{Code, Run},
    task::Ran,
    turn::Tellings,
};
use crate::guest::{Guest, TaskError};

/// As Temporal's Core SDK: a task that local activities keep open is completed at four fifths of its time, and another opens.
const OF_TASK_TIMEOUT: (u64, u64) = (4, 5);

/// Local activities keep a task open for at least a part of this, whatever its timeout: with one of some nanoseconds, which a client may
/// ask for, task would follow on task without anything having ended. The highest is what history states, except in runs of before it did.
const TASK_TIMEOUT_NS: RangeInclusive<u64> = 1_000_000_000..=TASK_TIMEOUT_MAX_NS;

/// An open task is completed as at its limit when its code was told of so many ends, or of so many bytes of them: the task is one
/// transition, which the store bounds, and the shard has other runs to serve.
const ROUNDS_MAX: usize = 1_000;
const ENDS_BYTES_MAX: usize = 16 << 20;

/// See the module.
pub(crate) struct OpenTask {
    pub(super) task: Task,
    /// What the code has done in it.
    pub(super) calls: Vec<Call>,
    /// Ends of local activities that the code was told of, and their bytes.
    rounds: usize,
    ends_bytes: usize,
    /// When it is completed although local activities run, once it waits for them.
    until_ns: Option<u64>,
    pub(super) meanwhile: Meanwhile,
}

impl OpenTask {
    pub(super) fn new(task: Task, calls: Vec<Call>) -> Self {
        Self {
            task,
            calls,
            rounds: 0,
            ends_bytes: 0,
            until_ns: None,
            meanwhile: Meanwhile::default(),
        }
    }

    /// The code has ended the run, or goes on as another.
    fn is_terminal(&self) -> bool {
        self.calls.iter().any(|call| call.command.is_terminal())
    }

    /// Its code was told of as much as one task may hold.
    fn is_full(&self) -> bool {
        self.rounds >= ROUNDS_MAX || self.ends_bytes >= ENDS_BYTES_MAX
    }
}

impl Shard {
    /// The code waits: run what it has begun, and go on for as long as something has ended. `false`: the task stays open.
    pub(super) fn keep_open(
        &mut self,
        run: &mut Run,
        turn: &Turn,
        tellings: &mut Tellings,
        guest: &mut Guest,
        open: &mut OpenTask,
        asked: LocalCalls,
    ) -> Result<bool, TaskError> {
        self.run_locals(run, turn, tellings, open, asked)?;
        while !open.is_terminal()
            && !open.is_full()
            && let Some(marker) = run.ended_locals.pop_front()
        {
            let limits = &self.core.options.limits;
            open.rounds += 1;
            open.ends_bytes += marker
                .result
                .as_ref()
                .map_or_else(|failure| failure.encoded_len(), prost::Message::encoded_len);
            if let Some(asked) = guest.next_round(marker, &mut open.calls, limits)? {
                self.run_locals(run, turn, tellings, open, asked)?;
            }
        }
        if open.is_terminal() || !guest.session.has_open_locals() {
            return Ok(true);
        }
        if open.is_full() {
            // The next task is another turn's.
            run.yields = true;
            return Ok(true);
        }
        let until_ns = match open.until_ns {
            Some(until_ns) => until_ns,
            None => {
                let (part, whole) = OF_TASK_TIMEOUT;
                open.task
                    .now_ns
                    .saturating_add(self.task_timeout_ns(run) / whole * part)
            }
        };
        if until_ns <= turn.now_ns {
            return Ok(true);
        }
        open.until_ns = Some(until_ns);
        self.alarms
            .set(until_ns, Alarm::of(run.run_id, Kind::TaskLimit), run.place());
        Ok(false)
    }

    fn task_timeout_ns(&self, run: &Run) -> u64 {
        let timeout = run.execution.start().workflow_task_timeout.as_ref();
        let default = self.core.options.task_timeout;
        timeout
            .and_then(time::ns_from_duration)
            .filter(|ns| *ns > 0)
            .unwrap_or_else(|| u64::try_from(default.as_nanos()).unwrap_or(u64::MAX))
            .clamp(*TASK_TIMEOUT_NS.start(), *TASK_TIMEOUT_NS.end())
    }

    /// Local activities that history or a task that was given up has left without an end: they run again.
    pub(super) fn locals_again(guest: &Guest, run: &Run, asked: &mut LocalCalls) {
        let begun: HashSet<u32> = asked.start.iter().map(|(seq, _)| *seq).collect();
        let mut again = Vec::new();
        for (seq, options, cancelled) in guest.session.open_locals() {
            let told_soon = run.ended_locals.iter().any(|marker| marker.seq == seq);
            if begun.contains(&seq) || run.locals.contains_key(&seq) || told_soon {
                continue;
            }
            again.push((seq, options.clone()));
            if cancelled && !asked.cancel.contains(&seq) {
                asked.cancel.push(seq);
            }
        }
        asked.start.splice(0..0, again);
    }

    fn run_locals(
        &mut self,
        run: &mut Run,
        turn: &Turn,
        tellings: &mut Tellings,
        open: &mut OpenTask,
        asked: LocalCalls,
    ) -> Result<(), TaskError> {
        let LocalCalls {
            start,
            cancel,
            abandon,
        } = asked;
        let task_timeout_ns = self.task_timeout_ns(run);
        let ends = open.is_terminal();
        for (seq, options) in start {
            if ends {
                // The run is over before it could begin.
                break;
            }
            self.check_local_type(run, seq, &options.activity_type)?;
            let activity = LocalActivity::new(seq, options, turn.now_ns, task_timeout_ns);
            run.locals.insert(seq, Local::new(activity));
            self.try_local(run, turn.now_ns, tellings, seq)?;
        }
        for seq in cancel {
            let Some(local) = run.locals.get_mut(&seq) else {
                continue;
            };
            match local.activity.request_cancel(turn.now_ns) {
                Next::End(marker) => {
                    self.drop_local(run, seq, None);
                    run.ended_locals.push_back(marker);
                }
                Next::Again | Next::Stale => self.local_attempts.cancel(run.run_id, seq),
            }
        }
        for (seq, asks) in abandon {
            self.drop_local(run, seq, None);
            self.local_attempts.abandon(run.run_id, seq, asks);
            run.ended_locals.retain(|marker| marker.seq != seq);
        }
        Ok(())
    }

    /// Something has happened to the local activities of an open task, or its time is nearly over: go on with it.
    fn go_on(&mut self, run: &mut Run, turn: &mut Turn, extra: &mut Vec<Change>, tellings: &mut Tellings) {
        let Some(mut open) = run.open_task.take() else {
            return;
        };
        if let Some(until_ns) = open.until_ns {
            self.alarms
                .clear(until_ns, Alarm::of(run.run_id, Kind::TaskLimit));
        }
        let code = std::mem::replace(&mut run.code, Code::Absent);
        let ran = match code {
            Code::Live(mut guest) => self
                .go_on_with(run, turn, extra, tellings, &mut guest, &mut open)
                .map(|ran| (ran, guest)),
            // It stays while its task is open.
            Code::Absent => Err(TaskError::Unavailable(
                "the code of an open workflow task has left the memory".into(),
            )),
        };
        match ran {
            Ok((Ran::ToItsEnd, guest)) => {
                run.code = Code::Live(guest);
                open.meanwhile.take_up(run);
                self.task_ended(run, turn, extra, tellings);
            }
            Ok((Ran::GivenUp, _)) => {
                run.open_task = Some(open);
                self.give_up(run);
            }
            Ok((Ran::StaysOpen | Ran::ToAValidator, guest)) => {
                run.code = Code::Live(guest);
                run.open_task = Some(open);
            }
            Err(error) => {
                run.open_task = Some(open);
                self.park(run, turn, extra, error);
            }
        }
    }

    fn go_on_with(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        tellings: &mut Tellings,
        guest: &mut Guest,
        open: &mut OpenTask,
    ) -> Result<Ran, TaskError> {
        if !self.keep_open(run, turn, tellings, guest, open, LocalCalls::default())? {
            return Ok(Ran::StaysOpen);
        }
        self.end_task(run, turn, extra, guest, open)
    }

    /// What the code has done in its task becomes events.
    pub(super) fn end_task(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        guest: &mut Guest,
        open: &mut OpenTask,
    ) -> Result<Ran, TaskError> {
        if open.is_terminal() && open.meanwhile.owes() {
            // As on Temporal's server, a run does not end before its code has seen what was acknowledged: the task runs again with all
            // of it, and this time nothing more is acknowledged before it has ended.
            run.patient = true;
            return Ok(Ran::GivenUp);
        }
        let calls = std::mem::take(&mut open.calls);
        let intents = guest.conclude(calls, &self.core.options.limits)?;
        let intents: Vec<Intent> = intents.into_iter().map(|(_, intent)| intent).collect();
        self.write_task(run, turn, extra, guest, &open.task, intents)?;
        run.patient = false;
        run.has_open_locals = guest.session.has_open_locals();
        Ok(Ran::ToItsEnd)
    }

    /// Nothing is left of an open task: neither what its code has done nor what its local activities have. It runs again from its start.
    pub(super) fn give_up(&mut self, run: &mut Run) {
        let Some(open) = run.open_task.take() else {
            return;
        };
        if let Some(until_ns) = open.until_ns {
            self.alarms
                .clear(until_ns, Alarm::of(run.run_id, Kind::TaskLimit));
        }
        run.code = Code::Absent;
        self.drop_locals(run);
        open.meanwhile.give_back(run);
    }

    /// The run is about to be closed from outside: its task is given up, and what was acknowledged meanwhile becomes events first.
    pub(super) fn give_up_for_good(&mut self, run: &mut Run, turn: &mut Turn, extra: &mut Vec<Change>) {
        self.give_up(run);
        let waiting = std::mem::take(&mut run.inbox);
        for input in waiting {
            match input {
                Input::Buffered { order, buffered } => self.take_buffered(run, turn, extra, order, *buffered),
                input => run.inbox.push_back(input),
            }
        }
    }

    /// What is about the open task itself. Gives back what is not.
    pub(super) fn take_of_locals(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        tellings: &mut Tellings,
        input: Input,
    ) -> Option<Input> {
        let (seq, next, stops) = match input {
            Input::LocalEnded { seq, attempt, end } => {
                let local = run.locals.get_mut(&seq)?;
                (seq, local.activity.ended(attempt, end, turn.now_ns), None)
            }
            Input::TryLocal { seq } => (seq, Next::Again, None),
            Input::Alarm(Alarm {
                kind: Kind::Local,
                id,
                ..
            }) => {
                let seq = u32::try_from(id).ok()?;
                let local = run.locals.get_mut(&seq)?;
                let next = match local.activity.check_deadline(turn.now_ns) {
                    Next::Stale => return self.try_or_park(run, turn, extra, tellings, seq),
                    next => next,
                };
                (seq, next, Some(CancellationReason::TimedOut))
            }
            Input::Alarm(Alarm {
                kind: Kind::TaskLimit,
                ..
            }) => {
                self.go_on(run, turn, extra, tellings);
                return None;
            }
            input => return Some(input),
        };
        match next {
            Next::Stale => None,
            Next::Again => {
                if let Some(reason) = stops {
                    self.local_attempts.end(run.run_id, seq, reason);
                }
                self.try_or_park(run, turn, extra, tellings, seq)
            }
            Next::End(marker) => {
                self.drop_local(run, seq, stops);
                run.ended_locals.push_back(marker);
                self.go_on(run, turn, extra, tellings);
                None
            }
        }
    }

    fn try_or_park(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        tellings: &mut Tellings,
        seq: u32,
    ) -> Option<Input> {
        if let Err(error) = self.try_local(run, turn.now_ns, tellings, seq) {
            self.park(run, turn, extra, error);
        }
        None
    }
}
