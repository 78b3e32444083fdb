//! What comes while a workflow task is open (A5).
//!
//! It can become no event, for that would stand before what the task writes. Signals, cancellation requests and workers' answers are
//! kept as rows ([`buffered`](super::buffered)) and acknowledged; the rest waits in memory, and nobody is told that it is taken. All of
//! it has its turn right after the task, in the order in which it came.

use std::collections::{HashSet, VecDeque};

use longhaul_engine::{
    Turn,
    execution::{NotTaken, Told, Which},
};
use longhaul_store::Change;
use prost::Message as _;

use super::{
    Alarm, Kind, Shard,
    answers::{self, Said, Saying},
    beginning::{Beginning, With},
    buffered::{Answer, Cancel, What},
    message::{Input, Message, Notice, Request},
    run::Run,
    turn::{Tellings, attached, check_signal, refuse, signaled},
};
use crate::Error;

/// What has come since a task opened, and waits for its end.
#[derive(Default)]
pub(super) struct Meanwhile {
    /// In the order in which it came.
    inputs: VecDeque<Input>,
    /// Bytes of the signals among it.
    signals_bytes: usize,
    /// Their request ids.
    request_ids: HashSet<String>,
    /// Activities whose end is among it.
    answered: HashSet<i64>,
    /// Queries that are answered when the task has ended.
    questions: Vec<Message>,
    /// Queries that came after something that waits: the next task shows it to the code.
    later: Vec<Message>,
}

impl Meanwhile {
    /// Somebody was told that something is taken which the code has not seen.
    pub(super) fn owes(&self) -> bool {
        self.inputs
            .iter()
            .any(|input| matches!(input, Input::Buffered { buffered, .. } if buffered.is_owed()))
    }

    /// A cancellation request is among it.
    fn has_cancel(&self) -> bool {
        self.inputs
            .iter()
            .any(|input| matches!(input, Input::Buffered { buffered, .. } if buffered.is_cancel()))
    }

    /// How much waits.
    pub(super) fn waiting(&self) -> usize {
        self.inputs.len() + self.questions.len() + self.later.len()
    }

    /// Something was acknowledged that is no event yet.
    pub(super) fn has_kept(&self) -> bool {
        self.inputs
            .iter()
            .any(|input| matches!(input, Input::Buffered { .. }))
    }

    /// Queries of the turn in which the task has opened: it shows the code all that was acknowledged before them.
    pub(super) fn ask(&mut self, questions: impl IntoIterator<Item = Message>) {
        self.questions.extend(questions);
    }

    /// The task has ended, and all of it has its turn.
    pub(super) fn take_up(self, run: &mut Run) {
        to_front(run, self.inputs);
        run.answerable.extend(self.questions);
        run.questions.extend(self.later);
    }

    /// The task is given up: what waits is there before it runs again.
    pub(super) fn give_back(self, run: &mut Run) {
        let (inputs, questions) = self.into_parts();
        to_front(run, inputs);
        run.questions.extend(questions);
    }

    /// Inputs, and queries.
    pub(super) fn into_parts(self) -> (VecDeque<Input>, Vec<Message>) {
        let mut questions = self.questions;
        questions.extend(self.later);
        (self.inputs, questions)
    }
}

fn to_front(run: &mut Run, inputs: VecDeque<Input>) {
    for input in inputs.into_iter().rev() {
        run.inbox.push_front(input);
    }
}

/// It has its turn when the task has ended.
fn hold(run: &mut Run, input: Input) {
    match &mut run.open_task {
        Some(open) => open.meanwhile.inputs.push_back(input),
        // Nobody calls this without one; it is not lost in any case.
        None => run.inbox.push_back(input),
    }
}

/// A query is answered when what was acknowledged before it has been shown to the code.
fn ask(run: &mut Run, question: Message) {
    match &mut run.open_task {
        Some(open) if open.meanwhile.inputs.is_empty() => open.meanwhile.questions.push(question),
        Some(open) => open.meanwhile.later.push(question),
        None => run.questions.push(question),
    }
}

