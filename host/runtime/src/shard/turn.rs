//! A run's turn: everything in its inbox, the workflow tasks that this calls for, and one transition.

use longhaul_engine::{
    Refused, Status, Turn, outgoing,
    proto::{history::v1::WorkflowExecutionSignaledEventAttributes, workflowservice::v1 as wire},
    workflow_task,
};
use longhaul_store::{Change, Pending, RunId};

use super::{
    Shard,
    alarms::Kind,
    beginning::{Beginning, Started, With},
    commit::{Answer, Held},
    letter::ReturnSlip,
    message::{Input, Message, Notice, Reply, Request},
    run::{Code, Run},
    task::Ran,
    validate::Validation,
};
use crate::{Error, names, registry::Version};

/// A turn takes no further input from so many bytes of events on, so that a transition stays far below the store's limit.
const TURN_BYTES_MAX: u64 = 16 << 20;

/// What a turn has to tell when it is durable, in order.
#[derive(Default)]
pub(super) struct Tellings(pub(super) Vec<Held>);

impl Tellings {
    pub(super) fn answer<T: Send + 'static>(&mut self, reply: Reply<T>, answer: Result<T, Error>) {
        // A receiver that has gone needs no answer.
        let held: Answer = Box::new(move |written| {
            let _ = reply.send(written.and(answer));
        });
        self.0.push(Held::Answer(held));
    }

    /// Tell somebody whether it was written.
    pub(super) fn later(&mut self, tell: impl FnOnce(Result<(), Error>) + Send + 'static) {
        self.0.push(Held::Answer(Box::new(tell)));
    }

    /// Answer another execution; if nothing is written it sends again.
    pub(super) fn reply(&mut self, slip: ReturnSlip, answer: outgoing::Answer) {
        self.later(move |written| {
            if written.is_ok() {
                slip.answer(answer);
            }
        });
    }

    /// Nothing of the turn can be written: whoever waits for it is told.
    pub(super) fn fail(self, error: &Error) {
        for held in self.0 {
            match held {
                Held::Answer(answer) => answer(Err(error.clone())),
                // A receiver that has gone needs no answer.
                Held::Prove(_, _, moving) => drop(moving.reply.send(Err(error.clone()))),
                Held::HandOut(handed_out) => handed_out.forget(),
                // An attempt is taken back with its run; what was taken of a letter is no more, and its sender sends it again.
                _ => {}
            }
        }
    }
}

impl Shard {
    /// Everything that waits for a run. Whatever goes wrong costs this turn, and no other run.
    pub(super) fn turn(&mut self, run_id: RunId) {
        let Some(mut run) = self.runs.remove(&run_id) else {
            return;
        };
        let before = self.commits.ticket();
        let mut tellings = Tellings::default();
        match self.guarded(|shard| shard.take_turn(&mut run, &mut tellings)) {
            Ok(()) => {
                let yields = std::mem::take(&mut run.yields);
                let more = (yields || !run.inbox.is_empty() && !run.holds_inbox()) && !run.deleted;
                self.put_back(run);
                if more {
                    self.mark_due(run_id);
                }
            }
            Err(error) => self.lose(run, tellings, before, &error),
        }
    }

