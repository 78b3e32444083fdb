//! A workflow task that local activities keep open (A5).
//!
//! The code has run until it waits, and the local activities that it has begun run elsewhere. Each that ends is another round of the
//! same task. When none runs any more, or the task's time is nearly over, what the code has done becomes events; in the second case
//! another task opens at once. Until then nothing of the task is stored: after a crash it runs again from its start.
//!
//! What comes meanwhile can become no event, for it would stand before what the task writes. Signals, cancellation requests and workers'
//! answers are kept as rows ([`buffered`](super::buffered)) and acknowledged; the rest waits in memory, and nobody is told that it is
//! taken. All of it has its turn right after the task, in the order in which it came.

use std::{
    collections::{HashSet, VecDeque},
    ops::RangeInclusive,
};

use longhaul_engine::{
    Call, Intent, LocalCalls, Turn,
    execution::{NotTaken, Task},
    local::{LocalActivity, Next},
    proto::history::v1::WorkflowExecutionSignaledEventAttributes,
};
use longhaul_history::time;
use longhaul_sandbox::CancellationReason;
use longhaul_store::Change;
use prost::Message as _;

use super::{
    Alarm, Kind, Shard,
    answers::Saying,
    beginning::With,
    buffered::{Answer, Cancel, What},
    local_attempts::Local,
    message::{Input, Message, Notice, Request},
    run::{Code, Run},
    task::Ran,
    turn::{Tellings, check_signal, refuse},
};
use crate::{
    Error,
    guest::{Guest, TaskError},
};

/// As Temporal's Core SDK: a task that local activities keep open is completed at four fifths of its time, and another opens.
const OF_TASK_TIMEOUT: (u64, u64) = (4, 5);

/// A workflow's own task timeout counts within these bounds: below, a task would be over before anything could have ended; above, what
/// comes meanwhile would wait for too long. The upper one is that of Temporal's server.
const TASK_TIMEOUT_NS: RangeInclusive<u64> = 1_000_000_000..=120_000_000_000;

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
    /// What came meanwhile, in that order.
    held: VecDeque<Input>,
    /// Bytes of the signals among it.
    held_signals_bytes: usize,
    /// Their request ids.
    held_requests: HashSet<String>,
    /// Activities whose end is among it.
    answered: HashSet<i64>,
    /// Queries that are answered at its end.
    pub(super) questions: Vec<Message>,
    /// Queries that came after something that is held: the next task shows it to the code.
    later: Vec<Message>,
}

