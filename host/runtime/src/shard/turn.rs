//! A run's turn: everything in its inbox, the workflow tasks that this calls for, and one transition.

use longhaul_engine::{
    Refused, Status, Turn, proto::history::v1::WorkflowExecutionSignaledEventAttributes, workflow_task,
};
use longhaul_store::{Change, RunId};

use super::{
    Shard,
    alarms::Kind,
    commit::{Answer, Held},
    message::{Input, Message, Reply, Request},
    run::{Code, Run},
    task::Ran,
    validate::Validation,
};
use crate::{Error, names};

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

    /// Nothing of the turn can be written: whoever waits for it is told.
    pub(super) fn fail(self, error: &Error) {
        for held in self.0 {
            if let Held::Answer(answer) = held {
                answer(Err(error.clone()));
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
        let mut tellings = Tellings::default();
        match self.guarded(|shard| shard.take_turn(&mut run, &mut tellings)) {
            Ok(()) => {
                let more = !run.inbox.is_empty() && !run.validation.holds_inbox();
                self.put_back(run);
                if more {
                    self.mark_due(run_id);
                }
            }
            Err(error) => self.recover(run, tellings, &error),
        }
    }

    fn take_turn(&mut self, run: &mut Run, tellings: &mut Tellings) -> Result<(), Error> {
        let mut turn = Turn::new(self.now_ns().max(run.execution.last_event_time_ns()));
        let mut extra = Vec::new();
        let mut questions = std::mem::take(&mut run.questions);
        if let Validation::Done(_) = run.validation {
            // What waits in the inbox came after the updates on which these are the verdicts.
            self.run_tasks(run, &mut turn, &mut extra, tellings);
            if !run.execution.needs_task() {
                run.validation = Validation::Idle;
            }
        }
        let before = run.execution.history_bytes();
        while run.execution.history_bytes() - before < TURN_BYTES_MAX
            && !run.validation.holds_inbox()
            && let Some(input) = run.inbox.pop_front()
        {
            if matches!(input, Input::Message(Message::Signal { .. }))
                && !run.execution.admitted_updates().is_empty()
            {
                // A signal that stands behind an update opens the next workflow task.
                self.run_tasks(run, &mut turn, &mut extra, tellings);
                if run.validation.holds_inbox() {
                    run.inbox.push_front(input);
                    break;
                }
            }
            self.apply(run, &mut turn, tellings, &mut questions, input);
        }
        self.run_tasks(run, &mut turn, &mut extra, tellings);
        self.start_attempts(run, &mut turn, tellings);
        if run.validation.holds_inbox() {
            // They are to see what was acknowledged before them, and the task that shows it to the code has not run (Q2).
            run.questions.extend(questions);
        } else {
            for question in questions {
                self.question(run, &turn, tellings, question);
            }
        }
        self.panic_if_told(run);
        self.conclude_turn(run, turn, extra, tellings)
    }

    /// Hand the transition over and settle the run.
    pub(super) fn conclude_turn(
        &mut self,
        run: &mut Run,
        turn: Turn,
        extra: Vec<Change>,
        tellings: &mut Tellings,
    ) -> Result<(), Error> {
        // What comes from elsewhere is first: a run can open only when the one that had its id has closed.
        let mut changes = extra;
        changes.extend(self.changes_of(run, &turn)?);
        if !changes.is_empty() {
            run.ticket = self
                .commits
                .submit(changes)
                .map_err(|error| Error::Unavailable(error.to_string()))?;
        }
        self.settle(run, &turn, tellings);
        Ok(())
    }

    /// Hold what a turn has to tell until its transition is durable.
    pub(super) fn settle(&mut self, run: &mut Run, turn: &Turn, tellings: &mut Tellings) {
        for held in std::mem::take(&mut tellings.0) {
            self.hold(run.ticket, held);
        }
        self.tell_effects(run, turn);
        if !turn.events.is_empty() {
            self.hold(run.ticket, Held::Wake(run.run_id));
        }
        if !run.execution.is_open() {
            self.closed(run);
            // Nothing will drive it any more; a query replays it.
            run.code = Code::Absent;
        }
    }

    /// The run's turn is over.
    pub(super) fn put_back(&mut self, mut run: Box<Run>) {
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
        if closed {
            self.hold(ticket, Held::Closed(run_id));
        }
    }

    fn apply(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        tellings: &mut Tellings,
        questions: &mut Vec<Message>,
        input: Input,
    ) {
        match input {
            Input::Message(Message::Signal { request, reply }) => {
                let answer = self.take_signal(run, turn, *request);
                tellings.answer(reply, answer);
            }
            Input::Message(Message::Cancel { request, reply }) => {
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
            Input::Message(Message::Terminate { request, reply }) => {
                let answer = run
                    .execution
                    .terminate(turn, request.reason, request.details, request.identity)
                    .map_err(refuse);
                tellings.answer(reply, answer);
            }
            Input::Message(Message::Update { request, reply }) => {
                self.take_update(run, turn, tellings, *request, reply);
            }
            Input::Message(Message::FindUpdate { update_id, reply }) => {
                self.find_update(run, tellings, &update_id, reply);
            }
            Input::Message(question @ (Message::Query { .. } | Message::Describe { .. })) => {
                questions.push(question)
            }
            Input::Alarm(alarm) => match alarm.kind {
                Kind::Timer => {
                    run.execution.fire_timer(turn, alarm.id);
                }
                Kind::RunTimeout => {
                    run.execution.run_timed_out(turn);
                }
                Kind::TaskRetry => run.retrying = run.parked.is_some(),
                Kind::Wake => {}
                Kind::Activity => {
                    run.activity_alarms.remove(&alarm.id);
                    if !run.execution.check_deadline(turn, alarm.id) {
                        self.arm_activity(run, alarm.id);
                        self.attempts.try_later(run.run_id, alarm.id);
                    }
                }
            },
            Input::AttemptEnded {
                scheduled_event_id,
                number,
                end,
            } => {
                run.execution.end_attempt(turn, scheduled_event_id, number, end);
            }
            Input::Heartbeat {
                scheduled_event_id,
                number,
                details,
            } => {
                run.execution.heartbeat(turn, scheduled_event_id, number, details);
            }
            Input::TryAttempt { scheduled_event_id } => {
                self.attempts.try_later(run.run_id, scheduled_event_id)
            }
            Input::Replace {
                namespace,
                request,
                reply,
            } => {
                self.mailbox.notice(super::message::Notice::Again(Request::Start {
                    namespace,
                    request,
                    reply,
                }));
            }
        }
    }

    fn take_signal(
        &self,
        run: &mut Run,
        turn: &mut Turn,
        request: longhaul_engine::proto::workflowservice::v1::SignalWorkflowExecutionRequest,
    ) -> Result<(), Error> {
        if !run.execution.is_open() {
            return Err(Error::AlreadyCompleted);
        }
        // S7: a type whose handlers are closed refuses a name that it does not have.
        if let Some(workflow_type) = run.version.workflow_types.get(run.execution.workflow_type())
            && !workflow_type.dynamic_handlers
            && !workflow_type
                .signals
                .iter()
                .any(|signal| signal.name == request.signal_name)
        {
            return Err(Error::InvalidArgument(format!(
                "workflow type {:?} has no signal {:?}; known signals: {}",
                workflow_type.name,
                request.signal_name,
                names::known(
                    &request.signal_name,
                    workflow_type.signals.iter().map(|signal| signal.name.as_str())
                )
            )));
        }
        let attributes = WorkflowExecutionSignaledEventAttributes {
            signal_name: request.signal_name,
            input: request.input,
            identity: request.identity,
            header: request.header,
            request_id: request.request_id,
            ..Default::default()
        };
        run.execution
            .signal(turn, attributes, &self.core.options.limits)
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
        while run.execution.needs_task()
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
            match self.run_task(run, turn, tellings) {
                Ok(Ran::ToItsEnd) => self.unpark(run, turn, extra),
                Ok(Ran::ToAValidator) => self.begin_validation(run),
                Err(error) => return self.park(run, turn, extra, error),
            }
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

/// An execution's refusal in the words of the wire.
pub(super) fn refuse(refused: Refused) -> Error {
    match refused {
        Refused::Closed => Error::AlreadyCompleted,
        Refused::Update(_) => Error::ResourceExhausted(refused.to_string()),
        Refused::HistoryFull { .. } => Error::FailedPrecondition(refused.to_string()),
    }
}