    fn take_turn(&mut self, run: &mut Run, tellings: &mut Tellings) -> Result<(), Error> {
        let mut turn = self.turn_of(run);
        let mut extra = Vec::new();
        let mut questions = std::mem::take(&mut run.questions);
        if let Validation::Done(_) = run.validation {
            // What waits in the inbox came after the updates on which these are the verdicts.
            self.run_tasks(run, &mut turn, &mut extra, tellings);
            if !run.needs_task() {
                run.validation = Validation::Idle;
            }
        }
        let before = run.execution.history_bytes();
        // What comes behind the end of a run whose chain goes on is for the next one, which begins when this turn is concluded.
        while run.execution.history_bytes() - before < TURN_BYTES_MAX
            && turn.successor.is_none()
            && !run.validation.holds_inbox()
            && let Some(input) = run.inbox.pop_front()
        {
            if run.open_task.is_some() {
                self.take_meanwhile(run, &mut turn, &mut extra, tellings, input);
                continue;
            }
            if input.is_of_local() && run.needs_task() {
                // The task before has just ended, and the next one is told.
                self.run_tasks(run, &mut turn, &mut extra, tellings);
                if run.open_task.is_some() {
                    run.inbox.push_front(input);
                    continue;
                }
            }
            if input.is_signal() && run.execution.is_open() && !run.execution.admitted_updates().is_empty() {
                // A signal that stands behind an update opens the next workflow task. If this one closes the run, the signal is for
                // whoever comes after it.
                self.run_tasks(run, &mut turn, &mut extra, tellings);
                if run.open_task.is_some() {
                    run.inbox.push_front(input);
                    continue;
                }
                let waits = run.validation.holds_inbox() || run.holds_signals();
                if waits || !run.execution.is_open() {
                    run.inbox.push_front(input);
                    if waits {
                        break;
                    }
                    continue;
                }
            }
            self.apply(run, &mut turn, &mut extra, tellings, &mut questions, input);
        }
        self.run_tasks(run, &mut turn, &mut extra, tellings);
        while run.open_task.is_some()
            && let Some(input) = run.early.pop_front()
        {
            self.take_meanwhile(run, &mut turn, &mut extra, tellings, input);
            self.run_tasks(run, &mut turn, &mut extra, tellings);
        }
        self.start_attempts(run, &mut turn, tellings);
        // Those that an open task has handed back when it ended.
        questions.append(&mut run.questions);
        if run.validation.holds_inbox() {
            // They are to see what was acknowledged before them, and the task that shows it to the code has not run (Q2).
            run.questions.extend(questions);
        } else if let Some(open) = &mut run.open_task {
            let (queries, others) = questions
                .into_iter()
                .partition::<Vec<_>, _>(|question| matches!(question, Message::Query { .. }));
            open.meanwhile.ask(queries);
            for question in others {
                self.question(run, &turn, tellings, question);
            }
        } else {
            for question in questions {
                self.question(run, &turn, tellings, question);
            }
        }
        self.conclude_turn(run, turn, extra, tellings)
    }

    /// A turn of a run, now.
    pub(super) fn turn_of(&self, run: &Run) -> Turn {
        self.turn_at(self.now_ns().max(run.execution.last_event_time_ns()))
    }

    /// A turn at this time. All have the same id for a run that follows, until one has used it.
    pub(super) fn turn_at(&self, now_ns: u64) -> Turn {
        Turn::new(now_ns, self.next_run_id.as_str())
    }

    /// Hand the transition over and settle the run; and the one that goes on where this one closes.
    pub(super) fn conclude_turn(
        &mut self,
        run: &mut Run,
        mut turn: Turn,
        extra: Vec<Change>,
        tellings: &mut Tellings,
    ) -> Result<(), Error> {
        // What comes from elsewhere is first: a run can open only when the one that had its id has closed.
        let mut changes = extra;
        changes.extend(self.changes_of(run, &turn)?);
        let next_turn = match turn.successor.take() {
            Some(successor) => {
                self.next_run_id = self.core.new_run_id().to_string();
                Some(self.succeed(run, *successor, &mut changes)?)
            }
            None => None,
        };
        if run.deleted {
            let end = super::commit::unsigned(run.execution.next_event_id());
            self.deletion(&run.place(), run.run_id, end, &mut changes);
        }
        self.panic_if_told(run);
        if !changes.is_empty() {
            run.ticket = self
                .commits
                .submit(changes)
                .map_err(|error| Error::Unavailable(error.to_string()))?;
        }
        self.settle(run, &turn, tellings);
        if let (Some(next), Some(turn)) = (run.successor.as_deref_mut(), next_turn) {
            next.ticket = run.ticket;
            self.settle(next, &turn, &mut Tellings::default());
        }
        Ok(())
    }

    /// Hold what a turn has to tell until its transition is durable.
    pub(super) fn settle(&mut self, run: &mut Run, turn: &Turn, tellings: &mut Tellings) {
        // Before anything that might fail: a letter that was taken must be known when it comes again.
        for held in &tellings.0 {
            if let Held::Seen(key, answer) = held {
                self.seen.insert(key.clone(), (run.ticket, answer.clone()));
            }
        }
        for held in std::mem::take(&mut tellings.0) {
            self.hold(run.ticket, held);
        }
        for envelope in std::mem::take(&mut run.letters) {
            self.hold(run.ticket, Held::Send(envelope));
        }
        self.tell_effects(run, turn);
        if !turn.events.is_empty() {
            self.hold(run.ticket, Held::Wake(run.run_id));
        }
        if !run.execution.is_open() {
            self.closed(run);
            self.drop_locals(run);
            // Nothing will drive it any more; a query replays it.
            run.code = Code::Absent;
        }
    }