impl OpenTask {
    pub(super) fn new(task: Task, calls: Vec<Call>) -> Self {
        Self {
            task,
            calls,
            rounds: 0,
            ends_bytes: 0,
            until_ns: None,
            held: VecDeque::new(),
            held_signals_bytes: 0,
            held_requests: HashSet::new(),
            answered: HashSet::new(),
            questions: Vec::new(),
            later: Vec::new(),
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

    /// Somebody was told that something is taken which the code has not seen.
    fn owes(&self) -> bool {
        self.held
            .iter()
            .any(|input| matches!(input, Input::Buffered { buffered, .. } if buffered.is_owed()))
    }

    /// A cancellation request is among what came meanwhile.
    fn holds_cancel(&self) -> bool {
        self.held
            .iter()
            .any(|input| matches!(input, Input::Buffered { buffered, .. } if buffered.is_cancel()))
    }

    /// How much waits for its end.
    pub(super) fn waiting(&self) -> usize {
        self.held.len() + self.questions.len() + self.later.len()
    }

    /// Something was acknowledged that is no event yet.
    pub(super) fn has_kept(&self) -> bool {
        self.held
            .iter()
            .any(|input| matches!(input, Input::Buffered { .. }))
    }

    /// All that waits for its end: inputs, and queries.
    pub(super) fn into_waiting(self) -> (VecDeque<Input>, Vec<Message>) {
        let mut questions = self.questions;
        questions.extend(self.later);
        (self.held, questions)
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
                self.take_up(run, *open);
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
        if open.is_terminal() && open.owes() {
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

    /// What came while a task was open has its turn.
    fn take_up(&mut self, run: &mut Run, open: OpenTask) {
        for input in open.held.into_iter().rev() {
            run.inbox.push_front(input);
        }
        run.answerable.extend(open.questions);
        run.questions.extend(open.later);
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
        let (held, questions) = open.into_waiting();
        for input in held.into_iter().rev() {
            run.inbox.push_front(input);
        }
        run.questions.extend(questions);
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

    /// Take an input while a task is open.
    pub(super) fn take_meanwhile(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        tellings: &mut Tellings,
        input: Input,
    ) {
        let Some(input) = self.take_of_locals(run, turn, extra, tellings, input) else {
            return;
        };
        if let Some(error) = input.foreign_chain(run) {
            return input.refuse(&error);
        }
        let Some(open) = run.open_task.as_deref_mut() else {
            return;
        };
        match input {
            Input::Message {
                message: Message::Query { .. },
                ..
            } => {
                let Input::Message { message, .. } = input else {
                    return;
                };
                match open.held.is_empty() {
                    true => open.questions.push(message),
                    false => open.later.push(message),
                }
            }
            // What writes no event is no matter of the task's.
            Input::Message {
                message: Message::Describe { .. } | Message::FindUpdate { .. } | Message::Operate(_),
                ..
            }
            | Input::Heartbeat { .. }
            | Input::TryAttempt { .. }
            | Input::Poll { .. } => {
                let mut questions = Vec::new();
                self.apply(run, turn, extra, tellings, &mut questions, input);
                for question in questions {
                    self.question(run, turn, tellings, question);
                }
            }
            Input::Message {
                message: Message::Attempt(said),
                to_run,
            } => self.hear_meanwhile(run, turn, extra, tellings, *said, to_run),
            // What ends the run does not wait for its code.
            Input::Message {
                message: Message::Terminate { .. } | Message::Delete { .. },
                ..
            }
            | Input::Alarm(Alarm {
                kind: Kind::RunTimeout,
                ..
            }) => {
                self.give_up_for_good(run, turn, extra);
                run.inbox.push_front(input);
            }
            // While it is open nothing is written, so a proof that has come is good just now.
            Input::Message {
                message: Message::Move(ref moving),
                ..
            } => {
                if moving.proof.is_some() {
                    self.give_up(run);
                    run.inbox.push_front(input);
                } else if let Input::Message {
                    message: Message::Move(moving),
                    ..
                } = input
                {
                    self.take_move(run, turn, tellings, *moving);
                }
            }
            Input::Reset(reset) => {
                self.give_up_for_good(run, turn, extra);
                self.mailbox.notice(Notice::Again(Request::Reset(*reset)));
            }
            Input::Replace(beginning) => self.mailbox.notice(Notice::Again(Request::Start(beginning))),
            input => self.keep(run, extra, tellings, input),
        }
    }

    /// What is about the open task itself. Gives back what is not.
    fn take_of_locals(
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

    /// A worker says something of an attempt: that it is alive changes no history; how it ended is kept.
    fn hear_meanwhile(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        tellings: &mut Tellings,
        said: super::answers::Said,
        to_run: bool,
    ) {
        let Saying::Ended(end, details) = &said.saying else {
            return self.take_said(run, turn, tellings, said);
        };
        let (which, end) = (said.which.clone(), end.clone());
        let known = run.execution.would_take_answer(&which, &end).and_then(|id| {
            let answered = run
                .open_task
                .as_ref()
                .is_some_and(|open| open.answered.contains(&id));
            if answered {
                Err(NotTaken::NotRunning)
            } else {
                Ok(id)
            }
        });
        let scheduled_event_id = match known {
            Ok(id) => id,
            Err(not_taken) => return tellings.answer(said.reply, Err(super::answers::refuse(not_taken))),
        };
        let answer = Answer::new(&which, end, details.clone(), said.identity.clone());
        match answer {
            Some(answer) if !run.patient => {
                let input = self.buffer(run, extra, What::Answer(answer));
                tellings.answer(said.reply, Ok(longhaul_engine::execution::Told::default()));
                if let Some(open) = &mut run.open_task {
                    open.answered.insert(scheduled_event_id);
                    open.held.push_back(input);
                }
            }
            _ => {
                let message = Message::Attempt(Box::new(said));
                if let Some(open) = &mut run.open_task {
                    open.held.push_back(Input::Message { message, to_run });
                }
            }
        }
    }

    /// Keep an input until the task has ended, and tell its sender where it may be told.
    fn keep(&mut self, run: &mut Run, extra: &mut Vec<Change>, tellings: &mut Tellings, input: Input) {
        let what = match &input {
            _ if run.patient => None,
            Input::Message {
                message: Message::Signal { request, .. },
                ..
            } => {
                let signal = WorkflowExecutionSignaledEventAttributes {
                    signal_name: request.signal_name.clone(),
                    input: request.input.clone(),
                    identity: request.identity.clone(),
                    header: request.header.clone(),
                    request_id: request.request_id.clone(),
                    ..Default::default()
                };
                Some(What::Signal(signal))
            }
            Input::Attach(beginning) => match &beginning.with {
                With::Signal { signal, .. } => Some(What::Signal(WorkflowExecutionSignaledEventAttributes {
                    signal_name: signal.signal_name.clone(),
                    input: signal.input.clone(),
                    identity: signal.identity.clone(),
                    header: signal.header.clone(),
                    request_id: signal.request_id.clone(),
                    ..Default::default()
                })),
                _ => None,
            },
            Input::Message {
                message: Message::Cancel { request, .. },
                ..
            } => Some(What::Cancel(Cancel {
                reason: request.reason.clone(),
                identity: request.identity.clone(),
            })),
            _ => None,
        };
        let Some(what) = what else {
            if let Some(open) = &mut run.open_task {
                open.held.push_back(input);
            }
            return;
        };
        let taken = self.would_take(run, &what);
        let input = match (&taken, input) {
            // A repeated request changes nothing, and needs no row.
            (Ok(false) | Err(_), input) => input,
            (Ok(true), input) => {
                let kept = self.buffer(run, extra, what);
                if let Some(open) = &mut run.open_task {
                    open.held.push_back(kept);
                }
                input
            }
        };
        tell(run, tellings, input, taken.map(|_| ()));
    }

    /// Whether it would be taken if the task had ended; `false`: it changes nothing.
    fn would_take(&self, run: &mut Run, what: &What) -> Result<bool, Error> {
        let signal = match what {
            What::Signal(signal) => signal,
            What::Cancel(_) => {
                let held = run.open_task.as_ref().is_some_and(|open| open.holds_cancel());
                return Ok(!held && !run.execution.cancel_requested());
            }
            What::Answer(_) => return Ok(true),
        };
        check_signal(&run.version, run.execution.workflow_type(), &signal.signal_name)?;
        let Some(open) = &mut run.open_task else {
            return Ok(true);
        };
        let limits = &self.core.options.limits;
        let new = run
            .execution
            .would_take_signal(signal, open.held_signals_bytes, limits)
            .map_err(refuse)?;
        if !new || (!signal.request_id.is_empty() && !open.held_requests.insert(signal.request_id.clone())) {
            return Ok(false);
        }
        open.held_signals_bytes += signal.encoded_len();
        Ok(true)
    }
}

/// Tell the sender of a kept input.
fn tell(run: &Run, tellings: &mut Tellings, input: Input, taken: Result<(), Error>) {
    match input {
        Input::Message {
            message: Message::Signal { reply, .. } | Message::Cancel { reply, .. },
            ..
        } => tellings.answer(reply, taken),
        Input::Attach(beginning) => {
            let started = beginning.request.request_id == run.start_request_id;
            if let With::Signal { reply, .. } = beginning.with {
                let answer = taken.map(|()| super::beginning::Started {
                    run_id: run.run_id,
                    started,
                    status: longhaul_engine::Status::Running,
                });
                tellings.answer(reply, answer);
            }
        }
        _ => {}
    }
}
