//! A run whose turn did not come to an end goes back to its last transition.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use longhaul_engine::Status;
use longhaul_store::RunId;

use super::{
    Alarm, Kind, Newest, Place, Shard,
    commit::Held,
    message::Input,
    run::{Code, Run},
    turn::Tellings,
};
use crate::{Error, guest::TaskError, updates::Stage};

/// What fell due while a turn was lost is looked at again after this: whatever made the turn fail may make the next one fail too.
const DUE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// See [`Shard::before_birth`].
pub(super) struct BeforeBirth {
    newest: Option<Newest>,
    /// The last transition that was handed over.
    ticket: u64,
}

impl Shard {
    /// Do something that may turn out to be a defect: a panic is an error like any other.
    pub(super) fn guarded<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|_| {
            metrics::counter!("longhaul_panics_total").increment(1);
            Err(Error::Internal(
                "the server has panicked while it worked for this execution, which is a defect of the server; nothing of the request \
                 was kept"
                    .into(),
            ))
        })
    }

    /// A transition that ends a run, or goes on with it, has failed: by a defect, or because the store refuses it. If it was handed
    /// over it stands, whatever has gone wrong since; else nothing of it ever was. Whoever waits is told.
    pub(super) fn lose(&mut self, mut run: Box<Run>, tellings: Tellings, ticket_before: u64, error: &Error) {
        let handed_over = self.commits.ticket() > ticket_before;
        match run.successor.take() {
            Some(next) if handed_over => self.recover(next, Tellings::default(), error),
            Some(next) => {
                // Its chain has not gone on.
                let newest = Newest {
                    status: Status::Running,
                    ..Newest::of(&run)
                };
                self.newest.insert(run.place(), newest);
                self.take_birth_back(next, Tellings::default(), error);
            }
            None => {}
        }
        if handed_over && run.deleted {
            run.ticket = self.commits.ticket();
            tellings.fail(error);
            return self.leave(*run);
        }
        self.recover(run, tellings, error);
    }

    /// What there is before a run begins.
    pub(super) fn before_birth(&self, place: &Place) -> BeforeBirth {
        BeforeBirth {
            newest: self.newest.get(place).cloned(),
            ticket: self.commits.ticket(),
        }
    }

    /// As [`lose`](Self::lose), for the transition that begins a run. Answers its ticket; none: it was not handed over.
    pub(super) fn lose_birth(
        &mut self,
        mut run: Box<Run>,
        tellings: Tellings,
        before: BeforeBirth,
        error: &Error,
    ) -> Option<u64> {
        let ticket = self.commits.ticket();
        if ticket > before.ticket {
            self.lose(run, tellings, before.ticket, error);
            return Some(ticket);
        }
        match before.newest {
            Some(newest) => self.newest.insert(run.place(), newest),
            None => self.newest.remove(&run.place()),
        };
        if let Some(next) = run.successor.take() {
            self.take_birth_back(next, Tellings::default(), error);
        }
        self.take_birth_back(run, tellings, error);
        None
    }

    /// A run goes back to what was written.
    ///
    /// Transitions that were handed over before are on their way, and their answers stay with them: the run is read when they are
    /// durable. What comes for it meanwhile waits.
    fn recover(&mut self, mut run: Box<Run>, tellings: Tellings, error: &Error) {
        let (run_id, place) = (run.run_id, run.place());
        tracing::error!(
            shard = self.index, workflow_id = &*run.workflow_id, %run_id, %error,
            "the turn of a run has failed; the run goes back to what was written"
        );
        self.memory.forget(&run);
        self.attempts
            .take_back(&self.core, run_id, &self.commits.dispatches_of(run_id));
        // Some may be of what was not written. The others are set again when the run is back.
        self.alarms.forget(run_id);
        // What is in the store comes from there again, and an open task begins again.
        self.give_up(&mut run);
        self.drop_locals(&mut run);
        let mut waiting = std::mem::take(&mut run.inbox);
        waiting.retain(|input| !matches!(input, Input::Buffered { .. }));
        tell(run, tellings, error);
        self.astray.insert(run_id);
        self.unread_requests += waiting.iter().filter(|input| input.is_request()).count();
        self.loading.insert(run_id, (place.clone(), waiting));
        self.hold(self.commits.ticket(), Held::Load(run_id, place));
    }

    /// As [`recover`](Self::recover), for a run that has not begun: nothing of it is left.
    fn take_birth_back(&mut self, run: Box<Run>, tellings: Tellings, error: &Error) {
        let run_id = run.run_id;
        tracing::error!(
            shard = self.index, workflow_id = &*run.workflow_id, %run_id, %error,
            "a run could not begin"
        );
        self.memory.forget(&run);
        self.attempts.take_back(&self.core, run_id, &HashSet::new());
        self.alarms.forget(run_id);
        self.outbox.forget_run(run_id);
        tell(run, tellings, error);
    }

    /// The defect of the disk that a test asks for.
    pub(super) fn fails_to_read(&mut self, place: &Place) -> Option<Error> {
        self.unreadable
            .take_if(|workflow_id| **workflow_id == *place.workflow_id)?;
        Some(Error::Unavailable("a test wants this read to fail".into()))
    }

    /// The defect that a test asks for.
    pub(super) fn panic_if_told(&mut self, run: &Run) {
        let told = self
            .panic_in_turn_of
            .take_if(|workflow_id| **workflow_id == *run.workflow_id);
        if told.is_some() {
            panic!("a test wants this turn to panic");
        }
    }

    /// A run is back from the store. If its last turn was lost, what the turn had taken from the alarms is set again.
    pub(super) fn bring_back(&mut self, run: &mut Run) {
        if !self.astray.remove(&run.run_id) {
            return;
        }
        self.bring_letters_back(run);
        let again_ns = self
            .now_ns()
            .saturating_add(u64::try_from(DUE_AGAIN_AFTER.as_nanos()).unwrap_or(u64::MAX));
        let (run_id, place) = (run.run_id, run.place());
        let mut set = |due_ns: u64, kind, id| {
            self.alarms
                .set(due_ns.max(again_ns), Alarm { run_id, kind, id }, place.clone());
        };
        for (started_event_id, timer) in run.execution.timers() {
            set(timer.due_ns, Kind::Timer, *started_event_id);
        }
        for activity in run.execution.activities().values() {
            set(again_ns, Kind::Activity, activity.scheduled_event_id);
        }
        if run.execution.is_open()
            && let Some(due_ns) = run.execution.run_expires_ns()
        {
            set(due_ns, Kind::RunTimeout, 0);
        }
        if let Some(first) = run.first_task {
            set(first.due_ns, Kind::FirstTask, 0);
        }
        if let Some(newest) = self
            .newest
            .get_mut(&place)
            .filter(|newest| newest.run_id == run_id)
        {
            newest.status = run.execution.status();
        }
        if let Some(parked) = &run.parked {
            set(parked.next_attempt_ns, Kind::TaskRetry, 0);
        } else if run.needs_task() {
            // It may well have been this task that could not end: it is tried as a task that has failed is.
            run.code = Code::Absent;
            run.broken = Some(TaskError::Unavailable(
                "the server could not end the workflow task, which is a defect of the server; its log says more".into(),
            ));
        }
    }

    /// A run could not be read. If its last turn was lost, perhaps nothing is due that would have it read again.
    pub(super) fn look_again(&mut self, run_id: RunId, place: &Place, after_ns: u64) {
        if self.astray.contains(&run_id) {
            let alarm = Alarm {
                run_id,
                kind: Kind::Wake,
                id: 0,
            };
            let due_ns = self.now_ns().saturating_add(after_ns);
            self.alarms.set(due_ns, alarm, place.clone());
        }
    }
}

/// Tell everybody who waits for a run that its state is given up. What has no sender who waits comes from the store again.
pub(super) fn tell(run: Box<Run>, tellings: Tellings, error: &Error) {
    tellings.fail(error);
    let (held, asked) = run
        .open_task
        .map(|open| open.meanwhile.into_parts())
        .unwrap_or_default();
    for input in held {
        input.refuse(error);
    }
    for question in asked.into_iter().chain(run.answerable) {
        question.refuse(error.clone());
    }
    for input in run.inbox {
        input.refuse(error);
    }
    for question in run.questions.into_iter().chain(run.asked.into_messages()) {
        question.refuse(error.clone());
    }
    for stage in run.stages.values() {
        stage.send_replace(Stage::Gone(error.clone()));
    }
}