    /// As [`put_back`](Self::put_back), for a run that was closed for another to begin: whoever waits for it is told in a turn of its own.
    pub(super) fn put_back_to_tell(&mut self, run: Box<Run>) {
        let (run_id, waits) = (run.run_id, run.waiting() > 0);
        self.put_back(run);
        if waits {
            self.mark_due(run_id);
        }
    }

    /// The run's turn is over.
    pub(super) fn put_back(&mut self, mut run: Box<Run>) {
        let next = run.successor.take();
        if run.deleted {
            self.leave(*run);
        } else {
            let (run_id, ticket) = (run.run_id, run.ticket);
            let wants_replay = std::mem::take(&mut run.wants_replay);
            let wants_verdicts = std::mem::take(&mut run.wants_verdicts);
            let closed = !run.execution.is_open();
            self.touch(&mut run);
            self.runs.insert(run_id, run);
            if wants_replay {
                self.hold(ticket, Held::Revive(run_id));
            }
            if wants_verdicts {
                self.hold(ticket, Held::Validate(run_id));
            }
            self.begin_asking(run_id);
            if closed {
                self.hold(ticket, Held::Closed(run_id));
            }
        }
        if let Some(next) = next {
            let run_id = next.run_id;
            self.put_back(next);
            self.mark_due(run_id);
        }
    }

    pub(super) fn apply(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        tellings: &mut Tellings,
        questions: &mut Vec<Message>,
        input: Input,
    ) {
        if let Some(error) = input.foreign_chain(run) {
            return input.refuse(&error);
        }
        let input = match self.pass_on(run, input) {
            Some(input) => input,
            None => return,
        };
        match input {
            Input::Message {
                message: Message::Signal { request, reply },
                ..
            } => {
                let answer = self.take_signal(run, turn, *request);
                tellings.answer(reply, answer);
            }
            Input::Message {
                message: Message::Cancel { request, reply },
                ..
            } => {
                let answer = run
                    .execution
                    .request_cancel(turn, request.reason, request.identity)
                    .map(|_| ())
                    // As on Temporal's server, cancelling what has closed is no error for a caller who cannot know.
                    .or_else(|refused| {
                        if refused == Refused::Closed {
                            Ok(())
                        } else {
                            Err(refuse(refused))
                        }
                    });
                tellings.answer(reply, answer);
            }
            Input::Message {
                message: Message::Terminate { request, reply },
                ..
            } => {
                let answer = run
                    .execution
                    .terminate(turn, request.reason, request.details, request.identity)
                    .map_err(refuse);
                tellings.answer(reply, answer);
            }
            Input::Message {
                message: Message::Update { request, reply, .. },
                ..
            } => {
                self.take_update(run, turn, tellings, *request, reply);
            }
            Input::Message {
                message: Message::FindUpdate { update_id, reply },
                ..
            } => {
                self.find_update(run, tellings, &update_id, reply, false);
            }
            Input::Message {
                message: question @ (Message::Query { .. } | Message::Describe { .. }),
                ..
            } => questions.push(question),
            Input::Message {
                message: Message::Attempt(said),
                ..
            } => self.take_said(run, turn, tellings, *said),
            Input::Message {
                message: Message::Operate(operation),
                ..
            } => self.take_operation(run, turn, tellings, *operation),
            Input::Message {
                message: Message::Move(moving),
                ..
            } => self.take_move(run, turn, tellings, *moving),
            Input::Message {
                message: Message::Delete { reply, expired },
                ..
            } => self.take_delete(run, turn, tellings, reply, expired),
            Input::Letter(delivery) => self.take_letter(run, turn, extra, tellings, delivery),
            Input::Answered { envelope, answer } => {
                if !run.execution.answered(turn, envelope.order, &answer) {
                    // Nothing waits for it: the row goes, without an event.
                    extra.push(Change::DeletePending(Pending::Outbox, envelope.key()));
                    self.take_back(run, envelope.order);
                }
            }
            Input::Alarm(alarm) => match alarm.kind {
                Kind::Timer => {
                    run.execution.fire_timer(turn, alarm.id);
                }
                Kind::RunTimeout => {
                    run.execution.run_timed_out(turn);
                }
                Kind::FirstTask => {
                    run.execution.release_first_task(turn);
                }
                Kind::TaskRetry => run.retrying = run.parked.is_some(),
                // The others are the shard's own, and never come to a run.
                Kind::Wake | Kind::Send | Kind::Retention | Kind::Purge => {}
                // The store says that a task is due, also where the code cannot be replayed that would say what for.
                Kind::Task => run.has_open_locals |= run.broken.is_some(),
                Kind::Local => run.early.push_back(Input::Alarm(alarm)),
                // Of a task that is no longer open.
                Kind::TaskLimit => {}
                Kind::Activity => {
                    run.activity_alarms.remove(&alarm.id);
                    if !run.execution.check_deadline(turn, alarm.id) {
                        self.arm_activity(run, alarm.id, turn.now_ns);
                        self.attempts.try_later(run.run_id, alarm.id);
                    }
                }
            },
            Input::AttemptEnded { key, end } => {
                run.execution
                    .end_attempt(turn, key.scheduled_event_id, key.nonce, end);
            }
            Input::Heartbeat { key, details } => {
                run.execution
                    .heartbeat(turn, key.scheduled_event_id, key.nonce, details);
            }
            Input::TryAttempt { scheduled_event_id } => {
                self.attempts.try_later(run.run_id, scheduled_event_id)
            }
            Input::Poll {
                scheduled_event_id,
                poll,
            } => self.take_poll(run, turn, tellings, scheduled_event_id, poll),
            Input::TakeBack {
                scheduled_event_id,
                nonce,
            } => {
                run.execution.take_attempt_back(turn, scheduled_event_id, nonce);
            }
            // The next task is told, if there is one.
            Input::LocalEnded { seq, .. } | Input::TryLocal { seq } => {
                if run.locals.contains_key(&seq) {
                    run.early.push_back(input);
                }
            }
            Input::Buffered { order, buffered } => self.take_buffered(run, turn, extra, order, *buffered),
            Input::Replace(beginning) => self.mailbox.notice(Notice::Again(Request::Start(beginning))),
            Input::Attach(beginning) => self.attach(run, turn, tellings, beginning),
            Input::Recall(beginning) => self.recall(run, tellings, beginning),
            Input::Reset(reset) => self.mailbox.notice(Notice::Again(Request::Reset(*reset))),
        }
    }