impl Shard {
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
        match input {
            Input::Message {
                message: message @ Message::Query { .. },
                ..
            } => ask(run, message),
            // Its limit has passed: the attempt is over, and that becomes an event when the task has ended.
            Input::Heartbeat { key, .. } if is_overdue(run, key.scheduled_event_id, turn.now_ns) => {}
            Input::Alarm(Alarm {
                kind: Kind::Activity,
                id,
                ..
            }) if is_overdue(run, id, turn.now_ns) => hold(run, input),
            // What writes no event is no matter of the task's.
            Input::Message {
                message: Message::Describe { .. } | Message::FindUpdate { .. } | Message::Operate(_),
                ..
            }
            | Input::Alarm(Alarm {
                kind: Kind::Activity, ..
            })
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
                message: Message::Move(moving),
                to_run,
            } => {
                if moving.proof.is_some() {
                    self.give_up(run);
                    let message = Message::Move(moving);
                    run.inbox.push_front(Input::Message { message, to_run });
                } else {
                    self.take_move(run, turn, tellings, *moving);
                }
            }
            Input::Reset(reset) => {
                self.give_up_for_good(run, turn, extra);
                self.mailbox.notice(Notice::Again(Request::Reset(*reset)));
            }
            Input::Replace(beginning) => self.mailbox.notice(Notice::Again(Request::Start(beginning))),
            // This time the code is to end the run, so nothing is acknowledged before it has.
            input if run.patient => hold(run, input),
            input => self.keep(run, extra, tellings, input),
        }
    }

    /// A worker says something of an attempt: that it is alive changes no history; how it ended is kept.
    fn hear_meanwhile(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        tellings: &mut Tellings,
        said: Said,
        to_run: bool,
    ) {
        if run.execution.is_overdue(&said.which, turn.now_ns) {
            return hear_too_late(run, tellings, said, to_run);
        }
        let Saying::Ended(end, _) = &said.saying else {
            return self.take_said(run, turn, tellings, said);
        };
        let known = run
            .execution
            .would_take_answer(&said.which, end)
            .and_then(|id| match &run.open_task {
                Some(open) if open.meanwhile.answered.contains(&id) => Err(NotTaken::NotRunning),
                _ => Ok(id),
            });
        let scheduled_event_id = match known {
            Ok(id) => id,
            Err(not_taken) => return tellings.answer(said.reply, Err(answers::refuse(not_taken))),
        };
        let answer = match run.patient {
            true => Err(Box::new(said)),
            false => Answer::of(said),
        };
        let (answer, reply) = match answer {
            Ok(kept) => kept,
            Err(said) => {
                let message = Message::Attempt(said);
                return hold(run, Input::Message { message, to_run });
            }
        };
        let kept = self.buffer(run, extra, What::Answer(answer));
        hold(run, kept);
        if let Some(open) = &mut run.open_task {
            open.meanwhile.answered.insert(scheduled_event_id);
        }
        tellings.answer(reply, Ok(Told::default()));
    }

    /// Acknowledge an input that is kept as a row; the rest waits.
    fn keep(&mut self, run: &mut Run, extra: &mut Vec<Change>, tellings: &mut Tellings, input: Input) {
        match input {
            Input::Message {
                message: Message::Signal { request, reply },
                ..
            } => {
                let taken = self.acknowledge(run, extra, What::Signal(signaled(*request)));
                tellings.answer(reply, taken);
            }
            Input::Attach(Beginning {
                request,
                with: With::Signal { signal, reply },
                ..
            }) => {
                let taken = self.acknowledge(run, extra, What::Signal(signaled(*signal)));
                tellings.answer(reply, taken.map(|()| attached(run, &request)));
            }
            Input::Message {
                message: Message::Cancel { request, reply },
                ..
            } => {
                let cancel = Cancel {
                    reason: request.reason,
                    identity: request.identity,
                };
                let taken = self.acknowledge(run, extra, What::Cancel(cancel));
                tellings.answer(reply, taken);
            }
            input => hold(run, input),
        }
    }

    /// Keep it as a row, if the run would take it.
    fn acknowledge(&self, run: &mut Run, extra: &mut Vec<Change>, what: What) -> Result<(), Error> {
        // What changes nothing, as a repeated request, needs no row.
        if self.would_take(run, &what)? {
            let kept = self.buffer(run, extra, what);
            hold(run, kept);
        }
        Ok(())
    }

    /// Whether it would be taken if the task had ended; `false`: it changes nothing.
    fn would_take(&self, run: &mut Run, what: &What) -> Result<bool, Error> {
        let signal = match what {
            What::Signal(signal) => signal,
            What::Cancel(_) => {
                let held = run
                    .open_task
                    .as_ref()
                    .is_some_and(|open| open.meanwhile.has_cancel());
                return Ok(!held && !run.execution.cancel_requested());
            }
            What::Answer(_) => return Ok(true),
        };
        check_signal(&run.version, run.execution.workflow_type(), &signal.signal_name)?;
        let Some(open) = &mut run.open_task else {
            return Ok(true);
        };
        let meanwhile = &mut open.meanwhile;
        if meanwhile.request_ids.contains(&signal.request_id) {
            return Ok(false);
        }
        let limits = &self.core.options.limits;
        let new = run
            .execution
            .would_take_signal(signal, meanwhile.signals_bytes, limits)
            .map_err(refuse)?;
        if new {
            meanwhile.signals_bytes += signal.encoded_len();
            if !signal.request_id.is_empty() {
                meanwhile.request_ids.insert(signal.request_id.clone());
            }
        }
        Ok(new)
    }
}

/// Whether a limit of an activity has passed, which becomes an event when the task has ended.
fn is_overdue(run: &Run, scheduled_event_id: i64, now_ns: u64) -> bool {
    let activity = run.execution.activities().get(&scheduled_event_id);
    activity.is_some_and(|activity| activity.is_overdue(now_ns))
}

/// A worker says something of an activity that is overdue. Its token is good for the attempt that is over; who names the activity waits
/// until it is certain what has become of it.
fn hear_too_late(run: &mut Run, tellings: &mut Tellings, said: Said, to_run: bool) {
    match &said.which {
        Which::ActivityId(_) => {
            let message = Message::Attempt(Box::new(said));
            hold(run, Input::Message { message, to_run });
        }
        Which::Token { .. } => tellings.answer(said.reply, Err(answers::refuse(NotTaken::NotRunning))),
    }
}
