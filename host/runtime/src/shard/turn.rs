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
    pub(super) fn turn(&mut self, run_id: RunId) {
        let Some(mut run) = self.runs.remove(&run_id) else {
            return;
        };
        let mut tellings = Tellings::default();
        let mut turn = Turn::new(self.now_ns().max(run.execution.last_event_time_ns()));
        let mut extra = Vec::new();
        let mut questions = std::mem::take(&mut run.questions);
        let before = run.execution.history_bytes();
        while run.execution.history_bytes() - before < TURN_BYTES_MAX
            && let Some(input) = run.inbox.pop_front()
        {
            self.apply(
                &mut run,
                &mut turn,
                &mut extra,
                &mut tellings,
                &mut questions,
                input,
            );
        }
        self.run_tasks(&mut run, &mut turn, &mut extra, &mut tellings);
        self.start_attempts(&mut run, &mut turn, &mut tellings);
        for question in questions {
            self.question(&mut run, &turn, &mut tellings, question);
        }
        let more = !run.inbox.is_empty();
        self.conclude_turn(run, turn, extra, tellings);
        if more {
            self.mark_due(run_id);
        }
    }

    /// Hand the transition over and settle the run. Answers the transition's ticket; none: nothing had to be written.
    pub(super) fn conclude_turn(
        &mut self,
        mut run: Box<Run>,
        turn: Turn,
        extra: Vec<Change>,
        tellings: Tellings,
    ) -> Option<u64> {
        let mut ticket = None;
        match self.changes_of(&mut run, &turn) {
            Ok(changes) => {
                // What comes from elsewhere is first: a run can open only when the one that had its id has closed.
                let changes: Vec<Change> = extra.into_iter().chain(changes).collect();
                if !changes.is_empty() {
                    match self.commits.submit(changes) {
                        Ok(submitted) => ticket = Some(submitted),
                        Err(error) => {
                            let error = Error::Unavailable(error.to_string());
                            tellings.fail(&error);
                            self.start_over(&error.to_string());
                            return None;
                        }
                    }
                }
            }
            Err(error) => {
                tellings.fail(&error);
                self.start_over(&error.to_string());
                return None;
            }
        }
        self.settle(run, turn, ticket, tellings);
        ticket
    }

    /// Hold what a turn has to tell until its transition is durable, and put the run back.
    pub(super) fn settle(&mut self, mut run: Box<Run>, turn: Turn, ticket: Option<u64>, tellings: Tellings) {
        let run_id = run.run_id;
        run.ticket = ticket.unwrap_or(run.ticket);
        let ticket = run.ticket;
        for held in tellings.0 {
            self.hold(ticket, held);
        }
        self.tell_effects(&mut run, &turn);
        if !turn.events.is_empty() {
            self.hold(ticket, Held::Wake(run_id));
        }
        let closed = !run.execution.is_open();
        if let Some(history) = &mut run.history {
            history.extend(turn.events);
        }
        if closed {
            self.closed(&mut run);
            // Nothing will drive it any more; a query replays it.
            run.code = Code::Absent;
        }
        let wants_replay = std::mem::take(&mut run.wants_replay);
        self.touch(&mut run);
        self.runs.insert(run_id, run);
        if wants_replay {
            self.hold(ticket, Held::Revive(run_id));
        }
        if closed {
            self.hold(ticket, Held::Closed(run_id));
        }
    }

    fn apply(
        &mut self,
        run: &mut Run,
        turn: &mut Turn,
        extra: &mut Vec<Change>,
        tellings: &mut Tellings,
        questions: &mut Vec<Message>,
        input: Input,
    ) {
        match input {
            Input::Message(Message::Signal { request, reply }) => {
                // A signal that stands behind an update opens the next workflow task.
                if !run.execution.admitted_updates().is_empty() {
                    self.run_tasks(run, turn, extra, tellings);
                }
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
        while run.execution.needs_task() && (run.parked.is_none() || run.retrying) {
            debug_assert_eq!(run.execution.task(), workflow_task::State::Idle);
            if !run.is_live() {
                match run.broken.take() {
                    Some(error) => self.park(run, turn, extra, error),
                    None => self.revive(run),
                }
                return;
            }
            match self.run_task(run, turn, tellings) {
                Ok(()) => self.unpark(run, turn, extra),
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
        Refused::UpdatesInFlight(_) | Refused::UpdatesInRun(_) | Refused::UpdateBytesInFlight(_) => {
            Error::ResourceExhausted(refused.to_string())
        }
        Refused::HistoryFull { .. } => Error::FailedPrecondition(refused.to_string()),
    }
}