    /// S9: what was sent to a workflow id and not to a run of it, and comes too late for the run that it was put down for, goes to the
    /// run that has taken over. Gives back what stays here.
    fn pass_on(&mut self, run: &Run, input: Input) -> Option<Input> {
        if run.execution.is_open() {
            return Some(input);
        }
        let passes = match &input {
            Input::Message {
                message: Message::FindUpdate { update_id, .. },
                ..
            } => run.execution.update(update_id).is_none(),
            Input::Message { to_run, .. } => !to_run,
            _ => false,
        };
        let place = run.place();
        match self.newest(&place) {
            Ok(Some(newest)) if passes && newest.run_id != run.run_id => {
                self.deliver(newest.run_id, &place, input);
                None
            }
            _ => Some(input),
        }
    }

    /// S8, U9: what comes with a start goes to the run that has the id. If that has closed meanwhile, the start is looked at again.
    fn attach(&mut self, run: &mut Run, turn: &mut Turn, tellings: &mut Tellings, beginning: Beginning) {
        if !run.execution.is_open() {
            return self.mailbox.notice(Notice::Again(Request::Start(beginning)));
        }
        let attached = attached(run, &beginning.request);
        match beginning.with {
            With::Signal { signal, reply } => {
                let answer = self.take_signal(run, turn, *signal).map(|()| attached);
                if answer.is_ok() && !attached.started {
                    run.execution.end_start_delay(turn);
                }
                tellings.answer(reply, answer);
            }
            With::Update { update, reply, .. } => self.take_update(run, turn, tellings, *update, reply),
            with => with.refuse(Error::Internal("there is no message to deliver".into())),
        }
    }

    /// U9: an update-with-start whose update a closed run knows gets its outcome; otherwise it starts.
    fn recall(&mut self, run: &mut Run, tellings: &mut Tellings, beginning: Beginning) {
        let Beginning {
            namespace,
            request,
            with,
        } = beginning;
        let With::Update { update, reply, .. } = with else {
            return with.refuse(Error::Internal("only an update is recalled".into()));
        };
        let id = update.meta.as_ref().map_or("", |meta| meta.update_id.as_str());
        if run.execution.update(id).is_some() {
            let id = id.to_owned();
            return self.find_update(run, tellings, &id, reply, false);
        }
        let asked = Some(run.run_id);
        let with = With::Update { update, reply, asked };
        self.mailbox.notice(Notice::Again(Request::Start(Beginning {
            namespace,
            request,
            with,
        })));
    }

    pub(super) fn take_signal(
        &self,
        run: &mut Run,
        turn: &mut Turn,
        request: wire::SignalWorkflowExecutionRequest,
    ) -> Result<(), Error> {
        if !run.execution.is_open() {
            return Err(Error::AlreadyCompleted);
        }
        check_signal(&run.version, run.execution.workflow_type(), &request.signal_name)?;
        run.execution
            .signal(turn, signaled(request), &self.core.options.limits)
            .map(|_| ())
            .map_err(refuse)
    }

    /// Run workflow tasks until none is due, or the run cannot run one now.
    pub(super) fn run_tasks(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        tellings: &mut Tellings,
    ) {
        while run.needs_task()
            && !run.yields
            && (run.parked.is_none() || run.retrying)
            && !run.validation.is_under_way()
        {
            debug_assert_eq!(run.execution.task(), workflow_task::State::Idle);
            if let Some(error) = run.validation.take_failure() {
                return self.park(run, turn, extra, error);
            }
            if !run.is_live()
                && let Some(error) = run.broken.take()
            {
                return self.park(run, turn, extra, error);
            }
            if Self::needs_replayed_validators(run) {
                self.begin_validation(run);
            }
            if !run.is_live() {
                self.revive(run);
            }
            if !run.is_live() || run.validation.is_under_way() {
                return;
            }
            match self.run_task(run, turn, extra, tellings) {
                Ok(Ran::ToItsEnd) => self.task_ended(run, turn, extra, tellings),
                Ok(Ran::StaysOpen) => return,
                // Another task, with what has become events since.
                Ok(Ran::GivenUp) => {}
                Ok(Ran::ToAValidator) => self.begin_validation(run),
                Err(error) => return self.park(run, turn, extra, error),
            }
        }
    }

    /// A task has come to its end: who waited for it is answered, and the run is parked no longer.
    pub(super) fn task_ended(
        &mut self,
        run: &mut Run,
        turn: &Turn,
        extra: &mut Vec<Change>,
        tellings: &mut Tellings,
    ) {
        self.unpark(run, turn, extra);
        for question in std::mem::take(&mut run.answerable) {
            self.question(run, turn, tellings, question);
        }
    }

    /// The run has closed: its alarms go, and who still waits for an update is told.
    fn closed(&mut self, run: &mut Run) {
        let place = run.place();
        let newest = self
            .newest
            .get_mut(&place)
            .filter(|newest| newest.run_id == run.run_id);
        if let Some(newest) = newest {
            newest.status = run.execution.status();
        }
        if run.execution.status() != Status::Running {
            self.end_stages(run);
        }
    }

    /// A closed run needs no code any more; it leaves the memory when nobody waits for it.
    pub(super) fn forget_if_idle(&mut self, run_id: RunId) {
        let durable = self.commits.durable();
        let Some(run) = self.runs.get_mut(&run_id) else {
            return;
        };
        if run.is_quiet(durable) {
            self.forget(run_id);
        }
    }
}

/// S7: a type whose handlers are closed refuses a name that it does not have.
pub(super) fn check_signal(version: &Version, workflow_type: &str, name: &str) -> Result<(), Error> {
    let Some(workflow_type) = version.workflow_types.get(workflow_type) else {
        return Ok(());
    };
    if workflow_type.dynamic_handlers || workflow_type.signals.iter().any(|signal| signal.name == name) {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!(
        "workflow type {:?} has no signal {name:?}; known signals: {}",
        workflow_type.name,
        names::known(
            name,
            workflow_type.signals.iter().map(|signal| signal.name.as_str())
        )
    )))
}

/// What a start led to whose message goes to a run that is there already.
pub(super) fn attached(run: &Run, request: &wire::StartWorkflowExecutionRequest) -> Started {
    Started {
        run_id: run.run_id,
        // Sent again: the first time it has started this run.
        started: request.request_id == run.start_request_id,
        status: Status::Running,
    }
}

/// A client's signal as history has it.
pub(super) fn signaled(
    request: wire::SignalWorkflowExecutionRequest,
) -> WorkflowExecutionSignaledEventAttributes {
    WorkflowExecutionSignaledEventAttributes {
        signal_name: request.signal_name,
        input: request.input,
        identity: request.identity,
        header: request.header,
        request_id: request.request_id,
        ..Default::default()
    }
}

/// An execution's refusal in the words of the wire.
pub(super) fn refuse(refused: Refused) -> Error {
    match refused {
        Refused::Closed => Error::AlreadyCompleted,
        Refused::Limit(_) => Error::ResourceExhausted(refused.to_string()),
        Refused::HistoryFull { .. } => Error::FailedPrecondition(refused.to_string()),
    }
}
